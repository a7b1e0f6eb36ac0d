/* What split planned for a chunk, against what its files hold. */
#include <stdlib.h>
#include <string.h>

#include "media/chunk_times.h"
#include "media/results.h"
#include "media/verify/verify.h"
#include "proto/streams.h"

int gm_verify_plan(struct gm_task_io *io, const Gm__Item *item, Gm__SplitItemMeta **out,
                   struct gm_err *err)
{
    struct gm_task_input chunk;
    bool more = false;
    ProtobufCMessage *msg = NULL;
    int rc = io->next_input(io->self, &more, &chunk, err);
    if (rc < 0) {
        return rc;
    }
    const Gm__PipelineTask *task = more ? gm_results_task(io->spec, chunk.task) : NULL;
    if (task == NULL || strcmp(task->type, "split") != 0 || chunk.item->stream != GM_STREAM_VIDEO ||
        chunk.item->index != item->index) {
        return gm_err_set(err, GM_E_PROTO, item->index, "the chunk of item %u was not given",
                          item->index);
    }
    rc = gm_results_item_meta(&gm__split_item_meta__descriptor, chunk.item, &msg, err);
    if (rc < 0) {
        return rc;
    }
    if (chunk.item->last != item->last) {
        protobuf_c_message_free_unpacked(msg, NULL);
        return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "item %u: it is %s the last chunk",
                          item->index, item->last ? "not" : "announced as if it were not");
    }
    *out = (Gm__SplitItemMeta *)msg;
    return 0;
}

static int earlier(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int gm_verify_times(const struct gm_verify_segment *s, struct gm_sha256 *times, struct gm_err *err)
{
    int64_t *shown = calloc(s->count > 0 ? s->count : 1, sizeof(*shown));
    if (shown == NULL) {
        return gm_err_nomem(err);
    }
    gm_chunk_times_segment(times, s->meta->number);
    for (size_t at = 0, next = 0; at < s->count; at = next) {
        for (; next < s->count && s->samples[next].fragment == s->samples[at].fragment; next++) {
            shown[next] = s->samples[next].pts;
        }
        qsort(shown + at, next - at, sizeof(*shown), earlier);
        for (size_t i = at; i < next; i++) {
            gm_chunk_times_frame(times, shown[i], i == at);
        }
    }
    free(shown);
    return 0;
}

int gm_verify_planned(const Gm__SplitItemMeta *plan, struct gm_sha256 *times, int64_t end_ts,
                      const char *where, uint32_t index, struct gm_err *err)
{
    uint8_t made[GM_SHA256_SIZE];
    gm_chunk_times_end(times, end_ts, made);
    bool alike =
        plan->times_sha256.len == 0 || (plan->times_sha256.len == sizeof(made) &&
                                        memcmp(plan->times_sha256.data, made, sizeof(made)) == 0);
    return alike ? 0
                 : gm_err_set(err, GM_E_MEDIA_VERIFY, 0,
                              "item %u: frames, GOPs or segments of %s are at other times than "
                              "planned",
                              index, where);
}
