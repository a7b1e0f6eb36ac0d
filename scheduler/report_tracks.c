#include "scheduler/report_tracks.h"

#include <string.h>

#include "common/buf.h"
#include "scheduler/report_chain.h"
#include "scheduler/report_colour.h"
#include "scheduler/report_rate.h"

#define MAX_PARENTS 16

static json_t *encode_json(const Gm__EncodeParams *e)
{
    if (e == NULL) {
        return json_null();
    }
    json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "codec",
                          gm_json_string(e->codec), "preset", gm_json_string(e->preset), "crf",
                          e->crf >= 0 ? json_integer(e->crf) : json_null(), "qp",
                          e->qp >= 0 ? json_integer(e->qp) : json_null(), "maxrate_scale",
                          gm_json_number(e->maxrate_scale), "maxrate_bps",
                          e->maxrate_bps > 0 ? json_integer(e->maxrate_bps) : json_null(),
                          "buffer_s", gm_json_number(e->buffer_s), "bitrate_bps",
                          e->bitrate_bps > 0 ? json_integer(e->bitrate_bps) : json_null(),
                          "quality", gm_report_quality(e->quality), "deinterlace",
                          gm_json_string(e->deinterlace), "watermark", (int)(e->watermark != NULL));
    if (j != NULL) {
        (void)json_object_set_new(j, "profile", gm_json_text_or_null(e->profile));
        (void)json_object_set_new(j, "burn_subtitles", gm_json_text_or_null(e->burn_subtitles));
        (void)json_object_set_new(j, "level", gm_json_text_or_null(e->level));
        (void)json_object_set_new(j, "bit_depth", json_integer(e->bit_depth));
    }
    return j;
}

/* What the pipeline asks for a rendition of that short side. */
static const Gm__EncodeParams *requested(const struct gm_job_view *job, uint32_t side)
{
    const Gm__EncodeParams *e = gm_report_encode_params(job);
    for (size_t i = 0; e != NULL && i < e->n_renditions; i++) {
        if (e->renditions[i]->short_side == side && e->renditions[i]->encode != NULL) {
            return e->renditions[i]->encode;
        }
    }
    return e;
}

static void take_package(Gm__RenditionReport **reports, size_t count, const char *name,
                         struct gm_media_sum *sum)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(reports[i]->name, name) == 0) {
            sum->average_bps = reports[i]->average_bps;
            sum->peak_bps = reports[i]->peak_bps;
        }
    }
}

static void add_chain(struct gm_buf *text, const char *chain)
{
    if (chain[0] != '\0') {
        gm_buf_printf(text, "%s%s", text->size > 0 ? "," : "", chain);
    }
}

/* All filters between the decoded picture and the encoder, as one chain. A parent comes before its
 * children in the plan. */
static json_t *filters_json(const struct gm_metas *metas, const Gm__Rendition *v)
{
    const Gm__Policy *p = metas->policy;
    const Gm__VideoFacts *facts = metas->inspection != NULL ? metas->inspection->video : NULL;
    struct gm_buf text = {0};
    const char *chain[MAX_PARENTS];
    size_t n = 0;
    while (n < MAX_PARENTS) {
        chain[n++] = v->quick_filters[0] != '\0' ? v->quick_filters : v->filters;
        if (v->parent == 0 || v->parent > p->n_renditions) {
            break;
        }
        v = p->renditions[v->parent - 1];
    }
    if (facts != NULL && facts->crop != NULL) {
        gm_buf_printf(&text, "crop=%u:%u:%u:%u:exact=1", facts->width_px, facts->height_px,
                      facts->crop->x_px, facts->crop->y_px);
    }
    add_chain(&text, p->front_filters);
    while (n > 0) {
        add_chain(&text, chain[--n]);
    }
    gm_buf_add(&text, "", 1);
    json_t *j = gm_buf_check(&text, NULL) == 0 ? gm_json_string((const char *)text.data) : NULL;
    gm_buf_fini(&text);
    return j;
}

