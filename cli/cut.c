#include "cli/cut.h"

#include <stdlib.h>
#include <string.h>

#define FEW 64 /* parts that a smaller file has at least, above GM_CUT_LEAST */

static uint64_t target_of(uint64_t size)
{
    uint64_t target = size / FEW;
    target = target < GM_CUT_LEAST ? GM_CUT_LEAST : target;
    target = target > GM_CUT_TARGET ? GM_CUT_TARGET : target;
    uint64_t needed = size / GM_CUT_MOST + (size % GM_CUT_MOST != 0 ? 1 : 0);
    return target < needed ? needed : target;
}

/* The keyframe nearest to `at`, where it is nearer than `within`; else `at`. *next: the first that
 * is not passed yet. */
static uint64_t nearest(uint64_t at, uint64_t within, const uint64_t *keyframes, size_t count,
                        size_t *next)
{
    uint64_t best = at, distance = within;
    while (*next < count && keyframes[*next] < at && at - keyframes[*next] >= within) {
        ++*next;
    }
    for (size_t i = *next; i < count; i++) {
        uint64_t k = keyframes[i], d = k > at ? k - at : at - k;
        if (d < distance) {
            best = k;
            distance = d;
        } else if (k > at) {
            break;
        }
    }
    return best;
}

int gm_cut_plan(uint64_t size, const uint64_t *keyframes, size_t count, struct gm_cut *out,
                struct gm_err *err)
{
    uint64_t target = target_of(size), begin = 0;
    size_t most = (size_t)(size / target) + 1, n = 0, next = 0;
    uint64_t *sizes = calloc(most, sizeof *sizes);
    if (sizes == NULL) {
        return gm_err_nomem(err);
    }
    /* what is left at the end is no part of its own where it is less than half of one */
    for (uint64_t at = target; at + target / 2 <= size && at < size && n + 1 < most; at += target) {
        uint64_t end = nearest(at, target / 2, keyframes, keyframes == NULL ? 0 : count, &next);
        if (end > begin && end < size) {
            sizes[n++] = end - begin;
            begin = end;
        }
    }
    sizes[n++] = size - begin;
    *out = (struct gm_cut){sizes, n};
    return 0;
}

void gm_cut_fini(struct gm_cut *cut)
{
    free(cut->sizes);
    *cut = (struct gm_cut){0};
}

int gm_cut_order(const struct gm_cut *cut, size_t **out, size_t *out_ends, struct gm_err *err)
{
    size_t *order = calloc(cut->count, sizeof *order);
    if (order == NULL) {
        return gm_err_nomem(err);
    }
    size_t head = 0, tail = cut->count, n = 0;
    for (uint64_t bytes = 0; head < cut->count && bytes < GM_CUT_ENDS; head++) {
        bytes += cut->sizes[head];
        order[n++] = head;
    }
    for (uint64_t bytes = 0; tail > head && bytes < GM_CUT_ENDS; tail--) {
        bytes += cut->sizes[tail - 1];
    }
    for (size_t i = tail; i < cut->count; i++) {
        order[n++] = i;
    }
    *out_ends = n;
    for (size_t i = head; i < tail; i++) {
        order[n++] = i;
    }
    *out = order;
    return 0;
}

/* One line of digits without a zero before them; *text is moved behind it. */
static bool read_line(const char **text, uint64_t *out)
{
    const char *p = *text;
    uint64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > UINT64_MAX / 100) {
            return false;
        }
        value = value * 10 + (uint64_t)(*p - '0');
    }
    if (p == *text || **text == '0' || *p != '\n') {
        return false;
    }
    *text = p + 1;
    *out = value;
    return true;
}

int gm_cut_read(const char *text, uint64_t size, uint64_t **out, size_t *out_count,
                struct gm_err *err)
{
    size_t lines = 0, n = 0;
    for (const char *p = text; *p != '\0'; p++) {
        lines += *p == '\n' ? 1 : 0;
    }
    uint64_t *offsets = calloc(lines + 1, sizeof *offsets);
    if (offsets == NULL) {
        return gm_err_nomem(err);
    }
    bool good = true;
    while (good && *text >= '0' && *text <= '9') {
        uint64_t before = n == 0 ? 0 : offsets[n - 1];
        good = read_line(&text, &offsets[n]) && offsets[n] > before && offsets[n] < size;
        n += good ? 1 : 0;
    }
    if (!good || strcmp(text, "end\n") != 0) {
        free(offsets);
        return gm_err_set(err, GM_E_PROTO, (int64_t)n, "line %zu of the worker's is none", n + 1);
    }
    *out = offsets;
    *out_count = n;
    return 0;
}
