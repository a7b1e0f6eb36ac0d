#include <inttypes.h>
#include <string.h>

#include "cli/job.h"
#include "cli/print.h"
#include "cli/print_text.h"

static void put_age(FILE *file, const json_t *row)
{
    int64_t age_s = gm_job_number(row, "age_s");
    char text[24] = "-";
    if (json_is_integer(json_object_get(row, "age_s"))) {
        int64_t hours = age_s / 3600;
        snprintf(text, sizeof(text), hours < 48 ? "%" PRId64 " h" : "%" PRId64 " days",
                 hours < 48 ? hours : hours / 24);
    }
    gm_print_text(file, text, 12);
}

void gm_print_swept(FILE *file, const json_t *answer)
{
    size_t i, deleted = 0;
    const json_t *row;
    const json_t *found = json_object_get(answer, "found");
    if (json_array_size(found) == 0) {
        fprintf(file, "nothing is left over\n");
        return;
    }
    fprintf(file, "%-34s%-9s%-9s%-11s%-12s%s\n", "KEYS", "OBJECTS", "UPLOADS", "SIZE", "AGE",
            "JOB");
    json_array_foreach(found, i, row)
    {
        char size[24];
        gm_print_text(file, gm_job_text(row, "prefix"), 34);
        fprintf(file, "%-9" PRId64 "%-9" PRId64 "%-11s", gm_job_number(row, "objects"),
                gm_job_number(row, "uploads"),
                gm_print_bytes(gm_job_real(row, "bytes"), size, sizeof(size)));
        put_age(file, row);
        gm_print_text(file, gm_job_text(row, "why"), 0);
        deleted += json_is_true(json_object_get(row, "deleted"));
        fputc('\n', file);
    }
    if (json_is_true(json_object_get(answer, "dry_run"))) {
        fprintf(file, "(nothing was deleted)\n");
    } else if (strcmp(gm_job_text(answer, "state"), "ended") == 0 &&
               deleted < json_array_size(found)) {
        fprintf(file, "(%zu of %zu were deleted)\n", deleted, json_array_size(found));
    }
}
