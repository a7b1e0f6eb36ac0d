/* A proxy before an S3 server that fails as stores and networks do. What it does to a request
 * follows from its kind and its number among those of that kind: a seed is a list of faults for
 * each kind. Which request is the nth of its kind depends on when a farm's nodes ask, so the same
 * seed need not end the same way twice.
 *
 *   s3_fault PORT LOG seed SEED RATE        one request of RATE meets a fault
 *   s3_fault PORT LOG seeds FILE RATE       the same; the seed is FILE's number, read each time
 *   s3_fault PORT LOG script RULE...        KIND:N:FAULT: the nth of a kind does
 *
 * Another number in FILE begins its list anew; with 0 nothing fails.
 *
 * Prints its own port; both are of 127.0.0.1. LOG gets a line a request: kind, number, fault,
 * method, path, status, bytes and a sum of what was sent up, bytes that were asked for or came
 * down. Never a query: it may be signed.
 *
 * Kinds:  get head put part start complete abort delete list copy other
 * Faults, none of which reaches the server:
 *   500 503      refused: InternalError, SlowDown
 *   403          of a URL that is signed: its time is over, it says
 *   reset        no answer
 * that reach it:
 *   late         after a pause: what came behind it was before it
 *   cut-up       half of the body, then nothing more
 *   flip-up      with another bit: it is to refuse
 *   hold         done; the answer comes late
 *   lost         done; no answer comes
 *   done-500     done; the answer is InternalError
 *   error-200    done; the answer is InternalError with status 200 (complete, copy)
 *   flip         another bit in an object's body, but of the bucket "source": nobody has its hash
 *   short        less comes than the answer says
 *   less         less comes, and the answer says so (get)
 *   stall        no answer for ever; by script alone
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 65536
#define BODY_MAX ((size_t)256 << 20)

enum kind { GET, HEAD, PUT, PART, START, COMPLETE, ABORT, DELETE, LIST, COPY, OTHER, KINDS };
static const char *const KIND_NAMES[KINDS] = {
    "get", "head", "put", "part", "start", "complete", "abort", "delete", "list", "copy", "other"};

#define BIT(kind) (1u << (kind))
#define ALL (BIT(KINDS) - 1)
#define BODIES (BIT(PUT) | BIT(PART) | BIT(COMPLETE))
enum fault {
    NONE,
    F500,
    F503,
    F403,
    RESET,
    LATE,
    CUT_UP,
    FLIP_UP,
    HOLD,
    LOST,
    DONE_500,
    ERROR_200,
    FLIP,
    SHORT,
    LESS,
    STALL,
    FAULTS
};
static const struct {
    const char *name;
    unsigned weight;
    unsigned kinds;
} TABLE[FAULTS] = {
    {"-", 0, 0},           {"500", 3, ALL},
    {"503", 4, ALL},       {"403", 1, BIT(GET) | BIT(PUT) | BIT(PART)},
    {"reset", 4, ALL},     {"late", 3, ALL},
    {"cut-up", 4, BODIES}, {"flip-up", 4, BIT(PUT) | BIT(PART)},
    {"hold", 3, ALL},      {"lost", 5, ALL},
    {"done-500", 3, ALL},  {"error-200", 4, BIT(COMPLETE) | BIT(COPY)},
    {"flip", 4, BIT(GET)}, {"short", 4, BIT(GET) | BIT(LIST)},
    {"less", 3, BIT(GET)}, {"stall", 0, ALL},
};

struct message {
    char head[HEAD_MAX]; /* with its empty line, and NUL */
    size_t head_size;
    char *body; /* owned */
    size_t body_size;
};

struct rule {
    enum kind kind;
    unsigned number;
    enum fault fault;
};

struct shared { /* by all processes */
    atomic_uint counts[KINDS];
    _Atomic uint64_t seed;
};
static struct shared *shared;
static const char *seed_file; /* NULL: it stays */
static int log_file;
static int server_port;
static uint64_t seed; /* this process' */
static unsigned rate; /* 0: by script */
static struct rule rules[64];
static size_t rule_count;

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t sum(const void *data, size_t size) /* FNV-1a */
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ p[i]) * 0x100000001b3u;
    }
    return h;
}

static void nap(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
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

static _Noreturn void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
    exit(0);
}

/* ---- messages */

/* The value of a header, up to its line's end; NULL: it is not there. */
static const char *header(const struct message *m, const char *name)
{
    size_t size = strlen(name);
    for (const char *p = strstr(m->head, "\r\n"); p != NULL; p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, size) == 0 && p[2 + size] == ':') {
            return p + 3 + size + strspn(p + 3 + size, " ");
        }
    }
    return NULL;
}

