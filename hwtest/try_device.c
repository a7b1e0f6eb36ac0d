/* What one device makes a second: level 3's work on it, in a process of its own. */
#include "hwtest/bench.h"
#include "hwtest/lanes.h"
#include "hwtest/meter.h"
#include "hwtest/try.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "node/devices/probe.h"

#define SESSIONS_MAX 64
#define SESSIONS_MAX_QUICK 16
#define IDLE_LOOKS 15 /* the words of watts.idle say it */
#define IDLE_PAUSE_MS 100

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
static int climb(struct gm_hwtest_bench *b, const char *name, size_t *out_best, struct gm_err *err)
{
    size_t counts[4], n = list_counts(b->work->streams, counts);
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    double best = 0.0;
    char full[64], text[390], refusal[256], limit[160] = "";
    *out_best = 0;
    b->refused.code = GM_OK;
    for (size_t i = 0; i < n; i++) {
        if (gm_hwtest_bench_open(b, counts[i], &why) < 0) {
            return gm_hwtest_bench_failed(b, name, &why, err);
        }
        if (b->open < counts[i]) {
            break;
        }
        if (gm_hwtest_load_run(b->lanes, counts[i], b->window, b->watch, &load, &why) < 0) {
            if (i > 0 && gm_hwtest_is_full(&why)) { /* the first pictures needed too much */
                b->refused = why;
                break;
            }
            return gm_hwtest_bench_failed(b, name, &why, err);
        }
        double rate = load.rate[0] * gm_hwtest_bench_pixels(b, 1080);
        (void)snprintf(full, sizeof(full), "%.55s.%zu", name, counts[i]);
        struct gm_hwtest_check c = gm_hwtest_bench_check(b, full);
        gm_hwtest_load_measure(&c, rate, "Mpix/s", load.slowest);
        (void)snprintf(text, sizeof(text), "%zu streams at once, %.1f pictures a second together",
                       counts[i], load.rate[0]);
        int rc = gm_hwtest_bench_add(b, &c, text, err);
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
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, full);
    gm_hwtest_load_measure(&c, best, "Mpix/s", best);
    (void)snprintf(text, sizeof(text), "with %zu streams; limited by %s", *out_best, limit);
    if (b->refused.code != GM_OK) {
        (void)snprintf(text, sizeof(text), "with %zu streams; another was refused: %s", *out_best,
                       gm_hwtest_refusal(&b->refused, refusal));
    }
    return gm_hwtest_bench_add(b, &c, text, err);
}

/* ---- The kinds. Each adds checks; what the device refuses is one that failed. */

static int run_decoders(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    char name[48], full[64], text[200];
    size_t best = 0;
    (void)snprintf(name, sizeof(name), "decode.%.12s.%.12s.%u", w->api, w->codec, w->depth);
    if (gm_hwtest_bench_clip(b, w->codec, w->depth, 1080, true, false, &why) < 0) {
        return gm_hwtest_bench_failed(b, name, &why, err);
    }
    struct gm_hwtest_source_params how = {.by = GM_HWTEST_BY_ENGINE,
                                          .api = w->api,
                                          .codec = w->codec,
                                          .depth = w->depth,
                                          .device = b->av_name,
                                          .stream = &b->stream};
    gm_hwtest_bench_lanes(b, gm_hwtest_decode_lane(&how), 0, 0, GM_HWTEST_LANES_MAX);
    int rc = climb(b, name, &best, err);
    gm_hwtest_bench_close(b);
    if (rc < 0 || best == 0 || strcmp(w->api, "nvdec") != 0) {
        return rc;
    }
    how.by = GM_HWTEST_BY_FARM;
    b->refused.code = GM_OK;
    (void)snprintf(full, sizeof(full), "%s.memory", name);
    if (gm_hwtest_bench_open(b, best, &why) < 0 ||
        gm_hwtest_load_run(b->lanes, b->open, b->window, b->watch, &load, &why) < 0) {
        return gm_hwtest_is_full(&why) && best > 1 ? gm_hwtest_bench_full(b, full, &why, err)
                                                   : gm_hwtest_bench_failed(b, full, &why, err);
    }
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, full);
    gm_hwtest_load_measure(&c, load.rate[0] * gm_hwtest_bench_pixels(b, 1080), "Mpix/s",
                           load.slowest);
    (void)snprintf(text, sizeof(text),
                   "%zu streams as the farm decodes them: each picture is copied to memory",
                   b->open);
    return gm_hwtest_bench_add(b, &c, text, err);
}

