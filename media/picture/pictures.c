#include "media/picture/pictures.h"

#include <inttypes.h>
#include <stdlib.h>

#include "media/decode/assist.h"
#include "media/decode/device_decoder.h"
#include "media/device/cuda_picture.h"
#include "media/device/device_picture.h"
#include "media/picture/burn.h"
#include "media/picture/device_ladder.h"
#include "media/picture/front.h"
#include "media/picture/rungs.h"
#include "media/results.h"
#include "proto/envelope.h"
#include "proto/streams.h"

#define BESIDE (-1) /* tag of a picture of context */

struct gm_pictures {
    struct gm_pictures_params p;
    struct gm_front *front;   /* owned: its tags are frame indices, or BESIDE */
    struct gm_burn *burn;     /* owned; NULL: no subtitles are drawn */
    struct gm_rungs *rungs;   /* owned */
    struct gm_frames *frames; /* owned */
    /* Where the plan scales on the device: pictures as planned go past front and rungs. */
    struct gm_device_ladder *ladder; /* owned; NULL: it does not */
    AVFrame *direct;                 /* owned: one of these, as decoded; NULL: none came */
    int64_t direct_tag;
    AVFrame *there; /* owned: the picture that was given, as decoded; NULL: it is the front's */
    const AVFrame *upright;  /* that picture as the front makes it, borrowed; NULL: not made */
    struct gm_eyes *eyes;    /* owned; NULL: no images */
    const char *scaled;      /* why pictures of the chunk were scaled in software; NULL: none was */
    Gm__ChunkHeader *header; /* owned: one and the same however often the chunk comes */
    struct gm_frames_stats stats;
    size_t given;   /* pictures of the chunk */
    bool ending;    /* its last frame went in */
    bool ended;     /* END was given, and the chunk is not wanted again */
    int64_t chunk;  /* -1: none */
    int64_t opened; /* the last one asked for; -1: none */
    bool assisted;  /* what decodes, if anything does, may fail */
    bool told;      /* that the GPU which decoded has failed */
};

static void drop_header(struct gm_pictures *p)
{
    if (p->header != NULL) {
        gm__chunk_header__free_unpacked(p->header, NULL);
        p->header = NULL;
    }
}

static int next_chunk(void *arg, bool *out_more, int *out_fd, struct gm_err *err)
{
    struct gm_pictures *p = arg;
    struct gm_task_io *io = p->p.io;
    for (;;) {
        struct gm_task_input in;
        bool take = true;
        int rc = io->next_input(io->self, out_more, &in, err);
        if (rc < 0 || !*out_more) {
            return rc;
        }
        if (in.item == NULL || in.item->stream != GM_STREAM_VIDEO || in.item->n_objects == 0) {
            return gm_err_set(err, GM_E_PROTO, 0, "Input %" PRIu32 " is no video chunk", in.index);
        }
        p->opened = in.item->index;
        if (p->p.wants != NULL) {
            rc = p->p.wants(p->p.arg, &in, &take, err);
        }
        if (rc < 0) {
            return rc;
        }
        if (take) {
            return io->open_object(io->self, &in, 0, out_fd, err);
        }
    }
}

static int open_source(void *arg, struct gm_source_file *out, struct gm_err *err)
{
    struct gm_pictures *p = arg;
    return p->p.io->source(p->p.io->self, out, err);
}

static void tick(void *arg)
{
    struct gm_pictures *p = arg;
    if (p->p.tick != NULL) {
        p->p.tick(p->p.arg);
    }
}

static int open_decoder(struct gm_pictures *p, struct gm_err *err)
{
    struct gm_frames_source source = {p, next_chunk, open_source, tick};
    int rc = gm_frames_create(&source, &p->frames, err);
    p->assisted = p->p.device == NULL || gm_device_decoder_is_va(p->p.device);
    if (rc < 0 || p->assisted) {
        return rc < 0 ? rc
                      : gm_assist_open(p->p.io, p->p.facts, p->ladder != NULL ? p->p.device : NULL,
                                       p->frames, err);
    }
    rc = gm_frames_use_device(p->frames, p->p.device, err);
    if (rc == 0 && p->ladder != NULL) {
        gm_frames_stay(p->frames);
    }
    return rc;
}

