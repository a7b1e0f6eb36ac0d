/* Workers of another build than the node's, as when libraries are replaced beneath it. */
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
    static const char *const builds[] = {"one", "two", "odd"};
    char path[96];
    for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", farm->folder, builds[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", farm->folder, build);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void kill_worker(const struct farm *farm, const char *slot)
{
    pid_t worker = farm_worker(farm, slot);
    assert_true(worker > 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
}

static void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
    }
}

/* The node's, as it last told; "": it told none. */
static const char *told(const struct farm *farm)
{
    const Gm__Device *cpu = farm->offer->facts;
    assert_true(cpu == NULL || cpu->n_chains <= 1);
    assert_true(cpu == NULL || cpu->n_chains == 0 || strcmp(cpu->chains[0]->name, "cpu") == 0);
    return cpu == NULL || cpu->n_chains == 0 ? "" : cpu->chains[0]->fingerprint;
}

static void until_told(struct farm *farm, const char *build)
{
    while (strcmp(told(farm), build) != 0) {
        farm_turn(farm);
    }
}

/* It is installed, a worker dies, and the node has nothing to do. */
static void turn_to(struct farm *farm, const char *build, uint32_t slots)
{
    install(farm, build);
    kill_worker(farm, "0");
    until_told(farm, build);
    until_slots(farm, slots);
}

static uint64_t assign_of(struct farm *farm, const char *type, const char *fingerprint)
{
    Gm__Chain chain = GM__CHAIN__INIT;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    chain.name = (char *)(uintptr_t) "cpu";
    chain.fingerprint = (char *)(uintptr_t)fingerprint;
    spec.type = (char *)(uintptr_t)type;
    spec.source_name = (char *)(uintptr_t) "0";
    spec.inputs_complete = true;
    spec.chain = &chain;
    return farm_assign_spec(farm, &spec);
}

/* It is charged to nobody. */
static void expect_refused(struct farm *farm, const char *fingerprint)
{
    farm_expect_failed(farm, assign_of(farm, "pieces", fingerprint), GM_E_CANCELLED, 0);
}

static void a_node_that_has_nothing_to_do_turns(void **state)
{
    struct farm *farm = *state;
    assert_int_equal(farm->hello->devices[0]->n_chains, 0);
    farm_expect_done(farm, assign_of(farm, "pieces", ""));
    turn_to(farm, "one", 1);
    expect_refused(farm, "");
    expect_refused(farm, "two");
    farm_expect_done(farm, assign_of(farm, "pieces", "one"));
    turn_to(farm, "two", 1);
    expect_refused(farm, "one");
    farm_expect_done(farm, assign_of(farm, "pieces", "two"));
    farm_expect_healthy(farm);
}

/* A worker that dies beside one that works comes back as another build's; with the second one the
 * node takes nothing more. When the last task of the old build is over all are of the new one. */
static void a_node_that_works_ends_that_first(void **state)
{
    struct farm *farm = *state;
    turn_to(farm, "one", 3);
    uint64_t hangs = assign_of(farm, "hang", "one"); /* in the first slot */
    pid_t worker = farm_worker(farm, "0");
    install(farm, "two");
    kill_worker(farm, "1");
    until_slots(farm, 2);
    kill_worker(farm, "2");
    until_slots(farm, 0);
    expect_refused(farm, "two");
    expect_refused(farm, "one"); /* it was on its way */
    assert_int_equal(farm_worker(farm, "0"), worker);
    assert_string_not_equal(told(farm), "two");
    farm_cancel(farm, hangs);
    until_told(farm, "two");
    until_slots(farm, 3);
    for (int i = 0; i < 3; i++) {
        farm_expect_done(farm, assign_of(farm, "pieces", "two"));
    }
}

static void what_a_version_says_keeps_no_worker_out(void **state)
{
    struct farm *farm = *state;
    char build[401];
    (void)snprintf(build, sizeof(build), "???%0397d", 0);
    install(farm, "odd");
    kill_worker(farm, "0");
    until_told(farm, build);
    until_slots(farm, 1);
    farm_expect_done(farm, assign_of(farm, "pieces", build));
}

static int start_with_gpu(void **state)
{
    struct gm_device_list list = {0};
    struct gm_device *device = NULL;
    const struct gm_device_codec codec = {
        .api = "nvenc", .codec = "h264", .chroma = 420, .depth = 8};
    farm_gpu_list(&list, &device);
    assert_true(gm_device_add_codec(device, true, &codec));
    const struct farm wanted = {
        .devices = &list, .device_slots = 1, .prove = true, .proof_at_start = "pass"};
    *state = (void *)(uintptr_t)&wanted;
    int rc = farm_setup(state);
    ((struct farm *)*state)->devices = NULL; /* the agent is forked */
    gm_device_list_fini(&list);
    return rc;
}

/* Its fingerprint names libraries, too. */
static void a_gpu_is_proved_again(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 1);
    farm->assign_to = FARM_GPU;
    farm_expect_done(farm, farm_assign(farm, "pieces", "0")); /* its worker is of the old build */
    farm->assign_to = NULL;
    farm_proof(farm, "hang");
    turn_to(farm, "one", 1);
    farm_until_gpu_offers(farm, 0);
    farm_until_gpu_says(farm, "until its proof passes again: another build was installed");
    assert_int_equal(farm->gpu->facts->n_chains, 0);
}

int main(void)
{
    static const struct farm plain, three = {.slots = 3};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(a_node_that_has_nothing_to_do_turns, farm_setup,
                                                 farm_teardown, (void *)(uintptr_t)&plain),
        cmocka_unit_test_prestate_setup_teardown(a_node_that_works_ends_that_first, farm_setup,
                                                 farm_teardown, (void *)(uintptr_t)&three),
        cmocka_unit_test_prestate_setup_teardown(what_a_version_says_keeps_no_worker_out,
                                                 farm_setup, farm_teardown,
                                                 (void *)(uintptr_t)&plain),
        cmocka_unit_test_setup_teardown(a_gpu_is_proved_again, start_with_gpu, farm_teardown),
    };
    fake_worker_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
