/* What a request for grants, or of parts that were put, says of them. */
#include <string.h>

#include "scheduler/http/upload_call.h"
#include "scheduler/json.h"

static int base64_md5(const char *text, uint8_t out[GM_MD5_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0, count = 0;
    size_t size = 0;
    if (text == NULL || strlen(text) != 24 || strspn(text, digits) != 22 ||
        strcmp(text + 22, "==") != 0) {
        return -GM_E_INVAL;
    }
    for (size_t i = 0; i < 22; i++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, text[i]) - digits);
        count += 6;
        if (count >= 8) { /* 22 digits are 16 bytes and 4 bits */
            count -= 8;
            out[size++] = (uint8_t)(bits >> count);
        }
    }
    return 0;
}

static int read_named(const json_t *part, const char *const *known, bool whole,
                      struct gm_upload_named *out, struct gm_at *at, struct gm_err *err)
{
    const json_t *index = json_object_get(part, "index");
    const json_t *hash = json_object_get(part, "sha256");
    const json_t *md5 = json_object_get(part, "md5");
    if (!json_is_object(part)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`parts` is a list of {`index`, `sha256`}");
    }
    int rc = gm_json_check_keys(part, known, at, err);
    if (rc < 0) {
        return rc;
    }
    json_int_t number = json_integer_value(index);
    if (!json_is_integer(index) || number < 0 || number >= GM_PARTS_MAX) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`index` is the number of a part, from 0 on");
        return gm_at_member(at, rc, "index");
    }
    if (hash == NULL ? !whole
                     : !json_is_string(hash) || whole ||
                           !gm_upload_hash_read(json_string_value(hash), out->sha256)) {
        rc = gm_err_set(err, GM_E_INVAL, 0,
                        whole ? "an upload as a whole has no `sha256`"
                              : "`sha256` is the part's, 64 hex digits in lower case");
        return gm_at_member(at, rc, "sha256");
    }
    if (md5 != NULL && base64_md5(json_string_value(md5), out->md5) < 0) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`md5` is the part's MD5 in base64");
        return gm_at_member(at, rc, "md5");
    }
    out->has_md5 = md5 != NULL;
    out->index = (uint32_t)number;
    return 0;
}

/* {"parts": [...]} */
int gm_upload_call_read_parts(struct gm_upload_call *c, const char *const *known, bool whole,
                              struct gm_err *err)
{
    static const char *const members[] = {"parts", NULL};
    json_t *body = NULL;
    int rc = gm_request_object(c->r, &body, err);
    if (rc == 0) {
        rc = gm_json_check_keys(body, members, &c->r->at, err);
    }
    const json_t *list = json_object_get(body, "parts");
    size_t count = json_array_size(list);
    if (rc == 0 && (count == 0 || count > GM_UPLOAD_CALL_MAX)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`parts` is a list of 1 to %d parts",
                        GM_UPLOAD_CALL_MAX);
        (void)gm_at_member(&c->r->at, rc, "parts");
    }
    for (; rc == 0 && c->count < count; c->count++) {
        struct gm_at *at = &c->r->at;
        rc = read_named(json_array_get(list, c->count), known, whole, &c->named[c->count], at, err);
        (void)gm_at_member(at, gm_at_index(at, rc, c->count), "parts");
    }
    json_decref(body);
    return rc;
}
