/* The worker that tests run: task types that do what a test needs, and worse. */
#include "node/fake_io.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "proto/envelope.h"

static int write_file(struct gm_task_io *io, const char *name, const char *text, struct gm_err *err)
{
    int fd = -1;
    int rc = io->create_file(io->self, name, &fd, err);
    if (rc == 0) {
        rc = gm_fs_write_all(fd, text, strlen(text), err);
        close(fd);
    }
    return rc;
}

static int produce(struct gm_task_io *io, uint32_t index, bool last, const char *text,
                   struct gm_err *err)
{
    char name[64];
    char path[96];
    snprintf(name, sizeof(name), "piece-%u", index);
    snprintf(path, sizeof(path), "video/%s", name);
    int rc = write_file(io, name, text, err);
    if (rc < 0) {
        return rc;
    }
    Gm__WFile file = GM__WFILE__INIT;
    file.name = name;
    file.path = path;
    file.store = GM__OBJECT_STORE__STORE_OUT;
    Gm__EncodeItemMeta meta = GM__ENCODE_ITEM_META__INIT;
    meta.chunk = index;
    return io->produce(io->self, 0, index, last, &file, 1, &meta.base, err);
}

static int finish(struct gm_task_io *io, uint64_t frames, struct gm_err *err)
{
    Gm__EncodeMeta meta = GM__ENCODE_META__INIT;
    meta.frames = frames;
    return io->finish(io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
}

/* "pieces": source_name says how many; each holds its number. */
static int run_pieces(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    uint32_t count = (uint32_t)atoi(io->spec->source_name);
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        char text[32];
        snprintf(text, sizeof(text), "piece %u", i);
        io->progress(io->self, i, count);
        rc = produce(io, i, i + 1 == count, text, err);
    }
    *out_chunk = -1;
    return rc < 0 ? rc : finish(io, count, err);
}

/* "encode": one piece with source_name as content, which "verify" judges. */
static int run_encode(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    *out_chunk = -1;
    int rc = produce(io, 7, true, io->spec->source_name, err);
    return rc < 0 ? rc : finish(io, 1, err);
}

/* The piece's own chunk comes next, and nothing else. */
static int check_chunk(struct gm_task_io *io, uint32_t index, struct gm_err *err)
{
    struct gm_task_input chunk;
    bool more = false;
    int rc = io->next_input(io->self, &more, &chunk, err);
    if (rc == 0 && (!more || strcmp(chunk.task, "split") != 0 || chunk.item->stream != 0 ||
                    chunk.item->index != index || chunk.item->meta.len != 4 ||
                    memcmp(chunk.item->meta.data, "mine", 4) != 0)) {
        return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "the chunk of piece %u did not come", index);
    }
    int fd = -1;
    struct gm_err refused;
    if (rc == 0 && io->open_object(io->self, &chunk, 0, &fd, &refused) != -GM_E_NOTFOUND) {
        return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "the chunk's object may be read");
    }
    if (rc == 0) {
        rc = io->next_input(io->self, &more, &chunk, err);
    }
    return rc == 0 && more ? gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "another input came") : rc;
}

/* What came has no place that anything could be read from. */
static int check_blind(const ProtobufCMessage *msg, struct gm_err *err)
{
    static const char *const words[] = {":/", "sig=", "Signature"};
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_message_encode(msg, &data, &size, err);
    for (size_t i = 0; rc == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
        if (memmem(data, size, words[i], strlen(words[i])) != NULL) {
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "a worker sees `%s`", words[i]);
        }
    }
    free(data);
    return rc;
}

/* "verify": content that begins with "bad" is refused, "crash" crashes, "chunk" needs its chunk,
 * "result" the first object of the first result. */
