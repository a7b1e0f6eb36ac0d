/* The table of published titles (scheduler/catalogue.h): what it takes, and how fast it is.
 *   catalogue [TITLES...]            10,000 and 100,000 without any
 * Titles are of a pipeline of five rungs, one a minute, each ended up to an hour after its job was
 * made. Prints the heap's bytes a title, and processor time: of a fill as at a start, from the
 * bytes of rows in the order of their keys, and in any order; of pages of 50 and of 200, the newest
 * and from the middle on; of a page of one among as many tenants as it has pages; of a search that
 * finds nothing, which ends after 5,000 looks. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "scheduler/catalogue.h"

#define LOOKS 5000
#define BEGIN INT64_C(1767225600000) /* Unix, ms */

struct raw {
    uint8_t *data; /* owned */
    size_t size;
};
static uint64_t state = 1;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static uint32_t random_below(uint32_t limit)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % limit;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* As scheduler/doc_assets.c writes it. */
static char *document(const Gm__AssetRow *r)
{
    static const int heights[] = {1080, 720, 480, 360, 240};
    char list[1024] = "";
    size_t used = 0;
    for (size_t i = 0; i < 5; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used,
                                 "%s{\"name\":\"%dp\",\"width\":%d,\"height\":%d,\"codec\":"
                                 "\"avc1.640028\",\"bitrate\":%u}",
                                 i > 0 ? "," : "", heights[i], heights[i] * 16 / 9, heights[i],
                                 200000 + random_below(5000000));
    }
    return gm_mem_printf(
        "{\"job\":\"%s\",\"tenant\":\"%s\",\"pipeline\":\"vod-h264\",\"title\":\"%s\","
        "\"destination\":\"%s\",\"publication\":\"%s\",\"finished\":\"2026-01-01T00:00:00.000Z\","
        "\"duration_s\":%u.52,\"renditions\":[%s],\"manifests\":[\"master.m3u8\","
        "\"manifest.mpd\"],\"poster\":\"v/%s/images/poster.jpg\","
        "\"sprites\":\"v/%s/images/thumbnails.vtt\",\"bytes\":%u}",
        r->job, r->tenant, r->title, r->destination, r->publication, 60 + random_below(7000), list,
        r->publication, r->publication, random_below(4000000000));
}

static struct raw make(uint32_t i, uint32_t tenants)
{
    Gm__AssetRow r;
    struct raw raw;
    gm__asset_row__init(&r);
    r.job = gm_mem_printf("01m83%08x0000000000000", i);
    r.tenant = gm_mem_printf("tenant-%u", i % tenants);
    r.title = gm_mem_printf("season-%02u-episode-%02u-%u.mov", i % 20, i % 31, i);
    r.destination = gm_mem_printf("s3://media/published/2026/season-%02u/%u", i % 20, i);
    r.mark = gm_mem_printf("%032x", i);
    r.publication = gm_mem_printf("%016x", i);
    r.finished_unix_ms = BEGIN + i * INT64_C(60000) + random_below(3600000);
    r.document = document(&r);
    r.backup = gm_mem_strdup("");
    r.backup_mark = gm_mem_strdup("");
    raw.data = gm_asset_encode(&r, &raw.size);
    char *const texts[] = {r.job,         r.tenant,   r.title,  r.destination, r.mark,
                           r.publication, r.document, r.backup, r.backup_mark};
    for (size_t i_text = 0; i_text < sizeof texts / sizeof texts[0]; i_text++) {
        free(texts[i_text]);
    }
    return raw;
}

static void fill(struct gm_catalogue *c, const struct raw *rows, const uint32_t *order,
                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        Gm__AssetRow *row = NULL;
        struct gm_err err;
        const struct raw *raw = &rows[order[i]];
        if (gm_asset_decode(raw->data, raw->size, &row, &err) < 0 ||
            gm_catalogue_add(c, row, true) != NULL) {
            (void)fprintf(stderr, "catalogue: row %u was not taken\n", order[i]);
            exit(1);
        }
    }
}

/* What an answer says of a title, but whether its job is known. */
static void add(const struct gm_asset *asset, void *arg)
{
    struct gm_buf *out = arg;
    gm_buf_add(out, asset->row->document, strlen(asset->row->document) - 1);
    gm_buf_str(out, ",\"known\":false,\"removing\":null},");
}

static void pages(const struct gm_catalogue *c, const char *what, struct gm_asset_wish wish,
                  const struct gm_asset *behind)
{
    const uint32_t times = 400;
    size_t bytes = 0;
    wish.looks = LOOKS;
    double begin = now_us();
    for (uint32_t i = 0; i < times; i++) {
        struct gm_asset_cursor cursor = {0};
        struct gm_buf out = {0};
        if (behind != NULL) {
            cursor.finished_unix_ms = behind->row->finished_unix_ms;
            (void)snprintf(cursor.job, sizeof cursor.job, "%s", behind->row->job);
        }
        (void)gm_catalogue_page(c, &wish, &cursor, add, &out);
        bytes = out.size;
        gm_buf_fini(&out);
    }
    printf("  %-32s %8.1f us, %zu bytes\n", what, (now_us() - begin) / times, bytes);
}

static void measure(uint32_t count)
{
    struct raw *rows = gm_mem_zalloc(count * sizeof *rows);
    uint32_t *order = gm_mem_zalloc(count * sizeof *order);
    uint32_t tenants = count / 200 + 1;
    struct gm_catalogue c = {0};
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = make(i, tenants);
        size += rows[i].size;
        order[i] = i;
    }
    size_t before = heap_bytes();
    double begin = now_us();
    fill(&c, rows, order, count);
    double took = now_us() - begin;
    printf("%u titles of %u tenants: %zu bytes a title, of a row of %zu\n", count, tenants,
           (heap_bytes() - before) / count, size / count);
    printf("  %-32s %8.1f ms, %.2f us a title\n", "fill, in order", took / 1e3, took / count);
    const struct gm_asset *middle = gm_catalogue_title(&c, c.all.count / 2);
    pages(&c, "page of 50", (struct gm_asset_wish){.limit = 50}, NULL);
    pages(&c, "page of 200", (struct gm_asset_wish){.limit = 200}, NULL);
    pages(&c, "page of 50, from the middle", (struct gm_asset_wish){.limit = 50}, middle);
    pages(&c, "page of 200, from the middle", (struct gm_asset_wish){.limit = 200}, middle);
    pages(&c, "page of 50, one tenant's", (struct gm_asset_wish){.limit = 50, .tenant = "tenant-0"},
          NULL);
    pages(&c, "search that finds nothing", (struct gm_asset_wish){.limit = 50, .part = "nowhere"},
          NULL);
    gm_catalogue_fini(&c);
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = random_below(i + 1), was = order[i];
        order[i] = order[other];
        order[other] = was;
    }
    begin = now_us();
    fill(&c, rows, order, count);
    took = now_us() - begin;
    printf("  %-32s %8.1f ms, %.2f us a title\n", "fill, in any order", took / 1e3, took / count);
    gm_catalogue_fini(&c);
    for (uint32_t i = 0; i < count; i++) {
        free(rows[i].data);
    }
    free(rows);
    free(order);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        unsigned long count = strtoul(argv[i], NULL, 10);
        if (count < 1 || count > 10000000) {
            (void)fprintf(stderr, "catalogue: %s is no number of titles from 1 to 10,000,000\n",
                          argv[i]);
            return 2;
        }
        measure((uint32_t)count);
    }
    if (argc < 2) {
        measure(10000);
        measure(100000);
    }
    return 0;
}
