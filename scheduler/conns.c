#include "scheduler/conns.h"

#include <stdlib.h>
#include <utlist.h>

void gm_conns_fini(struct gm_conns *conns)
{
    struct gm_conn *c = conns->all, *next = NULL;
    HASH_CLEAR(hh, conns->all); /* the table, not what is in it */
    for (; c != NULL; c = next) {
        next = c->hh.next;
        free(c);
    }
    *conns = (struct gm_conns){0};
}

struct gm_conn *gm_conns_find(const struct gm_conns *conns, int fd)
{
    struct gm_conn *c = NULL;
    HASH_FIND_INT(conns->all, &fd, c);
    return c;
}

static void list(struct gm_conns *conns, struct gm_conn *c, gm_time now)
{
    c->since = now;
    DL_APPEND(conns->unproved, c);
    conns->unproved_count++;
}

static void unlist(struct gm_conns *conns, struct gm_conn *c)
{
    DL_DELETE(conns->unproved, c);
    conns->unproved_count--;
}

void gm_conns_add(struct gm_conns *conns, int fd, gm_time now)
{
    if (gm_conns_find(conns, fd) == NULL) {
        struct gm_conn *c = gm_mem_zalloc(sizeof *c);
        c->fd = fd;
        list(conns, c, now);
        HASH_ADD_INT(conns->all, fd, c);
    }
}

void gm_conns_remove(struct gm_conns *conns, struct gm_conn *c)
{
    if (!c->proved) {
        unlist(conns, c);
    }
    if (conns->turn == c) {
        conns->turn = c->hh.next;
    }
    HASH_DEL(conns->all, c);
    free(c);
}

void gm_conns_set_proved(struct gm_conns *conns, struct gm_conn *c, bool proved, gm_time now)
{
    if (c == NULL || c->proved == proved) {
        return;
    }
    c->proved = proved;
    if (proved) {
        unlist(conns, c);
    } else {
        list(conns, c, now);
    }
}

int gm_conns_cut_next(struct gm_conns *conns, gm_time now)
{
    struct gm_conn *c = conns->unproved;
    unlist(conns, c);
    list(conns, c, now);
    return c->fd;
}

struct gm_conn *gm_conns_turn(struct gm_conns *conns)
{
    struct gm_conn *c = conns->turn != NULL ? conns->turn : conns->all;
    conns->turn = c != NULL ? c->hh.next : NULL;
    return c;
}
