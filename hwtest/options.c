#include "hwtest/options.h"

#include <stdio.h>
#include <string.h>

#include "common/flags.h"

static const char HELP[] =
    "Usage: gopmill-hwtest [--level 1|2|3] [--device ID] [--json FILE] [--html FILE]\n"
    "                      [--junit FILE] [--baseline FILE]\n"
    "\n"
    "Tests the devices of this machine: whether it can be accepted for a farm. Needs no\n"
    "farm and no GPU; without one the processor alone is tested.\n"
    "\n"
    "  --level N        1 (default): what a node checks before it offers a device;\n"
    "                   seconds. 2: and exactness of decoders, kernels and encoders;\n"
    "                   at most two minutes. 3: and what the processor makes a second,\n"
    "                   minutes; GPUs are skipped in it\n"
    "  --device ID      this device alone: `cpu`, a PCI address or a UUID, as\n"
    "                   `gopmill devices` says them\n"
    "  --json FILE      the report for programs; also for --baseline\n"
    "  --html FILE      the report as one page with plots\n"
    "  --junit FILE     the report for CI systems\n"
    "  --baseline FILE  an earlier --json: what has become worse is a warning or a failure\n"
    "  --version        print the version\n"
    "  --help           print this\n"
    "\n"
    "Exit: 0 good, 1 bad, 2 could not run.\n";

static const char TRY_HELP[] =
    "Usage: gopmill-hwtest try decode|encode --device ID --api API --codec CODEC --depth N\n"
    "                          [--node FILE] [--driver NAME] [--text]\n"
    "       gopmill-hwtest try kernels --device ID [--text]\n"
    "       gopmill-hwtest try rate --device cpu --codec CODEC [--text]\n"
    "       gopmill-hwtest try ladder --device cpu --height 1080|2160 [--text]\n"
    "\n"
    "One check in a process of its own. Started by gopmill-hwtest; not for people.\n";

static int parse_level(const char *text, uint32_t *out)
{
    if (strcmp(text, "4") == 0) {
        fputs("gopmill-hwtest: level 4 is not in this version: it has 1, 2 and 3\n", stderr);
        return GM_EXIT_USAGE;
    }
    if (strcmp(text, "1") != 0 && strcmp(text, "2") != 0 && strcmp(text, "3") != 0) {
        fprintf(stderr, "gopmill-hwtest: `%s` is no level: it is 1, 2 or 3\n", text);
        return GM_EXIT_USAGE;
    }
    *out = (uint32_t)(text[0] - '0');
    return -1;
}

int gm_hwtest_options_parse(int argc, char **argv, struct gm_hwtest_options *out)
{
    const char *level = "1";
    *out = (struct gm_hwtest_options){.level = 1};
    const struct gm_flag table[] = {{"level", GM_FLAG_TEXT, &level},
                                    {"device", GM_FLAG_TEXT, &out->device},
                                    {"json", GM_FLAG_TEXT, &out->json},
                                    {"html", GM_FLAG_TEXT, &out->html},
                                    {"junit", GM_FLAG_TEXT, &out->junit},
                                    {"baseline", GM_FLAG_TEXT, &out->baseline},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, HELP, "gopmill-hwtest " GOPMILL_VERSION, NULL);
    return status >= 0 ? status : parse_level(level, &out->level);
}

static bool is_complete(const struct gm_hwtest_try *t)
{
    bool codec = strcmp(t->kind, "decode") == 0 || strcmp(t->kind, "encode") == 0;
    bool software = t->device != NULL && strcmp(t->device, "cpu") == 0;
    if (t->device == NULL) {
        return false;
    }
    if (codec) {
        return t->api[0] != '\0' && t->codec[0] != '\0' && (t->depth == 8 || t->depth == 10);
    }
    return strcmp(t->kind, "kernels") == 0 ||
           (strcmp(t->kind, "rate") == 0 && software && t->codec[0] != '\0') ||
           (strcmp(t->kind, "ladder") == 0 && software && t->height_px > 0);
}

int gm_hwtest_try_parse(int argc, char **argv, struct gm_hwtest_try *out)
{
    const char *depth = "", *height = "";
    int first = 0;
    *out = (struct gm_hwtest_try){.kind = "", .api = "", .codec = ""};
    const struct gm_flag table[] = {{"device", GM_FLAG_TEXT, &out->device},
                                    {"api", GM_FLAG_TEXT, &out->api},
                                    {"codec", GM_FLAG_TEXT, &out->codec},
                                    {"depth", GM_FLAG_TEXT, &depth},
                                    {"node", GM_FLAG_TEXT, &out->node},
                                    {"driver", GM_FLAG_TEXT, &out->driver},
                                    {"height", GM_FLAG_TEXT, &height},
                                    {"text", GM_FLAG_SET, &out->text},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, TRY_HELP, NULL, &first);
    if (status >= 0) {
        return status;
    }
    out->depth = strcmp(depth, "8") == 0 ? 8 : strcmp(depth, "10") == 0 ? 10 : 0;
    out->height_px = strcmp(height, "1080") == 0 ? 1080 : strcmp(height, "2160") == 0 ? 2160 : 0;
    out->kind = first + 1 == argc ? argv[first] : "";
    if (!is_complete(out)) {
        fputs(TRY_HELP, stderr);
        return GM_EXIT_USAGE;
    }
    return -1;
}
