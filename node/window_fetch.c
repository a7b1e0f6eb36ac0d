/* The requests of windows: ranges by GET, under a condition that refuses another object, and of
 * servers without ranges the whole, once and in sequence.
 *
 * What comes is written where it belongs at once, and blocks count as present as soon as they are
 * whole: before the first byte the answer has said of which object they are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "node/window_state.h"
#include "storage/s3/redirect.h"
#include "storage/s3/url.h"

#define TRIES 10
#define TRY_TIME (120 * GM_SEC)
#define WHOLE_TIME (3600 * GM_SEC)

static bool is_date(const char *etag)
{
    size_t size = strlen(etag);
    return size > 4 && strcmp(etag + size - 4, " GMT") == 0;
}

static bool is_weak(const char *etag)
{
    return strncmp(etag, "W/", 2) == 0;
}

/* What the object that is fetched must have. */
static const char *etag_of(const struct gm_window_fetch *fetch)
{
    const struct gm_window *window = fetch->window;
    const char *own = window->parts.count > 0 ? window->parts.list[fetch->part].etag : NULL;
    return own != NULL ? own : window->etag;
}

/* If-Match compares strongly: a weak ETag would never match (RFC 9110, 13.1.1). */
static int set_condition(struct gm_window_fetch *fetch, struct gm_err *err)
{
    const char *etag = etag_of(fetch);
    bool quoted = etag[0] == '"' || is_date(etag);
    if (etag[0] == '\0' || is_weak(etag)) {
        return 0;
    }
    if (asprintf(&fetch->etag, quoted ? "%s" : "\"%s\"", etag) < 0) {
        fetch->etag = NULL;
        return gm_err_nomem(err);
    }
    fetch->condition =
        (struct gm_s3_field){is_date(etag) ? "If-Unmodified-Since" : "If-Match", fetch->etag};
    return 0;
}

static void free_fetch(struct gm_window_fetch *fetch)
{
    struct gm_windows *windows = fetch->window->windows;
    for (struct gm_window_fetch **at = &windows->fetches; *at != NULL; at = &(*at)->next) {
        if (*at == fetch) {
            *at = fetch->next;
            windows->fetch_count--;
            break;
        }
    }
    free(fetch->etag);
    free(fetch->url);
    free(fetch);
}

/* Whether the whole of the source is on its way: all blocks that come are that fetch's. */
static bool is_whole_coming(const struct gm_window *window)
{
    const struct gm_window_fetch *f = window->windows->fetches;
    while (f != NULL && (f->window != window || !f->whole)) {
        f = f->next;
    }
    return f != NULL;
}

/* Blocks that did not come are absent again. */
static struct gm_block_run give_up_rest(struct gm_window_fetch *fetch)
{
    struct gm_block_run rest = {fetch->run.from + fetch->arrived,
                                fetch->run.count - fetch->arrived};
    if (fetch->whole || !is_whole_coming(fetch->window)) {
        gm_blocks_set(&fetch->window->blocks, rest, GM_BLOCK_ABSENT, 0);
    }
    return rest;
}

/* ETags without the mark of weakness and the quotes, which some write and some do not. */
static bool is_same_etag(const char *a, const char *b)
{
    a += is_weak(a) ? 2 : 0;
    b += is_weak(b) ? 2 : 0;
    size_t n = strlen(a), m = strlen(b);
    if (n >= 2 && a[0] == '"') {
        a++;
        n -= 2;
    }
    if (m >= 2 && b[0] == '"') {
        b++;
        m -= 2;
    }
    return n == m && memcmp(a, b, n) == 0;
}

static int on_begin(const struct gm_s3_begin *begin, void *arg, struct gm_err *err)
{
    const struct gm_window_fetch *fetch = arg;
    const struct gm_window *window = fetch->window;
    const char *etag = etag_of(fetch);
    const char *told = is_date(etag) ? begin->modified : begin->etag;
    bool other = etag[0] != '\0' && told[0] != '\0' &&
                 (is_date(etag) ? strcmp(told, etag) != 0 : !is_same_etag(told, etag));
    uint64_t size = window->size;
    if (window->parts.count > 0) {
        size = window->parts.list[fetch->part + 1].at - fetch->part_at;
    }
    if (other || (begin->size != 0 && begin->size != size)) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, GM_WINDOW_CHANGED);
    }
    return 0;
}

