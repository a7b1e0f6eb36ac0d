/* Produced, Done and Failed: stale ones, wrong ones, early ones. */
#include "tests/scheduler/core/stage.h"

#include "proto/streams.h"
#include "scheduler/core/state.h"

static void a_message_of_an_old_epoch_is_stale_and_changes_nothing(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__Item item = GM__ITEM__INIT;
    item.index = s.task->inputs[0]->item->index;
    size_t rows = HASH_COUNT(s.sim->rows);
    assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch + 1), true));
    s.task->assign->term++;
    assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch), true));
    s.task->assign->term--;
    const Gm__GrantAnswer *a =
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "x", 1, 1, s.task->assign->epoch + 1);
    assert_int_equal(a->error->code, GM_E_STALE);
    sim_commit(s.sim);
    assert_int_equal(HASH_COUNT(s.sim->rows), rows);
    sim_destroy(s.sim);
}

static void an_item_is_committed_once(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__Item item = GM__ITEM__INIT;
    item.index = s.task->inputs[0]->item->index;
    assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch), false));
    /* the item, and that the attempt made progress */
    assert_int_equal(s.sim->pending[s.sim->pending_count - 1].row_count, 2);
    assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch), false));
    assert_int_equal(s.sim->pending[s.sim->pending_count - 1].row_count, 0);
    sim_destroy(s.sim);
}

static void broken_promises_fail_the_job(void **arg)
{
    (void)arg;
    for (int kind = 0; kind < 3; kind++) {
        struct stage s = stage_open("video");
        uint8_t hash[32] = {1};
        Gm__Item item = GM__ITEM__INIT;
        Gm__Object object = GM__OBJECT__INIT;
        Gm__Object *objects[] = {&object};
        item.index = s.task->inputs[0]->item->index;
        if (kind == 0) { /* an object that was not granted */
            object.store = GM__OBJECT_STORE__STORE_OUT;
            object.key = (char *)"v/0123456789abcdef/other";
            object.sha256.data = hash;
            object.sha256.len = sizeof(hash);
            item.objects = objects;
            item.n_objects = 1;
        } else if (kind == 1) { /* a chunk of another run */
            item.index = 11;
            assert_true(s.task->inputs[s.task->input_count - 1]->item->index < 11);
        } else { /* a stream that encode does not have */
            item.stream = 1;
        }
        (void)say_produced(&s, &item, s.task->assign->epoch);
        sim_until(s.sim, sim_all_final, 60);
        assert_int_equal(sim_state(s.sim, "job"), GM_JOB_FAILED);
        assert_int_equal(sim_error(s.sim, "job").code, GM_E_PROTO);
        sim_destroy(s.sim);
    }
}

static void done_before_its_items_waits_for_them(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    const ProtobufCBinaryData none = {0, NULL};
    say_done(&s, none, "");
    assert_null(sim_last_send(s.sim)); /* no Ack */
    for (size_t i = 0; i < s.task->input_count; i++) {
        Gm__Item item = GM__ITEM__INIT;
        item.index = s.task->inputs[i]->item->index;
        assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch), false));
    }
    say_done(&s, none, "");
    const struct gm_effects *fx = &s.sim->pending[s.sim->pending_count - 1];
    assert_true(fx->send_count > 0 && is_ack(fx->sends[0].envelope, false));
    sim_destroy(s.sim);
}

static void done_without_its_items_fails_in_the_end(void **arg)
{
    (void)arg;
    struct stage s = stage_open("audio");
    insist_on_done(&s, (ProtobufCBinaryData){0, NULL});
    sim_until(s.sim, sim_all_final, 60);
    assert_int_equal(sim_error(s.sim, "job").code, GM_E_PROTO);
    sim_destroy(s.sim);
}

static bool was_refused(const struct stage *s, const char *task)
{
    struct gm_attempts_view v;
    struct gm_err err;
    bool refused = false;
    assert_int_equal(gm_view_attempts(s->sim->core, "job", &v, &err), 0);
    for (size_t k = 0; k < v.count; k++) {
        refused =
            refused || (strcmp(v.rows[k].task, task) == 0 && v.rows[k].error_code == GM_E_PROTO);
    }
    gm_view_attempts_fini(&v);
    return refused;
}

