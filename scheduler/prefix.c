/* See prefix.h. A segment is named once all tracks have theirs of that number: they are cut at the
 * same borders (media/timeline.h), so those prefixes end together. Nothing of what was named ever
 * changes: names and times come from committed items, the target duration, bandwidths and the start
 * of availability from what the plan and the first segments say. */
#include "scheduler/prefix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "manifest/dash.h"
#include "manifest/describe.h"
#include "manifest/hls.h"
#include "proto/envelope.h"
#include "proto/ticks.h"

#define META_MAX_BYTES ((size_t)64 << 20)
#define MAX_TRACKS 256
#define GOP_SECONDS 2 /* media/timeline.h */
#define HOUR_MS (INT64_C(3600) * 1000)
#define LIMIT_S INT64_C(43200) /* of InspectParams.max_duration_s, where it says none */
#define LIMIT_MOST_S 604800

struct list {
    Gm__SegmentMeta **rows; /* owned, and so is each; without GOPs and hash */
    size_t count, cap;
    size_t most; /* that may be named */
    bool ended;
};
struct gm_prefix {
    Gm__Policy *policy; /* owned */
    char prefix[96];    /* "v/<publication>/" */
    char mark[GM_MANIFEST_MARK_SIZE];
    bool hls, dash;
    struct gm_manifest_growth growth;
    struct gm_manifest_track *tracks; /* owned: renditions, sound, text */
    struct list *lists;               /* owned: theirs */
    size_t count;
    size_t *taken; /* owned; items, by feed */
    size_t feeds;
};

static bool is_usable(const Gm__Policy *p)
{
    size_t count = p->n_renditions + p->n_audio + p->n_text;
    bool usable = count > 0 && count <= MAX_TRACKS && p->n_renditions + p->n_audio > 0 &&
                  p->timescale > 0 && p->segment_gops > 0 && p->segment_gops <= 1000;
    for (size_t i = 0; usable && i < p->n_renditions; i++) {
        const Gm__Rendition *r = p->renditions[i];
        usable = gm_is_file_name(r->name) && gm_is_file_name(r->init_name) && r->width_px > 0 &&
                 r->height_px > 0;
    }
    for (size_t i = 0; usable && i < p->n_audio; i++) {
        const Gm__AudioTrack *a = p->audio[i];
        usable = gm_is_file_name(a->name) && gm_is_file_name(a->init_name) && a->params != NULL &&
                 a->params->sample_rate > 0;
    }
    for (size_t i = 0; usable && i < p->n_text; i++) {
        usable = gm_is_file_name(p->text[i]->name);
    }
    return usable;
}

/* Of segments as the plan cuts them. Where frames have no constant rate one may begin late. */
static int64_t target_s(const Gm__Policy *p)
{
    const Gm__Rational *rate = p->timescale_rate;
    int64_t planned = (int64_t)p->segment_gops * GOP_SECONDS;
    if (p->n_renditions == 0) {
        return planned;
    }
    if (p->gop_frames == 0 || rate == NULL || rate->num <= 0 || rate->den <= 0) {
        return planned + 1;
    }
    __int128 frames = (__int128)p->gop_frames * p->segment_gops;
    int64_t s = (int64_t)((frames * rate->den * 2 + rate->num) / ((__int128)rate->num * 2));
    return s > 0 ? s : 1;
}

static int make_room(struct gm_prefix *x, struct gm_err *err)
{
    const Gm__Policy *p = x->policy;
    x->count = p->n_renditions + p->n_audio + p->n_text;
    x->feeds = (p->n_renditions > 0) + p->n_audio + p->n_text;
    x->tracks = calloc(x->count, sizeof *x->tracks);
    x->lists = calloc(x->count, sizeof *x->lists);
    x->taken = calloc(x->feeds, sizeof *x->taken);
    if (x->tracks == NULL || x->lists == NULL || x->taken == NULL) {
        x->count = 0;
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < x->count; i++) {
        x->lists[i].most = SIZE_MAX;
    }
    gm_manifest_describe(p, x->tracks);
    return 0;
}

/* A variable bit rate is what its buffer lets through in a segment; of what has no cap the first
 * segment speaks. */
static void declare(struct gm_prefix *x)
{
    const Gm__Policy *p = x->policy;
    for (size_t i = 0; i < p->n_renditions; i++) {
        const Gm__Rendition *r = p->renditions[i];
        bool capped = r->maxrate_bps > 0 && r->maxrate_bps < INT64_MAX / 4 &&
                      r->bufsize_bits >= 0 && r->bufsize_bits < INT64_MAX / 4;
        x->tracks[i].declared_bps =
            capped ? r->maxrate_bps + r->bufsize_bits / x->growth.target_s : 0;
    }
    for (size_t i = 0; i < p->n_audio; i++) {
        x->tracks[p->n_renditions + i].declared_bps =
            (int64_t)p->audio[i]->params->bitrate_bps * 11 / 10;
    }
}

