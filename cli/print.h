#ifndef GM_CLI_PRINT_H
#define GM_CLI_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "common/err.h"

/* What the API answers, for people: plain text, columns by blanks, control characters replaced. */
void gm_print_jobs(FILE *file, const json_t *answer);
void gm_print_job(FILE *file, const json_t *job);
void gm_print_explain(FILE *file, const json_t *answer);
void gm_print_nodes(FILE *file, const json_t *answer);
void gm_print_node(FILE *file, const json_t *node);
void gm_print_pipelines(FILE *file, const json_t *answer);
void gm_print_checked(FILE *file, const json_t *answer);
/* What a sweep of the work store found. */
void gm_print_swept(FILE *file, const json_t *answer);
/* print_lists.c: answers of /v1/jobs/ID/tasks, .../attempts, .../logs, ":retry", ":priority";
 * /v1/assets and a title of it; /v1/uploads and one of them; /v1/farm. Tables are cut to the
 * terminal's width. */
void gm_print_job_tasks(FILE *file, const json_t *answer);
void gm_print_attempts(FILE *file, const json_t *answer);
void gm_print_logs(FILE *file, const json_t *answer);
void gm_print_retried(FILE *file, const json_t *answer);
void gm_print_priority(FILE *file, const json_t *answer);
void gm_print_assets(FILE *file, const json_t *answer);
void gm_print_asset(FILE *file, const json_t *asset);
void gm_print_uploads(FILE *file, const json_t *answer);
void gm_print_upload(FILE *file, const json_t *upload);
void gm_print_upload_deleted(FILE *file, const json_t *answer);
void gm_print_farm(FILE *file, const json_t *farm);
/* print_events.c: answers of /v1/events/dead, .../waiting and /v1/events:redeliver. */
void gm_print_dead(FILE *file, const json_t *answer);
void gm_print_waiting(FILE *file, const json_t *answer);
void gm_print_redelivered(FILE *file, const json_t *answer);
/* An event of the farm's stream as a line: when it came, what it is, of what, and what follows from
 * it. data: NULL: it is no JSON object. */
void gm_print_event(FILE *file, int64_t unix_ms, const char *event, const json_t *data);
/* A plan-only job's report. */
void gm_print_plan(FILE *file, const json_t *report);
/* The path that a player is given, below root, of which the first root_size bytes count: the master
 * playlist, else the manifest, else each MP4, else the thumbnails' index, else the first output;
 * root alone where the report names none. */
void gm_print_result(FILE *file, const json_t *report, const char *root, size_t root_size);

/* One JSON document, indented, and a newline. 0, or -1 when it could not be written. */
int gm_print_json(FILE *file, const json_t *json);
/* err with its catalogue row as {"error": {...}}; answers as gm_print_json. */
int gm_print_error(FILE *file, const struct gm_err *err);
/* " (N times)" of a warning that came more than once and whose text gives no number; else "". */
const char *gm_print_times(const json_t *warning, char *out, size_t size);
/* What an entry of `given_up` names: "nvenc"; of the processors a build alone is. Borrowed. */
const char *gm_print_given_up(const json_t *lost);
/* bytes as "1.5 GB" (powers of 1000) into out of at least 24 bytes. */
const char *gm_print_bytes(double bytes, char *out, size_t size);

#endif
