/* top: the farm, live. Events of the farm say that something changed; then it is asked for, once a
 * second at most. Keys are read by a libuv handle that the session's turns run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/top.h"
#include "common/fs.h"

#define ASK_EVERY GM_SEC         /* while something changes */
#define ASK_ANYWAY (5 * GM_SEC)  /* while nothing does */
#define AGAIN_AFTER (2 * GM_SEC) /* when it could not be asked, or the stream ended */
#define TURN_MS 200

struct top {
    struct gm_session *session; /* owned */
    struct gm_stream *stream;   /* owned; NULL: none */
    struct gm_sse sse;
    json_t *farm, *nodes, *jobs; /* owned; nodes and jobs: rows */
    bool cut;                    /* jobs are not all */
    gm_time asked, opened;
    char problem[300];
    unsigned scroll;
    bool changed, quit, redraw;
    bool asking; /* a request is under way */
    int keys;    /* owned: the terminal, for reading */
};

/* The terminal as it was; for the way out by a signal. Set before anything is changed. */
static struct {
    struct termios before;
    bool changed;
} screen;

static void restore_screen(void)
{
    static const char leave[] = "\033[?25h\033[?1049l";
    struct gm_err ignored;
    if (screen.changed) {
        screen.changed = false;
        GM_IGNORE(gm_fs_write_all(STDOUT_FILENO, leave, sizeof leave - 1, &ignored),
                  "nobody may be there");
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
    }
}

/* A description of its own: libuv makes it non-blocking, and the shell's must stay as it is. */
static int open_keys(int *out_fd, struct gm_err *err)
{
    *out_fd = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return *out_fd >= 0 ? 0 : gm_err_sys(err, errno, "could not open the terminal");
}

static int take_screen(struct gm_err *err)
{
    static const char enter[] = "\033[?1049h\033[?25l";
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &screen.before) != 0) {
        return gm_err_sys(err, errno, "could not ask the terminal");
    }
    raw = screen.before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* the shell would be given this screen */
    screen.changed = true;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) {
        return gm_err_sys(err, errno, "could not set the terminal");
    }
    return gm_fs_write_all(STDOUT_FILENO, enter, sizeof enter - 1, err);
}

static void frame_size(unsigned *width, unsigned *height)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *width = known ? size.ws_col : 80;
    *height = known ? size.ws_row : 24;
}

static char *make_frame(const struct top *t, unsigned width, unsigned height)
{
    const struct gm_top_facts facts = {.farm = t->farm,
                                       .nodes = t->nodes,
                                       .jobs = t->jobs,
                                       .cut = t->cut,
                                       .problem = t->problem[0] != '\0' ? t->problem : NULL,
                                       .scroll = t->scroll};
    return gm_top_frame(&facts, width, height);
}

/* Each line is written over the one before it, so nothing flickers. */
static int draw(const struct top *t, struct gm_err *err)
{
    unsigned width, height;
    struct gm_buf out = {.data = NULL};
    frame_size(&width, &height);
    char *frame = make_frame(t, width, height);
    if (frame == NULL) {
        return gm_err_nomem(err);
    }
    gm_buf_str(&out, "\033[H");
    for (const char *line = frame; line != NULL;) {
        size_t n = strcspn(line, "\n");
        gm_buf_add(&out, line, n);
        gm_buf_str(&out, line[n] == '\n' ? "\033[K\r\n" : "\033[K\033[J");
        line = line[n] == '\n' ? line + n + 1 : NULL;
    }
    int rc = gm_buf_check(&out, err);
    rc = rc < 0 ? rc : gm_fs_write_all(STDOUT_FILENO, out.data, out.size, err);
    gm_buf_fini(&out);
    free(frame);
    return rc;
}

/* ---- what is shown */

