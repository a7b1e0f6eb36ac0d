#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/print.h"
#include "cli/progress.h"

static const struct gm_progress SAMPLE = {.phase = "encoding",
                                          .frames_done = 450,
                                          .frames_total = 1000,
                                          .fps = 310.04,
                                          .speed = 10.334,
                                          .eta_s = 71.6,
                                          .chunks_done = 3,
                                          .chunks_running = 2,
                                          .chunks_waiting = 1};

static void documents_are_read(void **state)
{
    (void)state;
    struct gm_progress p;
    json_t *json = json_loads("{\"phase\":\"enc\\u001bode\",\"frames_done\":5,\"frames_total\":10,"
                              "\"fps\":2.5,\"speed\":0.1,\"eta_s\":2,"
                              "\"chunks\":{\"done\":1,\"running\":2,\"waiting\":3}}",
                              0, NULL);
    gm_progress_from_json(json, &p);
    json_decref(json);
    assert_string_equal(p.phase, "enc?ode"); /* nothing that steers a terminal */
    assert_int_equal(p.frames_done, 5);
    assert_int_equal(p.chunks_waiting, 3);
    assert_true(p.eta_s == 2.0 && p.fps == 2.5);
    assert_int_equal(gm_progress_percent(&p), 50);

    json = json_loads("{\"phase\":7,\"frames_done\":-4,\"frames_total\":\"x\",\"eta_s\":null,"
                      "\"chunks\":[]}",
                      0, NULL);
    gm_progress_from_json(json, &p);
    json_decref(json);
    assert_string_equal(p.phase, "");
    assert_int_equal(p.frames_done, 0);
    assert_true(p.eta_s < 0);
    assert_int_equal(gm_progress_percent(&p), -1);
    gm_progress_from_json(NULL, &p);
    assert_int_equal(gm_progress_percent(&p), -1);
}

static void percent_is_100_only_at_the_end(void **state)
{
    (void)state;
    struct gm_progress p = {.frames_total = 1000000, .frames_done = 999999};
    assert_int_equal(gm_progress_percent(&p), 99);
    p.frames_done = 1000000;
    assert_int_equal(gm_progress_percent(&p), 100);
    p.frames_done = 1000001;
    assert_int_equal(gm_progress_percent(&p), 100);
}

static void times_are_clock_like(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } rows[] = {{0, "0:00"},       {59.4, "0:59"},      {59.6, "1:00"},  {3599, "59:59"},
                {3600, "1:00:00"}, {90061, "25:01:01"}, {-1, "unknown"}, {1e12, "unknown"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[24];
        assert_string_equal(gm_progress_time(rows[i].seconds, text, sizeof(text)), rows[i].text);
    }
}

static void plain_lines_say_all(void **state)
{
    (void)state;
    char text[512];
    assert_string_equal(gm_progress_line(&SAMPLE, text, sizeof(text)),
                        "encoding: 45 % of 1000 frames, 310.0 fps, x10.33, ETA 1:12, chunks 3 done "
                        "2 running 1 waiting");
    struct gm_progress first = SAMPLE;
    first.fps = 0;
    assert_string_equal(
        gm_progress_line(&first, text, sizeof(text)),
        "encoding: 45 % of 1000 frames, ETA 1:12, chunks 3 done 2 running 1 waiting");
    first.eta_s = -1;
    assert_string_equal(gm_progress_line(&first, text, sizeof(text)),
                        "encoding: 45 % of 1000 frames, chunks 3 done 2 running 1 waiting");
    struct gm_progress p = {.phase = "inspect"};
    assert_string_equal(gm_progress_line(&p, text, sizeof(text)), "inspect");
}

static void rows_fit_every_width(void **state)
{
    (void)state;
    char text[512];
    for (unsigned width = 1; width < 300; width++) {
        gm_progress_row(&SAMPLE, width, text, sizeof(text));
        assert_true(strlen(text) <= width);
        if (width >= 4) {
            assert_non_null(strstr(text, "45%"));
        }
    }
    assert_string_equal(gm_progress_row(&SAMPLE, 13, text, sizeof(text)), " 45% ETA 1:12");
    struct gm_progress first = SAMPLE;
    first.eta_s = -1;
    assert_null(strstr(gm_progress_row(&first, 200, text, sizeof(text)), "ETA"));
    gm_progress_row(&SAMPLE, 120, text, sizeof(text));
    assert_int_equal(strncmp(text, "[#############-----------------]  45% ETA", 41), 0);
    assert_non_null(strstr(text, "chunks 3 done 2 running 1 waiting encoding"));
    struct gm_progress p = {.phase = "queued"};
    gm_progress_note(&p, "no node is connected");
    assert_string_equal(gm_progress_row(&p, 80, text, sizeof(text)),
                        "queued: no node is connected");
    for (int i = 0; i < 9; i++) {
        gm_progress_note(&p, "no node is connected");
    }
    assert_int_equal(strlen(p.phase), sizeof(p.phase) - 1);
}

static void bytes_are_rounded_to_units(void **state)
{
    (void)state;
    static const struct {
        double bytes;
        const char *text;
    } rows[] = {{0, "0 B"},         {999, "999 B"},     {1000, "1.0 kB"},
                {99949, "99.9 kB"}, {123456, "123 kB"}, {1.5e9, "1.5 GB"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[24];
        assert_string_equal(gm_print_bytes(rows[i].bytes, text, sizeof(text)), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_read),   cmocka_unit_test(percent_is_100_only_at_the_end),
        cmocka_unit_test(times_are_clock_like), cmocka_unit_test(plain_lines_say_all),
        cmocka_unit_test(rows_fit_every_width), cmocka_unit_test(bytes_are_rounded_to_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
