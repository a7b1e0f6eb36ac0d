/* struct gm_task_io over the worker's socket. The worker asks for objects one at a time and waits
 * for the answer; feeds and commits that come meanwhile are taken in. Whatever blocks here (waiting
 * for inputs, for an answer, for room to announce) sends a sign of life every second: that is no
 * hang of this worker, and what it waits for is watched by itself. */
#include "node/worker_io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/fs.h"
#include "node/blind.h"
#include "node/packet.h"
#include "proto/envelope.h"

#define SPEC_MAX_BYTES (512u << 20)
#define META_MAX_BYTES (24u << 20) /* must fit into an envelope */
#define UNSTORED_MAX 4
#define LIFE_SIGN_MS 1000
#define PROGRESS_EVERY (200 * GM_MS)

static int send_message(struct gm_worker_task *task, const Gm__WorkerMessage *msg, bool wait,
                        struct gm_err *err)
{
    int rc = gm_packet_send(task->sock, msg, -1, wait, err);
    if (rc == 0) {
        task->told = gm_time_now();
    }
    return rc;
}

static int send_progress(struct gm_worker_task *task, bool wait, struct gm_err *err)
{
    Gm__WProgress progress = GM__WPROGRESS__INIT;
    progress.frames_done = task->frames_done;
    progress.frames_total = task->frames_total;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_PROGRESS;
    msg.progress = &progress;
    return send_message(task, &msg, wait, err);
}

static int decode_fd(const ProtobufCMessageDescriptor *type, int fd, uint64_t size,
                     ProtobufCMessage **out, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t got = 0;
    int rc = gm_fs_read_fd(fd, SPEC_MAX_BYTES, &data, &got, err);
    if (rc < 0) {
        return rc;
    }
    if (got != size) {
        rc = gm_err_set(err, GM_E_PROTO, (int64_t)got,
                        "a memory file has %zu bytes, not those told", got);
    } else {
        rc = gm_message_decode(type, data, got, SPEC_MAX_BYTES, out, err);
    }
    free(data);
    return rc;
}

static int take_feed(struct gm_worker_task *task, const Gm__WFeed *feed, int fd, struct gm_err *err)
{
    if (fd < 0) {
        return gm_err_set(err, GM_E_PROTO, 0, "a feed came without its memory file");
    }
    if (feed->first != task->inputs.count) {
        return gm_err_set(err, GM_E_PROTO, feed->first, "a feed left a hole before input %u",
                          feed->first);
    }
    ProtobufCMessage *decoded = NULL;
    int rc = decode_fd(&gm__feed__descriptor, fd, feed->feed_size, &decoded, err);
    if (rc < 0) {
        return rc;
    }
    GM_ASSERT(decoded != NULL);
    rc = gm_blind_check_feed((Gm__Feed *)decoded, err);
    if (rc == 0) {
        rc = gm_inputs_feed(&task->inputs, (Gm__Feed *)decoded, err);
    }
    if (rc < 0) {
        protobuf_c_message_free_unpacked(decoded, NULL);
    }
    return rc;
}

/* Takes one packet in. A reply is left in task->reply. */
static int take_message(struct gm_worker_task *task, Gm__WorkerMessage *msg, int fd,
                        struct gm_err *err)
{
    int rc = 0;
    bool keep = false;
    switch (msg->body_case) {
    case GM__WORKER_MESSAGE__BODY_STORED:
        task->unstored -= task->unstored > 0 ? 1 : 0;
        break;
    case GM__WORKER_MESSAGE__BODY_FEED:
        rc = take_feed(task, msg->feed, fd, err);
        break;
    case GM__WORKER_MESSAGE__BODY_INPUTS_END:
        task->inputs_complete = true;
        break;
    case GM__WORKER_MESSAGE__BODY_INPUT:
    case GM__WORKER_MESSAGE__BODY_HAVE:
        if (task->reply != NULL) {
            rc = gm_err_set(err, GM_E_PROTO, 0, "the agent answered twice");
            break;
        }
        task->reply = msg;
        task->reply_fd = fd;
        keep = true;
        break;
    default:
        rc = gm_err_set(err, GM_E_PROTO, msg->body_case, "the agent sent message %d inside a task",
                        (int)msg->body_case);
    }
    if (!keep) {
        if (fd >= 0) {
            close(fd);
        }
        gm__worker_message__free_unpacked(msg, NULL);
    }
    return rc;
}