json_t *gm_report_renditions(const struct gm_core *core, const struct gm_job_view *job,
                             const struct gm_metas *metas)
{
    const Gm__Policy *p = metas->policy;
    const Gm__PackageMeta *package = metas->package;
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && p != NULL && i < p->n_renditions; i++) {
        const Gm__Rendition *v = p->renditions[i];
        struct gm_media_sum sum = metas->renditions[i];
        if (package != NULL) {
            take_package(package->renditions, package->n_renditions, v->name, &sum);
        }
        json_t *j = json_pack(
            "{s:o, s:o, s:{s:o, s:o, s:o, s:I, s:I, s:o}, s:{s:o, s:o, s:o, s:o}, s:I, s:I, s:o, "
            "s:I, s:I, s:I, s:I}",
            "name", gm_json_string(v->name), "requested",
            encode_json(requested(job, v->short_side)), "resolved", "chain",
            gm_json_string(p->chain_fingerprint), "filters", filters_json(metas, v), "scaler",
            gm_report_scaler(p), "maxrate_bps", (json_int_t)v->maxrate_bps, "bufsize_bits",
            (json_int_t)v->bufsize_bits, "encode", encode_json(v->encode), "actual", "chain",
            gm_json_string(p->chain_fingerprint), "devices", gm_report_devices(core, job->id),
            "decoded", gm_report_ways(&metas->decoded, true), "scaled",
            gm_report_ways(&metas->scaled, false), "width", (json_int_t)v->width_px, "height",
            (json_int_t)v->height_px, "codecs", gm_json_string(v->codecs), "segments",
            (json_int_t)sum.segments, "bytes", (json_int_t)sum.bytes, "average_bps",
            (json_int_t)sum.average_bps, "peak_bps", (json_int_t)sum.peak_bps);
        if (j != NULL) {
            (void)json_object_set_new(j, "colour", gm_report_colour(v));
            bool whole = gm_report_encode_is_done(job);
            (void)json_object_set_new(j, "buffer", gm_report_buffer(v, &sum, whole));
            (void)json_object_set_new(j, "analyzed", gm_report_analyzed(&sum, whole));
        }
        list = gm_json_add(list, j);
    }
    return list;
}

/* Null: not measured. */
static json_t *loudness_json(const Gm__AudioMeta *meta)
{
    if (meta == NULL || meta->loudness == NULL) {
        return json_null();
    }
    const Gm__LoudnessMeta *l = meta->loudness;
    return json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "silent", (int)l->silent, "integrated_lufs",
        l->silent ? json_null() : gm_json_number(l->integrated_lufs), "true_peak_db",
        l->silent ? json_null() : gm_json_number(l->true_peak_db), "range_lu",
        gm_json_number(l->range_lu), "gain_db", gm_json_number(l->gain_db), "peak_limited",
        (int)l->peak_limited, "coded_lufs", l->silent ? json_null() : gm_json_number(l->coded_lufs),
        "coded_peak_db", l->silent ? json_null() : gm_json_number(l->coded_peak_db));
}

json_t *gm_report_audio(const struct gm_metas *metas)
{
    const Gm__Policy *p = metas->policy;
    const Gm__PackageMeta *package = metas->package;
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && p != NULL && i < p->n_audio; i++) {
        const Gm__AudioTrack *t = p->audio[i];
        struct gm_media_sum sum = metas->audio[i];
        if (package != NULL) {
            take_package(package->audio, package->n_audio, t->name, &sum);
        }
        json_t *j = json_pack(
            "{s:o, s:I, s:o, s:o, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
            gm_json_string(t->name), "source_audio", (json_int_t)t->source_audio, "language",
            gm_json_string(t->language), "title", gm_json_string(t->title), "default",
            (int)t->is_default, "silence", (int)t->silent, "codecs", gm_json_string(t->codecs),
            "bitrate_bps", (json_int_t)(t->params != NULL ? t->params->bitrate_bps : 0), "channels",
            (json_int_t)(t->params != NULL ? t->params->channels : 0), "sample_rate",
            (json_int_t)(t->params != NULL ? t->params->sample_rate : 0), "segments",
            (json_int_t)sum.segments, "bytes", (json_int_t)sum.bytes, "average_bps",
            (json_int_t)sum.average_bps, "peak_bps", (json_int_t)sum.peak_bps, "loudness",
            loudness_json(i < GM_MAX_SOUND_TRACKS ? metas->sound[i] : NULL));
        list = gm_json_add(list, j);
    }
    return list;
}
