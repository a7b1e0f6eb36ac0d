/* gopmill-probe: asks one driver library one question, in a process of its own because drivers hang
 * and crash. The answer, an encoded ProbeResult (proto/wire.proto), goes to descriptor 3. */
#include <stdio.h>
#include <string.h>

#include "common/flags.h"
#include "node/devices/helper.h"
#include "node/devices/probe.h"

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
    "  --text         for people\n"
    "  --version      print the version\n"
    "  --help         print this\n";

int main(int argc, char **argv)
{
    struct gm_probe_params params = {0};
    struct gm_device_list list = {0};
    struct gm_err err;
    bool text = false;
    int first = 0;
    const struct gm_flag table[] = {{"device", GM_FLAG_TEXT, &params.device},
                                    {"node", GM_FLAG_TEXT, &params.node},
                                    {"driver", GM_FLAG_TEXT, &params.driver},
                                    {"expected", GM_FLAG_SET, &params.expected},
                                    {"text", GM_FLAG_SET, &text},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, HELP, "gopmill-probe " GOPMILL_VERSION, &first);
    if (status >= 0) {
        return status;
    }
    const char *name = first + 1 == argc ? argv[first] : "";
    gm_probe_fn run = gm_probe_find(name);
    char id[16];
    bool one = strncmp(name, "nv", 2) == 0 ? strcmp(name, "nvml") != 0 : strcmp(name, "vaapi") == 0;
    bool has_id = params.device != NULL && (gm_pci_normalize(params.device, id) ||
                                            strncmp(params.device, "platform:", 9) == 0);
    if (run == NULL || (one && !has_id) || (strcmp(name, "vaapi") == 0 && params.node == NULL)) {
        fputs(HELP, stderr);
        return GM_EXIT_USAGE;
    }
    if (!gm_helper_can_answer("gopmill-probe", text)) {
        return GM_EXIT_USAGE;
    }
    int rc = run(&params, &list, &err);
    gm_helper_end("gopmill-probe", &list, text, rc, &err);
}
