#include "cli/table.h"

#include <stddef.h>

#define TEXT(name, bit, member, value)                                                             \
    {                                                                                              \
        name, GM_OPT_##bit, GM_OPTION_TEXT, offsetof(struct gm_args, member), 0, 0, value          \
    }
#define NUMBER(name, bit, member, min, max)                                                        \
    {                                                                                              \
        name, GM_OPT_##bit, GM_OPTION_NUMBER, offsetof(struct gm_args, member), min, max, NULL     \
    }
#define FLAG(name, bit, member)                                                                    \
    {                                                                                              \
        name, GM_OPT_##bit, GM_OPTION_FLAG, offsetof(struct gm_args, member), 0, 0, NULL           \
    }

const struct gm_option GM_OPTIONS[] = {
    TEXT("--out", OUT, out, "DIR"),
    TEXT("--pipeline", PIPELINE, pipeline, "PIPELINE"),
    NUMBER("--nodes", NODES, nodes, 1, 64),
    FLAG("--devices", DEVICES, devices),
    TEXT("--state", STATE, state, "DIR"),
    NUMBER("--priority", PRIORITY, priority, 0, 100),
    TEXT("--external-id", EXTERNAL_ID, external_id, NULL),
    TEXT("--query", QUERY, query, NULL),
    TEXT("--tenant", TENANT, tenant, NULL),
    TEXT("--deadline", DEADLINE, deadline, NULL),
    NUMBER("--limit", LIMIT, limit, 1, 500),
    FLAG("--replace", REPLACE, replace),
    TEXT("--backup", BACKUP, backup, NULL),
    TEXT("--webhook", WEBHOOK, webhook, NULL),
    TEXT("--id", ID, id, NULL),
    FLAG("--watch", WATCH, watch),
    FLAG("--prove", PROVE, prove),
    TEXT("--sysfs-root", SYSFS_ROOT, sysfs_root, "DIR"),
    TEXT("--device", DEVICE, device, NULL),
    TEXT("--reason", REASON, reason, NULL),
    TEXT("--keys", KEYS, keys, "DIR"),
    TEXT("--role", ROLE, role, NULL),
    NUMBER("--hours", HOURS, hours, 0, 8760),
    FLAG("--all", ALL, all),
    NUMBER("--at-once", AT_ONCE, at_once, 1, 64),
    NUMBER("--timeout", TIMEOUT, timeout, 1, 604800),
    FLAG("--force", FORCE, force),
    FLAG("--dry-run", DRY_RUN, dry_run),
    NUMBER("--parallel", PARALLEL, parallel, 1, GM_ARGS_PARALLEL),
    TEXT("--storage-ca", STORAGE_CA, storage_ca, "FILE"),
    FLAG("--no-upload", NO_UPLOAD, no_upload),
    FLAG("--verbose", VERBOSE, verbose),
    TEXT("--scheduler", SCHEDULER, scheduler, NULL),
    TEXT("--ca", CA, ca, "FILE"),
    TEXT("--token-file", TOKEN_FILE, token_file, "FILE"),
    TEXT("--file", FILE, file, "FILE"),
    TEXT("--expires", EXPIRES, expires, NULL),
    FLAG("--once", ONCE, once),
    TEXT("--config", CONFIG, config, "FILE"),
    FLAG("--dead", DEAD, dead),
    FLAG("--waiting", WAITING, waiting),
    TEXT("--after", AFTER, after, NULL),
    FLAG("--json", JSON, json),
    FLAG("--quiet", QUIET, quiet),
    FLAG("--help", HELP, help),
};
const size_t GM_OPTION_COUNT = sizeof(GM_OPTIONS) / sizeof(GM_OPTIONS[0]);

