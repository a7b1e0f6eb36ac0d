#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "media/images/sheets.h"
#include "media/pb.h"
#include "media/picture/image.h"
#include "media/picture/score.h"
#include "media/results.h"
#include "proto/ticks.h"

/* The task `thumbnails`: lays the tiles that `encode` kept into sprite sheets, writes the WebVTT
 * file that says where each lies, and the poster: the best of the chunks' candidates, or the user's
 * own image.
 */

#define MAX_PICTURES 1000000
#define MAX_POSTER_BYTES (32u << 20)

struct picture {
    uint32_t chunk; /* position in chunks */
    uint32_t at;    /* in its file */
};

struct chunk {
    uint32_t index;
    Gm__EncodeItemMeta *meta;   /* owned */
    struct gm_task_input input; /* its pointers are the io's */
    size_t tiles_object;        /* position in the item's objects, where it has tiles */
    size_t poster_object;       /* likewise */
};

struct image {
    char name[GM_SHEETS_NAME_SIZE];
    char path[48];
    uint64_t size;
    uint8_t sha256[GM_SHA256_SIZE];
};

struct work {
    struct gm_task_io *io;
    Gm__Policy *policy; /* owned */
    const struct gm_still *still;
    struct chunk *chunks; /* owned */
    size_t chunk_count;
    struct picture *pictures; /* owned */
    int64_t *times;           /* owned: of the pictures */
    size_t picture_count;
    int64_t end_ts; /* of the programme */
    int tiles_fd;   /* owned: tiles of the chunk at position tiles_chunk; -1: none */
    uint32_t tiles_chunk;
    struct image *images; /* owned */
    size_t image_count, image_cap;
    struct gm_sheets sheets;
    size_t first_sheet; /* in images */
    Gm__PosterReport poster;
    char poster_name[16];
    Gm__ThumbnailsMeta meta; /* its warnings are owned */
};

static void release(struct work *w)
{
    for (size_t i = 0; i < w->chunk_count; i++) {
        gm__encode_item_meta__free_unpacked(w->chunks[i].meta, NULL);
    }
    for (size_t i = 0; i < w->meta.n_warnings; i++) {
        gm__warning__free_unpacked(w->meta.warnings[i], NULL);
    }
    free(w->meta.warnings);
    free(w->chunks);
    free(w->pictures);
    free(w->times);
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
    *c = (struct chunk){.meta = (Gm__EncodeItemMeta *)message, .input = *in};
    c->index = c->meta->chunk;
    if (c->meta->n_tile_ts > MAX_PICTURES - w->picture_count) {
        return gm_err_set(err, GM_E_LIMIT, 0, "There are more than %d thumbnails", MAX_PICTURES);
    }
    w->picture_count += c->meta->n_tile_ts;
    int64_t end = chunk_end(c->meta);
    w->end_ts = end > w->end_ts ? end : w->end_ts;
    if (c->meta->n_tile_ts > 0) {
        rc = find_object(in, c->meta->tiles_name, &c->tiles_object, err);
    }
    if (rc == 0 && c->meta->poster_name[0] != '\0') {
        rc = find_object(in, c->meta->poster_name, &c->poster_object, err);
    }
    return rc;
}

static int by_index(const void *a, const void *b)
{
    const struct chunk *x = a;
    const struct chunk *y = b;
    return x->index < y->index ? -1 : (x->index > y->index ? 1 : 0);
}

