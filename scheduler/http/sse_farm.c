/* The farm's event stream: what happens to all jobs, nodes that change, and the farm at a glance.
 *
 * The last events of jobs that are stored are kept here, that a reader who comes back finds what it
 * missed; one who was away for longer, or over a restart, is told `reset` and looks at all anew.
 * Nodes are compared with what was said of them, and the farm is looked at, once a second for all
 * readers together, and not where there is none. */
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "scheduler/core/mem.h"
#include "scheduler/core/view_farm.h"
#include "scheduler/http/sse.h"
#include "scheduler/report.h"

#define KEPT 1024u
#define PASSED 256 /* events of others, after which a reader is told how far it is */
#define PERIOD GM_SEC
#define QUIET (15 * GM_SEC)

struct kept {
    int64_t seq;
    const char *type;             /* of static life */
    char *json;                   /* owned */
    char tenant[GM_TOKEN_TENANT]; /* whose job's; "": it was not known any more */
};
struct told { /* of a node */
    char *id; /* owned */
    uint64_t sign;
    uint64_t round; /* it was there last */
    UT_hash_handle hh;
};
struct gm_farm_stream {
    struct kept kept[KEPT]; /* a ring: next is the oldest */
    size_t next;
    int64_t floor; /* all behind this number are kept */
    int64_t last;  /* the newest */
    size_t readers;
    struct told *nodes; /* owned */
    uint64_t round;
    bool changed;       /* since `text` was made */
    gm_time looked_at;  /* at nodes */
    gm_time made_at;    /* text */
    struct gm_buf text; /* the farm's document */
};

int gm_farm_open(struct gm_http *http, struct gm_err *err)
{
    http->farm = calloc(1, sizeof *http->farm);
    if (http->farm == NULL) {
        return gm_err_nomem(err);
    }
    http->farm->floor = http->farm->last = gm_state_last_event(gm_daemon_state(http->d));
    return 0;
}

static void forget_nodes(struct gm_farm_stream *farm)
{
    struct told *t = farm->nodes;
    HASH_CLEAR(hh, farm->nodes); /* the table, not what is in it */
    while (t != NULL) {
        struct told *next = t->hh.next;
        free(t->id);
        free(t);
        t = next;
    }
}

void gm_farm_close(struct gm_http *http)
{
    struct gm_farm_stream *farm = http->farm;
    if (farm == NULL) {
        return;
    }
    forget_nodes(farm);
    for (size_t i = 0; i < KEPT; i++) {
        free(farm->kept[i].json);
    }
    gm_buf_fini(&farm->text);
    free(farm);
    http->farm = NULL;
}

/* Of the farm and its nodes, to those alone who may see them. */
static void say_all(struct gm_http *http, const char *type, const char *data)
{
    for (struct gm_stream *s = http->streams; s != NULL; s = s->next) {
        if (s->job_id[0] == '\0' && s->of_farm) {
            gm_stream_say(s, type, data, 0);
        }
    }
}

static bool may_see(const struct gm_stream *s, const char *tenant)
{
    return s->tenant[0] == '\0' || strcmp(s->tenant, tenant) == 0;
}

static void say_job(struct gm_http *http, const char *tenant, const char *type, const char *data,
                    int64_t seq)
{
    for (struct gm_stream *s = http->streams; s != NULL; s = s->next) {
        if (s->job_id[0] == '\0' && may_see(s, tenant)) {
            gm_stream_say(s, type, data, seq);
        } else if (s->job_id[0] == '\0' && seq >= s->last_seq + PASSED) {
            gm_stream_reach(s, seq);
        }
    }
}

/* ---- jobs */

static void keep(struct gm_farm_stream *farm, const char *tenant, const char *type,
                 const char *json, int64_t seq)
{
    struct kept *k = &farm->kept[farm->next];
    char *copy = strdup(json);
    farm->last = seq;
    if (copy == NULL) { /* nothing up to here is said again */
        farm->floor = seq;
        return;
    }
    farm->floor = k->json != NULL && k->seq > farm->floor ? k->seq : farm->floor;
    free(k->json);
    *k = (struct kept){.seq = seq, .type = type, .json = copy};
    (void)snprintf(k->tenant, sizeof k->tenant, "%s", tenant);
    farm->next = (farm->next + 1) % KEPT;
}

