#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "scheduler/http/request.h"

#define BACKLOG 128
#define HOST_BYTES 256

/* A socket file that nobody answers is left over from a process that was killed. */
static int remove_stale(const struct sockaddr_un *un, struct gm_err *err)
{
    struct stat st;
    if (lstat(un->sun_path, &st) != 0) {
        return errno == ENOENT ? 0 : gm_err_sys(err, errno, "could not look at %s", un->sun_path);
    }
    if (!S_ISSOCK(st.st_mode)) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "http: %s exists and is no socket", un->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make a socket");
    }
    int rc = connect(fd, (const struct sockaddr *)un, sizeof *un);
    int code = errno;
    (void)close(fd);
    if (rc == 0) {
        return gm_err_set(err, GM_E_CONFLICT, EADDRINUSE, "http: another program listens on %s",
                          un->sun_path);
    }
    if (code == ECONNREFUSED && unlink(un->sun_path) == 0) {
        return 0;
    }
    return gm_err_sys(err, code, "http: could not take over %s", un->sun_path);
}

static int listen_unix(const char *path, int *out_fd, struct gm_err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path) {
        return gm_err_set(err, GM_E_CONFIG, 0, "http: the socket's path is longer than %zu bytes",
                          sizeof un.sun_path - 1);
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    int rc = remove_stale(&un, err);
    if (rc < 0) {
        return rc;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make a socket");
    }
    mode_t old = umask(0117); /* owner and group */
    int bound = bind(fd, (const struct sockaddr *)&un, sizeof un);
    int code = errno;
    (void)umask(old);
    if (bound != 0 || listen(fd, BACKLOG) != 0) {
        rc = gm_err_sys(err, bound != 0 ? code : errno, "http: could not listen on %s", path);
        (void)close(fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

static int bind_tcp(const struct addrinfo *ai, int *out_fd, struct gm_err *err)
{
    int one = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make a socket");
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int code = errno;
        (void)close(fd);
        return code == EADDRINUSE
                   ? gm_err_set(err, GM_E_CONFLICT, code, "http: that port is in use")
                   : gm_err_sys(err, code, "http: could not listen");
    }
    *out_fd = fd;
    return 0;
}

static int split_host(const char *address, char host[HOST_BYTES], const char **out_port,
                      struct gm_err *err)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon - address >= HOST_BYTES) {
        return gm_err_set(err, GM_E_CONFIG, 0, "http: `%s` is neither address:port nor unix:/path",
                          address);
    }
    size_t n = (size_t)(colon - address);
    const char *start = address;
    if (address[0] == '[' && colon[-1] == ']') {
        start++;
        n -= 2;
    }
    memcpy(host, start, n);
    host[n] = '\0';
    *out_port = colon + 1;
    return 0;
}

static int listen_tcp(const char *address, bool tls, int *out_fd, char **out_address,
                      struct gm_err *err)
{
    char host[HOST_BYTES];
    const char *port = NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char number[16];
    int fd = -1;
    int rc = split_host(address, host, &port, err);
    if (rc < 0) {
        return rc;
    }
    int gai = getaddrinfo(host, port, &hints, &list);
    if (gai != 0) {
        return gm_err_set(err, GM_E_CONFIG, gai, "http: `%s`: %s", address, gai_strerror(gai));
    }
    rc = bind_tcp(list, &fd, err);
    freeaddrinfo(list);
    if (rc < 0) {
        return rc;
    }
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0 ||
        getnameinfo((struct sockaddr *)&bound, size, NULL, 0, number, sizeof number,
                    NI_NUMERICSERV) != 0 ||
        asprintf(out_address, strchr(host, ':') != NULL ? "http%s://[%s]:%s" : "http%s://%s:%s",
                 tls ? "s" : "", host, number) < 0) {
        (void)close(fd);
        return gm_err_nomem(err);
    }
    *out_fd = fd;
    return 0;
}

int gm_http_listen(const char *address, bool tls, int *out_fd, char **out_address, char **out_path,
                   struct gm_err *err)
{
    if (strncmp(address, "unix:", 5) != 0) {
        return listen_tcp(address, tls, out_fd, out_address, err);
    }
    int fd = -1;
    int rc = listen_unix(address + 5, &fd, err);
    if (rc < 0) {
        return rc;
    }
    char *copy = strdup(address);
    char *path = strdup(address + 5);
    if (copy == NULL || path == NULL) {
        free(copy);
        free(path);
        (void)close(fd);
        return gm_err_nomem(err);
    }
    *out_fd = fd;
    *out_address = copy;
    *out_path = path;
    return 0;
}
