#include "scheduler/hooks/readers.h"

#include <stdio.h>

static struct gm_reader *find(struct gm_readers *r, int fd)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->all[i].fd == fd) {
            return &r->all[i];
        }
    }
    return NULL;
}

static const struct gm_reader *oldest_unproved(const struct gm_readers *r)
{
    const struct gm_reader *oldest = NULL;
    for (size_t i = 0; i < r->count; i++) {
        if (!r->all[i].proved && (oldest == NULL || r->all[i].since < oldest->since)) {
            oldest = &r->all[i];
        }
    }
    return oldest;
}

int gm_readers_opened(struct gm_readers *r, int fd, gm_time now)
{
    int cut = -1;
    gm_readers_closed(r, fd);
    if (r->count == GM_READERS_MAX) {
        const struct gm_reader *oldest = oldest_unproved(r);
        if (oldest == NULL || now - oldest->since < GM_READERS_ROOM_TIME) {
            return fd;
        }
        cut = oldest->fd;
        gm_readers_closed(r, cut);
    }
    r->all[r->count++] = (struct gm_reader){.fd = fd, .since = now};
    return cut;
}

void gm_readers_closed(struct gm_readers *r, int fd)
{
    struct gm_reader *reader = find(r, fd);
    if (reader != NULL) {
        *reader = r->all[--r->count];
    }
}

const char *gm_readers_said(struct gm_readers *r, int fd, const char *key, const uint8_t *bytes,
                            size_t size)
{
    struct gm_reader *reader = find(r, fd);
    if (size == 0 || bytes[0] > 1) {
        return "it said what is no subscription";
    }
    if (bytes[0] == 0) {
        return NULL; /* one less; also when its connection ended, whose descriptor is not known */
    }
    if (reader == NULL) {
        return "too many subscribers are connected";
    }
    reader->proved = true;
    (void)snprintf(reader->key, sizeof reader->key, "%s", key != NULL ? key : "");
    if (size - 1 > GM_READERS_TOPIC_BYTES) {
        return "it subscribed to what is too long";
    }
    return ++reader->topics > GM_READERS_TOPICS ? "it subscribed too often" : NULL;
}

bool gm_readers_any(const struct gm_readers *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->all[i].proved) {
            return true;
        }
    }
    return false;
}

void gm_readers_sweep(const struct gm_readers *r, const struct gm_allow *allow, gm_time now,
                      int64_t unix_ms, void (*cut)(int fd, const char *why, void *arg), void *arg)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct gm_reader *reader = &r->all[i];
        const struct gm_allowed *row =
            allow != NULL && reader->proved ? gm_allow_find(allow, reader->key, unix_ms) : NULL;
        if (!reader->proved) {
            if (now - reader->since >= GM_READERS_PROOF_TIME) {
                cut(reader->fd, "it subscribes to nothing", arg);
            }
        } else if (allow != NULL &&
                   (row == NULL || !gm_curve_role_may(row->role, GM_CURVE_CLIENT))) {
            cut(reader->fd, "its key is not on the list any more", arg);
        }
    }
}
