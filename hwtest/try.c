#include "hwtest/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/fs.h"
#include "common/time.h"
#include "hwtest/level1.h"
#include "media/av.h"
#include "node/devices/helper.h"

struct gm_hwtest_check gm_hwtest_try_check(const struct gm_hwtest_try *work, const char *what)
{
    char name[64];
    if (work->codec[0] == '\0') {
        (void)snprintf(name, sizeof(name), "%s%s", work->kind, what);
    } else {
        (void)snprintf(name, sizeof(name), "%s.%.12s.%.12s.%u%s", work->kind, work->api,
                       work->codec, work->depth, what);
    }
    return gm_hwtest_check_make(work->device, name, 2);
}

const char *gm_hwtest_try_remedy(const struct gm_hwtest_try *work, const struct gm_err *why)
{
    return why->code == GM_E_MEDIA_VERIFY || why->code == GM_E_MEDIA
               ? gm_hwtest_remedy(work->api[0] == '\0' ? "nvenc" : work->api)
               : gm_code_get((int)why->code)->remedy;
}

int gm_hwtest_try_failed(const struct gm_hwtest_try *work, const struct gm_err *why,
                         struct gm_hwtest_report *report, struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_try_check(work, "");
    c.status = GM_HWTEST_FAIL;
    gm_hwtest_set(c.text, why->text);
    if (why->code == GM_E_PIPELINE_UNFIT) { /* what its driver never does is no fault */
        c.status = GM_HWTEST_SKIP;
        return gm_hwtest_add(report, &c, err);
    }
    gm_hwtest_set(c.remedy, gm_hwtest_try_remedy(work, why));
    return gm_hwtest_add(report, &c, err);
}

static int answer(const struct gm_hwtest_try *work, const struct gm_hwtest_report *report)
{
    struct gm_buf out = {0};
    struct gm_err err = {.code = GM_OK};
    if (work->text) {
        gm_hwtest_table(report, &out);
    } else {
        gm_hwtest_json(report, &out);
    }
    int rc = gm_buf_check(&out, &err);
    if (rc == 0) {
        rc = gm_fs_write_all(work->text ? STDOUT_FILENO : GM_HELPER_RESULT, out.data, out.size,
                             &err);
    }
    gm_buf_fini(&out);
    bool bad = false;
    for (size_t i = 0; work->text && i < report->check_count; i++) {
        enum gm_hwtest_status s = report->checks[i].status;
        bad = bad || s == GM_HWTEST_FAIL || s == GM_HWTEST_UNSTABLE;
    }
    return rc < 0 || bad ? 1 : 0;
}

static int run(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
               struct gm_err *err)
{
    static const struct {
        const char *kind;
        int (*run)(const struct gm_hwtest_try *, struct gm_hwtest_report *, struct gm_err *);
    } kinds[] = {{"decode", gm_hwtest_try_decode},   {"encode", gm_hwtest_try_encode},
                 {"kernels", gm_hwtest_try_kernels}, {"pictures", gm_hwtest_try_pictures},
                 {"rate", gm_hwtest_try_rate},       {"ladder", gm_hwtest_try_ladder}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].kind, work->kind) == 0) {
            return kinds[i].run(work, report, err);
        }
    }
    return gm_hwtest_try_device(work, report, err);
}

int gm_hwtest_try(const struct gm_hwtest_try *work)
{
    struct gm_hwtest_report report = {.level = 2};
    struct gm_err err = {.code = GM_OK};
    gm_time started = gm_time_now();
    if (!gm_helper_can_answer("gopmill-hwtest", work->text)) {
        return GM_EXIT_USAGE;
    }
    if (work->driver != NULL && setenv("LIBVA_DRIVER_NAME", work->driver, 1) != 0) {
        return 1;
    }
    gm_av_init();
    int rc = run(work, &report, &err);
    report.took_ms = (gm_time_now() - started) / GM_MS;
    for (size_t i = 0; i < report.check_count; i++) {
        struct gm_hwtest_check *c = &report.checks[i];
        if (c->took_ms == 0) { /* an even share */
            c->took_ms = (uint32_t)((uint64_t)report.took_ms / report.check_count);
        }
    }
    if (rc < 0) {
        fprintf(stderr, "gopmill-hwtest: %s\n", err.text);
    }
    int status = rc < 0 ? 1 : answer(work, &report);
    gm_hwtest_report_fini(&report);
    return status;
}
