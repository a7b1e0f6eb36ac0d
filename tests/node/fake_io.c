/* The scheduler that tests are: it starts the agent and answers it. */
#include "node/fake_io.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "common/fs.h"
#include "proto/envelope.h"
#include "storage/sign.h"
#include "storage/store.h"

#define WAIT_MS 20000
#define WAIT_WHOLE (120 * GM_SEC) /* for what a test waits for with messages coming */

static void must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        fail_msg("%s", err->text);
    }
}

/* Goes on answering: who waits long for its workers asks whether the scheduler is there. */
static void await_ready(struct farm *farm)
{
    uint8_t told = 0;
    zmq_pollitem_t items[] = {{.fd = farm->ready, .events = ZMQ_POLLIN},
                              {.socket = farm->router, .events = ZMQ_POLLIN}};
    while (items[0].revents == 0) {
        if (zmq_poll(items, 2, WAIT_MS) <= 0) {
            fail_msg("the agent was not ready in time");
        }
        if (items[1].revents != 0) {
            farm_turn(farm);
        }
    }
    assert_int_equal(read(farm->ready, &told, 1), 1);
    assert_int_equal(told, farm->slots);
}

void farm_start(struct farm *farm, uint32_t slots)
{
    struct gm_err err = {.code = GM_OK};
    int pipes[2];
    snprintf(farm->folder, sizeof(farm->folder), "/tmp/gm-node-XXXXXX");
    assert_non_null(mkdtemp(farm->folder));
    snprintf(farm->endpoint, sizeof(farm->endpoint), "ipc://%s/s", farm->folder);
    snprintf(farm->store_url, sizeof(farm->store_url), "file://%s/store", farm->folder);
    memset(farm->key.bytes, 0x5a, sizeof(farm->key.bytes));
    farm->slots = slots;
    farm->lease_ms = farm->lease_ms == 0 ? 10000 : farm->lease_ms;
    farm->heartbeat_ms = farm->heartbeat_ms == 0 ? 50 : farm->heartbeat_ms;
    farm->stall_ms = farm->stall_ms == 0 ? 60000 : farm->stall_ms;
    farm->term = 1;
    farm->renew = true;
    farm->began = gm_time_now();
    struct gm_store *store = NULL;
    must(gm_store_open(farm->store_url, true, &store, &err), &err);
    gm_store_close(&store);
    if (farm->proof_at_start != NULL) {
        farm_proof(farm, farm->proof_at_start);
    }
    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    farm->agent = fork();
    assert_true(farm->agent >= 0);
    if (farm->agent == 0) {
        close(pipes[0]);
        farm_run_agent(farm, pipes[1]);
    }
    close(pipes[1]);
    farm->ready = pipes[0];
    farm->zmq = zmq_ctx_new();
    (void)zmq_msg_init(&farm->message);
    farm->router = zmq_socket(farm->zmq, ZMQ_ROUTER);
    int on = 1;
    int off = 0;
    assert_int_equal(zmq_setsockopt(farm->router, ZMQ_ROUTER_HANDOVER, &on, sizeof(on)), 0);
    assert_int_equal(zmq_setsockopt(farm->router, ZMQ_LINGER, &off, sizeof(off)), 0);
    assert_int_equal(zmq_bind(farm->router, farm->endpoint), 0);
    farm->next_task = 1;
    while (farm->hello == NULL || farm->offer == NULL) {
        farm_turn(farm);
    }
    await_ready(farm);
}

int farm_setup(void **state)
{
    struct farm *farm = calloc(1, sizeof(*farm));
    assert_non_null(farm);
    *farm = *(const struct farm *)*state;
    farm_start(farm, farm->slots > 0 ? farm->slots : 1);
    *state = farm;
    return 0;
}

int farm_teardown(void **state)
{
    farm_stop(*state);
    free(*state);
    return 0;
}

void farm_stop(struct farm *farm)
{
    struct gm_err err = {.code = GM_OK};
    int status = 0;
    kill(farm->agent, SIGTERM);
    assert_int_equal(waitpid(farm->agent, &status, 0), farm->agent);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), farm->status);
    zmq_msg_close(&farm->message);
    zmq_close(farm->router);
    zmq_ctx_term(farm->zmq);
    close(farm->ready);
    if (farm->hello != NULL) {
        gm__hello__free_unpacked(farm->hello, NULL);
    }
    if (farm->offer != NULL) {
        gm__offer__free_unpacked(farm->offer, NULL);
    }
    if (farm->gpu != NULL) {
        gm__offer__free_unpacked(farm->gpu, NULL);
    }
    free(farm->noted);
    must(gm_fs_remove_tree(farm->folder, &err), &err);
}

