/* Source: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (Trace
 * Event Format): complete events ("X"), instants ("i"), metadata ("M"); ts and dur in us. */
#include "cli/trace.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/job.h"
#include "common/time.h"

#define JOB_PID 1
#define JOB_TID 1

/* A thread: of a node's device, or of the job's waits. Strings are borrowed from the facts. */
struct lane {
    const char *node, *device;
    int pid, tid;
    int64_t free_ms;
};

/* Something with a beginning and an end. */
struct span {
    int64_t from_ms, to_ms;
    size_t place; /* in the order of the facts */
    const json_t *attempt;
};

struct trace {
    const struct gm_trace_facts *facts;
    json_t *events; /* owned */
    int64_t begin_ms;
    struct lane *lanes; /* owned */
    size_t lane_count;
    struct span *spans; /* owned: of attempts, by their beginning */
    size_t span_count;
    int nodes; /* processes behind the job's */
    bool failed;
};

static bool time_of(const json_t *object, const char *key, int64_t *out)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && gm_time_parse(text, out);
}

/* Takes `event`, which may be NULL. */
static void add(struct trace *t, json_t *event)
{
    if (event == NULL || json_array_append_new(t->events, event) < 0) {
        t->failed = true;
    }
}

static void add_meta(struct trace *t, const char *name, int pid, int tid, const char *key,
                     json_t *value)
{
    add(t, json_pack("{s:s, s:s, s:i, s:i, s:{s:o}}", "ph", "M", "name", name, "pid", pid, "tid",
                     tid, "args", key, value));
}

/* A process's name, and its place among the others. */
static void add_process(struct trace *t, int pid, const char *kind, const char *name)
{
    add_meta(t, "process_name", pid, 0, "name", json_sprintf("%s %s", kind, name));
    add_meta(t, "process_sort_index", pid, 0, "sort_index", json_integer(pid));
}

static void add_thread(struct trace *t, int pid, int tid, json_t *name)
{
    add_meta(t, "thread_name", pid, tid, "name", name);
    add_meta(t, "thread_sort_index", pid, tid, "sort_index", json_integer(tid));
}

/* args: taken, may be NULL for none. */
static void add_span(struct trace *t, int pid, int tid, const char *name, const char *cat,
                     int64_t from_ms, int64_t to_ms, json_t *args)
{
    int64_t end = to_ms > from_ms ? to_ms : from_ms;
    add(t, json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:o*}", "ph", "X", "name", name, "cat",
                     cat, "pid", pid, "tid", tid, "ts", (json_int_t)(from_ms - t->begin_ms) * 1000,
                     "dur", (json_int_t)(end - from_ms) * 1000, "args", args));
}

/* ---- lanes */

static int pid_of(struct trace *t, const char *node)
{
    for (size_t i = 0; i < t->lane_count; i++) {
        if (t->lanes[i].pid != JOB_PID && strcmp(t->lanes[i].node, node) == 0) {
            return t->lanes[i].pid;
        }
    }
    return 0;
}

static struct lane *new_lane(struct trace *t, const char *node, const char *device, int pid)
{
    struct lane *more = reallocarray(t->lanes, t->lane_count + 1, sizeof *more);
    int tid = JOB_TID + (pid == JOB_PID ? 1 : 0), same = 1;
    if (more == NULL) {
        t->failed = true;
        return NULL;
    }
    t->lanes = more;
    for (size_t i = 0; i < t->lane_count; i++) {
        tid += more[i].pid == pid ? 1 : 0;
        same += more[i].pid == pid && strcmp(more[i].device, device) == 0 ? 1 : 0;
    }
    struct lane *lane = &more[t->lane_count++];
    *lane = (struct lane){.node = node, .device = device, .pid = pid, .tid = tid};
    add_thread(t, pid, tid, json_sprintf("%s %d", device, same));
    return lane;
}

/* The first thread of that device which is free then; node "": of the job's waits. */
static struct lane *lane_for(struct trace *t, const char *node, const char *device, int64_t from,
                             int64_t to)
{
    struct lane *lane = NULL;
    bool waits = node[0] == '\0';
    int pid = waits ? JOB_PID : pid_of(t, node);
    for (size_t i = 0; i < t->lane_count && lane == NULL; i++) {
        struct lane *l = &t->lanes[i];
        if (l->pid == pid && l->free_ms <= from && strcmp(l->device, device) == 0) {
            lane = l;
        }
    }
    if (lane == NULL && pid == 0) {
        pid = JOB_PID + ++t->nodes;
        add_process(t, pid, "node", node);
    }
    lane = lane == NULL ? new_lane(t, node, device, pid) : lane;
    if (lane != NULL) {
        lane->free_ms = to > from ? to : from;
    }
    return lane;
}

/* ---- attempts */

