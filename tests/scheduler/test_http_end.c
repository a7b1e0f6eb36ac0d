/* A request that comes when the scheduler has left its loop, in this process. */
#include "tests/scheduler/helper.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "scheduler/daemon.h"

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

static int open_connection(const char *folder)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_true(snprintf(un.sun_path, sizeof un.sun_path, "%s/http", folder) > 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

static void ask(int fd, const char *path)
{
    char request[256];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
}

static void expect(int fd, const char *begin)
{
    char answer[256] = "";
    size_t n = 0;
    ssize_t got = 0;
    while (n < strlen(begin) && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0) {
        n += (size_t)got;
    }
    answer[strlen(begin)] = '\0';
    assert_string_equal(answer, begin);
}

static void requests_after_the_loop_are_refused(void **state)
{
    /* of the commit, of the webhooks, of the pool */
    static const char *const paths[] = {"/v1/jobs?state=done", "/metrics", "/v1/farm",
                                        "/v1/pipelines"};
    enum { COUNT = sizeof paths / sizeof paths[0] };
    const char *folder = *state;
    struct gm_settings settings = {0};
    struct gm_daemon *d = make(folder, &settings);
    pthread_t thread;
    int fds[COUNT];
    assert_int_equal(pthread_create(&thread, NULL, serve, d), 0);
    for (size_t i = 0; i < COUNT; i++) { /* taken, and kept open */
        fds[i] = open_connection(folder);
        ask(fds[i], "/livez");
        expect(fds[i], "HTTP/1.1 200");
    }
    gm_daemon_stop(d);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < COUNT; i++) {
        ask(fds[i], paths[i]);
    }
    gm_daemon_destroy(&d);
    for (size_t i = 0; i < COUNT; i++) {
        char rest[4096];
        ssize_t n = 0;
        size_t all = 0;
        while (all < sizeof rest - 1 && (n = read(fds[i], rest + all, sizeof rest - 1 - all)) > 0) {
            all += (size_t)n;
        }
        rest[all] = '\0';
        assert_non_null(strstr(rest, "HTTP/1.1 503"));
        (void)close(fds[i]);
    }
    gm_settings_fini(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_after_the_loop_are_refused, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
