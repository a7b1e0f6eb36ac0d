/* Values of statements as PostgreSQL's binary formats have them: big-endian numbers; an array is
 * {dimensions, has NULLs, element type, length, lower bound} and each element behind its size.
 * See: src/backend/utils/adt/arrayfuncs.c, array_recv, of PostgreSQL 15. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "scheduler/store/pg.h"

/* See: src/include/catalog/pg_type.dat; these numbers are fixed. */
#define OID_BYTEA 17
#define OID_INT8 20
#define OID_BYTEAS 1001
#define OID_INT8S 1016

void gm_pg_params_fini(struct gm_pg_params *params)
{
    for (int i = 0; i < params->count; i++) {
        free(params->values[i]);
    }
    *params = (struct gm_pg_params){0};
}

/* Takes what is in the buffer. */
static void add(struct gm_pg_params *params, Oid type, struct gm_buf *value)
{
    GM_ASSERT(params->count < GM_PG_PARAMS);
    if (value->failed || value->size > INT_MAX) {
        params->failed = true;
        gm_buf_fini(value);
        return;
    }
    params->types[params->count] = type;
    params->sizes[params->count] = (int)value->size;
    params->values[params->count++] = (char *)value->data;
}

void gm_pg_add_int8(struct gm_pg_params *params, int64_t value)
{
    struct gm_buf buf = {0};
    gm_buf_be64(&buf, (uint64_t)value);
    add(params, OID_INT8, &buf);
}

static void put_head(struct gm_buf *buf, Oid type, size_t count)
{
    gm_buf_be32(buf, count > 0 ? 1 : 0);
    gm_buf_be32(buf, 0);
    gm_buf_be32(buf, type);
    if (count > 0) {
        gm_buf_be32(buf, (uint32_t)count);
        gm_buf_be32(buf, 1);
    }
}

void gm_pg_add_int8s(struct gm_pg_params *params, const void *list, size_t count,
                     gm_pg_number_fn fn)
{
    struct gm_buf buf = {0};
    put_head(&buf, OID_INT8, count);
    for (size_t i = 0; i < count; i++) {
        gm_buf_be32(&buf, 8);
        gm_buf_be64(&buf, (uint64_t)fn(list, i));
    }
    add(params, OID_INT8S, &buf);
}

void gm_pg_add_byteas(struct gm_pg_params *params, const void *list, size_t count,
                      gm_pg_bytes_fn fn)
{
    struct gm_buf buf = {0};
    put_head(&buf, OID_BYTEA, count);
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        const void *bytes = fn(list, i, &size);
        gm_buf_be32(&buf, (uint32_t)size);
        gm_buf_add(&buf, bytes, size);
    }
    add(params, OID_BYTEAS, &buf);
}
