#ifndef GM_TESTS_BENCH_QUEUE_SERVER_H
#define GM_TESTS_BENCH_QUEUE_SERVER_H

/* The server that is measured: a child process, its files in a scratch folder on a named disk. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bq_disk {
    char type[32];    /* of the file system */
    char device[128]; /* where it is, or what it is called */
    double syncs_s;   /* 4 KiB appended and synced, one after the other */
    double sync_p50_us;
};
/* A new folder below `parent`, which must be on a disk: a file system in memory, or one whose fsync
 * comes back too soon to have done anything, is refused by name. out: PATH_MAX bytes. */
void bq_scratch_make(const char *parent, char *out, size_t size);
void bq_scratch_remove(const char *folder);
void bq_disk_measure(const char *folder, struct bq_disk *out);

/* Starts it (args end with NULL; out: what it writes on stderr goes to this file of the folder).
 * wanted: what its stdout says when it serves, and the whole line then is in line; NULL: nothing.
 */
pid_t bq_server_start(const char *folder, const char *const *args, const char *wanted, char *line,
                      size_t line_size);
/* Waits until it takes connections at tcp://127.0.0.1:PORT. Dies when it died. */
void bq_server_await(const char *address, pid_t pid);
/* With that signal, and waits. */
void bq_server_stop(pid_t pid, int sig);
double bq_server_cpu_s(pid_t pid); /* of all its threads, not of children */
/* Resident memory that is not a file's. */
uint64_t bq_server_bytes(pid_t pid);
uint64_t bq_server_resident(pid_t pid); /* with what is a file's */

int64_t bq_now(void); /* ns, monotonic */

/* Times between two moments. */
struct bq_samples {
    int64_t *ns; /* owned */
    size_t count, cap;
};
void bq_samples_add(struct bq_samples *s, int64_t ns);
/* Sorts. share: 0..1. 0 where there are none. */
double bq_samples_us(struct bq_samples *s, double share);

#endif
