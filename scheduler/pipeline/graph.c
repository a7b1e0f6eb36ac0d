/* What holds between a pipeline's tasks: names, cycles, which type needs which, and how many of
 * each there are. See graph.h. */
#include "scheduler/pipeline/graph.h"

#include <stdio.h>
#include <string.h>

#include "scheduler/pipeline/encode.h"

static const struct gm_pipeline_shape SHAPES[] = {
    {"inspect", GM_SHAPE_INSPECT, 0, 0, 0, true, true},
    {"plan", GM_SHAPE_PLAN, GM_SHAPE_INSPECT, 0, 0, true, true},
    {"split", GM_SHAPE_SPLIT, GM_SHAPE_PLAN, 0, 0, true, true},
    {"analyze", GM_SHAPE_ANALYZE, GM_SHAPE_SPLIT, 0, GM_SHAPE_ENCODE, false, true},
    {"encode", GM_SHAPE_ENCODE, GM_SHAPE_SPLIT, GM_SHAPE_ANALYZE, 0, false, true},
    {"loudness", GM_SHAPE_LOUDNESS, GM_SHAPE_SPLIT, 0, GM_SHAPE_AUDIO, false, true},
    {"audio", GM_SHAPE_AUDIO, GM_SHAPE_SPLIT, GM_SHAPE_LOUDNESS, 0, false, true},
    {"subtitles", GM_SHAPE_SUBTITLES, GM_SHAPE_SPLIT, 0, GM_SHAPE_MP4 | GM_SHAPE_PACKAGE, false,
     true},
    {"thumbnails", GM_SHAPE_THUMBNAILS, GM_SHAPE_ENCODE, 0, 0, false, true},
    {"mp4", GM_SHAPE_MP4, 0, GM_SHAPE_ENCODE | GM_SHAPE_AUDIO | GM_SHAPE_SUBTITLES, 0, false, true},
    {"package", GM_SHAPE_PACKAGE, 0, GM_SHAPE_ENCODE | GM_SHAPE_AUDIO | GM_SHAPE_SUBTITLES, 0,
     false, true},
};
#define SHAPE_COUNT (sizeof SHAPES / sizeof SHAPES[0])

/* Types that a task may need, or not. */
static unsigned may_need(const struct gm_pipeline_shape *shape)
{
    return shape->bit == GM_SHAPE_PACKAGE ? GM_SHAPE_THUMBNAILS : 0;
}

const struct gm_pipeline_shape *gm_pipeline_shape_find(const char *type)
{
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        if (SHAPES[i].offered && strcmp(SHAPES[i].type, type) == 0) {
            return &SHAPES[i];
        }
    }
    return NULL;
}

int gm_pipeline_shape_fail(const struct gm_yaml *node, const char *text, struct gm_err *err)
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

/* Takes away tasks whose needs are all gone until none is left; what stays is in or behind a
 * cycle. */
static int check_cycles(const struct gm_pipeline_graph *p, struct gm_err *err)
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

