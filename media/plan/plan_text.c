#include "media/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "media/pb.h"
#include "media/picture/burn.h"
#include "proto/envelope.h"
#include "proto/language.h"
#include "proto/streams.h"

/* Text tracks for the source's subtitles, and the chapters. Subtitles that are pictures, not text,
 * are no track. */

static int add_track(const Gm__Inspection *facts, uint32_t index, const Gm__SubtitlesParams *params,
                     bool is_default, Gm__Policy *policy, struct gm_err *err)
{
    const Gm__TextFacts *from = facts->text[index];
    const char *language = from->language; /* a code, as inspection gives it */
    char otherwise[GM_LANGUAGE_SIZE], name[16];
    Gm__TextTrack *t = malloc(sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    gm__text_track__init(t);
    t->source_text = index;
    t->is_default = is_default;
    t->forced = from->forced;
    t->hearing_impaired = from->hearing_impaired;
    if (strcmp(language, "und") == 0) {
        gm_language_code(params->default_language, otherwise);
        language = otherwise;
    }
    int rc = gm_fs_path(name, sizeof name, err, "t%zu", policy->n_text);
    if (rc == 0) {
        rc = gm_pb_string(&t->name, name, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&t->language, language, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&t->title, from->title, err);
    }
    /* Owned by the policy even when it is not whole: the policy goes with it then. */
    int appended = gm_pb_append(&policy->text, &policy->n_text, &t->base, err);
    return rc < 0 ? rc : appended;
}

int gm_plan_text(const Gm__Inspection *facts, const Gm__SubtitlesParams *params, Gm__Policy *policy,
                 struct gm_err *err)
{
    int64_t dropped = 0;
    bool have_default = false;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < facts->n_text; i++) {
        if (facts->text[i]->bitmap) {
            continue;
        }
        if (policy->n_text == GM_MAX_TEXT_TRACKS) {
            dropped++;
            continue;
        }
        bool is_default = facts->text[i]->is_default && !have_default;
        have_default = have_default || is_default;
        rc = add_track(facts, (uint32_t)i, params, is_default, policy, err);
    }
    if (rc == 0 && dropped > 0) {
        rc = gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_TEXT_TRACKS_DROPPED,
                        dropped, err, "the source has more text tracks than %u; the first are kept",
                        GM_MAX_TEXT_TRACKS);
    }
    return rc;
}

/* Left out: bitmaps that are not drawn, or text. */
static bool is_left_out(const Gm__Inspection *facts, const Gm__Policy *policy, size_t i,
                        bool bitmap)
{
    return facts->text[i]->bitmap == bitmap && policy->burn_text != i + 1;
}

/* "eng, fre": the languages of the tracks of that kind that are left out. */
static void name_languages(const Gm__Inspection *facts, const Gm__Policy *policy, bool bitmap,
                           char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < facts->n_text; i++) {
        const char *language = facts->text[i]->language;
        if (is_left_out(facts, policy, i, bitmap) && n + strlen(language) + 3 < size) {
            n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? ", " : "", language);
        }
    }
}

/* The bitmap track that `wanted` names: "auto", the first; or the first of that language. */
static size_t find_bitmap(const Gm__Inspection *facts, const char *wanted, bool bitmap)
{
    char code[GM_LANGUAGE_SIZE];
    gm_language_code(wanted, code);
    for (size_t i = 0; i < facts->n_text; i++) {
        if (facts->text[i]->bitmap == bitmap &&
            (strcmp(wanted, "auto") == 0 || strcmp(code, facts->text[i]->language) == 0)) {
            return i + 1;
        }
    }
    return 0;
}

int gm_plan_burn(const Gm__Inspection *facts, const char *wanted, Gm__Policy *policy,
                 struct gm_err *err)
{
    size_t found = find_bitmap(facts, wanted, true);
    if (wanted[0] == '\0') {
        return 0;
    }
    if (found > 0 && gm_burn_can(facts->video->pixel_format)) {
        policy->burn_text = (uint32_t)found;
        return 0;
    }
    if (found > 0) {
        return gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_BURN_FORMAT, 1, err,
                          "subtitles can't be drawn on pictures of format %s",
                          facts->video->pixel_format);
    }
    if (find_bitmap(facts, wanted, false) > 0) {
        return gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_BURN_TEXT, 1, err,
                          "burn_subtitles: %s: the source has these as text, which is not drawn",
                          wanted);
    }
    return strcmp(wanted, "auto") == 0
               ? 0
               : gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_BURN_MISSING, 1, err,
                            "burn_subtitles: %s: the source has no such subtitles", wanted);
}

int gm_plan_text_dropped(const Gm__Inspection *facts, const char *why, Gm__Policy *policy,
                         struct gm_err *err)
{
    char languages[96];
    int64_t bitmaps = 0, texts = 0;
    int rc = 0;
    for (size_t i = 0; i < facts->n_text; i++) {
        bitmaps += is_left_out(facts, policy, i, true);
        texts += is_left_out(facts, policy, i, false);
    }
    if (bitmaps > 0) {
        name_languages(facts, policy, true, languages, sizeof languages);
        rc = gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_SUBTITLES_BITMAP, bitmaps,
                        err, "subtitles that are pictures are left out: %s", languages);
    }
    if (rc == 0 && texts > 0 && why != NULL) {
        name_languages(facts, policy, false, languages, sizeof languages);
        rc = gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_SUBTITLES_DROPPED, texts,
                        err, "%s: text tracks are left out: %s", why, languages);
    }
    return rc;
}

int gm_plan_chapters(const Gm__Inspection *facts, Gm__Policy *policy, struct gm_err *err)
{
    for (size_t i = 0; i < facts->n_chapters; i++) {
        ProtobufCMessage *copy = gm_message_dup(&facts->chapters[i]->base);
        if (copy == NULL) {
            return gm_err_nomem(err);
        }
        int rc = gm_pb_append(&policy->chapters, &policy->n_chapters, copy, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}
