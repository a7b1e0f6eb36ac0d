/* What one device makes a second: level 3's work on it, in a process of its own. */
#include "hwtest/lanes.h"
#include "hwtest/meter.h"
#include "hwtest/ramp.h"
#include "hwtest/try.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "node/devices/probe.h"

#define RATE 30.0 /* pictures a second of a stream in real time */
#define SESSIONS_MAX GM_HWTEST_LANES_MAX
#define SESSIONS_MAX_QUICK 16
#define CRF 2600      /* hundredths */
#define IDLE_LOOKS 15 /* the words of watts.idle say it */
#define IDLE_PAUSE_MS 100

/* What the kinds share. */
struct bench {
    const struct gm_hwtest_try *work; /* borrowed */
    struct gm_hwtest_report *report;  /* borrowed */
    struct gm_hwtest_watch *watch;
    const struct gm_hwtest_window *window;
    const char *av_name; /* of the device, by work->api */
    char number[16];
    struct gm_hwtest_pictures pictures;
    struct gm_hwtest_stream stream;
    struct gm_hwtest_lane lanes[GM_HWTEST_LANES_MAX];
    size_t open;           /* of lanes */
    struct gm_err refused; /* why no more lanes could be had; code OK: they could */
};

static const char *words_of(const struct gm_err *why, char *out, size_t size)
{
    (void)snprintf(out, size, "%s: %s", gm_code_get((int)why->code)->id, why->text);
    return out;
}

static struct gm_hwtest_check make(const struct bench *b, const char *name)
{
    return gm_hwtest_check_make(b->work->device, name, 3);
}

static int add(struct bench *b, struct gm_hwtest_check *c, const char *text, struct gm_err *err)
{
    char dead[390];
    c->level = 3;
    if (c->status == GM_HWTEST_FAIL && c->has_value) {
        (void)snprintf(dead, sizeof(dead), "a stream gave no pictures; %.350s", text);
        text = dead;
    }
    gm_hwtest_set(c->text, text);
    return gm_hwtest_add(b->report, c, err);
}

static int add_failed(struct bench *b, const char *name, const struct gm_err *why,
                      struct gm_err *err)
{
    char text[300];
    struct gm_hwtest_check c = make(b, name);
    bool unfit = why->code == GM_E_PIPELINE_UNFIT; /* what its driver never does is no fault */
    c.status = unfit ? GM_HWTEST_SKIP : GM_HWTEST_FAIL;
    gm_hwtest_set(c.remedy, unfit ? "" : gm_code_get((int)why->code)->remedy);
    return add(b, &c, words_of(why, text, sizeof(text)), err);
}

static bool is_full(const struct gm_err *why)
{
    return why->code == GM_E_DEVICE_BUSY || why->code == GM_E_DEVICE_MEMORY;
}

static void make_lanes(struct bench *b, struct gm_hwtest_lane like, unsigned group, size_t from,
                       size_t to)
{
    for (size_t i = from; i < to && i < GM_HWTEST_LANES_MAX; i++) {
        b->lanes[i] = like;
        b->lanes[i].group = group;
    }
}

static void close_lanes(struct bench *b)
{
    gm_hwtest_load_close(b->lanes, b->open);
    b->open = 0;
}

/* Opens up to n of the lanes. A device that is full is no error while there is one: fewer are open
 * then, and b->refused says it. */
static int open_lanes(struct bench *b, size_t n, struct gm_err *why)
{
    size_t opened = b->open;
    if (b->refused.code != GM_OK || n <= b->open) {
        return 0;
    }
    int rc = gm_hwtest_load_open(b->lanes, b->open, n, &opened, why);
    b->open = opened;
    if (rc < 0 && is_full(why) && b->open > 0) {
        b->refused = *why;
        rc = 0;
    }
    return rc;
}

/* Pictures and stream of that height; the pictures go where they are not wanted. */
static int make_clip(struct bench *b, const char *codec, uint32_t depth, uint32_t height_px,
                     bool stream, bool pictures, struct gm_err *why)
{
    uint32_t height = gm_hwtest_large_height(height_px, b->work->quick);
    const struct gm_hwtest_encoding how = {.codec = codec,
                                           .depth = depth,
                                           .crf_centi = CRF,
                                           .width_px = height / 9 * 16,
                                           .height_px = height};
    int rc = gm_hwtest_large(depth, height, &b->pictures, why);
    if (rc == 0 && stream) {
        rc = gm_hwtest_large_stream(&how, &b->pictures, &b->stream, why);
    }
    if (!pictures) {
        gm_hwtest_pictures_fini(&b->pictures);
    }
    return rc;
}

