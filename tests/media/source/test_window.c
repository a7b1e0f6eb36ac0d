#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/chunk_io.h"
#include "media/source/inspect.h"
#include "media/source/window.h"
#include "media/window_io.h"

/* Three files of one picture of 96x80 in a folder: p.mp4, p.mkv, and what a test makes of them. */
struct files {
    char folder[32], mp4[64], mkv[64], made[64];
};

/* As window_put_crop wants it. */
static void write_matroska(const struct clip *clip, const char *path)
{
    AVFormatContext *format = NULL;
    AVDictionary *options = NULL;
    assert_true(avformat_alloc_output_context2(&format, NULL, "matroska", path) >= 0);
    AVStream *stream = avformat_new_stream(format, NULL);
    assert_non_null(stream);
    assert_true(avcodec_parameters_copy(stream->codecpar, clip->par) >= 0);
    stream->time_base = clip->time_base;
    assert_true(av_dict_set(&options, "live", "1", 0) >= 0);
    assert_true(av_dict_set(&options, "write_crc32", "0", 0) >= 0);
    assert_true(avio_open(&format->pb, path, AVIO_FLAG_WRITE) >= 0);
    assert_true(avformat_write_header(format, &options) >= 0);
    for (size_t i = 0; i < clip->packet_count; i++) {
        AVPacket *packet = av_packet_clone(clip->packets[i]);
        assert_non_null(packet);
        av_packet_rescale_ts(packet, clip->time_base, stream->time_base);
        assert_true(av_write_frame(format, packet) >= 0);
        av_packet_free(&packet);
    }
    assert_true(av_write_trailer(format) >= 0);
    assert_true(avio_closep(&format->pb) >= 0);
    avformat_free_context(format);
    av_dict_free(&options);
}

static int set_up(void **state)
{
    struct files *f = calloc(1, sizeof *f);
    struct clip *clip = clip_make("libx264", "preset=ultrafast", 2);
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/gm-window-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->mp4, sizeof f->mp4, "%s/p.mp4", f->folder);
    (void)snprintf(f->mkv, sizeof f->mkv, "%s/p.mkv", f->folder);
    (void)snprintf(f->made, sizeof f->made, "%s/made", f->folder);
    clip_mux(clip, f->mp4);
    write_matroska(clip, f->mkv);
    clip_free(&clip);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct files *f = *state;
    (void)unlink(f->mp4);
    (void)unlink(f->mkv);
    (void)unlink(f->made);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static bool look(const char *path, struct gm_window *out)
{
    struct gm_source source;
    struct gm_err err;
    bool found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(gm_source_open(gm_source_plain(fd), path, false, &source, &err), 0);
    assert_int_equal(gm_window_find(gm_source_plain(fd), source.format, 0, out, &found, &err), 0);
    gm_source_close(&source);
    (void)close(fd);
    return found;
}

