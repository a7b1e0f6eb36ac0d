#ifndef GM_CLI_PIPELINE_FILE_H
#define GM_CLI_PIPELINE_FILE_H

#include <jansson.h>

#include "common/err.h"
#include "common/yaml.h"

/* --pipeline names a file when it holds a '/', ends in ".yaml" or ".yml", or such a file (not a
 * folder) exists. */
bool gm_pipeline_is_file(const char *arg);
/* Calls fn for the value of each `image` and `poster_image` key of the tree, in order; the first
 * failure ends it. */
int gm_pipeline_scan_images(const struct gm_yaml *root,
                            int (*fn)(const struct gm_yaml *image, void *arg, struct gm_err *err),
                            void *arg, struct gm_err *err) GM_MUST_CHECK;
/* The file with its images as the API takes it: {"yaml","name","assets":{name:base64}}; owned.
 * Images lie relative to the file, are at most 4 MiB each, 64 in all. Errors: CONFIG with
 * file:line, INVAL (there is no such file, or it is none), SYS, LIMIT, NOMEM. */
int gm_pipeline_load(const char *path, json_t **out, struct gm_err *err) GM_MUST_CHECK;

#endif
