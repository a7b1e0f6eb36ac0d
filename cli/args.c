/* The command line: a walk over argv, by the two tables of cli/table.h.
 *
 * Options may stand anywhere, as `--name value` or `--name=value`; `--` ends them. An option that
 * a command does not take is refused, never ignored.
 */
#include "cli/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/key_folder.h"
#include "cli/table.h"
#include "cli/token_file.h"
#include "common/yaml.h"
#include "proto/envelope.h"

struct parse {
    struct gm_args args;
    uint64_t given; /* bits of options seen */
    const char *words[2 + GM_ARGS_OPERANDS];
    size_t word_count;
};

/* "unknown command `x`, did you mean `y`?"; sub_of: look among the second words of that first. */
static int unknown_word(const char *word, const char *sub_of, struct gm_err *err)
{
    const char *names[GM_TABLE_COMMANDS + 2] = {"help"};
    size_t n = sub_of == NULL ? 1 : 0;
    for (size_t i = 0; i < GM_COMMAND_COUNT; i++) {
        const struct gm_command_row *c = &GM_COMMANDS[i];
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
    const char *names[GM_TABLE_OPTIONS + 1] = {NULL};
    char name[64];
    size_t n = length < sizeof(name) ? length : sizeof(name) - 1;
    memcpy(name, word, n);
    name[n] = '\0';
    for (size_t i = 0; i < GM_OPTION_COUNT; i++) {
        names[i] = GM_OPTIONS[i].name + 2; /* the dashes would make all of them alike */
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

static int set_number(struct gm_args *args, const struct gm_option *option, const char *value,
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
    const struct gm_option *option = NULL;
    if (strcmp(word, "-h") == 0) {
        word = "--help";
        length = strlen(word);
    }
    for (size_t k = 0; k < GM_OPTION_COUNT; k++) {
        if (strlen(GM_OPTIONS[k].name) == length && memcmp(GM_OPTIONS[k].name, word, length) == 0) {
            option = &GM_OPTIONS[k];
        }
    }
    if (option == NULL) {
        return unknown_option(word, length, err);
    }
    if ((p->given & option->bit) != 0 && option->type != GM_OPTION_FLAG) {
        return gm_err_set(err, GM_E_INVAL, 0, "%s is given twice", option->name);
    }
    p->given |= option->bit;
    void *place = (char *)&p->args + option->offset;
    if (option->type == GM_OPTION_FLAG) {
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
    if (option->type == GM_OPTION_NUMBER) {
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
static int find_command(const struct parse *p, const struct gm_command_row **out, size_t *out_used,
                        struct gm_err *err)
{
    const char *first = p->words[0];
    const char *second = p->word_count > 1 ? p->words[1] : "";
    bool first_known = false;
    for (size_t i = 0; i < GM_COMMAND_COUNT; i++) {
        const struct gm_command_row *c = &GM_COMMANDS[i];
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
    for (size_t i = 0; i < GM_COMMAND_COUNT; i++) {
        const struct gm_command_row *c = &GM_COMMANDS[i];
        if (strcmp(c->word, first) == 0 && c->sub[0] != '\0' && used < size) {
            bool last =
                strcmp(GM_COMMANDS[i + 1].word, first) != 0 || GM_COMMANDS[i + 1].sub[0] == '\0';
            int n = snprintf(out + used, size - used, "%s%s",
                             used == 0 ? ""
                             : last    ? " or "
                                       : ", ",
                             c->sub);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

static int check_options(const struct parse *p, const struct gm_command_row *c, struct gm_err *err)
{
    if (c->sub != NULL && c->sub[0] == '\0') {
        char seconds[160];
        list_seconds(c->word, seconds, sizeof(seconds));
        return gm_err_set(err, GM_E_INVAL, 0, "`gopmill %s` needs a second word: %s", c->word,
                          seconds);
    }
    for (size_t i = 0; i < GM_OPTION_COUNT; i++) {
        if ((p->given & GM_OPTIONS[i].bit & ~c->options) != 0) {
            return gm_err_set(err, GM_E_INVAL, 0, "`gopmill %s%s%s` takes no %s", c->word,
                              c->sub == NULL ? "" : " ", c->sub == NULL ? "" : c->sub,
                              GM_OPTIONS[i].name);
        }
    }
    if ((c->flags & GM_NEEDS_OUT) != 0 && p->args.out == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "--out DIR is missing: where shall the result go?");
    }
    if (c->command == GM_CMD_NODE_QUARANTINE && p->args.reason == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "--reason TEXT is missing: others will ask for it");
    }
    if ((c->flags & GM_NEEDS_FARM) != 0 && p->args.scheduler == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "--scheduler URL is missing (or set GOPMILL_SCHEDULER); `gopmill "
                          "transcode` and `plan` run without one");
    }
    uint64_t farm_only = (GM_OPT_NODES | GM_OPT_DEVICES | GM_OPT_STATE) & p->given;
    if (c->command != GM_CMD_JOB_LIST && c->command != GM_CMD_DOCTOR && farm_only != 0 &&
        p->args.scheduler != NULL) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "%s is for the farm that gopmill starts itself; with --scheduler or "
                          "GOPMILL_SCHEDULER there is none",
                          (farm_only & GM_OPT_NODES) != 0     ? "--nodes"
                          : (farm_only & GM_OPT_DEVICES) != 0 ? "--devices"
                                                              : "--state");
    }
    return 0;
}

static int check_words(const struct parse *p, const struct gm_command_row *c, size_t used,
                       struct gm_err *err)
{
    bool several = (c->flags & GM_TAKES_SEVERAL) != 0;
    bool may_lack = (c->flags & GM_MAY_LACK) != 0 && p->word_count == used;
    bool all = (c->options & GM_OPT_ALL) != 0 && p->args.all;
    size_t wanted = used + (c->operand == NULL || all || may_lack ? 0 : c->second != NULL ? 2 : 1);
    if (all && p->word_count > wanted) {
        return gm_err_set(err, GM_E_INVAL, 0, "--all and `%s`: name what is meant, or all of it",
                          p->words[wanted]);
    }
    if (p->word_count > wanted && !several) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%s` is one word too many", p->words[wanted]);
    }
    if (p->word_count < wanted) {
        return gm_err_set(err, GM_E_INVAL, 0, "%s%s is missing: see gopmill %s%s%s --help",
                          c->second != NULL && p->word_count > used ? c->second : c->operand,
                          (c->options & GM_OPT_ALL) != 0 ? " (or --all)" : "", c->word,
                          c->sub == NULL ? "" : " ", c->sub == NULL ? "" : c->sub);
    }
    for (size_t i = used; i < p->word_count; i++) {
        if (p->words[i][0] == '\0' && c->command != GM_CMD_COMPLETION) {
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
    const struct gm_command_row *c = NULL;
    size_t used = 0;
    struct parse p = {.args = {.nodes = 1,
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
        (c->options & GM_OPT_SCHEDULER) != 0) {
        p.args.scheduler = env_scheduler;
    }
    if (p.args.pipeline == NULL && c->command != GM_CMD_JOB_LIST) {
        p.args.pipeline = GM_DEFAULT_PIPELINE;
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
