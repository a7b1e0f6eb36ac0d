#include "common/crash.h"

#ifdef GM_CRASH_POINTS

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VARIABLE "GM_CRASH"
#define DESCRIPTOR "fd:" /* in place of a path: one that was inherited */

static const size_t SIZE = GM_CRASH_SLOTS * sizeof(struct gm_crash_slot);
static struct gm_crash_slot *slots; /* shared with the test; NULL: not asked for */
static char *file;                  /* outlives the environment */

static void refuse(const char *path)
{
    (void)fprintf(stderr, "%s: " VARIABLE "=%s is no file of %zu bytes that can be mapped: %s\n",
                  program_invocation_short_name, path, SIZE, strerror(errno));
    _exit(2);
}

/* Before main: nothing is closed or forbidden yet. */
__attribute__((constructor)) static void map_file(void)
{
    const char *path = getenv(VARIABLE);
    struct stat st;
    if (path == NULL) {
        return;
    }
    bool given = strncmp(path, DESCRIPTOR, strlen(DESCRIPTOR)) == 0;
    int fd = given ? atoi(path + strlen(DESCRIPTOR)) : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || (size_t)st.st_size < SIZE) {
        refuse(path);
    }
    void *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    file = strdup(path);
    if (map == MAP_FAILED || file == NULL) {
        refuse(path);
    }
    close(fd);
    slots = map;
}

/* The signal that the slot has for this point; 0: it is about another one. */
static int signal_of(const struct gm_crash_slot *slot, const char *name)
{
    static const struct {
        const char *end;
        int signal;
    } ways[] = {{"", SIGKILL}, {" stop", SIGSTOP}};
    char own[GM_CRASH_TEXT];
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int n =
            snprintf(own, sizeof own, "%s %s%s", program_invocation_short_name, name, ways[i].end);
        if (n > 0 && (size_t)n < sizeof own && strncmp(slot->text, own, sizeof own) == 0) {
            return ways[i].signal;
        }
    }
    return 0;
}

static bool is_last(struct gm_crash_slot *slot)
{
    uint32_t left = __atomic_load_n(&slot->left, __ATOMIC_ACQUIRE);
    while (left != 0) {
        if (__atomic_compare_exchange_n(&slot->left, &left, left - 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            return left == 1;
        }
    }
    return false;
}

/* kill(2) is not among what a worker may call. */
static void send_own(int signal)
{
    (void)syscall(SYS_tgkill, getpid(), gettid(), signal);
}

void gm_crash_point(const char *name)
{
    for (size_t i = 0; slots != NULL && i < GM_CRASH_SLOTS; i++) {
        int signal =
            __atomic_load_n(&slots[i].left, __ATOMIC_ACQUIRE) == 0 ? 0 : signal_of(&slots[i], name);
        if (signal == 0 || !is_last(&slots[i])) {
            continue;
        }
        __atomic_add_fetch(&slots[i].hits, 1, __ATOMIC_RELEASE);
        if (signal == SIGSTOP) {
            send_own(SIGSTOP);
            return;
        }
        for (;;) {
            send_own(SIGKILL);
        }
    }
}

int gm_crash_keep(void)
{
    return slots == NULL ? -1 : open(file, O_RDWR);
}

void gm_crash_pass(int fd)
{
    char value[32];
    (void)snprintf(value, sizeof value, DESCRIPTOR "%d", fd);
    if (fd >= 0 && setenv(VARIABLE, value, 1) != 0) {
        refuse(value);
    }
}

#else
typedef int gm_crash_is_empty; /* C wants a declaration in each file */
#endif
