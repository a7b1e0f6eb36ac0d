/* The worker's side of a window: before it reads it must know that the bytes are there. What it
 * knows it names in each WNeed; what it does not name the agent may take back. */
#include "node/worker_window.h"

#include <string.h>

#include "node/worker_io.h"

static void use(struct gm_held *held, size_t i)
{
    uint64_t at = held->ranges[i].at, end = held->ranges[i].end;
    memmove(&held->ranges[1], &held->ranges[0], i * sizeof(held->ranges[0]));
    held->ranges[0].at = at;
    held->ranges[0].end = end;
}

uint64_t gm_held_missing(struct gm_held *held, uint64_t at, uint64_t end)
{
    for (size_t i = 0; i < held->count && at < end;) {
        if (held->ranges[i].at <= at && at < held->ranges[i].end) {
            at = held->ranges[i].end;
            use(held, i);
            i = 0; /* the next may be any */
        } else {
            i++;
        }
    }
    return at < end ? at : end;
}

void gm_held_trim(struct gm_held *held)
{
    held->count -= held->count == GM_WINDOW_MAX_HELD ? 1 : 0;
}

void gm_held_add(struct gm_held *held, uint64_t at, uint64_t end)
{
    GM_ASSERT(held->count < GM_WINDOW_MAX_HELD);
    held->ranges[held->count].at = at;
    held->ranges[held->count].end = end;
    use(held, held->count++);
}

static int send_need(struct gm_worker_task *task, uint64_t at, uint64_t length, struct gm_err *err)
{
    const struct gm_held *held = &task->held;
    Gm__WRange ranges[GM_WINDOW_MAX_HELD];
    Gm__WRange *list[GM_WINDOW_MAX_HELD];
    for (size_t i = 0; i < held->count; i++) {
        gm__wrange__init(&ranges[i]);
        ranges[i].offset = held->ranges[i].at;
        ranges[i].length = held->ranges[i].end - held->ranges[i].at;
        list[i] = &ranges[i];
    }
    Gm__WNeed need = GM__WNEED__INIT;
    need.offset = at;
    need.length = length < GM_WINDOW_MAX_NEED ? length : GM_WINDOW_MAX_NEED;
    need.held = list;
    need.n_held = held->count;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_NEED;
    msg.need = &need;
    return gm_worker_task_send(task, &msg, err);
}

static int take_answer(struct gm_worker_task *task, uint64_t at, struct gm_err *err)
{
    const Gm__WHave *have =
        task->reply->body_case == GM__WORKER_MESSAGE__BODY_HAVE ? task->reply->have : NULL;
    if (have == NULL) {
        return gm_err_set(err, GM_E_PROTO, task->reply->body_case,
                          "the agent answered a need with something else");
    }
    if (have->error != NULL) {
        struct gm_err told;
        gm_err_from_msg(have->error, &told);
        return gm_err_set(err, told.code, told.native, "%s", told.text);
    }
    if (have->offset != at) {
        return gm_err_set(err, GM_E_PROTO, 0, "the agent answered with other bytes");
    }
    gm_held_add(&task->held, at, at + have->length);
    return 0;
}

int gm_worker_need(void *arg, uint64_t offset, uint64_t length, struct gm_err *err)
{
    struct gm_worker_task *task = arg;
    uint64_t end = offset + length;
    int rc = 0;
    for (;;) {
        uint64_t at = gm_held_missing(&task->held, offset, end);
        if (at == end) {
            return 0;
        }
        gm_held_trim(&task->held);
        rc = send_need(task, at, end - at, err);
        while (rc == 0 && task->reply == NULL) {
            rc = gm_worker_task_wait(task, err);
        }
        if (rc == 0) {
            rc = take_answer(task, at, err);
            gm_worker_task_drop_reply(task);
        }
        if (rc < 0) {
            return rc;
        }
    }
}
