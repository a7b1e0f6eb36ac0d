#include "media/plan.h"

#include "media/image.h"
#include "media/ladder.h"
#include "media/pb.h"
#include "proto/envelope.h"

/* What the plan says of posters and tiles. */
#define DEFAULT_TILE_WIDTH 160

int gm_plan_images(const Gm__VideoFacts *video, const Gm__ThumbnailsParams *params,
                   Gm__Policy *policy, struct gm_err *err)
{
    char filters[512];
    policy->thumbnails = (Gm__ThumbnailsParams *)gm_message_dup(&params->base);
    if (policy->thumbnails == NULL) {
        return gm_err_nomem(err);
    }
    Gm__ThumbnailsParams *t = policy->thumbnails;
    t->width = t->width < 2 ? DEFAULT_TILE_WIDTH : t->width / 2 * 2;
    policy->tile_height_px = gm_ladder_height_for(video, t->width);
    struct gm_colour colour = gm_colour_of_jpeg();
    int rc = gm_plan_filters(t->width, policy->tile_height_px, &colour, AV_PIX_FMT_YUVJ420P,
                             filters, sizeof filters, err);
    return rc == 0 ? gm_pb_string(&policy->tile_filters, filters, err) : rc;
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
