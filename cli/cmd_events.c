/* events follow: the farm's event stream, one connection after another, each from the last event
 * on that came. What happened meanwhile the scheduler says first; where it does not know that any
 * more, it says so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/again.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/print.h"

struct follow {
    const struct gm_args *args; /* borrowed */
    struct gm_session *session; /* owned */
    struct gm_sse sse;
    struct gm_again again;
    bool wrote;
    int lost; /* errno of stdout */
};

static bool write_json(const struct follow *f, const char *event, json_t *data)
{
    json_t *line = json_pack("{s:s, s:s, s:O}", "event", event, "id", f->sse.last_id, "data", data);
    bool done = line != NULL && json_dumpf(line, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
    json_decref(line);
    return done;
}

static int on_event(const char *event, const char *data, size_t size, void *arg)
{
    struct follow *f = arg;
    bool shown = f->args->json || strcmp(event, "farm") != 0;
    json_t *json = shown ? json_loadb(data, size, 0, NULL) : NULL;
    if (json == NULL) {
        return 0; /* of a newer scheduler */
    }
    errno = 0;
    bool done = !f->args->json || write_json(f, event, json);
    if (!f->args->json) {
        gm_print_event(stdout, gm_time_unix_ms(), event, json);
    }
    json_decref(json);
    f->wrote = true;
    if (fflush(stdout) == 0 && done) {
        return 0;
    }
    f->lost = errno != 0 ? errno : EIO;
    return -GM_E_SYS;
}

static int check(const struct follow *f, struct gm_err *err)
{
    if (f->lost != 0) {
        return gm_err_set(err, GM_E_SYS, f->lost, "could not write to stdout");
    }
    return f->session->interrupts > 0 ? gm_err_set(err, GM_E_CANCELLED, 0, "stopped following") : 0;
}

/* One stream, from its opening to its end. */
static int stream(struct follow *f, struct gm_err *err)
{
    struct gm_stream *s = NULL;
    int how = 0;
    bool over = false;
    int rc = gm_stream_open(f->session, "/v1/events", &f->sse, on_event, f, &s, err);
    while (rc == 0 && !over) {
        rc = gm_session_turn(f->session, 1000, err);
        rc = rc < 0 ? rc : check(f, err);
        if (rc == 0 && gm_stream_is_live(s)) {
            gm_again_heard(&f->again, f->session);
        }
        over = rc == 0 && gm_stream_is_over(s, &how, err);
    }
    gm_stream_close(f->session, &s);
    return rc < 0 ? rc : how;
}

static int wait_again(struct follow *f, struct gm_err *err)
{
    gm_time end = gm_time_now() + gm_again_pause_ms(&f->again) * GM_MS;
    int rc = 0;
    for (gm_time now = gm_time_now(); rc == 0 && now < end; now = gm_time_now()) {
        rc = gm_session_turn(f->session, (int)((end - now) / GM_MS) + 1, err);
        rc = rc < 0 ? rc : check(f, err);
    }
    return rc;
}

static int run(struct follow *f, struct gm_err *err)
{
    const char *after = f->args->after;
    if (after != NULL && (strspn(after, "0123456789") != strlen(after) || strlen(after) > 19)) {
        return gm_err_set(err, GM_E_INVAL, 0, "--after takes the number of an event, not `%.60s`",
                          after);
    }
    snprintf(f->sse.last_id, sizeof f->sse.last_id, "%s", after != NULL ? after : "");
    int rc = 0;
    while (rc == 0) {
        rc = stream(f, err);
        rc = gm_again_check(&f->again, f->session, rc, "", err);
        rc = rc < 0 ? rc : wait_again(f, err);
    }
    return rc;
}

enum gm_exit gm_command_follow(const struct gm_args *args, struct gm_term *term)
{
    struct follow f = {.args = args, .again = {.alive = gm_time_now()}};
    struct gm_args plain = *args;
    struct gm_err err = {0};
    int rc = gm_command_session(args, NULL, term, &f.session, &err);
    rc = rc < 0 ? rc : run(&f, &err);
    bool interrupted = f.session != NULL && f.session->interrupts > 0;
    gm_session_close(&f.session);
    gm_sse_fini(&f.sse);
    if (f.lost == EPIPE) {
        return GM_EXIT_DONE;
    }
    if (interrupted && rc == -GM_E_CANCELLED) {
        return GM_EXIT_KILLED;
    }
    plain.json = args->json && !f.wrote; /* lines stay documents of their own */
    return gm_command_fail(&plain, term, &err);
}
