/* fake_drv_video.so: the entry point VideoProc, which scales 4:2:0 pictures of 8 or 10 bits between
 * surfaces: a triangle as wide as two samples of the smaller picture, or somewhat wider
 * (scale-soft), along x and along y, with chroma on the left. Any other wish is refused. No colour
 * is converted. */
#include "fake_va.h"

#include <stdlib.h>
#include <string.h>

#include <va/va_vpp.h>

bool fake_va_scales(const struct fake_va *va)
{
    const struct fake_gpu *gpu = fake_va_gpu(va);
    return gpu != NULL && gpu->scale;
}

VAStatus fake_va_scale_take(struct fake_va *va, struct fake_va_scale *scale,
                            const struct fake_va_buffer *buffer)
{
    VAProcPipelineParameterBuffer p;
    if (buffer->type != VAProcPipelineParameterBufferType ||
        buffer->size * buffer->count != sizeof(p)) {
        return VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE;
    }
    memcpy(&p, buffer->data, sizeof(p));
    const struct fake_va_surface *from = fake_va_find(va->surfaces, FAKE_VA_SURFACE, p.surface);
    if (from == NULL) {
        return VA_STATUS_ERROR_INVALID_SURFACE;
    }
    const VARectangle whole = {0, 0, (uint16_t)from->width, (uint16_t)from->height};
    const VARectangle *r = p.surface_region != NULL ? p.surface_region : &whole;
    const VAProcColorProperties *in = &p.input_color_properties, *out = &p.output_color_properties;
    bool plain = p.output_region == NULL && p.num_filters == 0 && p.rotation_state == 0 &&
                 p.mirror_state == 0 && p.blend_state == NULL && p.pipeline_flags == 0 &&
                 p.surface_color_standard == p.output_color_standard &&
                 in->chroma_sample_location == out->chroma_sample_location &&
                 in->color_range == out->color_range;
    if (!plain || r->x != 0 || r->y != 0 || r->width == 0 || r->height == 0 ||
        r->width > from->width || r->height > from->height) {
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    scale->from = p.surface;
    scale->region = *r;
    return VA_STATUS_SUCCESS;
}

struct plane { /* samples of one kind; those of 10 bits lie in the upper ones of 16 */
    uint8_t *data;
    int pitch, width, height;
    int step; /* samples from one to the next: 2 where two kinds lie interleaved */
    int bytes;
    bool shallow; /* ten bits go through eight */
};

static double get(const struct plane *p, int x, int y)
{
    const uint8_t *at = p->data + (ptrdiff_t)y * p->pitch + (ptrdiff_t)x * p->step * p->bytes;
    uint16_t deep = 0;
    memcpy(&deep, at, p->bytes == 2 ? 2 : 0);
    return p->bytes == 2 ? deep >> 6 : *at;
}

static void put(const struct plane *p, int x, int y, double value)
{
    uint8_t *at = p->data + (ptrdiff_t)y * p->pitch + (ptrdiff_t)x * p->step * p->bytes;
    uint16_t deep = (uint16_t)(((unsigned)(value + 0.5) & (p->shallow ? ~3u : ~0u)) << 6);
    if (p->bytes == 2) {
        memcpy(at, &deep, 2);
    } else {
        *at = (uint8_t)(value + 0.5);
    }
}

struct way {
    double shift; /* of samples along x */
    double reach; /* in samples of the smaller picture */
    int moved;    /* samples to the right */
};

/* What lies around a place along one side of count samples. */
struct around {
    int first, last;
    double centre, reach;
};

static struct around around(int at, int count, int made, const struct way *way)
{
    double ratio = (double)count / made;
    double reach = (ratio > 1 ? ratio : 1) * way->reach, shift = way->shift;
    double centre = (at + 0.5) * ratio - 0.5 + shift * (ratio - 1);
    int first = (int)(centre - reach + count) + 1 - count; /* rounded up */
    return (struct around){first, (int)(centre + reach), centre, reach};
}

static double weight(const struct around *a, int at)
{
    double away = (at > a->centre ? at - a->centre : a->centre - at) / a->reach;
    return away < 1 ? 1 - away : 0;
}

static int within(int at, int count)
{
    return at < 0 ? 0 : at >= count ? count - 1 : at;
}

static VAStatus scale_plane(const struct plane *from, const struct plane *to, const struct way *way)
{
    const struct way down = {.reach = way->reach};
    double *rows = calloc((size_t)from->height, (size_t)to->width * sizeof(double));
    if (rows == NULL) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    for (int x = 0; x < to->width; x++) {
        const struct around a =
            around(within(x - way->moved, to->width), from->width, to->width, way);
        for (int y = 0; y < from->height; y++) {
            double sum = 0, weights = 0;
            for (int k = a.first; k <= a.last; k++) {
                sum += weight(&a, k) * get(from, within(k, from->width), y);
                weights += weight(&a, k);
            }
            rows[(ptrdiff_t)y * to->width + x] = sum / weights;
        }
    }
    for (int y = 0; y < to->height; y++) {
        const struct around a = around(y, from->height, to->height, &down);
        for (int x = 0; x < to->width; x++) {
            double sum = 0, weights = 0;
            for (int k = a.first; k <= a.last; k++) {
                sum += weight(&a, k) * rows[(ptrdiff_t)within(k, from->height) * to->width + x];
                weights += weight(&a, k);
            }
            put(to, x, y, sum / weights);
        }
    }
    free(rows);
    return VA_STATUS_SUCCESS;
}

/* kind: 0 luma, 1 and 2 chroma. */
static struct plane plane_of(const struct fake_va_surface *s, int width, int height, int kind)
{
    ptrdiff_t at = kind == 0 ? 0 : (ptrdiff_t)s->pitch * s->rows + (kind - 1) * s->bytes;
    return (struct plane){.data = s->data + at,
                          .pitch = s->pitch,
                          .width = kind == 0 ? width : (width + 1) / 2,
                          .height = kind == 0 ? height : (height + 1) / 2,
                          .step = kind == 0 ? 1 : 2,
                          .bytes = s->bytes};
}

VAStatus fake_va_scale_end(struct fake_va *va, struct fake_va_context *context,
                           struct fake_va_surface *target)
{
    const struct fake_va_scale *scale = &context->scale;
    const struct fake_va_surface *from = fake_va_find(va->surfaces, FAKE_VA_SURFACE, scale->from);
    enum fake_action action = fake_fault_at(FAKE_SCALE, va->pci, ++context->frames);
    VAStatus status = fake_va_result(action);
    if (status == VA_STATUS_SUCCESS && (from == NULL || from == target)) {
        status = VA_STATUS_ERROR_INVALID_SURFACE;
    }
    if (status == VA_STATUS_SUCCESS &&
        (from->bytes != target->bytes || target->width != context->width ||
         target->height != context->height)) {
        status = VA_STATUS_ERROR_INVALID_PARAMETER;
    }
    for (int kind = 0; status == VA_STATUS_SUCCESS && kind < 3; kind++) {
        const struct plane in = plane_of(from, scale->region.width, scale->region.height, kind);
        struct plane out = plane_of(target, target->width, target->height, kind);
        out.shallow = action == FAKE_CORRUPT;
        const struct way way = {.shift = kind == 0 ? 0 : -0.25,
                                .reach = fake_va_gpu(va)->scale_soft ? 1.25 : 1,
                                .moved = action == FAKE_WRONG};
        status = scale_plane(&in, &out, &way);
    }
    target->decoded = 0;
    target->damaged = false;
    return status;
}
