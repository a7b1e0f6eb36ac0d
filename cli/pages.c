#include "cli/pages.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/job.h"
#include "cli/url.h"
#include "common/buf.h"

/* cursor NULL: the first page. */
static int call_page(struct gm_session *session, const char *path, size_t limit, const char *cursor,
                     struct gm_answer *out, struct gm_err *err)
{
    struct gm_buf text = {0};
    char *escaped = NULL;
    int rc = cursor != NULL ? gm_url_escape(cursor, &escaped, err) : 0;
    gm_buf_printf(&text, "%slimit=%zu%s%s", path, limit, escaped != NULL ? "&cursor=" : "",
                  escaped != NULL ? escaped : "");
    rc = rc < 0 ? rc : gm_buf_check(&text, err);
    rc = rc < 0 ? rc
                : gm_session_call(session, "GET", (const char *)text.data, NULL, true, out, err);
    free(escaped);
    gm_buf_fini(&text);
    return rc;
}

/* before: what `next` of the page before it was; NULL: it is the first. */
static int check_page(const json_t *page, const char *rows, const json_t *before,
                      struct gm_err *err)
{
    const json_t *next = json_object_get(page, "next");
    bool goes_on = (json_is_string(next) || json_is_integer(next)) && !json_equal(next, before);
    return json_is_array(json_object_get(page, rows)) && (goes_on || json_is_null(next))
               ? 0
               : gm_err_set(err, GM_E_PROTO, 0, "a page of a list does not go on");
}

/* Behind what there is; `next` becomes the page's. */
static int join(json_t *all, json_t *page, const char *rows, struct gm_err *err)
{
    int rc = check_page(page, rows, json_object_get(all, "next"), err);
    if (rc < 0) {
        return rc;
    }
    return json_array_extend(json_object_get(all, rows), json_object_get(page, rows)) < 0 ||
                   json_object_set(all, "next", json_object_get(page, "next")) < 0
               ? gm_err_nomem(err)
               : 0;
}

static size_t at_most(size_t count, size_t page_max)
{
    return count < page_max ? count : page_max;
}

int gm_pages_call(struct gm_session *session, const char *path, const char *rows, size_t limit,
                  size_t page_max, struct gm_answer *out, struct gm_err *err)
{
    int rc = call_page(session, path, at_most(limit, page_max), NULL, out, err);
    while (rc == 0) {
        struct gm_answer page = {0};
        size_t count = json_array_size(json_object_get(out->body, rows));
        const char *next = json_string_value(json_object_get(out->body, "next"));
        if (next == NULL || count >= limit) {
            break;
        }
        rc = call_page(session, path, at_most(limit - count, page_max), next, &page, err);
        rc = rc < 0 ? rc : join(out->body, page.body, rows, err);
        json_decref(page.body);
    }
    return rc;
}

int gm_pages_last(struct gm_session *session, const char *path, const char *rows, json_t **out,
                  struct gm_err *err)
{
    json_t *next = NULL, *last = NULL;
    int rc;
    do {
        struct gm_answer page = {0};
        rc = call_page(session, path, GM_PAGE_MAX, json_string_value(next), &page, err);
        rc = rc < 0 ? rc : check_page(page.body, rows, next, err);
        const json_t *list = json_object_get(page.body, rows);
        if (rc == 0 && json_array_size(list) > 0) {
            json_decref(last);
            last = json_incref(json_array_get(list, json_array_size(list) - 1));
        }
        json_decref(next);
        next = rc == 0 ? json_incref(json_object_get(page.body, "next")) : NULL;
        json_decref(page.body);
    } while (json_is_string(next));
    json_decref(next);
    if (rc < 0) {
        json_decref(last);
        return rc;
    }
    *out = last;
    return 0;
}

int gm_pages_after(struct gm_session *session, const char *path, const char *rows,
                   struct gm_answer *out, struct gm_err *err)
{
    int64_t after = 0;
    int rc = 0;
    do {
        struct gm_buf text = {0};
        struct gm_answer page = {0};
        gm_buf_printf(&text, "%slimit=%d&after=%" PRId64, path, GM_PAGE_MAX, after);
        rc = gm_buf_check(&text, err);
        rc = rc < 0
                 ? rc
                 : gm_session_call(session, "GET", (const char *)text.data, NULL, true, &page, err);
        gm_buf_fini(&text);
        if (rc == 0 && out->body == NULL) {
            *out = page;
        } else {
            rc = rc < 0 ? rc : join(out->body, page.body, rows, err);
            json_decref(page.body);
        }
        after = rc == 0 ? json_integer_value(json_object_get(out->body, "next")) : 0;
    } while (rc == 0 && after > 0);
    return rc;
}
