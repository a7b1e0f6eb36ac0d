/* completion SHELL prints a script; completion words -- WORD... is what it asks at each Tab. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/job.h"

#define ASK_S 1 /* the farm may take so long: who types waits for it */

/* What the farm has of each kind. */
static const struct list {
    const char *path, *rows, *key;
} LISTS[] = {
    [GM_COMPLETE_JOB] = {"/v1/jobs?light=1&limit=100", "jobs", "id"},
    [GM_COMPLETE_NODE] = {"/v1/nodes", "nodes", "id"},
    [GM_COMPLETE_PIPELINE] = {"/v1/pipelines", "pipelines", "name"},
    [GM_COMPLETE_UPLOAD] = {"/v1/uploads", "uploads", "id"},
};

static void put(const char *word, void *arg)
{
    (void)arg;
    (void)puts(word);
}

static void on_alarm(int number)
{
    (void)number;
    _exit(GM_EXIT_DONE);
}

static bool is_plain(const char *name)
{
    return name[strspn(
               name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

/* What fails, or takes too long, completes nothing. */
static void put_names(const struct gm_completion *c, const struct list *list,
                      struct gm_session *session)
{
    struct gm_answer answer = {0};
    struct gm_err err = {0};
    size_t i;
    const json_t *row;
    if (gm_session_call(session, "GET", list->path, NULL, true, &answer, &err) == 0) {
        json_array_foreach(json_object_get(answer.body, list->rows), i, row)
        {
            const char *name = gm_job_text(row, list->key);
            if (name[0] != '\0' && is_plain(name) &&
                strncmp(name, c->prefix, strlen(c->prefix)) == 0) {
                printf("%.*s%s\n", (int)c->lead_size, c->lead, name);
            }
        }
    }
    json_decref(answer.body);
}

static const char *given_or(const char *given, const char *name)
{
    const char *value = given != NULL ? given : getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static void ask(const struct gm_completion *c, struct gm_term *term)
{
    const struct gm_reach reach = {.scheduler = given_or(c->scheduler, "GOPMILL_SCHEDULER"),
                                   .ca = given_or(c->ca, "GOPMILL_CA"),
                                   .token_file = given_or(c->token_file, "GOPMILL_TOKEN_FILE")};
    struct gm_session *session = NULL;
    struct gm_err err = {0};
    if (reach.scheduler == NULL) { /* a farm of one's own is not started for this */
        return;
    }
    (void)fflush(stdout);
    if (signal(SIGALRM, on_alarm) == SIG_ERR) {
        return;
    }
    (void)alarm(ASK_S);
    term->quiet = true;
    if (gm_session_open(&reach, NULL, term, &session, &err) == 0) {
        put_names(c, &LISTS[c->what], session);
    }
    (void)fflush(stdout);
    gm_session_close(&session);
}

static enum gm_exit put_words(const struct gm_args *args, struct gm_term *term)
{
    static const char *const none[] = {""};
    struct gm_completion c;
    bool any = args->operand_count > 1;
    gm_complete(any ? args->operands + 1 : none, any ? args->operand_count - 1 : 1, put, NULL, &c);
    switch (c.what) {
    case GM_COMPLETE_NOTHING:
        break;
    case GM_COMPLETE_PIPELINE:
        ask(&c, term);
        (void)puts(":file");
        break;
    case GM_COMPLETE_FILE:
        (void)puts(":file");
        break;
    case GM_COMPLETE_FOLDER:
        (void)puts(":dir");
        break;
    default:
        ask(&c, term);
    }
    return fflush(stdout) == 0 ? GM_EXIT_DONE : GM_EXIT_FAILED;
}

enum gm_exit gm_command_completion(const struct gm_args *args, struct gm_term *term)
{
    struct gm_err err = {0};
    if (strcmp(args->operand, "words") == 0) {
        return put_words(args, term);
    }
    const char *script = gm_complete_script(args->operand);
    if (script == NULL || args->operand_count > 1) {
        GM_IGNORE(gm_err_set(&err, GM_E_INVAL, 0,
                             "completion is for bash, zsh or fish, not for `%.40s`",
                             args->operands[script == NULL ? 0 : 1]),
                  "reported");
        return gm_command_fail(args, term, &err);
    }
    return fputs(script, stdout) >= 0 && fflush(stdout) == 0 ? GM_EXIT_DONE : GM_EXIT_FAILED;
}
