/* The agent between a scheduler that is a socket in this test and workers that are this program. */
#include "node/agent.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hash.h"
#include "node/fake_io.h"

/* What the agents are like. */
static const struct farm PLAIN = {.slots = 1};
static const struct farm WATCHFUL = {.stall_ms = 2000};

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, farm_teardown,                      \
                                             (void *)(uintptr_t) & (farm))

static void hello_and_offer_tell_the_machine(void **state)
{
    struct farm *farm = *state;
    assert_string_equal(farm->hello->node_id, "node-under-test");
    assert_string_equal(farm->hello->build, "test");
    assert_int_equal(farm->hello->protocol, 1);
    assert_int_equal(farm->hello->n_devices, 1);
    assert_string_equal(farm->hello->devices[0]->id, "cpu");
    assert_int_equal(farm->hello->devices[0]->capacity->slots, 1);
    assert_int_equal(farm->offer->usable->slots, 1);
    assert_int_equal(farm->offer->usable->cpu_milli, 2000);
}

static void pieces_are_stored_and_told_in_order(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "12");
    uint64_t seq = 0;
    for (uint32_t i = 0; i < 12; i++) {
        Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
        char key[64];
        char text[64];
        snprintf(key, sizeof(key), "video/piece-%" PRIu32, i);
        snprintf(text, sizeof(text), "piece %" PRIu32, i);
        assert_int_equal(env->produced->task_id, id);
        assert_int_equal(env->produced->item->index, i);
        assert_int_equal(env->produced->item->last, i == 11);
        assert_int_equal(env->produced->item->n_objects, 1);
        assert_string_equal(env->produced->item->objects[0]->key, key);
        assert_int_equal(env->produced->item->objects[0]->size, strlen(text));
        assert_true(env->seq > seq);
        seq = env->seq;
        char *stored = farm_stored(farm, key);
        assert_string_equal(stored, text);
        free(stored);
        farm_ack(farm, env->seq, false);
        gm__envelope__free_unpacked(env, NULL);
    }
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
    assert_true(env->done->usage->wall_us > 0);
    assert_true(env->done->usage->bytes_out > 0);
    assert_true(env->done->usage->max_rss_bytes > 0);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_healthy(farm);
}

static void worker_waits_when_four_pieces_are_not_committed(void **state)
{
    struct farm *farm = *state;
    uint64_t seqs[4];
    uint64_t id = farm_assign(farm, "pieces", "5");
    for (uint32_t i = 0; i < 4;) {
        Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
        if (env->produced->item->index >= i) { /* not one that comes again */
            assert_int_equal(env->produced->item->index, i);
            seqs[i++] = env->seq;
        }
        gm__envelope__free_unpacked(env, NULL);
    }
    /* the next thing that comes is one of them again, not a fifth */
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(env->seq, seqs[env->produced->item->index % 4]);
    gm__envelope__free_unpacked(env, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        farm_ack(farm, seqs[i], false);
    }
    bool fifth = false;
    while (!fifth) {
        env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
        fifth = env->produced->item->index == 4;
        farm_ack(farm, env->seq, false);
        gm__envelope__free_unpacked(env, NULL);
    }
    farm_expect_done(farm, id);
}

static void set_object(Gm__Object *object, char *url, char *key, size_t size)
{
    gm__object__init(object);
    object->url = url;
    object->key = key;
    object->size = size;
}

static void source_inputs_feeds_and_results_reach_the_worker(void **state)
{
    struct farm *farm = *state;
    char *urls[4] = {farm_object(farm, "source.mp4", "SOURCE", 6),
                     farm_object(farm, "a", "one,", 4), farm_object(farm, "b", "two,", 4),
                     farm_object(farm, "r", "result", 6)};
    Gm__Object objects[4];
    set_object(&objects[0], urls[0], (char *)(uintptr_t) "source.mp4", 6);
    set_object(&objects[1], urls[1], (char *)(uintptr_t) "a", 4);
    set_object(&objects[2], urls[2], (char *)(uintptr_t) "b", 4);
    set_object(&objects[3], urls[3], (char *)(uintptr_t) "r", 6);
    Gm__Object *lists[4] = {&objects[0], &objects[1], &objects[2], &objects[3]};
    Gm__Item items[2];
    Gm__TaskInput inputs[2];
    Gm__TaskInput *input_list[2] = {&inputs[0], &inputs[1]};
    for (int i = 0; i < 2; i++) {
        gm__item__init(&items[i]);
        items[i].index = (uint32_t)i;
        items[i].objects = &lists[1 + i];
        items[i].n_objects = 1;
        gm__task_input__init(&inputs[i]);
        inputs[i].task = (char *)(uintptr_t) "split";
        inputs[i].item = &items[i];
    }
    Gm__TaskResult result = GM__TASK_RESULT__INIT;
    result.task = (char *)(uintptr_t) "plan";
    result.objects = &lists[3];
    result.n_objects = 1;
    Gm__TaskResult *results[] = {&result};
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = &objects[0];
    spec.results = results;
    spec.n_results = 1;
    spec.inputs = input_list;
    spec.n_inputs = 1;
    uint64_t id = farm_assign_spec(farm, &spec);

    Gm__Feed feed = GM__FEED__INIT;
    feed.task_id = id;
    feed.term = farm->term;
    feed.epoch = id + 100;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_FEED;
    env.feed = &feed;
    feed.first = 0; /* overlaps what is known */
    feed.inputs = input_list;
    feed.n_inputs = 2;
    farm_send(farm, &env);
    farm_send(farm, &env); /* twice: no change */
    feed.first = 2;
    feed.n_inputs = 0;
    feed.inputs_complete = true;
    farm_send(farm, &env);

    Gm__Envelope *done = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
    assert_string_equal(done->done->publication, "0badcafe0badcafe");
    assert_int_equal(done->done->usage->bytes_in, 20);
    farm_ack(farm, done->seq, false);
    gm__envelope__free_unpacked(done, NULL);
    char *stored = farm_stored(farm, "joined");
    assert_string_equal(stored, "SOURCEone,two,result");
    free(stored);
    for (int i = 0; i < 4; i++) {
        free(urls[i]);
    }
}

