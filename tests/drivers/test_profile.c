/* Profiles of the fake drivers: the shipped ones, limits, wrong lines. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/drivers/fake.h"

static void every_shipped_profile_is_read(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(GM_SOURCE_DIR "/tests/drivers/profiles/*.txt", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 8);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        static char text[16384];
        struct fake_profile profile;
        const char *why = "";
        FILE *file = fopen(found.gl_pathv[i], "r");
        assert_non_null(file);
        size_t length = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        text[length] = '\0';
        int line = fake_profile_parse(text, &profile, &why);
        if (line != 0) {
            fail_msg("%s:%d: %s", found.gl_pathv[i], line, why);
        }
        assert_non_null(strstr(profile.driver, "fake"));
        for (int g = 0; g < profile.gpu_count; g++) {
            assert_non_null(strstr(profile.gpus[g].name, "gopmill fake GPU"));
        }
    }
    globfree(&found);
}

static void all_lines_are_understood(void **state)
{
    (void)state;
    static const char TEXT[] =
        "driver 1.2 # comment\ncuda 12.2\nnvenc-api 11.1\nptx 4.1\nfatbin no\nsessions 8\n"
        "gpu 0001:3B:00.0\n name L4\n compute 8.9\n memory-mib 2\n multiprocessors 58\n"
        " encoders 2\n decoders 4\n sessions 3\n encode hevc 8,10 129x33 8192x4096 4\n"
        " decode vp9 8,12 420,444 48x16 100x200\nback 0001:3b:00.0 2\n"
        "fault encode lost gpu=0001:3b:00.0 at=10\nfault alloc oom times=2\n";
    struct fake_profile p;
    const char *why = "";
    assert_int_equal(fake_profile_parse(TEXT, &p, &why), 0);
    assert_string_equal(p.driver, "1.2-fake");
    assert_int_equal(p.cuda_version, 12020);
    assert_int_equal(p.nvenc_major * 10 + p.nvenc_minor, 111);
    assert_int_equal(p.ptx_major * 10 + p.ptx_minor, 41);
    assert_false(p.fatbin);
    assert_int_equal(p.sessions, 8);
    assert_int_equal(p.gpu_count, 1);
    const struct fake_gpu *gpu = &p.gpus[0];
    assert_string_equal(gpu->pci, "0001:3b:00.0");
    assert_string_equal(gpu->name, "gopmill fake GPU L4");
    assert_int_equal(gpu->domain * 0x10000 + gpu->bus * 0x100 + gpu->device, 0x13b00);
    assert_int_equal(gpu->major * 10 + gpu->minor, 89);
    assert_int_equal(gpu->memory_bytes, 2 << 20);
    assert_int_equal(gpu->sessions, 3);
    assert_int_equal(gpu->back, 2);
    const struct fake_codec *codec = fake_codec_find(&gpu->encode, "hevc");
    assert_non_null(codec);
    assert_int_equal(codec->depths, FAKE_DEPTH_8 | FAKE_DEPTH_10);
    assert_int_equal(codec->min_width * 1000 + codec->min_height, 129033);
    assert_int_equal(codec->bframes, 4);
    codec = fake_codec_find(&gpu->decode, "vp9");
    assert_non_null(codec);
    assert_int_equal(codec->depths, FAKE_DEPTH_8 | FAKE_DEPTH_12);
    assert_int_equal(codec->chroma, FAKE_CHROMA_420 | FAKE_CHROMA_444);
    assert_null(fake_codec_find(&gpu->decode, "h264"));
    assert_int_equal(p.fault_count, 2);
    assert_int_equal(p.faults[0].point, FAKE_ENCODE);
    assert_int_equal(p.faults[0].at, 10);
    assert_int_equal(p.faults[0].times, 1); /* lost at a frame: once */
    assert_int_equal(p.faults[1].times, 2);
    assert_int_not_equal(p.faults[0].id, p.faults[1].id);
}

