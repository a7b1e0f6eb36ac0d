#ifndef GM_MEDIA_DECODE_NVDEC_STATE_H
#define GM_MEDIA_DECODE_NVDEC_STATE_H

#include <ffnvcodec/dynlink_cuda.h> /* the next two want it */

#include <ffnvcodec/dynlink_cuviddec.h>
#include <ffnvcodec/dynlink_nvcuvid.h>

#include <libavcodec/bsf.h>

#include "kernels/cuda.h"
#include "media/decode/nvdec.h"

/* Between nvdec.c, which opens and feeds the parser, nvdec_pictures.c, which the parser calls, and
 * nvdec_copy.c, by which pictures leave the decoder. */
/* GM_CUVID_FN(name): of libnvcuvid.so.1, with the type t<name> of ffnvcodec's headers */
#define GM_CUVID_FUNCTIONS                                                                         \
    GM_CUVID_FN(cuvidGetDecoderCaps)                                                               \
    GM_CUVID_FN(cuvidCreateVideoParser)                                                            \
    GM_CUVID_FN(cuvidParseVideoData)                                                               \
    GM_CUVID_FN(cuvidDestroyVideoParser)                                                           \
    GM_CUVID_FN(cuvidCreateDecoder)                                                                \
    GM_CUVID_FN(cuvidDestroyDecoder)                                                               \
    GM_CUVID_FN(cuvidDecodePicture)                                                                \
    GM_CUVID_FN(cuvidGetDecodeStatus)                                                              \
    GM_CUVID_FN(cuvidMapVideoFrame64)                                                              \
    GM_CUVID_FN(cuvidUnmapVideoFrame64)

#define GM_NVDEC_READY 64
#define GM_NVDEC_RECENT 256
#define GM_NVDEC_DELAY 2  /* pictures that are decoded before the oldest is shown */
#define GM_NVDEC_COPIES 2 /* under way: one is waited for, the next goes on meanwhile */

/* A picture on its way out of the decoder; its surface is mapped until it is there. */
struct gm_nvdec_copy {
    AVFrame *to;                /* owned: where it lands */
    void *pinned;               /* owned: page-locked memory of `to`; NULL: it is not in such */
    void *done;                 /* owned: the event behind it */
    unsigned long long surface; /* mapped */
    int index;                  /* of the surface that it was decoded to */
    uint64_t id;
    bool damaged;
};

struct gm_nvdec {
    AVBufferRef *device; /* owned reference */
    struct gm_cuda cuda;
    void *library; /* owned: dlclose */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define GM_CUVID_FN(name) t##name *name;
    GM_CUVID_FUNCTIONS
#undef GM_CUVID_FN
    cudaVideoCodec codec;
    unsigned depth;
    int width_px, height_px;
    CUVIDDECODECAPS caps;
    AVBSFContext *bsf;    /* owned; NULL: packets go in as they are */
    AVPacket *packet;     /* owned */
    CUVIDEOFORMATEX more; /* the parser's, as long as it lives */
    void *stream;         /* owned: of decoded pictures; encoders use the default one */
    CUvideoparser parser;
    CUvideodecoder decoder;
    CUVIDEOFORMAT format; /* of the decoder */
    int surfaces;
    AVBufferRef *pool; /* owned: of pictures that stay; else NULL */
    struct gm_nvdec_copy copies[GM_NVDEC_COPIES];
    size_t oldest, under_way;       /* of copies */
    AVFrame *ready[GM_NVDEC_READY]; /* owned */
    size_t first, count;
    struct { /* packets whose picture may still come, by their id modulo */
        uint64_t id;
        bool waits;
    } recent[GM_NVDEC_RECENT];
    const char *why; /* static; NULL: all is well */
    int rc;          /* < 0: err holds */
    struct gm_err err;
};

/* Whether the call failed. The device's own errors end all, in n->rc and n->err; any other one is
 * what the driver says of streams that it can't take: n->why becomes `why`, unless it is set. */
bool gm_nvdec_failed(struct gm_nvdec *n, CUresult result, const char *function, const char *why);
/* Sets n->why unless it is set. 0: what a callback returns then. */
int gm_nvdec_doubt(struct gm_nvdec *n, const char *why);
/* The time stamp of the packet of that id; above 0. */
long long gm_nvdec_stamp(uint64_t id);

/* In the context, all of these. What fails is in n->rc or n->why.
 * Makes what copies need, when the decoder is there. */
void gm_nvdec_copies_open(struct gm_nvdec *n);
void gm_nvdec_copies_close(struct gm_nvdec *n);
/* Maps the shown picture, of the packet `id`, and begins to copy it. The oldest is handed out where
 * as many are under way then as may be. */
void gm_nvdec_copy(struct gm_nvdec *n, const CUVIDPARSERDISPINFO *shown, uint64_t id);
/* Waits for those under way, the oldest first, and hands them out (n->ready), until none is of that
 * surface; of any, index -1: until there is none. */
void gm_nvdec_copies_clear(struct gm_nvdec *n, int index);

/* The parser's callbacks; arg: struct gm_nvdec, whose context is current. */
int CUDAAPI gm_nvdec_on_sequence(void *arg, CUVIDEOFORMAT *format);
int CUDAAPI gm_nvdec_on_decode(void *arg, CUVIDPICPARAMS *picture);
int CUDAAPI gm_nvdec_on_display(void *arg, CUVIDPARSERDISPINFO *shown);

#endif
