/* A farm of this build's programs, for seconds. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "hwtest/level4.h"
#include "media/fake_gpu_io.h"

static const struct gm_hwtest_check *get(const struct gm_hwtest_report *r, const char *name)
{
    const struct gm_hwtest_check *c = gm_hwtest_find(r, "machine", name);
    if (c == NULL) {
        print_error("no check %s\n", name);
    } else {
        print_message("%s: %s: %s\n", name, gm_hwtest_status_name(c->status), c->text);
    }
    assert_non_null(c);
    return c;
}

/* A text names the folder of the logs: it holds that file with those words, and the farm's other
 * files no more. It goes. */
static void take_logs(const struct gm_hwtest_check *c, const char *file, const char *want)
{
    char path[300];
    uint8_t *text = NULL;
    size_t size = 0;
    const char *at = strstr(c->text, "/gopmill-soak-");
    assert_non_null(at);
    while (at > c->text && at[-1] != ' ') {
        at--;
    }
    int n = (int)strcspn(at, " :");
    (void)snprintf(path, sizeof path, "%.*s/farm", n, at);
    assert_int_not_equal(access(path, F_OK), 0);
    (void)snprintf(path, sizeof path, "%.*s/%s", n, at, file);
    assert_int_equal(gm_fs_read(path, 10000, &text, &size, NULL), 0);
    assert_non_null(strstr((const char *)text, want));
    free(text);
    path[n] = '\0';
    assert_int_equal(gm_fs_remove_tree(path, NULL), 0);
}

static void jobs_end_with_the_same_bytes_while_workers_die(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    const struct gm_hwtest_soak_params params = {
        .programs = GM_BUILD_DIR "/bin", .minutes = 1, .seed = 42, .quick = true};
    assert_int_equal(gm_hwtest_level4(&params, &r, &err), 0);
    const struct gm_hwtest_check *c = get(&r, "soak.jobs");
    assert_int_equal(c->status, GM_HWTEST_PASS);
    assert_true(c->value >= 3 && strstr(c->text, "seed 42,") != NULL);
    c = get(&r, "soak.goldens");
    assert_true(c->status == GM_HWTEST_PASS && strlen(c->hash) == 64);
    assert_true(get(&r, "soak.kills")->value >= 1);
    assert_int_equal(get(&r, "soak.left")->status, GM_HWTEST_PASS);
    c = get(&r, "soak.agent.memory");
    assert_true(c->status == GM_HWTEST_SKIP && c->series_count >= 3 && c->series[0] > 100);
    c = get(&r, "soak.scheduler.descriptors");
    assert_true(c->status == GM_HWTEST_SKIP && c->series[0] > 3);
    (void)get(&r, "soak.scheduler.memory");
    (void)get(&r, "soak.agent.descriptors");
    gm_hwtest_report_fini(&r);
}

static void programs_that_are_missing_are_named(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    const struct gm_hwtest_soak_params params = {
        .programs = "/nonexistent", .minutes = 1, .seed = 1, .quick = true};
    assert_int_equal(gm_hwtest_level4(&params, &r, &err), 0);
    const struct gm_hwtest_check *c = get(&r, "soak");
    assert_true(c->status == GM_HWTEST_FAIL && strstr(c->text, "gopmill-scheduler") != NULL);
    assert_int_equal(r.check_count, 1);
    take_logs(c, "scheduler.log", "");
    gm_hwtest_report_fini(&r);
}

/* Over the fake drivers, which say nothing of real ones. */
static void on_fakes(const void *arg)
{
    (void)arg;
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    char options[600], folder[256];
    fake_gpu_profile("l4", "");
    (void)snprintf(folder, sizeof folder, "%s", getenv("GOPMILL_FAKE_DRIVERS"));
    *strrchr(folder, '/') = '\0';
    (void)snprintf(options, sizeof options,
                   "device_environment: [LD_LIBRARY_PATH, GOPMILL_FAKE_DRIVERS]\n"
                   "device_paths: [\"%s\", \"" GM_BUILD_DIR "/tests/drivers/lib\"]\n",
                   folder);
    const struct gm_hwtest_soak_params params = {.programs = GM_BUILD_DIR "/bin",
                                                 .node_options = options,
                                                 .minutes = 1,
                                                 .seed = 7,
                                                 .devices = true,
                                                 .quick = true,
                                                 .fake = true};
    CHECK(gm_hwtest_level4(&params, &r, &err) == 0);
    for (size_t i = 0; i < r.check_count; i++) {
        (void)fprintf(stderr, "%s: %s: %s\n", r.checks[i].name,
                      gm_hwtest_status_name(r.checks[i].status), r.checks[i].text);
    }
    const struct gm_hwtest_check *c = gm_hwtest_find(&r, "machine", "soak.goldens.devices");
    CHECK(c != NULL && c->value >= 1);
    CHECK(strncmp(c->text, "fake driver", 11) == 0);
    CHECK(strncmp(gm_hwtest_find(&r, "machine", "soak.goldens")->text, "fake", 4) != 0);
    CHECK(gm_hwtest_find(&r, "machine", "soak.goldens.instead") == NULL);
    c = gm_hwtest_find(&r, "machine", "soak.jobs");
    CHECK(c != NULL && c->status == GM_HWTEST_PASS);
    gm_hwtest_report_fini(&r);
}

