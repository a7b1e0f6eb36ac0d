/* GPUs that decode for tasks of the processors: which slots, how many tasks, and what comes of
 * failures. The GPU is words in a list; the agent's workers are this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/fake_io.h"

#define ON_GPU "cuda;" FARM_UUID ";h264"
#define VA_NODE "/dev/dri/renderD128"
#define WITHOUT_ITS_GPU "cuda;;" /* its worker might, and may not */
#define IN_SOFTWARE "-;;"

struct want {
    uint32_t slots;       /* of the processors */
    int32_t decode_slots; /* -1: by the GPU */
    uint32_t engines;
    uint64_t memory_bytes;
    const char *proof;
    bool no_uuid;
    bool va;      /* by a VA driver, which tells neither engines nor memory */
    bool encodes; /* and is proved to, beforehand, as its decoder is */
    uint32_t stall_ms;
    uint32_t retry_ms;
    bool starts_not; /* no worker with the GPU becomes ready */
};

static struct farm *start(const struct want *want)
{
    static const char *const environment[] = {"GM_TEST_NO_START", NULL};
    struct farm *farm = calloc(1, sizeof(*farm));
    struct gm_device_list list = {0};
    struct gm_device *device = NULL;
    struct gm_device_codec codec = {
        .api = "nvdec", .codec = "h264", .chroma = 420, .depth = 8, .engines = want->engines};
    struct gm_device_codec encoder = {.api = "nvenc", .codec = "h264", .chroma = 420, .depth = 8};
    struct gm_device_proof decodes = {.api = "nvdec", .codec = "h264", .depth = 8, .passed = true};
    struct gm_device_proof encodes = {
        .api = "nvenc", .codec = "h264", .depth = 8, .encode = true, .passed = true};
    assert_non_null(farm);
    farm_gpu_list(&list, &device);
    gm_device_set(device->uuid, want->no_uuid ? "" : FARM_UUID);
    device->memory_bytes = want->memory_bytes;
    if (want->va) {
        gm_device_set(codec.api, "vaapi");
        gm_device_set(encoder.api, "vaapi");
        gm_device_set(decodes.api, "vaapi");
        gm_device_set(encodes.api, "vaapi");
        assert_true(gm_device_add_feature(device, GM_FEATURE_VA_HEADERS));
        gm_device_set(device->render_node, VA_NODE);
        device->kind = GM_DEVICE_DRM;
        device->uuid[0] = '\0';
    }
    assert_true(gm_device_add_codec(device, false, &codec));
    if (want->encodes) {
        assert_true(gm_device_add_codec(device, true, &encoder));
        assert_true(want->proof != NULL || gm_device_add_proof(device, &encodes));
        assert_true(want->proof != NULL || gm_device_add_proof(device, &decodes));
    }
    farm->devices = &list; /* the agent is forked: the list may go after */
    farm->device_slots = 1;
    farm->decode_slots = want->va ? -1 : want->decode_slots;
    farm->va_decode_slots = want->va && want->decode_slots > 0 ? (uint32_t)want->decode_slots : 0;
    farm->proves_decoding = true;
    farm->proves_both = want->encodes;
    farm->prove = want->proof != NULL;
    farm->proof_at_start = want->proof;
    farm->stall_ms = want->stall_ms;
    farm->device_retry_ms = want->retry_ms;
    farm->device_environment = want->starts_not ? environment : NULL;
    assert_int_equal(setenv("GM_TEST_NO_START", "1", 1), 0);
    farm_start(farm, want->slots);
    farm->devices = NULL;
    gm_device_list_fini(&list);
    return farm;
}

static int start_usual(void **state)
{
    *state = start(&(struct want){
        .slots = 2, .decode_slots = -1, .engines = 1, .memory_bytes = 1ull << 34, .proof = "pass"});
    return 0;
}

static int start_for_one(void **state)
{
    *state = start(&(struct want){.slots = 2, .decode_slots = 1, .engines = 4, .proof = "pass"});
    return 0;
}

static int start_small(void **state)
{
    *state = start(&(struct want){.slots = 3,
                                  .decode_slots = -1,
                                  .engines = 4,
                                  .memory_bytes = (1ull << 30) + 12345,
                                  .proof = "pass"});
    return 0;
}

static int start_off(void **state)
{
    *state = start(&(struct want){.slots = 1, .engines = 4, .proof = "pass"});
    return 0;
}

