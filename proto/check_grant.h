#ifndef GM_PROTO_CHECK_GRANT_H
#define GM_PROTO_CHECK_GRANT_H

#include "common/err.h"
#include "wire.pb-c.h"

/* What gm_check_envelope asks of grants. Who uses a request or an answer may rely on it:
 *
 * - a key is one (storage/store.h), a hash has its 32 bytes, an MD5 its 16
 * - GrantItem.part_size 0: one MD5 or none, no part; else 2 to GM_PROTO_MAX_PARTS parts, which with
 *   part_size give `size`, each with its hash, and as many MD5 as parts or none; a request has
 *   GM_PROTO_MAX_ALL_PARTS of them at most
 * - a Grant has one of: url; start_url; part_urls, complete_url and head_url together; needs_md5,
 *   which may stand beside start_url, too: the parts are asked for with it
 * - names and values of headers are what a header may hold
 *
 * Errors: PROTO. Thread: any.
 */
#define GM_PROTO_MAX_PARTS 1024u
#define GM_PROTO_MAX_ALL_PARTS 4000u /* of a request: each is a URL that the scheduler signs */
#define GM_PROTO_PART_MIN (UINT64_C(5) << 20) /* bytes; S3's own limit, but of the last part */
#define GM_PROTO_PART_MAX (UINT64_C(5) << 30)
/* Bytes of one object: what S3 takes, in as many parts of that size. */
#define GM_PROTO_OBJECT_MAX (UINT64_C(5) << 40)
#define GM_PROTO_MAX_UPLOAD_ID 1024u /* bytes */
#define GM_PROTO_MAX_ETAG 127u
#define GM_PROTO_MAX_HEADERS 8u
#define GM_PROTO_MD5_BYTES 16

int gm_check_grant_request(const Gm__GrantRequest *request, struct gm_err *err) GM_MUST_CHECK;
int gm_check_grant_answer(const Gm__GrantAnswer *answer, struct gm_err *err) GM_MUST_CHECK;

/* The form of a key, as storage/store.h has it, which this folder may not include. */
bool gm_proto_is_key(const char *s);

#endif
