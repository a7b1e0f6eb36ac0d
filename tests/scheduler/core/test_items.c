/* Items keep the term that they came in, in whatever order that was. */
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "proto/envelope.h"
#include "scheduler/core/bodies.h"
#include "scheduler/core/task.h"

#define CHUNKS 24u

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void fill_in_some_order(struct gm_inst *inst)
{
    uint64_t of[CHUNKS] = {0}, term = 1;
    struct gm_err err;
    bool is_new;
    for (uint32_t left = CHUNKS; left > 0;) {
        Gm__Item item = GM__ITEM__INIT;
        item.index = chance(CHUNKS);
        term += chance(3) == 0;
        if (of[item.index] == 0) {
            of[item.index] = term;
            assert_int_equal(gm_core_inst_add_item(inst, &item, term, &is_new, &err), 0);
            assert_true(is_new);
            left--;
        }
        for (uint32_t i = 0; i < CHUNKS; i++) {
            const struct gm_stream *s = &inst->streams[0];
            assert_int_equal(gm_core_stream_has(s, i), of[i] > 0);
            assert_true(of[i] == 0 || gm_core_stream_term(s, i) == of[i]);
        }
    }
}

static void items_keep_their_terms(void **state)
{
    (void)state;
    for (seed = 1; seed < 500; seed += 2) {
        uint32_t before = seed;
        const struct gm_core_shelf none = {.put = NULL};
        struct gm_cjob job = {.bodies = gm_bodies_create(&none)};
        struct gm_ctask task = {
            .job = &job, .name = (char *)"video", .type = gm_core_task_type_find("encode")};
        struct gm_inst inst = {.task = &task, .chunk_count = CHUNKS};
        assert_non_null(task.type);
        fill_in_some_order(&inst);
        gm_core_stream_fini(&inst.streams[0]);
        free(inst.streams);
        gm_bodies_destroy(&job.bodies);
        seed = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_keep_their_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
