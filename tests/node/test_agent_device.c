/* The agent's devices: proofs, slots of their own, quarantine. The GPU is words in a list; its
 * workers are this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "node/fake_io.h"

struct want {
    bool proved; /* in the list already */
    const char *proof;
    uint32_t slots;
    bool waits;
    uint32_t retry_ms;
    bool dies; /* its workers do, idle, while the file is there */
};

static const char *file_to_die_by(void)
{
    static char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/gm-node-dies-%d", (int)getpid());
    return path;
}

static int start(void **state)
{
    static const char *const environment[] = {"GM_TEST_GIVEN", "GM_TEST_UNSET", "GM_TEST_DIES_IDLE",
                                              NULL};
    const struct want *want = *state;
    struct gm_device_list list = {0};
    struct gm_device *device = NULL;
    const struct gm_device_codec codec = {
        .api = "nvenc", .codec = "h264", .chroma = 420, .depth = 8};
    const struct gm_device_proof proof = {
        .api = "nvenc", .codec = "h264", .depth = 8, .encode = true, .passed = true};
    farm_gpu_list(&list, &device);
    assert_true(gm_device_add_codec(device, true, &codec));
    assert_true(!want->proved || gm_device_add_proof(device, &proof));
    assert_true(gm_device_add_note(&list, device, GM_NOTE_WARN, "of the device"));
    assert_true(gm_device_add_note(&list, NULL, GM_NOTE_WARN, "of no device"));
    assert_int_equal(setenv("GM_TEST_GIVEN", "given", 1), 0);
    assert_int_equal(setenv("GM_TEST_SECRET", "secret", 1), 0);
    if (want->dies) {
        FILE *file = fopen(file_to_die_by(), "w");
        assert_true(file != NULL && fclose(file) == 0);
    }
    assert_int_equal(setenv("GM_TEST_DIES_IDLE", file_to_die_by(), 1), 0);
    const struct farm wanted = {.devices = &list, /* the agent is forked: it may go after */
                                .device_slots = want->slots,
                                .device_environment = environment,
                                .device_retry_ms = want->retry_ms,
                                .wait_for_proofs = want->waits,
                                .prove = want->proof != NULL,
                                .proof_at_start = want->proof};
    *state = (void *)(uintptr_t)&wanted;
    int rc = farm_setup(state);
    ((struct farm *)*state)->devices = NULL;
    gm_device_list_fini(&list);
    return rc;
}

static const struct want LISTED = {.slots = 0};
static const struct want PROVED = {.proved = true, .slots = 2};
static const struct want PASSING = {.proof = "pass", .slots = 2};
static const struct want WAITING = {.proof = "pass", .slots = 2, .waits = true};
static const struct want FAILING = {.proof = "fail", .slots = 2};
static const struct want HASTY = {.proof = "pass", .slots = 2, .retry_ms = 20};
static const struct want SCALING = {.proof = "unscaled", .slots = 2, .retry_ms = 20};
static const struct want DYING = {.proved = true, .slots = 2, .retry_ms = 600000, .dies = true};
static const struct want MENDING = {.proved = true, .slots = 2, .retry_ms = 20, .dies = true};
static const struct want HANGING = {.proof = "hang", .slots = 2};

#define WITH(want, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, start, farm_teardown,                           \
                                             (void *)(uintptr_t) & (want))

static void device_without_slots_is_listed(void **state)
{
    struct farm *farm = *state;
    const Gm__Hello *hello = farm->hello;
    assert_int_equal(hello->n_devices, 2);
    assert_string_equal(hello->devices[0]->id, "cpu");
    assert_int_equal(hello->devices[0]->capacity->slots, 1);
    assert_int_equal(hello->devices[0]->capacity->memory_bytes, 1ull << 30);
    const Gm__Device *gpu = hello->devices[1];
    assert_string_equal(gpu->id, FARM_GPU);
    assert_string_equal(gpu->kind, "nvidia");
    assert_string_equal(gpu->name, "Test GPU");
    assert_int_equal(gpu->memory_bytes, 1ull << 34);
    assert_int_equal(gpu->capacity->slots, 0);
    assert_int_equal(gpu->capacity->memory_bytes, 0);
    assert_int_equal(gpu->n_chains, 0);
    assert_int_equal(gpu->n_notes, 2);
    assert_string_equal(gpu->notes[0]->severity, "warn");
    assert_non_null(strstr(gpu->notes[1]->text, "listed only"));
    assert_true(hello->n_notes >= 1); /* behind what the sandbox lacks */
    assert_string_equal(hello->notes[hello->n_notes - 1], "of no device");
    farm->assign_to = FARM_GPU;
    farm_expect_failed(farm, farm_assign(farm, "pieces", "0"), GM_E_BUSY, 0);
    farm->assign_to = NULL;
    farm_expect_healthy(farm);
}

