/* The table of what tasks cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/envelope.h"
#include "scheduler/core/history.h"

static void say(struct gm_history *h, const char *key, const char *node, uint64_t cost,
                uint64_t rss)
{
    struct gm_history_sample s = {
        .cost_ns = cost, .cpu_ns = cost / 2, .bytes = 10, .rss_bytes = rss};
    gm_history_entry_free(gm_history_learn(h, key, gm_history_node(node), &s));
}

static uint64_t cost_of(const struct gm_history *h, const char *key, const char *node)
{
    uint64_t cost = 0, error = 0;
    bool known = gm_history_cost(gm_history_find(h, key), gm_history_node(node), &cost, &error);
    return known ? cost : 0;
}

static void what_nobody_did_is_not_known(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    uint64_t cost = 1, error = 1;
    assert_false(gm_history_cost(NULL, 1, &cost, &error));
    assert_int_equal(gm_history_memory(NULL), 0);
    say(&h, "a", "n", 0, 5); /* memory alone */
    assert_false(gm_history_cost(gm_history_find(&h, "a"), 1, &cost, &error));
    assert_int_equal(gm_history_memory(gm_history_find(&h, "a")), 5);
    assert_null(gm_history_find(&h, "b"));
    gm_history_fini(&h);
    assert_null(h.entries);
}

static void the_first_eight_are_a_plain_mean_and_then_each_weighs_an_eighth(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    for (uint64_t i = 1; i <= 8; i++) {
        say(&h, "a", "n", i * 1000, 0);
    }
    assert_int_equal(cost_of(&h, "a", "n"), 4500);
    say(&h, "a", "n", 12500, 0);
    assert_int_equal(cost_of(&h, "a", "n"), 5500);
    say(&h, "a", "n", 1500, 0);
    assert_int_equal(cost_of(&h, "a", "n"), 5000);
    const struct gm_history_voice *v = &gm_history_find(&h, "a")->voices[0];
    assert_int_equal(v->timed, 10);
    assert_int_equal(v->bytes, 10);
    assert_in_range(v->cpu_ns, 2450, 2550);
    gm_history_fini(&h);
}

static void the_error_is_the_mean_distance(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    uint64_t cost, error;
    for (int i = 0; i < 400; i++) {
        say(&h, "a", "n", i % 2 ? 900 : 1100, 0);
    }
    assert_true(gm_history_cost(gm_history_find(&h, "a"), gm_history_node("n"), &cost, &error));
    assert_in_range(cost, 960, 1040);
    assert_in_range(error, 90, 125);
    gm_history_fini(&h);
}

static void one_sample_moves_nothing_far(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    for (int i = 0; i < 8; i++) {
        say(&h, "a", "n", 8000, 0);
    }
    say(&h, "a", "n", UINT64_MAX, 0);
    assert_int_equal(cost_of(&h, "a", "n"), 8000 + 7000); /* as eight times the mean */
    for (int i = 0; i < 8; i++) {
        say(&h, "b", "n", 8000, 0);
    }
    say(&h, "b", "n", 1, 0);
    assert_int_equal(cost_of(&h, "b", "n"), 8000 - 875); /* as an eighth of it */
    gm_history_fini(&h);
}

static void a_node_is_asked_by_its_own_figures_and_others_by_the_median(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    for (int i = 0; i < 20; i++) {
        say(&h, "a", "one", 1000, 100);
        say(&h, "a", "two", 1100, 120);
        say(&h, "a", "liar", i % 2 ? UINT64_MAX : 1, UINT64_MAX);
    }
    assert_int_equal(cost_of(&h, "a", "one"), 1000);
    assert_int_equal(cost_of(&h, "a", "two"), 1100);
    assert_in_range(cost_of(&h, "a", "new"), 1000, 1100);
    assert_int_equal(gm_history_memory(gm_history_find(&h, "a")), 120);
    gm_history_fini(&h);
}

static void memory_is_what_was_needed_at_most_and_falls_slowly(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    say(&h, "a", "n", 0, 1000);
    say(&h, "a", "n", 0, 3200);
    assert_int_equal(gm_history_memory(gm_history_find(&h, "a")), 3200);
    say(&h, "a", "n", 0, 0); /* not told */
    assert_int_equal(gm_history_memory(gm_history_find(&h, "a")), 3200);
    say(&h, "a", "n", 0, 1600);
    assert_int_equal(gm_history_memory(gm_history_find(&h, "a")), 3150);
    gm_history_fini(&h);
}

static void the_last_five_nodes_are_heard(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    char node[16];
    for (int i = 0; i < 5; i++) {
        (void)snprintf(node, sizeof(node), "n%d", i);
        say(&h, "a", node, 1000 + (uint64_t)i, 0);
    }
    say(&h, "a", "n0", 1000, 0); /* n1 is the one that was silent for longest */
    say(&h, "a", "n5", 9000, 0);
    assert_int_equal(gm_history_find(&h, "a")->voice_count, 5);
    assert_int_equal(cost_of(&h, "a", "n0"), 1000);
    assert_int_equal(cost_of(&h, "a", "n1"), 1003); /* the median: it has no voice any more */
    assert_int_equal(cost_of(&h, "a", "n5"), 9000);
    gm_history_fini(&h);
}

