/* cli/restart.c: which node is next, and when one is back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/restart.h"

static struct gm_err err;

/* {"nodes":[...]}, owned; rows: "id instance connected restarting slots;..." with flags y or n. */
static json_t *nodes_of(const char *rows)
{
    json_t *list = json_array();
    char id[16], instance[16], connected, restarting;
    int slots, used;
    while (sscanf(rows, "%15s %15s %c %c %d;%n", id, instance, &connected, &restarting, &slots,
                  &used) == 5) {
        json_t *row = json_pack("{s:s, s:s, s:b, s:b, s:b, s:[{s:{s:i}}], s:[n]}", "id", id,
                                "instance", instance, "connected", connected == 'y', "restarting",
                                restarting == 'y', "draining", restarting == 'y', "devices",
                                "capacity", "slots", slots, "leases");
        assert_int_equal(json_array_append_new(list, row), 0);
        rows += used;
    }
    json_t *nodes = json_pack("{s:o}", "nodes", list);
    assert_non_null(nodes);
    return nodes;
}

/* {"nodes":[row]}, owned: another process of node a, with a device that has no slots. */
static json_t *closed_by(const char *who)
{
    return json_pack("{s:[{s:s, s:s, s:b, s:b, s:b, s:[{s:{s:i}, s:{s:s}}], s:[]}]}", "nodes", "id",
                     "a", "instance", "11", "connected", 1, "restarting", 0, "draining", 0,
                     "devices", "capacity", "slots", 0, "quarantine", "by", who, "leases");
}

static int init(struct gm_restart *r, const char *const *names, size_t count, const char *rows)
{
    json_t *nodes = nodes_of(rows);
    *r = (struct gm_restart){.at_once = 1, .patience = 10 * GM_SEC};
    int rc = gm_restart_init(r, names, count, nodes, &err);
    json_decref(nodes);
    return rc;
}

static int look(struct gm_restart *r, const char *rows, gm_time now, const char *back)
{
    json_t *nodes = nodes_of(rows);
    const struct gm_restart_node *node = NULL;
    int rc = gm_restart_look(r, nodes, now, &node, &err);
    json_decref(nodes);
    assert_true((node != NULL) == (back != NULL));
    assert_true(back == NULL || strcmp(node->id, back) == 0);
    return rc;
}

static void one_after_the_other(void **state)
{
    (void)state;
    struct gm_restart r;
    assert_int_equal(init(&r, NULL, 0, "a 1 y n 2;b 2 y n 2;gone 3 n n 2;"), 0);
    assert_int_equal(r.count, 2);
    struct gm_restart_node *node = gm_restart_next(&r);
    assert_string_equal(node->id, "a");
    gm_restart_asked(node, GM_SEC);
    assert_null(gm_restart_next(&r));
    assert_int_equal(look(&r, "a 1 y y 2;b 2 y n 2;", 2 * GM_SEC, NULL), 0);  /* ends its tasks */
    assert_int_equal(look(&r, "a 1 n y 0;b 2 y n 2;", 3 * GM_SEC, NULL), 0);  /* is away */
    assert_int_equal(look(&r, "a 11 n n 0;b 2 y n 2;", 4 * GM_SEC, NULL), 0); /* gone again */
    assert_int_equal(look(&r, "a 11 y n 0;b 2 y n 2;", 5 * GM_SEC, NULL), 0); /* takes none yet */
    assert_null(gm_restart_next(&r));
    assert_int_equal(look(&r, "a 11 y n 2;b 2 y n 2;", 6 * GM_SEC, "a"), 0);
    node = gm_restart_next(&r);
    assert_string_equal(node->id, "b");
    gm_restart_asked(node, 6 * GM_SEC);
    assert_false(gm_restart_is_over(&r));
    assert_int_equal(look(&r, "a 11 y n 2;b 22 y n 2;", 7 * GM_SEC, "b"), 0);
    assert_true(gm_restart_is_over(&r));
    gm_restart_fini(&r);
}

static void as_many_at_once_as_allowed(void **state)
{
    (void)state;
    struct gm_restart r;
    const char *const names[] = {"c", "a", "b"};
    assert_int_equal(init(&r, names, 3, "a 1 y n 2;b 2 y n 2;c 3 y n 2;"), 0);
    r.at_once = 2;
    struct gm_restart_node *node = gm_restart_next(&r);
    assert_string_equal(node->id, "c");
    gm_restart_asked(node, 0);
    node = gm_restart_next(&r);
    assert_string_equal(node->id, "a");
    gm_restart_asked(node, 0);
    assert_null(gm_restart_next(&r));
    gm_restart_fini(&r);
}

