/* Pipeline files: shape, names and edges. Parameters: params.c. Files and assets: assets.c.
 *
 * Checks go from the text outwards (keys, types, parameters), then over the graph: names, cycles,
 * which type needs which, and how many of each there are.
 */
#include "scheduler/pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/pipeline/encode.h"
#include "scheduler/pipeline/params.h"

#define NAME_MAX_BYTES 64
#define DESCRIPTION_MAX_BYTES 1000
#define WEBP_MAX_SIDE 16383 /* px */
#define JPEG_MAX_SIDE 65500

#define T_INSPECT 1u
#define T_PLAN 2u
#define T_SPLIT 4u
#define T_ENCODE 8u
#define T_AUDIO 16u
#define T_THUMBNAILS 32u
#define T_MP4 64u
#define T_PACKAGE 128u
#define T_ANALYZE 256u
#define T_LOUDNESS 512u
#define T_SUBTITLES 1024u

/* One row a task type: which types it needs, what it is for, and how many there are. */
struct shape {
    const char *type;
    unsigned bit;
    unsigned must;     /* types it needs */
    unsigned if_there; /* types it needs where the pipeline has them */
    unsigned serves;   /* one of these types is there, else it would be for nothing */
    bool exactly_one;  /* else at most one */
    bool offered;      /* workers know it */
};

static const struct shape SHAPES[] = {
    {"inspect", T_INSPECT, 0, 0, 0, true, true},
    {"plan", T_PLAN, T_INSPECT, 0, 0, true, true},
    {"split", T_SPLIT, T_PLAN, 0, 0, true, true},
    {"analyze", T_ANALYZE, T_SPLIT, 0, T_ENCODE, false, true},
    {"encode", T_ENCODE, T_SPLIT, T_ANALYZE, 0, false, true},
    {"loudness", T_LOUDNESS, T_SPLIT, 0, T_AUDIO, false, true},
    {"audio", T_AUDIO, T_SPLIT, T_LOUDNESS, 0, false, true},
    {"subtitles", T_SUBTITLES, T_SPLIT, 0, T_MP4 | T_PACKAGE, false, true},
    {"thumbnails", T_THUMBNAILS, T_ENCODE, 0, 0, false, true},
    {"mp4", T_MP4, 0, T_ENCODE | T_AUDIO | T_SUBTITLES, 0, false, true},
    {"package", T_PACKAGE, 0, T_ENCODE | T_AUDIO | T_SUBTITLES, 0, false, true},
};
#define SHAPE_COUNT (sizeof SHAPES / sizeof SHAPES[0])

/* Types that a task may need, or not. */
static unsigned may_need(const struct shape *shape)
{
    return shape->bit == T_PACKAGE ? T_THUMBNAILS : 0;
}

static const struct shape *shape_find(const char *type)
{
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        if (SHAPES[i].offered && strcmp(SHAPES[i].type, type) == 0) {
            return &SHAPES[i];
        }
    }
    return NULL;
}

static int fail_type(const struct gm_yaml *node, const char *text, struct gm_err *err)
{
    const char *names[SHAPE_COUNT + 1] = {NULL};
    char all[160] = "";
    for (size_t i = 0, n = 0; i < SHAPE_COUNT; i++) {
        if (SHAPES[i].offered) {
            size_t used = strlen(all);
            (void)snprintf(all + used, sizeof all - used, "%s%s", n != 0 ? ", " : "",
                           SHAPES[i].type);
            names[n++] = SHAPES[i].type;
        }
    }
    const char *near = gm_suggest(text, names);
    return near != NULL
               ? gm_yaml_fail(node, err, "unknown task type `%s`; did you mean `%s`?", text, near)
               : gm_yaml_fail(node, err, "unknown task type `%s`; there are %s", text, all);
}

bool gm_pipeline_is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n >= 1 && n <= NAME_MAX_BYTES && s[n] == '\0';
}

/* What the graph checks see of a task: its message, its YAML, and its needs as positions. */
struct node {
    Gm__PipelineTask *task;
    const struct gm_yaml *yaml;
    const struct shape *shape;
    unsigned needs; /* bit i: needs tasks[i] */
};

struct parse {
    const struct gm_yaml *root;
    Gm__Pipeline *pipeline;
    struct node nodes[GM_PIPELINE_MAX_TASKS];
    size_t count;
};

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

