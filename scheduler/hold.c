#include "scheduler/hold.h"

#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"

struct gm_held_send {
    struct gm_held_send *next;
    char *node_id;          /* owned */
    Gm__Envelope *envelope; /* owned */
    uint64_t last;          /* batch that it waits for */
};

void gm_hold_publication(const char *key, char out[GM_HOLD_NAME])
{
    size_t length = strncmp(key, "v/", 2) == 0 ? strcspn(key + 2, "/") : 0;
    out[0] = '\0';
    if (length > 0 && length < GM_HOLD_NAME && key[2 + length] == '/') {
        memcpy(out, key + 2, length);
        out[length] = '\0';
    }
}

/* Whether one of the first `last` batches runs and deletes what the message lets a node write. */
static bool must_wait(const struct gm_hold *hold, const Gm__Envelope *envelope, uint64_t last)
{
    bool grants = envelope != NULL && envelope->body_case == GM__ENVELOPE__BODY_GRANT_ANSWER;
    for (size_t i = 0; grants && i < envelope->grant_answer->n_grants; i++) {
        char publication[GM_HOLD_NAME];
        gm_hold_publication(envelope->grant_answer->grants[i]->key, publication);
        for (const struct gm_hold_batch *b = hold->batches; publication[0] && b; b = b->next) {
            if (b->number <= last && strcmp(b->publication, publication) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void send_destroy(struct gm_held_send *h)
{
    gm__envelope__free_unpacked(h->envelope, NULL);
    free(h->node_id);
    free(h);
}

void gm_hold_begin(struct gm_hold *hold, struct gm_hold_batch *batch)
{
    batch->number = ++hold->last;
    batch->next = hold->batches;
    hold->batches = batch;
}

void gm_hold_end(struct gm_hold *hold, struct gm_hold_batch *batch, gm_hold_fn fn, void *arg)
{
    struct gm_hold_batch **b = &hold->batches;
    while (*b != batch) {
        b = &(*b)->next;
    }
    *b = batch->next;
    for (struct gm_held_send **at = &hold->sends; *at != NULL;) {
        struct gm_held_send *h = *at;
        if (must_wait(hold, h->envelope, h->last)) {
            at = &h->next;
        } else {
            *at = h->next;
            fn(h->node_id, h->envelope, arg);
            send_destroy(h);
        }
    }
}

bool gm_hold_keep(struct gm_hold *hold, struct gm_send *send)
{
    if (!must_wait(hold, send->envelope, hold->last)) {
        return false;
    }
    struct gm_held_send *h = calloc(1, sizeof *h);
    char *node_id = strdup(send->node_id);
    Gm__Envelope *envelope = (Gm__Envelope *)gm_message_dup(&send->envelope->base);
    send->envelope = NULL;
    if (h == NULL || node_id == NULL || envelope == NULL) {
        free(h);
        free(node_id);
        gm__envelope__free_unpacked(envelope, NULL);
        return true;
    }
    *h = (struct gm_held_send){.node_id = node_id, .envelope = envelope, .last = hold->last};
    struct gm_held_send **end = &hold->sends;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = h;
    return true;
}

void gm_hold_fini(struct gm_hold *hold)
{
    while (hold->sends != NULL) {
        struct gm_held_send *next = hold->sends->next;
        send_destroy(hold->sends);
        hold->sends = next;
    }
}
