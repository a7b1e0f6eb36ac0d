#ifndef GM_CLI_PRINT_TEXT_H
#define GM_CLI_PRINT_TEXT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* What the printers of print.h have in common. Private to them. */

/* Text from the network or a file's name, safe for a terminal, padded to `width` columns; wider
 * text is still apart from what follows. 0: as it is. */
void gm_print_text(FILE *file, const char *text, int width);
/* "name         text\n" */
void gm_print_row(FILE *file, const char *name, const char *text);
/* "s" where there is not one. */
const char *gm_print_plural(int64_t n);
/* A string's text; "" of anything else. */
const char *gm_print_words(const json_t *string);

/* print_nodes.c: lines below a device or node of `node list` and `node show`; none where there is
 * nothing to say. */
void gm_print_notes(FILE *file, const json_t *notes);
void gm_print_chains(FILE *file, const json_t *chains);
void gm_print_measured(FILE *file, const json_t *measured);
void gm_print_quarantine(FILE *file, const json_t *quarantine);

#endif
