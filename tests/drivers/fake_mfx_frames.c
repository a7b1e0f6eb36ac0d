/* fake_mfx.so: surfaces of the VA display, and VPP, which fills them from memory. */
#include <string.h>

#include "fake_mfx.h"

mfxStatus fake_mfx_map(struct fake_mfx *s, const mfxFrameSurface1 *surface,
                       struct fake_mfx_view *out)
{
    mfxHDLPair pair = {NULL, NULL};
    void *data = NULL;
    out->image.image_id = VA_INVALID_ID;
    if (surface->Data.Y != NULL) {
        out->plane[0] = surface->Data.Y;
        out->plane[1] = surface->Data.UV;
        out->pitch = surface->Data.PitchHigh << 16 | surface->Data.PitchLow;
        return MFX_ERR_NONE;
    }
    if (s->allocator.GetHDL == NULL || s->display == NULL ||
        s->allocator.GetHDL(s->allocator.pthis, surface->Data.MemId, (mfxHDL *)&pair) !=
            MFX_ERR_NONE ||
        vaDeriveImage(s->display, *(const VASurfaceID *)pair.first, &out->image) !=
            VA_STATUS_SUCCESS) {
        return MFX_ERR_LOCK_MEMORY;
    }
    if (out->image.format.fourcc != surface->Info.FourCC || /* the same letters */
        vaMapBuffer(s->display, out->image.buf, &data) != VA_STATUS_SUCCESS) {
        vaDestroyImage(s->display, out->image.image_id);
        return MFX_ERR_LOCK_MEMORY;
    }
    out->plane[0] = (uint8_t *)data + out->image.offsets[0];
    out->plane[1] = (uint8_t *)data + out->image.offsets[1];
    out->pitch = (int)out->image.pitches[0];
    return MFX_ERR_NONE;
}

void fake_mfx_unmap(struct fake_mfx *s, struct fake_mfx_view *view)
{
    if (view->image.image_id != VA_INVALID_ID) {
        vaUnmapBuffer(s->display, view->image.buf);
        vaDestroyImage(s->display, view->image.image_id);
    }
}

FAKE_MFX_EXPORT mfxStatus MFXVideoVPP_Init(mfxSession session, mfxVideoParam *par)
{
    bool upload =
        par->IOPattern == (MFX_IOPATTERN_IN_SYSTEM_MEMORY | MFX_IOPATTERN_OUT_VIDEO_MEMORY);
    bool same = memcmp(&par->vpp.In, &par->vpp.Out, sizeof(par->vpp.In)) == 0;
    bool known = par->vpp.In.FourCC == MFX_FOURCC_NV12 || par->vpp.In.FourCC == MFX_FOURCC_P010;
    return session == NULL           ? MFX_ERR_INVALID_HANDLE
           : upload && same && known ? MFX_ERR_NONE
                                     : MFX_ERR_UNSUPPORTED;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoVPP_Close(mfxSession session)
{
    return session == NULL ? MFX_ERR_INVALID_HANDLE : MFX_ERR_NONE;
}

/* Done at once; the sync point is the session. */
FAKE_MFX_EXPORT mfxStatus MFXVideoVPP_RunFrameVPPAsync(mfxSession session, mfxFrameSurface1 *in,
                                                       mfxFrameSurface1 *out, mfxExtVppAuxData *aux,
                                                       mfxSyncPoint *sync)
{
    mfxStatus status;
    struct fake_mfx *s = fake_mfx_enter(session, &status);
    struct fake_mfx_view from, to;
    (void)aux;
    if (s == NULL) {
        return status;
    }
    status = fake_mfx_result(fake_fault_at(FAKE_COPY, s->pci, 0));
    if (status == MFX_ERR_NONE) {
        status = fake_mfx_map(s, in, &from);
    }
    if (status != MFX_ERR_NONE) {
        return fake_mfx_leave(s, status);
    }
    status = fake_mfx_map(s, out, &to);
    for (int plane = 0; status == MFX_ERR_NONE && plane < 2; plane++) {
        for (int y = 0; y < in->Info.CropH >> plane; y++) {
            memcpy(to.plane[plane] + (ptrdiff_t)y * to.pitch,
                   from.plane[plane] + (ptrdiff_t)y * from.pitch,
                   in->Info.CropW * (in->Info.FourCC == MFX_FOURCC_P010 ? 2u : 1u));
        }
    }
    if (status == MFX_ERR_NONE) {
        fake_mfx_unmap(s, &to);
        *sync = (mfxSyncPoint)session;
    }
    fake_mfx_unmap(s, &from);
    return fake_mfx_leave(s, status);
}
