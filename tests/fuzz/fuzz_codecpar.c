#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "media/av.h"

/* Codec parameters come out of chunk objects. What is taken must be the same after a second
 * turn. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    AVCodecParameters *par = NULL, *again = NULL;
    uint8_t *bytes = NULL, *twice = NULL;
    size_t bytes_size = 0, twice_size = 0, side_size = 0;
    int rc = gm_codecpar_decode(data, size, &par, &err);
    for (int type = 0; type < AV_PKT_DATA_NB; type++) {
        const uint8_t *side =
            gm_codecpar_find_side(data, size, (enum AVPacketSideDataType)type, &side_size);
        GM_ASSERT(side == NULL || (side >= data && side + side_size <= data + size));
    }
    if (rc < 0) {
        GM_ASSERT(par == NULL && err.text[0] != '\0');
        return 0;
    }
    GM_ASSERT(gm_codecpar_encode(par, NULL, &bytes, &bytes_size, &err) == 0);
    GM_ASSERT(gm_codecpar_decode(bytes, bytes_size, &again, &err) == 0);
    GM_ASSERT(gm_codecpar_encode(again, NULL, &twice, &twice_size, &err) == 0);
    GM_ASSERT(bytes_size == twice_size && memcmp(bytes, twice, bytes_size) == 0);
    avcodec_parameters_free(&par);
    avcodec_parameters_free(&again);
    free(bytes);
    free(twice);
    return 0;
}
