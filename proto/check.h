#ifndef GM_PROTO_CHECK_H
#define GM_PROTO_CHECK_H

#include "common/err.h"
#include "wire.pb-c.h"

/* What values mean, after gm_scan_message took the bytes: parts that must be there are there, names
 * and keys have their form. Errors: PROTO. Thread: any. */
int gm_check_envelope(const Gm__Envelope *env, struct gm_err *err) GM_MUST_CHECK;
int gm_check_worker_message(const Gm__WorkerMessage *msg, struct gm_err *err) GM_MUST_CHECK;

#endif
