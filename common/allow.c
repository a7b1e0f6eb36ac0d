#include "common/allow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/time.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct gm_allowed *)a)->key, ((const struct gm_allowed *)b)->key);
}

void gm_allow_fini(struct gm_allow *allow)
{
    free(allow->rows);
    *allow = (struct gm_allow){0};
}

static const struct gm_allowed *find(const struct gm_allow *allow, const char *key)
{
    struct gm_allowed wanted = {0};
    size_t n = strlen(key);
    if (allow->count == 0 || n >= sizeof wanted.key) {
        return NULL;
    }
    memcpy(wanted.key, key, n + 1);
    return bsearch(&wanted, allow->rows, allow->count, sizeof *allow->rows, compare);
}

const struct gm_allowed *gm_allow_find(const struct gm_allow *allow, const char *key,
                                       int64_t now_unix_ms)
{
    const struct gm_allowed *row = find(allow, key);
    return row != NULL && now_unix_ms < row->until_unix_ms ? row : NULL;
}

static int append(struct gm_allow *allow, const struct gm_allowed *row, struct gm_err *err)
{
    if (allow->count == GM_ALLOW_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a list has at most %d keys", GM_ALLOW_MAX);
    }
    if (allow->count == allow->cap) {
        size_t cap = allow->cap == 0 ? 16 : 2 * allow->cap;
        struct gm_allowed *rows = realloc(allow->rows, cap * sizeof *rows);
        if (rows == NULL) {
            return gm_err_nomem(err);
        }
        allow->rows = rows;
        allow->cap = cap;
    }
    allow->rows[allow->count++] = *row;
    return 0;
}

int gm_allow_add(struct gm_allow *allow, const struct gm_allowed *row, struct gm_err *err)
{
    const struct gm_allowed *same = find(allow, row->key);
    if (same != NULL) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "that key is %s's already", same->name);
    }
    int rc = append(allow, row, err);
    if (rc == 0) {
        qsort(allow->rows, allow->count, sizeof *allow->rows, compare);
    }
    return rc;
}

static void remove_at(struct gm_allow *allow, size_t i)
{
    allow->count--;
    memmove(&allow->rows[i], &allow->rows[i + 1], (allow->count - i) * sizeof *allow->rows);
}

size_t gm_allow_remove(struct gm_allow *allow, const char *name)
{
    size_t gone = 0;
    for (size_t i = allow->count; i-- > 0;) {
        if (strcmp(allow->rows[i].name, name) == 0) {
            remove_at(allow, i);
            gone++;
        }
    }
    return gone;
}

void gm_allow_expire(struct gm_allow *allow, const char *name, int64_t now_unix_ms,
                     int64_t until_unix_ms)
{
    for (size_t i = allow->count; i-- > 0;) {
        struct gm_allowed *row = &allow->rows[i];
        if (strcmp(row->name, name) != 0) {
            continue;
        }
        if (row->until_unix_ms <= now_unix_ms) {
            remove_at(allow, i);
        } else if (row->until_unix_ms == INT64_MAX) {
            row->until_unix_ms = until_unix_ms;
        }
    }
}

/* ---- the file */

static bool parse_until(const char *text, int64_t *out)
{
    if (strcmp(text, "-") == 0) {
        *out = INT64_MAX;
        return true;
    }
    return gm_time_parse(text, out);
}

/* NULL: taken; else what is wrong with the line. */
static const char *parse_line(char *line, struct gm_allowed *out)
{
    char *words[5] = {NULL};
    size_t n = 0;
    for (char *word = strsep(&line, " "); word != NULL && n < 5; word = strsep(&line, " ")) {
        if (word[0] != '\0') {
            words[n++] = word;
        }
    }
    if (n != 4) {
        return "a line is ROLE NAME PUBLIC UNTIL";
    }
    int role = gm_curve_role_find(words[0]);
    if (role < 0 || role == GM_CURVE_SERVER) {
        return "roles are node, client, admin";
    }
    if (!gm_curve_is_name(words[1])) {
        return "a name is [a-z0-9-]{1,64}";
    }
    if (!gm_curve_is_text(words[2])) {
        return "a key has 40 characters of Z85";
    }
    out->role = (enum gm_curve_role)role;
    memcpy(out->name, words[1], strlen(words[1]) + 1);
    memcpy(out->key, words[2], GM_CURVE_TEXT);
    return parse_until(words[3], &out->until_unix_ms) ? NULL : "UNTIL is - or 2026-01-31T12:00:00Z";
}

static int parse(const char *path, char *text, struct gm_allow *out, struct gm_err *err)
{
    int number = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        struct gm_allowed row;
        number++;
        if (line[0] == '#' || line[strspn(line, " ")] == '\0') {
            continue;
        }
        const char *wrong = parse_line(line, &row);
        if (wrong != NULL) {
            return gm_err_set(err, GM_E_CONFIG, 0, "%.150s:%d: %s", path, number, wrong);
        }
        int rc = append(out, &row, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (out->count > 0) {
        qsort(out->rows, out->count, sizeof *out->rows, compare);
    }
    for (size_t i = 1; i < out->count; i++) {
        if (strcmp(out->rows[i].key, out->rows[i - 1].key) == 0) {
            return gm_err_set(err, GM_E_CONFIG, 0, "%.150s: a key of %s is there twice", path,
                              out->rows[i].name);
        }
    }
    return 0;
}

int gm_allow_load(const char *path, struct gm_allow *out, struct gm_err *err)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_allow allow = {0};
    int rc = gm_fs_read(path, FILE_MAX_BYTES, &text, &size, err);
    if (rc == 0 && strlen((char *)text) != size) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "%.150s: a NUL byte in a text file", path);
    }
    if (rc == 0) {
        rc = parse(path, (char *)text, &allow, err);
    }
    free(text);
    if (rc < 0) {
        gm_allow_fini(&allow);
        return rc;
    }
    *out = allow;
    return 0;
}

static void format_until(int64_t until_unix_ms, char out[32])
{
    char time[25];
    if (until_unix_ms == INT64_MAX) {
        memcpy(out, "-", 2);
        return;
    }
    (void)snprintf(out, 32, "%.19sZ", gm_time_format(until_unix_ms, time));
}

int gm_allow_save(const char *path, const struct gm_allow *allow, struct gm_err *err)
{
    struct gm_buf text = {0};
    gm_buf_str(&text,
               "# Keys that the scheduler takes: ROLE NAME PUBLIC UNTIL. gopmill keys writes "
               "it; SIGHUP lets the scheduler read it again.\n");
    for (size_t i = 0; i < allow->count; i++) {
        const struct gm_allowed *row = &allow->rows[i];
        char until[32];
        format_until(row->until_unix_ms, until);
        gm_buf_printf(&text, "%s %s %s %s\n", gm_curve_role_name(row->role), row->name, row->key,
                      until);
    }
    int rc = gm_buf_check(&text, err);
    if (rc == 0) {
        rc = gm_fs_write_private(path, text.data, text.size, err);
    }
    gm_buf_fini(&text);
    return rc;
}
