/* GET /v1/assets: titles that were published. Of several jobs that published at one destination the
 * newest counts, so the newer ones than those of a page are looked at, too. */
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "scheduler/core/mem.h"
#include "scheduler/core/view_farm.h"
#include "scheduler/doc_assets.h"
#include "scheduler/http/gate.h"
#include "scheduler/http/request.h"

#define LIST_DEFAULT 50
#define LIST_MAX 200

struct place {       /* that a newer job published to */
    const char *url; /* borrowed */
    UT_hash_handle hh;
};
struct assets {
    const struct gm_request *r; /* borrowed */
    const char *part;           /* NULL: any */
    const char *cursor;         /* NULL: from the newest on */
    uint64_t limit;
    struct place *places; /* owned */
    json_t *list;         /* owned */
    const char *last;     /* that is in the list */
    bool ending;          /* of one of them the end is not on disk yet */
};

/* True: a newer one was there before. */
static bool is_replaced(struct assets *a, const char *url)
{
    struct place *place = NULL;
    HASH_FIND_STR(a->places, url, place);
    if (place != NULL) {
        return true;
    }
    place = gm_mem_zalloc(sizeof *place);
    place->url = url;
    HASH_ADD_KEYPTR(hh, a->places, place->url, strlen(place->url), place);
    return false;
}

static void places_free(struct assets *a)
{
    struct place *place, *next;
    HASH_ITER(hh, a->places, place, next)
    {
        HASH_DEL(a->places, place);
        free(place);
    }
}

static bool passes(struct assets *a, const char *id)
{
    const struct gm_core *core = gm_daemon_core(a->r->http->d);
    struct gm_card_view card;
    const char *source = NULL, *destination = NULL;
    struct gm_err unused;
    if (!gm_view_card(core, id, &card) ||
        gm_view_job_urls(core, id, &source, &destination, &unused) < 0 ||
        is_replaced(a, destination)) {
        return false;
    }
    return gm_caller_may_see(&a->r->caller, card.tenant) &&
           (a->part == NULL || strcasestr(card.source_name, a->part) != NULL ||
            strcasestr(destination, a->part) != NULL);
}

/* *out_more: others follow. */
static int list_assets(struct assets *a, bool *out_more, struct gm_err *err)
{
    const struct gm_core *core = gm_daemon_core(a->r->http->d);
    bool behind = a->cursor == NULL;
    *out_more = false;
    for (const char *id = gm_view_next_published(core, NULL); id != NULL;
         id = gm_view_next_published(core, id)) {
        json_t *doc = NULL;
        bool listed = passes(a, id);
        if (!behind) {
            behind = strcmp(id, a->cursor) == 0;
            continue;
        }
        if (!listed) {
            continue;
        }
        if (json_array_size(a->list) == a->limit) {
            *out_more = true;
            return 0;
        }
        int rc = gm_doc_asset(core, id, &doc, err);
        if (rc < 0) {
            return rc;
        }
        if (json_array_append_new(a->list, doc) != 0) {
            return gm_err_nomem(err);
        }
        a->ending = a->ending || gm_daemon_is_ending(a->r->http->d, id);
        a->last = id;
    }
    return 0;
}

/* Waits once, as GET /v1/jobs. */
void gm_handle_assets(struct gm_request *r)
{
    static const char *const known[] = {"limit", "cursor", "q", NULL};
    struct gm_err err = {0};
    struct assets a = {.r = r,
                       .part = gm_request_query(r, "q"),
                       .cursor = gm_request_query(r, "cursor"),
                       .limit = LIST_DEFAULT,
                       .list = json_array()};
    bool more = false;
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : gm_request_number(r, "limit", 1, LIST_MAX, &a.limit, &err);
    rc = rc < 0 ? rc : list_assets(&a, &more, &err);
    places_free(&a);
    if (rc < 0) {
        json_decref(a.list);
        gm_request_fail(r, &err);
    } else if (a.ending && !r->settled) {
        json_decref(a.list);
        gm_request_show_settled(r, gm_handle_assets);
    } else {
        gm_request_json(r, MHD_HTTP_OK,
                        json_pack("{s:o, s:s?}", "assets", a.list, "next", more ? a.last : NULL));
    }
}
