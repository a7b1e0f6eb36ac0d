/* The verify task: one announced item of encode, audio or subtitles, checked in another process
 * than the one that made it, before it is committed. Everything is read back with our own strict
 * reader; pictures are at the times that split planned for their chunk; a sample of the GOPs
 * (gm_verify_pick) and all sound are decoded. */
#include "media/verify/verify.h"

#include <string.h>

#include "media/encode/vbv.h"
#include "media/results.h"

static int fail(struct gm_err *err, const char *what, uint32_t index)
{
    return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "item %u: %s", index, what);
}

static int check_alike(const Gm__RenditionChunkMeta *a, const Gm__RenditionChunkMeta *b,
                       uint32_t index, struct gm_err *err)
{
    bool alike = a->n_segments == b->n_segments;
    for (size_t i = 0; alike && i < a->n_segments; i++) {
        const Gm__SegmentMeta *x = a->segments[i];
        const Gm__SegmentMeta *y = b->segments[i];
        alike = x->number == y->number && x->start_ts == y->start_ts &&
                x->duration_ts == y->duration_ts && x->samples == y->samples &&
                x->n_gops == y->n_gops;
        for (size_t g = 0; alike && g < x->n_gops; g++) {
            alike = x->gops[g]->start_ts == y->gops[g]->start_ts &&
                    x->gops[g]->duration_ts == y->gops[g]->duration_ts;
        }
    }
    return alike ? 0 : fail(err, "its renditions have other times", index);
}

/* sparse: a segment may hold nothing. */
static int check_numbers(Gm__SegmentMeta *const *segments, size_t count, bool sparse,
                         uint32_t index, struct gm_err *err)
{
    if (count == 0) {
        return fail(err, "it has no segments", index);
    }
    for (size_t i = 0; i < count; i++) {
        const Gm__SegmentMeta *s = segments[i];
        if (s->number == 0 || (s->samples == 0 && !sparse) || s->start_ts < 0 ||
            s->duration_ts <= 0 || s->duration_ts > INT64_MAX / 4 || s->start_ts > INT64_MAX / 4) {
            return fail(err, "a segment's number or time is out of range", index);
        }
        if (i > 0 && (s->number != segments[i - 1]->number + 1 ||
                      s->start_ts != segments[i - 1]->start_ts + segments[i - 1]->duration_ts)) {
            return fail(err, "its segments do not follow one another", index);
        }
    }
    return 0;
}

/* An item of encode and what it is held against. */
struct chunk {
    struct gm_task_io *io;
    const struct gm_task_input *input;
    const Gm__Policy *policy;
    const Gm__EncodeItemMeta *meta;
    const Gm__SplitItemMeta *plan;
};

/* The chunk's way through the declared buffer, from the sizes and times in its files. walk NULL:
 * no cap. */
static int check_buffer(const struct gm_task_input *input, const Gm__RenditionChunkMeta *r,
                        struct gm_vbv_walk *walk, struct gm_err *err)
{
    uint32_t index = input->item->index;
    const Gm__BufferWalk *told = r->buffer;
    if ((told != NULL) != (walk != NULL)) {
        return fail(err, "its walk through the buffer is missing, or there is no buffer", index);
    }
    if (walk == NULL) {
        return 0;
    }
    const Gm__SegmentMeta *end = r->segments[r->n_segments - 1];
    gm_vbv_walk_end(walk, end->start_ts + end->duration_ts);
    const struct gm_bucket *b = &walk->bucket;
    if (told->need != b->need || told->gain != b->gain || told->cap != b->cap ||
        told->low != b->low) {
        return fail(err, "its walk through the buffer is not that of its files", index);
    }
    if (!gm_bucket_holds(b, gm_vbv_entry(&walk->vbv), input->item->last)) {
        return fail(err, "it does not keep to the declared buffer", index);
    }
    return 0;
}

/* One segment; its times are added to `times`, its samples to walk (NULL: no cap). gop: what is
 * decoded; -1, or behind its last: nothing. */
static int verify_segment(const struct chunk *c, const Gm__Rendition *rendition,
                          const struct gm_verify_segment *s, ptrdiff_t gop, struct gm_sha256 *times,
                          struct gm_vbv_walk *walk, struct gm_err *err)
{
    struct gm_fmp4_init init;
    int rc = gm_verify_init(s, rendition, c->policy->timescale, &init, err);
    if (rc == 0) {
        rc = gm_verify_video(s, &init, rendition->delay_ts, err);
    }
    if (rc == 0) {
        rc = gm_verify_times(s, times, err);
    }
    if (rc == 0 && gop >= 0 && (size_t)gop < s->meta->n_gops) {
        rc = gm_verify_decode_gop(s, (size_t)gop, &init, rendition, err);
    }
    for (size_t k = 0; walk != NULL && rc == 0 && k < s->count; k++) {
        gm_vbv_walk_sample(walk, s->samples[k].dts, s->samples[k].size);
    }
    return rc;
}

