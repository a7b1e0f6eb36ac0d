/* A pass that asks only the jobs that changed places all that one over all jobs would. */
#include "scheduler/core/place.h"
#include "tests/scheduler/core/story.h"

#define SEEDS 60u
#define STEPS 400u

struct seen {
    uint64_t settled, waiting, room; /* passes: with such an end; with jobs that wait; and room */
};

/* Nothing changed since the last pass. */
static bool is_settled(const struct gm_core *core)
{
    uint64_t grown = 0;
    for (const struct gm_class *c = core->devices->classes; c; c = c->hh.next) {
        grown += c->grown;
    }
    const struct gm_order *order = &core->order;
    return order->settled && order->changed_count == 0 && !core->place_dirty &&
           order->room.made == core->devices->made && order->room.grown == grown;
}

/* What a pass over all jobs places now: it is to be nothing. */
static void ask_all(struct sim *sim, uint32_t seed, uint32_t step, struct seen *seen)
{
    struct gm_core *core = sim->core;
    struct gm_effects fx = {0};
    uint64_t unused;
    (void)gm_core_slots(core, NULL, &unused);
    if (!is_settled(core)) {
        return;
    }
    seen->settled++;
    seen->waiting += core->order.waiting.count > 0 ? 1 : 0;
    seen->room += core->order.waiting.count > 0 && unused > 0 ? 1 : 0;
    core->fx = &fx;
    core->order.settled = false;
    core->place_dirty = true;
    core->sampled_at--; /* searches that found nothing are forgotten */
    gm_core_place(core);
    core->sampled_at++;
    core->fx = NULL;
    for (size_t i = 0; i < fx.send_count; i++) {
        assert_int_equal(fx.sends[i].envelope->body_case, GM__ENVELOPE__BODY_ASSIGN);
        const Gm__Assign *a = fx.sends[i].envelope->assign;
        fail_msg("seed %u, step %u: `%s` of job %s was passed over", seed, step, a->spec->task,
                 a->spec->job_id);
    }
    gm_effects_fini(&fx);
}

static struct sim_params params_of(uint32_t seed)
{
    static const struct gm_tenant_params tenants[] = {
        {.name = "few", .weight = 1, .max_running = 1}, {.name = "*", .weight = 3}};
    return (struct sim_params){.seed = seed,
                               .nodes = 2 + seed % 5,
                               .slots = 1 + seed % 3,
                               .loss = 50,
                               .task_fails = seed % 3 ? 100 : 2000,
                               .node_dies = 15,
                               .node_parted = 10,
                               .drains = 30,
                               .restart = seed % 4 == 0 ? 15 : 0,
                               .gpus = seed % 2 ? 1 : 0,
                               .sessions = seed % 4 == 3 ? 3 : 0,
                               .ladder = seed % 2 ? 3 : 0,
                               .device = seed % 2 ? "nvenc" : NULL,
                               .shares = seed % 5 == 2,
                               .tenants = tenants,
                               .tenant_count = seed % 3 == 1 ? 2 : 0};
}

static void jobs_that_did_not_change_have_nothing_to_place(void **arg)
{
    struct seen seen = {0};
    (void)arg;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_params params = params_of(seed);
        struct sim *sim = sim_create(&params);
        for (uint32_t step = 0; step < STEPS; step++) {
            if (step % 20 == 0 && step < 200) {
                char id[16];
                (void)snprintf(id, sizeof(id), "job-%u", step);
                (void)sim_submit(sim, id, 4 + step % 7, 1 + step % 2, (int32_t)(step * 7 % 101));
            }
            sim_step(sim);
            ask_all(sim, seed, step, &seen);
        }
        sim_destroy(sim);
    }
    assert_true(seen.settled > 10000 && seen.waiting > 5000 && seen.room > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_that_did_not_change_have_nothing_to_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
