#include "scheduler/report_cost.h"

#include <stdlib.h>
#include <string.h>

/* See report_cost.h. What a run throws away around it is the plan's doing where the plan's runs
 * begin: at chunks that no run had before. Where another run had them, and came to nothing, a run
 * that begins in its middle is there for the failure, and what it throws away was decoded again. */
enum met { MET_NOT, MET_INSIDE, MET_BEGIN };

static bool is_run(const struct gm_attempt_view *a)
{
    return strcmp(a->type, "encode") == 0 && a->first_chunk >= 0;
}

static bool is_plan(const struct gm_attempt_view *a)
{
    return strcmp(a->type, "plan") == 0 && a->outcome == GM_ATTEMPT_DONE;
}

static uint64_t count_chunks(const struct gm_attempts_view *attempts)
{
    uint64_t count = 0;
    for (size_t i = 0; i < attempts->count; i++) {
        const struct gm_attempt_view *a = &attempts->rows[i];
        uint64_t end = is_run(a) ? (uint64_t)a->first_chunk + a->chunks : 0;
        count = end > count ? end : count;
    }
    return count;
}

/* Whether the run begins where one of the plan does. In the order they started. */
static bool begins_as_planned(uint8_t *chunks, const struct gm_attempt_view *a)
{
    uint8_t *first = &chunks[a->first_chunk];
    bool planned = *first != MET_INSIDE;
    for (uint32_t i = 0; i < a->chunks; i++) {
        first[i] = first[i] != MET_NOT ? first[i] : i == 0 ? MET_BEGIN : MET_INSIDE;
    }
    return planned;
}

json_t *gm_report_cost(const struct gm_attempts_view *attempts)
{
    uint64_t chunk_count = count_chunks(attempts);
    uint8_t *chunks = calloc(chunk_count + 1, 1);
    double cpu_s = 0;
    uint64_t in = 0, out = 0, frames = 0, decoded = 0, discarded = 0;
    if (chunks == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < attempts->count; i++) {
        const struct gm_attempt_view *a = &attempts->rows[i];
        if (is_plan(a)) { /* the runs of another one before it are nothing to this one's */
            memset(chunks, MET_NOT, chunk_count);
        }
        cpu_s += (double)a->usage.cpu_us / 1e6;
        in += a->usage.bytes_in;
        out += a->usage.bytes_out;
        frames += a->usage.frames;
        decoded += a->usage.frames_decoded;
        discarded += is_run(a) && begins_as_planned(chunks, a) ? a->usage.frames_spare : 0;
    }
    free(chunks);
    uint64_t used = frames + discarded;
    uint64_t again = decoded > used ? decoded - used : 0;
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:f, s:I}", "cpu_s", cpu_s, "bytes_in",
                     (json_int_t)in, "bytes_out", (json_int_t)out, "frames_decoded",
                     (json_int_t)decoded, "frames_discarded", (json_int_t)discarded,
                     "discarded_share", used > 0 ? (double)discarded / (double)used : 0.0,
                     "frames_repeated", (json_int_t)again);
}
