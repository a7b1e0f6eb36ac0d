/* The session's loop, and its opening and closing. Requests are in cli/request.c, the event stream
 * in cli/stream.c.
 *
 * Invariant: signals are blocked everywhere and read from signal_fd, so no handler runs and no wait
 * can miss one.
 */
#include "cli/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/exits.h"
#include "cli/print.h"
#include "cli/request.h"
#include "common/keys.h"
#include "common/spawn.h"

#define READY_TIMEOUT (60 * GM_SEC)
/* Deletions wait for leases that outlive their job. */
#define STOP_TIMEOUT (GM_SEC / 1000 * GM_FARM_LEASE_MS + 3 * GM_SEC)

static void fill_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGWINCH);
}

int gm_session_block_signals(struct gm_err *err)
{
    sigset_t set;
    fill_signals(&set);
    gm_spawn_init();
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return gm_err_sys(err, errno, "could not block signals");
    }
    return 0;
}

static bool is_web(const char *url, const char *scheme)
{
    size_t n = strlen(scheme);
    return strncmp(url, scheme, n) == 0 && url[n] != '\0' && url[n] != '/';
}

static int check_url(const char *url, struct gm_err *err)
{
    if (strncmp(url, "unix:/", 6) != 0 && !is_web(url, "http://") && !is_web(url, "https://")) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "--scheduler takes unix:/path/http.sock, http://host:port or "
                          "https://host:port, not `%s`",
                          url);
    }
    return 0;
}

/* What goes there leaves this machine as it is. */
static bool is_plain(const char *url)
{
    char endpoint[256];
    if (!is_web(url, "http://")) {
        return false;
    }
    size_t size = strcspn(url + 7, "/");
    const char *colon = memrchr(url + 7, ':', size);
    bool port = colon != NULL && url[7 + size - 1] != ']';
    (void)snprintf(endpoint, sizeof endpoint, "tcp://%.*s%s", (int)(size < 200 ? size : 200),
                   url + 7, port ? "" : ":80");
    return !gm_curve_is_local_endpoint(endpoint);
}

/* Who asks a socket alone needs no token, and no file of one. */
static int take_token(struct gm_session *s, const char *path, struct gm_err *err)
{
    bool web = false, plain = false;
    for (size_t i = 0; s->urls[i] != NULL; i++) {
        web = web || s->urls[i][0] != 'u';
        plain = plain || is_plain(s->urls[i]);
    }
    if (path == NULL || !web) {
        return 0;
    }
    if (plain) {
        gm_term_warn(s->term,
                     "the token is sent unencrypted: use https:// where others can listen");
    }
    return gm_token_read(path, s->token, err);
}

/* Asks the scheduler of s->urls[s->at]. */
static int use_url(struct gm_session *s, struct gm_err *err)
{
    const char *url = s->urls[s->at];
    bool local = url[0] == 'u';
    free(s->base);
    free(s->unix_path);
    s->unix_path = local ? strdup(url + 5) : NULL;
    s->base = strdup(local ? "http://localhost" : url);
    if (s->base == NULL || (s->unix_path == NULL && local)) {
        return gm_err_nomem(err);
    }
    size_t length = strlen(s->base);
    while (length > 0 && s->base[length - 1] == '/') {
        s->base[--length] = '\0';
    }
    return 0;
}

static int parse_scheduler(struct gm_session *s, const char *list, struct gm_err *err)
{
    size_t count = 1;
    int rc = 0;
    for (const char *p = list; *p != '\0'; p++) {
        count += *p == ',' ? 1 : 0;
    }
    s->urls = calloc(count + 1, sizeof *s->urls);
    if (s->urls == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t length = strcspn(list, ",");
        s->urls[i] = strndup(list, length);
        rc = s->urls[i] == NULL ? gm_err_nomem(err) : check_url(s->urls[i], err);
        list += length + 1;
    }
    return rc < 0 ? rc : use_url(s, err);
}

int gm_session_next(struct gm_session *s, struct gm_err *err)
{
    if (s->urls[1] == NULL) {
        return 0;
    }
    s->at++;
    if (s->urls[s->at] == NULL) {
        s->at = 0;
    }
    return use_url(s, err);
}

static void handle_signal(struct gm_session *s, uint32_t number)
{
    if (number == SIGWINCH) {
        gm_term_resize(s->term);
    } else if (number != SIGCHLD && ++s->interrupts > 1) {
        if (s->killed != NULL) {
            s->killed();
        }
        gm_term_clear(s->term);
        gm_farm_destroy(&s->farm);
        if (s->term->json) {
            struct gm_err err;
            gm_err_set(&err, GM_E_CANCELLED, 0, "killed by a second interrupt");
            (void)gm_print_error(stdout, &err);
        }
        _exit(GM_EXIT_KILLED);
    }
}

