/* See va_ladder.h. Pools of surfaces grow beyond what a run fills them with: encoders hold as many
 * as they want. */
#include "media/picture/va_ladder.h"

#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "media/av.h"
#include "media/device/va_picture.h"
#include "media/device/vaapi.h"
#include "media/device/vaapi_scaler.h"
#include "media/lanes.h"
#include "media/picture/planned.h"
#include "media/picture/va_proof.h"

#define PROOF_SIZES 3 /* of gm_va_ladder_prove */
/* Of a rendition at once: queued, in work, held here, and libavcodec's, which are twelve with three
 * B pictures. */
#define PICTURES (GM_LANES_DEPTH + 1 + 1 + 12)

struct rung {
    AVBufferRef *pool;              /* owned */
    struct gm_vaapi_scaler *scaler; /* owned */
    AVFrame *picture;               /* owned; NULL: none was made */
    AVFrame *packed;                /* owned: one from memory on its way; NULL: none came so far */
    struct gm_colour colour;
};

struct gm_va_ladder {
    struct gm_planned planned; /* what pictures it takes */
    AVBufferRef *device;       /* owned reference */
    AVBufferRef *pool;         /* owned: of pictures that software decoded */
    AVFrame *packed;           /* owned: one of these on its way; NULL: none came so far */
    size_t count;
    struct rung *rungs; /* owned */
    uint8_t bits[GM_SHA256_SIZE];
};

static int make_rung(struct gm_va_ladder *l, const Gm__Rendition *r, struct rung *rung,
                     struct gm_sha256 *bits, struct gm_err *err)
{
    const struct gm_va_proof proof = {.bits = l->planned.format == AV_PIX_FMT_YUV420P10LE ? 10 : 8,
                                      .from_width_px = l->planned.width_px,
                                      .from_height_px = l->planned.height_px,
                                      .width_px = (int)r->width_px,
                                      .height_px = (int)r->height_px};
    rung->colour = gm_colour_of_rendition(r);
    int rc = gm_vaapi_scaler_create(l->device, proof.bits, proof.width_px, proof.height_px,
                                    &rung->scaler, err);
    if (rc == 0) {
        rc = gm_vaapi_frames(l->device, proof.bits, proof.width_px, proof.height_px, &rung->pool,
                             err);
    }
    uint8_t made[GM_SHA256_SIZE];
    if (rc == 0) {
        rc = gm_va_proof_run(&proof, rung->scaler, l->pool, rung->pool, made, err);
    }
    if (rc == 0) {
        gm_sha256_update(bits, made, sizeof made);
    }
    return rc;
}

/* Two builds of a driver may call themselves the same and scale otherwise, beyond what their
 * chain's fingerprint tells. No failure of the device, whose proof would pass again. */
static int check_bits(const struct gm_va_ladder *l, const Gm__Policy *policy, struct gm_err *err)
{
    const ProtobufCBinaryData *want = &policy->scaler_bits;
    if (want->len == 0 ||
        (want->len == sizeof l->bits && memcmp(want->data, l->bits, sizeof l->bits) == 0)) {
        return 0;
    }
    return gm_err_set(err, GM_E_MEDIA, 0,
                      "The VA driver gives other bits than the one that the job was planned with: "
                      "their nodes have different builds of it");
}

static int make_rungs(struct gm_va_ladder *l, const Gm__Policy *policy, struct gm_err *err)
{
    struct gm_sha256 *bits = gm_sha256_create();
    int rc = bits != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < policy->n_renditions; i++) {
        l->count++;
        rc = make_rung(l, policy->renditions[i], &l->rungs[i], bits, err);
    }
    if (rc == 0) {
        gm_sha256_final(bits, l->bits);
        rc = check_bits(l, policy, err);
    }
    gm_sha256_destroy(&bits);
    return rc;
}

int gm_va_ladder_create(const Gm__Policy *policy, const Gm__VideoFacts *facts, AVBufferRef *device,
                        struct gm_va_ladder **out, struct gm_err *err)
{
    if (strcmp(policy->scaler, GM_VA_LADDER) != 0) {
        return gm_err_set(err, GM_E_BUG, 0, "The plan's scaler `%.40s` is not one of this build",
                          policy->scaler);
    }
    struct gm_va_ladder *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return gm_err_nomem(err);
    }
    l->planned = gm_planned_of(facts);
    l->device = av_buffer_ref(device);
    l->rungs = calloc(policy->n_renditions, sizeof *l->rungs);
    int rc = l->device != NULL && l->rungs != NULL
                 ? gm_vaapi_frames(device, l->planned.format == AV_PIX_FMT_YUV420P10LE ? 10 : 8,
                                   l->planned.width_px, l->planned.height_px, &l->pool, err)
                 : gm_err_nomem(err);
    if (rc == 0) {
        rc = make_rungs(l, policy, err);
    }
    if (rc < 0) {
        gm_va_ladder_destroy(&l);
        return rc;
    }
    *out = l;
    return 0;
}

