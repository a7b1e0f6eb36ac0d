#ifndef GM_CLI_SEND_SHOW_H
#define GM_CLI_SEND_SHOW_H

#include <stddef.h>
#include <stdint.h>

/* How far a file is on its way. */
struct gm_sent {
    uint64_t done, total; /* bytes; done <= total */
    double rate_bps;      /* bytes a second; 0: not known */
    const char *job;      /* what its job does meanwhile; "": nothing is known */
};
/* One row of at most width columns. Returns out. */
const char *gm_sent_row(const struct gm_sent *sent, unsigned width, char *out, size_t size);

#endif
