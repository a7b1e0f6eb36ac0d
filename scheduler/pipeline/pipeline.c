/* Pipeline files: keys, names, types and needs. Parameters: params.c. What holds between tasks:
 * graph.c. Files and assets: assets.c. Checks go from the text outwards. */
#include "scheduler/pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/pipeline/encode.h"
#include "scheduler/pipeline/graph.h"
#include "scheduler/pipeline/params.h"

#define NAME_MAX_BYTES 64
#define DESCRIPTION_MAX_BYTES 1000
#define WEBP_MAX_SIDE 16383 /* px */
#define JPEG_MAX_SIDE 65500

bool gm_pipeline_is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n >= 1 && n <= NAME_MAX_BYTES && s[n] == '\0';
}

static int dup_text(const struct gm_yaml *node, size_t max, char **out, struct gm_err *err)
{
    const char *text = NULL;
    int rc = gm_yaml_string(node, &text, err);
    if (rc < 0) {
        return rc;
    }
    if (strlen(text) > max) {
        return gm_yaml_fail(node, err, "%s is longer than %zu bytes", node->key, max);
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    *out = copy;
    return 0;
}

/* When players get to know of it. */
static int parse_publish(struct gm_pipeline_graph *p, struct gm_err *err)
{
    static const char *const words[] = {"end", "early", NULL};
    const struct gm_yaml *publish = gm_yaml_find(p->root, "publish");
    const char *text = "end";
    int rc = publish != NULL ? gm_yaml_string(publish, &text, err) : 0;
    if (rc < 0) {
        return rc;
    }
    p->pipeline->early = strcmp(text, "early") == 0;
    if (!p->pipeline->early && strcmp(text, "end") != 0) {
        const char *near = gm_suggest(text, words);
        return near != NULL
                   ? gm_yaml_fail(publish, err, "publish is end or early; did you mean `%s`?", near)
                   : gm_yaml_fail(publish, err, "publish is end or early, not `%.40s`", text);
    }
    return 0;
}

static int parse_head(struct gm_pipeline_graph *p, struct gm_err *err)
{
    static const char *const known[] = {"name", "description", "publish", "tasks", NULL};
    if (p->root->kind != GM_YAML_MAP) {
        return gm_yaml_fail(p->root, err, "a pipeline is a map with name, description and tasks");
    }
    int rc = gm_yaml_check_keys(p->root, known, err);
    if (rc < 0) {
        return rc;
    }
    const struct gm_yaml *name = gm_yaml_find(p->root, "name");
    if (name == NULL) {
        return gm_yaml_fail(p->root, err, "the pipeline has no `name`");
    }
    rc = dup_text(name, 4 * NAME_MAX_BYTES, &p->pipeline->name, err);
    if (rc < 0) {
        return rc;
    }
    if (!gm_pipeline_is_name(p->pipeline->name)) {
        return gm_yaml_fail(name, err, "a name is 1 to %d of a-z, 0-9 and `-`", NAME_MAX_BYTES);
    }
    const struct gm_yaml *description = gm_yaml_find(p->root, "description");
    rc = description != NULL
             ? dup_text(description, DESCRIPTION_MAX_BYTES, &p->pipeline->description, err)
             : 0;
    return rc < 0 ? rc : parse_publish(p, err);
}

/* What one row says can't be said by the table: parameters that exclude each other. */
static int check_audio(const struct gm_yaml *yaml, const Gm__AudioParams *p, struct gm_err *err)
{
    const struct gm_yaml *rate = gm_yaml_find(yaml, "sample_rate");
    if (strcmp(p->codec, "opus") == 0 && p->sample_rate != 48000) {
        return gm_yaml_fail(rate != NULL ? rate : yaml, err,
                            "opus works at `sample_rate: 48000` alone");
    }
    return 0;
}

static int check_thumbnails(const struct gm_yaml *yaml, const Gm__ThumbnailsParams *p,
                            struct gm_err *err)
{
    if (p->width % 2 != 0 || p->poster_width % 2 != 0) {
        return gm_yaml_fail(yaml, err, "thumbnails: `width` and `poster_width` are even");
    }
    if (p->poster_at_s >= 0 && p->poster_image[0] != '\0') {
        return gm_yaml_fail(gm_yaml_find(yaml, "poster_image"), err,
                            "`poster_image` and `poster_at_s` exclude each other");
    }
    uint64_t most = strcmp(p->format, "webp") == 0 ? WEBP_MAX_SIDE : JPEG_MAX_SIDE;
    if ((uint64_t)p->width * p->columns > most) {
        return gm_yaml_fail(yaml, err, "thumbnails: `width` times `columns` is above %llu px",
                            (unsigned long long)most);
    }
    return 0;
}

static int check_package(const struct gm_yaml *yaml, const Gm__PackageParams *p, struct gm_err *err)
{
    if (!p->hls && !p->dash) {
        return gm_yaml_fail(yaml, err,
                            "package makes nothing with both `hls` and `dash` off; drop the task");
    }
    return 0;
}

#define NEW_PARAMS(field, Message, message, CASE)                                                  \
    do {                                                                                           \
        task->field = malloc(sizeof(Gm__##Message));                                               \
        if (task->field == NULL) {                                                                 \
            return gm_err_nomem(err);                                                              \
        }                                                                                          \
        gm__##message##__init(task->field);                                                        \
        task->params_case = GM__PIPELINE_TASK__PARAMS_##CASE;                                      \
        params = task->field;                                                                      \
    } while (0)

static int new_params(Gm__PipelineTask *task, unsigned bit, void **out, struct gm_err *err)
{
    void *params = NULL;
    switch (bit) {
    case GM_SHAPE_INSPECT:
        NEW_PARAMS(inspect, InspectParams, inspect_params, INSPECT);
        break;
    case GM_SHAPE_PLAN:
        NEW_PARAMS(plan, PlanParams, plan_params, PLAN);
        break;
    case GM_SHAPE_SPLIT:
        NEW_PARAMS(split, SplitParams, split_params, SPLIT);
        break;
    case GM_SHAPE_ENCODE:
        NEW_PARAMS(encode, EncodeParams, encode_params, ENCODE);
        task->encode->qp = -1;
        task->encode->crf = -1;
        break;
    case GM_SHAPE_AUDIO:
        NEW_PARAMS(audio, AudioParams, audio_params, AUDIO);
        break;
    case GM_SHAPE_THUMBNAILS:
        NEW_PARAMS(thumbnails, ThumbnailsParams, thumbnails_params, THUMBNAILS);
        task->thumbnails->poster_at_s = -1;
        break;
    case GM_SHAPE_ANALYZE:
        NEW_PARAMS(analyze, AnalyzeParams, analyze_params, ANALYZE);
        break;
    case GM_SHAPE_LOUDNESS:
        NEW_PARAMS(loudness, LoudnessParams, loudness_params, LOUDNESS);
        break;
    case GM_SHAPE_SUBTITLES:
        NEW_PARAMS(subtitles, SubtitlesParams, subtitles_params, SUBTITLES);
        break;
    case GM_SHAPE_MP4:
        NEW_PARAMS(mp4, Mp4Params, mp4_params, MP4);
        break;
    default:
        NEW_PARAMS(package, PackageParams, package_params, PACKAGE);
        break;
    }
    *out = params;
    return 0;
}

static int parse_params(struct gm_pipeline_node *n, struct gm_err *err)
{
    static const char *const common[] = {"type", "needs", NULL};
    void *params = NULL;
    int rc = new_params(n->task, n->shape->bit, &params, err);
    if (rc == 0) {
        rc = gm_params_fill(n->shape->type, n->yaml, n->yaml, common, params, err);
    }
    if (rc < 0) {
        return rc;
    }
    switch (n->shape->bit) {
    case GM_SHAPE_ENCODE:
        return gm_encode_settle(n->yaml, n->task->encode, err);
    case GM_SHAPE_AUDIO:
        return check_audio(n->yaml, n->task->audio, err);
    case GM_SHAPE_THUMBNAILS:
        return check_thumbnails(n->yaml, n->task->thumbnails, err);
    case GM_SHAPE_PACKAGE:
        return check_package(n->yaml, n->task->package, err);
    default:
        return 0;
    }
}

static int parse_type(struct gm_pipeline_node *n, struct gm_err *err)
{
    const struct gm_yaml *type = gm_yaml_find(n->yaml, "type");
    if (type == NULL) {
        return gm_yaml_fail(n->yaml, err, "task `%s` has no `type`", n->yaml->key);
    }
    const char *text = NULL;
    int rc = gm_yaml_string(type, &text, err);
    if (rc < 0) {
        return rc;
    }
    n->shape = gm_pipeline_shape_find(text);
    if (n->shape == NULL) {
        return gm_pipeline_shape_fail(type, text, err);
    }
    return dup_text(type, NAME_MAX_BYTES, &n->task->type, err);
}

static int parse_task(struct gm_pipeline_graph *p, const struct gm_yaml *yaml, struct gm_err *err)
{
    if (p->count == GM_PIPELINE_MAX_TASKS) {
        return gm_yaml_fail(yaml, err, "more than %d tasks", GM_PIPELINE_MAX_TASKS);
    }
    if (!gm_pipeline_is_name(yaml->key)) {
        return gm_yaml_fail(yaml, err, "a task's name is 1 to %d of a-z, 0-9 and `-`",
                            NAME_MAX_BYTES);
    }
    if (yaml->kind != GM_YAML_MAP) {
        return gm_yaml_fail(yaml, err, "task `%s` is a map: { type: ..., needs: [...] }",
                            yaml->key);
    }
    Gm__PipelineTask *task = malloc(sizeof *task);
    if (task == NULL) {
        return gm_err_nomem(err);
    }
    gm__pipeline_task__init(task);
    p->pipeline->tasks[p->pipeline->n_tasks++] = task;
    struct gm_pipeline_node *n = &p->nodes[p->count++];
    n->task = task;
    n->yaml = yaml;
    task->name = strdup(yaml->key);
    if (task->name == NULL) {
        task->name = (char *)(uintptr_t)protobuf_c_empty_string;
        return gm_err_nomem(err);
    }
    int rc = parse_type(n, err);
    return rc < 0 ? rc : parse_params(n, err);
}

static int parse_need(struct gm_pipeline_graph *p, struct gm_pipeline_node *n,
                      const struct gm_yaml *yaml, struct gm_err *err)
{
    const char *text = NULL;
    int rc = gm_yaml_string(yaml, &text, err);
    if (rc < 0) {
        return rc;
    }
    const char *names[GM_PIPELINE_MAX_TASKS + 1] = {NULL};
    for (size_t i = 0; i < p->count; i++) {
        names[i] = p->nodes[i].task->name;
        if (strcmp(names[i], text) != 0) {
            continue;
        }
        if ((n->needs & (1u << i)) != 0) {
            return gm_yaml_fail(yaml, err, "`%s` is named twice", text);
        }
        char *copy = strdup(text);
        if (copy == NULL) {
            return gm_err_nomem(err);
        }
        n->needs |= 1u << i;
        n->task->needs[n->task->n_needs++] = copy;
        return 0;
    }
    const char *near = gm_suggest(text, names);
    return near != NULL
               ? gm_yaml_fail(yaml, err, "there is no task `%s`; did you mean `%s`?", text, near)
               : gm_yaml_fail(yaml, err, "there is no task `%s`", text);
}

static int parse_needs(struct gm_pipeline_graph *p, struct gm_pipeline_node *n, struct gm_err *err)
{
    const struct gm_yaml *needs = gm_yaml_find(n->yaml, "needs");
    if (needs == NULL) {
        return 0;
    }
    if (needs->kind != GM_YAML_LIST) {
        return gm_yaml_fail(needs, err, "needs is a list of task names, such as [split]");
    }
    n->task->needs = calloc(GM_PIPELINE_MAX_TASKS, sizeof *n->task->needs);
    if (n->task->needs == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    for (const struct gm_yaml *c = needs->child; rc == 0 && c != NULL; c = c->next) {
        rc = parse_need(p, n, c, err);
    }
    return rc;
}

static int parse_tasks(struct gm_pipeline_graph *p, struct gm_err *err)
{
    const struct gm_yaml *tasks = gm_yaml_find(p->root, "tasks");
    if (tasks == NULL) {
        return gm_yaml_fail(p->root, err, "the pipeline has no `tasks`");
    }
    if (tasks->kind != GM_YAML_MAP) {
        return gm_yaml_fail(tasks, err, "tasks is a map from names to tasks");
    }
    p->pipeline->tasks = calloc(GM_PIPELINE_MAX_TASKS, sizeof *p->pipeline->tasks);
    if (p->pipeline->tasks == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    for (const struct gm_yaml *c = tasks->child; rc == 0 && c != NULL; c = c->next) {
        rc = parse_task(p, c, err);
    }
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        rc = parse_needs(p, &p->nodes[i], err);
    }
    return rc < 0 ? rc : gm_pipeline_graph_check(p, tasks, err);
}

int gm_pipeline_parse(const char *name, const void *data, size_t size, Gm__Pipeline **out,
                      struct gm_err *err)
{
    struct gm_yaml *root = NULL;
    int rc = gm_yaml_parse(name, data, size, &root, err);
    if (rc < 0) {
        return rc;
    }
    const Gm__Pipeline empty = GM__PIPELINE__INIT;
    Gm__Pipeline *pipeline = (Gm__Pipeline *)gm_message_dup(&empty.base);
    if (pipeline == NULL) {
        gm_yaml_destroy(&root);
        return gm_err_nomem(err);
    }
    struct gm_pipeline_graph p = {.root = root, .pipeline = pipeline};
    rc = parse_head(&p, err);
    if (rc == 0) {
        rc = parse_tasks(&p, err);
    }
    if (rc == 0) {
        *out = pipeline;
    } else {
        gm__pipeline__free_unpacked(pipeline, NULL);
    }
    gm_yaml_destroy(&root);
    return rc;
}
