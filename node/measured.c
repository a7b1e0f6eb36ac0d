#include "node/measured.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fs.h"

#define LEVEL 3         /* of hwtest: capacity */
#define RATE_MAX 0x1p50 /* pixels a second: what a Rate may have (proto/check.c) */
#define UNIX_MS_MAX INT64_C(253402300800000) /* likewise */
#define STREAMS_MAX 64                       /* that hwtest tries on a device at once */
#define STREAMS_MOST (1 << 16)               /* what a Rate may have */
#define REALTIME 30.0                        /* pictures a second of a ladder's stream */

/* Of one device of the report and of the list. */
struct taking {
    const struct gm_hwtest_report *report;
    const char *id; /* in the report */
    struct gm_device *device;
};

static double pixels_of(uint32_t height_px)
{
    return height_px / 9.0 * 16.0 * height_px;
}

/* What the check of that name measured; 0: nothing that counts. */
static double GM_PRINTF(3, 4)
    value_of(const struct taking *t, const char *unit, const char *fmt, ...)
{
    char name[128];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);
    const struct gm_hwtest_check *c = gm_hwtest_find(t->report, t->id, name);
    bool counts = c != NULL && (c->status == GM_HWTEST_PASS || c->status == GM_HWTEST_WARN) &&
                  c->has_value && strcmp(c->unit, unit) == 0;
    return counts && c->value > 0 ? c->value : 0;
}

static uint64_t whole(double rate)
{
    return rate >= 1 && rate <= RATE_MAX ? (uint64_t)rate : 0;
}

static void add(const struct taking *t, const char *what, const struct gm_device_codec *of,
                uint32_t height_px, double one, double all, double streams)
{
    struct gm_device *d = t->device;
    struct gm_device_rate r = {.depth = of->depth,
                               .height_px = height_px,
                               .one = whole(one),
                               .all = whole(all),
                               .streams = streams < STREAMS_MOST ? (uint32_t)(streams + 0.5) : 0};
    if ((r.one == 0 && r.all == 0) || d->rate_count == GM_DEVICE_RATES) {
        return;
    }
    gm_device_set(r.what, what);
    gm_device_set(r.api, of->api);
    gm_device_set(r.codec, of->codec);
    d->rates[d->rate_count++] = r;
}

/* One process of one thread, and as many as the machine has threads: how many those were follows
 * from the part that they make of so many times one. */
static void take_processes(const struct taking *t, const char *what, const char *name,
                           const struct gm_device_codec *of, uint32_t height_px)
{
    double one = value_of(t, "fps", "%s.%s.one", what, name);
    double all = value_of(t, "fps", "%s.%s.all", what, name);
    double part = value_of(t, "of linear", "%s.%s.scaling", what, name);
    double streams = one > 0 && part > 0 ? all / one / part : 0;
    add(t, what, of, height_px, one * pixels_of(height_px), all * pixels_of(height_px), streams);
}

static void take_processor(const struct taking *t)
{
    static const char *const codecs[] = {"h264", "hevc", "av1", "vp9"};
    struct gm_device_codec of = {.api = "software", .depth = 8};
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        gm_device_set(of.codec, codecs[i]);
        take_processes(t, "encode", codecs[i], &of, 1080);
        take_processes(t, "decode", codecs[i], &of, 1080);
    }
    gm_device_set(of.codec, "h264");
    take_processes(t, "ladder", "1080p30", &of, 1080);
    take_processes(t, "ladder", "2160p30", &of, 2160);
}

static void take_codec(const struct taking *t, const char *what, const struct gm_device_codec *of)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s.%s.%s.%u", what, of->api, of->codec, of->depth);
    double one = value_of(t, "Mpix/s", "%s.1", name);
    double all = value_of(t, "Mpix/s", "%s.peak", name);
    unsigned streams = 0;
    for (unsigned n = 1; all > 0 && streams == 0 && n <= STREAMS_MAX; n++) {
        streams = value_of(t, "Mpix/s", "%s.%u", name, n) >= all ? n : 0;
    }
    add(t, what, of, 1080, one * 1e6, all * 1e6, streams);
}

/* Where pictures stay on the device, if the farm can do so there. */
static void take_density(const struct taking *t, const struct gm_device_codec *of,
                         uint32_t height_px)
{
    struct gm_device_codec by = *of;
    bool stays = strcmp(of->api, "nvenc") == 0;
    double n = stays ? value_of(t, "streams", "density.cuda.%up30", height_px) : 0;
    if (n > 0) {
        gm_device_set(by.api, "cuda");
    } else {
        n = value_of(t, "streams", "density.%s.%up30", of->api, height_px);
    }
    add(t, "ladder", &by, height_px, 0, n * REALTIME * pixels_of(height_px), n);
}

