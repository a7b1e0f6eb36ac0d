#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fs.h"

/* O_TMPFILE is not every file system's: then a name, for as long as that takes. */
static int make_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    char *path = NULL;

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) {
        return fd;
    }
    if (asprintf(&path, "%s/nameless-XXXXXX", folder) < 0) {
        errno = ENOMEM;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        (void)unlink(path);
    }
    free(path);
    return fd;
}

int gm_fs_nameless(const char *folder, int *out_fd, struct gm_err *err)
{
    int fd = make_file(folder);

    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make a file in %s", folder);
    }
    *out_fd = fd;
    return 0;
}
