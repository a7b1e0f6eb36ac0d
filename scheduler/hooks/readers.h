#ifndef GM_SCHEDULER_HOOKS_READERS_H
#define GM_SCHEDULER_HOOKS_READERS_H

#include "common/allow.h"
#include "common/time.h"

/* Connections of the events' socket by descriptor, and which of them are to be cut. One is unproved
 * until its first subscription. Pure. Thread: one at a time. */
#define GM_READERS_MAX 256          /* connections at once */
#define GM_READERS_ROOM_TIME GM_SEC /* unproved for so long, one makes room for a newcomer */
#define GM_READERS_PROOF_TIME (10 * GM_SEC) /* then it is cut */
#define GM_READERS_TOPICS 64                /* subscriptions that a connection ever makes */
#define GM_READERS_TOPIC_BYTES 64

struct gm_reader {
    int fd;
    bool proved;
    gm_time since;
    unsigned topics;
    char key[GM_CURVE_TEXT]; /* "": it has none */
};
struct gm_readers { /* all-zero: none */
    struct gm_reader all[GM_READERS_MAX];
    size_t count;
};

/* One came. Which is to be cut, or -1: of too many the oldest that is unproved, or the newcomer. */
int gm_readers_opened(struct gm_readers *readers, int fd, gm_time now);
void gm_readers_closed(struct gm_readers *readers, int fd);
/* It said something: bytes as XPUB has them. key: NULL: none. NULL, or why it is to be cut. */
const char *gm_readers_said(struct gm_readers *readers, int fd, const char *key,
                            const uint8_t *bytes, size_t size);
/* Whether anybody subscribed. */
bool gm_readers_any(const struct gm_readers *readers);
/* Calls cut for those whose time is over, and, with a list, whose key may not read any more. */
void gm_readers_sweep(const struct gm_readers *readers, const struct gm_allow *allow, gm_time now,
                      int64_t unix_ms, void (*cut)(int fd, const char *why, void *arg), void *arg);

#endif
