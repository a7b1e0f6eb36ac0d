#include "scheduler/core/fair.h"

#define BATCH_ENDS 25 /* priorities below it; the default, 50, is in the middle of normal */
#define HIGH_BEGINS 75
#define TIME_SHIFT 16

enum gm_job_class gm_fair_class(int32_t priority)
{
    return priority < BATCH_ENDS    ? GM_CLASS_BATCH
           : priority < HIGH_BEGINS ? GM_CLASS_NORMAL
                                    : GM_CLASS_HIGH;
}

const char *gm_job_class_name(enum gm_job_class class_)
{
    static const char *const names[GM_CLASSES] = {"batch", "normal", "high"};
    return class_ < GM_CLASSES ? names[class_] : "?";
}

uint64_t gm_fair_job_weight(int32_t priority)
{
    uint64_t p = priority < 0 ? 0 : priority > 100 ? 100 : (uint64_t)priority;
    return (10 + p % 10) << (p / 10);
}

static uint64_t larger_part(uint64_t part, uint64_t demand, uint64_t of)
{
    if (of == 0 || demand == 0) {
        return part;
    }
    __int128 own = ((__int128)demand * (__int128)GM_FAIR_WHOLE + of - 1) / of;
    own = own < (__int128)GM_FAIR_WHOLE ? own : (__int128)GM_FAIR_WHOLE;
    return (uint64_t)own > part ? (uint64_t)own : part;
}

uint64_t gm_fair_share(const struct gm_capacity *demand, const struct gm_capacity *farm)
{
    uint64_t part = 1;
    part = larger_part(part, demand->slots, farm->slots);
    part = larger_part(part, demand->cpu_milli, farm->cpu_milli);
    part = larger_part(part, demand->memory_bytes, farm->memory_bytes);
    part = larger_part(part, demand->scratch_bytes, farm->scratch_bytes);
    part = larger_part(part, demand->sessions, farm->sessions);
    return larger_part(part, demand->device_memory_bytes, farm->device_memory_bytes);
}

uint64_t gm_fair_cost(uint64_t share, gm_time held)
{
    uint64_t time = held > 0 ? (uint64_t)held >> TIME_SHIFT : 0;
    return share * (time + 1);
}

gm_time gm_fair_mean(gm_time mean, gm_time next)
{
    return mean + (next - mean) / 8;
}
