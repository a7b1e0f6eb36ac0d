#include "media/picture/eyes.h"

#include <stdlib.h>

#include "media/device/cuda_picture.h"
#include "media/picture/colour.h"
#include "media/picture/cuda_small.h"
#include "media/picture/sdr.h"
#include "media/picture/shrink.h"

struct gm_eyes {
    struct gm_colour colour;        /* of the source: what pictures without tags are taken for */
    struct gm_score_size size;      /* of what is scored */
    struct gm_shrink *shrink;       /* owned */
    struct gm_sdr *sdr;             /* owned: of small pictures */
    struct gm_cuda_small *small;    /* owned; NULL: no ladder */
    const AVFrame *picture;         /* borrowed */
    AVFrame *made;                  /* owned: by the last gm_eyes_small */
    AVFrame *looks[GM_EYES_PLACES]; /* owned: without a ladder; the others lie on the device */
    bool by_cuda, by_software;
};

struct gm_score_size gm_eyes_size(const Gm__Policy *policy)
{
    struct gm_score_size s = {2, 2};
    for (size_t i = 0; i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        if ((uint64_t)r->width_px * r->height_px > (uint64_t)s.width_px * s.height_px) {
            s = (struct gm_score_size){r->width_px, r->height_px};
        }
    }
    uint32_t longer = s.width_px > s.height_px ? s.width_px : s.height_px;
    uint32_t n = (longer + GM_EYES_SIDE - 1) / GM_EYES_SIDE;
    s.width_px = s.width_px / n < 2 ? 2 : s.width_px / n / 2 * 2;
    s.height_px = s.height_px / n < 2 ? 2 : s.height_px / n / 2 * 2;
    return s;
}

int gm_eyes_create(const Gm__Policy *policy, const Gm__VideoFacts *facts,
                   struct gm_cuda_ladder *ladder, struct gm_eyes **out, struct gm_err *err)
{
    const struct gm_sdr_params sdr = {.map = policy->tone_map, .timescale = policy->timescale};
    struct gm_eyes *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return gm_err_nomem(err);
    }
    e->colour = gm_colour_of_source(facts);
    e->size = gm_eyes_size(policy);
    int rc = gm_shrink_create(&e->shrink, err);
    if (rc == 0) {
        rc = gm_sdr_create(&sdr, &e->sdr, err);
    }
    if (rc == 0 && ladder != NULL) {
        rc = gm_cuda_small_create(gm_cuda_ladder_gpu(ladder), gm_cuda_ladder_what(ladder), e->size,
                                  &e->small, err);
    }
    if (rc < 0) {
        gm_eyes_destroy(&e);
        return rc;
    }
    *out = e;
    return 0;
}

void gm_eyes_destroy(struct gm_eyes **eyes)
{
    struct gm_eyes *e = *eyes;
    if (e == NULL) {
        return;
    }
    for (int i = 0; i < GM_EYES_PLACES; i++) {
        av_frame_free(&e->looks[i]);
    }
    av_frame_free(&e->made);
    gm_cuda_small_destroy(&e->small);
    gm_sdr_destroy(&e->sdr);
    gm_shrink_destroy(&e->shrink);
    free(e);
    *eyes = NULL;
}

void gm_eyes_start(struct gm_eyes *e)
{
    e->by_cuda = e->by_software = false;
}

void gm_eyes_show(struct gm_eyes *e, const AVFrame *picture)
{
    e->picture = picture;
}

const char *gm_eyes_by(const struct gm_eyes *e)
{
    return e->by_software ? "software" : e->by_cuda ? "cuda" : NULL;
}

/* Light or gamut of the picture are not SDR's. */
static int is_mapped(const struct gm_eyes *e, bool *out, struct gm_err *err)
{
    AVFrame *tagged = av_frame_clone(e->picture);
    if (tagged == NULL) {
        return gm_err_nomem(err);
    }
    gm_colour_tag(e->colour, tagged);
    struct gm_colour c = {tagged->color_primaries, tagged->color_trc, tagged->colorspace,
                          tagged->color_range};
    *out = gm_colour_needs_table(c, gm_colour_target(c, false));
    av_frame_free(&tagged);
    return 0;
}