const struct gm_command_row GM_COMMANDS[] = {
    {GM_CMD_TRANSCODE, "transcode", NULL, "INPUT", NULL,
     GM_OPT_COMMON | GM_OPT_OUT | GM_OPT_PIPELINE | GM_OPT_NODES | GM_OPT_DEVICES | GM_OPT_STATE |
         GM_OPT_PRIORITY | GM_OPT_EXTERNAL_ID | GM_OPT_REPLACE | GM_OPT_BACKUP,
     GM_NEEDS_OUT},
    {GM_CMD_PLAN, "plan", NULL, "INPUT", NULL,
     GM_OPT_COMMON | GM_OPT_PIPELINE | GM_OPT_DEVICES | GM_OPT_STATE, 0},
    {GM_CMD_SUBMIT, "submit", NULL, "INPUT", NULL,
     GM_OPT_COMMON | GM_OPT_OUT | GM_OPT_PIPELINE | GM_OPT_PRIORITY | GM_OPT_TENANT |
         GM_OPT_DEADLINE | GM_OPT_EXTERNAL_ID | GM_OPT_WEBHOOK | GM_OPT_ID | GM_OPT_WATCH |
         GM_OPT_REPLACE | GM_OPT_BACKUP | GM_OPT_SENDS | GM_OPT_NO_UPLOAD,
     GM_NEEDS_OUT | GM_NEEDS_FARM},
    {GM_CMD_UPLOAD, "upload", NULL, "FILE", NULL, GM_OPT_COMMON | GM_OPT_SENDS | GM_OPT_TENANT,
     GM_NEEDS_FARM},
    {GM_CMD_WATCH, "watch", NULL, "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_LIST, "job", "list", NULL, NULL,
     GM_OPT_COMMON | GM_OPT_STATE | GM_OPT_LIMIT | GM_OPT_TENANT | GM_OPT_PIPELINE |
         GM_OPT_EXTERNAL_ID | GM_OPT_QUERY,
     GM_NEEDS_FARM},
    {GM_CMD_JOB_SHOW, "job", "show", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_CANCEL, "job", "cancel", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_EXPLAIN, "job", "explain", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_RETRY, "job", "retry", "JOB", NULL, GM_OPT_COMMON | GM_OPT_FORCE, GM_NEEDS_FARM},
    {GM_CMD_JOB_PRIORITY, "job", "priority", "JOB", "N", GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_TASKS, "job", "tasks", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_ATTEMPTS, "job", "attempts", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_LOGS, "job", "logs", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_REPORT, "job", "report", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_JOB_TRACE, "job", "trace", "JOB", NULL, GM_OPT_COMMON | GM_OPT_OUT, GM_NEEDS_FARM},
    {GM_CMD_NODE_LIST, "node", "list", NULL, NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_NODE_SHOW, "node", "show", "NODE", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_NODE_DRAIN, "node", "drain", "NODE", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_NODE_RESUME, "node", "resume", "NODE", NULL, GM_OPT_COMMON | GM_OPT_DEVICE,
     GM_NEEDS_FARM},
    {GM_CMD_NODE_RESTART, "node", "restart", "NODE", NULL,
     GM_OPT_COMMON | GM_OPT_ALL | GM_OPT_AT_ONCE | GM_OPT_TIMEOUT | GM_OPT_FORCE,
     GM_NEEDS_FARM | GM_TAKES_SEVERAL},
    {GM_CMD_NODE_QUARANTINE, "node", "quarantine", "NODE", NULL,
     GM_OPT_COMMON | GM_OPT_DEVICE | GM_OPT_REASON, GM_NEEDS_FARM},
    {GM_CMD_PIPELINE_LIST, "pipeline", "list", NULL, NULL, GM_OPT_COMMON, 0},
    {GM_CMD_PIPELINE_SHOW, "pipeline", "show", "NAME", NULL, GM_OPT_COMMON, 0},
    {GM_CMD_PIPELINE_CHECK, "pipeline", "check", "FILE", NULL, GM_OPT_COMMON, 0},
    {GM_CMD_PIPELINE_STORE, "pipeline", "store", "FILE", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_PIPELINE_DELETE, "pipeline", "delete", "NAME", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_ASSET_LIST, "asset", "list", NULL, NULL, GM_OPT_COMMON | GM_OPT_LIMIT | GM_OPT_QUERY,
     GM_NEEDS_FARM},
    {GM_CMD_ASSET_SHOW, "asset", "show", "JOB", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_ASSET_DELETE, "asset", "delete", "JOB", NULL, GM_OPT_COMMON | GM_OPT_FORCE,
     GM_NEEDS_FARM},
    {GM_CMD_UPLOADS_LIST, "uploads", "list", NULL, NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_UPLOADS_SHOW, "uploads", "show", "UPLOAD", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_UPLOADS_DELETE, "uploads", "delete", "UPLOAD", NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_EVENTS_LIST, "events", "list", NULL, NULL,
     GM_OPT_COMMON | GM_OPT_DEAD | GM_OPT_WAITING | GM_OPT_LIMIT, GM_NEEDS_FARM},
    {GM_CMD_EVENTS_REDELIVER, "events", "redeliver", "JOB|ID", NULL, GM_OPT_COMMON | GM_OPT_ALL,
     GM_NEEDS_FARM},
    {GM_CMD_EVENTS_FOLLOW, "events", "follow", NULL, NULL, GM_OPT_COMMON | GM_OPT_AFTER,
     GM_NEEDS_FARM},
    {GM_CMD_FARM, "farm", NULL, NULL, NULL, GM_OPT_COMMON, GM_NEEDS_FARM},
    {GM_CMD_STORAGE_SWEEP, "storage", "sweep", NULL, NULL, GM_OPT_COMMON | GM_OPT_DRY_RUN,
     GM_NEEDS_FARM},
    {GM_CMD_KEYS_MAKE, "keys", "make", "NAME", NULL, GM_OPT_OFFLINE | GM_OPT_KEYS | GM_OPT_ROLE, 0},
    {GM_CMD_KEYS_LIST, "keys", "list", NULL, NULL, GM_OPT_OFFLINE | GM_OPT_KEYS, 0},
    {GM_CMD_KEYS_ROTATE, "keys", "rotate", "NAME", NULL,
     GM_OPT_OFFLINE | GM_OPT_KEYS | GM_OPT_HOURS, 0},
    {GM_CMD_KEYS_REVOKE, "keys", "revoke", "NAME", NULL, GM_OPT_OFFLINE | GM_OPT_KEYS, 0},
    {GM_CMD_TOKEN_NEW, "token", "new", "ID", NULL,
     GM_OPT_OFFLINE | GM_OPT_FILE | GM_OPT_ROLE | GM_OPT_TENANT | GM_OPT_EXPIRES, GM_MAY_LACK},
    {GM_CMD_TOKEN_LIST, "token", "list", NULL, NULL, GM_OPT_OFFLINE | GM_OPT_FILE, 0},
    {GM_CMD_TOKEN_REVOKE, "token", "revoke", "ID", NULL, GM_OPT_OFFLINE | GM_OPT_FILE, 0},
    {GM_CMD_JOB, "job", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_NODE, "node", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_PIPELINE, "pipeline", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_STORAGE, "storage", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_ASSET, "asset", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_UPLOADS, "uploads", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_EVENTS, "events", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_KEYS, "keys", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_TOKEN, "token", "", NULL, NULL, GM_OPT_HELP, 0},
    {GM_CMD_DEVICES, "devices", NULL, NULL, NULL,
     GM_OPT_JSON | GM_OPT_QUIET | GM_OPT_HELP | GM_OPT_STATE | GM_OPT_PROVE | GM_OPT_SYSFS_ROOT, 0},
    {GM_CMD_TOP, "top", NULL, NULL, NULL, GM_OPT_COMMON | GM_OPT_ONCE, GM_NEEDS_FARM},
    {GM_CMD_DOCTOR, "doctor", NULL, NULL, NULL, GM_OPT_COMMON | GM_OPT_STATE | GM_OPT_CONFIG, 0},
    {GM_CMD_COMPLETION, "completion", NULL, "SHELL", NULL, GM_OPT_HELP, GM_TAKES_SEVERAL},
    {GM_CMD_VERSION, "version", NULL, NULL, NULL, GM_OPT_JSON | GM_OPT_QUIET | GM_OPT_HELP, 0},
};
const size_t GM_COMMAND_COUNT = sizeof(GM_COMMANDS) / sizeof(GM_COMMANDS[0]);

_Static_assert(sizeof(GM_OPTIONS) / sizeof(GM_OPTIONS[0]) <= GM_TABLE_OPTIONS, "GM_TABLE_OPTIONS");
_Static_assert(sizeof(GM_COMMANDS) / sizeof(GM_COMMANDS[0]) <= GM_TABLE_COMMANDS,
               "GM_TABLE_COMMANDS");
