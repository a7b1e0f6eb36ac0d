#ifndef GM_CLI_PROGRESS_H
#define GM_CLI_PROGRESS_H

#include <jansson.h>

#include "cli/term.h"

/* The "progress" member of a job document. */
struct gm_progress {
    char phase[64];                    /* what goes on now */
    int64_t frames_done, frames_total; /* total 0: not known yet */
    double fps, speed;                 /* frames a second; programme seconds a second */
    double eta_s;                      /* negative: not known */
    int64_t chunks_done, chunks_running, chunks_waiting;
};

/* Missing or odd members read as 0, empty, not known. Outputs are always set. */
void gm_progress_from_json(const json_t *progress, struct gm_progress *out);
/* "queued" becomes "queued: why". */
void gm_progress_note(struct gm_progress *p, const char *why);
/* Percent of frames, 0..100; -1: not known. */
int gm_progress_percent(const struct gm_progress *p);
/* One row of at most width columns; what does not fit is left out, least useful first. Returns
 * out. */
const char *gm_progress_row(const struct gm_progress *p, unsigned width, char *out, size_t size);
/* A plain line: "encode: 45 % of 900 frames, 310.0 fps, x10.3, ETA 0:12, chunks 3 done ..." */
const char *gm_progress_line(const struct gm_progress *p, char *out, size_t size);
/* Seconds as "m:ss" or "h:mm:ss" into out of at least 24 bytes; negative: "unknown". */
const char *gm_progress_time(double seconds, char *out, size_t size);

/* Shows p: on a terminal at once, else as a line at most every 5 s and when the phase changes. */
void gm_progress_show(struct gm_term *term, const struct gm_progress *p, gm_time now);

#endif
