#include "sim/sim_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_S 20 /* a scheduler waits so long for leases at most */

uint32_t sim_random(struct sim *sim, uint32_t below)
{
    sim->random ^= sim->random << 13;
    sim->random ^= sim->random >> 7;
    sim->random ^= sim->random << 17;
    return below > 0 ? (uint32_t)((sim->random >> 11) % below) : 0;
}

bool sim_happens(struct sim *sim, uint32_t chance)
{
    return chance > 0 && sim_random(sim, 10000) < chance;
}

static void note_news(struct sim *sim, const struct gm_job_event *e)
{
    bool once = strcmp(e->type, "job.accepted") == 0 || strcmp(e->type, "job.inspected") == 0 ||
                strcmp(e->type, "job.playable") == 0;
    struct sim_job *job = once ? sim_find_job(sim, e->job_id) : NULL;
    size_t n = job ? strlen(job->news) : 0;
    if (job && n + 1 < sizeof(job->news)) {
        job->news[n] = e->type[4];
    }
}

/* What a step made is looked at, and waits for the disk. */
static void keep_effects(struct sim *sim, struct gm_effects *fx)
{
    sim_ledger_check(sim, fx);
    sim_trace_effects(sim, fx);
    for (size_t i = 0; i < fx->event_count; i++) {
        sim->retries += strcmp(fx->events[i].type, "task.retry") == 0;
        if (strcmp(fx->events[i].type, "job.replanned") == 0) {
            sim_find_job(sim, fx->events[i].job_id)->replanned = true;
        }
        note_news(sim, &fx->events[i]);
    }
    sim_store_keep(sim, fx);
}

static void check(struct sim *sim)
{
    struct gm_err err = {.code = GM_OK};
    sim->events++;
    if (gm_core_check(sim->core, &err) < 0) {
        fail_msg("seed %u, event %llu, %lld s: %s", sim->params.seed,
                 (unsigned long long)sim->events, (long long)(sim->now / GM_SEC), err.text);
    }
}

/* The epoch that the message is about, if it is one that may be taken; 0: it is none. */
static uint64_t epoch_of(const struct gm_event *event)
{
    const Gm__Envelope *e = event->type == GM_EV_MESSAGE ? event->envelope : NULL;
    return !e                                            ? 0
           : e->body_case == GM__ENVELOPE__BODY_PRODUCED ? e->produced->epoch
           : e->body_case == GM__ENVELOPE__BODY_DONE     ? e->done->epoch
           : e->body_case == GM__ENVELOPE__BODY_FAILED   ? e->failed->epoch
                                                         : 0;
}

/* Nothing is taken of a lease that has ended, or that its scheduler's heir did not take over. */
static void check_taken(struct sim *sim, const struct gm_event *event, const struct gm_effects *fx)
{
    for (size_t i = 0; i < fx->send_count; i++) {
        const Gm__Envelope *e = fx->sends[i].envelope;
        if (e->body_case == GM__ENVELOPE__BODY_ACK && !e->ack->stale &&
            !sim_ledger_lives(sim, epoch_of(event))) {
            fail_msg("seed %u, event %llu: %s of lease %llu was taken, which does not live",
                     sim->params.seed, (unsigned long long)sim->events,
                     sim_message_name(event->envelope), (unsigned long long)epoch_of(event));
        }
    }
}

int sim_event(struct sim *sim, const struct gm_event *event, struct gm_err *err)
{
    struct gm_event copy = *event;
    struct gm_effects fx = {0};
    struct gm_err ignored;
    copy.unix_ms = SIM_UNIX_BASE + sim->now / GM_MS + sim->wall_ms;
    int rc = gm_core_step(sim->core, &copy, sim->now, &fx, err ? err : &ignored);
    check(sim);
    sim_trace_event(sim, event, rc);
    if (rc < 0) {
        assert_int_equal(fx.row_count + fx.send_count + fx.publish_count, 0);
        gm_effects_fini(&fx);
        return rc;
    }
    if (event->type == GM_EV_PUBLISHED || event->type == GM_EV_CLEANED) {
        sim_daemon_told(sim, event->job_id);
    }
    sim_sessions_check(sim, &fx);
    check_taken(sim, event, &fx);
    keep_effects(sim, &fx);
    for (size_t i = 0; i < fx.send_count; i++) {
        if (!fx.sends[i].durable) {
            sim_deliver(sim, &fx.sends[i]);
        }
    }
    if (sim_happens(sim, sim->params.reload)) {
        sim_reload_check(sim);
    }
    return 0;
}

