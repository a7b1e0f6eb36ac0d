#include "hwtest/reports_io.h"

#include <math.h>
#include <string.h>

void report_init(struct gm_hwtest_report *report)
{
    struct gm_err err;
    struct gm_hwtest_device d = {.id = "0000:3b:00.0",
                                 .uuid = "GPU-1",
                                 .name = "NVIDIA <X>",
                                 .driver = "580.1",
                                 .kind = "nvidia",
                                 .sentence = "GPU 0000:3b:00.0 NVIDIA <X>: decode \"all\""};
    struct gm_hwtest_clip c = {.name = "h264.8",
                               .hash = "00ff",
                               .width_px = 384,
                               .height_px = 216,
                               .frames = 72,
                               .size_bytes = 123456};
    struct gm_hwtest_version v = {
        .device = "0000:3b:00.0", .name = "NVIDIA driver", .version = "580.1 <b>"};
    memset(report, 0, sizeof(*report));
    report->level = 2;
    report->started_unix_ms = 1790000000123;
    report->took_ms = 4321;
    gm_hwtest_set(report->libraries, "libavcodec-59 gopmill-0.1.0");
    gm_hwtest_set(report->machine, "Linux 6.1 x86_64");
    GM_ASSERT(gm_hwtest_add_device(report, &d, &err) == 0);
    GM_ASSERT(gm_hwtest_add_clip(report, &c, &err) == 0);
    GM_ASSERT(gm_hwtest_add_version(report, &v, &err) == 0);
}

struct gm_hwtest_check *report_add(struct gm_hwtest_report *report, const char *device,
                                   const char *name, enum gm_hwtest_status status, double value,
                                   const char *unit)
{
    struct gm_err err;
    struct gm_hwtest_check c = gm_hwtest_check_make(device, name, 2);
    if (!isnan(value)) {
        gm_hwtest_measure(&c, value, unit, NULL, NULL);
        c.better = GM_HWTEST_HIGHER;
    }
    c.status = status;
    GM_ASSERT(gm_hwtest_add(report, &c, &err) == 0);
    return &report->checks[report->check_count - 1];
}

void report_fill(struct gm_hwtest_report *report)
{
    static const char text[] =
        "a <b> & \"c\" 'd' \\ and words enough that a line of a table is too "
        "short for them and has to be broken, perhaps more than once over";
    struct gm_hwtest_check *c = report_add(report, "0000:3b:00.0", "encode.nvenc.h264.8.ssim",
                                           GM_HWTEST_PASS, 0.98765, "SSIM");
    c->has_low = c->has_high = true;
    c->low = 0.95;
    c->high = 1.0;
    c->took_ms = 1500;
    for (int i = 0; i < 72; i++) {
        c->series[c->series_count++] = 0.9f + (float)i / 1000;
    }
    memcpy(c->hash, "abcdef", 7);
    c = report_add(report, "0000:3b:00.0", "decode.nvdec.hevc.10", GM_HWTEST_FAIL, 71, "pictures");
    gm_hwtest_set(c->text, text);
    gm_hwtest_set(c->remedy, "update the driver");
    c = report_add(report, "machine", "note.1", GM_HWTEST_WARN, NAN, "");
    gm_hwtest_set(c->text, text);
    c = report_add(report, "machine", "a.name.that.is.so.long.that.it.fills.its.row.of.the.table.x",
                   GM_HWTEST_SKIP, NAN, "");
    gm_hwtest_set(c->text, text);
    c = report_add(report, "0000:3b:00.0", "decode.nvdec.vp9.8", GM_HWTEST_UNSTABLE, 1234567890.5,
                   "fps");
    gm_hwtest_set(c->text, text);
}
