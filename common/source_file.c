#include "common/source_file.h"

#include <errno.h>
#include <sys/stat.h>

#include "common/fs.h"

#define PART ((size_t)1 << 20) /* asked for at once: all of it must be held */

/* The part of a read that lies within the file is asked for; what lies behind it is the end. */
static int ask(const struct gm_source_file *file, size_t size, uint64_t offset, struct gm_err *err)
{
    struct stat st;
    if (fstat(file->fd, &st) < 0) {
        return gm_err_sys(err, errno, "fstat of the source");
    }
    uint64_t end = (uint64_t)st.st_size;
    if (size == 0 || offset >= end) {
        return 0;
    }
    return file->need(file->arg, offset, size < end - offset ? size : end - offset, err);
}

int gm_source_file_read(struct gm_source_file file, void *out, size_t size, uint64_t offset,
                        size_t *out_read, struct gm_err *err)
{
    if (file.need == NULL) {
        return gm_fs_read_at(file.fd, out, size, offset, out_read, err);
    }
    size_t done = 0;
    for (size_t got = 0; done < size; done += got) {
        size_t part = size - done < PART ? size - done : PART;
        int rc = ask(&file, part, offset + done, err);
        if (rc == 0) {
            rc = gm_fs_read_at(file.fd, (uint8_t *)out + done, part, offset + done, &got, err);
        }
        if (rc < 0) {
            return rc;
        }
        if (got < part) {
            done += got;
            break;
        }
    }
    *out_read = done;
    return 0;
}
