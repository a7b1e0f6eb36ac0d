/* The folders that workers write to. A process finds its slot's folder empty, but for those of
 * tasks whose outputs are still being stored: whatever the process before it left there, and
 * however it did so, goes with it. What is moved away lies where no worker reaches it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fs.h"
#include "common/log.h"
#include "node/agent_state.h"

/* The task is not at its end: its folder moves back. */
static int keep(const struct gm_task *task, const char *left, struct gm_err *err)
{
    char from[4096];
    int rc = gm_fs_path(from, sizeof(from), err, "%s%s", left, strrchr(task->path, '/'));
    if (rc == 0 && task->folder >= 0 && fchmod(task->folder, 0700) < 0) { /* else it can't move */
        rc = gm_err_sys(err, errno, "could not take back a task's scratch folder");
    }
    if (rc == 0 && rename(from, task->path) < 0) {
        rc = gm_err_sys(err, errno, "could not keep a task's scratch folder");
    }
    return rc;
}

static int renew(struct gm_agent_slot *slot, struct gm_err *err)
{
    struct gm_agent *agent = slot->agent;
    char left[4096];
    int rc = gm_fs_path(left, sizeof(left), err, "%s/left-%" PRIu64, agent->params.scratch,
                        ++agent->left_count);
    if (rc < 0) {
        return rc;
    }
    bool there = rename(slot->scratch, left) == 0;
    if (!there && errno != ENOENT) {
        return gm_err_sys(err, errno, "could not clear away `%s`", slot->scratch);
    }
    if (mkdir(slot->scratch, 0755) < 0) { /* the disk is full, perhaps of what lies there */
        rc = gm_err_sys(err, errno, "could not make `%s` anew", slot->scratch);
        if (there) {
            (void)rename(left, slot->scratch);
        }
        return rc;
    }
    if (!there) {
        return 0;
    }
    if (chmod(left, 0700) < 0) {
        rc = gm_err_sys(err, errno, "could not take back what a worker left");
    }
    for (const struct gm_task *t = agent->tasks; rc == 0 && t != NULL; t = t->next) {
        if (t->slot == slot && t->path != NULL) {
            rc = keep(t, left, err);
        }
    }
    gm_agent_remove_folder(agent, left);
    return rc;
}

void gm_agent_scratch_renew(struct gm_agent_slot *slot)
{
    struct gm_err err;
    if (renew(slot, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "scratch-left", &err, "slot=%" PRIu32, slot->index);
    }
}
