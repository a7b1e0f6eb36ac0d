/* fake_drv_video.so: surfaces (NV12, P010), images, buffers. Memory of the device is memory. */
#include <stdlib.h>
#include <string.h>

#include "fake_va.h"

#define ALIGN_PX 64

static const VAImageFormat FORMATS[] = {
    {.fourcc = VA_FOURCC_NV12, .byte_order = VA_LSB_FIRST, .bits_per_pixel = 12},
    {.fourcc = VA_FOURCC_I420, .byte_order = VA_LSB_FIRST, .bits_per_pixel = 12},
    {.fourcc = VA_FOURCC_P010, .byte_order = VA_LSB_FIRST, .bits_per_pixel = 24}};
#define NV12 (&FORMATS[0])
#define P010 (&FORMATS[2])

static int sample_bytes(const VAImageFormat *format)
{
    return format->fourcc == VA_FOURCC_P010 ? 2 : 1;
}

struct image { /* what its id stands for */
    VAImage image;
};

static void free_surface(struct fake_va_surface *surface)
{
    if (surface != NULL) {
        free(surface->data);
        free(surface);
    }
}

void fake_va_free_buffer(struct fake_va_buffer *buffer)
{
    if (buffer != NULL) {
        if (!buffer->borrowed) {
            free(buffer->data);
        }
        free(buffer);
    }
}

void fake_va_free_objects(struct fake_va *va)
{
    for (unsigned i = 0; i < FAKE_VA_OBJECTS; i++) {
        free_surface(va->surfaces[i]);
        fake_va_free_buffer(va->buffers[i]);
        free(va->images[i]);
    }
}

static uint64_t size_of(const struct fake_va_surface *s)
{
    return (uint64_t)s->pitch * (uint64_t)s->rows * 3 / 2;
}

static bool has_room(const struct fake_va *va, const struct fake_va_surface *s)
{
    const struct fake_gpu *gpu = fake_va_gpu(va);
    uint64_t used = size_of(s);
    for (unsigned i = 0; i < FAKE_VA_OBJECTS; i++) {
        used += va->surfaces[i] != NULL ? size_of(va->surfaces[i]) : 0;
    }
    return gpu == NULL || gpu->surface_bytes == 0 || used <= gpu->surface_bytes;
}

/* bytes: of a sample. NULL: no memory. */
static struct fake_va_surface *make_surface(const struct fake_va *va, int width, int height,
                                            int bytes)
{
    struct fake_va_surface *s = calloc(1, sizeof(*s));
    if (s != NULL) {
        s->width = width;
        s->height = height;
        s->bytes = bytes;
        s->pitch = (width + ALIGN_PX - 1) / ALIGN_PX * ALIGN_PX * bytes;
        s->rows = (height + 15) / 16 * 16;
        s->data = has_room(va, s) ? calloc((size_t)s->pitch, (size_t)s->rows * 3 / 2) : NULL;
        if (s->data == NULL) {
            free(s);
            s = NULL;
        }
    }
    return s;
}

static VAStatus destroy_surfaces(VADriverContextP ctx, VASurfaceID *list, int count)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    for (int i = 0; i < count; i++) {
        free_surface(fake_va_remove(va->surfaces, FAKE_VA_SURFACE, list[i]));
    }
    return fake_va_leave(va, VA_STATUS_SUCCESS);
}

static VAStatus create_surfaces2(VADriverContextP ctx, unsigned format, unsigned width,
                                 unsigned height, VASurfaceID *out, unsigned count,
                                 VASurfaceAttrib *attributes, unsigned attribute_count)
{
    VAStatus status;
    unsigned made = 0;
    const bool deep = format == VA_RT_FORMAT_YUV420_10;
    if (format != VA_RT_FORMAT_YUV420 && !deep) {
        return VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT;
    }
    for (unsigned i = 0; i < attribute_count; i++) {
        if (attributes[i].type == VASurfaceAttribPixelFormat &&
            attributes[i].value.value.i != (deep ? VA_FOURCC_P010 : VA_FOURCC_NV12)) {
            return VA_STATUS_ERROR_INVALID_IMAGE_FORMAT;
        }
    }
    if (width == 0 || height == 0 || width > FAKE_VA_SIDE || height > FAKE_VA_SIDE) {
        return VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED;
    }
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    const struct fake_gpu *gpu = fake_va_gpu(va);
    unsigned most =
        gpu == NULL || gpu->surface_side == 0 ? FAKE_VA_SIDE : (unsigned)gpu->surface_side;
    status = width > most || height > most ? VA_STATUS_ERROR_ALLOCATION_FAILED
                                           : fake_va_result(fake_fault_at(FAKE_ALLOC, va->pci, 0));
    while (status == VA_STATUS_SUCCESS && made < count) {
        struct fake_va_surface *surface = make_surface(va, (int)width, (int)height, deep ? 2 : 1);
        out[made] =
            surface == NULL ? VA_INVALID_ID : fake_va_add(va->surfaces, FAKE_VA_SURFACE, surface);
        if (out[made] == VA_INVALID_ID) {
            free_surface(surface);
            status = VA_STATUS_ERROR_ALLOCATION_FAILED;
        } else {
            made++;
        }
    }
    (void)fake_va_leave(va, status);
    if (status != VA_STATUS_SUCCESS) {
        (void)destroy_surfaces(ctx, out, (int)made);
    }
    return status;
}

