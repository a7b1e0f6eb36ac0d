/* gopmill-prove: tries one encoder or decoder of one device, in a process of its own because
 * drivers hang and crash. The answer, an encoded ProbeResult (proto/wire.proto), goes to
 * descriptor 3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/flags.h"
#include "kernels/kernels.h"
#include "media/av.h"
#include "media/prove/prove.h"
#include "node/devices/helper.h"
#include "node/devices/probe.h"
#include "node/devices/prove.h"
#include "node/sandbox.h"

static const char HELP[] =
    "Usage: gopmill-prove encode|decode --device ID --api API --codec CODEC --depth N\n"
    "                     [--node /dev/dri/renderDN] [--driver NAME]\n"
    "       gopmill-prove qsv --device ID --node /dev/dri/renderDN [--driver NAME]\n"
    "       gopmill-prove start --device ID --api API [--node /dev/dri/renderDN]\n"
    "       gopmill-prove library --device ID --api API --codec CODEC\n"
    "       gopmill-prove versions\n"
    "\n"
    "Tries one encoder or decoder of one device; asks what Quick Sync opens; opens the device in "
    "the\n"
    "sandbox that gopmill-launcher began; looks whether libavcodec has that encoder; or names the\n"
    "libraries. The answer goes to descriptor 3, or with "
    "--text to the standard output.\n"
    "Started by gopmill-node; not for people: see `gopmill devices --prove`.\n"
    "\n"
    "  --api API      software, nvenc, nvdec, vaapi or qsv; cuda: the kernel that scales\n"
    "  --codec CODEC  h264, hevc, av1 or vp9; of cuda " GM_CUDA_LADDER "; of vaapi also\n"
    "                 " GM_VA_LADDER ": the driver's scaler\n"
    "  --depth N      8 or 10\n"
    "  --text         for people; the exit status is 1 where a proof failed\n"
    "  --version      print the version\n"
    "  --help         print this\n";

struct prove_args {
    const char *what, *device, *node, *driver;
    struct gm_prove_work work;
    bool text;
};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct prove_args *out)
{
    const char *depth = "";
    int first = 0;
    const struct gm_flag table[] = {
        {"device", GM_FLAG_TEXT, &out->device},    {"node", GM_FLAG_TEXT, &out->node},
        {"driver", GM_FLAG_TEXT, &out->driver},    {"api", GM_FLAG_TEXT, &out->work.api},
        {"codec", GM_FLAG_TEXT, &out->work.codec}, {"depth", GM_FLAG_TEXT, &depth},
        {"text", GM_FLAG_SET, &out->text},         {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, HELP, "gopmill-prove " GOPMILL_VERSION, &first);
    out->work.depth = strcmp(depth, "8") == 0 ? 8 : strcmp(depth, "10") == 0 ? 10 : 0;
    out->what = status < 0 && first + 1 == argc ? argv[first] : "";
    return status;
}

static int ask_qsv(const struct prove_args *a, struct gm_device_list *list, struct gm_err *err)
{
    static const char *const codecs[] = {"h264", "hevc", "av1", "vp9"};
    struct gm_device *d = NULL;
    char runtime[GM_PROVE_RUNTIME];
    char feature[sizeof(d->features[0])];
    int rc = gm_device_get(list, a->device, GM_DEVICE_DRM, &d, err);
    if (rc < 0 || !gm_prove_qsv_runtime(a->node, runtime)) {
        return rc;
    }
    (void)snprintf(feature, sizeof(feature), GM_FEATURE_MFX "%s", runtime);
    (void)gm_device_add_feature(d, feature);
    for (int i = 0; i < 8; i++) {
        struct gm_device_codec c = {.api = "qsv", .chroma = 420, .depth = (i & 1) != 0 ? 10 : 8};
        gm_device_set(c.codec, codecs[i / 2]);
        if (gm_prove_qsv_opens(a->node, c.codec, c.depth)) {
            (void)gm_device_add_codec(d, true, &c);
        }
    }
    return rc;
}

static enum gm_device_kind kind_of(const struct prove_args *a)
{
    return strcmp(a->device, "cpu") == 0     ? GM_DEVICE_CPU
           : gm_probe_is_nvidia(a->work.api) ? GM_DEVICE_NVIDIA
                                             : GM_DEVICE_DRM;
}

/* What the chip encodes and this libavcodec does not. */
static int ask_library(const struct prove_args *a, struct gm_device_list *list, struct gm_err *err)
{
    struct gm_device *d = NULL;
    char why[160];
    char feature[sizeof(d->features[0])];
    int rc = gm_device_get(list, a->device, kind_of(a), &d, err);
    if (rc < 0 || gm_prove_has_encoder(a->work.api, a->work.codec, why, sizeof(why))) {
        return rc;
    }
    (void)snprintf(feature, sizeof(feature), GM_FEATURE_LACKS "%.9s_%.9s", a->work.codec,
                   a->work.api);
    (void)gm_device_add_feature(d, feature);
    (void)gm_device_add_note(list, d, GM_NOTE_INFO,
                             "this chip encodes %s, but %s: the processor does it",
                             strcmp(a->work.codec, "av1") == 0 ? "AV1" : a->work.codec, why);
    return 0;
}