static int start_unnamed(void **state)
{
    *state = start(&(struct want){
        .slots = 1, .decode_slots = -1, .engines = 4, .proof = "pass", .no_uuid = true});
    return 0;
}

static int start_va(void **state)
{
    *state = start(&(struct want){.slots = 3, .decode_slots = 2, .proof = "pass", .va = true});
    return 0;
}

static int start_va_unasked(void **state)
{
    *state = start(&(struct want){.slots = 3, .decode_slots = -1, .proof = "pass", .va = true});
    return 0;
}

static int start_va_encoding(void **state)
{
    *state = start(&(struct want){.slots = 1, .decode_slots = 1, .va = true, .encodes = true});
    return 0;
}

static int start_va_encoding_unasked(void **state)
{
    *state = start(&(struct want){.slots = 1, .decode_slots = -1, .va = true, .encodes = true});
    return 0;
}

static int start_failing(void **state)
{
    *state = start(&(struct want){.slots = 1, .decode_slots = -1, .engines = 1, .proof = "fail"});
    return 0;
}

static int start_impatient(void **state)
{
    *state = start(&(struct want){
        .slots = 1, .decode_slots = -1, .engines = 1, .proof = "pass", .stall_ms = 2000});
    return 0;
}

static int start_patient(void **state)
{
    *state = start(&(struct want){
        .slots = 2, .decode_slots = -1, .engines = 1, .proof = "pass", .retry_ms = 600000});
    return 0;
}

static int start_unstartable(void **state)
{
    *state = start(&(struct want){.slots = 2,
                                  .decode_slots = -1,
                                  .engines = 1,
                                  .proof = "pass",
                                  .retry_ms = 600000,
                                  .starts_not = true});
    return 0;
}

static int start_encoding(void **state)
{
    *state = start(&(struct want){.slots = 1, .decode_slots = -1, .encodes = true});
    return 0;
}

static int start_encoding_proved(void **state)
{
    *state = start(&(struct want){
        .slots = 1, .decode_slots = -1, .engines = 1, .encodes = true, .proof = "pass"});
    return 0;
}

static int stop(void **state)
{
    farm_stop(*state);
    free(*state);
    return 0;
}

static void expect_place(struct farm *farm, const char *how, const char *wanted)
{
    assert_string_equal(farm_place(farm, "analyze", how), wanted);
}

/* Slots are started anew when they are free: a task may come before that. */
static void until_decoded(struct farm *farm)
{
    while (strcmp(farm_place(farm, "analyze", ""), ON_GPU) != 0) {
    }
}

/* The same of one task after the other, wherever they run. */
static void until_place(struct farm *farm, const char *wanted)
{
    while (strcmp(farm_place(farm, "analyze", ""), wanted) != 0) {
    }
}

static void until_decodes(struct farm *farm, unsigned slots)
{
    char words[64];
    snprintf(words, sizeof(words), "decodes for %u slot", slots);
    farm_until_gpu_says(farm, words);
    until_decoded(farm);
}

/* Decodes for the processors' one slot, and encodes. */
static void until_does_both(struct farm *farm)
{
    until_decodes(farm, 1);
    farm_until_gpu_offers(farm, 1);
}

/* The slot that a task gets may still have the GPU's sandbox. */
static void until_in_software(struct farm *farm, const char *how)
{
    const char *place = NULL;
    while (strcmp(place = farm_place(farm, "analyze", how), IN_SOFTWARE) != 0) {
        assert_string_equal(place, WITHOUT_ITS_GPU);
    }
}

static void tasks_that_decode_video_do_it_on_the_gpu(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "decodes for 2 slots of the processor");
    assert_false(farm_gpu_says(farm, "listed only"));
    assert_int_equal(farm->gpu->usable->slots, 0);
    assert_int_equal(farm->gpu->facts->n_chains, 0);
    until_decoded(farm);
    expect_place(farm, "", ON_GPU);
    farm_expect_healthy(farm);
}

/* The first codec that passed is told. */
static void va_driver_decodes_h264_for_two(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "decodes for 2 slots of the processor");
    while (strcmp(farm_place(farm, "analyze", ""), "dri;" VA_NODE ";h264") != 0) {
    }
    farm_expect_healthy(farm);
    farm_proof(farm, "wait"); /* or it is back before the task ends */
    expect_place(farm, farm_code_text(GM_E_DEVICE_LOST), "dri;" VA_NODE ";h264");
    farm_until_gpu_says(farm, "does not decode for the processors until its proof passes again");
}

