#ifndef GM_MEDIA_CHUNK_PACKET_H
#define GM_MEDIA_CHUNK_PACKET_H

#include <libavcodec/packet.h>

#include "proto/chunk.h"

/* A chunk's packet as libavcodec's: body, flags and side data; side data of a kind that this
 * libavcodec does not know is left out. Times are the caller's to set.
 *
 * source_fd: where the body of a packet by reference is read; else not used
 * out:       an allocated packet; what it held goes, also on failure
 * Errors:    MEDIA_CHUNK    its size or place can't be
 *            INPUT_CHANGED  the source ends before it does
 *            SYS, NOMEM */
int gm_chunk_packet_fill(const struct gm_chunk_packet *p, int source_fd, AVPacket *out,
                         struct gm_err *err) GM_MUST_CHECK;

#endif
