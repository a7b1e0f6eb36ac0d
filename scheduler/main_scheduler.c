/* gopmill-scheduler: reads its configuration, serves until a signal. docs/operations.md. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/flags.h"
#include "common/log.h"
#include "scheduler/check_store.h"
#include "scheduler/daemon.h"
#include "scheduler/hooks/secret.h"
#include "scheduler/standby.h"

static const char HELP[] =
    "Usage: gopmill-scheduler --config FILE [--check]\n"
    "       gopmill-scheduler --check-store [--json] (--config FILE | --state DIR|URL)\n"
    "       gopmill-scheduler --migrate-store N (--config FILE | --state DIR)\n"
    "       gopmill-scheduler --webhook-secret TENANT --config FILE\n"
    "       gopmill-scheduler --version | --help\n"
    "\n"
    "  --config FILE      configuration, as config/scheduler.yaml\n"
    "  --check            read the configuration, say what is wrong, and end\n"
    "  --check-store      look whether the state is whole, change nothing, and end\n"
    "  --json             say that as JSON\n"
    "  --migrate-store N  bring the state to schema N, for the version that reads it, and end\n"
    "  --state DIR        the state, in place of the configuration's: a folder; to check also a\n"
    "                     database, postgresql://...\n"
    "  --webhook-secret TENANT\n"
    "                     print what signs that tenant's webhooks, for its receiver, and end\n"
    "  --version          print the version\n"
    "  --help             print this\n"
    "\n"
    "Prints \"READY http=... listen=...\" on stdout when it serves. SIGTERM and SIGINT end it;\n"
    "at SIGHUP it reads the list of keys again.\n";

struct options { /* borrowed from argv */
    const char *config, *state, *migrate, *secret_of;
    bool check, check_store, json;
};

static int usage(const char *what)
{
    (void)fprintf(stderr, "gopmill-scheduler: %s\n\n%s", what, HELP);
    return GM_EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *out)
{
    const struct gm_flag table[] = {{"config", GM_FLAG_TEXT, &out->config},
                                    {"check", GM_FLAG_SET, &out->check},
                                    {"state", GM_FLAG_TEXT, &out->state},
                                    {"check-store", GM_FLAG_SET, &out->check_store},
                                    {"json", GM_FLAG_SET, &out->json},
                                    {"migrate-store", GM_FLAG_TEXT, &out->migrate},
                                    {"webhook-secret", GM_FLAG_TEXT, &out->secret_of},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status =
        gm_flags_parse(argc, argv, table, HELP, "gopmill-scheduler " GOPMILL_VERSION, NULL);
    if (status >= 0) {
        return status;
    }
    if (out->state != NULL && out->migrate == NULL && !out->check_store) {
        return usage("--state goes with --check-store or --migrate-store");
    }
    if (out->json && !out->check_store) {
        return usage("--json goes with --check-store");
    }
    if (out->state != NULL && out->config != NULL) {
        return usage("--state and --config name two state folders");
    }
    if ((out->migrate != NULL) + (out->secret_of != NULL) + out->check + out->check_store > 1) {
        return usage(
            "of --check, --check-store, --migrate-store and --webhook-secret one can be done");
    }
    if (out->config == NULL && out->state == NULL) {
        return usage(out->migrate != NULL || out->check_store
                         ? "--config FILE or --state DIR is missing"
                         : "--config FILE is missing");
    }
    return -1;
}

static int migrate(const char *folder, const char *schema, struct gm_err *err)
{
    size_t left = 0;
    bool one = schema[0] >= '0' && schema[0] <= '9' && schema[1] == '\0';
    int rc = gm_state_migrate(folder, one ? schema[0] - '0' : 0, &left, err);
    if (rc == 0) {
        (void)printf("%s: schema %s\n", folder, schema);
    }
    if (rc == 0 && left > 0) {
        (void)printf("%zu rows of kinds that it does not know are gone\n", left);
    }
    return rc;
}

static int tell_secret(const struct gm_settings *settings, const char *tenant, struct gm_err *err)
{
    const struct gm_tenant_params params = {.name = tenant, .weight = 1};
    struct gm_hook_secrets farm = {.count = 0}, own;
    int rc = gm_tenant_check(&params, err);
    if (rc == 0 && settings->webhook_secret_file[0] == '\0') {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "there is no webhook_secret_file");
    }
    rc = rc < 0 ? rc : gm_hook_secrets_load(settings->webhook_secret_file, &farm, err);
    if (rc == 0) {
        gm_hook_secrets_of(&farm, tenant, &own);
        gm_hook_secrets_print(&own, stdout);
        gm_hook_secrets_wipe(&own);
        gm_hook_secrets_wipe(&farm);
    }
    return rc;
}

