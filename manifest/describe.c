#include "manifest/describe.h"

void gm_manifest_describe(const Gm__Policy *policy, struct gm_manifest_track *tracks)
{
    for (size_t i = 0; i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        struct gm_manifest_track *t = tracks++;
        t->name = r->name;
        t->init_name = r->init_name;
        t->codecs = r->codecs;
        t->timescale = policy->timescale;
        t->width_px = r->width_px;
        t->height_px = r->height_px;
        t->colour = gm_manifest_colour_of(r);
    }
    for (size_t i = 0; i < policy->n_audio; i++) {
        const Gm__AudioTrack *a = policy->audio[i];
        struct gm_manifest_track *t = tracks++;
        t->name = a->name;
        t->init_name = a->init_name;
        t->codecs = a->codecs;
        t->timescale = a->params->sample_rate;
        t->language = a->language;
        t->title = a->title;
        t->is_default = a->is_default;
        t->channels = a->params->channels;
        t->sample_rate = a->params->sample_rate;
        t->priming_samples = a->priming_samples;
    }
    for (size_t i = 0; i < policy->n_text; i++) {
        const Gm__TextTrack *x = policy->text[i];
        struct gm_manifest_track *t = tracks++;
        t->name = x->name;
        t->timescale = policy->timescale;
        t->language = x->language;
        t->title = x->title;
        t->is_default = x->is_default;
        t->forced = x->forced;
        t->hearing_impaired = x->hearing_impaired;
    }
}

struct gm_manifest gm_manifest_make(const Gm__Policy *policy, struct gm_manifest_track *tracks,
                                    const char *prefix)
{
    size_t count = policy->n_renditions + policy->n_audio + policy->n_text;
    const Gm__Rational *rate = policy->timescale_rate;
    struct gm_manifest m = {.prefix = prefix,
                            .video = tracks,
                            .videos = policy->n_renditions,
                            .audio = tracks + policy->n_renditions,
                            .audios = policy->n_audio,
                            .text = tracks + policy->n_renditions + policy->n_audio,
                            .texts = policy->n_text};
    bool apart = gm_manifest_begins_apart(&m);
    for (size_t i = 0; i < count; i++) {
        tracks[i].is_dated = apart;
    }
    if ((rate == NULL || rate->num <= 0) && policy->peak_rate != NULL) {
        rate = policy->peak_rate;
    }
    if (rate != NULL) {
        m.rate_num = rate->num;
        m.rate_den = rate->den;
    }
    return m;
}
