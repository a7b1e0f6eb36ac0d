/* What encoding costs before there is a plan: the pictures are those of inspect's ladder, and codec
 * and preset the pipeline's. See backlog.h. */
#include <math.h>
#include <string.h>

#include "proto/video_codec.h"
#include "scheduler/core/backlog.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/times.h"

/* As the plan's estimate has it (media/plan/plan.c): one thread decodes 150 million pixels a second
 * and encodes 40 of H.264. A slot of a device that nobody measured is thought to make eight times
 * that, of any codec. */
#define DECODES 150e6
#define ENCODES 40e6
#define DEVICE_TIMES 8

static double assumed_s(const struct gm_cjob *job, const Gm__EncodeParams *p, const char *chain)
{
    const struct gm_video_codec *codec = gm_video_codec_find(p->codec);
    double source = (double)job->source_pixels, rungs = (double)job->rung_pixels;
    if (strcmp(chain, "cpu") == 0) {
        return source / DECODES + rungs / ENCODES * (codec ? codec->work : 1);
    }
    return (source / DECODES + rungs / ENCODES) / DEVICE_TIMES;
}

/* Of a device all of whose slots work; 0: it is not measured. */
static double device_s(const struct gm_cdevice *device, const struct gm_chain_wish *wish,
                       const struct gm_cjob *job, const Gm__EncodeParams *p)
{
    const Gm__Chain chain = {.name = (char *)(uintptr_t)wish->name};
    const struct gm_cwork work = {.pixels = (double)job->rung_pixels,
                                  .largest = (double)job->rung_largest};
    const Gm__Rate *rate = gm_core_rate(device, &chain, p->codec, p->bit_depth > 8 ? 10 : 8);
    uint64_t others = device->usable.slots > 0 ? device->usable.slots - 1 : 0;
    double pixels = rate ? gm_core_slot_rate(gm_core_pace(rate, others), &work) : 0;
    return pixels > 0 && isfinite(pixels) ? work.pixels / pixels : 0;
}

/* The first block of each class is looked at, and no more. */
static double measured_s(const struct gm_core *core, const struct gm_chain_wish *wish,
                         const struct gm_cjob *job, const Gm__EncodeParams *p)
{
    struct gm_classes classes = gm_devices_classes(core, wish);
    for (size_t c = 0; c < classes.count; c++) {
        const struct gm_class *class = classes.list[c];
        size_t count = class->measured > 0 ? gm_devices_in_block(class, 0) : 0;
        for (size_t i = 0; i < count; i++) {
            double s = device_s(class->blocks[0]->device[i], wish, job, p);
            if (s > 0) {
                return s;
            }
        }
    }
    return 0;
}

double gm_core_guess_s(const struct gm_core *core, const struct gm_cjob *job,
                       const struct gm_chain_wish *wish, uint64_t frames)
{
    const Gm__EncodeParams *p = gm_core_encode_params(job);
    if (!p || job->rung_pixels == 0 || frames == 0) {
        return 0;
    }
    double s = gm_core_learned_s(core, job, wish->name);
    s = s > 0 ? s : measured_s(core, wish, job, p);
    return (s > 0 ? s : assumed_s(job, p, wish->name)) * (double)frames;
}
