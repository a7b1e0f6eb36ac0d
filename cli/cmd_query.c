/* The commands that ask the API once, or page after page, and print its answer (cli/query.h). */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/asset.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/pages.h"
#include "cli/print.h"
#include "cli/query.h"

#define HTTP_ACCEPTED 202

static bool goes_on(const struct gm_args *args, const struct gm_answer *answer)
{
    return args->command == GM_CMD_STORAGE_SWEEP && answer->status == HTTP_ACCEPTED;
}

/* Asks until there is a last answer: a sweep may take as long as it likes. */
static int ask(struct gm_session *session, const struct gm_args *args, struct gm_term *term,
               struct gm_query *q, struct gm_answer *answer, struct gm_err *err)
{
    if (args->command == GM_CMD_ASSET_SHOW) {
        return gm_asset_get(session, q->path, args->operand, answer, err);
    }
    if (q->paging == GM_PAGING_CURSOR) {
        size_t page = args->command == GM_CMD_ASSET_LIST ? GM_ASSET_PAGE_MAX : GM_PAGE_MAX;
        return gm_pages_call(session, q->path, q->rows, (size_t)args->limit, page, answer, err);
    }
    if (q->paging == GM_PAGING_AFTER) {
        return gm_pages_after(session, q->path, q->rows, answer, err);
    }
    int rc = gm_session_call(session, q->method, q->path, q->body, !q->once, answer, err);
    if (rc == 0 && answer->body == NULL && q->gone != NULL) { /* by a try whose answer was lost */
        answer->body = json_pack("{s:s}", q->gone, args->operand);
    }
    while (rc == 0 && goes_on(args, answer)) {
        const json_t *found = json_object_get(answer->body, "found");
        gm_term_note(term, "the work store is being swept: %.20s, %zu found",
                     gm_job_text(answer->body, "state"), json_array_size(found));
        json_t *id = json_object_get(answer->body, "sweep");
        if (!json_is_integer(id) || json_object_set(q->body, "sweep", id) < 0) {
            return gm_err_set(err, GM_E_PROTO, 0, "an answer of a sweep has no number");
        }
        json_decref(answer->body);
        *answer = (struct gm_answer){.body = NULL};
        rc = gm_session_call(session, q->method, q->path, q->body, true, answer, err);
    }
    return rc;
}

/* Who reads no further, as `head`, has what he wants. */
static int written(bool done, struct gm_err *err)
{
    int native = errno;
    return done || native == EPIPE ? 0
                                   : gm_err_set(err, GM_E_SYS, native, "could not write to stdout");
}

enum gm_exit gm_command_query(const struct gm_args *args, struct gm_term *term)
{
    struct gm_query q = {0};
    struct gm_err err = {0};
    struct gm_session *session = NULL;
    struct gm_answer answer = {0};
    /* Pipelines are the scheduler's alone: no node is needed to read them. */
    static const struct gm_farm_params farm = {.nodes = 0};
    int rc = gm_query_make(args, &q, &err);
    if (rc == 0) {
        rc = gm_command_session(args, &farm, term, &session, &err);
    }
    if (rc == 0) {
        rc = ask(session, args, term, &q, &answer, &err);
    }
    gm_session_close(&session);
    if (rc == 0 && args->json) {
        rc = written(gm_print_json(stdout, answer.body) == 0, &err);
    } else if (rc == 0) {
        q.print(stdout, answer.body);
        rc = written(fflush(stdout) == 0, &err);
    }
    json_decref(q.body);
    json_decref(answer.body);
    return rc < 0 ? gm_command_fail(args, term, &err) : GM_EXIT_DONE;
}
