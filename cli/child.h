#ifndef GM_CLI_CHILD_H
#define GM_CLI_CHILD_H

#include <sys/types.h>

#include "common/err.h"
#include "common/time.h"

#define GM_CHILD_GIVE_UP 20 /* deaths in a row without READY */

/* One supervised program (common/spawn.h): `program --config config`, which says READY. */
struct gm_child {
    char name[24];  /* "scheduler", "node-1" */
    char *program;  /* owned; path */
    char *config;   /* owned; path */
    char *log_path; /* owned */
    char *pid_path; /* owned */
    pid_t pid;      /* 0: not running */
    int ready_fd;   /* read end; valid while pid != 0; -1 after its end */
    bool ready;     /* READY came since the last start */
    char line[256]; /* of stdout, being read */
    size_t line_size;
    int failures;       /* deaths in a row without READY */
    int pause_ms;       /* before the next start */
    gm_time restart_at; /* while pid == 0 */
};

/* Starts it and writes its pid file. Errors: SYS. */
int gm_child_start(struct gm_child *child, struct gm_err *err) GM_MUST_CHECK;
/* Reads what has come on stdout; sees READY. */
void gm_child_read(struct gm_child *child);
/* True when it has ended: then pid is 0, *out_status is wait(2)'s, and restart_at is set by the
 * rule of growing pauses. */
bool gm_child_reap(struct gm_child *child, gm_time now, int *out_status);
/* Sends a signal, if it runs. */
void gm_child_signal(const struct gm_child *child, int number);
/* Kills it and waits for its end. */
void gm_child_kill(struct gm_child *child);
/* Frees the strings; it must not run any more. */
void gm_child_fini(struct gm_child *child);

#endif
