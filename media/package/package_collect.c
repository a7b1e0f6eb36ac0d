/* See package_collect.h. */
#include "media/package/package_collect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "media/encode/vbv.h"
#include "media/results.h"
#include "proto/envelope.h"

void gm_collection_fini(struct gm_collection *c)
{
    for (size_t i = 0; i < c->meta_count; i++) {
        protobuf_c_message_free_unpacked(c->metas[i], NULL);
    }
    for (size_t i = 0; i < c->videos; i++) {
        free(c->video[i].list);
        free(c->video[i].entries);
    }
    for (size_t i = 0; i < c->audios; i++) {
        free(c->audio[i].list);
        free(c->audio[i].entries);
    }
    for (size_t i = 0; i < c->texts; i++) {
        free(c->text[i].list);
        free(c->text[i].entries);
    }
    free(c->metas);
    free(c->items);
    free(c->video);
    free(c->audio);
    free(c->text);
    memset(c, 0, sizeof(*c));
}

static int add_segments(struct gm_segments *to, const struct gm_task_input *input,
                        Gm__SegmentMeta **from, size_t count, struct gm_err *err)
{
    int rc = gm_array_reserve(&to->entries, to->count, count, &to->cap, sizeof(*to->entries), err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        to->entries[to->count++] = (struct gm_collected){from[i], *input};
    }
    return 0;
}

/* Takes msg, also on failure. */
static int keep_meta(struct gm_collection *c, ProtobufCMessage *msg, struct gm_err *err)
{
    int rc = gm_array_reserve(&c->metas, c->meta_count, 1, &c->meta_cap, sizeof(*c->metas), err);
    if (rc < 0) {
        protobuf_c_message_free_unpacked(msg, NULL);
        return rc;
    }
    c->metas[c->meta_count++] = msg;
    return 0;
}

/* Chunks come in order. */
static int add_walk(struct gm_segments *s, const Gm__Rendition *r, const Gm__BufferWalk *walk,
                    uint32_t chunk, struct gm_err *err)
{
    if ((walk != NULL) != (r->bufsize_bits > 0)) {
        return gm_err_set(err, GM_E_BUG, 0, "chunk %u of %s has no walk through its buffer", chunk,
                          r->name);
    }
    if (walk == NULL) {
        return 0;
    }
    const struct gm_bucket next = {
        .need = walk->need, .gain = walk->gain, .cap = walk->cap, .low = walk->low};
    if (chunk == 0) {
        s->buffer = next;
    } else {
        gm_bucket_join(&s->buffer, &next);
    }
    return 0;
}

