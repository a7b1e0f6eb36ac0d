#include "media/plan/plan.h"

#include "media/pb.h"
#include "media/picture/image.h"
#include "media/picture/ladder.h"
#include "media/picture/siting.h"
#include "media/picture/still.h"
#include "proto/envelope.h"

/* What the plan says of posters and tiles. */
#define DEFAULT_TILE_WIDTH 160

/* Even; at most what is asked for and what the source shows. */
static uint32_t poster_width(const Gm__VideoFacts *video, uint32_t asked)
{
    struct gm_ladder_shape shape = gm_ladder_shape(video);
    int64_t width = shape.den > 0 ? shape.width / shape.den : 0;
    if (width > (int64_t)asked) {
        width = (int64_t)asked;
    }
    return width < 2 ? 2 : (uint32_t)(width / 2 * 2);
}

int gm_plan_images(const Gm__VideoFacts *video, const Gm__ThumbnailsParams *params,
                   Gm__Policy *policy, struct gm_err *err)
{
    char plain[GM_STILL_FILTERS_SIZE], filters[GM_STILL_FILTERS_SIZE + 64];
    struct gm_siting siting = gm_siting(video);
    struct gm_colour source = gm_colour_of_source(video);
    if (gm_colour_needs_table(source, gm_colour_target(source, false))) {
        siting = gm_siting_mapped(siting);
    }
    const struct gm_still *still = gm_still_find(params->format);
    if (still == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "images can't be made as %.20s", params->format);
    }
    policy->thumbnails = (Gm__ThumbnailsParams *)gm_message_dup(&params->base);
    if (policy->thumbnails == NULL) {
        return gm_err_nomem(err);
    }
    Gm__ThumbnailsParams *t = policy->thumbnails;
    t->width = t->width < 2 ? DEFAULT_TILE_WIDTH : t->width / 2 * 2;
    policy->tile_height_px = gm_ladder_height_for(video, t->width);
    policy->poster_width_px = poster_width(video, t->poster_width);
    policy->poster_height_px = gm_ladder_height_for(video, policy->poster_width_px);
    int rc = gm_still_filters(still, t->width, policy->tile_height_px, plain, err);
    if (rc == 0) {
        rc = gm_pb_string(&policy->tile_filters, plain, err);
    }
    if (rc == 0) {
        rc = gm_still_filters(still, policy->poster_width_px, policy->poster_height_px, plain, err);
    }
    if (rc == 0) {
        rc = gm_siting_add(siting, plain, filters, sizeof filters, err);
    }
    return rc == 0 ? gm_pb_string(&policy->poster_filters, filters, err) : rc;
}

int gm_plan_check_images(const Gm__Pipeline *pipeline, struct gm_err *err)
{
    for (size_t i = 0; i < pipeline->n_assets; i++) {
        AVFrame *image = NULL;
        int rc = gm_image_load(pipeline, pipeline->assets[i]->name, &image, err);
        if (rc < 0) {
            return rc;
        }
        av_frame_free(&image);
    }
    return 0;
}
