#include "cli/restart.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/job.h"

static const json_t *find_row(const json_t *nodes, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(nodes, "nodes"), i, row)
    {
        if (strcmp(gm_job_text(row, "id"), id) == 0) {
            return row;
        }
    }
    return NULL;
}

static bool is_true(const json_t *row, const char *key)
{
    return json_is_true(json_object_get(row, key));
}

/* What will be no other matter later. */
static int check(const json_t *row, struct gm_err *err)
{
    const char *id = gm_job_text(row, "id");
    if (!is_true(row, "connected") && !is_true(row, "restarting")) {
        return gm_err_set(err, GM_E_CONFLICT, 0,
                          "node %.64s is gone: it can't be told to start anew", id);
    }
    if (is_true(row, "connected") && json_is_false(json_object_get(row, "restarts"))) {
        return gm_err_set(err, GM_E_CONFLICT, 0,
                          "node %.64s is of build %.40s, which can't be told to start anew: drain "
                          "it, restart its service, resume it; and name the others here",
                          id, gm_job_text(row, "build"));
    }
    return 0;
}

static int add(struct gm_restart *r, const json_t *row, struct gm_err *err)
{
    const char *instance = gm_job_text(row, "instance");
    struct gm_restart_node *node = &r->nodes[r->count];
    if (instance[0] == '\0' || strlen(instance) >= sizeof(node->instance)) {
        return gm_err_set(err, GM_E_PROTO, 0,
                          "the scheduler does not tell which process node %.64s is: it is of a "
                          "release that restarts no nodes",
                          gm_job_text(row, "id"));
    }
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->nodes[i].id, gm_job_text(row, "id")) == 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "node %.64s is named twice", r->nodes[i].id);
        }
    }
    int rc = check(row, err);
    if (rc < 0) {
        return rc;
    }
    node->id = strdup(gm_job_text(row, "id"));
    if (node->id == NULL) {
        return gm_err_nomem(err);
    }
    (void)snprintf(node->instance, sizeof(node->instance), "%s", instance);
    r->count++;
    return 0;
}

int gm_restart_init(struct gm_restart *r, const char *const *names, size_t count,
                    const json_t *nodes, struct gm_err *err)
{
    const json_t *rows = json_object_get(nodes, "nodes");
    size_t i, most = count > 0 ? count : json_array_size(rows);
    json_t *row;
    int rc = 0;
    r->count = 0;
    r->nodes = calloc(most + 1, sizeof(*r->nodes));
    if (r->nodes == NULL) {
        return gm_err_nomem(err);
    }
    for (i = 0; i < count && rc == 0; i++) {
        const json_t *named = find_row(nodes, names[i]);
        rc = named != NULL ? add(r, named, err)
                           : gm_err_set(err, GM_E_NOTFOUND, 0, "no node is called %.64s", names[i]);
    }
    if (count == 0) {
        json_array_foreach(rows, i, row)
        {
            if (rc == 0 && is_true(row, "connected")) {
                rc = add(r, row, err);
            }
        }
    }
    return rc == 0 && r->count == 0 ? gm_err_set(err, GM_E_NOTFOUND, 0, "no node is connected")
                                    : rc;
}

void gm_restart_fini(struct gm_restart *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->nodes[i].id);
    }
    free(r->nodes);
    memset(r, 0, sizeof(*r));
}

/* Or nobody gives it any, as an operator has closed it, or had drained it before. */
static bool takes_tasks(const json_t *row)
{
    size_t i;
    json_t *device;
    if (is_true(row, "draining")) {
        return true;
    }
    json_array_foreach(json_object_get(row, "devices"), i, device)
    {
        const json_t *capacity = json_object_get(device, "capacity");
        const json_t *quarantine = json_object_get(device, "quarantine");
        if (json_integer_value(json_object_get(capacity, "slots")) > 0 ||
            strcmp(gm_job_text(quarantine, "by"), "operator") == 0) {
            return true;
        }
    }
    return false;
}

static int too_long(const struct gm_restart *r, const struct gm_restart_node *node,
                    struct gm_err *err)
{
    const char *what =
        "has not come back; what started it has to start it again (systemd: Restart=always)";
    char tasks[48];
    if (node->back) {
        return gm_err_set(err, GM_E_TIMEOUT, 0,
                          "after %" PRId64 " s node %.64s has come back, but takes no tasks: see "
                          "its devices in `gopmill node list --json`",
                          r->patience / GM_SEC, node->id);
    }
    if (node->connected) {
        (void)snprintf(tasks, sizeof(tasks), "still has %zu task%s", node->tasks,
                       node->tasks == 1 ? "" : "s");
        what = tasks;
    }
    return gm_err_set(err, GM_E_TIMEOUT, 0,
                      "after %" PRId64 " s node %.64s %s; `gopmill node resume %.64s` takes the "
                      "request back",
                      r->patience / GM_SEC, node->id, what, node->id);
}

int gm_restart_look(struct gm_restart *r, const json_t *nodes, gm_time now,
                    const struct gm_restart_node **out, struct gm_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < r->count; i++) {
        struct gm_restart_node *node = &r->nodes[i];
        if (node->state != GM_RESTART_ASKED) {
            continue;
        }
        const json_t *row = find_row(nodes, node->id);
        bool other = row != NULL && strcmp(gm_job_text(row, "instance"), node->instance) != 0;
        node->connected = row != NULL && is_true(row, "connected");
        node->back = other && node->connected && !is_true(row, "restarting");
        node->tasks = json_array_size(json_object_get(row, "leases"));
        if (node->back && takes_tasks(row)) {
            node->state = GM_RESTART_DONE;
            *out = node;
            return 0;
        }
        if (row != NULL && !other && !is_true(row, "restarting")) {
            return gm_err_set(err, GM_E_CONFLICT, 0,
                              "node %.64s was resumed before it had started anew", node->id);
        }
        if (now - node->since >= r->patience) {
            return too_long(r, node, err);
        }
    }
    return 0;
}

struct gm_restart_node *gm_restart_next(struct gm_restart *r)
{
    struct gm_restart_node *next = NULL;
    size_t asked = 0;
    for (size_t i = 0; i < r->count; i++) {
        asked += r->nodes[i].state == GM_RESTART_ASKED ? 1 : 0;
        if (r->nodes[i].state == GM_RESTART_WAITS && next == NULL) {
            next = &r->nodes[i];
        }
    }
    return asked < r->at_once ? next : NULL;
}

void gm_restart_asked(struct gm_restart_node *node, gm_time now)
{
    node->state = GM_RESTART_ASKED;
    node->since = now;
}

bool gm_restart_refused(const struct gm_restart *r, struct gm_restart_node *node, gm_time now,
                        const struct gm_err *why)
{
    bool begun = false;
    for (size_t i = 0; i < r->count; i++) {
        begun = begun || r->nodes[i].state != GM_RESTART_WAITS;
    }
    node->since = node->since == 0 ? now : node->since;
    /* a scheduler that was started anew knows nodes when they have said Hello */
    bool passes = why->code == GM_E_CONFLICT || why->code == GM_E_NOTFOUND;
    return passes && begun && now - node->since < r->patience;
}

bool gm_restart_is_over(const struct gm_restart *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->nodes[i].state != GM_RESTART_DONE) {
            return false;
        }
    }
    return true;
}