static int check_edges(const struct gm_pipeline_graph *p, const struct gm_pipeline_node *n,
                       unsigned there, struct gm_err *err)
{
    unsigned want = n->shape->must | (n->shape->if_there & there);
    unsigned have = 0;
    for (size_t i = 0; i < p->count; i++) {
        if ((n->needs & (1u << i)) == 0) {
            continue;
        }
        const struct gm_pipeline_node *need = &p->nodes[i];
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

static int check_counts(const struct gm_pipeline_graph *p, const struct gm_yaml *tasks,
                        unsigned *out_there, struct gm_err *err)
{
    unsigned there = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct gm_pipeline_node *n = &p->nodes[i];
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
    if ((there & (GM_SHAPE_ENCODE | GM_SHAPE_AUDIO)) == 0) {
        return gm_yaml_fail(tasks, err, "the pipeline has no task of type encode or audio");
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct gm_pipeline_shape *s = p->nodes[i].shape;
        if (s->serves != 0 && (there & s->serves) == 0) {
            return gm_yaml_fail(p->nodes[i].yaml, err,
                                "task `%s` (%s) is for nothing: there is no %s task",
                                p->nodes[i].task->name, s->type, type_name(s->serves));
        }
    }
    if ((there & (GM_SHAPE_THUMBNAILS | GM_SHAPE_MP4 | GM_SHAPE_PACKAGE)) == 0) {
        return gm_yaml_fail(tasks, err,
                            "the pipeline makes nothing: add a package, mp4 or thumbnails task");
    }
    *out_there = there;
    return 0;
}

/* Without an encode task there are no pictures to choose a size of, nor to show text under. */
static int check_sound_alone(const struct gm_pipeline_graph *p, struct gm_err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct gm_pipeline_node *n = &p->nodes[i];
        const struct gm_yaml *heights = gm_yaml_find(n->yaml, "heights");
        if (n->shape->bit == GM_SHAPE_SUBTITLES) {
            return gm_yaml_fail(n->yaml, err,
                                "task `%s` (subtitles) needs an encode task beside it",
                                n->task->name);
        }
        if (n->shape->bit == GM_SHAPE_MP4 && heights != NULL) {
            return gm_yaml_fail(heights, err,
                                "`heights` are of pictures, and the pipeline makes sound alone");
        }
    }
    return 0;
}

/* What encode says of other tasks. */
static int check_encode(const struct gm_pipeline_graph *p, struct gm_err *err)
{
    const struct gm_pipeline_node *encode = NULL;
    const struct gm_yaml *analyze = NULL;
    const Gm__PlanParams *plan = NULL;
    for (size_t i = 0; i < p->count; i++) {
        const struct gm_pipeline_node *n = &p->nodes[i];
        encode = n->shape->bit == GM_SHAPE_ENCODE ? n : encode;
        analyze = n->shape->bit == GM_SHAPE_ANALYZE ? n->yaml : analyze;
        plan = n->shape->bit == GM_SHAPE_PLAN ? n->task->plan : plan;
    }
    if (encode == NULL || plan == NULL) {
        return 0;
    }
    int rc = gm_encode_check_ladder(encode->yaml, plan, err);
    return rc < 0 ? rc : gm_encode_check_analyze(encode->yaml, encode->task->encode, analyze, err);
}

/* `publish: early` needs playlists that grow, and tasks that begin before they know the whole. */
static int check_early(const struct gm_pipeline_graph *p, unsigned there, struct gm_err *err)
{
    const struct gm_yaml *publish = gm_yaml_find(p->root, "publish");
    if (!p->pipeline->early) {
        return 0;
    }
    if ((there & GM_SHAPE_PACKAGE) == 0) {
        return gm_yaml_fail(publish, err,
                            "`publish: early` needs a package task: there is no playlist to grow");
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct gm_pipeline_node *n = &p->nodes[i];
        unsigned barrier = n->shape->bit & (GM_SHAPE_ANALYZE | GM_SHAPE_LOUDNESS);
        if (barrier != 0) {
            return gm_yaml_fail(publish, err,
                                "`publish: early` can't be with task `%s` (%s), which looks at the "
                                "whole programme before %s begins",
                                n->task->name, n->shape->type, type_name(n->shape->serves));
        }
    }
    return 0;
}

int gm_pipeline_graph_check(const struct gm_pipeline_graph *p, const struct gm_yaml *tasks,
                            struct gm_err *err)
{
    unsigned there = 0;
    int rc = check_cycles(p, err);
    if (rc == 0) {
        rc = check_counts(p, tasks, &there, err);
    }
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        rc = check_edges(p, &p->nodes[i], there, err);
    }
    if (rc == 0 && (there & GM_SHAPE_ENCODE) == 0) {
        rc = check_sound_alone(p, err);
    }
    rc = rc == 0 ? check_early(p, there, err) : rc;
    return rc == 0 ? check_encode(p, err) : rc;
}
