#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/cpu.h>
#include <libavutil/pixdesc.h>

#include "media/captions.h"
#include "media/encode/encode_writer.h"
#include "media/encode/encoder.h"
#include "media/encode/rate.h"
#include "media/encode/vbv.h"
#include "media/images/poster.h"
#include "media/images/tiles.h"
#include "media/lanes.h"
#include "media/picture/pictures.h"
#include "media/results.h"

/* The task `encode`: a run of chunks is decoded once and made into pictures of all renditions
 * (media/picture/pictures.h), whose encoders work side by side (media/lanes.h). Encoders live for
 * one chunk. A chunk is announced when all its segments are complete; when it must begin again what
 * was made of it is thrown away, and where a rendition misses its buffer or its budget the chunk
 * comes again for that one.
 */

/* A rendition's attempts at a chunk: at keeping the promise to its neighbours (media/encode/vbv.h),
 * and at its budget (media/encode/rate.h). */
struct attempt {
    uint32_t number;         /* for the buffer */
    int32_t crf_add;         /* of encoders that keep a cap by it alone */
    struct gm_vbv_miss miss; /* of theirs, the one before */
    uint32_t round;          /* corrections of the crf */
    struct gm_rate_aim aim;
    bool kept; /* the writer has finished and all holds */
};

struct run {
    struct gm_task_io *io;        /* borrowed */
    Gm__Policy *policy;           /* owned */
    Gm__Inspection *inspection;   /* owned */
    struct gm_pictures *pictures; /* owned */
    struct gm_rate *rate;         /* owned */
    struct gm_tiles *tiles;       /* owned; NULL: no images */
    struct gm_lanes *lanes;       /* owned: a lane a rendition */
    AVBufferRef *device;          /* owned: what encodes, kept ready; NULL: software */
    /* The chunk being made. */
    struct gm_encode_writer **writers; /* owned, one a rendition; NULL: closed */
    struct attempt *attempts;          /* owned, one a rendition */
    bool again;                        /* the chunk comes again for those that are not kept */
    uint64_t chunk_frames;
    uint32_t captioned; /* of its pictures: some renditions drop captions unforeseen, or a part */
    unsigned captions;  /* GM_CAPTIONS_ bits of its pictures */
    /* Whole run. */
    uint64_t done, total, decoded, spare;
};

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
    gm_pictures_destroy(&r->pictures);
    gm_tiles_destroy(&r->tiles);
    gm_rate_destroy(&r->rate);
    av_buffer_unref(&r->device);
    free(r->writers);
    free(r->attempts);
    if (r->policy != NULL) {
        gm__policy__free_unpacked(r->policy, NULL);
    }
    if (r->inspection != NULL) {
        gm__inspection__free_unpacked(r->inspection, NULL);
    }
}

/* The plan's parameter sets are those of its chain: an encoder of another one gives others. */
static int open_chain(struct run *r, struct gm_err *err)
{
    const char *planned = gm_encoder_chain(r->policy->chain);
    const char *given = gm_results_chain(r->io->spec);
    if (strcmp(planned, given) != 0) {
        return gm_err_set(err, GM_E_BUG, 0, "the plan is for chain %.40s, the task for %.40s",
                          planned, given);
    }
    return gm_encoder_hold(planned, r->io->device, r->policy->scaler[0] != '\0', &r->device, err);
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
    rc = open_chain(r, err);
    if (rc < 0) {
        return rc;
    }
    r->writers = calloc(r->policy->n_renditions, sizeof(struct gm_encode_writer *));
    r->attempts = calloc(r->policy->n_renditions, sizeof *r->attempts);
    if (r->writers == NULL || r->attempts == NULL) {
        return gm_err_nomem(err);
    }
    struct gm_pictures_params params = {.io = r->io,
                                        .policy = r->policy,
                                        .facts = r->inspection->video,
                                        .tick = tick,
                                        .arg = r,
                                        .device = r->device};
    r->total = gm_pictures_total(r->io->spec);
    rc = gm_rate_create(r->io->spec, r->policy, &r->rate, err);
    if (rc == 0) {
        rc = gm_pictures_create(&params, &r->pictures, err);
    }
    if (rc == 0 && r->policy->thumbnails != NULL) {
        rc = gm_tiles_create(r->io, r->policy, &r->tiles, err);
    }
    if (rc < 0) {
        return rc;
    }
    return gm_lanes_create(r->policy->n_renditions, (unsigned)av_cpu_count(), encode_lane, r,
                           &r->lanes, err);
}

