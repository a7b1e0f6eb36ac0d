#include "media/text/cues.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

/* See cues.h. */

int gm_cues_add(struct gm_cues *c, int64_t start_ms, int64_t end_ms, const char *text,
                const char *settings, struct gm_err *err)
{
    size_t size = strlen(text);
    bool has_end = end_ms != GM_CUES_NO_END && end_ms > start_ms;
    if ((has_end && end_ms <= 0) || (!has_end && start_ms < 0)) {
        return 0;
    }
    if (c->count >= GM_CUES_MAX || size > GM_CUES_MAX_TEXT || start_ms > GM_CUES_MAX_MS ||
        c->text_bytes + size > GM_CUES_MAX_BYTES || strlen(settings) >= GM_CUES_SETTINGS) {
        c->left_out++;
        return 0;
    }
    int rc = gm_array_reserve(&c->list, c->count, 1, &c->cap, sizeof c->list[0], err);
    char *copy = rc == 0 ? strdup(text) : NULL;
    if (copy == NULL) {
        return rc < 0 ? rc : gm_err_nomem(err);
    }
    struct gm_cue *cue = &c->list[c->count];
    cue->start_ms = start_ms > 0 ? start_ms : 0;
    cue->end_ms = has_end ? end_ms : GM_CUES_NO_END;
    if (cue->end_ms > GM_CUES_MAX_MS) {
        cue->end_ms = GM_CUES_MAX_MS + 1;
    }
    cue->order = (uint32_t)c->count;
    cue->text = copy;
    (void)snprintf(cue->settings, sizeof cue->settings, "%s", settings);
    c->count++;
    c->text_bytes += size;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct gm_cue *x = a, *y = b;
    if (x->start_ms != y->start_ms) {
        return x->start_ms < y->start_ms ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

void gm_cues_finish(struct gm_cues *c)
{
    if (c->count == 0) {
        return;
    }
    qsort(c->list, c->count, sizeof c->list[0], compare);
    int64_t next = INT64_MAX; /* start of the next cue that begins later than this one */
    for (size_t i = c->count; i-- > 0;) {
        struct gm_cue *cue = &c->list[i];
        if (i + 1 < c->count && c->list[i + 1].start_ms > cue->start_ms) {
            next = c->list[i + 1].start_ms;
        }
        if (cue->end_ms == GM_CUES_NO_END) {
            int64_t end = cue->start_ms + GM_CUES_ALONE_MS;
            cue->end_ms = next < end ? next : end;
        }
    }
}

void gm_cues_fini(struct gm_cues *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->list[i].text);
    }
    free(c->list);
    *c = (struct gm_cues){0};
}