/* It made chunks, and then says that there are none. */
static void split_can_not_take_its_items_back(void **arg)
{
    (void)arg;
    struct stage s = stage_open("split");
    s.task->hung = false;
    while (s.task->position < 3) {
        sim_step(s.sim);
    }
    s.task->hung = true;
    sim_run(s.sim, 1);
    Gm__SplitMeta meta = GM__SPLIT_META__INIT;
    uint32_t items[GM_STREAMS] = {0};
    uint8_t packed[256];
    meta.items = items;
    meta.n_items = GM_STREAMS;
    size_t size = protobuf_c_message_pack(&meta.base, packed);
    insist_on_done(&s, (ProtobufCBinaryData){size, packed});
    assert_true(was_refused(&s, "split"));
    sim_destroy(s.sim);
}

/* Items may come before those in front of them: each chunk has the facts of its own. */
static void chunks_have_the_facts_of_their_items(void **arg)
{
    (void)arg;
    struct stage s = stage_open("split");
    const struct gm_inst *encode = &s.sim->core->jobs->encode->insts[0];
    uint32_t first = (uint32_t)encode->chunk_count;
    for (uint32_t i = 3; i > 0; i--) {
        Gm__SplitItemMeta meta = GM__SPLIT_ITEM_META__INIT;
        Gm__Item item = GM__ITEM__INIT;
        uint8_t packed[64];
        meta.frames = 10 * i;
        item.stream = GM_STREAM_VIDEO;
        item.index = first + i - 1;
        item.meta.data = packed;
        item.meta.len = gm__split_item_meta__pack(&meta, packed);
        assert_int_equal(encode->chunk_count, first);
        (void)say_produced(&s, &item, s.task->assign->epoch);
    }
    assert_int_equal(encode->chunk_count, first + 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(encode->chunks[first + i].frames, 10 * (i + 1));
    }
    sim_destroy(s.sim);
}

/* Analyze's facts are read by the scheduler itself; loudness has no items at all. */
static void facts_of_barriers_are_checked(void **arg)
{
    (void)arg;
    static const char *const tasks[] = {"analyze", "loud"};
    for (int i = 0; i < 2; i++) {
        struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
        struct stage s = {.sim = sim_create(&params)};
        (void)sim_submit_kind(s.sim, "job", SIM_BARRIERS, 12, 1, 1);
        assert_true(stage_find(&s, tasks[i]));
        uint8_t garbage[] = {0xff, 0xff, 0xff};
        Gm__Item item = GM__ITEM__INIT;
        item.index = s.task->inputs[0]->item->index;
        item.meta.data = garbage;
        item.meta.len = i == 0 ? sizeof(garbage) : 0;
        (void)say_produced(&s, &item, s.task->assign->epoch);
        assert_true(was_refused(&s, tasks[i]));
        sim_destroy(s.sim);
    }
}

/* What the report alone reads is checked while there is somebody to blame. */
static void facts_that_do_not_decode_fail_the_attempt(void **arg)
{
    static const struct {
        const char *task;
        bool done; /* the result; else an item */
    } rows[] = {{"split", false}, {"video", false}, {"audio", false}, {"inspect", true},
                {"plan", true},   {"split", true},  {"video", true},  {"audio", true},
                {"images", true}, {"mp4", true},    {"hls", true}};
    (void)arg;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stage s = stage_open(rows[i].task);
        uint8_t garbage[] = {0xff, 0xff, 0xff};
        const ProtobufCBinaryData meta = {sizeof(garbage), garbage};
        Gm__Item item = GM__ITEM__INIT;
        item.index = s.task->input_count > 0 ? s.task->inputs[0]->item->index : 0;
        item.meta = meta;
        if (rows[i].done) {
            say_done(&s, meta, "0123456789abcdef");
        } else {
            (void)say_produced(&s, &item, s.task->assign->epoch);
        }
        if (!was_refused(&s, rows[i].task)) {
            fail_msg("%s %s", rows[i].task, rows[i].done ? "result" : "item");
        }
        sim_until(s.sim, sim_all_final, 60);
        assert_int_equal(sim_error(s.sim, "job").code, GM_E_PROTO);
        sim_destroy(s.sim);
    }
}

