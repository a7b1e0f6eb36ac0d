/* What measured figures say of a device's speed at a job's pictures.
 *
 * Of each codec and depth of the renditions: its pixels a picture over the rate of one slot. A run
 * makes those side by side: as many streams as their pixels are those of the largest one. A
 * slot has what so many streams alone make, but no more than its part of what all streams together
 * make, among the tasks that the device has and this one: so a device that is full, or whose
 * threads share cores, is as slow as it is. Software was measured with 8 bits alone: those figures
 * stand for its 10 bits too, on each node alike.
 *
 * Only figures of encoding count, for they are what nodes of one chain differ in most, and sums in
 * which one node lacks a part could not be compared.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/core/times.h"

static const char *api_of(const Gm__Chain *chain)
{
    return strcmp(chain->name, "cpu") == 0 ? "software" : chain->name;
}

const Gm__Rate *gm_core_rate(const struct gm_cdevice *device, const Gm__Chain *chain,
                             const char *codec, uint32_t depth)
{
    const Gm__Measured *m = device->facts ? device->facts->measured : NULL;
    const char *api = api_of(chain);
    bool software = strcmp(api, "software") == 0;
    for (size_t i = 0; m && i < m->n_rates; i++) {
        const Gm__Rate *r = m->rates[i];
        if (strcmp(r->what, "encode") == 0 && strcmp(r->codec, codec) == 0 &&
            strcmp(r->api, api) == 0 && (software || r->depth == depth)) {
            return r;
        }
    }
    return NULL;
}

struct gm_pace gm_core_pace(const Gm__Rate *rate, uint64_t used)
{
    if (!rate) {
        return (struct gm_pace){.part = 0, .one = -1};
    }
    if (rate->all == 0) { /* nobody knows that it takes more at once */
        return (struct gm_pace){.part = INFINITY, .one = (double)rate->one};
    }
    return (struct gm_pace){.part = (double)rate->all / (double)(used + 1),
                            .one = rate->one > 0 ? (double)rate->one : INFINITY};
}

double gm_core_slot_rate(struct gm_pace pace, const struct gm_cwork *work)
{
    double streams = work->largest > 0 ? work->pixels / work->largest : 1;
    double alone = pace.one * (isinf(pace.part) ? 1 : streams);
    return alone < pace.part ? alone : pace.part;
}

void gm_core_works_take(struct gm_cjob *job, const Gm__Policy *policy)
{
    uint64_t largest = 0;
    job->work_count = 0;
    job->picture_pixels = 0;
    job->preset[0] = '\0';
    for (size_t i = 0; i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        uint64_t own = (uint64_t)r->width_px * r->height_px;
        job->picture_pixels += own < UINT64_C(1) << 40 ? own : 0;
        if (r->encode && own > largest) {
            largest = own;
            (void)snprintf(job->preset, sizeof(job->preset), "%s", r->encode->preset);
        }
        const char *codec = r->encode ? r->encode->codec : "";
        uint32_t depth = r->encode && r->encode->bit_depth > 8 ? r->encode->bit_depth : 8;
        uint32_t at = 0;
        while (at < job->work_count &&
               (strcmp(job->works[at].codec, codec) != 0 || job->works[at].depth != depth)) {
            at++;
        }
        struct gm_cwork *work = &job->works[at < GM_CORE_WORKS ? at : 0];
        if (at == GM_CORE_WORKS || codec[0] == '\0' || strlen(codec) >= sizeof(work->codec)) {
            job->work_count = 0; /* then nothing is known of the job */
            return;
        }
        if (at == job->work_count) {
            *work = (struct gm_cwork){.depth = depth};
            memcpy(work->codec, codec, strlen(codec) + 1);
            job->work_count++;
        }
        double pixels = (double)r->width_px * r->height_px;
        work->pixels += pixels;
        work->largest = pixels > work->largest ? pixels : work->largest;
    }
}

double gm_core_picture_s(const struct gm_cdevice *device, const Gm__Chain *chain,
                         const struct gm_inst *inst)
{
    const struct gm_cjob *job = inst->task->job;
    double sum = 0;
    for (uint32_t i = 0; inst->task->type->fan == GM_FAN_RUNS && i < job->work_count; i++) {
        const struct gm_cwork *w = &job->works[i];
        const Gm__Rate *rate = gm_core_rate(device, chain, w->codec, w->depth);
        if (!rate) {
            return 0;
        }
        /* this task's slot among those of the device */
        sum += w->pixels / gm_core_slot_rate(gm_core_pace(rate, device->used.slots), w);
    }
    return sum;
}