/* First attempts of a chunk. */
static int aim(struct run *r, const Gm__ChunkHeader *header, struct gm_err *err)
{
    int rc = 0;
    close_writers(r, true);
    for (size_t i = 0; rc == 0 && i < r->policy->n_renditions; i++) {
        struct attempt *a = &r->attempts[i];
        memset(a, 0, sizeof *a);
        rc = gm_rate_aim(r->rate, i, header->index, header->n_frames, &a->aim, err);
    }
    return rc;
}

static int start_chunk(struct run *r, const Gm__ChunkHeader *header, struct gm_err *err)
{
    int rc = r->again ? 0 : aim(r, header, err);
    r->again = false;
    r->chunk_frames = 0;
    r->captioned = 0;
    r->captions = 0;
    for (size_t i = 0; i < r->policy->n_renditions && rc == 0 && header->n_frames > 0; i++) {
        if (r->attempts[i].kept) {
            continue;
        }
        struct gm_encode_writer_params params = {.io = r->io,
                                                 .policy = r->policy,
                                                 .rendition = (uint32_t)i,
                                                 .facts = r->inspection->video,
                                                 .header = header,
                                                 .attempt = r->attempts[i].number,
                                                 .crf_add = r->attempts[i].crf_add,
                                                 .crf_centi = r->attempts[i].aim.crf_centi,
                                                 .surfaces = gm_pictures_surfaces(r->pictures, i)};
        rc = gm_encode_writer_open(&params, &r->writers[i], err);
    }
    if (rc == 0 && r->tiles != NULL) {
        rc = gm_tiles_start(r->tiles, header, err);
    }
    return rc;
}

/* Captions that the plan knew nothing of, and that not every rendition carries. */
static bool drops_captions(const struct run *r)
{
    bool dropped = false;
    for (size_t i = 0; !r->inspection->video->captions && i < r->policy->n_renditions; i++) {
        dropped = dropped || !gm_captions_carries(r->policy->renditions[i]->encode->codec);
    }
    return dropped;
}

static int encode_picture(struct run *r, const struct gm_pictures_step *step, struct gm_err *err)
{
    struct gm_sight sight;
    int rc = 0;
    for (size_t i = 0; i < r->policy->n_renditions && rc == 0; i++) {
        if (r->attempts[i].kept) {
            continue;
        }
        AVFrame *frame = gm_pictures_get(r->pictures, i);
        rc = gm_captions_copy(step->front, frame, err);
        if (rc == 0) {
            rc = gm_lanes_push(r->lanes, i, step->index, frame, err);
        }
    }
    if (rc == 0 && r->tiles != NULL && gm_tiles_wants(r->tiles, step->index)) {
        rc = gm_pictures_sight(r->pictures, &sight, err);
        if (rc == 0) {
            rc = gm_tiles_picture(r->tiles, step->index, &sight, err);
        }
    }
    unsigned captions = gm_captions_look(step->front);
    r->captioned += captions != 0 && (drops_captions(r) || gm_captions_is_cut(step->front));
    r->captions |= captions;
    r->chunk_frames++;
    tick(r);
    return rc;
}

static int announce(struct run *r, const struct gm_pictures_step *step,
                    Gm__RenditionChunkMeta *metas, Gm__RenditionChunkMeta **list, Gm__WFile *files,
                    struct gm_err *err)
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
            metas[i].tries = 1 + r->attempts[i].number + r->attempts[i].round;
            metas[i].budget_bits = r->attempts[i].aim.budget_bits;
            metas[i].expected_score = r->attempts[i].aim.expected_score;
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
    meta.captions_dropped = r->captioned;
    meta.captions = r->captions;
    gm_frames_tell(&step->stats, &meta);
    gm_pictures_tell(&step->scaled, &meta);
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

/* Whether another attempt at the buffer may give something else: the encoder's rate control gets
 * less each time; where the crf alone counts, the coarsest is the last. */
