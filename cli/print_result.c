/* Where a job's result is. */
#include <string.h>

#include "cli/job.h"
#include "cli/print.h"

#define RANK_FILE 3

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

static int rank_of(const char *path)
{
    bool file = ends_in(path, ".mp4") || ends_in(path, ".m4a");
    return strcmp(path, "master.m3u8") == 0       ? 5
           : strcmp(path, "manifest.mpd") == 0    ? 4
           : file && strstr(path, "mp4/") != NULL ? RANK_FILE
           : ends_in(path, ".vtt")                ? 2
                                                  : 1;
}

void gm_print_result(FILE *file, const json_t *report, const char *root, size_t root_size)
{
    const json_t *outputs = json_object_get(report, "outputs");
    int best = 0;
    bool said = false;
    size_t i;
    const json_t *output;
    json_array_foreach(outputs, i, output)
    {
        int rank = rank_of(gm_job_text(output, "path"));
        best = rank > best ? rank : best;
    }
    json_array_foreach(outputs, i, output)
    {
        const char *path = gm_job_text(output, "path");
        if (rank_of(path) == best && (!said || best == RANK_FILE)) {
            fprintf(file, "%.*s/%s\n", (int)root_size, root, path);
            said = true;
        }
    }
    if (!said) {
        fprintf(file, "%.*s\n", (int)root_size, root);
    }
}
