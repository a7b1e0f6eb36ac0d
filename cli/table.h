#ifndef GM_CLI_TABLE_H
#define GM_CLI_TABLE_H

#include "cli/args.h"

/* The commands and the options that there are. What reads a command line, and what completes one,
 * goes by these two tables alone. */

enum gm_option_type { GM_OPTION_TEXT, GM_OPTION_NUMBER, GM_OPTION_FLAG };

struct gm_option {
    const char *name; /* with its dashes */
    uint64_t bit;
    enum gm_option_type type;
    size_t offset;     /* of its member of struct gm_args */
    int64_t min, max;  /* of a number */
    const char *value; /* what its value is: "FILE", "DIR", "PIPELINE", "DEVICE", or words with
                          '|' between; NULL: nothing to complete */
};

struct gm_command_row {
    enum gm_command command;
    const char *word;    /* first word */
    const char *sub;     /* second word; NULL: has none; "": the row of the first word alone */
    const char *operand; /* what it is called in messages, and what completes it: "JOB", "NODE",
                            "UPLOAD", "FILE", ...; NULL: none */
    const char *second;  /* the same of a second operand; NULL: none */
    uint64_t options;    /* bits */
    unsigned flags;      /* of those below */
};

#define GM_NEEDS_OUT 1u     /* --out */
#define GM_NEEDS_FARM 2u    /* a scheduler that runs */
#define GM_TAKES_SEVERAL 4u /* operands, or --all instead */
#define GM_MAY_LACK 8u      /* its operand */

/* In the order of help; of one first word all rows stand together, the bare one last. */
#define GM_TABLE_COMMANDS 96 /* at most */
#define GM_TABLE_OPTIONS 64
extern const struct gm_command_row GM_COMMANDS[];
extern const size_t GM_COMMAND_COUNT;
extern const struct gm_option GM_OPTIONS[];
extern const size_t GM_OPTION_COUNT;

#define GM_JOB_STATES "queued|running|publishing|done|failed|cancelling|cancelled"

/* Bits of options. */
#define GM_OPT_OUT (UINT64_C(1) << 0)
#define GM_OPT_PIPELINE (UINT64_C(1) << 1)
#define GM_OPT_NODES (UINT64_C(1) << 2)
#define GM_OPT_STATE (UINT64_C(1) << 3)
#define GM_OPT_PRIORITY (UINT64_C(1) << 4)
#define GM_OPT_EXTERNAL_ID (UINT64_C(1) << 5)
#define GM_OPT_LIMIT (UINT64_C(1) << 6)
#define GM_OPT_WATCH (UINT64_C(1) << 7)
#define GM_OPT_SCHEDULER (UINT64_C(1) << 8)
#define GM_OPT_JSON (UINT64_C(1) << 9)
#define GM_OPT_QUIET (UINT64_C(1) << 10)
#define GM_OPT_HELP (UINT64_C(1) << 11)
#define GM_OPT_PROVE (UINT64_C(1) << 12)
#define GM_OPT_SYSFS_ROOT (UINT64_C(1) << 13)
#define GM_OPT_DEVICES (UINT64_C(1) << 14)
#define GM_OPT_TENANT (UINT64_C(1) << 15)
#define GM_OPT_DEADLINE (UINT64_C(1) << 16)
#define GM_OPT_PARALLEL (UINT64_C(1) << 17)
#define GM_OPT_STORAGE_CA (UINT64_C(1) << 18)
#define GM_OPT_NO_UPLOAD (UINT64_C(1) << 19)
#define GM_OPT_DEVICE (UINT64_C(1) << 20)
#define GM_OPT_REASON (UINT64_C(1) << 21)
#define GM_OPT_VERBOSE (UINT64_C(1) << 22)
#define GM_OPT_REPLACE (UINT64_C(1) << 23)
#define GM_OPT_KEYS (UINT64_C(1) << 24)
#define GM_OPT_ROLE (UINT64_C(1) << 25)
#define GM_OPT_HOURS (UINT64_C(1) << 26)
#define GM_OPT_ALL (UINT64_C(1) << 27)
#define GM_OPT_AT_ONCE (UINT64_C(1) << 28)
#define GM_OPT_TIMEOUT (UINT64_C(1) << 29)
#define GM_OPT_FORCE (UINT64_C(1) << 30)
#define GM_OPT_DRY_RUN (UINT64_C(1) << 31)
#define GM_OPT_CA (UINT64_C(1) << 32)
#define GM_OPT_TOKEN_FILE (UINT64_C(1) << 33)
#define GM_OPT_FILE (UINT64_C(1) << 34)
#define GM_OPT_EXPIRES (UINT64_C(1) << 35)
#define GM_OPT_BACKUP (UINT64_C(1) << 36)
#define GM_OPT_QUERY (UINT64_C(1) << 37)
#define GM_OPT_ONCE (UINT64_C(1) << 38)
#define GM_OPT_DEAD (UINT64_C(1) << 39)
#define GM_OPT_WAITING (UINT64_C(1) << 40)
#define GM_OPT_AFTER (UINT64_C(1) << 41)
#define GM_OPT_CONFIG (UINT64_C(1) << 42)
#define GM_OPT_WEBHOOK (UINT64_C(1) << 46)
#define GM_OPT_ID (UINT64_C(1) << 47)
#define GM_OPT_OFFLINE (GM_OPT_JSON | GM_OPT_QUIET | GM_OPT_HELP)
#define GM_OPT_SENDS (GM_OPT_PARALLEL | GM_OPT_STORAGE_CA | GM_OPT_VERBOSE)
#define GM_OPT_COMMON (GM_OPT_SCHEDULER | GM_OPT_CA | GM_OPT_TOKEN_FILE | GM_OPT_OFFLINE)

#endif
