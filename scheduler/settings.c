#include "scheduler/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/keys.h"
#include "common/log.h"
#include "common/pem.h"
#include "common/tokens.h"
#include "scheduler/access_remote.h"
#include "scheduler/hooks/target.h"
#include "scheduler/store/state.h"
#include "storage/store.h"

#define PATH_BYTES 4096
#define OPT(field) offsetof(struct gm_settings, field)

static const struct gm_option OPTIONS[] = {
    {"state", GM_OPT_STRING, OPT(state), "/var/lib/gopmill/scheduler", 0, 0,
     "Folder of the durable state, of one scheduler; or postgresql://..., which several share."},
    {"listen", GM_OPT_LIST, OPT(listen), "tcp://127.0.0.1:7800", 0, 0,
     "ZeroMQ endpoints for nodes: tcp://address:port or ipc:///path."},
    {"http", GM_OPT_STRING, OPT(http), "127.0.0.1:7801", 0, 0,
     "Where the HTTP API listens: address:port or unix:/path."},
    {"http_tokens", GM_OPT_STRING, OPT(http_tokens), "", 0, 0,
     "File of the API's tokens, as `gopmill token` writes it; empty: who reaches `http` may do "
     "all. "
     "A unix socket asks for none."},
    {"http_tls_cert", GM_OPT_STRING, OPT(http_tls_cert), "", 0, 0,
     "PEM file of the API's certificate and of those that signed it; empty: no TLS."},
    {"http_tls_key", GM_OPT_STRING, OPT(http_tls_key), "", 0, 0,
     "PEM file of that certificate's key, which its owner alone may read."},
    {"pipelines", GM_OPT_LIST, OPT(pipelines), NULL, 0, 0,
     "Folders of named pipelines, the first that has a name wins; empty: the shipped ones."},
    {"work_store", GM_OPT_STRING, OPT(work_store), NULL, 0, 0,
     "Store of intermediate objects, file:///folder or s3://bucket/prefix, which every node must "
     "reach; empty: file://<state>/work."},
    {"storage", GM_OPT_LIST, OPT(storage), NULL, 0, 0,
     "Stores of S3, a line each: `s3://BUCKET endpoint=URL keys=FILE region=NAME style=path "
     "ca=FILE`; "
     "`s3://*`: all others."},
    {"grant_key_file", GM_OPT_STRING, OPT(grant_key_file), "/etc/gopmill/grant.key", 0, 0,
     "File with the 64 hex digits that nodes share; made when it is missing."},
    {"security", GM_OPT_STRING, OPT(security), "", 0, 0,
     "curve: nodes prove keys, what passes is encrypted; none: neither; empty: neither, and "
     "`listen` "
     "is this machine's alone."},
    {"key_file", GM_OPT_STRING, OPT(key_file), "/etc/gopmill/keys/server.key", 0, 0,
     "The scheduler's key pair, which `gopmill keys` made; read where `security` is curve."},
    {"allow_file", GM_OPT_STRING, OPT(allow_file), "/etc/gopmill/keys/allow", 0, 0,
     "The public keys that may connect; read again at SIGHUP."},
    {"allow_sources", GM_OPT_LIST, OPT(allow_sources), "/", 0, 0,
     "Folders, s3://bucket/prefix and https://host/prefix that sources may lie in."},
    {"allow_destinations", GM_OPT_LIST, OPT(allow_destinations), "/", 0, 0,
     "Folders and s3://bucket/prefix that results may be written to."},
    {"uploads", GM_OPT_STRING, OPT(uploads), "", 0, 0,
     "Where clients upload sources to: s3://bucket/prefix; empty: nowhere."},
    {"upload_max_bytes", GM_OPT_SIZE, OPT(upload_max_bytes), "1000G", 1, INT64_C(50) << 40,
     "Bytes of one upload; more are refused."},
    {"max_uploads", GM_OPT_INT, OPT(max_uploads), "100", 1, 10000,
     "Uploads that are open at a time; more are refused."},
    {"upload_idle_ms", GM_OPT_INT, OPT(upload_idle_ms), "3600000", 1000, 604800000,
     "An upload that gets no part for so long fails the jobs that wait for it."},
    {"part_wait_ms", GM_OPT_INT, OPT(part_wait_ms), "30000", 0, 86400000,
     "A task that waits so long for a part of an upload gives its slot back until it came; 0: "
     "never."},
    {"upload_keep_hours", GM_OPT_INT, OPT(upload_keep_hours), "24", 1, 8760,
     "An upload is deleted so long after its last part, unless a job reads it."},
    {"webhooks", GM_OPT_LIST, OPT(webhooks), NULL, 0, 0,
     "Who is told of all jobs' events, a line each: `NAME url=URL secret=FILE "
     "events=done,failed`; without events: all."},
    {"allow_webhooks", GM_OPT_LIST, OPT(allow_webhooks), NULL, 0, 0,
     "What a job's `webhook` may be: https://host/prefix or http://host/prefix; `https://*`: any "
     "host with an address of the public Internet; empty: nothing."},
    {"webhook_secret_file", GM_OPT_STRING, OPT(webhook_secret_file), "", 0, 0,
     "File of secrets, a line `whsec_...` each, that sign what jobs' webhooks are told."},
    {"webhook_retry_s", GM_OPT_INT, OPT(webhook_retry_s), "86400", 1, 2592000,
     "An event that a receiver does not take is tried again for so long; then it is a dead "
     "letter."},
    {"webhook_pauses_s", GM_OPT_STRING, OPT(webhook_pauses_s), "5 300 1800 7200 18000 36000", 0, 0,
     "Seconds before each further try, the last one again and again."},
    {"events_source", GM_OPT_STRING, OPT(events_source), "urn:gopmill:farm", 0, 0,
     "What events name as their source: a URI, another one for each farm."},
    {"events_listen", GM_OPT_LIST, OPT(events_listen), NULL, 0, 0,
     "ZeroMQ endpoints that publish events, as `listen`; empty: none."},
    {"takeover_ms", GM_OPT_INT, OPT(takeover_ms), "2000", 500, 60000,
     "With PostgreSQL: a leading scheduler that hangs for so long is replaced by another."},
    {"lease_ms", GM_OPT_INT, OPT(lease_ms), "15000", 1000, 3600000,
     "A node that is silent for so long has lost its tasks."},
    {"heartbeat_ms", GM_OPT_INT, OPT(heartbeat_ms), "1000", 50, 60000,
     "How often nodes renew their leases."},
    {"stall_ms", GM_OPT_INT, OPT(stall_ms), "120000", 1000, 86400000,
     "A task without progress for so long is ended and tried again."},
    {"device_wait_ms", GM_OPT_INT, OPT(device_wait_ms), "10000", 1000, 86400000,
     "A job whose device no node offers any more waits so long before its `fallback`."},
    {"preempt_ms", GM_OPT_INT, OPT(preempt_ms), "10000", 0, 86400000,
     "A job that waits so long has a run of a lower class end at its next chunk; 0: never."},
    {"max_attempts", GM_OPT_INT, OPT(max_attempts), "8", 2, 1000,
     "Failures in a row, without progress, of one task or chunk that fail its job."},
    {"retry_ms", GM_OPT_INT, OPT(retry_ms), "1000", 10, 60000,
     "The first pause before what failed is tried again; they double, up to 30 of it."},
    {"publish_grace_s", GM_OPT_INT, OPT(publish_grace_s), "86400", 0, 315360000,
     "What a publication took the place of is deleted so long after it, for who still plays it."},
    {"early_s", GM_OPT_INT, OPT(early_s), "6", 1, 3600,
     "Playlists of jobs that publish early are written again after so long, where there is more."},
    {"backup_retry_s", GM_OPT_INT, OPT(backup_retry_s), "86400", 1, 315360000,
     "A result's backup that fails is tried again for so long."},
    {"max_jobs", GM_OPT_INT, OPT(max_jobs), "10000", 1, 1000000,
     "Accepted and unfinished jobs; more are refused. The last tenth is for the class high."},
    {"keep_jobs", GM_OPT_INT, OPT(keep_jobs), "1000", 1, 10000,
     "Jobs that ended and are still known; the oldest beyond that are forgotten."},
    {"keep_failed_ms", GM_OPT_INT, OPT(keep_failed_ms), "3600000", 0, 604800000,
     "What a job made that failed stays for so long, that a retry goes on from there; 0: it goes "
     "at "
     "once."},
    {"keep_assets", GM_OPT_INT, OPT(keep_assets), "100000", 1, 1000000,
     "Published titles that are listed; the oldest beyond that are forgotten."},
    {"tenants", GM_OPT_LIST, OPT(tenants), NULL, 0, 0,
     "Who jobs belong to, a line each: `NAME weight=N max_running=SLOTS max_queued=JOBS "
     "max_submits_per_s=N max_uploads=N`; `*`: all others."},
    {"log_level", GM_OPT_STRING, OPT(log_level), "info", 0, 0,
     "error, warn, info, debug or trace."},
    {"log_json", GM_OPT_BOOL, OPT(log_json), "false", 0, 0, "Log JSON lines instead of logfmt."},
    {0}};

