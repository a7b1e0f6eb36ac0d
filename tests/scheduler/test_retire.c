/* Where a start looks for older publications. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "scheduler/daemon_parts.h"

#define GRACE_S 1000

static void add_title(struct gm_daemon *d, const char *job, const char *place, const char *backup,
                      int64_t age_ms)
{
    Gm__AssetRow *row = gm_mem_zalloc(sizeof *row);
    gm__asset_row__init(row);
    row->job = gm_mem_strdup(job);
    row->tenant = gm_mem_strdup("");
    row->title = gm_mem_strdup("");
    row->destination = gm_mem_strdup(place);
    row->mark = gm_mem_strdup("");
    row->publication = gm_mem_strdup("p");
    row->document = gm_mem_strdup("{}");
    row->backup = gm_mem_strdup(backup);
    row->backup_mark = gm_mem_strdup("");
    row->finished_unix_ms = gm_time_unix_ms() - age_ms;
    assert_null(gm_catalogue_add(&d->assets.table, row, false));
}

static bool is_looked_at(const struct gm_daemon *d, const char *url)
{
    struct gm_retire_place *place = NULL;
    HASH_FIND_STR(d->retire.places, url, place);
    return place != NULL && place->due_unix_ms == 1;
}

/* Their jobs are not known any more. */
static void titles_of_the_last_days_are_looked_at(void **state)
{
    const struct gm_settings settings = {.publish_grace_s = GRACE_S};
    struct gm_daemon d = {.settings = &settings};
    const int64_t most = GM_RETIRE_TITLES_MS + GRACE_S * 1000;
    (void)state;
    add_title(&d, "1", "s3://a/new", "s3://b/new", 0);
    add_title(&d, "2", "s3://a/late", "", most - 60000);
    add_title(&d, "3", "s3://a/old", "s3://b/old", most + 60000);
    gm_retire_titles(&d);
    assert_int_equal(HASH_COUNT(d.retire.places), 3);
    assert_true(is_looked_at(&d, "s3://a/new") && is_looked_at(&d, "s3://b/new"));
    assert_true(is_looked_at(&d, "s3://a/late"));
    assert_int_equal(d.retire.next_unix_ms, 1);
    gm_retire_fini(&d.retire);
    gm_assets_fini(&d.assets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(titles_of_the_last_days_are_looked_at)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
