/* Tasks of the processors for which a GPU decodes by VAAPI, over the fake VA driver of
 * tests/drivers. Nothing here says anything about a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/log.h>

#include "media/assist_io.h"
#include "media/chunk_io.h"
#include "media/fake_gpu_io.h"
#include "media/vaapi_io.h"

static const char *const H264[] = {"h264", NULL};
static const char *const OTHERS[] = {"hevc", NULL};

#define ON(lines) "vaapi", "arc", lines, VAAPI_NODE, H264

static const struct assist_fate fates[] = {
    {ON(""), GM_OK, ASSIST_CHUNKS, ""},
    {"vaapi", "igpu", "", VAAPI_NODE, H264, GM_OK, ASSIST_CHUNKS, ""},
    {"vaapi", "arc", "", "", H264, GM_OK, 0, ""},
    {"vaapi", "arc", "", VAAPI_NODE, OTHERS, GM_OK, 0, "the GPU is not proved to decode this"},
    {"vaapi", "arc", "", "/dev/dri/renderD200", H264, GM_E_DEVICE_ABSENT, 0,
     "the device is not there"},
    {ON("fault va-init error\n"), GM_E_DEVICE_DRIVER, 0, "the device's driver failed"},
    {ON("fault alloc oom\n"), GM_E_DEVICE_MEMORY, 0, "the device is out of memory"},
    {ON("fault decode-open busy\n"), GM_E_DEVICE_BUSY, 0, "the device takes no more decoders"},
    {ON("fault decode lost at=3\n"), GM_E_DEVICE_LOST, 0, "the device was lost"},
    {ON("fault map lost at=50\n"), GM_E_DEVICE_LOST, 0, "the device was lost"},
    {ON("fault copy lost at=400\n"), GM_E_DEVICE_LOST, 1, "the device was lost"},
    {ON("fault decode wrong at=1\n"), GM_E_MEDIA_VERIFY, 0,
     "the device gives other pictures than software"},
};

static void the_bytes_are_those_of_software(void **state)
{
    int bad = 0;
    (void)state;
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        bad += fake_gpu_run(assist_meet, &fates[i]) != 0;
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    vaapi_start();
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_bytes_are_those_of_software)};
    return cmocka_run_group_tests_name("media/assist_vaapi", tests, assist_make_source,
                                       clip_source_remove);
}
