/* The build of the node's workers: what software makes bytes with. Its processors' chain has it as
 * fingerprint, so that parts of one rendition are of one build (docs/adr/0055).
 *
 * Libraries may be replaced beneath a node that runs: workers that it starts from then on are of
 * another build. Those take nothing while others work, and the node goes on with what it has. When
 * it has nothing to do it turns: that build is its own, workers of the old one are started anew,
 * and devices, whose fingerprints name libraries too, are proved again. From half of its slots on,
 * or all of one device, it takes nothing until it turned. So a node loses no task, and never more
 * than half of its slots for longer than its tasks last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "node/agent_state.h"

#define QUOTED_MAX (2 * GM_BUILD_MAX + 2)

static void take(struct gm_agent *agent, const char *build)
{
    struct gm_agent_device *cpu = &agent->devices[0];
    char quoted[QUOTED_MAX];
    gm_device_set(agent->build, build);
    agent->build_known = true;
    cpu->chain_count = 0;
    if (build[0] != '\0') { /* a worker of the release before tells none */
        gm_device_set(cpu->chains[0].name, "cpu");
        gm_device_set(cpu->chains[0].fingerprint, build);
        cpu->chain_count = 1;
    }
    cpu->dirty = true;
    gm_log(GM_LOG_INFO, "build", "build=%s", gm_log_quote(build, quoted, sizeof(quoted)));
}

static bool is_foreign(const struct gm_agent_slot *slot)
{
    return slot->foreign && slot->process != NULL && gm_slot_is_ready(slot->process);
}

/* The last that came; NULL: none did, or something is under way. */
static const struct gm_agent_slot *find_new(const struct gm_agent *agent)
{
    const struct gm_agent_slot *found = NULL;
    for (uint32_t i = 0; i < agent->slot_count; i++) {
        const struct gm_agent_slot *slot = &agent->slots[i];
        if (slot->task != NULL) {
            return NULL;
        }
        if (is_foreign(slot) && (found == NULL || slot->ready_at > found->ready_at)) {
            found = slot;
        }
    }
    return found;
}

void gm_agent_build_turn(struct gm_agent *agent)
{
    const struct gm_agent_slot *from = agent->stopping ? NULL : find_new(agent);
    char was[QUOTED_MAX];
    struct gm_err why;
    if (from == NULL) {
        return;
    }
    gm_log(GM_LOG_WARN, "build-changed", "was=%s", gm_log_quote(agent->build, was, sizeof(was)));
    take(agent, from->build);
    gm_err_set(&why, GM_E_CANCELLED, 0, "another build was installed");
    for (uint32_t i = 0; i < agent->slot_count; i++) {
        struct gm_agent_slot *slot = &agent->slots[i];
        bool ready = slot->process != NULL && gm_slot_is_ready(slot->process);
        slot->foreign = ready && strcmp(slot->build, agent->build) != 0;
        if (slot->foreign) {
            gm_slot_kill(slot->process, &why);
        }
    }
    gm_agent_devices_renew(agent);
    gm_link_offer(agent, false);
}

#ifdef GM_CRASH_POINTS
/* Tests alone: what is in the file of that name is as if it were installed. */
static bool other_build(char out[GM_BUILD_MAX])
{
    const char *path = getenv("GM_TEST_BUILD");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    size_t size = file != NULL ? fread(out, 1, GM_BUILD_MAX - 1, file) : 0;
    out[size] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return size > 0;
}
#endif

void gm_agent_build_ready(struct gm_agent_slot *slot, const char *build)
{
    struct gm_agent *agent = slot->agent;
    char quoted[QUOTED_MAX];
#ifdef GM_CRASH_POINTS
    char other[GM_BUILD_MAX];
    build = other_build(other) ? other : build;
#endif
    if (slot->index == agent->slot_count) { /* the verifier makes nothing */
        return;
    }
    if (!agent->build_known) {
        take(agent, build);
    }
    gm_device_set(slot->build, build);
    slot->foreign = strcmp(slot->build, agent->build) != 0;
    if (slot->foreign) {
        gm_log(GM_LOG_WARN, "worker-of-another-build",
               "slot=%" PRIu32 " build=%s msg=\"the node turns to it when it has nothing to do\"",
               slot->index, gm_log_quote(build, quoted, sizeof(quoted)));
    }
}

bool gm_agent_build_turns(const struct gm_agent *agent)
{
    uint32_t all = 0, foreign = 0;
    for (size_t d = 0; d < agent->device_count; d++) {
        const struct gm_agent_device *device = &agent->devices[d];
        uint32_t has = 0, of_it = 0;
        for (uint32_t i = 0; i < device->slot_count; i++) {
            const struct gm_agent_slot *slot = &agent->slots[device->first_slot + i];
            has += slot->process != NULL ? 1 : 0;
            of_it += is_foreign(slot) ? 1 : 0;
        }
        if (of_it > 0 && of_it == has) {
            return true;
        }
        all += has;
        foreign += of_it;
    }
    return foreign > 0 && 2 * foreign >= all;
}

bool gm_agent_build_has_foreign(const struct gm_agent *agent, const struct gm_agent_device *device)
{
    bool found = false;
    for (uint32_t i = 0; device != NULL && i < device->slot_count; i++) {
        found = found || is_foreign(&agent->slots[device->first_slot + i]);
    }
    return found;
}

void gm_agent_build_tell(struct gm_agent *agent)
{
    agent->devices[0].dirty = true;
    gm_link_offer(agent, false);
}

bool gm_agent_build_makes(const struct gm_task *task)
{
    const Gm__Chain *chain = task->spec->chain;
    return !task->slot->foreign && (chain == NULL || strcmp(chain->name, "cpu") != 0 ||
                                    strcmp(chain->fingerprint, task->agent->build) == 0);
}
