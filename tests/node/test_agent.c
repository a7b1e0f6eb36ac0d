/* The agent between a scheduler that is a socket in this test and workers that are this program. */
#include "node/agent.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/hash.h"
#include "node/fake_io.h"

/* What the agents are like. */
static const struct farm PLAIN = {.slots = 1};
static const struct farm TWO_SLOTS = {.slots = 2};
static const struct farm OLDER_SCHEDULER = {.slots = 2, .no_batches = true};
static const struct farm IMPATIENT = {.lease_ms = 2000};
static const struct farm LONG = {.lease_ms = 600000}; /* than a farm goes on */
static const struct farm WATCHFUL = {.stall_ms = 2000};
static const struct farm SILENT = {.patience_ms = 2000};
static const struct farm SELDOM = {.idle_ms = 3000000000, .lease_ms = 3000000000};
static const struct farm SELDOM_SILENT = {
    .idle_ms = 300, .lease_ms = 600000, .heartbeat_ms = 50, .patience_ms = 2000};
static const struct farm PATIENT = {.drain_ms = 60000};
static const struct farm HASTY = {.drain_ms = 300};
#define IN_2001 INT64_C(1000000000000)
static const struct farm BEHIND = {.unix_ms = IN_2001, .grants_end = IN_2001 + 3600000};
static const struct farm SLOW_BEHIND = {.unix_ms = IN_2001,
                                        .grants_end = IN_2001 + 3600000,
                                        .heartbeat_ms = 60000,
                                        .lease_ms = 180000,
                                        .leases = UINT32_MAX};
static const struct farm CLOCKLESS = {.grants_end = IN_2001};
static const struct farm SECOND = {.second = true, .patience_ms = 2000};

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

static void lease_that_is_not_renewed_ends_the_work(void **state)
{
    struct farm *farm = *state;
    farm->renew = false; /* the agent hears nothing of its leases */
    uint64_t id = farm_assign(farm, "busy", "");
    do {
        farm_turn(farm);
    } while (farm->leases == 0); /* it holds the lease */
    while (farm->leases > 0) {   /* until it gives it up by its own clock */
        farm_turn(farm);
    }
    assert_true(id > 0);
    farm->renew = true;
    farm_expect_healthy(farm);
}

/* Answers to a Renew of long ago. */
static void late_answers_do_not_renew_leases(void **state)
{
    struct farm *farm = *state;
    farm_expect_healthy(farm);
    farm->renew_number = 1;
    farm_assign(farm, "busy", "");
    do {
        farm_turn(farm);
    } while (farm->leases == 0);
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    farm->renew_number = 0;
    farm_expect_healthy(farm);
}

static void new_term_ends_all_work(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    farm->term = 2;
    farm_refuse(farm, GM_E_UNREACHABLE); /* makes it say Hello again */
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    farm_expect_healthy(farm);
}

/* By its own, shorter time that scheduler gives away what it does not renew. */
static void what_goes_on_has_the_lease_of_the_new_term(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    farm->renew = false;
    farm->term = 2;
    farm->lease_ms = 2000;
    farm->adopts = true;
    uint32_t before = farm->hellos;
    farm_refuse(farm, GM_E_UNREACHABLE); /* makes it say Hello again */
    while (farm->hellos == before) {
        farm_turn(farm);
    }
    assert_int_equal(farm->hello->n_held, 1);
    farm->leases = 0;
    while (farm->leases == 0) { /* it was taken over */
        farm_turn(farm);
    }
    while (farm->leases > 0) { /* and ends long before the time that it was given for */
        farm_turn(farm);
    }
    farm->renew = true;
    farm_expect_healthy(farm);
}

static void unacknowledged_messages_come_again_after_hello(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *first = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_refuse(farm, GM_E_UNREACHABLE);
    Gm__Envelope *again = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(first->seq, again->seq);
    farm_ack(farm, again->seq, false);
    gm__envelope__free_unpacked(first, NULL);
    gm__envelope__free_unpacked(again, NULL);
    farm_expect_done(farm, id);
}

/* All that is said again after a Welcome is one message, in order; a scheduler that reads no
 * batches gets each by itself (the farm looks at that), and all of it too. */
