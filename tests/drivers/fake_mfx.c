/* fake_mfx.so: sessions. See fake_mfx.h. */
#include "fake_mfx.h"

#include <stdlib.h>
#include <string.h>

#include "fake_va.h"

#define MAJOR 1
#define MINOR 35

struct fake_mfx *fake_mfx_enter(mfxSession session, mfxStatus *status)
{
    struct fake_mfx *s = (struct fake_mfx *)session;
    if (s == NULL) {
        *status = MFX_ERR_INVALID_HANDLE;
        return NULL;
    }
    pthread_mutex_lock(&s->lock);
    if (s->pci[0] != '\0' && (fake_lost_count(s->pci) != s->lost_before || fake_is_lost(s->pci))) {
        pthread_mutex_unlock(&s->lock);
        *status = MFX_ERR_DEVICE_LOST;
        return NULL;
    }
    *status = MFX_ERR_NONE;
    return s;
}

mfxStatus fake_mfx_leave(struct fake_mfx *s, mfxStatus status)
{
    pthread_mutex_unlock(&s->lock);
    return status;
}

mfxStatus fake_mfx_result(enum fake_action action)
{
    switch (action) {
    case FAKE_OK:
    case FAKE_WRONG:
    case FAKE_CORRUPT:
        return MFX_ERR_NONE;
    case FAKE_OOM:
        return MFX_ERR_MEMORY_ALLOC;
    case FAKE_UNSUPPORTED:
        return MFX_ERR_UNSUPPORTED;
    case FAKE_NO_DEVICE:
        return MFX_ERR_NOT_FOUND;
    case FAKE_LOST:
        return MFX_ERR_DEVICE_LOST;
    case FAKE_INVALID:
        return MFX_ERR_INVALID_VIDEO_PARAM;
    case FAKE_BUSY:
        return MFX_WRN_DEVICE_BUSY;
    default:
        return MFX_ERR_DEVICE_FAILED;
    }
}

const struct fake_gpu *fake_mfx_gpu(const struct fake_mfx *s)
{
    const struct fake_profile *profile = fake_profile_get();
    int i = fake_gpu_find(profile, s->pci);
    return i < 0 ? NULL : &profile->gpus[i];
}

FAKE_MFX_EXPORT mfxStatus MFXInitEx(mfxInitParam par, mfxSession *session)
{
    mfxStatus status = fake_mfx_result(fake_fault_at(FAKE_MFX_INIT, NULL, 0));
    struct fake_mfx *s = NULL;
    if (par.Version.Major != MAJOR || par.Version.Minor > MINOR ||
        MFX_IMPL_BASETYPE(par.Implementation) == MFX_IMPL_SOFTWARE) {
        return MFX_ERR_UNSUPPORTED;
    }
    if (status == MFX_ERR_NONE && (s = calloc(1, sizeof(*s))) == NULL) {
        status = MFX_ERR_MEMORY_ALLOC;
    }
    if (s != NULL) {
        pthread_mutex_init(&s->lock, NULL);
        *session = (mfxSession)s;
    }
    return status;
}

FAKE_MFX_EXPORT mfxStatus MFXInit(mfxIMPL impl, mfxVersion *version, mfxSession *session)
{
    mfxInitParam par = {.Implementation = impl};
    par.Version.Major = version != NULL ? version->Major : MAJOR;
    par.Version.Minor = version != NULL ? version->Minor : MINOR;
    return MFXInitEx(par, session);
}

FAKE_MFX_EXPORT mfxStatus MFXClose(mfxSession session)
{
    struct fake_mfx *s = (struct fake_mfx *)session;
    if (s == NULL) {
        return MFX_ERR_INVALID_HANDLE;
    }
    fake_mfx_close_coder(&s->encoder);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXQueryIMPL(mfxSession session, mfxIMPL *impl)
{
    *impl = MFX_IMPL_HARDWARE | MFX_IMPL_VIA_VAAPI;
    return session == NULL ? MFX_ERR_INVALID_HANDLE : MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXQueryVersion(mfxSession session, mfxVersion *version)
{
    version->Major = MAJOR;
    version->Minor = MINOR;
    return session == NULL ? MFX_ERR_INVALID_HANDLE : MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXJoinSession(mfxSession session, mfxSession child)
{
    return session == NULL || child == NULL ? MFX_ERR_INVALID_HANDLE : MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoCORE_SetHandle(mfxSession session, mfxHandleType type, mfxHDL hdl)
{
    struct fake_mfx *s = (struct fake_mfx *)session;
    if (type != MFX_HANDLE_VA_DISPLAY || hdl == NULL) {
        return MFX_ERR_UNSUPPORTED;
    }
    if (s->display != NULL) {
        return MFX_ERR_UNDEFINED_BEHAVIOR;
    }
    const VADisplayContextP display = hdl;
    const struct fake_va *va = display->pDriverContext->pDriverData;
    s->display = hdl;
    memcpy(s->pci, va->pci, sizeof(s->pci));
    s->lost_before = va->lost_before;
    return MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoCORE_GetHandle(mfxSession session, mfxHandleType type,
                                                 mfxHDL *hdl)
{
    const struct fake_mfx *s = (const struct fake_mfx *)session;
    if (type != MFX_HANDLE_VA_DISPLAY || s->display == NULL) {
        return MFX_ERR_NOT_FOUND;
    }
    *hdl = s->display;
    return MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoCORE_SetFrameAllocator(mfxSession session,
                                                         mfxFrameAllocator *allocator)
{
    struct fake_mfx *s = (struct fake_mfx *)session;
    s->allocator = *allocator;
    return MFX_ERR_NONE;
}
