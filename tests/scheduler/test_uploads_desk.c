/* The desk of uploads, in a folder in a bucket's place: what deletes, what is noted, and who waits.
 * The pool works at once, and time stands where the test puts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/scratch.h"
#include "scheduler/uploads_desk_parts.h"

#define HOUR INT64_C(3600000)
#define LEASE 7u

static const uint8_t HASH[GM_SHA256_SIZE] = {0xab, 1}, OTHER[GM_SHA256_SIZE] = {2};

static struct fixture {
    struct scratch scratch;
    struct gm_settings settings;
    struct gm_daemon d;
    struct gm_store *store;
    struct gm_uploads_place place;
    int64_t unix_ms;
    gm_time now;
    bool leads, reads; /* an unfinished job reads any upload */
    char source[64];   /* of lease LEASE; "": there is none */
    int sent;          /* answers, and of the last one: */
    uint64_t request;
    int code;
    size_t urls;
    char etag[16];
    struct gm_arrival_view arrival; /* of the job that waits; job_id NULL: none does */
    int looks, arrived;
} f;

int64_t __wrap_gm_time_unix_ms(void);
int64_t __wrap_gm_time_unix_ms(void)
{
    return f.unix_ms;
}

int __wrap_gm_daemon_work(struct gm_daemon *d, void (*work)(void *arg), void (*done)(void *arg),
                          void *arg, struct gm_err *err);
int __wrap_gm_daemon_work(struct gm_daemon *d, void (*work)(void *arg), void (*done)(void *arg),
                          void *arg, struct gm_err *err)
{
    (void)d;
    (void)err;
    work(arg);
    done(arg);
    return 0;
}

int __wrap_gm_publish_check_lead(struct gm_daemon *d, struct gm_err *err);
int __wrap_gm_publish_check_lead(struct gm_daemon *d, struct gm_err *err)
{
    (void)d;
    return f.leads ? 0 : gm_err_set(err, GM_E_NOT_LEADER, 0, "another one leads");
}

bool __wrap_gm_view_has_source(const struct gm_core *core, const char *url);
bool __wrap_gm_view_has_source(const struct gm_core *core, const char *url)
{
    (void)core;
    assert_true(gm_parts_is_url(url, NULL));
    return f.reads;
}

const char *__wrap_gm_view_lease_source(const struct gm_core *core, uint64_t epoch,
                                        const char *node_id);
const char *__wrap_gm_view_lease_source(const struct gm_core *core, uint64_t epoch,
                                        const char *node_id)
{
    (void)core;
    return epoch == LEASE && strcmp(node_id, "n1") == 0 && f.source[0] != '\0' ? f.source : NULL;
}

int __wrap_gm_remote_urls_read(struct gm_stores *stores, const char *store_url, const char *key,
                               int64_t life_ms, char **out_url, struct gm_err *err);
int __wrap_gm_remote_urls_read(struct gm_stores *stores, const char *store_url, const char *key,
                               int64_t life_ms, char **out_url, struct gm_err *err)
{
    (void)stores;
    (void)store_url;
    (void)life_ms;
    (void)err;
    *out_url = strdup(key);
    return 0;
}

void __wrap_gm_wire_send(struct gm_daemon *d, const char *node_id, Gm__Envelope *envelope);
void __wrap_gm_wire_send(struct gm_daemon *d, const char *node_id, Gm__Envelope *envelope)
{
    const Gm__PartsAnswer *answer = envelope->parts_answer;
    (void)d;
    (void)node_id;
    f.sent++;
    f.request = answer->request;
    f.code = answer->error != NULL ? (int)answer->error->code : 0;
    f.urls = answer->n_urls;
    (void)snprintf(f.etag, sizeof f.etag, "%s", answer->n_urls > 0 ? answer->urls[0]->etag : "");
}

