/* An HTTP server that answers by a script: the nth connection gets the nth answer, as it stands,
 * and is closed; what was asked is kept. A child process, so that the loop under test is alone in
 * its. */
#ifndef GM_TESTS_STORAGE_TRANSFER_SCRIPT_SERVER_H
#define GM_TESTS_STORAGE_TRANSFER_SCRIPT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fs.h"

#define SCRIPT_STALL "stall" /* it answers nothing, nor anybody else */

struct script_server {
    pid_t pid;
    char url[64];   /* "http://127.0.0.1:port" */
    char asked[64]; /* file: all requests, one after the other */
};

/* Reads one request, its body by its Content-Length, and writes it to `asked`. */
static void script_read(int fd, FILE *asked)
{
    static char text[1 << 20];
    size_t size = 0;
    size_t want = SIZE_MAX;

    while (size < want && size < sizeof(text) - 1) {
        ssize_t n = read(fd, text + size, sizeof(text) - 1 - size);
        const char *end;
        const char *length;

        if (n <= 0) {
            break;
        }
        size += (size_t)n;
        text[size] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strcasestr(text, "\r\nContent-Length: ");
        if (end != NULL) {
            want = (size_t)(end + 4 - text) +
                   (length != NULL && length < end ? strtoul(length + 18, NULL, 10) : 0);
        }
    }
    fwrite(text, 1, size, asked);
    fflush(asked);
}

static void script_serve(int listener, const char *path, const char *const *answers)
{
    FILE *asked = fopen(path, "w");

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; asked != NULL && answers[i] != NULL; i++) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0) {
            break;
        }
        script_read(fd, asked);
        if (strcmp(answers[i], SCRIPT_STALL) == 0) {
            pause();
        }
        if (write(fd, answers[i], strlen(answers[i])) < 0) {
            break;
        }
        close(fd);
    }
    _exit(0);
}

/* answers: up to a NULL. */
static void script_start(struct script_server *s, const char *const *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd;

    snprintf(s->asked, sizeof(s->asked), "/tmp/gm-test-s3-XXXXXX");
    fd = mkstemp(s->asked);
    assert_true(fd >= 0);
    close(fd);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        script_serve(listener, s->asked, answers);
    }
    close(listener);
}

/* What was asked, owned. */
static char *script_stop(struct script_server *s)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_err err = {0};

    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    assert_int_equal(gm_fs_read(s->asked, 1 << 22, &text, &size, &err), 0);
    unlink(s->asked);
    return (char *)text;
}

#endif
