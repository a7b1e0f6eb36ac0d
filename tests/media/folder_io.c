#include "media/folder_task_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "proto/streams.h"

void *folder_must(void *p)
{
    if (p == NULL) {
        abort();
    }
    return p;
}

int folder_io_create(const char *source_path, const Gm__Pipeline *pipeline, struct folder_io **out,
                     struct gm_err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct folder_io *f = folder_must(calloc(1, sizeof *f));
    char path[4096];
    struct stat st;
    f->pipeline = pipeline;
    (void)snprintf(f->dir, sizeof f->dir, "%s/gopmill-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    folder_must(mkdtemp(f->dir));
    for (int i = 0; i < 3; i++) {
        static const char *const parts[] = {"work", "out", "scratch"};
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, parts[i]);
        if (mkdir(path, 0700) != 0) {
            abort();
        }
    }
    f->source_fd = open(source_path, O_RDONLY | O_CLOEXEC);
    if (f->source_fd < 0 || fstat(f->source_fd, &st) != 0) {
        int rc = gm_err_sys(err, errno, "open %s", source_path);
        folder_io_destroy(&f);
        return rc;
    }
    f->source_size = (uint64_t)st.st_size;
    const char *slash = strrchr(source_path, '/');
    f->source_name = folder_must(strdup(slash != NULL ? slash + 1 : source_path));
    *out = f;
    return 0;
}

void folder_io_destroy(struct folder_io **pf)
{
    struct folder_io *f = *pf;
    if (f == NULL) {
        return;
    }
    for (size_t i = 0; i < f->item_count; i++) {
        free(f->items[i].task);
        gm__item__free_unpacked(f->items[i].item, NULL);
    }
    for (size_t i = 0; i < f->result_count; i++) {
        gm__task_result__free_unpacked(f->results[i], NULL);
    }
    for (size_t i = 0; i < f->expand_count; i++) {
        free(f->expands[i].task);
    }
    if (f->source_fd >= 0) {
        (void)close(f->source_fd);
    }
    struct gm_err err;
    GM_IGNORE(gm_fs_remove_tree(f->dir, &err), "a temporary folder may stay behind");
    free(f->items);
    free(f->results);
    free(f->source_name);
    free(f);
    *pf = NULL;
}

void folder_io_set_chain(struct folder_io *f, const Gm__Chain *chain, const char *device)
{
    f->chain = chain;
    f->device = device;
}

void folder_io_set_decoder(struct folder_io *f, const char *api, const char *device,
                           const char *const *codecs)
{
    f->decode_api = api;
    f->decode_device = device;
    f->decode_codecs = codecs;
    f->device_failures = 0;
    f->device_failure = (struct gm_err){.code = GM_OK};
}

struct gm_err folder_io_device_failure(const struct folder_io *f, size_t *out_times)
{
    *out_times = f->device_failures;
    return f->device_failure;
}

const char *folder_io_dir(const struct folder_io *f)
{
    return f->dir;
}

void folder_io_path(const struct folder_io *f, const Gm__Object *object, char out[4096])
{
    const char *store = object->store == GM__OBJECT_STORE__STORE_OUT ? "out" : "work";
    (void)snprintf(out, 4096, "%s/%s/%s", f->dir, store, object->key);
}

const Gm__TaskResult *folder_io_result(const struct folder_io *f, const char *task,
                                       uint32_t instance)
{
    for (size_t i = 0; i < f->result_count; i++) {
        if (f->results[i]->instance == instance && strcmp(f->results[i]->task, task) == 0) {
            return f->results[i];
        }
    }
    return NULL;
}

struct produced *folder_find_item(const struct folder_io *f, const char *task, uint32_t instance,
                                  uint32_t stream, uint32_t index)
{
    for (size_t i = 0; i < f->item_count; i++) {
        struct produced *p = &f->items[i];
        if (p->instance == instance && p->item->stream == stream && p->item->index == index &&
            strcmp(p->task, task) == 0) {
            return p;
        }
    }
    return NULL;
}

