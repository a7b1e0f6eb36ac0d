#include "media/decode/frames_chunk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A chunk object's reader, and the slots in which its listed frames wait for their turn. Packets
 * name frames: two listed frames may come from one packet, so a name is an id and an order. */

static int by_id(const void *a, const void *b)
{
    const struct gm_frames_name *x = a;
    const struct gm_frames_name *y = b;
    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }
    return x->index < y->index ? -1 : (x->index > y->index ? 1 : 0);
}

static int bad(struct gm_err *err, const Gm__ChunkHeader *h, const char *what)
{
    return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Chunk %" PRIu32 ": %s", h->index, what);
}

static int check_context(const Gm__ChunkHeader *h, struct gm_err *err)
{
    if (h->n_before > GM_FRAMES_CONTEXT || h->n_after > GM_FRAMES_CONTEXT ||
        (h->n_frames == 0 && h->n_before + h->n_after > 0)) {
        return bad(err, h, "it lists too many pictures around its own");
    }
    for (size_t i = 0; i < h->n_before; i++) {
        int64_t next = i + 1 < h->n_before ? h->before[i + 1]->out_ts : h->frames[0]->out_ts;
        if (h->before[i]->out_ts >= next || h->before[i]->packet_id > INT64_MAX) {
            return bad(err, h, "the pictures before its own are out of order");
        }
    }
    for (size_t i = 0; i < h->n_after; i++) {
        int64_t least = i > 0 ? h->after[i - 1]->out_ts + 1 : h->end_ts;
        if (h->after[i]->out_ts < least || h->after[i]->packet_id > INT64_MAX) {
            return bad(err, h, "the pictures after its own are out of order");
        }
    }
    return 0;
}

/* What `encode` relies on: times rise, GOPs and segments start where they say. */
static int check_header(const Gm__ChunkHeader *h, struct gm_err *err)
{
    if (h->version != 1) {
        return bad(err, h, "its version is unknown");
    }
    if (h->stream != 0) {
        return bad(err, h, "it holds no video");
    }
    if (h->time_base == NULL || h->time_base->num <= 0 || h->time_base->den <= 0) {
        return bad(err, h, "its time base is not positive");
    }
    for (size_t i = 0; i < h->n_frames; i++) {
        int64_t end = i + 1 < h->n_frames ? h->frames[i + 1]->out_ts : h->end_ts;
        if (end <= h->frames[i]->out_ts || h->frames[i]->out_ts < 0) {
            return bad(err, h, "its frame times do not rise");
        }
        if (h->frames[i]->packet_id > INT64_MAX) {
            return bad(err, h, "a packet's number is out of range");
        }
    }
    int rc = check_context(h, err);
    if (rc < 0) {
        return rc;
    }
    if (h->n_frames == 0) {
        return h->n_segments == 0 ? 0 : bad(err, h, "it has segments without frames");
    }
    if (!h->frames[0]->gop_start || h->n_segments == 0 || h->segments[0]->first_frame != 0) {
        return bad(err, h, "it does not begin with a segment");
    }
    for (size_t i = 0; i < h->n_segments; i++) {
        uint32_t first = h->segments[i]->first_frame;
        if (first >= h->n_frames || !h->frames[first]->gop_start ||
            (i > 0 && (first <= h->segments[i - 1]->first_frame ||
                       h->segments[i]->number != h->segments[i - 1]->number + 1))) {
            return bad(err, h, "its segments are out of order");
        }
    }
    return 0;
}

static void release(struct gm_frames_chunk *c)
{
    for (size_t i = 0; c->slots != NULL && i < c->count; i++) {
        av_frame_free(&c->slots[i].frame);
    }
    free(c->slots);
    free(c->names);
    c->slots = NULL;
    c->names = NULL;
    gm_chunk_reader_close(&c->reader);
    c->header = NULL;
    c->count = c->next = c->waiting = 0;
    c->newest_ts = -1;
    c->unlisted = 0;
    c->arrived = c->started = c->fed = c->mixed = c->dirty = c->held = c->on_device = false;
    c->stats = (struct gm_frames_stats){0};
}

