#ifndef GM_CLI_TRACE_H
#define GM_CLI_TRACE_H

#include <jansson.h>
#include <stdint.h>

/* A job's course in the Chrome trace event format (JSON object format), as Perfetto and
 * chrome://tracing read it. Times are microseconds since the job was created, or since what came
 * before it by the scheduler's clock.
 *
 * Process 1 is the job: thread 1 has its phases, the threads behind it what waited for a place or
 * for another try. Each node is a process, each slot of a device that was seen at work a thread:
 * what overlaps lies on different threads. An attempt is a complete event with what
 * GET .../attempts says of it; lines of the job's log are instants. */
struct gm_trace_facts {
    const json_t *job;      /* GET /v1/jobs/ID */
    const json_t *tasks;    /* rows of .../tasks */
    const json_t *attempts; /* rows of .../attempts */
    const json_t *lines;    /* rows of .../logs */
    int64_t now_unix_ms;    /* where what still runs ends */
};

/* owned: json_decref(); NULL: out of memory. Rows without a time are left out. */
json_t *gm_trace_json(const struct gm_trace_facts *facts);

#endif