static int by_begin(const void *pa, const void *pb)
{
    const struct span *a = pa, *b = pb;
    if (a->from_ms != b->from_ms) {
        return a->from_ms < b->from_ms ? -1 : 1;
    }
    return a->place < b->place ? -1 : a->place > b->place;
}

static bool read_attempts(struct trace *t)
{
    size_t i, count = json_array_size(t->facts->attempts);
    const json_t *a;
    t->spans = calloc(count > 0 ? count : 1, sizeof *t->spans);
    if (t->spans == NULL) {
        return false;
    }
    json_array_foreach(t->facts->attempts, i, a)
    {
        struct span *span = &t->spans[t->span_count];
        *span = (struct span){.place = i, .attempt = a, .to_ms = t->facts->now_unix_ms};
        if (time_of(a, "started", &span->from_ms)) {
            (void)time_of(a, "ended", &span->to_ms);
            t->span_count++;
        }
    }
    qsort(t->spans, t->span_count, sizeof *t->spans, by_begin);
    return true;
}

/* "encode 12-15", "audio:1", "plan". */
static void name_of(const json_t *a, char *out, size_t size)
{
    int64_t chunks = gm_job_number(a, "chunks"), first = gm_job_number(a, "first_chunk");
    int64_t instance = gm_job_number(a, "instance");
    const char *task = gm_job_text(a, "task");
    if (chunks > 1) {
        snprintf(out, size, "%.64s %" PRId64 "-%" PRId64, task, first, first + chunks - 1);
    } else if (chunks == 1) {
        snprintf(out, size, "%.64s %" PRId64, task, first);
    } else if (instance > 0) {
        snprintf(out, size, "%.64s:%" PRId64, task, instance);
    } else {
        snprintf(out, size, "%.64s", task);
    }
}

static void add_attempts(struct trace *t)
{
    for (size_t i = 0; i < t->span_count && !t->failed; i++) {
        const struct span *s = &t->spans[i];
        char name[128], cat[64];
        const struct lane *lane = lane_for(t, gm_job_text(s->attempt, "node"),
                                           gm_job_text(s->attempt, "device"), s->from_ms, s->to_ms);
        json_t *args = json_deep_copy(s->attempt);
        name_of(s->attempt, name, sizeof name);
        snprintf(cat, sizeof cat, "attempt,%.40s", gm_job_text(s->attempt, "outcome"));
        if (lane == NULL || args == NULL) {
            json_decref(args);
            t->failed = true;
            return;
        }
        add_span(t, lane->pid, lane->tid, name, cat, s->from_ms, s->to_ms, args);
    }
}

/* ---- waits */

static bool is_same_work(const json_t *a, const json_t *b)
{
    return gm_job_number(a, "instance") == gm_job_number(b, "instance") &&
           gm_job_number(a, "first_chunk") == gm_job_number(b, "first_chunk") &&
           strcmp(gm_job_text(a, "task"), gm_job_text(b, "task")) == 0;
}

static void add_wait(struct trace *t, const char *why, const json_t *a, int64_t from, int64_t to)
{
    char name[160], what[128];
    if (to <= from) {
        return;
    }
    const struct lane *lane = lane_for(t, "", "waits", from, to);
    name_of(a, what, sizeof what);
    snprintf(name, sizeof name, "%s waits %s", what, why);
    if (lane != NULL) {
        add_span(t, lane->pid, lane->tid, name, "wait", from, to, NULL);
    }
}

/* The last time before `at` that an attempt of any of these tasks was done; false: none of one. */
static bool ended_of(const struct trace *t, const json_t *needs, int64_t *out)
{
    size_t k;
    const json_t *need;
    int64_t all = INT64_MIN;
    json_array_foreach(needs, k, need)
    {
        int64_t last = INT64_MIN;
        for (size_t i = 0; json_is_string(need) && i < t->span_count; i++) {
            const json_t *a = t->spans[i].attempt;
            if (strcmp(gm_job_text(a, "task"), json_string_value(need)) == 0 &&
                strcmp(gm_job_text(a, "outcome"), "done") == 0 && t->spans[i].to_ms > last) {
                last = t->spans[i].to_ms;
            }
        }
        if (last == INT64_MIN) {
            return false;
        }
        all = last > all ? last : all;
    }
    *out = all;
    return all != INT64_MIN;
}

/* Of a task whose needs are met: until its first attempt. What it takes while others still make it
 * has no such moment. */
static struct span first_wait(const struct trace *t, const json_t *task)
{
    struct span wait = {.attempt = NULL};
    if (json_array_size(json_object_get(task, "streams")) > 0 ||
        !ended_of(t, json_object_get(task, "needs"), &wait.from_ms)) {
        return wait;
    }
    for (size_t i = 0; i < t->span_count; i++) {
        const json_t *a = t->spans[i].attempt;
        if (strcmp(gm_job_text(a, "task"), gm_job_text(task, "name")) == 0) {
            wait.attempt = a;
            wait.to_ms = t->spans[i].from_ms;
            return wait;
        }
    }
    return wait;
}