static int run_verify(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct gm_task_input input;
    bool more = false;
    int fd = -1;
    char text[64] = "";
    *out_chunk = -1;
    int rc = io->next_input(io->self, &more, &input, err);
    if (rc == 0 && more) {
        rc = io->open_object(io->self, &input, 0, &fd, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (fd < 0 || pread(fd, text, sizeof(text) - 1, 0) < 0) {
        return gm_err_set(err, GM_E_MEDIA_VERIFY, errno, "nothing to verify");
    }
    close(fd);
    if (strncmp(text, "crash", 5) == 0) {
        abort();
    }
    if (strncmp(text, "bad", 3) == 0) {
        return gm_err_set(err, GM_E_MEDIA_VERIFY, 0, "the piece is bad");
    }
    if (strncmp(text, "chunk", 5) == 0) {
        rc = check_chunk(io, input.item->index, err);
    }
    if (strncmp(text, "result", 6) == 0 && (rc = check_blind(&io->spec->base, err)) == 0) {
        rc = io->open_result(io->self, io->spec->results[0], 0, &fd, err);
        if (rc == 0) {
            close(fd);
        }
    }
    return rc < 0 ? rc : finish(io, 1, err);
}

/* "read": the whole of the source, inputs as they come, and results; their bytes joined become
 * object "joined" of the task's result. */
static int append(struct gm_task_io *io, int from, int to, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_fs_read_fd(from, 1 << 20, &data, &size, err);
    if (rc == 0) {
        rc = gm_fs_write_all(to, data, size, err);
        free(data);
    }
    (void)io;
    return rc;
}

static int append_source(struct gm_source_file source, int to, struct gm_err *err)
{
    uint8_t part[65536];
    size_t got = sizeof(part);
    int rc = 0;
    for (uint64_t at = 0; rc == 0 && got == sizeof(part); at += got) {
        rc = gm_source_file_read(source, part, sizeof(part), at, &got, err);
        if (rc == 0) {
            rc = gm_fs_write_all(to, part, got, err);
        }
    }
    return rc;
}

static int read_all(struct gm_task_io *io, int to, struct gm_err *err)
{
    int fd = -1;
    struct gm_source_file source;
    int rc = check_blind(&io->spec->base, err);
    if (rc == 0) {
        rc = io->source(io->self, &source, err);
    }
    if (rc == 0) {
        rc = append_source(source, to, err);
    }
    bool more = true;
    while (rc == 0) {
        struct gm_task_input input;
        rc = io->next_input(io->self, &more, &input, err);
        if (rc < 0 || !more || (rc = check_blind(&input.item->base, err)) < 0) {
            break;
        }
        rc = io->open_object(io->self, &input, 0, &fd, err);
        if (rc == 0) {
            rc = append(io, fd, to, err);
            close(fd);
        }
    }
    for (size_t i = 0; i < io->spec->n_results && rc == 0; i++) {
        rc = io->open_result(io->self, io->spec->results[i], 0, &fd, err);
        if (rc == 0) {
            rc = append(io, fd, to, err);
            close(fd);
        }
    }
    return rc;
}

static int run_read(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    int to = -1;
    *out_chunk = -1;
    int rc = io->create_file(io->self, "joined", &to, err);
    if (rc < 0) {
        return rc;
    }
    rc = read_all(io, to, err);
    close(to);
    if (rc < 0) {
        return rc;
    }
    Gm__WFile file = GM__WFILE__INIT;
    file.name = file.path = (char *)(uintptr_t) "joined";
    file.store = GM__OBJECT_STORE__STORE_WORK;
    Gm__EncodeMeta meta = GM__ENCODE_META__INIT;
    return io->finish(io->self, &file, 1, &meta.base, NULL, 0, "0badcafe0badcafe", err);
}

/* "source": opens its source, says so by its progress, and waits for the end of its inputs; then it
 * makes a piece, or fails where source_name is "fail". */
static int run_source(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct gm_task_input input;
    bool more = true;
    struct gm_source_file source;
    *out_chunk = -1;
    int rc = io->source(io->self, &source, err);
    if (rc == 0) {
        io->progress(io->self, 1, 2);
    }
    while (rc == 0 && more) {
        rc = io->next_input(io->self, &more, &input, err);
    }
    if (rc == 0 && strcmp(io->spec->source_name, "fail") == 0) {
        rc = gm_err_set(err, GM_E_MEDIA, -43, "the source does not decode");
    }
    rc = rc < 0 ? rc : produce(io, 0, true, "of the source", err);
    return rc < 0 ? rc : finish(io, 1, err);
}

static int run_crash(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    int rc = produce(io, 0, false, "before the crash", err);
    *out_chunk = -1;
    if (rc == 0) {
        raise(SIGABRT);
        abort();
    }
    return rc;
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static int run_hang(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    (void)out_chunk;
    do {
        pause_ms(1000);
    } while (io != NULL);
    return gm_err_set(err, GM_E_BUG, 0, "a hang ended");
}

static int run_busy(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    (void)out_chunk;
    uint64_t i = 0;
    do {
        io->progress(io->self, i++, 0);
        pause_ms(20);
    } while (io != NULL);
    return gm_err_set(err, GM_E_BUG, 0, "busy work ended");
}

/* "fail": with the catalogue's code that source_name says, or as broken media. */
static int run_fail(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    int code = atoi(io->spec->source_name);
    *out_chunk = 3;
    if (code != 0) {
        return gm_err_set(err, (enum gm_code)code, 0, "as it was told");
    }
    return gm_err_set(err, GM_E_MEDIA, -42, "chunk three does not decode");
}

/* "place": where it runs, as its only piece. */
static int run_place(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    static const char *const names[] = {"GOPMILL_PROFILE", "CUDA_VISIBLE_DEVICES", "GM_TEST_GIVEN",
                                        "GM_TEST_SECRET", "GLIBC_TUNABLES"};
    char text[512] = "";
    *out_chunk = -1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s;", value == NULL ? "-" : value);
    }
    int rc = produce(io, 0, true, text, err);
    return rc < 0 ? rc : finish(io, 1, err);
}

/* "analyze": says what decodes for it, as its only piece, and where it runs. source_name: "busy",
 * "crash", "hang"; or a code with which what decodes fails first, with "shut" so that nothing opens
 * then. */
static int run_analyze(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    const char *how = io->spec->source_name;
    const char *profile = getenv("GOPMILL_PROFILE");
    const char *device = io->decode_device == NULL ? "" : io->decode_device;
    bool va = device[0] == '/';
    char text[512];
    int code = atoi(how);
    struct gm_err why;
    *out_chunk = -1;
    if (strcmp(how, "busy") == 0) {
        return run_busy(io, out_chunk, err);
    }
    if (strcmp(how, "hang") == 0 && device[0] != '\0') {
        return run_hang(io, out_chunk, err);
    }
    if (strcmp(how, "crash") == 0 && device[0] != '\0') {
        return run_crash(io, out_chunk, err);
    }
    if (code != 0 && device[0] != '\0') {
        gm_err_set(&why, (enum gm_code)code, 7, "as it was told");
        io->device_failed(io->self, &why);
    }
    if (strstr(how, "shut") != NULL) {
        return gm_err_set(err, GM_E_DEVICE_DRIVER, 8, "the encoder did not open");
    }
    if (device[0] != '\0' && strcmp(io->decode_api, va ? "vaapi" : "nvdec") != 0) {
        return gm_err_set(err, GM_E_BUG, 0, "decodes by %s", io->decode_api);
    }
    snprintf(text, sizeof(text), "%s;%s;%s", profile == NULL ? "-" : profile, device,
             io->decode_codec_count > 0 ? io->decode_codecs[0] : "");
    int rc = produce(io, 0, true, text, err);
    return rc < 0 ? rc : finish(io, 1, err);
}

/* Takes memory until there is none; that must be an error here, no death. */
static int run_greedy(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    bool hides = strcmp(io->spec->source_name, "hides") == 0;
    *out_chunk = -1;
    for (int i = 0; i < 1 << 20; i++) {
        void *block =
            mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) {
            return hides ? gm_err_set(err, GM_E_MEDIA, 0, "generic error") : gm_err_nomem(err);
        }
    }
    return gm_err_set(err, GM_E_BUG, 0, "memory has no limit");
}

/* Sends a packet that no honest worker sends. */
static void send_raw(const Gm__WorkerMessage *msg)
{
    static uint8_t data[4096];
    size_t size = gm__worker_message__pack(msg, data);
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    if (sendmsg(GM_WORKER_SOCKET, &head, 0) < 0) {
        abort();
    }
}

static void announce(const char *name, const char *meta_file)
{
    Gm__WFile file = GM__WFILE__INIT;
    file.name = (char *)(uintptr_t)name;
    file.path = (char *)(uintptr_t) "video/x";
    file.store = GM__OBJECT_STORE__STORE_OUT;
    Gm__WFile *files[] = {&file};
    Gm__WProduced produced = GM__WPRODUCED__INIT;
    produced.files = files;
    produced.n_files = 1;
    produced.meta_file = (char *)(uintptr_t)meta_file;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_PRODUCED;
    msg.produced = &produced;
    send_raw(&msg);
}

/* The process is there while the file is not. */
static void die_idle(const char *file)
{
    if (file != NULL && access(file, F_OK) == 0) {
        Gm__WReady ready = GM__WREADY__INIT;
        Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
        msg.body_case = GM__WORKER_MESSAGE__BODY_READY;
        msg.ready = &ready;
        send_raw(&msg);
        _exit(3);
    }
}

/* The task's folder below the working directory: farm_assign_spec makes the job's id of it. */
static void folder_of(const struct gm_task_io *io, char *out, size_t size)
{
    snprintf(out, size, "t%s", io->spec->job_id);
}

static int squat(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    static const char *const names[] = {"gm-probe-file", "gm-probe-file/a", "gm-probe-file/a/b",
                                        "gm-probe-link", "gm-probe-link/a"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (mkdir(names[i], i == 2 || i == 4 ? 0 : 0700) < 0) {
            return gm_err_sys(err, errno, "mkdir `%s`", names[i]);
        }
    }
    return run_crash(io, out_chunk, err);
}

/* "lie": source_name says how. */
static int run_lie(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    const char *how = io->spec->source_name;
    char folder[64];
    char path[160];
    int fd = -1;
    folder_of(io, folder, sizeof(folder));
    if (strcmp(how, "squat") == 0) {
        return squat(io, out_chunk, err);
    }
    if (strcmp(how, "climb") == 0) {
        announce("../../../secret", "");
    } else if (strcmp(how, "late") == 0) { /* after a piece, and the end of its inputs */
        struct gm_task_input input;
        bool more = true;
        int rc = produce(io, 0, false, "a good piece", err);
        while (rc == 0 && more) {
            rc = io->next_input(io->self, &more, &input, err);
        }
        announce("nothing", "");
    } else if (strcmp(how, "missing") == 0) {
        announce("nothing", "");
    } else if (strcmp(how, "folder") == 0) {
        snprintf(path, sizeof(path), "%s/dir", folder);
        if (mkdir(path, 0700) < 0) {
            return gm_err_sys(err, errno, "mkdir `%s`", path);
        }
        announce("dir", "");
    } else if (strcmp(how, "huge-meta") == 0) {
        int rc = io->create_file(io->self, "meta", &fd, err);
        if (rc < 0) {
            return rc;
        }
        if (ftruncate(fd, 30 << 20) < 0) {
            return gm_err_sys(err, errno, "ftruncate");
        }
        close(fd);
        announce("meta", "meta");
    } else if (strcmp(how, "flood") == 0) {
        for (int i = 0; i < 64; i++) {
            announce("nothing", "");
        }
    } else if (strcmp(how, "garbage") == 0) {
        struct iovec part = {.iov_base = (void *)(uintptr_t) "\xff\xff\xff\xff", .iov_len = 4};
        struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
        if (sendmsg(GM_WORKER_SOCKET, &head, 0) < 0) {
            abort();
        }
    }
    return run_hang(io, out_chunk, err);
}

static const struct gm_task_type FAKES[] = {
    {"pieces", run_pieces}, {"encode", run_encode}, {"verify", run_verify},
    {"read", run_read},     {"crash", run_crash},   {"hang", run_hang},
    {"busy", run_busy},     {"fail", run_fail},     {"greedy", run_greedy},
    {"lie", run_lie},       {"place", run_place},   {"analyze", run_analyze},
    {"source", run_source},
};

const struct gm_task_type *fake_task_find(const char *type)
{
    for (size_t i = 0; i < sizeof(FAKES) / sizeof(FAKES[0]); i++) {
        if (strcmp(FAKES[i].type, type) == 0) {
            return &FAKES[i];
        }
    }
    return NULL;
}

/* "one" or "two", by the farm's file of that name; "odd": what no message may have; none where
 * neither is. It can't be read here. */
static int fake_build(struct gm_buf *out, struct gm_err *err)
{
    gm_buf_str(out, access("../../two", F_OK) == 0 ? "two" : "");
    gm_buf_str(out, access("../../one", F_OK) == 0 ? "one" : "");
    if (access("../../odd", F_OK) == 0) {
        gm_buf_printf(out, "\xc3\xa9\n%0500d", 0);
    }
    return gm_buf_check(out, err);
}

void fake_worker_main(void)
{
    if (getenv("GOPMILL_MISSING") != NULL) {
        if (getenv("GM_TEST_NO_START") != NULL) {
            _exit(3);
        }
        die_idle(getenv("GM_TEST_DIES_IDLE"));
        _exit(gm_worker_main(fake_task_find, fake_build));
    }
}
