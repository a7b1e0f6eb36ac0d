/* What a scheduler's or a node's configuration on this machine asks of it: ports, and stores. */
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "common/fs.h"
#include "common/yaml.h"
#include "storage/store.h"

#define CONFIG_MAX (1u << 20)
#define ANSWER_MS 2000
#define HTTP "127.0.0.1:7801"
#define LISTEN "tcp://127.0.0.1:7800"
#define STATE "/var/lib/gopmill/scheduler"
#define MARK_BYTES 26
#define SCHEDULERS_MOST 16

/* ---- the file */

static const char *text_of(const struct gm_yaml *node, const char *without)
{
    const char *text = NULL;
    struct gm_err unused;
    return node != NULL && gm_yaml_string(node, &text, &unused) == 0 && text[0] != '\0' ? text
                                                                                        : without;
}

static void each(const struct gm_yaml *list, const char *without,
                 void (*fn)(void *arg, const char *text), void *arg)
{
    const struct gm_yaml *first = list != NULL && list->kind == GM_YAML_LIST ? list->child : list;
    if (list == NULL && without != NULL) {
        fn(arg, without);
    }
    for (const struct gm_yaml *one = first; one != NULL; one = first == list ? NULL : one->next) {
        const char *text = text_of(one, NULL);
        if (text != NULL) {
            fn(arg, text);
        }
    }
}

/* ---- ports */

struct place {
    struct sockaddr_storage address;
    socklen_t size;
};

/* "host:port", "[::1]:port", "*:port"; or of a socket the path. Reaches all of this machine's
 * addresses by its own. */
