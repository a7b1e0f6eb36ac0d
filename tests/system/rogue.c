/* A peer that means harm to a scheduler, until it is killed.
 *
 *   rogue ENDPOINT KEYFILE|- ATTACK [ARGUMENT]
 *
 * ENDPOINT is tcp://127.0.0.1:PORT. KEYFILE: a key that the scheduler takes; -: none is proved.
 *   garbage        again and again: connects and says random bytes
 *   idle N         holds N connections that say nothing
 *   greet N        the same behind ZMTP's greeting
 *   churn          connects and goes, as fast as it can
 *   giant          announces frames of 2^62 bytes
 *   oversized      announces frames a byte over the limit, and begins to send them
 *   hoard N        N connections announce 32 MiB and send nearly as much
 *   flood          says Renew as fast as it can, and never Hello
 *   heavy          the same with 32 MiB of garbage
 *   rubbish        says envelopes that do not decode
 *   hello          says Hello under one name after the other
 *   steal NODE     calls its connections NODE, and says Hello as NODE in a way that is refused
 *   deaf NODE      is welcomed as NODE, asks for much and reads nothing
 *   busy NODE      is welcomed as NODE, and floods then
 *   endless NODE   says Hello as NODE, and then parts of a message that has no last one
 *   shout          says to a publisher what is no subscription
 *   subscribe      subscribes to one topic after the other
 *   listen N       N subscribers to everything, who read nothing
 *   record FILE    no attack: prints a port of its own, passes on what comes there to ENDPOINT, and
 *                  writes down what the first who comes says
 *   overhear FILE  the same, but what the scheduler says to them
 *   replay FILE    says again and again what was written down
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "common/fs.h"
#include "common/keys.h"
#include "proto/envelope.h"

#define CHUNK 65536
#define LARGE (32u << 20)
#define LEASES 20000 /* of a Renew: its answer has as many, 500 kB */

struct rogue {
    const char *endpoint;
    const char *attack;
    const char *argument; /* "" without */
    int port;
    bool has_key;
    struct gm_curve_file key;
    void *context;
};

static void nap(long ms)
{
    if (ms == 0) {
        return;
    }
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* ---- bytes on a socket */

static int dial(const struct rogue *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
            return fd;
        }
        if (fd >= 0) {
            close(fd);
        }
        nap(20);
    }
}

static bool say(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        p += n;
        size -= (size_t)n;
    }
    return true;
}

/* ZMTP 3.0 with the NULL mechanism: greeting and READY of a DEALER without a routing id. */
static bool greet(int fd)
{
    uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    static const uint8_t ready[] = "\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06"
                                   "DEALER\x08Identity\0\0\0";
    return say(fd, greeting, sizeof greeting) && say(fd, ready, sizeof ready);
}

static bool announce_part(int fd, uint64_t size, bool last)
{
    uint8_t header[9] = {last ? 2 : 3}; /* a long frame; of its message more come, or none */
    for (int i = 0; i < 8; i++) {
        header[1 + i] = (uint8_t)(size >> (56 - 8 * i));
    }
    return say(fd, header, sizeof header);
}

static bool announce(int fd, uint64_t size)
{
    return announce_part(fd, size, true);
}

static bool pour(int fd, size_t size)
{
    static uint8_t chunk[CHUNK];
    memset(chunk, 'x', sizeof chunk);
    for (; size >= sizeof chunk; size -= sizeof chunk) {
        if (!say(fd, chunk, sizeof chunk)) {
            return false;
        }
    }
    return say(fd, chunk, size);
}

static void garbage(const struct rogue *r)
{
    uint8_t noise[4096];
    for (;;) {
        int fd = dial(r);
        for (int i = 0; i < 64; i++) {
            if (getrandom(noise, sizeof noise, 0) < 0 || !say(fd, noise, sizeof noise)) {
                break;
            }
        }
        close(fd);
    }
}

