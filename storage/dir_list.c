/* Listing: folders are read one at a time and sorted, a folder as its name and '/', which makes a
 * walk in depth give the keys in byte order. The open folders are a stack of names, not of
 * descriptors: depth costs memory alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "storage/backend.h"

#define MAX_PATH 1024

struct entry {
    char *name; /* owned; a folder's ends in '/' */
    uint64_t size;
};

struct level {
    struct entry *entries; /* owned */
    size_t count;
    size_t next;
    size_t path_length; /* of walk.path before this level's names */
};

struct walk {
    int root;           /* borrowed */
    const char *prefix; /* borrowed */
    struct level *levels;
    size_t depth;
    size_t cap;
    char path[MAX_PATH + 2]; /* of the folder being walked, with its '/' */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void free_level(struct level *level)
{
    for (size_t i = 0; i < level->count; i++) {
        free(level->entries[i].name);
    }
    free(level->entries);
}

/* Whether a key or folder of that name may hold keys that start with the prefix. */
static bool is_wanted(const struct walk *w, size_t path_length, const char *name)
{
    size_t prefix_length = strlen(w->prefix);
    size_t name_length = strlen(name);
    bool folder = name[name_length - 1] == '/';
    size_t rest;

    if (path_length >= prefix_length) {
        return true; /* we walk below it already */
    }
    rest = prefix_length - path_length;
    if (name_length < rest) {
        return folder && strncmp(w->prefix + path_length, name, name_length) == 0;
    }
    return strncmp(w->prefix + path_length, name, rest) == 0;
}

static int add_entry(struct level *level, size_t *cap, const char *name, bool folder, uint64_t size)
{
    size_t length = strlen(name);
    char *copy;

    if (level->count == *cap) {
        size_t more = *cap == 0 ? 16 : *cap * 2;
        struct entry *entries = reallocarray(level->entries, more, sizeof(*entries));

        if (entries == NULL) {
            return -1;
        }
        level->entries = entries;
        *cap = more;
    }
    copy = malloc(length + 2);
    if (copy == NULL) {
        return -1;
    }
    memcpy(copy, name, length);
    copy[length] = folder ? '/' : '\0';
    copy[length + 1] = '\0';
    level->entries[level->count++] = (struct entry){.name = copy, .size = size};
    return 0;
}

/* Takes one directory entry if it is an object or a folder of the store. -1 with errno. */
static int take_entry(const struct walk *w, int fd, const char *name, struct level *level,
                      size_t *cap)
{
    char key[MAX_PATH + 1];
    struct stat st;
    int n = snprintf(key, sizeof(key), "%.*s%s", (int)level->path_length, w->path, name);

    if (n < 0 || (size_t)n >= sizeof(key) || !gm_store_is_key(key)) {
        return 0; /* ".", "..", temporary files, what is not ours */
    }
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) {
        if (add_entry(level, cap, name, S_ISDIR(st.st_mode), (uint64_t)st.st_size) < 0) {
            return -1;
        }
        if (!is_wanted(w, level->path_length, level->entries[level->count - 1].name)) {
            free(level->entries[--level->count].name);
        }
    }
    return 0;
}

/* Reads the folder w->path[0..path_length) into level. A folder that is gone is an empty one. */
static int read_level(struct walk *w, size_t path_length, struct level *level, struct gm_err *err)
{
    size_t cap = 0;
    int rc = 0;
    DIR *dir;
    int fd;

    *level = (struct level){.path_length = path_length};
    w->path[path_length] = '\0';
    fd = gm_dir_open_beneath(w->root, path_length == 0 ? "." : w->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        rc = gm_dir_error(err, errno, "listing", w->path);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    for (;;) {
        const struct dirent *entry;

        errno = 0;
        /* cppcheck-suppress readdirCalled ; the stream is ours alone */
        entry = readdir(dir);
        if (entry == NULL && errno == 0) {
            break;
        }
        if (entry == NULL || take_entry(w, fd, entry->d_name, level, &cap) < 0) {
            rc = gm_dir_error(err, errno, "listing", w->path);
            free_level(level);
            *level = (struct level){0};
            goto out;
        }
    }
    if (level->count > 1) {
        qsort(level->entries, level->count, sizeof(*level->entries), by_name);
    }
out:
    closedir(dir);
    return rc;
}

static int push(struct walk *w, size_t path_length, struct gm_err *err)
{
    int rc;

    if (w->depth == w->cap) {
        size_t more = w->cap == 0 ? 8 : w->cap * 2;
        struct level *levels = reallocarray(w->levels, more, sizeof(*levels));

        if (levels == NULL) {
            return gm_err_nomem(err);
        }
        w->levels = levels;
        w->cap = more;
    }
    rc = read_level(w, path_length, &w->levels[w->depth], err);
    if (rc == 0) {
        w->depth++;
    }
    return rc;
}

int gm_dir_list(struct gm_store *store, const char *prefix,
                int (*fn)(const char *key, uint64_t size, void *arg), void *arg, struct gm_err *err)
{
    const struct gm_dir_store *d = (const struct gm_dir_store *)store;
    struct walk w = {.root = d->root, .prefix = prefix};
    const char *slash = strrchr(prefix, '/');
    size_t start = slash == NULL ? 0 : (size_t)(slash - prefix) + 1;
    int rc;

    memcpy(w.path, prefix, start);
    rc = push(&w, start, err);
    while (rc == 0 && w.depth > 0) {
        struct level *top = &w.levels[w.depth - 1];
        const struct entry *entry;
        size_t length;

        if (top->next == top->count) {
            free_level(top);
            w.depth--;
            continue;
        }
        entry = &top->entries[top->next++];
        length = strlen(entry->name);
        memcpy(w.path + top->path_length, entry->name, length + 1);
        if (entry->name[length - 1] == '/') {
            rc = push(&w, top->path_length + length, err);
        } else {
            rc = fn(w.path, entry->size, arg);
        }
    }
    while (w.depth > 0) {
        free_level(&w.levels[--w.depth]);
    }
    free(w.levels);
    return rc;
}
