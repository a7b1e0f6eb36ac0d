/* gopmill: the operator's and author's tool. docs/man/gopmill.1 is its manual. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/session.h"

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

int main(int argc, char **argv)
{
    struct gm_args args;
    struct gm_term term;
    struct gm_err err = {0};
    gm_term_init(&term, false);
    if (gm_args_parse(argc, argv, getenv("GOPMILL_SCHEDULER"), &args, &err) < 0) {
        if (gm_args_has_json(argc, argv)) {
            const struct gm_args json = {.json = true};
            return (int)gm_command_fail(&json, &term, &err);
        }
        gm_term_error(&term, "%s", err.text);
        if (argc == 1) {
            fprintf(stderr, "\n%s", gm_args_help(GM_CMD_NONE));
        }
        return GM_EXIT_USAGE;
    }
    args.ca = args.ca != NULL ? args.ca : from_environment("GOPMILL_CA");
    args.token_file =
        args.token_file != NULL ? args.token_file : from_environment("GOPMILL_TOKEN_FILE");
    term.quiet = args.quiet;
    term.json = args.json;
    if (gm_session_block_signals(&err) < 0) {
        gm_term_err(&term, &err);
        return GM_EXIT_FAILED;
    }
    return (int)gm_command_run(&args, &term);
}
