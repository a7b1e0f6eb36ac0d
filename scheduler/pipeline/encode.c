#include "scheduler/pipeline/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/video_codec.h"
#include "scheduler/pipeline/params.h"

#define RUNGS_MAX 16
#define FINER 8 /* crf round the codec's default between which a quality is searched */
#define COARSER 12
#define SIDE_MIN 16
#define SIDE_MAX 4320

/* Where a message points: the key that said it, or the map. */
static const struct gm_yaml *at(const struct gm_yaml *map, const char *key)
{
    const struct gm_yaml *found = gm_yaml_find(map, key);
    return found != NULL ? found : map;
}

static int settle_target(const struct gm_yaml *yaml, const struct gm_video_codec *codec,
                         Gm__QualityTarget *q, struct gm_err *err)
{
    bool psnr = strcmp(q->metric, "psnr") == 0;
    if (psnr ? q->target < 20 : q->target > 0.9999) {
        return gm_yaml_fail(at(yaml, "target"), err, "the target of %s is %s", q->metric,
                            psnr ? "20..60" : "0.5..0.9999");
    }
    if (q->min_crf < 0) {
        q->min_crf = codec->default_crf - FINER;
    }
    if (q->max_crf < 0) {
        q->max_crf = codec->default_crf + COARSER;
    }
    if (q->max_crf > codec->max_crf || q->min_crf > q->max_crf) {
        return gm_yaml_fail(yaml, err,
                            "crf %d to %d: in %s it goes from a lower to a higher one, at most %d",
                            q->min_crf, q->max_crf, codec->name, codec->max_crf);
    }
    return 0;
}

static int settle_quality(const struct gm_yaml *yaml, const struct gm_video_codec *codec,
                          Gm__EncodeParams *p, struct gm_err *err)
{
    static const char *const apart[][2] = {{"qp", "crf"},
                                           {"qp", "maxrate"},
                                           {"qp", "buffer_s"},
                                           {"qp", "bitrate"},
                                           {"qp", "quality"},
                                           {"crf", "bitrate"},
                                           {"crf", "quality"},
                                           {"bitrate", "quality"},
                                           {"bitrate", "maxrate_scale"},
                                           {"maxrate", "maxrate_scale"}};
    const struct gm_yaml *qp = gm_yaml_find(yaml, "qp");
    for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++) {
        const struct gm_yaml *one = gm_yaml_find(yaml, apart[i][0]);
        if (one != NULL && gm_yaml_find(yaml, apart[i][1]) != NULL) {
            return gm_yaml_fail(one, err, "`%s` and `%s` exclude each other", apart[i][0],
                                apart[i][1]);
        }
    }
    if (qp != NULL) {
        p->crf = -1;
    } else if (gm_yaml_find(yaml, "crf") != NULL) {
        p->qp = -1;
    }
    if (p->qp < 0 && p->crf < 0) {
        p->crf = codec->default_crf;
    }
    if (p->qp < 0 && (p->crf > codec->max_crf || p->crf < codec->min_quality)) {
        return gm_yaml_fail(at(yaml, "crf"), err, "crf of %s is %d..%d", codec->name,
                            codec->min_quality, codec->max_crf);
    }
    if (p->qp >= 0 && (p->qp > codec->max_qp || p->qp < codec->min_quality)) {
        return gm_yaml_fail(at(yaml, "qp"), err, "qp of %s is %d..%d", codec->name,
                            codec->min_quality, codec->max_qp);
    }
    if (p->bitrate_bps > 0 && p->maxrate_bps > 0 && p->maxrate_bps < p->bitrate_bps) {
        return gm_yaml_fail(at(yaml, "maxrate"), err, "`maxrate` is below `bitrate`");
    }
    return p->quality != NULL ? settle_target(at(yaml, "quality"), codec, p->quality, err) : 0;
}

static int fail_profile(const struct gm_yaml *yaml, const struct gm_video_codec *codec,
                        const char *name, struct gm_err *err)
{
    char all[160] = "";
    for (const struct gm_video_profile *p = codec->profiles; p->name != NULL; p++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", used != 0 ? ", " : "", p->name);
    }
    return gm_yaml_fail(at(yaml, "profile"), err, "`%s` is not a profile of %s; it is one of: %s",
                        name, codec->name, all);
}