/* *out is replaced by the answer, or by its member `rows`; then *out_cut, where there is more. */
static int get(struct top *t, const char *path, const char *rows, json_t **out, bool *out_cut,
               struct gm_err *err)
{
    struct gm_answer answer = {.body = NULL};
    t->session->reached = false; /* who looks on is told at once that it does not answer */
    t->asking = true;
    int rc = gm_session_call(t->session, "GET", path, NULL, true, &answer, err);
    t->asking = false;
    if (rc == 0) {
        json_decref(*out);
        *out = json_incref(rows != NULL ? json_object_get(answer.body, rows) : answer.body);
        *out_cut = *out_cut || json_is_string(json_object_get(answer.body, "next"));
    }
    json_decref(answer.body);
    return rc;
}

static int get_jobs(struct top *t, struct gm_err *err)
{
    static const char *const paths[] = {"/v1/jobs?light=1&limit=200&state=publishing",
                                        "/v1/jobs?light=1&limit=200&state=running",
                                        "/v1/jobs?light=1&limit=200&state=queued"};
    json_t *all = json_array();
    bool cut = false;
    int rc = all != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < sizeof paths / sizeof paths[0]; i++) {
        json_t *rows = NULL;
        rc = get(t, paths[i], "jobs", &rows, &cut, err);
        if (rc == 0 && json_array_extend(all, rows) < 0) {
            rc = gm_err_nomem(err);
        }
        json_decref(rows);
    }
    if (rc == 0) {
        json_decref(t->jobs);
        t->jobs = json_incref(all);
        t->cut = cut;
    }
    json_decref(all);
    return rc;
}

static int ask(struct top *t, struct gm_err *err)
{
    bool cut = false; /* neither comes in pages */
    int rc = get(t, "/v1/farm", NULL, &t->farm, &cut, err);
    rc = rc < 0 ? rc : get(t, "/v1/nodes", "nodes", &t->nodes, &cut, err);
    rc = rc < 0 ? rc : get_jobs(t, err);
    t->asked = gm_time_now();
    t->changed = false;
    t->redraw = true;
    t->problem[0] = '\0';
    return rc;
}

/* ---- what happens */

static int on_event(const char *event, const char *data, size_t size, void *arg)
{
    (void)event;
    (void)data;
    (void)size;
    ((struct top *)arg)->changed = true;
    return 0;
}

static void on_key(uv_poll_t *poll, int status, int events)
{
    struct top *t = poll->data;
    char keys[64];
    (void)events;
    ssize_t n = status < 0 ? 0 : read(t->keys, keys, sizeof keys);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        (void)uv_poll_stop(poll); /* the terminal is gone */
        t->quit = true;
    }
    for (ssize_t i = 0; i < n; i++) {
        t->quit = t->quit || keys[i] == 'q';
        t->changed = t->changed || keys[i] == 'r';
        t->asked = keys[i] == 'r' ? 0 : t->asked;
        t->scroll += keys[i] == 'j' && t->scroll + 1 < json_array_size(t->jobs) ? 1 : 0;
        t->scroll -= keys[i] == 'k' && t->scroll > 0 ? 1 : 0;
    }
    t->redraw = true;
    if (t->quit && t->asking) { /* who asks may wait for a minute: the key does not */
        restore_screen();
        _exit(GM_EXIT_DONE);
    }
}

/* Opens the stream, and again when it has ended; without it the farm is asked now and then. */
static int follow(struct top *t, struct gm_err *err)
{
    int how = 0;
    struct gm_err ended = {0};
    if (t->stream != NULL && gm_stream_is_over(t->stream, &how, &ended)) {
        gm_stream_close(t->session, &t->stream);
        t->changed = true;
    }
    if (t->stream == NULL && gm_time_now() - t->opened > AGAIN_AFTER) {
        t->opened = gm_time_now();
        return gm_stream_open(t->session, "/v1/events", &t->sse, on_event, t, &t->stream, err);
    }
    return 0;
}

static bool is_due(const struct top *t)
{
    gm_time since = gm_time_now() - t->asked;
    if (t->problem[0] != '\0') {
        return since >= AGAIN_AFTER;
    }
    return since >= ASK_ANYWAY || (t->changed && since >= ASK_EVERY);
}

