#ifndef GM_MEDIA_FORMAT_EBML_H
#define GM_MEDIA_FORMAT_EBML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/source_file.h"

/* A Matroska file's elements, from one to the next by their sizes. What can't be one is damage:
 * then the walk goes on at the next element of the highest level, as demuxers do. So is an
 * identifier that clusters don't have, though EBML's readers pass over those: a block's own one
 * looks like that when it was changed, and a file that has it and no gap in its times there loses
 * nothing by it (media/source/losses.h).
 * Source: RFC 8794 (EBML), RFC 9559 (Matroska). */
#define GM_EBML_TRACKS 128 /* numbers of tracks that are told apart */

enum gm_ebml_event {
    GM_EBML_BLOCK,  /* of packets */
    GM_EBML_DAMAGE, /* bytes that are no element were passed over */
    GM_EBML_END     /* all up to `until`, or to the end of the file, was seen */
};
struct gm_ebml_step {
    enum gm_ebml_event event;
    int64_t pos;   /* BLOCK: where its body begins; DAMAGE: the first byte */
    int64_t size;  /* of them, bytes */
    int64_t track; /* BLOCK: number; -1: GM_EBML_TRACKS or more */
};
struct gm_ebml {
    struct gm_source_file file;
    int64_t file_size, pos;
    int64_t cluster_end; /* of the one that pos lies in; INT64_MAX: none, or unknown */
    int64_t held_at;     /* held[0, held_size) are the file's bytes from there */
    size_t held_size;
    uint8_t held[4096];
};
void gm_ebml_init(struct gm_ebml *e, struct gm_source_file file, int64_t file_size);
/* The next block or damage that begins before byte `until`. Errors: SYS. */
int gm_ebml_next(struct gm_ebml *e, int64_t until, struct gm_ebml_step *out,
                 struct gm_err *err) GM_MUST_CHECK;

#define GM_EBML_HEAD 12 /* bytes of a head at most: an identifier of 4, a size of 8 */
/* Reads an element's head: identifier, with its marker, and bytes of the body, -1: unknown. Returns
 * bytes of the head; 0: p[0, size) begins with none. Pure. */
size_t gm_ebml_head(const uint8_t *p, size_t size, uint32_t *out_id, int64_t *out_size);

#endif
