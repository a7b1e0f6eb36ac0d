/* gopmill-worker: the process that media code runs in. Started by gopmill-launcher with the agent's
 * socket as descriptor 3 and its scratch folder as working directory; not for people. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "media/av.h"
#include "media/prove/build.h"
#include "media/task_io.h"
#include "node/worker.h"

static const char HELP[] = "Usage: gopmill-worker\n"
                           "\n"
                           "Runs media tasks that come over the socket that is its descriptor 3.\n"
                           "Started by gopmill-node through gopmill-launcher; not for people: see\n"
                           "gopmill-worker(8).\n"
                           "\n"
                           "  --version  print the version\n"
                           "  --help     print this\n";

int main(int argc, char **argv)
{
    if (argc > 1) {
        bool version = strcmp(argv[1], "--version") == 0;
        if (argc > 2 || (!version && strcmp(argv[1], "--help") != 0)) {
            fputs(HELP, stderr);
            return 2;
        }
        fputs(version ? "gopmill-worker " GOPMILL_VERSION "\n" : HELP, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    if (fcntl(GM_WORKER_SOCKET, F_GETFD) < 0) {
        fputs("gopmill-worker: no socket on descriptor 3; it is started by gopmill-node\n", stderr);
        return 1;
    }
    gm_av_init();
    /* The sandbox leaves nothing that an exit handler could need. */
    _exit(gm_worker_main(gm_task_type_find, gm_media_build));
}
