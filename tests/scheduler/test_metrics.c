/* The text of metrics. */
#include "tests/scheduler/helper.h"

#include "scheduler/lag.h"
#include "scheduler/metrics.h"

static void values_have_names_kinds_and_labels(void **state)
{
    static const struct gm_bounds bounds = {2, {GM_MS, 3 * GM_SEC}};
    const struct gm_histogram h = {.counts = {1, 2, 3}, .sum_ns = 2500000000};
    const char *const odd[] = {"a\"b\\c\nd\xff\xc3\xa9", "gpu", "cpu"};
    const char *const type[] = {"encode"};
    struct gm_buf out = {0};
    (void)state;
    gm_metrics_one(&out, GM_METRIC_TERM, 7);
    gm_metrics_begin(&out, GM_METRIC_DEVICE_SLOTS);
    gm_metrics_add(&out, GM_METRIC_DEVICE_SLOTS, odd, 0.25);
    gm_metrics_begin(&out, GM_METRIC_LAG);
    gm_metrics_add_histogram(&out, GM_METRIC_LAG, NULL, &bounds, &h);
    gm_metrics_add_histogram(&out, GM_METRIC_TOOK, type, &bounds, &h);
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "# HELP gopmill_scheduler_term Number of the schedulers' starts "
                                 "and takeovers, this one's included.\n"
                                 "# TYPE gopmill_scheduler_term gauge\n"
                                 "gopmill_scheduler_term 7\n"));
    assert_non_null(strstr(text, "\ngopmill_device_slots{node=\"a\\\"b\\\\c\\nd?\xc3\xa9\",device="
                                 "\"gpu\",kind=\"cpu\"} 0.25\n"));
    assert_non_null(strstr(text, "# TYPE gopmill_scheduler_loop_lag_seconds histogram\n"
                                 "gopmill_scheduler_loop_lag_seconds_bucket{le=\"0.001\"} 1\n"
                                 "gopmill_scheduler_loop_lag_seconds_bucket{le=\"3\"} 3\n"
                                 "gopmill_scheduler_loop_lag_seconds_bucket{le=\"+Inf\"} 6\n"
                                 "gopmill_scheduler_loop_lag_seconds_sum 2.5\n"
                                 "gopmill_scheduler_loop_lag_seconds_count 6\n"));
    assert_non_null(
        strstr(text, "gopmill_attempt_duration_seconds_bucket{type=\"encode\",le=\"+Inf\"} 6\n"
                     "gopmill_attempt_duration_seconds_sum{type=\"encode\"} 2.5\n"));
    gm_buf_fini(&out);
}

/* Names as Prometheus has them, and as its own checker would want them. */
static void names_follow_the_conventions(void **state)
{
    (void)state;
    for (int m = 0; m < GM_METRICS; m++) {
        const struct gm_metric_info *info = gm_metric_get((enum gm_metric)m);
        size_t n = strlen(info->name);
        bool total = n > 6 && strcmp(info->name + n - 6, "_total") == 0;
        bool seconds = n > 8 && strcmp(info->name + n - 8, "_seconds") == 0;
        assert_int_equal(strncmp(info->name, "gopmill_", 8), 0);
        assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz_"), n);
        assert_int_equal(total, info->type == GM_METRIC_COUNTER);
        assert_true(seconds || info->type != GM_METRIC_HISTOGRAM);
        assert_int_equal(info->help[strlen(info->help) - 1], '.');
        assert_null(strpbrk(info->help, "\\\n"));
        assert_null(strstr(info->labels, "job"));
        int labels = info->labels[0] != '\0';
        for (const char *s = info->labels; *s != '\0'; s++) {
            labels += *s == ',' ? 1 : 0;
        }
        assert_true(labels <= GM_METRIC_LABELS);
    }
}

static char *read_text(const char *path)
{
    struct gm_err err = {0};
    uint8_t *text = NULL;
    size_t size = 0;
    ASSERT_OK(gm_fs_read(path, 1 << 20, &text, &size, &err));
    return (char *)text;
}