static void the_table_is_bounded_and_the_oldest_goes(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    struct gm_history_sample s = {.cost_ns = 5};
    char key[32];
    for (uint32_t i = 0; i < GM_HISTORY_ENTRIES; i++) {
        (void)snprintf(key, sizeof(key), "k%u", i);
        assert_null(gm_history_learn(&h, key, 1, &s));
    }
    assert_null(gm_history_learn(&h, "k0", 1, &s)); /* young again */
    struct gm_history_entry *gone = gm_history_learn(&h, "new", 1, &s);
    assert_non_null(gone);
    assert_string_equal(gone->key, "k1");
    gm_history_entry_free(gone);
    assert_int_equal(HASH_COUNT(h.entries), GM_HISTORY_ENTRIES);
    assert_non_null(gm_history_find(&h, "k0"));
    gm_history_fini(&h);
}

static void a_row_makes_the_same_entry(void **arg)
{
    (void)arg;
    struct gm_history h = {0}, again = {0};
    struct gm_history_storage storage;
    Gm__HistoryRow row;
    for (uint64_t i = 0; i < 40; i++) {
        char node[16];
        (void)snprintf(node, sizeof(node), "n%llu", (unsigned long long)(i % 3));
        say(&h, "a", node, 1000 + i * 37 % 900, i % 4 ? 0 : 5000 + i);
    }
    gm_history_describe(gm_history_find(&h, "a"), &storage, &row);
    gm_history_restore(&again, &row);
    gm_history_restore(&again, &row); /* once more is passed over */
    assert_int_equal(HASH_COUNT(again.entries), 1);
    assert_int_equal(again.stamp, 40);
    const struct gm_history_entry *x = gm_history_find(&h, "a"), *y = gm_history_find(&again, "a");
    assert_int_equal(x->stamp, y->stamp);
    assert_int_equal(x->voice_count, y->voice_count);
    assert_memory_equal(x->voices, y->voices, sizeof(x->voices));
    assert_true(x->dirty && !y->dirty);
    row.key = (char *)"";
    gm_history_restore(&again, &row);
    assert_int_equal(HASH_COUNT(again.entries), 1);
    gm_history_fini(&h);
    gm_history_fini(&again);
}

static void a_row_with_more_than_there_is_room_for_is_cut(void **arg)
{
    (void)arg;
    struct gm_history h = {0};
    Gm__HistoryRow row = GM__HISTORY_ROW__INIT;
    Gm__HistoryVoice voices[9], *list[9];
    for (uint64_t i = 0; i < 9; i++) {
        gm__history_voice__init(&voices[i]);
        voices[i].node = i;
        voices[i].timed = 1;
        voices[i].cost_ns = voices[i].rss_bytes = UINT64_MAX;
        list[i] = &voices[i];
    }
    row.key = (char *)"a";
    row.voices = list;
    row.n_voices = 9;
    gm_history_restore(&h, &row);
    assert_int_equal(gm_history_find(&h, "a")->voice_count, GM_HISTORY_VOICES);
    assert_true(cost_of(&h, "a", "x") <= UINT64_C(1) << 56);
    char longer[GM_HISTORY_KEY + 1];
    memset(longer, 'x', GM_HISTORY_KEY);
    longer[GM_HISTORY_KEY] = '\0';
    row.key = longer;
    gm_history_restore(&h, &row);
    assert_int_equal(HASH_COUNT(h.entries), 1);
    gm_history_fini(&h);
}

/* Of three nodes one lies, up or down; of two the lower one counts, for bytes as for threads. */
static void what_a_node_alone_says_of_bytes_and_threads_does_not_count(void **arg)
{
    (void)arg;
    static const uint64_t most = UINT64_MAX;
    static const struct {
        uint64_t cpu_ns[3], bytes[3];
        uint32_t nodes;
        uint64_t busy, stored;
    } rows[] = {{{3000}, {7}, 1, 3000, 7},
                {{3000, most}, {7, most}, 2, 3000, 7},
                {{most, 2000, 3000}, {most, 7, 5}, 3, 3000, 7},
                {{0, 2000, 3000}, {0, 7, 5}, 3, 2000, 5}};
    assert_int_equal(gm_history_busy(NULL), 0);
    assert_int_equal(gm_history_bytes(NULL), 0);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct gm_history h = {0};
        for (uint32_t n = 0; n < rows[r].nodes; n++) {
            struct gm_history_sample s = {.cost_ns = 1000};
            s.cpu_ns = rows[r].cpu_ns[n];
            s.bytes = rows[r].bytes[n];
            gm_history_entry_free(gm_history_learn(&h, "a", n, &s));
        }
        assert_int_equal(gm_history_busy(gm_history_find(&h, "a")), rows[r].busy);
        assert_int_equal(gm_history_bytes(gm_history_find(&h, "a")), rows[r].stored);
        gm_history_fini(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_did_is_not_known),
        cmocka_unit_test(the_first_eight_are_a_plain_mean_and_then_each_weighs_an_eighth),
        cmocka_unit_test(the_error_is_the_mean_distance),
        cmocka_unit_test(one_sample_moves_nothing_far),
        cmocka_unit_test(a_node_is_asked_by_its_own_figures_and_others_by_the_median),
        cmocka_unit_test(memory_is_what_was_needed_at_most_and_falls_slowly),
        cmocka_unit_test(what_a_node_alone_says_of_bytes_and_threads_does_not_count),
        cmocka_unit_test(the_last_five_nodes_are_heard),
        cmocka_unit_test(the_table_is_bounded_and_the_oldest_goes),
        cmocka_unit_test(a_row_makes_the_same_entry),
        cmocka_unit_test(a_row_with_more_than_there_is_room_for_is_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
