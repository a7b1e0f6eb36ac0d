#include "node/hold_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/outfile.h"
#include "storage/backend.h"

/* Shared with the agent, which is a child of the test. */
struct holds {
    pid_t test;
    bool on[HOLD_COUNT];
    uint32_t threads[HOLD_COUNT];
};

static struct holds *holds;

void hold_init(void)
{
    void *page =
        mmap(NULL, sizeof(*holds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    holds = page;
    holds->test = getpid();
}

void hold_set(enum hold what, bool on)
{
    __atomic_store_n(&holds->on[what], on, __ATOMIC_SEQ_CST);
}

bool hold_is_set(enum hold what)
{
    return __atomic_load_n(&holds->on[what], __ATOMIC_SEQ_CST);
}

void hold_let_go(void)
{
    for (int i = 0; i < HOLD_COUNT; i++) {
        hold_set((enum hold)i, false);
    }
}

void hold_forget(void)
{
    memset(holds->threads, 0, sizeof(holds->threads));
}

uint32_t hold_threads(enum hold what)
{
    return __atomic_load_n(&holds->threads[what], __ATOMIC_SEQ_CST);
}

void hold_until(struct farm *farm, enum hold what, uint32_t threads)
{
    while (hold_threads(what) < threads) {
        farm_turn(farm);
    }
}

/* The test itself goes on, and nothing hangs that outlives it. */
static void pass(enum hold what)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    if (holds == NULL || getpid() == holds->test || !hold_is_set(what)) {
        return;
    }
    __atomic_add_fetch(&holds->threads[what], 1, __ATOMIC_SEQ_CST);
    while (hold_is_set(what) && getppid() == holds->test) {
        nanosleep(&pause, NULL);
    }
    __atomic_sub_fetch(&holds->threads[what], 1, __ATOMIC_SEQ_CST);
}

static bool is_stored(int fd)
{
    char link[64];
    char path[4096] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/store/") != NULL;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __real_fstat(int fd, struct stat *out);
int __wrap_fstat(int fd, struct stat *out);
int __real_gm_dir_walk(int root, const char *key, bool make);
int __wrap_gm_dir_walk(int root, const char *key, bool make);
int __real_gm_grant_open(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms,
                         int *out_fd, uint64_t *out_size, struct gm_err *err);
int __wrap_gm_grant_open(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms,
                         int *out_fd, uint64_t *out_size, struct gm_err *err);
int __real_gm_outfile_open(int folder, const char *name, uint64_t max_bytes,
                           void (*moved)(void *arg), void *arg, struct gm_outfile *out,
                           struct gm_err *err);
int __wrap_gm_outfile_open(int folder, const char *name, uint64_t max_bytes,
                           void (*moved)(void *arg), void *arg, struct gm_outfile *out,
                           struct gm_err *err);

int __wrap_close(int fd)
{
    if (holds != NULL && hold_is_set(HOLD_CLOSE) && is_stored(fd)) {
        pass(HOLD_CLOSE);
    }
    return __real_close(fd);
}

int __wrap_fstat(int fd, struct stat *out)
{
    if (holds != NULL && hold_is_set(HOLD_LOOK) && is_stored(fd)) {
        pass(HOLD_LOOK);
    }
    return __real_fstat(fd, out);
}

int __wrap_gm_dir_walk(int root, const char *key, bool make)
{
    if (make) {
        pass(HOLD_PUT);
    }
    return __real_gm_dir_walk(root, key, make);
}

int __wrap_gm_grant_open(const char *url, const struct gm_grant_key *secret, int64_t now_unix_ms,
                         int *out_fd, uint64_t *out_size, struct gm_err *err)
{
    pass(HOLD_OPEN);
    return __real_gm_grant_open(url, secret, now_unix_ms, out_fd, out_size, err);
}

int __wrap_gm_outfile_open(int folder, const char *name, uint64_t max_bytes,
                           void (*moved)(void *arg), void *arg, struct gm_outfile *out,
                           struct gm_err *err)
{
    pass(HOLD_READ);
    return __real_gm_outfile_open(folder, name, max_bytes, moved, arg, out, err);
}
