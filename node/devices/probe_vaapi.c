/* One render node through one VA driver: profiles, entry points, attributes.
 * See: https://intel.github.io/libva/ */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/va.h"
#include "node/devices/probe.h"

#define PROFILES_MAX 128

static const char *codec_of(VAProfile profile)
{
    switch (profile) {
    case VAProfileH264ConstrainedBaseline:
    case VAProfileH264Main:
    case VAProfileH264High:
        return "h264";
    case VAProfileHEVCMain:
    case VAProfileHEVCMain10:
    case VAProfileHEVCMain12:
    case VAProfileHEVCMain422_10:
    case VAProfileHEVCMain444:
    case VAProfileHEVCMain444_10:
        return "hevc";
    case VAProfileAV1Profile0:
    case VAProfileAV1Profile1:
        return "av1";
    case VAProfileVP9Profile0:
    case VAProfileVP9Profile1:
    case VAProfileVP9Profile2:
    case VAProfileVP9Profile3:
        return "vp9";
    case VAProfileVP8Version0_3:
        return "vp8";
    case VAProfileMPEG2Simple:
    case VAProfileMPEG2Main:
        return "mpeg2";
    case VAProfileVC1Simple:
    case VAProfileVC1Main:
    case VAProfileVC1Advanced:
        return "vc1";
    case VAProfileJPEGBaseline:
        return "mjpeg";
    default:
        return NULL;
    }
}

static const struct {
    uint32_t bit, chroma, depth;
} FORMATS[] = {
    {VA_RT_FORMAT_YUV420, 420, 8},     {VA_RT_FORMAT_YUV420_10, 420, 10},
    {VA_RT_FORMAT_YUV420_12, 420, 12}, {VA_RT_FORMAT_YUV422, 422, 8},
    {VA_RT_FORMAT_YUV422_10, 422, 10}, {VA_RT_FORMAT_YUV422_12, 422, 12},
    {VA_RT_FORMAT_YUV444, 444, 8},     {VA_RT_FORMAT_YUV444_10, 444, 10},
    {VA_RT_FORMAT_YUV444_12, 444, 12}, {VA_RT_FORMAT_YUV400, 400, 8},
};

/* Some drivers list every format for each profile: what the profile can't hold is left out. */
static bool holds(VAProfile profile, uint32_t chroma, uint32_t depth)
{
    switch (profile) {
    case VAProfileHEVCMain10:
    case VAProfileVP9Profile2:
    case VAProfileAV1Profile0:
        return chroma == 420 && depth <= (profile == VAProfileVP9Profile2 ? 12u : 10u);
    case VAProfileHEVCMain12:
        return chroma == 420;
    case VAProfileHEVCMain422_10:
        return chroma <= 422 && depth <= 10;
    case VAProfileHEVCMain444:
    case VAProfileVP9Profile1:
        return depth == 8;
    case VAProfileHEVCMain444_10:
    case VAProfileAV1Profile1:
        return depth <= 10;
    case VAProfileVP9Profile3:
        return true;
    case VAProfileJPEGBaseline:
        return depth == 8;
    default:
        return chroma == 420 && depth == 8;
    }
}

/* Several profiles, and entry points of one, hold the same format: what any of them can is said, as
 * the farm takes the highest. */
static void add_codec(struct gm_device *d, bool encode, struct gm_device_codec *c)
{
    const struct gm_device_codec *had = encode ? d->encode : d->decode;
    size_t count = encode ? d->encode_count : d->decode_count;
    for (size_t i = 0; i < count; i++) {
        const struct gm_device_codec *h = &had[i];
        if (strcmp(h->api, c->api) == 0 && strcmp(h->codec, c->codec) == 0 &&
            h->chroma == c->chroma && h->depth == c->depth) {
            c->max_width_px = h->max_width_px > c->max_width_px ? h->max_width_px : c->max_width_px;
            c->max_height_px =
                h->max_height_px > c->max_height_px ? h->max_height_px : c->max_height_px;
            c->b_frames = c->b_frames || h->b_frames;
        }
    }
    (void)gm_device_add_codec(d, encode, c);
}

