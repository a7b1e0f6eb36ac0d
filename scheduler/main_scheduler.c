/* gopmill-scheduler: reads its configuration, serves until a signal. docs/operations.md. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/daemon.h"

#define EXIT_USAGE 2

static const char USAGE[] =
    "usage: gopmill-scheduler --config FILE [--check]\n"
    "       gopmill-scheduler --version | --help\n"
    "\n"
    "  --config FILE  configuration, as config/scheduler.yaml\n"
    "  --check        read the configuration, say what is wrong, and end\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "Prints \"READY http=... listen=...\" on stdout when it serves. SIGTERM and SIGINT end it.\n";

struct arguments {
    const char *config;
    bool check;
};

/* 0: go on; 1: done; negative: wrong usage. */
static int parse(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int c = 0;
    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            out->config = optarg;
            break;
        case 'k':
            out->check = true;
            break;
        case 'v':
            (void)printf("gopmill-scheduler %s\n", GOPMILL_VERSION);
            return 1;
        case 'h':
            (void)fputs(USAGE, stdout);
            return 1;
        default:
            return -1;
        }
    }
    if (optind != argc || out->config == NULL) {
        (void)fprintf(stderr, optind != argc ? "gopmill-scheduler: unexpected argument\n"
                                             : "gopmill-scheduler: --config FILE is missing\n");
        return -1;
    }
    return 0;
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

int main(int argc, char **argv)
{
    struct arguments args = {0};
    struct gm_settings settings = {0};
    struct gm_err err = {0};
    int parsed = parse(argc, argv, &args);
    if (parsed != 0) {
        if (parsed < 0) {
            (void)fputs(USAGE, stderr);
        }
        return parsed < 0 ? EXIT_USAGE : 0;
    }
    gm_log_init("scheduler", GM_LOG_INFO, false);
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = gm_settings_load(args.config, &settings, &err);
    bool loaded = rc == 0;
    if (loaded) {
        gm_log_init("scheduler", (enum gm_log_level)gm_log_parse_level(settings.log_level),
                    settings.log_json);
        if (args.check) {
            (void)printf("%s: ok\n", args.config);
        } else {
            rc = serve(&settings, &err);
        }
    }
    gm_settings_fini(&settings);
    if (rc < 0) {
        gm_log_err(GM_LOG_ERROR, "failed", &err, "config=%s", args.config);
        (void)fprintf(stderr, "gopmill-scheduler: %s\n", err.text);
    }
    return rc == 0 ? 0 : !loaded || err.code == GM_E_CONFIG ? EXIT_USAGE : 1;
}