static double pixels(const struct bench *b, uint32_t height_px)
{
    uint32_t height = gm_hwtest_large_height(height_px, b->work->quick);
    uint32_t width = height / 9 * 16;
    return (double)height * (double)width / 1e6;
}

/* Counts of streams side by side: 1, 2, 4 and `engines`, rising. */
static size_t list_counts(uint32_t engines, size_t out[4])
{
    static const size_t usual[] = {1, 2, 4};
    size_t count = 0, last = engines > GM_HWTEST_LANES_MAX ? GM_HWTEST_LANES_MAX : engines;
    bool done = last == 0;
    for (size_t i = 0; i < 3; i++) {
        if (!done && last <= usual[i]) {
            done = true;
            if (last < usual[i]) {
                out[count++] = last;
            }
        }
        out[count++] = usual[i];
    }
    if (!done) {
        out[count++] = last;
    }
    return count;
}

/* Checks NAME.1, .2, ... and NAME.peak, in Mpix/s. The lanes are set and not open.
 * *out_best: streams of the peak. Failures of the device are checks. */
static int climb(struct bench *b, const char *name, size_t *out_best, struct gm_err *err)
{
    size_t counts[4], n = list_counts(b->work->streams, counts);
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    double best = 0.0;
    char full[64], text[390], limit[160] = "";
    *out_best = 0;
    b->refused.code = GM_OK;
    for (size_t i = 0; i < n; i++) {
        if (open_lanes(b, counts[i], &why) < 0) {
            return add_failed(b, name, &why, err);
        }
        if (b->open < counts[i]) {
            break;
        }
        if (gm_hwtest_load_run(b->lanes, counts[i], b->window, b->watch, &load, &why) < 0) {
            if (i > 0 && is_full(&why)) { /* the first pictures needed too much */
                b->refused = why;
                break;
            }
            return add_failed(b, name, &why, err);
        }
        double rate = load.rate[0] * pixels(b, 1080);
        (void)snprintf(full, sizeof(full), "%.55s.%zu", name, counts[i]);
        struct gm_hwtest_check c = make(b, full);
        gm_hwtest_load_measure(&c, rate, "Mpix/s", load.slowest);
        (void)snprintf(text, sizeof(text), "%zu streams at once, %.1f pictures a second together",
                       counts[i], load.rate[0]);
        int rc = add(b, &c, text, err);
        if (rc < 0) {
            return rc;
        }
        if (load.slowest > 0 && rate > best) {
            best = rate;
            *out_best = counts[i];
        }
        gm_hwtest_limit(&load.seen, limit, sizeof(limit));
    }
    (void)snprintf(full, sizeof(full), "%.55s.peak", name);
    struct gm_hwtest_check c = make(b, full);
    gm_hwtest_load_measure(&c, best, "Mpix/s", best);
    (void)snprintf(text, sizeof(text), "with %zu streams; limited by %s", *out_best, limit);
    if (b->refused.code != GM_OK) {
        (void)snprintf(text, sizeof(text), "with %zu streams; another was refused: %.30s: %.200s",
                       *out_best, gm_code_get((int)b->refused.code)->id, b->refused.text);
    }
    return add(b, &c, text, err);
}

/* ---- The kinds. Each adds checks; what the device refuses is one that failed. */

