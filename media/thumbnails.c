#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/frame.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "media/jpeg.h"
#include "media/results.h"

/* The task `thumbnails`: lays the tiles that `encode` kept into sprite sheets, writes the WebVTT
 * file that says where each lies, and picks the poster. See: https://www.w3.org/TR/webvtt1/ and
 * https://www.w3.org/TR/media-frags/ (xywh).
 */

#define SPRITE_QUALITY 4
#define MAX_TILES 1000000
#define MAX_POSTER_BYTES (32u << 20)
#define MAX_SHEETS 10000

struct tile {
    int64_t ts;
    uint32_t chunk; /* position in chunks */
    uint32_t at;    /* in its file */
};

struct chunk {
    uint32_t index;
    Gm__EncodeItemMeta *meta;   /* owned */
    struct gm_task_input input; /* its pointers are the io's */
    size_t tiles_object;        /* position in the item's objects, where it has tiles */
};

struct image {
    char name[32];
    char path[48];
    uint64_t size;
    uint8_t sha256[GM_SHA256_SIZE];
};

struct work {
    struct gm_task_io *io;
    Gm__Policy *policy;   /* owned */
    struct chunk *chunks; /* owned */
    size_t chunk_count;
    struct tile *tiles; /* owned */
    size_t tile_count;
    int64_t end_ts; /* of the programme */
    int tiles_fd;   /* owned: tiles of the chunk at position tiles_chunk; -1: none */
    uint32_t tiles_chunk;
    bool poster; /* there is a candidate: the best so far */
    struct gm_task_input poster_input;
    size_t poster_object;
    double poster_score;
    uint32_t poster_chunk;
    struct image *images; /* owned */
    size_t image_count, image_cap;
};

static void release(struct work *w)
{
    for (size_t i = 0; i < w->chunk_count; i++) {
        gm__encode_item_meta__free_unpacked(w->chunks[i].meta, NULL);
    }
    free(w->chunks);
    free(w->tiles);
    free(w->images);
    if (w->tiles_fd >= 0) {
        close(w->tiles_fd);
    }
    if (w->policy != NULL) {
        gm__policy__free_unpacked(w->policy, NULL);
    }
}

/* Position of the item's object with that last path part. */
static int find_object(const struct gm_task_input *in, const char *name, size_t *out,
                       struct gm_err *err)
{
    for (size_t i = 0; i < in->item->n_objects; i++) {
        const char *key = in->item->objects[i]->key;
        const char *slash = strrchr(key, '/');
        if (strcmp(slash != NULL ? slash + 1 : key, name) == 0) {
            *out = i;
            return 0;
        }
    }
    return gm_err_set(err, GM_E_PROTO, 0, "Chunk %" PRIu32 " has no object %.60s", in->item->index,
                      name);
}

/* Keeps the candidate with the best score; of equal ones the earliest. */
static int weigh_poster(struct work *w, const struct gm_task_input *in,
                        const Gm__EncodeItemMeta *meta, struct gm_err *err)
{
    if (meta->poster_name[0] == '\0' ||
        (w->poster && (meta->poster_score < w->poster_score ||
                       (meta->poster_score <= w->poster_score && meta->chunk > w->poster_chunk)))) {
        return 0;
    }
    int rc = find_object(in, meta->poster_name, &w->poster_object, err);
    w->poster = rc == 0;
    w->poster_input = *in;
    w->poster_score = meta->poster_score;
    w->poster_chunk = meta->chunk;
    return rc;
}

static int64_t chunk_end(const Gm__EncodeItemMeta *meta)
{
    if (meta->n_renditions == 0 || meta->renditions[0]->n_segments == 0) {
        return 0;
    }
    const Gm__RenditionChunkMeta *r = meta->renditions[0];
    const Gm__SegmentMeta *last = r->segments[r->n_segments - 1];
    return last->start_ts + last->duration_ts;
}

