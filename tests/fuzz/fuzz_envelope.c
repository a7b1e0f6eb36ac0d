#include "fuzz.h"

#include <stdlib.h>

#include "proto/envelope.h"

/* What is taken must encode again, and decode to the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    Gm__Envelope *env = NULL, *back = NULL;
    uint8_t *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    if (gm_envelope_decode(data, size, &env, &err) < 0) {
        GM_ASSERT(env == NULL && err.text[0] != '\0');
        return 0;
    }
    GM_ASSERT(gm_envelope_encode(env, &first, &first_size, &err) == 0);
    GM_ASSERT(gm_envelope_decode(first, first_size, &back, &err) == 0);
    GM_ASSERT(gm_envelope_encode(back, &second, &second_size, &err) == 0);
    GM_ASSERT(first_size == second_size);
    gm__envelope__free_unpacked(env, NULL);
    gm__envelope__free_unpacked(back, NULL);
    free(first);
    free(second);
    return 0;
}
