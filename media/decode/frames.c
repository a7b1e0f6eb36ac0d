#include "media/decode/frames.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "media/decode/frames_decoder.h"

/* The list holds the chunk whose frames are given out (first) and those whose packets were needed
 * to bring its last frames out of the decoder. The last chunk that has `started` is being fed.
 */

int gm_frames_create(const struct gm_frames_source *source, struct gm_frames **out,
                     struct gm_err *err)
{
    struct gm_frames *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    f->source = *source;
    f->packet = av_packet_alloc();
    f->picture = av_frame_alloc();
    if (f->packet == NULL || f->picture == NULL) {
        gm_frames_destroy(&f);
        return gm_err_nomem(err);
    }
    *out = f;
    return 0;
}

int gm_frames_use_device(struct gm_frames *f, AVBufferRef *device, struct gm_err *err)
{
    return gm_frames_device_set(&f->device, device, err);
}

void gm_frames_stay(struct gm_frames *f)
{
    f->device.stays = true;
}

int gm_frames_assist(struct gm_frames *f, AVBufferRef *device, const char *why, struct gm_err *err)
{
    int rc = device != NULL ? gm_frames_device_set(&f->device, device, err) : 0;
    f->device.assists = true;
    f->device.why = why;
    return rc;
}

const struct gm_err *gm_frames_failure(const struct gm_frames *f)
{
    return f->device.failure.code != GM_OK ? &f->device.failure : NULL;
}

bool gm_frames_yield(struct gm_frames *f, const struct gm_err *cause)
{
    if (f->first == NULL || !gm_frames_device_yield(&f->device, cause)) {
        return false;
    }
    f->pop = false;
    f->doubt = f->device.why;
    av_frame_free(&f->before);
    return true;
}

static void drop_first(struct gm_frames *f)
{
    struct gm_frames_chunk *c = f->first;
    f->first = c->after;
    gm_frames_chunk_close(&c);
}

void gm_frames_destroy(struct gm_frames **frames)
{
    struct gm_frames *f = *frames;
    if (f == NULL) {
        return;
    }
    while (f->first != NULL) {
        drop_first(f);
    }
    gm_frames_decoder_close(f);
    gm_frames_device_fini(&f->device);
    free(f->par);
    av_packet_free(&f->packet);
    av_frame_free(&f->picture);
    av_frame_free(&f->before);
    free(f);
    *frames = NULL;
}

static struct gm_frames_chunk *feeding(struct gm_frames *f)
{
    struct gm_frames_chunk *c = f->first;
    while (c->after != NULL && c->after->started) {
        c = c->after;
    }
    return c;
}

/* The first chunk that has not started: one that was put back, or a new one. NULL: none is left. */
static int find_waiting(struct gm_frames *f, struct gm_frames_chunk **out, struct gm_err *err)
{
    struct gm_frames_chunk **end = &f->first;
    while (*end != NULL && (*end)->started) {
        end = &(*end)->after;
    }
    if (*end == NULL && !f->done) {
        bool more = false;
        int fd = -1;
        int rc = f->source.next_chunk(f->source.arg, &more, &fd, err);
        if (rc == 0 && more) {
            rc = gm_frames_chunk_open(fd, end, err);
        }
        if (rc < 0) {
            return rc;
        }
        f->done = !more;
    }
    *out = *end;
    return 0;
}

/* A parameter change: what the decoder holds comes out, another one goes on. The names of packets
 * go on too. */
static int change_parameters(struct gm_frames *f, struct gm_frames_chunk *c, struct gm_err *err)
{
    uint64_t last_id = f->last_id;
    bool any = f->any;
    if (c->on_device) {
        f->doubt = "the stream changes its parameters";
        return 0;
    }
    int rc = gm_frames_decoder_drain(f, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_frames_keep keep = f->keep;
    f->keep = (struct gm_frames_keep){0};
    rc = gm_frames_decoder_open(f, c, c->change, c->change_size, err);
    f->keep = keep;
    f->last_id = last_id;
    f->any = any;
    return rc;
}

/* One record of the chunk being fed. */
static int feed_record(struct gm_frames *f, struct gm_frames_chunk *c, struct gm_err *err)
{
    int rc = gm_frames_chunk_peek(c, err);
    if (rc < 0) {
        return rc;
    }
    c->held = false;
    switch (c->record) {
    case GM_CHUNK_END:
        c->fed = true;
        return 0;
    case GM_CHUNK_PACKET:
        if (f->any && c->packet.id <= f->last_id) {
            if (c->mixed) {
                return 0; /* the chunk before has brought it */
            }
            return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Packets of chunk %" PRIu32 " do not rise",
                              c->header->index);
        }
        return gm_frames_decoder_packet(f, &c->packet, err);
    case GM_CHUNK_CHANGE:
        break;
    }
    /* A change belongs to the packet after it; what the chunk before has brought had it too. */
    uint8_t *data = malloc(c->change_size + 1);
    if (data == NULL) {
        return gm_err_nomem(err);
    }
    size_t size = c->change_size;
    if (size > 0) {
        memcpy(data, c->change, size);
    }
    rc = gm_frames_chunk_peek(c, err);
    if (rc == 0 && c->record == GM_CHUNK_PACKET && !(f->any && c->packet.id <= f->last_id)) {
        c->change = data;
        c->change_size = size;
        rc = change_parameters(f, c, err);
    }
    c->change = NULL;
    free(data);
    return rc;
}

