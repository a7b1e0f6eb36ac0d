/* gopmill-worker: the process that media code runs in. Started by gopmill-launcher with the agent's
 * socket as descriptor 3 and its scratch folder as working directory; not for people.
 *
 * With --keyframes descriptor 3 is a media file. Where it may be cut goes to standard output, a
 * number a line, and then "end": what breaks off before it is not to be used. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/log.h"
#include "media/av.h"
#include "media/prove/build.h"
#include "media/source/keyframes.h"
#include "media/task_io.h"
#include "node/sandbox.h"
#include "node/worker.h"

#define KEYFRAMES_APART (1 << 20) /* bytes */

static const char HELP[] = "Usage: gopmill-worker [--keyframes]\n"
                           "\n"
                           "Runs media tasks that come over the socket that is its descriptor 3.\n"
                           "Started by gopmill-node through gopmill-launcher; not for people: see\n"
                           "gopmill-worker(8).\n"
                           "\n"
                           "  --keyframes  say where the file that is descriptor 3 may be cut\n"
                           "  --version    print the version\n"
                           "  --help       print this\n";

static int add_keyframe(uint64_t offset, void *arg, struct gm_err *err)
{
    struct gm_buf *text = arg;
    gm_buf_printf(text, "%" PRIu64 "\n", offset);
    return gm_buf_check(text, err);
}

static int tell_keyframes(struct gm_err *err)
{
    const struct gm_sandbox_device none = {.profile = GM_SANDBOX_PLAIN};
    struct gm_sandbox_missing missing = {.count = 0};
    struct gm_buf text = {0};
    struct stat st;
    if (fstat(GM_WORKER_SOCKET, &st) < 0) {
        return gm_err_sys(err, errno, "fstat of the file");
    }
    gm_av_init();
    int rc = gm_sandbox_enter(GM_WORKER_SOCKET, &none, &missing, err);
    if (rc == 0) {
        rc = gm_keyframes_find(gm_source_plain(GM_WORKER_SOCKET), st.st_size, KEYFRAMES_APART,
                               add_keyframe, &text, err);
    }
    gm_buf_str(&text, "end\n");
    if (rc == 0) {
        rc = gm_buf_check(&text, err);
    }
    if (rc == 0) {
        rc = gm_fs_write_all(STDOUT_FILENO, text.data, text.size, err);
    }
    gm_buf_fini(&text);
    return rc;
}

static int run_keyframes(void)
{
    struct gm_err err = {.code = GM_OK};
    gm_log_init("worker", GM_LOG_WARN, false);
    if (tell_keyframes(&err) < 0) {
        gm_log_err(GM_LOG_ERROR, "keyframes-failed", &err, "pid=%d", (int)getpid());
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool keyframes = argc == 2 && strcmp(argv[1], "--keyframes") == 0;
    if (argc > 1 && !keyframes) {
        bool version = strcmp(argv[1], "--version") == 0;
        if (argc > 2 || (!version && strcmp(argv[1], "--help") != 0)) {
            fputs(HELP, stderr);
            return 2;
        }
        fputs(version ? "gopmill-worker " GOPMILL_VERSION "\n" : HELP, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    if (fcntl(GM_WORKER_SOCKET, F_GETFD) < 0) {
        fputs("gopmill-worker: nothing on descriptor 3; it is started by gopmill-node\n", stderr);
        return 1;
    }
    if (keyframes) {
        _exit(run_keyframes());
    }
    gm_av_init();
    /* The sandbox leaves nothing that an exit handler could need. */
    _exit(gm_worker_main(gm_task_type_find, gm_media_build));
}