static VAStatus create_surfaces(VADriverContextP ctx, int width, int height, int format, int count,
                                VASurfaceID *out)
{
    return create_surfaces2(ctx, (unsigned)format, (unsigned)width, (unsigned)height, out,
                            (unsigned)count, NULL, 0);
}

static VAStatus query_surface_attributes(VADriverContextP ctx, VAConfigID config,
                                         VASurfaceAttrib *list, unsigned *count)
{
    const struct fake_va *va = ctx->pDriverData;
    const struct fake_va_config *asked = fake_va_find(va->configs, FAKE_VA_CONFIG, config);
    const VAProfile profile = asked == NULL ? VAProfileNone : asked->profile;
    const struct fake_codec *codec = asked != NULL && asked->entrypoint == VAEntrypointVLD
                                         ? fake_va_decoder_of(va, profile)
                                         : fake_va_codec(va, profile);
    const bool both = codec != NULL && profile == VAProfileAV1Profile0 &&
                      codec->depths == (FAKE_DEPTH_8 | FAKE_DEPTH_10);
    const int format = fake_va_is_deep(profile) ? VA_FOURCC_P010 : VA_FOURCC_NV12;
    const struct {
        VASurfaceAttribType type;
        int value;
    } rows[] = {{VASurfaceAttribPixelFormat, format},
                {VASurfaceAttribMinWidth, codec == NULL ? 16 : codec->min_width},
                {VASurfaceAttribMinHeight, codec == NULL ? 16 : codec->min_height},
                {VASurfaceAttribMaxWidth, codec == NULL ? FAKE_VA_SIDE : codec->max_width},
                {VASurfaceAttribMaxHeight, codec == NULL ? FAKE_VA_SIDE : codec->max_height},
                {VASurfaceAttribMemoryType, VA_SURFACE_ATTRIB_MEM_TYPE_VA},
                {VASurfaceAttribPixelFormat, VA_FOURCC_P010}};
    unsigned have = sizeof(rows) / sizeof(rows[0]) - (both ? 0 : 1);
    if (list == NULL) {
        *count = have;
        return VA_STATUS_SUCCESS;
    }
    if (*count < have) {
        *count = have;
        return VA_STATUS_ERROR_MAX_NUM_EXCEEDED;
    }
    for (unsigned i = 0; i < have; i++) {
        list[i] = (VASurfaceAttrib){
            .type = rows[i].type,
            .flags = VA_SURFACE_ATTRIB_GETTABLE,
            .value = {.type = VAGenericValueTypeInteger, .value = {.i = rows[i].value}}};
    }
    *count = have;
    return VA_STATUS_SUCCESS;
}

static VAStatus query_surface_status(VADriverContextP ctx, VASurfaceID id, VASurfaceStatus *out)
{
    (void)ctx;
    (void)id;
    *out = VASurfaceReady;
    return VA_STATUS_SUCCESS;
}

static struct fake_va_buffer *make_buffer(VABufferType type, size_t size, unsigned count,
                                          uint8_t *borrowed)
{
    struct fake_va_buffer *b = calloc(1, sizeof(*b));
    if (b != NULL) {
        b->type = type;
        b->size = size;
        b->count = count;
        b->borrowed = borrowed != NULL;
        b->data = borrowed != NULL ? borrowed : calloc(count + 1u, size + 1);
        if (b->data == NULL) {
            free(b);
            b = NULL;
        }
    }
    return b;
}

