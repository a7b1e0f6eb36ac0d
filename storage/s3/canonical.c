#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "storage/backend.h"
#include "storage/s3/canonical.h"

#define MAX_FIELDS ((size_t)256)

struct pair {
    char *name;   /* owned */
    char *value;  /* owned */
    size_t order; /* in which it came */
};

struct pairs {
    struct pair *items; /* owned */
    size_t count;
};

static void pairs_fini(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].name);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

typedef int (*write_fn)(const struct gm_s3_field *field, struct gm_buf *name, struct gm_buf *value,
                        struct gm_err *err);

static int pairs_add(struct pairs *pairs, const struct gm_s3_field *field, write_fn write,
                     struct gm_err *err)
{
    struct gm_buf name = {0};
    struct gm_buf value = {0};
    int rc = write(field, &name, &value, err);

    /* An empty text is one, too. */
    gm_buf_add(&name, "", 0);
    gm_buf_add(&value, "", 0);
    if (rc == 0) {
        rc = gm_buf_check(&name, err);
    }
    if (rc == 0) {
        rc = gm_buf_check(&value, err);
    }
    if (rc < 0) {
        gm_buf_fini(&name);
        gm_buf_fini(&value);
        return rc;
    }
    pairs->items[pairs->count] = (struct pair){
        .name = (char *)name.data, .value = (char *)value.data, .order = pairs->count};
    pairs->count++;
    return 0;
}

static int pairs_fill(struct pairs *pairs, const struct gm_s3_field_list *fields, write_fn write,
                      struct gm_err *err)
{
    int rc = 0;

    if (fields->own_count > MAX_FIELDS || fields->more_count > MAX_FIELDS - fields->own_count) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a request had more than %zu fields", MAX_FIELDS);
    }
    pairs->items = calloc(fields->own_count + fields->more_count + 1, sizeof(*pairs->items));
    if (pairs->items == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < fields->own_count; i++) {
        rc = pairs_add(pairs, &fields->own[i], write, err);
    }
    for (size_t i = 0; rc == 0 && i < fields->more_count; i++) {
        rc = pairs_add(pairs, &fields->more[i], write, err);
    }
    return rc;
}

static int by_name_and_value(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : strcmp(x->value, y->value);
}

static int by_name_and_order(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static int write_param(const struct gm_s3_field *field, struct gm_buf *name, struct gm_buf *value,
                       struct gm_err *err)
{
    if (field->name[0] == '\0') {
        return gm_err_set(err, GM_E_INVAL, 0, "a parameter of a request had no name");
    }
    gm_url_encode_all(name, field->name);
    gm_url_encode_all(value, field->value);
    return 0;
}

int gm_s3_canonical_query(const struct gm_s3_field_list *fields, struct gm_buf *out,
                          struct gm_err *err)
{
    struct pairs pairs = {0};
    int rc = pairs_fill(&pairs, fields, write_param, err);

    if (rc == 0) {
        qsort(pairs.items, pairs.count, sizeof(*pairs.items), by_name_and_value);
        for (size_t i = 0; i < pairs.count; i++) {
            gm_buf_str(out, i == 0 ? "" : "&");
            gm_buf_str(out, pairs.items[i].name);
            gm_buf_str(out, "=");
            gm_buf_str(out, pairs.items[i].value);
        }
        rc = gm_buf_check(out, err);
    }
    pairs_fini(&pairs);
    return rc;
}

/* Source: RFC 9110 section 5.6.2, token. */
static bool is_token_byte(unsigned char c)
{
    return isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void add_trimmed(struct gm_buf *buf, const char *text)
{
    while (*text != '\0') {
        size_t word = strcspn(text, " ");

        if (word > 0) {
            gm_buf_str(buf, buf->size > 0 ? " " : "");
            gm_buf_add(buf, text, word);
        }
        text += word;
        text += strspn(text, " ");
    }
}

static int write_header(const struct gm_s3_field *field, struct gm_buf *name, struct gm_buf *value,
                        struct gm_err *err)
{
    bool good = field->name[0] != '\0';

    for (const char *c = field->name; *c != '\0'; c++) {
        good = good && is_token_byte((unsigned char)*c);
        gm_buf_u8(name, (uint8_t)tolower((unsigned char)*c));
    }
    for (const char *c = field->value; *c != '\0'; c++) {
        good = good && (unsigned char)*c >= ' ' && *c != 0x7f;
    }
    if (!good) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "a header of a request could not be sent: its name is none, or there are "
                          "control characters in its value");
    }
    add_trimmed(value, field->value);
    return 0;
}

int gm_s3_canonical_headers(const struct gm_s3_field_list *fields, struct gm_buf *out_block,
                            struct gm_buf *out_names, struct gm_err *err)
{
    struct pairs pairs = {0};
    int rc = pairs_fill(&pairs, fields, write_header, err);

    if (rc < 0) {
        goto out;
    }
    qsort(pairs.items, pairs.count, sizeof(*pairs.items), by_name_and_order);
    for (size_t i = 0; i < pairs.count; i++) {
        const struct pair *pair = &pairs.items[i];

        if (i > 0 && strcmp(pair->name, pairs.items[i - 1].name) == 0) {
            gm_buf_str(out_block, ",");
        } else {
            gm_buf_str(out_block, i == 0 ? "" : "\n");
            gm_buf_str(out_block, pair->name);
            gm_buf_str(out_block, ":");
            gm_buf_str(out_names, i == 0 ? "" : ";");
            gm_buf_str(out_names, pair->name);
        }
        gm_buf_str(out_block, pair->value);
    }
    gm_buf_str(out_block, "\n");
    rc = gm_buf_check(out_block, err);
    if (rc == 0) {
        rc = gm_buf_check(out_names, err);
    }
out:
    pairs_fini(&pairs);
    return rc;
}
