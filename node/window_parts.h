#ifndef GM_NODE_WINDOW_PARTS_H
#define GM_NODE_WINDOW_PARTS_H

#include "node/window.h"
#include "node/window_blocks.h"

/* The parts that a source lies in, one object each (ADR-0061), and what is known of where they are.
 * Their borders are not those of blocks. Thread: one at a time. */
struct gm_window_part {
    uint64_t at;           /* its first byte in the source */
    char *url;             /* owned; NULL: it is not known, or was refused */
    char *etag;            /* owned: what it must have; NULL: anything */
    int64_t until_unix_ms; /* when the URL's time is over, by this machine's clock; 0: never */
    uint32_t serial;       /* one more with each URL */
    uint32_t refused;      /* URLs in a row that gave nothing */
};

struct gm_window_parts { /* all-zero: the source is one object */
    uint32_t count;
    struct gm_window_part *list; /* owned; behind the last one is the end: at is the size */
};

/* Errors: INVAL: a part of nothing, or together they are not `size` bytes; NOMEM. */
int gm_window_parts_init(struct gm_window_parts *parts, const uint64_t *sizes, uint32_t count,
                         uint64_t size, struct gm_err *err) GM_MUST_CHECK;
void gm_window_parts_fini(struct gm_window_parts *parts);
/* The part that byte `at` of the source, which has it, lies in. */
uint32_t gm_window_parts_find(const struct gm_window_parts *parts, uint64_t at);
/* The first blocks of the run for which all URLs are known. */
struct gm_block_run gm_window_parts_known(const struct gm_window_parts *parts,
                                          struct gm_block_run run);
/* Has a URL that can still be used. */
bool gm_window_part_known(const struct gm_window_part *part);
/* Errors: NOMEM, INPUT_CHANGED (another ETag). */
int gm_window_part_set(struct gm_window_part *part, const struct gm_window_part_url *url,
                       struct gm_err *err) GM_MUST_CHECK;
/* The URL of that serial was refused. True: another one is, or may be, had. */
bool gm_window_part_refused(struct gm_window_part *part, uint32_t serial);

#endif
