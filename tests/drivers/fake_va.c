/* fake_drv_video.so: the display, what the chip can do, configurations. See fake_va.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <va/va_drmcommon.h>

#include "fake_va.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT VAStatus __vaDriverInit_1_0(VADriverContextP ctx);

/* The least one last, as some drivers do. */
static const struct {
    VAProfile profile;
    const char *codec; /* of the profile's lines */
    unsigned depth;
} PROFILES[] = {{VAProfileH264High, "h264", FAKE_DEPTH_8},
                {VAProfileH264Main, "h264", FAKE_DEPTH_8},
                {VAProfileH264ConstrainedBaseline, "h264", FAKE_DEPTH_8},
                {VAProfileHEVCMain, "hevc", FAKE_DEPTH_8},
                {VAProfileHEVCMain10, "hevc", FAKE_DEPTH_10},
                {VAProfileVP9Profile0, "vp9", FAKE_DEPTH_8},
                {VAProfileVP9Profile2, "vp9", FAKE_DEPTH_10},
                {VAProfileAV1Profile0, "av1", FAKE_DEPTH_8 | FAKE_DEPTH_10}};
#define PROFILE_COUNT ((int)(sizeof(PROFILES) / sizeof(PROFILES[0])))

struct fake_va *fake_va_enter(VADriverContextP ctx, VAStatus *status)
{
    struct fake_va *va = ctx->pDriverData;
    if (fake_lost_count(va->pci) != va->lost_before || fake_is_lost(va->pci)) {
        *status = VA_STATUS_ERROR_OPERATION_FAILED;
        return NULL;
    }
    pthread_mutex_lock(&va->lock);
    *status = VA_STATUS_SUCCESS;
    return va;
}

VAStatus fake_va_leave(struct fake_va *va, VAStatus status)
{
    pthread_mutex_unlock(&va->lock);
    return status;
}

VAStatus fake_va_result(enum fake_action action)
{
    switch (action) {
    case FAKE_OK:
    case FAKE_WRONG:
    case FAKE_CORRUPT:
        return VA_STATUS_SUCCESS;
    case FAKE_OOM:
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    case FAKE_UNSUPPORTED:
        return VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT;
    case FAKE_BUSY:
        return VA_STATUS_ERROR_HW_BUSY;
    case FAKE_NO_DEVICE:
        return VA_STATUS_ERROR_INVALID_DISPLAY;
    default:
        return VA_STATUS_ERROR_OPERATION_FAILED;
    }
}

const struct fake_gpu *fake_va_gpu(const struct fake_va *va)
{
    const struct fake_profile *profile = fake_profile_get();
    int i = fake_gpu_find(profile, va->pci);
    return i < 0 ? NULL : &profile->gpus[i];
}

VAGenericID fake_va_add(void **table, unsigned mark, void *object)
{
    for (unsigned i = 0; object != NULL && i < FAKE_VA_OBJECTS; i++) {
        if (table[i] == NULL) {
            table[i] = object;
            return mark | i;
        }
    }
    return VA_INVALID_ID;
}

void *fake_va_find(void *const *table, unsigned mark, VAGenericID id)
{
    unsigned i = id ^ mark;
    return i < FAKE_VA_OBJECTS ? table[i] : NULL;
}

void *fake_va_remove(void **table, unsigned mark, VAGenericID id)
{
    void *found = fake_va_find(table, mark, id);
    if (found != NULL) {
        table[id ^ mark] = NULL;
    }
    return found;
}

const struct fake_codec *fake_va_codec(const struct fake_va *va, VAProfile profile)
{
    const struct fake_gpu *gpu = fake_va_gpu(va);
    for (int i = 0; gpu != NULL && i < PROFILE_COUNT; i++) {
        const struct fake_codec *codec = fake_codec_find(&gpu->encode, PROFILES[i].codec);
        if (PROFILES[i].profile == profile && codec != NULL &&
            (codec->depths & PROFILES[i].depth) != 0) {
            return codec;
        }
    }
    return NULL;
}

bool fake_va_is_deep(VAProfile profile)
{
    return profile == VAProfileHEVCMain10 || profile == VAProfileVP9Profile2;
}

static bool has_profile(const struct fake_va *va, VAProfile profile)
{
    if (profile == VAProfileNone) {
        return fake_va_scales(va);
    }
    return fake_va_codec(va, profile) != NULL || fake_va_decoder_of(va, profile) != NULL;
}

