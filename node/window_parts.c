/* Sources of parts: which part lies where, whose URLs are known, and asking for those that are not.
 *
 * Each reader asks for itself, for it is its task's lease that may have a URL; the answer is for
 * all who read. A part that has not come yet is one whose URL does not come: who needs it waits. */
#include "node/window_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/time.h"
#include "node/window_state.h"

#define URL_LEFT_MS 5000 /* a URL whose time is nearly over is not begun with */
#define REFUSED_MOST 3u

int gm_window_parts_init(struct gm_window_parts *parts, const uint64_t *sizes, uint32_t count,
                         uint64_t size, struct gm_err *err)
{
    struct gm_window_part *list = calloc((size_t)count + 1, sizeof(*list));
    uint64_t at = 0;
    if (list == NULL) {
        return gm_err_nomem(err);
    }
    for (uint32_t i = 0; i < count; i++) {
        list[i].at = at;
        if (sizes[i] == 0 || sizes[i] > size - at) {
            free(list);
            return gm_err_set(err, GM_E_INVAL, i, "a source's parts are not what it is");
        }
        at += sizes[i];
    }
    list[count].at = at;
    if (at != size) {
        free(list);
        return gm_err_set(err, GM_E_INVAL, 0, "a source's parts are less than it is");
    }
    parts->count = count;
    parts->list = list;
    return 0;
}

void gm_window_parts_fini(struct gm_window_parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        free(parts->list[i].url);
        free(parts->list[i].etag);
    }
    free(parts->list);
    *parts = (struct gm_window_parts){0};
}

uint32_t gm_window_parts_find(const struct gm_window_parts *parts, uint64_t at)
{
    uint32_t from = 0, to = parts->count; /* it is in [from, to) */
    GM_ASSERT(parts->count > 0 && at < parts->list[parts->count].at);
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (parts->list[middle].at <= at) {
            from = middle;
        } else {
            to = middle;
        }
    }
    return from;
}

bool gm_window_part_known(const struct gm_window_part *part)
{
    return part->url != NULL &&
           (part->until_unix_ms == 0 || gm_time_unix_ms() + URL_LEFT_MS < part->until_unix_ms);
}

static uint64_t end_of(const struct gm_window_parts *parts, struct gm_block_run run)
{
    uint64_t end = (run.from + (uint64_t)run.count) * GM_BLOCK, size = parts->list[parts->count].at;
    return end < size ? end : size;
}

struct gm_block_run gm_window_parts_known(const struct gm_window_parts *parts,
                                          struct gm_block_run run)
{
    uint64_t at = run.from * GM_BLOCK, end = end_of(parts, run);
    uint32_t i = run.count > 0 ? gm_window_parts_find(parts, at) : parts->count;
    while (i < parts->count && parts->list[i].at < end && gm_window_part_known(&parts->list[i])) {
        i++;
    }
    if (run.count > 0 && parts->list[i].at < end) { /* that one is not: up to the block before */
        uint64_t whole = parts->list[i].at / GM_BLOCK;
        run.count = whole > run.from ? (uint32_t)(whole - run.from) : 0;
    }
    return run;
}

int gm_window_part_set(struct gm_window_part *part, const struct gm_window_part_url *url,
                       struct gm_err *err)
{
    bool has_etag = url->etag != NULL && url->etag[0] != '\0';
    if (has_etag && part->etag != NULL && strcmp(part->etag, url->etag) != 0) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, GM_WINDOW_CHANGED);
    }
    char *copy = strdup(url->url);
    char *etag = has_etag && part->etag == NULL ? strdup(url->etag) : NULL;
    if (copy == NULL || (has_etag && part->etag == NULL && etag == NULL)) {
        free(copy);
        free(etag);
        return gm_err_nomem(err);
    }
    free(part->url);
    part->url = copy;
    if (etag != NULL) { /* it had none */
        part->etag = etag;
    }
    part->until_unix_ms = url->until_unix_ms;
    part->serial++;
    return 0;
}

