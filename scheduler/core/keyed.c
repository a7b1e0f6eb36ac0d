#include "scheduler/core/keyed.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/view.h"

static const struct gm_keyed *find(const struct gm_core *core, const uint8_t key[GM_CORE_HASH])
{
    const struct gm_keyed *keyed = NULL;
    HASH_FIND(hh, core->keyed, key, GM_CORE_HASH, keyed);
    return keyed;
}

const struct gm_cjob *gm_core_keyed_find(const struct gm_core *core,
                                         const uint8_t key[GM_CORE_HASH])
{
    const struct gm_keyed *keyed = find(core, key);
    return keyed ? keyed->job : NULL;
}

void gm_core_keyed_add(struct gm_core *core, struct gm_cjob *job, const uint8_t key[GM_CORE_HASH],
                       const uint8_t request[GM_CORE_HASH])
{
    struct gm_keyed *keyed = gm_mem_zalloc(sizeof(*keyed));
    memcpy(keyed->key, key, GM_CORE_HASH);
    memcpy(keyed->request, request, GM_CORE_HASH);
    keyed->job = job;
    job->keyed = keyed;
    HASH_ADD(hh, core->keyed, key, GM_CORE_HASH, keyed);
}

void gm_core_keyed_drop(struct gm_core *core, struct gm_cjob *job)
{
    if (job->keyed) {
        HASH_DEL(core->keyed, job->keyed);
        free(job->keyed);
        job->keyed = NULL;
    }
}

void gm_core_keyed_row(const struct gm_cjob *job, Gm__JobRow *row)
{
    if (job->keyed) {
        row->key = (ProtobufCBinaryData){.data = job->keyed->key, .len = GM_CORE_HASH};
        row->request = (ProtobufCBinaryData){.data = job->keyed->request, .len = GM_CORE_HASH};
    }
}

void gm_core_keyed_load(struct gm_core *core, struct gm_cjob *job, const Gm__JobRow *row)
{
    if (row->key.len == GM_CORE_HASH && row->request.len == GM_CORE_HASH &&
        !find(core, row->key.data)) {
        gm_core_keyed_add(core, job, row->key.data, row->request.data);
    }
}

void gm_core_keyed_fini(struct gm_core *core)
{
    while (core->keyed) {
        gm_core_keyed_drop(core, core->keyed->job);
    }
}

const char *gm_view_keyed(const struct gm_core *core, const uint8_t key[GM_CORE_HASH],
                          uint8_t out_request[GM_CORE_HASH])
{
    const struct gm_keyed *keyed = find(core, key);
    if (!keyed) {
        return NULL;
    }
    memcpy(out_request, keyed->request, GM_CORE_HASH);
    return keyed->job->id;
}