static int run_decoders(struct bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    char name[48], full[64], text[200];
    size_t best = 0;
    (void)snprintf(name, sizeof(name), "decode.%.12s.%.12s.%u", w->api, w->codec, w->depth);
    if (make_clip(b, w->codec, w->depth, 1080, true, false, &why) < 0) {
        return add_failed(b, name, &why, err);
    }
    struct gm_hwtest_source_params how = {.by = GM_HWTEST_BY_ENGINE,
                                          .api = w->api,
                                          .codec = w->codec,
                                          .depth = w->depth,
                                          .device = b->av_name,
                                          .stream = &b->stream};
    make_lanes(b, gm_hwtest_decode_lane(&how), 0, 0, GM_HWTEST_LANES_MAX);
    int rc = climb(b, name, &best, err);
    close_lanes(b);
    if (rc < 0 || best == 0 || strcmp(w->api, "nvdec") != 0) {
        return rc;
    }
    how.by = GM_HWTEST_BY_NVDEC;
    b->refused.code = GM_OK;
    (void)snprintf(full, sizeof(full), "%s.memory", name);
    if (open_lanes(b, best, &why) < 0 ||
        gm_hwtest_load_run(b->lanes, b->open, b->window, b->watch, &load, &why) < 0) {
        return add_failed(b, full, &why, err);
    }
    struct gm_hwtest_check c = make(b, full);
    gm_hwtest_load_measure(&c, load.rate[0] * pixels(b, 1080), "Mpix/s", load.slowest);
    (void)snprintf(text, sizeof(text),
                   "%zu streams as the farm decodes them: each picture is copied to memory",
                   b->open);
    return add(b, &c, text, err);
}

static int run_encoders(struct bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    char name[48];
    size_t best = 0;
    uint32_t height = gm_hwtest_large_height(1080, w->quick);
    (void)snprintf(name, sizeof(name), "encode.%.12s.%.12s.%u", w->api, w->codec, w->depth);
    if (make_clip(b, w->codec, w->depth, 1080, false, true, &why) < 0) {
        return add_failed(b, name, &why, err);
    }
    const struct gm_hwtest_encode_params how = {.encoding = {.chain = w->api,
                                                             .device = b->av_name,
                                                             .codec = w->codec,
                                                             .depth = w->depth,
                                                             .crf_centi = CRF,
                                                             .width_px = height / 9 * 16,
                                                             .height_px = height},
                                                .pictures = &b->pictures};
    make_lanes(b, gm_hwtest_encode_lane(&how), 0, 0, GM_HWTEST_LANES_MAX);
    int rc = climb(b, name, &best, err);
    close_lanes(b);
    return rc;
}

static int run_sessions(struct bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    const size_t most = w->quick ? SESSIONS_MAX_QUICK : SESSIONS_MAX;
    struct gm_err why = {.code = GM_OK};
    char name[48], text[390];
    const struct gm_hwtest_encode_params how = {
        .encoding = {
            .chain = w->api, .device = b->av_name, .codec = "h264", .depth = 8, .crf_centi = CRF}};
    (void)snprintf(name, sizeof(name), "sessions.%.12s", w->api);
    make_lanes(b, gm_hwtest_encode_lane(&how), 0, 0, most);
    int rc = open_lanes(b, most, &why);
    size_t found = b->open;
    close_lanes(b);
    if (rc < 0) {
        return add_failed(b, name, &why, err);
    }
    struct gm_hwtest_check c = make(b, name);
    gm_hwtest_measure(&c, (double)found, "sessions", NULL, NULL);
    c.better = GM_HWTEST_HIGHER;
    (void)snprintf(text, sizeof(text),
                   "none was refused up to %zu encoders of 384x216 at once: no limit was found",
                   most);
    if (b->refused.code != GM_OK) {
        (void)snprintf(text, sizeof(text), "the next encoder was refused: %.30s: %.220s",
                       gm_code_get((int)b->refused.code)->id, b->refused.text);
    }
    return add(b, &c, text, err);
}

static int run_scale(struct bench *b, struct gm_err *err)
{
    static const uint32_t heights[] = {1080, 2160};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        struct gm_err why = {.code = GM_OK};
        struct gm_hwtest_load load = {0};
        char name[32], text[200];
        const struct gm_hwtest_scale_params how = {
            .device = b->work->device, .height_px = heights[i], .quick = b->work->quick};
        (void)snprintf(name, sizeof(name), "scale.cuda.%u", heights[i]);
        make_lanes(b, gm_hwtest_scale_lane(&how), 0, 0, 1);
        int got = open_lanes(b, 1, &why);
        if (got == 0) {
            got = gm_hwtest_load_run(b->lanes, 1, b->window, b->watch, &load, &why);
        }
        close_lanes(b);
        if (got < 0) {
            return add_failed(b, name, &why, err);
        }
        struct gm_hwtest_check c = make(b, name);
        gm_hwtest_load_measure(&c, load.rate[0], "fps", load.slowest);
        (void)snprintf(text, sizeof(text),
                       "the kernel `ladder`, pictures to four rungs; %.1f GB/s of the least bytes",
                       load.rate[0] * (double)gm_hwtest_scale_bytes(heights[i], b->work->quick) /
                           1e9);
        rc = add(b, &c, text, err);
    }
    return rc;
}

