#ifndef GM_STORAGE_S3_CANONICAL_H
#define GM_STORAGE_S3_CANONICAL_H

#include "common/buf.h"
#include "storage/s3/sign.h"

/* Two lists of fields, of the caller and of the signer, as one in the only form that is signed:
 * another order or spelling of the same request gives the same bytes.
 *
 * Errors: INVAL (a name or value that can't be sent), LIMIT (more than 256 fields), NOMEM; what was
 *         added to the buffers until then stays
 */
struct gm_s3_field_list {
    const struct gm_s3_field *own; /* borrowed */
    size_t own_count;
    const struct gm_s3_field *more; /* borrowed */
    size_t more_count;
};

/* Adds "a=1&b=%2F&c=": encoded, then in the order of bytes, by name and then by value. */
int gm_s3_canonical_query(const struct gm_s3_field_list *fields, struct gm_buf *out,
                          struct gm_err *err) GM_MUST_CHECK;
/* Adds "host:h\nrange:bytes=0-9\n" and "host;range": names in lower case and in the order of bytes,
 * values without spaces around them and with one for several, those of one name joined by ','. */
int gm_s3_canonical_headers(const struct gm_s3_field_list *fields, struct gm_buf *out_block,
                            struct gm_buf *out_names, struct gm_err *err) GM_MUST_CHECK;

#endif