static void a_walk_through_a_buffer_is_bounded(void **arg)
{
    (void)arg;
    for (int over = 0; over < 2; over++) {
        struct stage s = stage_open("video");
        Gm__Item item = GM__ITEM__INIT;
        Gm__EncodeItemMeta meta = GM__ENCODE_ITEM_META__INIT;
        Gm__RenditionChunkMeta rung = GM__RENDITION_CHUNK_META__INIT;
        Gm__RenditionChunkMeta *rungs[] = {&rung};
        Gm__BufferWalk walk = GM__BUFFER_WALK__INIT;
        walk.low = -(INT64_C(1) << 40) - over;
        rung.buffer = &walk;
        meta.renditions = rungs;
        meta.n_renditions = 1;
        item.index = s.task->inputs[0]->item->index;
        assert_int_equal(gm_message_encode(&meta.base, &item.meta.data, &item.meta.len, NULL), 0);
        const Gm__Envelope *answer = say_produced(&s, &item, s.task->assign->epoch);
        if (over) {
            assert_true(was_refused(&s, "video"));
        } else {
            assert_true(is_ack(answer, false));
        }
        free(item.meta.data);
        sim_destroy(s.sim);
    }
}

static void strangers_are_asked_to_say_hello(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Renew renew = GM__RENEW__INIT;
    struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = s.node->id, .envelope = &envelope};
    envelope.body_case = GM__ENVELOPE__BODY_RENEW;
    envelope.renew = &renew;
    sim_restart(s.sim); /* it knows no node */
    assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    const Gm__Envelope *answer = sim_last_send(s.sim);
    assert_int_equal(answer->body_case, GM__ENVELOPE__BODY_REFUSE);
    assert_int_equal(answer->refuse->error->code, GM_E_UNREACHABLE);
    Gm__Hello hello = GM__HELLO__INIT;
    Gm__Device device = GM__DEVICE__INIT;
    Gm__Device *devices[] = {&device};
    hello.node_id = s.node->id;
    hello.protocol = GM_PROTOCOL_SPOKEN + 1; /* and no older one */
    hello.devices = devices;
    hello.n_devices = 1;
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &hello;
    s.node->alive = false; /* it would stumble over the refusal */
    assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    assert_int_equal(sim_last_send(s.sim)->refuse->error->code, GM_E_PROTO);
    hello.protocol = GM_PROTOCOL_SPOKEN + 2;
    hello.oldest = GM_PROTOCOL_SPOKEN;
    assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    assert_int_equal(sim_last_send(s.sim)->refuse->error->code, GM_E_PROTO);
    assert_non_null(strstr(sim_last_send(s.sim)->refuse->error->text, "update the scheduler"));
    hello.protocol = GM_PROTOCOL_SPOKEN + 1; /* the next release, which understands this one */
    assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    assert_int_equal(sim_last_send(s.sim)->body_case, GM__ENVELOPE__BODY_WELCOME);
    sim_destroy(s.sim);
}

/* A message of a newer release means nothing here, and says nothing against who sent it. */
static void what_is_newer_is_passed_over(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = s.node->id, .envelope = &envelope};
    const Gm__Envelope *before = sim_last_send(s.sim);
    assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    const Gm__Envelope *said = sim_last_send(s.sim);
    assert_true(said == NULL || said == before);
    sim_destroy(s.sim);
}