/* Does the waiting chunk go on where the decoder stands? */
static int goes_on(struct gm_frames *f, struct gm_frames_chunk *c, bool *out, struct gm_err *err)
{
    *out = false;
    if (c->alone || !gm_frames_decoder_is_open(f) || !f->any || !gm_frames_resets(f->codec)) {
        return 0;
    }
    int rc = gm_frames_chunk_peek(c, err);
    if (rc < 0) {
        return rc;
    }
    *out = c->record == GM_CHUNK_PACKET && c->packet.id <= f->last_id + 1 &&
           c->header->codecpar.len == f->par_size &&
           memcmp(c->header->codecpar.data, f->par, f->par_size) == 0;
    return 0;
}

static int join(struct gm_frames *f, struct gm_frames_chunk *c, struct gm_err *err)
{
    const struct gm_frames_chunk *prior = NULL;
    for (struct gm_frames_chunk *p = f->first; p != NULL && p->started; p = p->after) {
        p->mixed = true;
        prior = p;
    }
    c->started = true;
    c->mixed = true;
    c->on_device = f->device.decoder != NULL;
    return gm_frames_keep_give(&f->keep, prior, c, err);
}

/* The chunk being fed has no more packets and frames are missing: the next chunk's packets bring
 * them out, or, where that would not be the same, a flush does. */
static int bring_out(struct gm_frames *f, struct gm_frames_chunk *c, struct gm_err *err)
{
    struct gm_frames_chunk *waiting = NULL;
    bool on = false;
    int rc = 0;
    if (!gm_frames_decoder_is_open(f)) {
        return 0;
    }
    if (!c->dirty && !c->alone) {
        rc = find_waiting(f, &waiting, err);
        if (rc == 0 && waiting != NULL) {
            rc = goes_on(f, waiting, &on, err);
        }
    }
    if (rc < 0) {
        return rc;
    }
    if (on) {
        return join(f, waiting, err);
    }
    rc = gm_frames_decoder_drain(f, err);
    gm_frames_decoder_close(f);
    return rc;
}

/* No frame will come any more for what is in the list. */
static bool exhausted(struct gm_frames *f)
{
    return feeding(f)->fed && !gm_frames_decoder_is_open(f);
}

