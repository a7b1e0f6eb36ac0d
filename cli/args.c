/* The command line: two tables, commands and options, and a walk over argv.
 *
 * Options may stand anywhere, as `--name value` or `--name=value`; `--` ends them. An option that
 * a command does not take is refused, never ignored.
 */
#include "cli/args.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/key_folder.h"
#include "cli/token_file.h"
#include "common/yaml.h"
#include "proto/envelope.h"

/* Bits of options. */
#define OPT_OUT (UINT64_C(1) << 0)
#define OPT_PIPELINE (UINT64_C(1) << 1)
#define OPT_NODES (UINT64_C(1) << 2)
#define OPT_STATE (UINT64_C(1) << 3)
#define OPT_PRIORITY (UINT64_C(1) << 4)
#define OPT_EXTERNAL_ID (UINT64_C(1) << 5)
#define OPT_LIMIT (UINT64_C(1) << 6)
#define OPT_WATCH (UINT64_C(1) << 7)
#define OPT_SCHEDULER (UINT64_C(1) << 8)
#define OPT_JSON (UINT64_C(1) << 9)
#define OPT_QUIET (UINT64_C(1) << 10)
#define OPT_HELP (UINT64_C(1) << 11)
#define OPT_PROVE (UINT64_C(1) << 12)
#define OPT_SYSFS_ROOT (UINT64_C(1) << 13)
#define OPT_DEVICES (UINT64_C(1) << 14)
#define OPT_TENANT (UINT64_C(1) << 15)
#define OPT_DEADLINE (UINT64_C(1) << 16)
#define OPT_PARALLEL (UINT64_C(1) << 17)
#define OPT_STORAGE_CA (UINT64_C(1) << 18)
#define OPT_NO_UPLOAD (UINT64_C(1) << 19)
#define OPT_DEVICE (UINT64_C(1) << 20)
#define OPT_REASON (UINT64_C(1) << 21)
#define OPT_VERBOSE (UINT64_C(1) << 22)
#define OPT_REPLACE (UINT64_C(1) << 23)
#define OPT_KEYS (UINT64_C(1) << 24)
#define OPT_ROLE (UINT64_C(1) << 25)
#define OPT_HOURS (UINT64_C(1) << 26)
#define OPT_ALL (UINT64_C(1) << 27)
#define OPT_AT_ONCE (UINT64_C(1) << 28)
#define OPT_TIMEOUT (UINT64_C(1) << 29)
#define OPT_FORCE (UINT64_C(1) << 30)
#define OPT_DRY_RUN (UINT64_C(1) << 31)
#define OPT_CA (UINT64_C(1) << 32)
#define OPT_TOKEN_FILE (UINT64_C(1) << 33)
#define OPT_FILE (UINT64_C(1) << 34)
#define OPT_EXPIRES (UINT64_C(1) << 35)
#define OPT_BACKUP (UINT64_C(1) << 36)
#define OPT_OFFLINE (OPT_JSON | OPT_QUIET | OPT_HELP)
#define OPT_SENDS (OPT_PARALLEL | OPT_STORAGE_CA | OPT_VERBOSE)
#define OPT_COMMON (OPT_SCHEDULER | OPT_CA | OPT_TOKEN_FILE | OPT_OFFLINE)

enum option_type { TYPE_TEXT, TYPE_NUMBER, TYPE_FLAG };

