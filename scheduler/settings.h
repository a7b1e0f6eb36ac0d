#ifndef GM_SCHEDULER_SETTINGS_H
#define GM_SCHEDULER_SETTINGS_H

#include "common/config.h"
#include "scheduler/hooks/rules.h"
#include "scheduler/tenants.h"

/* What gopmill-scheduler reads from its configuration file; config/scheduler.yaml is the example.
 * Strings and lists are owned. */
struct gm_settings {
    char *state;          /* folder, or PostgreSQL's connection string (gm_state_is_shared) */
    char **listen;        /* ZeroMQ endpoints for nodes */
    char *http;           /* "unix:/path" or "address:port" */
    char *http_tokens;    /* common/tokens.h; "": none are asked for */
    char *http_tls_cert;  /* PEM; "": no TLS */
    char *http_tls_key;   /* PEM */
    char **pipelines;     /* folders */
    char *work_store;     /* URL */
    char **storage;       /* lines: storage/remote/stores.h */
    char *grant_key_file; /* 64 hex digits in it */
    char *security;       /* "curve", "none" or "" */
    char *key_file;       /* common/keys.h */
    char *allow_file;     /* common/allow.h */
    char **allow_sources; /* folders, s3:// and https:// URLs */
    char **allow_destinations;
    char *uploads; /* s3://bucket/prefix; "": none are taken */
    int64_t upload_max_bytes;
    int64_t max_uploads;
    int64_t upload_idle_ms;
    int64_t part_wait_ms;
    int64_t upload_keep_hours;
    char **webhooks;       /* lines: hooks/target.h */
    char **allow_webhooks; /* URLs; one may stand for all hosts */
    char *webhook_secret_file;
    int64_t webhook_retry_s;
    char *webhook_pauses_s;
    char *events_source;
    char **events_listen;            /* ZeroMQ endpoints of the events' socket */
    struct gm_hook_rules hook_rules; /* of these */
    int64_t takeover_ms;
    int64_t lease_ms;
    int64_t heartbeat_ms;
    int64_t stall_ms;
    int64_t device_wait_ms;
    int64_t preempt_ms;
    int64_t max_attempts;
    int64_t retry_ms;
    int64_t publish_grace_s;
    int64_t early_s;
    int64_t backup_retry_s;
    int64_t max_jobs;
    int64_t keep_jobs;
    int64_t keep_failed_ms;
    int64_t keep_assets;
    char **tenants;                       /* lines */
    struct gm_tenant_params *tenant_list; /* of these */
    size_t tenant_count;
    char *log_level;
    bool log_json;
};

/* Ends with a row whose name is NULL. */
const struct gm_option *gm_settings_options(void);
/* Defaults, then the file (path NULL: defaults alone), then what follows from others: work_store
 * and pipelines where they are empty; folders made absolute and checked. out: zeroed;
 * gm_settings_fini even after a failure. Errors: CONFIG, SYS, NOMEM. */
int gm_settings_load(const char *path, struct gm_settings *out, struct gm_err *err) GM_MUST_CHECK;
void gm_settings_fini(struct gm_settings *settings);

#endif