static void proven_device_has_slots_of_its_own(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    const Gm__Offer *offer = farm->gpu;
    assert_string_equal(offer->device, FARM_GPU);
    assert_int_equal(offer->usable->cpu_milli, 2000);
    assert_int_equal(offer->usable->memory_bytes, (1ull << 30) / 3 * 2);
    assert_int_equal(offer->usable->device_memory_bytes, 1ull << 34); /* the fake's */
    assert_int_equal(farm->offer->usable->device_memory_bytes, 0);
    assert_int_equal(offer->facts->n_chains, 1);
    assert_string_equal(offer->facts->chains[0]->name, "nvenc");
    assert_string_equal(offer->facts->chains[0]->fingerprint, "Test GPU | 1.0 | libs 1");
    assert_int_equal(offer->facts->chains[0]->n_codecs, 1);
    assert_string_equal(offer->facts->chains[0]->codecs[0], "h264");
    assert_int_equal(farm->offer->usable->slots, 1);
    assert_int_equal(farm->offer->usable->memory_bytes, (1ull << 30) / 3);

    farm->assign_to = FARM_GPU;
    uint64_t busy[2] = {farm_assign(farm, "busy", ""), farm_assign(farm, "busy", "")};
    farm_expect_failed(farm, farm_assign(farm, "pieces", "0"), GM_E_BUSY, 0);
    farm->assign_to = NULL;
    farm_expect_healthy(farm);
    farm->assign_to = "0000:99:00.0";
    farm_expect_failed(farm, farm_assign(farm, "pieces", "0"), GM_E_BUSY, 0);
    for (int i = 0; i < 2; i++) {
        farm_cancel(farm, busy[i]);
    }
    farm->assign_to = FARM_GPU;
    farm_expect_healthy(farm);
}

static void workers_of_a_device_have_its_environment(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    assert_string_equal(farm_place(farm, "place", ""), "-;-;-;-;glibc.cpu.hwcaps=-FMA,-FMA4;");
    farm->assign_to = FARM_GPU;
    assert_string_equal(farm_place(farm, "place", ""),
                        "cuda;" FARM_UUID ";given;-;glibc.cpu.hwcaps=-FMA,-FMA4;");
}

static void until_gpu_gives(struct farm *farm, uint32_t sessions)
{
    while (farm->gpu->usable->sessions != sessions) {
        farm_turn(farm);
    }
}

/* What the other task holds and one less than was asked for, then more until all slots have enough:
 * 2 times 4. */
static void refused_session_costs_sessions_that_come_back(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm->gpu->usable->sessions, 0); /* no limit is known */
    farm->assign_to = FARM_GPU;
    farm->sessions = 2;
    (void)farm_assign(farm, "busy", ""); /* keeps them */
    farm->sessions = 4;
    farm_fail(farm, GM_E_DEVICE_BUSY);
    until_gpu_gives(farm, 5);
    assert_int_equal(farm->gpu->usable->slots, 2);
    assert_true(farm_gpu_says(farm, "refused an encoder session: 5 at once are offered"));
    assert_int_equal(farm->gpu->facts->n_chains, 1);
    until_gpu_gives(farm, 0);
    assert_int_equal(farm->gpu->usable->slots, 2);
    assert_false(farm_gpu_says(farm, "at once"));
    assert_non_null(strstr(farm->noted, ": 6 at once"));
    assert_non_null(strstr(farm->noted, ": 7 at once"));
    assert_null(strstr(farm->noted, ": 8 at once"));
    assert_null(strstr(farm->noted, "slots are offered"));
}

static void not_one_session_is_no_slot(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    farm->assign_to = FARM_GPU;
    farm->sessions = 2;
    farm_fail(farm, GM_E_DEVICE_BUSY);
    until_gpu_gives(farm, 1);
    assert_int_equal(farm->gpu->usable->slots, 2);
    farm->sessions = 1;
    farm_fail(farm, GM_E_DEVICE_BUSY);
    farm_until_gpu_offers(farm, 0);
    assert_true(farm_gpu_says(farm, "refused an encoder session: 0 at once are offered"));
    farm_until_gpu_offers(farm, 2);
    until_gpu_gives(farm, 0);
    farm_expect_healthy(farm);
}

