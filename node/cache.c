/* Entries lie as <folder>/<64 hex digits>; a body is written as "tmp-<n>" and renamed when its hash
 * was found right, so that a crash leaves no wrong entry. Nothing is synced: what a process finds
 * there it hashes before it is first read. The order of use is a list in memory,
 * rebuilt from the files' modification times, which each use sets. */
#include "node/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"

#define NAME_SIZE (2 * GM_SHA256_SIZE + 1)
#define COPY_BYTES (1u << 20)

struct entry {
    char name[NAME_SIZE];
    uint64_t size;
    struct timespec used;      /* while loading only */
    bool sound;                /* this process knows that it is what its name says */
    struct entry *prev, *next; /* oldest use first */
};

struct gm_cache {
    int folder; /* owned */
    uint64_t max_bytes;
    pthread_mutex_t lock; /* guards all below */
    struct entry *oldest, *newest;
    uint64_t bytes;
    uint64_t made; /* temporary names so far */
};

static void unlink_entry(struct gm_cache *cache, struct entry *entry)
{
    *(entry->prev == NULL ? &cache->oldest : &entry->prev->next) = entry->next;
    *(entry->next == NULL ? &cache->newest : &entry->next->prev) = entry->prev;
    entry->prev = entry->next = NULL;
}

static void append_entry(struct gm_cache *cache, struct entry *entry)
{
    entry->prev = cache->newest;
    entry->next = NULL;
    *(cache->newest == NULL ? &cache->oldest : &cache->newest->next) = entry;
    cache->newest = entry;
}

static void drop_entry(struct gm_cache *cache, struct entry *entry)
{
    unlink_entry(cache, entry);
    unlinkat(cache->folder, entry->name, 0);
    cache->bytes -= entry->size;
    free(entry);
}

static void evict(struct gm_cache *cache, uint64_t room)
{
    struct entry *next = NULL;
    for (struct entry *e = cache->oldest; e != NULL && cache->bytes + room > cache->max_bytes;
         e = next) {
        next = e->next;
        drop_entry(cache, e);
    }
}

static bool is_entry_name(const char *name)
{
    return strlen(name) == NAME_SIZE - 1 && strspn(name, "0123456789abcdef") == NAME_SIZE - 1;
}

static int compare_use(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a;
    const struct entry *y = *(struct entry *const *)b;
    if (x->used.tv_sec != y->used.tv_sec) {
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    }
    if (x->used.tv_nsec != y->used.tv_nsec) {
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

/* Adds one file of the folder to list, or removes what is no entry. */
static int load_one(struct gm_cache *cache, const char *name, struct entry ***list, size_t *count,
                    struct gm_err *err)
{
    struct stat st;
    if (fstatat(cache->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : gm_err_sys(err, errno, "could not look at `%s`", name);
    }
    if (!is_entry_name(name) || !S_ISREG(st.st_mode)) {
        if (!S_ISDIR(st.st_mode)) {
            unlinkat(cache->folder, name, 0);
        }
        return 0;
    }
    struct entry **grown = realloc(*list, (*count + 1) * sizeof(**list));
    struct entry *entry = calloc(1, sizeof(*entry));
    if (grown != NULL) {
        *list = grown;
    }
    if (grown == NULL || entry == NULL) {
        free(entry);
        return gm_err_nomem(err);
    }
    memcpy(entry->name, name, NAME_SIZE);
    entry->size = (uint64_t)st.st_size;
    entry->used = st.st_mtim;
    grown[(*count)++] = entry;
    return 0;
}

static int load(struct gm_cache *cache, struct gm_err *err)
{
    int fd = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int saved = errno;
        if (fd >= 0) {
            close(fd);
        }
        return gm_err_sys(err, saved, "could not list the cache folder");
    }
    struct entry **list = NULL;
    size_t count = 0;
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL) {
            rc = errno == 0 ? 0 : gm_err_sys(err, errno, "could not list the cache folder");
            break;
        }
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
            rc = load_one(cache, d->d_name, &list, &count, err);
        }
    }
    closedir(dir);
    if (rc == 0 && count > 0) {
        qsort(list, count, sizeof(struct entry *), compare_use);
    }
    for (size_t i = 0; i < count; i++) {
        if (rc == 0) {
            append_entry(cache, list[i]);
            cache->bytes += list[i]->size;
        } else {
            free(list[i]);
        }
    }
    free(list);
    evict(cache, 0);
    return rc;
}

int gm_cache_open(const char *folder, uint64_t max_bytes, struct gm_cache **out, struct gm_err *err)
{
    struct gm_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return gm_err_nomem(err);
    }
    cache->folder = -1;
    cache->max_bytes = max_bytes;
    int rc = -pthread_mutex_init(&cache->lock, NULL);
    if (rc != 0) {
        free(cache);
        return gm_err_sys(err, -rc, "could not make a lock");
    }
    rc = gm_fs_mkdirs(folder, err);
    if (rc == 0) {
        cache->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (cache->folder < 0) {
            rc = gm_err_sys(err, errno, "could not open the cache folder `%s`", folder);
        }
    }
    if (rc == 0) {
        rc = load(cache, err);
    }
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
    struct entry *next = NULL;
    for (struct entry *e = c->oldest; e != NULL; e = next) {
        next = e->next;
        free(e);
    }
    if (c->folder >= 0) {
        close(c->folder);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
    *cache = NULL;
}

