#include "hwtest/lanes.h"

#include <stdlib.h>

/* One state for the three: what a lane does not need is NULL. */
struct state {
    struct gm_hwtest_source *source;
    struct gm_encoder *encoder;
    struct gm_hwtest_recipe *recipe;
    AVFrame *frame;
    AVPacket *packet;
    int64_t number;
};

static void close_lane(struct gm_hwtest_lane *lane)
{
    struct state *s = lane->state;
    gm_hwtest_source_close(&s->source);
    gm_encoder_close(&s->encoder);
    gm_hwtest_recipe_close(&s->recipe);
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
    free(s);
    lane->state = NULL;
}

static int make_state(struct gm_hwtest_lane *lane, struct state **out, struct gm_err *err)
{
    struct state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    lane->state = s;
    s->frame = av_frame_alloc();
    s->packet = av_packet_alloc();
    if (s->frame == NULL || s->packet == NULL) {
        close_lane(lane);
        return gm_err_nomem(err);
    }
    *out = s;
    return 0;
}

static int opened(struct gm_hwtest_lane *lane, int rc)
{
    if (rc < 0) {
        close_lane(lane);
    }
    return rc;
}

static int open_decode(struct gm_hwtest_lane *lane, struct gm_err *err)
{
    struct state *s = NULL;
    int rc = make_state(lane, &s, err);
    return rc < 0 ? rc : opened(lane, gm_hwtest_source_open(lane->how, &s->source, err));
}

static int step_decode(struct gm_hwtest_lane *lane, uint64_t *io_count, struct gm_err *err)
{
    struct state *s = lane->state;
    int rc = gm_hwtest_source_next(s->source, s->frame, err);
    *io_count += rc == 0 ? 1 : 0;
    return rc;
}

struct gm_hwtest_lane gm_hwtest_decode_lane(const struct gm_hwtest_source_params *how)
{
    return (struct gm_hwtest_lane){
        .open = open_decode, .step = step_decode, .close = close_lane, .how = how};
}

static int open_encode(struct gm_hwtest_lane *lane, struct gm_err *err)
{
    const struct gm_hwtest_encode_params *how = lane->how;
    struct state *s = NULL;
    int rc = make_state(lane, &s, err);
    return rc < 0 ? rc : opened(lane, gm_hwtest_open_encoder(&how->encoding, &s->encoder, err));
}

static int step_encode(struct gm_hwtest_lane *lane, uint64_t *io_count, struct gm_err *err)
{
    const struct gm_hwtest_encode_params *how = lane->how;
    struct state *s = lane->state;
    const AVFrame *picture = how->pictures->frame[s->number % how->pictures->count];
    int rc = gm_hwtest_large_send(s->encoder, picture, s->number++, s->frame, err);
    return rc == 0 ? gm_hwtest_large_drain(s->encoder, s->packet, io_count, err) : rc;
}

struct gm_hwtest_lane gm_hwtest_encode_lane(const struct gm_hwtest_encode_params *how)
{
    return (struct gm_hwtest_lane){
        .open = open_encode, .step = step_encode, .close = close_lane, .how = how};
}

static int open_ladder(struct gm_hwtest_lane *lane, struct gm_err *err)
{
    const struct gm_hwtest_ladder_params *how = lane->how;
    struct state *s = NULL;
    int rc = make_state(lane, &s, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_hwtest_source_open(&how->source, &s->source, err);
    if (rc == 0) {
        rc = gm_hwtest_recipe_open(&how->recipe, &s->recipe, err);
    }
    return opened(lane, rc);
}

static int step_ladder(struct gm_hwtest_lane *lane, uint64_t *io_count, struct gm_err *err)
{
    struct state *s = lane->state;
    int rc = gm_hwtest_source_next(s->source, s->frame, err);
    return rc == 0 ? gm_hwtest_recipe_push(s->recipe, s->frame, io_count, err) : rc;
}

struct gm_hwtest_lane gm_hwtest_ladder_lane(const struct gm_hwtest_ladder_params *how)
{
    return (struct gm_hwtest_lane){
        .open = open_ladder, .step = step_ladder, .close = close_lane, .how = how};
}
