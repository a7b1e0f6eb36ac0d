#include "node/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fs.h"

int gm_program_find(const char *name, char **out, struct gm_err *err)
{
    char *folder = NULL;
    int rc = gm_fs_program_dir(&folder, err);
    if (rc < 0) {
        return rc;
    }
    const char *const places[] = {"", "/../libexec/gopmill"};
    char *found = NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && found == NULL; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s%s/%s", folder, places[i], name) < 0) {
            rc = gm_err_nomem(err);
            break;
        }
        if (access(path, X_OK) == 0) {
            found = realpath(path, NULL);
        }
        free(path);
    }
    if (rc == 0 && found == NULL) {
        rc = gm_err_set(err, GM_E_NOT_INSTALLED, 0, "`%s` is not beside this program in `%s`", name,
                        folder);
    }
    free(folder);
    if (rc == 0) {
        *out = found;
    }
    return rc;
}