static int add_chunk(struct work *w, const struct gm_task_input *in, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    struct chunk *grown = realloc(w->chunks, (w->chunk_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return gm_err_nomem(err);
    }
    w->chunks = grown;
    int rc = gm_results_item_meta(&gm__encode_item_meta__descriptor, in->item, &message, err);
    if (rc < 0) {
        return rc;
    }
    struct chunk *c = &w->chunks[w->chunk_count++];
    c->meta = (Gm__EncodeItemMeta *)message;
    c->index = c->meta->chunk;
    c->input = *in;
    c->tiles_object = 0;
    if (c->meta->n_tile_ts > MAX_TILES - w->tile_count) {
        return gm_err_set(err, GM_E_LIMIT, 0, "There are more than %d thumbnails", MAX_TILES);
    }
    w->tile_count += c->meta->n_tile_ts;
    int64_t end = chunk_end(c->meta);
    w->end_ts = end > w->end_ts ? end : w->end_ts;
    if (c->meta->n_tile_ts > 0) {
        rc = find_object(in, c->meta->tiles_name, &c->tiles_object, err);
    }
    return rc < 0 ? rc : weigh_poster(w, in, c->meta, err);
}

static int by_index(const void *a, const void *b)
{
    const struct chunk *x = a;
    const struct chunk *y = b;
    return x->index < y->index ? -1 : (x->index > y->index ? 1 : 0);
}

static int list_tiles(struct work *w, struct gm_err *err)
{
    size_t n = 0;
    qsort(w->chunks, w->chunk_count, sizeof *w->chunks, by_index);
    w->tiles = calloc(w->tile_count + 1, sizeof *w->tiles);
    if (w->tiles == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < w->chunk_count; i++) {
        const Gm__EncodeItemMeta *m = w->chunks[i].meta;
        for (size_t k = 0; k < m->n_tile_ts; k++) {
            w->tiles[n] = (struct tile){m->tile_ts[k], (uint32_t)i, (uint32_t)k};
            if (m->tile_ts[k] < 0 || (n > 0 && m->tile_ts[k] <= w->tiles[n - 1].ts)) {
                return gm_err_set(err, GM_E_PROTO, 0, "Thumbnail times do not rise");
            }
            n++;
        }
    }
    return 0;
}

static int gather(struct work *w, struct gm_err *err)
{
    for (;;) {
        struct gm_task_input in;
        bool more = false;
        int rc = w->io->next_input(w->io->self, &more, &in, err);
        if (rc < 0) {
            return rc;
        }
        if (!more) {
            return list_tiles(w, err);
        }
        const Gm__PipelineTask *task = gm_results_task(w->io->spec, in.task);
        if (in.item == NULL || (task != NULL && strcmp(task->type, "encode") != 0)) {
            continue;
        }
        rc = add_chunk(w, &in, err);
        if (rc < 0) {
            return rc;
        }
        w->io->progress(w->io->self, 0, 0);
    }
}

static int add_image(struct work *w, const char *name, const struct gm_buf *data,
                     struct gm_err *err)
{
    int fd = -1;
    int rc = gm_buf_check(data, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_array_reserve(&w->images, w->image_count, 1, &w->image_cap, sizeof *w->images, err);
    if (rc < 0) {
        return rc;
    }
    struct image *m = &w->images[w->image_count];
    rc = gm_fs_path(m->name, sizeof m->name, err, "%s", name);
    if (rc == 0) {
        rc = gm_fs_path(m->path, sizeof m->path, err, "images/%s", name);
    }
    if (rc == 0) {
        rc = w->io->create_file(w->io->self, name, &fd, err);
    }
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_write_all(fd, data->data, data->size, err);
    if (close(fd) != 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "Closing %s", name);
    }
    m->size = data->size;
    gm_sha256(data->data, data->size, m->sha256);
    w->image_count++;
    return rc;
}

/* One chunk's file is open at a time. */
static int open_tiles(struct work *w, uint32_t chunk, struct gm_err *err)
{
    if (w->tiles_fd >= 0 && w->tiles_chunk == chunk) {
        return 0;
    }
    if (w->tiles_fd >= 0) {
        close(w->tiles_fd);
        w->tiles_fd = -1;
    }
    const struct chunk *c = &w->chunks[chunk];
    int fd = -1;
    int rc = w->io->open_object(w->io->self, &c->input, c->tiles_object, &fd, err);
    if (rc == 0) {
        w->tiles_fd = fd;
        w->tiles_chunk = chunk;
    }
    return rc;
}

static int read_tile(struct work *w, size_t number, uint8_t *out, size_t size, struct gm_err *err)
{
    const struct tile *tile = &w->tiles[number];
    int rc = open_tiles(w, tile->chunk, err);
    if (rc < 0) {
        return rc;
    }
    size_t got = 0;
    rc = gm_fs_read_at(w->tiles_fd, out, size, (uint64_t)tile->at * size, &got, err);
    if (rc == 0 && got < size) {
        rc = gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                        "The thumbnails of chunk %" PRIu32 " are cut off",
                        w->chunks[tile->chunk].index);
    }
    return rc;
}