/* Blocks of which all is there now. */
static void take_blocks(struct gm_window_fetch *fetch)
{
    struct gm_window *window = fetch->window;
    uint64_t end = fetch->from + fetch->got;
    uint32_t first = fetch->arrived;
    while (fetch->arrived < fetch->run.count) {
        uint64_t block_end = (uint64_t)(fetch->run.from + fetch->arrived + 1) * GM_BLOCK;
        if ((block_end < window->size ? block_end : window->size) > end) {
            break;
        }
        fetch->arrived++;
    }
    if (fetch->arrived > first) {
        gm_blocks_set(&window->blocks,
                      (struct gm_block_run){fetch->run.from + first, fetch->arrived - first},
                      GM_BLOCK_PRESENT, ++window->windows->clock);
        gm_window_serve(window);
    }
}

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    struct gm_window_fetch *fetch = arg;
    const uint8_t *at = data;
    if (size > fetch->until - fetch->from - fetch->got) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, "the source is larger than it was");
    }
    for (size_t left = size; left > 0;) {
        ssize_t n = pwrite(fetch->window->fd, at, left, (off_t)(fetch->from + fetch->got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gm_err_sys(err, errno, "could not write into a window");
        }
        at += n;
        left -= (size_t)n;
        fetch->got += (uint64_t)n;
    }
    if (fetch->reader != NULL) {
        fetch->reader->fetched += size;
    }
    if (fetch->window->parts.count > 0) {
        fetch->window->parts.list[fetch->part].refused = 0;
    }
    take_blocks(fetch);
    return 0;
}

/* ---- where it is */

static const char *place_of(const struct gm_window *window)
{
    return window->target != NULL ? window->target : window->url;
}

/* Others may have learned meanwhile where it is, or that it is no longer there. */
static bool is_elsewhere(const struct gm_window_fetch *fetch)
{
    return strcmp(fetch->url, place_of(fetch->window)) != 0;
}

static void forget_target(struct gm_window_fetch *fetch)
{
    struct gm_window *window = fetch->window;
    if (window->target != NULL && !is_elsewhere(fetch)) {
        free(window->target);
        window->target = NULL;
    }
}

/* A signature is for one host. False: it may not be followed. */
static bool follow(struct gm_window_fetch *fetch, const struct gm_s3_result *result)
{
    struct gm_window *window = fetch->window;
    struct gm_err err;
    char *to = NULL;
    if (fetch->hops >= GM_HTTP_REDIRECTS || result->location == NULL ||
        strstr(window->url, "X-Amz-Signature=") != NULL) {
        forget_target(fetch);
        return false;
    }
    if (is_elsewhere(fetch)) {
        return true;
    }
    if (gm_http_redirect(fetch->url, result->location, &to, &err) < 0) {
        forget_target(fetch);
        return false;
    }
    free(window->target);
    window->target = to;
    return true;
}

/* ---- the end */

static void explain(const struct gm_s3_result *result, struct gm_err *out)
{
    *out = result->err;
    if (result->renew) {
        gm_err_set(out, GM_E_TIMEOUT, result->err.native,
                   "the grant of the source is over: the next attempt gets another");
    } else if (out->code == GM_E_NOTFOUND) {
        out->code = GM_E_INPUT_MISSING;
    } else if (out->code != GM_E_INPUT_CHANGED &&
               (result->status == 412 || result->status == 416)) {
        gm_err_set(out, GM_E_INPUT_CHANGED, result->err.native, GM_WINDOW_CHANGED);
    } else if (gm_http_is_redirect(result->status)) {
        gm_err_set(out, GM_E_STORE, result->status,
                   "the source's server redirects to where it may not be followed");
    } else if (out->code == GM_E_STORE_EXISTS || out->code == GM_E_STORE_CORRUPT) {
        out->code = GM_E_STORE; /* an answer that is at fault says nothing of the source */
    }
}

/* Whether another try by another way is worth it; the window says which. */
static bool goes_on(struct gm_window_fetch *fetch, const struct gm_s3_result *result)
{
    struct gm_window *window = fetch->window;
    if (result->rc == -GM_E_NO_SCRATCH && !fetch->emptied) {
        fetch->emptied = true;
        gm_windows_empty(window->windows);
        return true;
    }
    if (window->parts.count > 0) {
        const struct gm_window_part *part = &window->parts.list[fetch->part];
        return part->serial != fetch->part_serial && gm_window_part_known(part);
    }
    if (result->status == 200 && result->rc == -GM_E_STORE && !fetch->whole) {
        window->whole = true;
        return true;
    }
    if (gm_http_is_redirect(result->status)) {
        return follow(fetch, result);
    }
    if (fetch->redirected && result->status >= 400) { /* such targets are often for a while */
        forget_target(fetch);
        if (!fetch->returned && fetch->hops < GM_HTTP_REDIRECTS) {
            fetch->returned = true;
            return true;
        }
    }
    return fetch->url_serial != window->url_serial &&
           (result->renew || result->err.code == GM_E_STORE_DENIED);
}

