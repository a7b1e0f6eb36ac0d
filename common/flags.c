#include "common/flags.h"

#include <getopt.h>
#include <stdio.h>

enum { OF_TABLE = 256, HELP = OF_TABLE + GM_FLAGS_MAX, VERSION };

static int put(const struct gm_flag *flag, const char *value, struct gm_err *err)
{
    struct gm_flag_list *list = flag->to;
    switch (flag->type) {
    case GM_FLAG_SET:
        *(bool *)flag->to = true;
        return 0;
    case GM_FLAG_TEXT:
        *(const char **)flag->to = value;
        return 0;
    case GM_FLAG_LIST:
    default:
        if (list->count == GM_FLAG_LIST_MAX) {
            return gm_err_set(err, GM_E_INVAL, 0, "an option was given more than %d times",
                              GM_FLAG_LIST_MAX);
        }
        list->items[list->count++] = value;
        return 0;
    }
}

/* 0: all were taken; HELP, VERSION: it came; or an error. */
static int walk(int argc, char **argv, const char *how, const struct gm_flag *table, bool version,
                struct gm_err *err)
{
    struct option known[GM_FLAGS_MAX + 3] = {{NULL, 0, NULL, 0}};
    int n = 0, c;
    for (; table[n].name != NULL; n++) {
        GM_ASSERT(n < GM_FLAGS_MAX);
        known[n] = (struct option){.name = table[n].name,
                                   .has_arg = table[n].type == GM_FLAG_SET ? no_argument
                                                                           : required_argument,
                                   .val = OF_TABLE + n};
    }
    if (how[0] == '\0') {
        known[n++] = (struct option){.name = "help", .val = HELP};
    }
    if (version) {
        known[n] = (struct option){.name = "version", .val = VERSION};
    }
    optind = 0; /* glibc: begin anew */
    while ((c = getopt_long(argc, argv, how, known, NULL)) != -1) {
        if (c == HELP || c == VERSION) {
            return c;
        }
        int rc = c >= OF_TABLE
                     ? put(&table[c - OF_TABLE], optarg, err)
                     : gm_err_set(err, GM_E_INVAL, 0, "an option is unknown or lacks its value");
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int gm_flags_parse(int argc, char **argv, const struct gm_flag *table, const char *help,
                   const char *version, int *out_first)
{
    struct gm_err err = {.code = GM_OK};
    switch (walk(argc, argv, "", table, version != NULL, &err)) {
    case 0:
        if (out_first == NULL && optind != argc) {
            (void)fprintf(stderr, "%s: unexpected argument `%s`\n\n%s", argv[0], argv[optind],
                          help);
            return GM_EXIT_USAGE;
        }
        if (out_first != NULL) {
            *out_first = optind;
        }
        return -1;
    case HELP:
        return fputs(help, stdout) >= 0 && fflush(stdout) == 0 ? 0 : 1;
    case VERSION:
        return puts(version) >= 0 && fflush(stdout) == 0 ? 0 : 1;
    default:
        (void)fputs(help, stderr);
        return GM_EXIT_USAGE;
    }
}

int gm_flags_take(int argc, char **argv, const struct gm_flag *table, int *out_first,
                  struct gm_err *err)
{
    int rc = walk(argc, argv, "+", table, false, err);
    if (rc == 0) {
        *out_first = optind;
    }
    return rc;
}