struct sim_job *sim_find_job(struct sim *sim, const char *id)
{
    for (uint32_t i = 0; i < sim->job_count; i++) {
        if (strcmp(sim->jobs[i].id, id) == 0) {
            return &sim->jobs[i];
        }
    }
    return NULL;
}

struct sim_job *sim_find_seq(struct sim *sim, uint64_t seq)
{
    for (uint32_t i = 0; seq > 0 && i < sim->job_count; i++) {
        if (sim->jobs[i].seq == seq) {
            return &sim->jobs[i];
        }
    }
    return NULL;
}

/* In any order. */
static void load_rows(struct sim *sim)
{
    size_t count = 0, all = HASH_COUNT(sim->rows);
    struct gm_err err = {.code = GM_OK};
    struct sim_row **list = calloc(all + 1, sizeof(*list));
    assert_non_null(list);
    for (struct sim_row *r = sim->rows; r; r = r->hh.next) {
        list[count++] = r;
    }
    for (size_t i = all; i > 1; i--) {
        size_t j = sim_random(sim, (uint32_t)i);
        struct sim_row *swap = list[i - 1];
        list[i - 1] = list[j];
        list[j] = swap;
    }
    for (size_t i = 0; i < all; i++) {
        const struct sim_row *r = list[i];
        assert_int_equal(gm_core_load(sim->core, &r->key, r->data, r->size, &err), 0);
    }
    free(list);
}

static void load(struct sim *sim)
{
    struct gm_err err = {.code = GM_OK};
    struct gm_effects fx = {0};
    struct gm_core_params params = {.term = ++sim->term,
                                    .lease_ms = sim->params.lease_ms,
                                    .last_lease_ms = sim->params.last_lease_ms,
                                    .stall_ms = sim->params.stall_ms,
                                    .device_wait_ms = sim->params.device_wait_ms,
                                    .preempt_ms = sim->params.preempt_ms,
                                    .max_attempts = sim->params.max_attempts,
                                    .retry_ms = sim->params.retry_ms,
                                    .tenants = sim->params.tenants,
                                    .tenant_count = sim->params.tenant_count,
                                    .loaded_unix_ms =
                                        SIM_UNIX_BASE + sim->now / GM_MS + sim->wall_ms,
                                    .backup_retry_s = sim->params.backup_retry_s,
                                    .part_wait_ms = sim->params.part_wait_ms,
                                    .keep_finished = sim->params.keep_finished,
                                    .keep_failed_ms = sim->params.keep_failed_ms,
                                    .work_is_remote = sim->params.remote,
                                    .shelf = sim_shelf_open(sim)};
    assert_int_equal(gm_core_create(&params, &sim->core, &err), 0);
    load_rows(sim);
    if (gm_core_loaded(sim->core, sim->now, &fx, &err) < 0) {
        fail_msg("seed %u: recovery: %s", sim->params.seed, err.text);
    }
    check(sim);
    sim_ledger_restart(sim);
    keep_effects(sim, &fx);
    sim_trace(sim, "scheduler: term %llu begins", (unsigned long long)sim->term);
}

bool sim_is_up(struct sim *sim)
{
    return sim->core && sim->scheduler_paused_until == 0;
}

void sim_restart(struct sim *sim)
{
    sim_store_crash(sim);
    sim_daemon_crash(sim);
    gm_core_destroy(&sim->core);
    sim->killed_at = 0;
    sim->up_at = sim->now + sim_random(sim, sim->params.down_s) * GM_SEC;
    if (sim->up_at <= sim->now) {
        load(sim);
    }
}