/* Sizes: the source's own, a half, and one that it is no multiple of. */
int gm_va_ladder_prove(AVBufferRef *device, unsigned bits, uint8_t out[GM_SHA256_SIZE],
                       struct gm_err *err)
{
    static const uint32_t sizes[PROOF_SIZES][2] = {{640, 360}, {426, 240}, {320, 180}};
    Gm__Rational square = GM__RATIONAL__INIT;
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    Gm__Policy policy = GM__POLICY__INIT;
    Gm__Rendition renditions[PROOF_SIZES], *list[PROOF_SIZES];
    square.num = square.den = 1;
    facts.sample_aspect = &square;
    facts.width_px = sizes[0][0];
    facts.height_px = sizes[0][1];
    facts.pixel_format = bits == 10 ? "yuv420p10le" : "yuv420p";
    for (size_t i = 0; i < PROOF_SIZES; i++) {
        gm__rendition__init(&renditions[i]);
        renditions[i].width_px = sizes[i][0];
        renditions[i].height_px = sizes[i][1];
        list[i] = &renditions[i];
    }
    policy.scaler = GM_VA_LADDER;
    policy.renditions = list;
    policy.n_renditions = PROOF_SIZES;
    struct gm_va_ladder *l = NULL;
    int rc = gm_va_ladder_create(&policy, &facts, device, &l, err);
    if (rc == 0) {
        memcpy(out, l->bits, sizeof l->bits);
    }
    gm_va_ladder_destroy(&l);
    return rc;
}

static int fill_pool(AVBufferRef *pool, struct gm_err *err)
{
    AVFrame *taken[PICTURES] = {NULL};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < PICTURES; i++) {
        rc = gm_va_picture_get(pool, &taken[i], err);
    }
    for (size_t i = 0; i < PICTURES; i++) {
        av_frame_free(&taken[i]);
    }
    return rc;
}

int gm_va_ladder_fill(struct gm_va_ladder *l, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->count; i++) {
        rc = fill_pool(l->rungs[i].pool, err);
    }
    return rc;
}

void gm_va_ladder_destroy(struct gm_va_ladder **ladder)
{
    struct gm_va_ladder *l = *ladder;
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; i < l->count; i++) {
        av_frame_free(&l->rungs[i].picture);
        av_frame_free(&l->rungs[i].packed);
        gm_vaapi_scaler_destroy(&l->rungs[i].scaler);
        av_buffer_unref(&l->rungs[i].pool);
    }
    free(l->rungs);
    av_frame_free(&l->packed);
    av_buffer_unref(&l->pool);
    av_buffer_unref(&l->device);
    free(l);
    *ladder = NULL;
}

const uint8_t *gm_va_ladder_bits(const struct gm_va_ladder *l)
{
    return l->bits;
}

int gm_va_ladder_look(const struct gm_va_ladder *l, const AVFrame *p, const char **out_why,
                      struct gm_err *err)
{
    return gm_planned_look(&l->planned, p, out_why, err);
}

/* f: taken. */
static void take(struct rung *r, AVFrame *f, int64_t pts)
{
    gm_planned_tell(r->colour, pts, f);
    av_frame_free(&r->picture);
    r->picture = f;
}

static int scale(struct rung *r, const AVFrame *there, int64_t pts, struct gm_err *err)
{
    AVFrame *f = NULL;
    int rc = gm_va_picture_get(r->pool, &f, err);
    if (rc == 0) {
        rc = gm_vaapi_scaler_run(r->scaler, there, f, err);
    }
    if (rc < 0) {
        av_frame_free(&f);
        return rc;
    }
    take(r, f, pts);
    return 0;
}

int gm_va_ladder_push(struct gm_va_ladder *l, const AVFrame *picture, int64_t pts,
                      struct gm_err *err)
{
    AVFrame *up = NULL;
    bool there = gm_va_picture_is(picture);
    if (there && gm_av_pool(picture->hw_frames_ctx)->device_ref->data != l->device->data) {
        return gm_err_set(err, GM_E_BUG, 0, "a picture of another VA display");
    }
    int rc = there ? 0 : gm_va_picture_upload(picture, l->pool, &l->packed, &up, err);
    for (size_t i = 0; rc == 0 && i < l->count; i++) {
        rc = scale(&l->rungs[i], there ? picture : up, pts, err);
    }
    av_frame_free(&up);
    return rc;
}

int gm_va_ladder_lift(struct gm_va_ladder *l, size_t rendition, const AVFrame *picture,
                      struct gm_err *err)
{
    GM_ASSERT(rendition < l->count);
    struct rung *r = &l->rungs[rendition];
    AVFrame *there = NULL;
    int rc = gm_va_picture_upload(picture, r->pool, &r->packed, &there, err);
    if (rc == 0) {
        take(r, there, picture->pts);
    }
    return rc;
}

AVFrame *gm_va_ladder_get(struct gm_va_ladder *l, size_t rendition)
{
    GM_ASSERT(rendition < l->count && l->rungs[rendition].picture != NULL);
    return l->rungs[rendition].picture;
}

AVBufferRef *gm_va_ladder_pool(struct gm_va_ladder *l, size_t rendition)
{
    GM_ASSERT(rendition < l->count);
    return l->rungs[rendition].pool;
}
