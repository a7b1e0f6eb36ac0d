#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/doctor.h"

#define NOW INT64_C(1767225660000) /* 2026-01-01T00:01:00Z */

static json_t *parsed(const char *json)
{
    char *text = strdup(json);
    json_error_t error;
    assert_non_null(text);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    json_t *j = json_loads(text, 0, &error);
    if (j == NULL) {
        fail_msg("%s at %d", error.text, error.position);
    }
    free(text);
    return j;
}

/* All of it as text; and it is well-formed JSON. */
static char *told(struct gm_findings *f, enum gm_verdict worst)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    assert_non_null(file);
    gm_findings_print(f, file);
    assert_int_equal(fclose(file), 0);
    if (gm_findings_worst(f) != worst) {
        fail_msg("%s", out);
    }
    json_t *doc = gm_findings_json(f);
    assert_int_equal(json_array_size(json_object_get(doc, "findings")), f->count);
    json_decref(doc);
    gm_findings_fini(f);
    return out;
}

static void farm_is(const char *farm, const char *nodes, const char *explain, enum gm_verdict worst,
                    const char *said)
{
    struct gm_findings f = {.rows = NULL};
    json_t *parts[] = {parsed(farm), parsed(nodes), parsed(explain)};
    const struct gm_doctor_farm facts = {parts[0], parts[1], parts[2], NOW};
    gm_doctor_farm(&f, &facts);
    char *text = told(&f, worst);
    if (strstr(text, said) == NULL) {
        fail_msg("`%s` is not in\n%s", said, text);
    }
    free(text);
    for (int i = 0; i < 3; i++) {
        json_decref(parts[i]);
    }
}

#define GOOD_FARM(more)                                                                            \
    "{'ready': true, 'version': '" GOPMILL_VERSION "', 'now': '2026-01-01T00:01:00.500Z', "        \
    "'slots': 4, 'slots_used': 1" more "}"
#define GOOD_NODE "{'id': 'a', 'connected': true, 'build': 'b1', 'devices': []}"

static void a_farm_is_judged(void **state)
{
    (void)state;
    farm_is(GOOD_FARM(""), "[" GOOD_NODE "]", "{}", GM_VERDICT_OK, "1 of 1 nodes are connected");
    farm_is(GOOD_FARM(""), "[]", "{}", GM_VERDICT_BAD, "-> start gopmill-node");
    farm_is("{'ready': false, 'version': 'x', 'reasons': ['the disk is full']}", "[" GOOD_NODE "]",
            "{}", GM_VERDICT_BAD, "the disk is full");
    farm_is("{'ready': true, 'version': 'x'}", "[" GOOD_NODE "]", "{}", GM_VERDICT_WARN,
            "-> install the same release");
    farm_is("{'ready': true, 'version': '" GOPMILL_VERSION "', 'now': '2026-01-01T00:00:50Z'}",
            "[" GOOD_NODE "]", "{}", GM_VERDICT_WARN, "10.0 s behind");
    farm_is("{'ready': true, 'version': '" GOPMILL_VERSION "', 'now': '2026-01-01T01:00:50Z'}",
            "[" GOOD_NODE "]", "{}", GM_VERDICT_BAD, "ahead of");
    farm_is(GOOD_FARM(""), "[" GOOD_NODE ", {'id': 'g', 'connected': false, 'seen_at': 't'}]", "{}",
            GM_VERDICT_WARN, "g is gone since t");
    farm_is(GOOD_FARM(""), "[" GOOD_NODE ", {'id': 'g', 'connected': true, 'build': 'b2'}]", "{}",
            GM_VERDICT_WARN, "1 nodes are of another build than b1");
    farm_is(GOOD_FARM(""),
            "[{'id': 'a', 'connected': true, 'devices': [{'id': 'gpu', 'quarantine': {'state': "
            "'quarantined', 'by': 'scheduler', 'why': 'two\\u001b tasks'}}]}]",
            "{}", GM_VERDICT_WARN, "gpu of a is quarantined by the scheduler: two  tasks");
    farm_is(GOOD_FARM(", 'queue': {'tasks_ready': 3, 'oldest_wait_s': 90}"), "[" GOOD_NODE "]",
            "{'id': 'j1', 'tasks': [{'task': 'video', 'state': 'ready', 'why': 'no GPU'}]}",
            GM_VERDICT_WARN, "j1, `video`: no GPU");
    farm_is(GOOD_FARM(", 'jobs': {'queued': 1700}"), "[" GOOD_NODE "]", "{}", GM_VERDICT_OK,
            "1700 jobs are queued");
    farm_is(GOOD_FARM(", 'failures': [{'code': 'gpu.lost', 'count': 2, 'last': 'l', 'blame': "
                      "'node', 'remedy': 'change it'}]"),
            "[" GOOD_NODE "]", "{}", GM_VERDICT_WARN, "-> change it");
    farm_is("[]", "{}", "[7]", GM_VERDICT_BAD, "takes no jobs"); /* whatever comes */
}

static void devices_are_judged(void **state)
{
    struct gm_findings f = {.rows = NULL};
    (void)state;
    json_t *j = parsed(
        "{'devices': [{'description': 'CPU', 'encode_state': 'present', 'encode': [{'codec': "
        "'h264'}, {'codec': 'hevc'}, {'codec': 'av1'}]}, {'description': 'GPU', 'encode_state': "
        "'denied', 'notes': [{'severity': 'warning', 'text': 'not in group render'}]}], 'notes': "
        "[{'severity': 'info', 'text': 'quiet'}]}");
    gm_doctor_devices(&f, j);
    char *text = told(&f, GM_VERDICT_WARN);
    assert_non_null(strstr(text, "GPU; encoding: denied"));
    assert_non_null(strstr(text, "not in group render"));
    assert_non_null(strstr(text, "nothing here encodes vp9"));
    assert_null(strstr(text, "quiet"));
    free(text);
    json_decref(j);
    j = parsed("{}");
    gm_doctor_devices(&f, j);
    free(told(&f, GM_VERDICT_BAD));
    json_decref(j);
}

