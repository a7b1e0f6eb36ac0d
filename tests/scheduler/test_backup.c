/* Turns of backups: which run has the pool, and what becomes of those that wait. What they do in
 * stores: test_daemon_backup.c, test_outputs.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/backup_parts.h"
#include "storage/remote/stores.h"

#define JOBS 4

static struct fixture {
    struct gm_settings settings;
    struct gm_daemon d;
    struct job {
        char id[2];
        const char *from, *backup;
        enum gm_backup_state state;
        int64_t since_unix_ms;
        int told, published;
    } jobs[JOBS];
    struct gm_backup_run *run; /* on the pool */
    void (*done)(void *arg);
    bool publishes;
    size_t rows;          /* outputs of a job */
    enum gm_code refuses; /* why no store opens */
} f;

static struct job *find(const char *id)
{
    return &f.jobs[id[0] - 'a'];
}

int __wrap_gm_daemon_work(struct gm_daemon *d, void (*work)(void *arg), void (*done)(void *arg),
                          void *arg, struct gm_err *err);
int __wrap_gm_daemon_work(struct gm_daemon *d, void (*work)(void *arg), void (*done)(void *arg),
                          void *arg, struct gm_err *err)
{
    (void)d;
    (void)work;
    (void)err;
    f.run = arg;
    f.done = done;
    return 0;
}

int __wrap_gm_view_job(const struct gm_core *core, const char *id, struct gm_job_view *out,
                       struct gm_err *err);
int __wrap_gm_view_job(const struct gm_core *core, const char *id, struct gm_job_view *out,
                       struct gm_err *err)
{
    const struct job *job = find(id);
    (void)core;
    (void)err;
    *out = (struct gm_job_view){.id = job->id,
                                .destination_url = job->from,
                                .source_url = "file:///in",
                                .publication = "p",
                                .backup = {.url = job->backup,
                                           .mark = "",
                                           .state = job->state,
                                           .since_unix_ms = job->since_unix_ms}};
    return 0;
}

int __wrap_gm_report_build(const struct gm_core *core, const char *id, struct gm_report_files *out,
                           struct gm_err *err);
int __wrap_gm_report_build(const struct gm_core *core, const char *id, struct gm_report_files *out,
                           struct gm_err *err)
{
    (void)core;
    (void)id;
    (void)err;
    *out = (struct gm_report_files){.report = {0}};
    return 0;
}

int __wrap_gm_outputs_read(const struct gm_core *core, const char *id, struct gm_outputs *out,
                           struct gm_err *err);
int __wrap_gm_outputs_read(const struct gm_core *core, const char *id, struct gm_outputs *out,
                           struct gm_err *err)
{
    (void)core;
    (void)id;
    (void)err;
    *out = (struct gm_outputs){.rows = calloc(f.rows + 1, sizeof(*out->rows)), .count = f.rows};
    for (size_t i = 0; i < f.rows; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "k%zu", i);
        out->rows[i].key = strdup(key);
    }
    return 0;
}

/* As the core has it: a job whose time is over is given up. */
void __wrap_gm_daemon_tell(struct gm_daemon *d, const struct gm_event *event);
void __wrap_gm_daemon_tell(struct gm_daemon *d, const struct gm_event *event)
{
    struct job *job = find(event->job_id);
    (void)d;
    assert_int_equal(event->type, GM_EV_BACKED_UP);
    job->told++;
    if (event->failure.code == GM_OK) {
        job->state = GM_BACKUP_DONE;
    } else if (gm_time_unix_ms() - job->since_unix_ms >= f.settings.backup_retry_s * 1000) {
        job->state = GM_BACKUP_FAILED;
    }
}

int __wrap_gm_title_make(const struct gm_title_source *source, const Gm__Pipeline *pipeline,
                         char out[GM_TITLE_SIZE], struct gm_err *err);
int __wrap_gm_title_make(const struct gm_title_source *source, const Gm__Pipeline *pipeline,
                         char out[GM_TITLE_SIZE], struct gm_err *err)
{
    (void)source;
    (void)pipeline;
    (void)err;
    out[0] = '\0';
    return 0;
}

