#ifndef GM_NODE_DEVICES_HELPER_H
#define GM_NODE_DEVICES_HELPER_H

#include "common/buf.h"
#include "node/devices/device.h"

/* Work in processes of their own, because drivers hang and crash: each is started with its argv,
 * writes an encoded device list to descriptor 3, and is killed at its time limit. What is given on:
 * as common/spawn.h says. Thread: any that lives as long as they (they end with
 * it); no other may wait for any child whatsoever. */
#define GM_HELPER_ARGS 256
#define GM_HELPER_RESULT 3 /* the descriptor */

struct gm_helper {
    const char *argv[GM_HELPER_ARGS]; /* borrowed; argv[0] the program's path; NULL at the end */
    uint32_t limit_ms;
    bool raw; /* the answer is no device list: it is left in `answer` as it came */
    /* Set by gm_helpers_run: */
    bool ok;
    uint32_t took_ms;
    char why[160];              /* not ok: "crashed (signal 11)" */
    struct gm_device_list list; /* ok: what it found; gm_device_list_fini */
    struct gm_buf answer;       /* ok and raw: at most GM_PROBE_RESULT_MAX bytes; gm_buf_fini */
};

/* Runs all, at most `parallel` at a time, in order. A helper that fails is no error: its `why` says
 * it. Takes about as long as the limits of those that hang. Errors: NOMEM, SYS (no process can be
 * started at all). */
int gm_helpers_run(struct gm_helper *helpers, size_t count, size_t parallel,
                   struct gm_err *err) GM_MUST_CHECK;
/* The same, and when another thread sets *stop (atomically; NULL: nobody does) all are killed
 * within a moment. Errors: CANCELLED too. */
int gm_helpers_run_until(struct gm_helper *helpers, size_t count, size_t parallel, const int *stop,
                         struct gm_err *err) GM_MUST_CHECK;

/* The child's side: writes the list to descriptor 3. Returns the exit status. */
int gm_helper_answer(const struct gm_device_list *list);
/* False: there is no descriptor 3 to answer on and no `text` for people is asked
 * for; said on the standard error. */
bool gm_helper_can_answer(const char *program, bool text);
/* Writes the list to descriptor 3, or as text to the standard output; rc < 0: err to the standard
 * error instead. Then the process ends at once: exit handlers of drivers may crash. Its status: 0
 * the list is out, and where it is text no proof of it failed; else 1. */
_Noreturn void gm_helper_end(const char *program, struct gm_device_list *list, bool text, int rc,
                             const struct gm_err *err);

#endif
