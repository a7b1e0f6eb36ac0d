#include "scheduler/replaced.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "scheduler/below.h"
#include "scheduler/standing.h"

#define FOLDER "replaced/"
#define NOTE_BYTES 256
#define PLANS_NAME 16
#define KEY_BYTES (GM_HOLD_NAME + sizeof FOLDER)

static void note_key(const char *publication, char out[KEY_BYTES])
{
    (void)snprintf(out, KEY_BYTES, FOLDER "%.*s", GM_HOLD_NAME - 1, publication);
}

static bool is_name(const char *publication)
{
    return publication != NULL && publication[0] != '\0' && publication[0] != '.' &&
           strlen(publication) < GM_HOLD_NAME && strchr(publication, '/') == NULL &&
           gm_store_is_key(publication);
}

/* As plans name publications (ADR-0002). A folder of another name is somebody else's, whatever
 * leads there. */
static bool is_plans_name(const char *name)
{
    return strlen(name) == PLANS_NAME && strspn(name, "0123456789abcdef") == PLANS_NAME;
}

static int put_note(struct gm_store *store, const char *publication, int64_t until_unix_ms,
                    struct gm_err *err)
{
    char key[KEY_BYTES], text[NOTE_BYTES];
    note_key(publication, key);
    int n = snprintf(text, sizeof text, "{\"until_unix_ms\": %lld}\n", (long long)until_unix_ms);
    return gm_store_put_bytes(store, key, text, (size_t)n, err);
}

static int drop_note(struct gm_store *store, const char *publication, struct gm_err *err)
{
    char key[KEY_BYTES];
    note_key(publication, key);
    return gm_store_delete(store, key, err);
}

static int one_is_there(const char *key, uint64_t size, void *arg)
{
    (void)key;
    (void)size;
    *(bool *)arg = true;
    return 1;
}

static int has_notes(struct gm_store *store, bool *out, struct gm_err *err)
{
    bool any = false;
    int rc = gm_store_list(store, FOLDER, one_is_there, &any, err);
    if (rc >= 0) {
        *out = any;
    }
    return rc < 0 ? rc : 0;
}

/* Notes each publication but `own` that a text names: v/<publication>/ where a path may begin. */
static int note_named(struct gm_store *store, const char *text, size_t size, const char *own,
                      int64_t until_unix_ms, struct gm_err *err)
{
    char last[GM_HOLD_NAME] = "", name[GM_HOLD_NAME];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i + 2 < size; i++) {
        bool begins = i == 0 || strchr("\n\r\"'> ", text[i - 1]) != NULL;
        size_t most = size - i - 2 < sizeof name ? size - i - 2 : sizeof name;
        const char *slash =
            begins && text[i] == 'v' && text[i + 1] == '/' ? memchr(text + i + 2, '/', most) : NULL;
        if (slash == NULL) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)(slash - (text + i + 2)), text + i + 2);
        if (is_plans_name(name) && strcmp(name, own) != 0 && strcmp(name, last) != 0) {
            memcpy(last, name, sizeof last);
            rc = put_note(store, name, until_unix_ms, err);
        }
    }
    return rc;
}

/* What players are led to, whatever the report says. */
static int note_standing(struct gm_store *store, const char *publication, int64_t until_unix_ms,
                         struct gm_err *err)
{
    struct gm_standing standing;
    int rc = gm_standing_read(store, "", &standing, err);
    if (rc < 0) {
        return rc == -GM_E_LIMIT ? 0 : rc;
    }
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = standing.manifests[i] == NULL
                 ? 0
                 : note_named(store, standing.manifests[i], standing.sizes[i], publication,
                              until_unix_ms, err);
    }
    gm_standing_fini(&standing);
    return rc;
}

int gm_replaced_note(struct gm_store *store, const char *job_id, const char *publication,
                     int64_t until_unix_ms, bool *out_any, struct gm_err *err)
{
    struct gm_standing_job job = {0};
    int rc = gm_standing_job(store, &job, err);
    if (rc < 0 && rc != -GM_E_LIMIT) { /* of what is too large to be looked at nothing is known */
        return rc;
    }
    rc = 0;
    if (job.id != NULL && strcmp(job.id, job_id) != 0 && strcmp(job.state, "done") == 0 &&
        is_name(job.publication) && strcmp(job.publication, publication) != 0) {
        rc = put_note(store, job.publication, until_unix_ms, err);
    }
    gm_standing_job_fini(&job);
    bool any = false;
    rc = rc == 0 ? note_standing(store, publication, until_unix_ms, err) : rc;
    rc = rc == 0 ? has_notes(store, &any, err) : rc;
    if (rc == 0 && any && is_name(publication)) {
        rc = drop_note(store, publication, err);
    }
    if (rc == 0) {
        *out_any = any;
    }
    return rc;
}

/* ---- what may go */

struct names {
    char (*rows)[GM_HOLD_NAME]; /* owned */
    size_t count, cap;
    struct gm_err *err; /* borrowed */
};

static int add_name(const char *key, uint64_t size, void *arg)
{
    struct names *names = arg;
    const size_t folder = strlen(FOLDER);
    (void)size;
    if (strncmp(key, FOLDER, folder) != 0 || !is_name(key + folder)) {
        return 0; /* none of ours */
    }
    int rc = gm_array_reserve(&names->rows, names->count, 1, &names->cap, sizeof *names->rows,
                              names->err);
    if (rc == 0) {
        (void)snprintf(names->rows[names->count++], GM_HOLD_NAME, "%s", key + folder);
    }
    return rc;
}

