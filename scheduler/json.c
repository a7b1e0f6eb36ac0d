#include "scheduler/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/time.h"
#include "common/utf8.h"

json_t *gm_json_string(const char *s)
{
    json_t *j = json_string(s);
    if (j == NULL) {
        char *copy = strdup(s);
        if (copy != NULL) {
            gm_utf8_clean(copy);
            j = json_string(copy);
            free(copy);
        }
    }
    return j;
}

json_t *gm_json_url(const char *url)
{
    bool web = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    char *plain = strndup(url, web ? strcspn(url, "?#") : strlen(url));
    json_t *j = plain != NULL ? gm_json_string(plain) : NULL;
    free(plain);
    return j;
}

json_t *gm_json_text_or_null(const char *s)
{
    return s[0] != '\0' ? gm_json_string(s) : json_null();
}

json_t *gm_json_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *gm_json_time(int64_t unix_ms)
{
    char text[25];
    return unix_ms == 0 ? json_null() : json_string(gm_time_format(unix_ms, text));
}

json_t *gm_json_rational(const Gm__Rational *r)
{
    return r == NULL || r->den == 0
               ? json_null()
               : json_pack("{s:I, s:I}", "num", (json_int_t)r->num, "den", (json_int_t)r->den);
}

json_t *gm_json_error(int code, const char *text)
{
    const struct gm_code_info *info = gm_code_get(code);
    return json_pack("{s:s, s:o, s:s, s:s, s:s}", "code", info->id, "text", gm_json_string(text),
                     "blame", gm_blame_name(info->blame), "retry", gm_retry_name(info->retry),
                     "remedy", info->remedy);
}

json_t *gm_json_add(json_t *list, json_t *member)
{
    if (list != NULL && json_array_append_new(list, member) == 0) {
        return list;
    }
    json_decref(list == NULL ? member : list); /* the member went with the failed call */
    return NULL;
}

int gm_json_text(json_t *j, bool indent, struct gm_buf *out, struct gm_err *err)
{
    struct gm_buf b = {0};
    char *text =
        j != NULL
            ? json_dumps(j, (indent ? JSON_INDENT(2) : JSON_COMPACT) | JSON_REAL_PRECISION(12))
            : NULL;
    json_decref(j);
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    gm_buf_str(&b, text);
    if (indent) {
        gm_buf_u8(&b, '\n');
    }
    free(text);
    int rc = gm_buf_check(&b, err);
    if (rc < 0) {
        gm_buf_fini(&b);
        return rc;
    }
    *out = b;
    return 0;
}
