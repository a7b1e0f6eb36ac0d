/* What nodes are given to read with: a job's source is signed once a minute, for all of its runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/core/state.h"
#include "scheduler/daemon_parts.h"

#define HOUR_MS ((int64_t)60 * 60 * 1000)
#define AGAIN_MS ((int64_t)60 * 1000)

struct farm {
    struct gm_core core;
    struct gm_cjob jobs[2];
    struct gm_settings settings;
    struct gm_daemon d;
};

static void open_farm(struct farm *f)
{
    static char *const ids[] = {"a", "b"}, *const sources[] = {"file:///films/a b",
                                                               "file:///films/b"};
    const struct gm_grant_key key = {{7}};
    struct gm_err err;
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < 2; i++) {
        struct gm_cjob *job = &f->jobs[i];
        struct gm_cjob *jobs = f->core.jobs;
        job->id = ids[i];
        job->source_url = sources[i];
        job->destination_url = "file:///out";
        HASH_ADD_KEYPTR(hh, jobs, job->id, strlen(job->id), job);
        f->core.jobs = jobs;
    }
    f->settings.work_store = "file:///work";
    f->d.settings = &f->settings;
    f->d.core = &f->core;
    assert_int_equal(gm_grant_signer_create(&key, &f->d.signer, &err), 0);
}

static void close_farm(struct farm *f)
{
    gm_urls_fini(&f->d);
    assert_null(f->d.job_urls);
    gm_grant_signer_destroy(&f->d.signer);
    struct gm_cjob *jobs = f->core.jobs;
    HASH_CLEAR(hh, jobs);
}

/* The source's URL in an assignment of the job; owned. ended: an epoch, 0: none. */
static char *assigned(struct farm *f, const char *job_id, uint64_t epoch, uint64_t ended)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Assign assign = GM__ASSIGN__INIT;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    Gm__Object source = GM__OBJECT__INIT;
    struct gm_send send = {.node_id = "n", .envelope = &env};
    struct gm_effects fx = {
        .sends = &send, .send_count = 1, .ended = &ended, .ended_count = ended != 0 ? 1 : 0};
    source.store = GM__OBJECT_STORE__STORE_SOURCE;
    spec.job_id = (char *)(uintptr_t)job_id;
    spec.source = &source;
    assign.epoch = epoch;
    assign.spec = &spec;
    env.body_case = GM__ENVELOPE__BODY_ASSIGN;
    env.assign = &assign;
    gm_urls_fill(&f->d, NULL, &fx);
    assert_ptr_equal(send.envelope, &env);
    char *url = strdup(source.url);
    gm_pool_fini(&fx.pool);
    assert_non_null(url);
    return url;
}

static int64_t signed_at(struct farm *f, const char *job_id)
{
    struct gm_job_urls *job = NULL, *jobs = f->d.job_urls;
    HASH_FIND_STR(jobs, job_id, job);
    assert_non_null(job);
    return job->signed_unix_ms;
}

static void sign_earlier(struct farm *f, int64_t ms)
{
    f->d.job_urls->signed_unix_ms -= ms;
}

/* As a node opens it: there is no such file, but what it was given is good, or is no more. */
static enum gm_code opened(const char *url, int64_t unix_ms)
{
    const struct gm_grant_key key = {{7}};
    struct gm_err err = {0};
    uint64_t size = 0;
    int fd = -1;
    assert_true(gm_grant_open(url, &key, unix_ms, &fd, &size, &err) < 0);
    return err.code;
}

static void runs_of_a_job_are_given_one_source(void **state)
{
    struct farm f;
    (void)state;
    open_farm(&f);
    char *first = assigned(&f, "a", 1, 0), *again = assigned(&f, "a", 2, 0);
    char *other = assigned(&f, "b", 3, 0);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_int_equal(f.d.lease_count, 3);
    /* whoever is given it last has an hour, too */
    int64_t last = signed_at(&f, "a") + AGAIN_MS + HOUR_MS - 1;
    assert_int_not_equal(opened(again, last), GM_E_NODE_GRANT);
    assert_int_equal(opened(again, last + 2 * AGAIN_MS), GM_E_NODE_GRANT);
    free(first);
    free(again);
    free(other);
    close_farm(&f);
}

