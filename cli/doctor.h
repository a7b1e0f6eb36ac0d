#ifndef GM_CLI_DOCTOR_H
#define GM_CLI_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

/* What `doctor` found: a list of findings, and what makes them. */

enum gm_verdict { GM_VERDICT_OK, GM_VERDICT_WARN, GM_VERDICT_BAD };

struct gm_finding {
    enum gm_verdict verdict;
    char about[64]; /* "device", "farm", ... */
    char text[400]; /* what is so */
    char todo[320]; /* what to do; "" of what is well */
};
struct gm_findings {
    struct gm_finding *rows; /* owned */
    size_t count, cap;
    bool failed; /* memory has run out */
};

/* text and todo are cut where they are too long, and made safe for a terminal. todo: borrowed. */
void gm_findings_add(struct gm_findings *f, enum gm_verdict verdict, const char *about,
                     const char *todo, const char *fmt, ...) GM_PRINTF(5, 6);
void gm_findings_fini(struct gm_findings *f);
/* The worst of all; OK of none. */
enum gm_verdict gm_findings_worst(const struct gm_findings *f);
void gm_findings_print(const struct gm_findings *f, FILE *file);
/* {"verdict", "findings": [{"verdict", "about", "text", "todo"}]}; owned, NULL: out of memory. */
json_t *gm_findings_json(const struct gm_findings *f);

/* This machine: scratch folder (free space, whether it keeps what is synced), clock, limits,
 * render nodes' permissions, quota of its cgroup. state: the folder that is tried. Asks nobody. */
void gm_doctor_machine(struct gm_findings *f, const char *state);
/* What a scheduler's or a node's configuration file names on this machine: whether its ports are
 * free, or a scheduler listens on them; whether its stores are there, with their marks (ADR-0037).
 * Listens and connects for a moment. must: a file that is not there is told. */
void gm_doctor_config(struct gm_findings *f, const char *path, bool must);
/* What `gopmill-node devices --json` says: devices with their notes, and encoders. Pure. */
void gm_doctor_devices(struct gm_findings *f, const json_t *devices);

/* What the farm says of itself. Pure. NULL: it did not answer that. */
struct gm_doctor_farm {
    const json_t *farm;    /* GET /v1/farm */
    const json_t *nodes;   /* rows of GET /v1/nodes */
    const json_t *explain; /* of the oldest job that is queued; asked for where it is stuck */
    int64_t now_unix_ms;   /* by this machine's clock, halfway between question and answer */
};
/* Tasks wait though slots are free. farm: as above. */
bool gm_doctor_is_stuck(const json_t *farm);
void gm_doctor_farm(struct gm_findings *f, const struct gm_doctor_farm *facts);

#endif