const Gm__Item *folder_io_item(const struct folder_io *f, const char *task, uint32_t instance,
                               uint32_t stream, uint32_t index)
{
    struct produced *p = folder_find_item(f, task, instance, stream, index);
    return p != NULL ? p->item : NULL;
}

uint32_t folder_io_items(const struct folder_io *f, const char *task, uint32_t instance,
                         uint32_t stream)
{
    uint32_t n = 0;
    for (size_t i = 0; i < f->item_count; i++) {
        n += f->items[i].instance == instance && f->items[i].item->stream == stream &&
             strcmp(f->items[i].task, task) == 0;
    }
    return n;
}

uint32_t folder_io_instances(const struct folder_io *f, const char *task)
{
    for (size_t i = 0; i < f->expand_count; i++) {
        if (strcmp(f->expands[i].task, task) == 0) {
            return f->expands[i].instances;
        }
    }
    return 1;
}

static void add_input(struct running *r, struct produced *p)
{
    Gm__TaskInput *in = folder_must(malloc(sizeof *in));
    gm__task_input__init(in);
    in->task = p->task;
    in->instance = p->instance;
    in->item = p->item;
    r->inputs = folder_must(realloc(r->inputs, (r->input_count + 1) * sizeof *r->inputs));
    r->inputs[r->input_count++] = in;
}

/* Items of one stream, by index; encode's may have holes where a run is missing. */
static void add_stream(struct running *r, const char *task, uint32_t instance, uint32_t stream,
                       uint32_t first, uint32_t count)
{
    uint32_t top = 0;
    for (size_t i = 0; i < r->f->item_count; i++) {
        if (r->f->items[i].item->index >= top) {
            top = r->f->items[i].item->index + 1;
        }
    }
    for (uint32_t i = first; i < top && (count == 0 || i < first + count); i++) {
        struct produced *p = folder_find_item(r->f, task, instance, stream, i);
        if (p != NULL) {
            add_input(r, p);
        }
    }
}

static const Gm__PipelineTask *find_task(const struct folder_io *f, const char *name)
{
    for (size_t i = 0; i < f->pipeline->n_tasks; i++) {
        if (strcmp(f->pipeline->tasks[i]->name, name) == 0) {
            return f->pipeline->tasks[i];
        }
    }
    return NULL;
}

static void gather_inputs(struct running *r, const Gm__PipelineTask *task,
                          const struct folder_run *run)
{
    for (size_t n = 0; n < task->n_needs; n++) {
        const Gm__PipelineTask *need = find_task(r->f, task->needs[n]);
        bool from_split = need != NULL && strcmp(need->type, "split") == 0;
        if (need == NULL) {
            abort();
        }
        if (strcmp(task->type, "encode") == 0 || strcmp(task->type, "analyze") == 0) {
            if (from_split) {
                add_stream(r, need->name, 0, 0, run->first_chunk, run->chunks);
            }
        } else if (strcmp(task->type, "subtitles") == 0) {
            if (strcmp(need->type, "split") == 0) {
                add_stream(r, need->name, 0, GM_STREAM_TEXT + run->instance, 0, 0);
            }
        } else if (strcmp(task->type, "audio") == 0 || strcmp(task->type, "loudness") == 0) {
            if (from_split) {
                add_stream(r, need->name, 0, 1 + run->instance, 0, 0);
            }
        } else if (!from_split) {
            for (uint32_t i = 0; i < folder_io_instances(r->f, need->name); i++) {
                add_stream(r, need->name, i, 0, 0, 0);
            }
        }
    }
}

static int run_spec(struct running *r, const char *type, int64_t *out_chunk, struct gm_err *err)
{
    struct gm_task_io io = folder_task_io(r);
    const struct gm_task_type *found = gm_task_type_find(type);
    if (found == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "there is no task type %s", type);
    }
    *out_chunk = -1;
    int rc = found->run(&io, out_chunk, err);
    if (rc == 0 && !r->finished && strcmp(type, "verify") != 0) {
        rc = gm_err_set(err, GM_E_BUG, 0, "task %s returned without finish()", type);
    }
    return rc;
}