struct sim *sim_create(const struct sim_params *params)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    assert_non_null(sim);
    sim->params = *params;
    sim->params.slots = params->slots > 0 ? params->slots : 1;
    sim->lossy = params->loss > 0 || params->node_parted > 0 || params->delay_ms > 0;
    sim->random = UINT64_C(0x9e3779b97f4a7c15) * (params->seed + 1);
    load(sim);
    for (uint32_t i = 0; i < sim->params.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        node->number = i;
        node->build = params->builds > 0 ? i % params->builds : 0;
        node->drift_ppm = params->drift_ppm == 0 ? 0
                                                 : (int64_t)sim_random(sim, 2 * params->drift_ppm) -
                                                       (int64_t)params->drift_ppm;
        (void)snprintf(node->id, sizeof(node->id), "node-%u", i);
        sim_node_start(sim, node);
    }
    return sim;
}

void sim_destroy(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->params.nodes; i++) {
        sim_node_kill(sim, &sim->nodes[i]);
        free(sim->nodes[i].outbox);
    }
    sim_daemon_crash(sim);
    sim_store_free(sim);
    sim_net_free(sim);
    sim_objects_free(sim);
    free(sim->leases);
    free(sim->promises);
    gm_core_destroy(&sim->core);
    sim_shelf_close(sim);
    free(sim);
}

static Gm__PipelineTask make_task(const char *name, const char *type, char **needs, size_t count)
{
    Gm__PipelineTask task = GM__PIPELINE_TASK__INIT;
    task.name = (char *)name;
    task.type = (char *)type;
    task.needs = needs;
    task.n_needs = count;
    return task;
}

#define MOST_TASKS 16

/* The tasks of a kind, in a made-up order that no edge follows. */
static size_t make_tasks(enum sim_kind kind, Gm__PipelineTask tasks[MOST_TASKS])
{
    static char inspect[] = "inspect", plan[] = "plan", split[] = "split", video[] = "video",
                audio[] = "audio", analyze[] = "analyze", loud[] = "loud", subs[] = "subs";
    static char *of_plan[] = {inspect}, *of_split[] = {plan}, *of_video[] = {split, analyze},
                *of_audio[] = {split, loud}, *of_images[] = {video},
                *of_mp4[] = {video, audio, subs};
    bool plain = kind == SIM_PLAIN;
    bool pictures = kind != SIM_SOUND;
    size_t n = 0;
    tasks[n++] = make_task(inspect, "inspect", NULL, 0);
    tasks[n++] = make_task(plan, "plan", of_plan, 1);
    tasks[n++] = make_task(split, "split", of_split, 1);
    if (pictures) {
        tasks[n++] = make_task(video, "encode", of_video, plain ? 1 : 2);
    }
    tasks[n++] = make_task(audio, "audio", of_audio, plain ? 1 : 2);
    if (pictures) {
        tasks[n++] = make_task("images", "thumbnails", of_images, 1);
        tasks[n++] = make_task("mp4", "mp4", of_mp4, plain ? 2 : 3);
    }
    tasks[n++] = make_task("hls", "package", pictures ? of_mp4 : of_mp4 + 1,
                           (plain ? 2u : 3u) - (pictures ? 0u : 1u));
    if (!plain) {
        tasks[n++] = make_task(loud, "loudness", of_audio, 1);
        tasks[n++] = make_task(subs, "subtitles", of_audio, 1);
        if (pictures) {
            tasks[n++] = make_task(analyze, "analyze", of_video, 1);
        }
    }
    return n;
}