static int run_copy(struct bench *b, struct gm_err *err)
{
    static const char *const names[] = {"copy.cuda.up", "copy.cuda.down"};
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        struct gm_err why = {.code = GM_OK};
        double rate = 0.0;
        if (gm_hwtest_copy_rate(b->work->device, i == 0, b->work->quick, &rate, &why) < 0) {
            return add_failed(b, names[i], &why, err);
        }
        struct gm_hwtest_check c = make(b, names[i]);
        gm_hwtest_measure(&c, rate / 1e9, "GB/s", NULL, NULL);
        c.better = GM_HWTEST_HIGHER;
        rc = add(b, &c,
                 i == 0 ? "from pageable memory to the device, one copy at a time"
                        : "from the device to pageable memory, one copy at a time",
                 err);
    }
    return rc;
}

static int add_watts(struct bench *b, const char *name, const struct gm_hwtest_seen *seen,
                     const char *how, struct gm_err *err)
{
    char text[100] = "NVML does not tell it";
    struct gm_hwtest_check c = make(b, name);
    if (seen->has_watts) {
        gm_hwtest_measure(&c, seen->watts, "W", NULL, NULL);
        (void)snprintf(text, sizeof(text), "%s, by NVML; its limit: %.0f W", how,
                       seen->limit_watts);
    } else {
        c.status = GM_HWTEST_SKIP;
    }
    return add(b, &c, text, err);
}

/* The median of looks over more than a second: what ran before may still show in the first. */
static void look_idle(struct bench *b, struct gm_hwtest_seen *out)
{
    const struct timespec pause = {.tv_nsec = (b->work->quick ? 1 : IDLE_PAUSE_MS) * 1000000L};
    double watts[IDLE_LOOKS];
    for (int i = 0; i < IDLE_LOOKS; i++) {
        (void)nanosleep(&pause, NULL);
        gm_hwtest_watch_start(b->watch);
        gm_hwtest_watch_look(b->watch);
        gm_hwtest_watch_get(b->watch, out);
        watts[i] = out->watts;
    }
    out->watts = gm_hwtest_median(watts, IDLE_LOOKS);
}

enum { DECODE, ENCODE, SCALE, ENGINES };

/* Of an engine that works beside others. */
struct part {
    size_t asked, open;
    struct gm_err refused; /* code OK: all are open */
};

static int open_part(struct bench *b, struct gm_hwtest_lane like, int engine, size_t asked,
                     struct part *part, struct gm_err *why)
{
    size_t before = b->open;
    if (asked == 0) {
        return 0;
    }
    make_lanes(b, like, (unsigned)engine, before, before + asked);
    int rc = open_lanes(b, before + asked, why);
    *part = (struct part){.asked = asked, .open = b->open - before, .refused = b->refused};
    b->refused.code = GM_OK; /* the next engine may have room */
    return rc;
}

static int add_part(struct bench *b, int engine, const struct part *part,
                    const struct gm_hwtest_load *load, struct gm_err *err)
{
    static const struct {
        const char *name, *unit, *work;
    } rows[ENGINES] = {{"together.decode", "Mpix/s", ""},
                       {"together.encode", "Mpix/s", ""},
                       {"together.scale", "fps", " of 1080p to four rungs"}};
    char text[390];
    struct gm_hwtest_check c = make(b, rows[engine].name);
    double scale = engine == SCALE ? 1.0 : pixels(b, 1080);
    int n = snprintf(text, sizeof(text), "%zu stream%s%s", part->open, part->open == 1 ? "" : "s",
                     rows[engine].work);
    if (part->refused.code != GM_OK) {
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "; another was refused: %.30s: %.200s",
                       gm_code_get((int)part->refused.code)->id, part->refused.text);
    }
    if (part->open > 0) {
        gm_hwtest_load_measure(&c, load->rate[engine] * scale, rows[engine].unit,
                               load->least[engine]);
    } else {
        c.status = GM_HWTEST_SKIP;
    }
    return add(b, &c, text, err);
}

