/* A web server for tests: range_serve FOLDER LOG [no-ranges] serves the files of FOLDER on a port
 * of 127.0.0.1, which it prints, until it is killed. Each answer is a line of LOG: status, bytes of
 * the body that were sent, path. Its ETag is a file's size and last change. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_request(int fd, char *out, size_t size)
{
    size_t got = 0;
    out[0] = '\0';
    while (strstr(out, "\r\n\r\n") == NULL) {
        ssize_t n = got + 1 < size ? read(fd, out + got, size - 1 - got) : 0;
        if (n <= 0) {
            return -1;
        }
        got += (size_t)n;
        out[got] = '\0';
    }
    return 0;
}

static off_t send_body(int to, int fd, off_t from, off_t size)
{
    off_t left = size;
    while (left > 0) {
        ssize_t n = sendfile(to, fd, &from, (size_t)left);
        if (n <= 0) {
            break;
        }
        left -= n;
    }
    return size - left;
}

/* The value of a header, cut off at its end; NULL: there is none. */
static const char *header(const char *request, const char *name, char out[256])
{
    const char *at = strcasestr(request, name);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(name);
    snprintf(out, 256, "%.*s", (int)strcspn(at, "\r\n"), at);
    return out;
}

static int answer(int to, int folder, const char *request, bool ranges, off_t *out_sent)
{
    char path[1024], etag[64], value[256], head[512] = "";
    char method[8];
    struct stat st = {.st_size = 0};
    off_t from = 0, last = 0;
    int status = 200;
    int fd = sscanf(request, "%7s /%1000[^ ?]", method, path) == 2
                 ? openat(folder, path, O_RDONLY | O_CLOEXEC)
                 : -1;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        status = 404;
    }
    last = st.st_size - 1;
    snprintf(etag, sizeof(etag), "\"%jd-%jd-%jd\"", (intmax_t)st.st_size,
             (intmax_t)st.st_mtim.tv_sec, (intmax_t)st.st_mtim.tv_nsec);
    if (status == 200 && header(request, "\r\nIf-Match: ", value) != NULL &&
        strcmp(value, etag) != 0) {
        status = 412;
    }
    if (status == 200 && ranges && header(request, "\r\nRange: bytes=", value) != NULL &&
        sscanf(value, "%jd-%jd", &from, &last) >= 1) {
        last = last < st.st_size ? last : st.st_size - 1;
        status = from <= last ? 206 : 416;
    }
    off_t size = status < 300 ? last - from + 1 : 0;
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d X\r\nETag: %s\r\nConnection: close\r\nContent-Length: %jd\r\n",
                     status, etag, (intmax_t)size);
    if (status == 206) {
        n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Range: bytes %jd-%jd/%jd\r\n",
                      (intmax_t)from, (intmax_t)last, (intmax_t)st.st_size);
    }
    n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
    *out_sent = 0;
    if (send(to, head, (size_t)n, MSG_NOSIGNAL) == n && strcmp(method, "HEAD") != 0) {
        *out_sent = send_body(to, fd, from, size);
    }
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

static void serve(int to, int folder, int log, bool ranges)
{
    static char request[65536];
    char line[128];
    off_t sent = 0;
    if (read_request(to, request, sizeof(request)) < 0) {
        return;
    }
    int status = answer(to, folder, request, ranges, &sent);
    int n = snprintf(line, sizeof(line), "%d %jd %.60s\n", status, (intmax_t)sent,
                     strtok(request, "?\r\n"));
    if (write(log, line, (size_t)n) != n) {
        abort();
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int folder = argc < 3 ? -1 : open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int log = argc < 3 ? -1 : open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (folder < 0 || log < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
        listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        fprintf(stderr, "range_serve FOLDER LOG [no-ranges]\n");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int to = accept(listener, NULL, NULL);
        if (to >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(to, folder, log, argc < 4);
            _exit(0);
        }
        close(to);
    }
}