static void on_hangup(uv_signal_t *signal, int number)
{
    (void)number;
    gm_daemon_reload(signal->data);
}

/* Told to stop: what a daemon hears in its loop counts when it steps down meanwhile. */
static volatile sig_atomic_t told;

static void on_signal(uv_signal_t *signal, int number)
{
    gm_log(GM_LOG_INFO, "stopping", "signal=%d", number);
    told = 1;
    gm_daemon_stop(signal->data);
}

#define SIGNALS 3
#define FILES_KEPT 1200u  /* HTTP's connections (http/server.c), stores, the state */
#define FILES_NODES 1000u /* less is worth a word */

static int watch_signals(struct gm_daemon *d, uv_signal_t signals[SIGNALS], struct gm_err *err)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < SIGNALS; i++) {
        int rc = uv_signal_init(gm_daemon_loop(d), &signals[i]);
        signals[i].data = d;
        if (rc == 0) {
            rc = uv_signal_start(&signals[i], numbers[i] == SIGHUP ? on_hangup : on_signal,
                                 numbers[i]);
        }
        if (rc != 0) {
            return gm_err_set(err, GM_E_SYS, rc, "could not watch signals: %s", uv_strerror(rc));
        }
        uv_unref((uv_handle_t *)&signals[i]);
    }
    return 0;
}

/* A connection each for nodes and clients: as many as the system lets us have. */
static void raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        struct gm_err err;
        (void)gm_err_sys(&err, errno, "could not raise the limit of open files");
        gm_log_err(GM_LOG_WARN, "few_files", &err, "limit=soft");
    } else if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < FILES_KEPT + FILES_NODES) {
        rlim_t nodes = limit.rlim_max > FILES_KEPT ? limit.rlim_max - FILES_KEPT : 0;
        gm_log(GM_LOG_WARN, "few_files", "limit=%llu nodes=%llu",
               (unsigned long long)limit.rlim_max, (unsigned long long)nodes);
    }
}

static void on_early_signal(int number)
{
    (void)number;
    told = 1;
}

static void hear_early_signals(void)
{
    struct sigaction action = {.sa_handler = on_early_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGHUP, SIG_IGN); /* keys are read when it leads */
}

/* Takes the state, which this scheduler leads. */
static int serve(const struct gm_settings *settings, const struct gm_door *door,
                 struct gm_state *state, struct gm_err *err)
{
    struct gm_daemon *d = NULL;
    uv_signal_t signals[SIGNALS];
    raise_files();
    int rc = gm_daemon_create_with(settings, door, state, &d, err);
    if (rc < 0) {
        return rc;
    }
    char *plain = gm_state_plain(settings->state);
    rc = watch_signals(d, signals, err);
    if (told != 0) {
        gm_daemon_stop(d);
    }
    if (rc == 0) {
        (void)printf("READY http=%s listen=%s\n", gm_daemon_http(d), gm_daemon_listen(d));
        (void)fflush(stdout);
        gm_log(GM_LOG_INFO, "ready", "http=%s listen=%s state=%s term=%llu", gm_daemon_http(d),
               gm_daemon_listen(d), plain != NULL ? plain : "-",
               (unsigned long long)gm_state_term(gm_daemon_state(d)));
        rc = gm_daemon_run(d, err);
        for (int i = 0; i < SIGNALS; i++) {
            uv_close((uv_handle_t *)&signals[i], NULL);
        }
        hear_early_signals(); /* else they end what is left to be done in order */
    }
    free(plain);
    gm_daemon_destroy(&d);
    return rc;
}

