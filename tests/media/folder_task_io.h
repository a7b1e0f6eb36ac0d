#ifndef GM_TESTS_MEDIA_FOLDER_TASK_IO_H
#define GM_TESTS_MEDIA_FOLDER_TASK_IO_H

#include "media/folder_io.h"

/* Between folder_io.c, which keeps what tasks made and runs them, and folder_task_io.c, which a
 * running task calls. Everything aborts where memory or the folder fails. */
struct produced {
    char *task;
    uint32_t instance;
    Gm__Item *item; /* owned */
};
struct folder_io {
    char dir[256];
    char publication[33];
    int source_fd;
    char *source_name;
    uint64_t source_size;
    uint64_t source_ends; /* of a source of parts: bytes of each end that have come; 0: a file */
    const Gm__Pipeline *pipeline; /* borrowed */
    const Gm__Chain *chain;       /* borrowed; NULL: software */
    const char *device;           /* borrowed */
    const char *decode_api;       /* borrowed, as the next two */
    const char *decode_device;
    const char *const *decode_codecs;
    size_t device_failures;
    struct gm_err device_failure; /* the last one */
    struct produced *items;
    size_t item_count;
    Gm__TaskResult **results; /* owned */
    size_t result_count;
    struct {
        char *task;
        uint32_t instances;
    } expands[16];
    size_t expand_count;
};
/* The state of one running task: gm_task_io.self. */
struct running {
    struct folder_io *f;
    Gm__TaskSpec *spec;
    Gm__TaskInput **inputs; /* those of the spec and the fed ones */
    size_t input_count;
    size_t next;
    bool finished;
};

/* p, which is not NULL. */
void *folder_must(void *p);
/* NULL: none. */
struct produced *folder_find_item(const struct folder_io *f, const char *task, uint32_t instance,
                                  uint32_t stream, uint32_t index);
/* What the task is given; r: borrowed for its life. */
struct gm_task_io folder_task_io(struct running *r);

#endif
