/* Bodies by their hash in a folder that several processes may share (node/cache_folder.h). Nothing
 * is synced, and nobody else's word is taken: what this process did not write it hashes before it
 * is first read. What it found right it remembers by file, size and time of writing, in a table of
 * a fixed size. */
#include "node/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/fs.h"
#include "node/cache_folder.h"

#define COPY_BYTES (1u << 20)
#define PROOFS 16384u /* the next body of the same place takes it */
#define KEEP_WAIT_MS 1000

struct proof {
    uint8_t sha256[GM_SHA256_SIZE];
    uint64_t inode; /* 0: none */
    uint64_t size;
    uint64_t changed_ns;
};

struct gm_cache {
    struct gm_cache_folder folder;
    pthread_mutex_t change; /* held besides the folder's lock */
    pthread_mutex_t lock;   /* guards the proofs */
    struct proof *proofs;   /* owned */
};

int gm_cache_open(const char *folder, uint64_t max_bytes, struct gm_cache **out, struct gm_err *err)
{
    struct gm_cache *cache = calloc(1, sizeof(*cache));
    struct proof *proofs = calloc(PROOFS, sizeof(*proofs));
    int rc = cache == NULL || proofs == NULL ? gm_err_nomem(err) : 0;
    if (rc < 0) {
        free(cache);
        free(proofs);
        return rc;
    }
    cache->proofs = proofs;
    pthread_mutex_init(&cache->change, NULL); /* without attributes it can't fail */
    pthread_mutex_init(&cache->lock, NULL);
    rc = gm_cache_folder_open(folder, max_bytes, &cache->folder, err);
    if (rc < 0) {
        gm_cache_close(&cache);
        return rc;
    }
    *out = cache;
    return 0;
}

void gm_cache_close(struct gm_cache **cache)
{
    struct gm_cache *c = *cache;
    if (c == NULL) {
        return;
    }
    gm_cache_folder_close(&c->folder);
    pthread_mutex_destroy(&c->change);
    pthread_mutex_destroy(&c->lock);
    free(c->proofs);
    free(c);
    *cache = NULL;
}

static struct proof *proof_of(const struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE])
{
    return &cache->proofs[(sha256[0] | (uint32_t)sha256[1] << 8) % PROOFS];
}

static bool is_proved(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE],
                      const struct stat *st)
{
    pthread_mutex_lock(&cache->lock);
    const struct proof *p = proof_of(cache, sha256);
    bool proved = p->inode == st->st_ino && p->size == (uint64_t)st->st_size &&
                  p->changed_ns == gm_fs_changed_ns(st) &&
                  memcmp(p->sha256, sha256, GM_SHA256_SIZE) == 0;
    pthread_mutex_unlock(&cache->lock);
    return proved;
}

static void note_proof(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE],
                       const struct stat *st)
{
    pthread_mutex_lock(&cache->lock);
    struct proof *p = proof_of(cache, sha256);
    memcpy(p->sha256, sha256, GM_SHA256_SIZE);
    p->inode = st->st_ino;
    p->size = (uint64_t)st->st_size;
    p->changed_ns = gm_fs_changed_ns(st);
    pthread_mutex_unlock(&cache->lock);
}

/* False: others have held the folder's lock for long. */
static bool begin_change(struct gm_cache *cache)
{
    pthread_mutex_lock(&cache->change);
    if (gm_cache_folder_lock(&cache->folder, KEEP_WAIT_MS)) {
        return true;
    }
    pthread_mutex_unlock(&cache->change);
    return false;
}

static void end_change(struct gm_cache *cache)
{
    gm_cache_folder_unlock(&cache->folder);
    pthread_mutex_unlock(&cache->change);
}

/* Whether what someone left under that name is what it says: a power cut may have left less of it,
 * and disks forget. What is not goes. */
static bool prove_entry(struct gm_cache *cache, const char *name, int fd, const struct stat *st,
                        const uint8_t sha256[GM_SHA256_SIZE])
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    uint64_t size = 0;
    if (gm_sha256_fd(fd, hash, &size, &err) == 0 && memcmp(hash, sha256, sizeof(hash)) == 0) {
        note_proof(cache, sha256, st);
        return true;
    }
    if (begin_change(cache)) {
        gm_cache_folder_remove(&cache->folder, name, st->st_ino);
        end_change(cache);
    }
    return false;
}

int gm_cache_find(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE], int *out_fd,
                  struct gm_err *err)
{
    char name[GM_CACHE_ENTRY];
    struct stat st;
    gm_hex(sha256, GM_SHA256_SIZE, name);
    int rc = gm_cache_folder_find(&cache->folder, name, out_fd, &st, err);
    if (rc < 0 || *out_fd < 0) {
        return rc;
    }
    if (is_proved(cache, sha256, &st) || prove_entry(cache, name, *out_fd, &st, sha256)) {
        gm_cache_folder_used(*out_fd);
    } else {
        close(*out_fd);
        *out_fd = -1;
    }
    return 0;
}

