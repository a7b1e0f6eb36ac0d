#include "fuzz.h"

#include <string.h>

#include "common/tokens.h"

/* The file of the HTTP API's tokens: what is read says the same when it is written and read again.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_tokens list = {0}, one = {0};
    if (gm_tokens_parse("fuzz", (const char *)data, size, &list, &err) < 0) {
        GM_ASSERT(list.rows == NULL && err.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct gm_token *row = &list.rows[i];
        char line[256];
        gm_token_line(row, line);
        int rc = gm_tokens_parse("line", line, strlen(line), &one, &err);
        GM_ASSERT(rc == 0 && one.count == 1);
        GM_ASSERT(strcmp(one.rows[0].id, row->id) == 0 && one.rows[0].role == row->role);
        GM_ASSERT(strcmp(one.rows[0].tenant, row->tenant) == 0);
        GM_ASSERT(row->tenant[0] == '\0' || row->role == GM_TOKEN_SUBMIT);
        GM_ASSERT(memcmp(one.rows[0].sha256, row->sha256, GM_SHA256_SIZE) == 0);
        GM_ASSERT(one.rows[0].until_unix_ms == row->until_unix_ms);
        gm_tokens_fini(&one);
    }
    gm_tokens_fini(&list);
    return 0;
}