static void what_takes_too_long_is_told(void **state)
{
    (void)state;
    struct gm_restart r;
    assert_int_equal(init(&r, NULL, 0, "a 1 y n 2;"), 0);
    gm_restart_asked(gm_restart_next(&r), GM_SEC);
    assert_int_equal(look(&r, "a 1 y y 2;", 10 * GM_SEC, NULL), 0);
    assert_int_equal(look(&r, "a 1 y y 2;", 11 * GM_SEC, NULL), -GM_E_TIMEOUT);
    assert_non_null(strstr(err.text, "after 10 s node a still has 1 task;"));
    assert_int_equal(look(&r, "a 1 n y 2;", 11 * GM_SEC, NULL), -GM_E_TIMEOUT);
    assert_non_null(strstr(err.text, "node a has not come back"));
    assert_int_equal(look(&r, "", 11 * GM_SEC, NULL), -GM_E_TIMEOUT); /* forgotten */
    assert_int_equal(look(&r, "a 1 y n 2;", 5 * GM_SEC, NULL), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "node a was resumed"));
    gm_restart_fini(&r);
}

static void who_is_closed_by_the_operator_is_back_all_the_same(void **state)
{
    (void)state;
    struct gm_restart r;
    const struct gm_restart_node *node = NULL;
    assert_int_equal(init(&r, NULL, 0, "a 1 y n 2;"), 0);
    gm_restart_asked(gm_restart_next(&r), GM_SEC);
    json_t *closed = closed_by("scheduler");
    assert_int_equal(gm_restart_look(&r, closed, 2 * GM_SEC, &node, &err), 0);
    assert_null(node);
    assert_int_equal(gm_restart_look(&r, closed, 11 * GM_SEC, &node, &err), -GM_E_TIMEOUT);
    assert_non_null(strstr(err.text, "node a has come back, but takes no tasks"));
    json_decref(closed);
    closed = closed_by("operator");
    assert_int_equal(gm_restart_look(&r, closed, 2 * GM_SEC, &node, &err), 0);
    assert_non_null(node);
    json_decref(closed);
    gm_restart_fini(&r);
}

static void who_can_not_be_told_is_named_before_any_is(void **state)
{
    (void)state;
    struct gm_restart r = {.at_once = 1, .patience = 10 * GM_SEC};
    const char *const names[] = {"a", "b"};
    json_t *nodes = nodes_of("a 1 y n 2;b 2 y n 2;");
    json_t *b = json_array_get(json_object_get(nodes, "nodes"), 1);
    assert_int_equal(json_object_set_new(b, "restarts", json_false()), 0);
    assert_int_equal(json_object_set_new(b, "build", json_string("0.0.9")), 0);
    assert_int_equal(gm_restart_init(&r, NULL, 0, nodes, &err), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "node b is of build 0.0.9"));
    gm_restart_fini(&r);
    json_decref(nodes);
    assert_int_equal(init(&r, names, 2, "a 1 y n 2;b 2 n n 2;"), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "node b is gone"));
    gm_restart_fini(&r);
    assert_int_equal(init(&r, names, 2, "a 1 y n 2;b 2 n y 2;"), 0); /* asked before, and away */
    gm_restart_fini(&r);
}

static void a_refusal_is_waited_for_when_something_was_begun(void **state)
{
    (void)state;
    struct gm_restart r;
    struct gm_err conflict = {.code = GM_E_CONFLICT}, other = {.code = GM_E_BUSY};
    struct gm_err unknown = {.code = GM_E_NOTFOUND};
    assert_int_equal(init(&r, NULL, 0, "a 1 y n 2;b 2 y n 2;"), 0);
    struct gm_restart_node *node = gm_restart_next(&r);
    assert_false(gm_restart_refused(&r, node, GM_SEC, &conflict));
    gm_restart_asked(node, GM_SEC);
    assert_int_equal(look(&r, "a 11 y n 2;b 2 y n 2;", 6 * GM_SEC, "a"), 0);
    node = gm_restart_next(&r);
    assert_true(gm_restart_refused(&r, node, 7 * GM_SEC, &conflict));
    assert_ptr_equal(gm_restart_next(&r), node);
    assert_true(gm_restart_refused(&r, node, 8 * GM_SEC, &unknown));
    assert_false(gm_restart_refused(&r, node, 8 * GM_SEC, &other));
    assert_true(gm_restart_refused(&r, node, 16 * GM_SEC, &conflict));
    assert_false(gm_restart_refused(&r, node, 17 * GM_SEC, &conflict));
    gm_restart_fini(&r);
}

static void wrong_names_are_told(void **state)
{
    (void)state;
    struct gm_restart r;
    const char *const names[] = {"a", "x"};
    const char *const twice[] = {"a", "a"};
    assert_int_equal(init(&r, names, 2, "a 1 y n 2;"), -GM_E_NOTFOUND);
    assert_non_null(strstr(err.text, "no node is called x"));
    gm_restart_fini(&r);
    assert_int_equal(init(&r, twice, 2, "a 1 y n 2;"), -GM_E_INVAL);
    gm_restart_fini(&r);
    assert_int_equal(init(&r, NULL, 0, "a 1 n n 2;"), -GM_E_NOTFOUND);
    assert_non_null(strstr(err.text, "no node is connected"));
    gm_restart_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(as_many_at_once_as_allowed),
        cmocka_unit_test(what_takes_too_long_is_told),
        cmocka_unit_test(who_is_closed_by_the_operator_is_back_all_the_same),
        cmocka_unit_test(who_can_not_be_told_is_named_before_any_is),
        cmocka_unit_test(a_refusal_is_waited_for_when_something_was_begun),
        cmocka_unit_test(wrong_names_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