static bool find_place(const char *text, bool to_connect, struct place *out)
{
    const char *path = strncmp(text, "unix:", 5) == 0    ? text + 5
                       : strncmp(text, "ipc://", 6) == 0 ? text + 6
                                                         : NULL;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path != NULL) {
        bool fits = strlen(path) < sizeof un.sun_path;
        memcpy(un.sun_path, path, fits ? strlen(path) : 0);
        memcpy(&out->address, &un, sizeof un);
        out->size = sizeof un;
        return fits;
    }
    text += strncmp(text, "tcp://", 6) == 0 ? 6 : 0;
    char host[256];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    bool bracket = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - text) - (bracket ? 2 : 0),
                   text + (bracket ? 1 : 0));
    bool all = strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = to_connect ? 0 : AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (getaddrinfo(all && to_connect        ? "127.0.0.1"
                    : strcmp(host, "*") == 0 ? NULL
                                             : host,
                    colon + 1, &hints, &found) != 0) {
        return false;
    }
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    out->size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* 0: nobody has it; or errno. */
static int try_bind(const struct place *p)
{
    int on = 1;
    int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? errno : 0;
    if (rc == 0 &&
        (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
         bind(fd, (const struct sockaddr *)&p->address, p->size) != 0 || listen(fd, 1) != 0)) {
        rc = errno;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

/* Connects, sends, and takes what comes first; the bytes, or -1: there is nobody. */
static ssize_t ask(const struct place *p, const char *question, char *out, size_t size)
{
    int fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    ssize_t n = -1;
    int failed = 0;
    socklen_t length = sizeof failed;
    if (fd < 0) {
        return -1;
    }
    bool begun =
        connect(fd, (const struct sockaddr *)&p->address, p->size) == 0 || errno == EINPROGRESS;
    if (begun && poll(&wait, 1, ANSWER_MS) == 1 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &length) == 0 && failed == 0) {
        n = 0;
        wait.events = POLLIN;
        if (send(fd, question, strlen(question), MSG_NOSIGNAL) >= 0) {
            while ((size_t)n < size && poll(&wait, 1, ANSWER_MS) == 1) {
                ssize_t got = recv(fd, out + n, size - (size_t)n, 0);
                if (got <= 0) {
                    break;
                }
                n += got;
            }
        }
    }
    (void)close(fd);
    return n;
}

/* Who listens there speaks ZeroMQ (ZMTP 3, 2.1: the signature of a greeting). -1: nobody does. */
static int is_wire(const struct place *p)
{
    char said[10];
    ssize_t n = ask(p, "", said, sizeof said);
    return n < 0 ? -1 : n == sizeof said && said[0] == '\xff' && said[9] == '\x7f';
}

static int is_api(const struct place *p)
{
    char said[1024];
    ssize_t n = ask(p, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", said,
                    sizeof said - 1);
    said[n > 0 ? n : 0] = '\0';
    return n < 0 ? -1 : strstr(said, "\"gopmill\"") != NULL;
}

/* is: of the protocol that is to be there; NULL: it is encrypted. */
static void check_port(struct gm_findings *f, const char *text, int (*is)(const struct place *p))
{
    struct place here, to;
    const char *colon = strrchr(text, ':');
    if (colon != NULL && (strcmp(colon, ":*") == 0 || strcmp(colon, ":0") == 0)) {
        gm_findings_add(f, GM_VERDICT_OK, "port", "", "%.150s: any port that is free", text);
        return;
    }
    if (!find_place(text, false, &here) || !find_place(text, true, &to)) {
        gm_findings_add(f, GM_VERDICT_BAD, "port", "correct it in the configuration",
                        "%.150s is no address of a port", text);
        return;
    }
    int ours = is != NULL ? is(&to) : -1;
    int rc = ours < 0 && here.address.ss_family != AF_UNIX ? try_bind(&here) : 0;
    if (ours == 1) {
        gm_findings_add(f, GM_VERDICT_OK, "port", "", "%.150s: a scheduler listens", text);
    } else if (ours == 0) {
        gm_findings_add(f, GM_VERDICT_BAD, "port", "end that program, or choose another port",
                        "%.150s: something else than a scheduler listens", text);
    } else if (rc == EADDRINUSE) {
        gm_findings_add(f, is == NULL ? GM_VERDICT_OK : GM_VERDICT_BAD, "port",
                        "end the program that has it, or choose another port", "%.150s is in use",
                        text);
    } else if (rc != 0) {
        gm_findings_add(f, GM_VERDICT_BAD, "port", "correct it in the configuration",
                        "%.150s can't be listened on: %.100s", text, strerror(rc));
    } else {
        gm_findings_add(f, GM_VERDICT_OK, "port", "", "%.150s is free: no scheduler runs on it now",
                        text);
    }
}

static void check_wire(void *arg, const char *text)
{
    check_port(arg, text, is_wire);
}

/* The node's list of schedulers, of which one leads: those that stand by listen on nothing. */
struct schedulers {
    struct {
        const char *text; /* borrowed */
        int is;           /* as is_wire */
    } rows[SCHEDULERS_MOST];
    size_t count;
    bool one; /* listens */
};

static void ask_scheduler(void *arg, const char *text)
{
    struct schedulers *all = arg;
    struct place to;
    if (all->count < SCHEDULERS_MOST) {
        int is = find_place(text, true, &to) ? is_wire(&to) : -1;
        all->rows[all->count].text = text;
        all->rows[all->count++].is = is;
        all->one = all->one || is == 1;
    }
}

static void check_schedulers(struct gm_findings *f, const struct gm_yaml *list)
{
    struct schedulers all = {.count = 0};
    each(list, LISTEN, ask_scheduler, &all);
    for (size_t i = 0; i < all.count; i++) {
        int is = all.rows[i].is;
        bool well = is == 1 || (is < 0 && all.one);
        gm_findings_add(f, well ? GM_VERDICT_OK : GM_VERDICT_BAD, "port",
                        "start the scheduler, or correct `scheduler` in the node's configuration",
                        is == 1   ? "%.150s: a scheduler listens"
                        : is == 0 ? "%.150s: something else than a scheduler listens"
                        : all.one ? "%.150s: nobody listens: it stands by, or is not there"
                                  : "%.150s: nobody listens",
                        all.rows[i].text);
    }
}

/* ---- stores */

static bool is_empty(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool empty = true;
    while (dir != NULL && empty && (entry = readdir(dir)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return empty;
}

/* The mark of a folder; false: it has none. out: MARK_BYTES + 1. */
static bool read_mark(const char *folder, char *out, bool *out_broken)
{
    char path[4096];
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err unused;
    *out_broken = false;
    if (gm_fs_path(path, sizeof path, NULL, "%s/" GM_STORE_MARK, folder) < 0 ||
        gm_fs_read(path, MARK_BYTES + 1, &data, &size, &unused) < 0) {
        *out_broken = access(path, F_OK) == 0;
        return false;
    }
    size -= size > 0 && data[size - 1] == '\n' ? 1 : 0;
    *out_broken = size != MARK_BYTES;
    memcpy(out, data, *out_broken ? 0 : MARK_BYTES);
    out[*out_broken ? 0 : MARK_BYTES] = '\0';
    free(data);
    return !*out_broken;
}

static void check_work(struct gm_findings *f, const char *folder)
{
    char mark[MARK_BYTES + 1];
    struct stat st;
    bool broken = false;
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)) {
        gm_findings_add(f, GM_VERDICT_WARN, "store",
                        "mount it, or let the scheduler make it at its first start",
                        "the work store %.200s is no folder", folder);
    } else if (read_mark(folder, mark, &broken)) {
        gm_findings_add(f, GM_VERDICT_OK, "store", "", "the work store %.200s has the mark %s",
                        folder, mark);
    } else if (broken) {
        gm_findings_add(f, GM_VERDICT_BAD, "store",
                        "write back the mark that it had: a log that waits for it says which",
                        GM_STORE_MARK " of the work store %.200s holds no mark", folder);
    } else {
        bool empty = is_empty(folder);
        gm_findings_add(f, empty ? GM_VERDICT_OK : GM_VERDICT_WARN, "store",
                        "look whether the right file system is mounted there",
                        empty ? "the work store %.200s is empty, and gets its mark with a job"
                              : "the work store %.200s is not empty, and has no mark",
                        folder);
    }
}

static void check_destination(void *arg, const char *folder)
{
    struct gm_findings *f = arg;
    char mark[MARK_BYTES + 1];
    struct stat st;
    bool broken = false;
    if (folder[0] != '/' || folder[1] == '\0') {
        return; /* a server's; or all folders may be named: none of them is the place */
    }
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || access(folder, W_OK | X_OK) != 0) {
        gm_findings_add(f, GM_VERDICT_WARN, "store",
                        "mount it, and let the user of scheduler and nodes write to it",
                        "%.200s of `allow_destinations` is no folder that this user may write to",
                        folder);
        return;
    }
    bool marked = read_mark(folder, mark, &broken);
    gm_findings_add(f, broken ? GM_VERDICT_BAD : GM_VERDICT_OK, "store",
                    "write back the mark that it had: a log that waits for it says which",
                    broken   ? GM_STORE_MARK " of %.200s holds no mark%s"
                    : marked ? "%.200s takes results, and has the mark %s"
                             : "%.200s takes results%s",
                    folder, marked ? mark : "");
}

