#ifndef GM_MEDIA_CAPTIONS_H
#define GM_MEDIA_CAPTIONS_H

#include <stdbool.h>

#include <libavutil/frame.h>

/* CEA-608/708 data of pictures (AV_FRAME_DATA_A53_CC): triplets of a byte that says their kind and
 * whether they hold, and two bytes of data.
 * Source: ANSI/SCTE 128-1 8.2, cc_data_pkt; ATSC A/53 part 4, 6.2.3. */

/* Whether the picture carries some: one valid triplet at least. */
bool gm_captions_any(const AVFrame *picture);

#endif
