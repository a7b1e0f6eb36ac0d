#include "storage/s3/redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/s3/url.h"

bool gm_http_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* NULL: out of memory. */
static char *join(const char *base, const char *to)
{
    const char *colon = strstr(base, "://");
    size_t host = colon == NULL ? 0 : (size_t)(colon - base) + 3;
    size_t path = host + strcspn(base + host, "/?#");
    char *out = NULL;

    if (gm_s3_url_is_http(to)) {
        return strdup(to);
    }
    if (strncmp(to, "//", 2) == 0) { /* another host, the same scheme */
        return asprintf(&out, "%.*s%s", (int)host - 2, base, to) < 0 ? NULL : out;
    }
    if (to[0] == '/') {
        return asprintf(&out, "%.*s%s", (int)path, base, to) < 0 ? NULL : out;
    }
    size_t folder = path + strcspn(base + path, "?#");

    while (folder > path && to[0] != '?' && base[folder - 1] != '/') {
        folder--;
    }
    return asprintf(&out, "%.*s%s%s", (int)folder, base, folder == path ? "/" : "", to) < 0 ? NULL
                                                                                            : out;
}

int gm_http_redirect(const char *from, const char *location, char **out_url, struct gm_err *err)
{
    struct gm_s3_endpoint a;
    struct gm_s3_endpoint b;
    struct gm_err why;
    char *to = join(from, location);

    if (to == NULL) {
        return gm_err_nomem(err);
    }
    to[strcspn(to, "#")] = '\0';
    if (gm_s3_url_endpoint(from, &a, &why) < 0 || gm_s3_url_endpoint(to, &b, &why) < 0 ||
        (a.tls && !b.tls)) {
        free(to);
        return gm_err_set(err, GM_E_STORE, 0,
                          "the server redirects to where it may not be followed");
    }
    *out_url = to;
    return 0;
}