/* What could not be read ahead is left until somebody needs it. */
static void end_ahead(struct gm_window *window, struct gm_block_run run)
{
    for (struct gm_window_reader *r = window->readers; r != NULL; r = r->next) {
        for (size_t i = 0; i < GM_WINDOW_STREAMS; i++) {
            struct gm_window_stream *s = &r->streams[i];
            if (s->next < run.from + run.count && run.from < s->next + s->ahead) {
                s->ahead = 0;
            }
        }
    }
}

static int start(struct gm_window *window, struct gm_window_reader *reader, struct gm_block_run run,
                 const struct gm_window_fetch *before, struct gm_err *err);

/* The URL of its part is not, or no longer, good: readers want another. An object that is gone is
 * asked for, too: who gives URLs knows whether the upload has ended. */
static bool is_wanted_again(const struct gm_window_fetch *fetch, const struct gm_s3_result *result)
{
    struct gm_window *window = fetch->window;
    enum gm_code code = result->err.code;
    return result->rc < 0 && window->parts.count > 0 &&
           (result->renew || code == GM_E_STORE_DENIED || code == GM_E_NOTFOUND) &&
           gm_window_part_refused(&window->parts.list[fetch->part], fetch->part_serial);
}

/* The part ends there, and what is fetched does not. */
static bool is_at_border(const struct gm_window_fetch *fetch, const struct gm_s3_result *result)
{
    return result->rc == 0 && fetch->from + fetch->got == fetch->until && fetch->got < fetch->size;
}

static bool is_next_known(const struct gm_window_fetch *fetch)
{
    return gm_window_part_known(&fetch->window->parts.list[fetch->part + 1]);
}

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct gm_window_fetch *fetch = arg;
    struct gm_window *window = fetch->window;
    struct gm_block_run rest = give_up_rest(fetch);
    struct gm_err why = {.code = GM_OK};
    bool border = is_at_border(fetch, result);
    bool again = border ? is_next_known(fetch) : result->rc < 0 && goes_on(fetch, result);
    if (!again && (border || is_wanted_again(fetch, result))) {
        gm_log_err(GM_LOG_DEBUG, "window-part", &result->err, "part=%u", (unsigned)fetch->part);
    } else if (again && (fetch->whole || !is_whole_coming(window))) {
        fetch->hops += result->rc < 0;
        GM_IGNORE(start(window, fetch->reader, rest, fetch, &why), "why says it");
    } else if (result->rc < 0 && !again) {
        explain(result, &why);
        window->changed = window->changed || why.code == GM_E_INPUT_CHANGED;
    } else if (result->rc == 0 && rest.count > 0) {
        gm_err_set(&why, GM_E_STORE, 0, "the source's server sent less than was asked for");
    }
    free_fetch(fetch);
    if (why.code != GM_OK) {
        gm_log_err(GM_LOG_DEBUG, "window-fetch", &why, "blocks=%u", (unsigned)rest.count);
        end_ahead(window, rest);
        gm_window_fail(window, rest, &why);
    }
    gm_window_serve(window);
    gm_window_pump(window);
}

/* ---- the beginning */

static struct gm_s3_call call_of(struct gm_window_fetch *fetch)
{
    struct gm_s3_call call = {
        .method = "GET",
        .url = fetch->url,
        .headers = &fetch->condition,
        .header_count = fetch->condition.name == NULL ? 0 : 1,
        .fd = -1,
        .wants = GM_S3_WANTS_BODY,
        .range_from = fetch->whole ? 0 : fetch->from + fetch->got - fetch->part_at,
        .range_size = fetch->whole ? 0 : fetch->until - fetch->from - fetch->got,
        .on_begin = on_begin,
        .on_body = on_body,
        .max_tries = TRIES,
        .max_time = fetch->whole ? WHOLE_TIME : TRY_TIME,
        .done = on_done,
        .arg = fetch,
    };
    if (fetch->window->parts.count > 0) {
        call.url_until_unix_ms = fetch->window->parts.list[fetch->part].until_unix_ms;
    } else if (!gm_s3_url_until(fetch->url, &call.url_until_unix_ms)) {
        call.url_until_unix_ms = 0;
    }
    return call;
}