/* What is cut is made anew. */
static void hold(const struct rogue *r, bool greets, size_t bytes)
{
    int count = atoi(r->argument);
    struct pollfd *fds = calloc((size_t)count, sizeof *fds);
    GM_ASSERT(fds != NULL);
    for (int i = 0; i < count; i++) {
        fds[i].fd = -1;
    }
    for (;;) {
        for (int i = 0; i < count; i++) {
            if (fds[i].fd < 0) {
                fds[i] = (struct pollfd){.fd = dial(r), .events = POLLRDHUP};
                if (greets) {
                    (void)greet(fds[i].fd);
                }
                if (bytes > 0 && announce(fds[i].fd, LARGE)) {
                    (void)pour(fds[i].fd, bytes);
                }
            }
        }
        (void)poll(fds, (nfds_t)count, 200);
        for (int i = 0; i < count; i++) {
            if ((fds[i].revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
    }
}

static void churn(const struct rogue *r)
{
    for (;;) {
        int fd = dial(r);
        (void)greet(fd);
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
    }
}

static void announced(const struct rogue *r, uint64_t size)
{
    for (;;) {
        int fd = dial(r);
        if (greet(fd) && announce(fd, size)) {
            (void)pour(fd, 1u << 20);
        }
        close(fd);
    }
}

static void replay(const struct rogue *r)
{
    uint8_t *data = NULL;
    size_t size = 0;
    GM_ASSERT(gm_fs_read(r->argument, 64u << 20, &data, &size, NULL) == 0);
    GM_ASSERT(size > 0);
    for (;;) {
        int fd = dial(r);
        for (size_t at = 0; at < size; at += 64) { /* in the time that the other side answers in */
            if (!say(fd, data + at, size - at < 64 ? size - at : 64)) {
                break;
            }
            nap(at < 1024 ? 2 : 0);
        }
        nap(100);
        close(fd);
    }
}

static void record(const struct rogue *r, int side) /* 0: who comes, 1: the scheduler */
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    static uint8_t bytes[CHUNK];
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GM_ASSERT(listener >= 0 && bind(listener, (struct sockaddr *)&a, sizeof a) == 0);
    GM_ASSERT(listen(listener, 8) == 0 && getsockname(listener, (struct sockaddr *)&a, &size) == 0);
    printf("%d\n", ntohs(a.sin_port));
    (void)fflush(stdout);
    int file = open(r->argument, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int in = accept(listener, NULL, NULL);
    int out = dial(r);
    struct pollfd fds[2] = {{.fd = in, .events = POLLIN}, {.fd = out, .events = POLLIN}};
    GM_ASSERT(file >= 0 && in >= 0);
    for (;;) {
        (void)poll(fds, 2, -1);
        for (int i = 0; i < 2; i++) {
            ssize_t n = fds[i].revents == 0 ? 0 : recv(fds[i].fd, bytes, sizeof bytes, 0);
            if (fds[i].revents != 0 && n <= 0) {
                exit(0);
            }
            if (n > 0 && i == side) {
                GM_ASSERT(write(file, bytes, (size_t)n) == n);
            }
            if (n > 0 && !say(fds[1 - i].fd, bytes, (size_t)n)) {
                exit(0);
            }
        }
    }
}

/* ---- messages */

static void *open_socket(const struct rogue *r, int type, const char *id)
{
    const int none = 0, few = 1, many = 1000;
    void *s = zmq_socket(r->context, type);
    GM_ASSERT(s != NULL);
    (void)zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none);
    (void)zmq_setsockopt(s, ZMQ_RCVHWM, &few, sizeof few);
    (void)zmq_setsockopt(s, ZMQ_SNDHWM, strcmp(r->attack, "heavy") == 0 ? &few : &many, sizeof few);
    if (id != NULL) {
        GM_ASSERT(zmq_setsockopt(s, ZMQ_ROUTING_ID, id, strlen(id)) == 0);
    }
    if (r->has_key) {
        GM_ASSERT(zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, r->key.servers[0], GM_CURVE_TEXT) == 0);
        GM_ASSERT(zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, r->key.public_key, GM_CURVE_TEXT) == 0);
        GM_ASSERT(zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, r->key.secret_key, GM_CURVE_TEXT) == 0);
    }
    GM_ASSERT(zmq_connect(s, r->endpoint) == 0);
    return s;
}

