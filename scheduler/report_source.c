#include "scheduler/report_source.h"

#include "common/hash.h"
#include "scheduler/report_colour.h"
#include "scheduler/report_text.h"

static json_t *crop_json(const Gm__Crop *c)
{
    return c == NULL ? json_null()
                     : json_pack("{s:I, s:I, s:I, s:I}", "x", (json_int_t)c->x_px, "y",
                                 (json_int_t)c->y_px, "whole_width", (json_int_t)c->whole_width_px,
                                 "whole_height", (json_int_t)c->whole_height_px);
}

static json_t *video_json(const Gm__VideoFacts *v)
{
    if (v == NULL) {
        return json_null();
    }
    json_t *video = json_pack(
        "{s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:i, s:b, s:o, s:o, s:b, s:I, s:b, s:o, s:o, s:o, "
        "s:o, s:o, s:b, s:I, s:f, s:b, s:b, s:b}",
        "stream", (json_int_t)v->stream_index, "codec", gm_json_string(v->codec), "profile",
        gm_json_string(v->profile), "width", (json_int_t)v->width_px, "height",
        (json_int_t)v->height_px, "pixel_format", gm_json_string(v->pixel_format), "sample_aspect",
        gm_json_rational(v->sample_aspect), "rotation", (int)v->rotation_deg, "flip", (int)v->flip,
        "time_base", gm_json_rational(v->time_base), "frame_rate", gm_json_rational(v->frame_rate),
        "constant_rate", (int)v->constant_rate, "frames", (json_int_t)v->frames, "frames_exact",
        (int)v->frames_exact, "primaries", gm_json_string(v->primaries), "transfer",
        gm_json_string(v->transfer), "matrix", gm_json_string(v->matrix), "range",
        gm_json_string(v->range), "field_order", gm_json_string(v->field_order), "alpha",
        (int)v->alpha, "bitrate_bps", (json_int_t)v->bitrate_bps, "keyframe_interval_s",
        (double)v->keyframe_interval_us / 1e6, "interlaced", (int)v->interlaced, "top_first",
        (int)v->top_first, "captions", (int)v->captions);
    if (video != NULL) {
        (void)json_object_set_new(video, "bit_depth", json_integer(v->bit_depth));
        (void)json_object_set_new(video, "hdr", gm_report_hdr(v));
        (void)json_object_set_new(video, "crop", crop_json(v->crop));
    }
    return video;
}

static json_t *audio_facts_json(const Gm__Inspection *in)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < in->n_audio; i++) {
        const Gm__AudioFacts *a = in->audio[i];
        json_t *j = json_pack(
            "{s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:b, s:I}", "stream", (json_int_t)a->stream_index,
            "codec", gm_json_string(a->codec), "sample_rate", (json_int_t)a->sample_rate,
            "channels", (json_int_t)a->channels, "layout", gm_json_string(a->layout), "language",
            gm_json_string(a->language), "title", gm_json_string(a->title), "default",
            (int)a->is_default, "bitrate_bps", (json_int_t)a->bitrate_bps);
        list = gm_json_add(list, j);
    }
    return list;
}

static json_t *dropped_json(const Gm__Inspection *in)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < in->n_dropped; i++) {
        const Gm__OtherStream *o = in->dropped[i];
        json_t *j = json_pack("{s:I, s:o, s:o, s:o}", "stream", (json_int_t)o->stream_index, "type",
                              gm_json_string(o->type), "codec", gm_json_string(o->codec),
                              "language", gm_json_string(o->language));
        list = gm_json_add(list, j);
    }
    return list;
}

json_t *gm_report_source(const struct gm_job_view *job, const struct gm_metas *metas)
{
    const Gm__Inspection *in = metas->inspection;
    if (in == NULL) {
        return json_pack("{s:o, s:I}", "name", gm_json_string(job->source_name), "bytes",
                         (json_int_t)job->source_size);
    }
    char fingerprint[2 * GM_SHA256_SIZE + 1] = "";
    if (in->fingerprint.len == GM_SHA256_SIZE) {
        (void)gm_hex(in->fingerprint.data, in->fingerprint.len, fingerprint);
    }
    const Gm__SplitMeta *split = metas->split;
    int64_t lost_us = split != NULL ? split->lost_us : in->lost_us;
    bool truncated = split != NULL ? (bool)split->truncated : in->lost_us > 0;
    json_t *j = json_pack(
        "{s:o, s:I, s:o, s:f, s:b, s:f, s:s, s:o, s:o, s:o, s:s, s:o}", "name",
        gm_json_string(job->source_name), "bytes", (json_int_t)job->source_size, "format",
        gm_json_string(in->format), "duration_s", (double)in->duration_us / 1e6, "truncated",
        (int)truncated, "lost_s", (double)lost_us / 1e6, "fingerprint", fingerprint, "video",
        video_json(in->video), "audio", audio_facts_json(in), "dropped", dropped_json(in),
        "timeline", in->timeline == GM__TIMELINE_MODE__TIMELINE_DECODE ? "decode" : "packets",
        "timeline_reason", gm_json_string(in->timeline_reason));
    /* json_object_set_new takes NULL for an error */
    if (j != NULL &&
        (json_object_set_new(
             j, "text",
             gm_report_text_facts(in, metas->policy != NULL ? metas->policy->burn_text : 0)) < 0 ||
         json_object_set_new(j, "chapters", gm_report_chapters(in->chapters, in->n_chapters)) <
             0)) {
        json_decref(j);
        return NULL;
    }
    return j;
}