static void after_a_minute_it_is_signed_anew(void **state)
{
    struct farm f;
    (void)state;
    open_farm(&f);
    char *first = assigned(&f, "a", 1, 0);
    int64_t began = signed_at(&f, "a");
    sign_earlier(&f, AGAIN_MS);
    char *again = assigned(&f, "a", 2, 0);
    assert_true(signed_at(&f, "a") >= began);
    sign_earlier(&f, -10 * AGAIN_MS); /* the clock was set back */
    int64_t ahead = signed_at(&f, "a");
    char *third = assigned(&f, "a", 3, 0);
    assert_true(signed_at(&f, "a") < ahead);
    free(first);
    free(again);
    free(third);
    close_farm(&f);
}

static void a_job_is_forgotten_with_its_last_lease(void **state)
{
    struct farm f;
    (void)state;
    open_farm(&f);
    free(assigned(&f, "a", 5, 0));
    free(assigned(&f, "a", 6, 5));
    free(assigned(&f, "a", 6, 0)); /* said again */
    assert_int_equal(f.d.lease_count, 1);
    assert_int_equal(HASH_COUNT(f.d.job_urls), 1);
    free(assigned(&f, "b", 7, 6));
    assert_int_equal(f.d.lease_count, 1);
    assert_int_equal(HASH_COUNT(f.d.job_urls), 1);
    assert_string_equal(f.d.job_urls->job_id, "b");
    free(assigned(&f, "b", 8, 99)); /* nobody's */
    assert_int_equal(f.d.lease_count, 2);
    close_farm(&f);
}

/* Of a bucket that the configuration does not name any more. */
static void who_asks_hears_why_there_is_no_grant(void **state)
{
    static char *const none[] = {NULL};
    static uint8_t hash[32];
    struct farm f;
    struct gm_err err;
    Gm__Envelope asked = GM__ENVELOPE__INIT, env = GM__ENVELOPE__INIT;
    Gm__GrantRequest request = GM__GRANT_REQUEST__INIT;
    Gm__GrantItem item = GM__GRANT_ITEM__INIT, *items[] = {&item};
    Gm__GrantAnswer answer = GM__GRANT_ANSWER__INIT;
    Gm__Grant grant = GM__GRANT__INIT, *grants[] = {&grant};
    struct gm_send send = {.node_id = "n", .envelope = &env};
    struct gm_effects fx = {.sends = &send, .send_count = 1};
    const struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = "n", .envelope = &asked};
    (void)state;
    open_farm(&f);
    f.jobs[0].destination_url = "s3://gone/p";
    assert_int_equal(gm_stores_create(none, &f.d.stores, &err), 0);
    free(assigned(&f, "a", 1, 0));
    item.store = GM__OBJECT_STORE__STORE_OUT;
    item.sha256 = (ProtobufCBinaryData){32, hash};
    request.epoch = 1;
    request.items = items;
    request.n_items = 1;
    asked.body_case = GM__ENVELOPE__BODY_GRANT_REQUEST;
    asked.grant_request = &request;
    grant.key = (char *)(uintptr_t) "v/p/1.m4s";
    answer.grants = grants;
    answer.n_grants = 1;
    env.body_case = GM__ENVELOPE__BODY_GRANT_ANSWER;
    env.grant_answer = &answer;
    gm_urls_fill(&f.d, &event, &fx);
    assert_ptr_equal(send.envelope, &env);
    assert_non_null(answer.error);
    assert_int_equal(answer.n_grants, 0);
    assert_non_null(strstr(answer.error->text, "gone"));
    gm_pool_fini(&fx.pool);
    gm_stores_destroy(&f.d.stores);
    close_farm(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_of_a_job_are_given_one_source),
        cmocka_unit_test(after_a_minute_it_is_signed_anew),
        cmocka_unit_test(a_job_is_forgotten_with_its_last_lease),
        cmocka_unit_test(who_asks_hears_why_there_is_no_grant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
