#include "cli/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static const char *const VERDICTS[] = {"ok", "warn", "bad"};

static void clean(char *text)
{
    gm_utf8_clean(text);
    for (char *c = text; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    }
}

void gm_findings_add(struct gm_findings *f, enum gm_verdict verdict, const char *about,
                     const char *todo, const char *fmt, ...)
{
    va_list args;
    if (f->count == f->cap) {
        size_t cap = f->cap > 0 ? f->cap * 2 : 32;
        struct gm_finding *more = reallocarray(f->rows, cap, sizeof *more);
        if (more == NULL) {
            f->failed = true;
            return;
        }
        f->rows = more;
        f->cap = cap;
    }
    struct gm_finding *row = &f->rows[f->count++];
    row->verdict = verdict;
    (void)snprintf(row->about, sizeof row->about, "%s", about);
    (void)snprintf(row->todo, sizeof row->todo, "%s", verdict == GM_VERDICT_OK ? "" : todo);
    va_start(args, fmt);
    (void)vsnprintf(row->text, sizeof row->text, fmt, args);
    va_end(args);
    clean(row->about);
    clean(row->text);
    clean(row->todo);
}

void gm_findings_fini(struct gm_findings *f)
{
    free(f->rows);
    *f = (struct gm_findings){.rows = NULL};
}

enum gm_verdict gm_findings_worst(const struct gm_findings *f)
{
    enum gm_verdict worst = GM_VERDICT_OK;
    for (size_t i = 0; i < f->count; i++) {
        worst = f->rows[i].verdict > worst ? f->rows[i].verdict : worst;
    }
    return worst;
}

void gm_findings_print(const struct gm_findings *f, FILE *file)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct gm_finding *row = &f->rows[i];
        fprintf(file, "%-5s%-9s %s\n", VERDICTS[row->verdict], row->about, row->text);
        if (row->todo[0] != '\0') {
            fprintf(file, "%-15s-> %s\n", "", row->todo);
        }
    }
}

json_t *gm_findings_json(const struct gm_findings *f)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < f->count; i++) {
        const struct gm_finding *row = &f->rows[i];
        json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "verdict", VERDICTS[row->verdict], "about",
                                row->about, "text", row->text, "todo", row->todo);
        if (one == NULL || json_array_append_new(list, one) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o}", "verdict", VERDICTS[gm_findings_worst(f)], "findings", list);
}
