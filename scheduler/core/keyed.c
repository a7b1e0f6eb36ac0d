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

static struct gm_keyed *make(struct gm_core *core, struct gm_cjob *job,
                             const uint8_t key[GM_CORE_HASH], const uint8_t request[GM_CORE_HASH])
{
    struct gm_keyed *keyed = gm_mem_zalloc(sizeof(*keyed));
    memcpy(keyed->key, key, GM_CORE_HASH);
    memcpy(keyed->request, request, GM_CORE_HASH);
    keyed->job = job;
    HASH_ADD(hh, core->keyed, key, GM_CORE_HASH, keyed);
    return keyed;
}

static void drop(struct gm_core *core, struct gm_keyed **keyed)
{
    struct gm_keyed *own = *keyed;
    *keyed = NULL;
    if (own && core->keyed) { /* as what is in the table is */
        HASH_DEL(core->keyed, own);
        free(own);
    }
}

void gm_core_keyed_add(struct gm_core *core, struct gm_cjob *job, const uint8_t key[GM_CORE_HASH],
                       const uint8_t request[GM_CORE_HASH])
{
    job->keyed = make(core, job, key, request);
}

void gm_core_keyed_retry(struct gm_core *core, struct gm_cjob *job, const uint8_t key[GM_CORE_HASH],
                         const uint8_t request[GM_CORE_HASH])
{
    drop(core, &job->keyed_retry);
    job->keyed_retry = make(core, job, key, request);
}

void gm_core_keyed_drop(struct gm_core *core, struct gm_cjob *job)
{
    drop(core, &job->keyed);
    drop(core, &job->keyed_retry);
}

void gm_core_keyed_row(const struct gm_cjob *job, Gm__JobRow *row)
{
    if (job->keyed) {
        row->key = (ProtobufCBinaryData){.data = job->keyed->key, .len = GM_CORE_HASH};
        row->request = (ProtobufCBinaryData){.data = job->keyed->request, .len = GM_CORE_HASH};
    }
    if (job->keyed_retry) {
        row->retry_key = (ProtobufCBinaryData){.data = job->keyed_retry->key, .len = GM_CORE_HASH};
        row->retry_request =
            (ProtobufCBinaryData){.data = job->keyed_retry->request, .len = GM_CORE_HASH};
    }
}

void gm_core_keyed_load(struct gm_core *core, struct gm_cjob *job, const Gm__JobRow *row)
{
    if (row->key.len == GM_CORE_HASH && row->request.len == GM_CORE_HASH &&
        !find(core, row->key.data)) {
        gm_core_keyed_add(core, job, row->key.data, row->request.data);
    }
    if (row->retry_key.len == GM_CORE_HASH && row->retry_request.len == GM_CORE_HASH &&
        !find(core, row->retry_key.data)) {
        gm_core_keyed_retry(core, job, row->retry_key.data, row->retry_request.data);
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