void folder_io_set_ends(struct folder_io *f, uint64_t bytes)
{
    f->source_ends = bytes;
}

static void fill_spec(struct folder_io *f, Gm__TaskSpec *spec, Gm__Object *source)
{
    gm__task_spec__init(spec);
    gm__object__init(source);
    source->store = GM__OBJECT_STORE__STORE_SOURCE;
    source->size = f->source_size;
    spec->job_id = "job";
    spec->pipeline = (Gm__Pipeline *)(uintptr_t)f->pipeline;
    spec->source = source;
    spec->source_name = f->source_name;
    spec->chain = (Gm__Chain *)(uintptr_t)f->chain;
    spec->results = f->results;
    spec->n_results = f->result_count;
}

static void free_inputs(struct running *r)
{
    for (size_t i = 0; i < r->input_count; i++) {
        free(r->inputs[i]);
    }
    free(r->inputs);
}

int folder_io_run(struct folder_io *f, const struct folder_run *run, int64_t *out_chunk,
                  struct gm_err *err)
{
    Gm__TaskSpec spec;
    Gm__Object source;
    Gm__SkipItems *skips[16];
    int64_t ignored;
    const Gm__PipelineTask *task = find_task(f, run->task);
    if (task == NULL || run->skips > 16) {
        return gm_err_set(err, GM_E_INVAL, 0, "the pipeline has no task %s", run->task);
    }
    struct running r = {.f = f, .spec = &spec};
    fill_spec(f, &spec, &source);
    spec.type = task->type;
    spec.task = task->name;
    spec.instance = run->instance;
    for (size_t i = 0; i < run->skips; i++) {
        skips[i] = (Gm__SkipItems *)(uintptr_t)&run->skip[i];
    }
    spec.skip = skips;
    spec.n_skip = run->skips;
    gather_inputs(&r, task, run);
    spec.inputs = r.inputs;
    spec.n_inputs = r.input_count - (run->fed < r.input_count ? run->fed : r.input_count);
    spec.inputs_complete = run->fed == 0;
    int rc = run_spec(&r, task->type, out_chunk != NULL ? out_chunk : &ignored, err);
    free_inputs(&r);
    return rc;
}

int folder_io_verify(struct folder_io *f, const char *task, uint32_t instance, uint32_t stream,
                     uint32_t index, struct gm_err *err)
{
    Gm__TaskSpec spec;
    Gm__Object source;
    int64_t ignored;
    struct produced *p = folder_find_item(f, task, instance, stream, index);
    if (p == NULL) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "%s has no item %u.%u", task, stream, index);
    }
    struct running r = {.f = f, .spec = &spec};
    fill_spec(f, &spec, &source);
    spec.type = "verify";
    spec.task = (char *)(uintptr_t)task;
    spec.instance = instance;
    add_input(&r, p);
    const Gm__PipelineTask *made_by = find_task(f, task);
    for (size_t t = 0; t < f->pipeline->n_tasks && strcmp(made_by->type, "encode") == 0; t++) {
        if (strcmp(f->pipeline->tasks[t]->type, "split") == 0) {
            add_stream(&r, f->pipeline->tasks[t]->name, 0, GM_STREAM_VIDEO, index, 1);
        }
    }
    spec.inputs = r.inputs;
    spec.n_inputs = r.input_count;
    spec.inputs_complete = true;
    int rc = run_spec(&r, "verify", &ignored, err);
    free_inputs(&r);
    return rc;
}

int folder_io_run_all(struct folder_io *f, struct gm_err *err)
{
    for (size_t t = 0; t < f->pipeline->n_tasks; t++) {
        const char *name = f->pipeline->tasks[t]->name;
        uint32_t instances = folder_io_instances(f, name);
        for (uint32_t i = 0; i < instances; i++) {
            struct folder_run run = {.task = name, .instance = i};
            int rc = folder_io_run(f, &run, NULL, err);
            if (rc < 0) {
                return gm_err_wrap(err, rc, "task %s: ", name);
            }
        }
    }
    return 0;
}