/* Waits for one packet, showing life meanwhile, and takes it in. */
int gm_worker_task_wait(struct gm_worker_task *task, struct gm_err *err)
{
    for (;;) {
        struct pollfd p = {.fd = task->sock, .events = POLLIN};
        int ready = poll(&p, 1, LIFE_SIGN_MS);
        if (ready < 0 && errno != EINTR) {
            return gm_err_sys(err, errno, "could not wait for the agent");
        }
        if (ready == 0) {
            int rc = send_progress(task, true, err);
            if (rc < 0) {
                return rc;
            }
        }
        if (ready <= 0) {
            continue;
        }
        enum gm_packet_event event = GM_PACKET_NONE;
        Gm__WorkerMessage *msg = NULL;
        int fd = -1;
        int rc = gm_packet_recv(task->sock, false, &event, &msg, &fd, err);
        if (rc < 0) {
            return rc;
        }
        if (event == GM_PACKET_CLOSED) {
            return gm_err_set(err, GM_E_CANCELLED, 0, "the agent hung up");
        }
        if (event == GM_PACKET_MESSAGE) {
            return take_message(task, msg, fd, err);
        }
    }
}

int gm_worker_task_send(struct gm_worker_task *task, const Gm__WorkerMessage *msg,
                        struct gm_err *err)
{
    return send_message(task, msg, true, err);
}

void gm_worker_task_drop_reply(struct gm_worker_task *task)
{
    gm__worker_message__free_unpacked(task->reply, NULL);
    task->reply = NULL;
    if (task->reply_fd >= 0) {
        close(task->reply_fd);
        task->reply_fd = -1;
    }
}

static int ask(struct gm_worker_task *task, Gm__WObject kind, uint32_t index, uint32_t object,
               int *out_fd, struct gm_err *err)
{
    Gm__WOpen open = GM__WOPEN__INIT;
    open.kind = kind;
    open.index = index;
    open.object = object;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_OPEN;
    msg.open = &open;
    int rc = send_message(task, &msg, true, err);
    while (rc == 0 && task->reply == NULL) {
        rc = gm_worker_task_wait(task, err);
    }
    if (rc != 0) {
        return rc;
    }
    GM_CRASH("worker.opened");
    const Gm__WInput *input =
        task->reply->body_case == GM__WORKER_MESSAGE__BODY_INPUT ? task->reply->input : NULL;
    if (input == NULL) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the agent answered with bytes and no object");
    } else if (input->error != NULL) {
        struct gm_err told;
        gm_err_from_msg(input->error, &told);
        rc = gm_err_set(err, told.code, told.native, "%s", told.text);
    } else if (task->reply_fd < 0) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the agent answered without a descriptor");
    } else {
        *out_fd = task->reply_fd;
        task->reply_fd = -1;
        if (kind == GM__WOBJECT__WOBJECT_SOURCE) {
            task->is_window = input->window;
        }
    }
    gm_worker_task_drop_reply(task);
    return rc;
}

static bool is_in_parts(const Gm__Object *source)
{
    return source != NULL && source->n_parts > 0 &&
           (source->n_parts > 1 || source->parts[0]->count > 1);
}

static int io_source(void *self, struct gm_source_file *out, struct gm_err *err)
{
    struct gm_worker_task *task = self;
    if (task->source_fd < 0) {
        int rc = ask(task, GM__WOBJECT__WOBJECT_SOURCE, 0, 0, &task->source_fd, err);
        if (rc < 0) {
            return rc;
        }
    }
    *out = gm_source_plain(task->source_fd);
    if (task->is_window) {
        out->need = gm_worker_need;
        out->arg = task;
        out->in_parts = is_in_parts(task->spec->source);
    }
    return 0;
}

