/* A slot is DOWN (waiting to start), STARTING (process runs, no WReady yet), UP or DYING (killed,
 * or its socket closed; the exit is awaited). The exit callback drains the socket first, so that a
 * worker's last words come before the news of its end. Writing to a worker that is gone is no error
 * of its own: what it ended of is known when its exit comes, and is told then; one that lives on is
 * killed soon. */
#include "node/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/array.h"
#include "common/loop.h"
#include "node/packet.h"
#include "proto/envelope.h"

#define READY_MS 30000
#define HANGUP_MS 1000 /* from its socket's end to the process's */
#define NOT_LOADED 127 /* ld.so ends so where a library does not fit, or is not there */
#define BACKOFF_MS 100
#define BACKOFF_MAX_MS 10000
#define QUEUE_MAX 4096
#define DRAIN_MAX 4096
#define READS_A_TURN 64
#define ARGS_MAX 256 /* the configuration holds lists of at most GM_NODE_LIST_MAX */

enum state { DOWN, STARTING, UP, DYING };

struct queued {
    uint8_t *data; /* owned: the packed message */
    size_t size;
    int fd; /* owned; -1: none */
};

struct gm_slot {
    uv_loop_t *loop;
    struct gm_slot_params params;
    struct gm_slot_handler handler;
    enum state state;
    bool was_ready;
    bool spoke;            /* it said more than that it is ready */
    bool ended;            /* the process is over: its id may be another's by now */
    uint64_t memory_bytes; /* of the process */
    gm_time dying;         /* since when its end is awaited; 0: it is not */
    bool destroyed;
    uint32_t failures;
    uv_timer_t timer; /* DOWN: next start; STARTING: time to become ready */
    uv_process_t process;
    uv_poll_t poll;
    int open;           /* handles that have not closed: timer, process, poll */
    bool has_process;   /* process handle is in use */
    bool has_poll;      /* poll handle is in use */
    int sock;           /* owned; -1 */
    struct gm_err why;  /* reason of a kill; code 0: it ended by itself */
    struct gm_err said; /* by itself, why it will not be ready; code 0: nothing */
    struct queued *queue;
    size_t queue_count, queue_size;
};

static void start(struct gm_slot *slot);