static int settle_profile(const struct gm_yaml *yaml, const struct gm_video_codec *codec,
                          Gm__EncodeParams *p, struct gm_err *err)
{
    const struct gm_video_profile *profile = NULL;
    if (p->profile[0] != '\0') {
        profile = gm_video_profile_find(codec, p->profile);
        if (profile == NULL) {
            return fail_profile(yaml, codec, p->profile, err);
        }
    }
    if (profile != NULL && p->qp == 0 && strcmp(codec->name, "h264") == 0) {
        return gm_yaml_fail(at(yaml, "qp"), err, "profile %s of h264 is not lossless",
                            profile->name);
    }
    if (p->level[0] != '\0' && gm_video_level_find(codec, p->level) == NULL) {
        return gm_yaml_fail(at(yaml, "level"), err,
                            "`%s` is not a level of %s; levels are numbers such as 4.1", p->level,
                            codec->name);
    }
    if (p->bit_depth == 0) {
        p->bit_depth = profile != NULL && profile->bit_depths == 10 ? 10 : 8;
    }
    if (profile != NULL && profile->bit_depths != p->bit_depth && profile->bit_depths != 18) {
        return gm_yaml_fail(at(yaml, "profile"), err, "profile %s of %s has %u bits, not %u",
                            profile->name, codec->name, profile->bit_depths, p->bit_depth);
    }
    return 0;
}

/* Before the profile: what keeps HDR has 10 bits. */
static int settle_light(const struct gm_yaml *yaml, Gm__EncodeParams *p, struct gm_err *err)
{
    if (strcmp(p->hdr, "keep") != 0) {
        return 0;
    }
    if (strcmp(p->codec, "h264") == 0) {
        return gm_yaml_fail(at(yaml, "hdr"), err,
                            "`hdr: keep` is not for h264: nothing plays HDR in it; take hevc");
    }
    if (p->bit_depth == 8) {
        return gm_yaml_fail(at(yaml, "bit_depth"), err, "`hdr: keep` needs 10 bits, not 8");
    }
    if (p->profile[0] == '\0') {
        p->bit_depth = 10;
    }
    return 0;
}

/* "#rrggbb" */
static int check_background(const struct gm_yaml *yaml, const Gm__EncodeParams *p,
                            struct gm_err *err)
{
    const char *s = p->background;
    if (s[0] != '#' || strlen(s) != 7 || strspn(s + 1, "0123456789abcdefABCDEF") != 6) {
        return gm_yaml_fail(at(yaml, "background"), err,
                            "`%s` is not a colour; it is written \"#rrggbb\", such as \"#ffffff\"",
                            s);
    }
    return 0;
}

static int settle(const struct gm_yaml *yaml, Gm__EncodeParams *p, struct gm_err *err)
{
    const struct gm_video_codec *codec = gm_video_codec_find(p->codec);
    if (codec == NULL) {
        return gm_yaml_fail(at(yaml, "codec"), err, "`%s` is not a video codec", p->codec);
    }
    int rc = settle_quality(yaml, codec, p, err);
    if (rc == 0) {
        rc = settle_light(yaml, p, err);
    }
    if (rc == 0) {
        rc = settle_profile(yaml, codec, p, err);
    }
    if (rc == 0 && strcmp(p->hdr, "keep") == 0 && p->bit_depth != 10) {
        rc = gm_yaml_fail(at(yaml, "profile"), err, "`hdr: keep` needs a profile of 10 bits");
    }
    return rc == 0 ? check_background(yaml, p, err) : rc;
}

static void forget(char **text)
{
    if (*text != protobuf_c_empty_string) {
        free(*text);
        *text = (char *)(uintptr_t)protobuf_c_empty_string;
    }
}

/* What the rung says of its quality replaces what the task says. */
static void forget_aims(const struct gm_yaml *node, Gm__RungParams *rung, bool other_codec)
{
    Gm__EncodeParams *p = rung->encode;
    bool fixed = gm_yaml_find(node, "crf") != NULL || gm_yaml_find(node, "qp") != NULL;
    rung->own_bitrate = gm_yaml_find(node, "bitrate") != NULL;
    if (fixed) {
        p->bitrate_bps = 0;
    }
    if (p->quality != NULL && (fixed || rung->own_bitrate)) {
        gm__quality_target__free_unpacked(p->quality, NULL);
        p->quality = NULL;
    }
    if (p->quality != NULL && other_codec) {
        p->quality->min_crf = p->quality->max_crf = -1;
    }
}

static int fill_rung(const struct gm_yaml *node, Gm__RungParams *rung, struct gm_err *err)
{
    Gm__EncodeParams *p = rung->encode;
    bool other = false;
    const struct gm_yaml *codec = gm_yaml_find(node, "codec");
    const char *name = NULL;
    if (codec != NULL) {
        int rc = gm_yaml_string(codec, &name, err);
        if (rc < 0) {
            return rc;
        }
        if (strcmp(name, p->codec) != 0) {
            other = true;
            p->crf = p->qp = -1;
            p->bit_depth = 0;
            forget(&p->profile);
            forget(&p->hdr);
            forget(&p->level);
        }
    }
    forget_aims(node, rung, other);
    rung->own_cap = gm_yaml_find(node, "maxrate") != NULL || gm_yaml_find(node, "maxrate_scale");
    if (gm_yaml_find(node, "maxrate_scale") != NULL) {
        p->maxrate_bps = 0;
    }
    int rc = gm_params_override(node, p, err);
    return rc < 0 ? rc : settle(node, p, err);
}