static void every_second_job_is_a_devices(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(on_fakes, NULL), 0);
}

/* ---- A farm of scripts, which do no work: what the level makes of programs that do it wrongly. */

#define TOP "#!/bin/sh\n"
/* What a job of scripts does: $n its number, $out its folder, $f the farm's. */
#define JOB                                                                                        \
    TOP "out=$4 f=${2%/*}\n"                                                                       \
        "n=$(($(cat \"$f/count\" 2>/dev/null)+1)); echo $n >\"$f/count\"; mkdir \"$out\" || exit " \
        "1\n"                                                                                      \
        "say() { echo \"{\\\"encoding\\\": {\\\"resolved\\\": {$1}}}\" >\"$out/report.json\"; }\n" \
        "good() { echo v >\"$out/v\"; say '\"chain\": \"'$1'\"'; }\n"

static void write_script(const char *folder, const char *name, const char *text)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(gm_fs_write_atomic(path, text, strlen(text), NULL), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

/* Somebody's second Ctrl-C comes while the farm ends. */
static const char NODE[] = TOP "trap 'kill -INT $PPID; exit' TERM\n"
                               "echo READY; while :; do sleep 0.05; done\n";
/* One worker works, five wait. */
static const char NODE_WORKERS[] =
    TOP "d=${0%/*} idle=\n"
        "for i in 1 2 3 4 5; do \"$d/gopmill-worker\" wait & idle=\"$idle $!\"; done\n"
        "echo $idle >\"$d/idle\"\n"
        "trap 'kill -9 $idle $busy; exit' TERM\n"
        "echo READY\n"
        "while :; do \"$d/gopmill-worker\" & busy=$!; wait $busy; done\n";
static const char WORKER[] = TOP "while [ \"$1\" = wait ]; do sleep 5 & wait $!; done\n"
                                 "while :; do :; done\n";

static void soak_scripts(const char *scheduler, const char *node, const char *job,
                         struct gm_hwtest_report *r)
{
    char folder[] = "/tmp/gopmill-fake-programs-XXXXXX";
    struct gm_err err;
    sigset_t before, after;
    assert_non_null(mkdtemp(folder));
    write_script(folder, "gopmill-scheduler", scheduler);
    write_script(folder, "gopmill-node", node);
    write_script(folder, "gopmill", job);
    write_script(folder, "gopmill-worker", WORKER);
    const struct gm_hwtest_soak_params params = {
        .programs = folder, .minutes = 1, .seed = 3, .devices = true, .quick = true, .fake = true};
    sigprocmask(SIG_BLOCK, NULL, &before);
    assert_int_equal(gm_hwtest_level4(&params, r, &err), 0);
    sigprocmask(SIG_BLOCK, NULL, &after);
    assert_true(sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM));
    assert_int_equal(gm_fs_remove_tree(folder, NULL), 0);
}

static const char SCHEDULER[] = TOP "echo READY listen=tcp://127.0.0.1:1; exec sleep 60\n";

static void success_without_chain_or_files_is_a_failed_job(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    soak_scripts(SCHEDULER, NODE,
                 JOB "case $n in\n"
                     "1) good cpu;;\n"
                     "2) echo v >\"$out/v\"; say;;\n"
                     "3) say '\"chain\": \"cpu\"';;\n"
                     "4) echo v >\"$out/v\";;\n"
                     "5) echo gone >&2; rmdir \"$out\";;\n"
                     "6) good nvenc;;\n"
                     "*) kill -TERM $PPID; kill -INT $PPID; exec sleep 60;;\n"
                     "esac\n",
                 &r);
    const struct gm_hwtest_check *c = get(&r, "soak.jobs");
    assert_true(c->status == GM_HWTEST_FAIL && (int)c->value == 2 && (int)c->low == 6);
    assert_non_null(strstr(c->text, "ended early by a signal"));
    assert_non_null(strstr(c->text, "its report can't be read"));
    c = get(&r, "soak.goldens");
    assert_true(c->status == GM_HWTEST_PASS && (int)c->value == 1);
    c = get(&r, "soak.goldens.devices");
    assert_true(c->status == GM_HWTEST_PASS && (int)c->value == 1);
    assert_int_equal(strncmp(c->text, "fake driver", 11), 0);
    assert_null(gm_hwtest_find(&r, "machine", "soak.goldens.instead"));
    c = get(&r, "soak.logs");
    assert_int_equal(c->status, GM_HWTEST_SKIP);
    take_logs(c, "job-5.log", "gone");
    gm_hwtest_report_fini(&r);
}