static void free_when_closed(struct gm_slot *slot)
{
    if (slot->destroyed && slot->open == 0) {
        free(slot->queue);
        free(slot);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct gm_slot *slot = handle->data;
    slot->open--;
    free_when_closed(slot);
}

static void drop_queue(struct gm_slot *slot)
{
    for (size_t i = 0; i < slot->queue_count; i++) {
        free(slot->queue[i].data);
        if (slot->queue[i].fd >= 0) {
            close(slot->queue[i].fd);
        }
    }
    slot->queue_count = 0;
}

static void close_socket(struct gm_slot *slot)
{
    if (slot->has_poll) {
        slot->has_poll = false;
        uv_close((uv_handle_t *)&slot->poll, on_closed);
    }
    if (slot->sock >= 0) {
        close(slot->sock);
        slot->sock = -1;
    }
    drop_queue(slot);
}

static void on_start_timer(uv_timer_t *timer)
{
    struct gm_slot *slot = timer->data;
    if (slot->state == DOWN && !slot->has_process && !slot->has_poll) {
        start(slot);
    }
}

static void on_ready_timer(uv_timer_t *timer)
{
    struct gm_slot *slot = timer->data;
    struct gm_err why;
    gm_err_set(&why, GM_E_SANDBOX, 0, "the worker did not become ready in time");
    gm_slot_kill(slot, &why);
}

static void start_later(struct gm_slot *slot)
{
    uint64_t pause = 0;
    if (slot->failures > 0) {
        uint32_t shift = slot->failures < 8 ? slot->failures - 1 : 7;
        pause = (uint64_t)BACKOFF_MS << shift;
        pause = pause > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : pause;
    }
    slot->state = DOWN;
    uv_timer_start(&slot->timer, on_start_timer, pause, 0);
}

/* The process is over and its handle closed. */
static void on_process_closed(uv_handle_t *handle)
{
    struct gm_slot *slot = handle->data;
    slot->has_process = false;
    slot->open--;
    if (slot->destroyed) {
        free_when_closed(slot);
        return;
    }
    start_later(slot);
}

static void deliver(struct gm_slot *slot, const Gm__WorkerMessage *msg)
{
    if (msg->body_case == GM__WORKER_MESSAGE__BODY_READY) {
        if (slot->state == STARTING) {
            slot->state = UP;
            slot->was_ready = true;
            uv_timer_stop(&slot->timer);
            slot->handler.on_ready(slot, msg->ready, slot->handler.arg);
        }
        return;
    }
    if (slot->state == STARTING && msg->body_case == GM__WORKER_MESSAGE__BODY_FAILED &&
        msg->failed->error != NULL) {
        gm_err_from_msg(msg->failed->error, &slot->said);
    }
    if (slot->was_ready) {
        slot->spoke = true;
        slot->handler.on_message(slot, msg, slot->handler.arg);
    }
}

/* Reads up to `most` packets. False: the socket is finished with. */
static bool read_packets(struct gm_slot *slot, int most)
{
    for (int i = 0; i < most && slot->sock >= 0 && !slot->destroyed; i++) {
        enum gm_packet_event event = GM_PACKET_NONE;
        Gm__WorkerMessage *msg = NULL;
        struct gm_err err = {.code = GM_OK};
        if (gm_packet_recv(slot->sock, false, &event, &msg, NULL, &err) < 0) {
            gm_slot_kill(slot, &err);
            return false;
        }
        if (event != GM_PACKET_MESSAGE) {
            return event == GM_PACKET_NONE;
        }
        deliver(slot, msg);
        gm__worker_message__free_unpacked(msg, NULL);
    }
    return true;
}

/* What the process ended of. Our own signal has our own reason; one that ended by itself before the
 * signal reached it tells how, and then what it was to be killed for. */
static void find_why(const struct gm_slot *slot, int64_t status, int term_signal,
                     struct gm_err *out)
{
    const struct gm_err *told = &slot->why;
    if (told->code != GM_OK && term_signal == SIGKILL) {
        *out = *told;
        return;
    }
    const char *and = told->code == GM_OK ? "" : "; the agent was about to end it: ";
    if (term_signal != 0) {
        gm_err_set(
            out, GM_E_WORKER_DIED, term_signal, "the worker process ended by signal %d (%s)%s%s%s",
            term_signal, strsignal(term_signal),
            term_signal == SIGKILL ? "; the machine may be out of memory" : "", and, told->text);
    } else if (slot->said.code != GM_OK) {
        gm_err_set(out, GM_E_WORKER_DIED, status, "the worker can't work: %s", slot->said.text);
    } else {
        bool unloaded = status == NOT_LOADED && !slot->was_ready && slot->memory_bytes > 0;
        gm_err_set(out, GM_E_WORKER_DIED, status,
                   "the worker process ended with status %" PRId64 "%s%s%s", status,
                   unloaded ? "; it could not be loaded: worker_memory_bytes may be too small" : "",
                   and, told->text);
    }
}

static void on_exit_status(uv_process_t *process, int64_t status, int term_signal)
{
    struct gm_slot *slot = process->data;
    struct gm_err why = {.code = GM_OK};
    slot->ended = true;
    slot->dying = 0;
    if (!slot->destroyed) {
        (void)read_packets(slot, DRAIN_MAX); /* it is over either way */
        find_why(slot, status, term_signal, &why);
    }
    bool ready = slot->was_ready, ours = why.code == GM_E_CANCELLED;
    slot->state = DYING;
    if (ready && (slot->spoke || ours)) {
        slot->failures = 0;
    } else if (!ours) { /* of our own will while it starts: that says nothing */
        slot->failures++;
    }
    uv_timer_stop(&slot->timer);
    close_socket(slot);
    uv_close((uv_handle_t *)process, on_process_closed);
    if (!slot->destroyed) {
        slot->handler.on_gone(slot, &why, ready, slot->handler.arg);
    }
}

static void watch(struct gm_slot *slot);

/* A send's error says that nobody holds the other end any more, or only a process that ends: what
 * was not read then comes back as ECONNRESET. */
static bool is_hangup(const struct gm_err *err)
{
    return err->code == GM_E_SYS && (err->native == EPIPE || err->native == ECONNRESET ||
                                     err->native == ECONNREFUSED || err->native == ENOTCONN);
}

/* A process that ends closes its socket first: killing it at once would hide what killed it. */
static void on_hangup_timer(uv_timer_t *timer)
{
    struct gm_err why;
    gm_err_set(&why, GM_E_WORKER_DIED, 0, "the worker closed its socket and lived on");
    gm_slot_kill(timer->data, &why);
}

/* The other end is closed, for what is read or what is sent. */
static void hang_up(struct gm_slot *slot)
{
    if (slot->has_process && !slot->ended && slot->state != DYING) {
        slot->state = DYING;
        slot->dying = gm_time_now();
        uv_timer_start(&slot->timer, on_hangup_timer, HANGUP_MS, 0);
    }
}

static void flush_queue(struct gm_slot *slot)
{
    size_t done = 0;
    int rc = 0;
    struct gm_err err = {.code = GM_OK};
    while (done < slot->queue_count) {
        struct queued *q = &slot->queue[done];
        rc = gm_packet_send_packed(slot->sock, q->data, q->size, q->fd, false, &err);
        if (rc < 0) {
            break;
        }
        free(q->data);
        if (q->fd >= 0) {
            close(q->fd);
        }
        done++;
    }
    memmove(slot->queue, slot->queue + done, (slot->queue_count - done) * sizeof(*slot->queue));
    slot->queue_count -= done;
    if (rc < 0 && rc != -GM_E_BUSY) {
        if (is_hangup(&err)) {
            hang_up(slot);
        } else {
            gm_slot_kill(slot, &err);
        }
        drop_queue(slot);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct gm_slot *slot = poll->data;
    (void)status;
    if ((events & UV_WRITABLE) != 0 && slot->queue_count > 0) {
        flush_queue(slot);
    }
    if (!read_packets(slot, READS_A_TURN)) {
        /* closed or broken: the exit callback does the rest */
        if (slot->has_poll) {
            uv_poll_stop(&slot->poll);
        }
        hang_up(slot);
        return;
    }
    watch(slot);
}

static void watch(struct gm_slot *slot)
{
    if (slot->has_poll) {
        uv_poll_start(&slot->poll, UV_READABLE | (slot->queue_count > 0 ? UV_WRITABLE : 0),
                      on_poll);
    }
}

/* Room for --, the worker and NULL stays. */
static size_t add_list(const char *option, const char *const *list, const char **args, size_t n)
{
    for (size_t i = 0; list != NULL && list[i] != NULL && n + 5 <= ARGS_MAX; i++) {
        args[n++] = option;
        args[n++] = list[i];
    }
    return n;
}

static size_t add_device(const struct gm_slot_params *params, const char **args, size_t n)
{
    args[n++] = "--profile";
    args[n++] = params->device.profile;
    args[n++] = "--device";
    args[n++] = params->device.device;
    if (params->device.va_driver != NULL) {
        args[n++] = "--va-driver";
        args[n++] = params->device.va_driver;
    }
    n = add_list("--environment", params->environment, args, n);
    return add_list("--path", params->paths, args, n);
}

static int spawn(struct gm_slot *slot, int child_sock, struct gm_err *err)
{
    char parent[24];
    char memory[24];
    char file[24];
    snprintf(parent, sizeof(parent), "%d", (int)getpid());
    snprintf(memory, sizeof(memory), "%" PRIu64, slot->params.memory_bytes);
    snprintf(file, sizeof(file), "%" PRIu64, slot->params.file_bytes);
    const char *flags = slot->params.cpu_flags == NULL ? "" : slot->params.cpu_flags;
    char level[24]; /* of GOPMILL_LOG: node/worker.c */
    snprintf(level, sizeof(level), "%s%s", slot->params.log_json ? "json:" : "",
             slot->params.log_level == NULL ? "warn" : slot->params.log_level);
    const char *const common[] = {slot->params.launcher,
                                  "--scratch",
                                  slot->params.scratch,
                                  "--parent",
                                  parent,
                                  "--memory",
                                  memory,
                                  "--file-size",
                                  file,
                                  "--cpu-flags",
                                  flags,
                                  "--log-level",
                                  level};
    size_t n = sizeof(common) / sizeof(common[0]);
    const char *args[ARGS_MAX];
    memcpy(args, common, sizeof(common));
    if (slot->params.device.profile != NULL) {
        n = add_device(&slot->params, args, n);
    }
    args[n++] = "--";
    args[n++] = slot->params.worker;
    args[n] = NULL;
    uv_stdio_container_t stdio[4] = {{.flags = UV_IGNORE},
                                     {.flags = UV_INHERIT_FD, .data.fd = 2},
                                     {.flags = UV_INHERIT_FD, .data.fd = 2},
                                     {.flags = UV_INHERIT_FD, .data.fd = child_sock}};
    uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = slot->params.launcher,
        .args = (char **)(uintptr_t)args, /* libuv only reads them */
        .stdio = stdio,
        .stdio_count = 4,
    };
    slot->process.data = slot;
    int rc = uv_spawn(slot->loop, &slot->process, &options);
    slot->open++;
    slot->has_process = true;
    return rc < 0 ? gm_err_uv(err, rc, "could not start `%s`", slot->params.launcher) : 0;
}

/* On failure nothing but a started process remains, whose exit is reported. */
static int try_start(struct gm_slot *slot, struct gm_err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return gm_err_sys(err, errno, "could not make a socket pair");
    }
    int rc = fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0
                 ? gm_err_sys(err, errno, "could not set up a socket pair")
                 : uv_poll_init(slot->loop, &slot->poll, pair[0]);
    if (rc < 0) {
        close(pair[0]);
        close(pair[1]);
        return err->code == GM_OK ? gm_err_uv(err, rc, "could not watch a socket pair") : rc;
    }
    slot->poll.data = slot;
    slot->open++;
    slot->has_poll = true;
    slot->sock = pair[0];
    rc = spawn(slot, pair[1], err);
    close(pair[1]);
    if (rc < 0) {
        close_socket(slot);
        uv_close((uv_handle_t *)&slot->process, on_process_closed);
        return rc;
    }
    watch(slot);
    return 0;
}

