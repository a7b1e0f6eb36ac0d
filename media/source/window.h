#ifndef GM_MEDIA_SOURCE_WINDOW_H
#define GM_MEDIA_SOURCE_WINDOW_H

#include "media/av.h"

/* The part of the decoded picture that a container says is to be shown, which libavformat 59 does
 * not read: the clean aperture of MP4 and QuickTime, PixelCrop of Matroska. */
struct gm_window {
    int whole_width, whole_height; /* of the picture that it is a part of, px */
    int x, y, width, height;       /* within it; at least 1x1 */
    bool shapes; /* the stream's sample aspect was found as if all of the picture were shown */
};

/* Looks where the stream's description lies in the file. *out_found: there is one that cuts
 * something off; else out is untouched. What is malformed, too long to look through or not surely
 * this stream's says nothing. Pure but for reading. Thread: any.
 * Errors: SYS.
 * Source: ISO/IEC 14496-12 8.3.2, 8.5.2, 12.1.4 (clap, pasp); RFC 9559 5.1.4.1.28. */
int gm_window_find(struct gm_source_file file, const AVFormatContext *format, int stream,
                   struct gm_window *out, bool *out_found, struct gm_err *err) GM_MUST_CHECK;

/* Whether the stream's edit list in MP4 or QuickTime holds what libavformat 59 does not follow: an
 * empty edit after one that shows something (it shows the beginning of the stream there), or a rate
 * other than 1 (it goes on at 1). What can't be read says nothing. Errors: SYS; out is
 * untouched then.
 * Source: ISO/IEC 14496-12 8.6.6; FFmpeg 5.1 libavformat/mov.c, behaviour of mov_fix_index. */
int gm_window_is_edited(struct gm_source_file file, const AVFormatContext *format, int stream,
                        bool *out, struct gm_err *err) GM_MUST_CHECK;

#endif
