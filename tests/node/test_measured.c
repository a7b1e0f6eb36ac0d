#include "node/measured.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/fs.h"

#define LIBRARIES "libavcodec-59.37.100 gopmill-0.1.0 media-31"
#define HEAD "{\"hwtest\": 1, \"level\": 3, \"started_unix_ms\": 1763000000000, "
#define OURS "\"libraries\": \"libavcodec-59.37.100 gopmill-0.0.9 media-7\", "
#define CPU "{\"id\": \"cpu\", \"kind\": \"cpu\", \"name\": \"Chip 9\", \"driver\": \"\"}"
#define GPU                                                                                        \
    "{\"id\": \"0000:af:00.0\", \"uuid\": \"GPU-1\", \"kind\": \"nvidia\", \"name\": \"Card\", "   \
    "\"driver\": \"580.1\"}"
#define CHECK(device, name, status, unit, value)                                                   \
    "{\"device\": \"" device "\", \"name\": \"" name "\", \"status\": \"" status                   \
    "\", \"unit\": \"" unit "\", \"value\": " value "}"
#define ONE CHECK("cpu", "encode.h264.one", "PASS", "fps", "30")
#define REPORT(head, devices, checks) head "\"devices\": [" devices "], \"checks\": [" checks "]}"

struct machine {
    struct gm_device_list list;
    struct gm_device devices[3];
};

/* A processor, a GPU that encodes at another address than in GPU, and a display. */
static struct gm_device_list *machine(void)
{
    static struct machine m;
    static const struct gm_device_codec codecs[] = {
        {.api = "nvenc", .codec = "h264", .chroma = 420, .depth = 8},
        {.api = "nvenc", .codec = "h264", .chroma = 444, .depth = 8},
        {.api = "nvenc", .codec = "hevc", .chroma = 420, .depth = 10}};
    memset(&m, 0, sizeof(m));
    gm_device_set(m.devices[0].id, "cpu");
    gm_device_set(m.devices[0].name, "Chip 9");
    m.devices[1].kind = GM_DEVICE_NVIDIA;
    gm_device_set(m.devices[1].id, "0000:3b:00.0");
    gm_device_set(m.devices[1].uuid, "GPU-1");
    gm_device_set(m.devices[1].name, "Card");
    gm_device_set(m.devices[1].driver, "580.1");
    memcpy(m.devices[1].encode, codecs, sizeof(codecs));
    m.devices[1].encode_count = 3;
    m.devices[2].kind = GM_DEVICE_DRM;
    gm_device_set(m.devices[2].id, "platform:display");
    m.list = (struct gm_device_list){.devices = m.devices, .count = 3};
    return &m.list;
}

/* The machine after this text was loaded from a file. */
static struct gm_device_list *load(const void *text, size_t size)
{
    char path[] = "/tmp/gm-measured-XXXXXX";
    struct gm_err err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(gm_fs_write_all(fd, text, size, &err), 0);
    close(fd);
    struct gm_device_list *list = machine();
    gm_measured_load(path, LIBRARIES, list);
    unlink(path);
    return list;
}

static const struct gm_device_rate *find(const struct gm_device *d, const char *what,
                                         const char *codec, uint32_t depth, uint32_t height_px)
{
    for (size_t i = 0; i < d->rate_count; i++) {
        const struct gm_device_rate *r = &d->rates[i];
        if (strcmp(r->what, what) == 0 && strcmp(r->codec, codec) == 0 && r->depth == depth &&
            r->height_px == height_px) {
            return r;
        }
    }
    fail_msg("no %s %s %u", what, codec, depth);
    return NULL;
}

static void has_note(const struct gm_device_note *notes, size_t count, const char *words)
{
    assert_int_equal(count, words == NULL ? 0 : 1);
    if (words != NULL && (strncmp(notes[0].text, GM_MEASURED_NOTE, strlen(GM_MEASURED_NOTE)) != 0 ||
                          strstr(notes[0].text, words) == NULL)) {
        fail_msg("`%s`, wanted `%s`", notes[0].text, words);
    }
}

