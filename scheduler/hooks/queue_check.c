/* The counts and lists of a queue against each other, for tests. */
#include <stddef.h>

#include <utlist.h>

#include "scheduler/hooks/queue.h"

#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)

static int check_lane(const struct gm_hook_lane *lane, size_t *count, struct gm_err *err)
{
    const struct gm_hook *hook;
    const struct gm_hook *head = lane->hooks;
    if (head == NULL) {
        return BROKEN("a lane is empty");
    }
    bool waits = head->state == GM_HOOK_WAITS;
    if ((lane->node.at > 0) != (waits && head->next_unix_ms > 0) ||
        lane->ready != (waits && head->next_unix_ms == 0) ||
        lane->flies != (head->state == GM_HOOK_FLIES)) {
        return BROKEN("delivery %s is not where it belongs", head->name);
    }
    DL_FOREACH(head, hook)
    {
        *count += 1;
        if (hook->lane != lane || hook->target != lane->key.target || hook->job != lane->key.job ||
            hook->state == GM_HOOK_DEAD ||
            (hook != head && hook->prev != head && hook->prev->seq >= hook->seq)) {
            return BROKEN("delivery %s is in the wrong lane or place", hook->name);
        }
    }
    return 0;
}

/* What each owner has, and all of them together. */
static int check_owners(const struct gm_hookq *q, struct gm_err *err)
{
    size_t waiting = 0, dead = 0, flying = 0, targets = 0;
    const struct gm_hook *hook;
    for (const struct gm_hook_owner *o = q->owners; o != NULL; o = o->hh.next) {
        waiting += o->waiting;
        flying += o->flying;
        targets += o->targets;
        dead += o->dead_count;
        size_t listed = 0;
        DL_FOREACH2(o->dead, hook, own_next)
        {
            listed += hook->target->owner == o && hook->state == GM_HOOK_DEAD ? 1 : 0;
        }
        if (listed != o->dead_count) {
            return BROKEN("the dead letters of `%s` are not its own", o->name);
        }
    }
    const struct gm_hook_kind *k = q->kinds;
    if (dead != q->dead_count || flying != q->flying || flying != k[0].flying + k[1].flying ||
        waiting != k[0].waiting + k[1].waiting || waiting != gm_hookq_waiting(q) ||
        targets != HASH_COUNT(q->targets) || targets != k[0].count + k[1].count) {
        return BROKEN("the counts of owners are wrong");
    }
    return 0;
}

int gm_hookq_check(const struct gm_hookq *q, struct gm_err *err)
{
    size_t count = 0, dead = 0, flying = 0, hooks = 0;
    const struct gm_hook *hook;
    int rc = check_owners(q, err);
    for (const struct gm_hook_lane *l = q->lanes; rc == 0 && l != NULL; l = l->hh.next) {
        rc = check_lane(l, &count, err);
    }
    DL_FOREACH(q->dead, hook)
    {
        dead++;
    }
    for (const struct gm_hook_target *t = q->targets; rc == 0 && t != NULL; t = t->hh.next) {
        flying += t->flying;
        hooks += t->hooks;
        if (!gm_heap_is_sound(&t->waiting, gm_hook_lane_is_before)) {
            rc = BROKEN("the heap of %s is out of order", t->key);
        }
    }
    if (rc == 0 && (dead != q->dead_count || flying != q->flying || hooks != HASH_COUNT(q->all) ||
                    count + dead != HASH_COUNT(q->all) || q->ages.count != count ||
                    !gm_heap_is_sound(&q->ages, gm_hook_is_older))) {
        rc = BROKEN("the counts of deliveries are wrong");
    }
    return rc;
}