/* *out: owned, with all tags, in the source's light. */
static int make(struct gm_eyes *e, const struct gm_shrink_to *to, AVFrame **out, struct gm_err *err)
{
    bool there = gm_cuda_picture_is(e->picture);
    e->by_cuda = e->by_cuda || there;
    e->by_software = e->by_software || !there;
    if (!there) {
        return gm_shrink_picture(e->shrink, e->picture, to, out, err);
    }
    int rc =
        gm_cuda_small_make(e->small, e->picture, to->width_px, to->height_px, to->deep, out, err);
    if (rc == 0) {
        gm_colour_tag(e->colour, *out);
        (*out)->chroma_location = AVCHROMA_LOC_CENTER;
        (*out)->sample_aspect_ratio = (AVRational){1, 1};
    }
    return rc;
}

/* *out: owned, in SDR; of luma alone its first plane counts. */
static int make_sdr(struct gm_eyes *e, uint32_t width, uint32_t height, bool luma, AVFrame **out,
                    struct gm_err *err)
{
    struct gm_shrink_to to = {.width_px = width, .height_px = height};
    const AVFrame *mapped = NULL;
    AVFrame *made = NULL;
    int rc = is_mapped(e, &to.deep, err);
    to.luma = luma && !to.deep;
    if (rc == 0) {
        rc = make(e, &to, &made, err);
    }
    if (rc < 0 || !to.deep) {
        *out = made;
        return rc;
    }
    rc = gm_sdr_push(e->sdr, made, 0, &mapped, err);
    if (rc == 0) {
        *out = av_frame_clone(mapped);
        rc = *out != NULL ? 0 : gm_err_nomem(err);
    }
    av_frame_free(&made);
    return rc;
}

int gm_eyes_small(struct gm_eyes *e, uint32_t width_px, uint32_t height_px, const AVFrame **out,
                  struct gm_err *err)
{
    av_frame_free(&e->made);
    int rc = make_sdr(e, width_px, height_px, false, &e->made, err);
    *out = e->made;
    return rc;
}

static struct gm_luma luma_of(const AVFrame *f)
{
    return f != NULL ? (struct gm_luma){f->data[0], f->linesize[0]} : (struct gm_luma){NULL, 0};
}

int gm_eyes_look(struct gm_eyes *e, enum gm_eyes_place place, struct gm_err *err)
{
    bool mapped = false;
    AVFrame *made = NULL;
    int rc = is_mapped(e, &mapped, err);
    if (rc == 0 && gm_cuda_picture_is(e->picture) && !mapped) {
        e->by_cuda = true;
        return gm_cuda_small_look(e->small, place, e->picture, err);
    }
    if (rc == 0) {
        rc = make_sdr(e, e->size.width_px, e->size.height_px, true, &made, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (e->small != NULL) {
        rc = gm_cuda_small_put(e->small, place, luma_of(made), err);
        av_frame_free(&made);
        return rc;
    }
    av_frame_free(&e->looks[place]);
    e->looks[place] = made;
    return 0;
}

int gm_eyes_score(struct gm_eyes *e, struct gm_score_around around, uint32_t *out,
                  struct gm_err *err)
{
    struct gm_score_sums sums;
    int rc = 0;
    if (e->small != NULL) {
        rc = gm_cuda_small_count(e->small, around, &sums, err);
    } else {
        gm_score_count(e->size, luma_of(around.before ? e->looks[GM_EYES_BEFORE] : NULL),
                       luma_of(e->looks[GM_EYES_NOW]),
                       luma_of(around.after ? e->looks[GM_EYES_AFTER] : NULL), &sums);
    }
    if (rc == 0) {
        *out = gm_score_settle(gm_score(e->size, &sums), e->size, around, &sums);
    }
    return rc;
}
