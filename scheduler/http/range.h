#ifndef GM_SCHEDULER_HTTP_RANGE_H
#define GM_SCHEDULER_HTTP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* The Range and condition headers of a request. Pure. Source: RFC 9110 sections 13 and 14. */
enum gm_range {
    GM_RANGE_WHOLE, /* none, several, or one that does not read: all of it is sent */
    GM_RANGE_PART,
    GM_RANGE_BEYOND /* it begins behind the end: 416 */
};
/* text: of the Range header, or NULL. size: of the file, bytes. Of PART: bytes from *out_first up
 * to and without *out_end, at least one. */
enum gm_range gm_range_parse(const char *text, uint64_t size, uint64_t *out_first,
                             uint64_t *out_end);
/* Whether a list of entity tags (If-None-Match) has this one, with its quotes, or is `*`; weak ones
 * count. list NULL: no. */
bool gm_range_has_tag(const char *list, const char *etag);

#endif
