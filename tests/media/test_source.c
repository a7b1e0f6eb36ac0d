#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fcntl.h>

#include "media/av.h"
#include "media/movie_io.h"

static int file_of(const void *data, size_t size)
{
    int fd = memfd_create("source", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    return fd;
}

static void assert_refused(const void *data, size_t size, int code)
{
    struct gm_source source = {0};
    struct gm_err err = {0};
    int fd = file_of(data, size);
    assert_int_equal(gm_source_open(gm_source_plain(fd), "it.mp4", true, &source, &err), -code);
    assert_null(source.format);
    assert_null(source.io);
    assert_non_null(strstr(err.text, "it.mp4"));
    (void)close(fd);
}

static void what_is_no_media_is_refused_by_kind(void **state)
{
    static const struct {
        const char *text;
        int code;
    } rows[] = {
        {"", GM_E_INPUT_EMPTY},
        {"x", GM_E_INPUT_UNREADABLE},
        {"<!DOCTYPE html><html><body>404 Not Found</body></html>\n", GM_E_INPUT_UNREADABLE},
        {"{\"format\": {\"filename\": \"x.mp4\"}}\n", GM_E_INPUT_UNREADABLE},
        {"1\n00:00:01,000 --> 00:00:02,000\nhello\n", GM_E_INPUT_UNREADABLE},
        {"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n",
         GM_E_INPUT_FORMAT},
        {"ffconcat version 1.0\nfile /etc/passwd\n", GM_E_INPUT_FORMAT},
        {"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
         GM_E_INPUT_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_refused(rows[i].text, strlen(rows[i].text), rows[i].code);
    }
}

static void images_are_refused(void **state)
{
    static const uint8_t gif[] = "GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377!\371\4\1\0\0\0\0,"
                                 "\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
    (void)state;
    assert_refused(gif, sizeof gif - 1, GM_E_INPUT_FORMAT);
}

static void noise_is_no_media(void **state)
{
    uint8_t noise[100000];
    uint32_t x = 2463534242u;
    (void)state;
    for (size_t i = 0; i < sizeof noise; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        noise[i] = (uint8_t)(x >> 7);
    }
    assert_refused(noise, sizeof noise, GM_E_INPUT_UNREADABLE);
}

static void a_file_without_index_is_told_apart(void **state)
{
    static const uint8_t no_moov[] = "\0\0\0\030ftypisom\0\0\2\0isomiso2"
                                     "\0\0\0\020mdat\1\2\3\4\5\6\7\10"
                                     "\0\0\0\010free";
    static const uint8_t open_mdat[] = "\0\0\0\030ftypisom\0\0\2\0isomiso2"
                                       "\0\0\0\0mdat\1\2\3\4\5\6\7\10";
    static const uint8_t bad_moov[] = "\0\0\0\030ftypisom\0\0\2\0isomiso2"
                                      "\0\0\0\020moov\0\0\0\1trak";
    (void)state;
    assert_refused(no_moov, sizeof no_moov - 1, GM_E_INPUT_NO_INDEX);
    assert_refused(open_mdat, sizeof open_mdat - 1, GM_E_INPUT_NO_INDEX);
    struct gm_source source = {0};
    struct gm_err err;
    int fd = file_of(bad_moov, sizeof bad_moov - 1);
    int rc = gm_source_open(gm_source_plain(fd), "it.mp4", false, &source, &err);
    assert_int_not_equal(rc, -GM_E_INPUT_NO_INDEX);
    if (rc == 0) {
        gm_source_close(&source);
    }
    (void)close(fd);
}

static void a_device_is_no_file(void **state)
{
    struct gm_source source = {0};
    struct gm_err err;
    (void)state;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_int_equal(gm_source_open(gm_source_plain(fd), "it", true, &source, &err),
                     -GM_E_INPUT_NOT_FILE);
    (void)close(fd);
}

static void containers_open_whatever_the_name_says(void **state)
{
    static const char *const formats[] = {"mp4", "mov", "matroska", "mpegts", "avi", "nut"};
    char path[4096];
    struct gm_err err;
    (void)state;
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=5", 12);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct movie movie = {.format = formats[i]};
        struct gm_source source = {0};
        movie_write(clip, &movie, path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(gm_source_open(gm_source_plain(fd), "page.html", true, &source, &err), 0);
        assert_int_equal(source.format->nb_streams, 1);
        assert_int_equal(source.format->streams[0]->codecpar->width, 96);
        gm_source_close(&source);
        assert_null(source.format);
        gm_source_close(&source); /* of a closed one: nothing happens */
        if (i == 0) {
            assert_int_equal(
                gm_source_open_limited(gm_source_plain(fd), "it", true, 96 * 80, &source, &err), 0);
            gm_source_close(&source);
            assert_int_equal(
                gm_source_open_limited(gm_source_plain(fd), "it", true, 96 * 80 - 1, &source, &err),
                -GM_E_INPUT_TOO_LARGE);
        }
        (void)close(fd);
        movie_remove(path);
    }
    clip_free(&clip);
}

/* Sound of 8000 samples of 2 bytes a second lies behind all pictures of 4 s. */
static void what_one_stream_lacks_does_not_end_the_others(void **state)
{
    static const struct {
        int64_t missing; /* bytes */
        bool no_sound;   /* not read */
        int pictures;
        int64_t sound; /* bytes */
    } rows[] = {
        {0, false, 100, 64000}, {16000, false, 100, 48000}, {40000, false, 100, 24000},
        {64000, false, 100, 0}, {40000, true, 100, 0},
    };
    struct clip *clip = clip_make("mpeg4", "g=10", 100);
    struct movie movie = {.format = "mov", .sound = true, .apart = true, .index_first = true};
    char path[4096];
    (void)state;
    av_log_set_level(AV_LOG_QUIET);
    movie_write(clip, &movie, path);
    clip_free(&clip);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_source source;
        struct gm_err err;
        AVPacket *p = av_packet_alloc();
        int64_t sound = 0;
        int pictures = 0, av;
        assert_int_equal(ftruncate(fd, size - rows[i].missing), 0);
        assert_int_equal(gm_source_open(gm_source_plain(fd), "it", true, &source, &err), 0);
        source.format->streams[1]->discard = rows[i].no_sound ? AVDISCARD_ALL : AVDISCARD_DEFAULT;
        while ((av = gm_source_read(source.format, p)) == 0) {
            pictures += p->stream_index == 0;
            sound += p->stream_index == 1 && !rows[i].no_sound ? p->size : 0;
            av_packet_unref(p);
        }
        assert_int_equal(av, AVERROR_EOF);
        assert_int_equal(pictures, rows[i].pictures);
        assert_int_equal(sound, rows[i].sound);
        assert_int_equal(gm_source_read(source.format, p), AVERROR_EOF);
        av_packet_free(&p);
        gm_source_close(&source);
        assert_int_equal(ftruncate(fd, size), 0); /* its end is zeros from now on */
    }
    (void)close(fd);
    movie_remove(path);
}

struct lame {
    int fd;
    int fail; /* so many needs more */
};

static int need(void *arg, uint64_t offset, uint64_t length, struct gm_err *err)
{
    struct lame *lame = arg;
    (void)offset;
    (void)length;
    return lame->fail > 0 && lame->fail-- > 0 ? gm_err_set(err, GM_E_STORE, 0, "the server is away")
                                              : 0;
}

/* A place that can't be read once ends it, though it could be read then: no packet is left out. */
static void a_read_that_fails_is_the_end(void **state)
{
    static const char *const formats[] = {"mov", "matroska"};
    struct clip *clip = clip_make("mpeg4", "g=10", 400);
    char path[4096];
    (void)state;
    av_log_set_level(AV_LOG_QUIET);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct movie movie = {.format = formats[i], .sound = true, .index_first = true};
        struct gm_source source;
        struct gm_err err;
        AVPacket *p = av_packet_alloc();
        int packets = 0;
        movie_write(clip, &movie, path);
        struct lame lame = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
        struct gm_source_file file = {.fd = lame.fd, .need = need, .arg = &lame};
        assert_int_equal(gm_source_open(file, "it", true, &source, &err), 0);
        lame.fail = 1;
        for (; gm_source_read(source.format, p) == 0; packets++) {
            assert_int_equal(lame.fail, 1);
            av_packet_unref(p);
        }
        assert_true(packets > 0);
        assert_int_equal(lame.fail, 0);
        assert_int_equal(gm_source_read(source.format, p), AVERROR_EXIT);
        assert_int_equal(gm_source_check(&source, &err), -GM_E_STORE);
        av_packet_free(&p);
        gm_source_close(&source);
        (void)close(lame.fd);
        movie_remove(path);
    }
    clip_free(&clip);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_media_is_refused_by_kind),
        cmocka_unit_test(images_are_refused),
        cmocka_unit_test(noise_is_no_media),
        cmocka_unit_test(a_file_without_index_is_told_apart),
        cmocka_unit_test(a_device_is_no_file),
        cmocka_unit_test(what_one_stream_lacks_does_not_end_the_others),
        cmocka_unit_test(a_read_that_fails_is_the_end),
        cmocka_unit_test(containers_open_whatever_the_name_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