static void *open_dealer(const struct rogue *r, const char *id)
{
    return open_socket(r, ZMQ_DEALER, id);
}

static void send_env(void *s, Gm__Envelope *env)
{
    uint8_t *data = NULL;
    size_t size = 0;
    GM_ASSERT(gm_envelope_encode(env, &data, &size, NULL) == 0);
    (void)zmq_send(s, data, size, 0);
    free(data);
}

static void write_env(int fd, Gm__Envelope *env)
{
    uint8_t *data = NULL;
    size_t size = 0;
    GM_ASSERT(gm_envelope_encode(env, &data, &size, NULL) == 0);
    (void)(announce(fd, size) && say(fd, data, size));
    free(data);
}

/* Over the socket, or without one over the connection. */
static void say_hello_by(void *s, int fd, const char *node_id, uint32_t protocol)
{
    Gm__Capacity capacity = GM__CAPACITY__INIT;
    Gm__Device device = GM__DEVICE__INIT;
    Gm__Device *devices[] = {&device};
    Gm__Hello hello = GM__HELLO__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    device.id = device.kind = (char *)(uintptr_t) "cpu";
    device.capacity = &capacity;
    hello.node_id = (char *)(uintptr_t)node_id;
    hello.instance = (uint64_t)getpid();
    hello.protocol = protocol;
    hello.build = hello.hostname = (char *)(uintptr_t) "rogue";
    hello.devices = devices;
    hello.n_devices = 1;
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    if (s != NULL) {
        send_env(s, &env);
    } else {
        write_env(fd, &env);
    }
}

static void say_hello(void *s, const char *node_id, uint32_t protocol)
{
    say_hello_by(s, -1, node_id, protocol);
}

static void say_renew(void *s, size_t leases)
{
    static Gm__LeaseState states[LEASES];
    static Gm__LeaseState *list[LEASES];
    Gm__Renew renew = GM__RENEW__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    for (size_t i = 0; i < leases; i++) {
        gm__lease_state__init(&states[i]);
        states[i].task_id = states[i].term = states[i].epoch = UINT64_MAX - i;
        list[i] = &states[i];
    }
    renew.leases = list;
    renew.n_leases = leases;
    env.body_case = GM__ENVELOPE__BODY_RENEW;
    env.renew = &renew;
    send_env(s, &env);
}

static void flood(const struct rogue *r, size_t size)
{
    void *s = open_dealer(r, NULL);
    uint8_t *data = calloc(1, size + 1);
    GM_ASSERT(data != NULL);
    for (;;) {
        if (size == 0) {
            say_renew(s, 0);
        } else {
            (void)zmq_send(s, data, size, 0);
        }
    }
}

static void steal(const struct rogue *r, const char *name)
{
    for (;;) {
        void *s = open_dealer(r, name);
        say_hello(s, name, 99);
        nap(20);
        say_hello(s, name, 99);
        nap(20);
        zmq_close(s);
    }
}

static void hello(const struct rogue *r)
{
    for (unsigned i = 0;; i++) {
        char name[32];
        void *s = open_dealer(r, NULL);
        snprintf(name, sizeof name, "stranger-%u", i);
        say_hello(s, name, GM_PROTOCOL_VERSION);
        nap(20);
        zmq_close(s);
    }
}

/* Where it was cut, libzmq connects again, and it says Hello again after a while. */
static void as_node(const struct rogue *r, const char *name, size_t leases)
{
    void *s = open_dealer(r, NULL);
    for (unsigned i = 0;; i++) {
        if (i % (leases > 0 ? 500 : 200000) == 0) {
            say_hello(s, name, GM_PROTOCOL_VERSION);
            nap(200);
        }
        say_renew(s, leases);
        nap(leases > 0 ? 10 : 0);
    }
}

