/* Whose time is over: peers that are gone, connections that say nothing, or nothing that is taken,
 * or read nothing. */
#include "scheduler/peers_state.h"

#define CHECK_EVERY (5 * GM_SEC)
#define LOOKED_AT 64u     /* connections a sweep: ten thousand in 8 s, at 20 sweeps a second */
#define OVER 3u           /* looks in a row: between them a message is read of each that has one: */
#define TURNS 2u          /* so many of what is read hold a whole one */
#define SWEEP_LATE GM_SEC /* who is called so rarely did not listen either */

/* It has more to read than is kept for it, and has read none of that for so long. */
static bool is_stuck(struct gm_peer *peer, gm_time now, const struct gm_peers_hands *hands)
{
    if (gm_unsent_bytes_get(peer->unsent) <= GM_PEERS_UNSENT_BYTES) {
        peer->stuck = 0;
        return false;
    }
    uint64_t taken = gm_unsent_bytes_left(peer->unsent) + hands->taken(peer->fd, hands->arg);
    bool same = peer->stuck != 0 && taken == peer->taken;
    peer->stuck = same ? peer->stuck : now;
    peer->taken = taken;
    return now - peer->stuck >= CHECK_EVERY;
}

/* It is a node, which says something with each heartbeat: its process is stopped, or what lies
 * between keeps the connection for it. */
static bool is_silent(const struct gm_peers *p, const struct gm_peer *peer, gm_time now)
{
    gm_time since = peer->heard_at > p->hears_since ? peer->heard_at : p->hears_since;
    return p->silence > 0 && peer->node != NULL && !peer->gone && now - since > p->silence;
}

static void check_peer(struct gm_peers *p, struct gm_peer *peer, gm_time now, int64_t unix_ms,
                       const struct gm_peers_hands *hands)
{
    if (peer->gone && now - peer->gone_at >= GM_PEERS_GONE_TIME) {
        gm_peer_remove(p, peer);
    } else if (!gm_peer_is_allowed(p, peer, unix_ms)) {
        gm_peer_unbind(p, peer);
        hands->cut(peer->fd, GM_PEERS_OFF_LIST, hands->arg);
    } else if (is_stuck(peer, now, hands)) {
        hands->cut(peer->fd, "it does not read what it is told", hands->arg);
    } else if (is_silent(p, peer, now)) {
        hands->cut(peer->fd, "the node says nothing any more", hands->arg);
    }
}

/* Each of them once in CHECK_EVERY, and of many a part each time: a look at all of a crowd would
 * keep everybody waiting. */
static void check_some(struct gm_peers *p, gm_time now, int64_t unix_ms,
                       const struct gm_peers_hands *hands)
{
    bool anew = p->checked_at == 0 || now - p->checked_at >= CHECK_EVERY;
    gm_time passed = anew ? CHECK_EVERY : now - p->checked_at;
    if (anew) {
        p->checked = NULL;
    }
    size_t count = HASH_COUNT(p->peers);
    if (p->checked == NULL) {
        p->checked = p->peers;
        p->round = count;
    }
    p->round = p->round > count ? p->round : count; /* newcomers are of this round */
    size_t due = (size_t)((uint64_t)passed * p->round / CHECK_EVERY);
    if (due == 0 && p->round > 0) {
        return; /* the time adds up */
    }
    bool part = !anew && p->round > 0; /* what is over of the time adds up, too */
    p->checked_at = part ? p->checked_at + (gm_time)(due * CHECK_EVERY / p->round) : now;
    for (; due > 0 && p->checked != NULL; due--) {
        struct gm_peer *peer = p->checked;
        p->checked = peer->hh.next;
        check_peer(p, peer, now, unix_ms, hands);
    }
}

/* What says something between two looks, as all nodes do in time, costs no call. */
static void look(struct gm_conn *c, const struct gm_peers_hands *hands)
{
    uint64_t bytes = hands->brought(c->fd, hands->arg);
    if (c->looks == 1 || bytes < c->brought) {
        c->brought = bytes;
    }
    c->over = bytes - c->brought > GM_PEERS_PART_BYTES ? c->over + 1 : 0;
    if (c->over >= OVER) {
        hands->cut(c->fd, "it says more and more without an end", hands->arg);
    }
}

/* Messages of which parts come, and no last one. What nobody reads has come to no end either. */
static void check_parts(struct gm_peers *p, bool deaf, const struct gm_peers_hands *hands)
{
    size_t count = HASH_COUNT(p->conns.all);
    for (size_t n = count < LOOKED_AT ? count : LOOKED_AT; n > 0; n--) {
        struct gm_conn *c = gm_conns_turn(&p->conns);
        bool silent = c->proved && c->peer != NULL && c->peer->heard_at == c->heard && !deaf;
        if (silent && p->behind && p->turn - c->turn < TURNS) {
            continue; /* a whole message of it may wait behind others' */
        }
        c->turn = p->turn;
        c->looks = silent ? c->looks + 1 : 0;
        c->over = silent ? c->over : 0;
        if (silent) {
            look(c, hands);
        } else if (c->peer != NULL) {
            c->heard = c->peer->heard_at;
        }
    }
}

void gm_peers_sweep(struct gm_peers *p, bool deaf, gm_time now, int64_t unix_ms,
                    const struct gm_peers_hands *hands)
{
    if (deaf || now - p->swept_at > SWEEP_LATE) {
        p->hears_since = now;
    }
    p->swept_at = now;
    for (size_t n = p->conns.unproved_count; n > 0; n--) {
        if (now - p->conns.unproved->since < GM_PEERS_HELLO_TIME) {
            break;
        }
        hands->cut(gm_conns_cut_next(&p->conns, now), "no hello was said that was taken",
                   hands->arg);
    }
    check_parts(p, deaf, hands);
    check_some(p, now, unix_ms, hands);
}
