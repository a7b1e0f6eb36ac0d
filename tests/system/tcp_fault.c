/* A TCP link that fails: what comes to a port of ours goes on to another one, as a control file
 * says.
 *
 *   tcp_fault PORT CONTROL      prints its own port; both are of 127.0.0.1
 *
 * The file has one line, read again every turn:
 *   pass            all goes on
 *   stall           nothing does, either way; connections stay and new ones are taken (half open)
 *   stall-up        nothing from those who connect to us goes on; stall-down: nothing to them
 *   drop            connections are reset, new ones too
 *   delay MS        each piece is as late as that
 *   rate BYTES      a second, each connection and way
 *   link BYTES      a second, all that comes from those who connect to us together
 *   cut BYTES       a connection is reset when so many went on, both ways together
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINKS 64
#define PIECE 16384
#define HELD_MAX (1u << 20) /* bytes on their way; then TCP holds the rest */
#define TURN_MS 5

enum mode { PASS, STALL, STALL_UP, STALL_DOWN, DROP, DELAY, RATE, LINK, CUT };

static const char *const MODES[] = {"pass",  "stall", "stall-up", "stall-down", "drop",
                                    "delay", "rate",  "link",     "cut"};

struct piece {
    struct piece *next;
    long long due; /* ms */
    size_t size, sent;
    char data[PIECE];
};

struct way { /* from fd[i] to fd[1 - i] */
    struct piece *first, *last;
    size_t held;
    long long budget; /* bytes that rate lets through */
    bool ended;       /* its source will say no more */
    bool closed;      /* and its target knows */
};

struct tunnel {
    int fd[2];         /* 0: who connected to us; -1: none */
    struct way way[2]; /* 0: up */
    unsigned long long carried;
};

static struct tunnel tunnels[LINKS];
static enum mode mode;
static long long amount;

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void read_control(const char *path)
{
    char line[64] = "";
    char word[32] = "";
    long long number = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0) {
        line[0] = '\0'; /* being written: as before */
    }
    if (fd >= 0) {
        close(fd);
    }
    if (strchr(line, '\n') == NULL || sscanf(line, "%31s %lld", word, &number) < 1) {
        return;
    }
    for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++) {
        if (strcmp(word, MODES[i]) == 0) {
            mode = (enum mode)i;
            amount = number;
            return;
        }
    }
    fprintf(stderr, "tcp_fault: `%s` is no fault\n", word);
    exit(2);
}

static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void forget(struct tunnel *t)
{
    for (int i = 0; i < 2; i++) {
        while (t->way[i].first != NULL) {
            struct piece *next = t->way[i].first->next;
            free(t->way[i].first);
            t->way[i].first = next;
        }
    }
    *t = (struct tunnel){.fd = {-1, -1}};
}

static void cut(struct tunnel *t)
{
    reset(t->fd[0]);
    reset(t->fd[1]);
    forget(t);
}

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0) { /* loopback: at once */
        close(fd);
        fd = -1;
    }
    return fd;
}

static void take(int listener, int port)
{
    int in = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (in < 0) {
        return;
    }
    int out = mode == DROP ? -1 : dial(port);
    for (size_t i = 0; out >= 0 && i < LINKS; i++) {
        if (tunnels[i].fd[0] < 0) {
            (void)fcntl(out, F_SETFL, O_NONBLOCK);
            tunnels[i].fd[0] = in;
            tunnels[i].fd[1] = out;
            return;
        }
    }
    reset(in);
    if (out >= 0) {
        close(out);
    }
}

/* False: the connection is broken. */
static bool fill(struct tunnel *t, int i, long long now)
{
    struct way *w = &t->way[i];
    struct piece *p = malloc(sizeof *p);
    if (p == NULL) {
        return false;
    }
    ssize_t n = recv(t->fd[i], p->data, sizeof p->data, 0);
    if (n <= 0) {
        int error = errno;
        free(p);
        w->ended = w->ended || n == 0;
        return n == 0 || error == EAGAIN || error == EINTR;
    }
    p->next = NULL;
    p->due = now + (mode == DELAY ? amount : 0);
    p->size = (size_t)n;
    p->sent = 0;
    *(w->first == NULL ? &w->first : &w->last->next) = p;
    w->last = p;
    w->held += p->size;
    return true;
}

static bool is_stalled(int i)
{
    return mode == STALL || (mode == STALL_UP && i == 0) || (mode == STALL_DOWN && i == 1);
}

