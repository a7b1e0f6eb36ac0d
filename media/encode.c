#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/cpu.h>
#include <libavutil/pixdesc.h>

#include "media/captions.h"
#include "media/encode_writer.h"
#include "media/frames.h"
#include "media/front.h"
#include "media/lanes.h"
#include "media/poster.h"
#include "media/results.h"
#include "media/rungs.h"
#include "media/tiles.h"
#include "media/vbv.h"

/* The task `encode`: a run of chunks is decoded once; every picture goes through one filter graph
 * to all renditions, whose encoders work side by side (media/lanes.h). Encoders live for one chunk.
 * A chunk is announced when all its segments are complete; when it must begin again
 * (media/frames.h) what was made of it is thrown away.
 */

#define BESIDE (-1) /* a picture of context */
/* A rendition's attempts at keeping the chunk's promise to its neighbours (media/vbv.h). */
struct attempt {
    uint32_t number;
    bool kept; /* the writer has finished and the promise holds */
};

struct run {
    struct gm_task_io *io;      /* borrowed */
    Gm__Policy *policy;         /* owned */
    Gm__Inspection *inspection; /* owned */
    struct gm_front *front;     /* owned: its tags are frame indices, or BESIDE */
    struct gm_rungs *rungs;     /* owned */
    struct gm_tiles *tiles;     /* owned; NULL: no images */
    struct gm_frames *frames;   /* owned */
    struct gm_lanes *lanes;     /* owned: a lane a rendition */
    /* The chunk being made. */
    struct gm_encode_writer **writers; /* owned, one a rendition; NULL: closed */
    struct attempt *attempts;          /* owned, one a rendition */
    bool again;                        /* the chunk comes again for those that are not kept */
    int64_t chunk;                     /* -1: none */
    int64_t opened;                    /* the last one asked for; -1: none */
    uint64_t chunk_frames;
    /* Whole run. */
    uint64_t done, total, decoded;
};

static int next_chunk(void *arg, bool *out_more, int *out_fd, struct gm_err *err)
{
    struct run *r = arg;
    struct gm_task_input in;
    int rc = r->io->next_input(r->io->self, out_more, &in, err);
    if (rc < 0 || !*out_more) {
        return rc;
    }
    if (in.item == NULL || in.item->stream != 0 || in.item->n_objects == 0) {
        return gm_err_set(err, GM_E_PROTO, 0, "Input %" PRIu32 " is no video chunk", in.index);
    }
    r->opened = in.item->index;
    return r->io->open_object(r->io->self, &in, 0, out_fd, err);
}

static int open_source(void *arg, int *out_fd, struct gm_err *err)
{
    struct run *r = arg;
    return r->io->source(r->io->self, out_fd, err);
}

static void tick(void *arg)
{
    struct run *r = arg;
    r->io->progress(r->io->self, r->done + r->chunk_frames, r->total);
}

/* On a helper thread: no picture means the chunk's end. */
static int encode_lane(void *arg, size_t lane, size_t index, AVFrame *frame, struct gm_err *err)
{
    struct run *r = arg;
    return frame != NULL ? gm_encode_writer_frame(r->writers[lane], index, frame, err)
                         : gm_encode_writer_finish(r->writers[lane], err);
}

static void close_writers(struct run *r, bool remove)
{
    if (r->lanes != NULL) {
        gm_lanes_clear(r->lanes);
    }
    for (size_t i = 0; r->writers != NULL && i < r->policy->n_renditions; i++) {
        gm_encode_writer_close(&r->writers[i], remove);
    }
}

static void release(struct run *r)
{
    close_writers(r, true);
    gm_lanes_destroy(&r->lanes);
    gm_frames_destroy(&r->frames);
    gm_tiles_destroy(&r->tiles);
    gm_rungs_destroy(&r->rungs);
    gm_front_destroy(&r->front);
    free(r->writers);
    free(r->attempts);
    if (r->policy != NULL) {
        gm__policy__free_unpacked(r->policy, NULL);
    }
    if (r->inspection != NULL) {
        gm__inspection__free_unpacked(r->inspection, NULL);
    }
}

/* Frames of the run, as far as the chunks' metas say. */
static uint64_t count_frames(const Gm__TaskSpec *spec)
{
    uint64_t total = 0;
    for (size_t i = 0; i < spec->n_inputs; i++) {
        const Gm__Item *item = spec->inputs[i]->item;
        if (item == NULL) {
            continue;
        }
        Gm__SplitItemMeta *m = gm__split_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        if (m != NULL) {
            total += m->frames;
            gm__split_item_meta__free_unpacked(m, NULL);
        }
    }
    return total;
}