static void what_is_due_comes_together(void **state)
{
    struct farm *farm = *state;
    Gm__Envelope *first[2], *again[2];
    for (int i = 0; i < 2; i++) {
        farm_assign(farm, "pieces", "1");
    }
    for (int i = 0; i < 2; i++) {
        first[i] = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    }
    farm->batched = 0;
    farm_refuse(farm, GM_E_UNREACHABLE);
    for (int i = 0; i < 2; i++) {
        again[i] = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
        assert_int_equal(first[i]->seq, again[i]->seq);
    }
    assert_int_equal(farm->batched, farm->no_batches ? 0 : 2);
    for (int i = 0; i < 2; i++) {
        farm_ack(farm, again[i]->seq, false);
        gm__envelope__free_unpacked(first[i], NULL);
        gm__envelope__free_unpacked(again[i], NULL);
    }
    for (int i = 0; i < 2; i++) {
        Gm__Envelope *done = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
        farm_ack(farm, done->seq, false);
        gm__envelope__free_unpacked(done, NULL);
    }
}

/* The scheduler may still answer what an agent before this one sent: its first messages, say. */
static void answers_to_an_earlier_agent_mean_nothing(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_true(env->seq > UINT32_MAX);
    assert_true(farm->request > UINT32_MAX);
    farm_ack(farm, 1, true);
    farm_ack(farm, 2, true);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
}

static void stale_answer_drops_the_task(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "pieces", "8");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm->ignored = GM__ENVELOPE__BODY_PRODUCED; /* more may be on their way */
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    farm_ack(farm, env->seq, true);
    gm__envelope__free_unpacked(env, NULL);
    while (farm->leases > 0) {
        farm_turn(farm);
    }
    farm_expect_healthy(farm);
}

static void more_tasks_than_slots_are_refused(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    uint64_t second = farm_assign(farm, "busy", "");
    farm_expect_failed(farm, second, GM_E_BUSY, 0);
}

static void until_slots(struct farm *farm, uint32_t slots)
{
    while (farm->offer->usable->slots != slots) {
        farm_turn(farm);
    }
}

static void tell_to_drain(struct farm *farm, bool resume)
{
    Gm__Drain drain = GM__DRAIN__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    drain.resume = resume;
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    farm_send(farm, &env);
}

static void drained_node_offers_nothing(void **state)
{
    struct farm *farm = *state;
    tell_to_drain(farm, false);
    until_slots(farm, 0);
    tell_to_drain(farm, true);
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

/* What the scheduler says while nobody hears is said no more: a Welcome alone tells that it may
 * work, and a Drain behind it where it may not. */
static void a_resume_that_was_lost_is_made_good_by_a_welcome(void **state)
{
    struct farm *farm = *state;
    tell_to_drain(farm, false);
    until_slots(farm, 0);
    farm_refuse(farm, GM_E_UNREACHABLE); /* makes it say Hello again */
    until_slots(farm, 1);
    farm_expect_healthy(farm);
}

static void tell_to_restart(struct farm *farm)
{
    Gm__Drain drain = GM__DRAIN__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    drain.restart = true;
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    farm_send(farm, &env);
}

/* Goodbye comes when the end of its last task was acknowledged, and not before. */
/* farm_stop's signal, too, would end it: an agent at its very end does not catch it any more. */
static void until_ended(const struct farm *farm)
{
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)farm->agent, &info, WEXITED | WNOWAIT), 0);
}

static void told_to_restart_it_ends_when_it_has_nothing_to_do(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    tell_to_restart(farm);
    tell_to_restart(farm); /* said until it ends */
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    assert_string_equal(env->goodbye->reason, "restart");
    gm__envelope__free_unpacked(env, NULL);
    farm->status = GM_AGENT_RESTART; /* farm_stop looks */
    until_ended(farm);
}

static void at_sigterm_what_runs_may_end(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    until_slots(farm, 0);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    gm__envelope__free_unpacked(env, NULL);
    until_ended(farm);
}

static void at_a_second_signal_what_runs_is_given_back(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    until_slots(farm, 0);
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    gm__envelope__free_unpacked(env, NULL);
    until_ended(farm);
}

static void what_takes_too_long_at_sigterm_is_given_back(void **state)
{
    struct farm *farm = *state;
    farm_assign(farm, "busy", "");
    assert_int_equal(kill(farm->agent, SIGTERM), 0);
    until_slots(farm, 0);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_GOODBYE);
    gm__envelope__free_unpacked(env, NULL);
    until_ended(farm);
}

static void refused_grants_are_asked_for_again_or_fail_the_task(void **state)
{
    struct farm *farm = *state;
    farm->refusal = GM_E_BUSY;
    farm->refusals = 2;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_int_equal(farm->grants, 3);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);

    farm->refusal = GM_E_GRANT_REFUSED;
    farm->refusals = 1;
    farm_expect_failed(farm, farm_assign(farm, "pieces", "1"), GM_E_GRANT_REFUSED, 0);

    farm->refusal = GM_E_STALE; /* nobody wants to hear of it */
    farm->refusals = 1;
    farm_assign(farm, "pieces", "1");
    while (farm->refusals > 0) {
        farm_turn(farm);
    }
    farm_expect_healthy(farm);
}

