/* gopmill-probe: asks one driver library one question, in a process of its own because drivers hang
 * and crash. The answer, an encoded ProbeResult (proto/wire.proto), goes to descriptor 3. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "node/devices/helper.h"
#include "node/devices/probe.h"

#define EXIT_USAGE 2

static const char HELP[] =
    "Usage: gopmill-probe nvml|cuda|drm [--expected]\n"
    "       gopmill-probe nvdec|nvenc --device PCI\n"
    "       gopmill-probe vaapi --device PCI --node /dev/dri/renderDN [--driver NAME]\n"
    "\n"
    "Asks one driver library what it has; the answer goes to descriptor 3, or with --text to\n"
    "the standard output. Started by gopmill-node; not for people: see `gopmill devices`.\n"
    "\n"
    "  --device PCI   the device's address, \"0000:3b:00.0\"\n"
    "  --node FILE    its render node\n"
    "  --driver NAME  the VA driver to load (LIBVA_DRIVER_NAME)\n"
    "  --expected     such hardware is there: say what library is missing\n"
    "  --maybe        it may not be there: a missing library is no news (default)\n"
    "  --text         for people\n"
    "  --version      print the version\n"
    "  --help         print this\n";

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct gm_probe_params *out, bool *out_text)
{
    static const struct option known[] = {{"device", required_argument, NULL, 'd'},
                                          {"node", required_argument, NULL, 'n'},
                                          {"driver", required_argument, NULL, 'r'},
                                          {"expected", no_argument, NULL, 'e'},
                                          {"maybe", no_argument, NULL, 'm'},
                                          {"text", no_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'd':
            out->device = optarg;
            break;
        case 'n':
            out->node = optarg;
            break;
        case 'r':
            out->driver = optarg;
            break;
        case 'e':
            out->expected = true;
            break;
        case 'm':
            out->expected = false;
            break;
        case 't':
            *out_text = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return 0;
        case 'v':
            puts("gopmill-probe " GOPMILL_VERSION);
            return 0;
        default:
            fputs(HELP, stderr);
            return EXIT_USAGE;
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct gm_probe_params params = {0};
    struct gm_device_list list = {0};
    struct gm_err err;
    bool text = false;
    int status = parse(argc, argv, &params, &text);
    if (status >= 0) {
        return status;
    }
    const char *name = optind + 1 == argc ? argv[optind] : "";
    gm_probe_fn run = gm_probe_find(name);
    char id[16];
    bool one = strncmp(name, "nv", 2) == 0 ? strcmp(name, "nvml") != 0 : strcmp(name, "vaapi") == 0;
    bool has_id = params.device != NULL && (gm_pci_normalize(params.device, id) ||
                                            strncmp(params.device, "platform:", 9) == 0);
    if (run == NULL || (one && !has_id) || (strcmp(name, "vaapi") == 0 && params.node == NULL)) {
        fputs(HELP, stderr);
        return EXIT_USAGE;
    }
    if (!gm_helper_can_answer("gopmill-probe", text)) {
        return EXIT_USAGE;
    }
    int rc = run(&params, &list, &err);
    gm_helper_end("gopmill-probe", &list, text, rc, &err);
}
