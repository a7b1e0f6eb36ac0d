/* token new|list|revoke: one file, and nobody is asked. The token itself is printed once and kept
 * nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/deadline.h"
#include "cli/print.h"
#include "cli/token_file.h"
#include "common/id.h"
#include "common/time.h"

#define MADE_ID 10 /* characters of an id that was not given */

static int stdout_failed(struct gm_err *err)
{
    return gm_err_set(err, GM_E_SYS, 0, "could not write to stdout");
}

static const char *until_text(int64_t until_unix_ms, char out[25])
{
    if (until_unix_ms == INT64_MAX) {
        return "-";
    }
    (void)gm_time_format(until_unix_ms, out);
    memcpy(out + 19, "Z", 2);
    return out;
}

static const char *tenant_text(const struct gm_token *row)
{
    return row->tenant[0] != '\0' ? row->tenant : "*";
}

/* token: NULL in a list. */
static json_t *row_document(const struct gm_token *row, const char *token)
{
    char until[25];
    return json_pack("{s:s, s:s, s:s, s:s, s:s*}", "id", row->id, "role",
                     gm_token_role_name(row->role), "tenant", tenant_text(row), "until",
                     until_text(row->until_unix_ms, until), "token", token);
}

/* ---- new */

static int read_until(const char *text, int64_t *out, struct gm_err *err)
{
    *out = INT64_MAX;
    if (text == NULL || gm_time_parse(text, out)) {
        return 0;
    }
    bool from_now = text[0] != '\0' && strchr("smhd", text[strlen(text) - 1]) != NULL;
    if (!from_now || gm_deadline_parse(text, gm_time_unix_ms(), out, err) < 0) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "--expires is so long from now (12h, 90d), or a time such as "
                          "2026-01-31T12:00:00Z, not `%.40s`",
                          text);
    }
    *out = *out / 1000 * 1000; /* the file has seconds */
    return 0;
}

/* Of a submit token without --tenant it is that of jobs without one. */
static int read_tenant(const struct gm_args *args, struct gm_token *row, struct gm_err *err)
{
    const char *tenant = args->tenant;
    if (tenant == NULL) {
        tenant = row->role == GM_TOKEN_SUBMIT ? "default" : "*";
    }
    if (strcmp(tenant, "*") == 0) {
        return 0;
    }
    if (row->role != GM_TOKEN_SUBMIT) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "--tenant goes with --role submit: operate and admin are of all tenants");
    }
    if (!gm_token_is_tenant(tenant)) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "--tenant is 1..64 letters, digits, '_', '-' and '.', a letter or digit "
                          "first; or `*`, all");
    }
    memcpy(row->tenant, tenant, strlen(tenant) + 1);
    return 0;
}

static int read_row(const struct gm_args *args, struct gm_token *row, struct gm_err *err)
{
    char made[GM_ID_SIZE];
    row->role = args->role != NULL ? gm_token_role_find(args->role) : GM_TOKEN_NOBODY;
    if (row->role == GM_TOKEN_NOBODY) {
        return gm_err_set(err, GM_E_INVAL, 0, "--role is submit, operate or admin");
    }
    if (args->operand != NULL && !gm_token_is_id(args->operand)) {
        return gm_err_set(err, GM_E_INVAL, 0, "a token's id is [a-z0-9-]{1,64}, not `%.64s`",
                          args->operand);
    }
    int rc = read_tenant(args, row, err);
    rc = rc < 0 ? rc : read_until(args->expires, &row->until_unix_ms, err);
    rc = rc < 0 ? rc : gm_id_make(made, err);
    if (rc == 0) {
        const char *id = args->operand != NULL ? args->operand : made + GM_ID_SIZE - 1 - MADE_ID;
        memcpy(row->id, id, strlen(id) + 1);
    }
    return rc;
}

static int make_one(const struct gm_args *args, struct gm_term *term, struct gm_err *err)
{
    struct gm_token row = {.role = GM_TOKEN_NOBODY};
    char token[GM_TOKEN_SIZE] = "";
    char until[25];
    int rc = read_row(args, &row, err);
    rc = rc < 0 ? rc : gm_token_make(token, err);
    if (rc == 0) {
        gm_sha256(token, strlen(token), row.sha256);
        rc = gm_token_file_add(args->file, &row, err);
    }
    if (rc == 0 && args->json) {
        json_t *doc = row_document(&row, token);
        rc = doc == NULL || gm_print_json(stdout, doc) != 0 ? stdout_failed(err) : 0;
        json_decref(doc);
    } else if (rc == 0) {
        rc = printf("%s\n", token) < 0 || fflush(stdout) != 0 ? stdout_failed(err) : 0;
    }
    explicit_bzero(token, sizeof token);
    if (rc == 0) {
        gm_term_note(term,
                     "token %s: %s, tenant %s, until %s. It is shown this once; the scheduler "
                     "takes it within seconds",
                     row.id, gm_token_role_name(row.role), tenant_text(&row),
                     until_text(row.until_unix_ms, until));
    }
    return rc;
}

/* ---- list */

static int list(const struct gm_args *args, struct gm_err *err)
{
    struct gm_tokens tokens = {0};
    int rc = gm_tokens_load(args->file, &tokens, err);
    if (rc < 0) {
        return rc;
    }
    json_t *rows = json_array();
    int bad = rows == NULL ? -1 : 0;
    if (!args->json) {
        printf("%-24s%-9s%-20s%s\n", "ID", "ROLE", "TENANT", "UNTIL");
    }
    for (size_t i = 0; bad == 0 && i < tokens.count; i++) {
        const struct gm_token *row = &tokens.rows[i];
        char until[25];
        if (args->json) {
            bad = json_array_append_new(rows, row_document(row, NULL));
        } else {
            printf("%-24s%-9s%-20s%s%s\n", row->id, gm_token_role_name(row->role), tenant_text(row),
                   until_text(row->until_unix_ms, until),
                   row->until_unix_ms <= gm_time_unix_ms() ? " (over)" : "");
        }
    }
    if (bad == 0 && args->json) {
        json_t *doc = json_pack("{s:O}", "tokens", rows);
        bad = doc == NULL ? -1 : gm_print_json(stdout, doc);
        json_decref(doc);
    } else if (bad == 0) {
        bad = fflush(stdout);
    }
    json_decref(rows);
    gm_tokens_fini(&tokens);
    return bad == 0 ? 0 : stdout_failed(err);
}

static int take_back(const struct gm_args *args, struct gm_term *term, struct gm_err *err)
{
    int rc = gm_token_file_remove(args->file, args->operand, err);
    if (rc == 0 && args->json) {
        json_t *doc = json_pack("{s:s, s:b}", "id", args->operand, "revoked", 1);
        rc = doc == NULL || gm_print_json(stdout, doc) != 0 ? stdout_failed(err) : 0;
        json_decref(doc);
    }
    if (rc == 0) {
        gm_term_note(term, "token %s is taken no more within seconds", args->operand);
    }
    return rc;
}

enum gm_exit gm_command_token(const struct gm_args *args, struct gm_term *term)
{
    struct gm_err err = {0};
    int rc = args->command == GM_CMD_TOKEN_NEW    ? make_one(args, term, &err)
             : args->command == GM_CMD_TOKEN_LIST ? list(args, &err)
                                                  : take_back(args, term, &err);
    return rc < 0 ? gm_command_fail(args, term, &err) : GM_EXIT_DONE;
}