static void check_stores(struct gm_findings *f, const struct gm_yaml *root)
{
    char folder[4096];
    const char *state = text_of(gm_yaml_find(root, "state"), STATE);
    const char *work = text_of(gm_yaml_find(root, "work_store"), NULL);
    if (work == NULL && state[0] == '/' &&
        gm_fs_path(folder, sizeof folder, NULL, "%s/work", state) == 0) {
        check_work(f, folder);
    } else if (work != NULL && strncmp(work, "file://", 7) == 0) {
        check_work(f, work + 7);
    }
    each(gm_yaml_find(root, "allow_destinations"), NULL, check_destination, f);
}

static void check(struct gm_findings *f, const struct gm_yaml *root)
{
    if (gm_yaml_find(root, "scheduler") != NULL || gm_yaml_find(root, "node_id") != NULL) {
        check_schedulers(f, gm_yaml_find(root, "scheduler"));
        return;
    }
    bool tls = text_of(gm_yaml_find(root, "http_tls_cert"), NULL) != NULL;
    check_port(f, text_of(gm_yaml_find(root, "http"), HTTP), tls ? NULL : is_api);
    each(gm_yaml_find(root, "listen"), LISTEN, check_wire, f);
    check_stores(f, root);
}

void gm_doctor_config(struct gm_findings *f, const char *path, bool must)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_yaml *root = NULL;
    struct gm_err err = {0};
    int rc = gm_fs_read(path, CONFIG_MAX, &data, &size, &err);
    if (rc < 0 && err.native == ENOENT && !must) {
        return;
    }
    rc = rc < 0 ? rc : gm_yaml_parse(path, data, size, &root, &err);
    free(data);
    if (rc == 0 && root->kind == GM_YAML_MAP) {
        check(f, root);
    } else {
        bool denied = rc < 0 && err.native == EACCES;
        gm_findings_add(f, denied && !must ? GM_VERDICT_WARN : GM_VERDICT_BAD, "config",
                        denied ? "run doctor as the user of that program" : "correct the file",
                        "%.300s", rc < 0 ? err.text : "the configuration is no map");
    }
    gm_yaml_destroy(&root);
}
