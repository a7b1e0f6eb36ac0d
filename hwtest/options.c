#include "hwtest/options.h"

#include <stdio.h>
#include <string.h>

#include "common/flags.h"
#include "common/number.h"

#define COUNT_MAX 10000000u
#define MINUTES 60
#define MINUTES_MAX 10000
#define LIMIT_MAX 86400

static const char HELP[] =
    "Usage: gopmill-hwtest [--level 1|2|3|4] [--device ID] [--json FILE] [--html FILE]\n"
    "                      [--junit FILE] [--baseline FILE] [--short]\n"
    "                      [--time-limit S] [--minutes N] [--seed N] [--only]\n"
    "                      [--node-config FILE]\n"
    "\n"
    "Tests the devices of this machine: whether it can be accepted for a farm. Needs no\n"
    "farm and no GPU; without one the processor alone is tested.\n"
    "\n"
    "  --level N        1 (default): what a node checks before it offers a device;\n"
    "                   seconds. 2: and exactness of decoders, kernels and encoders;\n"
    "                   two minutes with one device. 3: and capacity: what the processor and\n"
    "                   each device make a second; at most about 14 minutes more. 4: and\n"
    "                   endurance: jobs for a long time while their workers are killed\n"
    "  --device ID      this device alone: `cpu`, a PCI address or a UUID, as\n"
    "                   `gopmill devices` says them. Level 4 takes it where no other\n"
    "                   device encodes\n"
    "  --json FILE      the report for programs; also for --baseline\n"
    "  --html FILE      the report as one page with plots\n"
    "  --junit FILE     the report for CI systems\n"
    "  --baseline FILE  an earlier --json: what has become worse is a warning or a failure\n"
    "  --node-config FILE  the configuration of the node that is to work here: of its\n"
    "                   `device_environment` and `device_paths`, with which devices are\n"
    "                   opened in a worker's sandbox, and the node of level 4 works\n"
    "  --only           that level without those below it; level 1 is always run\n"
    "  --short          levels 3 and 4 in seconds: shows that everything runs; figures are\n"
    "                   worth nothing\n"
    "  --time-limit S   of levels 1 to 3: all ends after S seconds, 1 to 86400, and what is\n"
    "                   left is SKIP (SIGINT and SIGTERM do the same at once)\n"
    "  --minutes N      of level 4: 1 to 10000 (default 60)\n"
    "  --seed N         of level 4: chooses which workers are killed and when; printed\n"
    "  --version        print the version\n"
    "  --help           print this\n"
    "\n"
    "Exit: 0 good, 1 bad, 2 could not run.\n";

static const char TRY_HELP[] =
    "Usage: gopmill-hwtest try decode|encode --device ID --api API --codec CODEC --depth N\n"
    "                          [--node FILE] [--driver NAME] [--text]\n"
    "       gopmill-hwtest try kernels --device ID [--text]\n"
    "       gopmill-hwtest try pictures --device ID --api cuda --codec CODEC --depth N [--text]\n"
    "       gopmill-hwtest try rate --device cpu --codec CODEC [--short] [--text]\n"
    "       gopmill-hwtest try ladder --device cpu --height 1080|2160 [--short] [--text]\n"
    "       gopmill-hwtest try decoders|encoders --device ID --api API --codec CODEC --depth N\n"
    "                          [--streams N] [--node FILE] [--driver NAME] [--short] [--text]\n"
    "       gopmill-hwtest try sessions --device ID --api API [--node FILE] [--driver NAME]\n"
    "                          [--short] [--text]\n"
    "       gopmill-hwtest try scale|copy --device ID [--short] [--text]\n"
    "       gopmill-hwtest try together --device ID --codec CODEC [--api API] [--source API]\n"
    "                          [--streams N] [--node FILE] [--driver NAME] [--short] [--text]\n"
    "       gopmill-hwtest try density --device ID --api API --height 1080|2160 --budget MS\n"
    "                          [--source API] [--streams N] [--node FILE] [--driver NAME]\n"
    "                          [--short] [--text]\n"
    "       gopmill-hwtest try staying --device ID [--api API] --height 1080|2160 --budget MS\n"
    "                          [--short] [--text]\n"
    "       gopmill-hwtest try assist --device ID --source API --height 1080|2160\n"
    "                          [--streams N] [--short] [--text]\n"
    "\n"
    "One check in a process of its own. Started by gopmill-hwtest; not for people.\n";

static int parse_level(const char *text, uint32_t *out)
{
    if (text[0] < '1' || text[0] > '4' || text[1] != '\0') {
        fprintf(stderr, "gopmill-hwtest: `%s` is no level: it is 1, 2, 3 or 4\n", text);
        return GM_EXIT_USAGE;
    }
    *out = (uint32_t)(text[0] - '0');
    return -1;
}