const struct gm_option *gm_settings_options(void)
{
    return OPTIONS;
}

/* A bucket or a prefix in one, without a '/' at its end. */
static int cut_slashes(char *url, struct gm_err *err)
{
    struct gm_s3_location location;
    size_t size = strlen(url);
    int rc = gm_s3_location_read(url, &location, err);
    while (rc == 0 && url[size - 1] == '/') {
        url[--size] = '\0';
    }
    return rc;
}

/* Lines and key files are read to be checked; the daemon reads them for itself. */
static int check_storage(const struct gm_settings *s, struct gm_err *err)
{
    struct gm_stores *stores = NULL;
    int rc = gm_stores_create(s->storage, &stores, err);
    if (rc == 0 && gm_s3_is_url(s->work_store)) {
        rc = gm_err_wrap(err, gm_stores_check(stores, s->work_store, err), "work_store: ");
    }
    if (rc == 0 && s->uploads[0] != '\0') {
        rc = gm_err_wrap(err, gm_stores_check(stores, s->uploads, err), "uploads: ");
    }
    gm_stores_destroy(&stores);
    return rc;
}

/* A part is read as soon as it is put, by URL: folders have none. */
static int check_uploads(struct gm_settings *s, struct gm_err *err)
{
    if (s->uploads[0] == '\0') {
        return 0;
    }
    if (!gm_s3_is_url(s->uploads)) {
        return gm_err_set(err, GM_E_CONFIG, 0, "uploads: `%.120s` is not s3://bucket/prefix",
                          s->uploads);
    }
    int rc = gm_err_wrap(err, cut_slashes(s->uploads, err), "uploads: ");
    const size_t work = strlen(s->work_store);
    if (rc == 0 && gm_s3_is_url(s->work_store) && strncmp(s->uploads, s->work_store, work) == 0 &&
        strncmp(s->uploads + work, "/jobs", 5) == 0 && strchr("/", s->uploads[work + 5]) != NULL) {
        /* An upload would be a job that nobody knows, and be swept. */
        rc =
            gm_err_set(err, GM_E_CONFIG, 0,
                       "uploads: `%.120s` lies in the work store's `jobs/`: give it a place of its "
                       "own",
                       s->uploads);
    }
    return rc;
}

