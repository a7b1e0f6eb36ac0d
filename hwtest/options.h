#ifndef GM_HWTEST_OPTIONS_H
#define GM_HWTEST_OPTIONS_H

#include "common/err.h"

/* The command line of gopmill-hwtest. Thread: one (common/flags.h). */
struct gm_hwtest_options { /* borrowed from argv; NULL: not given */
    uint32_t level;        /* 1 .. 4 */
    const char *device, *json, *html, *junit, *baseline;
    const char *node_config; /* --node-config: of the node that is to work here */
    bool quick;              /* --short */
    bool only;               /* the level alone, behind level 1 */
    uint32_t limit_s;        /* --time-limit of levels 1 to 3; 0: none */
    uint32_t minutes;        /* of level 4 */
    uint64_t seed;           /* likewise; 0: not given */
};
/* -1: go on; else the exit status, after its words were printed. */
int gm_hwtest_options_parse(int argc, char **argv, struct gm_hwtest_options *out);

/* One piece of work in a process of its own: "gopmill-hwtest try KIND ...". */
struct gm_hwtest_try {                /* borrowed from argv */
    const char *kind;                 /* decode encode kernels rate ladder; of devices: decoders
                                         encoders sessions scale copy together density
                                         staying assist */
    const char *device, *api, *codec; /* api, codec: "": none */
    const char *node, *driver;        /* of VAAPI; NULL: none */
    const char *source;               /* together, density, assist: api that decodes; NULL: none */
    uint32_t depth;
    uint32_t height_px; /* of the source of kinds with ladders: 1080 or 2160 */
    uint32_t streams;   /* engines of decoders; the most streams of others; 0: not told */
    uint32_t budget_ms; /* of density and staying: no new try after it */
    bool quick;         /* small pictures, short windows: no figure of it is worth anything */
    bool text;          /* to the standard output in place of descriptor 3 */
};
/* argv[0] is "try". */
int gm_hwtest_try_parse(int argc, char **argv, struct gm_hwtest_try *out);

#endif