void farm_send(struct farm *farm, Gm__Envelope *env)
{
    struct gm_err err = {.code = GM_OK};
    struct gm_batch batch = {0};
    must(gm_batch_add(&batch, env, &err), &err);
    bool batched = farm->hello != NULL && farm->hello->batches && !farm->no_batches;
    size_t size = batch.size; /* a batch of one, which only who reads batches takes */
    const void *data = batched ? batch.data : gm_batch_bytes(&batch, &size);
    assert_true(zmq_send(farm->router, farm->peer, farm->peer_size, ZMQ_SNDMORE) > 0);
    assert_true(zmq_send(farm->router, data, size, 0) >= 0);
    gm_batch_fini(&batch);
}

static int64_t grants_end(const struct farm *farm)
{
    return farm->grants_end != 0 ? farm->grants_end : INT64_MAX / 2;
}

static void welcome(struct farm *farm)
{
    Gm__Welcome body = GM__WELCOME__INIT;
    Gm__LeaseState leases[8];
    Gm__LeaseState *adopted[8];
    body.adopted = adopted;
    for (size_t i = 0; farm->adopts && i < farm->hello->n_held; i++) {
        const Gm__HeldLease *held = farm->hello->held[i];
        assert_true(i < sizeof leases / sizeof leases[0]);
        gm__lease_state__init(&leases[i]);
        leases[i].task_id = held->task_id;
        leases[i].term = held->term;
        leases[i].epoch = held->epoch;
        adopted[body.n_adopted++] = &leases[i];
    }
    body.term = farm->term;
    body.lease_ms = farm->lease_ms;
    body.heartbeat_ms = farm->heartbeat_ms;
    body.stall_ms = farm->stall_ms;
    body.batches = !farm->no_batches;
    body.unix_ms = farm->unix_ms;
    body.idle_ms = farm->idle_ms;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_WELCOME;
    env.welcome = &body;
    farm_send(farm, &env);
}

static void answer_renew(struct farm *farm, const Gm__Renew *renew)
{
    farm->leases = (uint32_t)renew->n_leases;
    farm->renews = renew->number;
    farm->counters = *renew->counters;
    if (farm->renew && !farm->deaf) {
        Gm__Renewed body = GM__RENEWED__INIT;
        body.kept = renew->leases;
        body.n_kept = renew->n_leases;
        body.unix_ms = farm->unix_ms;
        body.idle_ms = farm->idle_ms;
        body.number = farm->renew_number != 0 ? farm->renew_number : renew->number;
        Gm__Envelope env = GM__ENVELOPE__INIT;
        env.body_case = GM__ENVELOPE__BODY_RENEWED;
        env.renewed = &body;
        farm_send(farm, &env);
    }
}

static void answer_grants(struct farm *farm, const Gm__GrantRequest *request)
{
    struct gm_err err = {.code = GM_OK};
    Gm__Grant grants[16];
    Gm__Grant *list[16];
    bool own[16];
    assert_true(request->n_items <= 16);
    for (size_t i = 0; i < request->n_items; i++) {
        const Gm__GrantItem *item = request->items[i];
        gm__grant__init(&grants[i]);
        grants[i].key = item->name;
        list[i] = &grants[i];
        own[i] = farm->grant == NULL || !farm->grant(farm, item, &grants[i]);
        if (!own[i]) {
            continue;
        }
        must(sign_write(farm->store_url, item->name, item->size, item->sha256.data,
                        grants_end(farm), &farm->key, &grants[i].url, &err),
             &err);
    }
    Gm__GrantAnswer body = GM__GRANT_ANSWER__INIT;
    Gm__Error error = GM__ERROR__INIT;
    body.request = request->request;
    if (farm->refusals > 0) {
        farm->refusals--;
        error.code = (uint32_t)farm->refusal;
        body.error = &error;
    } else {
        body.grants = list;
        body.n_grants = request->n_items;
    }
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_GRANT_ANSWER;
    env.grant_answer = &body;
    farm_send(farm, &env);
    for (size_t i = 0; i < request->n_items; i++) {
        if (own[i]) {
            free(grants[i].url);
        }
    }
    farm->grants++;
    farm->request = request->request;
}