static void a_clean_aperture_is_where_its_middle_says(void **state)
{
    static const struct {
        uint32_t clap[8];
        bool found;
        int x, y, width, height;
    } rows[] = {
        {{60, 1, 40, 1, 0, 1, 0, 1}, true, 18, 20, 60, 40},
        {{60, 1, 40, 1, (uint32_t)-18, 1, 20, 1}, true, 0, 40, 60, 40},
        {{96, 1, 40, 1, 0, 1, (uint32_t)-3, 2}, true, 0, 19, 96, 40}, /* 18.5 */
        {{1201, 20, 399, 10, 0, 1, 0, 1}, true, 18, 20, 60, 40},      /* 60.05, 39.9 */
        {{60, 1, 40, 1, 4, 3, 0, 7}, true, 19, 20, 60, 40},           /* 19.33 */
        {{96, 1, 80, 1, 0, 1, 0, 1}, false, 0, 0, 0, 0},              /* all of it */
        {{60, 1, 40, 1, 19, 1, 0, 1}, false, 0, 0, 0, 0},             /* beyond the right */
        {{60, 1, 40, 1, 0, 1, (uint32_t)-21, 1}, false, 0, 0, 0, 0},  /* above the top */
        {{97, 1, 40, 1, 0, 1, 0, 1}, false, 0, 0, 0, 0},              /* wider */
        {{0, 1, 40, 1, 0, 1, 0, 1}, false, 0, 0, 0, 0},               /* nothing */
        {{60, 0, 40, 1, 0, 1, 0, 1}, false, 0, 0, 0, 0},              /* by zero */
        {{60, 1, 40, 1, 0, 0, 0, 1}, false, 0, 0, 0, 0},
        {{0x80000000, 1, 40, 1, 0, 1, 0, 1}, false, 0, 0, 0, 0}, /* negative */
        {{60, 1, 40, 1, 0x7fffffff, 1, 0, 0x7fffffff}, false, 0, 0, 0, 0},
    };
    const struct files *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_window w = {.x = -1};
        window_put_clap(f->mp4, f->made, rows[i].clap, 0);
        assert_int_equal(look(f->made, &w), rows[i].found);
        if (!rows[i].found) {
            assert_int_equal(w.x, -1);
            continue;
        }
        assert_int_equal(w.whole_width, 96);
        assert_int_equal(w.whole_height, 80);
        assert_int_equal(w.x, rows[i].x);
        assert_int_equal(w.y, rows[i].y);
        assert_int_equal(w.width, rows[i].width);
        assert_int_equal(w.height, rows[i].height);
    }
}

static void matroska_says_what_is_cut_off(void **state)
{
    static const struct {
        uint32_t crop[4];
        bool found;
    } rows[] = {
        {{6, 4, 10, 20}, true},  {{0, 0, 0, 1}, true},       {{95, 79, 0, 0}, true},
        {{0, 0, 0, 0}, false},   {{96, 0, 0, 0}, false},     {{50, 0, 46, 0}, false},
        {{0, 40, 0, 40}, false}, {{0, 0xffff, 0, 0}, false},
    };
    const struct files *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t *c = rows[i].crop;
        struct gm_window w = {.x = -1};
        window_put_crop(f->mkv, f->made, c);
        assert_int_equal(look(f->made, &w), rows[i].found);
        assert_int_equal(w.x, rows[i].found ? (int)c[0] : -1);
        if (rows[i].found) {
            assert_int_equal(w.y, c[1]);
            assert_int_equal(w.width, 96 - c[0] - c[2]);
            assert_int_equal(w.height, 80 - c[1] - c[3]);
            assert_int_equal(w.whole_width, 96);
            assert_int_equal(w.whole_height, 80);
        }
    }
}

static void files_without_one_have_none(void **state)
{
    const struct files *f = *state;
    struct gm_window w;
    assert_false(look(f->mp4, &w));
    assert_false(look(f->mkv, &w));
}

/* What inspection says of a picture of that width, 80 rows and square samples. */
static void narrow(const char *path, const char *format, uint32_t width, Gm__VideoFacts *out)
{
    struct gm_source source;
    struct gm_err err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(gm_source_open(gm_source_plain(fd), path, false, &source, &err), 0);
    out->pixel_format = (char *)(uintptr_t)format;
    out->width_px = width;
    out->height_px = 80;
    out->sample_aspect->num = out->sample_aspect->den = 1;
    assert_int_equal(gm_facts_crop(gm_source_plain(fd), source.format, out, &err), 0);
    gm_source_close(&source);
    (void)close(fd);
}

