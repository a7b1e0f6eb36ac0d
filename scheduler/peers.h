#ifndef GM_SCHEDULER_PEERS_H
#define GM_SCHEDULER_PEERS_H

#include "common/allow.h"
#include "common/time.h"
#include "wire.pb-c.h"

/* Who is at the other end of each connection of the nodes' socket, and what it may still say
 * (ADR-0041). Nothing in it talks to a socket or looks at a clock.
 *
 * A connection is a descriptor; it is unproved until the core has answered its Hello with Welcome.
 * A peer is a routing id, and comes with its first message. It is a stranger until it is bound to a
 * node id, which a Welcome does, and once more when another peer was welcomed as that node.
 *
 * Memory: as scheduler/core, it ends the process where none is left. Thread: one at a time.
 */
#define GM_PEERS_UNPROVED_MAX 1024        /* connections at once that have not said who they are */
#define GM_PEERS_HELLO_TIME (10 * GM_SEC) /* then they are cut */
#define GM_PEERS_ROOM_TIME GM_SEC         /* who waits so long makes room for newcomers */
#define GM_PEERS_GONE_TIME (5 * GM_SEC)   /* what a closed connection said may still be unread */
#define GM_PEERS_ID_BYTES 255             /* libzmq takes no longer routing id */
#define GM_PEERS_STRANGERS_MAX 4096
#define GM_PEERS_PART_BYTES ((uint64_t)64 << 20) /* of a message: two of the largest envelopes */
#define GM_PEERS_DROPPED_TIME GM_SEC             /* between tellings of what was dropped */
/* A peer that has more to read is looked at, and cut when it reads nothing for 5 s; it is told more
 * while it reads: up to a node's whole work behind a slow link, but all peers together no more. */
#define GM_PEERS_UNSENT_BYTES ((size_t)8 << 20)
#define GM_PEERS_UNSENT_MOST ((size_t)64 << 20)
#define GM_PEERS_UNSENT_ALL ((size_t)256 << 20)

/* Why a connection is cut whose key was good when it was made. */
#define GM_PEERS_OFF_LIST "its key is not on the list any more"

struct gm_peers; /* opaque */

enum gm_peer_verdict {
    GM_PEER_TAKE,   /* go on with it */
    GM_PEER_IGNORE, /* as if it were lost */
    GM_PEER_REFUSE, /* tell the peer why */
    GM_PEER_CUT     /* close the connection, too */
};

/* Bytes on their way to a peer. Shared: with what libzmq has not sent yet. */
struct gm_unsent_bytes;

struct gm_peer_id {
    const void *data;
    size_t size;
};

/* What a message came with. */
struct gm_heard {
    struct gm_peer_id id;
    int fd;                /* of its connection */
    const char *key;       /* that it was proved by; NULL: by none */
    size_t size;           /* bytes */
    struct gm_peer *known; /* as gm_peers_find says; NULL: it is looked for */
    gm_time now;
    int64_t unix_ms;
};

struct gm_peer; /* opaque */

struct gm_peers *gm_peers_create(void);
void gm_peers_destroy(struct gm_peers **peers);
/* Keys count from now on, by this list, which is borrowed. Again, with the same one: it changed. */
void gm_peers_allow(struct gm_peers *peers, const struct gm_allow *allow);

/* Nodes that say nothing for so long are cut; 0, as it is at first: none is. */
void gm_peers_silence(struct gm_peers *peers, gm_time silence);

/* A connection came. Returns which one is to be cut, or -1: where too many are unproved, the one
 * that has been so for longest: a node says Hello within its first round trips; the newcomer itself
 * where that one has not waited for long either, and is nearest to its Welcome: so of many that
 * come at once some get in each time. */
int gm_peers_opened(struct gm_peers *peers, int fd, gm_time now);
void gm_peers_closed(struct gm_peers *peers, int fd, gm_time now);
size_t gm_peers_unproved(const struct gm_peers *peers);

/* NULL: its first message. */
struct gm_peer *gm_peers_find(const struct gm_peers *peers, struct gm_peer_id id);
/* A message came; it is not looked at yet. *out: whose it is; borrowed until the next call of
 * gm_peers_heard or gm_peers_sweep. TAKE, IGNORE or CUT; with CUT *out is NULL but where the key is
 * not on the list any more. */
enum gm_peer_verdict gm_peers_heard(struct gm_peers *peers, const struct gm_heard *heard,
                                    struct gm_peer **out);