static VAStatus create_buffer(VADriverContextP ctx, VAContextID context, VABufferType type,
                              unsigned size, unsigned count, void *data, VABufferID *out)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    (void)context;
    if (va == NULL) {
        return status;
    }
    if (type == VASliceDataBufferType) {
        status = fake_va_result(fake_fault_at(FAKE_REGISTER, va->pci, 0));
        if (status != VA_STATUS_SUCCESS) {
            return fake_va_leave(va, status);
        }
    }
    struct fake_va_buffer *buffer = make_buffer(type, size, count, NULL);
    *out = fake_va_add(va->buffers, FAKE_VA_BUFFER, buffer);
    if (*out == VA_INVALID_ID) {
        fake_va_free_buffer(buffer);
        return fake_va_leave(va, VA_STATUS_ERROR_ALLOCATION_FAILED);
    }
    if (data != NULL) {
        memcpy(buffer->data, data, (size_t)size * count);
    }
    return fake_va_leave(va, VA_STATUS_SUCCESS);
}

static VAStatus set_elements(VADriverContextP ctx, VABufferID id, unsigned count)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    struct fake_va_buffer *buffer = fake_va_find(va->buffers, FAKE_VA_BUFFER, id);
    if (buffer == NULL || count > buffer->count) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_BUFFER);
    }
    buffer->count = count;
    return fake_va_leave(va, VA_STATUS_SUCCESS);
}

static VAStatus map_buffer(VADriverContextP ctx, VABufferID id, void **out)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    struct fake_va_buffer *buffer = fake_va_find(va->buffers, FAKE_VA_BUFFER, id);
    if (buffer == NULL) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_BUFFER);
    }
    bool coded = buffer->type == VAEncCodedBufferType;
    status = fake_va_result(fake_fault_at(coded ? FAKE_LOCK : FAKE_COPY, va->pci, 0));
    if (status == VA_STATUS_SUCCESS) {
        *out = coded ? (void *)&buffer->segment : buffer->data;
    }
    return fake_va_leave(va, status);
}

static VAStatus unmap_buffer(VADriverContextP ctx, VABufferID id)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    bool found = fake_va_find(va->buffers, FAKE_VA_BUFFER, id) != NULL;
    return fake_va_leave(va, found ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_BUFFER);
}

static VAStatus destroy_buffer(VADriverContextP ctx, VABufferID id)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    struct fake_va_buffer *buffer = fake_va_remove(va->buffers, FAKE_VA_BUFFER, id);
    fake_va_free_buffer(buffer);
    return fake_va_leave(va, buffer == NULL ? VA_STATUS_ERROR_INVALID_BUFFER : VA_STATUS_SUCCESS);
}

static VAStatus query_image_formats(VADriverContextP ctx, VAImageFormat *list, int *count)
{
    (void)ctx;
    memcpy(list, FORMATS, sizeof(FORMATS));
    *count = sizeof(FORMATS) / sizeof(FORMATS[0]);
    return VA_STATUS_SUCCESS;
}

/* memory: the surface's, or NULL: its own. */
static VAStatus add_image(struct fake_va *va, const VAImageFormat *format, int width, int height,
                          int pitch, int rows, uint8_t *memory, VAImage *out)
{
    bool planar = format->fourcc == VA_FOURCC_I420;
    size_t luma = (size_t)pitch * (size_t)rows;
    struct image *image = calloc(1, sizeof(*image));
    struct fake_va_buffer *buffer = make_buffer(VAImageBufferType, luma * 3 / 2, 1, memory);
    VABufferID buffer_id = fake_va_add(va->buffers, FAKE_VA_BUFFER, buffer);
    VAImageID id =
        buffer_id == VA_INVALID_ID ? VA_INVALID_ID : fake_va_add(va->images, FAKE_VA_IMAGE, image);
    if (id == VA_INVALID_ID) {
        (void)fake_va_remove(va->buffers, FAKE_VA_BUFFER, buffer_id);
        fake_va_free_buffer(buffer);
        free(image);
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    }
    image->image = (VAImage){.image_id = id,
                             .format = *format,
                             .buf = buffer_id,
                             .width = (uint16_t)width,
                             .height = (uint16_t)height,
                             .data_size = (uint32_t)(luma * 3 / 2),
                             .num_planes = planar ? 3 : 2};
    image->image.pitches[0] = (uint32_t)pitch;
    image->image.pitches[1] = image->image.pitches[2] = (uint32_t)(planar ? pitch / 2 : pitch);
    image->image.offsets[1] = (uint32_t)luma;
    image->image.offsets[2] = (uint32_t)(planar ? luma * 5 / 4 : 0);
    *out = image->image;
    return VA_STATUS_SUCCESS;
}