/* They count among those that it decodes for. */
static void va_driver_decodes_for_its_own_tasks(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "decodes for 1 slot of the processor and its own tasks, 1 at once");
    farm_until_gpu_offers(farm, 1);
    farm->assign_to = FARM_GPU;
    expect_place(farm, "", "dri;" VA_NODE ";h264");
    uint64_t busy = farm_assign(farm, "analyze", "busy");
    farm->assign_to = NULL;
    until_place(farm, "dri;;");
    farm_cancel(farm, busy);
    until_place(farm, "dri;" VA_NODE ";h264");
    farm->assign_to = FARM_GPU;
    expect_place(farm, farm_code_text(GM_E_DEVICE_LOST), "dri;" VA_NODE ";h264");
    farm_until_gpu_says(farm, "quarantined until its proof passes again: device.lost");
}

/* Its decoder saw it go, and then its encoder did not open. */
static void device_that_was_lost_is_what_the_task_fails_of(void **state)
{
    struct farm *farm = *state;
    char lost[32];
    snprintf(lost, sizeof(lost), "%d shut", GM_E_DEVICE_LOST);
    farm_until_gpu_says(farm, "decodes for 1 slot of the processor");
    farm_until_gpu_offers(farm, 1);
    farm->assign_to = FARM_GPU;
    farm_expect_failed(farm, farm_assign(farm, "analyze", lost), GM_E_DEVICE_LOST, 7);
    farm_until_gpu_says(farm, "quarantined until its proof passes again: device.lost");
}

static void va_driver_decodes_for_nobody_unasked(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_offers(farm, 1);
    farm->assign_to = FARM_GPU;
    expect_place(farm, "", "dri;;");
}

static void no_more_tasks_than_wanted(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "decodes for 1 slot of the processor");
    until_decoded(farm);
    /* the other slot has no GPU, and takes what does not decode */
    const char *other = farm_place(farm, "place", "");
    assert_true(strncmp(other, "-;", 2) == 0);
    uint64_t busy = farm_assign(farm, "analyze", "busy");
    expect_place(farm, "", IN_SOFTWARE);
    farm_cancel(farm, busy);
    until_decoded(farm);
}

static void no_more_tasks_than_its_memory_holds(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "decodes for 1 slot of the processor");
}

static void nothing_without_slots_or_name(void **state)
{
    struct farm *farm = *state;
    while (farm_count(farm, "proved") == 0) {
        farm_expect_healthy(farm);
    }
    while (farm->gpu == NULL || farm->gpu->facts->n_proofs == 0) {
        farm_turn(farm); /* what follows from its proof is told with it */
    }
    assert_false(farm_gpu_says(farm, "decodes"));
    expect_place(farm, "", IN_SOFTWARE);
    assert_null(strstr(farm->noted, "decodes"));
}

static void failed_proof_is_tried_again(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "does not decode for the processors until its proof passes again: "
                              "no pictures came");
    expect_place(farm, "", IN_SOFTWARE);
    farm_proof(farm, "pass");
    farm_until_gpu_says(farm, "decodes for 1 slot of the processor");
    until_decoded(farm);
}

static void lost_gpu_is_away_until_it_is_proved(void **state)
{
    struct farm *farm = *state;
    until_decodes(farm, 2);
    farm_proof(farm, "wait");
    expect_place(farm, farm_code_text(GM_E_DEVICE_LOST), ON_GPU); /* which is done all the same */
    farm_until_gpu_says(farm, "until its proof passes again: device.lost: as it was told");
    assert_int_equal(farm->gpu->facts->n_proofs, 0);
    while (farm_count(farm, "forgotten") == 0) {
        farm_expect_healthy(farm);
    }
    until_in_software(farm, ""); /* its sandbox goes too */
    farm_proof(farm, "fail");
    farm_until_gpu_says(farm, "until its proof passes again: no pictures came");
    until_in_software(farm, "");
    farm_proof(farm, "pass");
    until_decodes(farm, 2);
}

/* It comes back while it is proved: what was proved too early is proved again. */
static void gpu_that_passes_in_part_is_proved_again(void **state)
{
    struct farm *farm = *state;
    until_decodes(farm, 2);
    farm_proof(farm, "part");
    expect_place(farm, farm_code_text(GM_E_DEVICE_LOST), ON_GPU);
    while (strcmp(farm_place(farm, "analyze", ""), "cuda;" FARM_UUID ";hevc") != 0) {
    }
    farm_proof(farm, "pass");
    until_decoded(farm);
    farm_until_gpu_says(farm, "decodes for 2 slots");
}