static int parse_head(struct parse *p, struct gm_err *err)
{
    static const char *const known[] = {"name", "description", "tasks", NULL};
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
    if (description != NULL) {
        return dup_text(description, DESCRIPTION_MAX_BYTES, &p->pipeline->description, err);
    }
    return 0;
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
    case T_INSPECT:
        NEW_PARAMS(inspect, InspectParams, inspect_params, INSPECT);
        break;
    case T_PLAN:
        NEW_PARAMS(plan, PlanParams, plan_params, PLAN);
        break;
    case T_SPLIT:
        NEW_PARAMS(split, SplitParams, split_params, SPLIT);
        break;
    case T_ENCODE:
        NEW_PARAMS(encode, EncodeParams, encode_params, ENCODE);
        task->encode->qp = -1;
        task->encode->crf = -1;
        break;
    case T_AUDIO:
        NEW_PARAMS(audio, AudioParams, audio_params, AUDIO);
        break;
    case T_THUMBNAILS:
        NEW_PARAMS(thumbnails, ThumbnailsParams, thumbnails_params, THUMBNAILS);
        task->thumbnails->poster_at_s = -1;
        break;
    case T_ANALYZE:
        NEW_PARAMS(analyze, AnalyzeParams, analyze_params, ANALYZE);
        break;
    case T_LOUDNESS:
        NEW_PARAMS(loudness, LoudnessParams, loudness_params, LOUDNESS);
        break;
    case T_SUBTITLES:
        NEW_PARAMS(subtitles, SubtitlesParams, subtitles_params, SUBTITLES);
        break;
    case T_MP4:
        NEW_PARAMS(mp4, Mp4Params, mp4_params, MP4);
        break;
    default:
        NEW_PARAMS(package, PackageParams, package_params, PACKAGE);
        break;
    }
    *out = params;
    return 0;
}

static int parse_params(struct node *n, struct gm_err *err)
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
    case T_ENCODE:
        return gm_encode_settle(n->yaml, n->task->encode, err);
    case T_AUDIO:
        return check_audio(n->yaml, n->task->audio, err);
    case T_THUMBNAILS:
        return check_thumbnails(n->yaml, n->task->thumbnails, err);
    case T_PACKAGE:
        return check_package(n->yaml, n->task->package, err);
    default:
        return 0;
    }
}

static int parse_type(struct node *n, struct gm_err *err)
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
    n->shape = shape_find(text);
    if (n->shape == NULL) {
        return fail_type(type, text, err);
    }
    return dup_text(type, NAME_MAX_BYTES, &n->task->type, err);
}

static int parse_task(struct parse *p, const struct gm_yaml *yaml, struct gm_err *err)
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
    struct node *n = &p->nodes[p->count++];
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

static int parse_need(struct parse *p, struct node *n, const struct gm_yaml *yaml,
                      struct gm_err *err)
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

static int parse_needs(struct parse *p, struct node *n, struct gm_err *err)
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

/* Takes away tasks whose needs are all gone until none is left; what stays is in or behind a
 * cycle. */
static int check_cycles(const struct parse *p, struct gm_err *err)
{
    unsigned left = p->count == GM_PIPELINE_MAX_TASKS ? ~0u : (1u << p->count) - 1;
    bool moved = true;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < p->count; i++) {
            if ((left & (1u << i)) != 0 && (p->nodes[i].needs & left) == 0) {
                left &= ~(1u << i);
                moved = true;
            }
        }
    }
    if (left == 0) {
        return 0;
    }
    /* Every task left needs a task left: following the first such need must meet a task again. */
    size_t at = 0;
    unsigned seen = 0;
    while ((left & (1u << at)) == 0) {
        at++;
    }
    char path[160] = "";
    for (int pass = 0; pass < 2; pass++) {
        seen = 0;
        path[0] = '\0';
        while ((seen & (1u << at)) == 0) {
            seen |= 1u << at;
            size_t used = strlen(path);
            (void)snprintf(path + used, sizeof path - used, "%s -> ", p->nodes[at].task->name);
            unsigned next = p->nodes[at].needs & left;
            at = 0;
            while ((next & (1u << at)) == 0) {
                at++;
            }
        }
    }
    return gm_yaml_fail(p->nodes[at].yaml, err, "tasks need each other in a circle: %s%s", path,
                        p->nodes[at].task->name);
}

