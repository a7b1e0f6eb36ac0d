/* When a result's backup is asked for, and what becomes of it; one story each. What it does in
 * stores: test_backup_step.c. */
#include "tests/scheduler/core/story.h"

#include "scheduler/core/backup.h"

#define PLACE "file:///second"

static struct sim *backed(uint32_t retry_s)
{
    struct sim_params params = {.seed = 1,
                                .nodes = 1,
                                .slots = 2,
                                .keep_finished = 1,
                                .backup_retry_s = retry_s,
                                .backup = PLACE};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    return sim;
}

static struct gm_backup_view view(struct sim *sim, const char *id)
{
    struct gm_job_view v;
    struct gm_err err;
    assert_int_equal(gm_view_job(sim->core, id, &v, &err), 0);
    struct gm_backup_view backup = v.backup;
    gm_view_job_fini(&v);
    return backup;
}

static void tell(struct sim *sim, const char *id, enum gm_code code, uint64_t lacking)
{
    struct gm_event event = {
        .type = GM_EV_BACKED_UP, .job_id = id, .failure = {.code = code}, .lacking = lacking};
    assert_int_equal(sim_event(sim, &event, NULL), 0);
    sim_commit(sim);
}

static struct sim *done_job(uint32_t retry_s)
{
    struct sim *sim = backed(retry_s);
    (void)sim_submit(sim, "job", 2, 1, 50);
    sim_until(sim, sim_all_final, 60);
    sim_run(sim, 1);
    return sim;
}

static void it_is_asked_for_when_the_job_is_done_and_again_until_it_is_there(void **arg)
{
    (void)arg;
    struct sim *sim = backed(0);
    (void)sim_submit(sim, "job", 2, 1, 50);
    assert_int_equal(view(sim, "job").state, GM_BACKUP_WAITING);
    assert_null(gm_view_backup_url(sim->core, "job"));
    sim_until(sim, sim_all_final, 60);
    sim_run(sim, 1);
    assert_int_equal(sim->backups, 1);
    assert_string_equal(gm_view_backup_url(sim->core, "job"), PLACE);

    tell(sim, "job", GM_E_STORE, 7);
    struct gm_backup_view b = view(sim, "job");
    assert_int_equal(b.state, GM_BACKUP_WAITING);
    assert_true(b.failures == 1 && b.lacking == 7 && b.error.code == GM_E_STORE);
    sim_run(sim, 8);
    assert_int_equal(sim->backups, 1);
    sim_run(sim, 4);
    assert_int_equal(sim->backups, 2); /* after 10 s */
    tell(sim, "job", GM_E_STORE, 3);
    tell(sim, "job", GM_OK, 0); /* nobody asked */
    sim_run(sim, 15);
    assert_int_equal(sim->backups, 2);
    sim_run(sim, 10);
    assert_int_equal(sim->backups, 3); /* after 20 s more */
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    tell(sim, "job", GM_OK, 0);
    b = view(sim, "job");
    assert_true(b.state == GM_BACKUP_DONE && b.lacking == 0 && b.failures == 2);
    sim_run(sim, 3600);
    assert_int_equal(sim->backups, 3);
    sim_destroy(sim);
}

static void a_restart_goes_on_with_it(void **arg)
{
    (void)arg;
    struct sim *sim = done_job(0);
    tell(sim, "job", GM_E_STORE, 7);
    sim_restart(sim);
    sim_run(sim, 1);
    assert_int_equal(sim->backups, 2); /* without the rest of the pause */
    struct gm_backup_view b = view(sim, "job");
    assert_true(b.state == GM_BACKUP_WAITING && b.failures == 1 && b.lacking == 7);
    assert_int_equal(b.error.code, GM_E_STORE);
    tell(sim, "job", GM_OK, 0);
    sim_restart(sim);
    sim_run(sim, 1);
    assert_int_equal(sim->backups, 2);
    assert_int_equal(view(sim, "job").state, GM_BACKUP_DONE);
    sim_destroy(sim);
}

static void it_is_given_up_when_its_time_is_over(void **arg)
{
    (void)arg;
    struct sim *sim = done_job(25);
    tell(sim, "job", GM_E_STORE, 1);
    sim_run(sim, 11);
    tell(sim, "job", GM_E_STORE, 1);
    assert_int_equal(view(sim, "job").state, GM_BACKUP_WAITING);
    sim_run(sim, 16); /* not the whole pause: the last try is at the end */
    assert_int_equal(sim->backups, 3);
    tell(sim, "job", GM_E_STORE_DENIED, 1);
    struct gm_backup_view b = view(sim, "job");
    assert_true(b.state == GM_BACKUP_FAILED && b.error.code == GM_E_STORE_DENIED);
    assert_int_equal(sim_state(sim, "job"), GM_JOB_DONE);
    sim_run(sim, 3600);
    assert_int_equal(sim->backups, 3);
    sim_destroy(sim);
}

static void what_no_time_mends_is_not_tried_again(void **arg)
{
    static const enum gm_code codes[] = {GM_E_TITLE_EXISTS, GM_E_CONFLICT};
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        struct sim *sim = done_job(0);
        tell(sim, "job", codes[i], 2);
        assert_int_equal(view(sim, "job").state, GM_BACKUP_FAILED);
        sim_destroy(sim);
    }
}