static void full_gpu_decodes_for_as_many_as_it_does(void **state)
{
    struct farm *farm = *state;
    until_decodes(farm, 2);
    expect_place(farm, farm_code_text(GM_E_DEVICE_MEMORY), ON_GPU);
    farm_until_gpu_says(farm, "decodes for 0 slots of the processor: it is full for now");
    assert_int_equal(farm_count(farm, "forgotten"), 0);
    expect_place(farm, "", WITHOUT_ITS_GPU);
}

static void full_gpu_grows_back(void **state)
{
    struct farm *farm = *state;
    until_decodes(farm, 2);
    assert_null(strstr(farm->noted, "full"));
    expect_place(farm, farm_code_text(GM_E_DEVICE_MEMORY), ON_GPU);
    farm_until_gpu_says(farm, "decodes for 2 slots of the processor");
    while (farm_gpu_says(farm, "full")) {
        farm_turn(farm);
    }
    const char *none = strstr(farm->noted, "decodes for 0 slots of the processor: it is full");
    assert_non_null(none);
    assert_non_null(strstr(none, "decodes for 1 slot of the processor: it is full"));
    expect_place(farm, "", ON_GPU);
}

static void full_gpu_takes_no_more(void **state)
{
    struct farm *farm = *state;
    until_decodes(farm, 2);
    uint64_t busy = farm_assign(farm, "analyze", "busy");
    while (strcmp(farm_place(farm, "analyze", farm_code_text(GM_E_DEVICE_BUSY)), ON_GPU) != 0) {
        /* the other slot's worker is not started anew yet */
    }
    farm_until_gpu_says(farm, "decodes for 1 slot of the processor: it is full for now");
    expect_place(farm, "", WITHOUT_ITS_GPU);
    farm_cancel(farm, busy);
    until_decoded(farm);
}

static void worker_that_does_not_start_goes_on_without(void **state)
{
    struct farm *farm = *state;
    farm_until_gpu_says(farm, "until its proof passes again: node.worker_died");
    until_in_software(farm, "");
    assert_int_equal(farm->offer->usable->slots, 2);
}

