/* gopmill-worker: the process that media code runs in. Started by gopmill-launcher with the agent's
 * socket as descriptor 3 and its scratch folder as working directory; not for people. */
#include <unistd.h>

#include "media/av.h"
#include "media/task_io.h"
#include "node/worker.h"

int main(void)
{
    gm_av_init();
    /* The sandbox leaves nothing that an exit handler could need. */
    _exit(gm_worker_main(gm_task_type_find));
}
