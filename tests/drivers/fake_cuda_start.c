/* What cuInit asks of the system, and fails without (CUDA_ERROR_OPERATING_SYSTEM): a socket of
 * packets that listens on the abstract name `cuda-uvmfd-NAMESPACE-PID`, as AppArmor's logs of
 * confined programs show it, and, of drivers from 570 on, a thread that writes its name below
 * /proc/self/task. */
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_cuda.h"

static unsigned long long pid_namespace(void)
{
    char text[64] = "";
    unsigned long long number = 0;
    if (readlink("/proc/self/ns/pid", text, sizeof(text) - 1) < 0 ||
        sscanf(text, "pid:[%llu]", &number) != 1) {
        return 0;
    }
    return number;
}

/* It stays open as long as the process lives. */
static bool open_socket(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "cuda-uvmfd-%llu-%d",
                     pid_namespace(), (int)getpid());
    /* The name ends in a zero, which counts. */
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 2);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool open =
        fd >= 0 && bind(fd, (const struct sockaddr *)&name, size) == 0 && listen(fd, 16) == 0;
    if (fd >= 0 && !open) {
        close(fd);
    }
    return open;
}

static void *name_thread(void *arg)
{
    static const char name[] = "cuda-fake";
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", (long)syscall(SYS_gettid));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    *(bool *)arg = fd >= 0 && write(fd, name, sizeof(name) - 1) == sizeof(name) - 1;
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

CUresult fake_cuda_start(void)
{
    static bool started;
    pthread_t thread;
    bool named = false;
    if (started) {
        return CUDA_SUCCESS;
    }
    if (pthread_create(&thread, NULL, name_thread, &named) != 0 ||
        pthread_join(thread, NULL) != 0 || !named || !open_socket()) {
        return FAKE_CU_OPERATING_SYSTEM;
    }
    started = true;
    return CUDA_SUCCESS;
}