static int run_encoders(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    char name[48];
    size_t best = 0;
    uint32_t height = gm_hwtest_large_height(1080, w->quick);
    (void)snprintf(name, sizeof(name), "encode.%.12s.%.12s.%u", w->api, w->codec, w->depth);
    if (gm_hwtest_bench_clip(b, w->codec, w->depth, 1080, false, true, &why) < 0) {
        return gm_hwtest_bench_failed(b, name, &why, err);
    }
    const struct gm_hwtest_encode_params how = {.encoding = {.chain = w->api,
                                                             .device = b->av_name,
                                                             .codec = w->codec,
                                                             .depth = w->depth,
                                                             .crf_centi = GM_HWTEST_CRF,
                                                             .width_px = height / 9 * 16,
                                                             .height_px = height},
                                                .pictures = &b->pictures};
    gm_hwtest_bench_lanes(b, gm_hwtest_encode_lane(&how), 0, 0, GM_HWTEST_LANES_MAX);
    int rc = climb(b, name, &best, err);
    gm_hwtest_bench_close(b);
    return rc;
}

static int run_sessions(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    const size_t most = w->quick ? SESSIONS_MAX_QUICK : SESSIONS_MAX;
    struct gm_err why = {.code = GM_OK};
    char name[48], text[390], refusal[256];
    const struct gm_hwtest_encode_params how = {.encoding = {.chain = w->api,
                                                             .device = b->av_name,
                                                             .codec = "h264",
                                                             .depth = 8,
                                                             .crf_centi = GM_HWTEST_CRF}};
    (void)snprintf(name, sizeof(name), "sessions.%.12s", w->api);
    gm_hwtest_bench_lanes(b, gm_hwtest_encode_lane(&how), 0, 0, most);
    int rc = gm_hwtest_bench_open(b, most, &why);
    size_t found = b->open;
    gm_hwtest_bench_close(b);
    if (rc < 0) {
        return gm_hwtest_bench_failed(b, name, &why, err);
    }
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, name);
    gm_hwtest_measure(&c, (double)found, "sessions", NULL, NULL);
    c.better = GM_HWTEST_HIGHER;
    (void)snprintf(text, sizeof(text),
                   "none was refused up to %zu encoders of 384x216 at once: no limit was found",
                   most);
    if (b->refused.code != GM_OK) {
        (void)snprintf(text, sizeof(text), "the next encoder was refused: %s",
                       gm_hwtest_refusal(&b->refused, refusal));
    }
    return gm_hwtest_bench_add(b, &c, text, err);
}

static int run_scale(struct gm_hwtest_bench *b, struct gm_err *err)
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
        gm_hwtest_bench_lanes(b, gm_hwtest_scale_lane(&how), 0, 0, 1);
        int got = gm_hwtest_bench_open(b, 1, &why);
        if (got == 0) {
            got = gm_hwtest_load_run(b->lanes, 1, b->window, b->watch, &load, &why);
        }
        gm_hwtest_bench_close(b);
        if (got < 0) {
            return gm_hwtest_bench_failed(b, name, &why, err);
        }
        struct gm_hwtest_check c = gm_hwtest_bench_check(b, name);
        gm_hwtest_load_measure(&c, load.rate[0], "fps", load.slowest);
        (void)snprintf(text, sizeof(text),
                       "the kernel `ladder`, pictures to four rungs; %.1f GB/s of the least bytes",
                       load.rate[0] * (double)gm_hwtest_scale_bytes(heights[i], b->work->quick) /
                           1e9);
        rc = gm_hwtest_bench_add(b, &c, text, err);
    }
    return rc;
}

static int run_copy(struct gm_hwtest_bench *b, struct gm_err *err)
{
    static const struct {
        const char *name, *text;
        bool up, pinned;
    } rows[] = {
        {"copy.cuda.up", "from pageable memory to the device, one copy at a time", true, false},
        {"copy.cuda.down", "from the device to pageable memory, one copy at a time", false, false},
        {"copy.cuda.up.pinned", "from page-locked memory to the device, one copy at a time", true,
         true},
        {"copy.cuda.down.pinned", "from the device to page-locked memory, one copy at a time",
         false, true}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct gm_hwtest_copy how = {.device = b->work->device,
                                           .up = rows[i].up,
                                           .pinned = rows[i].pinned,
                                           .quick = b->work->quick};
        struct gm_err why = {.code = GM_OK};
        double rate = 0.0;
        if (gm_hwtest_copy_rate(&how, &rate, &why) < 0) {
            return how.pinned && gm_hwtest_is_full(&why)
                       ? gm_hwtest_bench_full(b, rows[i].name, &why, err)
                       : gm_hwtest_bench_failed(b, rows[i].name, &why, err);
        }
        struct gm_hwtest_check c = gm_hwtest_bench_check(b, rows[i].name);
        gm_hwtest_measure(&c, rate / 1e9, "GB/s", NULL, NULL);
        c.better = GM_HWTEST_HIGHER;
        rc = gm_hwtest_bench_add(b, &c, rows[i].text, err);
    }
    return rc;
}

