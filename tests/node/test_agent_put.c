/* What is on its way into the store when nobody wants it any more. A put is held where it would
 * give the body its name: the test has the lock on the store's folder that it waits for. */
#include "node/agent.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "node/fake_io.h"

static const struct farm PLAIN = {.slots = 1};
static const struct farm STALLED = {.store_stall_ms = 3000};
static const struct farm SHORT = {.lease_ms = 4000};

#define POOL 4 /* threads of libuv's pool */

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, teardown,                           \
                                             (void *)(uintptr_t) & (farm))

/* The store's folder, locked; -1: puts go on. */
static int held = -1;

static void hold_store(const struct farm *farm)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/store", farm->folder);
    held = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX), 0);
}

static void release_store(void)
{
    if (held >= 0) {
        close(held);
        held = -1;
    }
}

static int teardown(void **state)
{
    release_store();
    return farm_teardown(state);
}

/* How many the kernel lists that have that lock, or wait for it. */
static uint32_t count_locks(bool waiting)
{
    char line[256];
    char inode[32];
    struct stat st;
    uint32_t count = 0;
    assert_int_equal(fstat(held, &st), 0);
    snprintf(inode, sizeof(inode), ":%lu ", (unsigned long)st.st_ino);
    FILE *file = fopen("/proc/locks", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, inode) != NULL && (strstr(line, "->") != NULL) == waiting ? 1 : 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static void until_puts_wait(struct farm *farm, uint32_t puts)
{
    if (count_locks(false) == 0) {
        skip(); /* this kernel does not list locks */
    }
    while (count_locks(true) < puts) {
        farm_turn(farm);
    }
}

static bool is_stored(const struct farm *farm, const char *key)
{
    char path[192];
    snprintf(path, sizeof(path), "%s/store/%s", farm->folder, key);
    return access(path, F_OK) == 0;
}

/* Once: the second signal would kill it. */
static void stop_agent(const struct farm *farm)
{
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
}

/* The agent, told to stop, has ended with all that it had under way. */
static void until_agent_ends(const struct farm *farm)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)farm->agent, &info, WEXITED | WNOWAIT), 0);
}

/* All that the farm says from here on was said after the agent took what it was sent before. */
static void until_heard(struct farm *farm)
{
    Gm__Drain drain = GM__DRAIN__INIT;
    drain.resume = true;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    gm__offer__free_unpacked(farm->offer, NULL);
    farm->offer = NULL;
    farm_send(farm, &env);
    while (farm->offer == NULL) {
        farm_turn(farm);
    }
}

static uint32_t next_leases(struct farm *farm)
{
    farm->leases = UINT32_MAX;
    while (farm->leases == UINT32_MAX) {
        farm_turn(farm);
    }
    return farm->leases;
}

static void cancelled_task_keeps_its_lease_while_it_is_put(void **state)
{
    struct farm *farm = *state;
    hold_store(farm);
    uint64_t id = farm_assign(farm, "pieces", "1");
    until_puts_wait(farm, 1);
    farm_cancel(farm, id);
    until_heard(farm);
    assert_int_equal(next_leases(farm), 1);
    assert_int_equal(next_leases(farm), 1);
    release_store();
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    assert_false(is_stored(farm, "video/piece-0")); /* it was given up */
    farm_expect_healthy(farm);
}

static void put_ends_with_its_lease(void **state)
{
    struct farm *farm = *state;
    hold_store(farm);
    farm_assign(farm, "pieces", "1");
    until_puts_wait(farm, 1);
    farm->renew = false;
    while (next_leases(farm) > 0) { /* until the agent's own clock ends it */
    }
    release_store();
    stop_agent(farm);
    until_agent_ends(farm);
    assert_false(is_stored(farm, "video/piece-0"));
}

/* A message of that kind; the puts are let go when the agent has said nothing else for a while. */
static void until_said(struct farm *farm, int kind)
{
    for (int turns = 0;; turns++) {
        zmq_pollitem_t item = {.socket = farm->router, .events = ZMQ_POLLIN};
        if (turns > 20 || zmq_poll(&item, 1, 500) == 0) {
            release_store();
        }
        Gm__Envelope *env = farm_any(farm);
        bool came = (int)env->body_case == kind;
        if (env->body_case == GM__ENVELOPE__BODY_PRODUCED) {
            farm_ack(farm, env->seq, false);
        }
        gm__envelope__free_unpacked(env, NULL);
        if (came) {
            return;
        }
    }
}

static void goodbye_is_said_when_nothing_is_put_any_more(void **state)
{
    struct farm *farm = *state;
    hold_store(farm);
    farm_assign(farm, "pieces", "1");
    until_puts_wait(farm, 1);
    stop_agent(farm);
    until_said(farm, GM__ENVELOPE__BODY_GOODBYE);
    assert_int_equal(held, -1); /* not before */
    until_agent_ends(farm);
}

static void failure_is_told_when_nothing_is_put_any_more(void **state)
{
    struct farm *farm = *state;
    hold_store(farm);
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "lie";
    spec.source_name = (char *)(uintptr_t) "late";
    uint64_t id = farm_assign_spec(farm, &spec);
    until_puts_wait(farm, 1);
    Gm__Feed feed = GM__FEED__INIT;
    feed.task_id = id;
    feed.term = farm->term;
    feed.epoch = id + 100;
    feed.inputs_complete = true;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_FEED;
    env.feed = &feed;
    farm_send(farm, &env);
    until_said(farm, GM__ENVELOPE__BODY_FAILED);
    assert_int_equal(held, -1); /* not before */
    stop_agent(farm);
    until_agent_ends(farm);
}

/* A worker that waits for its pieces' end says that it lives, for ever. */
static void store_that_takes_nothing_fails_the_task(void **state)
{
    struct farm *farm = *state;
    hold_store(farm);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "9"), GM_E_STORE, 0);
    release_store();
    farm_expect_healthy(farm);
    stop_agent(farm);
    until_agent_ends(farm);
    assert_false(is_stored(farm, "video/piece-0"));
}

/* All threads that could open it are held, as by a mount that hangs. */
static void store_that_gives_nothing_fails_the_task(void **state)
{
    struct farm *farm = *state;
    char *url = farm_object(farm, "source.mp4", "SOURCE", 6);
    Gm__Object source = GM__OBJECT__INIT;
    source.url = url;
    source.key = (char *)(uintptr_t) "source.mp4";
    source.size = 6;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = &source;
    spec.inputs_complete = true;
    hold_store(farm);
    if (count_locks(false) == 0) {
        skip(); /* this kernel does not list locks */
    }
    while (count_locks(true) < POOL) {
        farm_expect_failed(farm, farm_assign(farm, "pieces", "4"), GM_E_STORE, 0);
    }
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_STORE, 0);
    release_store();
    farm_expect_done(farm, farm_assign_spec(farm, &spec));
    free(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(PLAIN, cancelled_task_keeps_its_lease_while_it_is_put),
        WITH(SHORT, put_ends_with_its_lease),
        WITH(STALLED, store_that_takes_nothing_fails_the_task),
        WITH(STALLED, store_that_gives_nothing_fails_the_task),
        WITH(PLAIN, goodbye_is_said_when_nothing_is_put_any_more),
        WITH(PLAIN, failure_is_told_when_nothing_is_put_any_more),
    };
    fake_worker_main();
    assert_int_equal(setenv("UV_THREADPOOL_SIZE", "4", 1), 0); /* POOL */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