void __wrap_gm_view_arrivals(const struct gm_core *core, gm_view_arrival_fn fn, void *arg);
void __wrap_gm_view_arrivals(const struct gm_core *core, gm_view_arrival_fn fn, void *arg)
{
    (void)core;
    f.looks++;
    if (f.arrival.job_id != NULL) {
        fn(&f.arrival, arg);
    }
}

void __wrap_gm_daemon_tell(struct gm_daemon *d, const struct gm_event *event);
void __wrap_gm_daemon_tell(struct gm_daemon *d, const struct gm_event *event)
{
    (void)d;
    assert_int_equal(event->type, GM_EV_ARRIVED);
    assert_string_equal(event->job_id, "job");
    f.arrived++;
    (void)snprintf(f.etag, sizeof f.etag, "%s", event->etag);
}

static int setup(void **state)
{
    struct gm_err err;
    (void)state;
    memset(&f, 0, sizeof f);
    scratch_make(&f.scratch);
    f.unix_ms = INT64_C(1763000000000);
    f.leads = true;
    assert_int_equal(gm_store_url(scratch_path(&f.scratch, "in"), &f.settings.uploads, &err), 0);
    f.settings.upload_keep_hours = 24;
    f.settings.upload_idle_ms = HOUR;
    f.settings.upload_max_bytes = 1000000;
    f.settings.max_uploads = 3;
    f.d.settings = &f.settings;
    f.place = (struct gm_uploads_place){NULL, f.settings.uploads};
    assert_int_equal(gm_store_open(f.settings.uploads, true, &f.store, &err), 0);
    return gm_upload_desk_create(&f.d, &f.d.uploads, &err);
}

static int teardown(void **state)
{
    (void)state;
    gm_upload_desk_destroy(&f.d.uploads);
    gm_store_close(&f.store);
    free(f.settings.uploads);
    scratch_remove(&f.scratch);
    return 0;
}

static void put(const char *key, const char *text)
{
    struct gm_err err;
    assert_int_equal(gm_store_put_bytes(f.store, key, text, strlen(text), &err), 0);
}

static bool is_there(const char *key)
{
    struct gm_store_stat stat;
    struct gm_err err;
    return gm_store_head(f.store, key, &stat, &err) == 0;
}

/* One of two parts of three bytes, begun in the bucket; as it was told to who began it. */
static struct gm_upload *begin(const char *body)
{
    const struct gm_upload_limits limits = {1000000, 24 * HOUR, HOUR};
    char id[GM_ID_SIZE], key[GM_UPLOAD_KEY_SIZE], *text = NULL;
    struct gm_upload *u = NULL;
    struct gm_err err;
    json_t *j = json_loads(body, 0, NULL);
    assert_int_equal(gm_id_make(id, &err), 0);
    assert_int_equal(gm_upload_announced(j, id, &limits, f.unix_ms, &u, NULL, &err), 0);
    assert_int_equal(gm_upload_info_text(u, &text, &err), 0);
    gm_upload_info_key(id, key);
    put(key, text);
    free(text);
    json_decref(j);
    return u;
}

static struct gm_upload *begin_two(void)
{
    return begin("{\"name\":\"a\",\"size\":6,\"part_size\":3}");
}

static void put_part(const struct gm_upload *u, uint32_t index, const uint8_t *sha256)
{
    struct gm_upload named = *u;
    struct gm_upload_part parts[2] = {{.size = 3}, {.size = 3}};
    char key[GM_UPLOAD_KEY_SIZE];
    named.parts = parts;
    memcpy(parts[index].sha256, sha256, GM_SHA256_SIZE);
    gm_upload_part_key(&named, index, key);
    put(key, "abc");
}

/* The list at the start, or a sweep. */
static void sweep(void)
{
    gm_upload_sweep_start(f.d.uploads);
    assert_false(f.d.uploads->working);
}

static const struct gm_upload *known(const struct gm_upload *u)
{
    return gm_uploads_find(&f.d.uploads->table, u->id);
}

static bool is_in_bucket(const struct gm_upload *u)
{
    char key[GM_UPLOAD_KEY_SIZE];
    gm_upload_info_key(u->id, key);
    return is_there(key);
}