static void start(struct gm_slot *slot)
{
    struct gm_err err = {.code = GM_OK};
    slot->state = STARTING;
    slot->was_ready = false;
    slot->spoke = false;
    slot->ended = false;
    slot->dying = 0;
    slot->memory_bytes = slot->params.memory_bytes;
    memset(&slot->why, 0, sizeof(slot->why));
    memset(&slot->said, 0, sizeof(slot->said));
    if (try_start(slot, &err) < 0) {
        slot->failures++;
        slot->state = DYING;
        if (!slot->has_process) {
            start_later(slot);
        }
        slot->handler.on_gone(slot, &err, false, slot->handler.arg);
        return;
    }
    uv_timer_start(&slot->timer, on_ready_timer,
                   slot->params.ready_ms == 0 ? READY_MS : slot->params.ready_ms, 0);
}

int gm_slot_create(uv_loop_t *loop, const struct gm_slot_params *params,
                   const struct gm_slot_handler *handler, struct gm_slot **out, struct gm_err *err)
{
    struct gm_slot *slot = calloc(1, sizeof(*slot));
    if (slot == NULL) {
        return gm_err_nomem(err);
    }
    slot->loop = loop;
    slot->params = *params;
    slot->handler = *handler;
    slot->sock = -1;
    uv_timer_init(loop, &slot->timer);
    slot->timer.data = slot;
    slot->open = 1;
    start_later(slot);
    *out = slot;
    return 0;
}

