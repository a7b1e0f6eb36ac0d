#ifndef GM_MEDIA_CHUNK_PACKET_H
#define GM_MEDIA_CHUNK_PACKET_H

#include <libavcodec/packet.h>

#include "common/source_file.h"
#include "proto/chunk.h"

/* A chunk's packet as libavcodec's: body, flags and side data; side data of a kind that this
 * libavcodec does not know is left out. Times are the caller's to set.
 *
 * source: where the body of a packet by reference is read; else not used
 * out:    an allocated packet; what it held goes, also on failure
 * Errors: MEDIA_CHUNK    its size or place can't be
 *         INPUT_CHANGED  the source ends before it does
 *         of gm_source_file_read; NOMEM */
int gm_chunk_packet_fill(const struct gm_chunk_packet *p, struct gm_source_file source,
                         AVPacket *out, struct gm_err *err) GM_MUST_CHECK;

#endif