static struct sim_job *submit(struct sim *sim, const char *id, enum sim_kind kind, int32_t priority,
                              bool plan_only)
{
    Gm__PipelineTask tasks[MOST_TASKS];
    Gm__PipelineTask *list[MOST_TASKS];
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    pipeline.name = (char *)"sim";
    pipeline.early = sim->params.early;
    pipeline.tasks = list;
    pipeline.n_tasks = make_tasks(kind, tasks);
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    char *devices[] = {(char *)sim->params.device};
    encode.codec = (char *)"h264";
    encode.bit_depth = 8;
    if (sim->params.fallback) {
        encode.fallback = (char *)sim->params.fallback;
    }
    uint32_t sides[] = {90, 80, 70, 60}; /* of 160x90 */
    Gm__PlanParams plan = GM__PLAN_PARAMS__INIT;
    plan.ladder = sides;
    plan.n_ladder = sim->params.ladder;
    encode.devices = devices;
    encode.n_devices = sim->params.device ? 1 : 0;
    for (size_t i = 0; i < pipeline.n_tasks; i++) {
        list[i] = &tasks[i];
        if (strcmp(tasks[i].type, "encode") == 0) {
            tasks[i].params_case = GM__PIPELINE_TASK__PARAMS_ENCODE;
            tasks[i].encode = &encode;
        } else if (strcmp(tasks[i].type, "plan") == 0) {
            tasks[i].params_case = GM__PIPELINE_TASK__PARAMS_PLAN;
            tasks[i].plan = &plan;
        }
    }
    char destination[32]; /* one for all that is asked for in the same words */
    (void)snprintf(destination, sizeof(destination), "file:///out/%d", (int)kind);
    Gm__PartRun run = GM__PART_RUN__INIT, *parts[] = {&run};
    run.count = 4;
    run.size = 250;
    int64_t deadline = sim->deadline > 0 ? SIM_UNIX_BASE + (sim->now + sim->deadline) / GM_MS : 0;
    struct gm_submit submission = {.job_id = id,
                                   .pipeline = &pipeline,
                                   .source_url =
                                       sim->params.remote ? "s3://in/in.mp4" : "file:///in.mp4",
                                   .source_size = 1000,
                                   .source_etag = sim->params.without_etag ? "" : SIM_ETAG,
                                   .source_parts = parts,
                                   .source_part_count = sim->params.part_wait_ms > 0,
                                   .source_arrives = sim->params.part_wait_ms > 0,
                                   .source_name = "in.mp4",
                                   .destination_url = destination,
                                   .destination_mark = "of out",
                                   .work_mark = "of work",
                                   .backup_url = sim->params.backup,
                                   .priority = priority,
                                   .tenant = sim->tenant,
                                   .deadline_unix_ms = deadline,
                                   .external_id = "",
                                   .plan_only = plan_only,
                                   .created_unix_ms = SIM_UNIX_BASE + sim->now / GM_MS};
    struct gm_event event = {.type = GM_EV_SUBMIT, .submit = &submission};
    assert_true(sim->job_count < SIM_JOBS);
    struct sim_job *job = &sim->jobs[sim->job_count++];
    *job = (struct sim_job){.kind = kind,
                            .mp4s = kind != SIM_SOUND,
                            .poison = -1,
                            .renditions = sim->params.ladder,
                            .sized = sim->params.ladder > 0};
    (void)snprintf(job->id, sizeof(job->id), "%s", id);
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim); /* the client has its answer */
    return job;
}

struct sim_job *sim_submit(struct sim *sim, const char *id, uint32_t chunks, uint32_t tracks,
                           int32_t priority)
{
    struct sim_job *job = submit(sim, id, SIM_PLAIN, priority, false);
    job->chunks = chunks;
    job->tracks = tracks;
    return job;
}

struct sim_job *sim_submit_kind(struct sim *sim, const char *id, enum sim_kind kind,
                                uint32_t chunks, uint32_t tracks, uint32_t texts)
{
    struct sim_job *job = submit(sim, id, kind, 50, false);
    job->chunks = chunks;
    job->tracks = tracks;
    job->texts = kind != SIM_PLAIN ? texts : 0;
    return job;
}

struct sim_job *sim_submit_plan_only(struct sim *sim, const char *id)
{
    return submit(sim, id, SIM_PLAIN, 50, true);
}

int sim_cancel(struct sim *sim, const char *id)
{
    struct gm_event event = {.type = GM_EV_CANCEL, .job_id = id};
    enum gm_job_state state = sim_state(sim, id);
    int rc = sim_event(sim, &event, NULL);
    if (rc == 0) {
        sim_find_job(sim, id)->cancelled = true;
        sim_find_job(sim, id)->cancelled_as = state;
        sim_commit(sim);
    }
    return rc;
}