static int list_pictures(struct work *w, struct gm_err *err)
{
    size_t n = 0;
    if (w->chunk_count > 0) {
        qsort(w->chunks, w->chunk_count, sizeof *w->chunks, by_index);
    }
    w->pictures = calloc(w->picture_count + 1, sizeof *w->pictures);
    w->times = calloc(w->picture_count + 1, sizeof *w->times);
    if (w->pictures == NULL || w->times == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < w->chunk_count; i++) {
        const Gm__EncodeItemMeta *m = w->chunks[i].meta;
        for (size_t k = 0; k < m->n_tile_ts; k++) {
            w->pictures[n] = (struct picture){(uint32_t)i, (uint32_t)k};
            w->times[n++] = m->tile_ts[k];
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
            return list_pictures(w, err);
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

static int read_tile(void *arg, size_t number, uint8_t *out, size_t size, struct gm_err *err)
{
    struct work *w = arg;
    const struct picture *p = &w->pictures[number];
    int rc = open_tiles(w, p->chunk, err);
    if (rc < 0) {
        return rc;
    }
    size_t got = 0;
    rc = gm_fs_read_at(w->tiles_fd, out, size, (uint64_t)p->at * size, &got, err);
    if (rc == 0 && got < size) {
        rc = gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                        "The thumbnails of chunk %" PRIu32 " are cut off",
                        w->chunks[p->chunk].index);
    }
    return rc;
}

static int write_sheets(struct work *w, struct gm_err *err)
{
    struct gm_buf text = {0};
    struct gm_sheets sheets = {0};
    int rc = gm_sheets_lay_out(w->policy, w->times, w->picture_count, w->end_ts, &sheets, err);
    w->sheets = sheets;
    w->first_sheet = w->image_count;
    for (size_t i = 0; rc == 0 && i < w->sheets.sheets; i++) {
        struct gm_buf file = {0};
        char name[GM_SHEETS_NAME_SIZE];
        rc = gm_sheets_encode(&w->sheets, i, read_tile, w, &file, err);
        if (rc == 0) {
            gm_sheets_name(&w->sheets, i, name);
            rc = add_image(w, name, &file, err);
        }
        gm_buf_fini(&file);
        w->io->progress(w->io->self, i + 1, w->sheets.sheets);
    }
    if (rc == 0) {
        gm_sheets_index(&w->sheets, &text);
        rc = add_image(w, "thumbnails.vtt", &text, err);
    }
    gm_buf_fini(&text);
    return rc;
}

/* The best candidate; of equal ones the earliest. NULL: there is none. */
static const struct chunk *choose(const struct work *w, uint32_t *out_score)
{
    const struct chunk *best = NULL;
    for (size_t i = 0; i < w->chunk_count; i++) {
        const Gm__EncodeItemMeta *m = w->chunks[i].meta;
        double raw = m->poster_score > 0 && m->poster_score <= GM_SCORE_MAX ? m->poster_score : 0;
        uint32_t score = gm_score_place((uint32_t)raw, m->poster_ts, w->end_ts);
        if (m->poster_name[0] != '\0' && (best == NULL || score > *out_score)) {
            best = &w->chunks[i];
            *out_score = score;
        }
    }
    return best;
}

static int warn_clamped(struct work *w, struct gm_err *err)
{
    double asked = w->policy->thumbnails->poster_at_s;
    int64_t end_us = gm_ticks_us(w->end_ts, w->policy->timescale);
    if (asked < 0 || llround(asked * 1e6) < end_us) {
        return 0;
    }
    return gm_pb_warn(&w->meta.warnings, &w->meta.n_warnings, GM_W_IMAGES_POSTER_AFTER_END, 1, err,
                      "the poster was asked for at %.3f s, the programme ends at %.3f s: its last "
                      "picture was taken",
                      asked, (double)end_us / 1e6);
}

static int take_candidate(struct work *w, struct gm_buf *file, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int fd = -1;
    uint32_t score = 0;
    const struct chunk *c = choose(w, &score);
    if (c == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "No chunk has a candidate for the poster");
    }
    int rc = w->io->open_object(w->io->self, &c->input, c->poster_object, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_read_fd(fd, MAX_POSTER_BYTES, &data, &size, err);
    close(fd);
    if (rc < 0) {
        return rc;
    }
    gm_buf_add(file, data, size);
    free(data);
    bool timed = w->policy->thumbnails->poster_at_s >= 0;
    w->poster.from = (char *)(uintptr_t)(timed ? "time" : "score");
    w->poster.score = timed ? 0 : score;
    w->poster.time_us = gm_ticks_us(c->meta->poster_ts, w->policy->timescale);
    return warn_clamped(w, err);
}

/* What transparent parts of the user's poster show: the encode task's background. */
static uint32_t background(const Gm__TaskSpec *spec)
{
    for (size_t i = 0; spec->pipeline != NULL && i < spec->pipeline->n_tasks; i++) {
        const Gm__PipelineTask *t = spec->pipeline->tasks[i];
        if (t->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE && t->encode->background[0] == '#') {
            return (uint32_t)strtoul(t->encode->background + 1, NULL, 16) & 0xffffff;
        }
    }
    return 0;
}

static int scale_image(struct work *w, const char *name, struct gm_buf *file, struct gm_err *err)
{
    AVFrame *image = NULL;
    int rc = gm_image_load(w->io->spec->pipeline, name, &image, err);
    if (rc == 0) {
        rc = gm_image_to_poster(image, background(w->io->spec), w->policy->thumbnails->poster_width,
                                w->still, file, err);
    }
    av_frame_free(&image);
    w->poster.from = (char *)(uintptr_t) "image";
    return rc;
}

static int write_poster(struct work *w, struct gm_err *err)
{
    const char *own = w->policy->thumbnails->poster_image;
    struct gm_image_header header;
    struct gm_buf file = {0};
    int rc = own[0] != '\0' ? scale_image(w, own, &file, err) : take_candidate(w, &file, err);
    if (rc == 0) {
        rc = gm_buf_check(&file, err);
    }
    if (rc == 0) {
        rc = gm_image_header_read(file.data, file.size, &header, err);
    }
    if (rc == 0) {
        w->poster.width_px = header.width_px;
        w->poster.height_px = header.height_px;
        w->poster.name = w->poster_name;
        rc = gm_fs_path(w->poster_name, sizeof w->poster_name, err, "poster.%s", w->still->ext);
    }
    if (rc == 0) {
        rc = add_image(w, w->poster_name, &file, err);
    }
    gm_buf_fini(&file);
    return rc;
}

static void describe_sheets(const struct work *w, Gm__SheetsReport *out, uint32_t *files)
{
    const struct gm_sheets *s = &w->sheets;
    for (size_t i = 0; i < s->sheets; i++) {
        files[i] = (uint32_t)(w->first_sheet + i);
    }
    out->files = files;
    out->n_files = s->sheets;
    out->format = (char *)(uintptr_t)s->still->name;
    out->columns = s->columns;
    out->rows = s->rows;
    out->tile_width_px = s->tile_width_px;
    out->tile_height_px = s->tile_height_px;
    out->interval_s = s->interval_s;
    out->tiles = (uint32_t)s->tiles;
    out->duration_us = gm_ticks_us(w->end_ts, w->policy->timescale);
}

static int finish(struct work *w, struct gm_err *err)
{
    size_t n = w->image_count;
    Gm__WFile *files = calloc(n + 1, sizeof *files);
    Gm__NamedFile *named = calloc(n + 1, sizeof *named);
    Gm__NamedFile **list = calloc(n + 1, sizeof *list);
    uint32_t *sheets = calloc(n + 1, sizeof *sheets);
    Gm__SheetsReport report = GM__SHEETS_REPORT__INIT;
    int rc = 0;
    if (files == NULL || named == NULL || list == NULL || sheets == NULL) {
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
    describe_sheets(w, &report, sheets);
    w->meta.n_files = n;
    w->meta.files = list;
    w->meta.poster = &w->poster;
    w->meta.sheets = &report;
    rc = w->io->finish(w->io->self, files, n, &w->meta.base, NULL, 0, NULL, err);
out:
    free(files);
    free(named);
    free(list);
    free(sheets);
    return rc;
}

int gm_task_thumbnails(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct work w = {.io = io, .tiles_fd = -1};
    *out_chunk = -1;
    gm__thumbnails_meta__init(&w.meta);
    gm__poster_report__init(&w.poster);
    int rc = gm_results_policy(io->spec, &w.policy, err);
    if (rc == 0 && w.policy->thumbnails == NULL) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "The plan has no thumbnails");
    }
    if (rc == 0) {
        w.still = gm_still_find(w.policy->thumbnails->format);
        rc = w.still != NULL ? gather(&w, err)
                             : gm_err_set(err, GM_E_PROTO, 0, "The plan's image format is unknown");
    }
    if (rc == 0) {
        rc = write_sheets(&w, err);
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