/* A turn of reading ended; `all`: there was no more. As it is at first. */
void gm_peers_read(struct gm_peers *peers, bool all);
/* The message that was heard last brings `more` envelopes beside its first one. False: they are too
 * many, it is as lost. */
bool gm_peers_more(struct gm_peers *peers, struct gm_peer *peer, uint32_t more, gm_time now);
/* False: it could not be told, and counts for the next time. */
typedef bool (*gm_peers_dropped_fn)(const char *node_id, uint64_t dropped, void *arg);
/* Calls fn for each node of which messages were as lost because they were too many since that was
 * told last, with how many; a batch is one. At most once a second: else, and where there is none,
 * nothing happens. */
void gm_peers_each_dropped(struct gm_peers *peers, gm_time now, gm_peers_dropped_fn fn, void *arg);
/* What it says: NULL where it does not decode, and *err says why. TAKE: *out_node is the node id
 * to give it to the core under, and after that gm_peers_settle; borrowed as peer, or from env.
 * REFUSE, CUT: *err is filled. */
enum gm_peer_verdict gm_peers_judge(struct gm_peers *peers, struct gm_peer *peer,
                                    const Gm__Envelope *env, gm_time now, const char **out_node,
                                    struct gm_err *err);
void gm_peers_settle(struct gm_peers *peers);
/* Who is to get this message for that node: NULL: nobody. A Welcome binds who asked for it. */
struct gm_peer *gm_peers_route(struct gm_peers *peers, const char *node_id, const Gm__Envelope *env,
                               gm_time now);

/* The key of who is that node; NULL: nobody is connected as it, or by no key. *until_unix_ms: when
 * the key ends, INT64_MAX: never. Borrowed as from gm_peers_heard. */
const char *gm_peers_key(const struct gm_peers *peers, const char *node_id, int64_t *until_unix_ms);

struct gm_peer_id gm_peer_id(const struct gm_peer *peer);
int gm_peer_fd(const struct gm_peer *peer);           /* -1: its connection is closed */
const char *gm_peer_node(const struct gm_peer *peer); /* "": a stranger */
const char *gm_peer_name(const struct gm_peer *peer); /* by its key; "": none */
bool gm_peer_batches(const struct gm_peer *peer);     /* its Hello said that it reads batches */
/* The place of what it is being told, letters.c's own; all-zero with a new peer. */
struct gm_peer_mark {
    uint64_t turn;
    uint32_t letter;
};
struct gm_peer_mark *gm_peer_mark(struct gm_peer *peer);
/* Its counter; lives as long as the peer, longer with gm_unsent_bytes_take. */
struct gm_unsent_bytes *gm_peer_unsent(const struct gm_peer *peer);

/* What a sweep needs done. */
struct gm_peers_hands {
    void (*cut)(int fd, const char *why, void *arg);
    uint64_t (*taken)(int fd, void *arg);   /* bytes that the other side has acknowledged; or 0 */
    uint64_t (*brought)(int fd, void *arg); /* bytes that came over it, ever; or 0 */
    void *arg;
};
/* Forgets peers that are gone, and cuts connections whose time is over: unproved too long, keys
 * that are not on the list any more, nothing read for 5 s of more than is kept, nothing said for
 * long by a node, more than GM_PEERS_PART_BYTES brought without the end of a message: libzmq keeps
 * the parts of one until the last has come, and bounds each alone. `deaf`: nothing is heard now; a
 * second without a call counts as that, too. Cheap to call often. */
void gm_peers_sweep(struct gm_peers *peers, bool deaf, gm_time now, int64_t unix_ms,
                    const struct gm_peers_hands *hands);
/* Calls fn for each connection, or for the unproved ones alone. */
void gm_peers_each(const struct gm_peers *peers, bool unproved,
                   void (*fn)(int fd, bool proved, void *arg), void *arg);

/* ---- Thread: any */
/* size bytes are on their way. */
void gm_unsent_bytes_take(struct gm_unsent_bytes *bytes, size_t size);
/* They left, or never will. */
void gm_unsent_bytes_drop(struct gm_unsent_bytes *bytes, size_t size);
size_t gm_unsent_bytes_get(const struct gm_unsent_bytes *bytes);
/* Whether its peer may be told anything, with `more` bytes that were not counted yet. */
bool gm_unsent_bytes_has_room(const struct gm_unsent_bytes *bytes, size_t more);

#endif