/* The scheduler's turn: it may be down, or stand still. */
static void scheduler_step(struct sim *sim)
{
    struct gm_event tick = {.type = GM_EV_TICK};
    if (!sim->core && sim->now >= sim->up_at) {
        load(sim);
    }
    if (sim->scheduler_paused_until > 0 && sim->now >= sim->scheduler_paused_until) {
        sim->scheduler_paused_until = 0;
    } else if (sim_is_up(sim) && sim_happens(sim, sim->params.scheduler_paused)) {
        sim->scheduler_paused_until = sim->now + (1 + sim_random(sim, 25)) * GM_SEC;
        sim_trace(sim, "scheduler: stands still");
    }
    if (sim_happens(sim, sim->params.wall_jumps)) {
        sim->wall_ms = ((int64_t)sim_random(sim, 49) - 24) * 3600000;
        sim->wall_right_at = sim->wall_ms < 0 ? sim->now + sim_random(sim, 5) * GM_SEC : 0;
        sim_trace(sim, "scheduler: its wall clock is off by %lld s",
                  (long long)sim->wall_ms / 1000);
    }
    if (sim->wall_right_at > 0 && sim->now >= sim->wall_right_at) {
        sim->wall_ms = sim->wall_right_at = 0;
        sim_trace(sim, "scheduler: its wall clock is right");
    }
    if (sim_is_up(sim)) {
        assert_int_equal(sim_event(sim, &tick, NULL), 0);
    }
}

void sim_step(struct sim *sim)
{
    sim->now += 100 * GM_MS;
    scheduler_step(sim);
    for (uint32_t i = 0; i < sim->params.nodes; i++) {
        sim_node_faults(sim, &sim->nodes[i]);
        sim_node_step(sim, &sim->nodes[i]);
    }
    sim_net_step(sim);
    if (!sim_is_up(sim)) {
        return;
    }
    if (!sim->hold_publish) {
        sim_daemon_step(sim);
    }
    if (!sim->hold_commits) {
        sim_store_step(sim);
    }
    uint32_t busy = sim->op_count > 0 ? sim->params.restart_busy : 0;
    bool ends = sim->core && sim_happens(sim, sim->params.restart + busy);
    if (ends && sim->killed_at == 0 && sim_random(sim, 2) == 0) {
        struct gm_event stop = {.type = GM_EV_STOP};
        (void)sim_event(sim, &stop, NULL);
        sim->killed_at = sim->now + 1 + sim_random(sim, STOP_S * 1000) * (GM_SEC / 1000);
    } else if (ends || (sim->killed_at > 0 && sim->now >= sim->killed_at)) {
        sim_trace(sim, "scheduler: killed");
        sim_restart(sim);
    }
}

void sim_calm(struct sim *sim)
{
    struct sim_params *p = &sim->params;
    p->loss = p->twice = p->twice_down = p->late = p->task_fails = p->task_hangs = 0;
    bool operators = p->drains > 0;
    p->task_lies = p->node_dies = p->node_parted = p->node_paused = p->node_gone = p->drains = 0;
    p->restart = p->commit_fails = p->scheduler_paused = p->wall_jumps = p->publish_fails = 0;
    p->put_fails = p->restart_busy = 0;
    p->clean_fails = 0;
    p->bad_node = 0;
    sim->wall_ms = sim->wall_right_at = 0;
    for (uint32_t i = 0; operators && i < p->nodes; i++) { /* the scheduler lifts its own */
        struct gm_event resume = {.type = GM_EV_DRAIN, .node_id = sim->nodes[i].id, .resume = true};
        (void)sim_event(sim, &resume, NULL); /* it may not be known */
    }
    sim_trace(sim, "calm from here on");
}

void sim_run(struct sim *sim, uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds * 10; i++) {
        sim_step(sim);
    }
}

