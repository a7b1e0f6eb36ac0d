#ifndef GM_CLI_ARGS_H
#define GM_CLI_ARGS_H

#include "common/err.h"

enum gm_command {
    GM_CMD_NONE,
    GM_CMD_JOB, /* a first word alone: it has help and nothing else */
    GM_CMD_NODE,
    GM_CMD_PIPELINE,
    GM_CMD_KEYS,
    GM_CMD_TOKEN,
    GM_CMD_STORAGE,
    GM_CMD_ASSET,
    GM_CMD_UPLOADS,
    GM_CMD_EVENTS,
    GM_CMD_TRANSCODE,
    GM_CMD_PLAN,
    GM_CMD_SUBMIT,
    GM_CMD_UPLOAD,
    GM_CMD_WATCH,
    GM_CMD_JOB_LIST,
    GM_CMD_JOB_SHOW,
    GM_CMD_JOB_CANCEL,
    GM_CMD_JOB_EXPLAIN,
    GM_CMD_JOB_RETRY,
    GM_CMD_JOB_PRIORITY,
    GM_CMD_JOB_TASKS,
    GM_CMD_JOB_ATTEMPTS,
    GM_CMD_JOB_LOGS,
    GM_CMD_JOB_REPORT,
    GM_CMD_JOB_TRACE,
    GM_CMD_NODE_LIST,
    GM_CMD_NODE_SHOW,
    GM_CMD_NODE_DRAIN,
    GM_CMD_NODE_RESUME,
    GM_CMD_NODE_RESTART,
    GM_CMD_NODE_QUARANTINE,
    GM_CMD_PIPELINE_LIST,
    GM_CMD_PIPELINE_SHOW,
    GM_CMD_PIPELINE_CHECK,
    GM_CMD_PIPELINE_STORE,
    GM_CMD_PIPELINE_DELETE,
    GM_CMD_STORAGE_SWEEP,
    GM_CMD_ASSET_LIST,
    GM_CMD_ASSET_SHOW,
    GM_CMD_ASSET_DELETE,
    GM_CMD_UPLOADS_LIST,
    GM_CMD_UPLOADS_SHOW,
    GM_CMD_UPLOADS_DELETE,
    GM_CMD_EVENTS_LIST,
    GM_CMD_EVENTS_REDELIVER,
    GM_CMD_EVENTS_FOLLOW,
    GM_CMD_FARM,
    GM_CMD_KEYS_MAKE,
    GM_CMD_KEYS_LIST,
    GM_CMD_KEYS_ROTATE,
    GM_CMD_KEYS_REVOKE,
    GM_CMD_TOKEN_NEW,
    GM_CMD_TOKEN_LIST,
    GM_CMD_TOKEN_REVOKE,
    GM_CMD_DEVICES,
    GM_CMD_TOP,
    GM_CMD_DOCTOR,
    GM_CMD_COMPLETION,
    GM_CMD_VERSION,
};

#define GM_ARGS_PARALLEL 64
#define GM_ARGS_OPERANDS 64 /* of a command that takes several */

/* The command line, parsed. Strings are borrowed from argv or the environment. */
struct gm_args {
    enum gm_command command;
    bool help;           /* help on `command` (NONE: on all) was asked for */
    const char *operand; /* INPUT, ID, NAME or FILE; NULL where the command takes none */
    const char *operands[GM_ARGS_OPERANDS]; /* the same and the others, where it takes several */
    size_t operand_count;
    const char *out;        /* folder for the result; job trace: the file */
    const char *pipeline;   /* name or file; default "vod-h264"; job list: NULL: of all */
    const char *query;      /* lists: part of a name; NULL: all */
    const char *scheduler;  /* cli/session.h; NULL: embedded farm */
    const char *ca;         /* PEM of who signed its certificate; NULL: the system's */
    const char *token_file; /* with the token that it wants; NULL: none */
    const char *state;      /* embedded farm: folder that is kept; job list: state to show;
                               devices: a node's folder with proofs */
    const char *sysfs_root; /* devices: a machine's files below a folder; NULL: this machine */
    const char *external_id;
    const char *webhook; /* submit */
    const char *id;      /* the same */
    const char *device;  /* node quarantine, resume: its id; NULL: the whole node */
    const char *reason;  /* node quarantine */
    const char *tenant;
    const char *deadline;   /* cli/deadline.h; NULL: none */
    const char *keys;       /* keys: their folder, default GM_KEY_FOLDER */
    const char *role;       /* keys make: node, client, admin; token new: submit, operate, admin;
                               NULL: not given */
    const char *file;       /* token: the scheduler's `http_tokens`, default GM_TOKEN_FILE */
    const char *expires;    /* token new; NULL: never */
    int64_t nodes;          /* embedded farm: 1..64, default 1 */
    int64_t priority;       /* 0..100, default 50 */
    int64_t limit;          /* job list, asset list, events list: 1..500, default 100 */
    int64_t at_once;        /* node restart: 1..64, default 1 */
    int64_t timeout;        /* node restart: seconds a node, default 3600 */
    int64_t hours;          /* keys rotate: how long old keys are taken yet, default 24 */
    int64_t parallel;       /* upload, submit: parts at once, 1..GM_ARGS_PARALLEL, default 4 */
    const char *storage_ca; /* upload, submit: PEM of who signs the store's certificate */
    bool no_upload;         /* submit: INPUT is a path that nodes see */
    bool verbose;
    bool watch;
    bool replace;       /* transcode, submit */
    const char *backup; /* the same */
    bool dry_run;       /* storage sweep */
    bool devices;       /* embedded farm: its first node uses this machine's */
    bool prove;         /* of the command devices */
    bool all;           /* node restart, events redeliver */
    bool force;         /* node restart, asset delete */
    bool once;          /* top: one frame, and the end */
    const char *config; /* doctor: of a scheduler or node; NULL: those of the usual places */
    bool dead, waiting; /* events list */
    const char *after;  /* events follow: an event's id; NULL: from now on */
    bool json;
    bool quiet;
};

#define GM_DEFAULT_PIPELINE "vod-h264"

/* env_scheduler: GOPMILL_SCHEDULER's value or NULL; --scheduler goes before it. transcode, plan,
 * `pipeline list` and `pipeline show|check` run without a scheduler; the others need one.
 * Errors: INVAL with what is wrong and, for a misspelt word, a suggestion. out is untouched then.
 */
int gm_args_parse(int argc, char *const *argv, const char *env_scheduler, struct gm_args *out,
                  struct gm_err *err) GM_MUST_CHECK;

/* --json stands among the options, whatever is wrong with the others. Thread: any. */
bool gm_args_has_json(int argc, char *const *argv);
/* Help text of a command; GM_CMD_NONE: the overview. Static. */
const char *gm_args_help(enum gm_command command);

#endif
