#ifndef GM_CLI_TOP_H
#define GM_CLI_TOP_H

#include <jansson.h>
#include <stdbool.h>

/* A frame of the live view, as text. Pure. */
struct gm_top_facts {
    const json_t *farm;  /* GET /v1/farm; NULL: nothing has come yet */
    const json_t *nodes; /* rows of GET /v1/nodes */
    const json_t *jobs;  /* rows of GET /v1/jobs, in the order that they are shown in */
    bool cut;            /* jobs are not all that are active: farm has their number */
    const char *problem; /* why it is not live; NULL: it is */
    unsigned scroll;     /* jobs that are passed over */
};

/* `height` lines of at most `width` columns with "\n" between, the last one without; owned:
 * free(). NULL: out of memory. */
char *gm_top_frame(const struct gm_top_facts *facts, unsigned width, unsigned height);

#endif