void gm_slot_destroy(struct gm_slot **slot)
{
    struct gm_slot *s = *slot;
    if (s == NULL) {
        return;
    }
    s->destroyed = true;
    close_socket(s);
    if (s->has_process && !uv_is_closing((uv_handle_t *)&s->process)) {
        uv_process_kill(&s->process, SIGKILL);
    }
    uv_close((uv_handle_t *)&s->timer, on_closed);
    *slot = NULL;
}

void gm_slot_set_device(struct gm_slot *slot, const struct gm_slot_device *device,
                        uint64_t memory_bytes)
{
    slot->params.device = *device;
    slot->params.memory_bytes = memory_bytes;
}

uint64_t gm_slot_memory(const struct gm_slot *slot)
{
    return slot->memory_bytes;
}

bool gm_slot_is_ready(const struct gm_slot *slot)
{
    return slot->state == UP;
}

gm_time gm_slot_dying(const struct gm_slot *slot)
{
    return slot->dying;
}

int gm_slot_pid(const struct gm_slot *slot)
{
    return slot->has_process ? uv_process_get_pid(&slot->process) : 0;
}

uint32_t gm_slot_failures(const struct gm_slot *slot)
{
    return slot->failures;
}

/* Takes data and fd on success. */
static int enqueue(struct gm_slot *slot, uint8_t *data, size_t size, int fd, struct gm_err *err)
{
    if (slot->queue_count == QUEUE_MAX) {
        return gm_err_set(err, GM_E_BUSY, QUEUE_MAX, "the worker does not read its messages");
    }
    int rc = gm_array_reserve(&slot->queue, slot->queue_count, 1, &slot->queue_size,
                              sizeof(*slot->queue), err);
    if (rc == 0) {
        slot->queue[slot->queue_count++] = (struct queued){.data = data, .size = size, .fd = fd};
        watch(slot);
    }
    return rc;
}

