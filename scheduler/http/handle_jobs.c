/* GET /v1/jobs: jobs, newest first, sifted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/http/gate.h"
#include "scheduler/http/request.h"
#include "scheduler/report.h"

#define LIST_DEFAULT 50
#define LIST_MAX 500
/* What an answer may cost in jobs that do not fit; then it has a `next`. A look at a job's state
 * and tenant costs 1, one that searches its texts as much as many of those. */
#define COST_MAX 100000
#define COST_OF_TEXTS 50

struct sieve {
    const char *state, *tenant, *pipeline, *external_id, *part; /* borrowed; NULL: any */
    bool light;
    uint64_t limit;
};

static int check_state(const char *text, struct gm_err *err)
{
    for (int s = 0; s < GM_JOB_STATES; s++) {
        if (text == NULL || strcmp(gm_job_state_name((enum gm_job_state)s), text) == 0) {
            return 0;
        }
    }
    return gm_err_set(err, GM_E_INVAL, 0, "there is no such job state");
}

static int read_sieve(struct gm_request *r, struct sieve *out, struct gm_err *err)
{
    static const char *const known[] = {"state", "tenant", "pipeline", "external_id", "q",
                                        "limit", "cursor", "light",    NULL};
    uint64_t light = 0;
    *out = (struct sieve){.state = gm_request_query(r, "state"),
                          .tenant = gm_request_query(r, "tenant"),
                          .pipeline = gm_request_query(r, "pipeline"),
                          .external_id = gm_request_query(r, "external_id"),
                          .part = gm_request_query(r, "q"),
                          .limit = LIST_DEFAULT};
    int rc = gm_request_check_query(r, known, err);
    rc = rc < 0 ? rc : gm_request_number(r, "limit", 1, LIST_MAX, &out->limit, err);
    rc = rc < 0 ? rc : gm_request_number(r, "light", 0, 1, &light, err);
    out->light = light != 0;
    return rc < 0 ? rc : gm_at_query(&r->at, check_state(out->state, err), "state");
}

static bool is(const char *wanted, const char *value)
{
    return wanted == NULL || strcmp(wanted, value) == 0;
}

static bool passes_soon(const struct gm_request *r, const struct sieve *s,
                        const struct gm_card_view *card)
{
    return is(s->state, gm_job_state_name(card->state)) && is(s->tenant, card->tenant) &&
           gm_caller_may_see(&r->caller, card->tenant);
}

static bool passes_texts(const struct sieve *s, const struct gm_card_view *card)
{
    return is(s->pipeline, card->pipeline_name) && is(s->external_id, card->external_id) &&
           (s->part == NULL || strcasestr(card->id, s->part) != NULL ||
            strcasestr(card->external_id, s->part) != NULL ||
            strcasestr(card->source_name, s->part) != NULL);
}

/* A position is "SEQ-ID", or, where the job is none of the caller's, "SEQ": it says nothing of
 * whose job is there, and stays good when that one is forgotten. */
#define CURSOR_BYTES 96

static void write_cursor(const struct gm_request *r, const char *id, char out[CURSOR_BYTES])
{
    struct gm_card_view card = {.seq = 0};
    bool is = gm_view_card(gm_daemon_core(r->http->d), id, &card);
    bool own = is && gm_caller_may_see(&r->caller, card.tenant);
    (void)snprintf(out, CURSOR_BYTES, "%llu%s%s", (unsigned long long)card.seq, own ? "-" : "",
                   own ? id : "");
}

/* One of the release before is the job that was listed last: good while that is known. */
static bool is_listed_last(const struct gm_request *r, const char *text)
{
    struct gm_card_view card;
    return gm_view_card(gm_daemon_core(r->http->d), text, &card) &&
           gm_caller_may_see(&r->caller, card.tenant);
}

/* The job to begin with; NULL: there is none. */
static int read_cursor(const struct gm_request *r, const char **out_id, struct gm_err *err)
{
    const struct gm_core *core = gm_daemon_core(r->http->d);
    const char *text = gm_request_query(r, "cursor"), *last = NULL;
    struct gm_card_view card;
    char *end = NULL;
    if (text == NULL) {
        *out_id = gm_view_next_job(core, NULL, true);
        return 0;
    }
    errno = 0;
    unsigned long long seq = strtoull(text, &end, 10);
    bool numbered = text[0] >= '0' && text[0] <= '9' && errno == 0 && (*end == '-' || *end == '\0');
    if (numbered && *end == '-' && gm_view_card(core, end + 1, &card) && card.seq == seq) {
        last = end + 1;
    } else if (is_listed_last(r, text)) {
        last = text;
    } else if (!numbered) {
        return gm_err_set(err, GM_E_INVAL, 0, "cursor is the `next` of an answer");
    }
    *out_id = last != NULL ? gm_view_next_job(core, last, true) : gm_view_job_before(core, seq);
    return 0;
}

/* Adds to *cost what it took to find out. */
static bool is_listed(const struct gm_request *r, const struct sieve *sieve, const char *id,
                      size_t *cost)
{
    struct gm_card_view card;
    *cost += 1;
    if (!gm_view_card(gm_daemon_core(r->http->d), id, &card) || !passes_soon(r, sieve, &card)) {
        return false;
    }
    *cost += COST_OF_TEXTS - 1;
    return passes_texts(sieve, &card) && !gm_submit_is_unstored(r->http, id);
}

/* *out_ending: of one of them the end is not on disk yet. */
static int list_jobs(struct gm_request *r, json_t *list, char out_next[CURSOR_BYTES],
                     bool *out_ending, struct gm_err *err)
{
    const char *id = NULL;
    const struct gm_core *core = gm_daemon_core(r->http->d);
    struct sieve sieve;
    const char *last = NULL;
    int rc = read_sieve(r, &sieve, err);
    rc = rc < 0 ? rc : read_cursor(r, &id, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t cost = 0; id != NULL; id = gm_view_next_job(core, id, true)) {
        json_t *doc = NULL;
        bool dear = cost >= COST_MAX;
        bool listed = is_listed(r, &sieve, id, &cost);
        if (dear || (listed && json_array_size(list) == sieve.limit)) {
            write_cursor(r, last, out_next);
            return 0;
        }
        last = id;
        if (!listed) {
            continue;
        }
        *out_ending = *out_ending || gm_daemon_is_ending(r->http->d, id);
        rc = sieve.light ? gm_doc_job_row(core, id, &doc, err)
                         : gm_doc_job(core, id, true, &doc, err);
        if (rc < 0) {
            return rc;
        }
        if (json_array_append_new(list, doc) != 0) {
            return gm_err_nomem(err);
        }
    }
    out_next[0] = '\0';
    return 0;
}

/* Waits once: where jobs end all the time it would never come to an end. */
void gm_handle_jobs(struct gm_request *r)
{
    struct gm_err err = {0};
    char next[CURSOR_BYTES] = "";
    bool ending = false;
    json_t *list = json_array();
    int rc = list == NULL ? gm_err_nomem(&err) : list_jobs(r, list, next, &ending, &err);
    if (rc < 0) {
        json_decref(list);
        gm_request_fail(r, &err);
    } else if (ending && !r->settled) {
        json_decref(list);
        gm_request_show_settled(r, gm_handle_jobs);
    } else {
        gm_request_json(r, MHD_HTTP_OK,
                        json_pack("{s:o, s:o}", "jobs", list, "next", gm_json_text_or_null(next)));
    }
}