void __wrap_gm_publish_start(struct gm_daemon *d, const char *id);
void __wrap_gm_publish_start(struct gm_daemon *d, const char *id)
{
    (void)d;
    find(id)->published++;
}

bool __wrap_gm_view_is_published_at(const struct gm_core *core, const char *url, const char *id);
bool __wrap_gm_view_is_published_at(const struct gm_core *core, const char *url, const char *id)
{
    (void)core;
    (void)id;
    return f.publishes && strcmp(url, "file:///out") == 0;
}

int __wrap_gm_publish_check_lead(struct gm_daemon *d, struct gm_err *err);
int __wrap_gm_publish_check_lead(struct gm_daemon *d, struct gm_err *err)
{
    (void)d;
    (void)err;
    return 0;
}

int __wrap_gm_stores_open(struct gm_stores *stores, const char *url, bool create,
                          struct gm_store **out, struct gm_err *err);
int __wrap_gm_stores_open(struct gm_stores *stores, const char *url, bool create,
                          struct gm_store **out, struct gm_err *err)
{
    (void)stores;
    (void)url;
    (void)create;
    (void)out;
    return gm_err_set(err, f.refuses, 0, "refused");
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    f.settings.backup_retry_s = 100;
    f.d.settings = &f.settings;
    for (int i = 0; i < JOBS; i++) {
        f.jobs[i] = (struct job){.id = {(char)('a' + i)},
                                 .from = "file:///out",
                                 .backup = "file:///second",
                                 .state = GM_BACKUP_WAITING,
                                 .since_unix_ms = gm_time_unix_ms()};
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gm_backups_fini(&f.d.backups);
    return 0;
}

/* The step that is on the pool ends. */
static void end_step(int rc, bool of_place)
{
    struct gm_backup_run *run = f.run;
    assert_non_null(run);
    f.run = NULL;
    run->rc = rc;
    run->of_place = of_place;
    if (rc < 0) {
        GM_IGNORE(gm_err_set(&run->err, GM_E_STORE, 0, "away"), "noted");
    }
    f.done(run);
}

static void check_step(const char *id, enum gm_backup_phase phase)
{
    assert_non_null(f.run);
    assert_string_equal(f.run->job_id, id);
    assert_int_equal(f.run->phase, phase);
}

static void who_waits_at_a_dead_place_ends_when_its_time_is_over(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        gm_backup_start(&f.d, f.jobs[i].id, false);
    }
    check_step("a", GM_BACKUP_LOOK);
    f.jobs[1].since_unix_ms = f.jobs[2].since_unix_ms -= 100000; /* b and c */
    end_step(-GM_E_STORE, false);
    assert_int_equal(f.jobs[1].told, 0); /* what a met says nothing of b */
    check_step("b", GM_BACKUP_LOOK);
    end_step(-GM_E_STORE, true);
    assert_int_equal(f.jobs[2].state, GM_BACKUP_FAILED);
    assert_int_equal(f.jobs[2].told, 1);
    assert_int_equal(f.jobs[3].told, 0); /* it has time */
    check_step("b", GM_BACKUP_LEAVE);
    end_step(0, false);
    check_step("c", GM_BACKUP_LEAVE); /* of a try before there may be something */
    end_step(0, false);
    assert_int_equal(f.jobs[2].told, 1);
    check_step("d", GM_BACKUP_LOOK);
    end_step(-GM_E_STORE, true);
    assert_null(f.run);
}

/* What says nothing of the place: the job's end, the scheduler's, or that another one leads. */
static void who_waits_does_not_end_with_what_is_no_fault_of_the_place(void **state)
{
    static const struct {
        enum gm_code code;
        bool of_place;
    } cases[] = {{GM_E_STORE, true}, {GM_E_CANCELLED, false}, {GM_E_NOT_LEADER, false}};
    (void)state;
    gm_backup_start(&f.d, "a", false);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f.refuses = cases[i].code;
        gm_backup_step(f.run);
        assert_int_equal(f.run->rc, -(int)cases[i].code);
        assert_int_equal(f.run->of_place, cases[i].of_place);
    }
    atomic_store(&f.d.told, 1); /* to stop: the next start asks again */
    end_step(-GM_E_CANCELLED, false);
    assert_int_equal(f.jobs[0].told, 0);
    assert_true(f.run == NULL && f.d.backups.runs == NULL);
}

