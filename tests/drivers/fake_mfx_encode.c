/* fake_mfx.so: encoding. A picture is coded when it is given; its bits are handed out when the
 * application waits for them. */
#include <stdlib.h>
#include <string.h>

#include "fake_mfx.h"

/* nal_unit_type of VPS, SPS and PPS: ITU-T H.264 table 7-1, H.265 table 7-1. */
enum { VPS, SPS, PPS, SETS };
static const int AVC_SETS[SETS] = {-1, 7, 8}, HEVC_SETS[SETS] = {32, 33, 34};

static const struct {
    mfxU16 method;
    unsigned rate; /* FAKE_RATE_ */
} METHODS[] = {{MFX_RATECONTROL_CQP, FAKE_RATE_CQP},
               {MFX_RATECONTROL_CBR, FAKE_RATE_CBR},
               {MFX_RATECONTROL_VBR, FAKE_RATE_VBR},
               {MFX_RATECONTROL_ICQ, FAKE_RATE_ICQ},
               {MFX_RATECONTROL_QVBR, FAKE_RATE_QVBR}};

static bool has_rate(const struct fake_gpu *gpu, mfxU16 method)
{
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        if (METHODS[i].method == method) {
            return (gpu->rates & METHODS[i].rate) != 0;
        }
    }
    return false;
}

