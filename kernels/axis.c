/* The weights of one direction. Positions are ratios of whole numbers; the filter's values are made
 * of + - * / of doubles alone, which IEEE 754 fixes to the last bit; then they are whole numbers.
 */
#include <stdlib.h>

#include "kernels/kernels.h"

#define ONE 16384
#define LOBES 3
#define PI 3.14159265358979323846

/* sin(pi x) / (pi x), |x| <= 3. */
static double sinc(double x)
{
    x = x < 0 ? -x : x;
    if (x == 0) {
        return 1;
    }
    double sign = 1, near = x;
    while (near > 0.5) { /* exact: to -0.5..0.5 by whole steps */
        near -= 1;
        sign = -sign;
    }
    double t = near * PI, square = t * t, term = t, sum = t;
    for (int i = 2; i < 26; i += 2) { /* Taylor: below 1e-20 at pi / 2 */
        term = -term * square / (double)(i * (i + 1));
        sum += term;
    }
    return sign * sum / (x * PI);
}

static double lanczos(double x)
{
    return x > -LOBES && x < LOBES ? sinc(x) * sinc(x / LOBES) : 0;
}

/* Where results lie in the source: result j at (first + j * step) / den. */
struct line {
    int64_t first, step, den;
};

static struct line lay(const struct gm_axis_params *p)
{
    int64_t in = p->in, out = p->out;
    if (p->chroma) {
        /* Luma positions 2 j + s + 1/2 from the edge, doubled twice. */
        return (struct line){(1 + p->out_x2) * in - (1 + p->in_x2) * out, 4 * in, 4 * out};
    }
    return (struct line){in - out, 2 * in, 2 * out};
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Values to weights that sum to ONE: what rounding lacks goes to the largest. */
static void settle(const double *values, uint32_t taps, int16_t *out)
{
    double sum = 0;
    for (uint32_t k = 0; k < taps; k++) {
        sum += values[k];
    }
    int32_t rest = ONE;
    uint32_t largest = 0;
    for (uint32_t k = 0; k < taps; k++) {
        double scaled = values[k] * ONE / sum;
        int32_t w = (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
        out[k] = (int16_t)w;
        rest -= w;
        largest = out[k] > out[largest] ? k : largest;
    }
    out[largest] = (int16_t)(out[largest] + rest);
}

/* Every result is one sample: those of the whole weight alone stay. */
static void thin(struct gm_axis *a)
{
    for (uint32_t j = 0; j < a->count; j++) {
        uint32_t k = 0;
        while (k < a->taps && a->weights[(size_t)j * a->taps + k] != ONE) {
            k++;
        }
        if (k == a->taps) {
            return;
        }
    }
    for (uint32_t j = 0; j < a->count; j++) {
        uint32_t k = 0;
        while (a->weights[(size_t)j * a->taps + k] != ONE) {
            k++;
        }
        a->start[j] += (int32_t)k;
    }
    for (uint32_t j = 0; j < a->count; j++) {
        a->weights[j] = ONE;
    }
    a->taps = 1;
}

int gm_axis_make(const struct gm_axis_params *p, struct gm_axis *out, struct gm_err *err)
{
    struct line l = lay(p);
    int64_t wide = p->in > p->out ? p->in : p->out; /* scale: wide / out */
    int32_t reach = (int32_t)((LOBES * wide + p->out - 1) / p->out);
    struct gm_axis a = {.count = p->count, .taps = 2 * (uint32_t)reach};
    a.start = malloc(p->count * sizeof *a.start);
    a.weights = malloc((size_t)p->count * a.taps * sizeof *a.weights);
    double *values = malloc(a.taps * sizeof *values);
    int rc = a.start != NULL && a.weights != NULL && values != NULL ? 0 : gm_err_nomem(err);
    if (rc < 0) {
        goto out;
    }
    for (uint32_t j = 0; j < p->count; j++) {
        int64_t at = l.first + j * l.step;
        int64_t start = floor_div(at, l.den) - reach + 1;
        for (uint32_t k = 0; k < a.taps; k++) {
            int64_t away = (start + k) * l.den - at;
            values[k] = lanczos((double)(away * p->out) / (double)(l.den * wide));
        }
        a.start[j] = (int32_t)start;
        settle(values, a.taps, a.weights + (size_t)j * a.taps);
    }
    thin(&a);
    *out = a;
    a = (struct gm_axis){0};
out:
    free(values);
    gm_axis_fini(&a);
    return rc;
}

void gm_axis_fini(struct gm_axis *axis)
{
    free(axis->start);
    free(axis->weights);
    *axis = (struct gm_axis){0};
}
