#include "media/images/tiles.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "media/images/poster.h"
#include "media/picture/graph.h"

struct stored {
    char scratch[48];
    char name[64];
    char path[80];
};

struct gm_tiles {
    struct gm_task_io *io;    /* borrowed */
    const Gm__Policy *policy; /* borrowed */
    const struct gm_still *still;
    int64_t interval_ts;
    struct gm_graph *graph;        /* owned: small picture -> tile */
    struct gm_poster *poster;      /* owned; NULL: the user brings one */
    const Gm__ChunkHeader *header; /* borrowed */
    size_t *frames;                /* owned: which frames become tiles */
    int64_t *times;                /* owned */
    size_t count, done;
    struct gm_buf bytes; /* the tiles */
    struct stored tiles_file, poster_file;
};

size_t gm_tiles_select(const Gm__ChunkHeader *h, int64_t interval_ts, size_t *out, size_t max)
{
    size_t count = 0;
    size_t i = 0;
    if (h->n_frames == 0 || interval_ts <= 0) {
        return 0;
    }
    int64_t start = h->frames[0]->out_ts;
    int64_t due = h->index == 0 ? 0 : (start + interval_ts - 1) / interval_ts * interval_ts;
    while (due < h->end_ts) {
        while (i + 1 < h->n_frames && h->frames[i + 1]->out_ts <= due) {
            i++;
        }
        if (count < max) {
            out[count] = i;
        }
        count++;
        if (i + 1 == h->n_frames) {
            break; /* the last frame stays on screen */
        }
        /* The next multiple at which another frame is on screen. */
        int64_t next = h->frames[i + 1]->out_ts;
        due = (next + interval_ts - 1) / interval_ts * interval_ts;
    }
    return count;
}

int gm_tiles_create(struct gm_task_io *io, const Gm__Policy *policy, struct gm_tiles **out,
                    struct gm_err *err)
{
    const Gm__ThumbnailsParams *params = policy->thumbnails;
    const struct gm_still *still = gm_still_find(params->format);
    uint32_t w = params->width;
    uint32_t h = policy->tile_height_px;
    if (still == NULL || w < 2 || h < 2 || w % 2 != 0 || h % 2 != 0 || w > 4096 || h > 4096 ||
        params->interval_s == 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "Tiles of %" PRIu32 "x%" PRIu32 " are refused", w, h);
    }
    struct gm_tiles *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    t->io = io;
    t->policy = policy;
    t->still = still;
    t->interval_ts = (int64_t)params->interval_s * policy->timescale;
    struct gm_graph_output tile = {
        .filters = policy->tile_filters, .width_px = w, .height_px = h, .format = still->format};
    int rc = gm_graph_create(&tile, 1, policy->timescale, &t->graph, err);
    if (rc == 0 && params->poster_image[0] == '\0') {
        rc = gm_poster_create(policy, &t->poster, err);
    }
    if (rc < 0) {
        gm_tiles_destroy(&t);
        return rc;
    }
    *out = t;
    return 0;
}

static void reset(struct gm_tiles *t)
{
    free(t->frames);
    free(t->times);
    t->frames = NULL;
    t->times = NULL;
    t->count = t->done = 0;
    gm_buf_fini(&t->bytes);
}

void gm_tiles_destroy(struct gm_tiles **tiles)
{
    struct gm_tiles *t = *tiles;
    if (t == NULL) {
        return;
    }
    reset(t);
    gm_graph_destroy(&t->graph);
    gm_poster_destroy(&t->poster);
    free(t);
    *tiles = NULL;
}

int gm_tiles_start(struct gm_tiles *t, const Gm__ChunkHeader *header, struct gm_err *err)
{
    reset(t);
    t->header = header;
    size_t count = gm_tiles_select(header, t->interval_ts, NULL, 0);
    if (count > GM_TILES_MAX) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Chunk %" PRIu32 " asks for %zu tiles",
                          header->index, count);
    }
    t->frames = calloc(count + 1, sizeof *t->frames);
    t->times = calloc(count + 1, sizeof *t->times);
    if (t->frames == NULL || t->times == NULL) {
        return gm_err_nomem(err);
    }
    t->count = gm_tiles_select(header, t->interval_ts, t->frames, count);
    for (size_t i = 0; i < count; i++) {
        t->times[i] = header->frames[t->frames[i]]->out_ts;
    }
    return t->poster != NULL ? gm_poster_start(t->poster, header, err) : 0;
}