static const struct option {
    const char *name;
    uint64_t bit;
    enum option_type type;
    size_t offset;
    int64_t min, max;
} OPTIONS[] = {
    {"--out", OPT_OUT, TYPE_TEXT, offsetof(struct gm_args, out), 0, 0},
    {"--pipeline", OPT_PIPELINE, TYPE_TEXT, offsetof(struct gm_args, pipeline), 0, 0},
    {"--nodes", OPT_NODES, TYPE_NUMBER, offsetof(struct gm_args, nodes), 1, 64},
    {"--devices", OPT_DEVICES, TYPE_FLAG, offsetof(struct gm_args, devices), 0, 0},
    {"--state", OPT_STATE, TYPE_TEXT, offsetof(struct gm_args, state), 0, 0},
    {"--priority", OPT_PRIORITY, TYPE_NUMBER, offsetof(struct gm_args, priority), 0, 100},
    {"--external-id", OPT_EXTERNAL_ID, TYPE_TEXT, offsetof(struct gm_args, external_id), 0, 0},
    {"--tenant", OPT_TENANT, TYPE_TEXT, offsetof(struct gm_args, tenant), 0, 0},
    {"--deadline", OPT_DEADLINE, TYPE_TEXT, offsetof(struct gm_args, deadline), 0, 0},
    {"--limit", OPT_LIMIT, TYPE_NUMBER, offsetof(struct gm_args, limit), 1, 500},
    {"--replace", OPT_REPLACE, TYPE_FLAG, offsetof(struct gm_args, replace), 0, 0},
    {"--backup", OPT_BACKUP, TYPE_TEXT, offsetof(struct gm_args, backup), 0, 0},
    {"--watch", OPT_WATCH, TYPE_FLAG, offsetof(struct gm_args, watch), 0, 0},
    {"--prove", OPT_PROVE, TYPE_FLAG, offsetof(struct gm_args, prove), 0, 0},
    {"--sysfs-root", OPT_SYSFS_ROOT, TYPE_TEXT, offsetof(struct gm_args, sysfs_root), 0, 0},
    {"--device", OPT_DEVICE, TYPE_TEXT, offsetof(struct gm_args, device), 0, 0},
    {"--reason", OPT_REASON, TYPE_TEXT, offsetof(struct gm_args, reason), 0, 0},
    {"--keys", OPT_KEYS, TYPE_TEXT, offsetof(struct gm_args, keys), 0, 0},
    {"--role", OPT_ROLE, TYPE_TEXT, offsetof(struct gm_args, role), 0, 0},
    {"--hours", OPT_HOURS, TYPE_NUMBER, offsetof(struct gm_args, hours), 0, 8760},
    {"--all", OPT_ALL, TYPE_FLAG, offsetof(struct gm_args, all), 0, 0},
    {"--at-once", OPT_AT_ONCE, TYPE_NUMBER, offsetof(struct gm_args, at_once), 1, 64},
    {"--timeout", OPT_TIMEOUT, TYPE_NUMBER, offsetof(struct gm_args, timeout), 1, 604800},
    {"--force", OPT_FORCE, TYPE_FLAG, offsetof(struct gm_args, force), 0, 0},
    {"--dry-run", OPT_DRY_RUN, TYPE_FLAG, offsetof(struct gm_args, dry_run), 0, 0},
    {"--parallel", OPT_PARALLEL, TYPE_NUMBER, offsetof(struct gm_args, parallel), 1,
     GM_ARGS_PARALLEL},
    {"--storage-ca", OPT_STORAGE_CA, TYPE_TEXT, offsetof(struct gm_args, storage_ca), 0, 0},
    {"--no-upload", OPT_NO_UPLOAD, TYPE_FLAG, offsetof(struct gm_args, no_upload), 0, 0},
    {"--verbose", OPT_VERBOSE, TYPE_FLAG, offsetof(struct gm_args, verbose), 0, 0},
    {"--scheduler", OPT_SCHEDULER, TYPE_TEXT, offsetof(struct gm_args, scheduler), 0, 0},
    {"--ca", OPT_CA, TYPE_TEXT, offsetof(struct gm_args, ca), 0, 0},
    {"--token-file", OPT_TOKEN_FILE, TYPE_TEXT, offsetof(struct gm_args, token_file), 0, 0},
    {"--file", OPT_FILE, TYPE_TEXT, offsetof(struct gm_args, file), 0, 0},
    {"--expires", OPT_EXPIRES, TYPE_TEXT, offsetof(struct gm_args, expires), 0, 0},
    {"--json", OPT_JSON, TYPE_FLAG, offsetof(struct gm_args, json), 0, 0},
    {"--quiet", OPT_QUIET, TYPE_FLAG, offsetof(struct gm_args, quiet), 0, 0},
    {"--help", OPT_HELP, TYPE_FLAG, offsetof(struct gm_args, help), 0, 0},
};