static void wrong_size_of_an_object_fails_the_task(void **state)
{
    struct farm *farm = *state;
    char *url = farm_object(farm, "source.mp4", "SOURCE", 6);
    Gm__Object source;
    set_object(&source, url, (char *)(uintptr_t) "source.mp4", 7);
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = &source;
    spec.inputs_complete = true;
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_INPUT_CHANGED, 0);
    source.url[strlen(source.url) - 1] ^= 1; /* the signature */
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_NODE_GRANT, 0);
    free(url);
    farm_expect_healthy(farm);
}

/* A source that is newer than its job, objects that are gone or have other bytes. */
static void changed_and_missing_objects_have_their_own_codes(void **state)
{
    struct farm *farm = *state;
    char *url = farm_object(farm, "source.mp4", "SOURCE", 6);
    char *good = farm_object(farm, "chunk", "body", 4);
    uint8_t hash[GM_SHA256_SIZE];
    Gm__Object source, chunk;
    set_object(&source, url, (char *)(uintptr_t) "source.mp4", 6);
    set_object(&chunk, good, (char *)(uintptr_t) "chunk", 4);
    gm_sha256("BODY", 4, hash);
    chunk.sha256 = (ProtobufCBinaryData){.data = hash, .len = sizeof(hash)};
    Gm__Object *chunks[] = {&chunk};
    Gm__TaskResult result = GM__TASK_RESULT__INIT;
    Gm__TaskResult *results[] = {&result};
    result.task = (char *)(uintptr_t) "plan";
    result.objects = chunks;
    result.n_objects = 1;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = &source;
    spec.results = results;
    spec.n_results = 1;
    spec.inputs_complete = true;
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_STORE_CORRUPT, 0);
    source.version = 1000000001; /* a second after 1970 began */
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_INPUT_CHANGED, 0);
    farm_remove_object(farm, "source.mp4");
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_INPUT_MISSING, 0);
    free(farm_object(farm, "source.mp4", "SOURCE", 6));
    source.version = 0;
    farm_remove_object(farm, "chunk");
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_STORE_CORRUPT, 0);
    free(url);
    free(good);
    farm_expect_healthy(farm);
}

static void encoded_pieces_are_verified_by_another_process(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "encode", "good bytes");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(env->produced->item->index, 7);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);

    uint32_t grants = farm->grants;
    id = farm_assign(farm, "encode", "bad bytes");
    env = farm_expect(farm, GM__ENVELOPE__BODY_FAILED);
    assert_int_equal(env->failed->task_id, id);
    assert_int_equal(env->failed->error->code, GM_E_MEDIA_VERIFY);
    assert_int_equal(env->failed->chunk, 7);
    assert_int_equal(farm->grants, grants); /* nothing was stored */
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);

    id = farm_assign(farm, "encode", "crash");
    farm_expect_failed(farm, id, GM_E_WORKER_DIED, SIGABRT);

    id = farm_assign(farm, "encode", "good again");
    env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
}

/* Of the task's inputs the one that the piece was made of, as split announced it. */
static void the_verifier_is_told_of_the_piece_s_chunk(void **state)
{
    static const struct {
        uint32_t stream, index;
        const char *meta;
    } rows[] = {{0, 6, "next"}, {1, 7, "sound"}, {0, 7, "mine"}, {0, 8, "last"}};
    enum { INPUTS = sizeof(rows) / sizeof(rows[0]) };
    struct farm *farm = *state;
    Gm__Object object = GM__OBJECT__INIT;
    Gm__Object *objects[] = {&object};
    Gm__Item items[INPUTS];
    Gm__TaskInput inputs[INPUTS];
    Gm__TaskInput *list[INPUTS];
    for (size_t i = 0; i < INPUTS; i++) {
        gm__item__init(&items[i]);
        items[i].stream = rows[i].stream;
        items[i].index = rows[i].index;
        items[i].objects = objects;
        items[i].n_objects = 1;
        items[i].meta.data = (uint8_t *)(uintptr_t)rows[i].meta;
        items[i].meta.len = strlen(rows[i].meta);
        gm__task_input__init(&inputs[i]);
        inputs[i].task = (char *)(uintptr_t) "split";
        inputs[i].item = &items[i];
        list[i] = &inputs[i];
    }
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "encode";
    spec.source_name = (char *)(uintptr_t) "chunk";
    spec.inputs = list;
    spec.n_inputs = INPUTS;
    spec.inputs_complete = true;
    uint64_t id = farm_assign_spec(farm, &spec);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
}