static void drop_header(struct message *m, const char *name)
{
    const char *value;
    while ((value = header(m, name)) != NULL) {
        size_t end = (size_t)(strstr(value, "\r\n") + 2 - m->head);
        size_t begin = (size_t)(value - m->head);
        while (m->head[begin - 1] != '\n') {
            begin--;
        }
        memmove(m->head + begin, m->head + end, m->head_size + 1 - end);
        m->head_size -= end - begin;
    }
}

static void add_header(struct message *m, const char *line)
{
    size_t size = strlen(line);
    if (m->head_size + size < HEAD_MAX) {
        memmove(m->head + m->head_size - 2 + size, m->head + m->head_size - 2, 3);
        memcpy(m->head + m->head_size - 2, line, size);
        m->head_size += size;
    }
}

static bool read_head(int fd, struct message *m)
{
    m->head_size = 0;
    while (m->head_size < HEAD_MAX - 1) {
        ssize_t n = recv(fd, m->head + m->head_size, 1, 0);
        if (n <= 0) {
            return false;
        }
        m->head[++m->head_size] = '\0';
        if (m->head_size >= 4 && memcmp(m->head + m->head_size - 4, "\r\n\r\n", 4) == 0) {
            return true;
        }
    }
    return false;
}

/* size bytes of a body, or to the end. */
static bool read_body(int fd, struct message *m, size_t size, bool to_end)
{
    size_t room = to_end ? 65536 : size;
    m->body_size = 0;
    m->body = malloc(room + 1);
    while (m->body != NULL && (to_end || m->body_size < size)) {
        if (m->body_size == room) {
            room *= 2;
            char *more = room <= BODY_MAX ? realloc(m->body, room + 1) : NULL;
            if (more == NULL) {
                return false;
            }
            m->body = more;
        }
        ssize_t n = recv(fd, m->body + m->body_size, room - m->body_size, 0);
        if (n <= 0) {
            return to_end && n == 0;
        }
        m->body_size += (size_t)n;
    }
    return m->body != NULL;
}

static bool read_request(int fd, struct message *m)
{
    if (!read_head(fd, m)) {
        return false;
    }
    const char *length = header(m, "Content-Length");
    size_t size = length == NULL ? 0 : strtoul(length, NULL, 10);
    if (header(m, "Transfer-Encoding") != NULL || size > BODY_MAX) {
        static const char no[] =
            "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        (void)say(fd, no, sizeof no - 1);
        return false;
    }
    if (header(m, "Expect") != NULL && !say(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25)) {
        return false;
    }
    drop_header(m, "Expect");
    return read_body(fd, m, size, false);
}

static int status_of(const struct message *answer)
{
    return answer->head_size > 12 ? atoi(answer->head + 9) : 0;
}

static bool read_answer(int fd, struct message *m, bool no_body)
{
    do {
        if (!read_head(fd, m)) {
            return false;
        }
    } while (status_of(m) == 100);
    if (no_body || status_of(m) == 204 || status_of(m) == 304) {
        return read_body(fd, m, 0, false);
    }
    const char *length = header(m, "Content-Length");
    return read_body(fd, m, length == NULL ? 0 : strtoul(length, NULL, 10), length == NULL);
}

/* ---- what a request is, and what becomes of it */

static bool has_query(const struct message *m, const char *name)
{
    const char *end = strstr(m->head, "\r\n");
    const char *p = memchr(m->head, '?', (size_t)(end - m->head));
    size_t size = strlen(name);
    while (p != NULL && p < end) {
        p++;
        if (strncmp(p, name, size) == 0 && strchr("=& ", p[size]) != NULL) {
            return true;
        }
        p = memchr(p, '&', (size_t)(end - p));
    }
    return false;
}

static bool is_object(const struct message *m) /* not a bucket: /bucket/key */
{
    const char *path = strchr(m->head, '/');
    size_t bucket = path == NULL ? 0 : 1 + strcspn(path + 1, "/? \r");
    return bucket > 0 && path[bucket] == '/' && strchr("? ", path[bucket + 1]) == NULL;
}

static enum kind kind_of(const struct message *m)
{
    bool upload = has_query(m, "uploadId");
    if (!is_object(m)) {
        return strncmp(m->head, "GET ", 4) == 0 ? LIST : OTHER;
    }
    if (strncmp(m->head, "GET ", 4) == 0) {
        return upload ? LIST : GET;
    }
    if (strncmp(m->head, "HEAD ", 5) == 0) {
        return HEAD;
    }
    if (strncmp(m->head, "PUT ", 4) == 0) {
        return header(m, "x-amz-copy-source") != NULL ? COPY : upload ? PART : PUT;
    }
    if (strncmp(m->head, "POST ", 5) == 0) {
        return has_query(m, "uploads") ? START : upload ? COMPLETE : OTHER;
    }
    if (strncmp(m->head, "DELETE ", 7) == 0) {
        return upload ? ABORT : DELETE;
    }
    return OTHER;
}

