/* Writes the seeds of the protocol's corpora: whole samples, and samples bent where a reader is
 * likely to trust too much. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fs.h"
#include "proto/samples.h"

static struct gm_err err;

static int put(const char *root, const char *name, const void *data, size_t size)
{
    char path[4096];
    int rc = gm_fs_path(path, sizeof(path), &err, "%s/%s", root, name);
    return rc < 0 ? rc : gm_fs_write_atomic(path, data, size, &err);
}

static int put_envelope(const char *root, const char *name, Gm__Envelope *env)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_envelope_encode(env, &data, &size, &err);
    if (rc == 0) {
        rc = put(root, name, data, size);
    }
    free(data);
    return rc;
}

static int put_worker(const char *root)
{
    static const uint8_t escape[] = "\x6a\x10\x12\x0e\x0a\x05../up\x10\x02\x1a\x03/etc";
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_worker_message_encode(sample_worker_done(), &data, &size, &err);
    if (rc == 0) {
        rc = put(root, "worker_message/done", data, size);
    }
    if (rc == 0) {
        rc = put(root, "worker_message/done-cut", data, size / 2);
    }
    if (rc == 0) {
        rc = put(root, "worker_message/path-escape", escape, sizeof(escape) - 1);
    }
    free(data);
    return rc;
}

static int put_chunk(const char *root)
{
    uint8_t *data = NULL;
    size_t size = 0;
    char path[4096];
    int rc = gm_fs_path(path, sizeof(path), &err, "%s/chunk/all-records", root);
    if (rc < 0) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -1;
    }
    rc = sample_chunk(fd, &err);
    close(fd);
    if (rc == 0) {
        rc = gm_fs_read(path, 1u << 20, &data, &size, &err);
    }
    if (rc == 0) {
        rc = put(root, "chunk/no-end", data, size - 5);
    }
    if (rc == 0) {
        data[size - 1]++;
        rc = put(root, "chunk/wrong-count", data, size);
    }
    if (rc == 0) {
        memset(data + 8, 0xff, 4);
        rc = put(root, "chunk/huge-header", data, size);
    }
    free(data);
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"envelope", "worker_message", "chunk"};
    static const uint8_t twice[] = "\x08\x01\x08\x01\x8a\x01\x00";
    char path[4096];
    int rc = argc == 2 ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        rc = gm_fs_path(path, sizeof(path), &err, "%s/%s", argv[1], names[i]);
        if (rc == 0) {
            rc = gm_fs_mkdirs(path, &err);
        }
    }
    if (rc == 0) {
        rc = put_envelope(argv[1], "envelope/assign", sample_assign());
    }
    if (rc == 0) {
        rc = put_envelope(argv[1], "envelope/hello", sample_hello());
    }
    if (rc == 0) {
        rc = put_envelope(argv[1], "envelope/produced", sample_produced());
    }
    if (rc == 0) {
        rc = put(argv[1], "envelope/field-twice", twice, sizeof(twice) - 1);
    }
    if (rc == 0) {
        rc = put_worker(argv[1]);
    }
    if (rc == 0) {
        rc = put_chunk(argv[1]);
    }
    if (rc < 0) {
        fprintf(stderr, "usage: make_seeds FOLDER (%s)\n", err.text);
    }
    return rc < 0 ? 1 : 0;
}
