/* gopmill-hwtest: tests the devices of this machine. `gopmill-hwtest try ...` is one of its own
 * children. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/spawn.h"
#include "hwtest/run.h"
#include "hwtest/save.h"
#include "hwtest/temp.h"
#include "hwtest/try.h"
#include "media/av.h"

#define EXIT_BAD 1
#define EXIT_NO_RUN 2

static int load(const char *path, struct gm_hwtest_report *out, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_fs_read(path, GM_HWTEST_FILE_MAX, &data, &size, err);
    if (rc == 0) {
        rc = gm_hwtest_read(data, size, out, err);
    }
    free(data);
    return rc < 0 ? gm_err_wrap(err, rc, "the baseline %.80s: ", path) : 0;
}

typedef void (*writer_fn)(const struct gm_hwtest_report *report, struct gm_buf *out);

/* path NULL: nothing is asked for. */
static int save(const char *path, writer_fn write, const struct gm_hwtest_report *report,
                struct gm_err *err)
{
    struct gm_buf out = {0};
    if (path == NULL) {
        return 0;
    }
    write(report, &out);
    int rc = gm_buf_check(&out, err);
    if (rc == 0) {
        rc = gm_hwtest_save(path, out.data, out.size, err);
    }
    gm_buf_fini(&out);
    return rc;
}

static int print(const struct gm_hwtest_report *report, struct gm_err *err)
{
    struct gm_buf out = {0};
    gm_hwtest_table(report, &out);
    int rc = gm_buf_check(&out, err);
    if (rc == 0) {
        rc = gm_fs_write_all(STDOUT_FILENO, out.data, out.size, err);
    }
    gm_buf_fini(&out);
    return rc;
}

/* All the files, then the table: one that can't be written takes nothing from the others, since it
 * may have taken hours. Errors: the first. */
static int deliver(const struct gm_hwtest_options *o, const struct gm_hwtest_report *report,
                   struct gm_err *err)
{
    const struct {
        const char *path;
        writer_fn write;
    } files[] = {{o->json, gm_hwtest_json}, {o->html, gm_hwtest_html}, {o->junit, gm_hwtest_junit}};
    struct gm_err later = {.code = GM_OK};
    int rc = 0, got = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        got = save(files[i].path, files[i].write, report, rc == 0 ? err : &later);
        rc = rc == 0 ? got : rc;
    }
    got = print(report, rc == 0 ? err : &later);
    return rc == 0 ? got : rc;
}

static int check_places(const struct gm_hwtest_options *o, struct gm_err *err)
{
    const char *const paths[] = {o->json, o->html, o->junit};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(paths) / sizeof(paths[0]); i++) {
        rc = paths[i] == NULL ? 0 : gm_hwtest_save_check(paths[i], err);
        for (size_t k = 0; rc == 0 && paths[i] != NULL && k < i; k++) {
            if (paths[k] != NULL && gm_hwtest_save_is_same(paths[i], paths[k])) {
                rc = gm_err_set(err, GM_E_INVAL, 0, "%.120s is named for two files of the report",
                                paths[i]);
            }
        }
    }
    return rc;
}

static int test(const struct gm_hwtest_options *o, bool *out_good, struct gm_err *err)
{
    struct gm_hwtest_report report = {0}, baseline = {0};
    struct gm_hwtest_verdict verdict;
    int rc = check_places(o, err);
    if (rc == 0 && o->baseline != NULL) {
        rc = load(o->baseline, &baseline, err);
    }
    if (rc == 0) {
        gm_hwtest_temp_sweep(gm_hwtest_temp_home());
        rc = gm_hwtest_run(o, &report, err);
    }
    if (rc == 0 && o->baseline != NULL) {
        gm_hwtest_set(report.baseline, o->baseline);
        rc = gm_hwtest_compare(&report, &baseline, err);
    }
    if (rc == 0) {
        rc = deliver(o, &report, err);
    }
    gm_hwtest_judge(&report, &verdict);
    *out_good = verdict.good;
    gm_hwtest_report_fini(&report);
    gm_hwtest_report_fini(&baseline);
    return rc;
}

int main(int argc, char **argv)
{
    struct gm_hwtest_options options;
    struct gm_err err = {.code = GM_OK};
    bool good = false;
    signal(SIGPIPE, SIG_IGN);
    gm_spawn_init();
    if (argc > 1 && strcmp(argv[1], "try") == 0) {
        struct gm_hwtest_try work;
        int status = gm_hwtest_try_parse(argc - 1, argv + 1, &work);
        /* Exit handlers of drivers may crash after the answer is out. */
        status = status >= 0 ? status : gm_hwtest_try(&work);
        _exit(status);
    }
    int status = gm_hwtest_options_parse(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    gm_av_init();
    if (test(&options, &good, &err) < 0) {
        fprintf(stderr, "gopmill-hwtest: %s\n", err.text);
        return EXIT_NO_RUN;
    }
    return good ? 0 : EXIT_BAD;
}
