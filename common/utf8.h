#ifndef GM_COMMON_UTF8_H
#define GM_COMMON_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 sequence at s (NUL-terminated): 1..4, or 0 when it is none (overlong forms,
 * surrogates and values above U+10FFFF are none; a NUL is a sequence of 1). Thread: any.
 * Source: RFC 3629 section 4. */
size_t gm_utf8_length(const char *s);
/* Replaces each control byte by a space and each byte outside UTF-8 by '?', in place. */
void gm_utf8_clean(char *s);
/* Copies text (NULL: "") to out, which has `size` bytes, at least 1; cut to fit, and each byte that
 * is not printable ASCII as '?'. */
void gm_ascii_copy(char *out, size_t size, const char *text);

#endif
