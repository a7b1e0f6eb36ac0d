/* What is asked while the disk of the state has no room, in this process. */
#include "tests/scheduler/helper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "scheduler/daemon.h"

static atomic_bool held, begun, full; /* a commit is held; one began; it finds no room */

int __real_gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch,
                           struct gm_err *err);
int __wrap_gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch,
                           struct gm_err *err);

int __wrap_gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch,
                           struct gm_err *err)
{
    atomic_store(&begun, atomic_load(&held));
    while (atomic_load(&held) && !atomic_load(&full)) {
        (void)usleep(1000);
    }
    return atomic_load(&full) ? gm_err_set(err, GM_E_STATE_FULL, 0, "full")
                              : __real_gm_state_commit(state, batch, err);
}

static void *serve(void *arg)
{
    struct gm_err err = {0};
    ASSERT_OK(gm_daemon_run(arg, &err));
    return NULL;
}

static struct gm_daemon *make(const char *folder, struct gm_settings *settings)
{
    struct gm_daemon *d = NULL;
    struct gm_err err = {0};
    char config[2048], path[512];
    (void)snprintf(config, sizeof config,
                   "state: %s/s\nlisten: [\"ipc://%s/wire\"]\nhttp: \"unix:%s/http\"\n"
                   "pipelines: [\"" GM_SOURCE_DIR "/config/pipelines\"]\n"
                   "grant_key_file: %s/grant.key\nlog_level: error\n",
                   folder, folder, folder, folder);
    write_file(folder, "c.yaml", config, strlen(config));
    path_in(path, folder, "c.yaml");
    ASSERT_OK(gm_settings_load(path, settings, &err));
    ASSERT_OK(gm_daemon_create(settings, &d, &err));
    return d;
}

static int ask(const char *folder, const char *request, const char *body)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 20};
    char text[1024];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_true(snprintf(un.sun_path, sizeof un.sun_path, "%s/http", folder) > 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof un), 0);
    int n = snprintf(text, sizeof text,
                     "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
                     "application/yaml\r\nContent-Length: %zu\r\n\r\n%s",
                     request, strlen(body), body);
    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

/* What it answers begins with, and has within. */
static void expect(int fd, const char *begin, const char *within)
{
    char answer[8192];
    size_t n = 0;
    ssize_t got = 0;
    while (n + 1 < sizeof answer && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0) {
        n += (size_t)got;
    }
    answer[n] = '\0';
    if (strncmp(answer, begin, strlen(begin)) != 0 || strstr(answer, within) == NULL) {
        fail_msg("not %s, %s: %s", begin, within, answer);
    }
    (void)close(fd);
}

static void who_would_wait_for_room_is_refused(void **state)
{
    static const char LOGS[] = "GET /v1/jobs/0/logs";
    const char *folder = *state;
    struct gm_settings settings = {0};
    struct gm_daemon *d = make(folder, &settings);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, serve, d), 0);
    expect(ask(folder, "GET /readyz", ""), "HTTP/1.1 200", "\"takes_jobs\":true");
    atomic_store(&held, true);
    int put = ask(folder, "PUT /v1/pipelines/x",
                  "name: x\ntasks:\n  i: {type: inspect}\n  p: {type: plan, needs: [i]}\n"
                  "  s: {type: split, needs: [p]}\n  v: {type: encode, needs: [s]}\n"
                  "  k: {type: package, needs: [v]}\n");
    while (!atomic_load(&begun)) {
        (void)usleep(1000);
    }
    int logs = ask(folder, LOGS, "");
    expect(ask(folder, "GET /livez", ""), "HTTP/1.1 200", "");
    atomic_store(&full, true);
    expect(logs, "HTTP/1.1 503", "scheduler.state_full");
    expect(ask(folder, LOGS, ""), "HTTP/1.1 503", "Retry-After");
    expect(ask(folder, "GET /v1/jobs", ""), "HTTP/1.1 200", ""); /* nothing is stuck of these */
    expect(ask(folder, "GET /readyz", ""), "HTTP/1.1 200", "\"takes_jobs\":false");
    atomic_store(&held, false);
    atomic_store(&full, false);
    expect(put, "HTTP/1.1 201", "");
    expect(ask(folder, LOGS, ""), "HTTP/1.1 404", "");
    gm_daemon_stop(d);
    assert_int_equal(pthread_join(thread, NULL), 0);
    gm_daemon_destroy(&d);
    gm_settings_fini(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_would_wait_for_room_is_refused, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