static int find(const char *name, size_t size)
{
    for (int m = 0; m < GM_METRICS; m++) {
        const char *own = gm_metric_get((enum gm_metric)m)->name;
        if (strlen(own) == size && memcmp(own, name, size) == 0) {
            return m;
        }
    }
    return -1;
}

/* "a,b" as a cell of the table: "`a`, `b`". */
static void cell_of(const char *labels, char out[64])
{
    size_t n = 0;
    for (const char *s = labels; *s != '\0'; s++) {
        n += (size_t)snprintf(out + n, 64 - n, *s == ',' ? "`, `" : s == labels ? "`%c" : "%c", *s);
    }
    (void)snprintf(out + n, 64 - n, labels[0] != '\0' ? "` " : "");
}

static void the_manual_has_each_once(void **state)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    char *text = read_text(GM_SOURCE_DIR "/docs/metrics.md");
    size_t rows = 0;
    (void)state;
    for (const char *at = strstr(text, "\n| `gopmill_"); at != NULL;
         at = strstr(at + 1, "\n| `gopmill_")) {
        const char *name = at + 4;
        size_t size = strcspn(name, "`");
        char head[256], cell[64];
        int m = find(name, size);
        if (m < 0) {
            fail_msg("there is no %.*s", (int)size, name);
        }
        const struct gm_metric_info *info = gm_metric_get((enum gm_metric)m);
        cell_of(info->labels, cell);
        (void)snprintf(head, sizeof head, "\n| `%s` | %s | %s| ", info->name, types[info->type],
                       cell);
        if (strncmp(at, head, strlen(head)) != 0) {
            fail_msg("the row of %s does not begin%s", info->name, head);
        }
        rows++;
    }
    assert_int_equal(rows, GM_METRICS);
    free(text);
}

/* Names of metrics in a file, and of the rules' own. */
static void check_names(const char *path, const char *rules)
{
    char *text = read_text(path);
    size_t found = 0;
    for (const char *at = strstr(text, "gopmill"); at != NULL; at = strstr(at, "gopmill")) {
        size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_:");
        char record[96];
        if (at[7] == ':') {
            (void)snprintf(record, sizeof record, "- record: %.*s\n", (int)size, at);
            assert_non_null(strstr(rules, record));
        } else if (at[7] == '_') {
            int m = find(at, size);
            for (size_t cut = size; m < 0 && cut > 0; cut--) {
                m = at[cut] == '_' ? find(at, cut) : -1;
                m = m >= 0 && gm_metric_get((enum gm_metric)m)->type != GM_METRIC_HISTOGRAM ? -1
                                                                                            : m;
            }
            if (m < 0) {
                fail_msg("%s: there is no %.*s", path, (int)size, at);
            }
            found++;
        }
        at += size > 0 ? size : 1;
    }
    assert_true(found > 5);
    free(text);
}

static void rules_and_dashboard_name_what_there_is(void **state)
{
    char *rules = read_text(GM_SOURCE_DIR "/config/prometheus/rules.yaml");
    (void)state;
    check_names(GM_SOURCE_DIR "/config/prometheus/rules.yaml", rules);
    check_names(GM_SOURCE_DIR "/config/prometheus/alerts.yaml", rules);
    check_names(GM_SOURCE_DIR "/config/grafana/gopmill.json", rules);
    free(rules);
}

static void a_late_clock_is_noted(void **state)
{
    struct gm_lag lag = {.last = 0};
    (void)state;
    gm_lag_tick(&lag, 9 * GM_SEC, 50 * GM_MS); /* nobody knows what was before */
    gm_lag_tick(&lag, 9 * GM_SEC + 50 * GM_MS, 50 * GM_MS);
    gm_lag_tick(&lag, 10 * GM_SEC + 100 * GM_MS, 50 * GM_MS);
    assert_int_equal(lag.late.counts[0], 1);
    assert_int_equal(lag.late.counts[8], 1);
    assert_int_equal(lag.late.sum_ns, GM_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_names_kinds_and_labels),
        cmocka_unit_test(names_follow_the_conventions),
        cmocka_unit_test(the_manual_has_each_once),
        cmocka_unit_test(rules_and_dashboard_name_what_there_is),
        cmocka_unit_test(a_late_clock_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