static int prepare(struct run *r, struct gm_err *err)
{
    int rc = gm_results_policy(r->io->spec, &r->policy, err);
    if (rc == 0) {
        rc = gm_results_inspection(r->io->spec, &r->inspection, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (r->policy->n_renditions == 0 || r->inspection->video == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "The plan has no renditions or no video");
    }
    r->writers = calloc(r->policy->n_renditions, sizeof(struct gm_encode_writer *));
    r->attempts = calloc(r->policy->n_renditions, sizeof *r->attempts);
    if (r->writers == NULL || r->attempts == NULL) {
        return gm_err_nomem(err);
    }
    rc = gm_front_create(r->policy, r->inspection->video, &r->front, err);
    if (rc == 0) {
        rc = gm_rungs_create(r->policy, r->io->spec->pipeline, &r->rungs, err);
    }
    if (rc == 0 && r->policy->thumbnails != NULL) {
        rc = gm_tiles_create(r->io, r->policy, &r->tiles, err);
    }
    if (rc < 0) {
        return rc;
    }
    rc = gm_lanes_create(r->policy->n_renditions, (unsigned)av_cpu_count(), encode_lane, r,
                         &r->lanes, err);
    if (rc < 0) {
        return rc;
    }
    r->total = count_frames(r->io->spec);
    struct gm_frames_source source = {r, next_chunk, open_source, tick};
    return gm_frames_create(&source, &r->frames, err);
}

static int start_chunk(struct run *r, const Gm__ChunkHeader *header, struct gm_err *err)
{
    int rc = 0;
    if (!r->again) {
        close_writers(r, true);
        memset(r->attempts, 0, r->policy->n_renditions * sizeof *r->attempts);
    }
    r->again = false;
    gm_front_start(r->front);
    r->chunk = header->index;
    r->chunk_frames = 0;
    for (size_t i = 0; i < r->policy->n_renditions && rc == 0 && header->n_frames > 0; i++) {
        if (r->attempts[i].kept) {
            continue;
        }
        struct gm_encode_writer_params params = {.io = r->io,
                                                 .policy = r->policy,
                                                 .rendition = (uint32_t)i,
                                                 .facts = r->inspection->video,
                                                 .header = header,
                                                 .attempt = r->attempts[i].number};
        rc = gm_encode_writer_open(&params, &r->writers[i], err);
    }
    if (rc == 0 && r->tiles != NULL) {
        rc = gm_tiles_start(r->tiles, header, err);
    }
    return rc;
}

/* picture: what the front made of frame `index`. */
static int encode_picture(struct run *r, const Gm__ChunkHeader *header, size_t index,
                          const AVFrame *picture, struct gm_err *err)
{
    int rc = gm_rungs_push(r->rungs, picture, header->frames[index]->out_ts, err);
    for (size_t i = 0; i < r->policy->n_renditions && rc == 0; i++) {
        if (r->attempts[i].kept) {
            continue;
        }
        AVFrame *frame = gm_rungs_get(r->rungs, i);
        rc = gm_captions_copy(picture, frame, err);
        if (rc == 0) {
            rc = gm_lanes_push(r->lanes, i, index, frame, err);
        }
    }
    if (rc == 0 && r->tiles != NULL && gm_tiles_wants(r->tiles, index)) {
        rc = gm_rungs_sdr(r->rungs, &picture, err);
        if (rc == 0) {
            rc = gm_tiles_picture(r->tiles, index, picture,
                                  gm_rungs_get(r->rungs, gm_poster_rung(r->policy)), err);
        }
    }
    r->chunk_frames++;
    tick(r);
    return rc;
}

/* Encodes what the front has ready. */
static int encode_ready(struct run *r, const Gm__ChunkHeader *header, struct gm_err *err)
{
    const AVFrame *picture;
    int64_t tag;
    int rc = 0;
    while (rc == 0 && (picture = gm_front_next(r->front, &tag)) != NULL) {
        if (tag != BESIDE) {
            rc = encode_picture(r, header, (size_t)tag, picture, err);
        }
    }
    return rc;
}

static int take_picture(struct run *r, const struct gm_frames_step *step, struct gm_err *err)
{
    int64_t tag = step->event == GM_FRAMES_PICTURE ? (int64_t)step->index : BESIDE;
    int rc = gm_front_push(r->front, step->picture, tag, err);
    return rc == 0 ? encode_ready(r, step->header, err) : rc;
}

static int announce(struct run *r, const struct gm_frames_step *step, Gm__RenditionChunkMeta *metas,
                    Gm__RenditionChunkMeta **list, Gm__WFile *files, struct gm_err *err)
{
    Gm__EncodeItemMeta meta = GM__ENCODE_ITEM_META__INIT;
    size_t n = r->policy->n_renditions;
    size_t count = 0;
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        gm__rendition_chunk_meta__init(&metas[i]);
        metas[i].rendition = (uint32_t)i;
        list[i] = &metas[i];
        if (r->writers[i] != NULL) {
            const Gm__WFile *from = NULL;
            gm_encode_writer_meta(r->writers[i], &metas[i]);
            size_t some = gm_encode_writer_files(r->writers[i], &from);
            memcpy(files + count, from, some * sizeof *from);
            count += some;
        }
    }
    meta.chunk = step->header->index;
    meta.frames = (uint32_t)step->header->n_frames;
    meta.n_renditions = n;
    meta.renditions = list;
    meta.frames_replaced = step->stats.replaced;
    meta.frames_discarded = step->stats.discarded;
    meta.decode_errors = step->stats.errors;
    if (r->tiles != NULL) {
        size_t images = 0;
        rc = gm_tiles_finish(r->tiles, &meta, files + count, &images, err);
        count += images;
    }
    if (rc == 0) {
        rc = r->io->produce(r->io->self, 0, step->header->index, step->header->last, files, count,
                            &meta.base, err);
    }
    return rc;
}

