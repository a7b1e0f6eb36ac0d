/* A lane is in one of four places: nowhere (its head is fresh), in its target's heap (its head
 * waits for a time), in its target's list of ready ones, or it flies. `place` says which. */
#include "scheduler/hooks/queue.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#define DOWN_PAUSE_MS 5000 /* each is twice the one before, up to */
#define DOWN_LONGEST_MS 300000
#define EXPIRE_AT_ONCE 1000 /* so many lanes are looked at when a target fails */
#define BURY_AT_ONCE 200    /* so many deliveries die when a target that is gone is looked at */
#define TARGETS_AT_ONCE 1000
#define GONE "the receiver wants no more"
#define TOO_MANY "too many events wait already"

void gm_hookq_init(struct gm_hookq *q, const struct gm_hook_rules *rules,
                   void (*changed)(struct gm_hook *hook, bool dropped, void *arg), void *arg)
{
    *q = (struct gm_hookq){.rules = *rules, .changed = changed, .arg = arg};
}

/* ---- lanes and their places */

static struct gm_hook_lane *lane_of(const struct gm_heap_node *node)
{
    return (struct gm_hook_lane *)(void *)((char *)(uintptr_t)node -
                                           offsetof(struct gm_hook_lane, node));
}

bool gm_hook_lane_is_before(const struct gm_heap_node *a, const struct gm_heap_node *b)
{
    const struct gm_hook *x = lane_of(a)->hooks, *y = lane_of(b)->hooks;
    return x->next_unix_ms != y->next_unix_ms ? x->next_unix_ms < y->next_unix_ms : x->seq < y->seq;
}

static void leave_place(struct gm_hook_lane *lane)
{
    struct gm_hook_target *t = lane->key.target;
    gm_heap_remove(&t->waiting, &lane->node, gm_hook_lane_is_before);
    if (lane->ready) {
        DL_DELETE(t->ready, lane);
        lane->ready = false;
    }
}

static bool is_farms(const struct gm_hook_target *t)
{
    return t->owner->name[0] == '\0';
}

static struct gm_hook_kind *kind_of(struct gm_hookq *q, const struct gm_hook_target *t)
{
    return &q->kinds[is_farms(t) ? 0 : 1];
}

static struct gm_hook_owner *owner_take(struct gm_hookq *q, const char *key)
{
    struct gm_hook_owner *owner = NULL;
    const char *tenant = strncmp(key, "job:", 4) == 0 ? key + 4 : "";
    size_t size = strcspn(tenant, "/");
    HASH_FIND(hh, q->owners, tenant, size, owner);
    if (owner == NULL) {
        owner = gm_mem_zalloc(sizeof *owner);
        owner->name = gm_mem_printf("%.*s", (int)size, tenant);
        HASH_ADD_KEYPTR(hh, q->owners, owner->name, size, owner);
    }
    owner->targets++;
    return owner;
}

static void owner_release(struct gm_hookq *q, struct gm_hook_owner *owner)
{
    if (--owner->targets == 0) {
        HASH_DEL(q->owners, owner);
        free(owner->name);
        free(owner);
    }
}

static void target_release(struct gm_hookq *q, struct gm_hook_target *t)
{
    if (--t->hooks > 0) {
        return;
    }
    struct gm_hook_kind *kind = kind_of(q, t);
    kind->turn = kind->turn == t ? t->next : kind->turn;
    DL_DELETE(kind->targets, t);
    kind->count--;
    HASH_DEL(q->targets, t);
    gm_heap_fini(&t->waiting);
    owner_release(q, t->owner);
    free(t->key);
    free(t);
}

static struct gm_hook_target *target_take(struct gm_hookq *q, const char *key)
{
    struct gm_hook_target *t = NULL;
    HASH_FIND_STR(q->targets, key, t);
    if (t == NULL) {
        t = gm_mem_zalloc(sizeof *t);
        t->key = gm_mem_strdup(key);
        t->owner = owner_take(q, key);
        HASH_ADD_KEYPTR(hh, q->targets, t->key, strlen(t->key), t);
        DL_APPEND(kind_of(q, t)->targets, t);
        kind_of(q, t)->count++;
    }
    t->hooks++;
    return t;
}

