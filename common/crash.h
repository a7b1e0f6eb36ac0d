#ifndef GM_COMMON_CRASH_H
#define GM_COMMON_CRASH_H

#include <stdint.h>

/* Crash points: places with a name where a test lets a process die as by kill -9. There are none in
 * a program that was built without GOPMILL_TESTS: the macro is nothing, the variable is not read.
 *
 * GM_CRASH, in the environment of a program, is the path of a file of GM_CRASH_SLOTS slots, which
 * the program maps when it starts and a test writes at any time. The process that brings `left` of
 * a slot with its text to 0 counts it in `hits` and dies, or, where the text ends with " stop", is
 * stopped there as by SIGSTOP; once a filling, whichever process of that program it is. A file that
 * can't be mapped ends the program with exit status 2. The names of a program's points are strings
 * in its section gm_crash.
 */
#define GM_CRASH_SLOTS 8
#define GM_CRASH_TEXT 56 /* bytes */

struct gm_crash_slot {
    char text[GM_CRASH_TEXT]; /* "PROGRAM POINT" or "PROGRAM POINT stop", up to the first NUL */
    uint32_t left;            /* passes until death, this machine's byte order; 0: none */
    uint32_t hits;
};

#ifdef GM_CRASH_POINTS
#define GM_CRASH(name)                                                                             \
    do {                                                                                           \
        static const char crash_point[] __attribute__((section("gm_crash"), used)) = name;         \
        gm_crash_point(crash_point);                                                               \
    } while (0)

/* Thread: any. */
void gm_crash_point(const char *name);
/* For a program that becomes another one which may open no files: the control file open without
 * FD_CLOEXEC, or -1 where there is none; and, once the environment is made, its name in there. */
int gm_crash_keep(void);
void gm_crash_pass(int fd);
#else
#define GM_CRASH(name) ((void)0)
static inline int gm_crash_keep(void)
{
    return -1;
}
static inline void gm_crash_pass(int fd)
{
    (void)fd;
}
#endif

#endif
