#ifndef GM_TESTS_SCHEDULER_PIPELINE_TEXT_H
#define GM_TESTS_SCHEDULER_PIPELINE_TEXT_H

#include "tests/scheduler/helper.h"

#include "scheduler/pipeline/pipeline.h"

/* Beginnings of pipeline files, and an end for VIDEO. */
#define HEAD "name: x\ntasks:\n  i: {type: inspect}\n  p: {type: plan, needs: [i]}\n"
#define BASE HEAD "  s: {type: split, needs: [p]}\n"
#define VIDEO BASE "  v: {type: encode, needs: [s]}\n"
#define PACK "  out: {type: package, needs: [v]}\n"

/* The text as f.yaml. */
static inline int parse(const char *text, Gm__Pipeline **out, struct gm_err *err)
{
    return gm_pipeline_parse("f.yaml", text, strlen(text), out, err);
}

/* A pipeline whose encode task has these options besides, "crf: 20, level: 4"; "": none. */
static inline void encode_text(const char *options, char out[1024])
{
    int n = snprintf(out, 1024, BASE "  v: {type: encode, needs: [s]%s%s}\n" PACK,
                     options[0] == '\0' ? "" : ", ", options);
    assert_true(n > 0 && n < 1024);
}

/* The encode task's parameters; NULL: there is none. */
static inline const Gm__EncodeParams *encode_of(const Gm__Pipeline *p)
{
    for (size_t i = 0; i < p->n_tasks; i++) {
        if (p->tasks[i]->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
            return p->tasks[i]->encode;
        }
    }
    return NULL;
}

#endif
