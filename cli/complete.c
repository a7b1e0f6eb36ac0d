#include "cli/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/table.h"

struct line {
    const char *plain[3]; /* words that are no options, the first three */
    size_t plain_count;
    uint64_t given;                  /* options */
    const struct gm_option *pending; /* whose value the last word is */
    bool options_end;                /* "--" has come */
};

struct emit {
    const struct gm_completion *c;
    gm_complete_fn fn;
    void *arg;
};

static void emit(const struct emit *e, const char *word)
{
    char text[160];
    if (strncmp(word, e->c->prefix, strlen(e->c->prefix)) == 0 &&
        snprintf(text, sizeof text, "%.*s%s", (int)e->c->lead_size, e->c->lead, word) <
            (int)sizeof text) {
        e->fn(text, e->arg);
    }
}

/* "a|b|c" */
static void emit_all(const struct emit *e, const char *words)
{
    char word[64];
    while (*words != '\0') {
        size_t n = strcspn(words, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, words);
        emit(e, word);
        words += words[n] == '|' ? n + 1 : n;
    }
}

static const struct gm_option *find_option(const char *word, size_t size)
{
    for (size_t i = 0; i < GM_OPTION_COUNT; i++) {
        if (strlen(GM_OPTIONS[i].name) == size && memcmp(GM_OPTIONS[i].name, word, size) == 0) {
            return &GM_OPTIONS[i];
        }
    }
    return NULL;
}

static void take_value(const struct gm_option *option, const char *value, struct gm_completion *out)
{
    if (option->bit == GM_OPT_SCHEDULER) {
        out->scheduler = value;
    } else if (option->bit == GM_OPT_TOKEN_FILE) {
        out->token_file = value;
    } else if (option->bit == GM_OPT_CA) {
        out->ca = value;
    }
}

/* All words but the last. */
static void read_line(const char *const *words, size_t count, struct line *line,
                      struct gm_completion *out)
{
    for (size_t i = 0; i + 1 < count; i++) {
        const char *word = words[i];
        size_t size = strcspn(word, "=");
        if (!line->options_end && strcmp(word, "--") == 0) {
            line->options_end = true;
        } else if (!line->options_end && word[0] == '-' && word[1] != '\0') {
            const struct gm_option *option = find_option(word, size);
            line->given |= option != NULL ? option->bit : 0;
            if (option == NULL || option->type == GM_OPTION_FLAG) {
                continue;
            }
            if (word[size] == '=') {
                take_value(option, word + size + 1, out);
            } else if (i + 2 < count) {
                take_value(option, words[++i], out);
            } else {
                line->pending = option;
            }
        } else if (line->plain_count > 0 || strcmp(word, "help") != 0) {
            if (line->plain_count < 3) {
                line->plain[line->plain_count] = word;
            }
            line->plain_count++;
        }
    }
}

/* NULL: the words name no command, or not yet. */
static const struct gm_command_row *find_row(const struct line *line, size_t *out_used)
{
    for (size_t i = 0; i < GM_COMMAND_COUNT && line->plain_count > 0; i++) {
        const struct gm_command_row *row = &GM_COMMANDS[i];
        bool second = row->sub != NULL;
        if (strcmp(row->word, line->plain[0]) == 0 &&
            (!second || (line->plain_count > 1 && strcmp(row->sub, line->plain[1]) == 0))) {
            *out_used = second ? 2 : 1;
            return row;
        }
    }
    return NULL;
}

/* First words, or the second ones of that first. */
static void emit_commands(const struct emit *e, const struct line *line)
{
    for (size_t i = 0; i < GM_COMMAND_COUNT; i++) {
        const struct gm_command_row *row = &GM_COMMANDS[i];
        bool known = i > 0 && strcmp(row->word, GM_COMMANDS[i - 1].word) == 0;
        for (size_t k = 0; k + 1 < i && !known; k++) {
            known = strcmp(row->word, GM_COMMANDS[k].word) == 0;
        }
        if (line->plain_count == 0 && !known) {
            emit(e, row->word);
        } else if (line->plain_count == 1 && row->sub != NULL && row->sub[0] != '\0' &&
                   strcmp(row->word, line->plain[0]) == 0) {
            emit(e, row->sub);
        }
    }
    if (line->plain_count == 0) {
        emit(e, "help");
    }
}

