#ifndef GM_COMMON_BUF_H
#define GM_COMMON_BUF_H

#include "common/err.h"

/* Growing byte buffer. All-zero is an empty one. After an allocation failure it is `failed`:
 * further appends do nothing, and gm_buf_take/gm_buf_check report it once at the end. Thread: one
 * at a time.
 */
struct gm_buf {
    uint8_t *data; /* owned; always followed by a NUL that `size` does not count */
    size_t size;   /* bytes */
    size_t cap;
    bool failed;
};

void gm_buf_fini(struct gm_buf *buf);
void gm_buf_add(struct gm_buf *buf, const void *data, size_t size);
void gm_buf_str(struct gm_buf *buf, const char *s);
void gm_buf_printf(struct gm_buf *buf, const char *fmt, ...) GM_PRINTF(2, 3);
void gm_buf_u8(struct gm_buf *buf, uint8_t v);
void gm_buf_be16(struct gm_buf *buf, uint16_t v);
void gm_buf_be24(struct gm_buf *buf, uint32_t v);
void gm_buf_be32(struct gm_buf *buf, uint32_t v);
void gm_buf_be64(struct gm_buf *buf, uint64_t v);

/* What becomes of bytes that are not printable ASCII. */
enum gm_xml_other {
    GM_XML_UTF8, /* s is UTF-8, which stays; control characters, mostly forbidden, become spaces */
    GM_XML_ASCII /* s is anything: each other byte becomes '?' */
};
/* s as the text of an element or attribute, of XML as of HTML 5. Source: XML 1.0, 2.2 and 2.4. */
void gm_buf_xml(struct gm_buf *buf, const char *s, enum gm_xml_other other);
/* s, which is ASCII, as a JSON string with its quotes. Source: RFC 8259 section 7. */
void gm_buf_json(struct gm_buf *buf, const char *s);
/* 0, or -GM_E_NOMEM when an append failed. */
int gm_buf_check(const struct gm_buf *buf, struct gm_err *err) GM_MUST_CHECK;

#endif
