/* Messages about work: stale ones, wrong ones, grants. A running task of the simulated farm is
 * stopped, and its messages are written by hand. */
#include "sim/sim_io.h"

#include <stdlib.h>
#include <string.h>

#include "proto/streams.h"
#include "scheduler/core/state.h"

struct stage {
    struct sim *sim;
    struct sim_node *node;
    struct sim_task *task;
};

static bool find(struct stage *s, const char *task)
{
    for (uint32_t i = 0; i < 1200; i++) {
        s->task = sim_find_running(s->sim, task, &s->node);
        if (s->task && !s->task->finished && !s->task->grant_asked) {
            s->task->hung = true;
            sim_commit(s->sim);
            return true;
        }
        sim_step(s->sim);
    }
    return false;
}

static struct stage stage_open(const char *task)
{
    struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
    struct stage s = {.sim = sim_create(&params)};
    (void)sim_submit(s.sim, "job", 12, 1, 50);
    assert_true(find(&s, task));
    return s;
}

static const Gm__Envelope *say_produced(struct stage *s, const Gm__Item *item, uint64_t epoch)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Produced m = GM__PRODUCED__INIT;
    m.task_id = s->task->assign->task_id;
    m.term = s->task->assign->term;
    m.epoch = epoch;
    m.item = (Gm__Item *)item;
    envelope.seq = 777;
    envelope.body_case = GM__ENVELOPE__BODY_PRODUCED;
    envelope.produced = &m;
    sim_send(s->sim, s->node, &envelope);
    return sim_last_send(s->sim);
}

/* meta, publication: as in Done. */
static void say_done(struct stage *s, ProtobufCBinaryData meta, const char *publication)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Done done = GM__DONE__INIT;
    done.task_id = s->task->assign->task_id;
    done.term = s->task->assign->term;
    done.epoch = s->task->assign->epoch;
    done.meta = meta;
    done.publication = (char *)publication;
    envelope.seq = 777;
    envelope.body_case = GM__ENVELOPE__BODY_DONE;
    envelope.done = &done;
    sim_send(s->sim, s->node, &envelope);
}

/* As often as a node says it that gets no Ack. */
static void insist_on_done(struct stage *s, ProtobufCBinaryData meta)
{
    for (int i = 0; i < 6; i++) {
        say_done(s, meta, "");
        sim_run(s->sim, 2);
    }
}

static const Gm__GrantAnswer *say_grant(struct stage *s, Gm__ObjectStore store, const char *name,
                                        uint64_t size, uint8_t fill, uint64_t epoch)
{
    uint8_t hash[32];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__GrantRequest m = GM__GRANT_REQUEST__INIT;
    Gm__GrantItem item = GM__GRANT_ITEM__INIT;
    Gm__GrantItem *items[] = {&item};
    memset(hash, fill, sizeof(hash));
    item.store = store;
    item.name = (char *)name;
    item.size = size;
    item.sha256.data = hash;
    item.sha256.len = sizeof(hash);
    m.task_id = s->task->assign->task_id;
    m.term = s->task->assign->term;
    m.epoch = epoch;
    m.request = 5;
    m.items = items;
    m.n_items = 1;
    envelope.body_case = GM__ENVELOPE__BODY_GRANT_REQUEST;
    envelope.grant_request = &m;
    sim_send(s->sim, s->node, &envelope);
    const Gm__Envelope *answer = sim_last_send(s->sim);
    assert_int_equal(answer->body_case, GM__ENVELOPE__BODY_GRANT_ANSWER);
    assert_int_equal(answer->grant_answer->request, 5);
    return answer->grant_answer;
}

static bool is_ack(const Gm__Envelope *e, bool stale)
{
    return e && e->body_case == GM__ENVELOPE__BODY_ACK && e->ack->seq == 777 &&
           e->ack->stale == stale;
}

static void a_message_of_an_old_epoch_is_stale_and_changes_nothing(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__Item item = GM__ITEM__INIT;
    item.index = s.task->inputs[0]->item->index;
    size_t rows = s.sim->row_count;
    assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch + 1), true));
    s.task->assign->term++;
    assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch), true));
    s.task->assign->term--;
    const Gm__GrantAnswer *a =
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "x", 1, 1, s.task->assign->epoch + 1);
    assert_int_equal(a->error->code, GM_E_STALE);
    sim_commit(s.sim);
    assert_int_equal(s.sim->row_count, rows);
    sim_destroy(s.sim);
}