/* Of the longest programme that the pipeline takes. */
static int64_t limit_ms(const Gm__Pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        const Gm__PipelineTask *task = pipeline->tasks[i];
        if (task->params_case == GM__PIPELINE_TASK__PARAMS_INSPECT &&
            task->inspect->max_duration_s > 0 && task->inspect->max_duration_s <= LIMIT_MOST_S) {
            return (int64_t)task->inspect->max_duration_s * 1000;
        }
    }
    return LIMIT_S * 1000;
}

/* What is known of the length may be too little. */
static int64_t available(const struct gm_prefix_params *params)
{
    int64_t length_ms =
        params->duration_us > 0 ? params->duration_us / 1000 * 2 : limit_ms(params->pipeline);
    int64_t at = params->created_unix_ms - length_ms - HOUR_MS;
    return at > 0 ? at : 0;
}

static int set_up(struct gm_prefix *x, const struct gm_prefix_params *params, struct gm_err *err)
{
    ProtobufCMessage *policy = NULL;
    int rc = gm_message_decode(&gm__policy__descriptor, params->policy, params->policy_size,
                               META_MAX_BYTES, &policy, err);
    if (rc < 0) {
        return rc;
    }
    x->policy = (Gm__Policy *)policy;
    int n = snprintf(x->prefix, sizeof x->prefix, "v/%s/", params->publication);
    if (!is_usable(x->policy) || n < 0 || (size_t)n >= sizeof x->prefix) {
        return gm_err_set(err, GM_E_PROTO, 0, "the plan's tracks can't be named in playlists");
    }
    for (size_t i = 0; i < params->pipeline->n_tasks; i++) {
        const Gm__PipelineTask *task = params->pipeline->tasks[i];
        if (task->params_case == GM__PIPELINE_TASK__PARAMS_PACKAGE) {
            x->hls = task->package->hls;
            x->dash = task->package->dash;
        }
    }
    gm_manifest_mark(params->job_id, x->mark);
    x->growth = (struct gm_manifest_growth){
        .target_s = target_s(x->policy), .available_unix_ms = available(params), .mark = x->mark};
    rc = make_room(x, err);
    if (rc == 0) {
        declare(x);
    }
    return rc;
}

int gm_prefix_create(const struct gm_prefix_params *params, struct gm_prefix **out,
                     struct gm_err *err)
{
    struct gm_prefix *x = calloc(1, sizeof *x);
    if (x == NULL) {
        return gm_err_nomem(err);
    }
    int rc = set_up(x, params, err);
    if (rc < 0) {
        gm_prefix_destroy(&x);
        return rc;
    }
    *out = x;
    return 0;
}

static void segment_destroy(Gm__SegmentMeta *s)
{
    if (s != NULL) {
        free(s->name);
        free(s);
    }
}

void gm_prefix_destroy(struct gm_prefix **prefix)
{
    struct gm_prefix *x = *prefix;
    if (x == NULL) {
        return;
    }
    for (size_t i = 0; i < x->count; i++) {
        for (size_t k = 0; k < x->lists[i].count; k++) {
            segment_destroy(x->lists[i].rows[k]);
        }
        free(x->lists[i].rows);
    }
    free(x->lists);
    free(x->tracks);
    free(x->taken);
    if (x->policy != NULL) {
        gm__policy__free_unpacked(x->policy, NULL);
    }
    free(x);
    *prefix = NULL;
}

/* ---- what is there */

bool gm_prefix_feed(const struct gm_prefix *x, size_t i, struct gm_prefix_feed *out)
{
    const Gm__Policy *p = x->policy;
    if (p->n_renditions > 0 && i-- == 0) {
        *out = (struct gm_prefix_feed){"encode", 0};
        return true;
    }
    if (i < p->n_audio) {
        *out = (struct gm_prefix_feed){"audio", (uint32_t)i};
        return true;
    }
    i -= p->n_audio;
    *out = (struct gm_prefix_feed){"subtitles", (uint32_t)i};
    return i < p->n_text;
}

/* The track of a feed's first one. */
static size_t track_of(const struct gm_prefix *x, size_t feed)
{
    size_t n = x->policy->n_renditions;
    return n == 0 ? feed : feed == 0 ? 0 : n + feed - 1;
}

static size_t tracks_of(const struct gm_prefix *x, size_t feed)
{
    return feed == 0 && x->policy->n_renditions > 0 ? x->policy->n_renditions : 1;
}

