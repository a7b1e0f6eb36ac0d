#include "scheduler/check_store.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "scheduler/core/core.h"
#include "scheduler/json.h"
#include "scheduler/store/state.h"

#define TOLD_MAX 1000 /* problems; the others are counted */

struct check {
    struct gm_core *core; /* owned */
    char **told;          /* owned, and its sentences */
    size_t told_count, told_cap;
    size_t count;
    bool exhausted; /* a sentence was lost: out of memory */
};

static void on_problem(const char *text, void *arg)
{
    struct check *c = arg;
    struct gm_err err;
    c->count++;
    if (c->told_count == TOLD_MAX) {
        return;
    }
    char *copy = strdup(text);
    if (copy == NULL ||
        gm_array_reserve(&c->told, c->told_count, 1, &c->told_cap, sizeof *c->told, &err) < 0) {
        free(copy);
        c->exhausted = true;
        return;
    }
    c->told[c->told_count++] = copy;
}

static int on_row(const struct gm_key *key, const void *data, size_t size, void *arg,
                  struct gm_err *err)
{
    struct check *c = arg;
    struct gm_err own = {0};
    (void)err;
    if (gm_core_load(c->core, key, data, size, &own) < 0) {
        on_problem(own.text, c);
    }
    return 0;
}

/* What only all rows together can say: the core goes through them as at a start. */
static void check_whole(struct check *c)
{
    struct gm_effects fx = {0};
    struct gm_err err = {0};
    char text[sizeof err.text + 64];
    int rc = gm_core_loaded(c->core, 0, &fx, &err);
    if (rc == 0) {
        rc = gm_core_check(c->core, &err);
    }
    if (rc < 0) {
        (void)snprintf(text, sizeof text, "a scheduler does not start with it: %s", err.text);
        on_problem(text, c);
    }
    gm_effects_fini(&fx);
}

static const char *const KINDS[] = {"other", "job", "task", "item", "object", "attempt", "node"};

static void print_told(FILE *out, const struct check *c)
{
    for (size_t i = 0; i < c->told_count; i++) {
        (void)fprintf(out, "%s\n", c->told[i]);
    }
    if (c->count > c->told_count) {
        (void)fprintf(out, "and %zu more\n", c->count - c->told_count);
    }
}

static void print_text(FILE *out, const char *state, const struct check *c,
                       const struct gm_state_facts *facts)
{
    print_told(out, c);
    (void)fprintf(out, "%s: schema %d, term %llu, %llu events, rows:", state, GM_STATE_SCHEMA,
                  (unsigned long long)facts->term, (unsigned long long)facts->events);
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (facts->rows[i] > 0) {
            (void)fprintf(out, " %s %llu", KINDS[i], (unsigned long long)facts->rows[i]);
        }
    }
    if (c->count == 0) {
        (void)fprintf(out, ": ok\n");
    } else {
        (void)fprintf(out, ": %zu problem%s\n", c->count, c->count == 1 ? "" : "s");
    }
}

static json_t *told_json(const struct check *c)
{
    json_t *problems = json_array();
    for (size_t i = 0; i < c->told_count; i++) {
        problems = gm_json_add(problems, gm_json_string(c->told[i]));
    }
    return problems;
}

static int print_json(FILE *out, const char *state, const struct check *c,
                      const struct gm_state_facts *facts, struct gm_err *err)
{
    struct gm_buf text = {0};
    json_t *rows = json_object();
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        (void)json_object_set_new(rows, KINDS[i], json_integer((json_int_t)facts->rows[i]));
    }
    json_t *doc = json_pack("{s:o, s:i, s:I, s:I, s:o, s:I, s:o}", "state", gm_json_string(state),
                            "schema", GM_STATE_SCHEMA, "term", (json_int_t)facts->term, "events",
                            (json_int_t)facts->events, "rows", rows, "problem_count",
                            (json_int_t)c->count, "problems", told_json(c));
    int rc = gm_json_text(doc, true, &text, err);
    if (rc == 0) {
        (void)fwrite(text.data, 1, text.size, out);
    }
    gm_buf_fini(&text);
    return rc;
}

static int check(struct check *c, const char *where, struct gm_state_facts *facts,
                 struct gm_err *err)
{
    struct gm_core_params params = {.term = 1};
    int rc = gm_core_create(&params, &c->core, err);
    if (rc == 0) {
        rc = gm_state_check(where, on_row, on_problem, c, facts, err);
    }
    if (rc == 0) {
        check_whole(c);
    }
    return rc == 0 && c->exhausted ? gm_err_nomem(err) : rc;
}

/* With what was found before it. */
static void print_error(FILE *out, const struct check *c, const struct gm_err *err)
{
    struct gm_buf text = {0};
    struct gm_err own;
    json_t *doc = json_pack("{s:o, s:I, s:o}", "error", gm_json_error((int)err->code, err->text),
                            "problem_count", (json_int_t)c->count, "problems", told_json(c));
    if (gm_json_text(doc, true, &text, &own) == 0) {
        (void)fwrite(text.data, 1, text.size, out);
    }
    gm_buf_fini(&text);
}

int gm_check_store(const char *where, bool json, FILE *out, size_t *out_problems,
                   struct gm_err *err)
{
    struct check c = {0};
    struct gm_state_facts facts;
    char *plain = gm_state_plain(where);
    int rc = plain == NULL ? gm_err_nomem(err) : check(&c, where, &facts, err);
    if (rc < 0 && json) {
        print_error(out, &c, err);
    } else if (rc < 0) {
        print_told(out, &c);
    } else if (rc == 0 && json) {
        rc = print_json(out, plain, &c, &facts, err);
    } else if (rc == 0) {
        print_text(out, plain, &c, &facts);
    }
    *out_problems = c.count;
    for (size_t i = 0; i < c.told_count; i++) {
        free(c.told[i]);
    }
    free(c.told);
    free(plain);
    gm_core_destroy(&c.core);
    return rc;
}
