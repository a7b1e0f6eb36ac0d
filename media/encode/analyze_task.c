#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/cpu.h>

#include "media/encode/rate.h"
#include "media/encode/trial.h"
#include "media/lanes.h"
#include "media/picture/pictures.h"
#include "media/results.h"

/* The task `analyze`: what encode must know of the whole programme before it begins. A run of
 * chunks is decoded as encode decodes it; each rendition that wants it is encoded for trial, its
 * bits counted and its pictures compared, and everything but the numbers is thrown away. For a bit
 * rate every chunk is tried once; for a quality some chunks are, at one crf after the other. */

struct rung {
    enum gm_rate_kind kind;
    int32_t crfs[GM_RATE_TRIALS];
    size_t trials;
    bool on;                /* of the chunk that comes */
    size_t done;            /* trials of it */
    struct gm_trial *trial; /* owned; NULL: none is open */
    int64_t bits[GM_RATE_TRIALS];
    double scores[GM_RATE_TRIALS];
};

struct run {
    struct gm_task_io *io;        /* borrowed */
    Gm__Policy *policy;           /* owned */
    Gm__Inspection *inspection;   /* owned */
    struct gm_pictures *pictures; /* owned */
    struct gm_lanes *lanes;       /* owned: a lane a rendition */
    struct rung *rungs;           /* owned, one a rendition */
    uint64_t chunk_frames, done, total;
};

static void tick(void *arg)
{
    struct run *r = arg;
    r->io->progress(r->io->self, r->done + r->chunk_frames, r->total);
}

static bool is_wanted(const struct run *r, size_t rendition, uint32_t chunk, bool last)
{
    switch (r->rungs[rendition].kind) {
    case GM_RATE_BUDGET:
        return true;
    case GM_RATE_QUALITY:
        return gm_rate_is_sample(r->policy, r->policy->renditions[rendition], chunk, last);
    case GM_RATE_NONE:
        break;
    }
    return false;
}

/* A chunk of which nothing is to be known is announced unopened. */
static int wants(void *arg, const struct gm_task_input *in, bool *out_take, struct gm_err *err)
{
    struct run *r = arg;
    *out_take = false;
    for (size_t i = 0; i < r->policy->n_renditions; i++) {
        *out_take = *out_take || is_wanted(r, i, in->item->index, in->item->last);
    }
    if (*out_take) {
        return 0;
    }
    Gm__AnalyzeItemMeta meta = GM__ANALYZE_ITEM_META__INIT;
    meta.chunk = in->item->index;
    meta.frames = gm_results_item_frames(in->item);
    r->done += meta.frames;
    tick(r);
    return r->io->produce(r->io->self, 0, meta.chunk, in->item->last, NULL, 0, &meta.base, err);
}

/* On a helper thread: no picture means the chunk's end. */
static int try_lane(void *arg, size_t lane, size_t index, AVFrame *frame, struct gm_err *err)
{
    struct run *r = arg;
    return frame != NULL ? gm_trial_frame(r->rungs[lane].trial, index, frame, err)
                         : gm_trial_finish(r->rungs[lane].trial, err);
}

static void close_trials(struct run *r)
{
    if (r->lanes != NULL) {
        gm_lanes_clear(r->lanes);
    }
    for (size_t i = 0; r->rungs != NULL && i < r->policy->n_renditions; i++) {
        gm_trial_close(&r->rungs[i].trial);
    }
}

static void release(struct run *r)
{
    close_trials(r);
    gm_lanes_destroy(&r->lanes);
    gm_pictures_destroy(&r->pictures);
    free(r->rungs);
    if (r->policy != NULL) {
        gm__policy__free_unpacked(r->policy, NULL);
    }
    if (r->inspection != NULL) {
        gm__inspection__free_unpacked(r->inspection, NULL);
    }
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
    size_t n = r->policy->n_renditions;
    if (n == 0 || r->inspection->video == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "The plan has no renditions or no video");
    }
    r->rungs = calloc(n, sizeof *r->rungs);
    if (r->rungs == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        r->rungs[i].kind = gm_rate_kind(r->policy->renditions[i]);
        if (r->rungs[i].kind != GM_RATE_NONE) {
            r->rungs[i].trials = gm_rate_trials(r->policy->renditions[i], r->rungs[i].crfs);
        }
    }
    r->total = gm_pictures_total(r->io->spec);
    struct gm_pictures_params params = {.io = r->io,
                                        .policy = r->policy,
                                        .facts = r->inspection->video,
                                        .wants = wants,
                                        .tick = tick,
                                        .arg = r};
    rc = gm_pictures_create(&params, &r->pictures, err);
    if (rc < 0) {
        return rc;
    }
    return gm_lanes_create(n, (unsigned)av_cpu_count(), try_lane, r, &r->lanes, err);
}

/* The next trial of every rendition that has one left. */
static int start_trials(struct run *r, const Gm__ChunkHeader *header, struct gm_err *err)
{
    int rc = 0;
    close_trials(r);
    r->chunk_frames = 0;
    for (size_t i = 0; rc == 0 && header->n_frames > 0 && i < r->policy->n_renditions; i++) {
        struct rung *g = &r->rungs[i];
        if (!g->on || g->done == g->trials) {
            continue;
        }
        bool quality = g->kind == GM_RATE_QUALITY;
        struct gm_trial_params params = {.policy = r->policy,
                                         .rendition = (uint32_t)i,
                                         .facts = r->inspection->video,
                                         .header = header,
                                         .crf_centi = g->crfs[g->done],
                                         .capped = quality,
                                         .compare = quality};
        rc = gm_trial_open(&params, &g->trial, err);
    }
    return rc;
}