static int open_scaler(struct gm_pictures *p, struct gm_err *err)
{
    const Gm__Policy *policy = p->p.policy;
    if (policy->scaler[0] == '\0') {
        return 0;
    }
    if (p->p.device == NULL) {
        return gm_err_set(err, GM_E_BUG, 0, "the plan scales by %.40s, and there is no device",
                          policy->scaler);
    }
    struct gm_err cause;
    int rc = gm_device_ladder_create(policy, p->p.facts, p->p.io->spec->pipeline, p->p.device,
                                     &p->ladder, &cause);
    if (rc == -GM_E_PIPELINE_UNFIT) { /* it was fit at the plan: no fault of the pipeline's */
        return gm_err_set(err, GM_E_DEVICE_DRIVER, cause.native,
                          "The driver no longer scales as at the plan: %.120s", cause.text);
    }
    if (rc < 0) {
        *err = cause;
    }
    return rc;
}

int gm_pictures_create(const struct gm_pictures_params *params, struct gm_pictures **out,
                       struct gm_err *err)
{
    struct gm_pictures *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return gm_err_nomem(err);
    }
    p->p = *params;
    p->chunk = p->opened = -1;
    int rc = gm_front_create(params->policy, params->facts, &p->front, err);
    if (rc == 0) {
        rc = gm_rungs_create(params->policy, params->io->spec->pipeline, &p->rungs, err);
    }
    if (rc == 0 && params->policy->burn_text > 0) {
        rc = gm_burn_create(&p->burn, err);
    }
    if (rc == 0) {
        rc = open_scaler(p, err);
    }
    if (rc == 0 && params->policy->thumbnails != NULL) {
        struct gm_cuda_ladder *cuda = p->ladder != NULL ? gm_device_ladder_cuda(p->ladder) : NULL;
        rc = gm_eyes_create(params->policy, params->facts, cuda, &p->eyes, err);
    }
    if (rc == 0) {
        rc = open_decoder(p, err);
    }
    if (rc < 0) {
        gm_pictures_destroy(&p);
        return rc;
    }
    *out = p;
    return 0;
}

void gm_pictures_destroy(struct gm_pictures **pictures)
{
    struct gm_pictures *p = *pictures;
    if (p != NULL) {
        av_frame_free(&p->direct);
        av_frame_free(&p->there);
        gm_frames_destroy(&p->frames);
        gm_eyes_destroy(&p->eyes);
        gm_device_ladder_destroy(&p->ladder);
        gm_rungs_destroy(&p->rungs);
        gm_burn_destroy(&p->burn);
        gm_front_destroy(&p->front);
        drop_header(p);
        free(p);
        *pictures = NULL;
    }
}

static void give(struct gm_pictures *p, const AVFrame *picture, int64_t tag,
                 struct gm_pictures_step *out)
{
    out->event = GM_PICTURES_PICTURE;
    out->index = (size_t)tag;
    out->front = picture;
    p->given++;
}

/* The picture that goes past the front, through the device's ladder. */
static int give_direct(struct gm_pictures *p, struct gm_pictures_step *out, struct gm_err *err)
{
    int64_t ts = p->header->frames[p->direct_tag]->out_ts;
    av_frame_free(&p->there);
    p->there = p->direct;
    p->direct = NULL;
    p->upright = NULL;
    int rc = gm_device_ladder_push(p->ladder, p->there, ts, err);
    if (rc == 0) {
        give(p, p->there, p->direct_tag, out);
    }
    return rc;
}

/* The front's next picture of the chunk, through the ladder. *out_got false: none is ready. */
static int give_ready(struct gm_pictures *p, struct gm_pictures_step *out, bool *out_got,
                      struct gm_err *err)
{
    int64_t tag = BESIDE;
    const AVFrame *picture = NULL;
    *out_got = p->direct != NULL;
    if (p->direct != NULL) {
        return give_direct(p, out, err);
    }
    while (tag == BESIDE) {
        picture = gm_front_next(p->front, &tag);
        if (picture == NULL) {
            return 0;
        }
    }
    int64_t ts = p->header->frames[tag]->out_ts;
    av_frame_free(&p->there);
    int rc = p->burn != NULL ? gm_burn_picture(p->burn, picture, ts, &picture, err) : 0;
    if (rc == 0) {
        rc = gm_rungs_push(p->rungs, picture, ts, err);
    }
    for (size_t i = 0; rc == 0 && p->ladder != NULL && i < p->p.policy->n_renditions; i++) {
        rc = gm_device_ladder_lift(p->ladder, i, gm_rungs_get(p->rungs, i), err);
    }
    if (rc == 0) {
        p->upright = picture;
        give(p, picture, tag, out);
        *out_got = true;
    }
    return rc;
}

