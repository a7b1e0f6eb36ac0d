/* The farm's event stream. */
#include "tests/scheduler/daemon_story.h"

#include "scheduler/hooks/rows.h"
#include "scheduler/http/sse.h"
#include "scheduler/store/state.h"

static int open_stream(const struct farm *f, const char *last_id)
{
    char request[256];
    int fd = farm_connect(f);
    int n = snprintf(request, sizeof request, "GET /v1/events HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n",
                     last_id != NULL ? "Last-Event-ID: " : "", last_id != NULL ? last_id : "",
                     last_id != NULL ? "\r\n" : "");
    farm_send(fd, request, (size_t)n);
    return fd;
}

static void expect(int fd, const char *text, char **all)
{
    if (!farm_read_until(fd, text, all)) {
        fail_msg("%s did not come: %s", text, *all);
    }
}

/* Number of the first event of that type. */
static long number_of(const char *all, const char *type)
{
    char text[64];
    (void)snprintf(text, sizeof text, "event: %s\n", type);
    const char *at = strstr(all, text);
    long n = 0;
    assert_non_null(at);
    for (at--; at > all && at[-1] != '\n'; at--) {
    }
    assert_int_equal(sscanf(at, "id: %ld", &n), 1);
    return n;
}

static void all_jobs_and_nodes_are_told_of(void **state)
{
    struct farm f;
    struct node n;
    char id[64], text[160], last[32];
    char *all = NULL, *again = NULL;
    farm_start(&f, *state);
    node_open(&n, &f);
    int fd = open_stream(&f, NULL);
    expect(fd, "event: farm\ndata: {", &all);
    farm_submit(&f, PIPELINE, "", id);
    (void)snprintf(text, sizeof text,
                   "event: job.state\ndata: {\"id\":\"%s\",\"state\":\"queued\",\"progress\":{",
                   id);
    expect(fd, text, &all);
    node_hello(&n);
    n.lost = "video/360p/seg-00001-other.m4s";
    node_work(&n, 6);
    expect(fd, "event: task.retry\n", &all);
    (void)snprintf(text, sizeof text, "event: job.done\ndata: {\"id\":\"%s\",\"state\":\"done\"",
                   id);
    expect(fd, text, &all);
    expect(fd, "event: node\ndata: {\"id\":\"node-1\",\"state\":\"connected\"", &all);
    expect(fd, "\"jobs\":{\"queued\":0,\"running\":0,\"publishing\":0,\"done\":1", &all);
    assert_null(strstr(all, "event: reset"));
    assert_null(strstr(all, "event: progress"));
    (void)snprintf(last, sizeof last, "%ld", number_of(all, "job.state"));
    int other = open_stream(&f, last); /* what came behind that */
    expect(other, "event: farm\n", &again);
    assert_null(strstr(again, "\"queued\"}"));
    assert_non_null(strstr(again, "\"state\":\"running\"}"));
    assert_int_equal(number_of(again, "job.done"), number_of(all, "job.done"));
    (void)close(other);
    free(again);
    again = NULL;
    other = open_stream(&f, "999999"); /* nobody knows what that was */
    expect(other, "event: farm\n", &again);
    assert_int_equal(number_of(again, "reset"), number_of(all, "job.done"));
    (void)close(other);
    free(again);
    farm_expect(&f, "POST", "/v1/nodes/node-1:drain", NULL, 202, NULL);
    expect(fd, "event: node\ndata: {\"id\":\"node-1\",\"state\":\"draining\"", &all);
    farm_expect(&f, "GET", "/v1/events?job=x", NULL, 400, "usage.invalid");
    farm_stop(&f);
    assert_false(farm_read_until(fd, "no such thing", &all)); /* it ended */
    (void)close(fd);
    free(all);
    node_close(&n);
}

static void put_delivery(struct gm_state *s, uint64_t seq, const char *type)
{
    struct gm_err err = {0};
    struct gm_row row;
    struct gm_hook_target target = {.key = (char *)(uintptr_t) "farm:gone"};
    struct gm_hook hook = {.seq = seq, .job = 1, .type = type, .target = &target};
    (void)snprintf(hook.name, sizeof hook.name, "%020u/farm:gone", (unsigned)seq);
    gm_hook_row_put(&hook, "{}", 2, &row);
    const struct gm_state_batch batch = {.rows = &row, .row_count = 1};
    ASSERT_OK(gm_state_commit(s, &batch, &err));
    free((char *)(uintptr_t)row.key.name);
    free(row.data);
}

/* Its job, and the event with it, is long forgotten. */
static void events_are_numbered_behind_what_webhooks_wait_for(void **state)
{
    struct gm_err err = {0};
    struct gm_state *s = NULL;
    struct farm f;
    char path[512], id[64];
    char *all = NULL;
    path_in(path, *state, "s");
    ASSERT_OK(gm_fs_mkdirs(path, &err));
    ASSERT_OK(gm_state_open(path, &s, &err));
    put_delivery(s, 5000, "job.done");
    put_delivery(s, 7000, "job.thought_of"); /* a later release's: passed over */
    gm_state_close(&s);
    farm_start(&f, *state);
    int fd = open_stream(&f, NULL);
    expect(fd, "event: farm\n", &all);
    farm_submit(&f, PIPELINE, "", id);
    expect(fd, "event: job.state\n", &all);
    expect(fd, "\n\n", &all);
    assert_in_range(number_of(all, "job.state"), 5001, 6000);
    (void)close(fd);
    free(all);
    farm_stop(&f);
}

/* Who was told nothing of the last events comes back from behind them. */
static void readers_are_told_how_far_they_are(void **state)
{
    struct gm_stream s = {0};
    (void)state;
    gm_stream_say(&s, "job.state", "{}", 5);
    size_t said = s.out.size;
    gm_stream_reach(&s, 5);
    assert_int_equal(s.out.size, said);
    gm_stream_reach(&s, 9);
    gm_stream_say(&s, "job.state", "{}", 9);
    gm_buf_add(&s.out, "", 1);
    assert_string_equal((const char *)s.out.data + said, "id: 9\n\n");
    gm_buf_fini(&s.out);
}

/* Its reader takes as much as comes, and is always a little behind. */
static void what_a_slow_reader_took_is_given_back(void **state)
{
    static char text[1001], out[1024];
    struct gm_stream s = {0};
    (void)state;
    memset(text, 'x', sizeof text - 1);
    gm_stream_say(&s, "node", text, 0);
    for (int i = 0; i < 2000; i++) {
        gm_stream_say(&s, "node", text, 0);
        size_t size = s.out.size - s.taken;
        size_t n = gm_stream_take(&s, out, 1000);
        assert_int_equal(s.out.size - s.taken, size - n);
        assert_true(s.out.size < 200000);
    }
    gm_buf_fini(&s.out);
}

static void who_never_reads_is_cut_off(void **state)
{
    struct gm_stream s = {.last_seq = 0};
    char text[4096];
    size_t said = 0;
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    for (; !s.ended && said < 1000; said++) {
        gm_stream_say(&s, "job.state", text, (int64_t)said + 1);
    }
    assert_true(s.ended && said < 300);
    assert_null(s.out.data); /* nothing of it stays */
    gm_stream_say(&s, "job.state", text, 5000);
    assert_null(s.out.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_slow_reader_took_is_given_back),
        cmocka_unit_test(who_never_reads_is_cut_off),
        cmocka_unit_test(readers_are_told_how_far_they_are),
        cmocka_unit_test_setup_teardown(all_jobs_and_nodes_are_told_of, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(events_are_numbered_behind_what_webhooks_wait_for,
                                        make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