static VAStatus query_profiles(VADriverContextP ctx, VAProfile *list, int *count)
{
    const struct fake_va *va = ctx->pDriverData;
    *count = 0;
    for (int i = 0; i < PROFILE_COUNT; i++) {
        if (has_profile(va, PROFILES[i].profile)) {
            list[(*count)++] = PROFILES[i].profile;
        }
    }
    if (fake_va_scales(va)) {
        list[(*count)++] = VAProfileNone;
    }
    return VA_STATUS_SUCCESS;
}

static bool has_entrypoint(const struct fake_va *va, VAProfile profile, VAEntrypoint entrypoint)
{
    const struct fake_gpu *gpu = fake_va_gpu(va);
    if (entrypoint == VAEntrypointVideoProc || profile == VAProfileNone) {
        return entrypoint == VAEntrypointVideoProc && profile == VAProfileNone &&
               fake_va_scales(va);
    }
    if (entrypoint == VAEntrypointVLD) {
        return fake_va_decoder_of(va, profile) != NULL;
    }
    return gpu != NULL && fake_va_codec(va, profile) != NULL &&
           (entrypoint == VAEntrypointEncSlice ||
            (entrypoint == VAEntrypointEncSliceLP && gpu->low_power));
}

static VAStatus query_entrypoints(VADriverContextP ctx, VAProfile profile, VAEntrypoint *list,
                                  int *count)
{
    const struct fake_va *va = ctx->pDriverData;
    *count = 0;
    if (!has_profile(va, profile)) {
        return VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
    }
    if (has_entrypoint(va, profile, VAEntrypointVideoProc)) {
        list[(*count)++] = VAEntrypointVideoProc;
    }
    if (has_entrypoint(va, profile, VAEntrypointVLD)) {
        list[(*count)++] = VAEntrypointVLD;
    }
    if (has_entrypoint(va, profile, VAEntrypointEncSlice)) {
        list[(*count)++] = VAEntrypointEncSlice;
    }
    if (has_entrypoint(va, profile, VAEntrypointEncSliceLP)) {
        list[(*count)++] = VAEntrypointEncSliceLP;
    }
    return VA_STATUS_SUCCESS;
}

static uint32_t rates_of(const struct fake_gpu *gpu)
{
    static const uint32_t RATES[] = {VA_RC_CQP, VA_RC_CBR, VA_RC_VBR, VA_RC_ICQ, VA_RC_QVBR};
    uint32_t value = 0;
    for (int i = 0; i < 5; i++) {
        value |= (gpu->rates & 1u << i) != 0 ? RATES[i] : 0;
    }
    return value;
}

static uint32_t encode_attribute(const struct fake_gpu *gpu, const struct fake_codec *codec,
                                 VAProfile profile, VAConfigAttribType type)
{
    bool between = codec->bframes > 0 && profile != VAProfileH264ConstrainedBaseline;
    bool hevc = profile == VAProfileHEVCMain || profile == VAProfileHEVCMain10;

    switch (type) {
    case VAConfigAttribRTFormat:
        return fake_va_is_deep(profile) ? VA_RT_FORMAT_YUV420_10 : VA_RT_FORMAT_YUV420;
    case VAConfigAttribRateControl:
        return rates_of(gpu);
    case VAConfigAttribEncPackedHeaders:
        return gpu->packed ? VA_ENC_PACKED_HEADER_SEQUENCE | VA_ENC_PACKED_HEADER_PICTURE |
                                 VA_ENC_PACKED_HEADER_SLICE | VA_ENC_PACKED_HEADER_MISC |
                                 VA_ENC_PACKED_HEADER_RAW_DATA
                           : VA_ENC_PACKED_HEADER_NONE;
    case VAConfigAttribEncMaxRefFrames:
        return between ? 1u << 16 | 1u : 1u;
    case VAConfigAttribPredictionDirection:
        return !gpu->low_delay ? VA_ATTRIB_NOT_SUPPORTED
               : hevc ? VA_PREDICTION_DIRECTION_PREVIOUS | VA_PREDICTION_DIRECTION_BI_NOT_EMPTY
                      : VA_PREDICTION_DIRECTION_PREVIOUS;
    case VAConfigAttribEncMaxSlices:
        return 1;
    case VAConfigAttribEncSliceStructure:
        return VA_ENC_SLICE_STRUCTURE_EQUAL_ROWS;
    case VAConfigAttribEncQualityRange:
        return 7;
    case VAConfigAttribMaxPictureWidth:
        return (uint32_t)codec->max_width;
    case VAConfigAttribMaxPictureHeight:
        return (uint32_t)codec->max_height;
    default:
        return VA_ATTRIB_NOT_SUPPORTED;
    }
}