static void keep_notes(struct farm *farm, const Gm__Device *facts)
{
    for (size_t i = 0; facts != NULL && i < facts->n_notes; i++) {
        const char *text = facts->notes[i]->text;
        size_t used = farm->noted == NULL ? 0 : strlen(farm->noted);
        farm->noted = realloc(farm->noted, used + strlen(text) + 2);
        assert_non_null(farm->noted);
        sprintf(farm->noted + used, "%s\n", text);
    }
}

static void take_offer(struct farm *farm, const Gm__Offer *offer)
{
    assert_non_null(offer->node); /* the whole, of which this is a part */
    assert_true(offer->usable->memory_bytes <= offer->node->memory_bytes);
    assert_true(offer->usable->scratch_bytes <= offer->node->scratch_bytes);
    assert_true(offer->node->cpu_milli > 0);
    bool cpu = strcmp(offer->device, "cpu") == 0;
    Gm__Offer **kept = cpu ? &farm->offer : &farm->gpu;
    if (*kept != NULL) {
        gm__offer__free_unpacked(*kept, NULL);
    }
    *kept = (Gm__Offer *)gm_message_dup(&offer->base);
    farm->gpu_offers += cpu ? 0 : 1;
    if (!cpu) {
        keep_notes(farm, offer->facts);
    }
}

/* True: env was dealt with. */
static bool deal_with(struct farm *farm, Gm__Envelope *env)
{
    switch (env->body_case) {
    case GM__ENVELOPE__BODY_HELLO:
        if (farm->hello != NULL) {
            gm__hello__free_unpacked(farm->hello, NULL);
        }
        farm->hello = (Gm__Hello *)gm_message_dup(&env->hello->base);
        farm->hellos++;
        if (!farm->deaf) {
            welcome(farm);
        }
        return true;
    case GM__ENVELOPE__BODY_OFFER:
        take_offer(farm, env->offer);
        return true;
    case GM__ENVELOPE__BODY_RENEW:
        answer_renew(farm, env->renew);
        return true;
    case GM__ENVELOPE__BODY_PROGRESS:
        farm->progress++;
        return true;
    case GM__ENVELOPE__BODY_GRANT_REQUEST:
        answer_grants(farm, env->grant_request);
        return true;
    default:
        return false;
    }
}

/* One more message, of which the first envelope is next. */
static void receive_message(struct farm *farm)
{
    struct gm_err err = {.code = GM_OK};
    zmq_pollitem_t item = {.socket = farm->router, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, WAIT_MS) <= 0) {
        fail_msg("nothing came from the agent");
    }
    if (gm_time_now() - farm->began > WAIT_WHOLE) {
        fail_msg("the agent goes on, and does not do what the test waits for");
    }
    int n = zmq_recv(farm->router, farm->peer, sizeof(farm->peer), 0);
    assert_true(n > 0 && n <= (int)sizeof(farm->peer));
    farm->peer_size = (size_t)n;
    assert_true(zmq_msg_recv(&farm->message, farm->router, 0) >= 0);
    must(gm_batch_open(zmq_msg_data(&farm->message), zmq_msg_size(&farm->message), &farm->reader,
                       &err),
         &err);
    assert_true(farm->reader.lone || !farm->no_batches);
    farm->batched += farm->reader.lone ? 0 : farm->reader.count;
}

static Gm__Envelope *receive(struct farm *farm)
{
    struct gm_err err = {.code = GM_OK};
    Gm__Envelope *env = NULL;
    const void *data = NULL;
    size_t size = 0;
    if (!gm_batch_next(&farm->reader, &data, &size)) {
        receive_message(farm);
        assert_true(gm_batch_next(&farm->reader, &data, &size));
    }
    must(gm_envelope_decode(data, size, &env, &err), &err);
    return env;
}

Gm__Envelope *farm_next(struct farm *farm)
{
    for (;;) {
        Gm__Envelope *env = receive(farm);
        if (!deal_with(farm, env)) {
            return env;
        }
        gm__envelope__free_unpacked(env, NULL);
    }
}

Gm__Envelope *farm_any(struct farm *farm)
{
    Gm__Envelope *env = receive(farm);
    (void)deal_with(farm, env);
    return env;
}

void farm_turn(struct farm *farm)
{
    Gm__Envelope *env = receive(farm);
    if (!deal_with(farm, env) && (int)env->body_case != farm->ignored) {
        fail_msg("message %d was not expected", (int)env->body_case);
    }
    gm__envelope__free_unpacked(env, NULL);
}

