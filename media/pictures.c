#include "media/pictures.h"

#include <inttypes.h>
#include <stdlib.h>

#include "media/assist.h"
#include "media/burn.h"
#include "media/front.h"
#include "media/results.h"
#include "media/rungs.h"
#include "proto/envelope.h"
#include "proto/streams.h"

#define BESIDE (-1) /* tag of a picture of context */

struct gm_pictures {
    struct gm_pictures_params p;
    struct gm_front *front;   /* owned: its tags are frame indices, or BESIDE */
    struct gm_burn *burn;     /* owned; NULL: no subtitles are drawn */
    struct gm_rungs *rungs;   /* owned */
    struct gm_frames *frames; /* owned */
    Gm__ChunkHeader *header;  /* owned: one and the same however often the chunk comes */
    struct gm_frames_stats stats;
    size_t given;   /* pictures of the chunk */
    bool ending;    /* its last frame went in */
    bool ended;     /* END was given, and the chunk is not wanted again */
    int64_t chunk;  /* -1: none */
    int64_t opened; /* the last one asked for; -1: none */
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

static int open_source(void *arg, int *out_fd, struct gm_err *err)
{
    struct gm_pictures *p = arg;
    return p->p.io->source(p->p.io->self, out_fd, err);
}

static void tick(void *arg)
{
    struct gm_pictures *p = arg;
    if (p->p.tick != NULL) {
        p->p.tick(p->p.arg);
    }
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
        struct gm_frames_source source = {p, next_chunk, open_source, tick};
        rc = gm_frames_create(&source, &p->frames, err);
        if (rc == 0 && params->device != NULL) {
            rc = gm_frames_use_device(p->frames, params->device, err);
        } else if (rc == 0) {
            rc = gm_assist_open(params->io, params->facts, p->frames, err);
        }
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
        gm_frames_destroy(&p->frames);
        gm_rungs_destroy(&p->rungs);
        gm_burn_destroy(&p->burn);
        gm_front_destroy(&p->front);
        drop_header(p);
        free(p);
        *pictures = NULL;
    }
}

/* The front's next picture of the chunk, through the ladder. *out_got false: none is ready. */
static int give_ready(struct gm_pictures *p, struct gm_pictures_step *out, bool *out_got,
                      struct gm_err *err)
{
    int64_t tag = BESIDE;
    const AVFrame *picture = NULL;
    *out_got = false;
    while (tag == BESIDE) {
        picture = gm_front_next(p->front, &tag);
        if (picture == NULL) {
            return 0;
        }
    }
    int64_t ts = p->header->frames[tag]->out_ts;
    int rc = p->burn != NULL ? gm_burn_picture(p->burn, picture, ts, &picture, err) : 0;
    if (rc == 0) {
        rc = gm_rungs_push(p->rungs, picture, ts, err);
    }
    if (rc == 0) {
        out->event = GM_PICTURES_PICTURE;
        out->index = (size_t)tag;
        out->front = picture;
        p->given++;
        *out_got = true;
    }
    return rc;
}

/* Takes the frames' next step. *out_got: it is one of ours too. */
static int take_step(struct gm_pictures *p, struct gm_pictures_step *out, bool *out_got,
                     struct gm_err *err)
{
    struct gm_frames_step s;
    int rc = gm_frames_next(p->frames, &s, err);
    if (p->p.device == NULL) {
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
        p->given = 0;
        p->chunk = s.header->index;
        out->event = s.event == GM_FRAMES_CHUNK ? GM_PICTURES_CHUNK : GM_PICTURES_AGAIN;
        *out_got = true;
        return p->burn != NULL ? gm_burn_start(p->burn, p->header, err) : 0;
    case GM_FRAMES_BESIDE:
    case GM_FRAMES_PICTURE:
        return gm_front_push(p->front, s.picture,
                             s.event == GM_FRAMES_PICTURE ? (int64_t)s.index : BESIDE, err);
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
        if (rc < 0 || got) {
            break;
        }
        if (p->ending) {
            p->ending = false;
            step.event = GM_PICTURES_END;
            step.stats = p->stats;
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
    return gm_rungs_get(p->rungs, rendition);
}

int gm_pictures_sdr(struct gm_pictures *p, const AVFrame **out, struct gm_err *err)
{
    return gm_rungs_sdr(p->rungs, out, err);
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
