#ifndef GM_COMMON_YAML_H
#define GM_COMMON_YAML_H

#include "common/err.h"

/* A YAML document as a typed tree with line numbers, over libyaml's event API (its document API
 * takes quadratic time on hostile nesting). Limits: 1 MiB, depth 32, 20,000 nodes; anchors, aliases
 * and tags are refused, duplicate keys too. Scalars stay text; the getters convert, and say file,
 * line and what was expected when they can't. A file without any value is an empty map.
 */
enum gm_yaml_kind { GM_YAML_SCALAR, GM_YAML_LIST, GM_YAML_MAP };

struct gm_yaml { /* owned by the document's root */
    enum gm_yaml_kind kind;
    int line;         /* 1-based */
    int column;       /* 1-based */
    const char *file; /* borrowed from the root: for messages */
    char *key;        /* inside a map: its key */
    int key_line;
    char *text;            /* scalar */
    bool plain;            /* scalar was not quoted */
    struct gm_yaml *child; /* first of list or map */
    struct gm_yaml *next;  /* sibling */
};

/* name: shown in messages as the file. Errors: CONFIG with "name:line:column: ...", LIMIT,
 * NOMEM. */
int gm_yaml_parse(const char *name, const void *data, size_t size, struct gm_yaml **out,
                  struct gm_err *err) GM_MUST_CHECK;
void gm_yaml_destroy(struct gm_yaml **root);

const struct gm_yaml *gm_yaml_find(const struct gm_yaml *map, const char *key); /* NULL: absent */
/* CONFIG "file:line: unknown key `x`, did you mean `y`?" when map holds a key that is not in the
 * NULL-terminated list. */
int gm_yaml_check_keys(const struct gm_yaml *map, const char *const *known,
                       struct gm_err *err) GM_MUST_CHECK;
/* *out: borrowed from node. */
int gm_yaml_string(const struct gm_yaml *node, const char **out, struct gm_err *err) GM_MUST_CHECK;
int gm_yaml_int(const struct gm_yaml *node, int64_t min, int64_t max, int64_t *out,
                struct gm_err *err) GM_MUST_CHECK;
/* Plain integer or with k, M, G (1000) or Ki, Mi, Gi suffix. */
int gm_yaml_size(const struct gm_yaml *node, int64_t min, int64_t max, int64_t *out,
                 struct gm_err *err) GM_MUST_CHECK;
int gm_yaml_double(const struct gm_yaml *node, double min, double max, double *out,
                   struct gm_err *err) GM_MUST_CHECK;
/* Only `true` and `false`. */
int gm_yaml_bool(const struct gm_yaml *node, bool *out, struct gm_err *err) GM_MUST_CHECK;
/* Always fails: CONFIG with "file:line:column: " and the message. */
int gm_yaml_fail(const struct gm_yaml *node, struct gm_err *err, const char *fmt, ...)
    GM_PRINTF(3, 4);
/* The closest of the NULL-terminated words by edit distance (at most 1 + length / 3), or NULL. */
const char *gm_suggest(const char *word, const char *const *words);
/* The max closest of them, the closest first; max: 1 to GM_SUGGEST_MAX. Returns how many. */
#define GM_SUGGEST_MAX ((size_t)3)
size_t gm_suggest_few(const char *word, const char *const *words, const char **out, size_t max);

#endif
