#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "storage/s3/location.h"

static struct gm_err err;

static void a_url_names_bucket_and_key(void **state)
{
    static const struct {
        const char *url, *bucket, *key;
    } rows[] = {{"s3://media", "media", ""},
                {"s3://media/", "media", ""},
                {"s3://media/a/b c%20?#.mov", "media", "a/b c%20?#.mov"},
                {"s3://my-b.1/\xc3\xa4", "my-b.1", "\xc3\xa4"}};
    struct gm_s3_location location;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(gm_s3_location_read(rows[i].url, &location, &err), 0);
        assert_string_equal(location.bucket, rows[i].bucket);
        assert_string_equal(location.key, rows[i].key);
    }
}

static void what_names_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "s3:/media/a",  "S3://media/a",   "s3://",          "s3:///a",         "s3://ab/a",
        "s3://Media/a", "s3://media?x/a", "s3://media/a\n", "s3://media/\xff", "file:///media"};
    char url[1200] = "s3://media/";
    struct gm_s3_location location;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(gm_s3_location_read(bad[i], &location, &err), -GM_E_INVAL);
    }
    memset(url + 11, 'k', GM_S3_KEY_MAX);
    assert_int_equal(gm_s3_location_read(url, &location, &err), 0);
    url[11 + GM_S3_KEY_MAX] = 'k';
    assert_int_equal(gm_s3_location_read(url, &location, &err), -GM_E_INVAL);
}

static void names_say_what_players_are_told(void **state)
{
    (void)state;
    assert_string_equal(gm_s3_content_type("master.m3u8"), "application/vnd.apple.mpegurl");
    assert_string_equal(gm_s3_content_type("v/x/video/1.M4S"), "video/iso.segment");
    assert_string_equal(gm_s3_content_type("t/v/x/audio/a0/seg-00001-a.m4s"), "audio/mp4");
    assert_string_equal(gm_s3_content_type("audio/a0/init-a.mp4"), "audio/mp4");
    assert_string_equal(gm_s3_content_type("t/v/x/audio/a0/media.m3u8"),
                        "application/vnd.apple.mpegurl");
    assert_string_equal(gm_s3_content_type("audio/film/v/x/mp4/film.mp4"), "video/mp4");
    assert_string_equal(gm_s3_content_type("v/x/myaudio/a0/init-a.mp4"), "video/mp4");
    assert_null(gm_s3_content_type("v/x.y/none"));
    assert_null(gm_s3_content_type(""));
    assert_string_equal(gm_s3_cache_control("v/x/1.m4s"), "public, max-age=31536000, immutable");
    assert_string_equal(gm_s3_cache_control("v/x/media.m3u8"), "no-cache");
    assert_string_equal(gm_s3_cache_control("master.m3u8"), "no-cache");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_names_bucket_and_key),
        cmocka_unit_test(what_names_none_is_refused),
        cmocka_unit_test(names_say_what_players_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
