#include "scheduler/letters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/crash.h"
#include "common/keys.h"
#include "proto/batch.h"
#include "scheduler/core/mem.h"
#include "scheduler/peers.h"

#define LETTERS 256u /* peers at once; with more all leave earlier */

/* It outlives its peer, which may be forgotten before it leaves. */
struct letter {
    uint8_t id[GM_PEERS_ID_BYTES];
    size_t id_size;
    char node_id[GM_CURVE_NAME];
    struct gm_unsent_bytes *unsent; /* shared */
    struct gm_batch batch;          /* owned */
};

struct gm_letters {
    void *router; /* borrowed */
    gm_letters_lost_fn fn;
    void *arg;
    bool used;     /* the socket, since gm_letters_used */
    uint64_t turn; /* marks of earlier ones name no letter */
    uint32_t count;
    struct letter letters[LETTERS];
};

/* A message that libzmq has not sent yet. */
struct sent {
    struct gm_unsent_bytes *bytes; /* shared */
    size_t size;
    uint8_t *data; /* owned; the message is in it */
};

/* Thread: libzmq's, or ours. */
static void on_sent(void *data, void *hint)
{
    struct sent *sent = hint;
    (void)data;
    gm_unsent_bytes_drop(sent->bytes, sent->size);
    free(sent->data);
    free(sent);
}

/* A signal may keep a part from being taken: then nothing of it was. */
static int send_id(void *router, const struct letter *l)
{
    int rc;
    do {
        rc = zmq_send(router, l->id, l->id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    return rc;
}

static int send_body(void *router, zmq_msg_t *msg)
{
    int rc;
    do {
        rc = zmq_msg_send(msg, router, ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    return rc;
}

/* Takes the letter's batch. 0, or libzmq's number of what went wrong. */
static int send_letter(void *router, struct letter *l)
{
    size_t size = 0;
    const void *bytes = gm_batch_bytes(&l->batch, &size);
    struct sent *sent = malloc(sizeof *sent);
    zmq_msg_t msg;
    if (sent == NULL) {
        gm_batch_fini(&l->batch);
        return ENOMEM;
    }
    *sent = (struct sent){.bytes = l->unsent, .size = size, .data = l->batch.data};
    if (zmq_msg_init_data(&msg, (void *)(uintptr_t)bytes, size, on_sent, sent) != 0) {
        free(sent);
        gm_batch_fini(&l->batch);
        return zmq_errno();
    }
    l->batch = (struct gm_batch){0};
    gm_unsent_bytes_take(sent->bytes, size);
    if (send_id(router, l) < 0 || send_body(router, &msg) < 0) {
        int code = zmq_errno();
        (void)zmq_msg_close(&msg);
        return code;
    }
    return 0;
}

static void post(struct gm_letters *l, struct letter *letter)
{
    l->used = l->used || letter->batch.count > 0;
    int code = letter->batch.count > 0 ? send_letter(l->router, letter) : 0;
    if (code != 0) {
        l->fn(letter->node_id, code, l->arg);
    }
}

static void open_letter(struct letter *letter, const struct gm_peer *peer, const char *node_id)
{
    struct gm_peer_id id = gm_peer_id(peer);
    memcpy(letter->id, id.data, id.size);
    letter->id_size = id.size;
    (void)strncpy(letter->node_id, node_id, sizeof letter->node_id - 1);
    letter->unsent = gm_peer_unsent(peer);
    gm_unsent_bytes_take(letter->unsent, 0); /* it stays, whatever becomes of the peer */
    letter->batch = (struct gm_batch){0};
}

static void close_letter(struct letter *letter)
{
    gm_unsent_bytes_drop(letter->unsent, 0);
    gm_batch_fini(&letter->batch);
}

struct gm_letters *gm_letters_create(void *router, gm_letters_lost_fn fn, void *arg)
{
    struct gm_letters *l = gm_mem_zalloc(sizeof *l);
    l->router = router;
    l->fn = fn;
    l->arg = arg;
    l->turn = 1;
    return l;
}

void gm_letters_destroy(struct gm_letters **letters)
{
    struct gm_letters *l = *letters;
    if (l == NULL) {
        return;
    }
    for (uint32_t i = 0; i < l->count; i++) {
        close_letter(&l->letters[i]);
    }
    free(l);
    *letters = NULL;
}

void gm_letters_flush(struct gm_letters *l)
{
    bool any = l->count > 0;
    for (uint32_t i = 0; i < l->count; i++) {
        post(l, &l->letters[i]);
        close_letter(&l->letters[i]);
    }
    l->count = 0;
    l->turn++;
    if (any) {
        GM_CRASH("letters.sent");
    }
}

bool gm_letters_used(struct gm_letters *l)
{
    bool used = l->used;
    l->used = false;
    return used;
}

/* That of this turn; a new one where there is none. */
static struct letter *letter_of(struct gm_letters *l, struct gm_peer *peer, const char *node_id)
{
    struct gm_peer_mark *mark = gm_peer_mark(peer);
    if (mark->turn == l->turn) {
        struct letter *open = &l->letters[mark->letter];
        if (open->node_id[0] == '\0') { /* it was a stranger's */
            (void)strncpy(open->node_id, node_id, sizeof open->node_id - 1);
        }
        return open;
    }
    if (l->count == LETTERS) {
        gm_letters_flush(l);
    }
    struct letter *letter = &l->letters[l->count];
    memset(letter, 0, sizeof *letter);
    open_letter(letter, peer, node_id);
    *mark = (struct gm_peer_mark){.turn = l->turn, .letter = l->count++};
    return letter;
}

int gm_letters_put(struct gm_letters *l, struct gm_peer *peer, const char *node_id,
                   Gm__Envelope *envelope, struct gm_err *err)
{
    struct letter *letter = letter_of(l, peer, node_id);
    if (!gm_unsent_bytes_has_room(letter->unsent, letter->batch.size)) {
        l->fn(node_id, EAGAIN, l->arg); /* what it is told now is as lost, until it has read on */
        return 0;
    }
    int rc = gm_batch_add(&letter->batch, envelope, err);
    if (rc > 0) { /* it does not belong into this message any more */
        post(l, letter);
        rc = gm_batch_add(&letter->batch, envelope, err);
    }
    bool is_full = letter->batch.size >= GM_BATCH_ROOM; /* of one entry, which may be any size */
    if (rc == 0 && (is_full || !gm_peer_batches(peer))) {
        post(l, letter);
    }
    return rc;
}
