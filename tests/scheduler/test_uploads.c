/* Uploads: what is announced, which parts there are, when they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/uploads_doc.h"

#define ID "01jd3q7z0v8x5k2m4n6p8r0t2w"
#define NOW INT64_C(1763000000000)
#define HOUR INT64_C(3600000)

static const struct gm_upload_limits LIMITS = {
    .max_bytes = 1000000, .keep_ms = 24 * HOUR, .idle_ms = HOUR};
static const uint8_t A[GM_SHA256_SIZE] = {0xab, 0x01}, B[GM_SHA256_SIZE] = {2};

/* The code of the refusal, or 0 and *out. */
static int announce(const char *text, struct gm_upload **out)
{
    struct gm_err err = {0};
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    int rc = gm_upload_announced(body, ID, &LIMITS, NOW, out, NULL, &err);
    json_decref(body);
    return rc;
}

static struct gm_upload *three_parts(void)
{
    struct gm_upload *u = NULL;
    assert_int_equal(announce("{\"name\":\"a.mp4\",\"size\":25,\"part_size\":10}", &u), 0);
    return u;
}

static void sizes_are_announced(void **state)
{
    static const struct {
        const char *text;
        int rc;
        uint32_t count;
    } rows[] = {
        {"{\"name\":\"a\",\"size\":6,\"part_sizes\":[1,2,3]}", 0, 3},
        {"{\"name\":\"a\",\"size\":6,\"whole\":true}", 0, 1},
        {"{\"name\":\"a\",\"size\":6,\"part_size\":6}", 0, 1},
        {"{\"name\":\"a\",\"size\":6,\"part_sizes\":[1,2]}", -GM_E_INVAL, 0},
        {"{\"name\":\"a\",\"size\":6,\"part_sizes\":[6,0]}", -GM_E_INVAL, 0},
        {"{\"name\":\"a\",\"size\":6,\"part_sizes\":[]}", -GM_E_LIMIT, 0},
        {"{\"name\":\"a\",\"size\":6}", -GM_E_INVAL, 0},
        {"{\"name\":\"a\",\"size\":6,\"part_size\":6,\"whole\":true}", -GM_E_INVAL, 0},
        {"{\"name\":\"a\",\"size\":0,\"whole\":true}", -GM_E_INVAL, 0},
        {"{\"name\":\"a\",\"size\":1000001,\"whole\":true}", -GM_E_LIMIT, 0},
        {"{\"name\":\"a\",\"size\":10001,\"part_size\":1}", -GM_E_LIMIT, 0},
        {"{\"name\":\"../a\",\"size\":6,\"whole\":true}", -GM_E_INVAL, 0},
        {"{\"size\":6,\"whole\":true}", -GM_E_INVAL, 0},
        {"{\"name\":\"a\",\"size\":6,\"whole\":true,\"tenant\":\"a b\"}", -GM_E_INVAL, 0},
        {"{\"name\":\"a\",\"size\":6,\"whole\":true,\"color\":1}", -GM_E_INVAL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_upload *u = NULL;
        assert_int_equal(announce(rows[i].text, &u), rows[i].rc);
        assert_int_equal(u != NULL ? u->count : 0, rows[i].count);
        gm_upload_destroy(&u);
    }
}

static void a_part_has_one_body(void **state)
{
    struct gm_upload *u = three_parts();
    struct gm_err err;
    (void)state;
    assert_int_equal(u->parts[2].size, 5);
    assert_int_equal(gm_upload_name(u, 3, A, &err), -GM_E_INVAL);
    assert_int_equal(gm_upload_name(u, 0, NULL, &err), -GM_E_INVAL);
    assert_int_equal(gm_upload_name(u, 0, A, &err), 0);
    assert_int_equal(gm_upload_name(u, 0, A, &err), 0);
    assert_int_equal(gm_upload_name(u, 0, B, &err), -GM_E_CONFLICT);
    assert_false(gm_upload_note(u, 0, B, 10, NOW));
    assert_false(gm_upload_note(u, 0, A, 9, NOW));
    assert_true(gm_upload_note(u, 0, A, 10, NOW + 5));
    assert_int_equal(u->changed_unix_ms, NOW + 5);
    assert_false(gm_upload_note(u, 0, A, 10, NOW + 6));
    assert_int_equal(gm_upload_name(u, 0, A, &err), 1);
    assert_int_equal(gm_upload_check_all(u, &err), -GM_E_CONFLICT);
    assert_non_null(strstr(err.text, "2 of 3 parts are missing, the first ones: 1-2"));
    assert_true(gm_upload_note(u, 2, B, 5, NOW));
    assert_true(gm_upload_note(u, 1, A, 10, NOW));
    assert_int_equal(gm_upload_check_all(u, &err), 0);
    gm_upload_destroy(&u);
}

static void it_ends_by_the_clock(void **state)
{
    struct gm_upload *u = three_parts();
    (void)state;
    assert_int_equal(gm_upload_state(u, NOW + HOUR, HOUR), GM_UPLOAD_OPEN);
    assert_int_equal(gm_upload_state(u, NOW + HOUR + 1, HOUR), GM_UPLOAD_IDLE);
    assert_int_equal(gm_upload_expires(u, 24 * HOUR), NOW + 24 * HOUR);
    u->changed_unix_ms = NOW + 160 * HOUR;
    assert_int_equal(gm_upload_state(u, NOW + 160 * HOUR, HOUR), GM_UPLOAD_OPEN);
    assert_int_equal(gm_upload_expires(u, 24 * HOUR), NOW + GM_UPLOAD_MAX_AGE_MS);
    u->complete = true;
    assert_int_equal(gm_upload_expires(u, 24 * HOUR), NOW + 184 * HOUR);
    assert_int_equal(gm_upload_state(u, NOW + 1000 * HOUR, HOUR), GM_UPLOAD_COMPLETE);
    gm_upload_destroy(&u);
}

static void a_whole_one_waits_while_its_url_is_good(void **state)
{
    struct gm_upload *u = NULL;
    (void)state;
    assert_int_equal(announce("{\"name\":\"a\",\"size\":6,\"whole\":true}", &u), 0);
    assert_int_equal(gm_upload_state(u, NOW + 25 * HOUR, HOUR), GM_UPLOAD_OPEN);
    assert_int_equal(gm_upload_state(u, NOW + 25 * HOUR + 1, HOUR), GM_UPLOAD_IDLE);
    gm_upload_destroy(&u);
}

static void keys_are_read_as_written(void **state)
{
    struct gm_upload *u = three_parts();
    struct gm_upload_key read;
    struct gm_err err;
    char key[GM_UPLOAD_KEY_SIZE];
    (void)state;
    assert_int_equal(gm_upload_name(u, 2, A, &err), 0);
    gm_upload_part_key(u, 2, key);
    assert_int_equal(gm_upload_key_read(key, &read), GM_UPLOAD_PART);
    assert_string_equal(read.id, ID);
    assert_int_equal(read.index, 2);
    assert_memory_equal(read.sha256, A, sizeof A);
    key[strlen(key) - 1] = 'g';
    assert_int_equal(gm_upload_key_read(key, &read), GM_UPLOAD_OTHER);
    gm_upload_info_key(ID, key);
    assert_int_equal(gm_upload_key_read(key, &read), GM_UPLOAD_INFO);
    gm_upload_manifest_key(ID, key);
    assert_int_equal(gm_upload_key_read(key, &read), GM_UPLOAD_MANIFEST);
    u->whole = true;
    gm_upload_part_key(u, 0, key);
    assert_int_equal(gm_upload_key_read(key, &read), GM_UPLOAD_WHOLE);
    assert_int_equal(gm_upload_key_read("", &read), GM_UPLOAD_OTHER);
    assert_int_equal(gm_upload_key_read(ID "/", &read), GM_UPLOAD_OTHER);
    assert_int_equal(gm_upload_key_read("jobs/" ID "/upload.json", &read), GM_UPLOAD_OTHER);
    gm_upload_destroy(&u);
}

static void what_lies_in_the_bucket_is_read_back(void **state)
{
    struct gm_upload *u = three_parts(), *back = NULL;
    struct gm_err err;
    char *text = NULL;
    (void)state;
    assert_int_equal(gm_upload_info_text(u, &text, &err), 0);
    assert_int_equal(gm_upload_info_read(text, strlen(text), ID, &back, &err), 0);
    assert_int_equal(back->count, 3);
    assert_int_equal(back->parts[2].size, 5);
    assert_int_equal(back->size, 25);
    assert_int_equal(back->created_unix_ms, NOW);
    assert_string_equal(back->name, "a.mp4");
    gm_upload_destroy(&back);
    for (size_t cut = 0; cut < strlen(text); cut++) {
        assert_int_equal(gm_upload_info_read(text, cut, ID, &back, &err), -GM_E_PROTO);
    }
    free(text);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(gm_upload_note(u, i, A, u->parts[i].size, NOW));
    }
    assert_int_equal(gm_upload_manifest_text(u, NOW, &text, &err), 0);
    gm_upload_destroy(&u);
    u = three_parts();
    assert_int_equal(gm_upload_manifest_read(u, text, strlen(text) - 1), 0);
    assert_false(u->parts[0].named);
    assert_int_equal(gm_upload_manifest_read(u, text, strlen(text)), NOW);
    assert_false(gm_upload_note(u, 0, B, 10, NOW)); /* it says whose bytes count */
    assert_true(gm_upload_note(u, 0, A, 10, NOW));
    u->parts[1].size--;
    assert_int_equal(gm_upload_manifest_read(u, text, strlen(text)), 0);
    free(text);
    gm_upload_destroy(&u);
}