static void lay_plane(AVFrame *sheet, int plane, const uint8_t *from, uint32_t x, uint32_t y,
                      uint32_t width, uint32_t height)
{
    for (uint32_t row = 0; row < height; row++) {
        memcpy(sheet->data[plane] + (size_t)(y + row) * (size_t)sheet->linesize[plane] + x,
               from + (size_t)row * width, width);
    }
}

struct layout {
    uint32_t columns, rows, width, height; /* tiles across and down; px of one */
};

/* Lays tiles first .. first + count - 1 onto one sheet. */
static int fill_sheet(struct work *w, const struct layout *l, size_t first, size_t count,
                      AVFrame *sheet, struct gm_err *err)
{
    size_t luma = (size_t)l->width * l->height;
    size_t size = luma * 3 / 2;
    uint8_t *tile = malloc(size);
    if (tile == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        uint32_t x = (uint32_t)(i % l->columns) * l->width;
        uint32_t y = (uint32_t)(i / l->columns) * l->height;
        rc = read_tile(w, first + i, tile, size, err);
        if (rc == 0) {
            lay_plane(sheet, 0, tile, x, y, l->width, l->height);
            lay_plane(sheet, 1, tile + luma, x / 2, y / 2, l->width / 2, l->height / 2);
            lay_plane(sheet, 2, tile + luma + luma / 4, x / 2, y / 2, l->width / 2, l->height / 2);
        }
    }
    free(tile);
    return rc;
}

static AVFrame *make_sheet(uint32_t width, uint32_t height)
{
    AVFrame *sheet = av_frame_alloc();
    if (sheet == NULL) {
        return NULL;
    }
    sheet->width = (int)width;
    sheet->height = (int)height;
    sheet->format = AV_PIX_FMT_YUVJ420P;
    sheet->color_range = AVCOL_RANGE_JPEG;
    if (av_frame_get_buffer(sheet, 0) < 0) {
        av_frame_free(&sheet);
        return NULL;
    }
    for (int plane = 0; plane < 3; plane++) {
        size_t rows = plane == 0 ? height : height / 2;
        memset(sheet->data[plane], plane == 0 ? 0 : 128, (size_t)sheet->linesize[plane] * rows);
    }
    return sheet;
}

static int write_sprites(struct work *w, const struct layout *l, struct gm_err *err)
{
    size_t a_sheet = (size_t)l->columns * l->rows;
    int rc = 0;
    for (size_t first = 0, n = 1; first < w->tile_count && rc == 0; first += a_sheet, n++) {
        size_t left = w->tile_count - first;
        size_t count = left < a_sheet ? left : a_sheet;
        uint32_t across = (uint32_t)(count < l->columns ? count : l->columns);
        uint32_t down = (uint32_t)((count + l->columns - 1) / l->columns);
        struct gm_buf jpeg = {0};
        char name[32];
        AVFrame *sheet = make_sheet(across * l->width, down * l->height);
        rc = sheet != NULL ? fill_sheet(w, l, first, count, sheet, err) : gm_err_nomem(err);
        if (rc == 0) {
            rc = gm_jpeg_encode(sheet, SPRITE_QUALITY, &jpeg, err);
        }
        if (rc == 0) {
            rc = gm_fs_path(name, sizeof name, err, "sprite-%03zu.jpg", n);
        }
        if (rc == 0) {
            rc = add_image(w, name, &jpeg, err);
        }
        gm_buf_fini(&jpeg);
        av_frame_free(&sheet);
        w->io->progress(w->io->self, first + count, w->tile_count);
    }
    return rc;
}