static void full_memory_costs_a_slot_that_comes_back(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    farm->assign_to = FARM_GPU;
    (void)farm_assign(farm, "busy", ""); /* keeps one */
    farm_fail(farm, GM_E_DEVICE_MEMORY);
    farm_until_gpu_offers(farm, 1);
    assert_int_equal(farm->gpu->usable->sessions, 0);
    assert_true(farm_gpu_says(farm, "1 of 2 slots"));
    assert_int_equal(farm->gpu->facts->n_chains, 1);
    farm_until_gpu_offers(farm, 2);
    assert_false(farm_gpu_says(farm, "slots are offered"));
}

static void full_memory_without_ours_is_all_taken(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    farm->assign_to = FARM_GPU;
    farm_fail(farm, GM_E_DEVICE_MEMORY);
    farm_until_gpu_offers(farm, 0);
    farm_until_gpu_offers(farm, 1);
    farm_until_gpu_offers(farm, 2);
    farm_expect_healthy(farm);
}

static void lost_device_is_quarantined_until_it_is_proved(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm_count(farm, "proved"), 1);
    assert_int_equal(farm_count(farm, "forgotten"), 0);
    assert_int_equal(farm_count(farm, "kept"), 1);
    farm_proof(farm, "fail");
    farm->assign_to = FARM_GPU;
    farm_fail(farm, GM_E_DEVICE_LOST);
    farm_until_gpu_says(farm,
                        "quarantined until its proof passes again: device.lost: as it was told");
    assert_int_equal(farm->gpu->usable->slots, 0);
    assert_int_equal(farm->gpu->facts->n_chains, 0);
    assert_int_equal(farm->gpu->facts->n_proofs, 0);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "0"), GM_E_BUSY, 0);
    farm_until_gpu_says(farm, "again: no pictures came");
    assert_int_equal(farm_count(farm, "forgotten"), 1);
    assert_int_equal(farm_count(farm, "kept"), 0); /* else a node that begins now would trust it */
    assert_true(farm_count(farm, "proved") >= 2);
    farm_proof(farm, "pass");
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm->gpu->facts->n_chains, 1);
    assert_false(farm_gpu_says(farm, "quarantined"));
    farm_expect_healthy(farm);
}

/* Its old proof is still kept, and is not believed. */
static void device_whose_proofs_are_not_forgotten_is_tried(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    farm_proof(farm, "stuck");
    farm->assign_to = FARM_GPU;
    farm_fail(farm, GM_E_DEVICE_DRIVER);
    farm_until_gpu_says(farm, "again: device.driver");
    for (uint32_t seen = farm->gpu_offers; farm->gpu_offers == seen;) {
        farm_turn(farm);
    }
    assert_true(farm_gpu_says(farm, "again: no pictures came"));
    assert_int_equal(farm->gpu->usable->slots, 0);
    assert_int_equal(farm_count(farm, "forgotten"), 1);
    assert_int_equal(farm_count(farm, "kept"), 1);
    farm_proof(farm, "pass");
    farm_until_gpu_offers(farm, 2);
}

static void ask_for_proof(struct farm *farm, const char *device, uint64_t number)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Prove prove = GM__PROVE__INIT;
    prove.device = (char *)(uintptr_t)device;
    prove.number = number;
    prove.reason = (char *)(uintptr_t) "2 tasks failed there";
    env.body_case = GM__ENVELOPE__BODY_PROVE;
    env.prove = &prove;
    farm_send(farm, &env);
}

/* Asked again it proves nothing anew, and says that it did. */
static void device_is_proved_again_when_the_scheduler_asks(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm->gpu->proof, 0);
    farm_proof(farm, "fail");
    ask_for_proof(farm, "cpu", 1);
    ask_for_proof(farm, "no such", 2);
    ask_for_proof(farm, FARM_GPU, 7);
    farm_until_gpu_says(farm, "the scheduler wants it proved: 2 tasks failed there");
    assert_int_equal(farm->gpu->usable->slots, 0);
    assert_int_equal(farm->gpu->proof, 0);
    farm_until_gpu_says(farm, "again: no pictures came");
    assert_int_equal(farm_count(farm, "forgotten"), 1);
    farm_proof(farm, "pass");
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm->gpu->proof, 7);
    uint32_t proved = farm_count(farm, "proved");
    ask_for_proof(farm, FARM_GPU, 7);
    farm_expect_healthy(farm);
    assert_int_equal(farm_count(farm, "proved"), proved);
    ask_for_proof(farm, FARM_GPU, 8);
    while (farm->gpu->proof != 8) {
        farm_turn(farm);
    }
    assert_true(farm_count(farm, "proved") > proved);
}