static void all_runs_of_a_result_that_is_taken_down_end(void **state)
{
    (void)state;
    f.jobs[0].state = GM_BACKUP_FAILED;
    gm_backup_start(&f.d, "a", false);
    gm_backup_start(&f.d, "a", true); /* they wait for it */
    gm_backup_start(&f.d, "b", false);
    gm_backup_start(&f.d, "a", false);
    check_step("a", GM_BACKUP_LOOK);
    assert_false(gm_backup_end(&f.d, "a"));
    assert_true(atomic_load(&f.run->unwanted));
    assert_true(f.run->next != NULL && f.run->next->job_id[0] == 'b' && f.run->next->next == NULL);
    end_step(0, false); /* given up: what was copied is noted */
    check_step("a", GM_BACKUP_LEAVE);
    assert_false(gm_backup_end(&f.d, "a"));
    end_step(0, false);
    assert_true(gm_backup_end(&f.d, "a"));
    check_step("b", GM_BACKUP_LOOK);
    assert_true(f.d.backups.runs == f.run && f.run->next == NULL);
    f.run = NULL;
}

static void what_lacked_is_copied_and_all_is_asked_for(void **state)
{
    (void)state;
    f.rows = 2;
    gm_backup_start(&f.d, "a", false);
    check_step("a", GM_BACKUP_LOOK);
    end_step(0, false);
    check_step("a", GM_BACKUP_COPY);
    f.run->outputs.next = 2;
    end_step(0, false);
    check_step("a", GM_BACKUP_COMPARE);
    assert_true(f.run->outputs.rows[0].copied && f.run->outputs.next == 0);
    f.run->outputs.next = 1; /* there are more */
    end_step(0, false);
    check_step("a", GM_BACKUP_COMPARE);
    assert_int_equal(f.run->outputs.next, 1);
    f.run->compared = true; /* and some lack */
    f.run->outputs.next = 0;
    end_step(0, false);
    check_step("a", GM_BACKUP_COPY);
    f.run->outputs.next = 2;
    end_step(0, false);
    check_step("a", GM_BACKUP_COMPARE);
    assert_true(f.run->copied_twice && !f.run->compared);
    f.run->complete = true;
    end_step(0, false);
    assert_true(f.jobs[0].told == 1 && f.jobs[0].state == GM_BACKUP_DONE && f.run == NULL);
}

static void a_list_that_shows_all_is_not_believed(void **state)
{
    (void)state;
    f.rows = 1;
    gm_backup_start(&f.d, "a", false);
    free(f.run->outputs.rows[0].key); /* struck off */
    f.run->outputs.count = 0;
    end_step(0, false);
    check_step("a", GM_BACKUP_COMPARE);
    assert_int_equal(f.run->outputs.count, 1);
}

static void nobody_publishes_where_a_report_is_written_again(void **state)
{
    (void)state;
    f.jobs[0].state = GM_BACKUP_FAILED;
    f.publishes = true;
    gm_backup_start(&f.d, "a", true);
    assert_true(f.run == NULL && f.jobs[0].told == 1); /* another job does */
    f.publishes = false;
    assert_false(gm_backup_defers(&f.d, "file:///out", "b"));
    gm_backup_start(&f.d, "a", true);
    check_step("a", GM_BACKUP_TELL);
    assert_false(f.run->done);
    assert_false(gm_backup_defers(&f.d, "file:///else", "b"));
    assert_true(gm_backup_defers(&f.d, "file:///out", "b"));
    assert_true(gm_backup_defers(&f.d, "file:///second", "c"));
    assert_int_equal(f.jobs[1].published, 0);
    end_step(0, false);
    assert_true(f.jobs[1].published == 1 && f.jobs[2].published == 1);
    assert_int_equal(f.jobs[0].told, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_waits_at_a_dead_place_ends_when_its_time_is_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_waits_does_not_end_with_what_is_no_fault_of_the_place,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(all_runs_of_a_result_that_is_taken_down_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_lacked_is_copied_and_all_is_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_list_that_shows_all_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_publishes_where_a_report_is_written_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
