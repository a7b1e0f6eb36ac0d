/* Sources of parts: what their sizes, a PartsAsk and a PartsAnswer may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/check.h"
#include "proto/parts.h"
#include "proto/samples.h"

static int check_runs(uint32_t count, uint64_t each, uint64_t size, uint32_t *out)
{
    Gm__PartRun run[] = {GM__PART_RUN__INIT, GM__PART_RUN__INIT};
    Gm__PartRun *runs[] = {&run[0], &run[1]};
    struct gm_err err;
    run[0].count = count;
    run[0].size = each;
    run[1].count = 1;
    run[1].size = 7;
    return gm_parts_check(2, runs, size, out, &err);
}

static void parts_give_the_size(void **state)
{
    uint32_t parts = 0;
    struct gm_err err;
    (void)state;
    assert_int_equal(check_runs(3, 100, 307, &parts), 0);
    assert_int_equal(parts, 4);
    assert_int_equal(check_runs(3, 100, 308, NULL), -GM_E_PROTO);
    assert_int_equal(check_runs(0, 100, 7, NULL), -GM_E_PROTO);
    assert_int_equal(check_runs(1, 0, 7, NULL), -GM_E_PROTO);
    assert_int_equal(
        check_runs(GM_PARTS_MAX - 1, GM_PARTS_SIZE_MAX, 9999 * GM_PARTS_SIZE_MAX + 7, NULL), 0);
    assert_int_equal(check_runs(GM_PARTS_MAX, 1, GM_PARTS_MAX + 7, NULL), -GM_E_PROTO);
    assert_int_equal(check_runs(UINT32_MAX, 1, (uint64_t)UINT32_MAX + 7, NULL), -GM_E_PROTO);
    assert_int_equal(check_runs(1, GM_PARTS_SIZE_MAX + 1, GM_PARTS_SIZE_MAX + 8, NULL),
                     -GM_E_PROTO);
    assert_int_equal(gm_parts_check(0, NULL, 0, NULL, &err), -GM_E_PROTO);
}

static void an_upload_is_named_by_its_id(void **state)
{
    const char *id = NULL;
    (void)state;
    assert_true(gm_parts_is_url("upload:01jd3q7z0v8x5k2m4n6p8r0t2w", &id));
    assert_string_equal(id, "01jd3q7z0v8x5k2m4n6p8r0t2w");
    assert_false(gm_parts_is_url("upload:01jd3q7z0v8x5k2m4n6p8r0t2w/", NULL));
    assert_false(gm_parts_is_url("upload:../../x", NULL));
    assert_false(gm_parts_is_url("file:///01jd3q7z0v8x5k2m4n6p8r0t2w", NULL));
}

static int check_assigned(Gm__ObjectStore store, uint64_t size)
{
    Gm__Envelope *env = sample_assign();
    Gm__Object source = GM__OBJECT__INIT;
    Gm__PartRun run = GM__PART_RUN__INIT, *runs[] = {&run};
    struct gm_err err;
    run.count = 2;
    run.size = 10;
    source.store = store;
    source.key = (char *)"source";
    source.size = size;
    source.sha256 = sample_object()->sha256;
    source.parts = runs;
    source.n_parts = 1;
    env->version = GM_PROTOCOL_VERSION;
    env->assign->spec->source = &source;
    int rc = gm_check_envelope(env, &err);
    env->assign->spec->source = NULL;
    return rc;
}

static void a_source_of_parts_is_looked_at(void **state)
{
    Gm__PartRun run = GM__PART_RUN__INIT, *runs[] = {&run};
    Gm__Envelope *env = sample_assign();
    Gm__Object *input = env->assign->spec->inputs[0]->item->objects[0];
    struct gm_err err;
    (void)state;
    assert_int_equal(check_assigned(GM__OBJECT_STORE__STORE_SOURCE, 20), 0);
    assert_int_equal(check_assigned(GM__OBJECT_STORE__STORE_SOURCE, 21), -GM_E_PROTO);
    assert_int_equal(check_assigned(GM__OBJECT_STORE__STORE_WORK, 20), -GM_E_PROTO);
    env->version = GM_PROTOCOL_VERSION;
    assert_int_equal(gm_check_envelope(env, &err), 0);
    input->parts = runs;
    input->n_parts = 1;
    assert_int_equal(gm_check_envelope(env, &err), -GM_E_PROTO);
}

static void an_ask_names_parts_once(void **state)
{
    uint32_t parts[GM_PARTS_ASK_MAX + 1];
    Gm__PartsAsk ask = GM__PARTS_ASK__INIT;
    struct gm_err err;
    (void)state;
    for (uint32_t i = 0; i <= GM_PARTS_ASK_MAX; i++) {
        parts[i] = 9999 - i;
    }
    ask.parts = parts;
    assert_int_equal(gm_check_parts_ask(&ask, &err), -GM_E_PROTO);
    ask.n_parts = GM_PARTS_ASK_MAX;
    assert_int_equal(gm_check_parts_ask(&ask, &err), 0);
    ask.n_parts++;
    assert_int_equal(gm_check_parts_ask(&ask, &err), -GM_E_PROTO);
    ask.n_parts = 2;
    parts[1] = parts[0];
    assert_int_equal(gm_check_parts_ask(&ask, &err), -GM_E_PROTO);
    parts[1] = GM_PARTS_MAX;
    assert_int_equal(gm_check_parts_ask(&ask, &err), -GM_E_PROTO);
}

static void an_answer_has_urls_or_an_error(void **state)
{
    Gm__PartUrl url[] = {GM__PART_URL__INIT, GM__PART_URL__INIT}, *urls[] = {&url[0], &url[1]};
    Gm__Error error = GM__ERROR__INIT;
    Gm__PartsAnswer answer = GM__PARTS_ANSWER__INIT;
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_check_parts_answer(&answer, &err), -GM_E_PROTO);
    answer.error = &error;
    assert_int_equal(gm_check_parts_answer(&answer, &err), 0);
    url[0].url = url[1].url = (char *)"https://s3.example/p";
    url[1].index = 9999;
    answer.urls = urls;
    answer.n_urls = 2;
    assert_int_equal(gm_check_parts_answer(&answer, &err), -GM_E_PROTO);
    answer.error = NULL;
    assert_int_equal(gm_check_parts_answer(&answer, &err), 0);
    url[1].index = 0;
    assert_int_equal(gm_check_parts_answer(&answer, &err), -GM_E_PROTO);
    url[1].index = 1;
    url[1].url = (char *)"";
    assert_int_equal(gm_check_parts_answer(&answer, &err), -GM_E_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_give_the_size),
        cmocka_unit_test(an_upload_is_named_by_its_id),
        cmocka_unit_test(a_source_of_parts_is_looked_at),
        cmocka_unit_test(an_ask_names_parts_once),
        cmocka_unit_test(an_answer_has_urls_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
