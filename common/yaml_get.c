/* The typed getters over the tree of yaml.c, and their messages. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"
#include "common/yaml.h"

const struct gm_yaml *gm_yaml_find(const struct gm_yaml *map, const char *key)
{
    if (map->kind != GM_YAML_MAP) {
        return NULL;
    }
    for (const struct gm_yaml *c = map->child; c != NULL; c = c->next) {
        if (strcmp(c->key, key) == 0) {
            return c;
        }
    }
    return NULL;
}

int gm_yaml_fail(const struct gm_yaml *node, struct gm_err *err, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    return gm_err_set(err, GM_E_CONFIG, 0, "%.100s:%d:%d: %s", node->file, node->line, node->column,
                      text);
}

int gm_yaml_check_keys(const struct gm_yaml *map, const char *const *known, struct gm_err *err)
{
    if (map->kind != GM_YAML_MAP) {
        return gm_yaml_fail(map, err, "expected a map (key: value)");
    }
    for (const struct gm_yaml *c = map->child; c != NULL; c = c->next) {
        const char *close;
        bool found = false;

        for (size_t i = 0; known[i] != NULL && !found; i++) {
            found = strcmp(c->key, known[i]) == 0;
        }
        if (found) {
            continue;
        }
        close = gm_suggest(c->key, known);
        return gm_err_set(err, GM_E_CONFIG, 0, "%.100s:%d: unknown key `%.40s`%s%s%s", c->file,
                          c->key_line, c->key, close == NULL ? "" : ", did you mean `",
                          close == NULL ? "" : close, close == NULL ? "" : "`?");
    }
    return 0;
}

/* What stands there, for "expected x, found y". */
static int fail_expected(const struct gm_yaml *node, struct gm_err *err, const char *expected)
{
    const char *name = node->key == NULL ? "" : node->key;
    const char *open = node->key == NULL ? "" : "`";
    const char *close = node->key == NULL ? "" : "`: ";

    if (node->kind == GM_YAML_LIST || node->kind == GM_YAML_MAP) {
        return gm_yaml_fail(node, err, "%s%.40s%sexpected %s, found a %s", open, name, close,
                            expected, node->kind == GM_YAML_LIST ? "list" : "map");
    }
    if (node->plain && node->text[0] == '\0') {
        return gm_yaml_fail(node, err, "%s%.40s%sexpected %s, found nothing", open, name, close,
                            expected);
    }
    return gm_yaml_fail(node, err, "%s%.40s%sexpected %s, found %s`%.40s`", open, name, close,
                        expected, node->plain ? "" : "the text ", node->text);
}

int gm_yaml_string(const struct gm_yaml *node, const char **out, struct gm_err *err)
{
    if (node->kind != GM_YAML_SCALAR ||
        (node->plain && (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
                         strcmp(node->text, "null") == 0))) {
        return fail_expected(node, err, "a text");
    }
    *out = node->text;
    return 0;
}

static bool is_plain(const struct gm_yaml *node)
{
    return node->kind == GM_YAML_SCALAR && node->plain;
}

static int check_range(const struct gm_yaml *node, int64_t value, int64_t min, int64_t max,
                       int64_t *out, struct gm_err *err)
{
    if (value < min || value > max) {
        return gm_yaml_fail(node, err,
                            "`%.40s`: %.40s is out of range, it must be %" PRId64 "..%" PRId64,
                            node->key == NULL ? "value" : node->key, node->text, min, max);
    }
    *out = value;
    return 0;
}

int gm_yaml_int(const struct gm_yaml *node, int64_t min, int64_t max, int64_t *out,
                struct gm_err *err)
{
    int64_t value;

    if (!is_plain(node) || !gm_number_int(node->text, &value)) {
        return fail_expected(node, err, "a whole number");
    }
    return check_range(node, value, min, max, out, err);
}

int gm_yaml_size(const struct gm_yaml *node, int64_t min, int64_t max, int64_t *out,
                 struct gm_err *err)
{
    int64_t value;

    if (!is_plain(node) || !gm_number_size(node->text, &value)) {
        return fail_expected(node, err, "a size such as 4096, 64k, 10M, 2Gi");
    }
    return check_range(node, value, min, max, out, err);
}

int gm_yaml_double(const struct gm_yaml *node, double min, double max, double *out,
                   struct gm_err *err)
{
    double value;

    if (!is_plain(node) || !gm_number_double(node->text, &value)) {
        return fail_expected(node, err, "a number");
    }
    if (!(value >= min && value <= max)) {
        return gm_yaml_fail(node, err, "`%.40s`: %.40s is out of range, it must be %g..%g",
                            node->key == NULL ? "value" : node->key, node->text, min, max);
    }
    *out = value;
    return 0;
}

int gm_yaml_bool(const struct gm_yaml *node, bool *out, struct gm_err *err)
{
    if (is_plain(node) && strcmp(node->text, "true") == 0) {
        *out = true;
    } else if (is_plain(node) && strcmp(node->text, "false") == 0) {
        *out = false;
    } else {
        return fail_expected(node, err, "true or false");
    }
    return 0;
}