/* Where a lane belongs by its head. A lane without deliveries goes. */
static void place(struct gm_hookq *q, struct gm_hook_lane *lane)
{
    leave_place(lane);
    struct gm_hook *head = lane->hooks;
    if (head == NULL) {
        HASH_DEL(q->lanes, lane);
        free(lane);
        return;
    }
    if (head->state != GM_HOOK_WAITS || lane->flies) {
        return;
    }
    struct gm_hook_target *t = lane->key.target;
    if (head->next_unix_ms > 0) {
        gm_heap_push(&t->waiting, &lane->node, gm_hook_lane_is_before);
    } else {
        DL_APPEND(t->ready, lane);
        lane->ready = true;
    }
}

static int by_seq(const struct gm_hook *a, const struct gm_hook *b)
{
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static const struct gm_hook *hook_of_age(const struct gm_heap_node *node)
{
    return (const struct gm_hook *)(const void *)((const char *)node -
                                                  offsetof(struct gm_hook, age));
}

bool gm_hook_is_older(const struct gm_heap_node *a, const struct gm_heap_node *b)
{
    const struct gm_hook *x = hook_of_age(a), *y = hook_of_age(b);
    return x->since_unix_ms != y->since_unix_ms ? x->since_unix_ms < y->since_unix_ms
                                                : strcmp(x->name, y->name) < 0;
}

/* By seq, but never before one that flies. */
static void lane_put(struct gm_hookq *q, struct gm_hook *hook)
{
    struct gm_hook_lane *lane = NULL;
    struct gm_hook_lane wanted = {0};
    wanted.key.job = hook->job;
    wanted.key.target = hook->target;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the key has no gaps */
    HASH_FIND(hh, q->lanes, &wanted.key, sizeof wanted.key, lane);
    if (lane == NULL) {
        lane = gm_mem_zalloc(sizeof *lane);
        lane->key = wanted.key;
        HASH_ADD(hh, q->lanes, key, sizeof lane->key, lane);
    }
    hook->lane = lane;
    gm_heap_push(&q->ages, &hook->age, gm_hook_is_older);
    hook->target->owner->waiting++;
    kind_of(q, hook->target)->waiting++;
    leave_place(lane); /* its head may become another */
    struct gm_hook *flying = lane->flies ? lane->hooks : NULL;
    if (flying != NULL) {
        DL_DELETE(lane->hooks, flying);
    }
    DL_INSERT_INORDER(lane->hooks, hook, by_seq);
    if (flying != NULL) {
        DL_PREPEND(lane->hooks, flying);
    }
    place(q, lane);
}

static void lane_drop(struct gm_hookq *q, struct gm_hook *hook)
{
    struct gm_hook_lane *lane = hook->lane;
    leave_place(lane);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the list */
    DL_DELETE(lane->hooks, hook);
    hook->lane = NULL;
    gm_heap_remove(&q->ages, &hook->age, gm_hook_is_older);
    hook->target->owner->waiting--;
    kind_of(q, hook->target)->waiting--;
    place(q, lane);
}

/* ---- deliveries */

static void hook_free(struct gm_hookq *q, struct gm_hook *hook)
{
    struct gm_hook_target *t = hook->target;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the table */
    HASH_DEL(q->all, hook);
    free(hook->url);
    free(hook->error);
    free(hook);
    target_release(q, t);
}

static void add_dead(struct gm_hookq *q, struct gm_hook *hook)
{
    struct gm_hook_owner *owner = hook->target->owner;
    hook->state = GM_HOOK_DEAD;
    DL_APPEND(q->dead, hook);
    q->dead_count++;
    DL_APPEND2(owner->dead, hook, own_prev, own_next);
    owner->dead_count++;
}

static void leave_dead(struct gm_hookq *q, struct gm_hook *hook)
{
    struct gm_hook_owner *owner = hook->target->owner;
    DL_DELETE(q->dead, hook);
    q->dead_count--;
    DL_DELETE2(owner->dead, hook, own_prev, own_next);
    owner->dead_count--;
}

/* It is in its lane. */
static void die(struct gm_hookq *q, struct gm_hook *hook)
{
    struct gm_hook_owner *owner = hook->target->owner;
    lane_drop(q, hook);
    add_dead(q, hook);
    q->changed(hook, false, q->arg);
    if (owner->dead_count > GM_HOOK_DEAD_MAX) {
        struct gm_hook *oldest = owner->dead;
        leave_dead(q, oldest);
        q->changed(oldest, true, q->arg);
        hook_free(q, oldest);
    }
}

/* As die. */
static void die_of(struct gm_hookq *q, struct gm_hook *hook, uint32_t status, const char *why)
{
    hook->status = status;
    free(hook->error);
    hook->error = gm_mem_strdup(why);
    die(q, hook);
}

struct gm_hook *gm_hookq_add(struct gm_hookq *q, const struct gm_hook *from, const char *target)
{
    struct gm_hook *hook = gm_mem_zalloc(sizeof *hook);
    struct gm_hook *same = NULL;
    *hook = *from;
    (void)snprintf(hook->name, sizeof hook->name, "%020" PRIu64 "/%.70s", from->seq,
                   from->url != NULL ? "job" : target);
    HASH_FIND_STR(q->all, hook->name, same);
    if (same != NULL) {
        free(hook);
        return NULL;
    }
    hook->url = from->url != NULL ? gm_mem_strdup(from->url) : NULL;
    hook->error = from->error != NULL ? gm_mem_strdup(from->error) : NULL;
    hook->target = target_take(q, target);
    hook->lane = NULL;
    hook->next_unix_ms = 0;
    HASH_ADD_STR(q->all, name, hook);
    if (hook->state == GM_HOOK_DEAD) {
        add_dead(q, hook);
    } else {
        lane_put(q, hook);
    }
    return hook;
}

void gm_hookq_stored(struct gm_hookq *q, struct gm_hook *hook)
{
    const struct gm_hook_target *t = hook->target;
    GM_ASSERT(hook->state == GM_HOOK_FRESH);
    hook->state = GM_HOOK_WAITS;
    if (t->gone || hook->lane->gone) {
        die_of(q, hook, t->gone ? t->gone_status : 410, GONE);
    } else if (t->owner->waiting > GM_HOOK_WAITING_MAX ||
               (!is_farms(t) && q->kinds[1].waiting > GM_HOOK_WAITING_ALL)) {
        die_of(q, hook, 0, TOO_MANY);
    } else {
        place(q, hook->lane);
    }
}

/* ---- what is next */

static bool is_down(const struct gm_hook_target *t)
{
    return t->fails >= GM_HOOK_DOWN;
}

/* A clock that was set back does not hold back what it says. */
static void wake(struct gm_hookq *q, struct gm_hook_target *t, int64_t now)
{
    struct gm_heap_node *node;
    int64_t far = now + q->rules.retry_ms + GM_HOOK_LONGEST_WAIT_MS;
    while ((node = gm_heap_first(&t->waiting)) != NULL) {
        struct gm_hook_lane *lane = lane_of(node);
        if (lane->hooks->next_unix_ms > now && lane->hooks->next_unix_ms <= far) {
            return;
        }
        leave_place(lane);
        lane->hooks->next_unix_ms = 0;
        place(q, lane);
    }
    if (t->paused_until_unix_ms > now + GM_HOOK_LONGEST_WAIT_MS) {
        t->paused_until_unix_ms = now;
    }
}

static void make_due(struct gm_hookq *q, struct gm_heap_node *node)
{
    struct gm_hook_lane *lane = lane_of(node);
    leave_place(lane);
    lane->hooks->next_unix_ms = 0;
    place(q, lane);
}

/* Whether one that is down is up again is asked by whatever waits for it. */
static bool may_send(struct gm_hookq *q, struct gm_hook_target *t, int64_t now)
{
    struct gm_heap_node *node = gm_heap_first(&t->waiting);
    if (t->paused_until_unix_ms > now || t->flying >= (is_down(t) ? 1 : GM_HOOK_TARGET_FLYING) ||
        (!is_farms(t) && t->owner->flying >= GM_HOOK_TENANT_FLYING)) {
        return false;
    }
    if (is_down(t) && t->ready == NULL && node != NULL) {
        make_due(q, node);
    }
    return t->ready != NULL;
}

static struct gm_hook *fly(struct gm_hookq *q, struct gm_hook_target *t)
{
    struct gm_hook_lane *lane = t->ready;
    leave_place(lane);
    lane->flies = true;
    lane->hooks->state = GM_HOOK_FLIES;
    t->flying++;
    t->owner->flying++;
    kind_of(q, t)->flying++;
    q->flying++;
    return lane->hooks;
}

/* What waits for a target that is gone. */
static void bury(struct gm_hookq *q, struct gm_hook_target *t)
{
    for (int i = 0; i < BURY_AT_ONCE; i++) {
        struct gm_heap_node *node = gm_heap_first(&t->waiting);
        if (t->ready == NULL && node == NULL) {
            return;
        }
        die_of(q, (t->ready != NULL ? t->ready : lane_of(node))->hooks, t->gone_status, GONE);
    }
}

static struct gm_hook *next_of(struct gm_hookq *q, struct gm_hook_kind *kind, int64_t now)
{
    struct gm_hook *hook = NULL;
    size_t count = kind->count < TARGETS_AT_ONCE ? kind->count : TARGETS_AT_ONCE;
    for (size_t i = 0; hook == NULL && kind->flying < GM_HOOK_KIND_FLYING && i < count; i++) {
        struct gm_hook_target *t = kind->turn != NULL ? kind->turn : kind->targets;
        t->hooks++; /* it is looked at to the end */
        if (t->gone) {
            bury(q, t);
        } else {
            wake(q, t, now);
            hook = may_send(q, t, now) ? fly(q, t) : NULL;
        }
        kind->turn = t->next;
        target_release(q, t);
    }
    return hook;
}

struct gm_hook *gm_hookq_next(struct gm_hookq *q, int64_t now)
{
    struct gm_hook *hook = NULL;
    for (size_t i = 0; hook == NULL && q->flying < GM_HOOK_FLYING && i < 2; i++) {
        hook = next_of(q, &q->kinds[i], now);
    }
    return hook;
}

static void land(struct gm_hookq *q, struct gm_hook *hook)
{
    GM_ASSERT(hook->state == GM_HOOK_FLIES);
    hook->state = GM_HOOK_WAITS;
    hook->lane->flies = false;
    hook->target->flying--;
    hook->target->owner->flying--;
    kind_of(q, hook->target)->flying--;
    q->flying--;
}

/* What waited for its own time has it now. */
static void is_up(struct gm_hookq *q, struct gm_hook_target *t)
{
    struct gm_heap_node *node;
    bool was_down = is_down(t);
    t->fails = 0;
    t->paused_until_unix_ms = 0;
    while (was_down && (node = gm_heap_first(&t->waiting)) != NULL) {
        make_due(q, node);
    }
}

void gm_hookq_taken(struct gm_hookq *q, struct gm_hook *hook)
{
    land(q, hook);
    is_up(q, hook->target);
    lane_drop(q, hook);
    q->changed(hook, true, q->arg);
    hook_free(q, hook);
}

/* ---- failures */

static void pause_target(struct gm_hook_target *t, int64_t retry_after_ms, int64_t now)
{
    int64_t pause = 0;
    t->fails++;
    if (is_down(t)) {
        uint32_t steps = t->fails - GM_HOOK_DOWN;
        pause = steps < 6 ? (int64_t)DOWN_PAUSE_MS << steps : DOWN_LONGEST_MS;
    }
    pause = pause > retry_after_ms ? pause : retry_after_ms;
    if (pause > 0) {
        t->paused_until_unix_ms = now + pause;
    }
}

static bool is_over(const struct gm_hookq *q, const struct gm_hook *hook, int64_t now)
{
    return now - hook->since_unix_ms >= q->rules.retry_ms;
}

/* The target just failed: what was tried, and waited for it all its time, is dead, too. */
static void expire(struct gm_hookq *q, struct gm_hook_target *t, const struct gm_hook_failure *f,
                   int64_t now)
{
    struct gm_hook_lane *lane = t->ready, *next;
    for (int i = 0; i < EXPIRE_AT_ONCE && lane != NULL; i++) {
        struct gm_hook *head = lane->hooks;
        next = lane->next;
        if (head->tries > 0 && is_over(q, head, now)) {
            die_of(q, head, f->status, f->why);
        }
        lane = next;
    }
}

/* Nothing more goes there: what is behind it in its lane neither. */
static void die_all(struct gm_hookq *q, struct gm_hook *hook)
{
    struct gm_hook *next;
    hook->target->gone = hook->url == NULL;
    hook->target->gone_status = hook->status;
    hook->lane->gone = hook->url != NULL;
    for (struct gm_hook *h = hook->next; h != NULL; h = next) {
        next = h->next;
        if (h->state == GM_HOOK_WAITS) {
            die_of(q, h, hook->status, GONE);
        }
    }
    die(q, hook);
}

void gm_hookq_failed(struct gm_hookq *q, struct gm_hook *hook, const struct gm_hook_failure *f,
                     int64_t now)
{
    struct gm_hook_target *t = hook->target;
    int64_t asked =
        f->retry_after_ms < GM_HOOK_LONGEST_WAIT_MS ? f->retry_after_ms : GM_HOOK_LONGEST_WAIT_MS;
    t->hooks++; /* it is looked at to the end */
    land(q, hook);
    pause_target(t, asked, now);
    hook->tries++;
    hook->tried_unix_ms = now;
    hook->status = f->status;
    free(hook->error);
    hook->error = gm_mem_strdup(f->why);
    if (f->hopeless) {
        die_all(q, hook);
    } else if (is_over(q, hook, now)) {
        die(q, hook);
    } else {
        int64_t pause = gm_hook_pause(&q->rules, hook->tries, f->random);
        int64_t last = hook->since_unix_ms + q->rules.retry_ms;
        int64_t next = now + (pause > asked ? pause : asked);
        hook->next_unix_ms = next < last ? next : last;
        place(q, hook->lane);
        q->changed(hook, false, q->arg);
    }
    if (is_down(t)) {
        expire(q, t, f, now);
    }
    target_release(q, t);
}

void gm_hookq_put_back(struct gm_hookq *q, struct gm_hook *hook, int64_t next_unix_ms)
{
    land(q, hook);
    hook->next_unix_ms = next_unix_ms;
    place(q, hook->lane);
}

void gm_hookq_revive(struct gm_hookq *q, struct gm_hook *hook, int64_t now)
{
    GM_ASSERT(hook->state == GM_HOOK_DEAD);
    leave_dead(q, hook);
    hook->state = GM_HOOK_WAITS;
    hook->since_unix_ms = now;
    hook->next_unix_ms = 0;
    hook->tries = 0;
    hook->target->gone = false;
    hook->target->paused_until_unix_ms = 0;
    lane_put(q, hook);
    hook->lane->gone = false;
    q->changed(hook, false, q->arg);
}

void gm_hookq_forgive(struct gm_hookq *q)
{
    struct gm_hook_target *t;
    DL_FOREACH(q->kinds[0].targets, t)
    {
        t->gone = false;
    }
}

/* ---- looking */

struct gm_hook *gm_hookq_find(const struct gm_hookq *q, const char *name)
{
    struct gm_hook *hook = NULL;
    HASH_FIND_STR(q->all, name, hook);
    return hook;
}

size_t gm_hookq_waiting(const struct gm_hookq *q)
{
    return HASH_COUNT(q->all) - q->dead_count;
}

int64_t gm_hookq_oldest(const struct gm_hookq *q)
{
    const struct gm_heap_node *node = gm_heap_first(&q->ages);
    return node != NULL ? hook_of_age(node)->since_unix_ms : 0;
}

void gm_hookq_fini(struct gm_hookq *q, void (*body_free)(void *body, void *arg), void *arg)
{
    struct gm_hook_lane *lane, *next_lane;
    struct gm_hook *hook, *next;
    HASH_ITER(hh, q->lanes, lane, next_lane)
    {
        leave_place(lane);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference) */
        HASH_DEL(q->lanes, lane);
        free(lane);
    }
    HASH_ITER(hh, q->all, hook, next)
    {
        if (body_free != NULL) {
            body_free(hook->body, arg);
        }
        hook_free(q, hook);
    }
    gm_heap_fini(&q->ages);
    *q = (struct gm_hookq){0};
}
