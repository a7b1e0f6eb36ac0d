#include "scheduler/http/body.h"

#include <stdio.h>
#include <string.h>

#include "common/yaml.h"
#include "scheduler/http/request.h"

/* As RFC 6901 section 3 has it: `~` and `/` are written otherwise. */
static void escape(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; *name != '\0' && n + 3 < size; name++) {
        if (*name == '~' || *name == '/') {
            out[n++] = '~';
            out[n++] = *name == '~' ? '0' : '1';
        } else {
            out[n++] = *name;
        }
    }
    out[n] = '\0';
}

static int put_before(struct gm_at *at, int rc, char mark, const char *name)
{
    if (rc < 0 && at != NULL) {
        struct gm_at behind = *at;
        char step[80];
        escape(name, step, sizeof step);
        (void)snprintf(at->path, sizeof at->path, "%c%s%.170s", mark, step, behind.path);
    }
    return rc;
}

int gm_at_member(struct gm_at *at, int rc, const char *name)
{
    return put_before(at, rc, '/', name);
}

int gm_at_index(struct gm_at *at, int rc, size_t index)
{
    char name[24];
    (void)snprintf(name, sizeof name, "%zu", index);
    return put_before(at, rc, '/', name);
}

int gm_at_query(struct gm_at *at, int rc, const char *name)
{
    return put_before(at, rc, '?', name);
}

int gm_json_check_keys(const json_t *object, const char *const *known, struct gm_at *at,
                       struct gm_err *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        bool found = false;
        for (const char *const *k = known; *k != NULL; k++) {
            found = found || strcmp(*k, key) == 0;
        }
        if (found) {
            continue;
        }
        const char *near = gm_suggest(key, known);
        int rc = near != NULL ? gm_err_set(err, GM_E_INVAL, 0,
                                           "unknown member `%.64s`, did you mean `%s`?", key, near)
                              : gm_err_set(err, GM_E_INVAL, 0, "unknown member `%.64s`", key);
        return gm_at_member(at, rc, key);
    }
    return 0;
}

int gm_request_object(struct gm_request *r, json_t **out, struct gm_err *err)
{
    json_error_t where;
    json_t *j =
        json_loadb((const char *)r->body.data, r->body.size, JSON_REJECT_DUPLICATES, &where);
    if (j == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "the body is not JSON: line %d, column %d: %s",
                          where.line, where.column, where.text);
    }
    if (!json_is_object(j)) {
        json_decref(j);
        return gm_err_set(err, GM_E_INVAL, 0, "the body is not a JSON object");
    }
    *out = j;
    return 0;
}

int gm_request_members(struct gm_request *r, const char *const *known, json_t **out,
                       struct gm_err *err)
{
    json_t *j = NULL;
    int rc = r->body.size > 0 ? gm_request_object(r, &j, err) : 0;
    rc = rc < 0 ? rc : gm_json_check_keys(j, known, &r->at, err);
    if (rc < 0) {
        json_decref(j);
        return rc;
    }
    *out = j;
    return 0;
}

int gm_request_no_members(struct gm_request *r, struct gm_err *err)
{
    static const char *const none[] = {NULL};
    json_t *j = NULL;
    int rc = gm_request_members(r, none, &j, err);
    json_decref(j);
    return rc;
}
