#include "media/language.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

/* Of two codes for one language the terminological stands first: it is what a tag becomes. */
static const char *const pairs[][2] = {
    {"ara", "ar"}, {"bul", "bg"}, {"cat", "ca"}, {"ces", "cs"}, {"cze", "cs"}, {"dan", "da"},
    {"deu", "de"}, {"ell", "el"}, {"eng", "en"}, {"est", "et"}, {"eus", "eu"}, {"fas", "fa"},
    {"fin", "fi"}, {"fra", "fr"}, {"fre", "fr"}, {"ger", "de"}, {"gle", "ga"}, {"glg", "gl"},
    {"gre", "el"}, {"heb", "he"}, {"hin", "hi"}, {"hrv", "hr"}, {"hun", "hu"}, {"ind", "id"},
    {"isl", "is"}, {"ice", "is"}, {"ita", "it"}, {"jpn", "ja"}, {"kor", "ko"}, {"lat", "la"},
    {"lav", "lv"}, {"lit", "lt"}, {"msa", "ms"}, {"may", "ms"}, {"nld", "nl"}, {"dut", "nl"},
    {"nor", "no"}, {"per", "fa"}, {"pol", "pl"}, {"por", "pt"}, {"ron", "ro"}, {"rum", "ro"},
    {"rus", "ru"}, {"slk", "sk"}, {"slo", "sk"}, {"slv", "sl"}, {"spa", "es"}, {"srp", "sr"},
    {"swe", "sv"}, {"tam", "ta"}, {"tel", "te"}, {"tha", "th"}, {"tur", "tr"}, {"ukr", "uk"},
    {"urd", "ur"}, {"vie", "vi"}, {"zho", "zh"}, {"chi", "zh"},
};
#define PAIRS (sizeof pairs / sizeof pairs[0])

void gm_language_code(const char *text, char out[GM_LANGUAGE_SIZE])
{
    memcpy(out, "und", GM_LANGUAGE_SIZE);
    size_t n = text != NULL ? strspn(text, LETTERS) : 0;
    if (n == 0 || (text[n] != '\0' && text[n] != '-')) {
        return;
    }
    for (size_t i = 0; n == 2 && i < PAIRS; i++) {
        if (strncmp(pairs[i][1], text, 2) == 0) {
            memcpy(out, pairs[i][0], GM_LANGUAGE_SIZE);
            return;
        }
    }
    if (n == 3) {
        memcpy(out, text, 3);
    }
}

const char *gm_language_tag(const char *code)
{
    if (code == NULL || strlen(code) != 3 || strcmp(code, "und") == 0 ||
        strspn(code, LETTERS) != 3) {
        return NULL;
    }
    for (size_t i = 0; i < PAIRS; i++) {
        if (strcmp(pairs[i][0], code) == 0) {
            return pairs[i][1];
        }
    }
    return code;
}
