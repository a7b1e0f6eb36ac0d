#include "hwtest/leak.h"

#include <stdio.h>
#include <stdlib.h>

#include "hwtest/meter.h"

void gm_hwtest_leak_add(struct gm_hwtest_leak *l, double value)
{
    size_t stride = l->stride == 0 ? 1 : l->stride;
    if (l->seen++ % stride != 0) {
        return;
    }
    if (l->count == GM_HWTEST_LEAK_KEPT) {
        for (size_t i = 0; i < GM_HWTEST_LEAK_KEPT / 2; i++) {
            l->kept[i] = l->kept[2 * i];
        }
        l->count = GM_HWTEST_LEAK_KEPT / 2;
        stride *= 2; /* what comes now stands at a whole number of the new ones: KEPT is even */
    }
    l->stride = stride;
    l->kept[l->count++] = value;
}

int gm_hwtest_leak_slope(const struct gm_hwtest_leak *l, bool *out_told, double *out,
                         struct gm_err *err)
{
    size_t from = l->count / 3, n = l->count - from, pairs = n * (n - 1) / 2, k = 0;
    *out_told = l->count > 0 && n >= GM_HWTEST_LEAK_LEAST;
    if (!*out_told) {
        return 0;
    }
    double *slopes = malloc(pairs * sizeof(*slopes));
    if (slopes == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = from; i < l->count; i++) {
        for (size_t j = i + 1; j < l->count; j++) {
            slopes[k++] = (l->kept[j] - l->kept[i]) / (double)((j - i) * l->stride);
        }
    }
    *out = gm_hwtest_median(slopes, pairs);
    free(slopes);
    return 0;
}

int gm_hwtest_leak_judge(const struct gm_hwtest_leak *l, const char *unit, double warn, double fail,
                         struct gm_hwtest_check *c, struct gm_err *err)
{
    char text[200];
    bool told = false;
    double slope = 0.0;
    int rc = gm_hwtest_leak_slope(l, &told, &slope, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < l->count && l->count > 0; i += l->count / GM_HWTEST_SERIES + 1) {
        c->series[c->series_count++] = (float)l->kept[i];
    }
    if (!told) {
        c->status = GM_HWTEST_SKIP;
        gm_hwtest_set(c->text, "too few jobs to tell growth from noise: give it more minutes");
        return 0;
    }
    gm_hwtest_measure(c, slope, unit, NULL, &fail);
    c->better = GM_HWTEST_NEITHER;
    (void)snprintf(text, sizeof(text),
                   "median growth a job behind the first third; from %.0f to %.0f after %zu jobs",
                   l->kept[0], l->kept[l->count - 1], l->seen);
    gm_hwtest_set(c->text, text);
    if (c->status == GM_HWTEST_PASS && slope >= warn) {
        c->status = GM_HWTEST_WARN;
    }
    if (c->status != GM_HWTEST_PASS) {
        gm_hwtest_set(c->remedy, "run it for longer; if it goes on growing, report it with this "
                                 "report, and restart the service now and then");
    }
    return 0;
}
