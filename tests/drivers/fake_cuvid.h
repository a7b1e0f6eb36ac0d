/* What the files of the fake libnvcuvid.so.1 share. */
#ifndef GM_TESTS_DRIVERS_FAKE_CUVID_H
#define GM_TESTS_DRIVERS_FAKE_CUVID_H

#include "fake_cuda.h"

#include <ffnvcodec/dynlink_cuviddec.h>
#include <ffnvcodec/dynlink_nvcuvid.h>

/* The calling thread's current context; NULL when it has none. */
struct CUctx_st *fake_cuvid_context(void);

/* libavcodec's name of a codec; NULL when there is none. */
const char *fake_cuvid_name(cudaVideoCodec codec);

/* What the GPU decodes of a kind; NULL when it doesn't. */
const struct fake_codec *fake_cuvid_find(const struct fake_gpu *gpu, cudaVideoCodec codec,
                                         cudaVideoChromaFormat chroma, unsigned depth_minus8);

#endif
