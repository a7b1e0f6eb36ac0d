/* See mean.h. A source sample is out_width x out_height small pieces, a result in_width x in_height
 * of them. The rows that a result row covers are added up first, each as often as it is covered. */
#include "kernels/mean.h"

#include <stdlib.h>
#include <string.h>

static bool is_side(uint32_t n)
{
    return n >= 1 && n <= GM_MEAN_SIDE_MAX;
}

static bool is_depth(unsigned bits)
{
    return bits >= 8 && bits <= 16;
}

/* The pieces of source sample i that lie in result j. */
static uint32_t share(uint64_t i, uint64_t j, uint32_t in, uint32_t out)
{
    uint64_t from = i * out > j * in ? i * out : j * in;
    uint64_t to = (i + 1) * out < (j + 1) * in ? (i + 1) * out : (j + 1) * in;
    return (uint32_t)(to - from);
}

/* A column's sum is below 2^16 2^16. */
static void add_row(uint32_t *sums, const uint8_t *row, uint32_t width, bool wide, uint32_t times)
{
    if (!wide) {
        for (uint32_t x = 0; x < width; x++) {
            sums[x] += row[x] * times;
        }
        return;
    }
    for (uint32_t x = 0; x < width; x++) {
        uint16_t v;
        memcpy(&v, row + 2 * (size_t)x, sizeof v);
        sums[x] += v * times;
    }
}

/* n / d, rounded down, where that is below 2^18: doubles are quicker than 64-bit division, and off
 * by one at most. */
static uint64_t divide(uint64_t n, uint64_t d, double inverse)
{
    uint64_t q = (uint64_t)((double)n * inverse);
    if (q * d > n) {
        return q - 1;
    }
    return n - q * d >= d ? q + 1 : q;
}

struct scale {
    uint64_t area;  /* that a sum is divided by */
    unsigned shift; /* that it is raised by first */
    double inverse; /* of area */
    uint64_t peak;
};

static void make_row(const struct gm_mean *m, const struct scale *s, const uint32_t *sums,
                     uint8_t *out)
{
    for (uint32_t x = 0; x < m->out_width; x++) {
        uint32_t from = x * m->in_width, to = from + m->in_width; /* below 2^32 */
        uint32_t first = from / m->out_width, last = (to - 1) / m->out_width;
        uint64_t sum = (uint64_t)sums[first] * share(first, x, m->in_width, m->out_width);
        uint64_t whole = 0;
        for (uint32_t i = first + 1; i < last; i++) {
            whole += sums[i];
        }
        sum += whole * m->out_width;
        if (last > first) {
            sum += (uint64_t)sums[last] * share(last, x, m->in_width, m->out_width);
        }
        uint64_t mean = divide((sum << s->shift) + s->area / 2, s->area, s->inverse);
        mean = mean < s->peak ? mean : s->peak;
        if (m->out_bits == 8) {
            out[x] = (uint8_t)mean;
        } else {
            uint16_t v = (uint16_t)mean;
            memcpy(out + 2 * (size_t)x, &v, sizeof v);
        }
    }
}

int gm_mean_plane(const struct gm_mean *m, const uint8_t *in, ptrdiff_t in_stride, uint8_t *out,
                  ptrdiff_t out_stride, struct gm_err *err)
{
    if (!is_side(m->in_width) || !is_side(m->in_height) || !is_side(m->out_width) ||
        !is_side(m->out_height) || !is_depth(m->in_bits) || !is_depth(m->out_bits)) {
        return gm_err_set(err, GM_E_INVAL, 0, "A plane of %ux%u can't become one of %ux%u",
                          m->in_width, m->in_height, m->out_width, m->out_height);
    }
    unsigned down = m->in_bits > m->out_bits ? m->in_bits - m->out_bits : 0;
    struct scale s = {.area = (uint64_t)m->in_width * m->in_height << down,
                      .shift = m->out_bits > m->in_bits ? m->out_bits - m->in_bits : 0,
                      .peak = (1u << m->out_bits) - 1};
    s.inverse = 1.0 / (double)s.area;
    uint32_t *sums = malloc(m->in_width * sizeof *sums);
    if (sums == NULL) {
        return gm_err_nomem(err);
    }
    for (uint32_t y = 0; y < m->out_height; y++) {
        uint64_t from = (uint64_t)y * m->in_height, to = from + m->in_height;
        memset(sums, 0, m->in_width * sizeof *sums);
        for (uint64_t i = from / m->out_height; i * m->out_height < to; i++) {
            add_row(sums, in + (ptrdiff_t)i * in_stride, m->in_width, m->in_bits > 8,
                    share(i, y, m->in_height, m->out_height));
        }
        make_row(m, &s, sums, out + (ptrdiff_t)y * out_stride);
    }
    free(sums);
    return 0;
}