/* Copies and hashes. */
static int copy_body(int from, int to, uint8_t out_hash[GM_SHA256_SIZE], uint64_t *out_size,
                     struct gm_err *err)
{
    struct gm_sha256 *hash = gm_sha256_create();
    uint8_t *buffer = malloc(COPY_BYTES);
    int rc = hash == NULL || buffer == NULL ? gm_err_nomem(err) : 0;
    uint64_t done = 0;
    while (rc == 0) {
        ssize_t got = pread(from, buffer, COPY_BYTES, (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            rc = gm_err_sys(err, errno, "could not read a body for the cache");
            break;
        }
        if (got == 0) {
            gm_sha256_final(hash, out_hash);
            *out_size = done;
            break;
        }
        gm_sha256_update(hash, buffer, (size_t)got);
        rc = gm_fs_write_all(to, buffer, (size_t)got, err);
        done += (uint64_t)got;
    }
    gm_sha256_destroy(&hash);
    free(buffer);
    return rc;
}

/* The temporary file becomes entry `name`, or goes when it can't be kept. fd: of it. */
static int keep_body(struct gm_cache *cache, const char *temporary, const char *name, int fd,
                     uint64_t size, const uint8_t sha256[GM_SHA256_SIZE], struct gm_err *err)
{
    struct stat st;
    bool kept = false;
    int rc = 0;
    gm_cache_folder_used(fd);
    if (size > cache->folder.max_bytes || !begin_change(cache)) {
        gm_cache_give_up(cache, temporary);
        return 0;
    }
    rc = gm_cache_folder_keep(&cache->folder, temporary, name, size, &kept, err);
    end_change(cache);
    if (kept && fstat(fd, &st) == 0) {
        note_proof(cache, sha256, &st);
    }
    return rc;
}

int gm_cache_begin(struct gm_cache *cache, char out_name[GM_CACHE_NAME], int *out_fd,
                   struct gm_err *err)
{
    return gm_cache_folder_begin(&cache->folder, out_name, GM_CACHE_NAME, out_fd, err);
}

void gm_cache_give_up(struct gm_cache *cache, const char *name)
{
    unlinkat(cache->folder.folder, name, 0);
}

/* The temporary file has a body of that hash: is it the one that was meant, it becomes an entry. */
static int take_body(struct gm_cache *cache, const char *temporary,
                     const uint8_t hash[GM_SHA256_SIZE], uint64_t size,
                     const uint8_t sha256[GM_SHA256_SIZE], int *out_fd, struct gm_err *err)
{
    char name[GM_CACHE_ENTRY];
    gm_hex(sha256, GM_SHA256_SIZE, name);
    if (memcmp(hash, sha256, GM_SHA256_SIZE) != 0) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, 0, "a fetched body's hash is not %.12s...",
                          name);
    }
    int copy = openat(cache->folder.folder, temporary, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (copy < 0 || flock(copy, LOCK_SH | LOCK_NB) != 0) {
        int saved = errno;
        if (copy >= 0) {
            close(copy);
        }
        return gm_err_sys(err, saved, "could not open a cached body");
    }
    int rc = keep_body(cache, temporary, name, copy, size, sha256, err);
    if (rc < 0) {
        close(copy);
        return rc;
    }
    *out_fd = copy;
    return 0;
}

int gm_cache_end(struct gm_cache *cache, const char *name, int fd,
                 const uint8_t sha256[GM_SHA256_SIZE], int *out_fd, struct gm_err *err)
{
    uint8_t hash[GM_SHA256_SIZE];
    uint64_t size = 0;
    int rc = gm_sha256_fd(fd, hash, &size, err);
    if (rc == 0) {
        rc = take_body(cache, name, hash, size, sha256, out_fd, err);
    }
    if (rc < 0) {
        gm_cache_give_up(cache, name);
    }
    return rc;
}

int gm_cache_insert(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE], int fd,
                    int *out_fd, struct gm_err *err)
{
    char temporary[GM_CACHE_NAME];
    uint8_t hash[GM_SHA256_SIZE];
    uint64_t size = 0;
    int to = -1;
    int rc = gm_cache_begin(cache, temporary, &to, err);
    if (rc < 0) {
        return rc;
    }
    rc = copy_body(fd, to, hash, &size, err);
    if (rc == 0) {
        rc = take_body(cache, temporary, hash, size, sha256, out_fd, err);
    }
    if (rc < 0) {
        gm_cache_give_up(cache, temporary);
    }
    close(to);
    return rc;
}

int gm_cache_add(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE], int fd,
                 uint64_t size, struct gm_err *err)
{
    int kept = -1;
    int rc = 0;
    if (size > cache->folder.max_bytes / 8) {
        return 0;
    }
    rc = gm_cache_find(cache, sha256, &kept, err);
    if (rc == 0 && kept < 0) {
        rc = gm_cache_insert(cache, sha256, fd, &kept, err);
    }
    if (kept >= 0) {
        close(kept);
    }
    return rc;
}

uint64_t gm_cache_bytes(struct gm_cache *cache)
{
    return gm_cache_folder_bytes(&cache->folder);
}