/* A proof that fails is an answer, not an error. */
static int prove(struct prove_args *a, struct gm_device_list *list, struct gm_err *err)
{
    struct gm_device *d = NULL;
    struct gm_device_proof proof = {.depth = a->work.depth, .encode = a->work.encode};
    struct gm_err why = {.code = GM_OK};
    int rc = gm_device_get(list, a->device, kind_of(a), &d, err);
    if (rc < 0) {
        return rc;
    }
    gm_device_set(proof.api, a->work.api);
    gm_device_set(proof.codec, a->work.codec);
    char number[16];
    int proven = gm_probe_av_name(a->work.api, a->device, a->node, number, &a->work.device, &why);
    char bits[GM_PROVE_BITS] = "";
    if (proven == 0 && gm_prove_is_scaler(&a->work)) {
        proven = gm_prove_scaler(&a->work, bits, &why);
    } else if (proven == 0) {
        proven = gm_prove_run(&a->work, &proof.psnr_centi, &why);
    }
    proof.passed = proven == 0;
    gm_device_set(proof.text, proven < 0 ? why.text : bits);
    (void)gm_device_add_proof(d, &proof);
    return 0;
}

/* Through gopmill-launcher, as a worker is started: enters the sandbox and opens the device. */
static int start(struct prove_args *a, struct gm_device_list *list, struct gm_err *err)
{
    struct gm_device *d = NULL;
    struct gm_sandbox_device device;
    struct gm_sandbox_missing missing = {.count = 0};
    struct gm_device_proof proof = {.depth = 8};
    struct gm_err why = {.code = GM_OK};
    int rc = gm_device_get(list, a->device, kind_of(a), &d, err);
    if (rc < 0) {
        return rc;
    }
    gm_device_set(proof.api, a->work.api);
    gm_device_set(proof.codec, GM_PROVE_START);
    int started = gm_sandbox_device_from_env(&device, &why);
    if (started == 0) {
        started = gm_sandbox_enter(GM_HELPER_RESULT, &device, &missing, &why);
    }
    if (started == 0) { /* CUDA sees the one device alone */
        a->work.device = a->node == NULL ? "" : a->node;
        started = gm_prove_start(&a->work, &why);
    }
    /* Busy or full by what others do there: no word of the sandbox, whose doors were open. Who
     * asked knows whether it ever opened. */
    proof.passed = started == 0 || why.code == GM_E_DEVICE_BUSY || why.code == GM_E_DEVICE_MEMORY;
    if (started < 0) {
        gm_device_set(proof.text, why.text);
    }
    (void)gm_device_add_proof(d, &proof);
    return 0;
}

int main(int argc, char **argv)
{
    struct prove_args a = {.work = {.api = "", .codec = ""}};
    struct gm_device_list list = {0};
    struct gm_err err = {.code = GM_OK};
    int status = parse(argc, argv, &a);
    if (status >= 0) {
        return status;
    }
    bool versions = strcmp(a.what, "versions") == 0;
    bool qsv = strcmp(a.what, "qsv") == 0;
    bool library = strcmp(a.what, "library") == 0;
    bool starts = strcmp(a.what, GM_PROVE_START) == 0;
    a.work.encode = strcmp(a.what, "encode") == 0;
    bool run = a.work.encode || strcmp(a.what, "decode") == 0;
    bool named = a.work.codec[0] != '\0' && a.work.api[0] != '\0';
    if ((!versions && a.device == NULL) || (qsv && a.node == NULL) ||
        (!versions && !qsv && !library && !run && !starts) || (library && !named) ||
        (starts && a.work.api[0] == '\0') || (run && (!named || a.work.depth == 0))) {
        fputs(HELP, stderr);
        return GM_EXIT_USAGE;
    }
    if (!gm_helper_can_answer("gopmill-prove", a.text)) {
        return GM_EXIT_USAGE;
    }
    gm_av_init();
    int rc = a.driver != NULL && setenv("LIBVA_DRIVER_NAME", a.driver, 1) != 0 ? gm_err_nomem(&err)
             : versions                                                        ? 0
             : library ? ask_library(&a, &list, &err)
             : qsv     ? ask_qsv(&a, &list, &err)
             : starts  ? start(&a, &list, &err)
                       : prove(&a, &list, &err);
    gm_prove_versions(list.versions, sizeof(list.versions));
    gm_helper_end("gopmill-prove", &list, a.text, rc, &err);
}
