/* Named pipelines, and checking one that is sent along. Files are read on the pool. */
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "scheduler/http/request.h"
#include "scheduler/metas.h"
#include "scheduler/pipeline/pipeline.h"
#include "scheduler/stored_pipelines.h"

#define SHOWN_NAME_BYTES 128

static int base64_value(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

/* RFC 4648 section 4, padding required, nothing else allowed. */
static int base64_decode(const char *text, size_t size, struct gm_buf *out, struct gm_err *err)
{
    struct gm_buf b = {0};
    size_t pad = 0;
    if (size % 4 != 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "base64 comes in groups of four characters");
    }
    while (pad < 2 && pad < size && text[size - 1 - pad] == '=') {
        pad++;
    }
    for (size_t i = 0; i < size; i += 4) {
        uint32_t group = 0;
        size_t skip = i + 4 == size ? pad : 0;
        for (size_t k = 0; k < 4; k++) {
            int v = k >= 4 - skip ? 0 : base64_value(text[i + k]);
            if (v < 0) {
                gm_buf_fini(&b);
                return gm_err_set(err, GM_E_INVAL, 0, "that is not base64 at byte %zu", i + k);
            }
            group = group << 6 | (uint32_t)v;
        }
        uint8_t bytes[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
        gm_buf_add(&b, bytes, 3 - skip);
    }
    int rc = gm_buf_check(&b, err);
    if (rc < 0) {
        gm_buf_fini(&b);
        return rc;
    }
    *out = b;
    return 0;
}

static int add_asset(Gm__Pipeline *pipeline, const char *name, const json_t *value,
                     struct gm_err *err)
{
    struct gm_buf bytes = {0};
    if (!json_is_string(value)) {
        return gm_err_set(err, GM_E_INVAL, 0, "an asset is a string of base64");
    }
    int rc = base64_decode(json_string_value(value), json_string_length(value), &bytes, err);
    if (rc == 0) {
        rc = gm_pipeline_add_asset(pipeline, name, bytes.data, bytes.size, err);
    }
    gm_buf_fini(&bytes);
    return rc;
}

static int add_assets(Gm__Pipeline *pipeline, const json_t *assets, struct gm_at *at,
                      struct gm_err *err)
{
    const char *name = NULL;
    json_t *value = NULL;
    if (assets != NULL && !json_is_object(assets)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`assets` is an object from file names to base64");
    }
    json_object_foreach((json_t *)(uintptr_t)assets, name, value)
    {
        int rc = add_asset(pipeline, name, value, err);
        if (rc < 0) {
            return gm_at_member(at, rc, name);
        }
    }
    return 0;
}

int gm_inline_pipeline(const json_t *object, Gm__Pipeline **out, struct gm_at *at,
                       struct gm_err *err)
{
    static const char *const known[] = {"yaml", "name", "assets", NULL};
    const json_t *yaml = json_object_get(object, "yaml");
    const json_t *name = json_object_get(object, "name");
    char shown[SHOWN_NAME_BYTES] = "pipeline";
    Gm__Pipeline *pipeline = NULL;
    int rc = gm_json_check_keys(object, known, at, err);
    if (rc < 0) {
        return rc;
    }
    if (!json_is_string(yaml) || (name != NULL && !json_is_string(name))) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`yaml` is the pipeline's text, `name` its file name");
        return gm_at_member(at, rc, json_is_string(yaml) ? "name" : "yaml");
    }
    if (name != NULL && json_string_length(name) > 0) {
        (void)snprintf(shown, sizeof shown, "%s", json_string_value(name));
        gm_utf8_clean(shown);
    }
    rc =
        gm_pipeline_parse(shown, json_string_value(yaml), json_string_length(yaml), &pipeline, err);
    (void)gm_at_member(at, rc, "yaml");
    if (rc == 0) {
        rc = add_assets(pipeline, json_object_get(object, "assets"), at, err);
        (void)gm_at_member(at, rc, "assets");
    }
    if (rc == 0) {
        rc = gm_at_member(at, gm_pipeline_check_assets(pipeline, err), "assets");
    }
    if (rc < 0) {
        if (pipeline != NULL) {
            gm__pipeline__free_unpacked(pipeline, NULL);
        }
        return rc;
    }
    *out = pipeline;
    return 0;
}

/* ---- handlers: each reads on the pool and answers on the loop */

struct reading {
    struct gm_request *r; /* borrowed */
    int (*read)(struct reading *j, struct gm_err *err);
    json_t *answer;   /* owned until it is sent */
    unsigned refusal; /* HTTP status of a failure; 0: the catalogue's */
    int rc;
    struct gm_at at;
    struct gm_err err;
};

static void work(void *arg)
{
    struct reading *j = arg;
    j->rc = j->read(j, &j->err);
}

static void done(void *arg)
{
    struct reading *j = arg;
    j->r->at = j->at;
    if (j->rc == 0) {
        gm_request_json(j->r, MHD_HTTP_OK, j->answer);
    } else if (j->refusal != 0 && (j->err.code == GM_E_CONFIG || j->err.code == GM_E_LIMIT ||
                                   j->err.code == GM_E_BAD_IMAGE)) {
        gm_request_fail_status(j->r, j->refusal, &j->err);
    } else {
        gm_request_fail(j->r, &j->err);
    }
    free(j);
}