static int fill_work_store(struct gm_settings *s, struct gm_err *err)
{
    char *url = NULL;
    char work[PATH_BYTES];
    if (gm_s3_is_url(s->work_store)) {
        return gm_err_wrap(err, cut_slashes(s->work_store, err), "work_store: ");
    }
    if (s->work_store[0] != '\0') {
        char *path = NULL;
        int rc = gm_store_path(s->work_store, &path, err);
        free(path);
        return gm_err_wrap(err, rc, "work_store: ");
    }
    if (gm_state_is_shared(s->state)) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "work_store: name a store that every scheduler and node reaches: with a "
                          "`state` in PostgreSQL there is no folder for it");
    }
    int rc = gm_fs_path(work, sizeof work, err, "%s/work", s->state);
    if (rc == 0) {
        rc = gm_store_url(work, &url, err);
    }
    if (rc == 0) {
        free(s->work_store);
        s->work_store = url;
    }
    return rc;
}

/* The shipped pipelines: beside the installed program, or in the source tree that built it. */
static int fill_pipelines(struct gm_settings *s, struct gm_err *err)
{
    static const char *const places[] = {"../share/gopmill/pipelines", "../../config/pipelines"};
    if (s->pipelines != NULL && s->pipelines[0] != NULL) {
        return 0;
    }
    char *program = NULL;
    char path[PATH_BYTES] = "";
    int rc = gm_fs_program_dir(&program, err);
    for (size_t i = 0; rc == 0 && i < sizeof places / sizeof places[0]; i++) {
        rc = gm_fs_path(path, sizeof path, err, "%s/%s", program, places[i]);
        if (rc == 0 && access(path, R_OK | X_OK) == 0) {
            break;
        }
        path[0] = '\0';
    }
    free(program);
    if (rc < 0 || path[0] == '\0') {
        return rc;
    }
    char **list = calloc(2, sizeof *list);
    char *copy = strdup(path);
    if (list == NULL || copy == NULL) {
        free(list);
        free(copy);
        return gm_err_nomem(err);
    }
    list[0] = copy;
    free(s->pipelines);
    s->pipelines = list;
    return 0;
}

