#ifndef GM_COMMON_TRACEPARENT_H
#define GM_COMMON_TRACEPARENT_H

#include <stdbool.h>

/* The header of W3C Trace Context that says which trace a request belongs to.
 * Source: https://www.w3.org/TR/trace-context/ (2.2 and 4.3). Thread: any. */

#define GM_TRACEPARENT_SIZE 56 /* "00-<32 hex>-<16 hex>-<2 hex>" and NUL */
#define GM_TRACE_ID_SIZE 33

/* What the header says, as version 00 has it: of a later version its first four fields are taken,
 * and of its flags the sampled one, as nothing is known of others. False, and out is "": it is
 * none (text may be NULL), which a receiver passes over. */
bool gm_traceparent_parse(const char *text, char out[GM_TRACEPARENT_SIZE]);
/* Its trace-id into out; "" where it is none. Returns out. */
const char *gm_trace_id(const char *traceparent, char out[GM_TRACE_ID_SIZE]);

#endif