int gm_slot_send(struct gm_slot *slot, const Gm__WorkerMessage *msg, int fd, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = 0;
    if (slot->state == DYING && slot->sock >= 0) {
        goto out; /* on_gone comes */
    }
    rc = slot->state == UP ? gm_worker_message_encode(msg, &data, &size, err)
                           : gm_err_set(err, GM_E_SYS, ESRCH, "the worker is not there");
    if (rc < 0) {
        goto out;
    }
    rc = slot->queue_count > 0 ? -GM_E_BUSY
                               : gm_packet_send_packed(slot->sock, data, size, fd, false, err);
    if (rc == -GM_E_BUSY) {
        rc = enqueue(slot, data, size, fd, err);
        if (rc == 0) {
            return 0; /* data and fd are the queue's */
        }
    } else if (rc < 0 && is_hangup(err)) {
        hang_up(slot); /* what it still says is heard */
        rc = 0;
    }
out:
    free(data);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

void gm_slot_kill(struct gm_slot *slot, const struct gm_err *why)
{
    if (!slot->has_process || uv_is_closing((uv_handle_t *)&slot->process)) {
        return;
    }
    if (slot->why.code == GM_OK) {
        slot->why = *why;
    }
    slot->state = DYING;
    if (!slot->ended) {
        slot->dying = slot->dying == 0 ? gm_time_now() : slot->dying;
        uv_process_kill(&slot->process, SIGKILL);
    }
}