static void lines_of_a_va_driver_are_understood(void **state)
{
    (void)state;
    static const char TEXT[] =
        "libraries va\ngpu 0000:03:00.0\n node renderD129\n id 8086:56a0\n"
        " rate cqp,qvbr\n packed no\n low-power yes\n low-delay yes\n sync-buffer no\n"
        "gpu 0000:04:00.0\nfault va-init error\n";
    struct fake_profile p;
    const char *why = "";
    assert_int_equal(fake_profile_parse(TEXT, &p, &why), 0);
    assert_string_equal(p.gpus[0].node, "renderD129");
    assert_int_equal(p.gpus[0].rates, FAKE_RATE_CQP | FAKE_RATE_QVBR);
    assert_false(p.gpus[0].packed);
    assert_true(p.gpus[0].low_power);
    assert_true(p.gpus[0].low_delay);
    assert_false(p.gpus[0].sync_buffer);
    assert_string_equal(p.gpus[1].node, ""); /* not of a VA driver */
    assert_int_equal(p.gpus[1].rates, 31);
    assert_true(p.gpus[1].packed);
    assert_false(p.gpus[1].low_power);
    assert_false(p.gpus[1].low_delay);
    assert_true(p.gpus[1].sync_buffer);
    assert_int_equal(p.faults[0].point, FAKE_VA_INIT);
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    static const char *const WRONG[] = {
        "nonsense",
        "driver",
        "cuda 12",
        "cuda a.b",
        "sessions -1",
        "sessions 65",
        "fatbin maybe",
        "gpu",
        "gpu 3b:00.0",
        "gpu 0000:3b:00.0 x",
        "name L4",
        "gpu 0000:3b:00.0\ngpu 0000:3B:00.0",
        "gpu 0000:3b:00.0\nencoders x",
        "gpu 0000:3b:00.0\nfull stop",
        "gpu 0000:3b:00.0\nencode h264 9 1x1 2x2 0",
        "gpu 0000:3b:00.0\nencode h264 8 1x1 2x2",
        "gpu 0000:3b:00.0\nencode h264 8 1 2x2 0",
        "gpu 0000:3b:00.0\nencode averyveryverylong 8 1x1 2x2 0",
        "gpu 0000:3b:00.0\ndecode h264 8 421 1x1 2x2",
        "back 0000:3b:00.0 1",
        "fault",
        "fault encode",
        "fault nowhere oom",
        "fault encode ok",
        "fault encode oom at=0",
        "fault encode oom at=x",
        "fault encode oom gpu=1",
        "fault encode oom sometimes",
        "va a",
        "node renderD128",
        "gpu 0000:3b:00.0\nnode card0",
        "gpu 0000:3b:00.0\nid 8086",
        "gpu 0000:3b:00.0\nrate crf",
        "gpu 0000:3b:00.0\npacked perhaps",
        "gpu 0000:3b:00.0\nlow-power 1",
        "gpu 0000:3b:00.0\nsync-buffer maybe",
    };
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct fake_profile p;
        const char *why = NULL;
        int last = strchr(WRONG[i], '\n') != NULL ? 2 : 1;
        if (fake_profile_parse(WRONG[i], &p, &why) != last) {
            fail_msg("taken: %s", WRONG[i]);
        }
        assert_non_null(why);
    }
}

static void tables_do_not_overflow(void **state)
{
    (void)state;
    static char text[16384];
    struct fake_profile p;
    const char *why = NULL;
    size_t used = 0;
    for (int i = 0; i <= FAKE_MAX_GPUS; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "gpu 0000:%02x:00.0\n", i);
    }
    assert_int_equal(fake_profile_parse(text, &p, &why), FAKE_MAX_GPUS + 1);
    used = 0;
    for (int i = 0; i <= FAKE_MAX_FAULTS; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "fault alloc oom\n");
    }
    assert_int_equal(fake_profile_parse(text, &p, &why), FAKE_MAX_FAULTS + 1);
    used = (size_t)snprintf(text, sizeof(text), "gpu 0000:01:00.0\n");
    for (int i = 0; i <= FAKE_MAX_CODECS; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "encode c%d 8 1x1 2x2 0\n", i);
    }
    assert_int_equal(fake_profile_parse(text, &p, &why), FAKE_MAX_CODECS + 2);
    memset(text, 'x', 600);
    text[600] = '\0';
    assert_int_equal(fake_profile_parse(text, &p, &why), 1);
    assert_int_equal(fake_profile_parse("driver a b c d e f g h i j k l m", &p, &why), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_profile_is_read), cmocka_unit_test(all_lines_are_understood),
        cmocka_unit_test(lines_of_a_va_driver_are_understood),
        cmocka_unit_test(wrong_lines_are_named), cmocka_unit_test(tables_do_not_overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
