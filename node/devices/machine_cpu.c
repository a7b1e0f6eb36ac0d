/* The processor as a device. See: proc(5), Linux arch/x86/include/asm/cpufeatures.h for flags. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "node/devices/machine.h"
#include "proto/video_codec.h"

#define CPUINFO_MAX (8u << 20) /* large machines have a paragraph a thread */

/* Those that media code makes use of. */
static const char *const EXTENSIONS[] = {
    "sse2", "ssse3",   "sse4_1",   "sse4_2",   "avx",         "f16c",  "fma",     "avx2",
    "bmi2", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "asimd", "asimddp", "sve"};

static bool has_word(const char *line, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(line, word); at != NULL; at = strstr(at + 1, word)) {
        bool begins = at == line || at[-1] == ' ' || at[-1] == '\t' || at[-1] == ':';
        if (begins && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* One line of the first paragraph: "key : value". */
static void take_line(const char *line, struct gm_device *cpu)
{
    const char *colon = strchr(line, ':');
    if (colon == NULL) {
        return;
    }
    const char *value = colon[1] == ' ' ? colon + 2 : colon + 1;
    if (strncmp(line, "model name", 10) == 0) {
        gm_device_set(cpu->name, value);
    } else if (strncmp(line, "vendor_id", 9) == 0) {
        gm_device_set(cpu->vendor, value);
    } else if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0) {
        for (size_t i = 0; i < sizeof(EXTENSIONS) / sizeof(EXTENSIONS[0]); i++) {
            if (has_word(value, EXTENSIONS[i])) {
                (void)gm_device_add_feature(cpu, EXTENSIONS[i]);
            }
        }
    }
}

/* Owned; NULL: it can't be read. */
static char *load_cpuinfo(const char *root)
{
    char path[4096];
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err ignored;
    if (gm_fs_path(path, sizeof(path), &ignored, "%s/proc/cpuinfo", root) < 0 ||
        gm_fs_read(path, CPUINFO_MAX, &data, &size, &ignored) < 0) {
        return NULL;
    }
    return (char *)data;
}

uint32_t gm_machine_threads(const char *root)
{
    char *data = load_cpuinfo(root);
    uint32_t count = 0;
    for (const char *at = data; at != NULL; at = strstr(at + 1, "\nprocessor")) {
        count += at == data ? strncmp(at, "processor", 9) == 0 : 1;
    }
    free(data);
    return count == 0 ? 1 : count;
}

static void read_cpuinfo(const char *root, struct gm_device *cpu)
{
    char *data = load_cpuinfo(root);
    if (data == NULL) {
        return;
    }
    char *end = strstr(data, "\n\n"); /* threads are alike */
    if (end != NULL) {
        *end = '\0';
    }
    char *save = NULL;
    for (char *line = strtok_r(data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        take_line(line, cpu);
    }
    free(data);
}

/* One of the codec's profiles holds that depth. */
static bool has_depth(const struct gm_video_codec *codec, uint32_t depth)
{
    for (const struct gm_video_profile *p = codec->profiles; p->name != NULL; p++) {
        if (p->bit_depths == depth || p->bit_depths == 18) { /* 18: 8 and 10 */
            return true;
        }
    }
    return false;
}

int gm_machine_cpu(const char *root, uint32_t cpu_milli, uint64_t memory_bytes,
                   struct gm_device_list *list, struct gm_err *err)
{
    struct gm_device *cpu = NULL;
    int rc = gm_device_get(list, "cpu", GM_DEVICE_CPU, &cpu, err);
    if (rc < 0) {
        return rc;
    }
    cpu->cpu_milli = cpu_milli;
    cpu->memory_bytes = memory_bytes;
    cpu->decoding = cpu->encoding = GM_ENGINE_PRESENT;
    read_cpuinfo(root, cpu);
    for (size_t i = 0; gm_video_codecs[i] != NULL; i++) {
        for (uint32_t depth = 8; depth <= 10; depth += 2) {
            struct gm_device_codec c = {
                .chroma = 420, .depth = depth, .b_frames = true, .api = "software"};
            gm_device_set(c.codec, gm_video_codecs[i]->name);
            if (has_depth(gm_video_codecs[i], depth)) {
                (void)gm_device_add_codec(cpu, true, &c);
                c.b_frames = false;
                (void)gm_device_add_codec(cpu, false, &c);
            }
        }
    }
    return 0;
}