static bool follows(const struct list *l, const Gm__SegmentMeta *s)
{
    const Gm__SegmentMeta *last = l->count > 0 ? l->rows[l->count - 1] : NULL;
    return s->number == l->count + 1 && gm_is_file_name(s->name) && s->start_ts >= 0 &&
           s->duration_ts > 0 && s->duration_ts < INT64_MAX / 4 - s->start_ts &&
           (last == NULL || s->start_ts == last->start_ts + last->duration_ts);
}

static Gm__SegmentMeta *copy_of(const Gm__SegmentMeta *s)
{
    Gm__SegmentMeta *copy = malloc(sizeof *copy);
    if (copy != NULL) {
        gm__segment_meta__init(copy);
        copy->number = s->number;
        copy->size = s->size;
        copy->start_ts = s->start_ts;
        copy->duration_ts = s->duration_ts;
        copy->samples = s->samples;
        copy->name = strdup(s->name);
    }
    if (copy != NULL && copy->name == NULL) {
        free(copy);
        copy = NULL;
    }
    return copy;
}

static int64_t rate_of(const struct gm_manifest_track *t, const Gm__SegmentMeta *s)
{
    __int128 bps = (__int128)s->size * 8 * t->timescale / s->duration_ts;
    return bps < 1 ? 1 : bps > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)bps;
}

static int add_segments(struct gm_prefix *x, size_t track, Gm__SegmentMeta **segments, size_t count,
                        struct gm_err *err)
{
    struct list *l = &x->lists[track];
    struct gm_manifest_track *t = &x->tracks[track];
    int rc = gm_array_reserve(&l->rows, l->count, count, &l->cap, sizeof *l->rows, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!follows(l, segments[i])) {
            return gm_err_set(err, GM_E_PROTO, segments[i]->number,
                              "segment %u of %.40s does not follow segment %zu",
                              segments[i]->number, t->name, l->count);
        }
        l->rows[l->count] = copy_of(segments[i]);
        if (l->rows[l->count] == NULL) {
            return gm_err_nomem(err);
        }
        t->segments = l->rows;
        if (l->count == 0 && t->declared_bps == 0) {
            t->declared_bps = rate_of(t, segments[0]);
        }
        if (l->most == SIZE_MAX && gm_manifest_segment_s(t, l->count) > x->growth.target_s) {
            l->most = l->count;
        }
        l->count++;
    }
    return rc;
}

static int add_encode(struct gm_prefix *x, const Gm__EncodeItemMeta *meta, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < meta->n_renditions; i++) {
        const Gm__RenditionChunkMeta *r = meta->renditions[i];
        rc = r->rendition < x->policy->n_renditions
                 ? add_segments(x, r->rendition, r->segments, r->n_segments, err)
                 : gm_err_set(err, GM_E_PROTO, r->rendition, "a chunk of rendition %u",
                              r->rendition);
    }
    return rc;
}

static int add_meta(struct gm_prefix *x, size_t feed, const ProtobufCMessage *meta,
                    struct gm_err *err)
{
    if (meta->descriptor == &gm__encode_item_meta__descriptor) {
        return add_encode(x, (const Gm__EncodeItemMeta *)meta, err);
    }
    if (meta->descriptor == &gm__audio_item_meta__descriptor) {
        const Gm__AudioItemMeta *m = (const Gm__AudioItemMeta *)meta;
        return add_segments(x, track_of(x, feed), m->segments, m->n_segments, err);
    }
    const Gm__TextItemMeta *m = (const Gm__TextItemMeta *)meta;
    return add_segments(x, track_of(x, feed), m->segments, m->n_segments, err);
}

/* What is there stays, nothing more comes. */
static void stop(struct gm_prefix *x, size_t feed)
{
    for (size_t i = 0; i < tracks_of(x, feed); i++) {
        struct list *l = &x->lists[track_of(x, feed) + i];
        l->most = l->count < l->most ? l->count : l->most;
    }
}

int gm_prefix_add(struct gm_prefix *x, size_t feed, const Gm__Item *item, struct gm_err *err)
{
    struct gm_prefix_feed f;
    ProtobufCMessage *meta = NULL;
    GM_ASSERT(gm_prefix_feed(x, feed, &f));
    const ProtobufCMessageDescriptor *type =
        strcmp(f.type, "encode") == 0  ? &gm__encode_item_meta__descriptor
        : strcmp(f.type, "audio") == 0 ? &gm__audio_item_meta__descriptor
                                       : &gm__text_item_meta__descriptor;
    int rc = gm_message_decode(type, item->meta.data, item->meta.len, META_MAX_BYTES, &meta, err);
    if (rc == 0) {
        rc = add_meta(x, feed, meta, err);
        protobuf_c_message_free_unpacked(meta, NULL);
    }
    x->taken[feed]++;
    if (rc < 0) {
        stop(x, feed);
    }
    return rc;
}

