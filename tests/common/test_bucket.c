#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "common/bucket.h"

/* The model against the buffer played step by step. */
#define MOST 400

struct step {
    int64_t bits, filled; /* taken at its time; what comes in until the next */
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int64_t play(const struct step *s, size_t count, int64_t size, int64_t fullness,
                    int64_t *out_lowest)
{
    int64_t lowest = size;
    for (size_t i = 0; i < count; i++) {
        fullness -= s[i].bits;
        lowest = fullness < lowest ? fullness : lowest;
        fullness += s[i].filled;
        fullness = fullness < size ? fullness : size;
    }
    *out_lowest = lowest;
    return fullness;
}

static void walk(const struct step *s, size_t count, int64_t size, struct gm_bucket *out)
{
    gm_bucket_init(out, size);
    for (size_t i = 0; i < count; i++) {
        gm_bucket_take(out, s[i].bits);
        gm_bucket_fill(out, s[i].filled, size);
    }
}

static size_t make(uint32_t *seed, struct step *s)
{
    size_t count = 1 + next_random(seed) % MOST;
    int64_t rate = 1 + next_random(seed) % 3000;
    int64_t most = 1 + next_random(seed) % 6000;
    for (size_t i = 0; i < count; i++) {
        s[i].bits = next_random(seed) % most;
        s[i].bits *= next_random(seed) % 40 == 0 ? 20 : 1;
        s[i].filled = next_random(seed) % 10 == 0 ? 0 : rate;
    }
    return count;
}

static void the_model_equals_the_simulation(void **state)
{
    (void)state;
    struct step s[MOST];
    uint32_t seed = 1;
    unsigned under = 0, full = 0;
    for (int round = 0; round < 3000; round++) {
        int64_t size = 1 + next_random(&seed) % 60000;
        size_t count = make(&seed, s);
        struct gm_bucket b;
        walk(s, count, size, &b);
        for (int k = 0; k <= 8; k++) {
            int64_t fullness = size * k / 8, lowest;
            int64_t end = play(s, count, size, fullness, &lowest);
            under += lowest < 0;
            full += lowest >= 0;
            /* Once it is below nothing the decoder has stopped: only that is said. */
            assert_int_equal(gm_bucket_lowest(&b, fullness) < 0, lowest < 0);
            assert_int_equal(fullness >= b.need && b.low >= 0, lowest >= 0);
            if (lowest >= 0) {
                assert_int_equal(gm_bucket_lowest(&b, fullness), lowest);
                assert_int_equal(gm_bucket_end(&b, fullness), end);
            }
        }
    }
    assert_true(under > 1000 && full > 1000);
}

static void joined_stretches_equal_the_whole(void **state)
{
    (void)state;
    struct step s[MOST];
    uint32_t seed = 7;
    for (int round = 0; round < 3000; round++) {
        int64_t size = 1 + next_random(&seed) % 60000;
        size_t count = make(&seed, s);
        struct gm_bucket whole, joined;
        walk(s, count, size, &whole);
        gm_bucket_init(&joined, size);
        for (size_t at = 0; at < count;) {
            size_t n = 1 + next_random(&seed) % 60;
            n = n < count - at ? n : count - at;
            struct gm_bucket piece;
            walk(s + at, n, size, &piece);
            gm_bucket_join(&joined, &piece);
            at += n;
        }
        for (int k = 0; k <= 8; k++) {
            int64_t f = size * k / 8;
            bool fine = gm_bucket_lowest(&whole, f) >= 0;
            assert_int_equal(gm_bucket_lowest(&joined, f) >= 0, fine);
            if (fine) {
                assert_int_equal(gm_bucket_lowest(&joined, f), gm_bucket_lowest(&whole, f));
                assert_int_equal(gm_bucket_end(&joined, f), gm_bucket_end(&whole, f));
            }
        }
    }
}

/* The point of it: stretches that keep the promise each can be put together in any order. */
static void what_holds_alone_holds_at_every_join(void **state)
{
    (void)state;
    static struct step s[8][MOST];
    uint32_t seed = 99;
    unsigned joined = 0;
    for (int round = 0; round < 400; round++) {
        int64_t size = 40000 + next_random(&seed) % 60000;
        int64_t half = size / 2;
        size_t count[8];
        for (int i = 0; i < 8; i++) {
            struct gm_bucket b;
            do {
                count[i] = make(&seed, s[i]);
                walk(s[i], count[i], size, &b);
            } while (!gm_bucket_holds(&b, half, false));
        }
        int64_t fullness = half;
        for (int i = 0; i < 30; i++) {
            unsigned k = next_random(&seed) % 8;
            int64_t lowest;
            fullness = play(s[k], count[k], size, fullness, &lowest);
            assert_true(lowest >= 0 && fullness >= half);
            joined++;
        }
    }
    assert_true(joined == 12000);
}

static void limits(void **state)
{
    (void)state;
    struct gm_bucket b;
    gm_bucket_init(&b, 100);
    assert_true(gm_bucket_holds(&b, 100, false) && gm_bucket_holds(&b, 0, false));
    gm_bucket_take(&b, 60);
    assert_true(gm_bucket_holds(&b, 60, true));
    assert_false(gm_bucket_holds(&b, 59, true));
    assert_false(gm_bucket_holds(&b, 60, false)); /* it leaves with nothing */
    gm_bucket_fill(&b, 60, 100);
    assert_true(gm_bucket_holds(&b, 60, false));
    gm_bucket_fill(&b, INT64_C(1) << 40, 100);
    assert_int_equal(gm_bucket_end(&b, 60), 100);
    gm_bucket_take(&b, 101); /* more than the buffer holds: no fullness helps */
    assert_int_equal(b.low, -1);
    assert_false(gm_bucket_holds(&b, 100, true));
    /* a day of silence at a gigabit a second does not overflow */
    gm_bucket_init(&b, INT64_C(1) << 40);
    for (int i = 0; i < 86400; i++) {
        gm_bucket_fill(&b, INT64_C(1) << 30, INT64_C(1) << 40);
    }
    assert_int_equal(gm_bucket_end(&b, 0), INT64_C(86400) << 30 < INT64_C(1) << 40
                                               ? INT64_C(86400) << 30
                                               : INT64_C(1) << 40);
}

static void numbers_of_others_are_bounded(void **state)
{
    (void)state;
    const int64_t most = GM_BUCKET_MAX_BITS;
    static const struct {
        int64_t value;
        bool plausible;
    } rows[] = {{0, true},
                {GM_BUCKET_MAX_BITS, true},
                {-GM_BUCKET_MAX_BITS, true},
                {GM_BUCKET_MAX_BITS + 1, false},
                {-GM_BUCKET_MAX_BITS - 1, false},
                {INT64_MAX, false},
                {INT64_MIN, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t v = rows[i].value;
        const struct gm_bucket each[] = {{v, 0, 0, 0}, {0, v, 0, 0}, {0, 0, v, 0}, {0, 0, 0, v}};
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(gm_bucket_is_plausible(&each[k]), rows[i].plausible);
        }
    }
    /* the worst that passes, a million times: a sanitizer would see an overflow */
    const struct gm_bucket worst = {most, -most, most, -most};
    struct gm_bucket sum = worst;
    for (int i = 1; i < 1000000; i++) {
        gm_bucket_join(&sum, &worst);
    }
    assert_int_equal(sum.gain, -most * 1000000);
    assert_int_equal(sum.need, most + most * 999999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_equals_the_simulation),
        cmocka_unit_test(joined_stretches_equal_the_whole),
        cmocka_unit_test(what_holds_alone_holds_at_every_join),
        cmocka_unit_test(limits),
        cmocka_unit_test(numbers_of_others_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
