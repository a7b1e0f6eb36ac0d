#include "media/folder_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "proto/streams.h"

/* See folder_io.h. Objects are named as the farm names them: work objects below
 * "<task>-<instance>/", outputs below "v/<publication>/". */
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
    const Gm__Pipeline *pipeline; /* borrowed */
    const Gm__Chain *chain;       /* borrowed; NULL: software */
    const char *device;           /* borrowed */
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
    uint32_t files;
    bool finished;
};

static void *must(void *p)
{
    if (p == NULL) {
        abort();
    }
    return p;
}

static char *copy(const char *s)
{
    return must(strdup(s));
}

static ProtobufCBinaryData pack(const ProtobufCMessage *msg)
{
    ProtobufCBinaryData out = {0};
    if (msg != NULL) {
        out.len = protobuf_c_message_get_packed_size(msg);
        out.data = must(malloc(out.len + 1));
        protobuf_c_message_pack(msg, out.data);
    }
    return out;
}

int folder_io_create(const char *source_path, const Gm__Pipeline *pipeline, struct folder_io **out,
                     struct gm_err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct folder_io *f = must(calloc(1, sizeof *f));
    char path[4096];
    struct stat st;
    f->pipeline = pipeline;
    (void)snprintf(f->dir, sizeof f->dir, "%s/gopmill-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    must(mkdtemp(f->dir));
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
    f->source_name = copy(slash != NULL ? slash + 1 : source_path);
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

static struct produced *find_item(const struct folder_io *f, const char *task, uint32_t instance,
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
    struct produced *p = find_item(f, task, instance, stream, index);
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

/* ---- the gm_task_io functions */

static int io_source(void *self, int *out_fd, struct gm_err *err)
{
    (void)err;
    *out_fd = ((struct running *)self)->f->source_fd;
    return 0;
}

static int io_next_input(void *self, bool *out_more, struct gm_task_input *out, struct gm_err *err)
{
    struct running *r = self;
    (void)err;
    *out_more = r->next < r->input_count;
    if (*out_more) {
        Gm__TaskInput *in = r->inputs[r->next];
        *out = (struct gm_task_input){.index = (uint32_t)r->next,
                                      .task = in->task,
                                      .instance = in->instance,
                                      .item = in->item};
        r->next++;
    }
    return 0;
}

static int open_object(struct running *r, const Gm__Object *object, int *out_fd, struct gm_err *err)
{
    char path[4096];
    folder_io_path(r->f, object, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return gm_err_sys(err, errno, "open %s", path);
    }
    *out_fd = fd;
    return 0;
}

static int io_open_object(void *self, const struct gm_task_input *input, size_t object, int *out_fd,
                          struct gm_err *err)
{
    if (object >= input->item->n_objects) {
        return gm_err_set(err, GM_E_INVAL, 0, "the item has no object %zu", object);
    }
    return open_object(self, input->item->objects[object], out_fd, err);
}

static int io_open_result(void *self, const Gm__TaskResult *result, size_t object, int *out_fd,
                          struct gm_err *err)
{
    if (object >= result->n_objects) {
        return gm_err_set(err, GM_E_INVAL, 0, "the result has no object %zu", object);
    }
    return open_object(self, result->objects[object], out_fd, err);
}

static int io_create_file(void *self, const char *name, int *out_fd, struct gm_err *err)
{
    struct running *r = self;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/scratch/%s", r->f->dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return gm_err_sys(err, errno, "create %s", path);
    }
    *out_fd = fd;
    return 0;
}

static void io_remove_file(void *self, const char *name)
{
    struct running *r = self;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/scratch/%s", r->f->dir, name);
    (void)unlink(path);
}

/* Moves a scratch file to its place and describes it. */
static Gm__Object *store_file(struct running *r, const Gm__WFile *file)
{
    struct gm_err err;
    char from[4096], to[4096];
    Gm__Object *object = must(malloc(sizeof *object));
    gm__object__init(object);
    object->store = file->store;
    int n = file->store == GM__OBJECT_STORE__STORE_OUT
                ? asprintf(&object->key, "v/%s/%s", r->f->publication, file->path)
                : asprintf(&object->key, "%s-%u/%s", r->spec->task, r->spec->instance, file->path);
    object->url = copy("");
    object->sha256.len = GM_SHA256_SIZE;
    object->sha256.data = must(malloc(GM_SHA256_SIZE));
    (void)snprintf(from, sizeof from, "%s/scratch/%s", r->f->dir, file->name);
    folder_io_path(r->f, object, to);
    char *slash = strrchr(to, '/');
    *slash = '\0';
    if (n < 0 || gm_fs_mkdirs(to, &err) < 0) {
        abort();
    }
    *slash = '/';
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || gm_sha256_fd(fd, object->sha256.data, &object->size, &err) < 0 ||
        close(fd) != 0 || rename(from, to) != 0) {
        (void)fprintf(stderr, "announced file %s can't be stored\n", from);
        abort();
    }
    return object;
}

static Gm__Object **store_files(struct running *r, const Gm__WFile *files, size_t count)
{
    Gm__Object **objects = must(calloc(count + 1, sizeof(Gm__Object *)));
    for (size_t i = 0; i < count; i++) {
        objects[i] = store_file(r, &files[i]);
    }
    return objects;
}

static int io_produce(void *self, uint32_t stream, uint32_t index, bool last,
                      const Gm__WFile *files, size_t count, const ProtobufCMessage *meta,
                      struct gm_err *err)
{
    struct running *r = self;
    struct folder_io *f = r->f;
    (void)err;
    Gm__Item *item = must(malloc(sizeof *item));
    gm__item__init(item);
    item->stream = stream;
    item->index = index;
    item->last = last;
    item->n_objects = count;
    item->objects = store_files(r, files, count);
    item->meta = pack(meta);
    struct produced *p = find_item(f, r->spec->task, r->spec->instance, stream, index);
    if (p != NULL) {
        gm__item__free_unpacked(p->item, NULL);
        p->item = item;
        return 0;
    }
    f->items = must(realloc(f->items, (f->item_count + 1) * sizeof *f->items));
    f->items[f->item_count++] = (struct produced){copy(r->spec->task), r->spec->instance, item};
    return 0;
}

static void keep_expand(struct folder_io *f, const Gm__Expand *e)
{
    for (size_t i = 0; i < f->expand_count; i++) {
        if (strcmp(f->expands[i].task, e->task) == 0) {
            f->expands[i].instances = e->instances;
            return;
        }
    }
    if (f->expand_count == sizeof f->expands / sizeof f->expands[0]) {
        abort();
    }
    f->expands[f->expand_count].task = copy(e->task);
    f->expands[f->expand_count++].instances = e->instances;
}

/* As the scheduler joins the chunks' facts, of those that are there. */
static ProtobufCBinaryData sum_analysis(struct folder_io *f)
{
    Gm__AnalyzeMeta sum = GM__ANALYZE_META__INIT;
    struct produced *p;
    while ((p = find_item(f, "analyze", 0, 0, (uint32_t)sum.n_chunks)) != NULL) {
        sum.chunks = must(realloc(sum.chunks, (sum.n_chunks + 1) * sizeof *sum.chunks));
        sum.chunks[sum.n_chunks] =
            must(gm__analyze_item_meta__unpack(NULL, p->item->meta.len, p->item->meta.data));
        sum.frames += sum.chunks[sum.n_chunks++]->frames;
    }
    ProtobufCBinaryData bytes = pack(&sum.base);
    for (size_t i = 0; i < sum.n_chunks; i++) {
        gm__analyze_item_meta__free_unpacked(sum.chunks[i], NULL);
    }
    free(sum.chunks);
    return bytes;
}

static int io_finish(void *self, const Gm__WFile *files, size_t count, const ProtobufCMessage *meta,
                     const Gm__Expand *expand, size_t expands, const char *publication,
                     struct gm_err *err)
{
    struct running *r = self;
    struct folder_io *f = r->f;
    (void)err;
    if (publication != NULL && publication[0] != '\0') {
        (void)snprintf(f->publication, sizeof f->publication, "%s", publication);
    }
    Gm__TaskResult *result = must(malloc(sizeof *result));
    gm__task_result__init(result);
    result->task = copy(r->spec->task);
    result->instance = r->spec->instance;
    result->meta = strcmp(r->spec->type, "analyze") == 0 ? sum_analysis(f) : pack(meta);
    result->n_objects = count;
    result->objects = store_files(r, files, count);
    for (size_t i = 0; i < expands; i++) {
        keep_expand(f, &expand[i]);
    }
    r->finished = true;
    for (size_t i = 0; i < f->result_count; i++) {
        if (f->results[i]->instance == result->instance &&
            strcmp(f->results[i]->task, result->task) == 0) {
            gm__task_result__free_unpacked(f->results[i], NULL);
            f->results[i] = result;
            return 0;
        }
    }
    f->results = must(realloc(f->results, (f->result_count + 1) * sizeof *f->results));
    f->results[f->result_count++] = result;
    return 0;
}

static void io_progress(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    (void)done;
    (void)total;
}

/* ---- running */

static void add_input(struct running *r, struct produced *p)
{
    Gm__TaskInput *in = must(malloc(sizeof *in));
    gm__task_input__init(in);
    in->task = p->task;
    in->instance = p->instance;
    in->item = p->item;
    r->inputs = must(realloc(r->inputs, (r->input_count + 1) * sizeof *r->inputs));
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
        struct produced *p = find_item(r->f, task, instance, stream, i);
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
    struct gm_task_io io = {
        .self = r,
        .spec = r->spec,
        .device = r->f->device,
        .source = io_source,
        .next_input = io_next_input,
        .open_object = io_open_object,
        .open_result = io_open_result,
        .create_file = io_create_file,
        .remove_file = io_remove_file,
        .produce = io_produce,
        .finish = io_finish,
        .progress = io_progress,
    };
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
    struct produced *p = find_item(f, task, instance, stream, index);
    if (p == NULL) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "%s has no item %u.%u", task, stream, index);
    }
    struct running r = {.f = f, .spec = &spec};
    fill_spec(f, &spec, &source);
    spec.type = "verify";
    spec.task = (char *)(uintptr_t)task;
    spec.instance = instance;
    add_input(&r, p);
    spec.inputs = r.inputs;
    spec.n_inputs = 1;
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