/* Grants end by the scheduler's clock, whatever this machine's says. */
static void a_scheduler_of_another_time_is_believed(void **state)
{
    struct farm *farm = *state;
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    assert_int_equal(farm->grants, 1);
}

static void until_grants(struct farm *farm, uint32_t count)
{
    while (farm->grants < count) {
        farm_turn(farm);
    }
}

static void a_grant_from_before_the_clock_was_set_is_asked_for_again(void **state)
{
    struct farm *farm = *state;
    farm->grants_end -= 86400000; /* its clock was set back, and we have not heard */
    uint64_t id = farm_assign(farm, "pieces", "1");
    until_grants(farm, 2);
    farm->unix_ms -= 86400000;
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    farm_expect_healthy(farm);
}

/* Back by a day, after the first heartbeat: it is told with the next, which is due in a minute. */
static void set_clock_back(struct farm *farm)
{
    while (farm->leases == UINT32_MAX) {
        farm_turn(farm);
    }
    farm->grants_end -= 86400000;
    farm->unix_ms -= 86400000;
}

static void a_clock_that_was_set_is_asked_for_at_once(void **state)
{
    struct farm *farm = *state;
    set_clock_back(farm);
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
}

static Gm__TaskSpec read_spec(struct farm *farm, Gm__Object *source)
{
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    set_object(source, farm_object(farm, "source.mp4", "SOURCE", 6),
               (char *)(uintptr_t) "source.mp4", 6);
    spec.type = (char *)(uintptr_t) "read";
    spec.source = source;
    spec.inputs_complete = true;
    return spec;
}

static void what_is_read_asks_for_the_clock_too(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    set_clock_back(farm);
    Gm__TaskSpec spec = read_spec(farm, &source);
    uint64_t id = farm_assign_spec(farm, &spec);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
    assert_int_equal(env->done->task_id, id);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    free(source.url);
}

/* Another attempt has fresh ones: the node is not to blame. */
static void read_grants_whose_time_is_over_are_too_late(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    farm->grants_end = farm->unix_ms - 90000;
    Gm__TaskSpec spec = read_spec(farm, &source);
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_TIMEOUT, ETIME);
    free(source.url);
}

static void expect_late(struct farm *farm, const char *says)
{
    uint64_t id = farm_assign(farm, "pieces", "1");
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_FAILED);
    assert_int_equal(env->failed->task_id, id);
    assert_int_equal(env->failed->error->code, GM_E_NODE_GRANT);
    if (strstr(env->failed->error->text, says) == NULL) {
        fail_msg("`%s` does not say `%s`", env->failed->error->text, says);
    }
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    assert_int_equal(farm->grants, 6);
}

static void a_grant_whose_time_is_over_names_both_clocks(void **state)
{
    struct farm *farm = *state;
    farm->grants_end = farm->unix_ms - 90000;
    expect_late(farm, "by the scheduler's clock, which is ");
}

static void of_an_older_scheduler_this_machine_may_be_wrong(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(farm, &source);
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_NODE_GRANT, ETIME);
    free(source.url);
}

static void an_older_scheduler_tells_no_clock(void **state)
{
    expect_late(*state, "by this machine's clock (is that clock right?)");
}

static void silent_scheduler_is_greeted_again(void **state)
{
    struct farm *farm = *state;
    uint32_t before = farm->hellos;
    farm->deaf = true;
    farm_assign(farm, "busy", "");
    while (farm->hellos == before) {
        farm_turn(farm);
    }
    assert_true(farm->peer_size != strlen(FARM_NODE_ID)); /* it leaves the name to the socket */
    farm->deaf = false;
    while (farm->hellos < before + 2 || farm->leases == 0) { /* the work goes on in the same term */
        farm_turn(farm);
    }
}

static void until_renewed(struct farm *farm, uint64_t number)
{
    while (farm->renews < number) {
        farm_turn(farm);
    }
}

/* Ten heartbeats. */
static void let_beats_pass(void)
{
    (void)usleep(500000);
}

