/* One object between a file and a store by the client of storage/transfer, for tests/bench/s3.sh.
 *
 *   bench_s3 get|put FILE BUCKET KEY AT_ONCE [hash]
 *
 * The server is GOPMILL_TEST_S3's. Parts of 16 MiB, so many at once: ranges of a GET, or of a
 * multipart upload. hash: the SHA-256 of each is reckoned, and of an upload sent with it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/hash.h"
#include "storage/transfer/client.h"

#define PART ((uint64_t)16 << 20)
#define PARTS_MAX 1024

struct part {
    struct bench *bench; /* borrowed */
    struct gm_s3_running *running;
    struct gm_sha256 *hash; /* owned; NULL: not hashed */
    uint64_t offset;
    uint64_t size;
    uint64_t done;
    char number[8];
    char payload[2 * GM_SHA256_SIZE + 1];
    char etag[128];
    struct gm_s3_field query[2];
};

struct bench {
    uv_loop_t loop;
    struct gm_s3_client *client;
    const char *bucket;
    const char *key;
    int fd;
    bool up;
    bool hashed;
    uint64_t size;
    char upload_id[256];
    struct part parts[PARTS_MAX];
    size_t count;
    size_t next;
};

static _Noreturn void die(const char *what, const struct gm_err *err)
{
    fprintf(stderr, "bench_s3: %s: %s\n", what, err == NULL ? "" : err->text);
    exit(1);
}

static void begin(struct bench *b);

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    struct part *p = arg;

    if (pwrite(p->bench->fd, data, size, (off_t)(p->offset + p->done)) != (ssize_t)size) {
        return gm_err_set(err, GM_E_SYS, 0, "the file takes no more");
    }
    if (p->hash != NULL) {
        gm_sha256_update(p->hash, data, size);
    }
    p->done += size;
    return 0;
}

static void on_part(const struct gm_s3_result *result, void *arg)
{
    struct part *p = arg;
    uint8_t sum[GM_SHA256_SIZE];

    if (result->rc < 0) {
        die("a part", &result->err);
    }
    snprintf(p->etag, sizeof(p->etag), "%s", result->etag);
    if (p->hash != NULL) {
        gm_sha256_final(p->hash, sum);
        gm_sha256_destroy(&p->hash);
    }
    if (!p->bench->up && p->done != p->size) {
        die("a part is short", NULL);
    }
    begin(p->bench);
}

static void start(struct bench *b, const struct gm_s3_call *call, struct gm_s3_running **running)
{
    struct gm_err err = {0};
    struct gm_s3_call copy = *call;

    copy.bucket = b->bucket;
    copy.key = b->key;
    copy.max_tries = 3;
    if (gm_s3_client_start(b->client, &copy, running, &err) < 0) {
        die("a call", &err);
    }
}

static void hash_part(struct part *p)
{
    struct gm_err err = {0};
    uint8_t sum[GM_SHA256_SIZE];

    if (gm_hash_part(p->bench->fd, p->offset, p->size, sum, NULL, NULL, NULL, NULL, &err) < 0) {
        die("read", &err);
    }
    gm_hex(sum, sizeof(sum), p->payload);
}

/* The next part, where there is one. */
static void begin(struct bench *b)
{
    struct part *p = &b->parts[b->next];
    struct gm_s3_call call = {.fd = b->fd, .done = on_part, .arg = p};

    if (b->next == b->count) {
        return;
    }
    b->next++;
    if (!b->up) {
        call.method = "GET";
        call.wants = GM_S3_WANTS_BODY;
        call.on_body = on_body;
        call.range_from = p->offset;
        call.range_size = p->size;
    } else {
        if (b->hashed) {
            hash_part(p);
            call.payload = p->payload;
        }
        p->query[0] = (struct gm_s3_field){"partNumber", p->number};
        p->query[1] = (struct gm_s3_field){"uploadId", b->upload_id};
        call.method = "PUT";
        call.query = p->query;
        call.query_count = 2;
        call.body_offset = p->offset;
        call.body_size = p->size;
    }
    start(b, &call, &p->running);
}