static void start(struct gm_request *r, int (*read)(struct reading *j, struct gm_err *err),
                  unsigned refusal)
{
    struct gm_err err = {0};
    struct reading *j = calloc(1, sizeof *j);
    int rc = 0;
    if (j == NULL) {
        rc = gm_err_nomem(&err);
    } else {
        *j = (struct reading){.r = r, .read = read, .refusal = refusal};
        rc = gm_daemon_work(r->http->d, work, done, j, &err);
    }
    if (rc < 0) {
        free(j);
        gm_request_fail(r, &err);
    }
}

static char *const *folders(const struct reading *j)
{
    return gm_daemon_settings(j->r->http->d)->pipelines;
}

static struct gm_stored_pipelines *stored(const struct reading *j)
{
    return gm_daemon_pipelines(j->r->http->d);
}

json_t *gm_doc_pipeline(const Gm__Pipeline *p, const char *yaml, bool is_stored)
{
    return json_pack("{s:s, s:o, s:o, s:b}", "name", p->name, "description",
                     gm_json_string(p->description), "yaml", gm_json_string(yaml), "stored",
                     (int)is_stored);
}

struct listing {
    const struct reading *j;
    bool stored; /* those that follow are */
    json_t *list;
};

/* A file that is wrong is listed with what is wrong about it. */
static int list_one(const char *name, void *arg)
{
    struct listing *l = arg;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    json_t *entry = NULL;
    if (gm_stored_pipelines_find(stored(l->j), folders(l->j), name, &p, NULL, NULL, &err) < 0) {
        entry = json_pack("{s:s, s:s, s:b, s:o}", "name", name, "description", "", "stored",
                          (int)l->stored, "error", gm_json_error((int)err.code, err.text));
    } else {
        entry = json_pack("{s:s, s:o, s:b}", "name", name, "description",
                          gm_json_string(p->description), "stored", (int)l->stored);
        gm__pipeline__free_unpacked(p, NULL);
    }
    return json_array_append_new(l->list, entry) == 0 ? 0 : -GM_E_NOMEM;
}

static int read_list(struct reading *j, struct gm_err *err)
{
    struct listing l = {.j = j, .list = json_array()};
    int rc = l.list == NULL ? gm_err_nomem(err) : gm_pipeline_list(folders(j), list_one, &l, err);
    if (rc == 0) {
        l.stored = true;
        rc = gm_stored_pipelines_list(stored(j), folders(j), list_one, &l, err);
    }
    if (rc < 0) {
        json_decref(l.list);
        return rc == -GM_E_NOMEM ? gm_err_nomem(err) : rc;
    }
    j->answer = json_pack("{s:o}", "pipelines", l.list);
    return j->answer != NULL ? 0 : gm_err_nomem(err);
}

static int read_one(struct reading *j, struct gm_err *err)
{
    Gm__Pipeline *p = NULL;
    char *yaml = NULL;
    bool is_stored = false;
    int rc = gm_stored_pipelines_find(stored(j), folders(j), j->r->id, &p, &yaml, &is_stored, err);
    if (rc < 0) {
        return rc;
    }
    j->answer = gm_doc_pipeline(p, yaml, is_stored);
    gm__pipeline__free_unpacked(p, NULL);
    free(yaml);
    return j->answer != NULL ? 0 : gm_err_nomem(err);
}

static json_t *tasks_json(const Gm__Pipeline *p)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < p->n_tasks; i++) {
        json_t *needs = json_array();
        for (size_t k = 0; needs != NULL && k < p->tasks[i]->n_needs; k++) {
            needs = gm_json_add(needs, json_string(p->tasks[i]->needs[k]));
        }
        json_t *t = json_pack("{s:s, s:s, s:o}", "name", p->tasks[i]->name, "type",
                              p->tasks[i]->type, "needs", needs);
        list = gm_json_add(list, t);
    }
    return list;
}

static int read_check(struct reading *j, struct gm_err *err)
{
    json_t *body = NULL;
    Gm__Pipeline *p = NULL;
    int rc = gm_request_object(j->r, &body, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_inline_pipeline(body, &p, &j->at, err);
    json_decref(body);
    if (rc < 0) {
        return rc;
    }
    j->answer = json_pack("{s:b, s:s, s:o, s:o}", "ok", 1, "name", p->name, "description",
                          gm_json_string(p->description), "tasks", tasks_json(p));
    gm__pipeline__free_unpacked(p, NULL);
    return j->answer != NULL ? 0 : gm_err_nomem(err);
}

void gm_handle_pipelines(struct gm_request *r)
{
    start(r, read_list, 0);
}

void gm_handle_pipeline(struct gm_request *r)
{
    start(r, read_one, 0);
}

void gm_handle_pipeline_check(struct gm_request *r)
{
    start(r, read_check, MHD_HTTP_UNPROCESSABLE_CONTENT);
}
