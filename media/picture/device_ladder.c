#include "media/picture/device_ladder.h"

#include <stdlib.h>

#include "media/decode/device_decoder.h"
#include "media/picture/va_ladder.h"

struct gm_device_ladder { /* one of the two; owned */
    struct gm_cuda_ladder *cuda;
    struct gm_va_ladder *va;
};

int gm_device_ladder_create(const Gm__Policy *policy, const Gm__VideoFacts *facts,
                            const Gm__Pipeline *pipeline, AVBufferRef *device,
                            struct gm_device_ladder **out, struct gm_err *err)
{
    struct gm_device_ladder *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_device_decoder_is_va(device)
                 ? gm_va_ladder_create(policy, facts, device, &l->va, err)
                 : gm_cuda_ladder_create(policy, facts, pipeline, device, &l->cuda, err);
    if (rc == 0 && l->va != NULL) {
        rc = gm_va_ladder_fill(l->va, err);
    }
    if (rc < 0) {
        gm_device_ladder_destroy(&l);
        return rc;
    }
    *out = l;
    return 0;
}

void gm_device_ladder_destroy(struct gm_device_ladder **ladder)
{
    if (*ladder != NULL) {
        gm_cuda_ladder_destroy(&(*ladder)->cuda);
        gm_va_ladder_destroy(&(*ladder)->va);
        free(*ladder);
        *ladder = NULL;
    }
}

int gm_device_ladder_look(const struct gm_device_ladder *l, const AVFrame *picture,
                          const char **out_why, struct gm_err *err)
{
    return l->va != NULL ? gm_va_ladder_look(l->va, picture, out_why, err)
                         : gm_cuda_ladder_look(l->cuda, picture, out_why, err);
}

int gm_device_ladder_push(struct gm_device_ladder *l, const AVFrame *picture, int64_t pts,
                          struct gm_err *err)
{
    return l->va != NULL ? gm_va_ladder_push(l->va, picture, pts, err)
                         : gm_cuda_ladder_push(l->cuda, picture, pts, err);
}

int gm_device_ladder_lift(struct gm_device_ladder *l, size_t rendition, const AVFrame *picture,
                          struct gm_err *err)
{
    return l->va != NULL ? gm_va_ladder_lift(l->va, rendition, picture, err)
                         : gm_cuda_ladder_lift(l->cuda, rendition, picture, err);
}

AVFrame *gm_device_ladder_get(struct gm_device_ladder *l, size_t rendition)
{
    return l->va != NULL ? gm_va_ladder_get(l->va, rendition)
                         : gm_cuda_ladder_get(l->cuda, rendition);
}

AVBufferRef *gm_device_ladder_pool(struct gm_device_ladder *l, size_t rendition)
{
    return l->va != NULL ? gm_va_ladder_pool(l->va, rendition)
                         : gm_cuda_ladder_pool(l->cuda, rendition);
}

const char *gm_device_ladder_by(const struct gm_device_ladder *l)
{
    return l->va != NULL ? "vaapi" : "cuda";
}

struct gm_cuda_ladder *gm_device_ladder_cuda(struct gm_device_ladder *l)
{
    return l->cuda;
}