size_t gm_prefix_taken(const struct gm_prefix *x, size_t feed)
{
    return x->taken[feed];
}

void gm_prefix_end(struct gm_prefix *x, size_t feed)
{
    for (size_t i = 0; i < tracks_of(x, feed); i++) {
        x->lists[track_of(x, feed) + i].ended = true;
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t gm_prefix_count(const struct gm_prefix *x)
{
    size_t common = SIZE_MAX, longest = 0;
    for (size_t i = 0; i < x->count; i++) {
        const struct list *l = &x->lists[i];
        if (!l->ended || l->count == 0) {
            common = least(common, l->count);
        }
        common = least(common, l->most);
        longest = l->count > longest ? l->count : longest;
    }
    return least(common, longest);
}

int64_t gm_prefix_end_ms(const struct gm_prefix *x)
{
    size_t count = gm_prefix_count(x);
    int64_t end = 0;
    for (size_t i = 0; count > 0 && i < x->count; i++) {
        const Gm__SegmentMeta *s = x->lists[i].rows[least(count, x->lists[i].count) - 1];
        int64_t ms = gm_ticks_us(s->start_ts + s->duration_ts, x->tracks[i].timescale) / 1000;
        end = ms > end ? ms : end;
    }
    return end;
}

/* ---- what is said of it */

static struct gm_prefix_text *add_text(struct gm_prefix_texts *out, const char *prefix,
                                       const char *kind, const char *track, const char *name)
{
    struct gm_prefix_text *t = &out->rows[out->count++];
    const char *slash = track[0] != '\0' ? "/" : "";
    if (asprintf(&t->key, "%s%s%s%s%s%s", prefix, kind, slash, track, slash, name) < 0) {
        t->key = NULL;
    }
    return t;
}

static const char *kind_of(const struct gm_prefix *x, size_t track)
{
    const Gm__Policy *p = x->policy;
    return track < p->n_renditions                ? "video"
           : track < p->n_renditions + p->n_audio ? "audio"
                                                  : "text";
}

static void add_inits(const struct gm_prefix *x, struct gm_prefix_texts *out)
{
    const Gm__Policy *p = x->policy;
    for (size_t i = 0; i < p->n_renditions + p->n_audio; i++) {
        const ProtobufCBinaryData *init = i < p->n_renditions
                                              ? &p->renditions[i]->init_segment
                                              : &p->audio[i - p->n_renditions]->init_segment;
        const struct gm_manifest_track *t = &x->tracks[i];
        struct gm_prefix_text *text =
            add_text(out, x->prefix, kind_of(x, i), t->name, t->init_name);
        text->is_init = true;
        gm_buf_add(&text->body, init->data, init->len);
    }
}

static int check(const struct gm_prefix_texts *texts, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < texts->count; i++) {
        rc = texts->rows[i].key == NULL ? gm_err_nomem(err)
                                        : gm_buf_check(&texts->rows[i].body, err);
    }
    return rc;
}

int gm_prefix_write(struct gm_prefix *x, int64_t now_unix_ms, struct gm_prefix_texts *out,
                    struct gm_err *err)
{
    size_t count = gm_prefix_count(x);
    struct gm_prefix_texts texts = {.rows = calloc(x->count * 2 + 2, sizeof *texts.rows)};
    GM_ASSERT(count > 0);
    if (texts.rows == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < x->count; i++) {
        x->tracks[i].count = least(count, x->lists[i].count);
    }
    struct gm_manifest m = gm_manifest_make(x->policy, x->tracks, x->prefix);
    x->growth.written_unix_ms = now_unix_ms;
    m.growth = &x->growth;
    add_inits(x, &texts);
    for (size_t i = 0; x->hls && i < x->count; i++) {
        gm_hls_event(
            &x->tracks[i], x->growth.target_s,
            &add_text(&texts, x->prefix, kind_of(x, i), x->tracks[i].name, "media.m3u8")->body);
    }
    if (x->hls) {
        gm_hls_master(&m, &add_text(&texts, "", "", "", "master.m3u8")->body);
    }
    if (x->dash) {
        gm_dash_manifest(&m, &add_text(&texts, "", "", "", "manifest.mpd")->body);
    }
    int rc = check(&texts, err);
    if (rc < 0) {
        gm_prefix_texts_fini(&texts);
        return rc;
    }
    *out = texts;
    return 0;
}

void gm_prefix_texts_fini(struct gm_prefix_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->rows[i].key);
        gm_buf_fini(&texts->rows[i].body);
    }
    free(texts->rows);
    *texts = (struct gm_prefix_texts){0};
}
