/* gopmill-scheduler: reads its configuration, serves until a signal. docs/operations.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/flags.h"
#include "common/log.h"
#include "scheduler/daemon.h"

static const char HELP[] =
    "Usage: gopmill-scheduler --config FILE [--check]\n"
    "       gopmill-scheduler --version | --help\n"
    "\n"
    "  --config FILE  configuration, as config/scheduler.yaml\n"
    "  --check        read the configuration, say what is wrong, and end\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "Prints \"READY http=... listen=...\" on stdout when it serves. SIGTERM and SIGINT end it.\n";

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, const char **out_config, bool *out_check)
{
    const struct gm_flag table[] = {{"config", GM_FLAG_TEXT, out_config},
                                    {"check", GM_FLAG_SET, out_check},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status =
        gm_flags_parse(argc, argv, table, HELP, "gopmill-scheduler " GOPMILL_VERSION, NULL);
    if (status < 0 && *out_config == NULL) {
        (void)fprintf(stderr, "gopmill-scheduler: --config FILE is missing\n\n%s", HELP);
        return GM_EXIT_USAGE;
    }
    return status;
}

static void on_signal(uv_signal_t *signal, int number)
{
    gm_log(GM_LOG_INFO, "stopping", "signal=%d", number);
    gm_daemon_stop(signal->data);
}

static int watch_signals(struct gm_daemon *d, uv_signal_t signals[2], struct gm_err *err)
{
    static const int numbers[2] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        int rc = uv_signal_init(gm_daemon_loop(d), &signals[i]);
        signals[i].data = d;
        if (rc == 0) {
            rc = uv_signal_start(&signals[i], on_signal, numbers[i]);
        }
        if (rc != 0) {
            return gm_err_set(err, GM_E_SYS, rc, "could not watch signals: %s", uv_strerror(rc));
        }
        uv_unref((uv_handle_t *)&signals[i]);
    }
    return 0;
}

static int serve(const struct gm_settings *settings, struct gm_err *err)
{
    struct gm_daemon *d = NULL;
    uv_signal_t signals[2];
    int rc = gm_daemon_create(settings, &d, err);
    if (rc < 0) {
        return rc;
    }
    rc = watch_signals(d, signals, err);
    if (rc == 0) {
        (void)printf("READY http=%s listen=%s\n", gm_daemon_http(d), gm_daemon_listen(d));
        (void)fflush(stdout);
        gm_log(GM_LOG_INFO, "ready", "http=%s listen=%s state=%s term=%llu", gm_daemon_http(d),
               gm_daemon_listen(d), settings->state,
               (unsigned long long)gm_state_term(gm_daemon_state(d)));
        rc = gm_daemon_run(d, err);
        uv_close((uv_handle_t *)&signals[0], NULL);
        uv_close((uv_handle_t *)&signals[1], NULL);
    }
    gm_daemon_destroy(&d);
    return rc;
}

/* They wait for stores: a slow destination holds up others only where all of them wait for it. */
#define POOL_THREADS "16"

int main(int argc, char **argv)
{
    const char *config = NULL;
    bool check = false;
    struct gm_settings settings = {0};
    struct gm_err err = {0};
    int status = parse(argc, argv, &config, &check);
    if (status >= 0) {
        return status;
    }
    gm_log_init("scheduler", GM_LOG_INFO, false);
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = gm_settings_load(config, &settings, &err);
    bool loaded = rc == 0;
    if (loaded) {
        gm_log_init("scheduler", (enum gm_log_level)gm_log_parse_level(settings.log_level),
                    settings.log_json);
        if (check) {
            (void)printf("%s: ok\n", config);
        } else if (setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0) != 0) {
            rc = gm_err_nomem(&err);
        } else {
            rc = serve(&settings, &err);
        }
    }
    gm_settings_fini(&settings);
    if (rc < 0) {
        gm_log_err(GM_LOG_ERROR, "failed", &err, "config=%s", config);
        (void)fprintf(stderr, "gopmill-scheduler: %s\n", err.text);
    }
    return rc == 0 ? 0 : !loaded || err.code == GM_E_CONFIG ? GM_EXIT_USAGE : 1;
}