static void a_job_without_a_result_has_none(void **arg)
{
    (void)arg;
    struct sim *sim = backed(0);
    (void)sim_submit(sim, "job", 2, 1, 50);
    assert_int_equal(sim_cancel(sim, "job"), 0);
    (void)sim_submit_plan_only(sim, "plan");
    sim_until(sim, sim_all_final, 60);
    sim_run(sim, 1);
    assert_int_equal(sim->backups, 0);
    assert_int_equal(view(sim, "plan").state, GM_BACKUP_NONE);
    assert_null(gm_view_backup_url(sim->core, "plan"));
    sim_destroy(sim);
}

/* keep_finished is 1: the older job would go. */
static void a_job_that_waits_for_it_is_not_forgotten(void **arg)
{
    (void)arg;
    enum gm_job_state state;
    struct sim *sim = done_job(0);
    (void)sim_submit(sim, "other", 2, 1, 50);
    sim_until(sim, sim_all_final, 60);
    sim_run(sim, 1);
    assert_true(gm_view_job_state(sim->core, "job", &state));
    tell(sim, "job", GM_OK, 0);
    assert_false(gm_view_job_state(sim->core, "job", &state));
    sim_destroy(sim);
}

static void what_lies_there_is_the_jobs(void **arg)
{
    (void)arg;
    struct gm_job_view v;
    struct gm_err err;
    char publication[64];
    struct sim *sim = done_job(0);
    assert_int_equal(gm_view_job(sim->core, "job", &v, &err), 0);
    (void)snprintf(publication, sizeof(publication), "%s", v.publication);
    assert_false(gm_view_is_made_at(sim->core, v.destination_url, publication));
    gm_view_job_fini(&v);
    assert_true(gm_view_is_made_at(sim->core, PLACE, publication));
    assert_false(gm_view_is_made_at(sim->core, PLACE, "another"));
    tell(sim, "job", GM_OK, 0);
    assert_false(gm_view_is_made_at(sim->core, PLACE, publication));
    sim_destroy(sim);
}

static void the_report_is_told_how_it_ended(void **arg)
{
    (void)arg;
    struct sim *sim = done_job(0);
    tell(sim, "job", GM_E_TITLE_EXISTS, 2);
    sim_run(sim, 1);
    assert_int_equal(sim->tells, 1);
    tell(sim, "job", GM_E_STORE, 0);
    assert_int_equal(view(sim, "job").error.code, GM_E_TITLE_EXISTS);
    assert_int_equal(view(sim, "job").failures, 1);
    sim_run(sim, 11);
    assert_int_equal(sim->tells, 2); /* again, and after a restart */
    sim_restart(sim);
    sim_run(sim, 1);
    assert_int_equal(sim->tells, 3);
    tell(sim, "job", GM_OK, 0);
    assert_int_equal(view(sim, "job").state, GM_BACKUP_FAILED);
    sim_restart(sim);
    sim_run(sim, 3600);
    assert_int_equal(sim->tells, 3);
    sim_destroy(sim);

    sim = done_job(0);
    tell(sim, "job", GM_OK, 0);
    for (uint32_t i = 1; i <= 12; i++) { /* its place is away */
        sim_run(sim, 901);
        assert_int_equal(sim->tells, i);
        tell(sim, "job", GM_E_STORE, 0);
    }
    sim_run(sim, 3600);
    assert_int_equal(sim->tells, 12);
    assert_int_equal(view(sim, "job").state, GM_BACKUP_DONE);
    sim_destroy(sim);
}

/* Rows of a release before say neither: their reports stay as they are. */
static void what_ended_before_an_upgrade_is_not_told_anew(void **arg)
{
    static const struct {
        enum gm_backup_state state;
        bool untold, told;
    } cases[] = {{GM_BACKUP_DONE, false, true},
                 {GM_BACKUP_FAILED, false, true},
                 {GM_BACKUP_FAILED, true, false},
                 {GM_BACKUP_WAITING, false, false}};
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Gm__BackupRow row = GM__BACKUP_ROW__INIT;
        struct gm_cbackup backup;
        row.url = (char *)(uintptr_t)PLACE;
        row.state = (uint32_t)cases[i].state;
        row.untold = cases[i].untold;
        gm_core_backup_load(&backup, &row);
        assert_int_equal(backup.told, cases[i].told);
        gm_core_backup_fini(&backup);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_asked_for_when_the_job_is_done_and_again_until_it_is_there),
        cmocka_unit_test(a_restart_goes_on_with_it),
        cmocka_unit_test(it_is_given_up_when_its_time_is_over),
        cmocka_unit_test(what_no_time_mends_is_not_tried_again),
        cmocka_unit_test(a_job_without_a_result_has_none),
        cmocka_unit_test(a_job_that_waits_for_it_is_not_forgotten),
        cmocka_unit_test(what_lies_there_is_the_jobs),
        cmocka_unit_test(the_report_is_told_how_it_ended),
        cmocka_unit_test(what_ended_before_an_upgrade_is_not_told_anew)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
