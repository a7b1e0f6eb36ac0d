/* Parameters behind the path's question mark. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/yaml.h"
#include "scheduler/http/request.h"

struct query_check {
    struct gm_at *at;
    const char *const *known;
    struct gm_err *err;
    int rc;
};

static enum MHD_Result check_one(void *arg, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    struct query_check *check = arg;
    (void)kind;
    (void)value;
    for (const char *const *k = check->known; *k != NULL; k++) {
        if (strcmp(*k, key) == 0) {
            return MHD_YES;
        }
    }
    const char *near = gm_suggest(key, check->known);
    check->rc = near != NULL
                    ? gm_err_set(check->err, GM_E_INVAL, 0,
                                 "unknown parameter `%.64s`, did you mean `%s`?", key, near)
                    : gm_err_set(check->err, GM_E_INVAL, 0, "unknown parameter `%.64s`", key);
    (void)gm_at_query(check->at, check->rc, key);
    return MHD_NO;
}

int gm_request_check_query(struct gm_request *r, const char *const *known, struct gm_err *err)
{
    struct query_check check = {.at = &r->at, .known = known, .err = err};
    (void)MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, check_one, &check);
    return check.rc;
}

int gm_request_number(struct gm_request *r, const char *name, uint64_t least, uint64_t most,
                      uint64_t *out, struct gm_err *err)
{
    const char *text = gm_request_query(r, name);
    char *end = NULL;
    if (text == NULL) {
        return 0;
    }
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < least || v > most) {
        int rc =
            most == UINT64_MAX
                ? gm_err_set(err, GM_E_INVAL, 0, "%s is a number from %" PRIu64 " on", name, least)
                : gm_err_set(err, GM_E_INVAL, 0, "%s is a number from %" PRIu64 " to %" PRIu64,
                             name, least, most);
        return gm_at_query(&r->at, rc, name);
    }
    *out = v;
    return 0;
}