static int check_roots(const char *option, char *const *roots, struct gm_err *err)
{
    for (; roots != NULL && *roots != NULL; roots++) {
        if ((*roots)[0] != '/' && !gm_access_is_remote_root(*roots)) {
            return gm_err_set(
                err, GM_E_CONFIG, 0,
                "%s: `%.120s` is neither an absolute folder nor s3://bucket/prefix nor "
                "https://host/prefix",
                option, *roots);
        }
    }
    return 0;
}

static int check_endpoints(const char *option, char *const *list, const char *security,
                           struct gm_err *err)
{
    for (char *const *e = list; *e != NULL; e++) {
        if (strncmp(*e, "tcp://", 6) != 0 && strncmp(*e, "ipc://", 6) != 0) {
            return gm_err_set(err, GM_E_CONFIG, 0,
                              "%s: `%.100s` is neither tcp://address:port nor ipc:///path", option,
                              *e);
        }
    }
    return gm_err_wrap(err, gm_curve_check_security(security, list, err), "%s: ", option);
}

static int check(const struct gm_settings *s, struct gm_err *err)
{
    if (s->state[0] == '\0') {
        return gm_err_set(err, GM_E_CONFIG, 0, "state: name a folder");
    }
    if (s->grant_key_file[0] == '\0') {
        return gm_err_set(err, GM_E_CONFIG, 0, "grant_key_file: name a file");
    }
    if (s->listen == NULL || s->listen[0] == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "listen: name an endpoint for nodes");
    }
    int rc = check_endpoints("listen", s->listen, s->security, err);
    if (rc == 0 && s->events_listen != NULL) {
        rc = check_endpoints("events_listen", s->events_listen, s->security, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (strncmp(s->http, "unix:/", 6) != 0 &&
        (strchr(s->http, ':') == NULL || strchr(s->http, '/') != NULL)) {
        return gm_err_set(err, GM_E_CONFIG, 0, "http: `%s` is neither address:port nor unix:/path",
                          s->http);
    }
    if (gm_log_parse_level(s->log_level) < 0) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "log_level: `%s` is none of error, warn, info, debug, trace",
                          s->log_level);
    }
    if (s->heartbeat_ms * 3 > s->lease_ms) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "lease_ms must be at least three times heartbeat_ms");
    }
    rc = check_roots("allow_sources", s->allow_sources, err);
    return rc < 0 ? rc : check_roots("allow_destinations", s->allow_destinations, err);
}