/* Where it goes, and how far: a request crosses no part's border. */
static const char *aim(struct gm_window_fetch *fetch)
{
    const struct gm_window_parts *parts = &fetch->window->parts;
    fetch->until = fetch->from + fetch->size;
    if (parts->count == 0) {
        return place_of(fetch->window);
    }
    fetch->part = gm_window_parts_find(parts, fetch->from + fetch->got);
    const struct gm_window_part *part = &parts->list[fetch->part];
    fetch->part_at = part->at;
    fetch->part_serial = part->serial;
    fetch->until = part[1].at < fetch->until ? part[1].at : fetch->until;
    return part->url;
}

/* What has come of a block goes on behind it, in the next part or by another URL. */
static void go_on(struct gm_window_fetch *fetch, const struct gm_window_fetch *before)
{
    fetch->hops = before->hops;
    fetch->returned = before->returned;
    fetch->emptied = before->emptied;
    if (fetch->window->parts.count > 0) {
        fetch->run = before->run;
        fetch->arrived = before->arrived;
        fetch->from = before->from;
        fetch->size = before->size;
        fetch->got = before->got;
    }
}

static int make_fetch(struct gm_window *window, struct gm_block_run run,
                      const struct gm_window_fetch *before, struct gm_window_fetch **out,
                      struct gm_err *err)
{
    struct gm_window_fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL) {
        return gm_err_nomem(err);
    }
    fetch->window = window;
    fetch->run = run;
    fetch->whole = window->whole;
    fetch->from = run.from * GM_BLOCK;
    uint64_t end = (run.from + (uint64_t)run.count) * GM_BLOCK;
    fetch->size = (end < window->size ? end : window->size) - fetch->from;
    fetch->redirected = window->target != NULL;
    fetch->url_serial = window->url_serial;
    if (before != NULL) {
        go_on(fetch, before);
    }
    const char *url = aim(fetch);
    fetch->url = url == NULL ? NULL : strdup(url);
    int rc = 0;
    if (fetch->url == NULL) {
        rc = url == NULL ? gm_err_set(err, GM_E_BUG, fetch->part, "a part without a URL")
                         : gm_err_nomem(err);
    } else {
        rc = set_condition(fetch, err);
    }
    if (rc < 0) {
        free(fetch->etag);
        free(fetch->url);
        free(fetch);
        return rc;
    }
    *out = fetch;
    return 0;
}

static int check_window(const struct gm_window *window, struct gm_err *err)
{
    if (window->changed) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, GM_WINDOW_CHANGED);
    }
    if (window->whole && window->size > window->windows->max_bytes) {
        return gm_err_set(err, GM_E_LIMIT, 0,
                          "the source's server gives no ranges, and all of it is more than "
                          "source_cache_bytes");
    }
    return 0;
}

/* before: whose place it takes; NULL: it is the first. */
static int start(struct gm_window *window, struct gm_window_reader *reader, struct gm_block_run run,
                 const struct gm_window_fetch *before, struct gm_err *err)
{
    struct gm_windows *windows = window->windows;
    struct gm_window_fetch *fetch = NULL;
    int rc = check_window(window, err);
    if (rc < 0) {
        return rc;
    }
    if (window->whole) { /* what is there of it comes again: the same bytes */
        run = (struct gm_block_run){0, window->blocks.count};
    }
    rc = make_fetch(window, run, before, &fetch, err);
    if (rc < 0) {
        return rc;
    }
    gm_windows_make_room(windows, run.count);
    const struct gm_s3_call call = call_of(fetch);
    rc = gm_transfer_start(windows->transfers, &fetch->transfer, &call, err);
    fetch->next = windows->fetches;
    windows->fetches = fetch;
    windows->fetch_count++;
    if (rc < 0) {
        free_fetch(fetch);
        return rc;
    }
    fetch->reader = reader;
    gm_blocks_set(&window->blocks, run, GM_BLOCK_COMING, windows->clock);
    return 0;
}

int gm_window_fetch_start(struct gm_window *window, struct gm_window_reader *reader,
                          struct gm_block_run run, struct gm_err *err)
{
    return start(window, reader, run, NULL, err);
}

void gm_window_fetch_cancel(struct gm_window *window)
{
    struct gm_window_fetch *next = NULL;
    for (struct gm_window_fetch *f = window->windows->fetches; f != NULL; f = next) {
        next = f->next;
        if (f->window == window) {
            gm_transfer_cancel(&f->transfer);
            (void)give_up_rest(f);
            free_fetch(f);
        }
    }
}

void gm_window_fetch_forget(struct gm_window *window, const struct gm_window_reader *reader)
{
    for (struct gm_window_fetch *f = window->windows->fetches; f != NULL; f = f->next) {
        f->reader = f->window == window && f->reader == reader ? NULL : f->reader;
    }
}
