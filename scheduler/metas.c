#include "scheduler/metas.h"

#include <stdlib.h>
#include <string.h>

#include "common/warnings.h"
#include "proto/envelope.h"

#define META_MAX_BYTES ((size_t)64 << 20)

static int add(json_t *list, const char *code, const char *text, int64_t count, struct gm_err *err)
{
    json_t *w = json_pack("{s:o, s:o, s:I}", "code", gm_json_string(code), "text",
                          gm_json_string(text), "count", (json_int_t)count);
    return w != NULL && json_array_append_new(list, w) == 0 ? 0 : gm_err_nomem(err);
}

static int warn(json_t *list, enum gm_warning warning, const char *text, int64_t count,
                struct gm_err *err)
{
    return add(list, gm_warning_get(warning)->code, text, count, err);
}

static int warn_all(json_t *list, Gm__Warning **warnings, size_t count, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = add(list, warnings[i]->code, warnings[i]->text, warnings[i]->count, err);
    }
    return rc;
}

static int read_mp4(struct gm_metas *m, const struct gm_result_view *r, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    int rc = gm_message_decode(&gm__mp4_meta__descriptor, r->meta, r->meta_size, META_MAX_BYTES,
                               &message, err);
    if (rc == 0) {
        const Gm__Mp4Meta *meta = (const Gm__Mp4Meta *)message;
        rc = warn_all(m->warnings, meta->warnings, meta->n_warnings, err);
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return rc;
}

static int read_text(struct gm_metas *m, const struct gm_result_view *r, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    if (r->instance >= GM_MAX_TEXT_TRACKS) {
        return 0;
    }
    int rc = gm_message_decode(&gm__text_meta__descriptor, r->meta, r->meta_size, META_MAX_BYTES,
                               &message, err);
    if (rc < 0) {
        return rc;
    }
    Gm__TextMeta *meta = (Gm__TextMeta *)message;
    if (m->text[r->instance] != NULL) {
        gm__text_meta__free_unpacked(m->text[r->instance], NULL);
    }
    m->text[r->instance] = meta;
    return warn_all(m->warnings, meta->warnings, meta->n_warnings, err);
}

static int read_sound(struct gm_metas *m, const struct gm_result_view *r, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    int rc = gm_message_decode(&gm__audio_meta__descriptor, r->meta, r->meta_size, META_MAX_BYTES,
                               &message, err);
    if (rc < 0) {
        return rc;
    }
    Gm__AudioMeta *meta = (Gm__AudioMeta *)message;
    rc = warn_all(m->warnings, meta->warnings, meta->n_warnings, err);
    if (r->instance < GM_MAX_SOUND_TRACKS && m->sound[r->instance] == NULL) {
        m->sound[r->instance] = meta;
    } else {
        gm__audio_meta__free_unpacked(meta, NULL);
    }
    return rc;
}

static int read_result(struct gm_metas *m, const struct gm_result_view *r, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    const ProtobufCMessageDescriptor *type = NULL;
    if (strcmp(r->type, "inspect") == 0 && m->inspection == NULL) {
        type = &gm__inspection__descriptor;
    } else if (strcmp(r->type, "plan") == 0 && m->policy == NULL) {
        type = &gm__policy__descriptor;
    } else if (strcmp(r->type, "package") == 0 && m->package == NULL) {
        type = &gm__package_meta__descriptor;
    } else if (strcmp(r->type, "thumbnails") == 0 && m->images == NULL) {
        type = &gm__thumbnails_meta__descriptor;
    } else if (strcmp(r->type, "split") == 0 && m->split == NULL) {
        type = &gm__split_meta__descriptor;
    } else if (strcmp(r->type, "audio") == 0) {
        return read_sound(m, r, err);
    } else if (strcmp(r->type, "mp4") == 0) {
        return read_mp4(m, r, err);
    } else if (strcmp(r->type, "subtitles") == 0) {
        return read_text(m, r, err);
    } else {
        return 0;
    }
    int rc = gm_message_decode(type, r->meta, r->meta_size, META_MAX_BYTES, &message, err);
    if (rc < 0) {
        return rc;
    }
    if (type == &gm__inspection__descriptor) {
        m->inspection = (Gm__Inspection *)message;
        return warn_all(m->warnings, m->inspection->warnings, m->inspection->n_warnings, err);
    }
    if (type == &gm__policy__descriptor) {
        m->policy = (Gm__Policy *)message;
        return warn_all(m->warnings, m->policy->warnings, m->policy->n_warnings, err);
    }
    if (type == &gm__package_meta__descriptor) {
        m->package = (Gm__PackageMeta *)message;
        return 0;
    }
    if (type == &gm__thumbnails_meta__descriptor) {
        m->images = (Gm__ThumbnailsMeta *)message;
        return warn_all(m->warnings, m->images->warnings, m->images->n_warnings, err);
    }
    m->split = (Gm__SplitMeta *)message;
    return warn_all(m->warnings, m->split->warnings, m->split->n_warnings, err);
}

static int read_results(struct gm_metas *m, const struct gm_core *core, const char *job_id,
                        struct gm_err *err)
{
    struct gm_results_view results;
    int rc = gm_view_results(core, job_id, &results, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < results.count; i++) {
        rc = read_result(m, &results.rows[i], err);
    }
    gm_view_results_fini(&results);
    return rc;
}

/* What does not fit is as much as does. */
static int64_t bits_a_second(uint64_t bytes, uint32_t timescale, int64_t duration_ts)
{
    double bps = (double)bytes * 8.0 * timescale / (double)duration_ts;
    return bps < 9e18 ? (int64_t)bps : INT64_MAX;
}

static void add_segments(struct gm_media_sum *sum, Gm__SegmentMeta **segments, size_t count,
                         uint32_t timescale)
{
    for (size_t i = 0; i < count; i++) {
        const Gm__SegmentMeta *s = segments[i];
        sum->bytes += s->size;
        sum->segments++;
        if (s->duration_ts <= 0 || s->duration_ts > INT64_MAX - sum->duration_ts) {
            continue;
        }
        sum->duration_ts += s->duration_ts;
        int64_t bps = bits_a_second(s->size, timescale, s->duration_ts);
        sum->peak_bps = bps > sum->peak_bps ? bps : sum->peak_bps;
    }
}

static void finish_sum(struct gm_media_sum *sum, size_t init_bytes, uint32_t timescale)
{
    if (sum->duration_ts > 0) {
        sum->average_bps = bits_a_second(sum->bytes, timescale, sum->duration_ts);
    }
    sum->bytes += sum->segments > 0 ? init_bytes : 0;
}

struct damage {
    int64_t replaced;
    int64_t discarded;
    int64_t errors;
    int64_t captions; /* dropped */
};

static void add_chunk(struct gm_media_sum *sum, const Gm__RenditionChunkMeta *r)
{
    if (r->buffer != NULL) {
        const struct gm_bucket next = {.need = r->buffer->need,
                                       .gain = r->buffer->gain,
                                       .cap = r->buffer->cap,
                                       .low = r->buffer->low};
        if (sum->chunks == 0) {
            sum->buffer = next;
        } else {
            gm_bucket_join(&sum->buffer, &next);
        }
    }
    sum->chunks++;
    if (r->crf_centi > 0) {
        sum->min_crf_centi = sum->min_crf_centi == 0 || r->crf_centi < sum->min_crf_centi
                                 ? r->crf_centi
                                 : sum->min_crf_centi;
        sum->max_crf_centi = r->crf_centi > sum->max_crf_centi ? r->crf_centi : sum->max_crf_centi;
        sum->expected_score = r->expected_score;
    }
    sum->chunks_retried += r->tries > 1;
}

static void count_way(struct gm_ways *ways, const char *by, const char *device, const char *reason)
{
    struct gm_way_sum next = {.chunks = 0};
    (void)snprintf(next.by, sizeof next.by, "%s", by);
    (void)snprintf(next.device, sizeof next.device, "%s", device);
    (void)snprintf(next.reason, sizeof next.reason, "%s", reason);
    for (size_t i = 0; i < ways->count; i++) {
        struct gm_way_sum *w = &ways->sums[i];
        if (strcmp(w->by, next.by) == 0 && strcmp(w->device, next.device) == 0 &&
            strcmp(w->reason, next.reason) == 0) {
            w->chunks++;
            return;
        }
    }
    if (ways->count == GM_METAS_WAYS - 1) {
        next = (struct gm_way_sum){.by = "other"};
    }
    if (ways->count < GM_METAS_WAYS) {
        ways->sums[ways->count++] = next;
    }
    ways->sums[ways->count - 1].chunks++;
}

struct items {
    struct gm_metas *m;
    struct damage damage;
};

static int read_encode_item(const struct gm_item_view *view, void *arg, struct gm_err *err)
{
    const Gm__Item *item = view->item;
    struct gm_metas *m = ((struct items *)arg)->m;
    struct damage *damage = &((struct items *)arg)->damage;
    ProtobufCMessage *message = NULL;
    int rc = gm_message_decode(&gm__encode_item_meta__descriptor, item->meta.data, item->meta.len,
                               META_MAX_BYTES, &message, err);
    if (rc < 0) {
        return rc;
    }
    Gm__EncodeItemMeta *meta = (Gm__EncodeItemMeta *)message;
    damage->replaced += meta->frames_replaced;
    damage->discarded += meta->frames_discarded;
    damage->errors += meta->decode_errors;
    damage->captions += meta->captions_dropped;
    if (meta->decoder[0] != '\0' && meta->frames > 0) {
        count_way(&m->decoded, meta->decoder, meta->decoder_device, meta->decoder_reason);
    }
    if (meta->frames > 0) {
        count_way(&m->scaled, meta->scaler[0] != '\0' ? meta->scaler : "software", "",
                  meta->scaler_reason);
    }
    if (meta->images_by[0] != '\0') {
        count_way(&m->images_by, meta->images_by, "", "");
    }
    for (size_t i = 0; m->policy != NULL && i < meta->n_renditions; i++) {
        const Gm__RenditionChunkMeta *r = meta->renditions[i];
        if (r->rendition < m->policy->n_renditions) {
            add_segments(&m->renditions[r->rendition], r->segments, r->n_segments,
                         m->policy->timescale);
            add_chunk(&m->renditions[r->rendition], r);
        }
    }
    gm__encode_item_meta__free_unpacked(meta, NULL);
    return 0;
}

static int read_audio_item(const struct gm_item_view *view, void *arg, struct gm_err *err)
{
    const Gm__Item *item = view->item;
    struct gm_metas *m = ((struct items *)arg)->m;
    ProtobufCMessage *message = NULL;
    int rc = gm_message_decode(&gm__audio_item_meta__descriptor, item->meta.data, item->meta.len,
                               META_MAX_BYTES, &message, err);
    if (rc < 0) {
        return rc;
    }
    Gm__AudioItemMeta *meta = (Gm__AudioItemMeta *)message;
    if (m->policy != NULL && meta->track < m->policy->n_audio &&
        m->policy->audio[meta->track]->params != NULL) {
        add_segments(&m->audio[meta->track], meta->segments, meta->n_segments,
                     m->policy->audio[meta->track]->params->sample_rate);
    }
    gm__audio_item_meta__free_unpacked(meta, NULL);
    return 0;
}

static int warn_damage(struct gm_metas *m, const struct damage *d, struct gm_err *err)
{
    int rc = 0;
    if (d->errors > 0) {
        rc = warn(m->warnings, GM_W_INPUT_DECODE_ERRORS, "the decoder reported errors", d->errors,
                  err);
    }
    if (rc == 0 && d->replaced > 0) {
        rc = warn(m->warnings, GM_W_INPUT_FRAMES_REPLACED,
                  "frames that did not decode show the frame before them", d->replaced, err);
    }
    if (rc == 0 && d->captions > 0) {
        rc = warn(m->warnings, GM_W_ENCODE_CAPTIONS_DROPPED,
                  "pictures have captions that renditions do not carry, or not all of", d->captions,
                  err);
    }
    return rc;
}

static int read_items(struct gm_metas *m, const struct gm_core *core, const char *job_id,
                      struct gm_err *err)
{
    struct items items = {.m = m};
    int rc = gm_view_items(core, job_id, (struct gm_items_wish){.type = "encode"}, read_encode_item,
                           &items, err);
    if (rc == 0) {
        rc = gm_view_items(core, job_id, (struct gm_items_wish){.type = "audio"}, read_audio_item,
                           &items, err);
    }
    if (rc == 0 && m->policy != NULL) {
        for (size_t i = 0; i < m->policy->n_renditions; i++) {
            finish_sum(&m->renditions[i], m->policy->renditions[i]->init_segment.len,
                       m->policy->timescale);
        }
        for (size_t i = 0; i < m->policy->n_audio; i++) {
            const Gm__AudioTrack *t = m->policy->audio[i];
            finish_sum(&m->audio[i], t->init_segment.len,
                       t->params != NULL ? t->params->sample_rate : 0);
        }
    }
    return rc < 0 ? rc : warn_damage(m, &items.damage, err);
}

int gm_metas_read(const struct gm_core *core, const char *job_id, bool items, struct gm_metas *out,
                  struct gm_err *err)
{
    struct gm_metas m = {.warnings = json_array()};
    int rc = m.warnings == NULL ? gm_err_nomem(err) : read_results(&m, core, job_id, err);
    if (rc == 0 && m.policy != NULL) {
        m.renditions = calloc(m.policy->n_renditions + 1, sizeof *m.renditions);
        m.audio = calloc(m.policy->n_audio + 1, sizeof *m.audio);
        if (m.renditions == NULL || m.audio == NULL) {
            rc = gm_err_nomem(err);
        }
    }
    if (rc == 0 && items) {
        rc = read_items(&m, core, job_id, err);
    }
    if (rc < 0) {
        gm_metas_fini(&m);
        return rc;
    }
    *out = m;
    return 0;
}

void gm_metas_fini(struct gm_metas *metas)
{
    for (size_t i = 0; i < GM_MAX_SOUND_TRACKS; i++) {
        if (metas->sound[i] != NULL) {
            gm__audio_meta__free_unpacked(metas->sound[i], NULL);
        }
    }
    for (size_t i = 0; i < GM_MAX_TEXT_TRACKS; i++) {
        if (metas->text[i] != NULL) {
            gm__text_meta__free_unpacked(metas->text[i], NULL);
        }
    }
    if (metas->inspection != NULL) {
        gm__inspection__free_unpacked(metas->inspection, NULL);
    }
    if (metas->policy != NULL) {
        gm__policy__free_unpacked(metas->policy, NULL);
    }
    if (metas->package != NULL) {
        gm__package_meta__free_unpacked(metas->package, NULL);
    }
    if (metas->split != NULL) {
        gm__split_meta__free_unpacked(metas->split, NULL);
    }
    if (metas->images != NULL) {
        gm__thumbnails_meta__free_unpacked(metas->images, NULL);
    }
    free(metas->renditions);
    free(metas->audio);
    json_decref(metas->warnings);
    *metas = (struct gm_metas){0};
}
