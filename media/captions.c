#include "media/captions.h"

#define TRIPLET 3
#define VALID 4 /* bit cc_valid of the first byte */

bool gm_captions_any(const AVFrame *picture)
{
    const AVFrameSideData *side = av_frame_get_side_data(picture, AV_FRAME_DATA_A53_CC);
    for (size_t i = 0; side != NULL && i + TRIPLET <= side->size; i += TRIPLET) {
        if ((side->data[i] & VALID) != 0) {
            return true;
        }
    }
    return false;
}
