/* The queue of deliveries with a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/hooks/queue.h"

#define DAY INT64_C(86400000)

static int64_t now;
static size_t dropped, written;

static void on_changed(struct gm_hook *hook, bool gone, void *arg)
{
    (void)hook;
    (void)arg;
    dropped += gone ? 1 : 0;
    written += gone ? 0 : 1;
}

static void begin(struct gm_hookq *q)
{
    const struct gm_hook_rules rules = {
        .pauses_ms = {5000, 300000}, .pause_count = 2, .retry_ms = DAY};
    now = INT64_C(1700000000000);
    dropped = written = 0;
    gm_hookq_init(q, &rules, on_changed, NULL);
}

static struct gm_hook *add(struct gm_hookq *q, uint64_t seq, uint64_t job, const char *target)
{
    static char url[] = "https://x/1";
    struct gm_hook from = {.seq = seq,
                           .job = job,
                           .type = "job.done",
                           .url = target[0] == 'j' ? url : NULL,
                           .next_unix_ms = now + DAY, /* of a term before: it is due all the same */
                           .since_unix_ms = now,
                           .event_unix_ms = now,
                           .state = GM_HOOK_WAITS};
    (void)snprintf(from.job_id, sizeof from.job_id, "j%u", (unsigned)job);
    struct gm_hook *hook = gm_hookq_add(q, &from, target);
    assert_non_null(hook);
    return hook;
}

