#ifndef GM_COMMON_CONFIG_H
#define GM_COMMON_CONFIG_H

#include "common/err.h"

/* Program configuration: a flat YAML map read through a table, one row an option. Unknown keys are
 * errors with file:line. tests/ compares every default here with the shipped example files in
 * config/.
 */
enum gm_option_type { GM_OPT_STRING, GM_OPT_INT, GM_OPT_SIZE, GM_OPT_BOOL, GM_OPT_LIST };

struct gm_option {
    const char *name;
    enum gm_option_type type;
    /* In the struct: of a char * (owned), int64_t, bool, or char ** (owned, NULL-terminated). */
    size_t offset;
    const char *def;  /* default as text; NULL: empty string or list */
    int64_t min, max; /* INT and SIZE */
    const char *doc;  /* one sentence */
};

/* Sets all defaults, then reads path (NULL: defaults alone) into the struct at `out`, which must be
 * zeroed. table ends with a row whose name is NULL. Errors: CONFIG, SYS, NOMEM. */
int gm_config_load(const char *path, const struct gm_option *table, void *out,
                   struct gm_err *err) GM_MUST_CHECK;
/* Frees the strings and lists that the table names. */
void gm_config_fini(const struct gm_option *table, void *out);

#endif
