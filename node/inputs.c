#include "node/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

int gm_inputs_add(struct gm_inputs *inputs, Gm__TaskInput **more, size_t count, struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (more[i]->item == NULL) {
            return gm_err_set(err, GM_E_PROTO, (int64_t)i, "an input has no item");
        }
    }
    int rc = gm_array_reserve(&inputs->list, inputs->count, count, &inputs->cap,
                              sizeof(Gm__TaskInput *), err);
    if (rc == 0 && count > 0) {
        memcpy(inputs->list + inputs->count, more, count * sizeof(Gm__TaskInput *));
        inputs->count += count;
    }
    return rc;
}

int gm_inputs_feed(struct gm_inputs *inputs, Gm__Feed *feed, struct gm_err *err)
{
    int rc = gm_array_reserve(&inputs->feeds, inputs->feed_count, 1, &inputs->feed_cap,
                              sizeof(Gm__Feed *), err);
    if (rc == 0) {
        rc = gm_inputs_add(inputs, feed->inputs, feed->n_inputs, err);
    }
    if (rc == 0) {
        inputs->feeds[inputs->feed_count++] = feed;
    }
    return rc;
}

void gm_inputs_fini(struct gm_inputs *inputs)
{
    for (size_t i = 0; i < inputs->feed_count; i++) {
        gm__feed__free_unpacked(inputs->feeds[i], NULL);
    }
    free(inputs->feeds);
    free(inputs->list);
    *inputs = (struct gm_inputs){0};
}