static void an_item_is_committed_once(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    Gm__Item item = GM__ITEM__INIT;
    item.index = s.task->inputs[0]->item->index;
    assert_true(is_ack(say_produced(&s, &item, s.task->assign->epoch), false));
    assert_int_equal(s.sim->pending[s.sim->pending_count - 1].row_count, 1);
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

static void a_granted_object_with_another_hash_is_refused(void **arg)
{
    (void)arg;
    struct stage s = stage_open("video");
    uint64_t epoch = s.task->assign->epoch;
    const Gm__GrantAnswer *a =
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 10, 1, epoch);
    assert_null(a->error);
    assert_string_equal(a->grants[0]->key, "v/0123456789abcdef/video/a.m4s");
    /* not committed: another attempt may make another body */
    assert_null(say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 11, 2, epoch)->error);
    uint8_t hash[32];
    Gm__Item item = GM__ITEM__INIT;
    Gm__Object object = GM__OBJECT__INIT;
    Gm__Object *objects[] = {&object};
    memset(hash, 2, sizeof(hash));
    object.store = GM__OBJECT_STORE__STORE_OUT;
    object.key = (char *)"v/0123456789abcdef/video/a.m4s";
    object.size = 11;
    object.sha256.data = hash;
    object.sha256.len = sizeof(hash);
    item.index = s.task->inputs[0]->item->index;
    item.objects = objects;
    item.n_objects = 1;
    assert_true(is_ack(say_produced(&s, &item, epoch), false));
    a = say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 10, 1, epoch);
    assert_int_equal(a->error->code, GM_E_GRANT_REFUSED);
    assert_null(say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/a.m4s", 11, 2, epoch)->error);
    sim_destroy(s.sim);
}

