#ifndef GM_PROTO_LANGUAGE_H
#define GM_PROTO_LANGUAGE_H

/* Languages: inside, in pipelines and in reports ISO 639-2 codes of three small letters, of the
 * twenty languages that have two the terminological ("deu", not "ger"), "und" where nothing is
 * known; in manifests BCP 47 tags. Pure. Source: loc.gov/standards/iso639-2; RFC 5646 (BCP 47) 2.1
 * and 2.2.1. */
#define GM_LANGUAGE_SIZE 4

/* What a container says, a code or a tag such as "pt-BR", of which the language alone is kept:
 * "por"; capitals count as small letters. Of two letters ISO 639-1 must have them, of three all are
 * taken; else, and for what is no tag, "und", as for NULL. */
void gm_language_code(const char *text, char out[GM_LANGUAGE_SIZE]);
/* The tag of a code: two letters where there are, else the code itself; NULL for "und", empty or
 * malformed. Borrowed from the code or for good. */
const char *gm_language_tag(const char *code);

#endif
