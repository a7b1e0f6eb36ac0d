#include "common/config.h"

#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/number.h"
#include "common/yaml.h"

#define MAX_BYTES ((size_t)1024 * 1024)

static void *member(void *out, const struct gm_option *option)
{
    return (char *)out + option->offset;
}

static void free_list(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        free(list[i]);
    }
    free(list);
}

/* Puts the string or list in the place of the one that was there. */
static void replace_string(void *out, const struct gm_option *option, char *value)
{
    char **place = member(out, option);

    free(*place);
    *place = value;
}

static void replace_list(void *out, const struct gm_option *option, char **value)
{
    char ***place = member(out, option);

    free_list(*place);
    *place = value;
}

static int set_string(void *out, const struct gm_option *option, const char *text,
                      struct gm_err *err)
{
    char *copy = strdup(text);

    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    replace_string(out, option, copy);
    return 0;
}

/* text: words between commas, blanks around them dropped, empty ones left out. */
static int set_list_words(void *out, const struct gm_option *option, const char *text,
                          struct gm_err *err)
{
    char **list = calloc(strlen(text) + 2, sizeof(*list)); /* no more words than bytes */
    size_t n = 0;

    if (list == NULL) {
        return gm_err_nomem(err);
    }
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        size_t start = strspn(text, " ,");
        size_t end = length;

        if (start > length) {
            start = length;
        }
        while (end > start && text[end - 1] == ' ') {
            end--;
        }
        if (end > start) {
            list[n] = strndup(text + start, end - start);
            if (list[n] == NULL) {
                free_list(list);
                return gm_err_nomem(err);
            }
            n++;
        }
        text += length + (text[length] == ',' ? 1 : 0);
    }
    replace_list(out, option, list);
    return 0;
}

static int set_default(void *out, const struct gm_option *option, struct gm_err *err)
{
    const char *text = option->def == NULL ? "" : option->def;
    int64_t value = 0;
    bool ok = true;

    switch (option->type) {
    case GM_OPT_STRING:
        return set_string(out, option, text, err);
    case GM_OPT_LIST:
        return set_list_words(out, option, text, err);
    case GM_OPT_BOOL:
        ok = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
        *(bool *)member(out, option) = strcmp(text, "true") == 0;
        break;
    case GM_OPT_INT:
        ok = gm_number_int(text, &value);
        break;
    case GM_OPT_SIZE:
        ok = gm_number_size(text, &value);
        break;
    }
    if (option->type == GM_OPT_INT || option->type == GM_OPT_SIZE) {
        ok = ok && value >= option->min && value <= option->max;
        *(int64_t *)member(out, option) = value;
    }
    GM_ASSERT(ok); /* a table with a default outside its own rules */
    return 0;
}

static int set_list(void *out, const struct gm_option *option, const struct gm_yaml *node,
                    struct gm_err *err)
{
    const struct gm_yaml *first = node->kind == GM_YAML_LIST ? node->child : node;
    size_t count = 0;
    size_t n = 0;
    char **list;
    int rc = 0;

    if (node->kind == GM_YAML_MAP) {
        return gm_yaml_fail(node, err, "`%s`: expected a list of texts, found a map", option->name);
    }
    for (const struct gm_yaml *c = first; c != NULL && c != node->next; c = c->next) {
        count++;
    }
    list = calloc(count + 1, sizeof(*list));
    if (list == NULL) {
        return gm_err_nomem(err);
    }
    for (const struct gm_yaml *c = first; n < count; c = c->next) {
        const char *text;

        rc = gm_yaml_string(c, &text, err);
        if (rc < 0) {
            goto fail;
        }
        if (text[0] == '\0') {
            rc = gm_yaml_fail(c, err, "`%s`: an empty text in the list", option->name);
            goto fail;
        }
        list[n] = strdup(text);
        if (list[n] == NULL) {
            rc = gm_err_nomem(err);
            goto fail;
        }
        n++;
    }
    replace_list(out, option, list);
    return 0;
fail:
    free_list(list);
    return rc;
}

static int set_from_node(void *out, const struct gm_option *option, const struct gm_yaml *node,
                         struct gm_err *err)
{
    const char *text;
    int rc;

    switch (option->type) {
    case GM_OPT_STRING:
        rc = gm_yaml_string(node, &text, err);
        return rc < 0 ? rc : set_string(out, option, text, err);
    case GM_OPT_LIST:
        return set_list(out, option, node, err);
    case GM_OPT_BOOL:
        return gm_yaml_bool(node, member(out, option), err);
    case GM_OPT_INT:
        return gm_yaml_int(node, option->min, option->max, member(out, option), err);
    case GM_OPT_SIZE:
        return gm_yaml_size(node, option->min, option->max, member(out, option), err);
    }
    return gm_err_set(err, GM_E_BUG, 0, "option `%s` has an unknown type", option->name);
}

static int check_names(const struct gm_yaml *root, const struct gm_option *table,
                       struct gm_err *err)
{
    const char **names;
    size_t n = 0;
    int rc;

    while (table[n].name != NULL) {
        n++;
    }
    names = calloc(n + 1, sizeof(*names));
    if (names == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        names[i] = table[i].name;
    }
    rc = gm_yaml_check_keys(root, names, err);
    free(names);
    return rc;
}

static int read_file(const char *path, const struct gm_option *table, void *out, struct gm_err *err)
{
    struct gm_yaml *root = NULL;
    uint8_t *data = NULL;
    size_t size;
    int rc = gm_fs_read(path, MAX_BYTES, &data, &size, err);

    if (rc < 0) {
        return rc;
    }
    rc = gm_yaml_parse(path, data, size, &root, err);
    if (rc < 0) {
        goto out;
    }
    rc = check_names(root, table, err);
    for (const struct gm_option *o = table; rc == 0 && o->name != NULL; o++) {
        const struct gm_yaml *node = gm_yaml_find(root, o->name);

        if (node != NULL) {
            rc = set_from_node(out, o, node, err);
        }
    }
out:
    gm_yaml_destroy(&root);
    free(data);
    return rc;
}

int gm_config_load(const char *path, const struct gm_option *table, void *out, struct gm_err *err)
{
    int rc = 0;

    for (const struct gm_option *o = table; rc == 0 && o->name != NULL; o++) {
        rc = set_default(out, o, err);
    }
    if (rc == 0 && path != NULL) {
        rc = read_file(path, table, out, err);
    }
    if (rc < 0) {
        gm_config_fini(table, out);
    }
    return rc;
}

void gm_config_fini(const struct gm_option *table, void *out)
{
    for (const struct gm_option *o = table; o->name != NULL; o++) {
        switch (o->type) {
        case GM_OPT_STRING:
            replace_string(out, o, NULL);
            break;
        case GM_OPT_LIST:
            replace_list(out, o, NULL);
            break;
        case GM_OPT_BOOL:
            *(bool *)member(out, o) = false;
            break;
        case GM_OPT_INT:
        case GM_OPT_SIZE:
            *(int64_t *)member(out, o) = 0;
            break;
        }
    }
}
