#ifndef GM_SCHEDULER_CONNS_H
#define GM_SCHEDULER_CONNS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/time.h"

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "scheduler/core/mem.h"

/* Connections of the nodes' socket by descriptor; a part of peers.c. Those that are unproved are
 * listed by when they came. Pure. Memory: as scheduler/core. */
struct gm_peer;

struct gm_conn {
    int fd;
    gm_time since; /* unproved since then */
    bool proved;
    struct gm_peer *peer;        /* borrowed; NULL: nothing came over it yet */
    gm_time heard;               /* its last whole message, when it was looked at last */
    uint64_t brought;            /* bytes, when it was looked at first since then */
    uint64_t turn;               /* of what is read, at the last of these: */
    unsigned looks;              /* since then; */
    unsigned over;               /* of these the last ones: it had brought too much */
    struct gm_conn *prev, *next; /* of the unproved, oldest first */
    UT_hash_handle hh;
};
struct gm_conns {             /* all-zero: none */
    struct gm_conn *all;      /* owned */
    struct gm_conn *unproved; /* borrowed; the oldest */
    size_t unproved_count;
    struct gm_conn *turn; /* borrowed; who is looked at next; NULL: the first of all */
};

void gm_conns_fini(struct gm_conns *conns);
struct gm_conn *gm_conns_find(const struct gm_conns *conns, int fd); /* NULL: there is none */
void gm_conns_add(struct gm_conns *conns, int fd, gm_time now);      /* unless it is there */
void gm_conns_remove(struct gm_conns *conns, struct gm_conn *conn);
void gm_conns_set_proved(struct gm_conns *conns, struct gm_conn *conn, bool proved, gm_time now);
/* The descriptor of the oldest unproved one, of which there is one. It is the newest from now on:
 * who cuts it looks at it again, if it is there then. */
int gm_conns_cut_next(struct gm_conns *conns, gm_time now);
/* All of them in turn; NULL: there is none. */
struct gm_conn *gm_conns_turn(struct gm_conns *conns);

#endif
