#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "media/source/inspect.h"

#define S INT64_C(1000000)
#define NONE AV_NOPTS_VALUE

static void add_chapter(AVFormatContext *f, int64_t start, int64_t end)
{
    AVChapter *c = av_mallocz(sizeof *c);
    assert_non_null(c);
    assert_true(av_dynarray_add_nofree(&f->chapters, (int *)&f->nb_chapters, c) >= 0);
    *c = (AVChapter){.id = start, .time_base = {1, 1}, .start = start, .end = end};
}

struct row {
    bool read_whole;
    int64_t duration_us, most_us;
    int64_t from[3][2]; /* s; two chapters or three */
    size_t count;
    int64_t want[3][2]; /* us */
};

static void run(const struct row *r)
{
    struct gm_err err;
    AVFormatContext *f = avformat_alloc_context();
    Gm__Rational zero = GM__RATIONAL__INIT;
    Gm__Inspection *facts = malloc(sizeof *facts);
    assert_non_null(f);
    assert_non_null(facts);
    gm__inspection__init(facts);
    zero.den = 1;
    facts->zero = &zero;
    facts->read_whole = r->read_whole;
    facts->duration_us = r->duration_us;
    for (size_t i = 0; i < 3; i++) {
        add_chapter(f, r->from[i][0], r->from[i][1]);
    }
    assert_int_equal(gm_facts_chapters(f, r->most_us, facts, &err), 0);
    assert_int_equal(facts->n_chapters, r->count);
    for (size_t i = 0; i < r->count; i++) {
        assert_int_equal(facts->chapters[i]->start_us, r->want[i][0]);
        assert_int_equal(facts->chapters[i]->end_us, r->want[i][1]);
    }
    facts->zero = NULL;
    gm__inspection__free_unpacked(facts, NULL);
    avformat_free_context(f);
}

static void chapters_are_clipped_to_what_is_known(void **state)
{
    static const struct row rows[] = {
        {true,
         100 * S,
         500 * S,
         {{0, 60}, {60, 120}, {120, 180}},
         2,
         {{0, 60 * S}, {60 * S, 100 * S}}},
        /* an estimate cuts nothing off */
        {false,
         100 * S,
         500 * S,
         {{0, 60}, {60, 120}, {120, 180}},
         3,
         {{0, 60 * S}, {60 * S, 120 * S}, {120 * S, 180 * S}}},
        /* but what no programme may last does */
        {false,
         100 * S,
         130 * S,
         {{0, 60}, {60, 120}, {120, 180}},
         3,
         {{0, 60 * S}, {60 * S, 120 * S}, {120 * S, 130 * S}}},
        {false,
         100 * S,
         60 * S,
         {{0, 60}, {60, 120}, {120, 180}},
         2,
         {{0, 60 * S}, {60 * S, 100 * S}}},
        /* no ends of their own */
        {false,
         100 * S,
         500 * S,
         {{0, NONE}, {60, NONE}, {80, NONE}},
         3,
         {{0, 60 * S}, {60 * S, 80 * S}, {80 * S, 100 * S}}},
        {false,
         100 * S,
         500 * S,
         {{0, NONE}, {60, NONE}, {120, NONE}},
         3,
         {{0, 60 * S}, {60 * S, 120 * S}, {120 * S, 500 * S}}},
        {true,
         100 * S,
         500 * S,
         {{0, NONE}, {60, NONE}, {120, NONE}},
         2,
         {{0, 60 * S}, {60 * S, 100 * S}}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        run(&rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chapters_are_clipped_to_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
