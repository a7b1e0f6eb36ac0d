/* node restart: asks for one node after the other, and waits until each is back. The scheduler
 * keeps what was asked: a command that dies leaves no node drained. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/restart.h"
#include "cli/session.h"
#include "cli/url.h"

#define LOOK_MS 300

static int ask_nodes(struct gm_session *session, json_t **out, struct gm_err *err)
{
    struct gm_answer answer = {0};
    int rc = gm_session_call(session, "GET", "/v1/nodes", NULL, true, &answer, err);
    *out = answer.body;
    return rc;
}

static int ask_restart(struct gm_session *session, const struct gm_restart_node *node, bool force,
                       struct gm_err *err)
{
    char path[256];
    char *escaped = NULL;
    json_t *body = json_pack("{s:b}", "force", (int)force);
    int rc = body == NULL ? gm_err_nomem(err) : gm_url_escape(node->id, &escaped, err);
    if (rc == 0) {
        (void)snprintf(path, sizeof(path), "/v1/nodes/%s:restart", escaped);
        rc = gm_session_call(session, "POST", path, body, true, NULL, err);
    }
    free(escaped);
    json_decref(body);
    return rc;
}

/* As many as may be away at once. */
static int ask_next(struct gm_session *session, struct gm_restart *r, bool force,
                    struct gm_term *term, struct gm_err *err)
{
    struct gm_restart_node *node;
    while ((node = gm_restart_next(r)) != NULL) {
        bool first = node->since == 0;
        int rc = ask_restart(session, node, force, err);
        if (rc == 0) {
            gm_restart_asked(node, gm_time_now());
            gm_term_note(term, "%s: ends what it has, then starts anew", node->id);
        } else if (!gm_restart_refused(r, node, gm_time_now(), err)) {
            return rc;
        } else {
            if (first) {
                gm_term_note(term, "%s: waits: %s", node->id, err->text);
            }
            return 0;
        }
    }
    return 0;
}

static int look(struct gm_session *session, struct gm_restart *r, const struct gm_args *args,
                struct gm_err *err)
{
    json_t *nodes = NULL;
    const struct gm_restart_node *back = NULL;
    int rc = ask_nodes(session, &nodes, err);
    do {
        rc = rc < 0 ? rc : gm_restart_look(r, nodes, gm_time_now(), &back, err);
        if (rc == 0 && back != NULL && !args->json && printf("%s restarted\n", back->id) < 0) {
            rc = gm_err_set(err, GM_E_SYS, 0, "could not write to stdout");
        }
    } while (rc == 0 && back != NULL);
    json_decref(nodes);
    (void)fflush(stdout);
    return rc;
}

static int follow(struct gm_session *session, struct gm_restart *r, const struct gm_args *args,
                  struct gm_term *term, struct gm_err *err)
{
    int rc = 0;
    while (rc == 0 && !gm_restart_is_over(r)) {
        rc = ask_next(session, r, args->force, term, err);
        gm_time until = gm_time_now() + LOOK_MS * GM_MS;
        for (gm_time now = gm_time_now(); rc == 0 && now < until; now = gm_time_now()) {
            rc = gm_session_turn(session, (int)((until - now) / GM_MS) + 1, err);
            if (rc == 0 && session->interrupts > 0) {
                rc = gm_err_set(err, GM_E_CANCELLED, 0,
                                "interrupted: nodes that restart go on with it, the others were "
                                "not asked");
            }
        }
        rc = rc < 0 ? rc : look(session, r, args, err);
    }
    return rc;
}

static int print_all(const struct gm_restart *r, struct gm_err *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->count; i++) {
        if (json_array_append_new(list, json_string(r->nodes[i].id)) != 0) {
            json_decref(list);
            return gm_err_nomem(err);
        }
    }
    json_t *document = json_pack("{s:o}", "restarted", list);
    int rc = document != NULL && json_dumpf(document, stdout, 0) == 0 && printf("\n") > 0 &&
                     fflush(stdout) == 0
                 ? 0
                 : gm_err_set(err, GM_E_SYS, 0, "could not write to stdout");
    json_decref(document);
    return rc;
}

enum gm_exit gm_command_restart(const struct gm_args *args, struct gm_term *term)
{
    static const struct gm_farm_params none = {.nodes = 0};
    struct gm_err err = {0};
    struct gm_session *session = NULL;
    json_t *nodes = NULL;
    struct gm_restart r = {.at_once = (size_t)args->at_once, .patience = args->timeout * GM_SEC};
    int rc = gm_command_session(args, &none, term, &session, &err);
    rc = rc < 0 ? rc : ask_nodes(session, &nodes, &err);
    rc = rc < 0 ? rc : gm_restart_init(&r, args->operands, args->operand_count, nodes, &err);
    json_decref(nodes);
    rc = rc < 0 ? rc : follow(session, &r, args, term, &err);
    if (rc == 0 && args->json) {
        rc = print_all(&r, &err);
    }
    gm_session_close(&session);
    gm_restart_fini(&r);
    return rc < 0 ? gm_command_fail(args, term, &err) : GM_EXIT_DONE;
}