static const struct command {
    enum gm_command command;
    const char *word;    /* first word */
    const char *sub;     /* second word; NULL: has none; "": the row of the first word alone */
    const char *operand; /* what it is called in messages; NULL: none */
    uint64_t options;
    bool out_needed;
    bool scheduler_needed;
} COMMANDS[] = {
    {GM_CMD_TRANSCODE, "transcode", NULL, "INPUT",
     OPT_COMMON | OPT_OUT | OPT_PIPELINE | OPT_NODES | OPT_DEVICES | OPT_STATE | OPT_PRIORITY |
         OPT_EXTERNAL_ID | OPT_REPLACE | OPT_BACKUP,
     true, false},
    {GM_CMD_PLAN, "plan", NULL, "INPUT", OPT_COMMON | OPT_PIPELINE | OPT_DEVICES | OPT_STATE, false,
     false},
    {GM_CMD_SUBMIT, "submit", NULL, "INPUT",
     OPT_COMMON | OPT_OUT | OPT_PIPELINE | OPT_PRIORITY | OPT_TENANT | OPT_DEADLINE |
         OPT_EXTERNAL_ID | OPT_WATCH | OPT_REPLACE | OPT_BACKUP | OPT_SENDS | OPT_NO_UPLOAD,
     true, true},
    {GM_CMD_UPLOAD, "upload", NULL, "FILE", OPT_COMMON | OPT_SENDS | OPT_TENANT, false, true},
    {GM_CMD_WATCH, "watch", NULL, "JOB", OPT_COMMON, false, true},
    {GM_CMD_JOB_LIST, "job", "list", NULL, OPT_COMMON | OPT_STATE | OPT_LIMIT, false, true},
    {GM_CMD_JOB_SHOW, "job", "show", "JOB", OPT_COMMON, false, true},
    {GM_CMD_JOB_CANCEL, "job", "cancel", "JOB", OPT_COMMON, false, true},
    {GM_CMD_JOB_EXPLAIN, "job", "explain", "JOB", OPT_COMMON, false, true},
    {GM_CMD_NODE_LIST, "node", "list", NULL, OPT_COMMON, false, true},
    {GM_CMD_NODE_SHOW, "node", "show", "NODE", OPT_COMMON, false, true},
    {GM_CMD_NODE_DRAIN, "node", "drain", "NODE", OPT_COMMON, false, true},
    {GM_CMD_NODE_RESUME, "node", "resume", "NODE", OPT_COMMON | OPT_DEVICE, false, true},
    {GM_CMD_NODE_RESTART, "node", "restart", "NODE",
     OPT_COMMON | OPT_ALL | OPT_AT_ONCE | OPT_TIMEOUT | OPT_FORCE, false, true},
    {GM_CMD_NODE_QUARANTINE, "node", "quarantine", "NODE", OPT_COMMON | OPT_DEVICE | OPT_REASON,
     false, true},
    {GM_CMD_PIPELINE_LIST, "pipeline", "list", NULL, OPT_COMMON, false, false},
    {GM_CMD_PIPELINE_SHOW, "pipeline", "show", "NAME", OPT_COMMON, false, false},
    {GM_CMD_PIPELINE_CHECK, "pipeline", "check", "FILE", OPT_COMMON, false, false},
    {GM_CMD_STORAGE_SWEEP, "storage", "sweep", NULL, OPT_COMMON | OPT_DRY_RUN, false, true},
    {GM_CMD_KEYS_MAKE, "keys", "make", "NAME", OPT_OFFLINE | OPT_KEYS | OPT_ROLE, false, false},
    {GM_CMD_KEYS_LIST, "keys", "list", NULL, OPT_OFFLINE | OPT_KEYS, false, false},
    {GM_CMD_KEYS_ROTATE, "keys", "rotate", "NAME", OPT_OFFLINE | OPT_KEYS | OPT_HOURS, false,
     false},
    {GM_CMD_KEYS_REVOKE, "keys", "revoke", "NAME", OPT_OFFLINE | OPT_KEYS, false, false},
    {GM_CMD_TOKEN_NEW, "token", "new", "ID",
     OPT_OFFLINE | OPT_FILE | OPT_ROLE | OPT_TENANT | OPT_EXPIRES, false, false},
    {GM_CMD_TOKEN_LIST, "token", "list", NULL, OPT_OFFLINE | OPT_FILE, false, false},
    {GM_CMD_TOKEN_REVOKE, "token", "revoke", "ID", OPT_OFFLINE | OPT_FILE, false, false},
    {GM_CMD_JOB, "job", "", NULL, OPT_HELP, false, false},
    {GM_CMD_NODE, "node", "", NULL, OPT_HELP, false, false},
    {GM_CMD_PIPELINE, "pipeline", "", NULL, OPT_HELP, false, false},
    {GM_CMD_STORAGE, "storage", "", NULL, OPT_HELP, false, false},
    {GM_CMD_KEYS, "keys", "", NULL, OPT_HELP, false, false},
    {GM_CMD_TOKEN, "token", "", NULL, OPT_HELP, false, false},
    {GM_CMD_DEVICES, "devices", NULL, NULL,
     OPT_JSON | OPT_QUIET | OPT_HELP | OPT_STATE | OPT_PROVE | OPT_SYSFS_ROOT, false, false},
    {GM_CMD_VERSION, "version", NULL, NULL, OPT_JSON | OPT_QUIET | OPT_HELP, false, false},
};
#define COMMAND_COUNT (sizeof(COMMANDS) / sizeof(COMMANDS[0]))
#define OPTION_COUNT (sizeof(OPTIONS) / sizeof(OPTIONS[0]))

