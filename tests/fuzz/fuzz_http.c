#include "fuzz.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/log.h"
#include "scheduler/daemon.h"

/* The whole scheduler behind its HTTP socket, in a thread of this process. The first byte chooses
 * how the rest is sent: as it is, as a body, or as what follows a path. A request with a body must
 * be answered; the others may be half of one, for which the server waits. */

#define PATIENCE_S 8
#define MOMENT_US 20000

struct farm {
    char folder[64];
    struct gm_settings settings;
    struct gm_daemon *daemon;
    pthread_t thread;
    struct sockaddr_un address;
};

static struct farm farm; /* one a process: libFuzzer's entry point has no argument of ours */

static void *serve(void *arg)
{
    struct gm_err err = {0};
    GM_ASSERT(gm_daemon_run(arg, &err) == 0);
    return NULL;
}

static void stop(void)
{
    struct gm_err err = {0};
    gm_daemon_stop(farm.daemon);
    GM_ASSERT(pthread_join(farm.thread, NULL) == 0);
    gm_daemon_destroy(&farm.daemon);
    gm_settings_fini(&farm.settings);
    GM_IGNORE(gm_fs_remove_tree(farm.folder, &err), "what is left lies in /tmp");
}

static void make_folder(const char *name)
{
    char path[128];
    struct gm_err err = {0};
    GM_ASSERT(gm_fs_path(path, sizeof path, &err, "%s/%s", farm.folder, name) == 0);
    GM_ASSERT(mkdir(path, 0755) == 0);
}

static void start(void)
{
    struct gm_err err = {0};
    struct gm_buf text = {0};
    char path[128];
    (void)strcpy(farm.folder, "/tmp/gm-fuzz-http-XXXXXX");
    GM_ASSERT(mkdtemp(farm.folder) != NULL);
    gm_log_init("fuzz", GM_LOG_ERROR, false);
    make_folder("in");
    make_folder("out");
    make_folder("pipelines");
    gm_buf_printf(&text,
                  "state: %s/s\nlisten: [\"ipc://%s/wire\"]\nhttp: \"unix:%s/http\"\n"
                  "pipelines: [%s/pipelines]\ngrant_key_file: %s/grant.key\n"
                  "allow_sources: [%s/in]\nallow_destinations: [%s/out]\nmax_jobs: 4\n",
                  farm.folder, farm.folder, farm.folder, farm.folder, farm.folder, farm.folder,
                  farm.folder);
    GM_ASSERT(gm_buf_check(&text, &err) == 0);
    GM_ASSERT(gm_fs_path(path, sizeof path, &err, "%s/c.yaml", farm.folder) == 0);
    GM_ASSERT(gm_fs_write_atomic(path, text.data, text.size, &err) == 0);
    gm_buf_fini(&text);
    GM_ASSERT(gm_settings_load(path, &farm.settings, &err) == 0);
    GM_ASSERT(gm_daemon_create(&farm.settings, &farm.daemon, &err) == 0);
    farm.address.sun_family = AF_UNIX;
    GM_ASSERT(
        snprintf(farm.address.sun_path, sizeof farm.address.sun_path, "%s/http", farm.folder) > 0);
    GM_ASSERT(pthread_create(&farm.thread, NULL, serve, farm.daemon) == 0);
    GM_ASSERT(atexit(stop) == 0);
}

/* Sends, and reads until the other side ends, which it must do where the request is whole. */
static void exchange(const struct gm_buf *request, bool whole)
{
    struct timeval patience = {.tv_sec = whole ? PATIENCE_S : 0, .tv_usec = whole ? 0 : MOMENT_US};
    uint8_t answer[4096];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t sent = 0;
    ssize_t n = 0;
    GM_ASSERT(fd >= 0);
    GM_ASSERT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    GM_ASSERT(connect(fd, (const struct sockaddr *)&farm.address, sizeof farm.address) == 0);
    while (sent < request->size &&
           (n = send(fd, request->data + sent, request->size - sent, MSG_NOSIGNAL)) > 0) {
        sent += (size_t)n;
    }
    while ((n = recv(fd, answer, sizeof answer, 0)) > 0) {
    }
    GM_ASSERT(n == 0 || errno == ECONNRESET || !whole); /* EAGAIN: it hangs */
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const bodies[] = {"/v1/jobs", "/v1/pipelines:check", "/v1/nodes/n:drain"};
    static const char *const paths[] = {"/v1/jobs?", "/v1/jobs/", "/v1/pipelines/", "/"};
    struct gm_buf request = {0};
    struct gm_err err = {0};
    if (size < 1) {
        return 0;
    }
    if (farm.daemon == NULL) {
        start();
    }
    unsigned how = data[0] & 7;
    data++;
    size--;
    if (how < 3) {
        gm_buf_printf(&request,
                      "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                      "Content-Length: %zu\r\n\r\n",
                      bodies[how], size);
    } else if (how < 7) {
        gm_buf_printf(&request, "GET %s", paths[how - 3]);
    }
    gm_buf_add(&request, data, size);
    if (how >= 3 && how < 7) {
        gm_buf_str(&request, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }
    GM_ASSERT(gm_buf_check(&request, &err) == 0);
    exchange(&request, how < 3);
    gm_buf_fini(&request);
    return 0;
}
