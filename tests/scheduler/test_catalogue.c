/* The table of titles: its order, its pages, and what it takes of the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/catalogue.h"
#include "tests/scheduler/helper.h"

static Gm__AssetRow *row(const char *job, const char *tenant, const char *place, int64_t ms)
{
    Gm__AssetRow *r = gm_mem_zalloc(sizeof *r);
    gm__asset_row__init(r);
    r->job = gm_mem_strdup(job);
    r->tenant = gm_mem_strdup(tenant);
    r->title = gm_mem_printf("Film %s.mp4", job);
    r->destination = gm_mem_printf("file:///out/%s", place);
    r->finished_unix_ms = ms;
    r->document = gm_mem_printf("{\"job\":\"%s\"}", job);
    return r;
}

static Gm__AssetRow *goes(Gm__AssetRow *r)
{
    r->removing_unix_ms = 1;
    return r;
}

static void add(struct gm_catalogue *c, const char *job, const char *tenant, const char *place,
                int64_t ms, const char *gone)
{
    Gm__AssetRow *out = gm_catalogue_add(c, row(job, tenant, place, ms), false);
    assert_string_equal(out != NULL ? out->job : "", gone);
    if (out != NULL) {
        gm__asset_row__free_unpacked(out, NULL);
    }
}

static void note(const struct gm_asset *asset, void *arg)
{
    (void)strcat(arg, asset->row->job);
    (void)strcat(arg, " ");
}

static void expect(const struct gm_catalogue *c, struct gm_asset_wish wish,
                   struct gm_asset_cursor *cursor, const char *jobs, bool more)
{
    struct gm_asset_cursor first = {0};
    char got[256] = "";
    wish.looks = wish.looks > 0 ? wish.looks : 100;
    assert_int_equal(gm_catalogue_page(c, &wish, cursor != NULL ? cursor : &first, note, got),
                     more);
    assert_string_equal(got, jobs);
}

static void titles_come_newest_first_and_one_of_a_place(void **state)
{
    struct gm_catalogue c = {0};
    (void)state;
    add(&c, "a", "x", "1", 10, "");
    add(&c, "c", "y", "2", 30, "");
    add(&c, "b", "x", "3", 20, "");
    expect(&c, (struct gm_asset_wish){.limit = 9}, NULL, "c b a ", false);
    expect(&c, (struct gm_asset_wish){.limit = 9, .tenant = "x"}, NULL, "b a ", false);
    expect(&c, (struct gm_asset_wish){.limit = 9, .tenant = "z"}, NULL, "", false);
    expect(&c, (struct gm_asset_wish){.limit = 9, .part = "OUT/3"}, NULL, "b ", false);
    add(&c, "d", "x", "1", 40, "a");
    add(&c, "e", "x", "1", 35, "e"); /* it ended before the one that stands there */
    expect(&c, (struct gm_asset_wish){.limit = 9}, NULL, "d c b ", false);
    assert_null(gm_catalogue_find(&c, "a"));
    assert_string_equal(gm_catalogue_at(&c, "file:///out/1")->row->job, "d");
    assert_string_equal(gm_catalogue_oldest(&c)->row->job, "b");
    gm_catalogue_fini(&c);
}

static void who_publishes_now_is_the_last(void **state)
{
    struct gm_catalogue c = {0};
    (void)state;
    add(&c, "a", "x", "1", 40, "");
    Gm__AssetRow *gone = gm_catalogue_add(&c, row("b", "x", "1", 30), true); /* the clock was set */
    assert_string_equal(gone->job, "a");
    gm__asset_row__free_unpacked(gone, NULL);
    assert_string_equal(gm_catalogue_at(&c, "file:///out/1")->row->job, "b");
    gm_catalogue_fini(&c);
}

static void what_is_taken_down_leaves_its_place_not_the_table(void **state)
{
    struct gm_catalogue c = {0};
    (void)state;
    add(&c, "a", "x", "1", 10, "");
    add(&c, "b", "x", "2", 20, "");
    goes(gm_catalogue_find(&c, "a")->row);
    assert_string_equal(gm_catalogue_oldest(&c)->row->job, "b"); /* that may be forgotten */
    add(&c, "c", "x", "1", 30, "");
    assert_non_null(gm_catalogue_find(&c, "a"));
    assert_string_equal(gm_catalogue_at(&c, "file:///out/1")->row->job, "c");
    assert_null(gm_catalogue_add(&c, goes(row("d", "x", "2", 40)), false)); /* as after a start */
    assert_string_equal(gm_catalogue_at(&c, "file:///out/2")->row->job, "b");
    goes(gm_catalogue_find(&c, "b")->row);
    goes(gm_catalogue_find(&c, "c")->row);
    assert_null(gm_catalogue_oldest(&c));
    gm_catalogue_drop(&c, gm_catalogue_find(&c, "a"));
    assert_string_equal(gm_catalogue_at(&c, "file:///out/1")->row->job, "c");
    gm_catalogue_fini(&c);
}

