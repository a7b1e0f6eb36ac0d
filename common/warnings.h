#ifndef GM_COMMON_WARNINGS_H
#define GM_COMMON_WARNINGS_H

#include <stddef.h>

/* What report.json warns of, by common/warnings.def. Thread: any. */
enum gm_warning {
#define GM_WARNING(name, code, when, done, remedy) GM_W_##name,
#include "common/warnings.def"
#undef GM_WARNING
    GM_WARNINGS
};

/* A row of the table in docs/report.md. */
struct gm_warning_info {
    const char *code; /* "source.damaged" */
    const char *when;
    const char *done;   /* what gopmill did */
    const char *remedy; /* what the user can do */
};

/* w: below GM_WARNINGS. */
const struct gm_warning_info *gm_warning_get(enum gm_warning w);

#endif
