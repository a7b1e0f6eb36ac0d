#ifndef GM_SCHEDULER_BELOW_H
#define GM_SCHEDULER_BELOW_H

#include "storage/store.h"

/* Deletes some of what lies below the prefix, and when no object is left the uploads in parts that
 * are open there. *out_more: call it again. prefix ends with '/'. It blocks. Thread: any. Errors:
 * those of gm_store_list and gm_store_delete_many. */
int gm_below_delete(struct gm_store *store, const char *prefix, bool *out_more,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
