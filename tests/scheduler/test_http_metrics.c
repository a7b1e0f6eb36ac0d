/* GET /metrics of the real scheduler. */
#include "tests/scheduler/farm.h"

#include "scheduler/metrics.h"

static char *scrape(const struct farm *f)
{
    static const char ask[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char *answer[1];
    assert_int_equal(farm_raw(f, ask, sizeof ask - 1, answer), 200);
    return answer[0];
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        n++;
    }
    return n;
}

static void every_metric_is_told_once(void **state)
{
    struct farm f;
    char id[64], head[160];
    farm_start(&f, *state);
    farm_submit(&f, "\"vod-h264\"", "", id);
    char *text = scrape(&f);
    for (int m = 0; m < GM_METRICS; m++) {
        (void)snprintf(head, sizeof head, "# TYPE %s ", gm_metric_get((enum gm_metric)m)->name);
        if (count(text, head) != 1) {
            fail_msg("%s is there %zu times", head, count(text, head));
        }
    }
    assert_int_equal(count(text, "# TYPE "), GM_METRICS);
    assert_int_equal(count(text, "# HELP "), GM_METRICS);
    assert_non_null(strstr(text, "\ngopmill_scheduler_leader 1\n"));
    assert_non_null(strstr(text, "\ngopmill_jobs{state=\"queued\"} 1\n"));
    assert_non_null(strstr(text, "\ngopmill_jobs_accepted_total 1\n"));
    assert_non_null(strstr(text, "\ngopmill_queue_depth{type=\"inspect\"} 1\n"));
    assert_non_null(strstr(text, "\ngopmill_http_responses_total{class=\"2xx\"} 1\n"));
    assert_null(strstr(text, "\ngopmill_store_commits_total 0\n"));
    assert_non_null(strstr(text, "\ngopmill_webhook_deliveries_total{result=\"dead\"} 0\n"));
    assert_null(strstr(text, id));
    free(text);
    farm_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_metric_is_told_once, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