/* The files of the API are read to be checked; it reads them for itself. */
static int check_http(const struct gm_settings *s, struct gm_err *err)
{
    struct gm_tokens tokens = {0};
    struct gm_pem pem = {0};
    int rc = 0;
    if ((s->http_tls_cert[0] == '\0') != (s->http_tls_key[0] == '\0')) {
        return gm_err_set(err, GM_E_CONFIG, 0, "http_tls_cert and http_tls_key go together");
    }
    if (s->http_tls_cert[0] != '\0' && strncmp(s->http, "unix:", 5) == 0) {
        return gm_err_set(err, GM_E_CONFIG, 0, "http_tls_cert: a unix socket is not encrypted");
    }
    if (s->http_tls_cert[0] != '\0') {
        rc = gm_err_wrap(err, gm_pem_load(s->http_tls_cert, s->http_tls_key, &pem, err),
                         "http_tls_cert: ");
        gm_pem_fini(&pem);
    }
    if (rc == 0 && s->http_tokens[0] != '\0') {
        rc = gm_err_wrap(err, gm_tokens_load(s->http_tokens, &tokens, err), "http_tokens: ");
        gm_tokens_fini(&tokens);
    }
    return rc;
}

/* Lines and secrets are read to be checked; the daemon reads them for itself. */
static int check_hooks(struct gm_settings *s, struct gm_err *err)
{
    struct gm_hook_farm *farms = NULL;
    struct gm_hook_secrets secrets = {.count = 0};
    size_t count = 0;
    int rc = gm_hook_rules_parse(s->webhook_pauses_s, s->webhook_retry_s, &s->hook_rules, err);
    rc = rc < 0 ? rc : gm_hook_farms_parse(s->webhooks, &farms, &count, err);
    gm_hook_farms_free(farms, count);
    bool names = s->allow_webhooks != NULL && s->allow_webhooks[0] != NULL;
    if (rc == 0 && names && s->webhook_secret_file[0] == '\0') {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "allow_webhooks: name a webhook_secret_file, which signs what is told");
    }
    if (rc == 0 && s->webhook_secret_file[0] != '\0') {
        rc = gm_err_wrap(err, gm_hook_secrets_load(s->webhook_secret_file, &secrets, err),
                         "webhook_secret_file: ");
        gm_hook_secrets_wipe(&secrets);
    }
    for (char **a = s->allow_webhooks; rc == 0 && a != NULL && *a != NULL; a++) {
        if (strcmp(*a, "https://*") != 0) {
            rc = gm_err_wrap(err, gm_hook_url_check(*a, err), "allow_webhooks: ");
        }
    }
    if (rc == 0 && (strstr(s->events_source, ":") == NULL || strlen(s->events_source) > 200)) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "events_source: give a URI, as urn:gopmill:farm");
    }
    return rc;
}

/* A relative state folder means one below the current folder, now and for every child. */
static int make_absolute(struct gm_settings *s, struct gm_err *err)
{
    if (s->state[0] == '/' || gm_state_is_shared(s->state)) {
        return 0;
    }
    char here[PATH_BYTES];
    char path[PATH_BYTES];
    if (getcwd(here, sizeof here) == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "state: give an absolute path");
    }
    int rc = gm_fs_path(path, sizeof path, err, "%s/%s", here, s->state);
    char *copy = rc == 0 ? strdup(path) : NULL;
    if (rc == 0 && copy == NULL) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0) {
        free(s->state);
        s->state = copy;
    }
    return rc;
}

int gm_settings_load(const char *path, struct gm_settings *out, struct gm_err *err)
{
    int rc = gm_config_load(path, OPTIONS, out, err);
    if (rc == 0) {
        rc = check(out, err);
    }
    if (rc == 0) {
        rc = check_http(out, err);
    }
    if (rc == 0) {
        rc = gm_tenants_parse(out->tenants, &out->tenant_list, &out->tenant_count, err);
    }
    if (rc == 0) {
        rc = check_hooks(out, err);
    }
    if (rc == 0) {
        rc = make_absolute(out, err);
    }
    if (rc == 0) {
        rc = fill_work_store(out, err);
    }
    if (rc == 0) {
        rc = check_uploads(out, err);
    }
    if (rc == 0) {
        rc = check_storage(out, err);
    }
    if (rc == 0) {
        rc = fill_pipelines(out, err);
    }
    return rc;
}

void gm_settings_fini(struct gm_settings *settings)
{
    gm_tenants_free(settings->tenant_list, settings->tenant_count);
    settings->tenant_list = NULL;
    settings->tenant_count = 0;
    gm_config_fini(OPTIONS, settings);
}