/* What can't be is 0 in io, as the interface has it; what can be corrected is. */
static mfxStatus correct(const struct fake_mfx *s, mfxVideoParam *io)
{
    const struct fake_gpu *gpu = fake_mfx_gpu(s);
    mfxInfoMFX *m = &io->mfx;
    mfxFrameInfo *f = &m->FrameInfo;
    const char *name = m->CodecId == MFX_CODEC_AVC    ? "h264"
                       : m->CodecId == MFX_CODEC_HEVC ? "hevc"
                                                      : "";
    const struct fake_codec *codec = gpu == NULL ? NULL : fake_codec_find(&gpu->encode, name);
    if (codec == NULL) {
        m->CodecId = 0;
        return MFX_ERR_UNSUPPORTED;
    }
    mfxStatus status = MFX_ERR_NONE;
    const unsigned depth = f->FourCC == MFX_FOURCC_NV12   ? FAKE_DEPTH_8
                           : f->FourCC == MFX_FOURCC_P010 ? FAKE_DEPTH_10
                                                          : 0;
    if ((codec->depths & depth) == 0 || f->ChromaFormat != MFX_CHROMAFORMAT_YUV420 ||
        f->Shift != (depth == FAKE_DEPTH_10 ? 1 : 0)) {
        f->FourCC = 0;
        status = MFX_ERR_UNSUPPORTED;
    }
    if (f->Width % 16 != 0 || f->Height % 16 != 0 || f->CropW < codec->min_width ||
        f->CropH < codec->min_height || f->CropW > codec->max_width ||
        f->CropH > codec->max_height) {
        f->Width = f->Height = 0;
        status = MFX_ERR_UNSUPPORTED;
    }
    if (!has_rate(gpu, m->RateControlMethod)) {
        m->RateControlMethod = 0;
        status = MFX_ERR_UNSUPPORTED;
    }
    if (m->LowPower == MFX_CODINGOPTION_ON && !gpu->low_power) {
        m->LowPower = 0;
        status = MFX_ERR_UNSUPPORTED;
    }
    if (status == MFX_ERR_NONE && m->GopRefDist > codec->bframes + 1) {
        m->GopRefDist = (mfxU16)(codec->bframes + 1);
        status = MFX_WRN_INCOMPATIBLE_VIDEO_PARAM;
    }
    return status;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoENCODE_Query(mfxSession session, mfxVideoParam *in,
                                               mfxVideoParam *out)
{
    mfxStatus status;
    struct fake_mfx *s = fake_mfx_enter(session, &status);
    if (s == NULL) {
        return status;
    }
    status = fake_mfx_result(fake_fault_at(FAKE_ENCODE_OPEN, s->pci, 0));
    if (status == MFX_ERR_NONE) {
        mfxVideoParam p = *in;
        status = correct(s, &p);
        p.ExtParam = out->ExtParam;
        p.NumExtParam = out->NumExtParam;
        *out = p;
    }
    return fake_mfx_leave(s, status);
}

FAKE_MFX_EXPORT mfxStatus MFXVideoENCODE_QueryIOSurf(mfxSession session, mfxVideoParam *par,
                                                     mfxFrameAllocRequest *request)
{
    if (session == NULL) {
        return MFX_ERR_INVALID_HANDLE;
    }
    memset(request, 0, sizeof(*request));
    request->Info = par->mfx.FrameInfo;
    request->NumFrameMin = (mfxU16)(par->AsyncDepth + par->mfx.GopRefDist);
    request->NumFrameSuggested = (mfxU16)(request->NumFrameMin + 2);
    return MFX_ERR_NONE;
}

static mfxStatus take_options(struct fake_mfx_encoder *e, const mfxVideoParam *par)
{
    for (int i = 0; i < par->NumExtParam; i++) {
        const mfxExtBuffer *b = par->ExtParam[i];
        const mfxExtCodingOption *co = (const void *)b;
        const mfxExtCodingOption2 *co2 = (const void *)b;
        const mfxExtCodingOption3 *co3 = (const void *)b;
        switch (b->BufferId) {
        case MFX_EXTBUFF_CODING_OPTION:
            e->hrd = e->hrd && co->NalHrdConformance != MFX_CODINGOPTION_OFF;
            e->cavlc = co->CAVLC == MFX_CODINGOPTION_ON;
            break;
        case MFX_EXTBUFF_CODING_OPTION2:
            e->adaptive_i = co2->AdaptiveI != MFX_CODINGOPTION_OFF; /* libavcodec asks for H.264 */
            e->pyramid = co2->BRefType != MFX_B_REF_OFF;
            break;
        case MFX_EXTBUFF_CODING_OPTION3:
            e->quality = co3->QVBRQuality;
            break;
        case MFX_EXTBUFF_VIDEO_SIGNAL_INFO:
            memcpy(&e->signal, b, sizeof(e->signal));
            break;
        case MFX_EXTBUFF_MULTI_FRAME_PARAM:
        case MFX_EXTBUFF_HEVC_TILES:
            break;
        default:
            return MFX_ERR_UNSUPPORTED;
        }
    }
    return MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoENCODE_Init(mfxSession session, mfxVideoParam *par)
{
    mfxStatus status;
    struct fake_mfx *s = fake_mfx_enter(session, &status);
    if (s == NULL) {
        return status;
    }
    struct fake_mfx_encoder *e = &s->encoder;
    if (e->open) {
        return fake_mfx_leave(s, MFX_ERR_UNDEFINED_BEHAVIOR);
    }
    status = fake_mfx_result(fake_fault_at(FAKE_ENCODE_INIT, s->pci, 0));
    mfxVideoParam p = *par;
    mfxStatus corrected = status == MFX_ERR_NONE ? correct(s, &p) : MFX_ERR_NONE;
    status = corrected < MFX_ERR_NONE ? MFX_ERR_INVALID_VIDEO_PARAM : status;
    if (status == MFX_ERR_NONE) {
        p.ExtParam = NULL;
        p.NumExtParam = 0;
        e->param = p;
        mfxU16 method = p.mfx.RateControlMethod;
        e->hrd = method == MFX_RATECONTROL_CBR || method == MFX_RATECONTROL_VBR ||
                 method == MFX_RATECONTROL_QVBR;
        e->adaptive_i = e->pyramid = true;
        status = take_options(e, par);
    }
    if (status == MFX_ERR_NONE) {
        status = fake_mfx_open_coder(e);
        e->open = status == MFX_ERR_NONE;
    }
    if (status != MFX_ERR_NONE) {
        fake_mfx_close_coder(e);
    }
    return fake_mfx_leave(s, status == MFX_ERR_NONE ? corrected : status);
}

FAKE_MFX_EXPORT mfxStatus MFXVideoENCODE_Close(mfxSession session)
{
    struct fake_mfx *s = (struct fake_mfx *)session;
    if (s == NULL) {
        return MFX_ERR_INVALID_HANDLE;
    }
    pthread_mutex_lock(&s->lock); /* also of a lost device */
    bool open = s->encoder.open;
    fake_mfx_close_coder(&s->encoder);
    return fake_mfx_leave(s, open ? MFX_ERR_NONE : MFX_ERR_NOT_INITIALIZED);
}

static const uint8_t *find_set(const struct fake_mfx_encoder *e, int set, size_t *out_size)
{
    return fake_mfx_header(e, (e->hevc ? HEVC_SETS : AVC_SETS)[set], out_size);
}

static mfxStatus give_header(const struct fake_mfx_encoder *e, int set, mfxU8 *to, mfxU16 *io_size)
{
    size_t size = 0;
    const uint8_t *found = find_set(e, set, &size);
    if (found == NULL || size > *io_size) {
        return MFX_ERR_NOT_ENOUGH_BUFFER;
    }
    memcpy(to, found, size);
    *io_size = (mfxU16)size;
    return MFX_ERR_NONE;
}

/* KB that hold any picture. */
static unsigned most_kb(const mfxFrameInfo *f)
{
    return (unsigned)f->Width * f->Height * 2 / 1000 + 16;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoENCODE_GetVideoParam(mfxSession session, mfxVideoParam *par)
{
    mfxStatus status;
    struct fake_mfx *s = fake_mfx_enter(session, &status);
    if (s == NULL) {
        return status;
    }
    const struct fake_mfx_encoder *e = &s->encoder;
    if (!e->open) {
        return fake_mfx_leave(s, MFX_ERR_NOT_INITIALIZED);
    }
    mfxVideoParam p = e->param;
    p.ExtParam = par->ExtParam;
    p.NumExtParam = par->NumExtParam;
    p.mfx.BRCParamMultiplier = p.mfx.BRCParamMultiplier > 0 ? p.mfx.BRCParamMultiplier : 1;
    if (p.mfx.BufferSizeInKB == 0) {
        unsigned unit = most_kb(&p.mfx.FrameInfo) / 65536 + 1;
        p.mfx.BRCParamMultiplier = (mfxU16)unit;
        p.mfx.BufferSizeInKB = (mfxU16)(most_kb(&p.mfx.FrameInfo) / unit + 1);
    }
    *par = p;
    for (int i = 0; status == MFX_ERR_NONE && i < p.NumExtParam; i++) {
        if (p.ExtParam[i]->BufferId == MFX_EXTBUFF_CODING_OPTION_VPS) {
            mfxExtCodingOptionVPS *h = (void *)p.ExtParam[i];
            status = give_header(e, VPS, h->VPSBuffer, &h->VPSBufSize);
        }
        if (p.ExtParam[i]->BufferId == MFX_EXTBUFF_CODING_OPTION_SPSPPS) {
            mfxExtCodingOptionSPSPPS *h = (void *)p.ExtParam[i];
            status = give_header(e, SPS, h->SPSBuffer, &h->SPSBufSize);
            status =
                status == MFX_ERR_NONE ? give_header(e, PPS, h->PPSBuffer, &h->PPSBufSize) : status;
        }
    }
    return fake_mfx_leave(s, status);
}

/* Takes the samples, time and kind; *surface is the application's again. */
static mfxStatus take(struct fake_mfx *s, const mfxEncodeCtrl *ctrl,
                      const mfxFrameSurface1 *surface, enum fake_action action)
{
    struct fake_mfx_encoder *e = &s->encoder;
    struct fake_mfx_view view;
    mfxStatus status = fake_mfx_map(s, surface, &view);
    if (status == MFX_ERR_NONE) {
        status = fake_mfx_read(e, &view, action == FAKE_WRONG);
        fake_mfx_unmap(s, &view);
    }
    bool idr = ctrl != NULL && (ctrl->FrameType & MFX_FRAMETYPE_IDR) != 0;
    bool intra = ctrl != NULL && (ctrl->FrameType & MFX_FRAMETYPE_I) != 0;
    if (status != MFX_ERR_NONE) {
        return status;
    }
    /* In display order only IDRs can be forced: an I picture is one where IdrInterval says so of
     * each. */
    idr = idr || (intra && e->param.mfx.IdrInterval == (e->hevc ? 1 : 0));
    e->times[e->count % FAKE_MFX_PENDING] = (int64_t)surface->Data.TimeStamp;
    e->frame->pts = e->count++;
    e->frame->pict_type = idr ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    return MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoENCODE_EncodeFrameAsync(mfxSession session, mfxEncodeCtrl *ctrl,
                                                          mfxFrameSurface1 *surface,
                                                          mfxBitstream *bs, mfxSyncPoint *sync)
{
    mfxStatus status;
    struct fake_mfx *s = fake_mfx_enter(session, &status);
    if (s == NULL) {
        return status;
    }
    struct fake_mfx_encoder *e = &s->encoder;
    struct fake_mfx_pending *p = NULL;
    for (int i = 0; p == NULL && i < FAKE_MFX_PENDING; i++) {
        p = e->pending[i].packet == NULL ? &e->pending[i] : NULL;
    }
    if (!e->open || p == NULL) {
        return fake_mfx_leave(s, e->open ? MFX_WRN_DEVICE_BUSY : MFX_ERR_NOT_INITIALIZED);
    }
    enum fake_action action =
        surface == NULL ? FAKE_OK : fake_fault_at(FAKE_ENCODE, s->pci, e->count + 1);
    status = fake_mfx_result(action);
    if (status == MFX_ERR_NONE && surface != NULL) {
        status = take(s, ctrl, surface, action);
    }
    mfxU16 type = 0;
    AVPacket *packet = status == MFX_ERR_NONE ? av_packet_alloc() : NULL;
    if (status == MFX_ERR_NONE) {
        status = packet == NULL ? MFX_ERR_MEMORY_ALLOC
                                : fake_mfx_code(e, surface != NULL, packet, &type);
    }
    if (status != MFX_ERR_NONE) {
        av_packet_free(&packet);
        return fake_mfx_leave(s, status);
    }
    *p = (struct fake_mfx_pending){bs, packet, type, action == FAKE_CORRUPT};
    *sync = (mfxSyncPoint)p;
    return fake_mfx_leave(s, MFX_ERR_NONE);
}

static bool append(mfxBitstream *bs, const void *data, size_t size)
{
    if (data == NULL || bs->DataLength + size > bs->MaxLength) {
        return false;
    }
    memcpy(bs->Data + bs->DataLength, data, size);
    bs->DataLength += (mfxU32)size;
    return true;
}

static int64_t time_of(const struct fake_mfx_encoder *e, int64_t number)
{
    const mfxFrameInfo *f = &e->param.mfx.FrameInfo;
    int64_t step = (int64_t)90000 * f->FrameRateExtD / f->FrameRateExtN;
    return number < 0 ? e->times[0] + number * step : e->times[number % FAKE_MFX_PENDING];
}

static mfxStatus hand_out(struct fake_mfx_encoder *e, struct fake_mfx_pending *p)
{
    mfxBitstream *bs = p->bitstream;
    const AVPacket *packet = p->packet;
    bool good = true;
    bs->DataOffset = bs->DataLength = 0;
    for (int set = e->hevc ? VPS : SPS; (p->type & MFX_FRAMETYPE_IDR) != 0 && set < SETS; set++) {
        size_t size = 0;
        const uint8_t *found = find_set(e, set, &size);
        good = good && append(bs, found, size);
    }
    if (!good || !append(bs, packet->data, (size_t)packet->size)) {
        return MFX_ERR_NOT_ENOUGH_BUFFER;
    }
    size_t from = bs->DataLength > 400 ? 200 : bs->DataLength * 2 / 3;
    for (size_t i = from; p->corrupt && i < bs->DataLength; i++) {
        bs->Data[i] ^= (uint8_t)(i * 37 + 11);
    }
    bs->TimeStamp = (mfxU64)time_of(e, packet->pts);
    bs->DecodeTimeStamp = time_of(e, packet->dts);
    bs->FrameType = p->type;
    bs->PicStruct = MFX_PICSTRUCT_PROGRESSIVE;
    return MFX_ERR_NONE;
}

FAKE_MFX_EXPORT mfxStatus MFXVideoCORE_SyncOperation(mfxSession session, mfxSyncPoint sync,
                                                     mfxU32 wait)
{
    mfxStatus status;
    struct fake_mfx *s = fake_mfx_enter(session, &status);
    (void)wait;
    if (s == NULL || sync == (mfxSyncPoint)session) { /* of VPP */
        return s == NULL ? status : fake_mfx_leave(s, MFX_ERR_NONE);
    }
    struct fake_mfx_pending *p = (struct fake_mfx_pending *)sync;
    status = p->packet == NULL
                 ? MFX_ERR_NULL_PTR
                 : fake_mfx_result(fake_fault_at(FAKE_LOCK, s->pci, p->packet->pts + 1));
    if (status == MFX_ERR_NONE) {
        status = hand_out(&s->encoder, p);
    }
    av_packet_free(&p->packet);
    return fake_mfx_leave(s, status);
}

/* Other parameters in mid-stream: nothing of ours asks for that. */
FAKE_MFX_EXPORT mfxStatus MFXVideoENCODE_Reset(mfxSession session, mfxVideoParam *par)
{
    (void)par;
    return session == NULL ? MFX_ERR_INVALID_HANDLE : MFX_ERR_INCOMPATIBLE_VIDEO_PARAM;
}