static void a_folder_is_tried(void **state)
{
    struct gm_findings f = {.rows = NULL};
    (void)state;
    gm_doctor_machine(&f, "/tmp");
    assert_int_equal(f.rows[0].verdict == GM_VERDICT_BAD, 0);
    gm_findings_fini(&f);
    gm_doctor_machine(&f, "/proc/none");
    assert_int_equal(f.rows[0].verdict, GM_VERDICT_BAD);
    gm_findings_fini(&f);
}

/* What is said of that configuration. */
static char *config_told(const char *text, enum gm_verdict worst)
{
    struct gm_findings f = {.rows = NULL};
    char path[] = "/tmp/gm-doctor-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    gm_doctor_config(&f, path, true);
    (void)unlink(path);
    return told(&f, worst);
}

static void config_is(const char *text, enum gm_verdict worst, const char *said)
{
    char *all = config_told(text, worst);
    if (strstr(all, said) == NULL) {
        fail_msg("`%s` is not in\n%s", said, all);
    }
    free(all);
}

/* Whoever comes is sent `answer`; the port, on 127.0.0.1. */
static int serve(const char *answer, size_t size, pid_t *out_pid)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t length = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
    *out_pid = fork();
    assert_true(*out_pid >= 0);
    while (*out_pid == 0) {
        char unread[256];
        int one = accept(fd, NULL, NULL);
        (void)send(one, answer, size, MSG_NOSIGNAL);
        (void)shutdown(one, SHUT_WR);
        while (recv(one, unread, sizeof unread, 0) > 0) {
        }
        (void)close(one);
    }
    (void)close(fd);
    return ntohs(in.sin_port);
}

static void ports_are_free_or_ours(void **state)
{
    static const char api[] = "HTTP/1.1 200 OK\r\n\r\n{\"live\":true,\"gopmill\":\"1\"}";
    static const char wire[] = "\xff\0\0\0\0\0\0\0\1\x7f";
    char text[256];
    pid_t pids[2];
    int http = serve(api, sizeof api - 1, &pids[0]);
    int zmq = serve(wire, sizeof wire - 1, &pids[1]);
    (void)state;
#define CONFIG "state: /none\nhttp: \"127.0.0.1:%d\"\nlisten: [\"tcp://127.0.0.1:%d\"]\n"
    (void)snprintf(text, sizeof text, CONFIG, http, zmq);
    config_is(text, GM_VERDICT_WARN, "ok   port      tcp://127.0.0.1:");
    (void)snprintf(text, sizeof text, CONFIG, zmq, zmq);
    config_is(text, GM_VERDICT_BAD, "something else than a scheduler");
    (void)snprintf(text, sizeof text, CONFIG, http, http);
    config_is(text, GM_VERDICT_BAD, "something else than a scheduler");
    (void)snprintf(text, sizeof text, "scheduler: [\"tcp://127.0.0.1:%d\"]\n", zmq);
    config_is(text, GM_VERDICT_OK, "a scheduler listens");
    (void)snprintf(text, sizeof text, "scheduler: [\"ipc:///none\", \"tcp://127.0.0.1:%d\"]\n",
                   zmq);
    config_is(text, GM_VERDICT_OK, "nobody listens: it stands by");
    for (size_t i = 0; i < 2; i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    config_is(text, GM_VERDICT_BAD, "nobody listens\n");
    (void)snprintf(text, sizeof text, CONFIG, http, zmq);
    config_is(text, GM_VERDICT_WARN, "is free");
    config_is("http: \"192.0.2.1:80\"\nlisten: []\n", GM_VERDICT_BAD, "can't be listened on");
    config_is("http: \"here\"\nlisten: []\n", GM_VERDICT_BAD, "is no address");
    config_is("http: [\n", GM_VERDICT_BAD, "config");
}

static void stores_have_their_marks(void **state)
{
    char folder[] = "/tmp/gm-doctor-XXXXXX", text[512], path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(text, sizeof text,
                   "http: \"127.0.0.1:0\"\nlisten: []\nwork_store: file://%s\n"
                   "allow_destinations: [%s, \"s3://b/c\"]\n",
                   folder, folder);
    (void)snprintf(path, sizeof path, "%s/.gm-store", folder);
    config_is(text, GM_VERDICT_OK, "gets its mark with a job");
    char *all = config_told("http: \"127.0.0.1:0\"\nlisten: []\nstate: none\n"
                            "allow_destinations: [\"/\"]\n",
                            GM_VERDICT_OK);
    assert_null(strstr(all, "store"));
    free(all);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("01hzzzzzzzzzzzzzzzzzzzzzzz\n", file);
    (void)fclose(file);
    config_is(text, GM_VERDICT_OK, "has the mark 01hzzzzzzzzzzzzzzzzzzzzzzz");
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    config_is(text, GM_VERDICT_BAD, "holds no mark");
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/jobs", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    config_is(text, GM_VERDICT_WARN, "is not empty, and has no mark");
    (void)rmdir(path);
    (void)rmdir(folder);
    config_is(text, GM_VERDICT_WARN, "is no folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_farm_is_judged),        cmocka_unit_test(devices_are_judged),
        cmocka_unit_test(a_folder_is_tried),       cmocka_unit_test(ports_are_free_or_ours),
        cmocka_unit_test(stores_have_their_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