static void expect_crash(struct farm *farm)
{
    uint64_t id = farm_assign(farm, "analyze", "crash");
    Gm__Envelope *env = NULL;
    for (env = farm_next(farm); env->body_case == GM__ENVELOPE__BODY_PRODUCED;
         env = farm_next(farm)) { /* a piece before it died, perhaps */
        farm_ack(farm, env->seq, false);
        gm__envelope__free_unpacked(env, NULL);
    }
    assert_int_equal(env->body_case, GM__ENVELOPE__BODY_FAILED);
    assert_int_equal(env->failed->task_id, id);
    assert_int_equal(env->failed->error->code, GM_E_WORKER_DIED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
}

static void worker_that_dies_takes_the_gpu_away(void **state)
{
    struct farm *farm = *state;
    until_decodes(farm, 2);
    farm_proof(farm, "wait");
    expect_crash(farm);
    farm_until_gpu_says(farm, "until its proof passes again: node.worker_died");
    until_in_software(farm, "crash");
}

static void worker_that_hangs_takes_the_gpu_away(void **state)
{
    struct farm *farm = *state;
    until_decodes(farm, 1);
    farm_proof(farm, "wait");
    farm_expect_failed(farm, farm_assign(farm, "analyze", "hang"), GM_E_WORKER_HUNG, 0);
    farm_until_gpu_says(farm, "until its proof passes again: node.worker_hung");
    until_in_software(farm, "");
}

static void gpu_that_encodes_is_lost_for_both(void **state)
{
    struct farm *farm = *state;
    until_does_both(farm);
    expect_place(farm, farm_code_text(GM_E_DEVICE_LOST), ON_GPU);
    farm_until_gpu_says(farm, "quarantined until its proof passes again: device.lost");
    assert_int_equal(farm->gpu->usable->slots, 0);
    assert_false(farm_gpu_says(farm, "decodes for"));
    until_in_software(farm, "");
}

/* Its encoder is not proved again: what runs there may hold its sessions. */
static void gpu_that_encodes_goes_on_when_a_decoding_worker_dies(void **state)
{
    struct farm *farm = *state;
    until_does_both(farm);
    farm_proof(farm, "wait");
    expect_crash(farm);
    farm_until_gpu_says(farm, "until its proof passes again: node.worker_died");
    assert_int_equal(farm->gpu->usable->slots, 1);
    farm_proof(farm, "pass");
    farm_until_gpu_says(farm, "decodes for 1 slot");
    assert_int_equal(farm_count(farm, "proved"), 2);
    assert_int_equal(farm->gpu->usable->slots, 1);
    assert_int_equal(farm->gpu->facts->n_chains, 1);
    assert_int_equal(farm->gpu->facts->n_proofs, 3);
    assert_false(farm_gpu_says(farm, "quarantined"));
    until_decoded(farm);
}

/* What it passes then was begun before it failed. */
static void proof_of_a_gpu_that_fails_meanwhile_is_not_taken(void **state)
{
    struct farm *farm = *state;
    until_does_both(farm);
    farm_proof(farm, "wait");
    expect_crash(farm);
    while (farm_count(farm, "proved") < 2) {
        farm_turn(farm);
    }
    farm->assign_to = FARM_GPU;
    farm_fail(farm, GM_E_DEVICE_LOST);
    farm_until_gpu_says(farm, "quarantined until its proof passes again: device.lost");
    farm_proof(farm, "pass");
    farm_until_gpu_says(farm, "quarantined until its proof passes again: no pictures came");
    assert_true(farm_count(farm, "proved") >= 3);
}

/* As where gopmill-prove can't be asked: what works goes on. */
static void proof_that_tries_nothing_takes_nothing_away(void **state)
{
    struct farm *farm = *state;
    static const char hevc[] = "cuda;" FARM_UUID ";hevc";
    if (farm->proves_both) {
        until_does_both(farm);
        farm_proof(farm, "part");
        expect_crash(farm);
    } else {
        until_decodes(farm, 2);
        farm_proof(farm, "part");
        expect_place(farm, farm_code_text(GM_E_DEVICE_LOST), ON_GPU);
    }
    until_place(farm, hevc);
    farm_proof(farm, "nothing");
    size_t said = strlen(farm->noted);
    for (uint32_t end = farm_count(farm, "proved") + 3; farm_count(farm, "proved") < end;) {
        farm_turn(farm);
    }
    until_place(farm, hevc);
    assert_null(strstr(farm->noted + said, "until its proof passes again"));
    farm_proof(farm, "pass");
    until_decoded(farm);
}

#define CASE(test, setup) cmocka_unit_test_setup_teardown(test, setup, stop)

int main(void)
{
    fake_worker_main();
    const struct CMUnitTest tests[] = {
        CASE(tasks_that_decode_video_do_it_on_the_gpu, start_usual),
        CASE(va_driver_decodes_h264_for_two, start_va),
        CASE(nothing_without_slots_or_name, start_va_unasked),
        CASE(va_driver_decodes_for_its_own_tasks, start_va_encoding),
        CASE(device_that_was_lost_is_what_the_task_fails_of, start_va_encoding),
        CASE(va_driver_decodes_for_nobody_unasked, start_va_encoding_unasked),
        CASE(no_more_tasks_than_wanted, start_for_one),
        CASE(no_more_tasks_than_its_memory_holds, start_small),
        CASE(nothing_without_slots_or_name, start_off),
        CASE(nothing_without_slots_or_name, start_unnamed),
        CASE(failed_proof_is_tried_again, start_failing),
        CASE(lost_gpu_is_away_until_it_is_proved, start_usual),
        CASE(gpu_that_passes_in_part_is_proved_again, start_usual),
        CASE(full_gpu_decodes_for_as_many_as_it_does, start_patient),
        CASE(full_gpu_grows_back, start_usual),
        CASE(full_gpu_takes_no_more, start_patient),
        CASE(worker_that_does_not_start_goes_on_without, start_unstartable),
        CASE(worker_that_dies_takes_the_gpu_away, start_usual),
        CASE(worker_that_hangs_takes_the_gpu_away, start_impatient),
        CASE(gpu_that_encodes_is_lost_for_both, start_encoding),
        CASE(gpu_that_encodes_goes_on_when_a_decoding_worker_dies, start_encoding_proved),
        CASE(proof_of_a_gpu_that_fails_meanwhile_is_not_taken, start_encoding_proved),
        CASE(proof_that_tries_nothing_takes_nothing_away, start_usual),
        CASE(proof_that_tries_nothing_takes_nothing_away, start_encoding_proved),
    };
    return cmocka_run_group_tests_name("node/agent_assist", tests, NULL, NULL);
}
