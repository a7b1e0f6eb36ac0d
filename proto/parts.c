#include "proto/parts.h"

#include <string.h>

#include "common/id.h"
#include "proto/check_grant.h"

static int fail(struct gm_err *err, const char *what, const char *why)
{
    return gm_err_set(err, GM_E_PROTO, 0, "%s %s", what, why);
}

int gm_parts_check(size_t count, Gm__PartRun *const *runs, uint64_t size, uint32_t *out_count,
                   struct gm_err *err)
{
    uint32_t parts = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const Gm__PartRun *run = runs[i];
        if (run->count == 0 || run->count > GM_PARTS_MAX - parts) {
            return fail(err, "Object.parts", "are too many, or none");
        }
        if (run->size == 0 || run->size > GM_PARTS_SIZE_MAX) {
            return fail(err, "Object.parts", "have a size that is out of range");
        }
        parts += run->count;
        bytes += run->count * run->size; /* at most 10,000 times 5 GiB */
    }
    if (parts == 0 || bytes != size) {
        return fail(err, "Object.parts", "do not give its size");
    }
    if (out_count != NULL) {
        *out_count = parts;
    }
    return 0;
}

bool gm_parts_is_url(const char *url, const char **out_id)
{
    size_t n = sizeof GM_PARTS_URL - 1;
    if (strncmp(url, GM_PARTS_URL, n) != 0 || !gm_id_is(url + n)) {
        return false;
    }
    if (out_id != NULL) {
        *out_id = url + n;
    }
    return true;
}

int gm_check_parts_ask(const Gm__PartsAsk *ask, struct gm_err *err)
{
    if (ask->n_parts == 0 || ask->n_parts > GM_PARTS_ASK_MAX) {
        return fail(err, "PartsAsk.parts", "are too many, or none");
    }
    for (size_t i = 0; i < ask->n_parts; i++) {
        for (size_t k = 0; k < i; k++) {
            if (ask->parts[i] == ask->parts[k]) {
                return fail(err, "PartsAsk.parts", "name one twice");
            }
        }
        if (ask->parts[i] >= GM_PARTS_MAX) {
            return fail(err, "PartsAsk.parts", "name one that can't be");
        }
    }
    return 0;
}

int gm_check_parts_answer(const Gm__PartsAnswer *answer, struct gm_err *err)
{
    if ((answer->error == NULL) == (answer->n_urls == 0) || answer->n_urls > GM_PARTS_ASK_MAX) {
        return fail(err, "PartsAnswer", "holds neither URLs nor an error, or both, or too many");
    }
    for (size_t i = 0; i < answer->n_urls; i++) {
        const Gm__PartUrl *url = answer->urls[i];
        for (size_t k = 0; k < i; k++) {
            if (url->index == answer->urls[k]->index) {
                return fail(err, "PartsAnswer.urls", "name one twice");
            }
        }
        if (url->index >= GM_PARTS_MAX || url->url[0] == '\0') {
            return fail(err, "PartUrl", "lacks its url, or names a part that can't be");
        }
        if (strlen(url->etag) > GM_PROTO_MAX_ETAG) {
            return fail(err, "PartUrl.etag", "is too long");
        }
    }
    return 0;
}
