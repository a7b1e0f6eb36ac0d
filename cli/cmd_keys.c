/* keys make|list|rotate|revoke: the files of a folder, and nobody is asked. cli/key_folder.c has
 * the folder; what changed is said with what is left to do. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/key_folder.h"
#include "cli/print.h"
#include "common/time.h"

#define HOUR_MS INT64_C(3600000)

/* Who reads the file next, in a sentence. */
static const char *next_step(const struct gm_key_change *c)
{
    if (c->role == GM_CURVE_SERVER && c->step == GM_KEY_STEP_ANNOUNCED) {
        return "nodes must know the new key before the scheduler has it: copy the files of the "
               "nodes to them again, then rotate `server` a second time";
    }
    if (c->role == GM_CURVE_SERVER) {
        return "start the scheduler again; the files of the nodes may be copied to them later";
    }
    if (c->step == GM_KEY_STEP_REVOKED) {
        return "let the scheduler read the list again: systemctl reload gopmill-scheduler (SIGHUP)";
    }
    return "let the scheduler read the list again (SIGHUP), and give the file to whom it is for";
}

static json_t *change_document(const struct gm_key_change *c)
{
    json_t *doc = json_pack("{s:s, s:s}", "name", c->name, "role", gm_curve_role_name(c->role));
    if (doc != NULL && c->path[0] != '\0' &&
        json_object_set_new(doc, "file", json_string(c->path)) != 0) {
        json_decref(doc);
        doc = NULL;
    }
    return doc;
}

static int print_change(const struct gm_args *args, struct gm_term *term,
                        const struct gm_key_change *c, struct gm_err *err)
{
    int rc = 0;
    if (args->json) {
        json_t *doc = change_document(c);
        rc = doc == NULL ? -1 : gm_print_json(stdout, doc);
        json_decref(doc);
    } else if (c->path[0] != '\0') {
        printf("%s\n", c->path);
        rc = fflush(stdout);
    }
    gm_term_note(term, "%s", next_step(c));
    return rc == 0 ? 0 : gm_err_set(err, GM_E_SYS, 0, "could not write to stdout");
}

static const char *until_text(int64_t until_unix_ms, char out[25])
{
    return until_unix_ms == INT64_MAX ? "-" : gm_time_format(until_unix_ms, out);
}

static json_t *row_document(const struct gm_allowed *row)
{
    char until[25];
    return json_pack("{s:s, s:s, s:s, s:s}", "name", row->name, "role",
                     gm_curve_role_name(row->role), "public", row->key, "until",
                     until_text(row->until_unix_ms, until));
}

static int print_list(const struct gm_args *args, const struct gm_allow *allow, struct gm_err *err)
{
    json_t *rows = json_array();
    int rc = rows == NULL ? -1 : 0;
    if (!args->json) {
        printf("%-24s%-8s%-26s%s\n", "NAME", "ROLE", "UNTIL", "PUBLIC");
    }
    for (size_t i = 0; rc == 0 && i < allow->count; i++) {
        const struct gm_allowed *row = &allow->rows[i];
        char until[25];
        if (args->json) {
            rc = json_array_append_new(rows, row_document(row));
        } else {
            printf("%-24s%-8s%-26s%s\n", row->name, gm_curve_role_name(row->role),
                   until_text(row->until_unix_ms, until), row->key);
        }
    }
    if (rc == 0 && args->json) {
        json_t *doc = json_pack("{s:O}", "keys", rows);
        rc = doc == NULL ? -1 : gm_print_json(stdout, doc);
        json_decref(doc);
    } else if (rc == 0) {
        rc = fflush(stdout);
    }
    json_decref(rows);
    return rc == 0 ? 0 : gm_err_set(err, GM_E_SYS, 0, "could not write to stdout");
}

static int run(const struct gm_args *args, struct gm_term *term, struct gm_err *err)
{
    struct gm_key_change change = {.name = args->operand};
    struct gm_allow allow = {0};
    int64_t now = gm_time_unix_ms();
    int rc = 0;
    switch (args->command) {
    case GM_CMD_KEYS_LIST:
        rc = gm_key_folder_list(args->keys, &allow, err);
        if (rc == 0) {
            rc = print_list(args, &allow, err);
        }
        gm_allow_fini(&allow);
        return rc;
    case GM_CMD_KEYS_MAKE:
        rc = gm_key_folder_make(args->keys, args->role, &change, err);
        break;
    case GM_CMD_KEYS_ROTATE:
        rc = gm_key_folder_rotate(args->keys, now, now + args->hours * HOUR_MS, &change, err);
        break;
    default:
        rc = gm_key_folder_revoke(args->keys, &change, err);
        break;
    }
    return rc < 0 ? rc : print_change(args, term, &change, err);
}

enum gm_exit gm_command_keys(const struct gm_args *args, struct gm_term *term)
{
    struct gm_err err = {0};
    return run(args, term, &err) < 0 ? gm_command_fail(args, term, &err) : GM_EXIT_DONE;
}