static int add_watts(struct gm_hwtest_bench *b, const char *name, const struct gm_hwtest_seen *seen,
                     const char *how, struct gm_err *err)
{
    char text[100] = "neither NVML nor the kernel's hwmon tells it";
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, name);
    if (seen->has_watts) {
        gm_hwtest_measure(&c, seen->watts, "W", NULL, NULL);
        (void)snprintf(text, sizeof(text), "%s, by NVML or hwmon; its limit: %.0f W", how,
                       seen->limit_watts);
    } else {
        c.status = GM_HWTEST_SKIP;
    }
    return gm_hwtest_bench_add(b, &c, text, err);
}

/* The median of looks over more than a second: what ran before may still show in the first. */
static void look_idle(struct gm_hwtest_bench *b, struct gm_hwtest_seen *out)
{
    const struct timespec pause = {.tv_nsec = (b->work->quick ? 1 : IDLE_PAUSE_MS) * 1000000L};
    double watts[IDLE_LOOKS];
    for (int i = 0; i < IDLE_LOOKS; i++) {
        gm_hwtest_watch_start(b->watch);
        (void)nanosleep(&pause, NULL);
        gm_hwtest_watch_look(b->watch);
        gm_hwtest_watch_get(b->watch, out);
        watts[i] = out->watts;
    }
    out->watts = gm_hwtest_median(watts, IDLE_LOOKS);
}

enum { DECODE, ENCODE, SCALE, ENGINES };

/* Of an engine that works beside others. */
struct part {
    struct gm_hwtest_lane like;
    size_t asked, open;
    struct gm_err refused; /* code OK: all are open */
};

/* Opens what there is room for of one engine; none is no error either. */
static int open_part(struct gm_hwtest_bench *b, int engine, struct part *part, struct gm_err *why)
{
    size_t before = b->open, n = before + part->asked;
    gm_hwtest_bench_lanes(b, part->like, (unsigned)engine, before, n);
    int rc = gm_hwtest_bench_open(b, n, why);
    part->open = b->open - before;
    if (rc < 0 && gm_hwtest_is_full(why)) {
        b->refused = *why;
        rc = 0;
    }
    if (b->refused.code != GM_OK) {
        part->refused = b->refused;
        b->refused.code = GM_OK; /* the next engine may have room */
    }
    return rc;
}

/* Half of what is asked for, where that is several streams. False: there is no less. */
static bool ask_less(struct part *parts, const struct gm_err *why)
{
    bool less = false;
    for (int i = 0; i < ENGINES; i++) {
        if (parts[i].asked > 1) {
            parts[i].asked = parts[i].open > 2 ? parts[i].open / 2 : 1;
            parts[i].refused = *why;
            less = true;
        }
    }
    return less;
}

/* All at once, fewer where their pictures have no room. Errors: of the lanes; *why is one of a full
 * device where not even one of each has room. */
static int load_together(struct gm_hwtest_bench *b, struct part *parts, struct gm_hwtest_load *load,
                         struct gm_err *why)
{
    static const int order[ENGINES] = {SCALE, DECODE, ENCODE}; /* what may be refused comes last */
    int rc;
    do {
        rc = 0;
        for (int i = 0; rc == 0 && i < ENGINES; i++) {
            rc = open_part(b, order[i], &parts[order[i]], why);
        }
        if (rc == 0 && b->open == 0) {
            return -(int)why->code;
        }
        if (rc == 0) {
            rc = gm_hwtest_load_run(b->lanes, b->open, b->window, b->watch, load, why);
        }
        gm_hwtest_bench_close(b);
    } while (rc < 0 && gm_hwtest_is_full(why) && ask_less(parts, why));
    return rc;
}