Gm__Envelope *farm_expect(struct farm *farm, int kind)
{
    Gm__Envelope *env = farm_next(farm);
    if ((int)env->body_case != kind && env->body_case == GM__ENVELOPE__BODY_FAILED) {
        fail_msg("the task failed: %s", env->failed->error->text);
    }
    assert_int_equal(env->body_case, kind);
    return env;
}

void farm_ack(struct farm *farm, uint64_t seq, bool stale)
{
    Gm__Ack body = GM__ACK__INIT;
    body.seq = seq;
    body.stale = stale;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_ACK;
    env.ack = &body;
    farm_send(farm, &env);
}

void farm_refuse(struct farm *farm, enum gm_code code)
{
    Gm__Error error = GM__ERROR__INIT;
    error.code = (uint32_t)code;
    Gm__Refuse body = GM__REFUSE__INIT;
    body.error = &error;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_REFUSE;
    env.refuse = &body;
    farm_send(farm, &env);
}

uint64_t farm_assign_spec(struct farm *farm, Gm__TaskSpec *spec)
{
    uint64_t id = farm->next_task++;
    char job[32];
    snprintf(job, sizeof(job), "%" PRIu64 "-%" PRIu64, id, id + 100);
    spec->job_id = job; /* fakes find their folder by it */
    spec->task = (char *)(uintptr_t) "task";
    Gm__Capacity demand = GM__CAPACITY__INIT;
    demand.slots = 1;
    demand.sessions = farm->sessions;
    Gm__Assign body = GM__ASSIGN__INIT;
    body.task_id = id;
    body.term = farm->term;
    body.epoch = id + 100;
    body.device = (char *)(uintptr_t)(farm->assign_to == NULL ? "cpu" : farm->assign_to);
    body.demand = &demand;
    body.lease_ms = farm->lease_ms;
    body.spec = spec;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_ASSIGN;
    env.assign = &body;
    farm_send(farm, &env);
    return id;
}

uint64_t farm_assign(struct farm *farm, const char *type, const char *text)
{
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t)type;
    spec.source_name = (char *)(uintptr_t)text;
    spec.inputs_complete = true;
    return farm_assign_spec(farm, &spec);
}

void farm_cancel(struct farm *farm, uint64_t id)
{
    Gm__Cancel body = GM__CANCEL__INIT;
    body.task_id = id;
    body.term = farm->term;
    body.epoch = id + 100;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_CANCEL;
    env.cancel = &body;
    farm_send(farm, &env);
}

void farm_expect_done(struct farm *farm, uint64_t id)
{
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
    assert_int_equal(env->done->task_id, id);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
}

void farm_expect_failed(struct farm *farm, uint64_t id, enum gm_code code, int64_t native)
{
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_FAILED);
    assert_int_equal(env->failed->task_id, id);
    assert_int_equal(env->failed->epoch, id + 100);
    if (env->failed->error->code != code) {
        fail_msg("code %u: %s", env->failed->error->code, env->failed->error->text);
    }
    if (native != 0) {
        assert_int_equal(env->failed->error->native, native);
    }
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
}

void farm_expect_healthy(struct farm *farm)
{
    uint64_t id = farm_assign(farm, "pieces", "0");
    farm_expect_done(farm, id);
}

char *farm_object(struct farm *farm, const char *key, const void *data, size_t size)
{
    struct gm_err err = {.code = GM_OK};
    struct gm_store *store = NULL;
    char *url = NULL;
    must(gm_store_open(farm->store_url, true, &store, &err), &err);
    must(gm_store_put_bytes(store, key, data, size, &err), &err);
    gm_store_close(&store);
    must(sign_read(farm->store_url, key, grants_end(farm), &farm->key, &url, &err), &err);
    return url;
}

void farm_remove_object(struct farm *farm, const char *key)
{
    struct gm_err err = {.code = GM_OK};
    struct gm_store *store = NULL;
    must(gm_store_open(farm->store_url, false, &store, &err), &err);
    must(gm_store_delete(store, key, &err), &err);
    gm_store_close(&store);
}

char *farm_stored(struct farm *farm, const char *key)
{
    struct gm_err err = {.code = GM_OK};
    struct gm_store *store = NULL;
    struct gm_store_stat stat;
    must(gm_store_open(farm->store_url, true, &store, &err), &err);
    must(gm_store_head(store, key, &stat, &err), &err);
    char *text = calloc(1, stat.size + 1);
    size_t got = 0;
    assert_non_null(text);
    must(gm_store_get(store, key, 0, text, stat.size, &got, &err), &err);
    assert_int_equal(got, stat.size);
    gm_store_close(&store);
    return text;
}