static void what_is_old_goes_but_not_under_a_job(void **state)
{
    struct gm_upload *u = begin_two();
    (void)state;
    put_part(u, 0, HASH);
    sweep();
    assert_int_equal(known(u)->there, 1);
    f.unix_ms += 24 * HOUR - 1;
    sweep();
    assert_true(is_in_bucket(u));
    f.unix_ms += 1;
    f.reads = true;
    sweep();
    assert_true(is_in_bucket(u) && known(u) != NULL);
    f.reads = false;
    sweep();
    assert_false(is_in_bucket(u));
    assert_null(known(u));
    gm_upload_destroy(&u);
}

static void nothing_goes_while_another_leads(void **state)
{
    struct gm_upload *u = begin_two();
    (void)state;
    sweep();
    f.unix_ms += 25 * HOUR;
    f.leads = false;
    sweep();
    assert_true(is_in_bucket(u));
    assert_true(known(u)->leaving); /* nobody begins to read it */
    f.leads = true;
    sweep();
    assert_false(is_in_bucket(u));
    assert_null(known(u));
    gm_upload_destroy(&u);
}

static void parts_without_an_upload_go_when_nobody_can_know_it(void **state)
{
    struct gm_upload *gone = begin_two(), *lagging = NULL;
    char info[GM_UPLOAD_KEY_SIZE], part[GM_UPLOAD_KEY_SIZE];
    struct gm_err err;
    (void)state;
    put_part(gone, 1, HASH);
    memcpy(gone->parts[1].sha256, HASH, sizeof HASH);
    gm_upload_part_key(gone, 1, part);
    gm_upload_info_key(gone->id, info);
    assert_int_equal(gm_store_delete(f.store, info, &err), 0);
    lagging = begin_two();
    put_part(lagging, 1, HASH);
    sweep();
    sweep();
    assert_true(is_there(part)); /* somebody may just be beginning it */
    gm_upload_info_key(lagging->id, info);
    assert_int_equal(gm_store_delete(f.store, info, &err), 0); /* as if the list lacked it */
    f.unix_ms += 2 * HOUR;
    sweep();
    assert_false(is_there(part));
    memcpy(lagging->parts[1].sha256, HASH, sizeof HASH);
    gm_upload_part_key(lagging, 1, part);
    assert_true(is_there(part)); /* the table knows it */
    gm_upload_destroy(&gone);
    gm_upload_destroy(&lagging);
}

static void what_was_begun_without_an_answer_is_found(void **state)
{
    struct gm_upload *u = NULL;
    (void)state;
    sweep();
    u = begin_two();
    sweep();
    assert_null(known(u)); /* its beginning may be under way */
    f.unix_ms += HOUR + 1;
    sweep();
    assert_non_null(known(u));
    f.unix_ms += 24 * HOUR;
    sweep();
    assert_false(is_in_bucket(u));
    gm_upload_destroy(&u);
}

static void a_manifest_says_whose_bytes_count(void **state)
{
    struct gm_upload *u = begin_two();
    char key[GM_UPLOAD_KEY_SIZE], *text = NULL;
    struct gm_err err;
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        put_part(u, i, HASH);
        put_part(u, i, OTHER); /* which the list has first */
        assert_true(gm_upload_note(u, i, HASH, 3, f.unix_ms));
    }
    assert_int_equal(gm_upload_manifest_text(u, f.unix_ms, &text, &err), 0);
    gm_upload_manifest_key(u->id, key);
    put(key, text);
    free(text);
    sweep();
    assert_true(known(u)->complete);
    assert_memory_equal(known(u)->parts[0].sha256, HASH, sizeof HASH);
    gm_upload_destroy(&u);
}