static void goodbye_ends_the_leases_at_once(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Goodbye m = GM__GOODBYE__INIT;
    envelope.body_case = GM__ENVELOPE__BODY_GOODBYE;
    envelope.goodbye = &m;
    sim_send(s.sim, s.node, &envelope);
    struct gm_nodes_view v;
    struct gm_err err;
    assert_int_equal(gm_view_nodes(s.sim->core, &v, &err), 0);
    assert_int_equal(v.rows[s.node->number].lease_count, 0);
    assert_string_equal(v.rows[s.node->number].state, "gone");
    gm_view_nodes_fini(&v);
    sim_destroy(s.sim);
}

/* Its chunks are on disk; what is left to say needs no disk, and nobody waits for it. */
static void the_end_of_a_run_waits_for_no_disk(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    const Gm__TaskSpec *spec = s.task->assign->spec;
    const uint64_t epoch = s.task->assign->epoch;
    struct sim *sim = s.sim;
    for (size_t i = 0; i < spec->n_inputs; i++) {
        Gm__Item item = GM__ITEM__INIT;
        item.index = spec->inputs[i]->item->index;
        assert_true(is_ack(say_produced(&s, &item, epoch), false));
        const struct gm_effects *fx = &sim->pending[sim->pending_count - 1];
        assert_true(fx->sends[fx->send_count - 1].durable);
    }
    sim_commit(sim);
    sim->hold_commits = true;
    say_done(&s, (ProtobufCBinaryData){0}, "");
    assert_true(sim->pending_count > 0);
    const struct gm_effects *fx = &sim->pending[sim->pending_count - 1];
    bool acked = false, ended = false;
    for (size_t i = 0; i < fx->send_count; i++) {
        if (is_ack(fx->sends[i].envelope, false)) {
            acked = true;
            assert_false(fx->sends[i].durable);
        }
    }
    for (size_t i = 0; i < fx->row_count; i++) {
        if (fx->rows[i].key.kind == GM_ROW_ATTEMPT && fx->rows[i].key.number == spec->attempt) {
            ended = true;
            assert_true(fx->rows[i].lazy);
        }
    }
    assert_true(acked && ended);
    sim_destroy(sim);
}

static uint32_t count_cancels(const struct gm_effects *fx, uint64_t epoch, bool durable)
{
    uint32_t n = 0;
    for (size_t i = 0; i < fx->send_count; i++) {
        const Gm__Envelope *e = fx->sends[i].envelope;
        n += e->body_case == GM__ENVELOPE__BODY_CANCEL && e->cancel->epoch == epoch &&
             fx->sends[i].durable == durable;
    }
    return n;
}

/* The node drops an item that it would send again, and a crash forgets what Cancel follows from. */
static void a_cancelled_run_hears_of_it_once_that_is_on_disk(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    const uint64_t epoch = s.task->assign->epoch;
    struct gm_event event = {.type = GM_EV_CANCEL, .job_id = "job"};
    assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    assert_true(s.sim->pending_count > 0);
    const struct gm_effects *fx = &s.sim->pending[s.sim->pending_count - 1];
    assert_int_equal(count_cancels(fx, epoch, false), 0);
    assert_int_equal(count_cancels(fx, epoch, true), 1);
    sim_destroy(s.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_an_old_epoch_is_stale_and_changes_nothing),
        cmocka_unit_test(an_item_is_committed_once),
        cmocka_unit_test(broken_promises_fail_the_job),
        cmocka_unit_test(done_before_its_items_waits_for_them),
        cmocka_unit_test(done_without_its_items_fails_in_the_end),
        cmocka_unit_test(split_can_not_take_its_items_back),
        cmocka_unit_test(chunks_have_the_facts_of_their_items),
        cmocka_unit_test(facts_of_barriers_are_checked),
        cmocka_unit_test(facts_that_do_not_decode_fail_the_attempt),
        cmocka_unit_test(a_walk_through_a_buffer_is_bounded),
        cmocka_unit_test(strangers_are_asked_to_say_hello),
        cmocka_unit_test(what_is_newer_is_passed_over),
        cmocka_unit_test(goodbye_ends_the_leases_at_once),
        cmocka_unit_test(the_end_of_a_run_waits_for_no_disk),
        cmocka_unit_test(a_cancelled_run_hears_of_it_once_that_is_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