static void check(const struct gm_hookq *q)
{
    struct gm_err err;
    if (gm_hookq_check(q, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

/* The seq of what flies next; 0: nothing. */
static uint64_t next(struct gm_hookq *q, struct gm_hook **out)
{
    *out = gm_hookq_next(q, now);
    check(q);
    return *out != NULL ? (*out)->seq : 0;
}

static void lose(struct gm_hookq *q, struct gm_hook *hook, uint32_t status, int64_t after)
{
    const struct gm_hook_failure f = {.status = status,
                                      .retry_after_ms = after,
                                      .why = "no",
                                      .hopeless = status == 410,
                                      .random = 1 << 20};
    gm_hookq_failed(q, hook, &f, now);
    check(q);
}

static void a_jobs_events_go_one_after_the_other(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a, *b, *c;
    begin(&q);
    add(&q, 1, 7, "farm:x");
    add(&q, 2, 7, "farm:x");
    add(&q, 3, 8, "farm:x");
    assert_int_equal(next(&q, &a), 1);
    assert_int_equal(next(&q, &b), 3); /* 2 waits for 1 */
    assert_int_equal(next(&q, &c), 0);
    lose(&q, a, 500, 0);
    assert_int_equal(next(&q, &c), 0);
    now += 4000;
    assert_int_equal(next(&q, &c), 0);
    now += 1600; /* 5 s and a tenth at most */
    assert_int_equal(next(&q, &a), 1);
    gm_hookq_taken(&q, a);
    assert_int_equal(next(&q, &a), 2);
    gm_hookq_taken(&q, a);
    gm_hookq_taken(&q, b);
    check(&q);
    assert_int_equal(gm_hookq_waiting(&q), 0);
    assert_int_equal(dropped, 3);
    assert_null(q.targets);
    gm_hookq_fini(&q, NULL, NULL);
}

static void what_is_not_on_disk_waits(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    begin(&q);
    struct gm_hook from = {.seq = 1, .job = 1, .type = "job.done", .state = GM_HOOK_FRESH};
    struct gm_hook *hook = gm_hookq_add(&q, &from, "farm:x");
    assert_null(gm_hookq_add(&q, &from, "farm:x")); /* the same again */
    assert_int_equal(next(&q, &a), 0);
    gm_hookq_stored(&q, hook);
    assert_int_equal(next(&q, &a), 1);
    gm_hookq_fini(&q, NULL, NULL); /* in flight */
}

static void after_a_day_it_is_dead_and_the_next_one_goes(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    uint32_t tries = 0;
    begin(&q);
    add(&q, 1, 7, "farm:x");
    int64_t began = now;
    now += DAY / 2;
    add(&q, 2, 7, "farm:x");
    assert_int_equal(gm_hookq_oldest(&q), began);
    while (q.dead_count == 0) {
        while (next(&q, &a) != 1) {
            now += 100000;
        }
        lose(&q, a, 503, 0);
        tries++;
    }
    assert_true(now - began >= DAY && now - began < DAY + 3600000);
    assert_true(tries > 100 && tries < 290); /* 5 minutes each */
    assert_int_equal(q.dead->seq, 1);
    assert_int_equal(q.dead->status, 503);
    assert_int_equal(gm_hookq_oldest(&q), began + DAY / 2); /* of what is not dead */
    /* A receiver that was down all the time kills none that was not tried: 2 has its own. */
    now += 600000;
    assert_int_equal(next(&q, &a), 2);
    gm_hookq_taken(&q, a);
    struct gm_hook *dead = gm_hookq_find(&q, "00000000000000000001/farm:x");
    assert_ptr_equal(dead, q.dead);
    assert_int_equal(gm_hookq_oldest(&q), 0);
    gm_hookq_revive(&q, dead, now);
    assert_int_equal(gm_hookq_oldest(&q), now);
    assert_int_equal(q.dead_count, 0);
    assert_int_equal(next(&q, &a), 1);
    gm_hookq_taken(&q, a);
    gm_hookq_fini(&q, NULL, NULL);
}

static void one_delivery_asks_a_target_that_is_down(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a, *b;
    begin(&q);
    for (uint64_t i = 1; i <= 1000; i++) {
        add(&q, i, i, "farm:x");
    }
    add(&q, 2000, 2000, "farm:y");
    uint64_t tries = 0;
    for (int64_t end = now + 3600000; now < end; now += 1000) {
        while (next(&q, &a) != 0) {
            if (a->target->key[5] == 'y') {
                gm_hookq_taken(&q, a);
                continue;
            }
            tries++;
            lose(&q, a, 0, 0);
        }
    }
    assert_true(tries > 10 && tries < 40); /* an hour */
    assert_int_equal(gm_hookq_waiting(&q), 1000);
    now += 300000;
    assert_true(next(&q, &a) != 0);
    assert_int_equal(next(&q, &b), 0); /* alone */
    gm_hookq_taken(&q, a);
    size_t left = 999;
    for (; next(&q, &a) != 0; left--) { /* at once, those too that had waited for a time */
        gm_hookq_taken(&q, a);
    }
    assert_int_equal(left, 0);
    gm_hookq_fini(&q, NULL, NULL);
}

static void no_more_than_some_fly(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    char target[32];
    begin(&q);
    for (uint64_t i = 1; i <= 100; i++) {
        (void)snprintf(target, sizeof target, "farm:t%u", (unsigned)(i % 20));
        add(&q, i, i, target);
        add(&q, 1000 + i, 1000 + i, "farm:greedy");
    }
    size_t count = 0, greedy = 0;
    for (; next(&q, &a) != 0; count++) {
        greedy += a->seq > 1000 ? 1 : 0;
    }
    assert_int_equal(count, GM_HOOK_KIND_FLYING);
    assert_true(greedy <= GM_HOOK_TARGET_FLYING && greedy > 0);
    gm_hookq_fini(&q, NULL, NULL);
}

static void tenants_leave_others_their_turns(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    char target[64];
    size_t of_a = 0, of_farm = 0;
    begin(&q);
    for (uint64_t i = 1; i <= 2000; i++) {
        (void)snprintf(target, sizeof target, "job:%c/https://x%u:443", "abcdefgh"[i % 8],
                       (unsigned)i);
        add(&q, i, i, target);
    }
    while (next(&q, &a) != 0) {
        of_a += strcmp(a->target->owner->name, "a") == 0 ? 1 : 0;
    }
    assert_int_equal(q.flying, GM_HOOK_KIND_FLYING);
    assert_in_range(of_a, 1, GM_HOOK_TENANT_FLYING);
    for (uint64_t i = 3001; i <= 3012; i++) {
        (void)snprintf(target, sizeof target, "farm:x%u", (unsigned)i);
        add(&q, i, i, target);
    }
    while (next(&q, &a) != 0) {
        of_farm++;
    }
    assert_int_equal(of_farm, GM_HOOK_FLYING - GM_HOOK_KIND_FLYING);
    gm_hookq_fini(&q, NULL, NULL);
}

static void one_tenant_is_never_more_than_its_share(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    char target[64];
    begin(&q);
    for (uint64_t i = 1; i <= 100; i++) {
        (void)snprintf(target, sizeof target, "job:a/https://x%u:443", (unsigned)i);
        add(&q, i, i, target);
    }
    while (next(&q, &a) != 0) {
    }
    assert_int_equal(q.flying, GM_HOOK_TENANT_FLYING);
    gm_hookq_fini(&q, NULL, NULL);
}

static void what_was_never_tried_does_not_die_of_its_age(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    begin(&q);
    for (uint64_t i = 1; i <= 9; i++) {
        add(&q, i, i, "farm:x");
    }
    now += 2 * DAY;
    for (uint64_t i = 1; i <= GM_HOOK_DOWN; i++) {
        assert_int_equal(next(&q, &a), i);
        lose(&q, a, 500, 0);
        now += 10000;
    }
    assert_int_equal(q.dead_count, GM_HOOK_DOWN);
    now += 300000;
    assert_int_equal(next(&q, &a), GM_HOOK_DOWN + 1);
    gm_hookq_taken(&q, a);
    gm_hookq_fini(&q, NULL, NULL);
}

static void that_a_target_is_up_again_is_seen_soon(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    begin(&q);
    add(&q, 1, 1, "farm:x");
    for (int i = 0; i < GM_HOOK_DOWN; i++) {
        now += 400000;
        assert_int_equal(next(&q, &a), 1);
        lose(&q, a, 500, 0);
    }
    now += 5000; /* it would be 5 minutes by its own tries */
    assert_int_equal(next(&q, &a), 1);
    gm_hookq_taken(&q, a);
    gm_hookq_fini(&q, NULL, NULL);
}

static void a_receiver_that_is_gone_gets_nothing_of_any_job(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a, *b, *c;
    begin(&q);
    for (uint64_t i = 1; i <= 1000; i++) {
        add(&q, i, i, "farm:x");
    }
    assert_int_equal(next(&q, &a), 1);
    assert_int_equal(next(&q, &b), 2);
    lose(&q, a, 410, 0);
    gm_hookq_taken(&q, b); /* it left before */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(next(&q, &c), 0);
    }
    assert_int_equal(q.dead_count, 999);
    assert_int_equal(q.dead->next->status, 410);
    gm_hookq_forgive(&q);
    add(&q, 2000, 2000, "farm:x");
    assert_int_equal(next(&q, &c), 2000);
    gm_hookq_fini(&q, NULL, NULL);
}

static void a_jobs_url_that_is_gone_ends_that_job_alone(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    static char url[] = "https://x/1";
    struct gm_hook from = {
        .seq = 3, .job = 1, .type = "job.done", .url = url, .state = GM_HOOK_FRESH};
    begin(&q);
    add(&q, 1, 1, "job:a/https://x:443");
    struct gm_hook *fresh = gm_hookq_add(&q, &from, "job:a/https://x:443");
    add(&q, 2, 2, "job:a/https://x:443");
    assert_int_equal(next(&q, &a), 1);
    lose(&q, a, 410, 0);
    gm_hookq_stored(&q, fresh);
    check(&q);
    assert_int_equal(q.dead_count, 2);
    assert_int_equal(next(&q, &a), 2);
    gm_hookq_taken(&q, a);
    assert_int_equal(next(&q, &a), 0);
    gm_hookq_fini(&q, NULL, NULL);
}

static void what_is_too_much_is_dead_at_once(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    begin(&q);
    for (uint64_t i = 1; i <= GM_HOOK_WAITING_MAX; i++) {
        add(&q, i, i, "job:a/https://x:443");
    }
    struct gm_hook from = {.seq = 999999, .job = 1, .type = "job.done", .state = GM_HOOK_FRESH};
    gm_hookq_stored(&q, gm_hookq_add(&q, &from, "farm:x"));
    assert_int_equal(q.dead_count, 0);
    gm_hookq_stored(&q, gm_hookq_add(&q, &from, "job:a/https://y:443"));
    check(&q);
    assert_int_equal(q.dead_count, 1);
    assert_int_equal(gm_hookq_waiting(&q), GM_HOOK_WAITING_MAX + 1);
    gm_hookq_fini(&q, NULL, NULL);
}

static void gone_ends_it_and_retry_after_is_kept(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    begin(&q);
    add(&q, 1, 7, "farm:x");
    add(&q, 2, 7, "farm:x");
    add(&q, 3, 8, "farm:y");
    assert_int_equal(next(&q, &a), 1);
    lose(&q, a, 410, 0);
    assert_int_equal(q.dead_count, 2);
    struct gm_hook from = {.seq = 4, .job = 9, .type = "job.done", .state = GM_HOOK_FRESH};
    gm_hookq_stored(&q, gm_hookq_add(&q, &from, "farm:x"));
    assert_int_equal(q.dead_count, 3); /* it is asked no more */
    assert_int_equal(next(&q, &a), 3);
    lose(&q, a, 429, 60000);
    now += 59000;
    assert_int_equal(next(&q, &a), 0);
    now += 1000;
    assert_int_equal(next(&q, &a), 3);
    gm_hookq_put_back(&q, a, now + 10);
    now -= 3 * DAY; /* the clock was set back */
    assert_int_equal(next(&q, &a), 3);
    lose(&q, a, 500, 0);
    gm_hookq_fini(&q, NULL, NULL);
}

static void dead_letters_are_bounded(void **arg)
{
    (void)arg;
    struct gm_hookq q;
    struct gm_hook *a;
    begin(&q);
    struct gm_hook other = {.seq = 1, .job = 1, .type = "job.done", .state = GM_HOOK_DEAD};
    assert_non_null(gm_hookq_add(&q, &other, "job:a/https://x:443"));
    for (uint64_t i = 1; i <= GM_HOOK_DEAD_MAX + 5; i++) {
        add(&q, i, 7, "farm:x");
    }
    assert_int_equal(next(&q, &a), 1);
    const struct gm_hook_failure f = {.status = 410, .why = "no", .hopeless = true};
    gm_hookq_failed(&q, a, &f, now);
    check(&q);
    assert_int_equal(q.dead_count, GM_HOOK_DEAD_MAX + 1); /* a tenant's is none of these */
    assert_string_equal(q.dead->target->key, "job:a/https://x:443");
    assert_int_equal(dropped, 5);
    gm_hookq_fini(&q, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jobs_events_go_one_after_the_other),
        cmocka_unit_test(what_is_not_on_disk_waits),
        cmocka_unit_test(after_a_day_it_is_dead_and_the_next_one_goes),
        cmocka_unit_test(one_delivery_asks_a_target_that_is_down),
        cmocka_unit_test(no_more_than_some_fly),
        cmocka_unit_test(tenants_leave_others_their_turns),
        cmocka_unit_test(one_tenant_is_never_more_than_its_share),
        cmocka_unit_test(what_was_never_tried_does_not_die_of_its_age),
        cmocka_unit_test(that_a_target_is_up_again_is_seen_soon),
        cmocka_unit_test(a_receiver_that_is_gone_gets_nothing_of_any_job),
        cmocka_unit_test(a_jobs_url_that_is_gone_ends_that_job_alone),
        cmocka_unit_test(what_is_too_much_is_dead_at_once),
        cmocka_unit_test(gone_ends_it_and_retry_after_is_kept),
        cmocka_unit_test(dead_letters_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
