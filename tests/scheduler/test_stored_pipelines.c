#include <sqlite3.h>

#include "scheduler/core/mem.h"
#include "scheduler/pipeline/pipeline.h"
#include "scheduler/stored_pipelines.h"
#include "tests/scheduler/farm.h"

#define YAML(name, more)                                                                           \
    "name: " name                                                                                  \
    "\ndescription: d\ntasks:\n  i: {type: inspect}\n  p: {type: plan, needs: [i]}\n"              \
    "  s: {type: split, needs: [p]}\n  v: {type: encode, needs: [s]" more "}\n"                    \
    "  k: {type: package, needs: [v]}\n"
#define JSON(name, more, assets)                                                                   \
    "{\"yaml\":\"name: " name "\\ntasks:\\n  i: {type: inspect}\\n"                                \
    "  p: {type: plan, needs: [i]}\\n  s: {type: split, needs: [p]}\\n"                            \
    "  v: {type: encode, needs: [s]" more "}\\n  k: {type: package, needs: [v]}\\n\"" assets "}"
#define MARK ", watermark: {image: l.png}"
#define PICTURE ",\"assets\":{\"l.png\":\"/9j/wAALCAABAQABAREA\"}" /* a JPEG's header */

/* The status; *out: the answer, owned. type: NULL: JSON. */
static int put(const struct farm *f, const char *name, const char *type, const char *body,
               json_t **out)
{
    char request[4096], *answer = NULL;
    int n = snprintf(request, sizeof request,
                     "PUT /v1/pipelines/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                     name, type != NULL ? type : "application/json", strlen(body), body);
    int status = farm_raw(f, request, (size_t)n, &answer);
    *out = json_loads(answer, 0, NULL);
    assert_non_null(*out);
    free(answer);
    return status;
}

/* at: of the problem, or NULL: it has none. */
static void refused(const struct farm *f, const char *name, const char *type, const char *body,
                    int status, const char *code, const char *at)
{
    json_t *j = NULL;
    int got = put(f, name, type, body, &j);
    const char *said = json_string_value(json_object_get(j, "at"));
    if (got != status || strcmp(json_string_value(json_object_get(j, "code")), code) != 0 ||
        (said == NULL) != (at == NULL) || (at != NULL && strcmp(said, at) != 0)) {
        char *text = json_dumps(j, 0);
        fail_msg("%s: %d %s", body, got, text);
    }
    json_decref(j);
}

/* 's': stored, 'f': of a folder, 'e': with an error; 0: not listed. */
static char listed(const struct farm *f, const char *name)
{
    json_t *j = NULL;
    const json_t *p;
    size_t i;
    char is = 0;
    assert_int_equal(farm_call(f, "GET", "/v1/pipelines", NULL, &j), 200);
    json_array_foreach(json_object_get(j, "pipelines"), i, p)
    {
        if (strcmp(json_string_value(json_object_get(p, "name")), name) == 0) {
            assert_int_equal(is, 0);
            is = json_object_get(p, "error") != NULL          ? 'e'
                 : json_is_true(json_object_get(p, "stored")) ? 's'
                                                              : 'f';
        }
    }
    json_decref(j);
    return is;
}

static int plan(const struct farm *f, const char *pipeline, const char *code)
{
    char body[1400];
    json_t *j = NULL;
    (void)snprintf(body, sizeof body, "{\"pipeline\":\"%s\",\"source\":\"%s\",\"plan_only\":true}",
                   pipeline, f->source);
    int status = farm_call(f, "POST", "/v1/jobs", body, &j);
    if (code != NULL) {
        assert_string_equal(json_string_value(json_object_get(j, "code")), code);
    }
    json_decref(j);
    return status;
}

static void they_are_stored_and_found_over_a_kill(void **state)
{
    struct farm f;
    json_t *j = NULL;
    farm_start(&f, *state);
    assert_int_equal(plan(&f, "mine", "api.not_found"), 404);
    assert_int_equal(put(&f, "mine", "application/yaml; charset=utf-8", YAML("mine", ""), &j), 201);
    assert_true(json_is_true(json_object_get(j, "stored")));
    assert_string_equal(json_string_value(json_object_get(j, "yaml")), YAML("mine", ""));
    json_decref(j);
    assert_int_equal(plan(&f, "mine", NULL), 201);
    assert_int_equal(put(&f, "marked", NULL, JSON("marked", MARK, PICTURE), &j), 201);
    json_decref(j);
    assert_int_equal(put(&f, "mine", "text/yaml", YAML("mine", ", crf: 30"), &j), 200);
    json_decref(j);
    farm_kill(&f);
    farm_start(&f, *state);
    assert_int_equal(listed(&f, "mine"), 's');
    assert_int_equal(listed(&f, "marked"), 's');
    assert_int_equal(listed(&f, "vod-h264"), 'f');
    assert_int_equal(farm_call(&f, "GET", "/v1/pipelines/mine", NULL, &j), 200);
    assert_string_equal(json_string_value(json_object_get(j, "yaml")), YAML("mine", ", crf: 30"));
    assert_true(json_is_true(json_object_get(j, "stored")));
    json_decref(j);
    assert_int_equal(plan(&f, "marked", NULL), 201); /* with its image */
    farm_expect(&f, "DELETE", "/v1/pipelines/mine", NULL, 200, NULL);
    farm_expect(&f, "DELETE", "/v1/pipelines/mine", NULL, 404, "api.not_found");
    farm_expect(&f, "DELETE", "/v1/pipelines/vod-h264", NULL, 404, "api.not_found");
    farm_kill(&f);
    farm_start(&f, *state);
    assert_int_equal(listed(&f, "mine"), 0);
    assert_int_equal(plan(&f, "mine", "api.not_found"), 404);
    assert_int_equal(listed(&f, "marked"), 's');
    farm_stop(&f);
}

static void wrong_ones_are_refused(void **state)
{
    struct farm f;
    farm_start(&f, *state);
    refused(&f, "x", "application/yaml", YAML("x", ", crf: 99"), 400, "config.invalid", NULL);
    refused(&f, "x", NULL, JSON("x", ", crf: 99", ""), 400, "config.invalid", "/yaml");
    refused(&f, "y", NULL, JSON("x", "", ""), 400, "config.invalid", "/yaml");
    refused(&f, "y", "application/yaml", YAML("x", ""), 400, "config.invalid", NULL);
    refused(&f, "x", "application/yaml", "", 400, "config.invalid", NULL);
    refused(&f, "x", "application/yaml", "name: \xff", 400, "config.invalid", NULL);
    refused(&f, "x", NULL, YAML("x", ""), 400, "usage.invalid", NULL);
    refused(&f, "x", NULL, JSON("x", "", ",\"why\":1"), 400, "usage.invalid", "/why");
    refused(&f, "x", NULL, JSON("x", MARK, ""), 400, "config.invalid", "/assets");
    refused(&f, "x", NULL, JSON("x", MARK, ",\"assets\":{\"l.png\":\"aGVsbG8=\"}"), 422,
            "pipeline.bad_image", "/assets");
    refused(&f, "vod-h264", NULL, JSON("vod-h264", "", ""), 409, "api.conflict", NULL);
    assert_int_equal(listed(&f, "x"), 0);
    farm_expect(&f, "PUT", "/v1/pipelines/X", "{}", 404, "api.not_found");
    farm_expect(&f, "PUT", "/v1/pipelines", "{}", 405, "usage.invalid");
    farm_expect(&f, "DELETE", "/v1/pipelines/x", "{\"a\":1}", 400, "usage.invalid");
    farm_stop(&f);
}

/* What the store has is not trusted. */
static void bad_rows_are_passed_over(void **state)
{
    static const char spoil[] = "UPDATE named SET body = x'ff' WHERE name = 'pipeline/broken'";
    struct farm f;
    json_t *j = NULL;
    sqlite3 *db = NULL;
    char path[512];
    farm_start(&f, *state);
    assert_int_equal(put(&f, "mine", "application/yaml", YAML("mine", ""), &j), 201);
    json_decref(j);
    assert_int_equal(put(&f, "broken", "application/yaml", YAML("broken", ""), &j), 201);
    json_decref(j);
    farm_stop(&f);
    path_in(path, f.folder, "s/state.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, spoil, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    (void)sqlite3_close(db);
    farm_start(&f, *state);
    assert_int_equal(listed(&f, "broken"), 0);
    assert_int_equal(listed(&f, "mine"), 's');
    farm_stop(&f);
}

static int append(const char *name, void *arg)
{
    (void)strcat(strcat(arg, name), " ");
    return 0;
}

static void load(struct gm_stored_pipelines *stored, const char *name, const char *yaml)
{
    char key_name[128];
    struct gm_key key = {.kind = GM_ROW_NODE, .name = key_name};
    Gm__NodeRow node = GM__NODE_ROW__INIT;
    Gm__PipelineRow row = GM__PIPELINE_ROW__INIT;
    size_t size = 0;
    (void)snprintf(key_name, sizeof key_name, GM_STORED_PIPELINE_KEY "%s", name);
    node.node_id = key_name;
    node.pipeline = &row;
    row.name = (char *)(uintptr_t)name;
    row.yaml = (char *)(uintptr_t)yaml;
    uint8_t *data = gm_mem_encode(&node.base, &size);
    assert_true(gm_stored_pipelines_is(&key));
    gm_stored_pipelines_load(stored, &key, data, size);
    free(data);
}

/* Also when its file comes later. */
static void a_folder_comes_first(void **state)
{
    char *folders[] = {*state, NULL}, names[128] = "", *yaml = NULL;
    struct gm_stored_pipelines *stored = NULL;
    Gm__Pipeline *p = NULL;
    bool is_stored = false;
    struct gm_err err;
    assert_int_equal(gm_stored_pipelines_create(&stored, &err), 0);
    load(stored, "two", YAML("two", ""));
    load(stored, "one", YAML("one", ""));
    load(stored, "old", "name: old\ntasks: {x: {type: of-yore}}\n");
    load(stored, "../up", YAML("one", ""));
    assert_int_equal(gm_stored_pipelines_list(stored, folders, append, names, &err), 0);
    assert_string_equal(names, "old one two ");
    assert_int_equal(gm_stored_pipelines_find(stored, folders, "one", &p, &yaml, &is_stored, &err),
                     0);
    assert_true(is_stored);
    assert_string_equal(yaml, YAML("one", ""));
    free(yaml);
    gm__pipeline__free_unpacked(p, NULL);
    assert_int_equal(gm_stored_pipelines_find(stored, folders, "old", &p, &yaml, NULL, &err),
                     -GM_E_CONFIG);
    assert_int_equal(gm_stored_pipelines_find(stored, folders, "../up", &p, &yaml, NULL, &err),
                     -GM_E_NOTFOUND);
    write_file(*state, "one.yaml", YAML("one", ", crf: 30"), strlen(YAML("one", ", crf: 30")));
    assert_int_equal(gm_stored_pipelines_find(stored, folders, "one", &p, &yaml, &is_stored, &err),
                     0);
    assert_false(is_stored);
    assert_string_equal(yaml, YAML("one", ", crf: 30"));
    free(yaml);
    gm__pipeline__free_unpacked(p, NULL);
    names[0] = '\0';
    assert_int_equal(gm_stored_pipelines_list(stored, folders, append, names, &err), 0);
    assert_string_equal(names, "old two ");
    gm_stored_pipelines_destroy(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_are_stored_and_found_over_a_kill, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(wrong_ones_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(bad_rows_are_passed_over, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_comes_first, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