/* To the front, out of the device's memory where it lies there. */
static int push_front(struct gm_pictures *p, const AVFrame *picture, int64_t tag,
                      struct gm_err *err)
{
    AVFrame *here = NULL;
    int rc = gm_device_picture_is(picture) ? gm_device_picture_download(picture, &here, err) : 0;
    if (rc == 0) {
        rc = gm_front_push(p->front, here != NULL ? here : picture, tag, err);
    }
    av_frame_free(&here);
    return rc;
}

/* A decoded picture. Which way it goes depends on the picture alone, so it is the same for every
 * decoder. The front of such a plan holds none back, nor looks at any context. */
static int take_picture(struct gm_pictures *p, const AVFrame *picture, int64_t tag,
                        struct gm_err *err)
{
    const char *why = NULL;
    if (p->ladder == NULL) {
        return gm_front_push(p->front, picture, tag, err);
    }
    int rc = tag == BESIDE ? 0 : gm_device_ladder_look(p->ladder, picture, &why, err);
    if (rc < 0 || tag == BESIDE) {
        return rc;
    }
    if (why != NULL) {
        p->scaled = why;
        return push_front(p, picture, tag, err);
    }
    p->direct_tag = tag;
    p->direct = av_frame_clone(picture);
    return p->direct != NULL ? 0 : gm_err_nomem(err);
}

static struct gm_pictures_scaled scaled(const struct gm_pictures *p)
{
    const char *why = p->p.policy->scaler_reason;
    struct gm_pictures_scaled s = {.images = p->eyes != NULL ? gm_eyes_by(p->eyes) : NULL};
    if (p->ladder != NULL) {
        s.by = p->scaled == NULL ? gm_device_ladder_by(p->ladder) : "software";
        s.why = p->scaled;
    } else if (why[0] != '\0') {
        s.by = "software";
        s.why = why;
    }
    return s;
}

/* Takes the frames' next step. *out_got: it is one of ours too. */
static int take_step(struct gm_pictures *p, struct gm_pictures_step *out, bool *out_got,
                     struct gm_err *err)
{
    struct gm_frames_step s;
    int rc = gm_frames_next(p->frames, &s, err);
    if (p->assisted) {
        gm_assist_tell(p->p.io, p->frames, &p->told);
    }
    *out_got = false;
    if (rc < 0) {
        return rc;
    }
    switch (s.event) {
    case GM_FRAMES_CHUNK:
        drop_header(p);
        p->header = (Gm__ChunkHeader *)gm_message_dup(&s.header->base);
        if (p->header == NULL) {
            return gm_err_nomem(err);
        }
        /* fall through */
    case GM_FRAMES_RESTART:
        gm_front_start(p->front);
        av_frame_free(&p->direct);
        av_frame_free(&p->there); /* else its decoder's surfaces live beside the next one's */
        p->upright = NULL;
        p->scaled = NULL;
        p->given = 0;
        if (p->eyes != NULL) {
            gm_eyes_start(p->eyes);
        }
        p->chunk = s.header->index;
        out->event = s.event == GM_FRAMES_CHUNK ? GM_PICTURES_CHUNK : GM_PICTURES_AGAIN;
        *out_got = true;
        return p->burn != NULL ? gm_burn_start(p->burn, p->header, err) : 0;
    case GM_FRAMES_BESIDE:
    case GM_FRAMES_PICTURE:
        return take_picture(p, s.picture, s.event == GM_FRAMES_PICTURE ? (int64_t)s.index : BESIDE,
                            err);
    case GM_FRAMES_CHUNK_END:
        p->stats = s.stats;
        p->ending = true;
        return p->given < s.header->n_frames ? gm_front_end(p->front, err) : 0;
    case GM_FRAMES_RUN_END:
        out->event = GM_PICTURES_DONE;
        drop_header(p);
        p->chunk = -1;
        *out_got = true;
        return 0;
    }
    return gm_err_set(err, GM_E_BUG, s.event, "an unknown step of frames");
}