int gm_hwtest_options_parse(int argc, char **argv, struct gm_hwtest_options *out)
{
    const char *level = "1", *minutes = NULL, *seed = NULL, *limit = NULL;
    int64_t number = 0;
    *out = (struct gm_hwtest_options){.level = 1, .minutes = MINUTES};
    const struct gm_flag table[] = {{"level", GM_FLAG_TEXT, &level},
                                    {"device", GM_FLAG_TEXT, &out->device},
                                    {"json", GM_FLAG_TEXT, &out->json},
                                    {"html", GM_FLAG_TEXT, &out->html},
                                    {"junit", GM_FLAG_TEXT, &out->junit},
                                    {"baseline", GM_FLAG_TEXT, &out->baseline},
                                    {"short", GM_FLAG_SET, &out->quick},
                                    {"time-limit", GM_FLAG_TEXT, &limit},
                                    {"minutes", GM_FLAG_TEXT, &minutes},
                                    {"seed", GM_FLAG_TEXT, &seed},
                                    {"only", GM_FLAG_SET, &out->only},
                                    {"node-config", GM_FLAG_TEXT, &out->node_config},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, HELP, "gopmill-hwtest " GOPMILL_VERSION, NULL);
    status = status >= 0 ? status : parse_level(level, &out->level);
    if (status >= 0) {
        return status;
    }
    if (minutes != NULL) {
        bool good = gm_number_int(minutes, &number) && number > 0 && number <= MINUTES_MAX;
        out->minutes = good ? (uint32_t)number : 0;
    }
    if (seed != NULL) {
        out->seed = gm_number_int(seed, &number) && number > 0 ? (uint64_t)number : 0;
    }
    if (out->minutes == 0 || (seed != NULL && out->seed == 0)) {
        fprintf(stderr,
                "gopmill-hwtest: --minutes is a number from 1 to %d, --seed one from 1 on\n",
                MINUTES_MAX);
        return GM_EXIT_USAGE;
    }
    if (limit != NULL) {
        bool good = gm_number_int(limit, &number) && number > 0 && number <= LIMIT_MAX;
        out->limit_s = good ? (uint32_t)number : 0;
    }
    if (limit != NULL && (out->limit_s == 0 || out->level == 4)) {
        fprintf(stderr,
                "gopmill-hwtest: --time-limit is a number from 1 to %d, of levels 1 to 3: level 4 "
                "has --minutes\n",
                LIMIT_MAX);
        return GM_EXIT_USAGE;
    }
    if (out->level < 4 && (minutes != NULL || seed != NULL)) {
        fputs("gopmill-hwtest: --minutes and --seed are of level 4\n", stderr);
        return GM_EXIT_USAGE;
    }
    if (out->level < 3 && out->quick) {
        fputs("gopmill-hwtest: --short is of levels 3 and 4\n", stderr);
        return GM_EXIT_USAGE;
    }
    return -1;
}

/* What each kind must be told besides its device. */
static const struct kind {
    const char *name;
    bool software, api, codec, depth, height, budget, source;
} KINDS[] = {
    {.name = "decode", .api = true, .codec = true, .depth = true},
    {.name = "encode", .api = true, .codec = true, .depth = true},
    {.name = "kernels"},
    {.name = "pictures", .api = true, .codec = true, .depth = true},
    {.name = "rate", .software = true, .codec = true},
    {.name = "ladder", .software = true, .height = true},
    {.name = "decoders", .api = true, .codec = true, .depth = true},
    {.name = "encoders", .api = true, .codec = true, .depth = true},
    {.name = "sessions", .api = true},
    {.name = "scale"},
    {.name = "copy"},
    {.name = "together", .codec = true},
    {.name = "density", .api = true, .height = true, .budget = true},
    {.name = "staying", .height = true, .budget = true},
    {.name = "assist", .source = true, .height = true},
};

static bool is_complete(const struct gm_hwtest_try *t)
{
    for (size_t i = 0; t->device != NULL && i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        const struct kind *k = &KINDS[i];
        if (strcmp(k->name, t->kind) == 0) {
            return (!k->software || strcmp(t->device, "cpu") == 0) &&
                   (!k->api || t->api[0] != '\0') && (!k->codec || t->codec[0] != '\0') &&
                   (!k->depth || t->depth > 0) && (!k->height || t->height_px > 0) &&
                   (!k->budget || t->budget_ms > 0) && (!k->source || t->source != NULL);
        }
    }
    return false;
}

/* text NULL: not given, 0. */
static bool read_count(const char *text, uint32_t *out)
{
    int64_t value = 0;
    if (text == NULL) {
        return true;
    }
    bool good = gm_number_int(text, &value) && value > 0 && value <= COUNT_MAX;
    *out = good ? (uint32_t)value : 0;
    return good;
}

int gm_hwtest_try_parse(int argc, char **argv, struct gm_hwtest_try *out)
{
    const char *depth = "", *height = "", *streams = NULL, *budget = NULL;
    int first = 0;
    *out = (struct gm_hwtest_try){.kind = "", .api = "", .codec = ""};
    const struct gm_flag table[] = {{"device", GM_FLAG_TEXT, &out->device},
                                    {"api", GM_FLAG_TEXT, &out->api},
                                    {"codec", GM_FLAG_TEXT, &out->codec},
                                    {"depth", GM_FLAG_TEXT, &depth},
                                    {"node", GM_FLAG_TEXT, &out->node},
                                    {"driver", GM_FLAG_TEXT, &out->driver},
                                    {"height", GM_FLAG_TEXT, &height},
                                    {"source", GM_FLAG_TEXT, &out->source},
                                    {"streams", GM_FLAG_TEXT, &streams},
                                    {"budget", GM_FLAG_TEXT, &budget},
                                    {"short", GM_FLAG_SET, &out->quick},
                                    {"text", GM_FLAG_SET, &out->text},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, TRY_HELP, NULL, &first);
    if (status >= 0) {
        return status;
    }
    out->depth = strcmp(depth, "8") == 0 ? 8 : strcmp(depth, "10") == 0 ? 10 : 0;
    out->height_px = strcmp(height, "1080") == 0 ? 1080 : strcmp(height, "2160") == 0 ? 2160 : 0;
    out->kind = first + 1 == argc ? argv[first] : "";
    if (!read_count(streams, &out->streams) || !read_count(budget, &out->budget_ms) ||
        !is_complete(out)) {
        fputs(TRY_HELP, stderr);
        return GM_EXIT_USAGE;
    }
    return -1;
}
