/* Preloaded (LD_PRELOAD): a process whose clocks are wrong. CLOCK_FAULT names a file of one line,
 * three numbers of seconds: what is added to the wall clock, to the monotonic one, and to the one
 * that goes on while a machine sleeps, beside what the monotonic one gets. It is looked at in each
 * call, so the clocks jump when it is written to. A process that can't open it (a worker
 * in its sandbox) has the clocks that it has.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 64

static const char *line; /* shared with who writes it; NULL: no fault */

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("CLOCK_FAULT");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *p = mmap(NULL, LINE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
        line = p != MAP_FAILED ? p : NULL;
        (void)close(fd);
    }
}

static long offset(int number)
{
    const char *at = line;
    char *next = NULL;
    long seconds = 0;
    for (int i = 0; line != NULL && i <= number; i++) {
        seconds = strtol(at, &next, 10);
        at = next;
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, out);
    switch (rc == 0 ? clock : -1) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        out->tv_sec += offset(0);
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        out->tv_sec += offset(1);
        break;
    case CLOCK_BOOTTIME:
        out->tv_sec += offset(1) + offset(2);
        break;
    default:
        break;
    }
    return rc;
}

time_t time(time_t *out)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL) {
        *out = t.tv_sec;
    }
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec t = {0};
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    *out = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
    return 0;
}
