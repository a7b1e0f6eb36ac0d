/* Following a job: one event stream after another until the job's last document has come.
 *
 * Each new stream begins with a "job" event that holds the whole document, so nothing is lost with
 * a connection.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/again.h"
#include "cli/job.h"
#include "cli/progress.h"

#define STILL (2 * GM_SEC) /* nothing has moved for so long: is there a node? */
#define ASK_AGAIN (5 * GM_SEC)

struct watch {
    struct gm_session *session; /* borrowed */
    const char *id;
    bool own;
    bool cancel_sent;
    struct gm_again again;
    struct gm_progress progress; /* the last that came */
    gm_time moved;               /* when it was another than the one before */
    gm_time asked;               /* for nodes, last */
    bool alone;                  /* no node is connected */
    struct gm_sse sse;
    json_t *doc; /* owned; the last whole document */
};

bool gm_job_is_final(const json_t *job)
{
    const char *state = gm_job_text(job, "state");
    return strcmp(state, "done") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "cancelled") == 0;
}

static void note_retry(struct gm_term *term, const json_t *event)
{
    gm_term_warn(term, "`%s` failed on %s and is tried again: %s: %s", gm_job_text(event, "task"),
                 gm_job_text(event, "node"), gm_job_text(event, "code"),
                 gm_job_text(event, "text"));
}

static void show(const struct watch *w)
{
    struct gm_progress p = w->progress;
    if (w->alone) {
        gm_progress_note(&p, "no node is connected");
    }
    gm_progress_show(w->session->term, &p, gm_time_now());
}

static void take_progress(struct watch *w, const json_t *progress)
{
    struct gm_progress p;
    gm_progress_from_json(progress, &p);
    if (strcmp(p.phase, w->progress.phase) != 0 || p.frames_done != w->progress.frames_done) {
        w->moved = gm_time_now();
        w->alone = false;
    }
    w->progress = p;
    show(w);
}

/* Says why nothing moves, where that is for want of a node. Errors: of the farm; what else fails,
 * the stream tells. */
static int look_for_nodes(struct watch *w, struct gm_err *err)
{
    struct gm_answer answer = {0};
    gm_time now = gm_time_now();
    if (w->moved == 0 || now - w->moved < STILL || now - w->asked < ASK_AGAIN ||
        gm_job_is_final(w->doc)) {
        return 0;
    }
    w->asked = now;
    int rc = gm_session_call(w->session, "GET", "/readyz", NULL, false, &answer, err);
    if (rc == 0) {
        const json_t *nodes = json_object_get(answer.body, "nodes");
        bool alone = json_is_integer(nodes) && json_integer_value(nodes) == 0;
        if (alone != w->alone) {
            w->alone = alone;
            show(w);
        }
    }
    json_decref(answer.body);
    return rc == -GM_E_NO_FARM ? rc : 0;
}

static int on_event(const char *event, const char *data, size_t size, void *arg)
{
    struct watch *w = arg;
    json_t *json = json_loadb(data, size, 0, NULL);
    if (json == NULL) {
        return 0; /* an event of a newer scheduler; the next document says all */
    }
    const json_t *member = json_object_get(json, "progress");
    if (json_is_object(member) && !gm_job_is_final(json)) {
        take_progress(w, member);
    }
    if (strcmp(event, "progress") != 0 && strcmp(gm_job_text(json, "id"), w->id) == 0 &&
        json_object_get(json, "tasks") != NULL) {
        json_decref(w->doc);
        w->doc = json_incref(json);
    }
    if (strcmp(event, "task.retry") == 0) {
        note_retry(w->session->term, json);
    }
    json_decref(json);
    return 0;
}

static int cancel(struct watch *w, struct gm_err *err)
{
    char *path = NULL;
    w->cancel_sent = true;
    gm_term_note(w->session->term, "cancelling; once more kills");
    int rc = gm_job_path(w->id, ":cancel", &path, err);
    if (rc == 0) {
        rc = gm_session_call(w->session, "POST", path, NULL, true, NULL, err);
    }
    free(path);
    return rc == -GM_E_CONFLICT ? 0 : rc; /* it has ended by itself */
}

static int check_interrupt(struct watch *w, struct gm_err *err)
{
    if (w->session->interrupts == 0 || w->cancel_sent) {
        return 0;
    }
    if (w->own) {
        return cancel(w, err);
    }
    return gm_err_set(err, GM_E_CANCELLED, 0, "stopped watching; the job goes on");
}

/* One stream, from its opening to its end. 0: the job is over, or another stream is needed. */
static int follow(struct watch *w, const char *path, struct gm_err *err)
{
    struct gm_stream *stream = NULL;
    int rc = gm_stream_open(w->session, path, &w->sse, on_event, w, &stream, err);
    while (rc == 0 && !gm_job_is_final(w->doc)) {
        int how = 0;
        rc = gm_session_turn(w->session, 1000, err);
        if (rc == 0) {
            rc = check_interrupt(w, err);
        }
        if (rc == 0 && gm_stream_is_live(stream)) {
            gm_again_heard(&w->again, w->session);
            rc = look_for_nodes(w, err);
        }
        if (rc == 0 && gm_stream_is_over(stream, &how, err)) {
            rc = how;
            break;
        }
    }
    gm_stream_close(w->session, &stream);
    return rc;
}

static int wait_again(struct watch *w, struct gm_err *err)
{
    gm_time end = gm_time_now() + gm_again_pause_ms(&w->again) * GM_MS;
    int rc = 0;
    for (gm_time now = gm_time_now(); rc == 0 && now < end; now = gm_time_now()) {
        rc = gm_session_turn(w->session, (int)((end - now) / GM_MS) + 1, err);
        if (rc == 0) {
            rc = check_interrupt(w, err);
        }
    }
    return rc;
}

int gm_job_watch(struct gm_session *session, const char *id, bool own, json_t **out,
                 struct gm_err *err)
{
    char *path = NULL;
    struct watch w = {.session = session, .id = id, .own = own, .again = {.alive = gm_time_now()}};
    int rc = gm_job_path(id, "/events", &path, err);
    while (rc == 0 && !gm_job_is_final(w.doc)) {
        rc = follow(&w, path, err);
        rc = gm_again_check(&w.again, session, rc, ", the job goes on", err);
        if (rc == 0 && !gm_job_is_final(w.doc)) {
            rc = wait_again(&w, err);
        }
    }
    gm_term_clear(session->term);
    free(path);
    gm_sse_fini(&w.sse);
    if (rc < 0) {
        json_decref(w.doc);
        return rc;
    }
    *out = w.doc;
    return 0;
}