static struct entry *find_entry(const struct gm_cache *cache, const char *name)
{
    for (struct entry *e = cache->newest; e != NULL; e = e->prev) {
        if (strcmp(e->name, name) == 0) {
            return e;
        }
    }
    return NULL;
}

/* With the lock held. *out_fd -1: not there. */
static int open_entry(struct gm_cache *cache, const char *name, int *out_fd, bool *out_sound,
                      struct gm_err *err)
{
    struct entry *entry = find_entry(cache, name);
    *out_fd = -1;
    *out_sound = true;
    if (entry == NULL) {
        return 0;
    }
    int fd = openat(cache->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) { /* someone cleaned up: no entry then */
        drop_entry(cache, entry);
        return 0;
    }
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not open a cached body");
    }
    futimens(fd, NULL);
    unlink_entry(cache, entry);
    append_entry(cache, entry);
    *out_fd = fd;
    *out_sound = entry->sound;
    return 0;
}

/* Whether what an earlier process left under that name is what it says: a power cut may have left
 * less of it, and disks forget. What is not goes. */
static bool prove_entry(struct gm_cache *cache, const char *name, int fd,
                        const uint8_t sha256[GM_SHA256_SIZE])
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    uint64_t size = 0;
    bool sound =
        gm_sha256_fd(fd, hash, &size, &err) == 0 && memcmp(hash, sha256, sizeof(hash)) == 0;
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find_entry(cache, name);
    if (entry != NULL && sound) {
        entry->sound = true;
    } else if (entry != NULL && !entry->sound) { /* else another one was put there */
        drop_entry(cache, entry);
    }
    pthread_mutex_unlock(&cache->lock);
    return sound;
}

int gm_cache_find(struct gm_cache *cache, const uint8_t sha256[GM_SHA256_SIZE], int *out_fd,
                  struct gm_err *err)
{
    char name[NAME_SIZE];
    bool sound = true;
    gm_hex(sha256, GM_SHA256_SIZE, name);
    pthread_mutex_lock(&cache->lock);
    int rc = open_entry(cache, name, out_fd, &sound, err);
    pthread_mutex_unlock(&cache->lock);
    if (rc == 0 && *out_fd >= 0 && !sound && !prove_entry(cache, name, *out_fd, sha256)) {
        close(*out_fd);
        *out_fd = -1;
    }
    return rc;
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

/* The temporary file `from` becomes entry `name`, or goes when it can't be kept. */
static int keep_body(struct gm_cache *cache, const char *from, const char *name, uint64_t size,
                     struct gm_err *err)
{
    int rc = 0;
    pthread_mutex_lock(&cache->lock);
    bool keep = find_entry(cache, name) == NULL && size <= cache->max_bytes;
    struct entry *entry = keep ? calloc(1, sizeof(*entry)) : NULL;
    if (keep && entry == NULL) {
        rc = gm_err_nomem(err);
    } else if (keep) {
        evict(cache, size);
        if (renameat(cache->folder, from, cache->folder, name) < 0) {
            rc = gm_err_sys(err, errno, "could not name a cached body");
            free(entry);
        } else {
            memcpy(entry->name, name, NAME_SIZE);
            entry->size = size;
            entry->sound = true;
            append_entry(cache, entry);
            cache->bytes += size;
        }
    }
    if (!keep || rc < 0) {
        unlinkat(cache->folder, from, 0);
    }
    pthread_mutex_unlock(&cache->lock);
    return rc;
}

int gm_cache_begin(struct gm_cache *cache, char out_name[GM_CACHE_NAME], int *out_fd,
                   struct gm_err *err)
{
    pthread_mutex_lock(&cache->lock);
    snprintf(out_name, GM_CACHE_NAME, "tmp-%llu", (unsigned long long)cache->made++);
    pthread_mutex_unlock(&cache->lock);
    int fd =
        openat(cache->folder, out_name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make a file in the cache folder");
    }
    *out_fd = fd;
    return 0;
}

void gm_cache_give_up(struct gm_cache *cache, const char *name)
{
    unlinkat(cache->folder, name, 0);
}

/* The temporary file has a body of that hash: is it the one that was meant, it becomes an entry. */
static int take_body(struct gm_cache *cache, const char *temporary,
                     const uint8_t hash[GM_SHA256_SIZE], uint64_t size,
                     const uint8_t sha256[GM_SHA256_SIZE], int *out_fd, struct gm_err *err)
{
    char name[NAME_SIZE];
    gm_hex(sha256, GM_SHA256_SIZE, name);
    if (memcmp(hash, sha256, GM_SHA256_SIZE) != 0) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, 0, "a fetched body's hash is not %.12s...",
                          name);
    }
    int copy = openat(cache->folder, temporary, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (copy < 0) {
        return gm_err_sys(err, errno, "could not open a cached body");
    }
    int rc = keep_body(cache, temporary, name, size, err);
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
    if (size > cache->max_bytes / 8) {
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
    pthread_mutex_lock(&cache->lock);
    uint64_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}