/* All engines at once, and watts. */
static int run_together(struct bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    struct gm_hwtest_seen idle;
    struct part parts[ENGINES] = {{.asked = 0}};
    bool decodes = w->source != NULL, encodes = w->api[0] != '\0';
    const char *any = encodes ? w->api : decodes ? w->source : "";
    uint32_t height = gm_hwtest_large_height(1080, w->quick);
    size_t decoders = w->streams < 4 ? 4 : w->streams > 16 ? 16 : w->streams;
    look_idle(b, &idle);
    if (make_clip(b, w->codec, 8, 1080, decodes, encodes, &why) < 0) {
        return add_failed(b, "together", &why, err);
    }
    const struct gm_hwtest_source_params decode = {.by = GM_HWTEST_BY_ENGINE,
                                                   .api = w->source,
                                                   .codec = w->codec,
                                                   .depth = 8,
                                                   .device = b->av_name,
                                                   .stream = &b->stream};
    const struct gm_hwtest_encode_params encode = {.encoding = {.chain = w->api,
                                                                .device = b->av_name,
                                                                .codec = w->codec,
                                                                .depth = 8,
                                                                .crf_centi = CRF,
                                                                .width_px = height / 9 * 16,
                                                                .height_px = height},
                                                   .pictures = &b->pictures};
    const struct gm_hwtest_scale_params scale = {
        .device = w->device, .height_px = 1080, .quick = w->quick};
    /* What may be refused comes last. */
    int rc = open_part(b, gm_hwtest_scale_lane(&scale), SCALE, strncmp(any, "nv", 2) == 0 ? 1 : 0,
                       &parts[SCALE], &why);
    if (rc == 0) {
        rc = open_part(b, gm_hwtest_decode_lane(&decode), DECODE, decodes ? decoders : 0,
                       &parts[DECODE], &why);
    }
    if (rc == 0) {
        rc = open_part(b, gm_hwtest_encode_lane(&encode), ENCODE, encodes ? 4 : 0, &parts[ENCODE],
                       &why);
    }
    if (rc == 0) {
        rc = gm_hwtest_load_run(b->lanes, b->open, b->window, b->watch, &load, &why);
    }
    close_lanes(b);
    if (rc < 0) {
        return add_failed(b, "together", &why, err);
    }
    rc = add_watts(b, "watts.idle", &idle, "median of 15 looks", err);
    if (rc == 0) {
        rc = add_watts(b, "watts.together", &load.seen, "mean", err);
    }
    for (int i = 0; rc == 0 && i < ENGINES; i++) {
        rc = parts[i].asked > 0 ? add_part(b, i, &parts[i], &load, err) : 0;
    }
    return rc;
}

/* What the ramp found. broke: of the fewest that did not hold, else of the last try. */
static int report_density(struct bench *b, const char *name, const struct gm_hwtest_ramp *ramp,
                          const struct gm_hwtest_load *broke, bool late, struct gm_err *err)
{
    char text[390], limit[200], slow[80] = "", watts[40] = "";
    struct gm_hwtest_check c = make(b, name);
    gm_hwtest_measure(&c, (double)ramp->good, "streams", NULL, NULL);
    c.better = GM_HWTEST_HIGHER;
    gm_hwtest_limit(&broke->seen, limit, sizeof(limit));
    if (broke->seen.has_watts) {
        (void)snprintf(watts, sizeof(watts), "; %.0f W", broke->seen.watts);
    }
    if (ramp->bad > 0) {
        (void)snprintf(slow, sizeof(slow), "; with %zu the slowest made %.1f", ramp->bad,
                       broke->slowest);
    } else if (b->refused.code != GM_OK) {
        (void)snprintf(limit, sizeof(limit), "the device, which refused another: %.30s: %.130s",
                       gm_code_get((int)b->refused.code)->id, b->refused.text);
    } else {
        (void)snprintf(limit, sizeof(limit), "%s",
                       late ? "the time of this test: it makes more"
                            : "this test, which tries no more (one for each GiB of memory, 64)");
    }
    (void)snprintf(text, sizeof(text),
                   "ladders of four rungs at once, each of at least %.0f a second%s; limited by "
                   "%s%s",
                   RATE, slow, limit, watts);
    if (ramp->good == 0) {
        bool dead = ramp->bad > 0 && !(broke->slowest > 0.0);
        c.status = dead ? GM_HWTEST_FAIL : GM_HWTEST_WARN;
        gm_hwtest_set(c.remedy, "no stream is made in real time by this device alone; a farm makes "
                                "its chunks side by side on several");
    }
    return add(b, &c, text, err);
}

