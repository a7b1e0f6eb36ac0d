#ifndef GM_MEDIA_CAPTIONS_H
#define GM_MEDIA_CAPTIONS_H

#include <stdbool.h>

#include <libavutil/frame.h>

#include "common/buf.h"
#include "common/err.h"

/* CEA-608/708 data of pictures (AV_FRAME_DATA_A53_CC): triplets of a byte that says their kind and
 * whether they hold, and two bytes of data. It belongs to its picture and is carried as it is.
 * Source: ANSI/SCTE 128-1 8.2, cc_data_pkt; ATSC A/53 part 4, 6.2.3. */

/* What was seen of it: bits. */
enum {
    GM_CAPTIONS_ANY = 1,     /* valid triplets, if only padding */
    GM_CAPTIONS_FIELD1 = 2,  /* CEA-608 of field 1: CC1, CC2 */
    GM_CAPTIONS_FIELD2 = 4,  /* of field 2: CC3, CC4 */
    GM_CAPTIONS_DIGITAL = 8, /* CEA-708 */
};
#define GM_CAPTIONS_SERVICES 3
unsigned gm_captions_look(const AVFrame *picture);

/* The services that data was seen of, where all was padding the usual one: "CC1", "CC3",
 * "SERVICE1". Gives how many; the names are static. */
size_t gm_captions_services(unsigned seen, const char *names[GM_CAPTIONS_SERVICES]);

/* Gives `to` the captions of `from`, if there are any. Errors: NOMEM. */
int gm_captions_copy(const AVFrame *from, AVFrame *to, struct gm_err *err) GM_MUST_CHECK;

/* What one message holds: 31 triplets, since cc_count has 5 bits. */
#define GM_CAPTIONS_MESSAGE (31 * 3)
/* What goes along with a picture: two messages. CTA-708's 9600 bits a second are 25 triplets at 24
 * pictures a second; a picture with more than twice that is damaged or hostile, and would break
 * the bounds of a rendition's buffer. */
#define GM_CAPTIONS_MOST (2 * GM_CAPTIONS_MESSAGE)
/* Whether the picture has more than that: the rest is left out. */
bool gm_captions_is_cut(const AVFrame *picture);

/* Whether a codec's stream carries captions: "h264", "hevc". */
bool gm_captions_carries(const char *codec);

/* The SEI messages of captions, each an HEVC NAL unit with its length (4 bytes) before it: what
 * stands at the head of the picture's sample. A message holds GM_CAPTIONS_MESSAGE bytes at most;
 * what is beyond GM_CAPTIONS_MOST is left out. Nothing where the data is no whole triplets.
 * Source: ITU-T H.265 D.2.6, 7.3.2.4; ATSC A/72 part 1, 6.4.2. */
void gm_captions_add_hevc(const uint8_t *data, size_t size, struct gm_buf *out);
/* The same as NAL units of H.264. Source: ITU-T H.264 D.1.6, 7.3.1; ATSC A/72 part 1, 6.4.2. */
void gm_captions_add_h264(const uint8_t *data, size_t size, struct gm_buf *out);

#endif