static int io_next_input(void *self, bool *out_more, struct gm_task_input *out, struct gm_err *err)
{
    struct gm_worker_task *task = self;
    while (task->input_next == task->inputs.count && !task->inputs_complete) {
        int rc = gm_worker_task_wait(task, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (task->input_next == task->inputs.count) {
        *out_more = false;
        return 0;
    }
    const Gm__TaskInput *input = task->inputs.list[task->input_next];
    out->index = (uint32_t)task->input_next++;
    out->task = input->task;
    out->instance = input->instance;
    out->item = input->item;
    *out_more = true;
    return 0;
}

static int io_open_object(void *self, const struct gm_task_input *input, size_t object, int *out_fd,
                          struct gm_err *err)
{
    struct gm_worker_task *task = self;
    if (input->item == NULL || object >= input->item->n_objects) {
        return gm_err_set(err, GM_E_PROTO, (int64_t)object, "input %u has no object %zu",
                          input->index, object);
    }
    return ask(task, GM__WOBJECT__WOBJECT_INPUT, input->index, (uint32_t)object, out_fd, err);
}

static int io_open_result(void *self, const Gm__TaskResult *result, size_t object, int *out_fd,
                          struct gm_err *err)
{
    struct gm_worker_task *task = self;
    for (size_t i = 0; i < task->spec->n_results; i++) {
        if (task->spec->results[i] == result && object < result->n_objects) {
            return ask(task, GM__WOBJECT__WOBJECT_RESULT, (uint32_t)i, (uint32_t)object, out_fd,
                       err);
        }
    }
    return gm_err_set(err, GM_E_PROTO, (int64_t)object, "that result has no object %zu", object);
}

static int io_create_file(void *self, const char *name, int *out_fd, struct gm_err *err)
{
    struct gm_worker_task *task = self;
    if (!gm_is_file_name(name)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.128s` is not a file name", name);
    }
    int fd = openat(task->folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make `%s` in scratch", name);
    }
    GM_CRASH("worker.file_made");
    *out_fd = fd;
    return 0;
}

static void io_remove_file(void *self, const char *name)
{
    struct gm_worker_task *task = self;
    if (gm_is_file_name(name)) {
        unlinkat(task->folder, name, 0);
    }
}

static int write_meta(struct gm_worker_task *task, const char *name, const ProtobufCMessage *meta,
                      struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int fd = -1;
    int rc = gm_message_encode(meta, &data, &size, err);
    if (rc < 0) {
        return rc;
    }
    if (size > META_MAX_BYTES) {
        rc = gm_err_set(err, GM_E_LIMIT, (int64_t)size, "a result's meta has %zu bytes", size);
    } else {
        rc = io_create_file(task, name, &fd, err);
    }
    if (rc == 0) {
        rc = gm_fs_write_all(fd, data, size, err);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(data);
    return rc;
}

/* Pointers to the entries of files: owned, free(); an empty list is not NULL. */
static Gm__WFile **point_files(const Gm__WFile *files, size_t count)
{
    Gm__WFile **list = calloc(count + 1, sizeof(*list));
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = (Gm__WFile *)(uintptr_t)&files[i]; /* protobuf-c has no const lists */
    }
    return list;
}

static int io_produce(void *self, uint32_t stream, uint32_t index, bool last,
                      const Gm__WFile *files, size_t count, const ProtobufCMessage *meta,
                      struct gm_err *err)
{
    struct gm_worker_task *task = self;
    while (task->unstored >= UNSTORED_MAX) {
        int rc = gm_worker_task_wait(task, err);
        if (rc < 0) {
            return rc;
        }
    }
    Gm__WProduced produced = GM__WPRODUCED__INIT;
    char meta_name[64];
    int rc = gm_fs_path(meta_name, sizeof(meta_name), err, "meta-%u-%u.pb", stream, index);
    if (rc == 0) {
        rc = write_meta(task, meta_name, meta, err);
    }
    if (rc < 0) {
        return rc;
    }
    produced.files = point_files(files, count);
    if (produced.files == NULL) {
        return gm_err_nomem(err);
    }
    produced.n_files = count;
    produced.stream = stream;
    produced.index = index;
    produced.last = last;
    produced.meta_file = meta_name;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_PRODUCED;
    msg.produced = &produced;
    GM_CRASH("worker.item_made");
    rc = send_message(task, &msg, true, err);
    GM_CRASH("worker.item_told");
    if (rc == 0) {
        task->unstored++;
    }
    free(produced.files);
    return rc;
}

static int io_finish(void *self, const Gm__WFile *files, size_t count, const ProtobufCMessage *meta,
                     const Gm__Expand *expand, size_t expands, const char *publication,
                     struct gm_err *err)
{
    struct gm_worker_task *task = self;
    if (task->done != NULL) {
        return gm_err_set(err, GM_E_BUG, 0, "a task finished twice");
    }
    static char meta_name[] = "meta-done.pb";
    int rc = write_meta(task, meta_name, meta, err);
    if (rc < 0) {
        return rc;
    }
    Gm__WDone done = GM__WDONE__INIT;
    Gm__Expand **list = calloc(expands + 1, sizeof(*list));
    done.files = point_files(files, count);
    if (list == NULL || done.files == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < expands; i++) {
        list[i] = (Gm__Expand *)(uintptr_t)&expand[i];
    }
    done.n_files = count;
    done.expand = list;
    done.n_expand = expands;
    done.meta_file = meta_name;
    done.publication = publication == NULL ? done.publication : (char *)(uintptr_t)publication;
    task->done = (Gm__WDone *)gm_message_dup(&done.base);
    if (task->done == NULL) {
        rc = gm_err_nomem(err);
    }
out:
    free(done.files);
    free(list);
    return rc;
}

static void io_progress(void *self, uint64_t frames_done, uint64_t frames_total)
{
    struct gm_worker_task *task = self;
    task->frames_done = frames_done;
    task->frames_total = frames_total;
    if (gm_time_now() - task->told >= PROGRESS_EVERY) {
        GM_IGNORE(send_progress(task, false, NULL), "the next one tells the same");
    }
}

void gm_worker_task_explain(const struct gm_worker_task *task, struct gm_err *failure)
{
    const char *encodes = task->io.device, *decodes = task->io.decode_device;
    bool same = encodes != NULL && decodes != NULL && strcmp(encodes, decodes) == 0;
    bool shut = failure->code == GM_E_DEVICE_DRIVER || failure->code == GM_E_DEVICE_ABSENT;
    if (task->lost.code != GM_OK && same && shut) {
        *failure = task->lost;
    }
}

/* That it is told at once lets the agent spare other tasks the same. */
static void io_device_failed(void *self, const struct gm_err *why)
{
    struct gm_worker_task *task = self;
    if (why->code == GM_E_DEVICE_LOST) {
        task->lost = *why;
    }
    Gm__Error error;
    gm_err_to_msg(why, &error);
    Gm__WDeviceFailed failed = GM__WDEVICE_FAILED__INIT;
    failed.error = &error;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_DEVICE_FAILED;
    msg.device_failed = &failed;
    GM_IGNORE(send_message(self, &msg, true, NULL), "a closed socket ends the task soon enough");
}

int gm_worker_task_init(struct gm_worker_task *task, int sock, const char *scratch, int spec_fd,
                        uint64_t spec_size, struct gm_err *err)
{
    task->sock = sock;
    task->folder = -1;
    task->source_fd = -1;
    task->reply_fd = -1;
    task->started = task->told = gm_time_now();
    getrusage(RUSAGE_SELF, &task->usage);
    ProtobufCMessage *spec = NULL;
    int rc = decode_fd(&gm__task_spec__descriptor, spec_fd, spec_size, &spec, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "task description: ");
    }
    task->spec = (Gm__TaskSpec *)spec;
    task->inputs_complete = task->spec->inputs_complete;
    rc = gm_blind_check_spec(task->spec, err);
    if (rc == 0) {
        rc = gm_inputs_add(&task->inputs, task->spec->inputs, task->spec->n_inputs, err);
    }
    if (rc < 0) {
        return rc;
    }
    task->folder = open(scratch, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (task->folder < 0) {
        return gm_err_sys(err, errno, "could not open the scratch folder `%s`", scratch);
    }
    task->io = (struct gm_task_io){.self = task,
                                   .spec = task->spec,
                                   .source = io_source,
                                   .next_input = io_next_input,
                                   .open_object = io_open_object,
                                   .open_result = io_open_result,
                                   .create_file = io_create_file,
                                   .remove_file = io_remove_file,
                                   .produce = io_produce,
                                   .finish = io_finish,
                                   .progress = io_progress,
                                   .device_failed = io_device_failed};
    return 0;
}

void gm_worker_task_fini(struct gm_worker_task *task)
{
    gm_inputs_fini(&task->inputs);
    if (task->done != NULL) {
        gm__wdone__free_unpacked(task->done, NULL);
    }
    if (task->reply != NULL) {
        gm__worker_message__free_unpacked(task->reply, NULL);
    }
    const int fds[] = {task->folder, task->source_fd, task->reply_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    if (task->spec != NULL) {
        gm__task_spec__free_unpacked(task->spec, NULL);
    }
    memset(task, 0, sizeof(*task));
}

static uint64_t cpu_us(const struct rusage *u)
{
    return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000u +
           (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

void gm_worker_task_usage(const struct gm_worker_task *task, Gm__Usage *out)
{
    struct rusage now;
    getrusage(RUSAGE_SELF, &now);
    gm__usage__init(out);
    out->cpu_us = cpu_us(&now) - cpu_us(&task->usage);
    out->wall_us = (uint64_t)(gm_time_now() - task->started) / 1000u;
    out->max_rss_bytes = (uint64_t)now.ru_maxrss * 1024u;
    out->rss_own = now.ru_maxrss > task->usage.ru_maxrss;
}