static bool fits(enum fault fault, enum kind kind, const struct message *m)
{
    return (TABLE[fault].kinds & BIT(kind)) != 0 &&
           (fault != F403 || has_query(m, "X-Amz-Signature")) &&
           (fault != FLIP || strncmp(strchr(m->head, '/'), "/source/", 8) != 0) &&
           ((fault != CUT_UP && fault != FLIP_UP) || m->body_size > 0);
}

static enum fault decide(enum kind kind, unsigned number, const struct message *m)
{
    uint64_t x = mix(seed ^ mix((uint64_t)kind << 32 | number));
    unsigned all = 0;

    for (size_t i = 0; i < rule_count; i++) {
        if (rules[i].kind == kind && rules[i].number == number) {
            return fits(rules[i].fault, kind, m) ? rules[i].fault : NONE;
        }
    }
    if (rate == 0 || seed == 0 || x % rate != 0) {
        return NONE;
    }
    x = mix(x);
    for (int i = 1; i < FAULTS; i++) {
        all += fits((enum fault)i, kind, m) ? TABLE[i].weight : 0;
    }
    unsigned at = (unsigned)(x % all);
    for (int i = 1; i < FAULTS; i++) {
        unsigned weight = fits((enum fault)i, kind, m) ? TABLE[i].weight : 0;
        if (at < weight) {
            return (enum fault)i;
        }
        at -= weight;
    }
    return NONE;
}

static void note(enum kind kind, unsigned number, enum fault fault, const struct message *request,
                 uint64_t up, int status, size_t down)
{
    char line[2048];
    int word = (int)strcspn(request->head, " ");
    int path = (int)strcspn(request->head + word + 1, "? \r");
    int n = snprintf(line, sizeof line, "%s %u %s %.*s %.*s %d %zu %016llx %zu\n", KIND_NAMES[kind],
                     number, TABLE[fault].name, word, request->head, path < 1200 ? path : 1200,
                     request->head + word + 1, status, request->body_size, (unsigned long long)up,
                     down);
    if (write(log_file, line, (size_t)n) != n) {
        perror("s3_fault: log");
    }
}