static void what_does_not_verify_is_the_device_s_fault(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    farm_proof(farm, "fail");
    uint64_t id = farm_assign(farm, "encode", "bad bytes"); /* of the processor: no */
    farm_expect_failed(farm, id, GM_E_MEDIA_VERIFY, 0);
    farm->assign_to = FARM_GPU;
    farm_expect_healthy(farm);
    farm_expect_failed(farm, farm_assign(farm, "fail", ""), GM_E_MEDIA, 0); /* of the input: no */
    farm_expect_healthy(farm);
    farm_expect_failed(farm, farm_assign(farm, "encode", "bad bytes"), GM_E_MEDIA_VERIFY, 0);
    farm_until_gpu_says(farm, "media.verify_failed");
    assert_int_equal(farm->gpu->usable->slots, 0);
    farm->assign_to = NULL;
    farm_expect_healthy(farm);
}

static void device_that_fails_its_first_proof_is_tried_again(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "quarantined until its proof passes again: no pictures came");
    farm_expect_healthy(farm);
    farm_proof(farm, "pass");
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm_count(farm, "forgotten"), 0);
}

static size_t codecs_of(const struct farm *farm)
{
    const Gm__Device *facts = farm->gpu == NULL ? NULL : farm->gpu->facts;
    return facts == NULL || facts->n_chains == 0 ? 0 : facts->chains[0]->n_codecs;
}

static void until_gpu_encodes(struct farm *farm, size_t codecs)
{
    while (codecs_of(farm) != codecs) {
        farm_turn(farm);
    }
}

/* It comes back while it is proved. What it has then it keeps: its encoder may be busy. */
static void device_that_passes_in_part_gets_the_rest_later(void **state)
{
    struct farm *farm = *state;
    until_gpu_encodes(farm, 2);
    farm_proof(farm, "part");
    farm->assign_to = FARM_GPU;
    farm_fail(farm, GM_E_DEVICE_LOST);
    farm_until_gpu_says(farm, "quarantined until its proof passes again: device.lost");
    until_gpu_encodes(farm, 1);
    assert_string_equal(farm->gpu->facts->chains[0]->codecs[0], "hevc");
    farm_until_gpu_offers(farm, 2);
    farm_proof(farm, "fail");
    for (uint32_t proved = farm_count(farm, "proved"); farm_count(farm, "proved") < proved + 2;) {
        farm_turn(farm);
        assert_int_equal(farm->gpu->usable->slots, 2);
        assert_false(farm_gpu_says(farm, "quarantined"));
    }
    farm_fail(farm, GM_E_DEVICE_BUSY); /* tells all that it is */
    farm_until_gpu_offers(farm, 0);
    assert_int_equal(codecs_of(farm), 1);
    farm_until_gpu_offers(farm, 2);
    farm_expect_healthy(farm);
    farm_proof(farm, "pass");
    until_gpu_encodes(farm, 2);
    assert_int_equal(farm->gpu->usable->slots, 2);
    assert_int_equal(farm_count(farm, "forgotten"), 1);
}

/* Jobs know a chain by its fingerprint. */
static void chain_that_changes_is_told_though_it_has_as_many_codecs(void **state)
{
    struct farm *farm = *state;
    until_gpu_encodes(farm, 2);
    farm_proof(farm, "part");
    farm->assign_to = FARM_GPU;
    farm_fail(farm, GM_E_DEVICE_LOST);
    until_gpu_encodes(farm, 1);
    assert_string_equal(farm->gpu->facts->chains[0]->fingerprint, "Test GPU | 1.0 | libs 1");
    farm_proof(farm, "newer");
    while (codecs_of(farm) != 1 ||
           strcmp(farm->gpu->facts->chains[0]->fingerprint, "Test GPU | 1.0 | libs 2") != 0) {
        farm_turn(farm);
    }
    assert_int_equal(farm->gpu->usable->slots, 2);
}

