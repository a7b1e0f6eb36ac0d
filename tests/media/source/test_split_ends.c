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
                {"avi", 60, 60, 0, NULL},    {"avi", 60, 59, 0, NULL}, /* one picture longer */
                {"avi", 60, 58, 0, "0.080"}, {"avi", 60, 36, 0, "0.960"},
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

/* Where the file's index begins: of the last such bytes. */
static off_t find_index(int fd)
{
    static const uint8_t cues[] = {0x1c, 0x53, 0xbb, 0x6b};
    static uint8_t bytes[1 << 20];
    ssize_t size = pread(fd, bytes, sizeof bytes, 0), at = size - (ssize_t)sizeof cues;
    assert_true(size > 0 && size < (ssize_t)sizeof bytes);
    while (at > 0 && memcmp(bytes + at, cues, sizeof cues) != 0) {
        at--;
    }
    assert_true(at > 0);
    return at;
}

/* Sound that goes on for 12 s more is not read where the pipeline has none: the inspection, which
 * read it, knows that no more is missing than the file's last bytes; or half of all. */
static void a_whole_inspection_is_believed(void **state)
{
    static const struct folder_pipeline silent = {.audio = false};
    static const struct {
        int kept, of; /* of what lies before the index */
        int less;     /* bytes besides */
        int64_t least_us, most_us;
    } rows[] = {{1, 1, 0, 0, 0}, {1, 1, 40, 0, 0}, {1, 2, 0, 12000000, 15000000}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip = clip_make("mpeg4", "g=20", 120);
        struct movie movie = {.format = "matroska", .sound = true, .sound_gap_s = 12};
        struct farm farm;
        char path[4096];
        movie_write(clip, &movie, path);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        off_t end = find_index(fd) * rows[i].kept / rows[i].of - rows[i].less;
        assert_int_equal(ftruncate(fd, end), 0);
        assert_int_equal(farm_run_of(&farm, path, &silent), 0);
        Gm__SplitMeta *meta = farm_split_meta(&farm);
        if (meta->lost_us < rows[i].least_us || meta->lost_us > rows[i].most_us) {
            fail_msg("row %zu: %lld", i, (long long)meta->lost_us);
        }
        assert_int_equal(meta->truncated, rows[i].most_us > 0);
        gm__split_meta__free_unpacked(meta, NULL);
        farm_fini(&farm);
        (void)close(fd);
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
        cmocka_unit_test(a_whole_inspection_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