static void is_unused(const char *text, const char *words)
{
    const struct gm_device_list *list = load(text, strlen(text));
    has_note(list->notes, list->note_count, words);
    for (size_t i = 0; i < list->count; i++) {
        assert_int_equal(list->devices[i].rate_count, 0);
        assert_int_equal(list->devices[i].note_count, 0);
    }
}

struct row {
    const char *device, *name, *status, *unit, *value;
};

/* The machine after a report of these devices and checks. */
static struct gm_device_list *load_rows(const char *devices, const struct row *rows, size_t count)
{
    struct gm_buf text = {0};
    gm_buf_printf(&text, HEAD OURS "\"devices\": [%s], \"checks\": [", devices);
    for (size_t i = 0; i < count; i++) {
        gm_buf_printf(&text, "%s" CHECK("%s", "%s", "%s", "%s", "%s"), i == 0 ? "" : ", ",
                      rows[i].device, rows[i].name, rows[i].status, rows[i].unit, rows[i].value);
    }
    gm_buf_str(&text, "]}");
    struct gm_device_list *list = load(text.data, text.size);
    gm_buf_fini(&text);
    return list;
}

static void a_processors_figures_are_taken(void **state)
{
    static const struct row rows[] = {
        {"cpu", "encode.h264.one", "PASS", "fps", "30"},
        {"cpu", "encode.h264.all", "WARN", "fps", "83.5"},
        {"cpu", "encode.h264.scaling", "PASS", "of linear", "0.7"},
        {"cpu", "decode.av1.one", "PASS", "fps", "100"},
        {"cpu", "ladder.2160p30.all", "PASS", "fps", "12"},
    };
    (void)state;
    const struct gm_device_list *list = load_rows(CPU, rows, sizeof(rows) / sizeof(rows[0]));
    const struct gm_device *cpu = &list->devices[0];
    assert_int_equal(list->note_count + cpu->note_count, 0);
    assert_int_equal(cpu->rate_count, 3);
    assert_int_equal(cpu->measured_unix_ms, 1763000000000);
    const struct gm_device_rate *r = find(cpu, "encode", "h264", 8, 1080);
    assert_string_equal(r->api, "software");
    assert_int_equal(r->one, 30 * 1920 * 1080);
    assert_int_equal(r->all, 167 * 1920 * 1080 / 2);
    assert_int_equal(r->streams, 4);
    r = find(cpu, "decode", "av1", 8, 1080);
    assert_int_equal(r->one, 100 * 1920 * 1080);
    assert_int_equal(r->all, 0);
    assert_int_equal(r->streams, 0);
    r = find(cpu, "ladder", "h264", 8, 2160);
    assert_int_equal(r->one, 0);
    assert_int_equal(r->all, 12 * 3840 * 2160);
}