static void the_error_of_a_failed_job_is_told(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    soak_scripts(SCHEDULER, NODE,
                 JOB "[ $n -gt 1 ] && kill -TERM $PPID && exec sleep 60\n"
                     "printf 'note\\nerror: media.failed: bad\\n   Look at it.\\n' >&2; exit 1\n",
                 &r);
    const struct gm_hwtest_check *c = get(&r, "soak.jobs");
    assert_non_null(strstr(c->text, "failed: ended with status 1: error: media.failed: bad"));
    assert_null(strstr(c->text, "Look at it"));
    take_logs(get(&r, "soak.logs"), "job-1.log", "Look at it.");
    gm_hwtest_report_fini(&r);
}

static void only_workers_that_work_are_killed(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    soak_scripts(SCHEDULER, NODE_WORKERS,
                 JOB "sleep 0.3; for p in $(cat \"${0%/*}/idle\"); do kill -0 $p || exit 1; done\n"
                     "good cpu\n",
                 &r);
    assert_int_equal(get(&r, "soak.jobs")->status, GM_HWTEST_PASS);
    assert_true(get(&r, "soak.kills")->value >= 1);
    assert_int_equal(get(&r, "soak.left")->status, GM_HWTEST_PASS);
    assert_null(gm_hwtest_find(&r, "machine", "soak.logs"));
    gm_hwtest_report_fini(&r);
}

/* What it said is the reason, and is not taken away. */
static void a_farm_that_does_not_start_leaves_its_logs(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    soak_scripts(SCHEDULER, TOP "echo no room >&2; exit 1\n", JOB, &r);
    const struct gm_hwtest_check *c = get(&r, "soak");
    assert_true(c->status == GM_HWTEST_FAIL && strstr(c->text, "gopmill-node: it ended") != NULL);
    take_logs(c, "node.log", "no room");
    gm_hwtest_report_fini(&r);
}

static void nothing_published_is_said(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    soak_scripts(SCHEDULER, NODE,
                 JOB "[ $n -gt 1 ] && kill -TERM $PPID && exec sleep 60\n"
                     "say '\"chain\": \"cpu\"'\n",
                 &r);
    const struct gm_hwtest_check *c = get(&r, "soak.jobs");
    assert_true(c->status == GM_HWTEST_FAIL && (int)c->value == 0);
    assert_non_null(strstr(c->text, "it published nothing"));
    take_logs(get(&r, "soak.logs"), "job-1.log", "");
    gm_hwtest_report_fini(&r);
}

/* The third can't be started, since its log can't be made. */
static void what_was_found_before_an_error_is_told(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    soak_scripts(SCHEDULER, NODE,
                 JOB "[ $n = 2 ] && mkdir \"$f/../job-3.log\"\n"
                     "good cpu\n",
                 &r);
    assert_int_equal(get(&r, "soak")->status, GM_HWTEST_FAIL);
    const struct gm_hwtest_check *c = get(&r, "soak.jobs");
    assert_true(c->status == GM_HWTEST_PASS && (int)c->value == 2);
    c = get(&r, "soak.goldens.instead");
    assert_true(c->status == GM_HWTEST_WARN && strncmp(c->text, "fake driver", 11) == 0);
    (void)get(&r, "soak.left");
    take_logs(get(&r, "soak.logs"), "node.log", "");
    gm_hwtest_report_fini(&r);
}

static void a_signal_while_it_starts_is_waited_for(void **state)
{
    (void)state;
    struct gm_hwtest_report r = {0};
    soak_scripts(TOP "kill -TERM $PPID; exec sleep 60\n", NODE, JOB, &r);
    const struct gm_hwtest_check *c = get(&r, "soak");
    assert_true(c->status == GM_HWTEST_FAIL && strstr(c->text, "a signal came") != NULL);
    assert_int_equal(r.check_count, 1);
    gm_hwtest_report_fini(&r);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_end_with_the_same_bytes_while_workers_die),
        cmocka_unit_test(every_second_job_is_a_devices),
        cmocka_unit_test(programs_that_are_missing_are_named),
        cmocka_unit_test(success_without_chain_or_files_is_a_failed_job),
        cmocka_unit_test(nothing_published_is_said),
        cmocka_unit_test(the_error_of_a_failed_job_is_told),
        cmocka_unit_test(only_workers_that_work_are_killed),
        cmocka_unit_test(a_farm_that_does_not_start_leaves_its_logs),
        cmocka_unit_test(what_was_found_before_an_error_is_told),
        cmocka_unit_test(a_signal_while_it_starts_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