static void ask(const struct gm_upload *u, const char *node, uint64_t request)
{
    uint32_t parts[] = {0, 1};
    Gm__PartsAsk msg = GM__PARTS_ASK__INIT;
    msg.epoch = LEASE;
    msg.request = request;
    msg.parts = parts;
    msg.n_parts = u->count;
    (void)snprintf(f.source, sizeof f.source, GM_PARTS_URL "%s", u->id);
    gm_upload_desk_ask(&f.d, node, &msg);
}

static void check_sent(int sent, uint64_t request, int code, size_t urls)
{
    assert_int_equal(f.sent, sent);
    assert_int_equal(f.request, request);
    assert_int_equal(f.code, code);
    assert_int_equal(f.urls, urls);
}

static void who_asks_gets_what_comes(void **state)
{
    struct gm_upload *u = begin_two();
    (void)state;
    put_part(u, 0, HASH);
    ask(u, "n1", 1); /* before the bucket was listed */
    assert_int_equal(f.sent, 0);
    sweep();
    check_sent(1, 1, 0, 1);
    put_part(u, 1, HASH); /* nobody tells */
    sweep();
    check_sent(2, 1, 0, 1);
    assert_null(f.d.uploads->waits);
    gm_upload_destroy(&u);
}

static void who_waits_hears_of_the_end(void **state)
{
    struct gm_upload *u = begin_two();
    (void)state;
    sweep();
    ask(u, "n1", 1);
    ask(u, "n1", 1); /* takes the place of the first */
    gm_upload_desk_drop_lease(f.d.uploads, LEASE + 1);
    assert_non_null(f.d.uploads->waits);
    gm_upload_desk_drop_lease(f.d.uploads, LEASE);
    assert_null(f.d.uploads->waits);
    ask(u, "n1", 2);
    f.unix_ms += HOUR + 1;
    gm_upload_desk_tick(f.d.uploads, gm_time_now());
    check_sent(1, 2, GM_E_UPLOAD_ENDED, 0);
    gm_uploads_find(&f.d.uploads->table, u->id)->changed_unix_ms = f.unix_ms; /* it goes on */
    ask(u, "n1", 3);
    gm_uploads_find(&f.d.uploads->table, u->id)->leaving = true;
    gm_upload_desk_changed(f.d.uploads, u->id);
    check_sent(2, 3, GM_E_UPLOAD_ENDED, 0);
    ask(u, "n2", 4); /* it has no such lease */
    check_sent(3, 4, GM_E_STALE, 0);
    gm_upload_destroy(&u);
}

static void a_bucket_that_is_away_is_waited_for_a_while(void **state)
{
    struct gm_upload *u = begin_two();
    gm_time now = gm_time_now();
    (void)state;
    f.leads = true;
    ask(u, "n1", 1);
    scratch_remove(&f.scratch);
    sweep();
    assert_false(f.d.uploads->known);
    f.d.uploads->next_try = INT64_MAX;
    gm_upload_desk_tick(f.d.uploads, now + 290 * GM_SEC);
    assert_int_equal(f.sent, 0);
    gm_upload_desk_tick(f.d.uploads, now + 301 * GM_SEC);
    assert_int_equal(f.sent, 1);
    assert_int_not_equal(f.code, 0);
    scratch_make(&f.scratch);
    gm_upload_destroy(&u);
}

static void a_whole_one_is_read_as_it_was_seen(void **state)
{
    struct gm_upload *u = begin("{\"name\":\"a\",\"size\":3,\"whole\":true}"), *k = NULL;
    char key[GM_UPLOAD_KEY_SIZE];
    (void)state;
    gm_upload_whole_key(u->id, key);
    sweep();
    put(key, "abc");
    sweep();
    k = gm_uploads_find(&f.d.uploads->table, u->id);
    assert_int_equal(k->there, 1);
    (void)snprintf(k->etag, sizeof k->etag, "\"1\""); /* folders have none */
    ask(u, "n1", 1);
    check_sent(1, 1, 0, 1);
    assert_string_equal(f.etag, "\"1\"");
    assert_true(k->read);
    gm_upload_destroy(&u);
}