static void on_single(const struct gm_s3_result *result, void *arg)
{
    struct bench *b = arg;

    if (result->rc < 0) {
        die("a call", &result->err);
    }
    if (!b->up) {
        b->size = result->size;
    } else if (result->answer.upload_id != NULL) {
        snprintf(b->upload_id, sizeof(b->upload_id), "%s", result->answer.upload_id);
    }
}

static void ask(struct bench *b, const struct gm_s3_call *call)
{
    struct gm_s3_running *running = NULL;
    struct gm_s3_call copy = *call;

    copy.done = on_single;
    copy.arg = b;
    start(b, &copy, &running);
    uv_run(&b->loop, UV_RUN_DEFAULT);
}

static void open_client(struct bench *b)
{
    static char server[4][128];
    const char *env = getenv("GOPMILL_TEST_S3");
    struct gm_s3_endpoint endpoint;
    struct gm_err err = {0};

    if (env == NULL ||
        sscanf(env, "%127s %127s %127s %127s", server[0], server[1], server[2], server[3]) != 4) {
        die("GOPMILL_TEST_S3 names no server", NULL);
    }
    const struct gm_s3_keys keys = {server[1], server[2], NULL};
    const struct gm_s3_client_params params = {.loop = &b->loop,
                                               .endpoint = &endpoint,
                                               .style = GM_S3_PATH,
                                               .keys = &keys,
                                               .region = server[3]};
    if (gm_s3_endpoint_read(server[0], &endpoint, &err) < 0 || uv_loop_init(&b->loop) != 0 ||
        gm_s3_client_create(&params, &b->client, &err) < 0) {
        die("the client", &err);
    }
}

static void cut_into_parts(struct bench *b)
{
    for (uint64_t at = 0; at < b->size && b->count < PARTS_MAX; at += PART) {
        struct part *p = &b->parts[b->count++];

        p->bench = b;
        p->offset = at;
        p->size = b->size - at < PART ? b->size - at : PART;
        snprintf(p->number, sizeof(p->number), "%zu", b->count);
        p->hash = b->hashed && !b->up ? gm_sha256_create() : NULL;
    }
}

static void complete(struct bench *b)
{
    const struct gm_s3_field upload = {"uploadId", b->upload_id};
    struct gm_buf list = {0};

    gm_buf_str(&list, "<CompleteMultipartUpload>");
    for (size_t i = 0; i < b->count; i++) {
        gm_buf_printf(&list, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>", i + 1,
                      b->parts[i].etag);
    }
    gm_buf_str(&list, "</CompleteMultipartUpload>");
    ask(b, &(struct gm_s3_call){.method = "POST",
                                .query = &upload,
                                .query_count = 1,
                                .body = list.data,
                                .body_size = list.size,
                                .wants = GM_S3_WANTS_XML,
                                .kind = GM_S3_COMPLETE});
    gm_buf_fini(&list);
}

int main(int argc, char **argv)
{
    static const struct gm_s3_field uploads = {"uploads", ""};
    static struct bench b;
    struct stat st;

    if (argc < 6 || atoi(argv[5]) < 1) {
        fprintf(stderr, "usage: bench_s3 get|put FILE BUCKET KEY AT_ONCE [hash]\n");
        return 2;
    }
    b.up = strcmp(argv[1], "put") == 0;
    b.bucket = argv[3];
    b.key = argv[4];
    b.hashed = argc > 6;
    b.fd =
        open(argv[2], b.up ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (b.fd < 0 || fstat(b.fd, &st) != 0) {
        perror(argv[2]);
        return 1;
    }
    open_client(&b);
    b.size = (uint64_t)st.st_size;
    if (!b.up) {
        ask(&b, &(struct gm_s3_call){.method = "HEAD"});
    } else {
        ask(&b, &(struct gm_s3_call){.method = "POST",
                                     .query = &uploads,
                                     .query_count = 1,
                                     .wants = GM_S3_WANTS_XML,
                                     .kind = GM_S3_INITIATE});
    }
    cut_into_parts(&b);
    for (int i = 0; i < atoi(argv[5]); i++) {
        begin(&b);
    }
    uv_run(&b.loop, UV_RUN_DEFAULT);
    if (b.up) {
        complete(&b);
    }
    return close(b.fd) == 0 ? 0 : 1;
}
