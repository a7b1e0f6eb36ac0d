/* WebVTT segments read back. */
#include "media/text/webvtt.h"
#include "media/verify/verify.h"

struct check {
    const struct gm_verify_segment *s;
    uint32_t timescale;
    bool first, last;
    uint32_t cues;
    bool outside;
};

static int take_cue(const struct gm_webvtt_cue *cue, void *arg)
{
    struct check *c = arg;
    __int128 start = (__int128)c->s->meta->start_ts * 1000;
    __int128 end = start + (__int128)c->s->meta->duration_ts * 1000;
    c->cues++;
    c->outside = c->outside || (!c->first && (__int128)cue->end_ms * c->timescale <= start) ||
                 (!c->last && (__int128)cue->start_ms * c->timescale >= end);
    return 0;
}

int gm_verify_text(const struct gm_verify_segment *s, uint32_t timescale, bool first, bool last,
                   struct gm_err *err)
{
    struct check c = {.s = s, .timescale = timescale, .first = first, .last = last};
    struct gm_err cause = {0};
    if (gm_webvtt_read(s->data, s->size, true, take_cue, &c, &cause) < 0) {
        return gm_verify_fail(err, s, "%s", cause.text);
    }
    if (c.cues != s->meta->samples) {
        return gm_verify_fail(err, s, "%u cues instead of %u", c.cues, s->meta->samples);
    }
    return c.outside ? gm_verify_fail(err, s, "a cue shows at another time") : 0;
}
