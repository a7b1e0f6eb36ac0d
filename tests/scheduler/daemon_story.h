#ifndef GM_TESTS_SCHEDULER_DAEMON_STORY_H
#define GM_TESTS_SCHEDULER_DAEMON_STORY_H

#include "tests/scheduler/fake_node.h"

/* A daemon with its one node, and what their tests look at. */

#define PIPELINE                                                                                   \
    "{\"name\":\"p.yaml\",\"yaml\":\"name: x\\ntasks:\\n  inspect: {type: inspect}\\n"             \
    "  plan: {type: plan, needs: [inspect]}\\n  split: {type: split, needs: [plan]}\\n"            \
    "  video: {type: encode, needs: [split]}\\n  pack: {type: package, needs: [video]}\\n\"}"

static inline void wait_for(const struct farm *f, const char *id, const char *event)
{
    char text[64];
    char *all = NULL;
    int fd = farm_events(f, id, NULL);
    (void)snprintf(text, sizeof text, "event: %s\ndata: {", event);
    if (!farm_read_until(fd, text, &all)) {
        fail_msg("%s did not come: %s", event, all);
    }
    (void)close(fd);
    free(all);
}

static inline void expect_file(const struct farm *f, const char *name, const char *content)
{
    char path[512];
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    path_in(path, f->folder, name);
    ASSERT_OK(gm_fs_read(path, 1 << 20, &text, &size, &err));
    assert_string_equal((const char *)text, content);
    free(text);
}

static inline json_t *report_of(const struct farm *f)
{
    char path[512];
    path_in(path, f->folder, "out/a/report.json");
    json_t *j = json_load_file(path, 0, NULL);
    assert_non_null(j);
    return j;
}

static inline bool work_store_is_empty(const struct farm *f)
{
    char command[600];
    (void)snprintf(command, sizeof command,
                   "test -z \"$(find %s/s/work -type f ! -name .gm-store)\"", f->folder);
    return system(command) == 0;
}

/* All events of the farm. */
static inline void *subscribe(const struct farm *f, void *context)
{
    const int patience = PATIENCE_S * 1000, none = 0;
    char endpoint[600];
    void *sub = zmq_socket(context, ZMQ_SUB);
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/events", f->folder);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_LINGER, &none, sizeof none), 0);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0), 0);
    assert_int_equal(zmq_connect(sub, endpoint), 0);
    return sub;
}

/* The next one of that topic; owned. */
static inline json_t *wait_event(void *sub, const char *wanted)
{
    char topic[32] = "", body[16384];
    int n = 0;
    while (strcmp(topic, wanted) != 0) {
        n = zmq_recv(sub, topic, sizeof topic - 1, 0);
        assert_in_range(n, 1, sizeof topic - 1);
        topic[n] = '\0';
        n = zmq_recv(sub, body, sizeof body, 0);
        assert_in_range(n, 1, sizeof body);
    }
    json_t *event = json_loadb(body, (size_t)n, 0, NULL);
    assert_non_null(event);
    return event;
}

/* A scheduler with its one node. */
static inline void begin(struct farm *f, struct node *n, char *folder)
{
    farm_start(f, folder);
    node_open(n, f);
    node_hello(n);
}

#endif