static void a_gpus_figures_are_taken_by_its_uuid(void **state)
{
    static const char at[] = "0000:af:00.0";
    static const struct row rows[] = {
        {"cpu", "encode.h264.one", "PASS", "fps", "30"},
        {at, "encode.nvenc.h264.8.1", "PASS", "Mpix/s", "250"},
        {at, "encode.nvenc.h264.8.2", "PASS", "Mpix/s", "480"},
        {at, "encode.nvenc.h264.8.4", "PASS", "Mpix/s", "600"},
        {at, "encode.nvenc.h264.8.peak", "PASS", "Mpix/s", "600"},
        {at, "encode.nvenc.hevc.8.peak", "PASS", "Mpix/s", "999"},
        {at, "encode.nvenc.hevc.10.peak", "PASS", "Mpix/s", "333"},
        {at, "density.nvenc.1080p30", "PASS", "streams", "3"},
        {at, "density.nvenc.2160p30", "PASS", "streams", "1"},
        {at, "density.cuda.2160p30", "PASS", "streams", "2"},
    };
    (void)state;
    const struct gm_device_list *list =
        load_rows(CPU ", " GPU, rows, sizeof(rows) / sizeof(rows[0]));
    const struct gm_device *gpu = &list->devices[1];
    assert_int_equal(gpu->note_count, 0);
    assert_int_equal(gpu->rate_count, 4);
    const struct gm_device_rate *r = find(gpu, "encode", "h264", 8, 1080);
    assert_string_equal(r->api, "nvenc");
    assert_int_equal(r->one, 250000000);
    assert_int_equal(r->all, 600000000);
    assert_int_equal(r->streams, 4);
    assert_int_equal(find(gpu, "encode", "hevc", 10, 1080)->all, 333000000);
    assert_int_equal(find(gpu, "ladder", "h264", 8, 1080)->all, 3 * 30 * 1920 * 1080);
    assert_string_equal(find(gpu, "ladder", "h264", 8, 1080)->api, "nvenc");
    assert_int_equal(find(gpu, "ladder", "h264", 8, 2160)->all, 2 * 30 * 3840 * 2160);
    assert_string_equal(find(gpu, "ladder", "h264", 8, 2160)->api, "cuda");
    assert_int_equal(list->devices[2].note_count, 0); /* a display is not missed */
}

static void figures_reach_the_wire(void **state)
{
    (void)state;
    static const char text[] = REPORT(HEAD OURS, CPU, ONE);
    const struct gm_device_list *list = load(text, strlen(text));
    Gm__Device *m = NULL;
    struct gm_err err;
    assert_int_equal(gm_device_to_message(&list->devices[0], &m, &err), 0);
    assert_non_null(m->measured);
    assert_int_equal(m->measured->unix_ms, 1763000000000);
    assert_int_equal(m->measured->n_rates, 1);
    assert_string_equal(m->measured->rates[0]->what, "encode");
    assert_string_equal(m->measured->rates[0]->api, "software");
    assert_string_equal(m->measured->rates[0]->codec, "h264");
    assert_int_equal(m->measured->rates[0]->depth, 8);
    assert_int_equal(m->measured->rates[0]->height, 1080);
    assert_int_equal(m->measured->rates[0]->one, 30 * 1920 * 1080);
    free(m);
    assert_int_equal(gm_device_to_message(&list->devices[1], &m, &err), 0);
    assert_null(m->measured);
    free(m);
}

/* A Hello with it would be refused, and the node with it. */
static void a_date_that_is_none_is_not_told(void **state)
{
    (void)state;
    static const char text[] = REPORT(
        "{\"hwtest\": 1, \"level\": 3, \"started_unix_ms\": 253402300800000, " OURS, CPU, ONE);
    const struct gm_device_list *list = load(text, strlen(text));
    assert_int_equal(list->devices[0].rate_count, 1);
    assert_int_equal(list->devices[0].measured_unix_ms, 0);
}