static int read_signals(struct gm_session *s, struct gm_err *err)
{
    for (;;) {
        struct signalfd_siginfo info;
        ssize_t n = read(s->signal_fd, &info, sizeof(info));
        if (n == (ssize_t)sizeof(info)) {
            handle_signal(s, info.ssi_signo);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            return 0;
        } else {
            return gm_err_sys(err, errno, "could not read signals");
        }
    }
}

/* What happened there; how long may be waited for more, at most timeout_ms. */
static int run_loop(uv_loop_t *loop, int timeout_ms)
{
    (void)uv_run(loop, UV_RUN_NOWAIT); /* 0 or more: whether it has handles yet */
    uv_update_time(loop);
    int due = uv_loop_alive(loop) != 0 ? uv_backend_timeout(loop) : -1;
    return due >= 0 && due < timeout_ms ? due : timeout_ms;
}

int gm_session_turn(struct gm_session *s, int timeout_ms, struct gm_err *err)
{
    struct curl_waitfd fds[3 + GM_FARM_MAX_NODES];
    unsigned count = 1;
    int running = 0;
    fds[0] = (struct curl_waitfd){.fd = s->signal_fd, .events = CURL_WAIT_POLLIN};
    if (s->farm != NULL) {
        count += gm_farm_fds(s->farm, fds + 1);
        timeout_ms = gm_farm_due_ms(s->farm, gm_time_now(), timeout_ms);
    }
    if (s->loop != NULL) {
        timeout_ms = run_loop(s->loop, timeout_ms);
        fds[count++] =
            (struct curl_waitfd){.fd = uv_backend_fd(s->loop), .events = CURL_WAIT_POLLIN};
    }
    /* A request that was just added makes this return at once. */
    CURLMcode mc = curl_multi_poll(s->multi, fds, count, timeout_ms, NULL);
    if (mc == CURLM_OK) {
        mc = curl_multi_perform(s->multi, &running);
    }
    if (mc != CURLM_OK) {
        return gm_err_set(err, GM_E_SYS, mc, "libcurl: %s", curl_multi_strerror(mc));
    }
    gm_request_collect(s->multi);
    if (s->loop != NULL) {
        (void)run_loop(s->loop, 0);
    }
    int rc = read_signals(s, err);
    if (rc == 0 && s->farm != NULL) {
        rc = gm_farm_pump(s->farm, gm_time_now(), err);
    }
    return rc;
}

static int wait_ready(struct gm_session *s, struct gm_err *err)
{
    gm_time deadline = gm_time_now() + READY_TIMEOUT;
    while (!gm_farm_is_ready(s->farm)) {
        if (s->interrupts > 0) {
            return gm_err_set(err, GM_E_CANCELLED, 0, "interrupted before the job was submitted");
        }
        if (gm_time_now() > deadline) {
            return gm_farm_give_up(s->farm, err);
        }
        int rc = gm_session_turn(s, 1000, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int gm_session_open(const struct gm_reach *reach, const struct gm_farm_params *farm,
                    struct gm_term *term, struct gm_session **out, struct gm_err *err)
{
    sigset_t set;
    const char *scheduler = reach->scheduler;
    int rc = 0;
    struct gm_session *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->term = term;
    s->ca = reach->ca != NULL ? strdup(reach->ca) : NULL;
    if (s->ca == NULL && reach->ca != NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    fill_signals(&set);
    s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->signal_fd < 0) {
        rc = gm_err_sys(err, errno, "could not wait for signals");
        goto out;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (s->multi = curl_multi_init()) == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    if (scheduler == NULL) {
        rc = gm_farm_start(farm, term, &s->farm, err);
        if (rc < 0) {
            goto out;
        }
        scheduler = gm_farm_url(s->farm);
    }
    rc = parse_scheduler(s, scheduler, err);
    if (rc == 0) {
        rc = take_token(s, reach->token_file, err);
    }
    if (rc == 0 && s->farm != NULL) {
        rc = wait_ready(s, err);
    }
    if (rc < 0) {
        goto out;
    }
    *out = s;
    s = NULL;
out:
    gm_session_close(&s);
    return rc;
}

void gm_session_close(struct gm_session **session)
{
    struct gm_session *s = *session;
    if (s == NULL) {
        return;
    }
    if (s->farm != NULL) {
        gm_time deadline = gm_time_now() + STOP_TIMEOUT;
        int rc = 0;
        gm_farm_terminate(s->farm);
        while (rc == 0 && gm_farm_is_running(s->farm) && gm_time_now() < deadline) {
            rc = gm_session_turn(s, 200, NULL);
        }
        gm_farm_destroy(&s->farm);
    }
    gm_term_clear(s->term);
    if (s->multi != NULL) {
        curl_multi_cleanup(s->multi);
    }
    if (s->signal_fd >= 0) {
        close(s->signal_fd);
    }
    for (size_t i = 0; s->urls != NULL && s->urls[i] != NULL; i++) {
        free(s->urls[i]);
    }
    free(s->urls);
    free(s->base);
    free(s->unix_path);
    free(s->ca);
    explicit_bzero(s->token, sizeof s->token);
    free(s);
    *session = NULL;
}
