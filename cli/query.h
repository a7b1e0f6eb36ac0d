#ifndef GM_CLI_QUERY_H
#define GM_CLI_QUERY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/args.h"

/* What the API is asked for a command, and what prints the answer. */
enum gm_paging { GM_PAGING_NONE, GM_PAGING_CURSOR, GM_PAGING_AFTER }; /* cli/pages.h */

struct gm_query {
    const char *method;
    char path[1024]; /* of a list in pages it ends with '?' or '&' */
    bool once;       /* makes something: is not sent again where its answer is lost */
    json_t *body;    /* owned: json_decref(); NULL: none */
    enum gm_paging paging;
    const char *rows; /* the member that has them, of pages */
    const char *gone; /* the member that names what is deleted; NULL: its answer has no body */
    void (*print)(FILE *file, const json_t *answer);
};

/* out: all-zero before; out->body is owned, also on failure. Errors: INVAL, and of a pipeline's
 * file those of gm_pipeline_load(). */
int gm_query_make(const struct gm_args *args, struct gm_query *out,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
