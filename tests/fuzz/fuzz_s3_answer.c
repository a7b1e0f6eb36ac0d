#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "storage/s3/answer.h"

/* An answer of a store's. The first byte says what was asked. What is taken must be whole. */

static void check(enum gm_s3_kind kind, const struct gm_s3_answer *answer)
{
    if (answer->is_error) {
        GM_ASSERT(answer->code[0] != '\0');
        return;
    }
    GM_ASSERT(kind != GM_S3_ERROR);
    GM_ASSERT(kind == GM_S3_LIST || kind == GM_S3_UPLOADS ||
              (answer->object_count == 0 && answer->next == NULL));
    GM_ASSERT((kind == GM_S3_INITIATE) == (answer->upload_id != NULL));
    GM_ASSERT(kind != GM_S3_COPY || answer->etag != NULL);
    GM_ASSERT(answer->object_count <= GM_S3_LIST_MAX);
    GM_ASSERT(answer->next == NULL || answer->next[0] != '\0');
    GM_ASSERT(answer->next_upload == NULL || (kind == GM_S3_UPLOADS && answer->next != NULL));
    for (size_t i = 0; i < answer->object_count; i++) {
        GM_ASSERT(answer->objects[i].key != NULL && answer->objects[i].size <= INT64_MAX);
        GM_ASSERT((answer->objects[i].upload_id != NULL) == (kind == GM_S3_UPLOADS));
    }
    for (const char *c = answer->etag; c != NULL && *c != '\0'; c++) {
        GM_ASSERT(*c > ' ' && *c <= '~');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gm_s3_answer none;
    struct gm_s3_answer answer = {.is_error = false};
    struct gm_err err = {0};
    enum gm_s3_kind kind;

    if (size < 1) {
        return 0;
    }
    kind = (enum gm_s3_kind)((data[0] - '0') & 7);
    if (kind > GM_S3_UPLOADS) {
        return 0;
    }
    if (gm_s3_answer_read(kind, data + 1, size - 1, &answer, &err) == 0) {
        check(kind, &answer);
        gm_s3_answer_fini(&answer);
    } else {
        GM_ASSERT(err.text[0] != '\0');
    }
    GM_ASSERT(memcmp(&answer, &none, sizeof(answer)) == 0);
    return 0;
}
