#ifndef GM_COMMON_ERR_H
#define GM_COMMON_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Errors are data: a code of the catalogue, the foreign library's own number, and one sentence.
 * Fallible functions return 0, or a negative enum gm_code with *err filled. Retry class and blame
 * are never stored: they follow from the code by the catalogue.
 */
enum gm_code {
    GM_OK = 0,
#define GM_CODE(number, name, id, retry, blame, http, meaning, remedy) GM_E_##name = (number),
#include "common/catalogue.def"
#undef GM_CODE
};

enum gm_retry { GM_RETRY_NEVER, GM_RETRY_SAME_NODE, GM_RETRY_OTHER_NODE };
enum gm_blame {
    GM_BLAME_USER,
    GM_BLAME_INPUT,
    GM_BLAME_NODE,
    GM_BLAME_DEVICE,
    GM_BLAME_STORAGE,
    GM_BLAME_US
};

struct gm_err {
    enum gm_code code;
    int64_t native; /* errno, AVERROR, CURLcode ... untouched; 0 where none */
    char text[240]; /* one sentence, past tense, NUL-terminated */
};

#define GM_MUST_CHECK __attribute__((warn_unused_result))
#define GM_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* A deliberate ignore: GM_IGNORE(gm_x(...), "why it does not matter") */
#define GM_IGNORE(call, why)                                                                       \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
            (void)sizeof(why);                                                                     \
        }                                                                                          \
    } while (0)
/* Programming errors only; stays on in release. Never an expression with effects. */
#define GM_ASSERT(x) ((x) ? (void)0 : gm_assert_fail(#x, __FILE__, __LINE__))
_Noreturn void gm_assert_fail(const char *what, const char *file, int line);

/* A row of the catalogue. */
struct gm_code_info {
    enum gm_code code;
    const char *id; /* "input.no_video" */
    enum gm_retry retry;
    enum gm_blame blame;
    int http_status;
    const char *meaning;
    const char *remedy;
};

/* The row of `code` (positive); an unknown number gives the row of GM_E_BUG. Thread: any. */
const struct gm_code_info *gm_code_get(int code);
/* The row with that id, or NULL. */
const struct gm_code_info *gm_code_find(const char *id);
/* All rows, *out_count of them, ordered by number. */
const struct gm_code_info *gm_code_list(size_t *out_count);
const char *gm_blame_name(enum gm_blame blame); /* "input" */
const char *gm_retry_name(enum gm_retry retry); /* "never", "same-node", "other-node" */

/* Tells compiler and analyzer what every failing call promises: its answer is negative. */
static inline int gm_err_failed(int rc)
{
    GM_ASSERT(rc < 0);
    return rc;
}

/* Fills *err (NULL is fine), returns -code. What looks like an API token is left out of it. */
int gm_err_set(struct gm_err *err, enum gm_code code, int64_t native, const char *fmt, ...)
    GM_PRINTF(4, 5);
#define gm_err_set(...) gm_err_failed((gm_err_set)(__VA_ARGS__))
/* From errno: ENOMEM, ENOSPC and EDQUOT get their own codes, all else GM_E_SYS. The reason's words
 * (strerror) are put behind the text. */
int gm_err_sys(struct gm_err *err, int errnum, const char *fmt, ...) GM_PRINTF(3, 4);
#define gm_err_sys(...) gm_err_failed((gm_err_sys)(__VA_ARGS__))
/* Out of memory, in one word. */
int gm_err_nomem(struct gm_err *err);
#define gm_err_nomem(err) gm_err_failed((gm_err_nomem)(err))
/* Puts context in front of the text; code and native stay. Returns rc. */
int gm_err_wrap(struct gm_err *err, int rc, const char *fmt, ...) GM_PRINTF(3, 4);

#endif