/* Leads when it can, stands by when it can't, until it is told to stop. */
static int lead(const struct gm_settings *settings, const struct gm_door *door, struct gm_err *err)
{
    for (;;) {
        struct gm_state *state = NULL;
        bool leads = false;
        hear_early_signals();
        int rc = gm_state_open(settings->state, &state, err);
        if (rc == 0) {
            rc = gm_standby_wait(settings, door, state, &told, &leads, err);
        }
        if (rc < 0 || !leads) {
            gm_state_close(&state);
            return rc;
        }
        rc = serve(settings, door, state, err);
        if (rc != -GM_E_NOT_LEADER && !((rc == -GM_E_STATE_AWAY || rc == -GM_E_STATE_FULL) &&
                                        gm_state_is_shared(settings->state))) {
            return rc;
        }
        gm_log_err(GM_LOG_WARN, "steps_down", err, "next=%s", told != 0 ? "end" : "standby");
        if (told != 0) {
            return 0;
        }
    }
}

/* The files of the API are read here: those who lead and stand by in turn have what they say. */
static int guard_and_lead(const struct gm_settings *settings, struct gm_err *err)
{
    struct gm_door *door = NULL;
    int rc = gm_door_open(settings, &door, err);
    rc = rc < 0 ? rc : lead(settings, door, err);
    gm_door_close(&door);
    return rc;
}

/* They wait for stores: a slow destination holds up others only where all of them wait for it. */
#define POOL_THREADS "16"

/* 1: it ran, and what it looked at is not whole. */
static int run(const struct options *o, const struct gm_settings *settings, struct gm_err *err)
{
    const char *state = o->state != NULL ? o->state : settings->state;
    if (o->migrate != NULL && gm_state_is_shared(state)) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "--migrate-store is for state folders: in PostgreSQL there is no schema "
                          "but this program's");
    }
    if (o->migrate != NULL) {
        return migrate(state, o->migrate, err);
    }
    if (o->check_store) {
        size_t problems = 0;
        int rc = gm_check_store(state, o->json, stdout, &problems, err);
        return rc == 0 && problems > 0 ? 1 : rc;
    }
    if (o->secret_of != NULL) {
        return tell_secret(settings, o->secret_of, err);
    }
    if (o->check) {
        (void)printf("%s: ok\n", o->config);
        return 0;
    }
    return setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0) == 0 ? guard_and_lead(settings, err)
                                                              : gm_err_nomem(err);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct gm_settings settings = {0};
    struct gm_err err = {0};
    int status = parse(argc, argv, &o);
    if (status >= 0) {
        return status;
    }
    gm_log_init("scheduler", GM_LOG_INFO, false);
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = o.config != NULL ? gm_settings_load(o.config, &settings, &err) : 0;
    bool loaded = rc == 0;
    if (rc == 0 && o.config != NULL) {
        gm_log_init("scheduler", (enum gm_log_level)gm_log_parse_level(settings.log_level),
                    settings.log_json);
    }
    if (rc == 0) {
        rc = run(&o, &settings, &err);
    }
    gm_settings_fini(&settings);
    if (rc < 0) {
        char *plain =
            o.config != NULL ? NULL : gm_state_plain(o.state); /* it may hold a password */
        const char *where = o.config != NULL ? o.config : plain != NULL ? plain : "-";
        gm_log_err(GM_LOG_ERROR, "failed", &err, "config=%s", where);
        free(plain);
    }
    return rc == 0 ? 0 : rc > 0 ? 1 : !loaded || err.code == GM_E_CONFIG ? GM_EXIT_USAGE : 1;
}