static void a_whole_one_stays_what_jobs_read(void **state)
{
    static const char body[] = "{\"name\":\"a\",\"size\":6,\"whole\":true}";
    struct gm_upload *u = NULL;
    struct gm_err err;
    char *text = NULL;
    (void)state;
    assert_int_equal(announce(body, &u), 0);
    assert_int_equal(gm_upload_tag(u, "\"1\"", &err), 0);
    assert_int_equal(gm_upload_tag(u, "\"2\"", &err), 0); /* put once more before anybody read */
    u->read = true;
    assert_int_equal(gm_upload_tag(u, "\"2\"", &err), 0);
    assert_int_equal(gm_upload_tag(u, "\"3\"", &err), -GM_E_CONFLICT);
    assert_int_equal(gm_upload_manifest_text(u, NOW, &text, &err), 0);
    gm_upload_destroy(&u);
    assert_int_equal(announce(body, &u), 0);
    assert_int_equal(gm_upload_manifest_read(u, text, strlen(text)), NOW);
    assert_string_equal(u->etag, "\"2\"");
    free(text);
    gm_upload_destroy(&u);
}

static void runs_give_the_parts(void **state)
{
    struct gm_upload *u = three_parts();
    Gm__PartRun *runs = NULL, **list = NULL;
    size_t count = 0;
    uint32_t parts = 0;
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_upload_runs(u, &runs, &list, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(gm_parts_check(count, list, 25, &parts, &err), 0);
    assert_int_equal(parts, 3);
    free(runs);
    free(list);
    gm_upload_destroy(&u);
}

static void it_is_told(void **state)
{
    struct gm_upload *u = three_parts();
    (void)state;
    assert_true(gm_upload_note(u, 0, A, 10, NOW) && gm_upload_note(u, 2, B, 5, NOW));
    json_t *doc = gm_upload_doc(u, &LIMITS, NOW, true);
    json_t *there = json_loads("[[0, 0], [2, 2]]", 0, NULL);
    assert_true(json_equal(json_object_get(doc, "there"), there));
    assert_int_equal(json_array_size(json_object_get(doc, "hashes")), 2);
    assert_string_equal(json_string_value(json_object_get(doc, "source")), "upload:" ID);
    assert_string_equal(json_string_value(json_object_get(doc, "state")), "open");
    json_decref(there);
    json_decref(doc);
    gm_upload_destroy(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_announced),
        cmocka_unit_test(a_part_has_one_body),
        cmocka_unit_test(it_ends_by_the_clock),
        cmocka_unit_test(a_whole_one_waits_while_its_url_is_good),
        cmocka_unit_test(keys_are_read_as_written),
        cmocka_unit_test(what_lies_in_the_bucket_is_read_back),
        cmocka_unit_test(a_whole_one_stays_what_jobs_read),
        cmocka_unit_test(runs_give_the_parts),
        cmocka_unit_test(it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
