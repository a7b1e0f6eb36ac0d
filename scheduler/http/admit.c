/* Before anything of a request's body is taken: its token, and what that may do. */
#include <string.h>

#include "scheduler/http/request.h"

struct authorization {
    const char *value; /* of the first; borrowed */
    unsigned count;
};

static enum MHD_Result take_header(void *arg, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct authorization *a = arg;
    (void)kind;
    if (strcasecmp(key, MHD_HTTP_HEADER_AUTHORIZATION) == 0) {
        a->value = a->count == 0 ? value : a->value;
        a->count++;
    }
    return MHD_YES;
}

int gm_admit_check(struct gm_gate *gate, struct MHD_Connection *connection,
                   enum gm_token_role least, struct gm_caller *out, struct gm_err *err)
{
    struct authorization a = {0};
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &a);
    return gm_gate_check(gate, a.count > 0 && a.value == NULL ? "" : a.value, a.count, least, out,
                         err);
}

const char *gm_admit_challenge(enum gm_code code)
{
    return code == GM_E_AUTH_MISSING   ? "Bearer realm=\"gopmill\""
           : code == GM_E_AUTH_REFUSED ? "Bearer realm=\"gopmill\", error=\"invalid_token\""
           : code == GM_E_AUTH_DENIED  ? "Bearer realm=\"gopmill\", error=\"insufficient_scope\""
                                       : NULL;
}

void gm_admit_look(struct gm_http *http)
{
    if (gm_gate_look(http->door->gate, gm_time_now())) {
        gm_streams_end(http); /* who still may comes again */
    }
}

bool gm_admit(struct gm_request *r)
{
    struct gm_err err = {0};
    gm_admit_look(r->http);
    enum gm_token_role least =
        r->path == NULL || r->method == NULL ? GM_TOKEN_ADMIN : gm_route_least(r->method, r->path);
    if (gm_admit_check(r->http->door->gate, r->connection, least, &r->caller, &err) == 0) {
        return true;
    }
    gm_request_fail(r, &err);
    return false;
}
