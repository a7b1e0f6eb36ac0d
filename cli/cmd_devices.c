/* `devices`: gopmill-node knows them, and becomes this process. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/farm_files.h"

enum gm_exit gm_command_devices(const struct gm_args *args, struct gm_term *term)
{
    struct gm_err err = {0};
    char *program = NULL;
    if (gm_farm_find_program("gopmill-node", &program, &err) == 0) {
        const char *argv[9] = {program, "devices"};
        size_t n = 2;
        if (args->json) {
            argv[n++] = "--json";
        }
        if (args->prove) {
            argv[n++] = "--prove";
        }
        if (args->sysfs_root != NULL) {
            argv[n++] = "--sysfs-root";
            argv[n++] = args->sysfs_root;
        }
        if (args->state != NULL) {
            argv[n++] = "--state";
            argv[n++] = args->state;
        }
        sigset_t none;
        sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) == 0) {
            execv(program, (char *const *)(uintptr_t)argv);
        }
        gm_err_sys(&err, errno, "could not start %s", program);
    }
    free(program);
    return gm_command_fail(args, term, &err);
}