/* False: the connection is broken, or to be cut. */
static bool empty(struct tunnel *t, int i, long long now)
{
    struct way *w = &t->way[i];
    while (w->first != NULL && w->first->due <= now && !is_stalled(i)) {
        struct piece *p = w->first;
        size_t most = p->size - p->sent;
        if (mode == RATE || (mode == LINK && i == 0)) {
            most = w->budget <= 0 ? 0 : most < (size_t)w->budget ? most : (size_t)w->budget;
        }
        if (mode == CUT && t->carried + most > (unsigned long long)amount) {
            most = (size_t)((unsigned long long)amount > t->carried ? amount - t->carried : 0);
        }
        ssize_t n = most == 0 ? 0 : send(t->fd[1 - i], p->data + p->sent, most, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        n = n < 0 ? 0 : n;
        p->sent += (size_t)n;
        w->held -= (size_t)n;
        w->budget -= n;
        t->carried += (unsigned long long)n;
        if (mode == CUT && t->carried >= (unsigned long long)amount) {
            return false;
        }
        if (p->sent < p->size) {
            return true;
        }
        w->first = p->next;
        free(p);
    }
    if (w->first == NULL && w->ended && !w->closed) {
        w->closed = true;
        (void)shutdown(t->fd[1 - i], SHUT_WR);
    }
    return true;
}

/* Connections that have something to send up. */
static int count_up(void)
{
    int count = 0;
    for (size_t k = 0; k < LINKS; k++) {
        count += tunnels[k].fd[0] >= 0 && tunnels[k].way[0].first != NULL;
    }
    return count == 0 ? 1 : count;
}

static void serve(struct tunnel *t, const short *ready, long long now, long long passed)
{
    bool good = mode != DROP;
    long long share = mode == RATE ? amount : mode == LINK ? amount / count_up() : 0;
    for (int i = 0; good && i < 2; i++) {
        struct way *w = &t->way[i];
        w->budget = share == 0 ? 0 : w->budget + share * passed / 1000;
        /* a second's worth; of a link what was not used is lost */
        long long most = mode == LINK ? share * passed / 1000 : share;
        w->budget = w->budget > most ? most : w->budget;
        if ((ready[i] & (POLLIN | POLLHUP | POLLERR)) != 0 && !w->ended && w->held < HELD_MAX) {
            good = fill(t, i, now);
        }
        good = good && empty(t, i, now);
    }
    if (!good) {
        cut(t);
    } else if (t->way[0].closed && t->way[1].closed) {
        close(t->fd[0]);
        close(t->fd[1]);
        forget(t);
    }
}

static void turn(int listener, int port, long long *last)
{
    struct pollfd fds[1 + 2 * LINKS];
    fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (size_t k = 0; k < LINKS; k++) {
        for (int i = 0; i < 2; i++) {
            const struct way *w = &tunnels[k].way[i];
            bool wanted = tunnels[k].fd[i] >= 0 && !w->ended && w->held < HELD_MAX;
            fds[1 + 2 * k + i] =
                (struct pollfd){.fd = wanted ? tunnels[k].fd[i] : -1, .events = POLLIN};
        }
    }
    (void)poll(fds, sizeof fds / sizeof fds[0], TURN_MS);
    long long now = now_ms();
    for (size_t k = 0; k < LINKS; k++) {
        const short ready[2] = {fds[1 + 2 * k].revents, fds[2 + 2 * k].revents};
        if (tunnels[k].fd[0] >= 0) {
            serve(&tunnels[k], ready, now, now - *last);
        }
    }
    *last = now;
    if ((fds[0].revents & POLLIN) != 0) {
        take(listener, port);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    int port = argc == 3 ? atoi(argv[1]) : 0;
    if (port <= 0) {
        fprintf(stderr, "usage: tcp_fault PORT CONTROL\n");
        return 2;
    }
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) < 0 ||
        listen(listener, LINKS) < 0 || getsockname(listener, (struct sockaddr *)&a, &size) < 0) {
        perror("tcp_fault");
        return 1;
    }
    for (size_t i = 0; i < LINKS; i++) {
        forget(&tunnels[i]);
    }
    printf("%d\n", ntohs(a.sin_port));
    (void)fflush(stdout);
    long long last = now_ms();
    for (;;) {
        read_control(argv[2]);
        turn(listener, port, &last);
    }
}
