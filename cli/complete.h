#ifndef GM_CLI_COMPLETE_H
#define GM_CLI_COMPLETE_H

#include <stddef.h>

/* What may stand where a command line is being typed, by the tables of cli/table.h. Pure. */

/* What is to be looked for besides the words that are known. */
enum gm_complete_what {
    GM_COMPLETE_NOTHING,
    GM_COMPLETE_FILE,
    GM_COMPLETE_FOLDER,
    GM_COMPLETE_JOB, /* these are asked of the farm */
    GM_COMPLETE_NODE,
    GM_COMPLETE_PIPELINE,
    GM_COMPLETE_UPLOAD,
};

struct gm_completion {
    enum gm_complete_what what;
    const char *lead; /* in front of each word: "--state=", or "" (lead_size bytes of it) */
    size_t lead_size;
    const char *prefix;                      /* how what is looked for begins */
    const char *scheduler, *token_file, *ca; /* as they stand in the line; NULL: not given */
};

/* A word that fits, `lead` included. */
typedef void (*gm_complete_fn)(const char *word, void *arg);

/* words: of the command line behind the program's name, the last one is being typed and may be
 * empty; count is at least 1. Everything in *out is borrowed from the words. */
void gm_complete(const char *const *words, size_t count, gm_complete_fn fn, void *arg,
                 struct gm_completion *out);

/* The script for "bash", "zsh" or "fish"; NULL: there is none for another. Static. */
const char *gm_complete_script(const char *shell);

#endif
