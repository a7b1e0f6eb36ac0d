/* Removals without a daemon: what a step does in a store, and what a start knows of them. */
#include "tests/scheduler/helper.h"

#include <unistd.h>

#include "scheduler/takedown_parts.h"

#define PUBLICATION "0123456789abcdef"

static struct gm_err err;

static void put(struct gm_store *store, const char *key, const char *text)
{
    ASSERT_OK(gm_store_put_bytes(store, key, text, strlen(text), &err));
}

static bool has(struct gm_store *store, const char *key)
{
    struct gm_store_stat stat;
    return gm_store_head(store, key, &stat, &err) == 0;
}

static struct gm_store *open_store(const char *folder)
{
    struct gm_store *store = NULL;
    char url[512];
    (void)snprintf(url, sizeof url, "file://%s", folder);
    ASSERT_OK(gm_store_open(url, false, &store, &err));
    return store;
}

static struct gm_takedown_run run_of(void)
{
    return (struct gm_takedown_run){.job_id = (char *)"j", .publication = (char *)PUBLICATION};
}

/* In steps whose time is always over, as of a server that is slow. */
static void each_step_comes_further(void **state)
{
    struct gm_store *store = open_store(*state);
    struct gm_takedown_run run = run_of();
    char key[64];
    put(store, "report.json", "{\"job\": {\"id\": \"j\", \"state\": \"done\"}}");
    put(store, "v/" PUBLICATION "/1", "x");
    for (int i = 0; i < 3; i++) {
        (void)snprintf(key, sizeof key, "v/fedcba987654321%d/1", i);
        put(store, key, "x");
        (void)snprintf(key, sizeof key, "replaced/fedcba987654321%d", i);
        put(store, key, "{\"until_unix_ms\": 9000000000000}");
    }
    run.more = true;
    for (int i = 0; i < 10 && run.more; i++) {
        run.more = false;
        ASSERT_OK(gm_takedown_clear(&run, store, 0));
    }
    assert_false(run.more);
    assert_false(has(store, "report.json"));
    assert_false(has(store, "v/fedcba9876543212/1"));
    assert_false(has(store, "replaced/fedcba9876543212"));
    gm_store_close(&store);
}

static void a_report_that_is_too_large_keeps_no_title(void **state)
{
    struct gm_store *store = open_store(*state);
    struct gm_takedown_run run = run_of();
    char path[512];
    put(store, "report.json", "{");
    put(store, "master.m3u8", "v/" PUBLICATION "/1.m3u8");
    put(store, "v/" PUBLICATION "/1", "x");
    put(store, "replaced/fedcba9876543210", "{\"until_unix_ms\": 9000000000000}");
    path_in(path, *state, "report.json");
    assert_int_equal(truncate(path, (64 << 20) + 1), 0);
    ASSERT_OK(gm_takedown_clear(&run, store, INT64_MAX));
    assert_false(run.more);
    assert_false(has(store, "master.m3u8"));
    assert_false(has(store, "v/" PUBLICATION "/1"));
    gm_store_close(&store);
}

static void load(struct gm_daemon *d, int64_t removing_unix_ms)
{
    Gm__AssetRow row = GM__ASSET_ROW__INIT;
    size_t size = 0;
    row.job = (char *)"j";
    row.tenant = (char *)"a";
    row.destination = (char *)"file:///out/a";
    row.backup = (char *)"file:///out/b";
    row.document = (char *)"{\"job\":\"j\"}";
    row.removing_unix_ms = removing_unix_ms;
    uint8_t *data = gm_asset_encode(&row, &size);
    gm_takedown_load(d, data, size);
    gm_takedown_load(d, data, size - 1); /* does not read */
    free(data);
}

/* Though the catalogue is still being read. */
static void a_start_refuses_jobs_where_a_title_goes(void **state)
{
    struct gm_daemon d = {0};
    struct gm_submit there = {.destination_url = "file:///out/a", .tenant = "a"};
    const struct gm_submit backup = {.destination_url = "file:///out/b", .tenant = "b"};
    (void)state;
    load(&d, 0);
    ASSERT_OK(gm_takedown_check(&d, &there, &err));
    load(&d, 1);
    assert_int_equal(gm_takedown_check(&d, &there, &err), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "job j "));
    there.tenant = "b"; /* it is not his to know whose */
    assert_int_equal(gm_takedown_check(&d, &there, &err), -GM_E_CONFLICT);
    assert_null(strstr(err.text, "job j "));
    d.takedowns.runs->at = 1; /* the destination is clear, the backup is not */
    ASSERT_OK(gm_takedown_check(&d, &there, &err));
    assert_int_equal(gm_takedown_check(&d, &backup, &err), -GM_E_CONFLICT);
    gm_takedown_start(&d); /* the row did not read */
    ASSERT_OK(gm_takedown_check(&d, &backup, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_step_comes_further, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_report_that_is_too_large_keeps_no_title, make_folder,
                                        remove_folder),
        cmocka_unit_test(a_start_refuses_jobs_where_a_title_goes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
