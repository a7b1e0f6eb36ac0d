/* What the files of the fake libnvcuvid.so.1 share. */
#ifndef GM_TESTS_DRIVERS_FAKE_CUVID_H
#define GM_TESTS_DRIVERS_FAKE_CUVID_H

#include "fake_cuda.h"

#include <ffnvcodec/dynlink_cuviddec.h>
#include <ffnvcodec/dynlink_nvcuvid.h>
#include <libavcodec/avcodec.h>

#define FAKE_NOTE_MAGIC 0x66616b656e6f7465ull

/* What stands where a picture's bits should: the parser has decoded them. */
struct fake_note {
    uint64_t magic;
    const AVFrame *frame; /* the parser's; valid in the callback */
};

/* Bits of a planar 4:2:0 format of libavcodec; 0: it is none. */
unsigned fake_cuvid_depth(int format);

/* The calling thread's current context; NULL when it has none. */
struct CUctx_st *fake_cuvid_context(void);

/* libavcodec's name of a codec; NULL when there is none. */
const char *fake_cuvid_name(cudaVideoCodec codec);

/* What the GPU decodes of a kind; NULL when it doesn't. */
const struct fake_codec *fake_cuvid_find(const struct fake_gpu *gpu, cudaVideoCodec codec,
                                         cudaVideoChromaFormat chroma, unsigned depth_minus8);

#endif
