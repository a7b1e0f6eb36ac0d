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
    int rc = store->ops->get(store, GM_STORE_MARK, 0, text, sizeof(text) - 1, &size, err);

    if (rc < 0) {
        return rc;
    }
    size -= size > 0 && text[size - 1] == '\n' ? 1 : 0; /* written by hand */
    text[size] = '\0';
    if (!is_mark(text)) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                          "the store's %s holds no mark: write back the one that it had, which the "
                          "log names where a clean-up waits for it; if none does, delete it",
                          GM_STORE_MARK);
    }
    memcpy(out, text, GM_ID_SIZE);
    return 0;
}

int gm_store_mark(struct gm_store *store, bool make, char out[GM_ID_SIZE], struct gm_err *err)
{
    const struct gm_store_put put = {
        .key = GM_STORE_MARK, .fd = -1, .size = MARK_BYTES, .if_absent = true};
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
    if (rc < 0 && rc != -GM_E_STORE_EXISTS) {
        return rc;
    }
    rc = read_mark(store, out, err); /* if somebody else's came first, theirs counts */
    return rc != -GM_E_NOTFOUND ? rc
                                : gm_err_set(err, GM_E_STORE_DENIED, 0,
                                             "the store's %s is no file: a folder of that name "
                                             "must go before a mark can be written",
                                             GM_STORE_MARK);
}

/* The store at url has this mark, or is away. */
static int check_mark(struct gm_store *store, const char *url, const char *mark, struct gm_err *err)
{
    char found[GM_ID_SIZE] = "none";
    int rc = gm_store_mark(store, false, found, err);

    if (rc < 0 && rc != -GM_E_NOTFOUND && rc != -GM_E_STORE_CORRUPT) {
        return rc;
    }
    if (rc == 0 && strcmp(found, mark) == 0) {
        return 0;
    }
    return gm_err_set(err, GM_E_STORE, 0,
                      "%.80s is not the store of mark %s, it has %s: is its file system mounted? "
                      "If it is, write that mark to %s",
                      url, mark, rc == -GM_E_STORE_CORRUPT ? "a bad one" : found, GM_STORE_MARK);
}

int gm_store_open_marked(const char *url, const char *mark, struct gm_store **out,
                         struct gm_err *err)
{
    struct gm_store *store = NULL;
    int rc = gm_store_open(url, false, &store, err);

    if (rc == -GM_E_NOTFOUND && mark[0] != '\0') {
        return gm_err_set(err, GM_E_STORE, 0,
                          "%.120s, the store of mark %s, is not there: is its file system mounted?",
                          url, mark);
    }
    if (rc == 0 && mark[0] != '\0') {
        rc = check_mark(store, url, mark, err);
    }
    if (rc < 0) {
        gm_store_close(&store);
        return rc;
    }
    *out = store;
    return 0;
}