static uint32_t attribute(const struct fake_va *va, VAProfile profile, VAEntrypoint entrypoint,
                          VAConfigAttribType type)
{
    if (entrypoint == VAEntrypointVideoProc) {
        return type == VAConfigAttribRTFormat ? VA_RT_FORMAT_YUV420 | VA_RT_FORMAT_YUV420_10
                                              : VA_ATTRIB_NOT_SUPPORTED;
    }
    return entrypoint == VAEntrypointVLD
               ? fake_va_decode_attribute(fake_va_decoder_of(va, profile), profile, type)
               : encode_attribute(fake_va_gpu(va), fake_va_codec(va, profile), profile, type);
}

static VAStatus get_attributes(VADriverContextP ctx, VAProfile profile, VAEntrypoint entrypoint,
                               VAConfigAttrib *list, int count)
{
    const struct fake_va *va = ctx->pDriverData;
    if (!has_profile(va, profile)) {
        return VA_STATUS_ERROR_UNSUPPORTED_PROFILE;
    }
    if (!has_entrypoint(va, profile, entrypoint)) {
        return VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT;
    }
    for (int i = 0; i < count; i++) {
        list[i].value = attribute(va, profile, entrypoint, list[i].type);
    }
    return VA_STATUS_SUCCESS;
}

static VAStatus create_config(VADriverContextP ctx, VAProfile profile, VAEntrypoint entrypoint,
                              VAConfigAttrib *list, int count, VAConfigID *out)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    if (!has_profile(va, profile)) {
        return fake_va_leave(va, VA_STATUS_ERROR_UNSUPPORTED_PROFILE);
    }
    if (!has_entrypoint(va, profile, entrypoint)) {
        return fake_va_leave(va, VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT);
    }
    status = fake_va_result(fake_fault_at(entrypoint == VAEntrypointVLD         ? FAKE_DECODE_OPEN
                                          : entrypoint == VAEntrypointVideoProc ? FAKE_SCALE_OPEN
                                                                                : FAKE_ENCODE_OPEN,
                                          va->pci, 0));
    if (status != VA_STATUS_SUCCESS) {
        return fake_va_leave(va, status);
    }
    struct fake_va_config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return fake_va_leave(va, VA_STATUS_ERROR_ALLOCATION_FAILED);
    }
    *config =
        (struct fake_va_config){.profile = profile, .entrypoint = entrypoint, .rate = VA_RC_CQP};
    for (int i = 0; i < count; i++) {
        uint32_t can = attribute(va, profile, entrypoint, list[i].type);
        bool flags = list[i].type == VAConfigAttribRateControl ||
                     list[i].type == VAConfigAttribEncPackedHeaders ||
                     list[i].type == VAConfigAttribRTFormat;
        if (flags && (list[i].value & ~can) != 0) {
            status = VA_STATUS_ERROR_ATTR_NOT_SUPPORTED;
        }
        config->rate = list[i].type == VAConfigAttribRateControl ? list[i].value : config->rate;
        config->packed =
            list[i].type == VAConfigAttribEncPackedHeaders ? list[i].value : config->packed;
    }
    *out = status == VA_STATUS_SUCCESS ? fake_va_add(va->configs, FAKE_VA_CONFIG, config)
                                       : VA_INVALID_ID;
    if (*out == VA_INVALID_ID) {
        free(config);
        status = status == VA_STATUS_SUCCESS ? VA_STATUS_ERROR_ALLOCATION_FAILED : status;
    }
    return fake_va_leave(va, status);
}

static VAStatus destroy_config(VADriverContextP ctx, VAConfigID id)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    void *config = fake_va_remove(va->configs, FAKE_VA_CONFIG, id);
    free(config);
    return fake_va_leave(va, config == NULL ? VA_STATUS_ERROR_INVALID_CONFIG : VA_STATUS_SUCCESS);
}