static void answer_error(struct message *m, int status, const char *code)
{
    char body[256];
    int n = snprintf(body, sizeof body,
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code>"
                     "<Message>a fault of the test</Message></Error>",
                     code);
    int head = snprintf(m->head, sizeof m->head,
                        "HTTP/1.1 %d Fault\r\nContent-Type: application/xml\r\n"
                        "Content-Length: %d\r\n\r\n",
                        status, n);
    m->head_size = (size_t)head;
    free(m->body);
    m->body = strdup(body);
    m->body_size = (size_t)n;
}

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server_port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The server's answer; false: it gave none. half: it gets no more than that of the body. */
static bool ask(struct message *request, struct message *answer, bool half)
{
    int fd = dial();
    size_t size = half ? request->body_size / 2 : request->body_size;
    bool good;

    drop_header(request, "Connection");
    add_header(request, "Connection: close\r\n");
    good = fd >= 0 && say(fd, request->head, request->head_size);
    if (good) {
        (void)say(fd, request->body, size); /* who refuses it may not read it */
        good = !half && read_answer(fd, answer, strncmp(request->head, "HEAD ", 5) == 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* False: no answer is to be given. */
static bool get_answer(enum fault fault, uint64_t x, struct message *request,
                       struct message *answer)
{
    switch (fault) {
    case F500:
        answer_error(answer, 500, "InternalError");
        return true;
    case F503:
        answer_error(answer, 503, "SlowDown");
        return true;
    case F403:
        answer_error(answer, 403, "AccessDenied");
        return true;
    case RESET:
        return false;
    case STALL:
        nap(86400000);
        return false;
    case FLIP_UP:
        request->body[x % request->body_size] ^= (char)(1 << (x >> 32) % 8);
        break;
    case LATE:
        nap((unsigned)(x % 1000));
        break;
    default:
        break;
    }
    return ask(request, answer, fault == CUT_UP) && fault != LOST;
}

static void spoil(enum fault fault, uint64_t x, struct message *answer)
{
    bool good = status_of(answer) < 300 && answer->body_size > 0;
    char length[64];

    if (fault == HOLD) {
        nap((unsigned)(x % 1000));
    } else if (fault == DONE_500) {
        answer_error(answer, 500, "InternalError");
    } else if (fault == ERROR_200) {
        answer_error(answer, 200, "InternalError");
    } else if (fault == FLIP && good) {
        answer->body[x % answer->body_size] ^= (char)(1 << (x >> 32) % 8);
    } else if (fault == LESS && good) {
        answer->body_size -= 1 + x % answer->body_size;
        drop_header(answer, "Content-Length");
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", answer->body_size);
        add_header(answer, length);
    }
}

/* Whether the connection may go on. */
static bool give(int fd, enum fault fault, uint64_t x, const struct message *request,
                 struct message *answer)
{
    bool bare = strncmp(request->head, "HEAD ", 5) == 0;
    size_t size = bare ? 0 : answer->body_size;

    if (header(answer, "Content-Length") != NULL) {
        drop_header(answer, "Connection");
    }
    if (fault == SHORT && size > 0) {
        size = x % size;
    }
    return say(fd, answer->head, answer->head_size) && say(fd, answer->body, size) &&
           (bare || size == answer->body_size) && header(answer, "Connection") == NULL;
}

static void read_seed(void)
{
    char text[32] = "";
    int file = seed_file == NULL ? -1 : open(seed_file, O_RDONLY | O_CLOEXEC);

    if (file >= 0 && read(file, text, sizeof text - 1) > 0) {
        seed = strtoull(text, NULL, 10);
    }
    if (file >= 0) {
        close(file);
    }
    if (atomic_exchange(&shared->seed, seed) != seed) {
        for (int i = 0; i < KINDS; i++) {
            atomic_store(&shared->counts[i], 0);
        }
    }
}

static _Noreturn void serve(int fd)
{
    static struct message request, answer;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read_request(fd, &request)) {
        read_seed();
        enum kind kind = kind_of(&request);
        unsigned number = atomic_fetch_add(&shared->counts[kind], 1) + 1;
        enum fault fault = decide(kind, number, &request);
        uint64_t x = mix(mix(seed + 1) ^ mix((uint64_t)kind << 32 | number));
        uint64_t up = sum(request.body, request.body_size);

        answer.head_size = 0;
        if (!get_answer(fault, x, &request, &answer)) {
            note(kind, number, fault, &request, up, status_of(&answer), 0);
            reset(fd);
        }
        int status = status_of(&answer); /* the server's own, where it was asked */
        spoil(fault, x, &answer);
        note(kind, number, fault, &request, up, status, answer.body_size);
        if (!give(fd, fault, x, &request, &answer)) {
            break;
        }
        free(request.body);
        free(answer.body);
        request.body = answer.body = NULL;
    }
    close(fd);
    exit(0);
}

static bool read_rule(const char *text)
{
    char kind[16], fault[16];
    struct rule *r = &rules[rule_count];

    if (rule_count == sizeof rules / sizeof rules[0] ||
        sscanf(text, "%15[^:]:%u:%15s", kind, &r->number, fault) != 3) {
        return false;
    }
    for (int i = 0; i < KINDS; i++) {
        for (int k = 1; k < FAULTS; k++) {
            if (strcmp(kind, KIND_NAMES[i]) == 0 && strcmp(fault, TABLE[k].name) == 0) {
                r->kind = (enum kind)i;
                r->fault = (enum fault)k;
                rule_count++;
                return (TABLE[k].kinds & BIT(i)) != 0;
            }
        }
    }
    return false;
}

static bool read_arguments(int argc, char **argv)
{
    bool good = argc >= 4;

    if (good && strcmp(argv[3], "script") == 0) {
        for (int i = 4; i < argc; i++) {
            good = good && read_rule(argv[i]);
        }
    } else if (good && argc == 6 && strncmp(argv[3], "seed", 4) == 0) {
        seed = strtoull(argv[4], NULL, 10);
        seed_file = argv[3][4] == 's' ? argv[4] : NULL;
        rate = (unsigned)atoi(argv[5]);
        good = rate > 0;
    } else {
        good = false;
    }
    server_port = argc > 1 ? atoi(argv[1]) : 0;
    return good && server_port > 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;

    if (!read_arguments(argc, argv)) {
        fprintf(
            stderr,
            "usage: s3_fault PORT LOG seed SEED RATE | seeds FILE RATE | script KIND:N:FAULT...\n");
        return 2;
    }
    log_file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (log_file < 0 || shared == MAP_FAILED || listener < 0 ||
        bind(listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(listener, 256) < 0 ||
        getsockname(listener, (struct sockaddr *)&a, &size) < 0) {
        perror("s3_fault");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    printf("%d\n", ntohs(a.sin_port));
    (void)fflush(stdout);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pid_t child = fd < 0 ? -1 : fork();
        if (child == 0) {
            close(listener);
            serve(fd);
        }
        if (fd >= 0) {
            close(fd);
        }
    }
}
