/* fake_mfx.so: functions that the dispatcher wants to be there and that this runtime does not have.
 * Without the interface's headers: whatever their parameters are, the answer is the same. */
#define UNSUPPORTED (-3) /* MFX_ERR_UNSUPPORTED */

#define NONE(name)                                                                                 \
    __attribute__((visibility("default"))) int name(void);                                         \
    int name(void)                                                                                 \
    {                                                                                              \
        return UNSUPPORTED;                                                                        \
    }

NONE(MFXDisjoinSession)
NONE(MFXSetPriority)
NONE(MFXGetPriority)
NONE(MFXDoWork)
NONE(MFXVideoCORE_SetBufferAllocator)
NONE(MFXVideoCORE_QueryPlatform)
NONE(MFXVideoENCODE_GetEncodeStat)
NONE(MFXVideoDECODE_Query)
NONE(MFXVideoDECODE_DecodeHeader)
NONE(MFXVideoDECODE_QueryIOSurf)
NONE(MFXVideoDECODE_Init)
NONE(MFXVideoDECODE_Reset)
NONE(MFXVideoDECODE_Close)
NONE(MFXVideoDECODE_GetVideoParam)
NONE(MFXVideoDECODE_GetDecodeStat)
NONE(MFXVideoDECODE_SetSkipMode)
NONE(MFXVideoDECODE_GetPayload)
NONE(MFXVideoDECODE_DecodeFrameAsync)
NONE(MFXVideoVPP_Query)
NONE(MFXVideoVPP_QueryIOSurf)
NONE(MFXVideoVPP_Reset)
NONE(MFXVideoVPP_GetVideoParam)
NONE(MFXVideoVPP_GetVPPStat)
NONE(MFXVideoVPP_RunFrameVPPAsyncEx)
NONE(MFXVideoUSER_Register)
NONE(MFXVideoUSER_Unregister)
NONE(MFXVideoUSER_GetPlugin)
NONE(MFXVideoUSER_ProcessFrameAsync)
NONE(MFXVideoENC_Query)
NONE(MFXVideoENC_QueryIOSurf)
NONE(MFXVideoENC_Init)
NONE(MFXVideoENC_Reset)
NONE(MFXVideoENC_Close)
NONE(MFXVideoENC_GetVideoParam)
NONE(MFXVideoENC_ProcessFrameAsync)
NONE(MFXVideoPAK_Query)
NONE(MFXVideoPAK_QueryIOSurf)
NONE(MFXVideoPAK_Init)
NONE(MFXVideoPAK_Reset)
NONE(MFXVideoPAK_Close)
NONE(MFXVideoPAK_GetVideoParam)
NONE(MFXVideoPAK_ProcessFrameAsync)