/* The event's own words, and how far the job is; without that where its end is not on disk. */
static int job_data(struct gm_http *http, const char *job_id, const char *json, struct gm_buf *out,
                    struct gm_err *err)
{
    json_t *own = json_loads(json, 0, NULL);
    json_t *doc = NULL;
    if (own != NULL && !gm_daemon_is_ending(http->d, job_id) &&
        gm_doc_progress(gm_daemon_core(http->d), job_id, &doc, err) == 0) {
        (void)json_object_set(own, "progress", json_object_get(doc, "progress"));
        json_decref(doc);
    }
    return gm_json_text(own, false, out, err);
}

void gm_farm_event(struct gm_http *http, const char *job_id, const char *tenant, const char *type,
                   const char *json, int64_t seq)
{
    struct gm_farm_stream *farm = http->farm;
    struct gm_buf data = {0};
    struct gm_err err = {0};
    bool of_job = strncmp(type, "job.", 4) == 0 || strcmp(type, "asset.removed") == 0;
    tenant = tenant != NULL ? tenant : gm_view_job_tenant(gm_daemon_core(http->d), job_id);
    tenant = tenant != NULL ? tenant : "";
    farm->changed = true;
    if (of_job && seq != 0) {
        keep(farm, tenant, type, json, seq);
    }
    if (farm->readers == 0) {
        return;
    }
    if (strcmp(type, "task.retry") == 0) {
        say_job(http, tenant, type, json, 0);
    } else if (of_job && job_data(http, job_id, json, &data, &err) == 0) {
        say_job(http, tenant, type, (const char *)data.data, seq);
    }
    gm_buf_fini(&data);
}

/* ---- nodes */

static json_t *devices_json(const struct gm_node_view *n)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n->device_count; i++) {
        const struct gm_device_view *d = &n->devices[i];
        list = gm_json_add(list,
                           json_pack("{s:o, s:I, s:I, s:s}", "id", gm_json_string(d->id), "slots",
                                     (json_int_t)d->capacity.slots, "slots_used",
                                     (json_int_t)d->used.slots, "quarantine", d->quarantine.state));
    }
    return list;
}

static void say_node(struct gm_http *http, const struct gm_brief_view *brief)
{
    struct gm_nodes_view nodes;
    struct gm_buf data = {0};
    struct gm_err err = {0};
    if (gm_view_node(gm_daemon_core(http->d), brief->id, &nodes, &err) < 0) {
        return;
    }
    json_t *j = json_pack("{s:o, s:s, s:b, s:b, s:o}", "id", gm_json_string(brief->id), "state",
                          brief->state, "connected", (int)brief->connected, "draining",
                          (int)brief->draining, "devices", devices_json(&nodes.rows[0]));
    gm_view_nodes_fini(&nodes);
    if (gm_json_text(j, false, &data, &err) == 0) {
        say_all(http, "node", (const char *)data.data);
    }
    gm_buf_fini(&data);
}

/* first: nothing was said of any yet, and who reads has looked itself. */
struct look {
    struct gm_http *http;
    bool first;
};

static void look_at_node(const struct gm_brief_view *brief, void *arg)
{
    const struct look *look = arg;
    struct gm_farm_stream *farm = look->http->farm;
    struct told *t = NULL;
    HASH_FIND_STR(farm->nodes, brief->id, t);
    bool changed = t == NULL || t->sign != brief->sign;
    if (t == NULL) {
        t = gm_mem_zalloc(sizeof *t);
        t->id = gm_mem_strdup(brief->id);
        HASH_ADD_KEYPTR(hh, farm->nodes, t->id, strlen(t->id), t);
    }
    t->sign = brief->sign;
    t->round = farm->round;
    if (changed && !look->first) {
        farm->changed = true;
        say_node(look->http, brief);
    }
}

static void say_forgotten(struct gm_http *http, const char *id)
{
    struct gm_buf data = {0};
    struct gm_err err = {0};
    json_t *j = json_pack("{s:o, s:s, s:b, s:b, s:[]}", "id", gm_json_string(id), "state",
                          "forgotten", "connected", 0, "draining", 0, "devices");
    if (gm_json_text(j, false, &data, &err) == 0) {
        say_all(http, "node", (const char *)data.data);
    }
    gm_buf_fini(&data);
}

