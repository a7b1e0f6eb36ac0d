#ifndef GM_HWTEST_BENCH_H
#define GM_HWTEST_BENCH_H

#include "hwtest/clip.h"
#include "hwtest/load.h"
#include "hwtest/options.h"

/* One piece of level 3's work on a device: its lanes, and the checks that it adds. */
struct gm_hwtest_bench {
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

/* "device.busy: what was said" */
const char *gm_hwtest_refusal(const struct gm_err *why, char out[256]);
/* Sessions or memory of the device are used up: by whatever it works at, not by a fault of it. */
bool gm_hwtest_is_full(const struct gm_err *why);

struct gm_hwtest_check gm_hwtest_bench_check(const struct gm_hwtest_bench *bench, const char *name);
/* Adds the check, with its text. Errors: NOMEM, LIMIT. */
int gm_hwtest_bench_add(struct gm_hwtest_bench *bench, struct gm_hwtest_check *check,
                        const char *text, struct gm_err *err) GM_MUST_CHECK;
/* Adds one of what failed for `why`: SKIP where its driver never does that, else FAIL. Errors:
 * likewise. */
int gm_hwtest_bench_failed(struct gm_hwtest_bench *bench, const char *name,
                           const struct gm_err *why, struct gm_err *err) GM_MUST_CHECK;
/* Adds a WARN: several pieces of work at once have no room. Errors: likewise. */
int gm_hwtest_bench_full(struct gm_hwtest_bench *bench, const char *name, const struct gm_err *why,
                         struct gm_err *err) GM_MUST_CHECK;

/* Lanes [from, to) are like that one; they are not open. */
void gm_hwtest_bench_lanes(struct gm_hwtest_bench *bench, struct gm_hwtest_lane like,
                           unsigned group, size_t from, size_t to);
/* Opens up to n of the lanes. A device that is full is no error while there is one: fewer are open
 * then, bench->refused says it, and no more are asked for until its code is OK again. Errors: of
 * the lanes. */
int gm_hwtest_bench_open(struct gm_hwtest_bench *bench, size_t n, struct gm_err *why) GM_MUST_CHECK;
void gm_hwtest_bench_close(struct gm_hwtest_bench *bench);
/* Makes pictures and stream of that height; the pictures go where they are not wanted. Errors:
 * those of hwtest/large.h. */
int gm_hwtest_bench_clip(struct gm_hwtest_bench *bench, const char *codec, uint32_t depth,
                         uint32_t height_px, bool stream, bool pictures,
                         struct gm_err *why) GM_MUST_CHECK;
/* Millions of a picture of that height. */
double gm_hwtest_bench_pixels(const struct gm_hwtest_bench *bench, uint32_t height_px);

/* try_density.c: how many streams hold at once. Errors: NOMEM, LIMIT. */
int gm_hwtest_try_density(struct gm_hwtest_bench *bench, struct gm_err *err) GM_MUST_CHECK;
/* The same where pictures stay on the device (stay.c). */
int gm_hwtest_try_staying(struct gm_hwtest_bench *bench, struct gm_err *err) GM_MUST_CHECK;
/* try_assist.c: ladders of the processors' that the device decodes for. Errors: likewise. */
int gm_hwtest_try_assist(struct gm_hwtest_bench *bench, struct gm_err *err) GM_MUST_CHECK;

#define GM_HWTEST_CRF 2600 /* of what is encoded; hundredths */

#endif