static void add_waits(struct trace *t)
{
    struct span *waits =
        calloc(t->span_count + json_array_size(t->facts->tasks) + 1, sizeof *waits);
    size_t count = 0, i;
    const json_t *task;
    if (waits == NULL) {
        t->failed = true;
        return;
    }
    json_array_foreach(t->facts->tasks, i, task)
    {
        waits[count] = first_wait(t, task);
        count += waits[count].attempt != NULL ? 1 : 0;
    }
    size_t placed = count; /* from there on: for another try */
    for (i = 0; i < t->span_count; i++) {
        const struct span *s = &t->spans[i];
        if (strcmp(gm_job_text(s->attempt, "outcome"), "failed") != 0 &&
            strcmp(gm_job_text(s->attempt, "outcome"), "lost") != 0) {
            continue;
        }
        for (size_t k = i + 1; k < t->span_count; k++) {
            if (is_same_work(s->attempt, t->spans[k].attempt)) {
                waits[count++] = (struct span){.from_ms = s->to_ms,
                                               .to_ms = t->spans[k].from_ms,
                                               .place = placed,
                                               .attempt = t->spans[k].attempt};
                break;
            }
        }
    }
    qsort(waits, count, sizeof *waits, by_begin);
    for (i = 0; i < count && !t->failed; i++) {
        add_wait(t, waits[i].place > 0 ? "to be tried again" : "for a place", waits[i].attempt,
                 waits[i].from_ms, waits[i].to_ms);
    }
    free(waits);
}

/* ---- the job */

static void add_phases(struct trace *t)
{
    const json_t *job = t->facts->job;
    const char *state = gm_job_text(job, "state");
    int64_t created = t->begin_ms, started, finished = t->facts->now_unix_ms, worked = 0;
    (void)time_of(job, "created", &created);
    (void)time_of(job, "finished", &finished);
    add_process(t, JOB_PID, "job", gm_job_text(job, "id"));
    add_thread(t, JOB_PID, JOB_TID, json_string("phases"));
    bool begun = time_of(job, "started", &started);
    started = begun ? started : finished;
    add_span(t, JOB_PID, JOB_TID, "queued", "job", created, started, NULL);
    for (size_t i = 0; i < t->span_count; i++) {
        worked = t->spans[i].to_ms > worked ? t->spans[i].to_ms : worked;
    }
    bool publishes = strcmp(state, "done") == 0 || strcmp(state, "publishing") == 0;
    worked = publishes && worked > started && worked < finished ? worked : finished;
    if (begun) {
        add_span(t, JOB_PID, JOB_TID, "running", "job", started, worked, NULL);
    }
    if (begun && worked < finished) {
        add_span(t, JOB_PID, JOB_TID, "publish", "job", worked, finished, NULL);
    }
}

static void add_lines(struct trace *t)
{
    size_t i;
    const json_t *line;
    json_array_foreach(t->facts->lines, i, line)
    {
        int64_t at;
        int pid = pid_of(t, gm_job_text(line, "node"));
        if (time_of(line, "time", &at)) {
            add(t, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:{s:s}}", "ph", "i", "s", "p",
                             "name", gm_job_text(line, "text"), "cat", "log", "pid",
                             pid > 0 ? pid : JOB_PID, "tid", JOB_TID, "ts",
                             (json_int_t)(at - t->begin_ms) * 1000, "args", "level",
                             gm_job_text(line, "level")));
        }
    }
}

/* The earliest time of all. */
static int64_t begin_of(const struct trace *t)
{
    int64_t begin = t->facts->now_unix_ms, at;
    size_t i;
    const json_t *line;
    if (time_of(t->facts->job, "created", &at) && at < begin) {
        begin = at;
    }
    if (t->span_count > 0 && t->spans[0].from_ms < begin) {
        begin = t->spans[0].from_ms;
    }
    json_array_foreach(t->facts->lines, i, line)
    {
        begin = time_of(line, "time", &at) && at < begin ? at : begin;
    }
    return begin;
}

json_t *gm_trace_json(const struct gm_trace_facts *facts)
{
    struct trace t = {.facts = facts, .events = json_array()};
    json_t *doc = NULL;
    char begin[25];
    if (t.events != NULL && read_attempts(&t)) {
        t.begin_ms = begin_of(&t);
        add_phases(&t);
        add_waits(&t);
        add_attempts(&t);
        add_lines(&t);
        if (!t.failed) {
            doc = json_pack(
                "{s:O, s:s, s:{s:s, s:s, s:s}}", "traceEvents", t.events, "displayTimeUnit", "ms",
                "otherData", "job", gm_job_text(facts->job, "id"), "pipeline",
                gm_job_text(facts->job, "pipeline"), "begin", gm_time_format(t.begin_ms, begin));
        }
    }
    json_decref(t.events);
    free(t.lanes);
    free(t.spans);
    return doc;
}
