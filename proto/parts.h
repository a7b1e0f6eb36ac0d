#ifndef GM_PROTO_PARTS_H
#define GM_PROTO_PARTS_H

#include "common/err.h"
#include "wire.pb-c.h"

/* Sources of parts: uploads, whose bytes lie in objects one behind the other and may still come
 * (docs/adr/0061-uploads-are-part-objects.md). Thread: any. */
#define GM_PARTS_MAX 10000u                   /* of an upload */
#define GM_PARTS_SIZE_MAX (UINT64_C(5) << 30) /* bytes of one: S3's limit for one PUT */
#define GM_PARTS_ASK_MAX 64u                  /* of one PartsAsk */
#define GM_PARTS_URL "upload:"                /* such a source is named so, and by its id */

/* The runs give 1 to GM_PARTS_MAX parts of 1 to GM_PARTS_SIZE_MAX bytes, `size` in all; *out_count
 * (may be NULL): so many. Errors: PROTO. */
int gm_parts_check(size_t count, Gm__PartRun *const *runs, uint64_t size, uint32_t *out_count,
                   struct gm_err *err) GM_MUST_CHECK;
/* Whether url is "upload:" and an id (common/id.h); out_id (may be NULL) borrows from url. */
bool gm_parts_is_url(const char *url, const char **out_id);

/* What gm_check_envelope asks of the two messages: a request has 1 to GM_PARTS_ASK_MAX different
 * parts, an answer as many different ones, each with its URL, or an error. Errors: PROTO. */
int gm_check_parts_ask(const Gm__PartsAsk *ask, struct gm_err *err) GM_MUST_CHECK;
int gm_check_parts_answer(const Gm__PartsAnswer *answer, struct gm_err *err) GM_MUST_CHECK;

#endif