bool gm_pictures_yield(struct gm_pictures *p, const struct gm_err *cause)
{
    if (cause->code != GM_E_DEVICE_MEMORY || p->header == NULL ||
        !gm_frames_yield(p->frames, cause)) {
        return false;
    }
    p->ended = p->ending = false;
    av_frame_free(&p->direct);
    av_frame_free(&p->there);
    return true;
}

int gm_pictures_next(struct gm_pictures *p, struct gm_pictures_step *out, struct gm_err *err)
{
    struct gm_pictures_step step = {0};
    bool got = false;
    int rc = 0;
    if (p->ended) {
        p->ended = false;
        p->chunk = -1;
    }
    while (rc == 0 && !got) {
        rc = p->header != NULL ? give_ready(p, &step, &got, err) : 0;
        if (rc < 0 && gm_pictures_yield(p, err)) {
            got = false;
            rc = 0;
        }
        if (rc < 0 || got) {
            break;
        }
        if (p->ending) {
            p->ending = false;
            step.event = GM_PICTURES_END;
            step.stats = p->stats;
            step.scaled = scaled(p);
            p->ended = true;
            got = true;
        } else {
            rc = take_step(p, &step, &got, err);
        }
    }
    if (rc == 0) {
        step.header = p->header;
        *out = step;
    }
    return rc;
}

void gm_pictures_repeat(struct gm_pictures *p)
{
    p->ended = false;
    gm_frames_repeat(p->frames);
}

AVFrame *gm_pictures_get(struct gm_pictures *p, size_t rendition)
{
    return p->ladder != NULL ? gm_device_ladder_get(p->ladder, rendition)
                             : gm_rungs_get(p->rungs, rendition);
}

/* The front's of a picture that went past it: its filters hold none back. */
static int show_front(struct gm_pictures *p, struct gm_err *err)
{
    int64_t tag = 0;
    if (p->upright != NULL) {
        return 0;
    }
    int rc = push_front(p, p->there, p->direct_tag, err);
    if (rc < 0) {
        return rc;
    }
    const AVFrame *picture = gm_front_next(p->front, &tag);
    if (picture == NULL || tag != p->direct_tag) {
        return gm_err_set(err, GM_E_BUG, 0, "the front holds a picture back");
    }
    gm_rungs_show(p->rungs, picture, p->header->frames[tag]->out_ts);
    p->upright = picture;
    return 0;
}

static int see_sdr(void *arg, const AVFrame **out, struct gm_err *err)
{
    struct gm_pictures *p = arg;
    int rc = show_front(p, err);
    return rc == 0 ? gm_rungs_sdr(p->rungs, out, err) : rc;
}

int gm_pictures_sight(struct gm_pictures *p, struct gm_sight *out, struct gm_err *err)
{
    bool stays = p->there != NULL && gm_cuda_picture_is(p->there);
    int rc = stays ? 0 : show_front(p, err);
    GM_ASSERT(p->eyes != NULL);
    if (rc == 0) {
        gm_eyes_show(p->eyes, stays ? p->there : p->upright);
        *out = (struct gm_sight){p->eyes, see_sdr, p};
    }
    return rc;
}

AVBufferRef *gm_pictures_surfaces(struct gm_pictures *p, size_t rendition)
{
    return p->ladder != NULL ? gm_device_ladder_pool(p->ladder, rendition) : NULL;
}

void gm_pictures_tell(const struct gm_pictures_scaled *scaled, Gm__EncodeItemMeta *meta)
{
    if (scaled->by != NULL) { /* protobuf-c's strings are not const; it does not write them */
        meta->scaler = (char *)(uintptr_t)scaled->by;
    }
    if (scaled->why != NULL) {
        meta->scaler_reason = (char *)(uintptr_t)scaled->why;
    }
    if (scaled->images != NULL) {
        meta->images_by = (char *)(uintptr_t)scaled->images;
    }
}

int64_t gm_pictures_chunk(const struct gm_pictures *p)
{
    return p->chunk >= 0 ? p->chunk : p->opened;
}

uint64_t gm_pictures_total(const Gm__TaskSpec *spec)
{
    uint64_t total = 0;
    for (size_t i = 0; i < spec->n_inputs; i++) {
        const Gm__Item *item = spec->inputs[i]->item;
        total += item != NULL ? gm_results_item_frames(item) : 0;
    }
    return total;
}
