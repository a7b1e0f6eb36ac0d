#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/print.h"

/* What `print` makes of the JSON; single quotes stand for double ones. */
static char *printed(void (*print)(FILE *, const json_t *), const char *json)
{
    char *text = strdup(json), *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    assert_non_null(text);
    assert_non_null(file);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    json_error_t error;
    json_t *j = json_loads(text, 0, &error);
    if (j == NULL) {
        fail_msg("%s at %d", error.text, error.position);
    }
    print(file, j);
    assert_int_equal(fclose(file), 0);
    json_decref(j);
    free(text);
    return out;
}

static void has(const char *text, const char *line)
{
    if (strstr(text, line) == NULL) {
        fail_msg("`%s` is not in:\n%s", line, text);
    }
}

static void a_plan_tells_why_shapes_differ(void **state)
{
    static const struct {
        const char *video, *line;
    } rows[] = {
        {"'width': 640, 'height': 360, 'rotation': 0, 'sample_aspect': {'num': 2, 'den': 1}",
         "video        h264 640x360, pixels 2:1, 25 fps\n"},
        {"'width': 1280, 'height': 720, 'rotation': 90, 'sample_aspect': {'num': 1, 'den': 1}",
         "video        h264 1280x720, turned by 90 degrees, 25 fps\n"},
        {"'width': 640, 'height': 360, 'rotation': 0, 'sample_aspect': null",
         "video        h264 640x360, 25 fps\n"},
        {"'width': 640, 'height': 360, 'rotation': 0, 'sample_aspect': {'num': 0, 'den': 1}",
         "video        h264 640x360, 25 fps\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char json[512];
        (void)snprintf(json, sizeof(json),
                       "{'source': {'name': 'a', 'video': {'codec': 'h264', 'constant_rate': true, "
                       "'frame_rate': {'num': 25, 'den': 1}, %s}}, 'plan': {}}",
                       rows[i].video);
        char *text = printed(gm_print_plan, json);
        has(text, rows[i].line);
        free(text);
    }
}

static void what_was_given_up_is_told(void **state)
{
    (void)state;
    char *text = printed(
        gm_print_job,
        "{'id': 'j', 'encoding': {'resolved': {'chain': 'cpu', 'fingerprint': null}, 'given_up': "
        "[{'chain': 'nvenc', 'code': 'device.lost', 'text': 'it went'}, {'chain': 'cpu', 'code': "
        "'farm.no_device', 'text': 'others are there'}]}}");
    has(text, "encodes on   cpu\n");
    has(text, "gave up      nvenc: device.lost: it went\n");
    has(text, "gave up      a build of cpu: farm.no_device: others are there\n");
    free(text);
    text = printed(gm_print_job, "{'id': 'j', 'encoding': {'resolved': {'chain': 'nvenc', "
                                 "'fingerprint': 'L4, 1'}, 'given_up': []}}");
    has(text, "encodes on   nvenc: L4, 1\n");
    assert_null(strstr(text, "gave up"));
    assert_null(strstr(text, "because"));
    assert_null(strstr(text, "wants"));
    free(text);
}

static void what_was_wanted_and_why_it_is_not_is_told(void **state)
{
    (void)state;
    char *text = printed(
        gm_print_job,
        "{'id': 'j', 'encoding': {'requested': {'devices': ['nvenc', 'cpu', 7], 'fallback': "
        "'wait'}, 'resolved': {'chain': 'cpu'}, 'reason': 'nvenc: no node offers it', 'actual': "
        "{'devices': [{'node': 'box', 'device': 'cpu', 'runs': 1}, {'node': 'box', 'device': "
        "'0000:3b:00.0', 'runs': 2}]}}}");
    has(text, "wants        nvenc, cpu,  (fallback wait)\nencodes on   cpu\nbecause      nvenc: no "
              "node offers it\nencoded on   cpu of node box: 1 run\nencoded on   0000:3b:00.0 of "
              "node box: 2 runs\n");
    free(text);
}

static void devices_have_lines_by_what_they_take(void **state)
{
    (void)state;
    char *text = printed(
        gm_print_nodes,
        "{'nodes': [{'id': 'box', 'state': 'connected', 'hostname': 'h', 'notes': ['no landlock'], "
        "'leases': [{'device': 'cpu'}, {'device': '0000:3b:00.0'}, {'device': '0000:3b:00.0'}], "
        "'devices': [{'id': 'cpu', 'kind': 'cpu', 'capacity': {'slots': 0}}, "
        "{'id': '0000:3b:00.0', 'kind': 'nvidia', 'capacity': {'slots': 2}, 'notes': "
        "[{'severity': 'warn', 'text': 'a slot less'}], 'description': 'GPU 0000:3b:00.0 L4', "
        "'chains': [{'name': 'nvenc', 'fingerprint': 'L4, 1', 'codecs': ['h264', 'hevc10']}]}, "
        "{'id': '0000:af:00.0', 'kind': 'nvidia', 'capacity': {'slots': 0}, 'description': 'old', "
        "'proofs': [{'passed': true}, {'passed': false}]}]}]}");
    has(text, "box   connected  cpu     0.0/0.0    0 B     1      h\n");
    has(text, "connected  nvidia  0.0/0.0    0 B     2      h\n  device: GPU 0000:3b:00.0 L4\n"
              "  chain: nvenc (h264, hevc10): L4, 1\n  note: a slot less\n");
    has(text, "  device: old (1 of 2 proofs passed)\n  note: no landlock\n");
    free(text);
    text =
        printed(gm_print_nodes, "{'nodes': [{'id': 'a', 'state': 'draining', 'connected': false, "
                                "'devices': [{'id': 'cpu', 'kind': 'cpu'}]}, {'id': 'b', "
                                "'state': 'draining', 'connected': true, 'devices': [{'id': "
                                "'cpu', 'kind': 'cpu'}]}]}");
    has(text, "a     gone, draining  cpu");
    has(text, "b     draining        cpu");
    free(text);
}

static void what_is_in_quarantine_is_told(void **state)
{
    (void)state;
    char *text = printed(
        gm_print_nodes,
        "{'nodes': [{'id': 'box', 'devices': [{'id': 'cpu', 'kind': 'cpu', 'quarantine': {'state': "
        "'quarantined', 'by': 'operator', 'why': 'fans', 'since': '2026-11-20T12:00:00.000Z'}}, "
        "{'id': 'g', 'kind': 'drm', 'capacity': {'slots': 1}, 'quarantine': {'state': 'trial', "
        "'by': 'scheduler', 'why': 'it failed', 'since': 'then'}}, {'id': 'h', 'kind': 'drm', "
        "'capacity': {'slots': 0}, 'quarantine': {'state': 'held', 'by': 'scheduler', 'why': "
        "'doubt'}}]}]}");
    has(text, "  in quarantine by the operator since 2026-11-20T12:00:00.000Z: fans\n");
    has(text, "  on trial, one task at a time, after quarantine by the scheduler since then: it "
              "failed\n");
    has(text, "  held by the scheduler: doubt\n");
    free(text);
}

static void what_was_measured_is_told(void **state)
{
    (void)state;
    char *text = printed(
        gm_print_nodes,
        "{'nodes': [{'id': 'box', 'devices': [{'id': 'cpu', 'kind': 'cpu', 'measured': {'at': "
        "'2026-11-20T12:00:00.000Z', 'rates': ["
        "{'what': 'encode', 'codec': 'h264', 'depth': 8, 'one': 61200000, 'all': 118000000}, "
        "{'what': 'decode', 'codec': 'h264', 'depth': 8, 'one': 1, 'all': 1}, "
        "{'what': 'encode', 'codec': 'hevc', 'depth': 10, 'one': 17000000, 'all': 34000000}, "
        "{'what': 'ladder', 'codec': 'h264', 'depth': 8, 'height': 1080, 'one': 62208000, "
        "'all': 124416000}]}}, {'id': 'g', 'kind': 'drm', 'measured': null}]}]}");
    has(text, "  measured 2026-11-20: h264 61.2 of 118.0, hevc 10 bits 17.0 of 34.0, "
              "2.0 ladders of 1080p30 (encoding: Mpix/s of one slot, of all)\n");
    assert_null(strstr(strstr(text, "measured") + 1, "measured"));
    free(text);
}

static void each_job_says_how_much_is_done_or_what_goes_on(void **state)
{
    (void)state;
    char *text =
        printed(gm_print_jobs,
                "{'jobs': [{'id': 'a', 'state': 'queued', 'progress': {'phase': 'queued'}}, "
                "{'id': 'b', 'state': 'running', 'progress': {'phase': 'inspect'}}, "
                "{'id': 'c', 'state': 'running', 'progress': {'phase': 'encode', 'frames_done': 1, "
                "'frames_total': 4}}, {'id': 'd', 'state': 'done', 'progress': {'phase': 'done'}}, "
                "{'id': 'e', 'state': 'failed', 'progress': {'phase': 'failed'}}]}");
    has(text, "STATE    DONE     PIPELINE");
    has(text, "queued   0% ");
    has(text, "running  inspect ");
    has(text, "running  25% ");
    has(text, "done     100% ");
    has(text, "failed   - ");
    free(text);
}

static void a_node_is_told_in_full(void **state)
{
    (void)state;
    char *text = printed(
        gm_print_node,
        "{'id': 'box', 'state': 'connected', 'connected': true, 'hostname': 'h', 'build': '1', "
        "'protocol': 7, 'key': {'public': 'K', 'until': 'then'}, 'connected_at': 'c', "
        "'notes': ['no landlock'], 'devices': [{'id': 'cpu', 'kind': 'cpu', 'description': 'C', "
        "'capacity': {'slots': 3, 'cpus': 4.0, 'memory_bytes': 8e9, 'scratch_bytes': 1e9}, 'left': "
        "{'slots': 1, 'cpus': 2.5, 'memory_bytes': 5e9, 'scratch_bytes': 0}}, {'id': 'g', 'kind': "
        "'nvidia', 'description': 'L4', 'driver': '570', 'decode_state': 'passed', 'capacity': "
        "{'slots': 2, 'sessions': 8, 'device_memory_bytes': 24e9}, 'left': {'slots': 2, "
        "'sessions': "
        "3, 'device_memory_bytes': 2e9}, 'quarantine': {'state': 'held', 'why': 'doubt'}, "
        "'proofs': "
        "[{'api': 'nvenc', 'codec': 'hevc', 'depth': 10, 'encode': true, 'passed': false, 'text': "
        "'green'}]}], 'leases': [{'job': 'j', 'task': 'video', 'first_chunk': 4, 'chunks': 3, "
        "'device': 'g', 'started': 's', 'frames_done': 90, 'frames_total': 360, 'eta_s': 71.0}, "
        "{'job': 'j', 'task': 'audio', 'instance': 2, 'first_chunk': -1, 'chunks': 0, 'device': "
        "'cpu', 'started': 's', 'eta_s': null}]}");
    has(text, "node         box\n");
    has(text, "since        c\nprotocol     7\nkey          K, taken until then\n"
              "work         gets tasks; has 2 tasks\n  note: no landlock\n");
    has(text, "device       cpu: C\n  nothing is held against it\n  left: slots 1 of 3, processor "
              "2.5 of 4.0, memory 5.0 GB of 8.0 GB, scratch 0 B of 1.0 GB\n");
    has(text, "device       g (nvidia): L4\n  held by the scheduler: doubt\n");
    has(text, ", sessions 3 of 8, device memory 2.0 GB of 24.0 GB\n  driver: 570\n"
              "  decodes: passed\n  proof: encode hevc 10 bits by nvenc: failed, green\n");
    has(text, "task         j video, chunks 4 to 6, on g since s: 25% of 360 frames, ends in about "
              "1:11\ntask         j audio 2, on cpu since s\n");
    free(text);
}

static void what_a_node_is_asked_for_is_told(void **state)
{
    static const struct {
        const char *json, *line;
    } rows[] = {
        {"{'id': 'a', 'connected': true, 'draining': true, 'leases': [{'cancelling': true}]}",
         "work         gets none: drained; has 1 task\n"},
        {"{'id': 'a', 'connected': true, 'draining': true, 'leases': [{'cancelling': true}]}",
         ", is being cancelled\n"},
        {"{'id': 'a', 'connected': true, 'draining': true, 'restarting': true}",
         "work         gets none: it is to start anew; it has ended all that it had\n"},
        {"{'id': 'a', 'connected': false, 'devices': [{'id': 'cpu', 'kind': 'cpu'}]}",
         "work         gets none: the node is gone\ndevice       cpu\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = printed(gm_print_node, rows[i].json);
        has(text, rows[i].line);
        assert_null(strstr(text, "  left: slots 0 of 0, processor 0.0 of 0.0, memory 0 B of 0 B, "
                                 "scratch 0 B of 0 B\n"));
        assert_null(strstr(text, "key "));
        free(text);
    }
}

static void print_result(FILE *file, const json_t *report)
{
    gm_print_result(file, report, "/out/", 4);
}

static void results_are_named_as_a_player_is_given_them(void **state)
{
    static const struct {
        const char *report, *said;
    } rows[] = {
        {"{'outputs': [{'path': 'v/p/mp4/a_720p.mp4'}, {'path': 'manifest.mpd'}, "
         "{'path': 'master.m3u8'}]}",
         "/out/master.m3u8\n"},
        {"{'outputs': [{'path': 'v/p/images/t.vtt'}, {'path': 'v/p/mp4/a_720p.mp4'}, "
         "{'path': 'v/p/mp4/a_480p.mp4'}, {'path': 'v/p/video/init-0.mp4'}]}",
         "/out/v/p/mp4/a_720p.mp4\n/out/v/p/mp4/a_480p.mp4\n"},
        {"{'outputs': [{'path': 'v/p/images/poster.jpg'}, {'path': 'v/p/images/t.vtt'}]}",
         "/out/v/p/images/t.vtt\n"},
        {"{'outputs': [{'path': 'a'}, {'path': 'b'}]}", "/out/a\n"},
        {"{'outputs': []}", "/out\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = printed(print_result, rows[i].report);
        assert_string_equal(text, rows[i].said);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_tells_why_shapes_differ),
        cmocka_unit_test(what_was_given_up_is_told),
        cmocka_unit_test(what_was_wanted_and_why_it_is_not_is_told),
        cmocka_unit_test(each_job_says_how_much_is_done_or_what_goes_on),
        cmocka_unit_test(devices_have_lines_by_what_they_take),
        cmocka_unit_test(what_is_in_quarantine_is_told),
        cmocka_unit_test(what_was_measured_is_told),
        cmocka_unit_test(a_node_is_told_in_full),
        cmocka_unit_test(results_are_named_as_a_player_is_given_them),
        cmocka_unit_test(what_a_node_is_asked_for_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
