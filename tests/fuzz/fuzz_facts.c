#include "fuzz.h"

#include <string.h>

#include <libavutil/log.h>

#include "media/picture/front.h"
#include "media/picture/front_shape.h"
#include "media/picture/ladder.h"
#include "media/plan/plan.h"
#include "media/source/claims.h"
#include "media/timeline.h"
#include "proto/envelope.h"

/* What inspect says of a source comes from another process, and may be another version's: the plan
 * is made of it without trust. Encoders are not opened here. The first bytes choose options. */

static void follow_times(const Gm__Inspection *facts, const Gm__Policy *policy)
{
    struct gm_timeline t;
    struct gm_timeline_frame frame;
    int64_t last = INT64_MIN;
    AVRational tb = gm_av_rational(facts->video->time_base);
    if (tb.num <= 0 || tb.den <= 0 || policy->segment_gops == 0) {
        return;
    }
    gm_timeline_init(&t, policy, tb, facts->zero);
    for (int64_t i = 0; i < 16; i++) {
        int64_t ts = (int64_t)((uint64_t)facts->video->start_ts +
                               (uint64_t)(i * i) * (uint64_t)facts->video->frames);
        gm_timeline_next(&t, ts, &frame);
        GM_ASSERT(frame.out_ts > last);
        last = frame.out_ts;
        if (frame.segment) {
            (void)gm_timeline_cut(&t, (uint64_t)i);
        }
    }
    GM_ASSERT(gm_timeline_end(&t, facts->video->frames) > last);
}

static int plan_pictures(const Gm__Inspection *facts, Gm__Policy *policy, uint8_t options,
                         struct gm_err *err)
{
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    Gm__ThumbnailsParams images = GM__THUMBNAILS_PARAMS__INIT;
    encode.codec = "h264";
    encode.deinterlace = (options & 1) != 0 ? "on" : "auto";
    encode.burn_subtitles = (options & 2) != 0 ? "auto" : "eng";
    images.format = (options & 4) != 0 ? "webp" : "jpeg";
    images.poster_width = 640;
    struct gm_ladder_shape shape = gm_ladder_shape(facts->video);
    GM_ASSERT(shape.den >= 0);
    int rc = gm_plan_grid(facts->video, policy, err);
    if (rc == 0) {
        follow_times(facts, policy);
        rc = gm_plan_front(facts->video, &encode, policy, err);
    }
    if (rc == 0) {
        rc = gm_plan_burn(facts, encode.burn_subtitles, policy, err);
    }
    if (rc == 0) {
        rc = gm_plan_light(facts->video, policy, err);
    }
    return rc == 0 ? gm_plan_images(facts->video, &images, policy, err) : rc;
}

static int plan(const Gm__Inspection *facts, Gm__Policy *policy, uint8_t options,
                struct gm_err *err)
{
    Gm__AudioParams audio = GM__AUDIO_PARAMS__INIT;
    Gm__SubtitlesParams text = GM__SUBTITLES_PARAMS__INIT;
    audio.codec = "aac";
    audio.bitrate_bps = 128000;
    audio.sample_rate = 48000;
    audio.channels = (options & 8) != 0 ? 6 : 2;
    text.default_language = "ger";
    int rc = 0;
    if (facts->video != NULL && facts->video->time_base != NULL &&
        facts->video->frame_rate != NULL) {
        rc = plan_pictures(facts, policy, options, err);
    }
    if (rc == 0 && (options & 16) != 0) { /* slow: encoders of sound are opened */
        rc = gm_plan_audio(facts, &audio, NULL, policy, err);
    }
    if (rc == 0) {
        rc = gm_plan_text(facts, &text, policy, err);
    }
    if (rc == 0) {
        rc = gm_plan_text_dropped(facts, (options & 32) != 0 ? NULL : "why", policy, err);
    }
    return rc == 0 ? gm_plan_chapters(facts, policy, err) : rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    ProtobufCMessage *facts = NULL;
    const Gm__Policy empty = GM__POLICY__INIT;
    av_log_set_level(AV_LOG_QUIET);
    if (size < 1 || gm_message_decode(&gm__inspection__descriptor, data + 1, size - 1, 1u << 20,
                                      &facts, &err) < 0) {
        return 0;
    }
    Gm__Policy *policy = (Gm__Policy *)gm_message_dup(&empty.base);
    GM_ASSERT(policy != NULL);
    int rc = plan((const Gm__Inspection *)facts, policy, data[0], &err);
    GM_ASSERT(rc == 0 || err.text[0] != '\0');
    gm__policy__free_unpacked(policy, NULL);
    protobuf_c_message_free_unpacked(facts, NULL);
    return 0;
}