static VAStatus query_attributes(VADriverContextP ctx, VAConfigID id, VAProfile *profile,
                                 VAEntrypoint *entrypoint, VAConfigAttrib *list, int *count)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    const struct fake_va_config *config = fake_va_find(va->configs, FAKE_VA_CONFIG, id);
    if (config != NULL) {
        *profile = config->profile;
        *entrypoint = config->entrypoint;
        list[0] = (VAConfigAttrib){VAConfigAttribRTFormat, fake_va_is_deep(config->profile)
                                                               ? VA_RT_FORMAT_YUV420_10
                                                               : VA_RT_FORMAT_YUV420};
        list[1] = (VAConfigAttrib){VAConfigAttribRateControl, config->rate};
        *count = 2;
    }
    return fake_va_leave(va, config == NULL ? VA_STATUS_ERROR_INVALID_CONFIG : VA_STATUS_SUCCESS);
}

static VAStatus terminate(VADriverContextP ctx)
{
    struct fake_va *va = ctx->pDriverData;
    for (unsigned i = 0; i < FAKE_VA_OBJECTS; i++) {
        free(va->configs[i]);
        if (va->contexts[i] != NULL) {
            fake_va_free_context(va->contexts[i]);
        }
    }
    fake_va_free_objects(va);
    pthread_mutex_destroy(&va->lock);
    free(va);
    ctx->pDriverData = NULL;
    return VA_STATUS_SUCCESS;
}

/* The profile's GPU of a render node's descriptor: null is the first that has a node, then zero,
 * full. NULL: none. */
static const struct fake_gpu *find_gpu(const struct drm_state *drm)
{
    static const unsigned MINORS[] = {3, 5, 7};
    const struct fake_profile *profile = fake_profile_get();
    struct stat st;
    int nodes = 0;
    if (drm == NULL || fstat(drm->fd, &st) < 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) != 1) {
        return NULL;
    }
    for (int i = 0; i < profile->gpu_count; i++) {
        if (profile->gpus[i].node[0] == '\0') {
            continue;
        }
        if (nodes < 3 && MINORS[nodes] == minor(st.st_rdev)) {
            return &profile->gpus[i];
        }
        nodes++;
    }
    return NULL;
}

static void set_table(struct VADriverVTable *table, const struct fake_gpu *gpu)
{
    table->vaTerminate = terminate;
    table->vaQueryConfigProfiles = query_profiles;
    table->vaQueryConfigEntrypoints = query_entrypoints;
    table->vaGetConfigAttributes = get_attributes;
    table->vaCreateConfig = create_config;
    table->vaDestroyConfig = destroy_config;
    table->vaQueryConfigAttributes = query_attributes;
    fake_va_set_objects(table);
    fake_va_set_encode(table, gpu);
}

VAStatus __vaDriverInit_1_0(VADriverContextP ctx)
{
    const struct fake_gpu *gpu = find_gpu(ctx->drm_state);
    if (gpu == NULL) {
        return VA_STATUS_ERROR_INVALID_DISPLAY;
    }
    VAStatus status = fake_va_result(fake_fault_at(FAKE_VA_INIT, gpu->pci, 0));
    if (status != VA_STATUS_SUCCESS || fake_is_lost(gpu->pci)) {
        return status != VA_STATUS_SUCCESS ? status : VA_STATUS_ERROR_OPERATION_FAILED;
    }
    struct fake_va *va = calloc(1, sizeof(*va));
    if (va == NULL) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    pthread_mutex_init(&va->lock, NULL);
    memcpy(va->pci, gpu->pci, sizeof(va->pci));
    va->lost_before = fake_lost_count(gpu->pci);
    snprintf(va->vendor, sizeof(va->vendor), "%.64s VA driver %.40s", gpu->name,
             fake_profile_get()->driver);
    ctx->pDriverData = va;
    ctx->version_major = VA_MAJOR_VERSION;
    ctx->version_minor = 0;
    ctx->max_profiles = PROFILE_COUNT + 1;
    ctx->max_entrypoints = 3;
    ctx->max_attributes = 16;
    ctx->max_image_formats = 3;
    ctx->max_subpic_formats = 1;
    ctx->max_display_attributes = 1;
    ctx->str_vendor = va->vendor;
    set_table(ctx->vtable, gpu);
    return VA_STATUS_SUCCESS;
}