static int run_density(struct bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0}, broke = {0};
    gm_time end = gm_time_now() + (gm_time)w->budget_ms * GM_MS;
    char name[48];
    struct gm_hwtest_ramp ramp = {.most = w->streams > 0 && w->streams < GM_HWTEST_LANES_MAX
                                              ? w->streams
                                              : GM_HWTEST_LANES_MAX};
    (void)snprintf(name, sizeof(name), "density.%.12s.%up30", w->api, w->height_px);
    if (make_clip(b, "h264", 8, w->height_px, true, false, &why) < 0) {
        return add_failed(b, name, &why, err);
    }
    const struct gm_hwtest_ladder_params how = {
        .source = {.by = w->source != NULL ? GM_HWTEST_BY_NVDEC : GM_HWTEST_BY_SOFTWARE,
                   .device = b->av_name,
                   .stream = &b->stream},
        .recipe = {
            .height_px = w->height_px, .quick = w->quick, .chain = w->api, .device = b->av_name}};
    make_lanes(b, gm_hwtest_ladder_lane(&how), 0, 0, GM_HWTEST_LANES_MAX);
    int rc = 0;
    bool late = false;
    for (size_t n; rc == 0 && !late && (n = gm_hwtest_ramp_next(&ramp)) > 0;) {
        rc = open_lanes(b, n, &why);
        if (rc == 0 && b->open < n) {
            ramp.most = b->open;
            continue;
        }
        if (rc == 0) { /* the first pictures may need too much, too */
            rc = gm_hwtest_load_run(b->lanes, n, b->window, b->watch, &load, &why);
        }
        if (rc < 0 && is_full(&why)) {
            b->refused = why;
            rc = 0;
            break;
        }
        gm_hwtest_ramp_add(&ramp, n, load.slowest >= RATE, load.rate[0] / RATE);
        if (ramp.bad == 0 || ramp.bad == n) {
            broke = load;
        }
        late = gm_time_now() >= end;
    }
    close_lanes(b);
    return rc < 0 ? add_failed(b, name, &why, err)
                  : report_density(b, name, &ramp, &broke, late, err);
}

int gm_hwtest_try_device(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err)
{
    static const struct {
        const char *kind;
        int (*run)(struct bench *b, struct gm_err *err);
    } kinds[] = {{"decoders", run_decoders}, {"encoders", run_encoders}, {"sessions", run_sessions},
                 {"scale", run_scale},       {"copy", run_copy},         {"together", run_together},
                 {"density", run_density}};
    struct bench b = {.work = work, .report = report, .window = &gm_hwtest_window_usual};
    const char *api = work->api[0] != '\0' ? work->api : work->source != NULL ? work->source : "";
    struct gm_err why = {.code = GM_OK};
    if (work->quick) {
        b.window = &gm_hwtest_window_quick;
    }
    int rc = gm_hwtest_watch_open(work->device, &b.watch, err);
    if (rc == 0 && api[0] != '\0' &&
        gm_probe_av_name(api, work->device, work->node, b.number, &b.av_name, &why) < 0) {
        rc = add_failed(&b, work->kind, &why, err);
        gm_hwtest_watch_close(&b.watch);
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].kind, work->kind) == 0) {
            rc = kinds[i].run(&b, err);
        }
    }
    close_lanes(&b);
    gm_hwtest_stream_fini(&b.stream);
    gm_hwtest_pictures_fini(&b.pictures);
    gm_hwtest_watch_close(&b.watch);
    return rc;
}