static void look_at_nodes(struct gm_http *http, bool first)
{
    struct gm_farm_stream *farm = http->farm;
    struct look look = {.http = http, .first = first};
    struct told *t, *next;
    farm->round++;
    gm_view_briefs(gm_daemon_core(http->d), look_at_node, &look);
    HASH_ITER(hh, farm->nodes, t, next)
    {
        if (t->round != farm->round) {
            farm->changed = true;
            say_forgotten(http, t->id);
            HASH_DEL(farm->nodes, t);
            free(t->id);
            free(t);
        }
    }
}

/* ---- the farm */

static int make_text(struct gm_http *http, gm_time now, struct gm_err *err)
{
    struct gm_farm_stream *farm = http->farm;
    json_t *doc = NULL;
    if (farm->text.data != NULL && now - farm->made_at < PERIOD) {
        return 0;
    }
    int rc = gm_http_farm(http, &doc, err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_fini(&farm->text);
    farm->text = (struct gm_buf){0};
    farm->made_at = now;
    farm->changed = false;
    return gm_json_text(doc, false, &farm->text, err);
}

void gm_farm_tick(struct gm_http *http, gm_time now)
{
    struct gm_farm_stream *farm = http->farm;
    struct gm_err err = {0};
    if (farm->readers == 0 || now - farm->looked_at < PERIOD) {
        return;
    }
    farm->looked_at = now;
    look_at_nodes(http, false);
    bool due = now - farm->made_at >= (farm->changed ? PERIOD : QUIET);
    if (due && make_text(http, now, &err) == 0) {
        say_all(http, "farm", (const char *)farm->text.data);
    }
}

/* ---- a reader comes and goes */

void gm_farm_left(struct gm_http *http, const struct gm_stream *s)
{
    struct gm_farm_stream *farm = http->farm;
    if (farm != NULL && s->job_id[0] == '\0' && --farm->readers == 0) {
        forget_nodes(farm);
    }
}

static void replay(struct gm_stream *s, const char *last_id)
{
    const struct gm_farm_stream *farm = s->http->farm;
    char data[64];
    char *end = NULL;
    int64_t last = strtoll(last_id, &end, 10);
    if (*end != '\0' || end == last_id || last < farm->floor || last > farm->last) {
        (void)snprintf(data, sizeof data, "{\"last\":%lld}", (long long)farm->last);
        gm_stream_say(s, "reset", data, farm->last);
        return;
    }
    s->last_seq = last;
    for (size_t i = 0; i < KEPT; i++) {
        const struct kept *k = &farm->kept[(farm->next + i) % KEPT];
        if (k->json != NULL && may_see(s, k->tenant)) {
            gm_stream_say(s, k->type, k->json, k->seq); /* what it has seen is passed over */
        }
    }
    gm_stream_reach(s, farm->last);
}

void gm_handle_farm_events(struct gm_request *r)
{
    static const char *const known[] = {NULL};
    struct gm_err err = {0};
    struct gm_stream *s = NULL;
    struct gm_farm_stream *farm = r->http->farm;
    const char *last_id =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Last-Event-ID");
    r->id[0] = '\0';
    int rc = gm_request_check_query(r, known, &err);
    rc = rc < 0 ? rc : make_text(r->http, gm_time_now(), &err);
    rc = rc < 0 ? rc : gm_stream_create(r, &s, &err);
    if (rc < 0) {
        gm_request_fail(r, &err);
        return;
    }
    if (farm->readers++ == 0) {
        look_at_nodes(r->http, true);
        farm->looked_at = gm_time_now();
    }
    gm_buf_str(&s->out, "retry: 1000\n\n");
    if (last_id != NULL) {
        replay(s, last_id);
    } else {
        s->last_seq = farm->last;
        gm_buf_printf(&s->out, "id: %lld\n\n", (long long)farm->last);
    }
    if (s->of_farm) {
        gm_stream_say(s, "farm", (const char *)farm->text.data, 0);
    }
    gm_stream_answer(r, s);
}
