#ifndef GM_MEDIA_SOURCE_CLAIMS_HEADER_H
#define GM_MEDIA_SOURCE_CLAIMS_HEADER_H

#include "media/source/claims.h"

/* How long a programme is by its file's own header, where libavformat 59 shortens that to what the
 * file holds: WAVE (RIFF, RF64), Wave64 and ASF. µs; 0: another format, or nothing is said, as by
 * recorders that never came back to the header. Of the first two the sound's bytes are told: with
 * its bit rate that is a time; 0 where all of it is there. Where the sound begins behind what is
 * looked at, all that stands there counts as sound.
 * Source: Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (RIFF, WAVE);
 * EBU Tech 3306 (RF64); Sonic Foundry, Wave64 specification; Microsoft, Advanced Systems Format
 * specification 01.20.03, 3.1 and 3.2. */
#define GM_CLAIMS_HEADER 65536 /* bytes of the file that are looked at */
/* head: the file's first size bytes, GM_CLAIMS_HEADER or all. Pure. */
int64_t gm_claims_header_parse(const AVFormatContext *format, int64_t file_size,
                               const uint8_t *head, size_t size);
/* Whether the header of a Matroska, AVI or ASF file says that the file is longer than it is. Pure.
 */
bool gm_claims_header_is_cut(const AVFormatContext *format, int64_t file_size, const uint8_t *head,
                             size_t size);
/* Where a Matroska file's index begins, by the list at its head; 0: not told. Pure.
 * Source: RFC 9559, 5.1.1. */
int64_t gm_claims_header_index(const uint8_t *head, size_t size);
/* All of a file of size bytes, where what lacks nothing but an index behind all else is not cut.
 * Errors: SYS, NOMEM; out is untouched then. */
int gm_claims_header_read(struct gm_source_file source, const AVFormatContext *format, int64_t size,
                          struct gm_claims_file *out, struct gm_err *err) GM_MUST_CHECK;

#endif