static void crash_costs_one_task_and_keeps_what_was_announced(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "crash", "");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(env->produced->item->index, 0);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_failed(farm, id, GM_E_WORKER_DIED, SIGABRT);
    farm_expect_healthy(farm);
}

static void task_failure_keeps_its_code_and_chunk(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "fail", "");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_FAILED);
    assert_int_equal(env->failed->task_id, id);
    assert_int_equal(env->failed->error->code, GM_E_MEDIA);
    assert_int_equal(env->failed->error->native, -42);
    assert_string_equal(env->failed->error->text, "chunk three does not decode");
    assert_int_equal(env->failed->chunk, 3);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_failed(farm, farm_assign(farm, "no-such-type", ""), GM_E_PROTO, 0);
    farm_expect_healthy(farm);
}

static void memory_has_a_limit(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)state;
    print_message("SKIPPED here: memory's limit (sanitizers need more address space than any)\n");
    skip();
#else
    struct farm *farm = *state;
    farm_expect_failed(farm, farm_assign(farm, "greedy", ""), GM_E_NOMEM, 0);
    farm_expect_failed(farm, farm_assign(farm, "greedy", "hides"), GM_E_NOMEM, 0);
    farm_expect_healthy(farm);
#endif
}

static void hung_worker_is_killed(void **state)
{
    struct farm *farm = *state;
    farm_expect_failed(farm, farm_assign(farm, "hang", ""), GM_E_WORKER_HUNG, 0);
    farm_expect_healthy(farm);
}

static void lying_workers_are_found_out(void **state)
{
    static const struct {
        const char *how;
        enum gm_code code;
    } lies[] = {{"climb", GM_E_WORKER_DIED},
                {"missing", GM_E_BUG},
                {"folder", GM_E_BUG},
                {"huge-meta", GM_E_BUG},
                {"garbage", GM_E_WORKER_DIED}};
    struct farm *farm = *state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        farm_expect_failed(farm, farm_assign(farm, "lie", lies[i].how), lies[i].code, 0);
        farm_expect_healthy(farm);
    }
    farm_expect_failed(farm, farm_assign(farm, "lie", "flood"), GM_E_BUG, 0);
    farm_expect_healthy(farm);
}

/* What no worker could start over: the self-test's own names, closed and deep. */
static void folders_that_a_worker_leaves_go_with_it(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "lie", "squat");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    char *stored = farm_stored(farm, env->produced->item->objects[0]->key);
    assert_string_equal(stored, "before the crash"); /* it was announced: it is stored */
    free(stored);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_failed(farm, id, GM_E_WORKER_DIED, SIGABRT);
    farm_expect_healthy(farm);
}

static void cancelled_task_is_dropped_and_the_slot_is_free(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "busy", "");
    while (farm->progress == 0) {   /* it runs */
        farm_cancel(farm, id + 10); /* of a task that is not there */
        farm_turn(farm);
    }
    farm_cancel(farm, id);
    farm_expect_healthy(farm);
}

static void more_tasks_than_slots_are_refused(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    uint64_t second = farm_assign(farm, "busy", "");
    farm_expect_failed(farm, second, GM_E_BUSY, 0);
}

int main(void)
{
    fake_worker_main();
    const struct CMUnitTest tests[] = {
        WITH(PLAIN, hello_and_offer_tell_the_machine),
        WITH(PLAIN, pieces_are_stored_and_told_in_order),
        WITH(PLAIN, worker_waits_when_four_pieces_are_not_committed),
        WITH(PLAIN, source_inputs_feeds_and_results_reach_the_worker),
        WITH(PLAIN, changed_and_missing_objects_have_their_own_codes),
        WITH(PLAIN, wrong_size_of_an_object_fails_the_task),
        WITH(PLAIN, encoded_pieces_are_verified_by_another_process),
        WITH(PLAIN, the_verifier_is_told_of_the_piece_s_chunk),
        WITH(PLAIN, crash_costs_one_task_and_keeps_what_was_announced),
        WITH(PLAIN, task_failure_keeps_its_code_and_chunk),
        WITH(PLAIN, memory_has_a_limit),
        WITH(WATCHFUL, hung_worker_is_killed),
        WITH(PLAIN, lying_workers_are_found_out),
        WITH(PLAIN, folders_that_a_worker_leaves_go_with_it),
        WITH(PLAIN, cancelled_task_is_dropped_and_the_slot_is_free),
        WITH(PLAIN, more_tasks_than_slots_are_refused),
    };
    return cmocka_run_group_tests_name("node/agent", tests, NULL, NULL);
}
