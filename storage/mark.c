/* A store's mark: which store it is. It lies beside the objects under a name that is no key, and is
 * written once, by whoever opens the store to write and finds none.
 */
#include <string.h>

#include "storage/backend.h"

#define MARK_BYTES (GM_ID_SIZE - 1)

static bool is_mark(const char *s)
{
    return strspn(s, "0123456789abcdefghijklmnopqrstuvwxyz") == MARK_BYTES && s[MARK_BYTES] == '\0';
}

static int read_mark(struct gm_store *store, char out[GM_ID_SIZE], struct gm_err *err)
{
    char text[MARK_BYTES + 3];
    size_t size = 0;
    int rc = store->ops->get(store, GM_DIR_MARK, 0, text, sizeof(text) - 1, &size, err);

    if (rc < 0) {
        return rc;
    }
    size -= size > 0 && text[size - 1] == '\n' ? 1 : 0; /* written by hand */
    text[size] = '\0';
    if (!is_mark(text)) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                          "the store's %s holds no mark (delete it, and one is written)",
                          GM_DIR_MARK);
    }
    memcpy(out, text, GM_ID_SIZE);
    return 0;
}

int gm_store_mark(struct gm_store *store, bool make, char out[GM_ID_SIZE], struct gm_err *err)
{
    const struct gm_store_put put = {
        .key = GM_DIR_MARK, .fd = -1, .size = MARK_BYTES, .if_absent = true};
    char id[GM_ID_SIZE];
    int rc = read_mark(store, out, err);

    if (rc != -GM_E_NOTFOUND || !make) {
        return rc;
    }
    rc = store->ops->settle(store, err); /* a store with a mark is durable */
    if (rc == 0) {
        rc = gm_id_make(id, err);
    }
    if (rc == 0) {
        rc = store->ops->put(store, &put, id, err);
    }
    /* somebody else's came first: theirs counts */
    return rc < 0 && rc != -GM_E_STORE_EXISTS ? rc : read_mark(store, out, err);
}

int gm_store_open_marked(const char *url, const char *mark, struct gm_store **out,
                         struct gm_err *err)
{
    struct gm_store *store = NULL;
    char found[GM_ID_SIZE] = "";
    int rc = gm_store_open(url, false, &store, err);

    if (mark[0] == '\0') {
        *out = rc == 0 ? store : *out;
        return rc;
    }
    if (rc == 0) {
        rc = gm_store_mark(store, false, found, err);
    }
    if (rc == -GM_E_NOTFOUND || (rc == 0 && strcmp(found, mark) != 0)) {
        rc =
            gm_err_set(err, GM_E_STORE, 0,
                       "%.150s is not the store of mark %s, it has %s: is its file system mounted?",
                       url, mark, found[0] == '\0' ? "none" : found);
    }
    if (rc < 0) {
        gm_store_close(&store);
        return rc;
    }
    *out = store;
    return 0;
}
