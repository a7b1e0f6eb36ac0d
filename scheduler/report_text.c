#include "scheduler/report_text.h"

/* See report_text.h. */

json_t *gm_report_text_facts(const Gm__Inspection *in, uint32_t burnt)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < in->n_text; i++) {
        const Gm__TextFacts *t = in->text[i];
        json_t *j = json_pack("{s:I, s:o, s:b, s:b, s:o, s:o, s:b, s:b, s:b}", "stream",
                              (json_int_t)t->stream_index, "codec", gm_json_string(t->codec),
                              "bitmap", (int)t->bitmap, "burnt", (int)(burnt == i + 1), "language",
                              gm_json_string(t->language), "title", gm_json_string(t->title),
                              "default", (int)t->is_default, "forced", (int)t->forced,
                              "hearing_impaired", (int)t->hearing_impaired);
        list = gm_json_add(list, j);
    }
    return list;
}

json_t *gm_report_chapters(Gm__Chapter *const *chapters, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        json_t *j = json_pack("{s:f, s:f, s:o}", "start_s", (double)chapters[i]->start_us / 1e6,
                              "end_s", (double)chapters[i]->end_us / 1e6, "title",
                              gm_json_string(chapters[i]->title));
        list = gm_json_add(list, j);
    }
    return list;
}

json_t *gm_report_text(const struct gm_metas *metas)
{
    const Gm__Policy *p = metas->policy;
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && p != NULL && i < p->n_text && i < GM_MAX_TEXT_TRACKS; i++) {
        const Gm__TextTrack *t = p->text[i];
        const Gm__TextMeta *meta = metas->text[i];
        json_t *cues = meta != NULL ? json_integer((json_int_t)meta->cues) : json_null();
        json_t *file =
            meta != NULL && meta->n_files > 0 ? gm_json_string(meta->files[0]->path) : json_null();
        json_t *j =
            json_pack("{s:o, s:I, s:o, s:o, s:b, s:b, s:b, s:o, s:o}", "name",
                      gm_json_string(t->name), "source_text", (json_int_t)t->source_text,
                      "language", gm_json_string(t->language), "title", gm_json_string(t->title),
                      "default", (int)t->is_default, "forced", (int)t->forced, "hearing_impaired",
                      (int)t->hearing_impaired, "cues", cues, "file", file);
        list = gm_json_add(list, j);
    }
    return list;
}