/* Ends the renditions' writers. What does not fit into its buffer is made again, tighter. */
static int finish_writers(struct run *r, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < r->policy->n_renditions && rc == 0; i++) {
        if (r->writers[i] != NULL && !r->attempts[i].kept) {
            rc = gm_lanes_push(r->lanes, i, 0, NULL, err);
        }
    }
    if (rc == 0) {
        rc = gm_lanes_drain(r->lanes, err);
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < r->policy->n_renditions; i++) {
        struct attempt *a = &r->attempts[i];
        if (r->writers[i] == NULL || a->kept) {
            continue;
        }
        a->kept = gm_encode_writer_holds(r->writers[i]);
        if (a->kept) {
            continue;
        }
        if (++a->number == GM_VBV_ATTEMPTS) {
            return gm_err_set(err, GM_E_MEDIA_BUFFER, a->number,
                              "rendition %s does not fit into its buffer after %" PRIu32
                              " attempts",
                              r->policy->renditions[i]->name, a->number);
        }
        gm_encode_writer_close(&r->writers[i], true);
        r->again = true;
    }
    return 0;
}

static int end_chunk(struct run *r, const struct gm_frames_step *step, struct gm_err *err)
{
    size_t n = r->policy->n_renditions;
    int rc = 0;
    if (r->chunk_frames < step->header->n_frames) {
        rc = gm_front_end(r->front, err);
    }
    if (rc == 0) {
        rc = encode_ready(r, step->header, err);
    }
    if (rc == 0) {
        rc = finish_writers(r, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (r->again) {
        gm_frames_repeat(r->frames);
        return 0;
    }
    Gm__RenditionChunkMeta *metas = calloc(n + 1, sizeof *metas);
    Gm__RenditionChunkMeta **list = calloc(n + 1, sizeof *list);
    Gm__WFile *files = calloc(n * step->header->n_segments + 2, sizeof *files);
    if (metas == NULL || list == NULL || files == NULL) {
        rc = gm_err_nomem(err);
    } else {
        rc = announce(r, step, metas, list, files, err);
    }
    free(metas);
    free(list);
    free(files);
    close_writers(r, rc < 0);
    r->done += r->chunk_frames;
    r->decoded += step->stats.decoded;
    r->chunk_frames = 0;
    r->chunk = rc < 0 ? r->chunk : -1;
    return rc;
}

static int run_all(struct run *r, struct gm_err *err)
{
    for (;;) {
        struct gm_frames_step step;
        int rc = gm_frames_next(r->frames, &step, err);
        if (rc < 0) {
            return rc;
        }
        switch (step.event) {
        case GM_FRAMES_CHUNK:
        case GM_FRAMES_RESTART:
            rc = start_chunk(r, step.header, err);
            break;
        case GM_FRAMES_BESIDE:
        case GM_FRAMES_PICTURE:
            rc = take_picture(r, &step, err);
            break;
        case GM_FRAMES_CHUNK_END:
            rc = end_chunk(r, &step, err);
            break;
        case GM_FRAMES_RUN_END:
            return 0;
        }
        if (rc < 0) {
            return rc;
        }
    }
}

int gm_task_encode(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct run r = {.io = io, .chunk = -1, .opened = -1};
    int rc = prepare(&r, err);
    if (rc == 0) {
        rc = run_all(&r, err);
    }
    if (rc == 0) {
        Gm__EncodeMeta meta = GM__ENCODE_META__INIT;
        meta.frames = r.done;
        meta.decoded = r.decoded;
        rc = io->finish(io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
    }
    int64_t blamed = r.chunk >= 0 ? r.chunk : r.opened;
    *out_chunk = rc < 0 ? blamed : -1;
    release(&r);
    return rc;
}
