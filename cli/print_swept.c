#include <inttypes.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/job.h"
#include "cli/print.h"

static void add_age(struct gm_table *table, const json_t *row)
{
    int64_t hours = gm_job_number(row, "age_s") / 3600;
    if (json_is_integer(json_object_get(row, "age_s"))) {
        gm_table_addf(table, hours < 48 ? "%" PRId64 " h" : "%" PRId64 " days",
                      hours < 48 ? hours : hours / 24);
    } else {
        gm_table_add(table, "-");
    }
}

void gm_print_swept(FILE *file, const json_t *answer)
{
    static const struct gm_column columns[] = {{"KEYS", true, false},    {"OBJECTS", true, false},
                                               {"UPLOADS", true, false}, {"SIZE", true, false},
                                               {"AGE", true, false},     {"JOB", false, false},
                                               {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i, deleted = 0;
    const json_t *row;
    const json_t *found = json_object_get(answer, "found");
    if (json_array_size(found) == 0) {
        fprintf(file, "nothing is left over\n");
        return;
    }
    json_array_foreach(found, i, row)
    {
        char size[24];
        gm_table_add(&table, gm_job_text(row, "prefix"));
        gm_table_addf(&table, "%" PRId64, gm_job_number(row, "objects"));
        gm_table_addf(&table, "%" PRId64, gm_job_number(row, "uploads"));
        gm_table_add(&table, gm_print_bytes(gm_job_real(row, "bytes"), size, sizeof(size)));
        add_age(&table, row);
        gm_table_add(&table, gm_job_text(row, "why"));
        deleted += json_is_true(json_object_get(row, "deleted"));
    }
    gm_table_print(&table, file, gm_table_width(file));
    if (json_is_true(json_object_get(answer, "dry_run"))) {
        fprintf(file, "(nothing was deleted)\n");
    } else if (strcmp(gm_job_text(answer, "state"), "ended") == 0 &&
               deleted < json_array_size(found)) {
        fprintf(file, "(%zu of %zu were deleted)\n", deleted, json_array_size(found));
    }
}
