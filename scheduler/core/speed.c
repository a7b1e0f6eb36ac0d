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
#include <stdio.h>
#include <string.h>

#include "scheduler/core/state.h"

static const Gm__Rate *find_rate(const struct gm_cdevice *device, const char *api,
                                 const struct gm_cwork *work)
{
    const Gm__Measured *m = device->facts ? device->facts->measured : NULL;
    bool software = strcmp(api, "software") == 0;
    for (size_t i = 0; m && i < m->n_rates; i++) {
        const Gm__Rate *r = m->rates[i];
        if (strcmp(r->what, "encode") == 0 && strcmp(r->codec, work->codec) == 0 &&
            strcmp(r->api, api) == 0 && (software || r->depth == work->depth)) {
            return r;
        }
    }
    return NULL;
}

/* Pixels a second of one slot, this task's among those of the device. */
static double slot_rate(const struct gm_cdevice *device, const Gm__Rate *rate,
                        const struct gm_cwork *work)
{
    double part = (double)rate->all / (double)(device->used.slots + 1);
    double alone = (double)rate->one * (work->largest > 0 ? work->pixels / work->largest : 1);
    if (rate->all == 0) {
        return (double)rate->one; /* nobody knows that it takes more at once */
    }
    return rate->one > 0 && alone < part ? alone : part;
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
    const char *api = strcmp(chain->name, "cpu") == 0 ? "software" : chain->name;
    double sum = 0;
    for (uint32_t i = 0; inst->task->type->fan == GM_FAN_RUNS && i < job->work_count; i++) {
        const Gm__Rate *rate = find_rate(device, api, &job->works[i]);
        if (!rate) {
            return 0;
        }
        sum += job->works[i].pixels / slot_rate(device, rate, &job->works[i]);
    }
    return sum;
}
