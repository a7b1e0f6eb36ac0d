#ifndef GM_TESTS_MEDIA_CUDA_LADDER_IO_H
#define GM_TESTS_MEDIA_CUDA_LADDER_IO_H

#include <libavutil/frame.h>

#include "media.pb-c.h"
#include "media/picture/cuda_ladder.h"

/* The device's ladder over the fake libcuda, in children of fake_gpu_run: what is wrong ends them.
 */
#define GPU "gpu 0000:05:00.0\n name L4\n memory-mib 4096\n encoders 1\n"
#define RUNGS 3
#define TIMESCALE 1000
#define WIDTH 96
#define HEIGHT 64

struct job {
    Gm__VideoFacts facts;
    Gm__Rational aspect;
    Gm__Crop crop;
    Gm__Policy policy;
    Gm__Rendition renditions[RUNGS];
    Gm__Rendition *list[RUNGS];
    Gm__EncodeParams encode;
    Gm__Watermark how;
    Gm__Asset asset;
    Gm__Asset *assets[1];
    Gm__Pipeline pipeline;
    AVBufferRef *device; /* owned, as ladder is */
    struct gm_cuda_ladder *ladder;
};

struct way {
    const char *format;         /* of the source */
    const char *formats[RUNGS]; /* of the renditions */
    int32_t turn;
    bool flip, crop, mark;
};

/* w: borrowed for the job's life. The first rung has the source's size. */
void ladder_describe(struct job *j, const struct way *w);
/* *err: of the ladder; the device's ends the child. */
int ladder_open(struct job *j, struct gm_err *err);
void ladder_close(struct job *j);
void ladder_must(int rc, const struct gm_err *err);
/* A picture of the source, number i, with random bytes in it. */
AVFrame *ladder_picture(const struct job *j, int i);

#endif
