/* Workers of another build than the one that the node began with. */
#include "node/agent.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "node/fake_io.h"

static void install(const struct farm *farm, const char *build)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/one", farm->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/two", farm->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/%s", farm->folder, build);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void kill_worker(const struct farm *farm)
{
    pid_t worker = farm_worker(farm, "0");
    assert_true(worker > 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
}

static void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
    }
}

/* The first one that tells a build, which is told at once. */
static void begin_with(struct farm *farm, const char *build)
{
    assert_int_equal(farm->hello->devices[0]->n_chains, 0);
    install(farm, build);
    kill_worker(farm);
    while (farm->offer->facts == NULL) {
        farm_turn(farm);
    }
    const Gm__Device *cpu = farm->offer->facts;
    assert_int_equal(cpu->n_chains, 1);
    assert_string_equal(cpu->chains[0]->name, "cpu");
    assert_string_equal(cpu->chains[0]->fingerprint, build);
}

static uint64_t assign_of(struct farm *farm, const char *fingerprint)
{
    Gm__Chain chain = GM__CHAIN__INIT;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    chain.name = (char *)(uintptr_t) "cpu";
    chain.fingerprint = (char *)(uintptr_t)fingerprint;
    spec.type = (char *)(uintptr_t) "pieces";
    spec.source_name = (char *)(uintptr_t) "0";
    spec.inputs_complete = true;
    spec.chain = &chain;
    return farm_assign_spec(farm, &spec);
}

static void another_build_s_worker_takes_nothing(void **state)
{
    struct farm *farm = *state;
    begin_with(farm, "one");
    install(farm, "two");
    kill_worker(farm);
    until_slots(farm, 0);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "0"), GM_E_BUSY, 0);
    farm_expect_failed(farm, assign_of(farm, "two"), GM_E_BUSY, 0);
    install(farm, "one");
    kill_worker(farm);
    until_slots(farm, 1);
    farm_expect_done(farm, assign_of(farm, "one"));
    farm_expect_healthy(farm);
}

static void what_another_build_is_asked_for_is_not_made(void **state)
{
    struct farm *farm = *state;
    begin_with(farm, "one");
    farm_expect_failed(farm, assign_of(farm, "two"), GM_E_BUSY, 0);
    farm_expect_failed(farm, assign_of(farm, ""), GM_E_BUSY, 0);
    farm_expect_done(farm, assign_of(farm, "one"));
}

int main(void)
{
    static const struct farm plain;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(another_build_s_worker_takes_nothing, farm_setup,
                                                 farm_teardown, (void *)(uintptr_t)&plain),
        cmocka_unit_test_prestate_setup_teardown(what_another_build_is_asked_for_is_not_made,
                                                 farm_setup, farm_teardown,
                                                 (void *)(uintptr_t)&plain),
    };
    fake_worker_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