/* The GOP of the chunk's rendition that is decoded, counted from its first; -1: none. */
static ptrdiff_t pick_gop(const struct chunk *c, const Gm__RenditionChunkMeta *r)
{
    size_t gops = 0;
    for (size_t i = 0; i < r->n_segments; i++) {
        gops += r->segments[i]->n_gops;
    }
    return gm_verify_pick(c->meta->chunk, r->rendition, c->meta->n_renditions, gops);
}

static int verify_segments(const struct chunk *c, const Gm__RenditionChunkMeta *r,
                           struct gm_sha256 *times, struct gm_err *err)
{
    const Gm__Rendition *rendition = c->policy->renditions[r->rendition];
    const Gm__SegmentMeta *end = r->segments[r->n_segments - 1];
    ptrdiff_t gop = pick_gop(c, r);
    uint64_t frames = 0;
    struct gm_vbv vbv;
    struct gm_vbv_walk walk;
    bool capped = gm_vbv_declared(rendition, c->policy->timescale, &vbv);
    int rc = 0;
    if (capped) {
        gm_vbv_walk_start(&walk, &vbv, r->segments[0]->start_ts);
    }
    for (size_t i = 0; i < r->n_segments && rc == 0; i++) {
        struct gm_verify_segment s;
        rc = gm_verify_read(c->io, c->input, rendition->name, r->segments[i], &s, err);
        if (rc < 0) {
            return rc;
        }
        rc = verify_segment(c, rendition, &s, gop, times, capped ? &walk : NULL, err);
        gop -= (ptrdiff_t)r->segments[i]->n_gops;
        frames += s.count;
        gm_verify_segment_fini(&s);
        c->io->progress(c->io->self, frames, frames);
    }
    if (rc == 0) {
        rc = check_buffer(c->input, r, capped ? &walk : NULL, err);
    }
    if (rc == 0 && frames != c->meta->frames) {
        rc = fail(err, "its segments hold another number of frames than announced", c->meta->chunk);
    }
    return rc < 0 ? rc
                  : gm_verify_planned(c->plan, times, end->start_ts + end->duration_ts,
                                      rendition->name, c->meta->chunk, err);
}

