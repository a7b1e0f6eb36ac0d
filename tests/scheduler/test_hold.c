/* Which grants wait for which deletions. */
#include "tests/scheduler/helper.h"

#include "proto/envelope.h"
#include "scheduler/hold.h"

/* A grant's keys, and whether the answer was kept. */
static bool keep(struct gm_hold *hold, const char *node, const char *first, const char *second)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__GrantAnswer answer = GM__GRANT_ANSWER__INIT;
    Gm__Grant grants[2] = {GM__GRANT__INIT, GM__GRANT__INIT};
    Gm__Grant *list[2] = {&grants[0], &grants[1]};
    grants[0].key = (char *)(uintptr_t)first;
    grants[1].key = (char *)(uintptr_t)second;
    answer.grants = list;
    answer.n_grants = 2;
    env.body_case = GM__ENVELOPE__BODY_GRANT_ANSWER;
    env.grant_answer = &answer;
    struct gm_send send = {.node_id = (char *)(uintptr_t)node,
                           .envelope = &env, /* what is kept is a copy */
                           .durable = true};
    bool kept = gm_hold_keep(hold, &send);
    assert_true(kept == (send.envelope == NULL));
    return kept;
}

static void note(const char *node_id, Gm__Envelope *envelope, void *arg)
{
    assert_int_equal(envelope->body_case, GM__ENVELOPE__BODY_GRANT_ANSWER);
    (void)strcat(arg, node_id);
}

static void keys_name_their_publication(void **arg)
{
    static const char *const table[][2] = {
        {"v/abc/x", "abc"},
        {"v/abc/", "abc"},
        {"v/abc", ""},
        {"v//x", ""},
        {"jobs/abc/x", ""},
        {"", ""},
        {"v/", ""},
        {"v/0123456789012345678901234567890123456789012345678901234567890123/x",
         "0123456789012345678901234567890123456789012345678901234567890123"},
        {"v/01234567890123456789012345678901234567890123456789012345678901234/x", ""}};
    (void)arg;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char out[GM_HOLD_NAME];
        gm_hold_publication(table[i][0], out);
        assert_string_equal(out, table[i][1]);
    }
}

static void only_grants_of_what_is_deleted_wait(void **arg)
{
    struct gm_hold hold = {0};
    struct gm_hold_batch a = {.publication = "aa"}, none = {.publication = ""};
    char left[32] = "";
    (void)arg;
    assert_false(keep(&hold, "1", "v/aa/x", "v/aa/y"));
    gm_hold_begin(&hold, &none);
    gm_hold_begin(&hold, &a);
    assert_false(keep(&hold, "1", "v/bb/x", "v/a/x"));
    assert_false(keep(&hold, "1", "jobs/aa/x", "v/aaa/x"));
    assert_true(keep(&hold, "2", "v/aa/x", "v/aa/y"));
    assert_true(keep(&hold, "3", "v/bb/x", "v/aa/y"));
    struct gm_send send = {.node_id = left};
    assert_false(gm_hold_keep(&hold, &send)); /* urls.c dropped its envelope */
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Ack ack = GM__ACK__INIT;
    env.body_case = GM__ENVELOPE__BODY_ACK;
    env.ack = &ack;
    send.envelope = &env;
    assert_false(gm_hold_keep(&hold, &send));
    gm_hold_end(&hold, &none, note, left);
    assert_string_equal(left, "");
    gm_hold_end(&hold, &a, note, left);
    assert_string_equal(left, "23");
    assert_false(keep(&hold, "1", "v/aa/x", "v/aa/y"));
}

/* Two clean-ups of one publication, never both at rest: a grant waits for the batches that it met,
 * not for those that came after. */
static void clean_ups_that_take_turns_do_not_keep_a_grant(void **arg)
{
    struct gm_hold hold = {0};
    struct gm_hold_batch a = {.publication = "p"}, b = {.publication = "p"};
    char left[32] = "";
    (void)arg;
    gm_hold_begin(&hold, &a);
    gm_hold_begin(&hold, &b);
    assert_true(keep(&hold, "1", "v/p/x", "v/p/y"));
    gm_hold_end(&hold, &a, note, left);
    gm_hold_begin(&hold, &a);
    assert_true(keep(&hold, "2", "v/p/x", "v/p/y"));
    assert_string_equal(left, "");
    gm_hold_end(&hold, &b, note, left);
    assert_string_equal(left, "1");
    gm_hold_begin(&hold, &b);
    gm_hold_end(&hold, &a, note, left);
    assert_string_equal(left, "12");
    assert_true(keep(&hold, "3", "v/p/x", "v/p/y"));
    gm_hold_fini(&hold); /* what still waits is freed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_name_their_publication),
        cmocka_unit_test(only_grants_of_what_is_deleted_wait),
        cmocka_unit_test(clean_ups_that_take_turns_do_not_keep_a_grant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