static int parse_side(const struct gm_yaml *node, uint32_t *out, struct gm_err *err)
{
    char *end = NULL;
    long v = node->key[0] >= '1' && node->key[0] <= '9' ? strtol(node->key, &end, 10) : 0;
    if (v < SIDE_MIN || v > SIDE_MAX || v % 2 != 0 || *end != '\0') {
        return gm_yaml_fail(node, err, "`%s` is not a short side; it is an even number, %d..%d",
                            node->key, SIDE_MIN, SIDE_MAX);
    }
    if (node->kind != GM_YAML_MAP) {
        return gm_yaml_fail(node, err, "what rendition %ld has is a map: { crf: 20, ... }", v);
    }
    *out = (uint32_t)v;
    return 0;
}

/* base: as the task's map filled it, its own `renditions` empty. */
static int add_rung(const struct gm_yaml *node, const Gm__EncodeParams *base, Gm__EncodeParams *to,
                    struct gm_err *err)
{
    uint32_t side = 0;
    int rc = parse_side(node, &side, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < to->n_renditions; i++) {
        if (to->renditions[i] != NULL && to->renditions[i]->short_side == side) {
            return gm_yaml_fail(node, err, "rendition %u is there twice", side);
        }
    }
    Gm__RungParams *rung = malloc(sizeof *rung);
    if (rung == NULL) {
        return gm_err_nomem(err);
    }
    gm__rung_params__init(rung);
    to->renditions[to->n_renditions++] = rung;
    rung->short_side = side;
    rung->encode = (Gm__EncodeParams *)gm_message_dup(&base->base);
    return rung->encode != NULL ? fill_rung(node, rung, err) : gm_err_nomem(err);
}

int gm_encode_settle(const struct gm_yaml *yaml, Gm__EncodeParams *p, struct gm_err *err)
{
    const struct gm_yaml *list = gm_yaml_find(yaml, "renditions");
    Gm__EncodeParams *base = NULL;
    int rc = 0;
    if (list != NULL && list->kind != GM_YAML_MAP) {
        return gm_yaml_fail(list, err, "renditions is a map: { 1080: { crf: 20 }, ... }");
    }
    if (list != NULL) {
        base = (Gm__EncodeParams *)gm_message_dup(&p->base);
        p->renditions = calloc(RUNGS_MAX, sizeof *p->renditions);
        rc = base == NULL || p->renditions == NULL ? gm_err_nomem(err) : 0;
    }
    if (rc == 0) {
        rc = settle(yaml, p, err);
    }
    const struct gm_yaml *node = list != NULL ? list->child : NULL;
    for (size_t n = 0; rc == 0 && node != NULL; node = node->next, n++) {
        rc = n < RUNGS_MAX
                 ? add_rung(node, base, p, err)
                 : gm_yaml_fail(node, err, "renditions has more than %d entries", RUNGS_MAX);
    }
    if (base != NULL) {
        gm__encode_params__free_unpacked(base, NULL);
    }
    return rc;
}

int gm_encode_check_ladder(const struct gm_yaml *encode, const Gm__PlanParams *plan,
                           struct gm_err *err)
{
    const struct gm_yaml *list = gm_yaml_find(encode, "renditions");
    const struct gm_yaml *node = list != NULL ? list->child : NULL;
    for (; node != NULL; node = node->next) {
        bool there = false;
        for (size_t i = 0; i < plan->n_ladder; i++) {
            there = there || plan->ladder[i] == (uint32_t)strtol(node->key, NULL, 10);
        }
        if (!there) {
            return gm_yaml_fail(node, err, "the ladder has no rendition %s", node->key);
        }
    }
    return 0;
}

static bool aims(const Gm__EncodeParams *p)
{
    return p->bitrate_bps > 0 || p->quality != NULL;
}

int gm_encode_check_analyze(const struct gm_yaml *encode, const Gm__EncodeParams *p,
                            const struct gm_yaml *analyze, struct gm_err *err)
{
    bool wants = aims(p);
    for (size_t i = 0; i < p->n_renditions; i++) {
        wants = wants || aims(p->renditions[i]->encode);
    }
    if (wants && analyze == NULL) {
        return gm_yaml_fail(encode, err,
                            "`%s` needs a task before encode: analyze: { type: analyze, needs: "
                            "[split] }",
                            p->quality != NULL ? "quality" : "bitrate");
    }
    if (!wants && analyze != NULL) {
        return gm_yaml_fail(analyze, err,
                            "task `%s` (analyze) is for nothing: encode has neither `bitrate` nor "
                            "`quality`",
                            analyze->key);
    }
    return 0;
}
