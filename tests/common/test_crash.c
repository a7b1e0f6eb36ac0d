/* This program again as the child that dies: the control file is mapped before main. */
#include "common/crash.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/scratch.h"

#define PASSES 3
#define OWN "common_test_crash" /* this program's name */

static struct scratch scratch;

static int child_main(void)
{
    for (int i = 0; i < PASSES; i++) {
        GM_CRASH("test.one");
    }
    GM_CRASH("test.two");
    return 7;
}

static void write_slots(const struct gm_crash_slot *slots, size_t count)
{
    FILE *f = fopen(scratch_path(&scratch, "control"), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(slots, sizeof *slots, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static void read_slots(struct gm_crash_slot slots[GM_CRASH_SLOTS])
{
    FILE *f = fopen(scratch_path(&scratch, "control"), "rb");
    assert_non_null(f);
    assert_int_equal(fread(slots, sizeof *slots, GM_CRASH_SLOTS, f), GM_CRASH_SLOTS);
    assert_int_equal(fclose(f), 0);
}

/* passed: it gets the file as a descriptor, as a worker does. */
static pid_t start_child(bool passed)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("GM_CRASH", scratch_path(&scratch, "control"), 1);
        execl("/proc/self/exe", OWN, passed ? "pass" : "child", (char *)NULL);
        _exit(99);
    }
    return pid;
}

/* Its status as waitpid tells it. */
static int run_child(bool passed)
{
    int status = 0;
    pid_t pid = start_child(passed);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void dies_at(const char *text, uint32_t left, bool passed)
{
    struct gm_crash_slot slots[GM_CRASH_SLOTS] = {0};
    snprintf(slots[5].text, sizeof slots[5].text, "%s", text);
    slots[5].left = left;
    write_slots(slots, GM_CRASH_SLOTS);
    int status = run_child(passed);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    read_slots(slots);
    assert_int_equal(slots[5].left, 0);
    assert_int_equal(slots[5].hits, 1);
    status = run_child(passed); /* once a filling */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_a_point_is_the_end(void **state)
{
    (void)state;
    dies_at(OWN " test.one", 1, false);
    dies_at(OWN " test.one", PASSES, false);
    dies_at(OWN " test.two", 1, false);
}

static void test_an_inherited_file_is_as_good(void **state)
{
    (void)state;
    dies_at(OWN " test.two", 1, true);
}

static void test_one_that_is_stopped_goes_on(void **state)
{
    struct gm_crash_slot slots[GM_CRASH_SLOTS] = {{.text = OWN " test.one stop", .left = PASSES},
                                                  {.text = OWN " test.two", .left = 1}};
    int status = 0;
    (void)state;
    write_slots(slots, GM_CRASH_SLOTS);
    pid_t pid = start_child(false);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    read_slots(slots);
    assert_int_equal(slots[0].hits, 1);
    assert_int_equal(slots[1].hits, 0);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_others_go_on(void **state)
{
    static const struct {
        const char *text;
        uint32_t left;
    } slots_of[] = {{OWN " test.one", 0},
                    {OWN " test.one", PASSES + 1},
                    {OWN " test.on", 1},
                    {OWN " test.one2", 1},
                    {"other test.one", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof slots_of / sizeof slots_of[0]; i++) {
        struct gm_crash_slot slots[GM_CRASH_SLOTS] = {0};
        snprintf(slots[0].text, sizeof slots[0].text, "%s", slots_of[i].text);
        slots[0].left = slots_of[i].left;
        write_slots(slots, GM_CRASH_SLOTS);
        int status = run_child(false);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
        read_slots(slots);
        assert_int_equal(slots[0].hits, 0);
    }
}

static void test_a_file_that_is_none_is_refused(void **state)
{
    struct gm_crash_slot slots[GM_CRASH_SLOTS] = {0};
    (void)state;
    write_slots(slots, GM_CRASH_SLOTS - 1);
    int status = run_child(false);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
    assert_int_equal(unlink(scratch_path(&scratch, "control")), 0);
    status = run_child(false);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

static int make(void **state)
{
    (void)state;
    scratch_make(&scratch);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "child") == 0) {
        return child_main();
    }
    if (argc == 2 && strcmp(argv[1], "pass") == 0) {
        int fd = gm_crash_keep();
        clearenv();
        gm_crash_pass(fd);
        execl("/proc/self/exe", OWN, "child", (char *)NULL);
        return 99;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_point_is_the_end),
        cmocka_unit_test(test_an_inherited_file_is_as_good),
        cmocka_unit_test(test_one_that_is_stopped_goes_on),
        cmocka_unit_test(test_others_go_on),
        cmocka_unit_test(test_a_file_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
