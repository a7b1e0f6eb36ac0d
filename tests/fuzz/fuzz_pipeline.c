/* Pipeline text: whatever it is, it is taken or refused with a message. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "scheduler/pipeline/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Gm__Pipeline *p = NULL;
    struct gm_err err = {0};
    int rc = gm_pipeline_parse("fuzz.yaml", data, size, &p, &err);
    if (rc < 0) {
        GM_ASSERT(p == NULL && err.text[0] != '\0');
        return 0;
    }
    GM_ASSERT(gm_pipeline_is_name(p->name) && p->n_tasks > 0);
    gm__pipeline__free_unpacked(p, NULL);
    return 0;
}
