#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "hwtest/results.h"
#include "node/measured.h"
#include "proto/envelope.h"

/* A report of gopmill-hwtest: what can be read can be written in every format, and its JSON says
 * the same when it is read again; compared with itself nothing is worse. What a node takes of it
 * no scheduler refuses. */

static void write_all(const struct gm_hwtest_report *report)
{
    struct gm_buf out = {0};
    struct gm_err err;
    size_t column = 0;
    gm_hwtest_table(report, &out);
    for (size_t i = 0; i < out.size; i++) {
        column = out.data[i] == '\n' ? 0 : column + 1;
        GM_ASSERT(column <= 80);
    }
    gm_hwtest_junit(report, &out);
    gm_hwtest_html(report, &out);
    GM_ASSERT(gm_buf_check(&out, &err) == 0);
    gm_buf_fini(&out);
}

static void read_again(const struct gm_hwtest_report *report)
{
    struct gm_hwtest_report back = {0};
    struct gm_buf one = {0}, two = {0};
    struct gm_err err;
    gm_hwtest_json(report, &one);
    int rc = gm_hwtest_read(one.data, one.size, &back, &err);
    GM_ASSERT(rc == 0);
    gm_hwtest_json(&back, &two);
    GM_ASSERT(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
    gm_hwtest_report_fini(&back);
    gm_buf_fini(&one);
    gm_buf_fini(&two);
}

/* By a node that has the report's devices, and encodes with them. */
static void take(const struct gm_hwtest_report *report)
{
    static const struct gm_device_codec codec = {
        .api = "nvenc", .codec = "h264", .chroma = 420, .depth = 8};
    struct gm_device_list list = {0};
    struct gm_err err;
    Gm__Hello hello = GM__HELLO__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT, *back = NULL;
    Gm__Capacity capacity = GM__CAPACITY__INIT;
    Gm__Device *devices[4];
    uint8_t *packed = NULL;
    size_t size = 0;
    for (size_t i = 0; i < report->device_count && list.count < 4; i++) {
        const struct gm_hwtest_device *from = &report->devices[i];
        bool cpu = strcmp(from->id, "cpu") == 0;
        struct gm_device *d = NULL;
        int rc = gm_device_get(&list, from->id, cpu ? GM_DEVICE_CPU : GM_DEVICE_NVIDIA, &d, &err);
        GM_ASSERT(rc == 0);
        gm_device_set(d->name, from->name);
        gm_device_set(d->driver, from->driver);
        GM_ASSERT(gm_device_add_codec(d, true, &codec) && gm_device_add_codec(d, false, &codec));
    }
    gm_measured_take(report, "report", report->libraries, &list);
    for (size_t i = 0; i < list.count; i++) {
        int rc = gm_device_to_message(&list.devices[i], &devices[i], &err);
        GM_ASSERT(rc == 0);
        devices[i]->capacity = &capacity;
    }
    hello.node_id = (char *)(uintptr_t) "n";
    hello.devices = devices;
    hello.n_devices = list.count;
    env.version = GM_PROTOCOL_VERSION;
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    if (list.count > 0) {
        int rc = gm_envelope_encode(&env, &packed, &size, &err);
        GM_ASSERT(rc == 0);
        rc = gm_envelope_decode(packed, size, &back, &err);
        GM_ASSERT(rc == 0);
        gm__envelope__free_unpacked(back, NULL);
    }
    free(packed);
    for (size_t i = 0; i < list.count; i++) {
        free(devices[i]);
    }
    gm_device_list_fini(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_hwtest_report report = {0}, same = {0};
    struct gm_err err = {0};
    if (gm_hwtest_read(data, size, &report, &err) < 0) {
        GM_ASSERT(err.text[0] != '\0');
    } else {
        write_all(&report);
        read_again(&report);
        take(&report);
        if (gm_hwtest_read(data, size, &same, &err) == 0 &&
            gm_hwtest_compare(&report, &same, &err) < 0) {
            GM_ASSERT(err.code == GM_E_LIMIT || err.code == GM_E_NOMEM);
        }
    }
    gm_hwtest_report_fini(&report);
    gm_hwtest_report_fini(&same);
    return 0;
}
