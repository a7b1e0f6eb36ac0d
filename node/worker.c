/* The worker's life: sandbox, WReady, then WStart -> run -> WDone or WFailed, again and again. Any
 * breach of the protocol ends the process: the agent then starts a fresh one. */
#include "node/worker.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "common/utf8.h"
#include "node/packet.h"
#include "node/sandbox.h"
#include "node/worker_io.h"
#include "proto/envelope.h"

#define BUILD_MAX 401 /* proto/check.c */

/* Adds what the launcher found missing: a comma-separated list that is cut up in place. */
static void add_launcher_missing(char *list, struct gm_sandbox_missing *missing)
{
    char *save = NULL;
    for (char *name = strtok_r(list, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
        if (!gm_sandbox_is_missing(missing, name) && missing->count < GM_SANDBOX_MISSING_MAX) {
            missing->names[missing->count++] = name;
        }
    }
}

static int say_ready(int sock, const struct gm_sandbox_missing *missing, const char *build,
                     struct gm_err *err)
{
    char *names[GM_SANDBOX_MISSING_MAX];
    char line[BUILD_MAX]; /* distributors may write what they like into a version */
    gm_ascii_copy(line, sizeof(line), build);
    for (size_t i = 0; i < missing->count; i++) {
        names[i] = (char *)(uintptr_t)missing->names[i];
    }
    Gm__WReady ready = GM__WREADY__INIT;
    ready.missing = names;
    ready.n_missing = missing->count;
    ready.build = line;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_READY;
    msg.ready = &ready;
    return gm_packet_send(sock, &msg, -1, true, err);
}

static int run_task(struct gm_worker_task *task, gm_worker_find_fn find, int64_t *out_chunk,
                    struct gm_err *err)
{
    const struct gm_task_type *type = find(task->spec->type);
    if (type == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "no task type `%.64s` in this build",
                          task->spec->type);
    }
    int rc = type->run(&task->io, out_chunk, err);
    if (rc == 0 && task->done == NULL) {
        rc = gm_err_set(err, GM_E_BUG, 0, "task type `%s` ended without a result", type->type);
    }
    return rc;
}

/* One task from WStart to WDone or WFailed. Errors are those that end the process. */
static int serve(int sock, gm_worker_find_fn find, const Gm__WStart *start, int spec_fd,
                 struct gm_err *err)
{
    struct gm_worker_task task = {.sock = 0};
    struct gm_err failure = {.code = GM_OK};
    int64_t chunk = -1;
    int rc = gm_worker_task_init(&task, sock, start->scratch, spec_fd, start->spec_size, &failure);
    task.io.device = start->device;
    task.io.decode_device = start->decode_device;
    task.io.decode_api = start->decode_api;
    task.io.decode_codecs = (const char *const *)start->decode_codecs;
    task.io.decode_codec_count = start->n_decode_codecs;
    GM_CRASH("worker.started");
    if (rc == 0) {
        rc = run_task(&task, find, &chunk, &failure);
    }
    GM_CRASH("worker.ran");
    Gm__Usage usage;
    gm_worker_task_usage(&task, &usage);
    Gm__WFailed failed = GM__WFAILED__INIT;
    Gm__Error error;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    if (rc == 0) {
        msg.body_case = GM__WORKER_MESSAGE__BODY_DONE;
        msg.done = task.done;
        task.done->usage = &usage;
    } else {
        if (failure.code == GM_OK) {
            gm_err_set(&failure, GM_E_BUG, rc, "a task failed with %d and no reason", rc);
        }
        gm_worker_task_explain(&task, &failure);
        gm_err_to_msg(&failure, &error);
        failed.error = &error;
        failed.chunk = chunk;
        failed.usage = &usage;
        msg.body_case = GM__WORKER_MESSAGE__BODY_FAILED;
        msg.failed = &failed;
    }
    rc = gm_packet_send(sock, &msg, -1, true, err);
    GM_CRASH("worker.end_told");
    if (task.done != NULL) {
        task.done->usage = NULL; /* it is not the message's to free */
    }
    gm_worker_task_fini(&task);
    malloc_trim(0);
    return rc;
}

int gm_worker_run(int sock, gm_worker_find_fn find, const char *build, struct gm_err *err)
{
    struct gm_sandbox_missing missing = {.count = 0};
    struct gm_sandbox_device device;
    const char *told = getenv("GOPMILL_MISSING");
    char *list = strdup(told == NULL ? "" : told);
    if (list == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_sandbox_device_from_env(&device, err);
    if (rc == 0) {
        rc = gm_sandbox_enter(sock, &device, &missing, err);
    }
    if (rc == 0) {
        add_launcher_missing(list, &missing);
        rc = say_ready(sock, &missing, build, err);
        GM_CRASH("worker.ready");
    }
    while (rc == 0) {
        enum gm_packet_event event = GM_PACKET_NONE;
        Gm__WorkerMessage *msg = NULL;
        int fd = -1;
        rc = gm_packet_recv(sock, true, &event, &msg, &fd, err);
        if (rc < 0 || event == GM_PACKET_CLOSED) {
            break;
        }
        if (event != GM_PACKET_MESSAGE) {
            continue;
        }
        if (msg->body_case == GM__WORKER_MESSAGE__BODY_START && fd >= 0) {
            rc = serve(sock, find, msg->start, fd, err);
        } else if (msg->body_case != GM__WORKER_MESSAGE__BODY_STORED &&
                   msg->body_case != GM__WORKER_MESSAGE__BODY_FEED &&
                   msg->body_case != GM__WORKER_MESSAGE__BODY_INPUTS_END) {
            /* those may be on their way when a task ends by itself */
            rc = gm_err_set(err, GM_E_PROTO, msg->body_case,
                            "the agent sent message %d to an "
                            "idle worker",
                            (int)msg->body_case);
        }
        gm__worker_message__free_unpacked(msg, NULL);
        if (fd >= 0) {
            close(fd);
        }
    }
    free(list);
    return rc;
}

/* Why it will not be ready, for whoever looks at the node and not into its log. */
static void say_why(int sock, const struct gm_err *why)
{
    Gm__WFailed failed = GM__WFAILED__INIT;
    Gm__Error error;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    struct gm_err unused;
    gm_err_to_msg(why, &error);
    failed.error = &error;
    failed.chunk = -1;
    msg.body_case = GM__WORKER_MESSAGE__BODY_FAILED;
    msg.failed = &failed;
    GM_IGNORE(gm_packet_send(sock, &msg, -1, true, &unused), "it is in the log, too");
}

int gm_worker_main(gm_worker_find_fn find, gm_worker_build_fn build)
{
    const char *name = getenv("GOPMILL_LOG");
    bool json = name != NULL && strncmp(name, "json:", 5) == 0;
    int level = name == NULL ? -1 : gm_log_parse_level(json ? name + 5 : name);
    gm_log_init("worker", level < 0 ? GM_LOG_WARN : (enum gm_log_level)level, json);
    struct gm_err err = {.code = GM_OK};
    struct gm_buf text = {0};
    int rc = build == NULL ? 0 : build(&text, &err);
    if (rc < 0) {
        say_why(GM_WORKER_SOCKET, &err);
    } else {
        rc =
            gm_worker_run(GM_WORKER_SOCKET, find, text.data == NULL ? "" : (char *)text.data, &err);
    }
    gm_buf_fini(&text);
    if (rc < 0) {
        gm_log_err(GM_LOG_ERROR, "worker-failed", &err, "pid=%" PRId64, (int64_t)getpid());
    }
    return rc < 0 ? 1 : 0;
}
