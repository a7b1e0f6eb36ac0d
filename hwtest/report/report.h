#ifndef GM_HWTEST_REPORT_REPORT_H
#define GM_HWTEST_REPORT_REPORT_H

#include "common/err.h"
#include "common/utf8.h"

/* What a hardware test found: plain data, and its reader. Pure, and apart from the rest of hwtest/,
 * so that a node can read what a test of its machine measured (node/measured.h). Texts are
 * printable ASCII, cut where they are too long. Thread: one at a time a report. */
enum gm_hwtest_status {
    GM_HWTEST_PASS,
    GM_HWTEST_WARN, /* usable; somebody should look */
    GM_HWTEST_FAIL,
    GM_HWTEST_SKIP,     /* there is nothing to check, and the text says why */
    GM_HWTEST_UNSTABLE, /* the same work gave different answers: as bad as FAIL */
    GM_HWTEST_STATUSES
};

/* Whose growth is good: what a baseline compares. */
enum gm_hwtest_better { GM_HWTEST_NEITHER, GM_HWTEST_HIGHER, GM_HWTEST_LOWER };

#define GM_HWTEST_SERIES 120
#define GM_HWTEST_CHECKS_MAX 4096 /* of a report */
#define GM_HWTEST_LEVEL_MAX 4     /* that there are names for */

struct gm_hwtest_check {
    char device[64]; /* id of its device; "machine" for none in particular */
    char name[64];   /* "encode.nvenc.h264.8.ssim" */
    uint32_t level;
    enum gm_hwtest_status status;
    bool has_value;
    double value;  /* measured */
    char unit[16]; /* "dB", "SSIM", "fps"; "" a count */
    bool has_low, has_high;
    double low, high; /* what value must lie between */
    enum gm_hwtest_better better;
    char hash[65];    /* SHA-256 of what came out, hex; "" */
    char text[640];   /* what was seen */
    char remedy[240]; /* what to do about it; "" where nothing is */
    uint32_t took_ms;
    size_t series_count;
    float series[GM_HWTEST_SERIES]; /* a value a picture, in the unit; for plots */
};

struct gm_hwtest_device {
    char id[64], uuid[64], name[128], driver[64], kind[16];
    char sentence[400];
    bool fake; /* found by a fake driver */
};

/* Something generated that checks worked on. */
struct gm_hwtest_clip {
    char name[64]; /* "h264.8" */
    char hash[65]; /* SHA-256 of its packets */
    uint32_t width_px, height_px, frames;
    uint64_t size_bytes;
};

/* Of a driver or library that the report was made with. */
struct gm_hwtest_version {
    char device[64]; /* as a check's */
    char name[32];   /* "NVIDIA driver", "libavcodec" */
    char version[160];
};

struct gm_hwtest_report { /* all-zero: empty */
    uint32_t level;
    bool quick; /* --short: figures of level 3 say nothing */
    bool only;  /* --only: levels between 1 and this one were not run */
    int64_t started_unix_ms, took_ms;
    char filter[64];                  /* --device; "": all */
    char libraries[256];              /* "libavcodec-59.37.100 gopmill-0.1.0 media-14 ..." */
    char machine[256];                /* "Linux 6.1.0 x86_64" */
    char baseline[160];               /* which one it was compared with; "" */
    struct gm_hwtest_device *devices; /* owned */
    size_t device_count, device_cap;
    struct gm_hwtest_version *versions; /* owned */
    size_t version_count, version_cap;
    struct gm_hwtest_clip *clips; /* owned */
    size_t clip_count, clip_cap;
    struct gm_hwtest_check *checks; /* owned */
    size_t check_count, check_cap;
};

void gm_hwtest_report_fini(struct gm_hwtest_report *report);
/* Each is copied. Errors: NOMEM; LIMIT more than GM_HWTEST_CHECKS_MAX of them. */
int gm_hwtest_add(struct gm_hwtest_report *report, const struct gm_hwtest_check *check,
                  struct gm_err *err) GM_MUST_CHECK;
int gm_hwtest_add_device(struct gm_hwtest_report *report, const struct gm_hwtest_device *device,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_hwtest_add_version(struct gm_hwtest_report *report, const struct gm_hwtest_version *version,
                          struct gm_err *err) GM_MUST_CHECK;
/* One that is there with the same name and hash is not added again. */
int gm_hwtest_add_clip(struct gm_hwtest_report *report, const struct gm_hwtest_clip *clip,
                       struct gm_err *err) GM_MUST_CHECK;
/* NULL: there is none. */
const struct gm_hwtest_check *gm_hwtest_find(const struct gm_hwtest_report *report,
                                             const char *device, const char *name);
const struct gm_hwtest_device *gm_hwtest_find_device(const struct gm_hwtest_report *report,
                                                     const char *id);
const char *gm_hwtest_status_name(enum gm_hwtest_status status); /* "PASS" */
bool gm_hwtest_status_find(const char *name, enum gm_hwtest_status *out);

/* text into an array of a report. */
#define gm_hwtest_set(field, text) gm_ascii_copy((field), sizeof(field), (text))
/* A check with its names set; all else is zero. */
struct gm_hwtest_check gm_hwtest_check_make(const char *device, const char *name, uint32_t level);

/* read.c: what gm_hwtest_json wrote, by any program of version 1. out: all-zero; fini in any case.
 * Errors: INVAL (no JSON, another version, members of wrong types), NOMEM, LIMIT. */
#define GM_HWTEST_FILE_MAX (16u << 20)
#define GM_HWTEST_VERSION 1
int gm_hwtest_read(const void *data, size_t size, struct gm_hwtest_report *out,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
