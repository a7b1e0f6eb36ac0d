#include "cli/commands.h"

#include <stdio.h>

#include "cli/print.h"

enum gm_exit gm_command_fail(const struct gm_args *args, struct gm_term *term,
                             const struct gm_err *err)
{
    gm_term_err(term, err);
    if (args->json && gm_print_error(stdout, err) != 0) {
        gm_term_error(term, "could not write to stdout");
    }
    return gm_exit_of_code(err->code);
}

int gm_command_session(const struct gm_args *args, const struct gm_farm_params *farm,
                       struct gm_term *term, struct gm_session **out, struct gm_err *err)
{
    const struct gm_reach reach = {
        .scheduler = args->scheduler, .ca = args->ca, .token_file = args->token_file};
    return gm_session_open(&reach, farm, term, out, err);
}

static enum gm_exit print_version(const struct gm_args *args)
{
    if (args->json) {
        printf("{\"gopmill\": \"%s\"}\n", GOPMILL_VERSION);
    } else {
        printf("gopmill %s\n", GOPMILL_VERSION);
    }
    return fflush(stdout) == 0 ? GM_EXIT_DONE : GM_EXIT_FAILED;
}

enum gm_exit gm_command_run(const struct gm_args *args, struct gm_term *term)
{
    if (args->help || args->command == GM_CMD_NONE) {
        return fputs(gm_args_help(args->command), stdout) >= 0 && fflush(stdout) == 0
                   ? GM_EXIT_DONE
                   : GM_EXIT_FAILED;
    }
    switch (args->command) {
    case GM_CMD_VERSION:
        return print_version(args);
    case GM_CMD_DEVICES:
        return gm_command_devices(args, term);
    case GM_CMD_EVENTS_FOLLOW:
        return gm_command_follow(args, term);
    case GM_CMD_TOP:
        return gm_command_top(args, term);
    case GM_CMD_DOCTOR:
        return gm_command_doctor(args, term);
    case GM_CMD_COMPLETION:
        return gm_command_completion(args, term);
    case GM_CMD_JOB_TRACE:
        return gm_command_trace(args, term);
    case GM_CMD_NODE_RESTART:
        return gm_command_restart(args, term);
    case GM_CMD_KEYS_MAKE:
    case GM_CMD_KEYS_LIST:
    case GM_CMD_KEYS_ROTATE:
    case GM_CMD_KEYS_REVOKE:
        return gm_command_keys(args, term);
    case GM_CMD_TOKEN_NEW:
    case GM_CMD_TOKEN_LIST:
    case GM_CMD_TOKEN_REVOKE:
        return gm_command_token(args, term);
    case GM_CMD_UPLOAD:
        return gm_command_upload(args, term);
    case GM_CMD_TRANSCODE:
    case GM_CMD_PLAN:
    case GM_CMD_SUBMIT:
    case GM_CMD_WATCH:
        return gm_command_job(args, term);
    default:
        return gm_command_query(args, term);
    }
}