static void add_entrypoint(const struct gm_va *va, VADisplay display, VAProfile profile,
                           VAEntrypoint entry, struct gm_device *d)
{
    bool encode = entry == VAEntrypointEncSlice || entry == VAEntrypointEncSliceLP ||
                  entry == VAEntrypointEncPicture;
    VAConfigAttrib a[] = {
        {VAConfigAttribRTFormat, 0},         {VAConfigAttribMaxPictureWidth, 0},
        {VAConfigAttribMaxPictureHeight, 0}, {VAConfigAttribEncMaxRefFrames, 0},
        {VAConfigAttribRateControl, 0},      {VAConfigAttribPredictionDirection, 0}};
    if ((!encode && entry != VAEntrypointVLD) ||
        va->attributes(display, profile, entry, a, 6) != VA_STATUS_SUCCESS) {
        return;
    }
    for (size_t i = 0; i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++) {
        if ((gm_va_value(&a[0]) & FORMATS[i].bit) == 0 ||
            !holds(profile, FORMATS[i].chroma, FORMATS[i].depth)) {
            continue;
        }
        struct gm_device_codec c = {.api = "vaapi",
                                    .chroma = FORMATS[i].chroma,
                                    .depth = FORMATS[i].depth,
                                    .max_width_px = gm_va_value(&a[1]),
                                    .max_height_px = gm_va_value(&a[2]),
                                    .b_frames = encode && gm_va_reorders(&a[3], &a[5])};
        gm_device_set(c.codec, codec_of(profile));
        add_codec(d, encode, &c);
    }
    static const struct {
        uint32_t bit;
        const char *feature;
    } rates[] = {{VA_RC_CQP, "vaapi-cqp"},
                 {VA_RC_CBR, "vaapi-cbr"},
                 {VA_RC_VBR, "vaapi-vbr"},
                 {VA_RC_ICQ, "vaapi-icq"},
                 {VA_RC_QVBR, "vaapi-qvbr"}};
    for (size_t i = 0; encode && i < sizeof(rates) / sizeof(rates[0]); i++) {
        if ((gm_va_value(&a[4]) & rates[i].bit) != 0) {
            (void)gm_device_add_feature(d, rates[i].feature);
        }
    }
    if (entry == VAEntrypointEncSliceLP) {
        (void)gm_device_add_feature(d, "vaapi-low-power");
    }
}

/* Its video processor, and the depths that it says it takes. */
static void ask_scaler(const struct gm_va *va, VADisplay display, struct gm_device *d)
{
    VAEntrypoint entries[GM_VA_ENTRYPOINTS];
    VAConfigAttrib format = {VAConfigAttribRTFormat, 0};
    int count = 0;
    bool has = false;
    if (va->entrypoints(display, VAProfileNone, entries, &count) != VA_STATUS_SUCCESS) {
        return;
    }
    for (int i = 0; i < count && i < GM_VA_ENTRYPOINTS; i++) {
        has = has || entries[i] == VAEntrypointVideoProc;
    }
    if (!has || va->attributes(display, VAProfileNone, VAEntrypointVideoProc, &format, 1) !=
                    VA_STATUS_SUCCESS) {
        return;
    }
    if ((gm_va_value(&format) & VA_RT_FORMAT_YUV420) != 0) {
        (void)gm_device_add_feature(d, GM_FEATURE_VA_SCALES "8");
    }
    if ((gm_va_value(&format) & VA_RT_FORMAT_YUV420_10) != 0) {
        (void)gm_device_add_feature(d, GM_FEATURE_VA_SCALES "10");
    }
}

static void ask(const struct gm_va *va, VADisplay display, struct gm_device *d)
{
    VAProfile profiles[PROFILES_MAX];
    VAEntrypoint entries[GM_VA_ENTRYPOINTS];
    int count = 0;
    if (va->max_profiles(display) > PROFILES_MAX ||
        va->max_entrypoints(display) > GM_VA_ENTRYPOINTS ||
        va->profiles(display, profiles, &count) != VA_STATUS_SUCCESS) {
        return;
    }
    for (int i = 0; i < count && i < PROFILES_MAX; i++) {
        int entry_count = 0;
        if (profiles[i] == VAProfileNone) {
            ask_scaler(va, display, d);
        }
        if (codec_of(profiles[i]) == NULL ||
            va->entrypoints(display, profiles[i], entries, &entry_count) != VA_STATUS_SUCCESS) {
            continue;
        }
        for (int k = 0; k < entry_count && k < GM_VA_ENTRYPOINTS; k++) {
            add_entrypoint(va, display, profiles[i], entries[k], d);
        }
    }
}

/* What tasks may use, with what they need of its encoder besides that it encodes (docs/adr/0023).
 */
static const struct codec {
    const char *name;
    const char *feature; /* the driver takes its parameter sets from us */
    VAProfile profiles[2];
    int count;
} CODECS[] = {{"H.264", GM_FEATURE_VA_HEADERS, {VAProfileH264High}, 1},
              {"HEVC", GM_FEATURE_VA_HEVC, {VAProfileHEVCMain, VAProfileHEVCMain10}, 2}};

/* What the driver does for all of the codec's profiles that it encodes; false: for none. */
static bool ask_codec(const struct gm_va *va, VADisplay display, const struct codec *codec,
                      uint32_t *out_headers, uint32_t *out_rates)
{
    bool encodes = false;
    *out_headers = *out_rates = UINT32_MAX;
    for (int i = 0; i < codec->count; i++) {
        VAEntrypoint entry = VAEntrypointEncSlice;
        VAConfigAttrib a[] = {{VAConfigAttribEncPackedHeaders, 0}, {VAConfigAttribRateControl, 0}};
        if (gm_va_find_encoder(va, display, codec->profiles[i], &entry) &&
            va->attributes(display, codec->profiles[i], entry, a, 2) == VA_STATUS_SUCCESS) {
            *out_headers &= gm_va_value(&a[0]);
            *out_rates &= gm_va_value(&a[1]);
            encodes = true;
        }
    }
    return encodes;
}

