#include "scheduler/report_colour.h"

json_t *gm_report_hdr(const Gm__VideoFacts *v)
{
    if (v->hdr[0] == '\0' && v->dolby_profile == 0) {
        return json_null();
    }
    const Gm__MasteringDisplay *m = v->mastering;
    const Gm__ContentLight *l = v->light;
    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "kind", gm_json_string(v->hdr),
                     "dolby_profile", (json_int_t)v->dolby_profile, "mastering_max",
                     m != NULL ? json_real(m->max_luminance / 1e4) : json_null(), "mastering_min",
                     m != NULL ? json_real(m->min_luminance / 1e4) : json_null(), "max_cll",
                     l != NULL ? json_integer(l->max_cll) : json_null(), "max_fall",
                     l != NULL ? json_integer(l->max_fall) : json_null());
}

json_t *gm_report_tone_map(const Gm__ToneMap *t)
{
    if (t == NULL) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "method", gm_json_string(t->method), "primaries",
                     gm_json_string(t->primaries), "transfer", gm_json_string(t->transfer),
                     "source_peak", gm_json_number(t->source_peak), "target_peak",
                     gm_json_number(t->target_peak));
}

json_t *gm_report_colour(const Gm__Rendition *v)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "primaries", gm_json_string(v->primaries),
                     "transfer", gm_json_string(v->transfer), "matrix", gm_json_string(v->matrix),
                     "range", gm_json_string(v->range), "pixel_format",
                     gm_json_string(v->pixel_format));
}