static bool try_again(struct attempt *a, bool by_crf, const struct gm_vbv_miss *miss)
{
    bool coarser = !by_crf || miss->crf_add < miss->most_add;
    if (by_crf) {
        a->crf_add = gm_vbv_worse(a->number > 0 ? &a->miss : NULL, miss, a->number);
        a->miss = *miss;
    }
    a->number++;
    return coarser && a->number < GM_VBV_ATTEMPTS;
}

/* What a rendition took does not fit into its buffer, or misses its budget: it is made again.
 * *out_kept: all holds. */
static int judge(struct run *r, size_t i, bool *out_kept, struct gm_err *err)
{
    struct attempt *a = &r->attempts[i];
    struct gm_vbv_miss miss;
    bool holds = gm_encode_writer_holds(r->writers[i], &miss);
    int64_t bits = gm_encode_writer_bits(r->writers[i]);
    *out_kept = false;
    /* An encode above its budget may break the promise for that alone. */
    if (a->number == 0 && (holds || bits > a->aim.budget_bits) &&
        gm_rate_correct(r->rate, i, a->round, bits, &a->aim)) {
        a->round++;
        return 0;
    }
    if (!holds) {
        if (!try_again(a, gm_encode_writer_caps_by_crf(r->writers[i]), &miss)) {
            return gm_err_set(err, GM_E_MEDIA_BUFFER, a->number,
                              "rendition %s does not fit into its buffer after %" PRIu32
                              " attempts",
                              r->policy->renditions[i]->name, a->number);
        }
        return 0;
    }
    *out_kept = true;
    return 0;
}

/* Ends the renditions' writers. */
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
    for (size_t i = 0; i < r->policy->n_renditions && rc == 0; i++) {
        if (r->writers[i] == NULL || r->attempts[i].kept) {
            continue;
        }
        rc = judge(r, i, &r->attempts[i].kept, err);
        if (rc == 0 && !r->attempts[i].kept) {
            gm_encode_writer_close(&r->writers[i], true);
            r->again = true;
        }
    }
    return rc;
}

static int end_chunk(struct run *r, const struct gm_pictures_step *step, struct gm_err *err)
{
    size_t n = r->policy->n_renditions;
    int rc = finish_writers(r, err);
    if (rc < 0) {
        return rc;
    }
    r->decoded += step->stats.decoded;
    r->spare += step->stats.spare;
    if (r->again) {
        gm_pictures_repeat(r->pictures);
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
    r->chunk_frames = 0;
    return rc;
}

static int take_step(struct run *r, const struct gm_pictures_step *step, struct gm_err *err)
{
    switch (step->event) {
    case GM_PICTURES_CHUNK:
    case GM_PICTURES_AGAIN:
        return start_chunk(r, step->header, err);
    case GM_PICTURES_PICTURE:
        return encode_picture(r, step, err);
    case GM_PICTURES_END:
        return end_chunk(r, step, err);
    case GM_PICTURES_DONE:
        break;
    }
    return 0;
}

static int run_all(struct run *r, struct gm_err *err)
{
    struct gm_pictures_step step = {.event = GM_PICTURES_CHUNK};
    int rc = 0;
    while (rc == 0 && step.event != GM_PICTURES_DONE) {
        rc = gm_pictures_next(r->pictures, &step, err);
        if (rc < 0) {
            return rc;
        }
        rc = take_step(r, &step, err);
        if (rc < 0 && gm_pictures_yield(r->pictures, err)) {
            rc = 0; /* the chunk comes again */
        }
    }
    return rc;
}

int gm_task_encode(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct run r = {.io = io};
    int rc = prepare(&r, err);
    if (rc == 0) {
        rc = run_all(&r, err);
    }
    if (rc == 0) {
        Gm__EncodeMeta meta = GM__ENCODE_META__INIT;
        meta.frames = r.done;
        meta.decoded = r.decoded;
        meta.spare = r.spare;
        rc = io->finish(io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
    }
    *out_chunk = rc < 0 && r.pictures != NULL ? gm_pictures_chunk(r.pictures) : -1;
    release(&r);
    return rc;
}