/* Wherever they come and go. */
static void many_titles_stay_in_order(void **state)
{
    struct gm_catalogue c = {0};
    char job[16];
    uint32_t seed = 1;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        seed = seed * 1103515245u + 12345u;
        size_t at = c.all.count > 0 ? seed / 65536 % c.all.count : 0;
        if (c.all.count > 40 && seed / 7 % 2 == 0) {
            gm_catalogue_drop(&c, seed / 11 % 3 == 0 ? gm_catalogue_title(&c, at)
                                                     : gm_catalogue_oldest(&c));
        } else {
            (void)snprintf(job, sizeof job, "j%d", i);
            add(&c, job, "x", job, seed / 13 % 5 == 0 ? (int64_t)(seed % 3000) : i, "");
        }
        for (size_t k = 1; k < c.all.count; k++) {
            const Gm__AssetRow *a = gm_catalogue_title(&c, k - 1)->row;
            const Gm__AssetRow *b = gm_catalogue_title(&c, k)->row;
            assert_true(a->finished_unix_ms <= b->finished_unix_ms);
        }
    }
    assert_true(c.all.count > 0 && c.all.cap < 1000);
    gm_catalogue_fini(&c);
}

static void a_position_outlives_its_title(void **state)
{
    struct gm_catalogue c = {0};
    struct gm_asset_cursor cursor = {0};
    struct gm_err err = {0};
    char text[GM_ASSET_CURSOR];
    (void)state;
    add(&c, "a", "x", "1", 10, "");
    add(&c, "b", "x", "2", 10, "");
    add(&c, "c", "x", "3", 30, "");
    expect(&c, (struct gm_asset_wish){.limit = 2}, &cursor, "c b ", true);
    gm_asset_cursor_write(&cursor, text);
    assert_string_equal(text, "10-b");
    gm_catalogue_drop(&c, gm_catalogue_find(&c, "b"));
    ASSERT_OK(gm_asset_cursor_read(text, &cursor, &err));
    expect(&c, (struct gm_asset_wish){.limit = 2}, &cursor, "a ", false);
    static const char *const bad[] = {
        "", "b", "10", "10-", "-1-b", "10-b/", "99999999999999999999-b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(gm_asset_cursor_read(bad[i], &cursor, &err), -GM_E_INVAL);
    }
    gm_catalogue_fini(&c);
}

static void who_finds_nothing_is_answered_in_parts(void **state)
{
    struct gm_catalogue c = {0};
    struct gm_asset_cursor cursor = {0};
    (void)state;
    add(&c, "a", "x", "1", 10, "");
    add(&c, "b", "x", "2", 20, "");
    add(&c, "c", "x", "3", 30, "");
    const struct gm_asset_wish wish = {.limit = 5, .looks = 2, .part = "Film a"};
    expect(&c, wish, &cursor, "", true);
    expect(&c, wish, &cursor, "a ", false);
    gm_catalogue_fini(&c);
}

static void stored_rows_are_looked_at(void **state)
{
    Gm__AssetRow *r = row("a", "x", "1", 10), *back = NULL;
    struct gm_err err = {0};
    size_t size = 0;
    (void)state;
    uint8_t *data = gm_asset_encode(r, &size);
    ASSERT_OK(gm_asset_decode(data, size, &back, &err));
    assert_string_equal(back->document, r->document);
    gm__asset_row__free_unpacked(back, NULL);
    assert_true(gm_asset_decode(data, size - 1, &back, &err) < 0);
    free(data);
    static const char *const documents[] = {"",         "[]",         "{}",
                                            "{\"a\":1", "{\"a\":1} ", "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        free(r->document);
        r->document = gm_mem_strdup(documents[i]);
        data = gm_asset_encode(r, &size);
        assert_int_equal(gm_asset_decode(data, size, &back, &err), -GM_E_PROTO);
        free(data);
    }
    gm__asset_row__free_unpacked(r, NULL);
    assert_string_equal(gm_asset_job("asset/x"), "x");
    assert_null(gm_asset_job("assets/x"));
    assert_null(gm_asset_job(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(titles_come_newest_first_and_one_of_a_place),
        cmocka_unit_test(who_publishes_now_is_the_last),
        cmocka_unit_test(what_is_taken_down_leaves_its_place_not_the_table),
        cmocka_unit_test(many_titles_stay_in_order),
        cmocka_unit_test(a_position_outlives_its_title),
        cmocka_unit_test(who_finds_nothing_is_answered_in_parts),
        cmocka_unit_test(stored_rows_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
