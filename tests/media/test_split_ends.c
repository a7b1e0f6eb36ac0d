#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "media/av.h"
#include "media/movie_io.h"
#include "media/split_io.h"

/* Where a source ends: what split says of it where pictures or sound end before the other, and
 * before what the headers claim. */

static void what_the_sound_lacks_takes_no_pictures_away(void **state)
{
    struct clip *clip = clip_make("mpeg4", "g=40", 320);
    struct movie movie = {.format = "mov", .sound = true, .apart = true, .index_first = true};
    struct farm farm;
    char path[4096];
    (void)state;
    movie_write(clip, &movie, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_int_equal(ftruncate(fd, size - (off_t)8 * 16000), 0); /* 8 s of the sound */
    assert_int_equal(farm_run(&farm, path, NULL, 0), 0);
    Gm__SplitMeta *meta = farm_split_meta(&farm);
    assert_int_equal(meta->frames, 320);
    assert_true(meta->truncated);
    assert_in_range(meta->lost_us, 7800000, 8000000);
    farm_assert_pictures(&farm, clip, fd, 0);
    gm__split_meta__free_unpacked(meta, NULL);
    farm_fini(&farm);
    (void)close(fd);
    movie_remove(path);
    clip_free(&clip);
}

/* Pictures that do not decode are no sound: where both end is told of each by itself. */
static void sound_outlasts_the_pictures_by_its_own_end(void **state)
{
    static const struct {
        const char *format;
        size_t hurt, sound_less;
        int gap_s;
        const char *said; /* NULL: nothing */
    } rows[] = {{"avi", 0, 0, 0, NULL},      {"avi", 60, 0, 0, "2.4"},
                {"avi", 60, 60, 0, NULL},    {"avi", 60, 36, 0, NULL},
                {"avi", 60, 34, 0, "1.040"}, {"matroska", 0, 0, 12, "12.0"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip = clip_make("mpeg4", "g=20", 120);
        struct movie movie = {.format = rows[i].format,
                              .sound = true,
                              .sound_less = rows[i].sound_less,
                              .sound_gap_s = rows[i].gap_s};
        struct farm farm;
        char path[4096];
        for (size_t k = clip->packet_count - rows[i].hurt; k < clip->packet_count; k++) {
            memset(clip->packets[k]->data, 0, (size_t)clip->packets[k]->size);
        }
        movie_write(clip, &movie, path);
        assert_int_equal(farm_run(&farm, path, NULL, 0), 0);
        Gm__SplitMeta *meta = farm_split_meta(&farm);
        assert_int_equal(meta->frames, 120 - rows[i].hurt);
        const char *said = NULL;
        for (size_t k = 0; k < meta->n_warnings; k++) {
            const Gm__Warning *w = meta->warnings[k];
            said = strcmp(w->code, "source.sound_outlasts") == 0 ? w->text : said;
        }
        if ((said == NULL) != (rows[i].said == NULL) ||
            (said != NULL && strstr(said, rows[i].said) == NULL)) {
            fail_msg("row %zu: %s", i, said != NULL ? said : "nothing");
        }
        gm__split_meta__free_unpacked(meta, NULL);
        farm_fini(&farm);
        movie_remove(path);
        clip_free(&clip);
    }
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_sound_lacks_takes_no_pictures_away),
        cmocka_unit_test(sound_outlasts_the_pictures_by_its_own_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
