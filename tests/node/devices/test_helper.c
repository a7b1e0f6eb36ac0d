#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/time.h"
#include "node/devices/helper.h"

/* This program is its own helper: "test_helper WHAT". */
static int be_helper(const char *what)
{
    struct gm_device_list list = {0};
    char rubbish[4096];
    if (strcmp(what, "answer") == 0) {
        gm_device_set(list.versions, "v1");
        (void)gm_device_add_note(&list, NULL, GM_NOTE_INFO, "hello");
        return gm_helper_answer(&list);
    }
    if (strcmp(what, "hang") == 0) {
        for (;;) {
            pause();
        }
    }
    if (strcmp(what, "crash") == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would end it with a status */
        raise(SIGSEGV);
    }
    if (strcmp(what, "stop-parent") == 0) {
        (void)kill(getppid(), SIGUSR1);
        for (;;) {
            pause();
        }
    }
    if (strcmp(what, "rubbish") == 0) {
        return write(GM_HELPER_RESULT, "rubbish", 7) == 7 ? 0 : 1;
    }
    if (strcmp(what, "flood") == 0) {
        memset(rubbish, 'x', sizeof(rubbish));
        while (write(GM_HELPER_RESULT, rubbish, sizeof(rubbish)) > 0) {
        }
        return 1;
    }
    if (strcmp(what, "hang-after-answer") == 0) {
        (void)gm_helper_answer(&list);
        close(GM_HELPER_RESULT);
        for (;;) {
            pause();
        }
    }
    if (strcmp(what, "descriptors") == 0) { /* nothing but 0 to 3 came along */
        for (int fd = 4; fd < 256; fd++) {
            if (lseek(fd, 0, SEEK_CUR) >= 0) {
                return 9;
            }
        }
        return gm_helper_answer(&list);
    }
    if (strcmp(what, "streams") == 0) { /* 0 to 2 lead nowhere, whatever the parent lacks */
        for (int fd = 0; fd < 3; fd++) {
            struct stat st;
            if (fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
                return 9;
            }
        }
        return gm_helper_answer(&list);
    }
    return 3;
}

static struct gm_helper helper(const char *self, const char *what, uint32_t limit_ms)
{
    return (struct gm_helper){.argv = {self, what}, .limit_ms = limit_ms};
}

static void run_one(const char *what, uint32_t limit_ms, struct gm_helper *out)
{
    struct gm_err err;
    *out = helper("/proc/self/exe", what, limit_ms);
    assert_int_equal(gm_helpers_run(out, 1, 1, &err), 0);
}

static void answer_comes_back(void **state)
{
    struct gm_helper h;
    (void)state;
    run_one("answer", 20000, &h);
    assert_true(h.ok);
    assert_string_equal(h.list.versions, "v1");
    assert_string_equal(h.list.notes[0].text, "hello");
    gm_device_list_fini(&h.list);
    run_one("descriptors", 20000, &h);
    assert_true(h.ok);
    gm_device_list_fini(&h.list);
}

/* Then descriptors of the parent's making have small numbers. */
static void parent_without_streams_has_its_answer(void **state)
{
    (void)state;
    for (int closed = 1; closed < 8; closed++) { /* a bit each of 0 to 2 */
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            struct gm_helper h = helper("/proc/self/exe", "streams", 20000);
            struct gm_err err;
            for (int fd = 0; fd < 3; fd++) {
                if ((closed & 1 << fd) != 0) {
                    close(fd);
                }
            }
            close(GM_HELPER_RESULT);
            _exit(gm_helpers_run(&h, 1, 1, &err) == 0 && h.ok ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("closed %d: status %x", closed, (unsigned)status);
        }
    }
}

static void failures_say_what_happened(void **state)
{
    struct gm_helper h;
    (void)state;
    run_one("crash", 20000, &h);
    assert_false(h.ok);
    assert_non_null(strstr(h.why, "signal 11"));
    run_one("unknown", 20000, &h);
    assert_false(h.ok);
    assert_string_equal(h.why, "ended with status 3");
    run_one("rubbish", 20000, &h);
    assert_false(h.ok);
    assert_non_null(strstr(h.why, "gave no answer that is one"));
    run_one("flood", 20000, &h);
    assert_false(h.ok);
    assert_string_equal(h.why, "answered with too much");
    assert_int_equal(h.list.count, 0);
    h = helper("/no/such/program", "x", 20000);
    struct gm_err err;
    assert_int_equal(gm_helpers_run(&h, 1, 1, &err), 0);
    assert_string_equal(h.why, "ended with status 127");
}

static int told_to_stop;

static void on_stop(int signal_number)
{
    (void)signal_number;
    __atomic_store_n(&told_to_stop, 1, __ATOMIC_RELAXED);
}

static void helpers_end_when_they_are_stopped(void **state)
{
    const char *self = "/proc/self/exe";
    struct gm_helper h[2] = {helper(self, "stop-parent", 100000), helper(self, "answer", 100000)};
    struct gm_err err;
    (void)state;
    assert_true(signal(SIGUSR1, on_stop) != SIG_ERR);
    assert_int_equal(gm_helpers_run_until(h, 2, 1, &told_to_stop, &err), -GM_E_CANCELLED);
    assert_string_equal(h[0].why, "was stopped");
    assert_false(h[0].ok || h[1].ok);
}

static void raw_answer_is_left_as_it_came(void **state)
{
    struct gm_helper h = helper("/proc/self/exe", "rubbish", 20000);
    struct gm_err err;
    (void)state;
    h.raw = true;
    assert_int_equal(gm_helpers_run(&h, 1, 1, &err), 0);
    assert_true(h.ok);
    assert_int_equal(h.answer.size, 7);
    assert_memory_equal(h.answer.data, "rubbish", 7);
    gm_buf_fini(&h.answer);
}

static void hanging_helper_costs_its_own_result_only(void **state)
{
    const char *self = "/proc/self/exe";
    struct gm_helper h[4] = {helper(self, "hang", 50), helper(self, "answer", 20000),
                             helper(self, "hang-after-answer", 50), helper(self, "answer", 20000)};
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_helpers_run(h, 4, 2, &err), 0);
    assert_string_equal(h[0].why, "did not end within 50 ms and was killed");
    assert_string_equal(h[2].why, "did not end within 50 ms and was killed");
    assert_true(h[1].ok && h[3].ok);
    for (int i = 0; i < 4; i++) {
        gm_device_list_fini(&h[i].list);
    }
    assert_int_equal(gm_helpers_run(h, 0, 2, &err), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return be_helper(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_comes_back),
        cmocka_unit_test(parent_without_streams_has_its_answer),
        cmocka_unit_test(failures_say_what_happened),
        cmocka_unit_test(helpers_end_when_they_are_stopped),
        cmocka_unit_test(raw_answer_is_left_as_it_came),
        cmocka_unit_test(hanging_helper_costs_its_own_result_only),
    };
    return cmocka_run_group_tests_name("node/devices/helper", tests, NULL, NULL);
}
