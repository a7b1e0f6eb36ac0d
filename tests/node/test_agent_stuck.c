/* Workers that SIGKILL does not end, as where a driver holds them: the test traces them, and while
 * it does not look at their end the agent hears nothing of it. */
#include "node/agent.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/fake_io.h"

static const struct farm SOON = {.dying_ms = 1000};

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, teardown,                           \
                                             (void *)(uintptr_t) & (farm))

static pid_t held; /* 0: none */

static bool is_worker(const struct farm *farm, pid_t pid, const char *scratch)
{
    char path[64];
    char line[512] = "";
    char cwd[4096] = "";
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const char *name_end =
        fgets(line, sizeof(line), file) == NULL ? NULL : strrchr(line, ')'); /* ") S ppid" */
    fclose(file);
    if (name_end == NULL || sscanf(name_end, ") %*c %d", &parent) != 1 || parent != farm->agent) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
    return readlink(path, cwd, sizeof(cwd) - 1) > 0 && strrchr(cwd, '/') != NULL &&
           strcmp(strrchr(cwd, '/') + 1, scratch) == 0;
}

/* Kills the worker in that folder below scratch, and holds its end back. */
static void hold_dead(const struct farm *farm, const char *scratch)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    assert_non_null(dir);
    while (held == 0 && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        held = pid > 0 && is_worker(farm, pid, scratch) ? pid : 0;
    }
    closedir(dir);
    if (held == 0 || ptrace(PTRACE_SEIZE, held, NULL, NULL) < 0) {
        print_message("no worker could be traced: %s\n", strerror(errno));
        held = 0;
        skip();
    }
    assert_int_equal(kill(held, SIGKILL), 0);
}

static void let_go(void)
{
    if (held != 0) {
        assert_int_equal(waitpid(held, NULL, __WALL), held);
        held = 0;
    }
}

static int teardown(void **state)
{
    let_go();
    return farm_teardown(state);
}

static void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
    }
}

static void slot_whose_worker_does_not_end_is_not_offered(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "busy", "");
    while (farm->progress == 0) {
        farm_turn(farm);
    }
    hold_dead(farm, "0");
    farm_expect_failed(farm, id, GM_E_WORKER_HUNG, 0);
    until_slots(farm, 0);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "0"), GM_E_BUSY, 0);
    let_go();
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

static void nothing_is_offered_without_a_verifier_that_ends(void **state)
{
    struct farm *farm = *state;
    hold_dead(farm, "verify");
    until_slots(farm, 0);
    /* what was made meanwhile is not waited with */
    farm_expect_failed(farm, farm_assign(farm, "encode", "a good piece"), GM_E_WORKER_HUNG, 0);
    let_go();
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(SOON, slot_whose_worker_does_not_end_is_not_offered),
        WITH(SOON, nothing_is_offered_without_a_verifier_that_ends),
    };
    fake_worker_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