/* A node, of whose second message no part is the last. */
static void endless(const struct rogue *r, const char *name)
{
    for (;;) {
        int fd = dial(r);
        if (greet(fd)) {
            say_hello_by(NULL, fd, name, GM_PROTOCOL_VERSION);
            nap(200);
            while (announce_part(fd, CHUNK, false) && pour(fd, CHUNK)) {
            }
        }
        close(fd);
    }
}

/* ---- to a publisher */

/* What is said on a socket comes again when it is cut: not for ever. */
static void subscribe(const struct rogue *r, char first)
{
    char topic[1024];
    memset(topic, 'x', sizeof topic);
    topic[0] = first;
    for (;;) {
        void *s = open_socket(r, ZMQ_XSUB, NULL);
        for (unsigned i = 0; i < 5000; i++) {
            snprintf(topic + 1, sizeof topic - 1, "%060u", i);
            (void)zmq_send(s, topic, first == 1 ? 61 : sizeof topic, 0);
        }
        nap(20);
        zmq_close(s);
    }
}

static void listen_to_all(const struct rogue *r)
{
    for (int i = atoi(r->argument); i > 0; i--) {
        void *s = open_socket(r, ZMQ_SUB, NULL);
        GM_ASSERT(zmq_setsockopt(s, ZMQ_SUBSCRIBE, "", 0) == 0);
    }
    for (;;) {
        (void)pause();
    }
}

static void attack_publisher(const struct rogue *r)
{
    if (strcmp(r->attack, "shout") == 0) {
        subscribe(r, 'x');
    } else if (strcmp(r->attack, "subscribe") == 0) {
        subscribe(r, 1);
    } else if (strcmp(r->attack, "listen") == 0) {
        listen_to_all(r);
    }
}

static void attack(struct rogue *r)
{
    const char *a = r->attack;
    if (strcmp(a, "garbage") == 0) {
        garbage(r);
    } else if (strcmp(a, "idle") == 0 || strcmp(a, "greet") == 0) {
        hold(r, a[0] == 'g', 0);
    } else if (strcmp(a, "hoard") == 0) {
        hold(r, true, LARGE - CHUNK);
    } else if (strcmp(a, "churn") == 0) {
        churn(r);
    } else if (strcmp(a, "giant") == 0) {
        announced(r, UINT64_C(1) << 62);
    } else if (strcmp(a, "oversized") == 0) {
        announced(r, LARGE + 1);
    } else if (strcmp(a, "flood") == 0) {
        flood(r, 0);
    } else if (strcmp(a, "heavy") == 0) {
        flood(r, LARGE);
    } else if (strcmp(a, "rubbish") == 0) {
        flood(r, 100);
    } else if (strcmp(a, "hello") == 0) {
        hello(r);
    } else if (strcmp(a, "steal") == 0) {
        steal(r, r->argument);
    } else if (strcmp(a, "deaf") == 0) {
        as_node(r, r->argument, LEASES);
    } else if (strcmp(a, "busy") == 0) {
        as_node(r, r->argument, 0);
    } else if (strcmp(a, "endless") == 0) {
        endless(r, r->argument);
    } else if (strcmp(a, "record") == 0) {
        record(r, 0);
    } else if (strcmp(a, "overhear") == 0) {
        record(r, 1);
    } else if (strcmp(a, "replay") == 0) {
        replay(r);
    } else {
        attack_publisher(r);
    }
    fprintf(stderr, "rogue: what is %s?\n", a);
}

int main(int argc, char **argv)
{
    struct gm_err err = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: rogue ENDPOINT KEYFILE|- ATTACK [ARGUMENT]\n");
        return 2;
    }
    struct rogue r = {.endpoint = argv[1], .attack = argv[3], .argument = argc > 4 ? argv[4] : ""};
    const char *colon = strrchr(argv[1], ':');
    r.port = colon != NULL ? atoi(colon + 1) : 0;
    r.has_key = strcmp(argv[2], "-") != 0;
    if (r.port <= 0 || (r.has_key && gm_curve_load(argv[2], &r.key, &err) < 0)) {
        fprintf(stderr, "rogue: %s\n", r.port <= 0 ? "no port" : err.text);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    r.context = zmq_ctx_new();
    attack(&r);
    return 2;
}