bool gm_window_part_refused(struct gm_window_part *part, uint32_t serial)
{
    if (part->serial != serial || part->url == NULL) { /* of one URL the first says it for all */
        return true;
    }
    free(part->url);
    part->url = NULL;
    if (++part->refused > REFUSED_MOST) {
        part->refused = 0;
        return false;
    }
    return true;
}

/* ---- asking */

static bool lacks(const struct gm_window *window, uint32_t part, struct gm_block_run run)
{
    const struct gm_window_part *p = &window->parts.list[part];
    struct gm_block_run own = gm_blocks_of(p->at, p[1].at - p->at);
    uint32_t from = own.from > run.from ? own.from : run.from;
    uint32_t end =
        own.from + own.count < run.from + run.count ? own.from + own.count : run.from + run.count;
    return end > from && !gm_window_part_known(p) &&
           gm_blocks_absent(&window->blocks, (struct gm_block_run){from, end - from}, 1).count > 0;
}

void gm_window_parts_want(struct gm_window_reader *reader, struct gm_block_run run)
{
    const struct gm_window_parts *parts = &reader->window->parts;
    uint32_t list[GM_WINDOW_PARTS_ASK], count = 0;
    uint64_t at = run.from * GM_BLOCK;
    if (parts->count == 0 || reader->ended.code != GM_OK || at >= parts->list[parts->count].at) {
        return;
    }
    uint64_t end = end_of(parts, run);
    for (uint32_t i = gm_window_parts_find(parts, at); i < parts->count && parts->list[i].at < end;
         i++) {
        if (reader->asked[i] || !lacks(reader->window, i, run)) {
            continue;
        }
        reader->asked[i] = true;
        list[count++] = i;
        if (count == GM_WINDOW_PARTS_ASK) {
            reader->on_want(list, count, reader->arg);
            count = 0;
        }
    }
    if (count > 0) {
        reader->on_want(list, count, reader->arg);
    }
}

void gm_window_ask_again(struct gm_window_reader *reader)
{
    uint32_t list[GM_WINDOW_PARTS_ASK], count = 0, last = reader->window->parts.count;
    for (uint32_t i = 0; i < last; i++) {
        if (reader->asked[i]) {
            list[count++] = i;
        }
        if (count > 0 && (count == GM_WINDOW_PARTS_ASK || i + 1 == last)) {
            reader->on_want(list, count, reader->arg);
            count = 0;
        }
    }
}

int gm_window_part_is(struct gm_window_reader *reader, uint32_t part,
                      const struct gm_window_part_url *url, struct gm_err *err)
{
    struct gm_window *window = reader->window;
    if (part >= window->parts.count || !reader->asked[part]) {
        return gm_err_set(err, GM_E_INVAL, part, "a part came that was not asked for");
    }
    int rc = gm_window_part_set(&window->parts.list[part], url, err);
    if (rc == -GM_E_INPUT_CHANGED) {
        window->changed = true;
        for (struct gm_window_reader *r = window->readers; r != NULL; r = r->next) {
            r->ended = *err;
        }
    }
    if (rc < 0) {
        return rc;
    }
    for (struct gm_window_reader *r = window->readers; r != NULL; r = r->next) {
        r->asked[part] = false;
    }
    return 0;
}

bool gm_window_waits_part(const struct gm_window_reader *reader, uint32_t *out_part)
{
    const struct gm_window_parts *parts = &reader->window->parts;
    if (!reader->waits || parts->count == 0) {
        return false;
    }
    struct gm_block_run run = reader->held[reader->held_count - 1];
    uint64_t end = end_of(parts, run);
    for (uint32_t i = gm_window_parts_find(parts, run.from * GM_BLOCK);
         i < parts->count && parts->list[i].at < end; i++) {
        if (reader->asked[i] && lacks(reader->window, i, run)) {
            *out_part = i;
            return true;
        }
    }
    return false;
}

void gm_window_parts_came(struct gm_window_reader *reader)
{
    gm_window_pump(reader->window);
}

void gm_window_parts_end(struct gm_window_reader *reader, const struct gm_err *why)
{
    reader->ended = *why;
    gm_window_pump(reader->window);
}
