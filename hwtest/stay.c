/* A ladder whose pictures stay on a device from its decoder to its encoders, as the farm makes it
 * (docs/adr/0025, 0036). */
#include "hwtest/lanes.h"

#include <stdlib.h>

#include "hwtest/asked.h"
#include "media/decode/device_decoder.h"
#include "media/device/cuda_picture.h"
#include "media/device/va_picture.h"
#include "media/picture/device_ladder.h"

static char va_ladder[] = GM_VA_LADDER; /* protobuf-c's strings are not const */

struct state {
    struct gm_hwtest_asked asked;
    AVBufferRef *device;                         /* owned */
    struct gm_hwtest_source *source;             /* owned */
    struct gm_device_ladder *ladder;             /* owned */
    struct gm_encoder *encoder[GM_HWTEST_RUNGS]; /* owned; NULL: none encodes */
    AVFrame *picture, *frame;                    /* owned */
    AVPacket *packet;                            /* owned */
    int64_t number;
};

static void close_stay(struct gm_hwtest_lane *lane)
{
    struct state *s = lane->state;
    for (size_t k = 0; k < GM_HWTEST_RUNGS; k++) {
        gm_encoder_close(&s->encoder[k]);
    }
    av_frame_free(&s->frame);
    av_frame_free(&s->picture);
    av_packet_free(&s->packet);
    gm_device_ladder_destroy(&s->ladder);
    gm_hwtest_source_close(&s->source);
    av_buffer_unref(&s->device);
    free(s);
    lane->state = NULL;
}

static int make_ladder(const struct gm_hwtest_stay_params *how, struct state *s, struct gm_err *err)
{
    const uint32_t height = gm_hwtest_large_height(how->height_px, how->quick);
    struct gm_hwtest_size rungs[GM_HWTEST_RUNGS];
    for (uint32_t k = 0; k < GM_HWTEST_RUNGS; k++) {
        rungs[k].depth = 8;
        gm_hwtest_recipe_size(how->height_px, how->quick, k, &rungs[k].width_px,
                              &rungs[k].height_px);
    }
    gm_hwtest_ask((struct gm_hwtest_size){height / 9 * 16, height, 8}, 0, rungs, GM_HWTEST_RUNGS,
                  &s->asked);
    if (gm_device_decoder_is_va(s->device)) {
        s->asked.policy.scaler = va_ladder;
    }
    int rc = gm_device_ladder_create(&s->asked.policy, &s->asked.facts, &s->asked.pipeline,
                                     s->device, &s->ladder, err);
    for (size_t k = 0; rc == 0 && how->chain != NULL && k < GM_HWTEST_RUNGS; k++) {
        const struct gm_hwtest_encoding encoding = {.chain = how->chain,
                                                    .device = how->device,
                                                    .codec = "h264",
                                                    .depth = 8,
                                                    .crf_centi = GM_HWTEST_RUNG_CRF,
                                                    .width_px = rungs[k].width_px,
                                                    .height_px = rungs[k].height_px,
                                                    .surfaces =
                                                        gm_device_ladder_pool(s->ladder, k)};
        rc = gm_hwtest_open_encoder(&encoding, &s->encoder[k], err);
    }
    return rc;
}

static int open_stay(struct gm_hwtest_lane *lane, struct gm_err *err)
{
    const struct gm_hwtest_stay_params *how = lane->how;
    struct gm_hwtest_source_params source = {
        .by = GM_HWTEST_BY_FARM, .stream = how->stream, .stays = true};
    struct state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    lane->state = s;
    s->picture = av_frame_alloc();
    s->frame = av_frame_alloc();
    s->packet = av_packet_alloc();
    int rc = s->picture == NULL || s->frame == NULL || s->packet == NULL
                 ? gm_err_nomem(err)
                 : gm_device_decoder_hold(how->api, how->device, &s->device, err);
    source.held = s->device;
    rc = rc < 0 ? rc : gm_hwtest_source_open(&source, &s->source, err);
    rc = rc < 0 ? rc : make_ladder(how, s, err);
    if (rc < 0) {
        close_stay(lane);
    }
    return rc;
}

static bool stays(const AVFrame *picture)
{
    return gm_cuda_picture_is(picture) || gm_va_picture_is(picture);
}

static int step_stay(struct gm_hwtest_lane *lane, uint64_t *io_count, struct gm_err *err)
{
    struct state *s = lane->state;
    int rc = gm_hwtest_source_next(s->source, s->picture, err);
    if (rc == 0 && !stays(s->picture)) { /* the ladder takes others, too */
        rc = gm_err_set(err, GM_E_DEVICE_MEMORY, 0,
                        "the driver has no surfaces for decoded pictures that stay");
    }
    rc = rc < 0 ? rc : gm_device_ladder_push(s->ladder, s->picture, s->number, err);
    for (size_t k = 0; rc == 0 && k < GM_HWTEST_RUNGS && s->encoder[k] != NULL; k++) {
        uint64_t others = 0;
        rc = gm_hwtest_large_send(s->encoder[k], gm_device_ladder_get(s->ladder, k), s->number,
                                  s->frame, err);
        if (rc == 0) { /* a picture is done when its smallest rung is */
            rc = gm_hwtest_large_drain(s->encoder[k], s->packet,
                                       k == GM_HWTEST_RUNGS - 1 ? io_count : &others, err);
        }
    }
    av_frame_unref(s->frame);
    s->number++;
    *io_count += rc == 0 && s->encoder[0] == NULL ? 1 : 0;
    return rc;
}

struct gm_hwtest_lane gm_hwtest_stay_lane(const struct gm_hwtest_stay_params *how)
{
    return (struct gm_hwtest_lane){
        .open = open_stay, .step = step_stay, .close = close_stay, .how = how};
}