static int add_part(struct gm_hwtest_bench *b, int engine, const struct part *part,
                    const struct gm_hwtest_load *load, struct gm_err *err)
{
    static const struct {
        const char *name, *unit, *work;
    } rows[ENGINES] = {{"together.decode", "Mpix/s", ""},
                       {"together.encode", "Mpix/s", ""},
                       {"together.scale", "fps", " of 1080p to four rungs"}};
    char text[390], refusal[256];
    struct gm_hwtest_check c = gm_hwtest_bench_check(b, rows[engine].name);
    double scale = engine == SCALE ? 1.0 : gm_hwtest_bench_pixels(b, 1080);
    int n = snprintf(text, sizeof(text), "%zu stream%s%s", part->open, part->open == 1 ? "" : "s",
                     rows[engine].work);
    if (part->refused.code != GM_OK) {
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "; another was refused: %s",
                       gm_hwtest_refusal(&part->refused, refusal));
    }
    if (part->open > 0) {
        gm_hwtest_load_measure(&c, load->rate[engine] * scale, rows[engine].unit,
                               load->least[engine]);
    } else {
        c.status = GM_HWTEST_SKIP;
    }
    return gm_hwtest_bench_add(b, &c, text, err);
}

/* All engines at once, and watts. */
static int run_together(struct gm_hwtest_bench *b, struct gm_err *err)
{
    const struct gm_hwtest_try *w = b->work;
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_load load = {0};
    struct gm_hwtest_seen idle;
    bool decodes = w->source != NULL, encodes = w->api[0] != '\0';
    const char *any = encodes ? w->api : decodes ? w->source : "";
    uint32_t height = gm_hwtest_large_height(1080, w->quick);
    size_t decoders = w->streams < 4 ? 4 : w->streams > 16 ? 16 : w->streams;
    look_idle(b, &idle);
    if (gm_hwtest_bench_clip(b, w->codec, 8, 1080, decodes, encodes, &why) < 0) {
        return gm_hwtest_bench_failed(b, "together", &why, err);
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
                                                                .crf_centi = GM_HWTEST_CRF,
                                                                .width_px = height / 9 * 16,
                                                                .height_px = height},
                                                   .pictures = &b->pictures};
    const struct gm_hwtest_scale_params scale = {
        .device = w->device, .height_px = 1080, .quick = w->quick};
    struct part parts[ENGINES] = {
        [DECODE] = {.like = gm_hwtest_decode_lane(&decode), .asked = decodes ? decoders : 0},
        [ENCODE] = {.like = gm_hwtest_encode_lane(&encode), .asked = encodes ? 4 : 0},
        [SCALE] = {.like = gm_hwtest_scale_lane(&scale),
                   .asked = strncmp(any, "nv", 2) == 0 ? 1 : 0}};
    if (load_together(b, parts, &load, &why) < 0) {
        return gm_hwtest_is_full(&why) ? gm_hwtest_bench_full(b, "together", &why, err)
                                       : gm_hwtest_bench_failed(b, "together", &why, err);
    }
    int rc = add_watts(b, "watts.idle", &idle, "median of 15 looks", err);
    if (rc == 0) {
        rc = add_watts(b, "watts.together", &load.seen, "mean", err);
    }
    for (int i = 0; rc == 0 && i < ENGINES; i++) {
        rc = parts[i].asked > 0 ? add_part(b, i, &parts[i], &load, err) : 0;
    }
    return rc;
}

int gm_hwtest_try_device(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err)
{
    static const struct {
        const char *kind;
        int (*run)(struct gm_hwtest_bench *b, struct gm_err *err);
    } kinds[] = {{"decoders", run_decoders},
                 {"encoders", run_encoders},
                 {"sessions", run_sessions},
                 {"scale", run_scale},
                 {"copy", run_copy},
                 {"together", run_together},
                 {"density", gm_hwtest_try_density},
                 {"staying", gm_hwtest_try_staying},
                 {"assist", gm_hwtest_try_assist}};
    struct gm_hwtest_bench b = {.work = work, .report = report, .window = &gm_hwtest_window_usual};
    const char *api = work->api[0] != '\0' ? work->api : work->source != NULL ? work->source : "";
    struct gm_err why = {.code = GM_OK};
    if (work->quick) {
        b.window = &gm_hwtest_window_quick;
    }
    int rc = gm_hwtest_watch_open(work->device, &b.watch, err);
    if (rc == 0 && api[0] != '\0' &&
        gm_probe_av_name(api, work->device, work->node, b.number, &b.av_name, &why) < 0) {
        rc = gm_hwtest_bench_failed(&b, work->kind, &why, err);
        gm_hwtest_watch_close(&b.watch);
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].kind, work->kind) == 0) {
            rc = kinds[i].run(&b, err);
        }
    }
    gm_hwtest_bench_close(&b);
    gm_hwtest_stream_fini(&b.stream);
    gm_hwtest_pictures_fini(&b.pictures);
    gm_hwtest_watch_close(&b.watch);
    return rc;
}
