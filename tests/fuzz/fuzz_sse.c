#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cli/sse.h"
#include "common/buf.h"

/* A stream of events, in one piece and in two: the same events must come. The first byte says where
 * it is cut. */

static int note(const char *event, const char *data, size_t size, void *arg)
{
    struct gm_buf *all = arg;
    GM_ASSERT(data[size] == '\0');
    gm_buf_printf(all, "%s|%zu|", event, size);
    gm_buf_add(all, data, size);
    return 0;
}

static int feed(const uint8_t *data, size_t size, size_t cut, struct gm_buf *all)
{
    struct gm_sse sse = {0};
    struct gm_err err = {0};
    int rc = gm_sse_feed(&sse, data, cut, note, all, &err);
    if (rc == 0) {
        rc = gm_sse_feed(&sse, data + cut, size - cut, note, all, &err);
    }
    gm_buf_str(all, sse.last_id);
    GM_ASSERT(rc == 0 || err.text[0] != '\0');
    gm_sse_reset(&sse);
    gm_sse_fini(&sse);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_buf whole = {0}, parts = {0};
    if (size < 1) {
        return 0;
    }
    size_t cut = data[0] < size - 1 ? data[0] : size - 1;
    int one = feed(data + 1, size - 1, 0, &whole);
    int two = feed(data + 1, size - 1, cut, &parts);
    GM_ASSERT(one == two);
    GM_ASSERT(whole.size == parts.size &&
              (whole.size == 0 || memcmp(whole.data, parts.data, whole.size) == 0));
    gm_buf_fini(&whole);
    gm_buf_fini(&parts);
    return 0;
}