struct parse {
    struct gm_args args;
    uint64_t given; /* bits of options seen */
    const char *words[2 + GM_ARGS_OPERANDS];
    size_t word_count;
};

/* "unknown command `x`, did you mean `y`?"; sub_of: look among the second words of that first. */
static int unknown_word(const char *word, const char *sub_of, struct gm_err *err)
{
    const char *names[COMMAND_COUNT + 2] = {"help"};
    size_t n = sub_of == NULL ? 1 : 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &COMMANDS[i];
        if (sub_of == NULL) {
            names[n++] = c->word;
        } else if (c->sub != NULL && c->sub[0] != '\0' && strcmp(c->word, sub_of) == 0) {
            names[n++] = c->sub;
        }
    }
    const char *near = gm_suggest(word, names);
    return gm_err_set(err, GM_E_INVAL, 0, "unknown command `%s%s%s`%s%s%s",
                      sub_of == NULL ? "" : sub_of, sub_of == NULL ? "" : " ", word,
                      near == NULL ? "" : ", did you mean `", near == NULL ? "" : near,
                      near == NULL ? "" : "`?");
}

static int unknown_option(const char *word, size_t length, struct gm_err *err)
{
    const char *names[OPTION_COUNT + 1] = {NULL};
    char name[64];
    size_t n = length < sizeof(name) ? length : sizeof(name) - 1;
    memcpy(name, word, n);
    name[n] = '\0';
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = OPTIONS[i].name + 2; /* the dashes would make all of them alike */
    }
    if (name[0] == '-' && name[1] != '-') { /* ffmpeg's habit, or a file's name */
        bool file = length > 2;
        return gm_err_set(
            err, GM_E_INVAL, 0,
            "unknown option `%s`: options have two dashes, INPUT stands without one%s%s", name,
            file ? "; a file of this name is ./" : "", file ? name : "");
    }
    const char *near = gm_suggest(name + strspn(name, "-"), names);
    return gm_err_set(err, GM_E_INVAL, 0, "unknown option `%s`%s%s%s", name,
                      near == NULL ? "" : ", did you mean `--", near == NULL ? "" : near,
                      near == NULL ? "" : "`?");
}

static int set_number(struct gm_args *args, const struct option *option, const char *value,
                      struct gm_err *err)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < option->min ||
        number > option->max) {
        return gm_err_set(err, GM_E_INVAL, 0, "%s takes a number from %lld to %lld, not `%s`",
                          option->name, (long long)option->min, (long long)option->max, value);
    }
    *(int64_t *)((char *)args + option->offset) = number;
    return 0;
}