/* Who read it before this scheduler began is not told in the bucket. */
static void a_whole_one_that_jobs_may_have_read_takes_no_other_bytes(void **state)
{
    struct gm_upload *u = begin("{\"name\":\"a\",\"size\":3,\"whole\":true}"), *k = NULL;
    char key[GM_UPLOAD_KEY_SIZE], source[64];
    struct gm_err err;
    (void)state;
    gm_upload_whole_key(u->id, key);
    put(key, "abc");
    f.reads = true;
    sweep();
    k = gm_uploads_find(&f.d.uploads->table, u->id);
    (void)snprintf(k->etag, sizeof k->etag, "\"1\"");
    assert_int_equal(gm_upload_tag(k, "\"2\"", &err), -GM_E_CONFLICT);
    (void)snprintf(source, sizeof source, "upload:%s", u->id);
    f.arrival = (struct gm_arrival_view){.job_id = "job", .source_url = source, .begin = true};
    gm_upload_arrivals_tick(&f.d, GM_SEC); /* and its jobs hear which those are */
    assert_int_equal(f.arrived, 1);
    assert_string_equal(f.etag, "\"1\"");
    gm_upload_destroy(&u);
}

static void idle_ones_leave_room_for_others(void **state)
{
    struct gm_upload *list[4];
    struct gm_err err;
    (void)state;
    for (int i = 0; i < 3; i++) {
        list[i] = begin_two();
    }
    sweep();
    assert_int_equal(gm_upload_desk_begin(f.d.uploads, "", &err), -GM_E_BUSY);
    f.unix_ms += HOUR + 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gm_upload_desk_begin(f.d.uploads, "", &err), 0);
    }
    assert_int_equal(gm_upload_desk_begin(f.d.uploads, "", &err), -GM_E_BUSY);
    for (int i = 0; i < 3; i++) {
        gm_upload_desk_began(f.d.uploads, "");
        gm_upload_destroy(&list[i]);
    }
}

static void a_tenant_may_have_so_many(void **state)
{
    struct gm_tenant_params lines[] = {{.name = "a", .max_uploads = 1},
                                       {.name = "b"},
                                       {.name = GM_TENANT_OTHERS, .max_uploads = 1}};
    struct gm_upload *u = begin("{\"name\":\"a\",\"size\":3,\"part_size\":3,\"tenant\":\"a\"}");
    struct gm_err err;
    (void)state;
    f.settings.max_uploads = 100;
    f.settings.tenant_list = lines;
    f.settings.tenant_count = 3;
    sweep();
    assert_int_equal(gm_upload_desk_begin(f.d.uploads, "a", &err), -GM_E_BUSY);
    assert_non_null(strstr(err.text, "tenant a has 1 uploads under way"));
    for (int i = 0; i < 3; i++) { /* its line says nothing of it */
        assert_int_equal(gm_upload_desk_begin(f.d.uploads, "b", &err), 0);
    }
    assert_int_equal(gm_upload_desk_begin(f.d.uploads, "", &err), 0);
    assert_int_equal(gm_upload_desk_begin(f.d.uploads, "default", &err), -GM_E_BUSY);
    gm_upload_desk_began(f.d.uploads, "");
    assert_int_equal(gm_upload_desk_begin(f.d.uploads, "default", &err), 0);
    f.unix_ms += HOUR + 1;
    assert_int_equal(gm_upload_desk_begin(f.d.uploads, "a", &err), 0); /* the other one is idle */
    gm_upload_destroy(&u);
    f.settings.tenant_list = NULL;
}

static bool goes_on(void)
{
    int before = f.arrived;
    gm_upload_arrivals_tick(&f.d, f.now += GM_SEC);
    return f.arrived > before;
}

