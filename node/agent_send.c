/* Files of an item that go into their stores by URL, in the agent's loop: GM_SEND_AT_ONCE of an
 * item, and of all items as many as struct gm_transfers lets go. What fails ends those beside it;
 * one whose bytes are all under way is waited for, as it may be stored, but never beyond its lease.
 */
#include <errno.h>
#include <inttypes.h>

#include "common/crash.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "storage/s3/url.h"

#define SEND_AT_ONCE 4
#define UNSURE (60 * GM_SEC) /* a store that took so long with what it was sent has dropped it */

bool gm_send_is_for(const struct gm_item_file *file)
{
    return !file->stored && (file->grant->n_part_urls > 0 || gm_s3_url_is_http(file->grant->url));
}

static void take_in(struct gm_item *item)
{
    struct gm_agent *agent = item->task->agent;
    item->sent = true;
    item->next_sent = agent->sending;
    agent->sending = item;
}

static void take_out(struct gm_item *item)
{
    struct gm_item **at = &item->task->agent->sending;
    while (*at != item) {
        at = &(*at)->next_sent;
    }
    *at = item->next_sent;
    item->next_sent = NULL;
    item->sent = false;
}

/* Asked for each part of what is sent: it lives. */
static int check_wanted(void *arg, struct gm_err *err)
{
    const struct gm_item_file *file = arg;
    struct gm_task *task = file->item->task;
    if (task->state == GM_TASK_STORING) {
        task->life = gm_time_now();
    }
    return gm_put_check(file->item, err);
}

static void give_up(struct gm_item *item)
{
    for (size_t i = 0; i < item->file_count; i++) {
        struct gm_item_file *file = &item->files[i];
        if (file->upload != NULL && !gm_upload_give_up(&file->upload)) {
            item->uploads--;
        }
    }
}

/* The first failure is the item's. */
static void take_failure(struct gm_item_file *file, enum gm_upload_end end,
                         const struct gm_err *why)
{
    struct gm_item *item = file->item;
    if (end == GM_UPLOAD_GONE) {
        gm_parts_forget(file->parts);
    }
    if (item->err.code != GM_OK) {
        return;
    }
    item->err = *why;
    if (end == GM_UPLOAD_RENEW) {
        gm_err_set(&item->err, GM_E_NODE_GRANT, ETIME, "a grant was refused: its time was over");
        gm_clock_explain(item->task->agent, &item->err);
    } else if (item->err.code == GM_E_INVAL) {
        item->err.code = GM_E_NODE_GRANT; /* what was granted can't be asked */
    }
    GM_IGNORE(gm_err_wrap(&item->err, -(int)item->err.code, "`%.100s`: ", file->path),
              "the text is what it is for");
    give_up(item);
}

static void go_on(struct gm_item *item);

static void on_done(enum gm_upload_end end, const struct gm_err *err, void *arg)
{
    struct gm_item_file *file = arg;
    struct gm_item *item = file->item;
    file->upload = NULL;
    item->uploads--;
    if (file->unsure) {
        item->unsure = gm_time_boot() + UNSURE;
        file->unsure = false;
    }
    if (end == GM_UPLOAD_DONE) {
        file->stored = file->was_sent = true;
        item->rounds = 0;
        GM_CRASH("agent.put_one");
    } else {
        take_failure(file, end, err);
    }
    go_on(item);
}

static int start_one(struct gm_item_file *file, struct gm_err *err)
{
    struct gm_agent *agent = file->item->task->agent;
    const struct gm_upload_params params = {
        .transfers = agent->transfers,
        .grant = file->grant,
        .until_unix_ms = gm_grant_until(agent, file->grant),
        .fd = file->file.fd,
        .size = file->file.size,
        .sha256 = file->file.sha256,
        .md5 = file->has_md5 ? file->md5 : NULL,
        .parts = file->grant->n_part_urls > 0 ? file->parts : NULL,
        .wanted = check_wanted,
        .unsure = &file->unsure,
        .done = on_done,
        .arg = file,
    };
    if (agent->transfers == NULL) {
        return gm_err_set(err, GM_E_STALE, 0, "the agent stops");
    }
    if (params.until_unix_ms != 0 && gm_time_unix_ms() >= params.until_unix_ms) {
        gm_err_set(err, GM_E_NODE_GRANT, ETIME, "a grant was refused: its time was over");
        gm_clock_explain(agent, err);
        return -GM_E_NODE_GRANT;
    }
    if (file->grant->n_part_urls > 0 && file->parts == NULL) {
        return gm_err_set(err, GM_E_BUG, 0, "a grant is for parts that nobody asked for");
    }
    return gm_upload_start(&params, &file->upload, err);
}

