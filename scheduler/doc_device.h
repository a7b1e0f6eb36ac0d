#ifndef GM_SCHEDULER_DOC_DEVICE_H
#define GM_SCHEDULER_DOC_DEVICE_H

#include <jansson.h>

#include "wire.pb-c.h"

/* Adds what a node found out about a device to its object: vendor, name, driver, codecs, proofs,
 * notes. docs/api.md. 0, or -1: out of memory; the object may then hold a part. */
int gm_doc_add_device(json_t *object, const Gm__Device *facts);

#endif