static void the_part_begins_at_a_whole_chroma_sample_and_an_even_row(void **state)
{
    static const struct {
        const char *format;
        uint32_t width, x, y; /* x 96: nothing is cut off */
        bool matroska, fixed;
        int64_t num, den; /* sample aspect */
    } rows[] = {
        {"yuv420p", 96, 16, 20, false, true, 4, 5}, /* as if all of it had 1:1: 96/60 * 40/80 */
        {"yuv444p", 96, 17, 20, false, false, 1, 1},
        {"yuv411p", 96, 16, 20, false, false, 1, 1},
        {"yuv410p", 96, 16, 20, false, false, 1, 1},
        {"yuv420p", 98, 96, 0, false, true, 1, 1}, /* not what the container speaks of */
        {"yuv420p", 96, 18, 20, true, true, 1, 1}, /* no shape is said */
        {"yuv444p", 96, 19, 20, true, true, 1, 1},
    };
    const struct files *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__VideoFacts v = GM__VIDEO_FACTS__INIT;
        Gm__Rational aspect = GM__RATIONAL__INIT;
        v.sample_aspect = &aspect;
        v.fixed_aspect = rows[i].fixed;
        if (rows[i].matroska) { /* at 19, 21 */
            window_put_crop(f->mkv, f->made, (const uint32_t[]){19, 21, 17, 19});
        } else { /* at 16.5, 21 */
            const uint32_t clap[] = {60, 1, 40, 1, (uint32_t)-3, 2, 1, 1};
            window_put_clap(f->mp4, f->made, clap, 0);
        }
        narrow(f->made, rows[i].format, rows[i].width, &v);
        assert_int_equal(aspect.num, rows[i].num);
        assert_int_equal(aspect.den, rows[i].den);
        if (rows[i].x == 96) {
            assert_null(v.crop);
            assert_int_equal(v.width_px, rows[i].width);
            continue;
        }
        assert_non_null(v.crop);
        assert_int_equal(v.width_px, 60);
        assert_int_equal(v.height_px, 40);
        assert_int_equal(v.crop->x_px, rows[i].x);
        assert_int_equal(v.crop->y_px, rows[i].y);
        assert_int_equal(v.crop->whole_width_px, 96);
        assert_int_equal(v.crop->whole_height_px, 80);
        free(v.crop);
    }
}

/* Whatever byte is another, nothing but an answer comes, and none that lies outside. */
static void damaged_descriptions_do_no_harm(void **state)
{
    const struct files *f = *state;
    const char *const made[2] = {f->mp4, f->mkv};
    for (int k = 0; k < 2; k++) {
        struct gm_source source;
        struct gm_err err;
        static uint8_t bytes[1 << 16];
        static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
        if (k == 0) {
            window_put_clap(f->mp4, f->made, (const uint32_t[]){60, 1, 40, 1, 0, 1, 0, 1}, 0);
        } else {
            window_put_crop(f->mkv, f->made, (const uint32_t[]){6, 4, 10, 20});
        }
        int whole = open(made[k], O_RDONLY | O_CLOEXEC);
        int fd = open(f->made, O_RDWR | O_CLOEXEC);
        assert_true(whole >= 0 && fd >= 0);
        assert_int_equal(gm_source_open(gm_source_plain(whole), "p", false, &source, &err), 0);
        ssize_t size = pread(fd, bytes, sizeof bytes, 0);
        assert_true(size > 0 && size < (ssize_t)sizeof bytes);
        for (ssize_t at = 0; at < size; at++) {
            for (size_t v = 0; v < sizeof values; v++) {
                struct gm_window w;
                bool found;
                assert_int_equal(pwrite(fd, &values[v], 1, at), 1);
                assert_int_equal(
                    gm_window_find(gm_source_plain(fd), source.format, 0, &w, &found, &err), 0);
                assert_true(!found ||
                            (w.x >= 0 && w.y >= 0 && w.width > 0 && w.height > 0 &&
                             w.x + w.width <= w.whole_width && w.y + w.height <= w.whole_height));
            }
            assert_int_equal(pwrite(fd, &bytes[at], 1, at), 1);
        }
        gm_source_close(&source);
        (void)close(fd);
        (void)close(whole);
    }
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_aperture_is_where_its_middle_says),
        cmocka_unit_test(matroska_says_what_is_cut_off),
        cmocka_unit_test(files_without_one_have_none),
        cmocka_unit_test(the_part_begins_at_a_whole_chroma_sample_and_an_even_row),
        cmocka_unit_test(damaged_descriptions_do_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