static void take_gpu(const struct taking *t)
{
    const struct gm_device *d = t->device;
    for (size_t i = 0; i < d->encode_count; i++) {
        const struct gm_device_codec *of = &d->encode[i];
        if (of->chroma == 420) {
            take_codec(t, "encode", of);
        }
        if (of->chroma == 420 && of->depth == 8 && strcmp(of->codec, "h264") == 0) {
            take_density(t, of, 1080);
            take_density(t, of, 2160);
        }
    }
    for (size_t i = 0; i < d->decode_count; i++) {
        if (d->decode[i].chroma == 420) {
            take_codec(t, "decode", &d->decode[i]);
        }
    }
}

/* The same one by UUID where both have one, else by id: as baselines find theirs. */
static const struct gm_hwtest_device *find(const struct gm_hwtest_report *report,
                                           const struct gm_device *d)
{
    for (size_t i = 0; i < report->device_count; i++) {
        const struct gm_hwtest_device *o = &report->devices[i];
        bool known = d->uuid[0] != '\0' && o->uuid[0] != '\0';
        if (known ? strcmp(d->uuid, o->uuid) == 0 : strcmp(d->id, o->id) == 0) {
            return o;
        }
    }
    return NULL;
}

static void take_device(const struct gm_hwtest_report *report, const char *path,
                        struct gm_device *d)
{
    const struct gm_hwtest_device *o = find(report, d);
    if (o != NULL && (strcmp(o->name, d->name) != 0 || strcmp(o->driver, d->driver) != 0)) {
        (void)gm_device_add_note(NULL, d, GM_NOTE_WARN,
                                 GM_MEASURED_NOTE "%.120s is of `%.60s` with driver `%.40s`, this "
                                                  "is `%.60s` with `%.40s`: measure again",
                                 path, o->name, o->driver, d->name, d->driver);
        return;
    }
    if (o != NULL) {
        const struct taking t = {.report = report, .id = o->id, .device = d};
        (d->kind == GM_DEVICE_CPU ? take_processor : take_gpu)(&t);
    }
    if (d->rate_count > 0) {
        int64_t at = report->started_unix_ms;
        d->measured_unix_ms = at < UNIX_MS_MAX ? at : 0; /* what is no date is not told */
    } else if (d->kind == GM_DEVICE_CPU || d->encode_count + d->decode_count > 0) {
        (void)gm_device_add_note(NULL, d, GM_NOTE_WARN,
                                 GM_MEASURED_NOTE "%.200s has no figures of this device", path);
    }
}

static size_t first_word(const char *text)
{
    return strcspn(text, " ");
}

void gm_measured_take(const struct gm_hwtest_report *report, const char *path,
                      const char *libraries, struct gm_device_list *list)
{
    const char *theirs = report->libraries;
    size_t size = first_word(libraries); /* "libavcodec-59.37.100" */
    if (report->quick) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 GM_MEASURED_NOTE "%.200s is of a run with --short, whose figures "
                                                  "say nothing",
                                 path);
    } else if (report->level < LEVEL) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 GM_MEASURED_NOTE "%.200s is of level %u: figures come with "
                                                  "`gopmill-hwtest --level %d`",
                                 path, report->level, LEVEL);
    } else if (size == 0 || first_word(theirs) != size || strncmp(theirs, libraries, size) != 0) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 GM_MEASURED_NOTE "%.120s was made with `%.*s`, this node has "
                                                  "`%.*s`: measure again",
                                 path, (int)first_word(theirs), theirs, (int)size, libraries);
    } else {
        for (size_t i = 0; i < list->count; i++) {
            take_device(report, path, &list->devices[i]);
        }
    }
}

/* A pipe has no end, and a node must not wait for one. */
static int read_file(const char *path, uint8_t **out, size_t *out_size, struct gm_err *err)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return gm_err_sys(err, errno, "could not find it");
    }
    return S_ISREG(st.st_mode) ? gm_fs_read(path, GM_HWTEST_FILE_MAX, out, out_size, err)
                               : gm_err_set(err, GM_E_INVAL, 0, "it is no regular file");
}

void gm_measured_load(const char *path, const char *libraries, struct gm_device_list *list)
{
    struct gm_hwtest_report report = {0};
    struct gm_err err = {.code = GM_OK};
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = read_file(path, &data, &size, &err);
    if (rc == 0) {
        rc = gm_hwtest_read(data, size, &report, &err);
    }
    free(data);
    if (rc < 0) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 GM_MEASURED_NOTE "%.120s is not used: %.200s", path, err.text);
    } else {
        gm_measured_take(&report, path, libraries, list);
    }
    gm_hwtest_report_fini(&report);
}
