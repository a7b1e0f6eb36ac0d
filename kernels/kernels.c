#include "kernels/kernels.h"

static const struct {
    const char *entry;
    size_t args_size;
} ENTRIES[GM_KERNELS] = {
#define GM_ENTRY(name, entry, args) {#entry, sizeof(struct args)},
#include "kernels/entries.def"
#undef GM_ENTRY
};

const char *gm_kernel_entry(enum gm_kernel kernel)
{
    GM_ASSERT((unsigned)kernel < GM_KERNELS);
    return ENTRIES[kernel].entry;
}

size_t gm_kernel_args_size(enum gm_kernel kernel)
{
    GM_ASSERT((unsigned)kernel < GM_KERNELS);
    return ENTRIES[kernel].args_size;
}

int gm_surface_check(const struct gm_surface *s, uint32_t width_px, uint32_t height_px, bool deep,
                     const char *name, struct gm_err *err)
{
    if (width_px < GM_SIDE_MIN || width_px > GM_SIDE_MAX || height_px < GM_SIDE_MIN ||
        height_px > GM_SIDE_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0, "The %s's size %ux%u is out of range", name, width_px,
                          height_px);
    }
    uint32_t samples[2] = {width_px, (width_px + 1) / 2 * 2};
    for (int i = 0; i < 2; i++) {
        if (s->plane[i] == 0 || s->stride[i] < samples[i] << (deep ? 1 : 0) ||
            s->stride[i] > INT32_MAX) {
            return gm_err_set(err, GM_E_INVAL, i,
                              "The %s's plane %d has no address or too short rows", name, i);
        }
        if (deep && ((s->plane[i] | s->stride[i]) & 1) != 0) {
            return gm_err_set(err, GM_E_INVAL, i, "The %s's plane %d lies at an odd address", name,
                              i);
        }
    }
    return 0;
}
