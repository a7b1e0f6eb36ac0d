#include "scheduler/http/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "scheduler/core/view.h"

static int malformed(struct gm_err *err)
{
    return gm_err_set(err, GM_E_INVAL, 0,
                      GM_IDEMPOTENCY_HEADER
                      " is one key of 1 to %d visible ASCII characters, as it "
                      "is or in double quotes",
                      GM_IDEMPOTENCY_BYTES);
}

/* RFC 8941 section 3.3.3. *at: behind the first quote; then behind the last one, or NULL. */
static size_t read_quoted(const char **at, char *out)
{
    const char *p = *at;
    size_t n = 0;
    *at = NULL;
    for (; *p != '"'; p++) {
        if (*p == '\\') {
            p++;
            if (*p != '"' && *p != '\\') {
                return 0;
            }
        }
        if (*p < ' ' || *p > '~' || n == GM_IDEMPOTENCY_BYTES) {
            return 0;
        }
        out[n++] = *p;
    }
    *at = p + 1;
    return n;
}

static size_t read_bare(const char **at, char *out)
{
    const char *p = *at;
    size_t n = 0;
    for (; *p > ' ' && *p <= '~' && strchr("\",;\\", *p) == NULL; p++) {
        if (n == GM_IDEMPOTENCY_BYTES) {
            return 0;
        }
        out[n++] = *p;
    }
    *at = p;
    return n;
}

int gm_idempotency_parse(const char *value, char out[GM_IDEMPOTENCY_BYTES + 1], struct gm_err *err)
{
    char key[GM_IDEMPOTENCY_BYTES + 1];
    const char *p = value + (value[0] == '"' ? 1 : 0);
    size_t n = value[0] == '"' ? read_quoted(&p, key) : read_bare(&p, key);
    if (n == 0 || *p != '\0') {
        return malformed(err);
    }
    memcpy(out, key, n);
    out[n] = '\0';
    return 0;
}

struct header {
    const char *value; /* borrowed */
    unsigned count;
};

static enum MHD_Result take_header(void *arg, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct header *h = arg;
    (void)kind;
    if (strcasecmp(key, GM_IDEMPOTENCY_HEADER) == 0) {
        h->value = value != NULL ? value : "";
        h->count++;
    }
    return MHD_YES;
}

int gm_idempotency_read(struct MHD_Connection *connection, char out[GM_IDEMPOTENCY_BYTES + 1],
                        struct gm_err *err)
{
    struct header h = {0};
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &h);
    if (h.count == 0) {
        out[0] = '\0';
        return 0;
    }
    return h.count == 1 ? gm_idempotency_parse(h.value, out, err) : malformed(err);
}

int gm_idempotency_hash(const char *tenant, const char *key, const char *path, const json_t *body,
                        struct gm_idempotency *out, struct gm_err *err)
{
    const char *whose = tenant != NULL && tenant[0] != '\0' ? tenant : GM_TENANT_DEFAULT;
    struct gm_sha256 *hash = gm_sha256_create();
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    if (hash != NULL && text != NULL) { /* each text with its NUL: none runs into the next */
        gm_sha256_update(hash, whose, strlen(whose) + 1);
        gm_sha256_update(hash, key, strlen(key) + 1);
        gm_sha256_final(hash, out->key);
        gm_sha256_update(hash, path, strlen(path) + 1);
        gm_sha256_update(hash, text, strlen(text) + 1);
        gm_sha256_final(hash, out->request);
    }
    int rc = hash != NULL && text != NULL ? 0 : gm_err_nomem(err);
    gm_sha256_destroy(&hash);
    free(text);
    return rc;
}

int gm_idempotency_hash_retry(const char *tenant, const char *key, const char *path, bool all,
                              struct gm_idempotency *out, struct gm_err *err)
{
    json_t *body = json_pack("{s:b}", "all", (int)all);
    int rc =
        body != NULL ? gm_idempotency_hash(tenant, key, path, body, out, err) : gm_err_nomem(err);
    json_decref(body);
    return rc;
}

int gm_idempotency_find(const struct gm_taking *list, const struct gm_core *core,
                        const struct gm_idempotency *of, const char **out_job, struct gm_err *err)
{
    uint8_t request[GM_CORE_HASH];
    for (; list != NULL; list = list->next) {
        if (memcmp(list->of->key, of->key, sizeof of->key) == 0) {
            return gm_err_set(err, GM_E_KEY_BUSY, 0,
                              "a request with that " GM_IDEMPOTENCY_HEADER " is being taken");
        }
    }
    const char *job = gm_view_keyed(core, of->key, request);
    if (job != NULL && memcmp(request, of->request, sizeof request) != 0) {
        return gm_err_set(err, GM_E_KEY_REUSED, 0,
                          "job %s was made of another request with that " GM_IDEMPOTENCY_HEADER,
                          job);
    }
    *out_job = job;
    return 0;
}

void gm_taking_add(struct gm_taking **list, struct gm_taking *taking,
                   const struct gm_idempotency *of)
{
    *taking = (struct gm_taking){.next = *list, .of = of};
    *list = taking;
}

void gm_taking_drop(struct gm_taking **list, struct gm_taking *taking)
{
    struct gm_taking **at = list;
    while (*at != NULL && *at != taking) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = taking->next;
    }
}
