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

const char *gm_suggest(const char *word, const char *const *words)
{
    const char *best = NULL;
    size_t length = strlen(word);
    size_t best_distance = 2 + length / 3;

    if (length > WORD_MAX_LENGTH) {
        return NULL;
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        size_t other = strlen(words[i]);
        size_t d;

        if (other > WORD_MAX_LENGTH) {
            continue;
        }
        d = distance(word, length, words[i], other);
        if (d < best_distance) {
            best_distance = d;
            best = words[i];
        }
    }
    return best;
}