static int verify_rendition(const struct chunk *c, const Gm__RenditionChunkMeta *r,
                            struct gm_err *err)
{
    int rc = check_numbers(r->segments, r->n_segments, false, c->meta->chunk, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_sha256 *times = gm_sha256_create();
    if (times == NULL) {
        return gm_err_nomem(err);
    }
    rc = verify_segments(c, r, times, err);
    gm_sha256_destroy(&times);
    return rc;
}

static int verify_chunk(const struct chunk *c, struct gm_err *err)
{
    const Gm__EncodeItemMeta *meta = c->meta;
    uint32_t index = c->input->item->index;
    if (meta->chunk != index || meta->n_renditions != c->policy->n_renditions) {
        return fail(err, "it is another chunk, or renditions are missing", index);
    }
    if (meta->frames != c->plan->frames) {
        return fail(err, "it has another number of frames than planned", index);
    }
    for (size_t i = 0; i < meta->n_renditions; i++) {
        if (meta->renditions[i]->rendition != i) {
            return fail(err, "its renditions are in another order than the plan's", index);
        }
        int rc = check_alike(meta->renditions[0], meta->renditions[i], index, err);
        if (rc == 0) {
            rc = verify_rendition(c, meta->renditions[i], err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int verify_encode(struct gm_task_io *io, const struct gm_task_input *input,
                         const Gm__Policy *policy, const Gm__EncodeItemMeta *meta,
                         struct gm_err *err)
{
    Gm__SplitItemMeta *plan = NULL;
    int rc = gm_verify_plan(io, input->item, &plan, err);
    if (rc < 0) {
        return rc;
    }
    struct chunk c = {.io = io, .input = input, .policy = policy, .meta = meta, .plan = plan};
    rc = verify_chunk(&c, err);
    gm__split_item_meta__free_unpacked(plan, NULL);
    return rc;
}

static int verify_audio(struct gm_task_io *io, const struct gm_task_input *input,
                        const Gm__Policy *policy, const Gm__AudioItemMeta *meta, struct gm_err *err)
{
    uint32_t index = input->item->index;
    if (meta->track != input->instance || meta->track >= policy->n_audio ||
        policy->audio[meta->track]->params == NULL) {
        return fail(err, "it is of another sound track", index);
    }
    const Gm__AudioTrack *track = policy->audio[meta->track];
    int64_t next = index == 0 ? 0 : -1;
    int rc = check_numbers(meta->segments, meta->n_segments, false, index, err);
    for (size_t i = 0; i < meta->n_segments && rc == 0; i++) {
        struct gm_verify_segment s;
        rc = gm_verify_read(io, input, track->name, meta->segments[i], &s, err);
        if (rc < 0) {
            return rc;
        }
        bool last = input->item->last && i + 1 == meta->n_segments;
        rc = gm_verify_audio(&s, track, last, &next, err);
        if (rc == 0) {
            rc = gm_verify_decode_audio(&s, track, err);
        }
        gm_verify_segment_fini(&s);
        io->progress(io->self, i + 1, meta->n_segments);
    }
    return rc;
}

static int verify_subtitles(struct gm_task_io *io, const struct gm_task_input *input,
                            const Gm__Policy *policy, const Gm__TextItemMeta *meta,
                            struct gm_err *err)
{
    uint32_t index = input->item->index;
    if (meta->track != input->instance || meta->track >= policy->n_text) {
        return fail(err, "it is of another text track", index);
    }
    int rc = check_numbers(meta->segments, meta->n_segments, true, index, err);
    for (size_t i = 0; i < meta->n_segments && rc == 0; i++) {
        struct gm_verify_segment s;
        rc = gm_verify_bytes(io, input, policy->text[meta->track]->name, meta->segments[i],
                             gm_text_segment_name, &s, err);
        if (rc < 0) {
            return rc;
        }
        bool last = input->item->last && i + 1 == meta->n_segments;
        rc = gm_verify_text(&s, policy->timescale, index == 0 && i == 0, last, err);
        gm_verify_segment_fini(&s);
        io->progress(io->self, i + 1, meta->n_segments);
    }
    return rc;
}

static int verify_item(struct gm_task_io *io, const struct gm_task_input *input,
                       const Gm__Policy *policy, int64_t *out_chunk, struct gm_err *err)
{
    const Gm__PipelineTask *task = gm_results_task(io->spec, input->task);
    bool video = task != NULL && strcmp(task->type, "encode") == 0;
    bool audio = task != NULL && strcmp(task->type, "audio") == 0;
    bool text = task != NULL && strcmp(task->type, "subtitles") == 0;
    ProtobufCMessage *msg = NULL;
    if (!video && !audio && !text) {
        return gm_err_set(err, GM_E_PROTO, 0, "items of task `%.64s` are not verified",
                          input->task);
    }
    struct gm_err cause = {0};
    *out_chunk = video ? (int64_t)input->item->index : -1;
    int rc = gm_results_item_meta(video   ? &gm__encode_item_meta__descriptor
                                  : audio ? &gm__audio_item_meta__descriptor
                                          : &gm__text_item_meta__descriptor,
                                  input->item, &msg, &cause);
    if (rc < 0) {
        return fail(err, "its meta is malformed", input->item->index);
    }
    if (video) {
        rc = verify_encode(io, input, policy, (const Gm__EncodeItemMeta *)msg, err);
    } else if (audio) {
        rc = verify_audio(io, input, policy, (const Gm__AudioItemMeta *)msg, err);
    } else {
        rc = verify_subtitles(io, input, policy, (const Gm__TextItemMeta *)msg, err);
    }
    protobuf_c_message_free_unpacked(msg, NULL);
    return rc;
}

int gm_task_verify(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    Gm__Policy *policy = NULL;
    struct gm_task_input input;
    bool more = false;
    *out_chunk = -1;
    int rc = gm_results_policy(io->spec, &policy, err);
    if (rc < 0) {
        return rc;
    }
    rc = io->next_input(io->self, &more, &input, err);
    if (rc == 0 && !more) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "there is no item to verify");
    }
    if (rc == 0) {
        rc = verify_item(io, &input, policy, out_chunk, err);
    }
    if (rc == 0) {
        Gm__EncodeMeta meta = GM__ENCODE_META__INIT;
        rc = io->finish(io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
    }
    gm__policy__free_unpacked(policy, NULL);
    return rc;
}
