/* Builds of software of the simulated nodes. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <string.h>

char *sim_node_build(const struct sim_node *node, char out[32])
{
    (void)snprintf(out, 32, "build %u", node->build);
    return out;
}

static void tell(struct sim *sim, struct sim_node *node)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Offer offer = GM__OFFER__INIT;
    Gm__Capacity usable = GM__CAPACITY__INIT, whole = sim_node_whole(sim);
    Gm__Device facts = GM__DEVICE__INIT;
    Gm__Chain chain = GM__CHAIN__INIT, *chains[] = {&chain};
    char build[32];
    uint32_t loss = sim->params.loss;
    usable.cpu_milli = sim->params.slots * 1000;
    usable.memory_bytes = usable.scratch_bytes = (uint64_t)sim->params.slots << 30;
    usable.slots = sim->params.slots;
    chain.name = (char *)"cpu";
    chain.fingerprint = sim_node_build(node, build);
    facts.id = facts.kind = (char *)"cpu";
    facts.capacity = &usable;
    facts.chains = chains;
    facts.n_chains = 1;
    offer.device = (char *)"cpu";
    offer.usable = &usable;
    offer.node = sim_node_shares(sim, node) ? &whole : NULL;
    offer.facts = &facts;
    envelope.body_case = GM__ENVELOPE__BODY_OFFER;
    envelope.offer = &offer;
    sim->params.loss = 0; /* as what follows Welcome: links lose nothing while they stand */
    sim_send(sim, node, &envelope);
    sim->params.loss = loss;
}

void sim_node_turn(struct sim *sim, struct sim_node *node, uint32_t build)
{
    node->build = build;
    tell(sim, node);
}

void sim_build_step(struct sim *sim, struct sim_node *node)
{
    bool idle = !node->parted;
    for (size_t i = 0; i < SIM_TASKS; i++) {
        idle = idle && !node->tasks[i].assign;
    }
    if (idle && sim->params.turns > 0 && sim_happens(sim, sim->params.turns)) {
        sim_node_turn(sim, node, sim_random(sim, sim->params.builds));
    }
}

bool sim_build_refuses(struct sim *sim, struct sim_node *node, struct sim_task *task)
{
    const Gm__Chain *chain = task->assign->spec->chain;
    char build[32];
    if (sim->params.turns == 0 || !chain || strcmp(chain->name, "cpu") != 0 ||
        strcmp(chain->fingerprint, sim_node_build(node, build)) == 0) {
        return false;
    }
    sim_task_fail(sim, node, task, GM_E_CANCELLED, 0, -1);
    tell(sim, node);
    return true;
}

struct built {
    const struct sim *sim;
    const struct sim_job *job;
    const char *build;
};

static int check_item(const struct gm_item_view *view, void *arg, struct gm_err *err)
{
    const struct built *b = arg;
    const Gm__Item *item = view->item;
    bool analyzed = strcmp(view->type, "analyze") == 0;
    char made[32];
    ProtobufCMessage *meta = NULL;
    const ProtobufCMessageDescriptor *type =
        analyzed ? &gm__analyze_item_meta__descriptor : &gm__encode_item_meta__descriptor;
    assert_int_equal(gm_message_decode(type, item->meta.data, item->meta.len, 1024, &meta, err), 0);
    if (analyzed) {
        const Gm__AnalyzeItemMeta *m = (const Gm__AnalyzeItemMeta *)meta;
        (void)snprintf(made, sizeof(made), "build %lld", (long long)(m->duration_ts - 1));
    } else {
        (void)snprintf(made, sizeof(made), "%s", ((const Gm__EncodeItemMeta *)meta)->decoder);
    }
    if (strcmp(made, b->build) != 0) {
        fail_msg("seed %u: job %s is of %s, and chunk %u of %s", b->sim->params.seed, b->job->id,
                 b->build, item->index, made);
    }
    protobuf_c_message_free_unpacked(meta, NULL);
    return 0;
}

void sim_build_check(struct sim *sim, const struct sim_job *job)
{
    static const char *const tasks[] = {"video", "analyze"};
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, job->id, &v, &err), 0);
    bool told = sim->params.builds > 0 && v.chain && strcmp(v.chain, "cpu") == 0;
    for (size_t t = 0; told && t < 2; t++) {
        struct built built = {.sim = sim, .job = job, .build = v.chain_fingerprint};
        const struct gm_items_wish wish = {.task = tasks[t]};
        assert_int_equal(gm_view_items(sim->core, job->id, wish, check_item, &built, &err), 0);
    }
    gm_view_job_fini(&v);
}
