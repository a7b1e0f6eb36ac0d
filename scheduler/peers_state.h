#ifndef GM_SCHEDULER_PEERS_STATE_H
#define GM_SCHEDULER_PEERS_STATE_H

#include "common/rate.h"
#include "scheduler/conns.h"
#include "scheduler/peers.h"
#include "scheduler/unsent.h"

/* What peers.c (who they are, what they say) and peers_sweep.c (whose time is over) share; nobody
 * else includes this. */
struct node;

struct gm_peer {
    uint8_t *id; /* owned */
    size_t id_size;
    int fd;
    char key[GM_CURVE_TEXT]; /* "": none */
    char name[GM_CURVE_NAME];
    enum gm_curve_role role;
    int64_t until_unix_ms;
    uint64_t generation; /* of the list that says so */
    struct node *node;   /* borrowed; NULL: a stranger */
    bool replaced;       /* it was that node */
    bool batches;
    struct gm_peer_mark mark;
    bool gone;
    gm_time gone_at, heard_at;
    struct gm_rate messages, bytes, faults, answers;
    struct gm_unsent_bytes *unsent; /* shared */
    uint64_t taken;                 /* of them, when it was looked at last */
    gm_time stuck;                  /* since when it is so many; 0: it has no more than is kept */
    struct gm_peer *prev, *next;    /* of the strangers, heard longest ago first */
    UT_hash_handle hh;
};

struct node {
    char id[GM_CURVE_NAME];
    struct gm_peer *peer; /* bound; never NULL outside gm_peers_route */
    uint64_t dropped;     /* of its messages, and not told yet */
    UT_hash_handle hh;
};

struct gm_peers {
    const struct gm_allow *allow; /* borrowed; NULL: no keys */
    uint64_t generation;
    struct gm_peer *peers;         /* owned; by routing id */
    struct gm_unsent_total *total; /* shared */
    struct gm_peer *strangers;     /* borrowed */
    size_t stranger_count;
    struct node *nodes; /* owned */
    struct gm_conns conns;
    struct gm_rate messages; /* of strangers */
    bool behind;             /* there was more to read when reading ended last */
    size_t turn_count; /* messages of this turn; in one each connection is read that has one */
    uint64_t turn;
    struct gm_peer *speaker; /* was heard last; NULL: none, or it is gone */
    struct gm_peer *claimer; /* its Hello is being answered */
    char claim[GM_CURVE_NAME];
    gm_time checked_at;      /* 0: all are to be */
    struct gm_peer *checked; /* who is next; NULL: the first, of so many: */
    size_t round;
    gm_time silence;
    gm_time swept_at, hears_since;
    gm_time dropped_at; /* when it was told last; 0: never */
    bool dropped;       /* some node has something to tell of */
};

/* Forgets it, and its connection's, if it has one. */
void gm_peer_remove(struct gm_peers *p, struct gm_peer *peer);
/* Nothing is sent to it any more: it is a stranger. */
void gm_peer_unbind(struct gm_peers *p, struct gm_peer *peer);
/* Its key is on the list now. True, and nothing to do, where there are no keys. */
bool gm_peer_is_allowed(const struct gm_peers *p, struct gm_peer *peer, int64_t unix_ms);

#endif