static int load(struct gm_frames_chunk *c, struct gm_err *err)
{
    int rc = gm_chunk_reader_open(c->fd, &c->reader, err);
    if (rc < 0) {
        return rc;
    }
    c->header = gm_chunk_reader_header(c->reader);
    rc = check_header(c->header, err);
    if (rc < 0) {
        return rc;
    }
    c->own = c->header->n_before;
    c->own_end = c->own + c->header->n_frames;
    c->count = c->own_end + c->header->n_after;
    c->newest_ts = -1;
    c->slots = calloc(c->count + 1, sizeof *c->slots);
    c->names = calloc(c->count + 1, sizeof *c->names);
    if (c->slots == NULL || c->names == NULL) {
        return gm_err_nomem(err);
    }
    c->min_id = UINT64_MAX;
    c->max_id = 0;
    for (size_t i = 0; i < c->count; i++) {
        uint64_t id = gm_frames_chunk_entry(c, i)->packet_id;
        c->names[i] = (struct gm_frames_name){id, i};
        if (i >= c->own && i < c->own_end) {
            c->min_id = id < c->min_id ? id : c->min_id;
            c->max_id = id > c->max_id ? id : c->max_id;
        }
    }
    qsort(c->names, c->count, sizeof *c->names, by_id);
    c->reach_id = c->count > 0 ? c->names[0].id : UINT64_MAX;
    return 0;
}

int gm_frames_chunk_open(int fd, struct gm_frames_chunk **out, struct gm_err *err)
{
    struct gm_frames_chunk *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return gm_err_nomem(err);
    }
    c->fd = fd;
    int rc = load(c, err);
    if (rc < 0) {
        gm_frames_chunk_close(&c);
        return rc;
    }
    *out = c;
    return 0;
}

void gm_frames_chunk_close(struct gm_frames_chunk **chunk)
{
    struct gm_frames_chunk *c = *chunk;
    if (c == NULL) {
        return;
    }
    release(c);
    close(c->fd);
    free(c);
    *chunk = NULL;
}

int gm_frames_chunk_rewind(struct gm_frames_chunk *c, struct gm_err *err)
{
    release(c);
    return load(c, err);
}

int gm_frames_chunk_peek(struct gm_frames_chunk *c, struct gm_err *err)
{
    if (c->held) {
        return 0;
    }
    int rc = gm_chunk_read(c->reader, &c->record, &c->packet, &c->change, &c->change_size, err);
    c->held = rc == 0;
    return rc;
}

const Gm__FrameEntry *gm_frames_chunk_entry(const struct gm_frames_chunk *c, size_t at)
{
    const Gm__ChunkHeader *h = c->header;
    GM_ASSERT(at < c->count);
    return at < c->own       ? h->before[at]
           : at < c->own_end ? h->frames[at - c->own]
                             : h->after[at - c->own_end];
}

int gm_frames_chunk_fill(struct gm_frames_chunk *c, size_t at, const AVFrame *frame,
                         struct gm_err *err)
{
    struct gm_frames_slot *slot = &c->slots[at];
    slot->frame = av_frame_clone(frame);
    if (slot->frame == NULL) {
        return gm_err_nomem(err);
    }
    slot->taken = true;
    c->waiting++;
    int64_t ts = gm_frames_chunk_entry(c, at)->out_ts;
    c->newest_ts = ts > c->newest_ts ? ts : c->newest_ts;
    return 0;
}

int gm_frames_chunk_offer(struct gm_frames_chunk *c, uint64_t id, const AVFrame *frame,
                          enum gm_frames_use *out_use, struct gm_err *err)
{
    size_t low = 0;
    size_t high = c->count;
    *out_use = GM_FRAMES_UNLISTED;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->names[mid].id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (; low < c->count && c->names[low].id == id; low++) {
        size_t i = c->names[low].index;
        if (i < c->next || c->slots[i].taken) {
            continue;
        }
        int rc = gm_frames_chunk_fill(c, i, frame, err);
        if (rc < 0) {
            return rc;
        }
        bool own = i >= c->own && i < c->own_end;
        if (own) {
            c->stats.discarded += c->unlisted;
            c->unlisted = 0;
            c->arrived = true;
        }
        *out_use = own ? GM_FRAMES_AS_OWN : GM_FRAMES_AS_CONTEXT;
        return 0;
    }
    return 0;
}