static void only_checks_that_count_are_taken(void **state)
{
    static const struct row rows[] = {
        {"cpu", "encode.h264.one", "FAIL", "fps", "30"},
        {"cpu", "encode.h264.one", "UNSTABLE", "fps", "30"},
        {"cpu", "encode.h264.one", "SKIP", "fps", "30"},
        {"cpu", "encode.h264.one", "PASS", "Mpix/s", "30"},
        {"cpu", "encode.h264.one", "PASS", "fps", "-30"},
        {"cpu", "encode.h264.one", "PASS", "fps", "0"},
        {"cpu", "encode.h264.one", "PASS", "fps", "1e9"}, /* more than a Rate may have */
        {"cpu", "encode.h264.one", "PASS", "fps", "1e300"},
        {"cpu", "encode.h264.two", "PASS", "fps", "30"},
        {"gpu", "encode.h264.one", "PASS", "fps", "30"},
        {"cpu", "encode.nvenc.h264.8.1", "PASS", "Mpix/s", "30"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct gm_device_list *list = load_rows(CPU, &rows[i], 1);
        assert_int_equal(list->devices[0].rate_count, 0);
        has_note(list->devices[0].notes, list->devices[0].note_count, "no figures of this device");
    }
}

static void a_report_that_says_nothing_is_not_used(void **state)
{
    (void)state;
    is_unused("", "is not used: line");
    is_unused("{\"hwtest\": 1", "is not used: line");
    is_unused("[]", "no report of gopmill-hwtest");
    is_unused("{\"hwtest\": 2}", "version 2, not 1");
    is_unused("{\"hwtest\": 1, \"level\": 9}", "`level`");
    is_unused(REPORT(HEAD OURS, "7", ONE), "`id`");
    is_unused(REPORT(HEAD OURS, CPU, "{\"device\": \"cpu\", \"name\": \"x\"}"), "`status`");
    is_unused(REPORT(HEAD OURS "\"short\": true, ", CPU, ONE), "--short");
    is_unused(REPORT("{\"hwtest\": 1, \"level\": 2, " OURS, CPU, ONE), "--level 3");
    is_unused(REPORT(HEAD, CPU, ONE), "this node has `libavcodec-59.37.100`: measure again");
    is_unused(REPORT(HEAD "\"libraries\": \"libavcodec-59.37.1000 x\", ", CPU, ONE),
              "made with `libavcodec-59.37.1000`");
    is_unused(REPORT(HEAD "\"libraries\": \"libavcodec-59.37.10 x\", ", CPU, ONE),
              "made with `libavcodec-59.37.10`");
}

static void another_chip_or_driver_costs_the_devices_figures(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"id\": \"cpu\", \"name\": \"Chip 8\", \"driver\": \"\"}",
        "{\"id\": \"cpu\", \"name\": \"Chip 9\", \"driver\": \"1\"}", "{\"id\": \"gpu\"}"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), REPORT(HEAD OURS, "%s", ONE), others[i]);
        const struct gm_device_list *list = load(text, strlen(text));
        assert_int_equal(list->note_count, 0);
        assert_int_equal(list->devices[0].rate_count, 0);
        has_note(list->devices[0].notes, list->devices[0].note_count,
                 i < 2 ? "measure again" : "no figures of this device");
        has_note(list->devices[1].notes, list->devices[1].note_count, "no figures");
    }
}

static void what_is_no_file_costs_the_figures_alone(void **state)
{
    (void)state;
    char folder[] = "/tmp/gm-measured-XXXXXX", pipe[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(pipe, sizeof(pipe), "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    const char *const paths[] = {"/nowhere/report.json", folder, pipe, "/dev/zero"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct gm_device_list *list = machine();
        gm_measured_load(paths[i], LIBRARIES, list);
        has_note(list->notes, list->note_count, i == 0 ? "could not find it" : "no regular file");
        assert_int_equal(list->devices[0].rate_count, 0);
    }
    unlink(pipe);
    rmdir(folder);
}

static void a_file_has_a_limit(void **state)
{
    (void)state;
    size_t size = GM_HWTEST_FILE_MAX;
    static const char text[] = REPORT(HEAD OURS, CPU, ONE);
    char *data = malloc(size + 1);
    assert_non_null(data);
    memset(data, ' ', size + 1);
    memcpy(data, text, strlen(text));
    assert_int_equal(load(data, size)->devices[0].rate_count, 1);
    const struct gm_device_list *list = load(data, size + 1);
    assert_int_equal(list->devices[0].rate_count, 0);
    has_note(list->notes, list->note_count, "is not used");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_processors_figures_are_taken),
        cmocka_unit_test(a_gpus_figures_are_taken_by_its_uuid),
        cmocka_unit_test(figures_reach_the_wire),
        cmocka_unit_test(a_date_that_is_none_is_not_told),
        cmocka_unit_test(only_checks_that_count_are_taken),
        cmocka_unit_test(a_report_that_says_nothing_is_not_used),
        cmocka_unit_test(another_chip_or_driver_costs_the_devices_figures),
        cmocka_unit_test(what_is_no_file_costs_the_figures_alone),
        cmocka_unit_test(a_file_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