static void add_time(struct gm_buf *out, int64_t ts, uint32_t timescale)
{
    __int128 scaled = ((__int128)ts * 1000 + timescale / 2) / timescale;
    int64_t ms = (int64_t)scaled;
    gm_buf_printf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000,
                  ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static int write_vtt(struct work *w, const struct layout *l, struct gm_err *err)
{
    struct gm_buf text = {0};
    size_t a_sheet = (size_t)l->columns * l->rows;
    gm_buf_str(&text, "WEBVTT\n");
    for (size_t i = 0; i < w->tile_count; i++) {
        size_t on_sheet = i % a_sheet;
        int64_t end = i + 1 < w->tile_count ? w->tiles[i + 1].ts : w->end_ts;
        gm_buf_str(&text, "\n");
        /* The first picture stands for what lies before it too. */
        add_time(&text, i == 0 ? 0 : w->tiles[i].ts, w->policy->timescale);
        gm_buf_str(&text, " --> ");
        add_time(&text, end, w->policy->timescale);
        gm_buf_printf(&text, "\nsprite-%03zu.jpg#xywh=%zu,%zu,%" PRIu32 ",%" PRIu32 "\n",
                      i / a_sheet + 1, on_sheet % l->columns * l->width,
                      on_sheet / l->columns * l->height, l->width, l->height);
    }
    int rc = add_image(w, "thumbnails.vtt", &text, err);
    gm_buf_fini(&text);
    return rc;
}

static int write_poster(struct work *w, struct gm_err *err)
{
    struct gm_buf jpeg = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    int fd = -1;
    if (!w->poster) {
        return 0;
    }
    int rc = w->io->open_object(w->io->self, &w->poster_input, w->poster_object, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_read_fd(fd, MAX_POSTER_BYTES, &data, &size, err);
    close(fd);
    if (rc < 0) {
        return rc;
    }
    gm_buf_add(&jpeg, data, size);
    rc = add_image(w, "poster.jpg", &jpeg, err);
    gm_buf_fini(&jpeg);
    free(data);
    return rc;
}

static int finish(struct work *w, struct gm_err *err)
{
    size_t n = w->image_count;
    Gm__WFile *files = calloc(n + 1, sizeof *files);
    Gm__NamedFile *named = calloc(n + 1, sizeof *named);
    Gm__NamedFile **list = calloc(n + 1, sizeof *list);
    Gm__ThumbnailsMeta meta = GM__THUMBNAILS_META__INIT;
    int rc = 0;
    if (files == NULL || named == NULL || list == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        struct image *m = &w->images[i];
        gm__wfile__init(&files[i]);
        files[i].name = m->name;
        files[i].path = m->path;
        files[i].store = GM__OBJECT_STORE__STORE_OUT;
        gm__named_file__init(&named[i]);
        named[i].name = m->name;
        named[i].path = m->path;
        named[i].size = m->size;
        named[i].sha256 = (ProtobufCBinaryData){GM_SHA256_SIZE, m->sha256};
        list[i] = &named[i];
    }
    meta.n_files = n;
    meta.files = list;
    rc = w->io->finish(w->io->self, files, n, &meta.base, NULL, 0, NULL, err);
out:
    free(files);
    free(named);
    free(list);
    return rc;
}

static int check_layout(const struct work *w, struct layout *out, struct gm_err *err)
{
    const Gm__ThumbnailsParams *p = w->policy->thumbnails;
    if (p == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "The plan has no thumbnails");
    }
    struct layout l = {p->columns, p->rows, p->width, w->policy->tile_height_px};
    if (l.columns == 0 || l.rows == 0 || l.width < 2 || l.height < 2 || l.width % 2 != 0 ||
        l.height % 2 != 0 || l.columns > GM_JPEG_MAX_SIDE / l.width ||
        l.rows > GM_JPEG_MAX_SIDE / l.height) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "Sprite sheets of %" PRIu32 "x%" PRIu32 " tiles of %" PRIu32 "x%" PRIu32
                          " can't be made",
                          l.columns, l.rows, l.width, l.height);
    }
    if (w->policy->timescale == 0 || w->tile_count / ((size_t)l.columns * l.rows) > MAX_SHEETS) {
        return gm_err_set(err, GM_E_LIMIT, 0, "There are too many sprite sheets");
    }
    *out = l;
    return 0;
}

int gm_task_thumbnails(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct work w = {.io = io, .tiles_fd = -1};
    struct layout layout;
    *out_chunk = -1;
    int rc = gm_results_policy(io->spec, &w.policy, err);
    if (rc == 0) {
        rc = gather(&w, err);
    }
    if (rc == 0) {
        rc = check_layout(&w, &layout, err);
    }
    if (rc == 0) {
        rc = write_sprites(&w, &layout, err);
    }
    if (rc == 0) {
        rc = write_vtt(&w, &layout, err);
    }
    if (rc == 0) {
        rc = write_poster(&w, err);
    }
    if (rc == 0) {
        rc = finish(&w, err);
    }
    release(&w);
    return rc;
}