/* A note that does not read, or is gone, is none: 0. */
static int read_note(struct gm_store *store, const char *publication, int64_t *out,
                     struct gm_err *err)
{
    char key[KEY_BYTES], text[NOTE_BYTES];
    size_t size = 0;
    note_key(publication, key);
    int rc = gm_store_get(store, key, 0, text, sizeof text, &size, err);
    if (rc < 0 && rc != -GM_E_NOTFOUND) {
        return rc;
    }
    json_t *note = rc == 0 ? json_loadb(text, size, 0, NULL) : NULL;
    *out = json_integer_value(json_object_get(note, "until_unix_ms"));
    json_decref(note);
    return 0;
}

/* Keeps the due ones in names. */
static int sort_out(struct gm_store *store, int64_t now_unix_ms, struct names *names,
                    int64_t *out_next, struct gm_err *err)
{
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < names->count; i++) {
        int64_t until = 0;
        rc = read_note(store, names->rows[i], &until, err);
        if (rc < 0 || until <= 0) {
            continue;
        }
        if (until <= now_unix_ms) {
            memmove(names->rows[kept++], names->rows[i], GM_HOLD_NAME);
        } else if (*out_next == 0 || until < *out_next) {
            *out_next = until;
        }
    }
    names->count = kept;
    return rc;
}

/* What stands there is not replaced. Its note stays: who replaces it may have written it just now.
 */
static int strike_standing(struct gm_store *store, struct names *names, struct gm_err *err)
{
    struct gm_standing standing;
    size_t kept = 0;
    int rc = gm_standing_read(store, "", &standing, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (!gm_standing_has(&standing, names->rows[i])) {
            memmove(names->rows[kept++], names->rows[i], GM_HOLD_NAME);
        }
    }
    names->count = kept;
    gm_standing_fini(&standing);
    return 0;
}

int gm_replaced_read(struct gm_store *store, int64_t now_unix_ms, struct gm_replaced *out,
                     struct gm_err *err)
{
    struct names names = {.err = err};
    int64_t next = 0;
    int rc = gm_store_list(store, FOLDER, add_name, &names, err);
    if (rc == 0) {
        rc = sort_out(store, now_unix_ms, &names, &next, err);
    }
    if (rc == 0 && names.count > 0) {
        rc = strike_standing(store, &names, err);
    }
    if (rc < 0) {
        free(names.rows);
        return rc;
    }
    *out = (struct gm_replaced){.due = names.rows, .count = names.count, .next_unix_ms = next};
    return 0;
}

void gm_replaced_fini(struct gm_replaced *replaced)
{
    free(replaced->due);
    *replaced = (struct gm_replaced){0};
}

int gm_replaced_is_noted(struct gm_store *store, const char *publication, bool *out,
                         struct gm_err *err)
{
    int64_t until = 0;
    int rc = is_name(publication) ? read_note(store, publication, &until, err) : 0;
    if (rc == 0) {
        *out = until > 0;
    }
    return rc;
}

int gm_replaced_drop(struct gm_store *store, const char *publication, struct gm_err *err)
{
    return is_name(publication) ? drop_note(store, publication, err) : 0;
}

int gm_replaced_note_left(struct gm_store *store, const char *publication, int64_t until_unix_ms,
                          bool *out, struct gm_err *err)
{
    char prefix[GM_HOLD_NAME + 4];
    struct gm_standing standing;
    bool noted = false, any = false;
    *out = false;
    if (!is_name(publication)) {
        return 0;
    }
    (void)snprintf(prefix, sizeof prefix, "v/%.*s/", GM_HOLD_NAME - 1, publication);
    int rc = gm_replaced_is_noted(store, publication, &noted, err);
    rc = rc < 0 || noted ? rc : gm_store_list(store, prefix, one_is_there, &any, err);
    rc = rc < 0 || !any ? rc : gm_standing_read(store, "", &standing, err);
    if (rc < 0 || !any) {
        return rc < 0 ? rc : 0;
    }
    bool stands = gm_standing_has(&standing, publication);
    gm_standing_fini(&standing);
    rc = stands ? 0 : put_note(store, publication, until_unix_ms, err);
    *out = rc == 0 && !stands;
    return rc;
}

/* ---- deleting */

/* Since the notes were read it may have been published again. */
static int still_goes(struct gm_store *store, const char *publication, int64_t now_unix_ms,
                      bool *out, struct gm_err *err)
{
    struct gm_standing standing;
    int64_t until = 0;
    int rc = is_name(publication) ? read_note(store, publication, &until, err) : 0;
    *out = false;
    if (rc < 0 || until <= 0 || until > now_unix_ms) {
        return rc;
    }
    rc = gm_standing_read(store, "", &standing, err);
    if (rc < 0) {
        return rc;
    }
    *out = !gm_standing_has(&standing, publication);
    gm_standing_fini(&standing);
    return *out ? 0 : drop_note(store, publication, err);
}

int gm_replaced_delete(struct gm_store *store, const char *publication, int64_t now_unix_ms,
                       enum gm_replaced_step *out, struct gm_err *err)
{
    char prefix[GM_HOLD_NAME + 4];
    bool goes = false, more = false;
    int rc = still_goes(store, publication, now_unix_ms, &goes, err);
    if (rc < 0) {
        return rc;
    }
    if (!goes) {
        *out = GM_REPLACED_STAYS;
        return 0;
    }
    (void)snprintf(prefix, sizeof prefix, "v/%.*s/", GM_HOLD_NAME - 1, publication);
    rc = gm_below_delete(store, prefix, &more, err);
    if (rc == 0 && !more) {
        rc = drop_note(store, publication, err);
    }
    if (rc == 0) {
        *out = more ? GM_REPLACED_MORE : GM_REPLACED_GONE;
    }
    return rc;
}