static int start_chunk(struct gm_frames *f, struct gm_frames_chunk *c, struct gm_err *err)
{
    bool on = false;
    int rc = 0;
    if (f->can_go_on) {
        rc = goes_on(f, c, &on, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (on) {
        return join(f, c, err);
    }
    c->started = true;
    av_frame_free(&f->before);
    av_frame_unref(f->picture); /* of the decoder before, whose surfaces go with it */
    return gm_frames_decoder_open(f, c, c->header->codecpar.data, c->header->codecpar.len, err);
}

static int restart(struct gm_frames *f, struct gm_err *err)
{
    int rc = 0;
    if (f->doubt != NULL || (f->first->dirty && f->first->on_device)) {
        f->first->soft = true;
        f->first->why = f->doubt != NULL ? f->doubt : "it is damaged";
        f->doubt = NULL;
    }
    gm_frames_decoder_close(f);
    f->can_go_on = false;
    f->anew = true;
    f->first->alone = true;
    av_frame_unref(f->picture);
    for (struct gm_frames_chunk *c = f->first; c != NULL && rc == 0; c = c->after) {
        rc = gm_frames_chunk_rewind(c, err);
    }
    return rc;
}

/* f->picture becomes the stand-in for the chunk's next frame. */
static int replace(struct gm_frames *f, struct gm_frames_chunk *c, struct gm_err *err)
{
    c->stats.replaced += c->next >= c->own && c->next < c->own_end;
    if (c->next == 0) { /* else f->picture still holds the frame before */
        AVFrame *from = f->before;
        av_frame_unref(f->picture);
        for (size_t i = 0; i < c->count && from == NULL; i++) {
            from = c->slots[i].frame;
        }
        if (from == NULL) {
            return gm_frames_black(f->par, f->par_size, f->picture, err);
        }
        if (av_frame_ref(f->picture, from) < 0) {
            return gm_err_nomem(err);
        }
    }
    av_frame_remove_side_data(f->picture, AV_FRAME_DATA_A53_CC);
    return 0;
}

/* Gives out the first chunk's next frame if it is known. */
static int give_out(struct gm_frames *f, bool *out_given, struct gm_err *err)
{
    struct gm_frames_chunk *c = f->first;
    struct gm_frames_slot *slot = &c->slots[c->next];
    *out_given = false;
    if (slot->frame != NULL) {
        av_frame_unref(f->picture);
        av_frame_move_ref(f->picture, slot->frame);
        av_frame_free(&slot->frame);
        c->waiting--;
        *out_given = true;
        return 0;
    }
    bool later = c->after != NULL && c->after->started &&
                 c->after->newest_ts > gm_frames_chunk_entry(c, c->next)->out_ts;
    if (!exhausted(f) && c->waiting < GM_FRAMES_WINDOW && !later) {
        return 0;
    }
    c->dirty = true;
    if (c->mixed || c->on_device) {
        return 0; /* it begins again alone, or in software, and is judged there */
    }
    *out_given = true;
    return replace(f, c, err);
}

/* f->picture is the chunk's next frame. */
static int hand_over(struct gm_frames *f, struct gm_frames_step *out, struct gm_err *err)
{
    struct gm_frames_chunk *c = f->first;
    size_t at = c->next++;
    bool own = at >= c->own && at < c->own_end;
    out->picture = f->picture;
    out->event = own ? GM_FRAMES_PICTURE : GM_FRAMES_BESIDE;
    out->index = own ? at - c->own : 0;
    /* The next chunk's context; kept only where chunks list some. */
    bool tail = at < c->own_end && c->own_end - at <= GM_FRAMES_CONTEXT && c->own_end < c->count;
    return tail ? gm_frames_keep_tail(&f->keep, gm_frames_chunk_entry(c, at), f->picture, err) : 0;
}

static int step(struct gm_frames *f, struct gm_frames_step *out, bool *out_done, struct gm_err *err)
{
    struct gm_frames_chunk *c = f->first;
    *out_done = true;
    out->header = c->header;
    if ((c->dirty && (c->mixed || c->on_device)) || f->doubt != NULL || f->again) {
        int rc = restart(f, err);
        f->again = false;
        out->event = GM_FRAMES_RESTART;
        out->header = c->header;
        return rc;
    }
    if (!c->started) {
        int rc = start_chunk(f, c, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (!c->announced) {
        c->announced = true;
        out->event = GM_FRAMES_CHUNK;
        return 0;
    }
    if (c->next < c->count) {
        bool given = false;
        int rc = give_out(f, &given, err);
        if (rc < 0 || given) {
            return rc < 0 ? rc : hand_over(f, out, err);
        }
    } else if (c->fed && c->on_device && c->stats.discarded > 0) {
        f->doubt = "pictures come that are not listed";
    } else if (c->fed) {
        out->event = GM_FRAMES_CHUNK_END;
        out->stats = c->stats;
        out->stats.decoded = f->decoded;
        out->stats.spare = f->spare;
        out->stats.on_device = c->on_device;
        out->stats.by = f->device.api;
        out->stats.device = c->on_device ? f->device.label : NULL;
        out->stats.why = c->on_device ? NULL : c->why != NULL ? c->why : f->device.why;
        f->decoded = f->spare = 0;
        f->anew = f->anew && c->alone;
        f->pop = true;
        return 0;
    }
    *out_done = false;
    struct gm_frames_chunk *last = feeding(f);
    if (f->doubt != NULL) {
        return 0;
    }
    return last->fed ? bring_out(f, last, err) : feed_record(f, last, err);
}

void gm_frames_repeat(struct gm_frames *f)
{
    GM_ASSERT(f->pop);
    f->pop = false;
    f->again = true;
}

int gm_frames_next(struct gm_frames *f, struct gm_frames_step *out, struct gm_err *err)
{
    struct gm_frames_step s = {0};
    bool done = false;
    int rc = 0;
    if (f->pop) {
        f->pop = false;
        f->can_go_on = !f->first->dirty && !f->first->alone && gm_frames_decoder_is_open(f);
        drop_first(f);
    }
    if (f->first == NULL) {
        struct gm_frames_chunk *c = NULL;
        rc = find_waiting(f, &c, err);
        if (rc < 0) {
            return rc;
        }
        if (c == NULL) {
            s.event = GM_FRAMES_RUN_END;
            *out = s;
            return 0;
        }
    }
    while (rc == 0 && !done) {
        rc = step(f, &s, &done, err);
    }
    if (rc == 0) {
        *out = s;
    }
    return rc;
}
