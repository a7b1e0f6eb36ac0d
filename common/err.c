#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static const struct gm_code_info CODES[] = {
#define GM_CODE(number, name, id, retry, blame, http, meaning, remedy)                             \
    {GM_E_##name, id, GM_RETRY_##retry, GM_BLAME_##blame, http, meaning, remedy},
#include "common/catalogue.def"

#define TOKEN_DIGITS 24 /* more than names have behind that word */
#undef GM_CODE
};

#define CODES_COUNT (sizeof(CODES) / sizeof(CODES[0]))

_Noreturn void gm_assert_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken rule: %s\n", file, line, what);
    abort();
}

const struct gm_code_info *gm_code_get(int code)
{
    const struct gm_code_info *bug = NULL;

    for (size_t i = 0; i < CODES_COUNT; i++) {
        if ((int)CODES[i].code == code) {
            return &CODES[i];
        }
        if (CODES[i].code == GM_E_BUG) {
            bug = &CODES[i];
        }
    }
    return bug;
}

const struct gm_code_info *gm_code_find(const char *id)
{
    for (size_t i = 0; i < CODES_COUNT; i++) {
        if (strcmp(CODES[i].id, id) == 0) {
            return &CODES[i];
        }
    }
    return NULL;
}

const struct gm_code_info *gm_code_list(size_t *out_count)
{
    *out_count = CODES_COUNT;
    return CODES;
}

const char *gm_blame_name(enum gm_blame blame)
{
    switch (blame) {
    case GM_BLAME_USER:
        return "user";
    case GM_BLAME_INPUT:
        return "input";
    case GM_BLAME_NODE:
        return "node";
    case GM_BLAME_DEVICE:
        return "device";
    case GM_BLAME_STORAGE:
        return "storage";
    case GM_BLAME_US:
        break;
    }
    return "gopmill";
}

const char *gm_retry_name(enum gm_retry retry)
{
    switch (retry) {
    case GM_RETRY_SAME_NODE:
        return "same-node";
    case GM_RETRY_OTHER_NODE:
        return "other-node";
    case GM_RETRY_NEVER:
        break;
    }
    return "never";
}

/* A cut text ends in "..." so that nobody takes it for the whole. */
static void mark_cut(char *text, size_t size)
{
    memcpy(text + size - 4, "...", 4);
}

/* A token of the HTTP API that stood where something else belongs (common/tokens.h) is told to
 * nobody, whole or cut. */
static void hide_tokens(char *text)
{
    static const char prefix[] = "gopmill_";
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (char *at = strstr(text, prefix); at != NULL; at = strstr(at, prefix)) {
        at += sizeof prefix - 1;
        size_t size = strspn(at, digits);
        if (size >= TOKEN_DIGITS) {
            memcpy(at, "***", 3);
            memmove(at + 3, at + size, strlen(at + size) + 1);
        }
    }
}

GM_PRINTF(4, 0)
static int set_text(struct gm_err *err, enum gm_code code, int64_t native, const char *fmt,
                    va_list args)
{
    if (err != NULL) {
        int n;

        err->code = code;
        err->native = native;
        n = vsnprintf(err->text, sizeof(err->text), fmt, args);
        if (n < 0) {
            err->text[0] = '\0';
        } else if ((size_t)n >= sizeof(err->text)) {
            mark_cut(err->text, sizeof(err->text));
        }
        gm_utf8_clean(err->text);
        hide_tokens(err->text);
    }
    return -(int)code;
}

int(gm_err_set)(struct gm_err *err, enum gm_code code, int64_t native, const char *fmt, ...)
{
    va_list args;
    int rc;

    va_start(args, fmt);
    rc = set_text(err, code, native, fmt, args);
    va_end(args);
    return rc;
}

int(gm_err_sys)(struct gm_err *err, int errnum, const char *fmt, ...)
{
    enum gm_code code = GM_E_SYS;
    char text[sizeof(err->text)];
    char reason[64];
    va_list args;

    if (errnum == ENOMEM) {
        code = GM_E_NOMEM;
    } else if (errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG) {
        code = GM_E_NO_SCRATCH;
    }
    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    /* the reason matters more than the end of a long path */
    return gm_err_set(err, code, errnum, "%.170s: %s", text,
                      strerror_r(errnum, reason, sizeof(reason)));
}

int(gm_err_nomem)(struct gm_err *err)
{
    return gm_err_set(err, GM_E_NOMEM, 0, "memory ran out");
}

int gm_err_wrap(struct gm_err *err, int rc, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list args;
    int used;
    int more;

    if (err == NULL) {
        return rc;
    }
    va_start(args, fmt);
    used = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (used < 0 || (size_t)used >= sizeof(text)) {
        return rc; /* context that leaves no room for the error itself is no help */
    }
    more = snprintf(text + used, sizeof(text) - (size_t)used, "%s", err->text);
    if (more < 0) {
        return rc;
    }
    if ((size_t)used + (size_t)more >= sizeof(text)) {
        mark_cut(text, sizeof(text));
    }
    memcpy(err->text, text, sizeof(text));
    gm_utf8_clean(err->text);
    return rc;
}
