#include "media/source/inspect.h"

#include <stdlib.h>

#include "media/pb.h"
#include "media/text/text_decode.h"
#include "media/timeline.h"

/* Facts of subtitle streams, and the chapters. */

bool gm_facts_is_text(const AVStream *st)
{
    const AVCodecParameters *par = st->codecpar;
    return par->codec_type == AVMEDIA_TYPE_SUBTITLE &&
           (gm_text_is_text(par->codec_id) || gm_text_is_bitmap(par->codec_id)) &&
           avcodec_find_decoder(par->codec_id) != NULL;
}

int gm_facts_text(const AVStream *st, Gm__TextFacts *out, struct gm_err *err)
{
    const AVDictionaryEntry *title = av_dict_get(st->metadata, "title", NULL, 0);
    out->stream_index = (uint32_t)st->index;
    out->bitmap = gm_text_is_bitmap(st->codecpar->codec_id);
    out->is_default = (st->disposition & AV_DISPOSITION_DEFAULT) != 0;
    out->forced = (st->disposition & AV_DISPOSITION_FORCED) != 0;
    out->hearing_impaired =
        (st->disposition & (AV_DISPOSITION_HEARING_IMPAIRED | AV_DISPOSITION_CAPTIONS)) != 0;
    int rc = gm_pb_string(&out->codec, avcodec_get_name(st->codecpar->codec_id), err);
    if (rc == 0) {
        rc = gm_facts_language(st, &out->language, err);
    }
    if (rc == 0) {
        rc = gm_facts_string(&out->title, title != NULL ? title->value : NULL, err);
    }
    return rc == 0 ? gm_pb_rational(&out->time_base, st->time_base, err) : rc;
}

bool gm_facts_is_chapters(const AVFormatContext *ctx, const AVStream *st)
{
    const AVCodecParameters *par = st->codecpar;
    return ctx->nb_chapters > 0 && par->codec_type == AVMEDIA_TYPE_DATA &&
           par->codec_id == AV_CODEC_ID_BIN_DATA && par->codec_tag == MKTAG('t', 'e', 'x', 't');
}

static int compare_chapters(const void *a, const void *b)
{
    const Gm__Chapter *x = *(Gm__Chapter *const *)a, *y = *(Gm__Chapter *const *)b;
    if (x->start_us != y->start_us) {
        return x->start_us < y->start_us ? -1 : 1;
    }
    return x->end_us < y->end_us ? -1 : x->end_us > y->end_us;
}

static int add_chapter(Gm__Inspection *facts, const AVChapter *from, struct gm_err *err)
{
    const AVDictionaryEntry *title = av_dict_get(from->metadata, "title", NULL, 0);
    Gm__Policy micro = GM__POLICY__INIT;
    struct gm_timeline at;
    micro.timescale = 1000000;
    gm_timeline_init(&at, &micro, from->time_base, facts->zero);
    Gm__Chapter *c = malloc(sizeof *c);
    if (c == NULL) {
        return gm_err_nomem(err);
    }
    gm__chapter__init(c);
    c->start_us = gm_timeline_out(&at, from->start);
    c->end_us = from->end != AV_NOPTS_VALUE ? gm_timeline_out(&at, from->end) : INT64_MIN;
    int rc = gm_facts_string(&c->title, title != NULL ? title->value : NULL, err);
    int appended = gm_pb_append(&facts->chapters, &facts->n_chapters, &c->base, err);
    return rc < 0 ? rc : appended;
}

/* Ends where the next begins, when it has no end of its own or a later one. */
static void clip_chapters(Gm__Inspection *facts, int64_t most_us)
{
    size_t kept = 0;
    bool exact = facts->read_whole || most_us < facts->duration_us;
    most_us = exact ? facts->duration_us : most_us;
    for (size_t i = 0; i < facts->n_chapters; i++) {
        Gm__Chapter *c = facts->chapters[i];
        int64_t end = most_us;
        c->start_us = c->start_us > 0 ? c->start_us : 0;
        if (i + 1 < facts->n_chapters && facts->chapters[i + 1]->start_us < end) {
            end = facts->chapters[i + 1]->start_us;
        } else if (c->end_us <= c->start_us && c->start_us < facts->duration_us) {
            end = facts->duration_us;
        }
        c->end_us = c->end_us > c->start_us && c->end_us < end ? c->end_us : end;
        if (c->end_us > c->start_us) {
            facts->chapters[kept++] = c;
        } else {
            gm__chapter__free_unpacked(c, NULL);
        }
    }
    facts->n_chapters = kept;
}

int gm_facts_chapters(const AVFormatContext *ctx, int64_t most_us, Gm__Inspection *facts,
                      struct gm_err *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < ctx->nb_chapters && i < GM_FACTS_CHAPTERS; i++) {
        const AVChapter *c = ctx->chapters[i];
        if (c->time_base.num > 0 && c->time_base.den > 0 && c->start != AV_NOPTS_VALUE) {
            rc = add_chapter(facts, c, err);
        }
    }
    if (rc == 0 && facts->n_chapters > 0) {
        qsort(facts->chapters, facts->n_chapters, sizeof facts->chapters[0], compare_chapters);
        clip_chapters(facts, most_us);
    }
    return rc;
}