static void jobs_go_on_when_what_they_wait_for_is_there_or_never_comes(void **state)
{
    struct gm_upload *told = begin("{\"name\":\"a\",\"size\":120,\"part_size\":3}");
    char source[64];
    (void)state;
    (void)snprintf(source, sizeof source, "upload:%s", told->id);
    f.arrival = (struct gm_arrival_view){.job_id = "job", .source_url = source, .part = 16};
    assert_false(goes_on()); /* the bucket is not known */
    sweep();
    struct gm_upload *u = gm_uploads_find(&f.d.uploads->table, told->id);
    assert_false(goes_on());
    for (uint32_t i = 16; i < 19; i++) { /* and two more: it begins anew */
        assert_false(goes_on());
        assert_true(gm_upload_note(u, i, HASH, 3, f.unix_ms));
    }
    assert_true(goes_on());
    f.arrival.part = 38; /* there are not as many more */
    assert_true(gm_upload_note(u, 38, HASH, 3, f.unix_ms));
    assert_true(gm_upload_note(u, 39, HASH, 3, f.unix_ms));
    assert_true(goes_on());
    f.arrival.part = 5;
    assert_false(goes_on());
    u->leaving = true;
    assert_true(goes_on());
    u->leaving = false;
    f.unix_ms += HOUR + 1; /* it is idle */
    assert_true(goes_on());
    gm_upload_destroy(&told);
}

static void who_waits_is_looked_for_when_something_came(void **state)
{
    (void)state;
    sweep();
    gm_upload_arrivals_tick(&f.d, GM_SEC);
    gm_upload_arrivals_tick(&f.d, GM_SEC + 1);
    assert_int_equal(f.looks, 1);
    gm_upload_desk_changed(f.d.uploads, "any");
    gm_upload_arrivals_tick(&f.d, GM_SEC + 2);
    assert_int_equal(f.looks, 2);
    struct gm_upload_desk *desk = f.d.uploads;
    f.d.uploads = NULL; /* uploads are off: nobody waits */
    f.arrival = (struct gm_arrival_view){.job_id = "job", .source_url = "upload:x", .begin = true};
    assert_true(goes_on());
    f.d.uploads = desk;
}

static void inspection_waits_for_both_ends_or_for_all_of_what_is_short(void **state)
{
    struct gm_upload_part parts[5];
    struct gm_upload u = {.parts = parts, .count = 5};
    const uint64_t mib = 1 << 20;
    (void)state;
    for (uint64_t each = 3; each <= 4; each++) { /* 15 and 20 MiB */
        memset(parts, 0, sizeof parts);
        for (int i = 0; i < 5; i++) {
            parts[i].size = each * mib;
            parts[i].there = i != 2;
        }
        u.size = 5 * each * mib;
        assert_int_equal(gm_upload_has_ends(&u), each == 4);
        parts[2].there = true;
        assert_true(gm_upload_has_ends(&u));
        parts[3].there = false; /* of the last 6 MiB */
        assert_false(gm_upload_has_ends(&u));
        parts[3].there = true;
        parts[1].there = false;
        assert_false(gm_upload_has_ends(&u));
    }
    parts[0].there = false;
    u = (struct gm_upload){.parts = parts, .count = 1, .size = 100 * mib, .whole = true};
    assert_false(gm_upload_has_ends(&u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_old_goes_but_not_under_a_job, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_goes_while_another_leads, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_without_an_upload_go_when_nobody_can_know_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_begun_without_an_answer_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_manifest_says_whose_bytes_count, setup, teardown),
        cmocka_unit_test_setup_teardown(who_asks_gets_what_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_hears_of_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bucket_that_is_away_is_waited_for_a_while, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_whole_one_is_read_as_it_was_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_whole_one_that_jobs_may_have_read_takes_no_other_bytes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(idle_ones_leave_room_for_others, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tenant_may_have_so_many, setup, teardown),
        cmocka_unit_test_setup_teardown(jobs_go_on_when_what_they_wait_for_is_there_or_never_comes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_is_looked_for_when_something_came, setup,
                                        teardown),
        cmocka_unit_test(inspection_waits_for_both_ends_or_for_all_of_what_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
