#include "media/av.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/cpu.h>

#include "common/log.h"

/* Start-up of libav* in a process: its messages become debug lines of ours, and the CPU's vector
 * extensions can be masked, so that tests show equal bytes without them. Both are process-wide
 * settings inside libavutil; nothing here keeps state of its own.
 */

#define CPU_FLAGS_VARIABLE "GOPMILL_CPU_FLAGS"

static void log_line(void *avcl, int level, const char *fmt, va_list ap)
{
    if (level > AV_LOG_WARNING) {
        return;
    }
    char line[512];
    char quoted[768];
    int prefix = 1;
    (void)av_log_format_line2(avcl, level, fmt, ap, line, sizeof line, &prefix);
    size_t n = strlen(line);
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) {
        line[--n] = '\0';
    }
    if (n > 0) {
        gm_log(GM_LOG_DEBUG, "libav", "msg=%s", gm_log_quote(line, quoted, sizeof quoted));
    }
}

bool gm_av_plain_c(void)
{
    const char *value = getenv(CPU_FLAGS_VARIABLE);
    return value != NULL && strcmp(value, "none") == 0;
}

void gm_av_init(void)
{
    av_log_set_callback(log_line);
    /* SVT-AV1 writes to stderr by itself: only what ends the process. */
    (void)setenv("SVT_LOG", "0", 0);
    const char *value = getenv(CPU_FLAGS_VARIABLE);
    if (value == NULL || value[0] == '\0') {
        return;
    }
    unsigned flags = 0;
    if (gm_av_plain_c()) {
        (void)setenv("VPX_SIMD_CAPS", "0", 1); /* libvpx looks here alone */
        av_force_cpu_flags(0);
        return;
    }
    if (av_parse_cpu_caps(&flags, value) < 0) {
        char quoted[128];
        gm_log(GM_LOG_WARN, "cpu_flags_ignored", "value=%s",
               gm_log_quote(value, quoted, sizeof quoted));
        return;
    }
    /* A mask, never a promise: extensions that the CPU lacks stay off. */
    av_force_cpu_flags((int)(flags & (unsigned)av_get_cpu_flags()));
}
