#include "node/blind.h"

#include <string.h>

#define EMPTY ((char *)(uintptr_t)protobuf_c_empty_string)

/* ---- copies */

/* `count` structs of `size` bytes and an array of pointers to them. NULL: out of memory. */
static void **take(struct gm_pool *pool, size_t count, size_t size)
{
    void **list = gm_pool_take(pool, (count + 1) * sizeof *list);
    char *all = gm_pool_take(pool, count * size + 1);
    if (list == NULL || all == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = all + i * size;
    }
    return list;
}

static int blind_objects(Gm__Object ***objects, size_t count, struct gm_pool *pool,
                         struct gm_err *err)
{
    Gm__Object *const *from = *objects;
    Gm__Object **list = (Gm__Object **)take(pool, count, sizeof **list);
    if (list == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        *list[i] = *from[i];
        list[i]->url = EMPTY;
    }
    *objects = list;
    return 0;
}

static int blind_results(Gm__TaskResult ***results, size_t count, struct gm_pool *pool,
                         struct gm_err *err)
{
    Gm__TaskResult *const *from = *results;
    Gm__TaskResult **list = (Gm__TaskResult **)take(pool, count, sizeof **list);
    int rc = 0;
    if (list == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        *list[i] = *from[i];
        rc = blind_objects(&list[i]->objects, list[i]->n_objects, pool, err);
    }
    *results = list;
    return rc;
}

static int blind_inputs(Gm__TaskInput ***inputs, size_t count, struct gm_pool *pool,
                        struct gm_err *err)
{
    Gm__TaskInput *const *from = *inputs;
    Gm__TaskInput **list = (Gm__TaskInput **)take(pool, count, sizeof **list);
    Gm__Item **items = (Gm__Item **)take(pool, count, sizeof **items);
    int rc = 0;
    if (list == NULL || items == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        *list[i] = *from[i];
        *items[i] = *from[i]->item;
        list[i]->item = items[i];
        rc = blind_objects(&items[i]->objects, items[i]->n_objects, pool, err);
    }
    *inputs = list;
    return rc;
}

int gm_blind_spec(const Gm__TaskSpec *from, struct gm_pool *pool, Gm__TaskSpec *out,
                  struct gm_err *err)
{
    Gm__Object **source = &out->source;
    *out = *from;
    int rc = blind_results(&out->results, out->n_results, pool, err);
    if (rc == 0) {
        rc = blind_inputs(&out->inputs, out->n_inputs, pool, err);
    }
    if (rc == 0 && out->source != NULL) {
        rc = blind_objects(&source, 1, pool, err);
        out->source = source[0];
    }
    return rc;
}

int gm_blind_feed(const Gm__Feed *from, struct gm_pool *pool, Gm__Feed *out, struct gm_err *err)
{
    *out = *from;
    return blind_inputs(&out->inputs, out->n_inputs, pool, err);
}

/* ---- the worker's side */

static int check_objects(Gm__Object *const *objects, size_t count, struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (objects[i]->url[0] != '\0') {
            return gm_err_set(err, GM_E_BUG, (int64_t)i,
                              "the worker was told where `%.100s` is, which it may not know",
                              objects[i]->key);
        }
    }
    return 0;
}

static int check_inputs(Gm__TaskInput *const *inputs, size_t count, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const Gm__Item *item = inputs[i]->item;
        rc = item == NULL ? 0 : check_objects(item->objects, item->n_objects, err);
    }
    return rc;
}

int gm_blind_check_spec(const Gm__TaskSpec *spec, struct gm_err *err)
{
    int rc = spec->source == NULL ? 0 : check_objects(&spec->source, 1, err);
    for (size_t i = 0; rc == 0 && i < spec->n_results; i++) {
        rc = check_objects(spec->results[i]->objects, spec->results[i]->n_objects, err);
    }
    return rc < 0 ? rc : check_inputs(spec->inputs, spec->n_inputs, err);
}

int gm_blind_check_feed(const Gm__Feed *feed, struct gm_err *err)
{
    return check_inputs(feed->inputs, feed->n_inputs, err);
}