/* One option at argv[*i], with its value; *i is left on the last word used. */
static int take_option(struct parse *p, int argc, char *const *argv, int *i, struct gm_err *err)
{
    const char *word = argv[*i];
    size_t length = strcspn(word, "=");
    const char *value = word[length] == '=' ? word + length + 1 : NULL;
    const struct option *option = NULL;
    if (strcmp(word, "-h") == 0) {
        word = "--help";
        length = strlen(word);
    }
    for (size_t k = 0; k < OPTION_COUNT; k++) {
        if (strlen(OPTIONS[k].name) == length && memcmp(OPTIONS[k].name, word, length) == 0) {
            option = &OPTIONS[k];
        }
    }
    if (option == NULL) {
        return unknown_option(word, length, err);
    }
    if ((p->given & option->bit) != 0 && option->type != TYPE_FLAG) {
        return gm_err_set(err, GM_E_INVAL, 0, "%s is given twice", option->name);
    }
    p->given |= option->bit;
    void *place = (char *)&p->args + option->offset;
    if (option->type == TYPE_FLAG) {
        if (value != NULL) {
            return gm_err_set(err, GM_E_INVAL, 0, "%s takes no value", option->name);
        }
        *(bool *)place = true;
        return 0;
    }
    if (value == NULL && *i + 1 < argc) {
        value = argv[++*i];
    }
    if (value == NULL || value[0] == '\0') {
        return gm_err_set(err, GM_E_INVAL, 0, "%s needs a value", option->name);
    }
    if (option->type == TYPE_NUMBER) {
        return set_number(&p->args, option, value, err);
    }
    *(const char **)place = value;
    return 0;
}

static int take_words(struct parse *p, int argc, char *const *argv, struct gm_err *err)
{
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
        } else if (!options_end && word[0] == '-' && word[1] != '\0') {
            if (strcmp(word, "--version") == 0 && p->word_count == 0) {
                p->words[p->word_count++] = "version";
                continue;
            }
            int rc = take_option(p, argc, argv, &i, err);
            if (rc < 0) {
                return rc;
            }
        } else if (p->word_count == sizeof(p->words) / sizeof(p->words[0])) {
            return gm_err_set(err, GM_E_INVAL, 0, "`%s` is one word too many", word);
        } else {
            p->words[p->word_count++] = word;
        }
    }
    return 0;
}

/* The row for the words given; *out_used of them name it. */
static int find_command(const struct parse *p, const struct command **out, size_t *out_used,
                        struct gm_err *err)
{
    const char *first = p->words[0];
    const char *second = p->word_count > 1 ? p->words[1] : "";
    bool first_known = false;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &COMMANDS[i];
        if (strcmp(c->word, first) != 0) {
            continue;
        }
        first_known = true;
        if (c->sub == NULL || strcmp(c->sub, second) == 0) {
            *out = c;
            *out_used = c->sub == NULL || second[0] == '\0' ? 1 : 2;
            return 0;
        }
    }
    return unknown_word(first_known ? second : first, first_known ? first : NULL, err);
}

/* "a, b or c": the second words of that first one. */
static void list_seconds(const char *first, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &COMMANDS[i];
        if (strcmp(c->word, first) == 0 && c->sub[0] != '\0' && used < size) {
            bool last = strcmp(COMMANDS[i + 1].word, first) != 0 || COMMANDS[i + 1].sub[0] == '\0';
            int n = snprintf(out + used, size - used, "%s%s",
                             used == 0 ? ""
                             : last    ? " or "
                                       : ", ",
                             c->sub);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

static int check_options(const struct parse *p, const struct command *c, struct gm_err *err)
{
    if (c->sub != NULL && c->sub[0] == '\0') {
        char seconds[80];
        list_seconds(c->word, seconds, sizeof(seconds));
        return gm_err_set(err, GM_E_INVAL, 0, "`gopmill %s` needs a second word: %s", c->word,
                          seconds);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((p->given & OPTIONS[i].bit & ~c->options) != 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "`gopmill %s%s%s` takes no %s", c->word,
                              c->sub == NULL ? "" : " ", c->sub == NULL ? "" : c->sub,
                              OPTIONS[i].name);
        }
    }
    if (c->out_needed && p->args.out == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "--out DIR is missing: where shall the result go?");
    }
    if (c->command == GM_CMD_NODE_QUARANTINE && p->args.reason == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "--reason TEXT is missing: others will ask for it");
    }
    if (c->scheduler_needed && p->args.scheduler == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "--scheduler URL is missing (or set GOPMILL_SCHEDULER); `gopmill "
                          "transcode` and `plan` run without one");
    }
    uint64_t farm_only = (OPT_NODES | OPT_DEVICES | OPT_STATE) & p->given;
    if (c->command != GM_CMD_JOB_LIST && farm_only != 0 && p->args.scheduler != NULL) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "%s is for the farm that gopmill starts itself; with --scheduler or "
                          "GOPMILL_SCHEDULER there is none",
                          (farm_only & OPT_NODES) != 0     ? "--nodes"
                          : (farm_only & OPT_DEVICES) != 0 ? "--devices"
                                                           : "--state");
    }
    return 0;
}

