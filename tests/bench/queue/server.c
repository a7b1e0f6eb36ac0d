#include "bench/queue/server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/queue/stream.h"

#define SYNCS 400
#define SYNC_BYTES 4096
/* A write that reaches any medium takes longer; a call that is caught on its way does not. */
#define SYNC_LEAST_US 5.0

int64_t bq_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bq_samples_add(struct bq_samples *s, int64_t ns)
{
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 4096 : 2 * s->cap;
        s->ns = realloc(s->ns, s->cap * sizeof *s->ns);
        if (s->ns == NULL) {
            bq_die("out of memory");
        }
    }
    s->ns[s->count++] = ns;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

double bq_samples_us(struct bq_samples *s, double share)
{
    if (s->count == 0) {
        return 0;
    }
    qsort(s->ns, s->count, sizeof *s->ns, by_size);
    return (double)s->ns[(size_t)((double)(s->count - 1) * share)] / 1000;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void bq_scratch_remove(const char *folder)
{
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The line of mountinfo with that device: "36 35 98:0 /root /mount options - type source ..." */
static void name_disk(const char *folder, struct bq_disk *out)
{
    struct stat st;
    char line[4096], wanted[32];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    if (f == NULL || stat(folder, &st) != 0) {
        bq_die("%s: %s", folder, strerror(errno));
    }
    (void)snprintf(wanted, sizeof wanted, " %u:%u ", major(st.st_dev), minor(st.st_dev));
    while (fgets(line, sizeof line, f) != NULL) {
        const char *rest = strstr(line, " - ");
        if (strstr(line, wanted) != NULL && rest != NULL &&
            sscanf(rest, " - %31s %127s", out->type, out->device) == 2) {
            break;
        }
    }
    (void)fclose(f);
}

void bq_disk_measure(const char *folder, struct bq_disk *out)
{
    static const char *const memory[] = {"tmpfs", "ramfs", "overlay", "devtmpfs", ""};
    struct bq_samples samples = {0};
    char path[PATH_MAX], block[SYNC_BYTES];
    *out = (struct bq_disk){.type = ""};
    name_disk(folder, out);
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        if (strcmp(out->type, memory[i]) == 0) {
            bq_die("%s is on %s, which keeps nothing: name a folder on a disk (--dir)", folder,
                   out->type[0] != '\0' ? out->type : "a file system of no name");
        }
    }
    memset(block, 7, sizeof block);
    (void)snprintf(path, sizeof path, "%s/sync", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int64_t began = bq_now();
    for (int i = 0; i < SYNCS; i++) {
        int64_t at = bq_now();
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) != 0) {
            bq_die("%s: %s", path, strerror(errno));
        }
        bq_samples_add(&samples, bq_now() - at);
    }
    out->syncs_s = SYNCS / ((double)(bq_now() - began) / 1e9);
    out->sync_p50_us = bq_samples_us(&samples, 0.5);
    (void)close(fd);
    (void)unlink(path);
    free(samples.ns);
    if (out->sync_p50_us < SYNC_LEAST_US) {
        bq_die("fsync in %s takes %.1f us: it reaches no disk", folder, out->sync_p50_us);
    }
}

void bq_scratch_make(const char *parent, char *out, size_t size)
{
    char absolute[PATH_MAX];
    struct bq_disk disk;
    if (realpath(parent, absolute) == NULL) {
        bq_die("%s: %s", parent, strerror(errno));
    }
    (void)snprintf(out, size, "%s/bq-XXXXXX", absolute);
    if (mkdtemp(out) == NULL) {
        bq_die("%s: %s", out, strerror(errno));
    }
    name_disk(out, &disk);
}

static void run_child(const char *folder, const char *const *args, int to)
{
    char log[PATH_MAX];
    struct rlimit files;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)snprintf(log, sizeof log, "%s/log", folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)dup2(fd, STDERR_FILENO);
    (void)dup2(to >= 0 ? to : fd, STDOUT_FILENO);
    (void)execvp(args[0], (char *const *)(uintptr_t)args);
    _exit(127);
}

pid_t bq_server_start(const char *folder, const char *const *args, const char *wanted, char *line,
                      size_t line_size)
{
    int fds[2];
    size_t n = 0;
    ssize_t got = 0;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        bq_die("pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        bq_die("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        run_child(folder, args, wanted != NULL ? fds[1] : -1);
    }
    (void)close(fds[1]);
    while (wanted != NULL && n + 1 < line_size && (n == 0 || line[n - 1] != '\n') &&
           (got = read(fds[0], line + n, 1)) > 0) {
        n += (size_t)got;
    }
    (void)close(fds[0]);
    if (wanted != NULL) {
        line[n > 0 ? n - 1 : 0] = '\0';
        if (strncmp(line, wanted, strlen(wanted)) != 0) {
            bq_die("%s did not start: see %s/log", args[0], folder);
        }
    }
    return pid;
}

void bq_server_await(const char *address, pid_t pid)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port =
                                 htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || waitpid(pid, NULL, WNOHANG) != 0) {
            bq_die("the server ended");
        }
        int rc = connect(fd, (struct sockaddr *)&in, sizeof in);
        (void)close(fd);
        if (rc == 0) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
}

void bq_server_stop(pid_t pid, int sig)
{
    int status = 0;
    (void)kill(pid, sig);
    if (waitpid(pid, &status, 0) != pid) {
        bq_die("waitpid: %s", strerror(errno));
    }
}

double bq_server_cpu_s(pid_t pid)
{
    clockid_t id;
    struct timespec t;
    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) != 0) {
        bq_die("the server is gone");
    }
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t status_bytes(pid_t pid, const char *key)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kib = strtoull(line + strlen(key), NULL, 10);
        }
    }
    if (f == NULL) {
        bq_die("the server is gone");
    }
    (void)fclose(f);
    return kib * 1024;
}

uint64_t bq_server_bytes(pid_t pid)
{
    return status_bytes(pid, "RssAnon:");
}

uint64_t bq_server_resident(pid_t pid)
{
    return status_bytes(pid, "VmRSS:");
}
