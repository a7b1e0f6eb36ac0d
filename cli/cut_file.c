#include "cli/cut_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/farm_files.h"
#include "common/buf.h"
#include "common/fs.h"
#include "common/spawn.h"

#define PATIENCE (60 * GM_SEC)
#define MEMORY "2147483648" /* bytes of address space */
#define MAX_TEXT ((size_t)32 << 20)
#define TURN_MS 20

struct cutter {
    struct gm_session *session; /* borrowed */
    char *launcher, *worker;    /* owned */
    char scratch[256];
    pid_t pid; /* 0: not started */
    int out;   /* owned; -1: none */
    struct gm_buf text;
};

/* Beside us, in PATH, or where installations have programs that are not for people. By its own
 * path: the sandbox lets the folder be read that the program lies in, not one with a link to it. */
static int find_program(const char *name, char **out, struct gm_err *err)
{
    char *folder = NULL, *found = NULL;
    char path[4096];
    int rc = gm_farm_find_program(name, &found, err);
    if (rc == -GM_E_NOT_INSTALLED && gm_fs_program_dir(&folder, NULL) == 0 &&
        gm_fs_path(path, sizeof path, NULL, "%s/../libexec/gopmill/%s", folder, name) == 0 &&
        access(path, X_OK) == 0) {
        found = strdup(path);
        rc = found == NULL ? gm_err_nomem(err) : 0;
    }
    free(folder);
    if (rc == 0) {
        *out = realpath(found, NULL);
        rc = *out == NULL ? gm_err_sys(err, errno, "could not follow %.150s", found) : 0;
    }
    free(found);
    return rc;
}

static int make_scratch(struct cutter *c, struct gm_err *err)
{
    const char *base = getenv("TMPDIR");
    base = base == NULL || base[0] != '/' ? "/tmp" : base;
    char path[sizeof c->scratch];
    int rc = gm_fs_path(path, sizeof path, err, "%s/gopmill-cut-XXXXXX", base);
    if (rc == 0 && mkdtemp(path) == NULL) {
        rc = gm_err_sys(err, errno, "could not make a folder in %.100s", base);
    }
    if (rc == 0) {
        memcpy(c->scratch, path, sizeof path);
    }
    return rc;
}

static int start(struct cutter *c, int fd, struct gm_err *err)
{
    char parent[24];
    int fds[2];
    pid_t self = getpid();
    snprintf(parent, sizeof parent, "%d", (int)self);
    const char *const argv[] = {c->launcher, "--scratch",   c->scratch, "--parent",
                                parent,      "--memory",    MEMORY,     "--",
                                c->worker,   "--keyframes", NULL};
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return gm_err_sys(err, errno, "could not make a pipe");
    }
    c->out = fds[0];
    pid_t pid = fork();
    if (pid == 0) {
        const struct gm_spawn_child child = {.argv = argv,
                                             .parent = self,
                                             .death_signal = SIGKILL,
                                             .fds = {-1, fds[1], -1, fd},
                                             .fd_count = 4,
                                             .confined = true};
        gm_spawn_become(&child);
    }
    int failed = errno;
    close(fds[1]);
    if (pid < 0) {
        return gm_err_sys(err, failed, "could not start %.120s", c->launcher);
    }
    c->pid = pid;
    return fcntl(c->out, F_SETFL, O_NONBLOCK) != 0
               ? gm_err_sys(err, errno, "could not read from %.120s", c->launcher)
               : 0;
}

/* To the end of what it says. */
static int read_text(struct cutter *c, struct gm_err *err)
{
    gm_time deadline = gm_time_now() + PATIENCE;
    char piece[65536];
    for (;;) {
        ssize_t n = read(c->out, piece, sizeof piece);
        if (n > 0) {
            gm_buf_add(&c->text, piece, (size_t)n);
        } else if (n == 0) {
            gm_buf_u8(&c->text, '\0');
            return gm_buf_check(&c->text, err);
        } else if (errno != EAGAIN && errno != EINTR) {
            return gm_err_sys(err, errno, "could not read from the worker");
        }
        if (c->text.size > MAX_TEXT) {
            return gm_err_set(err, GM_E_LIMIT, 0, "the worker said too much");
        }
        if (gm_time_now() >= deadline) {
            return gm_err_set(err, GM_E_TIMEOUT, 0, "the worker took too long");
        }
        int rc = n < 0 ? gm_session_turn(c->session, TURN_MS, err) : 0;
        if (rc == 0 && c->session->interrupts > 0) {
            rc = gm_err_set(err, GM_E_CANCELLED, 0, "interrupted");
        }
        if (rc < 0) {
            return rc;
        }
    }
}

static int ask(struct cutter *c, int fd, uint64_t size, uint64_t **out, size_t *out_count,
               struct gm_err *err)
{
    int rc = find_program("gopmill-launcher", &c->launcher, err);
    if (rc == 0) {
        rc = find_program("gopmill-worker", &c->worker, err);
    }
    if (rc == 0) {
        rc = make_scratch(c, err);
    }
    if (rc == 0) {
        rc = start(c, fd, err);
    }
    if (rc == 0) {
        rc = read_text(c, err);
    }
    if (rc == 0 && c->text.size == 1) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the worker found no keyframes");
    }
    return rc < 0 ? rc : gm_cut_read((const char *)c->text.data, size, out, out_count, err);
}

static void cutter_fini(struct cutter *c)
{
    if (c->pid != 0) {
        gm_spawn_kill(c->pid);
    }
    if (c->out >= 0) {
        close(c->out);
    }
    if (c->scratch[0] != '\0') {
        GM_IGNORE(gm_fs_remove_tree(c->scratch, NULL), "a folder without bytes is left behind");
    }
    gm_buf_fini(&c->text);
    free(c->launcher);
    free(c->worker);
}

int gm_cut_file(struct gm_session *session, int fd, uint64_t size, struct gm_cut *out, char *why,
                struct gm_err *err)
{
    struct cutter c = {.session = session, .out = -1};
    uint64_t *keyframes = NULL;
    size_t count = 0;
    why[0] = '\0';
    int rc = ask(&c, fd, size, &keyframes, &count, err);
    cutter_fini(&c);
    if (rc == -GM_E_CANCELLED || rc == -GM_E_NOMEM) {
        return rc;
    }
    if (rc < 0) {
        snprintf(why, GM_CUT_WHY, "%s", err->text);
    }
    rc = gm_cut_plan(size, keyframes, count, out, err);
    free(keyframes);
    return rc;
}
