#include "media/fake_gpu_io.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fs.h"
#include "media/device/hw.h"

#define LIBRARIES GM_BUILD_DIR "/tests/drivers/lib"
#define PROFILES GM_SOURCE_DIR "/tests/drivers/profiles"
#define MARK "GOPMILL_FAKE_GPU_IO" /* the program runs over the fakes already */

static _Noreturn void run_again(const char *path, char *const *argv)
{
    int rc = path != NULL ? setenv("LD_LIBRARY_PATH", path, 1) : unsetenv("LD_LIBRARY_PATH");
    if (rc != 0 || setenv(MARK, "1", 1) != 0) {
        abort();
    }
    (void)execv("/proc/self/exe", argv);
    abort();
}

void fake_gpu_start(char **argv)
{
    if (getenv(MARK) == NULL) {
        run_again(LIBRARIES, argv);
    }
}

void fake_gpu_profile(const char *base, const char *lines)
{
    static char path[64]; /* of this process */
    char from[512];
    uint8_t *data = NULL;
    size_t size = 0;
    if (path[0] == '\0') {
        char dir[] = "/tmp/test-fake-gpu-XXXXXX";
        if (mkdtemp(dir) == NULL) {
            abort();
        }
        (void)snprintf(path, sizeof path, "%s/profile", dir);
    }
    (void)snprintf(from, sizeof from, PROFILES "/%s.txt", base);
    FILE *f = fopen(path, "w"); /* in place: the drivers keep it open */
    if (f == NULL || gm_fs_read(from, 1 << 16, &data, &size, NULL) < 0 ||
        fwrite(data, 1, size, f) != size || fprintf(f, "%s", lines) < 0 || fclose(f) != 0 ||
        setenv("GOPMILL_FAKE_DRIVERS", path, 1) != 0) {
        abort();
    }
    free(data);
}

/* In the child that made it. */
static void remove_profile(void)
{
    const char *path = getenv("GOPMILL_FAKE_DRIVERS");
    char other[96];
    if (path != NULL && strncmp(path, "/tmp/test-fake-gpu-", 19) == 0) {
        (void)unlink(path);
        (void)snprintf(other, sizeof other, "%s.state", path);
        (void)unlink(other);
        (void)snprintf(other, sizeof other, "%s", path);
        *strrchr(other, '/') = '\0';
        (void)rmdir(other);
    }
}

static int status_of(pid_t pid)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        abort();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int fake_gpu_run(void (*fn)(const void *arg), const void *arg)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL}; /* cmocka catches them */
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            (void)signal(faults[i], SIG_DFL);
        }
        fn(arg);
        remove_profile();
        exit(0); /* not _exit: a sanitizer looks for leaks */
    }
    return status_of(pid);
}

static int run_program(const char *libraries, const char *argument)
{
    pid_t pid = fork();
    if (pid == 0) {
        char program[] = "bare";
        char copy[64];
        (void)snprintf(copy, sizeof copy, "%s", argument);
        char *argv[] = {program, copy, NULL};
        run_again(libraries, argv);
    }
    return status_of(pid);
}

int fake_gpu_run_bare(const char *argument)
{
    return run_program(NULL, argument);
}

int fake_gpu_run_cuda(const char *argument)
{
    char dir[] = "/tmp/test-fake-cuda-XXXXXX";
    char link[64];
    if (mkdtemp(dir) == NULL) {
        abort();
    }
    (void)snprintf(link, sizeof link, "%s/libcuda.so.1", dir);
    if (symlink(LIBRARIES "/libcuda.so.1", link) < 0) {
        abort();
    }
    int status = run_program(dir, argument);
    (void)unlink(link);
    (void)rmdir(dir);
    return status;
}

void fake_gpu_memory_hold(struct fake_gpu_memory *m)
{
    struct gm_err err;
    CHECK(gm_hw_open(NULL, &m->device, &err) == 0 &&
          gm_hw_free_bytes(m->device, &m->bytes, &err) == 0);
}

void fake_gpu_memory_check(struct fake_gpu_memory *m)
{
    struct gm_err err;
    uint64_t now = 0;
    int rc = gm_hw_free_bytes(m->device, &now, &err);
    if (rc != -GM_E_DEVICE_LOST && (rc < 0 || now != m->bytes)) {
        (void)fprintf(stderr, "%llu bytes of the device's memory were free, now %llu\n",
                      (unsigned long long)m->bytes, (unsigned long long)now);
        fake_gpu_fail("all is given back", __FILE__, __LINE__);
    }
    av_buffer_unref(&m->device);
}

void fake_gpu_fail(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    remove_profile();
    _exit(1);
}