static int check_edges(const struct parse *p, const struct node *n, unsigned there,
                       struct gm_err *err)
{
    unsigned want = n->shape->must | (n->shape->if_there & there);
    unsigned have = 0;
    for (size_t i = 0; i < p->count; i++) {
        if ((n->needs & (1u << i)) == 0) {
            continue;
        }
        const struct node *need = &p->nodes[i];
        if (((want | may_need(n->shape)) & need->shape->bit) == 0) {
            return gm_yaml_fail(gm_yaml_find(n->yaml, "needs"), err,
                                "task `%s` (%s) can't need `%s` (%s)", n->task->name,
                                n->shape->type, need->task->name, need->shape->type);
        }
        have |= need->shape->bit;
    }
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        if ((want & ~have & SHAPES[i].bit) != 0) {
            return gm_yaml_fail(n->yaml, err, "task `%s` (%s) must need the %s task", n->task->name,
                                n->shape->type, SHAPES[i].type);
        }
    }
    return 0;
}

static const char *type_name(unsigned bit)
{
    size_t i = 0;
    while (i + 1 < SHAPE_COUNT && SHAPES[i].bit != bit) {
        i++;
    }
    return SHAPES[i].type;
}

static int check_counts(const struct parse *p, const struct gm_yaml *tasks, unsigned *out_there,
                        struct gm_err *err)
{
    unsigned there = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct node *n = &p->nodes[i];
        if ((there & n->shape->bit) != 0) {
            return gm_yaml_fail(n->yaml, err, "a second %s task; there is at most one",
                                n->shape->type);
        }
        there |= n->shape->bit;
    }
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        if (SHAPES[i].exactly_one && (there & SHAPES[i].bit) == 0) {
            return gm_yaml_fail(tasks, err, "the pipeline has no task of type %s", SHAPES[i].type);
        }
    }
    if ((there & (T_ENCODE | T_AUDIO)) == 0) {
        return gm_yaml_fail(tasks, err, "the pipeline has no task of type encode or audio");
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct shape *s = p->nodes[i].shape;
        if (s->serves != 0 && (there & s->serves) == 0) {
            return gm_yaml_fail(p->nodes[i].yaml, err,
                                "task `%s` (%s) is for nothing: there is no %s task",
                                p->nodes[i].task->name, s->type, type_name(s->serves));
        }
    }
    if ((there & (T_THUMBNAILS | T_MP4 | T_PACKAGE)) == 0) {
        return gm_yaml_fail(tasks, err,
                            "the pipeline makes nothing: add a package, mp4 or thumbnails task");
    }
    *out_there = there;
    return 0;
}

/* Without an encode task there are no pictures to choose a size of, nor to show text under. */
static int check_sound_alone(const struct parse *p, struct gm_err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct node *n = &p->nodes[i];
        const struct gm_yaml *heights = gm_yaml_find(n->yaml, "heights");
        if (n->shape->bit == T_SUBTITLES) {
            return gm_yaml_fail(n->yaml, err,
                                "task `%s` (subtitles) needs an encode task beside it",
                                n->task->name);
        }
        if (n->shape->bit == T_MP4 && heights != NULL) {
            return gm_yaml_fail(heights, err,
                                "`heights` are of pictures, and the pipeline makes sound alone");
        }
    }
    return 0;
}

/* What encode says of other tasks. */
static int check_encode(const struct parse *p, struct gm_err *err)
{
    const struct node *encode = NULL;
    const struct gm_yaml *analyze = NULL;
    const Gm__PlanParams *plan = NULL;
    for (size_t i = 0; i < p->count; i++) {
        const struct node *n = &p->nodes[i];
        encode = n->shape->bit == T_ENCODE ? n : encode;
        analyze = n->shape->bit == T_ANALYZE ? n->yaml : analyze;
        plan = n->shape->bit == T_PLAN ? n->task->plan : plan;
    }
    if (encode == NULL || plan == NULL) {
        return 0;
    }
    int rc = gm_encode_check_ladder(encode->yaml, plan, err);
    return rc < 0 ? rc : gm_encode_check_analyze(encode->yaml, encode->task->encode, analyze, err);
}

static int parse_tasks(struct parse *p, struct gm_err *err)
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
    unsigned there = 0;
    if (rc == 0) {
        rc = check_cycles(p, err);
    }
    if (rc == 0) {
        rc = check_counts(p, tasks, &there, err);
    }
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        rc = check_edges(p, &p->nodes[i], there, err);
    }
    if (rc == 0 && (there & T_ENCODE) == 0) {
        rc = check_sound_alone(p, err);
    }
    return rc == 0 ? check_encode(p, err) : rc;
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
    struct parse p = {.root = root, .pipeline = pipeline};
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
