/* Reads whose answer may be told only when what the core knows is on disk. Where the disk has no
 * room that may be hours off, and a connection that waits sees neither its client's end nor a time:
 * so they are refused, those too that waited as it became full. */
#include <stdlib.h>

#include <utlist.h>

#include "scheduler/http/request.h"
#include "scheduler/overload.h"

struct gm_settling {
    struct gm_settling *prev, *next; /* of the server's */
    struct gm_request *r;            /* borrowed; NULL: it was answered, and is in no list */
};

static void on_settled(int rc, const struct gm_err *error, void *arg)
{
    struct gm_settling *s = arg;
    struct gm_request *r = s->r;
    if (r != NULL) {
        DL_DELETE(r->http->settlings, s);
    }
    free(s);
    if (r != NULL && rc < 0) {
        gm_request_fail(r, error);
    } else if (r != NULL) {
        r->settled = true;
        r->show(r);
    }
}

static void refuse(struct gm_request *r)
{
    struct gm_err err;
    r->retry_s = GM_RETRY_UNKNOWN_S;
    GM_IGNORE(gm_err_set(&err, GM_E_STATE_FULL, 0, "%s", GM_HTTP_NO_ROOM), "answered");
    gm_request_fail(r, &err);
}

bool gm_request_has_room(struct gm_request *r)
{
    bool has = !gm_daemon_has_no_room(r->http->d);
    if (!has) {
        refuse(r);
    }
    return has;
}

void gm_request_show_settled(struct gm_request *r, void (*show)(struct gm_request *r))
{
    struct gm_err err = {0};
    if (!gm_request_has_room(r)) {
        return;
    }
    struct gm_settling *s = calloc(1, sizeof *s);
    if (s == NULL) {
        GM_IGNORE(gm_err_nomem(&err), "answered");
        gm_request_fail(r, &err);
        return;
    }
    s->r = r;
    r->show = show;
    DL_APPEND(r->http->settlings, s);
    if (gm_daemon_settle(r->http->d, on_settled, s, &err) < 0) {
        DL_DELETE(r->http->settlings, s);
        free(s);
        gm_request_fail(r, &err);
    }
}

void gm_settlings_tick(struct gm_http *http)
{
    while (http->settlings != NULL && gm_daemon_has_no_room(http->d)) {
        struct gm_settling *s = http->settlings;
        DL_DELETE(http->settlings, s);
        refuse(s->r);
        s->r = NULL;
    }
}