static const char *without_cap(uint32_t rates)
{
    return (rates & VA_RC_ICQ) == 0   ? "`qp`"
           : (rates & VA_RC_CQP) == 0 ? "`crf` without a cap"
                                      : "`qp`, and `crf` without a cap";
}

/* What holds for several codecs is said once. */
static void look_at_encoders(const struct gm_va *va, VADisplay display, struct gm_device_list *out,
                             struct gm_device *d)
{
    const uint32_t needed = VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_SLICE;
    char own[32] = "", uncapped[32] = "";
    uint32_t told = 0;
    for (size_t i = 0; i < sizeof(CODECS) / sizeof(CODECS[0]); i++) {
        uint32_t headers = 0, rates = 0;
        if (!ask_codec(va, display, &CODECS[i], &headers, &rates)) {
            continue;
        }
        bool ours = (headers & needed) == needed;
        char *list = !ours ? own : (rates & VA_RC_QVBR) == 0 ? uncapped : NULL;
        if (ours) {
            (void)gm_device_add_feature(d, CODECS[i].feature);
        }
        if (list != NULL) {
            size_t used = strlen(list);
            (void)snprintf(list + used, sizeof(own) - used, "%s%s", used > 0 ? " and " : "",
                           CODECS[i].name);
        }
        told = list != uncapped ? told : told == 0 ? rates : told & rates;
    }
    if (own[0] != '\0') {
        (void)gm_device_add_note(out, d, GM_NOTE_WARN,
                                 "VAAPI: this driver writes the parameter sets of %s itself, and "
                                 "they may differ from chunk to chunk: no task is encoded so; "
                                 "another driver, or a newer one, may leave them to gopmill",
                                 own);
    }
    if (uncapped[0] != '\0') {
        (void)gm_device_add_note(
            out, d, GM_NOTE_INFO,
            "VAAPI: this driver keeps no quality of %s below a bit rate cap (no QVBR): jobs with "
            "`crf` and a cap, as most pipelines have, are encoded on the processors; it takes %s",
            uncapped, without_cap(told));
    }
}

static void use_display(const struct gm_va *va, VADisplay display, const struct gm_probe_params *p,
                        struct gm_device_list *out, struct gm_device *d)
{
    int major = 0, minor = 0;
    VAStatus status = va->initialize(display, &major, &minor);
    if (status != VA_STATUS_SUCCESS) {
        d->encoding = d->decoding = GM_ENGINE_REFUSED;
        (void)gm_device_add_note(
            out, d, GM_NOTE_WARN,
            "VAAPI: the driver %s does not start on %s: %s: another one may fit "
            "this card (LIBVA_DRIVER_NAME; vainfo says more)",
            p->driver == NULL ? "that libva chose" : p->driver, p->node, va->error(status));
        return;
    }
    const char *vendor = va->vendor(display);
    gm_device_set(d->driver, vendor == NULL ? "" : vendor);
    (void)gm_device_add_feature(d, "vaapi");
    char api[24];
    (void)snprintf(api, sizeof(api), GM_FEATURE_VA_API "%d.%d", major & 255, minor & 255);
    (void)gm_device_add_feature(d, api);
    ask(va, display, d);
    look_at_encoders(va, display, out, d);
    d->decoding = d->decode_count > 0 ? GM_ENGINE_PRESENT : GM_ENGINE_ABSENT;
    d->encoding = d->encode_count > 0 ? GM_ENGINE_PRESENT : GM_ENGINE_ABSENT;
    (void)va->terminate(display);
}

int gm_probe_vaapi(const struct gm_probe_params *params, struct gm_device_list *out,
                   struct gm_err *err)
{
    struct gm_va va;
    struct gm_device *d = NULL;
    int rc = gm_device_get(out, params->device, GM_DEVICE_DRM, &d, err);
    if (rc < 0) {
        return rc;
    }
    if (!gm_va_open(&va)) {
        d->encoding = d->decoding = GM_ENGINE_MISSING;
        (void)gm_device_add_note(out, d, GM_NOTE_WARN,
                                 "VAAPI: libva.so.2 is missing: install the packages libva2 and "
                                 "libva-drm2");
        return 0;
    }
    if (params->driver != NULL && setenv("LIBVA_DRIVER_NAME", params->driver, 1) != 0) {
        return gm_err_nomem(err);
    }
    int fd = open(params->node, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        d->encoding = d->decoding = GM_ENGINE_REFUSED;
        (void)gm_device_add_note(out, d, GM_NOTE_WARN, "VAAPI: %s can't be opened: %s",
                                 params->node, strerror(errno));
        return 0;
    }
    gm_device_set(d->render_node, params->node);
    VADisplay display = va.display_drm(fd);
    if (display == NULL) {
        d->encoding = d->decoding = GM_ENGINE_REFUSED;
        (void)gm_device_add_note(out, d, GM_NOTE_WARN, "VAAPI: %s is no device that libva knows",
                                 params->node);
    } else {
        use_display(&va, display, params, out, d);
    }
    (void)close(fd);
    return 0;
}
