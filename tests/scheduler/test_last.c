#include "tests/scheduler/helper.h"

#include "scheduler/store/last.h"

#define ROWS 3000

/* Against a look at each pair; the table is used again, larger and smaller. */
static void the_last_of_each_key_stays(void **state)
{
    static char names[8][4];
    static struct gm_row rows[ROWS];
    static const size_t counts[] = {5, 1, 0, 400, ROWS, 17};
    struct gm_last last = {0};
    struct gm_err err = {0};
    uint64_t random = 1;
    size_t skipped = 0;
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t r = (uint32_t)(random >> 33);
        (void)snprintf(names[r % 8], sizeof names[0], "n%u", r % 8);
        rows[i].key = (struct gm_key){.kind = (enum gm_row_kind)(1 + r % 6),
                                      .job = (r >> 8) % 5,
                                      .task = (r >> 12) % 3,
                                      .index = (r >> 16) % 50,
                                      .number = (r >> 16) % 50,
                                      .name = names[r % 8]};
    }
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        ASSERT_OK(gm_last_find(&last, rows, counts[c], &err));
        assert_true(last.slot_count <= 16 + 4 * counts[c]); /* whatever the one before was */
        for (size_t i = 0; i < counts[c]; i++) {
            bool later = false;
            for (size_t k = i + 1; k < counts[c] && !later; k++) {
                later = gm_key_compare(&rows[i].key, &rows[k].key) == 0;
            }
            assert_int_equal(last.skip[i], later);
            skipped += later;
        }
    }
    assert_true(skipped > ROWS / 4);
    gm_last_fini(&last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_of_each_key_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
