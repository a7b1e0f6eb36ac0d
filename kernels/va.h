#ifndef GM_KERNELS_VA_H
#define GM_KERNELS_VA_H

#include <stdbool.h>

#include <va/va.h>

/* libva.so.2 and libva-drm.so.2, opened at run time: who asks drivers (node/devices) and who
 * works with them (media) open them alike. Thread: as libva's functions are.
 * See: https://intel.github.io/libva/ */

/* GM_VA_FN(library, member, symbol, result, parameters) */
#define GM_VA_FUNCTIONS                                                                            \
    GM_VA_FN(drm, display_drm, vaGetDisplayDRM, VADisplay, (int))                                  \
    GM_VA_FN(core, initialize, vaInitialize, VAStatus, (VADisplay, int *, int *))                  \
    GM_VA_FN(core, terminate, vaTerminate, VAStatus, (VADisplay))                                  \
    GM_VA_FN(core, vendor, vaQueryVendorString, const char *, (VADisplay))                         \
    GM_VA_FN(core, error, vaErrorStr, const char *, (VAStatus))                                    \
    GM_VA_FN(core, set_info, vaSetInfoCallback, VAMessageCallback,                                 \
             (VADisplay, VAMessageCallback, void *))                                               \
    GM_VA_FN(core, set_error, vaSetErrorCallback, VAMessageCallback,                               \
             (VADisplay, VAMessageCallback, void *))                                               \
    GM_VA_FN(core, max_profiles, vaMaxNumProfiles, int, (VADisplay))                               \
    GM_VA_FN(core, max_entrypoints, vaMaxNumEntrypoints, int, (VADisplay))                         \
    GM_VA_FN(core, profiles, vaQueryConfigProfiles, VAStatus, (VADisplay, VAProfile *, int *))     \
    GM_VA_FN(core, entrypoints, vaQueryConfigEntrypoints, VAStatus,                                \
             (VADisplay, VAProfile, VAEntrypoint *, int *))                                        \
    GM_VA_FN(core, attributes, vaGetConfigAttributes, VAStatus,                                    \
             (VADisplay, VAProfile, VAEntrypoint, VAConfigAttrib *, int))                          \
    GM_VA_FN(core, create_config, vaCreateConfig, VAStatus,                                        \
             (VADisplay, VAProfile, VAEntrypoint, VAConfigAttrib *, int, VAConfigID *))            \
    GM_VA_FN(core, destroy_config, vaDestroyConfig, VAStatus, (VADisplay, VAConfigID))             \
    GM_VA_FN(core, create_surfaces, vaCreateSurfaces, VAStatus,                                    \
             (VADisplay, unsigned, unsigned, unsigned, VASurfaceID *, unsigned, VASurfaceAttrib *, \
              unsigned))                                                                           \
    GM_VA_FN(core, destroy_surfaces, vaDestroySurfaces, VAStatus, (VADisplay, VASurfaceID *, int)) \
    GM_VA_FN(core, sync, vaSyncSurface, VAStatus, (VADisplay, VASurfaceID))                        \
    GM_VA_FN(core, create_context, vaCreateContext, VAStatus,                                      \
             (VADisplay, VAConfigID, int, int, int, VASurfaceID *, int, VAContextID *))            \
    GM_VA_FN(core, destroy_context, vaDestroyContext, VAStatus, (VADisplay, VAContextID))          \
    GM_VA_FN(core, create_buffer, vaCreateBuffer, VAStatus,                                        \
             (VADisplay, VAContextID, VABufferType, unsigned, unsigned, void *, VABufferID *))     \
    GM_VA_FN(core, destroy_buffer, vaDestroyBuffer, VAStatus, (VADisplay, VABufferID))             \
    GM_VA_FN(core, begin, vaBeginPicture, VAStatus, (VADisplay, VAContextID, VASurfaceID))         \
    GM_VA_FN(core, render, vaRenderPicture, VAStatus, (VADisplay, VAContextID, VABufferID *, int)) \
    GM_VA_FN(core, end, vaEndPicture, VAStatus, (VADisplay, VAContextID))

struct gm_va {        /* all-zero has none */
    void *core, *drm; /* libraries */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define GM_VA_FN(library, member, symbol, result, parameters) result(*member) parameters;
    GM_VA_FUNCTIONS
#undef GM_VA_FN
};

/* False: libva2 or libva-drm2 is not installed, or one lacks a function; *out is all-zero then. */
bool gm_va_open(struct gm_va *out);
void gm_va_close(struct gm_va *va);

#define GM_VA_ENTRYPOINTS 64 /* of a profile, at most: drivers that say more are not asked */
/* The driver's first entry point that encodes slices, which is the one that libavcodec takes.
 * False: it has none; *out stays. */
bool gm_va_find_encoder(const struct gm_va *va, VADisplay display, VAProfile profile,
                        VAEntrypoint *out);
/* 0: the driver does not know the attribute. */
uint32_t gm_va_value(const VAConfigAttrib *attribute);
/* Whether libavcodec makes B pictures with an encoder of those VAConfigAttribEncMaxRefFrames and
 * VAConfigAttribPredictionDirection: none where the driver predicts from earlier pictures alone. */
bool gm_va_reorders(const VAConfigAttrib *references, const VAConfigAttrib *direction);

#endif