static VAStatus create_image(VADriverContextP ctx, VAImageFormat *format, int width, int height,
                             VAImage *out)
{
    VAStatus status;
    bool known = false;
    for (size_t i = 0; i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++) {
        known = known || format->fourcc == FORMATS[i].fourcc;
    }
    if (!known || width <= 0 || height <= 0 || width > FAKE_VA_SIDE || height > FAKE_VA_SIDE) {
        return VA_STATUS_ERROR_INVALID_IMAGE_FORMAT;
    }
    int pitch = (width + ALIGN_PX - 1) / ALIGN_PX * ALIGN_PX * sample_bytes(format);
    struct fake_va *va = fake_va_enter(ctx, &status);
    return va == NULL ? status
                      : fake_va_leave(va, add_image(va, format, width, height, pitch,
                                                    (height + 1) / 2 * 2, NULL, out));
}

static VAStatus derive_image(VADriverContextP ctx, VASurfaceID id, VAImage *out)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    struct fake_va_surface *s = fake_va_find(va->surfaces, FAKE_VA_SURFACE, id);
    return fake_va_leave(va, s == NULL ? VA_STATUS_ERROR_INVALID_SURFACE
                                       : add_image(va, s->bytes == 2 ? P010 : NV12, s->width,
                                                   s->height, s->pitch, s->rows, s->data, out));
}

static VAStatus destroy_image(VADriverContextP ctx, VAImageID id)
{
    struct fake_va *va = ctx->pDriverData;
    pthread_mutex_lock(&va->lock);
    struct image *image = fake_va_remove(va->images, FAKE_VA_IMAGE, id);
    if (image == NULL) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_IMAGE);
    }
    fake_va_free_buffer(fake_va_remove(va->buffers, FAKE_VA_BUFFER, image->image.buf));
    free(image);
    return fake_va_leave(va, VA_STATUS_SUCCESS);
}

/* Between a surface and an image of its size. */
static VAStatus transfer(VADriverContextP ctx, VASurfaceID surface_id, VAImageID image_id,
                         unsigned width, unsigned height, bool into_surface)
{
    VAStatus status;
    struct fake_va *va = fake_va_enter(ctx, &status);
    if (va == NULL) {
        return status;
    }
    struct fake_va_surface *s = fake_va_find(va->surfaces, FAKE_VA_SURFACE, surface_id);
    const struct image *image = fake_va_find(va->images, FAKE_VA_IMAGE, image_id);
    struct fake_va_buffer *b =
        image == NULL ? NULL : fake_va_find(va->buffers, FAKE_VA_BUFFER, image->image.buf);
    if (s == NULL || b == NULL || s->bytes != sample_bytes(&image->image.format) ||
        width > image->image.width || height > image->image.height || (int)width > s->width ||
        (int)height > s->height) {
        return fake_va_leave(va, VA_STATUS_ERROR_INVALID_PARAMETER);
    }
    status = fake_va_result(fake_fault_at(FAKE_COPY, va->pci, 0));
    const VAImage *m = &image->image;
    bool planar = m->format.fourcc == VA_FOURCC_I420;
    for (int plane = 0; status == VA_STATUS_SUCCESS && plane < 2; plane++) {
        uint8_t *to = s->data + (plane == 0 ? 0 : (ptrdiff_t)s->pitch * s->rows);
        for (unsigned y = 0; y < (height + (unsigned)plane) >> plane; y++, to += s->pitch) {
            for (unsigned x = 0; x < ((width + 1) & ~1u) * (unsigned)s->bytes; x++) {
                unsigned of = plane == 1 && planar ? 1 + x % 2 : (unsigned)plane;
                size_t at = m->offsets[of] + (size_t)y * m->pitches[of] +
                            (plane == 1 && planar ? x / 2 : x);
                uint8_t *from = at < b->size ? &b->data[at] : &b->data[0];
                *(into_surface ? &to[x] : from) = *(into_surface ? from : &to[x]);
            }
        }
    }
    return fake_va_leave(va, status);
}

static VAStatus get_image(VADriverContextP ctx, VASurfaceID surface, int x, int y, unsigned width,
                          unsigned height, VAImageID image)
{
    return x != 0 || y != 0 ? VA_STATUS_ERROR_INVALID_PARAMETER
                            : transfer(ctx, surface, image, width, height, false);
}