/* A farm that does not answer is shown as such, and asked again. */
static int refresh(struct top *t, struct gm_err *err)
{
    struct gm_err failed = {0};
    int rc = ask(t, &failed);
    bool away = rc == -GM_E_UNREACHABLE || rc == -GM_E_TIMEOUT || rc == -GM_E_NOT_LEADER ||
                rc == -GM_E_STATE_AWAY || rc == -GM_E_BUSY;
    if (rc == 0 || (away && t->farm != NULL)) {
        snprintf(t->problem, sizeof t->problem, "%s%s",
                 rc == 0 ? "" : "cut off: ", rc == 0 ? "" : failed.text);
        return rc == 0 ? 0 : gm_session_next(t->session, err);
    }
    *err = failed;
    return rc;
}

static int live(struct top *t, struct gm_err *err)
{
    uv_loop_t loop;
    uv_poll_t keys = {.data = t};
    unsigned width = t->session->term->width;
    int rc = open_keys(&t->keys, err);
    if (rc < 0) {
        return rc;
    }
    if (uv_loop_init(&loop) != 0) {
        (void)close(t->keys);
        return gm_err_nomem(err);
    }
    rc = uv_poll_init(&loop, &keys, t->keys);
    rc = rc == 0 ? uv_poll_start(&keys, UV_READABLE, on_key) : rc;
    rc =
        rc == 0 ? 0 : gm_err_set(err, GM_E_SYS, rc, "could not wait for keys: %s", uv_strerror(rc));
    t->session->loop = &loop;
    t->session->killed = restore_screen;
    rc = rc < 0 ? rc : take_screen(err);
    while (rc == 0 && !t->quit && t->session->interrupts == 0) {
        rc = follow(t, err);
        rc = rc == 0 && is_due(t) ? refresh(t, err) : rc;
        t->redraw = t->redraw || width != t->session->term->width;
        width = t->session->term->width;
        rc = rc == 0 && t->redraw ? draw(t, err) : rc;
        t->redraw = false;
        rc = rc == 0 && !t->quit ? gm_session_turn(t->session, TURN_MS, err) : rc;
    }
    restore_screen();
    gm_stream_close(t->session, &t->stream);
    t->session->loop = NULL;
    uv_close((uv_handle_t *)&keys, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    (void)close(t->keys);
    return rc < 0 && err->native == EPIPE ? 0 : rc;
}

static int once(struct top *t, const struct gm_args *args, struct gm_err *err)
{
    unsigned width, height;
    int rc = ask(t, err);
    if (rc < 0) {
        return rc;
    }
    if (args->json) {
        json_t *doc =
            json_pack("{s:O, s:O, s:O}", "farm", t->farm, "nodes", t->nodes, "jobs", t->jobs);
        rc = doc != NULL && gm_print_json(stdout, doc) == 0 ? 0 : -1;
        json_decref(doc);
    } else {
        frame_size(&width, &height);
        char *frame = make_frame(t, width, height);
        rc = frame != NULL && puts(frame) >= 0 && fflush(stdout) == 0 ? 0 : -1;
        free(frame);
    }
    return rc == 0 || errno == EPIPE ? 0 : gm_err_sys(err, errno, "could not write to stdout");
}

enum gm_exit gm_command_top(const struct gm_args *args, struct gm_term *term)
{
    struct top t = {.changed = true, .opened = -AGAIN_AFTER, .asked = -ASK_ANYWAY};
    struct gm_err err = {0};
    bool frame = args->once || args->json;
    bool tty = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    int rc = frame || tty
                 ? 0
                 : gm_err_set(&err, GM_E_INVAL, 0, "top needs a terminal; --once prints one frame");
    rc = rc < 0 ? rc : gm_command_session(args, NULL, term, &t.session, &err);
    if (rc == 0) {
        term->quiet = true; /* what is noted would be written over the frame */
        rc = frame ? once(&t, args, &err) : live(&t, &err);
    }
    gm_session_close(&t.session);
    gm_sse_fini(&t.sse);
    json_decref(t.farm);
    json_decref(t.nodes);
    json_decref(t.jobs);
    return rc < 0 ? gm_command_fail(args, term, &err) : GM_EXIT_DONE;
}
