#include "media/tiles.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "media/colour.h"
#include "media/graph.h"
#include "media/jpeg.h"
#include "media/score.h"

struct stored {
    char scratch[48];
    char name[64];
    char path[80];
};

struct gm_tiles {
    struct gm_task_io *io;    /* borrowed */
    const Gm__Policy *policy; /* borrowed */
    int64_t interval_ts;
    struct gm_graph *small;        /* owned: front picture -> tile */
    struct gm_graph *large;        /* owned: front picture -> poster */
    const Gm__ChunkHeader *header; /* borrowed */
    size_t *frames;                /* owned: which frames become tiles */
    int64_t *times;                /* owned */
    size_t count, done;
    struct gm_buf bytes; /* the tiles */
    AVFrame *poster;     /* owned; NULL: none yet */
    uint64_t score;
    struct gm_buf jpeg;
    struct stored tiles_file, poster_file;
};

size_t gm_tiles_select(const Gm__ChunkHeader *h, int64_t interval_ts, size_t *out, size_t max)
{
    size_t count = 0;
    size_t last = SIZE_MAX;
    if (h->n_frames == 0 || interval_ts <= 0) {
        return 0;
    }
    int64_t start = h->frames[0]->out_ts;
    int64_t due = (start + interval_ts - 1) / interval_ts * interval_ts;
    if (h->index == 0 && start > 0) {
        due = 0;
    }
    size_t i = 0;
    while (due < h->end_ts) {
        while (i + 1 < h->n_frames && h->frames[i]->out_ts < due) {
            i++;
        }
        if (i != last) {
            if (count < max) {
                out[count] = i;
            }
            count++;
            last = i;
        }
        /* The next multiple that another frame can show. */
        int64_t shown = i + 1 < h->n_frames ? h->frames[i]->out_ts : h->end_ts;
        due = (shown < due ? due : shown) / interval_ts * interval_ts + interval_ts;
    }
    return count;
}

/* The poster has a rendition's shape: that of the smallest that is wide enough, else of the
 * widest. */
static int make_large(struct gm_tiles *t, struct gm_err *err)
{
    const Gm__Policy *p = t->policy;
    uint32_t limit = p->thumbnails->poster_width;
    const Gm__Rendition *from = NULL;
    char filters[512];
    for (size_t i = 0; i < p->n_renditions; i++) {
        const Gm__Rendition *r = p->renditions[i];
        bool better = from == NULL ||
                      (r->width_px >= limit ? from->width_px < limit || r->width_px < from->width_px
                                            : r->width_px > from->width_px);
        from = better ? r : from;
    }
    if (from == NULL || limit < 2) {
        return gm_err_set(err, GM_E_MEDIA, 0, "There is no rendition to take a poster from");
    }
    uint32_t width = from->width_px < limit ? from->width_px : limit / 2 * 2;
    uint64_t height = ((uint64_t)from->height_px * width + from->width_px) / from->width_px / 2 * 2;
    if (width == from->width_px) {
        height = from->height_px;
    }
    height = height < 2 ? 2 : height;
    int rc = gm_fs_path(filters, sizeof filters, err,
                        "scale=%" PRIu32 ":%" PRIu64
                        ":flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_color_matrix=%s:"
                        "out_range=pc,setsar=1",
                        width, height, gm_colour_matrix_name(gm_colour_of_jpeg().matrix));
    if (rc < 0) {
        return rc;
    }
    struct gm_graph_output out = {.filters = filters,
                                  .width_px = width,
                                  .height_px = (uint32_t)height,
                                  .format = AV_PIX_FMT_YUVJ420P};
    return gm_graph_create(&out, 1, p->timescale, &t->large, err);
}