static int check_words(const struct parse *p, const struct command *c, size_t used,
                       struct gm_err *err)
{
    bool several = c->command == GM_CMD_NODE_RESTART;
    bool may_lack = c->command == GM_CMD_TOKEN_NEW && p->word_count == used;
    size_t wanted = used + (c->operand == NULL || (several && p->args.all) || may_lack ? 0 : 1);
    if (several && p->args.all && p->word_count > wanted) {
        return gm_err_set(err, GM_E_INVAL, 0, "--all and `%s`: name nodes, or all of them",
                          p->words[wanted]);
    }
    if (p->word_count > wanted && !several) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%s` is one word too many", p->words[wanted]);
    }
    if (p->word_count < wanted) {
        return gm_err_set(err, GM_E_INVAL, 0, "%s%s is missing: see gopmill %s%s%s --help",
                          c->operand, several ? " (or --all)" : "", c->word,
                          c->sub == NULL ? "" : " ", c->sub == NULL ? "" : c->sub);
    }
    for (size_t i = used; i < p->word_count; i++) {
        if (p->words[i][0] == '\0') {
            return gm_err_set(err, GM_E_INVAL, 0, "%s is empty", c->operand);
        }
        if (c->operand != NULL && strcmp(c->operand, "NODE") == 0 && !gm_is_node_id(p->words[i])) {
            return gm_err_set(err, GM_E_INVAL, 0,
                              "no node is called `%.64s`: names of nodes are of [a-z0-9-], as "
                              "gopmill node list shows them",
                              p->words[i]);
        }
    }
    return 0;
}

/* "help [COMMAND]" is "[COMMAND] --help". */
static void take_help_word(struct parse *p)
{
    if (strcmp(p->words[0], "help") == 0) {
        p->args.help = true;
        memmove(p->words, p->words + 1, sizeof(p->words) - sizeof(p->words[0]));
        p->word_count--;
    }
}

bool gm_args_has_json(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

int gm_args_parse(int argc, char *const *argv, const char *env_scheduler, struct gm_args *out,
                  struct gm_err *err)
{
    const struct command *c = NULL;
    size_t used = 0;
    struct parse p = {.args = {.pipeline = GM_DEFAULT_PIPELINE,
                               .nodes = 1,
                               .priority = 50,
                               .limit = 100,
                               .at_once = 1,
                               .timeout = 3600,
                               .parallel = 4,
                               .keys = GM_KEY_FOLDER,
                               .file = GM_TOKEN_FILE,
                               .hours = 24}};
    int rc = take_words(&p, argc, argv, err);
    if (rc < 0) {
        return rc;
    }
    if (p.word_count == 0) {
        if (!p.args.help) {
            return gm_err_set(err, GM_E_INVAL, 0, "no command given: see gopmill --help");
        }
        *out = p.args;
        return 0;
    }
    take_help_word(&p);
    rc = p.word_count == 0 ? 0 : find_command(&p, &c, &used, err);
    if (rc < 0) {
        return rc;
    }
    if (c == NULL) {
        *out = p.args;
        return 0;
    }
    p.args.command = c->command;
    if (p.args.help) {
        *out = p.args;
        return 0;
    }
    if (p.args.scheduler == NULL && env_scheduler != NULL && env_scheduler[0] != '\0' &&
        (c->options & OPT_SCHEDULER) != 0) {
        p.args.scheduler = env_scheduler;
    }
    rc = check_words(&p, c, used, err);
    if (rc == 0) {
        rc = check_options(&p, c, err);
    }
    if (rc < 0) {
        return rc;
    }
    p.args.operand = p.word_count > used ? p.words[used] : NULL;
    for (size_t i = used; i < p.word_count && i - used < GM_ARGS_OPERANDS; i++) {
        p.args.operands[p.args.operand_count++] = p.words[i];
    }
    *out = p.args;
    return 0;
}