static void a_node_without_work_says_so_seldom(void **state)
{
    struct farm *farm = *state;
    until_renewed(farm, 1);
    let_beats_pass();
    uint64_t id = farm_assign(farm, "busy", "");
    while (farm->leases == 0) { /* at once as often as others */
        farm_turn(farm);
    }
    assert_int_equal(farm->renews, 2);
    until_renewed(farm, 5);
    farm_cancel(farm, id);
    while (farm->leases > 0) { /* it says that it stopped */
        farm_turn(farm);
    }
    uint64_t last = farm->renews;
    let_beats_pass();
    (void)farm_assign(farm, "busy", "");
    while (farm->leases == 0) {
        farm_turn(farm);
    }
    assert_in_range(farm->renews, last + 1, last + 5);
}

static void a_node_that_is_drained_says_so_at_once(void **state)
{
    struct farm *farm = *state;
    Gm__Drain drain = GM__DRAIN__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    until_renewed(farm, 1);
    drain.reason = (char *)(uintptr_t) "test";
    env.body_case = GM__ENVELOPE__BODY_DRAIN;
    env.drain = &drain;
    farm_send(farm, &env);
    until_renewed(farm, 2);
}

static void a_cancel_of_what_never_came_is_answered_at_once(void **state)
{
    struct farm *farm = *state;
    until_renewed(farm, 1);
    farm_cancel(farm, 77);
    until_renewed(farm, 2);
    farm->term--; /* of a scheduler before */
    farm_cancel(farm, 78);
    farm->term++;
    until_renewed(farm, 3);
}

/* Idle as it is: it asks, is not answered, and asks again each heartbeat until it gives up. */
static void a_silent_scheduler_is_found_without_work(void **state)
{
    struct farm *farm = *state;
    until_renewed(farm, 2); /* the second one after the longer time */
    uint32_t before = farm->hellos;
    uint64_t from = farm->renews;
    farm->deaf = true;
    while (farm->hellos == before) {
        farm_turn(farm);
    }
    assert_true(farm->renews > from + 8); /* in 2 s: of longer times it would be 7 at most */
    farm->deaf = false;
    while (farm->hellos < before + 2) {
        farm_turn(farm);
    }
}

static void next_endpoint_is_tried_when_one_is_dead(void **state)
{
    farm_expect_healthy(*state); /* farm_start waited for its Hello */
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
        WITH(IMPATIENT, lease_that_is_not_renewed_ends_the_work),
        WITH(IMPATIENT, late_answers_do_not_renew_leases),
        WITH(PLAIN, new_term_ends_all_work),
        WITH(LONG, what_goes_on_has_the_lease_of_the_new_term),
        WITH(PLAIN, unacknowledged_messages_come_again_after_hello),
        WITH(TWO_SLOTS, what_is_due_comes_together),
        WITH(OLDER_SCHEDULER, what_is_due_comes_together),
        WITH(PLAIN, answers_to_an_earlier_agent_mean_nothing),
        WITH(PLAIN, stale_answer_drops_the_task),
        WITH(PLAIN, more_tasks_than_slots_are_refused),
        WITH(PLAIN, refused_grants_are_asked_for_again_or_fail_the_task),
        WITH(BEHIND, a_scheduler_of_another_time_is_believed),
        WITH(BEHIND, a_grant_from_before_the_clock_was_set_is_asked_for_again),
        WITH(SLOW_BEHIND, a_clock_that_was_set_is_asked_for_at_once),
        WITH(SLOW_BEHIND, what_is_read_asks_for_the_clock_too),
        WITH(BEHIND, read_grants_whose_time_is_over_are_too_late),
        WITH(BEHIND, a_grant_whose_time_is_over_names_both_clocks),
        WITH(CLOCKLESS, of_an_older_scheduler_this_machine_may_be_wrong),
        WITH(CLOCKLESS, an_older_scheduler_tells_no_clock),
        WITH(SILENT, silent_scheduler_is_greeted_again),
        WITH(SELDOM, a_node_without_work_says_so_seldom),
        WITH(SELDOM, a_node_that_is_drained_says_so_at_once),
        WITH(SELDOM, a_cancel_of_what_never_came_is_answered_at_once),
        WITH(SELDOM_SILENT, a_silent_scheduler_is_found_without_work),
        WITH(SECOND, next_endpoint_is_tried_when_one_is_dead),
        WITH(PLAIN, drained_node_offers_nothing),
        WITH(PLAIN, a_resume_that_was_lost_is_made_good_by_a_welcome),
        WITH(PLAIN, told_to_restart_it_ends_when_it_has_nothing_to_do),
        WITH(PATIENT, at_sigterm_what_runs_may_end),
        WITH(PATIENT, at_a_second_signal_what_runs_is_given_back),
        WITH(HASTY, what_takes_too_long_at_sigterm_is_given_back),
    };
    return cmocka_run_group_tests_name("node/agent", tests, NULL, NULL);
}