static VAStatus put_image(VADriverContextP ctx, VASurfaceID surface, VAImageID image, int from_x,
                          int from_y, unsigned from_width, unsigned from_height, int x, int y,
                          unsigned width, unsigned height)
{
    return from_x != 0 || from_y != 0 || x != 0 || y != 0 || width != from_width ||
                   height != from_height
               ? VA_STATUS_ERROR_INVALID_PARAMETER
               : transfer(ctx, surface, image, width, height, true);
}

/* What libva wants to be there and nothing here calls. */
static VAStatus set_palette(VADriverContextP ctx, VAImageID image, unsigned char *palette)
{
    (void)ctx;
    (void)image;
    (void)palette;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_formats(VADriverContextP ctx, VAImageFormat *list, unsigned *flags,
                           unsigned *count)
{
    (void)ctx;
    (void)list;
    (void)flags;
    *count = 0;
    return VA_STATUS_SUCCESS;
}

static VAStatus no_subpicture(VADriverContextP ctx, VAImageID image, VASubpictureID *out)
{
    (void)ctx;
    (void)image;
    (void)out;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_destroy(VADriverContextP ctx, VASubpictureID id)
{
    (void)ctx;
    (void)id;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_image(VADriverContextP ctx, VASubpictureID id, VAImageID image)
{
    (void)ctx;
    (void)id;
    (void)image;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_key(VADriverContextP ctx, VASubpictureID id, unsigned low, unsigned high,
                       unsigned mask)
{
    (void)ctx;
    (void)id;
    (void)low;
    (void)high;
    (void)mask;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_alpha(VADriverContextP ctx, VASubpictureID id, float alpha)
{
    (void)ctx;
    (void)id;
    (void)alpha;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_associate(VADriverContextP ctx, VASubpictureID id, VASurfaceID *list, int count,
                             short x, short y, unsigned short width, unsigned short height,
                             short to_x, short to_y, unsigned short to_width,
                             unsigned short to_height, unsigned flags)
{
    (void)ctx;
    (void)id;
    (void)list;
    (void)count;
    (void)x;
    (void)y;
    (void)width;
    (void)height;
    (void)to_x;
    (void)to_y;
    (void)to_width;
    (void)to_height;
    (void)flags;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_deassociate(VADriverContextP ctx, VASubpictureID id, VASurfaceID *list,
                               int count)
{
    (void)ctx;
    (void)id;
    (void)list;
    (void)count;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

static VAStatus no_display_attributes(VADriverContextP ctx, VADisplayAttribute *list, int *count)
{
    (void)ctx;
    (void)list;
    *count = 0;
    return VA_STATUS_SUCCESS;
}

static VAStatus no_display_attribute(VADriverContextP ctx, VADisplayAttribute *list, int count)
{
    (void)ctx;
    (void)list;
    (void)count;
    return VA_STATUS_ERROR_UNIMPLEMENTED;
}

void fake_va_set_objects(struct VADriverVTable *table)
{
    table->vaCreateSurfaces = create_surfaces;
    table->vaCreateSurfaces2 = create_surfaces2;
    table->vaDestroySurfaces = destroy_surfaces;
    table->vaQuerySurfaceAttributes = query_surface_attributes;
    table->vaQuerySurfaceStatus = query_surface_status;
    table->vaCreateBuffer = create_buffer;
    table->vaBufferSetNumElements = set_elements;
    table->vaMapBuffer = map_buffer;
    table->vaUnmapBuffer = unmap_buffer;
    table->vaDestroyBuffer = destroy_buffer;
    table->vaQueryImageFormats = query_image_formats;
    table->vaCreateImage = create_image;
    table->vaDeriveImage = derive_image;
    table->vaDestroyImage = destroy_image;
    table->vaSetImagePalette = set_palette;
    table->vaGetImage = get_image;
    table->vaPutImage = put_image;
    table->vaQuerySubpictureFormats = no_formats;
    table->vaCreateSubpicture = no_subpicture;
    table->vaDestroySubpicture = no_destroy;
    table->vaSetSubpictureImage = no_image;
    table->vaSetSubpictureChromakey = no_key;
    table->vaSetSubpictureGlobalAlpha = no_alpha;
    table->vaAssociateSubpicture = no_associate;
    table->vaDeassociateSubpicture = no_deassociate;
    table->vaQueryDisplayAttributes = no_display_attributes;
    table->vaGetDisplayAttributes = no_display_attribute;
    table->vaSetDisplayAttributes = no_display_attribute;
}
