/* PUT and DELETE /v1/pipelines/NAME. The pool reads and checks the body, the loop stores the row;
 * the answer leaves when it is on disk. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/http/request.h"
#include "scheduler/pipeline/pipeline.h"
#include "scheduler/stored_pipelines.h"

struct storing {
    struct gm_request *r;   /* borrowed */
    Gm__Pipeline *pipeline; /* owned */
    Gm__PipelineRow *row;   /* owned */
    json_t *answer;         /* owned until it is sent */
    bool is_new;
    int rc;
    struct gm_at at;
    struct gm_err err;
};

static void destroy(struct storing *s)
{
    if (s->pipeline != NULL) {
        gm__pipeline__free_unpacked(s->pipeline, NULL);
    }
    if (s->row != NULL) {
        gm__pipeline_row__free_unpacked(s->row, NULL);
    }
    json_decref(s->answer);
    free(s);
}

/* RFC 9512, and what was in use before it. */
static bool is_yaml(const struct gm_request *r)
{
    static const char *const types[] = {"application/yaml", "application/x-yaml", "text/yaml",
                                        "text/x-yaml"};
    const char *said =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    bool is = false;
    for (size_t i = 0; said != NULL && i < sizeof types / sizeof types[0]; i++) {
        size_t n = strlen(types[i]);
        is = is || (strncasecmp(said, types[i], n) == 0 && strchr("; \t", said[n]) != NULL);
    }
    return is;
}

/* {"yaml", "name", "assets"}, of a body that is YAML too. */
static int read_body(struct storing *s, bool yaml, json_t **out, struct gm_err *err)
{
    char shown[GM_HTTP_ID_BYTES + 8];
    const struct gm_buf *body = &s->r->body;
    if (!yaml) {
        return gm_request_object(s->r, out, err);
    }
    (void)snprintf(shown, sizeof shown, "%s.yaml", s->r->id);
    json_t *text =
        body->size > 0 ? json_stringn((const char *)body->data, body->size) : json_string("");
    json_t *object = text != NULL ? json_pack("{s:o, s:s}", "yaml", text, "name", shown) : NULL;
    if (object == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "the body is not UTF-8 text");
    }
    *out = object;
    return 0;
}

/* The images are the pipeline's until here. */
static int make_row(struct storing *s, const char *yaml, struct gm_err *err)
{
    s->row = malloc(sizeof *s->row);
    if (s->row == NULL) {
        return gm_err_nomem(err);
    }
    gm__pipeline_row__init(s->row);
    s->row->name = strdup(s->r->id);
    s->row->yaml = strdup(yaml);
    if (s->row->name == NULL || s->row->yaml == NULL) {
        return gm_err_nomem(err);
    }
    s->row->stored_unix_ms = gm_time_unix_ms();
    s->row->assets = s->pipeline->assets;
    s->row->n_assets = s->pipeline->n_assets;
    s->pipeline->assets = NULL;
    s->pipeline->n_assets = 0;
    return 0;
}

static int check_name(const struct storing *s, struct gm_err *err)
{
    if (strcmp(s->pipeline->name, s->r->id) == 0) {
        return 0;
    }
    return gm_err_set(err, GM_E_CONFIG, 0,
                      "the pipeline calls itself `%s`, and is to be stored as `%s`",
                      s->pipeline->name, s->r->id);
}

static int prepare(struct storing *s, struct gm_err *err)
{
    char *const *folders = gm_daemon_settings(s->r->http->d)->pipelines;
    bool yaml = is_yaml(s->r);
    json_t *body = NULL;
    int rc = read_body(s, yaml, &body, err);
    rc = rc < 0 ? rc : gm_inline_pipeline(body, &s->pipeline, &s->at, err);
    rc = rc < 0 ? rc : gm_at_member(&s->at, check_name(s, err), "yaml");
    if (rc < 0 && yaml) {
        s->at.path[0] = '\0'; /* what was sent has no members */
    }
    if (rc == 0 && gm_pipeline_has_file(folders, s->r->id)) {
        rc = gm_err_set(err, GM_E_CONFLICT, 0,
                        "a folder of the scheduler has a pipeline `%s`: choose another name",
                        s->r->id);
    }
    const char *text = json_string_value(json_object_get(body, "yaml"));
    rc = rc < 0 ? rc : make_row(s, text, err);
    if (rc == 0) {
        s->answer = gm_doc_pipeline(s->pipeline, text, true);
        rc = s->answer != NULL ? 0 : gm_err_nomem(err);
    }
    json_decref(body);
    return rc;
}

static void work(void *arg)
{
    struct storing *s = arg;
    s->rc = prepare(s, &s->err);
}

static const char *who(const struct gm_request *r)
{
    return r->caller.id[0] != '\0' ? r->caller.id : "-";
}

static void on_stored(int rc, const struct gm_err *error, void *arg)
{
    struct storing *s = arg;
    if (rc < 0) {
        gm_request_fail(s->r, error);
    } else {
        gm_log(GM_LOG_INFO, "pipeline_stored", "name=%s token=%s", s->r->id, who(s->r));
        gm_request_json(s->r, s->is_new ? MHD_HTTP_CREATED : MHD_HTTP_OK, s->answer);
        s->answer = NULL;
    }
    destroy(s);
}

static void done(void *arg)
{
    struct storing *s = arg;
    struct gm_daemon *d = s->r->http->d;
    int rc = s->rc;
    if (rc == 0) {
        Gm__PipelineRow *row = s->row;
        s->is_new = !gm_stored_pipelines_has(gm_daemon_pipelines(d), s->r->id);
        s->row = NULL;
        rc = gm_stored_pipelines_put(d, row, on_stored, s, &s->err);
        if (rc == 0) {
            return; /* s is on_stored's from here on */
        }
        s->row = row;
    }
    s->r->at = s->at;
    gm_request_fail(s->r, &s->err);
    destroy(s);
}

void gm_handle_pipeline_put(struct gm_request *r)
{
    struct gm_err err = {0};
    if (!gm_submit_is_open(r)) {
        return;
    }
    struct storing *s = calloc(1, sizeof *s);
    int rc = s == NULL ? gm_err_nomem(&err) : 0;
    if (rc == 0) {
        s->r = r;
        rc = gm_daemon_work(r->http->d, work, done, s, &err);
    }
    if (rc < 0) {
        free(s);
        gm_request_fail(r, &err);
    }
}

static void on_deleted(int rc, const struct gm_err *error, void *arg)
{
    struct gm_request *r = arg;
    if (rc < 0) {
        gm_request_fail(r, error);
        return;
    }
    gm_log(GM_LOG_INFO, "pipeline_deleted", "name=%s token=%s", r->id, who(r));
    gm_request_json(r, MHD_HTTP_OK, json_pack("{s:s, s:b}", "name", r->id, "stored", 0));
}

void gm_handle_pipeline_delete(struct gm_request *r)
{
    struct gm_err err = {0};
    int rc = gm_request_no_members(r, &err);
    rc = rc < 0 ? rc : gm_stored_pipelines_delete(r->http->d, r->id, on_deleted, r, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
    }
}