int gm_tiles_create(struct gm_task_io *io, const Gm__Policy *policy, struct gm_tiles **out,
                    struct gm_err *err)
{
    const Gm__ThumbnailsParams *params = policy->thumbnails;
    uint32_t w = params->width;
    uint32_t h = policy->tile_height_px;
    if (w < 2 || h < 2 || w % 2 != 0 || h % 2 != 0 || w > 4096 || h > 4096 ||
        params->interval_s == 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "Tiles of %" PRIu32 "x%" PRIu32 " are refused", w, h);
    }
    struct gm_tiles *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    t->io = io;
    t->policy = policy;
    t->interval_ts = (int64_t)params->interval_s * policy->timescale;
    struct gm_graph_output small = {.filters = policy->tile_filters,
                                    .width_px = w,
                                    .height_px = h,
                                    .format = AV_PIX_FMT_YUVJ420P};
    int rc = gm_graph_create(&small, 1, policy->timescale, &t->small, err);
    if (rc == 0) {
        rc = make_large(t, err);
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
    gm_buf_fini(&t->jpeg);
    av_frame_free(&t->poster);
    t->score = 0;
}

void gm_tiles_destroy(struct gm_tiles **tiles)
{
    struct gm_tiles *t = *tiles;
    if (t == NULL) {
        return;
    }
    reset(t);
    gm_graph_destroy(&t->small);
    gm_graph_destroy(&t->large);
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
    return 0;
}

static void add_plane(struct gm_buf *out, const AVFrame *f, int plane, int width, int height)
{
    for (int y = 0; y < height; y++) {
        gm_buf_add(out, f->data[plane] + (ptrdiff_t)y * f->linesize[plane], (size_t)width);
    }
}

bool gm_tiles_wants(const struct gm_tiles *t, size_t index)
{
    return t->done < t->count && t->frames[t->done] == index;
}

int gm_tiles_picture(struct gm_tiles *t, size_t index, const AVFrame *picture, struct gm_err *err)
{
    if (!gm_tiles_wants(t, index)) {
        return 0;
    }
    int64_t pts = t->times[t->done];
    int rc = gm_graph_push(t->small, picture, pts, err);
    if (rc < 0) {
        return rc;
    }
    const AVFrame *tile = gm_graph_get(t->small, 0);
    add_plane(&t->bytes, tile, 0, tile->width, tile->height);
    add_plane(&t->bytes, tile, 1, tile->width / 2, tile->height / 2);
    add_plane(&t->bytes, tile, 2, tile->width / 2, tile->height / 2);
    t->done++;
    uint64_t score = gm_score(tile->data[0], (size_t)tile->linesize[0], (uint32_t)tile->width,
                              (uint32_t)tile->height);
    if (t->poster == NULL || score > t->score) {
        rc = gm_graph_push(t->large, picture, pts, err);
        if (rc < 0) {
            return rc;
        }
        av_frame_free(&t->poster);
        t->poster = av_frame_clone(gm_graph_get(t->large, 0));
        if (t->poster == NULL) {
            return gm_err_nomem(err);
        }
        t->score = score;
    }
    return gm_buf_check(&t->bytes, err);
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
    *out_files = 0;
    if (t->done != t->count) {
        return gm_err_set(err, GM_E_BUG, 0, "%zu of %zu tiles were made", t->done, t->count);
    }
    if (t->count == 0) {
        return 0;
    }
    int rc = gm_jpeg_encode(t->poster, GM_TILES_POSTER_QUALITY, &t->jpeg, err);
    if (rc == 0) {
        rc = store(t, "tiles", "yuv", &t->bytes, &t->tiles_file, &files[0], err);
    }
    if (rc == 0) {
        rc = store(t, "poster", "jpg", &t->jpeg, &t->poster_file, &files[1], err);
    }
    if (rc < 0) {
        return rc;
    }
    meta->tiles_name = t->tiles_file.name;
    meta->tile_ts = t->times;
    meta->n_tile_ts = t->count;
    meta->poster_name = t->poster_file.name;
    meta->poster_score = (double)t->score;
    *out_files = 2;
    return 0;
}
