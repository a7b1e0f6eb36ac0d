#include "media/decode/frames_keep.h"

#include <string.h>

/* See frames_keep.h. A spare is given to the chunk that has it as its own and then forgotten; one
 * that is only context there stays, since the chunk after it may own it. */

void gm_frames_keep_clear(struct gm_frames_keep *k)
{
    for (size_t i = 0; i < k->spares; i++) {
        av_frame_free(&k->spare[i].frame);
    }
    for (size_t i = 0; i < k->tails; i++) {
        av_frame_free(&k->tail[i].frame);
    }
    k->spares = k->tails = 0;
}

void gm_frames_keep_spare(struct gm_frames_keep *k, uint64_t id, AVFrame *frame)
{
    if (k->spares == GM_FRAMES_SPARES) {
        av_frame_free(&k->spare[0].frame);
        memmove(k->spare, k->spare + 1, (GM_FRAMES_SPARES - 1) * sizeof k->spare[0]);
        k->spares--;
    }
    k->spare[k->spares].frame = frame;
    k->spare[k->spares++].id = id;
}

int gm_frames_keep_tail(struct gm_frames_keep *k, const Gm__FrameEntry *entry, const AVFrame *frame,
                        struct gm_err *err)
{
    AVFrame *copy = av_frame_clone(frame);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    if (k->tails == GM_FRAMES_CONTEXT) {
        av_frame_free(&k->tail[0].frame);
        memmove(k->tail, k->tail + 1, (GM_FRAMES_CONTEXT - 1) * sizeof k->tail[0]);
        k->tails--;
    }
    k->tail[k->tails].frame = copy;
    k->tail[k->tails].id = entry->packet_id;
    k->tail[k->tails++].out_ts = entry->out_ts;
    return 0;
}

/* The picture of `entry`, one of the last of the chunk before; NULL: it has not come yet. */
static const AVFrame *find(const struct gm_frames_keep *k, const struct gm_frames_chunk *prior,
                           const Gm__FrameEntry *entry)
{
    for (size_t i = 0; i < k->tails; i++) {
        if (k->tail[i].id == entry->packet_id && k->tail[i].out_ts == entry->out_ts) {
            return k->tail[i].frame;
        }
    }
    for (size_t i = prior != NULL ? prior->own_end : 0; i > 0 && i > prior->next; i--) {
        const Gm__FrameEntry *e = gm_frames_chunk_entry(prior, i - 1);
        if (e->packet_id == entry->packet_id && e->out_ts == entry->out_ts) {
            return prior->slots[i - 1].frame;
        }
    }
    return NULL;
}

static int give_spares(struct gm_frames_keep *k, struct gm_frames_chunk *c, struct gm_err *err)
{
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; i < k->spares; i++) {
        enum gm_frames_use use = GM_FRAMES_UNLISTED;
        if (rc == 0) {
            rc = gm_frames_chunk_offer(c, k->spare[i].id, k->spare[i].frame, &use, err);
        }
        bool keep = use == GM_FRAMES_AS_CONTEXT ||
                    (use == GM_FRAMES_UNLISTED && k->spare[i].id > c->max_id);
        if (keep) {
            k->spare[kept++] = k->spare[i];
        } else {
            av_frame_free(&k->spare[i].frame);
        }
    }
    k->spares = kept;
    return rc;
}

int gm_frames_keep_give(struct gm_frames_keep *k, const struct gm_frames_chunk *prior,
                        struct gm_frames_chunk *c, struct gm_err *err)
{
    for (size_t i = 0; i < c->own; i++) {
        const AVFrame *frame = find(k, prior, gm_frames_chunk_entry(c, i));
        int rc = frame != NULL ? gm_frames_chunk_fill(c, i, frame, err) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return give_spares(k, c, err);
}
