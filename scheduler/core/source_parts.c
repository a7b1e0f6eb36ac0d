#include "scheduler/core/source_parts.h"

#include <stdlib.h>

#include "scheduler/core/mem.h"

void gm_source_parts_set(struct gm_source_parts *parts, size_t count, Gm__PartRun *const *from)
{
    if (count == 0) {
        return;
    }
    parts->runs = gm_mem_zalloc(count * sizeof(*parts->runs));
    parts->list = gm_mem_zalloc(count * sizeof(*parts->list));
    parts->count = count;
    for (size_t i = 0; i < count; i++) {
        gm__part_run__init(&parts->runs[i]);
        parts->runs[i].count = from[i]->count;
        parts->runs[i].size = from[i]->size;
        parts->list[i] = &parts->runs[i];
    }
}

void gm_source_parts_fini(struct gm_source_parts *parts)
{
    free(parts->runs);
    free(parts->list);
    *parts = (struct gm_source_parts){0};
}