/* What was planned without it goes on, by the chain of before. */
static void scaler_that_failed_its_proof_is_proved_again(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm->gpu->facts->n_chains, 1);
    assert_null(strstr(farm->gpu->facts->chains[0]->fingerprint, GM_CUDA_LADDER_MARK));
    for (uint32_t proved = farm_count(farm, "proved"); farm_count(farm, "proved") < proved + 2;) {
        farm_turn(farm);
        assert_int_equal(farm->gpu->facts->n_chains, 1);
    }
    farm_proof(farm, "scaled");
    while (farm->gpu->facts == NULL || farm->gpu->facts->n_chains != 2) {
        farm_turn(farm);
    }
    Gm__Chain **chains = farm->gpu->facts->chains;
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(chains[i]->name, "nvenc");
        assert_int_equal(chains[i]->n_codecs, 2);
    }
    assert_string_equal(chains[0]->fingerprint, "Test GPU | 1.0 | libs 1" GM_CUDA_LADDER_MARK);
    assert_string_equal(chains[1]->fingerprint, "Test GPU | 1.0 | libs 1");
    assert_int_equal(farm->gpu->usable->slots, 2);
    farm->assign_to = FARM_GPU; /* it comes back with what it is proved for alone */
    farm_fail(farm, GM_E_DEVICE_LOST);
    farm_until_gpu_says(farm, "quarantined until its proof passes again: device.lost");
    farm_until_gpu_offers(farm, 2);
    assert_int_equal(farm->gpu->facts->n_chains, 1);
}

static void node_that_waits_says_hello_with_its_chains(void **state)
{
    struct farm *farm = *state;
    assert_int_equal(farm->hellos, 1);
    assert_int_equal(farm->hello->devices[1]->n_chains, 1);
    assert_int_equal(farm->hello->devices[1]->capacity->slots, 2);
    farm_until_gpu_offers(farm, 2);
}

/* And the agent ends all the same: stop waits for it. */
static void node_is_ready_before_proofs_end(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "proofs are under way");
    assert_int_equal(farm->gpu->usable->slots, 0);
    farm_expect_healthy(farm);
    assert_int_equal(farm_count(farm, "proved"), 1);
}

/* That each of its workers gets ready says nothing. */
static void device_whose_workers_die_idle_is_left_alone(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "worker processes do not start");
    farm_until_gpu_offers(farm, 0);
    for (int i = 0; i < 25; i++) { /* heartbeats: longer than the pause before the next start */
        farm_turn(farm);
        assert_int_equal(farm->gpu->usable->slots, 0);
    }
    assert_int_equal(unlink(file_to_die_by()), 0);
    farm_expect_healthy(farm);
}

static void device_whose_workers_live_again_is_used_again(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 0);
    assert_int_equal(unlink(file_to_die_by()), 0);
    farm_until_gpu_offers(farm, 2);
    farm->assign_to = FARM_GPU;
    farm_expect_healthy(farm);
}

int main(void)
{
    fake_worker_main();
    const struct CMUnitTest tests[] = {
        WITH(LISTED, device_without_slots_is_listed),
        WITH(PROVED, proven_device_has_slots_of_its_own),
        WITH(PROVED, workers_of_a_device_have_its_environment),
        WITH(PROVED, refused_session_costs_sessions_that_come_back),
        WITH(PROVED, not_one_session_is_no_slot),
        WITH(PROVED, full_memory_costs_a_slot_that_comes_back),
        WITH(PROVED, full_memory_without_ours_is_all_taken),
        WITH(PASSING, lost_device_is_quarantined_until_it_is_proved),
        WITH(PASSING, device_is_proved_again_when_the_scheduler_asks),
        WITH(PASSING, device_whose_proofs_are_not_forgotten_is_tried),
        WITH(PASSING, what_does_not_verify_is_the_device_s_fault),
        WITH(FAILING, device_that_fails_its_first_proof_is_tried_again),
        WITH(HASTY, device_that_passes_in_part_gets_the_rest_later),
        WITH(HASTY, chain_that_changes_is_told_though_it_has_as_many_codecs),
        WITH(SCALING, scaler_that_failed_its_proof_is_proved_again),
        WITH(WAITING, node_that_waits_says_hello_with_its_chains),
        WITH(HANGING, node_is_ready_before_proofs_end),
        WITH(DYING, device_whose_workers_die_idle_is_left_alone),
        WITH(MENDING, device_whose_workers_live_again_is_used_again),
    };
    return cmocka_run_group_tests_name("node/agent_device", tests, NULL, NULL);
}