void sim_until(struct sim *sim, bool (*fn)(struct sim *sim), uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds * 10; i++) {
        if (fn(sim)) {
            return;
        }
        sim_step(sim);
    }
    for (uint32_t j = 0; sim->core && j < sim->job_count; j++) {
        struct gm_explain_view v;
        struct gm_err err;
        if (gm_view_explain(sim->core, sim->jobs[j].id, sim->now, &v, &err) < 0) {
            continue;
        }
        print_message("%s %s\n", sim->jobs[j].id,
                      gm_job_state_name(sim_state(sim, sim->jobs[j].id)));
        for (size_t i = 0; i < v.count; i++) {
            print_message("  %s/%u: %s\n", v.rows[i].task, v.rows[i].instance, v.rows[i].why);
        }
        gm_view_explain_fini(&v);
    }
    fail_msg("seed %u: not so after %u s", sim->params.seed, seconds);
}

bool sim_knows(struct sim *sim, const char *id)
{
    struct gm_job_view view;
    struct gm_err err;
    bool known = gm_view_job(sim->core, id, &view, &err) == 0;
    if (known) {
        gm_view_job_fini(&view);
    }
    return known;
}

enum gm_job_state sim_state(struct sim *sim, const char *id)
{
    struct gm_job_view view;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, id, &view, &err), 0);
    enum gm_job_state state = view.state;
    gm_view_job_fini(&view);
    return state;
}

struct gm_err sim_error(struct sim *sim, const char *id)
{
    struct gm_job_view view;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, id, &view, &err), 0);
    struct gm_err error = view.error;
    gm_view_job_fini(&view);
    return error;
}

bool sim_all_final(struct sim *sim)
{
    if (!sim_is_up(sim)) {
        return false;
    }
    for (uint32_t i = 0; i < sim->job_count; i++) {
        struct gm_job_view view;
        struct gm_err err;
        if (sim->jobs[i].pruned) {
            continue;
        }
        if (!sim_knows(sim, sim->jobs[i].id)) {
            return false; /* that it is forgotten is not on disk */
        }
        assert_int_equal(gm_view_job(sim->core, sim->jobs[i].id, &view, &err), 0);
        bool final = gm_job_state_is_final(view.state) && !view.cleanup_pending;
        gm_view_job_fini(&view);
        if (!final) {
            return false;
        }
    }
    return true;
}

struct done_items {
    const struct sim_job *job;
    uint32_t count;
};

static int check_done_item(const struct gm_item_view *view, void *arg, struct gm_err *err)
{
    struct done_items *items = arg;
    (void)err;
    assert_int_equal(view->item->index, items->count++ % items->job->chunks);
    return 0;
}

void sim_check_done(struct sim *sim, const struct sim_job *job)
{
    struct gm_results_view results;
    struct gm_err err;
    static const char *const tasks[] = {"split", "video", "audio", "subs", "analyze", "loud"};
    bool plain = job->kind == SIM_PLAIN;
    uint32_t pictures = job->kind != SIM_SOUND;
    const uint32_t expected[] = {job->chunks * (pictures + job->tracks + job->texts),
                                 job->chunks * pictures,
                                 job->chunks * job->tracks,
                                 job->chunks * job->texts,
                                 plain ? 0 : job->chunks * pictures,
                                 0};
    sim_build_check(sim, job);
    for (size_t t = 0; t < 6; t++) {
        struct done_items items = {.job = job};
        const struct gm_items_wish wish = {.task = tasks[t]};
        assert_int_equal(gm_view_items(sim->core, job->id, wish, check_done_item, &items, &err), 0);
        assert_int_equal(items.count, expected[t]);
    }
    assert_int_equal(gm_view_results(sim->core, job->id, &results, &err), 0);
    /* inspect plan split hls, video images, analyze, tracks, loudness of them, texts, mp4s */
    assert_int_equal(results.count, 4 + 2 * pictures + (plain ? 0 : pictures) +
                                        (plain ? 1 : 2) * job->tracks + job->texts + job->mp4s);
    gm_view_results_fini(&results);
    assert_true(job->published > 0);
}

const Gm__Envelope *sim_last_send(const struct sim *sim)
{
    if (sim->pending_count == 0) {
        return NULL;
    }
    const struct gm_effects *fx = &sim->pending[sim->pending_count - 1];
    return fx->send_count > 0 ? fx->sends[fx->send_count - 1].envelope : NULL;
}
