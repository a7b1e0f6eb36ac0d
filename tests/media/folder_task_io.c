/* See folder_task_io.h. Objects are named as the farm names them: work objects below
 * "<task>-<instance>/", outputs below "v/<publication>/". */
#include "media/folder_task_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"

static char *copy(const char *s)
{
    return folder_must(strdup(s));
}

static ProtobufCBinaryData pack(const ProtobufCMessage *msg)
{
    ProtobufCBinaryData out = {0};
    if (msg != NULL) {
        out.len = protobuf_c_message_get_packed_size(msg);
        out.data = folder_must(malloc(out.len + 1));
        protobuf_c_message_pack(msg, out.data);
    }
    return out;
}

/* Of a source in parts what lies between its ends does not come. */
static int io_need(void *arg, uint64_t offset, uint64_t length, struct gm_err *err)
{
    const struct folder_io *f = arg;
    uint64_t end = offset + length, ends = f->source_ends;
    return end <= ends || offset >= f->source_size - ends
               ? 0
               : gm_err_set(err, GM_E_STORE, 0, "bytes %llu to %llu have not come",
                            (unsigned long long)offset, (unsigned long long)end);
}

static int io_source(void *self, struct gm_source_file *out, struct gm_err *err)
{
    struct folder_io *f = ((struct running *)self)->f;
    (void)err;
    *out = gm_source_plain(f->source_fd);
    if (f->source_ends > 0) {
        out->need = io_need;
        out->arg = f;
        out->in_parts = true;
    }
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
    Gm__Object *object = folder_must(malloc(sizeof *object));
    gm__object__init(object);
    object->store = file->store;
    int n = file->store == GM__OBJECT_STORE__STORE_OUT
                ? asprintf(&object->key, "v/%s/%s", r->f->publication, file->path)
                : asprintf(&object->key, "%s-%u/%s", r->spec->task, r->spec->instance, file->path);
    if (n < 0) {
        abort();
    }
    object->url = copy("");
    object->sha256.len = GM_SHA256_SIZE;
    object->sha256.data = folder_must(malloc(GM_SHA256_SIZE));
    (void)snprintf(from, sizeof from, "%s/scratch/%s", r->f->dir, file->name);
    folder_io_path(r->f, object, to);
    char *slash = strrchr(to, '/');
    *slash = '\0';
    if (gm_fs_mkdirs(to, &err) < 0) {
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
    Gm__Object **objects = folder_must(calloc(count + 1, sizeof(Gm__Object *)));
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
    Gm__Item *item = folder_must(malloc(sizeof *item));
    gm__item__init(item);
    item->stream = stream;
    item->index = index;
    item->last = last;
    item->n_objects = count;
    item->objects = store_files(r, files, count);
    item->meta = pack(meta);
    struct produced *p = folder_find_item(f, r->spec->task, r->spec->instance, stream, index);
    if (p != NULL) {
        gm__item__free_unpacked(p->item, NULL);
        p->item = item;
        return 0;
    }
    f->items = folder_must(realloc(f->items, (f->item_count + 1) * sizeof *f->items));
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
    while ((p = folder_find_item(f, "analyze", 0, 0, (uint32_t)sum.n_chunks)) != NULL) {
        sum.chunks = folder_must(realloc(sum.chunks, (sum.n_chunks + 1) * sizeof *sum.chunks));
        sum.chunks[sum.n_chunks] =
            folder_must(gm__analyze_item_meta__unpack(NULL, p->item->meta.len, p->item->meta.data));
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
    if (strcmp(r->spec->type, "verify") == 0) {
        return 0; /* its spec names the task whose item it checks, which has a result */
    }
    Gm__TaskResult *result = folder_must(malloc(sizeof *result));
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
    f->results = folder_must(realloc(f->results, (f->result_count + 1) * sizeof *f->results));
    f->results[f->result_count++] = result;
    return 0;
}

static void io_progress(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    (void)done;
    (void)total;
}

static void io_device_failed(void *self, const struct gm_err *why)
{
    struct folder_io *f = ((struct running *)self)->f;
    f->device_failures++;
    f->device_failure = *why;
}

struct gm_task_io folder_task_io(struct running *r)
{
    size_t codecs = 0;
    while (r->f->decode_codecs != NULL && r->f->decode_codecs[codecs] != NULL) {
        codecs++;
    }
    return (struct gm_task_io){
        .self = r,
        .spec = r->spec,
        .device = r->f->device,
        .decode_api = r->f->decode_api,
        .decode_device = r->f->decode_device,
        .decode_codecs = r->f->decode_codecs,
        .decode_codec_count = codecs,
        .source = io_source,
        .next_input = io_next_input,
        .open_object = io_open_object,
        .open_result = io_open_result,
        .create_file = io_create_file,
        .remove_file = io_remove_file,
        .produce = io_produce,
        .finish = io_finish,
        .progress = io_progress,
        .device_failed = io_device_failed,
    };
}