static int start_chunk(struct run *r, const Gm__ChunkHeader *header, struct gm_err *err)
{
    for (size_t i = 0; i < r->policy->n_renditions; i++) {
        r->rungs[i].on = is_wanted(r, i, header->index, header->last);
        r->rungs[i].done = 0;
    }
    return start_trials(r, header, err);
}

static int try_picture(struct run *r, const struct gm_pictures_step *step, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->policy->n_renditions; i++) {
        if (r->rungs[i].trial != NULL) {
            rc = gm_lanes_push(r->lanes, i, step->index, gm_pictures_get(r->pictures, i), err);
        }
    }
    r->chunk_frames++;
    tick(r);
    return rc;
}

/* *out_more: some rendition has a trial left. */
static int finish_trials(struct run *r, bool *out_more, struct gm_err *err)
{
    int rc = 0;
    *out_more = false;
    for (size_t i = 0; rc == 0 && i < r->policy->n_renditions; i++) {
        if (r->rungs[i].trial != NULL) {
            rc = gm_lanes_push(r->lanes, i, 0, NULL, err);
        }
    }
    if (rc == 0) {
        rc = gm_lanes_drain(r->lanes, err);
    }
    for (size_t i = 0; rc == 0 && i < r->policy->n_renditions; i++) {
        struct rung *g = &r->rungs[i];
        if (g->trial == NULL) {
            continue;
        }
        const struct gm_compare *sum = gm_trial_compare(g->trial);
        const Gm__QualityTarget *q = r->policy->renditions[i]->encode->quality;
        bool psnr = q != NULL && strcmp(q->metric, "psnr") == 0;
        g->bits[g->done] = gm_trial_bits(g->trial);
        g->scores[g->done] = psnr ? gm_compare_mse(sum) : gm_compare_ssim(sum);
        g->done++;
        *out_more = *out_more || g->done < g->trials;
    }
    return rc;
}

static int announce(struct run *r, const Gm__ChunkHeader *header, Gm__AnalyzeRung *rungs,
                    Gm__AnalyzeRung **list, struct gm_err *err)
{
    Gm__AnalyzeItemMeta meta = GM__ANALYZE_ITEM_META__INIT;
    meta.chunk = header->index;
    meta.frames = (uint32_t)header->n_frames;
    meta.rungs = list;
    if (header->n_frames > 0) {
        meta.duration_ts = header->end_ts - header->frames[0]->out_ts;
    }
    for (size_t i = 0; i < r->policy->n_renditions; i++) {
        struct rung *g = &r->rungs[i];
        if (g->done == 0) {
            continue;
        }
        Gm__AnalyzeRung *out = &rungs[meta.n_rungs];
        gm__analyze_rung__init(out);
        out->rendition = (uint32_t)i;
        out->crfs = g->crfs;
        out->n_crfs = g->done;
        out->bits = g->bits;
        out->n_bits = g->done;
        out->scores = g->scores;
        out->n_scores = g->kind == GM_RATE_QUALITY ? g->done : 0;
        list[meta.n_rungs++] = out;
    }
    return r->io->produce(r->io->self, 0, header->index, header->last, NULL, 0, &meta.base, err);
}

static int end_chunk(struct run *r, const struct gm_pictures_step *step, struct gm_err *err)
{
    size_t n = r->policy->n_renditions;
    bool more = false;
    int rc = finish_trials(r, &more, err);
    if (rc < 0) {
        return rc;
    }
    if (more) {
        gm_pictures_repeat(r->pictures);
        return 0;
    }
    close_trials(r);
    Gm__AnalyzeRung *rungs = calloc(n, sizeof *rungs);
    Gm__AnalyzeRung **list = calloc(n, sizeof(Gm__AnalyzeRung *));
    rc = rungs != NULL && list != NULL ? announce(r, step->header, rungs, list, err)
                                       : gm_err_nomem(err);
    free(rungs);
    free(list);
    r->done += r->chunk_frames;
    r->chunk_frames = 0;
    return rc;
}

static int run_all(struct run *r, struct gm_err *err)
{
    for (;;) {
        struct gm_pictures_step step;
        int rc = gm_pictures_next(r->pictures, &step, err);
        if (rc < 0) {
            return rc;
        }
        switch (step.event) {
        case GM_PICTURES_CHUNK:
            rc = start_chunk(r, step.header, err);
            break;
        case GM_PICTURES_AGAIN:
            rc = start_trials(r, step.header, err);
            break;
        case GM_PICTURES_PICTURE:
            rc = try_picture(r, &step, err);
            break;
        case GM_PICTURES_END:
            rc = end_chunk(r, &step, err);
            break;
        case GM_PICTURES_DONE:
            return 0;
        }
        if (rc < 0) {
            return rc;
        }
    }
}

int gm_task_analyze(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct run r = {.io = io};
    int rc = prepare(&r, err);
    if (rc == 0) {
        rc = run_all(&r, err);
    }
    if (rc == 0) {
        Gm__AnalyzeMeta meta = GM__ANALYZE_META__INIT;
        meta.frames = r.done;
        rc = io->finish(io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
    }
    *out_chunk = rc < 0 && r.pictures != NULL ? gm_pictures_chunk(r.pictures) : -1;
    release(&r);
    return rc;
}
