#include "hwtest/level3.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/time.h"
#include "hwtest/temp.h"

#define BLOCK ((size_t)1 << 20)
#define BLOCKS 256
#define BLOCKS_QUICK 8
#define REMEDY "free 256 MiB there, or set TMPDIR to the folder that the farm will use"

static int write_blocks(int fd, uint8_t *block, int count, gm_time *out, struct gm_err *err)
{
    gm_time started = gm_time_now();
    int rc = 0;
    for (int i = 0; rc == 0 && i < count; i++) {
        memset(block, i, 64); /* no two are alike */
        rc = gm_fs_write_all(fd, block, BLOCK, err);
    }
    if (rc == 0 && fsync(fd) != 0) {
        rc = gm_err_sys(err, errno, "the file did not reach its disk");
    }
    *out = gm_time_now() - started;
    return rc;
}

/* What was written, from the disk where the kernel lets go of its copy. */
static int read_blocks(int fd, uint8_t *block, int count, gm_time *out, struct gm_err *err)
{
    GM_IGNORE(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "then memory is measured: said so");
    gm_time started = gm_time_now();
    int rc = 0;
    for (int i = 0; rc == 0 && i < count; i++) {
        size_t got = 0;
        rc = gm_fs_read_at(fd, block, BLOCK, (uint64_t)i * BLOCK, &got, err);
        bool right = rc == 0 && got == BLOCK && block[0] == (uint8_t)i && block[63] == (uint8_t)i;
        if (rc == 0 && !right) {
            rc = gm_err_set(err, GM_E_SYS, EIO, "what was read is not what was written");
        }
    }
    *out = gm_time_now() - started;
    return rc;
}

static int add(const char *name, int count, gm_time took, const char *folder,
               const struct gm_err *why, struct gm_hwtest_report *report, struct gm_err *err)
{
    char text[240];
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", name, 3);
    if (why->code == GM_OK) {
        gm_hwtest_measure(&c, (double)BLOCK * count / 1e6 / ((double)took / (double)GM_SEC), "MB/s",
                          NULL, NULL);
        c.better = GM_HWTEST_HIGHER;
        (void)snprintf(text, sizeof(text),
                       "%d MiB in %.120s, one file, one process; TMPDIR chooses the folder", count,
                       folder);
    } else {
        c.status = GM_HWTEST_FAIL;
        (void)snprintf(text, sizeof(text), "%.80s: %.150s", folder, why->text);
        gm_hwtest_set(c.remedy, REMEDY);
    }
    gm_hwtest_set(c.text, text);
    return gm_hwtest_add(report, &c, err);
}

/* *out_fd: owned; -1 where it failed. The file has no name any more. */
static int open_file(const char *folder, int *out_fd, struct gm_err *err)
{
    char path[4096];
    *out_fd = -1;
    int rc = gm_fs_path(path, sizeof(path), err, "%s/" GM_HWTEST_TEMP_PREFIX "XXXXXX", folder);
    if (rc < 0) {
        return rc;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return gm_err_sys(err, errno, "no file could be made there");
    }
    GM_IGNORE(unlink(path), "it goes with the folder's next cleaning");
    *out_fd = fd;
    return 0;
}

int gm_hwtest_storage(bool quick, struct gm_hwtest_report *report, struct gm_err *err)
{
    const char *folder = gm_hwtest_temp_home();
    struct gm_err why = {.code = GM_OK};
    gm_time took = 0;
    const int count = quick ? BLOCKS_QUICK : BLOCKS; /* a MiB each */
    uint8_t *block = malloc(BLOCK);
    if (block == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < BLOCK; i++) {
        block[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    int fd = -1;
    bool written =
        open_file(folder, &fd, &why) == 0 && write_blocks(fd, block, count, &took, &why) == 0;
    int rc = add("storage.write", count, took, folder, &why, report, err);
    if (rc == 0 && written) {
        GM_IGNORE(read_blocks(fd, block, count, &took, &why), "then the check says so");
        rc = add("storage.read", count, took, folder, &why, report, err);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(block);
    return rc;
}
