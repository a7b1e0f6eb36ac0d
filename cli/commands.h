#ifndef GM_CLI_COMMANDS_H
#define GM_CLI_COMMANDS_H

#include <jansson.h>

#include "cli/args.h"
#include "cli/exits.h"
#include "cli/session.h"
#include "cli/term.h"

/* Runs a parsed command to its end: prints and answers the exit code. */
enum gm_exit gm_command_run(const struct gm_args *args, struct gm_term *term);

/* upload. */
enum gm_exit gm_command_upload(const struct gm_args *args, struct gm_term *term);
/* transcode, plan, submit and watch. */
enum gm_exit gm_command_job(const struct gm_args *args, struct gm_term *term);
/* The commands that ask the API for one thing and print its answer. */
enum gm_exit gm_command_query(const struct gm_args *args, struct gm_term *term);

/* node restart: nodes one after the other, until all are back. */
enum gm_exit gm_command_restart(const struct gm_args *args, struct gm_term *term);

/* doctor. */
enum gm_exit gm_command_doctor(const struct gm_args *args, struct gm_term *term);

/* events follow: until it is interrupted. */
enum gm_exit gm_command_follow(const struct gm_args *args, struct gm_term *term);

/* top. */
enum gm_exit gm_command_top(const struct gm_args *args, struct gm_term *term);

/* completion. */
enum gm_exit gm_command_completion(const struct gm_args *args, struct gm_term *term);

/* job trace. */
enum gm_exit gm_command_trace(const struct gm_args *args, struct gm_term *term);

/* devices: replaces this process; returns when that fails. */
enum gm_exit gm_command_devices(const struct gm_args *args, struct gm_term *term);

/* keys make|list|rotate|revoke. */
enum gm_exit gm_command_keys(const struct gm_args *args, struct gm_term *term);

/* token new|list|revoke. */
enum gm_exit gm_command_token(const struct gm_args *args, struct gm_term *term);

/* A session with the scheduler that the arguments name; else as gm_session_open. */
int gm_command_session(const struct gm_args *args, const struct gm_farm_params *farm,
                       struct gm_term *term, struct gm_session **out,
                       struct gm_err *err) GM_MUST_CHECK;

/* Reports a failure: on stderr, and with --json as {"error":{...}} on stdout. Returns the exit
 * code. */
enum gm_exit gm_command_fail(const struct gm_args *args, struct gm_term *term,
                             const struct gm_err *err);

#endif
