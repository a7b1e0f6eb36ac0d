#ifndef GM_SCHEDULER_PIPELINE_GRAPH_H
#define GM_SCHEDULER_PIPELINE_GRAPH_H

#include "scheduler/pipeline/pipeline.h"

/* The tasks of a pipeline file as a graph (inside of pipeline.c): which types there are, and what
 * holds between tasks once each of them is read. */

#define GM_SHAPE_INSPECT 1u
#define GM_SHAPE_PLAN 2u
#define GM_SHAPE_SPLIT 4u
#define GM_SHAPE_ENCODE 8u
#define GM_SHAPE_AUDIO 16u
#define GM_SHAPE_THUMBNAILS 32u
#define GM_SHAPE_MP4 64u
#define GM_SHAPE_PACKAGE 128u
#define GM_SHAPE_ANALYZE 256u
#define GM_SHAPE_LOUDNESS 512u
#define GM_SHAPE_SUBTITLES 1024u

/* One row a task type: which types it needs, what it is for, and how many there are. */
struct gm_pipeline_shape {
    const char *type;
    unsigned bit;
    unsigned must;     /* types it needs */
    unsigned if_there; /* types it needs where the pipeline has them */
    unsigned serves;   /* one of these types is there, else it would be for nothing */
    bool exactly_one;  /* else at most one */
    bool offered;      /* workers know it */
};

/* What the graph checks see of a task: its message, its YAML, and its needs as positions. */
struct gm_pipeline_node {
    Gm__PipelineTask *task;
    const struct gm_yaml *yaml;
    const struct gm_pipeline_shape *shape;
    unsigned needs; /* bit i: needs tasks[i] */
};

struct gm_pipeline_graph {
    const struct gm_yaml *root;
    Gm__Pipeline *pipeline;
    struct gm_pipeline_node nodes[GM_PIPELINE_MAX_TASKS];
    size_t count;
};

/* The offered type of that name; NULL: there is none. */
const struct gm_pipeline_shape *gm_pipeline_shape_find(const char *type);
/* Says that `text` at node is no type, and which there are. */
int gm_pipeline_shape_fail(const struct gm_yaml *node, const char *text,
                           struct gm_err *err) GM_MUST_CHECK;
/* No circles; of each type as many as there may be, and for something; each need is one that the
 * type has; and what encode says of other tasks holds. tasks: their YAML. Errors: CONFIG. */
int gm_pipeline_graph_check(const struct gm_pipeline_graph *p, const struct gm_yaml *tasks,
                            struct gm_err *err) GM_MUST_CHECK;

#endif
