#include "common/yaml.h"

#include <string.h>

#define WORD_MAX_LENGTH 63

/* Levenshtein distance by rows; both words at most WORD_MAX_LENGTH bytes. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[WORD_MAX_LENGTH + 1];

    for (size_t j = 0; j <= b_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);

            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_length];
}

static size_t difference(size_t a, size_t b)
{
    return a < b ? b - a : a - b;
}

/* The list stays sorted by distance, and among equals by when they came. */
size_t gm_suggest_few(const char *word, const char *const *words, const char **out, size_t max)
{
    size_t far[GM_SUGGEST_MAX];
    size_t count = 0;
    size_t length = strlen(word);

    if (length > WORD_MAX_LENGTH) {
        return 0;
    }
    max = max < GM_SUGGEST_MAX ? max : GM_SUGGEST_MAX;
    for (size_t i = 0; words[i] != NULL; i++) {
        size_t other = strlen(words[i]);
        size_t bound = count < max ? 2 + length / 3 : far[max - 1];
        size_t d = bound;
        size_t at;

        if (other <= WORD_MAX_LENGTH && difference(length, other) < bound) {
            d = distance(word, length, words[i], other);
        }
        if (d >= bound) {
            continue;
        }
        at = count < max ? count++ : max - 1;
        for (; at > 0 && far[at - 1] > d; at--) {
            far[at] = far[at - 1];
            out[at] = out[at - 1];
        }
        far[at] = d;
        out[at] = words[i];
    }
    return count;
}

const char *gm_suggest(const char *word, const char *const *words)
{
    const char *best = NULL;

    return gm_suggest_few(word, words, &best, 1) == 1 ? best : NULL;
}