static void start_some(struct gm_item *item)
{
    for (size_t i = 0; i < item->file_count && item->uploads < SEND_AT_ONCE; i++) {
        struct gm_item_file *file = &item->files[i];
        struct gm_err err;
        if (file->upload != NULL || !gm_send_is_for(file)) {
            continue;
        }
        if (start_one(file, &err) < 0) {
            take_failure(file, GM_UPLOAD_FAILED, &err);
            return;
        }
        item->uploads++;
    }
}

/* Not from gm_send_start: the item may go. */
static void go_on(struct gm_item *item)
{
    if (!item->dropped && item->err.code == GM_OK) {
        start_some(item);
    }
    if (item->uploads > 0 || (item->dropped && gm_time_boot() < item->unsure)) {
        return; /* what may yet be stored is its lease's */
    }
    take_out(item);
    if (item->dropped) {
        gm_put_ended(item);
    } else {
        gm_put_finish(item);
    }
}

void gm_send_start(struct gm_item *item)
{
    take_in(item);
    start_some(item);
    if (item->uploads == 0) {
        take_out(item);
        gm_put_finish(item);
    }
}

bool gm_send_drop(struct gm_item *item)
{
    give_up(item);
    if (item->uploads > 0 || gm_time_boot() < item->unsure) {
        return false;
    }
    take_out(item);
    return true;
}

bool gm_send_hold(struct gm_item *item)
{
    bool goes = item->state == GM_ITEM_PUT || item->state == GM_ITEM_GRANT ||
                item->state == GM_ITEM_PREPARE; /* the last two: to be put once more */
    if (!goes || gm_time_boot() >= item->unsure) {
        return false;
    }
    take_in(item);
    return true;
}

static bool has_waiting(const struct gm_task *task)
{
    for (const struct gm_item *item = task->first; item != NULL; item = item->next) {
        for (size_t i = 0; i < item->file_count; i++) {
            const struct gm_upload *upload = item->files[i].upload;
            if (upload != NULL && gm_upload_waits(upload)) {
                return true;
            }
        }
    }
    return false;
}

void gm_send_wait(struct gm_task *task)
{
    const struct gm_transfers *transfers = task->agent->transfers;
    gm_time moved = transfers == NULL ? 0 : gm_transfers_moved(transfers);
    if (task->state == GM_TASK_STORING && moved > task->life && has_waiting(task)) {
        task->life = moved;
    }
}

/* What is under way for it would be nobody's. */
static void end_late(struct gm_item *item)
{
    for (size_t i = 0; i < item->file_count; i++) {
        gm_upload_cancel(&item->files[i].upload);
    }
    item->uploads = 0;
    gm_log(GM_LOG_WARN, "put-given-up", "id=%" PRIu64 " why=lease-over", item->task->id);
    gm_err_set(&item->err, GM_E_STALE, 0, "the lease ended before it was stored");
    take_out(item);
    gm_put_ended(item);
}

static bool is_late(const struct gm_item *item, gm_time now)
{
    return now >= item->task->deadline || (item->uploads == 0 && now >= item->unsure);
}

static struct gm_item *find_late(const struct gm_agent *agent)
{
    gm_time now = gm_time_boot();
    struct gm_item *item = agent->sending;
    while (item != NULL && !is_late(item, now)) {
        item = item->next_sent;
    }
    return item;
}

void gm_send_tick(struct gm_agent *agent)
{
    struct gm_item *item;
    while ((item = find_late(agent)) != NULL) {
        end_late(item);
    }
}
