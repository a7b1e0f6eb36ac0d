#ifndef GM_TESTS_SCHEDULER_FARM_H
#define GM_TESTS_SCHEDULER_FARM_H

/* The real scheduler as a child process on sockets in a temporary folder, and an HTTP client. Waits
 * are bounded by socket timeouts; nothing sleeps. */
#include "tests/scheduler/helper.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 20

struct farm {
    char *folder; /* owned by the test's state */
    pid_t pid;
    char socket[512];
    char wire[512];
    char source[512];      /* URL */
    char destination[512]; /* URL */
};

/* What it logs is in the folder's `log`. */
static inline void farm_start_keeping(struct farm *f, char *folder, unsigned keep_failed_ms)
{
    char config[4096];
    char path[512];
    char log[512];
    char line[256] = "";
    int fds[2];
    *f = (struct farm){.folder = folder};
    path_in(f->socket, folder, "http");
    (void)snprintf(f->wire, sizeof f->wire, "ipc://%s/wire", folder);
    (void)snprintf(f->source, sizeof f->source, "file://%s/in/clip.mp4", folder);
    (void)snprintf(f->destination, sizeof f->destination, "file://%s/out/a", folder);
    (void)snprintf(config, sizeof config,
                   "state: %s/s\nlisten: [\"%s\"]\nhttp: \"unix:%s\"\n"
                   "pipelines: [\"" GM_SOURCE_DIR "/config/pipelines\"]\n"
                   "grant_key_file: %s/grant.key\nallow_sources: [%s/in]\n"
                   "allow_destinations: [%s/out]\nevents_listen: [\"ipc://%s/events\"]\nlease_ms: "
                   "30000\nheartbeat_ms: 100\n"
                   "keep_failed_ms: %u\nlog_level: warn\ntenants: [\"few max_queued=1\"]\n",
                   folder, f->wire, f->socket, folder, folder, folder, folder, keep_failed_ms);
    write_file(folder, "c.yaml", config, strlen(config));
    path_in(path, folder, "in");
    (void)mkdir(path, 0755);
    path_in(path, folder, "out");
    (void)mkdir(path, 0755);
    write_file(folder, "in/clip.mp4", "not really a film", 17);
    path_in(path, folder, "c.yaml");
    assert_int_equal(pipe(fds), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(fds[1], STDOUT_FILENO);
        path_in(log, folder, "log");
        (void)dup2(open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
        (void)close(fds[0]);
        (void)close(fds[1]);
        (void)execl(GM_BUILD_DIR "/bin/gopmill-scheduler", "gopmill-scheduler", "--config", path,
                    (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    size_t n = 0;
    ssize_t got = 0;
    while (n + 1 < sizeof line && (n == 0 || line[n - 1] != '\n') &&
           (got = read(fds[0], line + n, sizeof line - 1 - n)) > 0) {
        n += (size_t)got;
    }
    (void)close(fds[0]);
    assert_int_equal(strncmp(line, "READY http=unix:", 16), 0);
}

static inline void farm_start(struct farm *f, char *folder)
{
    farm_start_keeping(f, folder, 0);
}

static inline void farm_kill(struct farm *f)
{
    int status = 0;
    assert_int_equal(kill(f->pid, SIGKILL), 0);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
}

static inline void farm_stop(struct farm *f)
{
    int status = 0;
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline int farm_connect(const struct farm *f)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && strlen(f->socket) < sizeof un.sun_path);
    (void)strcpy(un.sun_path, f->socket);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

static inline void farm_send(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* refused early: the answer says why */
        }
        data += n;
        size -= (size_t)n;
    }
}

/* Sends raw bytes, reads to the end; *out (owned) is the body. Returns the status. */
static inline int farm_raw(const struct farm *f, const char *request, size_t size, char **out)
{
    size_t cap = 1 << 16;
    size_t n = 0;
    ssize_t got = 0;
    char *text = malloc(cap + 1);
    int fd = farm_connect(f);
    assert_non_null(text);
    farm_send(fd, request, size);
    while ((got = read(fd, text + n, cap - n)) > 0) {
        n += (size_t)got;
        if (n == cap) {
            cap *= 2;
            text = realloc(text, cap + 1);
            assert_non_null(text);
        }
    }
    (void)close(fd);
    text[n] = '\0';
    int status = 0;
    if (sscanf(text, "HTTP/1.1 %d", &status) != 1) {
        free(text);
        *out = strdup("");
        return 0;
    }
    char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    *out = strdup(body + 4);
    free(text);
    return status;
}

static inline int farm_call(const struct farm *f, const char *method, const char *path,
                            const char *body, json_t **out)
{
    size_t size = strlen(path) + 256 + (body != NULL ? strlen(body) : 0);
    char *request = malloc(size);
    char *answer = NULL;
    assert_non_null(request);
    int n = snprintf(request, size,
                     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n"
                     "%s",
                     method, path, body != NULL ? strlen(body) : 0, body != NULL ? body : "");
    int status = farm_raw(f, request, (size_t)n, &answer);
    free(request);
    *out = json_loads(answer, 0, NULL);
    if (*out == NULL) {
        fail_msg("%s %s: %d, not JSON: %s", method, path, status, answer);
    }
    free(answer);
    return status;
}

/* The status and, for problems, the catalogue's code. */
static inline void farm_expect(const struct farm *f, const char *method, const char *path,
                               const char *body, int status, const char *code)
{
    json_t *j = NULL;
    int got = farm_call(f, method, path, body, &j);
    const char *said = json_string_value(json_object_get(j, "code"));
    if (got != status || (code != NULL && (said == NULL || strcmp(said, code) != 0))) {
        fail_msg("%s %s %s: %d %s (%s), expected %d %s", method, path, body != NULL ? body : "",
                 got, said != NULL ? said : "-", json_string_value(json_object_get(j, "detail")),
                 status, code != NULL ? code : "-");
    }
    json_decref(j);
}

/* Submits; id: 64 bytes. more: further members, or "". */
static inline void farm_submit(const struct farm *f, const char *pipeline, const char *more,
                               char id[64])
{
    char body[2048];
    json_t *j = NULL;
    (void)snprintf(body, sizeof body,
                   "{\"pipeline\":%s,\"source\":\"%s\",\"destination\":\"%s\"%s}", pipeline,
                   f->source, f->destination, more);
    int status = farm_call(f, "POST", "/v1/jobs", body, &j);
    if (status != 201) {
        fail_msg("submit: %d %s", status, json_string_value(json_object_get(j, "detail")));
    }
    (void)snprintf(id, 64, "%s", json_string_value(json_object_get(j, "id")));
    json_decref(j);
}

/* An event stream, opened; the request is sent. */
static inline int farm_events(const struct farm *f, const char *id, const char *last_id)
{
    char request[512];
    int fd = farm_connect(f);
    int n = snprintf(request, sizeof request,
                     "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n", id,
                     last_id != NULL ? "Last-Event-ID: " : "", last_id != NULL ? last_id : "",
                     last_id != NULL ? "\r\n" : "");
    farm_send(fd, request, (size_t)n);
    return fd;
}

/* Reads on until `text` was seen or the stream ended; what was read is appended to *all (owned). */
static inline bool farm_read_until(int fd, const char *text, char **all)
{
    size_t n = *all != NULL ? strlen(*all) : 0;
    while (*all == NULL || strstr(*all, text) == NULL) {
        char *more = realloc(*all, n + 4097);
        assert_non_null(more);
        *all = more;
        ssize_t got = read(fd, *all + n, 4096);
        (*all)[got > 0 ? n + (size_t)got : n] = '\0';
        if (got <= 0) {
            return strstr(*all, text) != NULL;
        }
        n += (size_t)got;
    }
    return true;
}

static inline bool farm_has(const struct farm *f, const char *name)
{
    char path[512];
    path_in(path, f->folder, name);
    return access(path, F_OK) == 0;
}

#endif