static void add_plane(struct gm_buf *out, const AVFrame *f, int plane, int width, int height)
{
    for (int y = 0; y < height; y++) {
        gm_buf_add(out, f->data[plane] + (ptrdiff_t)y * f->linesize[plane], (size_t)width);
    }
}

static bool tile_is_due(const struct gm_tiles *t, size_t index)
{
    return t->done < t->count && t->frames[t->done] == index;
}

bool gm_tiles_wants(const struct gm_tiles *t, size_t index)
{
    return tile_is_due(t, index) || (t->poster != NULL && gm_poster_wants(t->poster, index));
}

static int add_tile(struct gm_tiles *t, const struct gm_sight *sight, struct gm_err *err)
{
    const AVFrame *small = NULL;
    int rc = gm_eyes_small(sight->eyes, t->policy->thumbnails->width, t->policy->tile_height_px,
                           &small, err);
    if (rc == 0) {
        rc = gm_graph_push(t->graph, small, t->times[t->done], err);
    }
    if (rc < 0) {
        return rc;
    }
    const AVFrame *tile = gm_graph_get(t->graph, 0);
    add_plane(&t->bytes, tile, 0, tile->width, tile->height);
    add_plane(&t->bytes, tile, 1, tile->width / 2, tile->height / 2);
    add_plane(&t->bytes, tile, 2, tile->width / 2, tile->height / 2);
    t->done++;
    return gm_buf_check(&t->bytes, err);
}

int gm_tiles_picture(struct gm_tiles *t, size_t index, const struct gm_sight *sight,
                     struct gm_err *err)
{
    int rc = 0;
    if (tile_is_due(t, index)) {
        rc = add_tile(t, sight, err);
    }
    if (rc == 0 && t->poster != NULL) {
        rc = gm_poster_picture(t->poster, index, sight, err);
    }
    return rc;
}

static int store(struct gm_tiles *t, const char *kind, const char *ext, const struct gm_buf *data,
                 struct stored *s, Gm__WFile *out, struct gm_err *err)
{
    uint8_t sha[GM_SHA256_SIZE];
    char hex[2 * GM_SHA256_SIZE + 1];
    int fd = -1;
    gm_sha256(data->data, data->size, sha);
    gm_hex(sha, 6, hex);
    uint32_t index = t->header->index;
    int rc =
        gm_fs_path(s->scratch, sizeof s->scratch, err, "%s-%05" PRIu32 ".%s", kind, index, ext);
    if (rc == 0) {
        rc = gm_fs_path(s->name, sizeof s->name, err, "%s-%05" PRIu32 "-%s.%s", kind, index, hex,
                        ext);
    }
    if (rc == 0) {
        rc = gm_fs_path(s->path, sizeof s->path, err, "tiles/%s", s->name);
    }
    if (rc == 0) {
        rc = t->io->create_file(t->io->self, s->scratch, &fd, err);
    }
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_write_all(fd, data->data, data->size, err);
    if (close(fd) != 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "Closing %s", s->scratch);
    }
    gm__wfile__init(out);
    out->name = s->scratch;
    out->path = s->path;
    out->store = GM__OBJECT_STORE__STORE_WORK;
    return rc;
}

int gm_tiles_finish(struct gm_tiles *t, Gm__EncodeItemMeta *meta, Gm__WFile files[2],
                    size_t *out_files, struct gm_err *err)
{
    struct gm_poster_best best = {0};
    size_t n = 0;
    int rc = 0;
    if (t->done != t->count) {
        return gm_err_set(err, GM_E_BUG, 0, "%zu of %zu tiles were made", t->done, t->count);
    }
    if (t->count > 0) {
        rc = store(t, "tiles", "yuv", &t->bytes, &t->tiles_file, &files[n++], err);
    }
    if (rc == 0 && t->poster != NULL) {
        rc = gm_poster_finish(t->poster, &best, err);
    }
    if (rc == 0 && best.file != NULL) {
        rc = store(t, "poster", t->still->ext, best.file, &t->poster_file, &files[n++], err);
    }
    if (rc < 0) {
        return rc;
    }
    if (t->count > 0) {
        meta->tiles_name = t->tiles_file.name;
        meta->tile_ts = t->times;
        meta->n_tile_ts = t->count;
    }
    if (best.file != NULL) {
        meta->poster_name = t->poster_file.name;
        meta->poster_score = best.score;
        meta->poster_ts = best.ts;
    }
    *out_files = n;
    return 0;
}