static int add_encode(struct gm_collection *c, const struct gm_task_input *input,
                      const Gm__EncodeItemMeta *meta, const Gm__Policy *policy, struct gm_err *err)
{
    if (meta->chunk != c->chunks++) {
        return gm_err_set(err, GM_E_BUG, 0, "chunk %u came as number %u", meta->chunk,
                          c->chunks - 1);
    }
    c->captions |= meta->captions;
    for (size_t i = 0; i < meta->n_renditions; i++) {
        const Gm__RenditionChunkMeta *r = meta->renditions[i];
        if (r->rendition >= c->videos) {
            return gm_err_set(err, GM_E_BUG, 0, "chunk %u has a rendition %u of %zu", meta->chunk,
                              r->rendition, c->videos);
        }
        int rc = add_segments(&c->video[r->rendition], input, r->segments, r->n_segments, err);
        if (rc == 0 && meta->frames > 0) {
            rc = add_walk(&c->video[r->rendition], policy->renditions[r->rendition], r->buffer,
                          meta->chunk, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int add_track(struct gm_segments *list, size_t count, uint32_t track,
                     const struct gm_task_input *input, Gm__SegmentMeta **segments,
                     size_t n_segments, struct gm_err *err)
{
    if (track >= count) {
        return gm_err_set(err, GM_E_BUG, 0, "an item of track %u of %zu", track, count);
    }
    return add_segments(&list[track], input, segments, n_segments, err);
}

static int add_item(struct gm_collection *c, const Gm__TaskSpec *spec, const Gm__Policy *policy,
                    const struct gm_task_input *input, struct gm_err *err)
{
    const Gm__PipelineTask *task = gm_results_task(spec, input->task);
    bool video = task != NULL && strcmp(task->type, "encode") == 0;
    bool audio = task != NULL && strcmp(task->type, "audio") == 0;
    bool text = task != NULL && strcmp(task->type, "subtitles") == 0;
    if (!video && !audio && !text) {
        return 0; /* another task's items: nothing that manifests name */
    }
    ProtobufCMessage *msg = NULL;
    int rc = gm_array_reserve(&c->items, c->item_count, 1, &c->item_cap, sizeof(*c->items), err);
    if (rc < 0) {
        return rc;
    }
    c->items[c->item_count++] = input->item;
    rc = gm_results_item_meta(video   ? &gm__encode_item_meta__descriptor
                              : audio ? &gm__audio_item_meta__descriptor
                                      : &gm__text_item_meta__descriptor,
                              input->item, &msg, err);
    if (rc < 0 || (rc = keep_meta(c, msg, err)) < 0) {
        return rc;
    }
    if (video) {
        return add_encode(c, input, (const Gm__EncodeItemMeta *)msg, policy, err);
    }
    if (text) {
        const Gm__TextItemMeta *meta = (const Gm__TextItemMeta *)msg;
        return add_track(c->text, c->texts, meta->track, input, meta->segments, meta->n_segments,
                         err);
    }
    const Gm__AudioItemMeta *meta = (const Gm__AudioItemMeta *)msg;
    return add_track(c->audio, c->audios, meta->track, input, meta->segments, meta->n_segments,
                     err);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = ((const struct gm_collected *)a)->meta->number;
    uint32_t y = ((const struct gm_collected *)b)->meta->number;
    return x < y ? -1 : x > y;
}

static int check_track(const char *name, struct gm_segments *s, struct gm_err *err)
{
    if (s->count == 0) {
        return gm_err_set(err, GM_E_BUG, 0, "%s has no segments", name);
    }
    qsort(s->entries, s->count, sizeof(*s->entries), compare_numbers);
    s->list = calloc(s->count, sizeof(Gm__SegmentMeta *));
    if (s->list == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < s->count; i++) {
        s->list[i] = s->entries[i].meta;
        const Gm__SegmentMeta *seg = s->list[i];
        if (seg->number != i + 1) {
            return gm_err_set(err, GM_E_BUG, 0, "%s: segment %zu is missing or there twice", name,
                              i + 1);
        }
        if (seg->start_ts < 0 || seg->duration_ts <= 0 ||
            seg->duration_ts > INT64_MAX / 4 - seg->start_ts ||
            (i > 0 && seg->start_ts != s->list[i - 1]->start_ts + s->list[i - 1]->duration_ts)) {
            return gm_err_set(err, GM_E_BUG, 0, "%s: segment %zu starts at %lld for %lld ticks",
                              name, i + 1, (long long)seg->start_ts, (long long)seg->duration_ts);
        }
    }
    return 0;
}

/* Text has the pictures' segments. */
static int check_text(const char *name, const struct gm_segments *text,
                      const struct gm_segments *video, struct gm_err *err)
{
    bool alike = text->count == video->count;
    for (size_t i = 0; alike && i < text->count; i++) {
        alike = text->list[i]->start_ts == video->list[i]->start_ts &&
                text->list[i]->duration_ts == video->list[i]->duration_ts;
    }
    return alike ? 0 : gm_err_set(err, GM_E_BUG, 0, "%s has other segments than the video", name);
}

/* Decoded from what `audio` said at its end: the length of the track without priming and padding.
 */
static int read_samples(const Gm__TaskSpec *spec, uint32_t track, int64_t *out, struct gm_err *err)
{
    ProtobufCMessage *msg = NULL;
    const Gm__TaskResult *result = gm_results_instance(spec, "audio", track);
    if (result == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "sound track %u has no result", track);
    }
    int rc = gm_message_decode(&gm__audio_meta__descriptor, result->meta.data, result->meta.len,
                               GM_META_MAX_BYTES, &msg, err);
    if (rc == 0) {
        *out = ((Gm__AudioMeta *)msg)->samples;
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    return rc;
}

static int64_t end_of(const struct gm_segments *s)
{
    const Gm__SegmentMeta *last = s->list[s->count - 1];
    return last->start_ts + last->duration_ts;
}

/* Sound begins with the programme, is as long as its task counted, and lasts as long as the
 * pictures: to one of them (the mean of the last segment) and one sample. It may outlast them. */
static int check_sound(const Gm__TaskSpec *spec, const Gm__Policy *policy,
                       const struct gm_collection *c, uint32_t track, struct gm_err *err)
{
    const struct gm_segments *sound = &c->audio[track];
    const char *name = policy->audio[track]->name;
    const Gm__AudioParams *params = policy->audio[track]->params;
    int64_t end = end_of(sound);
    int64_t wanted = 0;
    int rc = params == NULL ? gm_err_set(err, GM_E_PROTO, 0, "%s has no parameters", name)
                            : read_samples(spec, track, &wanted, err);
    if (rc < 0) {
        return rc;
    }
    if (sound->list[0]->start_ts != 0 || end != wanted) {
        return gm_err_set(err, GM_E_BUG, 0, "%s has samples %lld to %lld, not 0 to %lld", name,
                          (long long)sound->list[0]->start_ts, (long long)end, (long long)wanted);
    }
    if (c->videos == 0) {
        return 0;
    }
    const struct gm_segments *video = &c->video[0];
    const Gm__SegmentMeta *last = video->list[video->count - 1];
    uint32_t rate = params->sample_rate;
    int64_t frame = last->samples > 0 ? last->duration_ts / last->samples : 0;
    __int128 short_of = (__int128)(end_of(video) - frame) * rate;
    if ((__int128)(end + 1) * policy->timescale < short_of) {
        return gm_err_set(err, GM_E_BUG, 0, "%s ends after %lld/%u s, the pictures after %lld/%u s",
                          name, (long long)end, rate, (long long)end_of(video), policy->timescale);
    }
    return 0;
}

static int check_alike(const Gm__Policy *policy, const struct gm_collection *c, struct gm_err *err)
{
    const struct gm_segments *first = &c->video[0];
    for (size_t r = 1; r < c->videos; r++) {
        const struct gm_segments *s = &c->video[r];
        bool alike = s->count == first->count;
        for (size_t i = 0; alike && i < s->count; i++) {
            alike = s->list[i]->start_ts == first->list[i]->start_ts &&
                    s->list[i]->duration_ts == first->list[i]->duration_ts &&
                    s->list[i]->samples == first->list[i]->samples;
        }
        if (!alike) {
            return gm_err_set(err, GM_E_BUG, 0, "renditions %s and %s have other segments",
                              policy->renditions[0]->name, policy->renditions[r]->name);
        }
    }
    return 0;
}

/* The proof at every join: the programme as a whole, begun as every chunk is. */
static int check_buffers(const Gm__Policy *policy, const struct gm_collection *c,
                         struct gm_err *err)
{
    for (size_t i = 0; i < c->videos; i++) {
        struct gm_vbv vbv;
        if (!gm_vbv_declared(policy->renditions[i], policy->timescale, &vbv) ||
            c->video[i].count == 0) {
            continue;
        }
        int64_t lowest = gm_bucket_lowest(&c->video[i].buffer, gm_vbv_entry(&vbv));
        if (lowest < 0) {
            return gm_err_set(err, GM_E_BUG, lowest,
                              "rendition %s underflows its buffer by %" PRId64 " bits",
                              policy->renditions[i]->name, -lowest);
        }
    }
    return 0;
}

/* Against what split counted, where it was given. */
static int check_frames(const Gm__TaskSpec *spec, const struct gm_collection *c, struct gm_err *err)
{
    const Gm__TaskResult *result = gm_results_find(spec, "split");
    int64_t frames = 0;
    if (result == NULL) {
        return 0;
    }
    ProtobufCMessage *msg = NULL;
    int rc = gm_message_decode(&gm__split_meta__descriptor, result->meta.data, result->meta.len,
                               GM_META_MAX_BYTES, &msg, err);
    if (rc < 0) {
        return rc;
    }
    int64_t wanted = ((Gm__SplitMeta *)msg)->frames;
    protobuf_c_message_free_unpacked(msg, NULL);
    for (size_t i = 0; i < c->video[0].count; i++) {
        frames += c->video[0].entries[i].meta->samples;
    }
    if (frames != wanted) {
        return gm_err_set(err, GM_E_BUG, 0, "segments hold %lld frames of %lld", (long long)frames,
                          (long long)wanted);
    }
    return 0;
}

static int check_all(const Gm__TaskSpec *spec, const Gm__Policy *policy, struct gm_collection *c,
                     struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < c->videos && rc == 0; i++) {
        rc = check_track(policy->renditions[i]->name, &c->video[i], err);
    }
    for (size_t i = 0; i < c->audios && rc == 0; i++) {
        rc = check_track(policy->audio[i]->name, &c->audio[i], err);
    }
    for (size_t i = 0; i < c->texts && rc == 0; i++) {
        rc = check_track(policy->text[i]->name, &c->text[i], err);
        if (rc == 0) {
            rc = check_text(policy->text[i]->name, &c->text[i], &c->video[0], err);
        }
    }
    for (size_t i = 0; i < c->audios && rc == 0; i++) {
        rc = check_sound(spec, policy, c, (uint32_t)i, err);
    }
    if (rc < 0 || c->videos == 0) {
        return rc;
    }
    rc = check_alike(policy, c, err);
    if (rc == 0) {
        rc = check_buffers(policy, c, err);
    }
    return rc == 0 ? check_frames(spec, c, err) : rc;
}

int gm_collect(struct gm_task_io *io, const Gm__Policy *policy, struct gm_collection *out,
               struct gm_err *err)
{
    struct gm_collection c = {0};
    int rc = 0;
    bool more = true;
    c.video = calloc(policy->n_renditions > 0 ? policy->n_renditions : 1, sizeof(*c.video));
    c.audio = calloc(policy->n_audio > 0 ? policy->n_audio : 1, sizeof(*c.audio));
    c.text = calloc(policy->n_text > 0 ? policy->n_text : 1, sizeof(*c.text));
    if (c.video == NULL || c.audio == NULL || c.text == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    c.videos = policy->n_renditions;
    c.audios = policy->n_audio;
    c.texts = policy->n_text;
    while (more) {
        struct gm_task_input input;
        if ((rc = io->next_input(io->self, &more, &input, err)) < 0) {
            goto out;
        }
        if (more && (rc = add_item(&c, io->spec, policy, &input, err)) < 0) {
            goto out;
        }
    }
    rc = check_all(io->spec, policy, &c, err);
out:
    if (rc < 0) {
        gm_collection_fini(&c);
        return rc;
    }
    *out = c;
    return 0;
}
