#include "hwtest/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

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

static int usage(const char *help)
{
    fputs(help, stderr);
    return EXIT_USAGE;
}

static int parse_level(const char *text, uint32_t *out)
{
    if (strcmp(text, "4") == 0) {
        fputs("gopmill-hwtest: level 4 is not in this version: it has 1, 2 and 3\n", stderr);
        return EXIT_USAGE;
    }
    if (strcmp(text, "1") != 0 && strcmp(text, "2") != 0 && strcmp(text, "3") != 0) {
        fprintf(stderr, "gopmill-hwtest: `%s` is no level: it is 1, 2 or 3\n", text);
        return EXIT_USAGE;
    }
    *out = (uint32_t)(text[0] - '0');
    return -1;
}

int gm_hwtest_options_parse(int argc, char **argv, struct gm_hwtest_options *out)
{
    static const struct option known[] = {{"level", required_argument, NULL, 'l'},
                                          {"device", required_argument, NULL, 'd'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"html", required_argument, NULL, 'w'},
                                          {"junit", required_argument, NULL, 'u'},
                                          {"baseline", required_argument, NULL, 'b'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    int c, status;
    *out = (struct gm_hwtest_options){.level = 1};
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'l':
            status = parse_level(optarg, &out->level);
            if (status >= 0) {
                return status;
            }
            break;
        case 'd':
            out->device = optarg;
            break;
        case 'j':
            out->json = optarg;
            break;
        case 'w':
            out->html = optarg;
            break;
        case 'u':
            out->junit = optarg;
            break;
        case 'b':
            out->baseline = optarg;
            break;
        case 'h':
            fputs(HELP, stdout);
            return 0;
        case 'v':
            puts("gopmill-hwtest " GOPMILL_VERSION);
            return 0;
        default:
            return usage(HELP);
        }
    }
    if (optind != argc) {
        fprintf(stderr, "gopmill-hwtest: unexpected argument `%s`\n\n%s", argv[optind], HELP);
        return EXIT_USAGE;
    }
    return -1;
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
    static const struct option known[] = {
        {"device", required_argument, NULL, 'd'}, {"api", required_argument, NULL, 'a'},
        {"codec", required_argument, NULL, 'c'},  {"depth", required_argument, NULL, 'b'},
        {"node", required_argument, NULL, 'n'},   {"driver", required_argument, NULL, 'r'},
        {"text", no_argument, NULL, 't'},         {"height", required_argument, NULL, 'y'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int c;
    *out = (struct gm_hwtest_try){.kind = "", .api = "", .codec = ""};
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'd':
            out->device = optarg;
            break;
        case 'a':
            out->api = optarg;
            break;
        case 'c':
            out->codec = optarg;
            break;
        case 'b':
            out->depth = strcmp(optarg, "8") == 0 ? 8 : strcmp(optarg, "10") == 0 ? 10 : 0;
            break;
        case 'n':
            out->node = optarg;
            break;
        case 'r':
            out->driver = optarg;
            break;
        case 'y':
            out->height_px = strcmp(optarg, "1080") == 0   ? 1080
                             : strcmp(optarg, "2160") == 0 ? 2160
                                                           : 0;
            break;
        case 't':
            out->text = true;
            break;
        case 'h':
            fputs(TRY_HELP, stdout);
            return 0;
        default:
            return usage(TRY_HELP);
        }
    }
    out->kind = optind + 1 == argc ? argv[optind] : "";
    return is_complete(out) ? -1 : usage(TRY_HELP);
}
