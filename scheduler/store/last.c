#include "scheduler/store/last.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

/* Room for twice as many as there are, empty: what a larger batch had beside that is left alone. */
static int make_slots(struct gm_last *last, size_t count, struct gm_err *err)
{
    size_t want = 16;
    while (want < 2 * count) {
        want *= 2;
    }
    if (want > last->slot_cap) {
        uint32_t *slots = malloc(want * sizeof *slots);
        if (slots == NULL) {
            return gm_err_nomem(err);
        }
        free(last->slots);
        last->slots = slots;
        last->slot_cap = want;
    }
    last->slot_count = want;
    memset(last->slots, 0, want * sizeof *last->slots);
    return 0;
}

int gm_last_find(struct gm_last *last, const struct gm_row *rows, size_t count, struct gm_err *err)
{
    GM_ASSERT(count < UINT32_MAX);
    int rc = make_slots(last, count, err);
    if (rc == 0) {
        rc = gm_array_reserve(&last->skip, 0, count, &last->skip_cap, sizeof *last->skip, err);
    }
    for (size_t i = count; rc == 0 && i > 0; i--) {
        const struct gm_key *key = &rows[i - 1].key;
        size_t at = gm_key_hash(key) & (last->slot_count - 1);
        while (last->slots[at] != 0 && gm_key_compare(&rows[last->slots[at] - 1].key, key) != 0) {
            at = (at + 1) & (last->slot_count - 1);
        }
        last->skip[i - 1] = last->slots[at] != 0;
        if (last->slots[at] == 0) {
            last->slots[at] = (uint32_t)i;
        }
    }
    return rc;
}

void gm_last_fini(struct gm_last *last)
{
    free(last->slots);
    free(last->skip);
    *last = (struct gm_last){0};
}