static void emit_options(const struct emit *e, uint64_t options, uint64_t given)
{
    for (size_t i = 0; i < GM_OPTION_COUNT; i++) {
        if ((GM_OPTIONS[i].bit & options & ~given) != 0) {
            emit(e, GM_OPTIONS[i].name);
        }
    }
}

static void put_value(const struct emit *e, const struct gm_command_row *row,
                      const struct gm_option *option, struct gm_completion *out)
{
    enum gm_command command = row != NULL ? row->command : GM_CMD_NONE;
    const char *value = option->value != NULL ? option->value : "";
    if (option->bit == GM_OPT_STATE && command == GM_CMD_JOB_LIST) {
        emit_all(e, GM_JOB_STATES);
    } else if (option->bit == GM_OPT_ROLE) {
        emit_all(e, command == GM_CMD_TOKEN_NEW ? "submit|operate|admin" : "node|client|admin");
    } else if (strcmp(value, "FILE") == 0 || command == GM_CMD_JOB_TRACE) {
        out->what = option->bit == GM_OPT_OUT || value[0] == 'F' ? GM_COMPLETE_FILE : out->what;
    } else if (strcmp(value, "DIR") == 0) {
        out->what = GM_COMPLETE_FOLDER;
    } else if (strcmp(value, "PIPELINE") == 0) {
        out->what = GM_COMPLETE_PIPELINE;
    }
}

static void put_operand(const struct emit *e, const struct gm_command_row *row, size_t at,
                        struct gm_completion *out)
{
    const char *operand = row->operand;
    if (operand == NULL || (at > 0 && (row->flags & GM_TAKES_SEVERAL) == 0)) {
        return;
    }
    if (strcmp(operand, "JOB") == 0 || strcmp(operand, "JOB|ID") == 0) {
        out->what = GM_COMPLETE_JOB;
    } else if (strcmp(operand, "NODE") == 0) {
        out->what = GM_COMPLETE_NODE;
    } else if (strcmp(operand, "UPLOAD") == 0) {
        out->what = GM_COMPLETE_UPLOAD;
    } else if (strcmp(operand, "FILE") == 0 || strcmp(operand, "INPUT") == 0) {
        out->what = GM_COMPLETE_FILE;
    } else if (strcmp(operand, "SHELL") == 0 && at == 0) {
        emit_all(e, "bash|zsh|fish");
    } else if (row->command == GM_CMD_PIPELINE_SHOW || row->command == GM_CMD_PIPELINE_DELETE) {
        out->what = GM_COMPLETE_PIPELINE;
    }
}

void gm_complete(const char *const *words, size_t count, gm_complete_fn fn, void *arg,
                 struct gm_completion *out)
{
    struct line line = {.plain_count = 0};
    const struct emit e = {.c = out, .fn = fn, .arg = arg};
    const char *last = words[count - 1];
    size_t used = 0, size = strcspn(last, "=");
    *out = (struct gm_completion){.lead = "", .prefix = last};
    read_line(words, count, &line, out);
    const struct gm_command_row *row = find_row(&line, &used);
    bool option = !line.options_end && last[0] == '-';
    if (line.pending != NULL) {
        put_value(&e, row, line.pending, out);
    } else if (option && last[size] == '=' && find_option(last, size) != NULL) {
        out->lead = last;
        out->lead_size = size + 1;
        out->prefix = last + size + 1;
        put_value(&e, row, find_option(last, size), out);
    } else if (option) {
        uint64_t options = row != NULL ? row->options : GM_OPT_COMMON;
        emit_options(&e, options, line.given);
    } else if (row != NULL) {
        put_operand(&e, row, line.plain_count - used, out);
    } else {
        emit_commands(&e, &line);
    }
}