/* Whether the view has the job's output of that name, and says that it is loose. */
static bool has_output(struct sim *sim, const char *job, const char *name, bool *loose)
{
    struct gm_objects_view v;
    struct gm_err err;
    bool found = false;
    assert_int_equal(gm_view_objects(sim->core, job, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        const char *at = strstr(v.rows[i].key, name);
        if (v.rows[i].store == GM__OBJECT_STORE__STORE_OUT && at && at[strlen(name)] == '\0') {
            found = true;
            *loose = v.rows[i].loose;
        }
    }
    gm_view_objects_fini(&v);
    return found;
}

static size_t count_outputs(struct sim *sim, const char *job, bool loose)
{
    struct gm_objects_view v;
    struct gm_err err;
    size_t n = 0;
    assert_int_equal(gm_view_objects(sim->core, job, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        n += v.rows[i].store == GM__OBJECT_STORE__STORE_OUT && v.rows[i].loose == loose;
    }
    gm_view_objects_fini(&v);
    return n;
}

static void publish_is_over(struct sim *sim, const char *job)
{
    struct gm_event event = {.type = GM_EV_PUBLISHED, .job_id = job};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
}

static bool is_publishing(struct sim *sim)
{
    return sim_state(sim, "job") == GM_JOB_PUBLISHING;
}

static bool both_are_done(struct sim *sim)
{
    return sim_state(sim, "job") == GM_JOB_DONE && sim_state(sim, "same") == GM_JOB_DONE;
}

/* Granted and perhaps written, and then the attempt fails: the next one makes other names. Nor
 * does anything name what the Done of a run had: its items are its result. */
static void what_no_item_names_is_loose_and_forgotten_with_the_clean_up(void **arg)
{
    (void)arg;
    for (int restarted = 0; restarted < 2; restarted++) {
        struct stage s = stage_open("video");
        bool loose = false;
        assert_null(say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/lost.m4s", 9, 1,
                              s.task->assign->epoch)
                        ->error);
        s.sim->hold_publish = true;
        sim_task_fail(s.sim, s.node, s.task, GM_E_WORKER_DIED, 0, -1);
        sim_until(s.sim, is_publishing, 600);
        if (restarted) {
            sim_commit(s.sim);
            sim_restart(s.sim);
        }
        assert_true(has_output(s.sim, "job", "video/lost.m4s", &loose) && loose);
        assert_true(has_output(s.sim, "job", "video/0/0-0-done", &loose) && loose);
        assert_int_equal(count_outputs(s.sim, "job", true), 2);
        size_t committed = count_outputs(s.sim, "job", false);
        assert_true(committed > 12);
        publish_is_over(s.sim, "job");
        s.sim->hold_publish = false;
        sim_run(s.sim, 5);
        assert_int_equal(sim_state(s.sim, "job"), GM_JOB_DONE);
        assert_int_equal(count_outputs(s.sim, "job", true), 0);
        assert_false(has_output(s.sim, "job", "video/lost.m4s", &loose));
        assert_int_equal(count_outputs(s.sim, "job", false), committed);
        sim_destroy(s.sim);
    }
}

/* Two jobs make the same. What one of them lost is left where the other has it. */
static void an_output_is_shared_with_who_may_need_it(void **arg)
{
    static const char key[] = "v/0123456789abcdef/video/lost.m4s";
    (void)arg;
    struct stage s = stage_open("video");
    struct sim *sim = s.sim;
    assert_null(
        say_grant(&s, GM__OBJECT_STORE__STORE_OUT, "video/lost.m4s", 9, 1, s.task->assign->epoch)
            ->error);
    assert_false(gm_view_is_output_shared(sim->core, "job", key));
    (void)sim_submit(sim, "same", 12, 1, 50);
    assert_false(gm_view_is_output_shared(sim->core, "job", key)); /* it has not got it yet */
    assert_true(gm_view_is_output_shared(sim->core, "same", key)); /* the other works */
    sim_task_fail(sim, s.node, s.task, GM_E_WORKER_DIED, 0, -1);
    sim->params.clean_fails = 10000; /* and so stays in its list */
    sim_until(sim, both_are_done, 900);
    bool loose = false;
    assert_true(has_output(sim, "job", "video/lost.m4s", &loose) && loose);
    assert_false(gm_view_is_output_shared(sim->core, "same", key)); /* done: nobody needs it */
    struct gm_objects_view v;
    struct gm_err err;
    assert_int_equal(gm_view_objects(sim->core, "job", &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) { /* both committed the rest */
        if (v.rows[i].store == GM__OBJECT_STORE__STORE_OUT && !v.rows[i].loose) {
            assert_true(gm_view_is_output_shared(sim->core, "job", v.rows[i].key));
        }
    }
    gm_view_objects_fini(&v);
    sim_destroy(sim);
}

static void grants_follow_the_rules(void **arg)
{
    static const struct {
        const char *task;
        Gm__ObjectStore store;
        const char *name;
        uint64_t size;
        enum gm_code code;
    } table[] = {
        {"split", GM__OBJECT_STORE__STORE_WORK, "chunks/0", 1, GM_OK},
        {"split", GM__OBJECT_STORE__STORE_OUT, "chunks/0", 1, GM_E_GRANT_REFUSED},
        {"split", GM__OBJECT_STORE__STORE_SOURCE, "chunks/0", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "video/x", UINT64_C(8) << 30, GM_OK},
        {"video", GM__OBJECT_STORE__STORE_OUT, "video/x", (UINT64_C(8) << 30) + 1,
         GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "../x", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "/x", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_OUT, "", 1, GM_E_GRANT_REFUSED},
        {"video", GM__OBJECT_STORE__STORE_WORK, "tiles/x", 0, GM_OK},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct stage s = stage_open(table[i].task);
        const Gm__GrantAnswer *a =
            say_grant(&s, table[i].store, table[i].name, table[i].size, 1, s.task->assign->epoch);
        if ((a->error ? (enum gm_code)a->error->code : GM_OK) != table[i].code) {
            fail_msg("row %zu: %s", i, a->error ? a->error->text : "granted");
        }
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

/* Another attempt is given one input, and the others by Feed. */
static void check_assigned_in_parts(struct stage *s)
{
    size_t known = s->task->input_count;
    uint64_t epoch = s->task->assign->epoch;
    sim_task_fail(s->sim, s->node, s->task, GM_E_WORKER_DIED, 0, -1);
    sim_run(s->sim, 1);
    assert_true(find(s, "audio"));
    assert_true(s->task->assign->epoch > epoch);
    assert_int_equal(s->task->assign->spec->n_inputs, 1);
    assert_false(s->task->assign->spec->inputs_complete);
    sim_run(s->sim, 10);
    assert_true(s->task->input_count >= known);
    for (size_t i = 0; i < known; i++) {
        assert_int_equal(s->task->inputs[i]->item->index, i);
    }
}

/* Inputs that fill more than a message come in several. */
static void what_a_track_lacks_may_fill_many_messages(void **arg)
{
    enum { EACH = 9 << 20 };
    (void)arg;
    struct stage s = stage_open("audio");
    const struct gm_lease *lease = s.sim->core->leases;
    while (lease != NULL && lease->task_id != s.task->assign->task_id) {
        lease = lease->hh.next;
    }
    assert_non_null(lease);
    while (lease->fed < 6) {
        sim_step(s.sim);
    }
    const struct gm_stream *in = gm_core_inst_inputs(lease->inst);
    for (size_t i = 0; i < in->committed; i++) {
        free(in->items[i]->meta.data);
        in->items[i]->meta.data = calloc(1, EACH);
        in->items[i]->meta.len = EACH;
        assert_non_null(in->items[i]->meta.data);
    }
    size_t known = s.task->input_count;
    for (size_t i = 0; i < known; i++) {
        gm__task_input__free_unpacked(s.task->inputs[i], NULL);
    }
    s.task->input_count = 0; /* it lost them, and its Renew says so */
    uint64_t feeds = s.sim->sent_feeds;
    sim_run(s.sim, 10);
    assert_true(s.task->input_count >= known);
    for (size_t i = 0; i < known; i++) {
        assert_int_equal(s.task->inputs[i]->item->index, i);
        assert_int_equal(s.task->inputs[i]->item->meta.len, EACH);
    }
    assert_true(s.sim->sent_feeds >= feeds + known);
    check_assigned_in_parts(&s);
    sim_destroy(s.sim);
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

/* Analyze's facts are read by the scheduler itself; loudness has no items at all. */
static void facts_of_barriers_are_checked(void **arg)
{
    (void)arg;
    static const char *const tasks[] = {"analyze", "loud"};
    for (int i = 0; i < 2; i++) {
        struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
        struct stage s = {.sim = sim_create(&params)};
        (void)sim_submit_kind(s.sim, "job", SIM_BARRIERS, 12, 1, 1);
        assert_true(find(&s, tasks[i]));
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
    hello.protocol = GM_PROTOCOL_VERSION + 1;
    hello.devices = devices;
    hello.n_devices = 1;
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &hello;
    s.node->alive = false; /* it would stumble over the refusal */
    assert_int_equal(sim_event(s.sim, &event, NULL), 0);
    assert_int_equal(sim_last_send(s.sim)->refuse->error->code, GM_E_PROTO);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_an_old_epoch_is_stale_and_changes_nothing),
        cmocka_unit_test(an_item_is_committed_once),
        cmocka_unit_test(broken_promises_fail_the_job),
        cmocka_unit_test(a_granted_object_with_another_hash_is_refused),
        cmocka_unit_test(grants_follow_the_rules),
        cmocka_unit_test(what_no_item_names_is_loose_and_forgotten_with_the_clean_up),
        cmocka_unit_test(an_output_is_shared_with_who_may_need_it),
        cmocka_unit_test(done_before_its_items_waits_for_them),
        cmocka_unit_test(done_without_its_items_fails_in_the_end),
        cmocka_unit_test(what_a_track_lacks_may_fill_many_messages),
        cmocka_unit_test(split_can_not_take_its_items_back),
        cmocka_unit_test(facts_of_barriers_are_checked),
        cmocka_unit_test(facts_that_do_not_decode_fail_the_attempt),
        cmocka_unit_test(a_walk_through_a_buffer_is_bounded),
        cmocka_unit_test(strangers_are_asked_to_say_hello),
        cmocka_unit_test(goodbye_ends_the_leases_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
