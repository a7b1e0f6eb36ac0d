/* For tests named test_*_oom.c, which the linker gives wrapped allocators (tests/CMakeLists.txt):
 * the call number `fail_alloc_at` of them (1 = the next) of the thread that armed it answers NULL.
 */
#ifndef GM_TESTS_COMMON_FAIL_ALLOC_H
#define GM_TESTS_COMMON_FAIL_ALLOC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t size);

static _Thread_local long fail_alloc_at; /* 0: none fails */
static _Thread_local long fail_alloc_count;

static void fail_alloc_arm(long at)
{
    fail_alloc_at = at;
    fail_alloc_count = 0;
}

/* Whether the armed failure has happened; disarms. */
static bool fail_alloc_fired(void)
{
    bool fired = fail_alloc_at > 0 && fail_alloc_count >= fail_alloc_at;

    fail_alloc_at = 0;
    return fired;
}

static bool fails_now(void)
{
    if (fail_alloc_at > 0 && ++fail_alloc_count == fail_alloc_at) {
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
    return fails_now() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t size)
{
    return fails_now() ? NULL : __real_strndup(s, size);
}

#endif
