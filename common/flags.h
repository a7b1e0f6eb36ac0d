#ifndef GM_COMMON_FLAGS_H
#define GM_COMMON_FLAGS_H

#include "common/err.h"

/* A program's options by a table, over getopt_long(3): `--name value` or `--name=value`, anywhere
 * before `--`; a name may be shortened as long as it is one. What is wrong is said on the standard
 * error. Thread: one (getopt's state). */
enum gm_flag_type {
    GM_FLAG_SET,  /* to: bool, set to true; takes no value */
    GM_FLAG_TEXT, /* to: const char *, borrowed from argv; the last one counts */
    GM_FLAG_LIST, /* to: struct gm_flag_list; may be given again */
};

#define GM_FLAG_LIST_MAX 64
struct gm_flag_list {                    /* all-zero: empty */
    const char *items[GM_FLAG_LIST_MAX]; /* borrowed from argv */
    size_t count;
};

#define GM_FLAGS_MAX 24 /* rows of a table */
struct gm_flag {
    const char *name; /* without its dashes; NULL ends a table */
    enum gm_flag_type type;
    void *to; /* borrowed for the call */
};

#define GM_EXIT_USAGE 2

/* A whole command line, with --help, and --version where `version` is not NULL: both end the
 * reading, and are printed to the standard output. An option that is unknown or lacks its value
 * makes the help come on the standard error, and so does a word where none may be.
 *
 * help:      ends with a line feed
 * version:   a line without its line feed; NULL: there is no such option
 * out_first: index in argv of the first word that is no option; those words stand together at the
 *            end of argv, which is put in that order; NULL: there may be none
 * Returns -1: go on; else the exit status: 0, GM_EXIT_USAGE, or 1 where it could not be printed. */
int gm_flags_parse(int argc, char **argv, const struct gm_flag *table, const char *help,
                   const char *version, int *out_first) GM_MUST_CHECK;

/* The same without --help and --version, and only up to the first word that is no option.
 * Errors: INVAL (where getopt has said on the standard error which one, the text does not). */
int gm_flags_take(int argc, char **argv, const struct gm_flag *table, int *out_first,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
