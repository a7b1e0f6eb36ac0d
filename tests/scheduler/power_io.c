#include "tests/scheduler/power.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISKS 8
#define TORN 512 /* bytes that are on the disk together */

struct change {
    struct change *next;
    sqlite3_int64 offset; /* of a cut: the new size */
    size_t size;
    bool cut;
    uint8_t data[];
};
struct disk { /* a file of the disk */
    char name[64];
    bool exists;
    bool deleted; /* the deletion is not on the disk */
    uint8_t *bytes;
    size_t size, cap;
    struct change *first, **last; /* of the cache alone, in order */
    unsigned fail_sync;
};
struct file {
    sqlite3_file base;
    struct disk *disk;  /* NULL: a temporary file */
    uint32_t life;      /* of the process that opened it */
    bool sync_folder;   /* SQLite's own VFS syncs the folder with its first sync */
    sqlite3_file *real; /* behind this struct */
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct disk disks[DISKS];
    uint64_t random;
    unsigned off_after, next_off_after;
    bool off;
    uint32_t life;
    char folder[512]; /* of this life */
} power;

static uint32_t chance(uint32_t below)
{
    power.random = power.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(power.random >> 33) % below;
}

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static struct disk *disk_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    struct disk *free_one = NULL;
    for (size_t i = 0; i < DISKS; i++) {
        struct disk *d = &power.disks[i];
        if (strcmp(d->name, name) == 0) {
            return d;
        }
        free_one = free_one == NULL && d->name[0] == '\0' ? d : free_one;
    }
    struct disk *d = need(free_one);
    (void)snprintf(d->name, sizeof d->name, "%s", name);
    d->last = &d->first;
    return d;
}

static void resize(struct disk *d, size_t size)
{
    if (size > d->cap) {
        d->cap = size * 2;
        d->bytes = need(realloc(d->bytes, d->cap));
    }
    if (size > d->size) {
        memset(d->bytes + d->size, 0, size - d->size);
    }
    d->size = size;
}

static void apply(struct disk *d, const struct change *c, size_t size)
{
    size_t end = (size_t)c->offset + size;
    if (c->cut) {
        resize(d, (size_t)c->offset);
        return;
    }
    if (size == 0) {
        return;
    }
    if (end > d->size) {
        resize(d, end);
    }
    memcpy(d->bytes + c->offset, c->data, size);
}

static void forget(struct disk *d)
{
    while (d->first != NULL) {
        struct change *next = d->first->next;
        free(d->first);
        d->first = next;
    }
    d->last = &d->first;
}

/* Another operation; false: the power is off. */
static bool goes_on(const struct file *f)
{
    if (power.off_after > 0 && --power.off_after == 0) {
        power.off = true;
    }
    return !power.off || f->disk == NULL;
}

static bool is_modelled(const struct file *f)
{
    return f->disk != NULL && f->life == power.life;
}

static void note(struct disk *d, sqlite3_int64 offset, const void *data, size_t size, bool cut)
{
    struct change *c = need(malloc(sizeof *c + size));
    *c = (struct change){.offset = offset, .size = size, .cut = cut};
    if (size > 0) {
        memcpy(c->data, data, size);
    }
    *d->last = c;
    d->last = &c->next;
}

static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    struct file *f = (struct file *)file;
    if (is_modelled(f)) {
        note(f->disk, offset, data, (size_t)size, false); /* of the one at which it goes off too */
        if (!goes_on(f)) {
            return SQLITE_IOERR_WRITE;
        }
    }
    return f->real->pMethods->xWrite(f->real, data, size, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct file *f = (struct file *)file;
    if (is_modelled(f)) {
        note(f->disk, size, NULL, 0, true);
        if (!goes_on(f)) {
            return SQLITE_IOERR_TRUNCATE;
        }
    }
    return f->real->pMethods->xTruncate(f->real, size);
}

static void sync_folder(void)
{
    for (size_t i = 0; i < DISKS; i++) {
        struct disk *d = &power.disks[i];
        d->exists = d->exists && !d->deleted;
        d->deleted = false;
    }
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct file *f = (struct file *)file;
    struct disk *d = f->disk;
    (void)flags;
    if (!is_modelled(f)) {
        return SQLITE_OK;
    }
    if (!goes_on(f)) {
        return SQLITE_IOERR_FSYNC;
    }
    if (d->fail_sync > 0 && --d->fail_sync == 0) {
        forget(d);
        return SQLITE_IOERR_FSYNC;
    }
    if (!d->exists || d->deleted) {
        resize(d, 0);
    }
    d->exists = true;
    d->deleted = false;
    if (f->sync_folder) {
        sync_folder();
        f->sync_folder = false;
    }
    for (const struct change *c = d->first; c != NULL; c = c->next) {
        apply(d, c, c->size);
    }
    forget(d);
    return SQLITE_OK;
}

#define REAL ((struct file *)file)->real
static int file_close(sqlite3_file *file)
{
    return REAL->pMethods->xClose(REAL);
}
static int file_read(sqlite3_file *file, void *out, int size, sqlite3_int64 offset)
{
    return REAL->pMethods->xRead(REAL, out, size, offset);
}
static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return REAL->pMethods->xFileSize(REAL, out);
}
static int file_lock(sqlite3_file *file, int level)
{
    return REAL->pMethods->xLock(REAL, level);
}
static int file_unlock(sqlite3_file *file, int level)
{
    return REAL->pMethods->xUnlock(REAL, level);
}
static int file_reserved(sqlite3_file *file, int *out)
{
    return REAL->pMethods->xCheckReservedLock(REAL, out);
}
static int file_control(sqlite3_file *file, int what, void *arg)
{
    return REAL->pMethods->xFileControl(REAL, what, arg);
}
static int file_sector(sqlite3_file *file)
{
    return REAL->pMethods->xSectorSize(REAL);
}
static int file_traits(sqlite3_file *file)
{
    return REAL->pMethods->xDeviceCharacteristics(REAL);
}
static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return REAL->pMethods->xShmMap(REAL, page, size, extend, out);
}
static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL->pMethods->xShmLock(REAL, offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *file)
{
    REAL->pMethods->xShmBarrier(REAL);
}
static int file_shm_unmap(sqlite3_file *file, int delete_it)
{
    return REAL->pMethods->xShmUnmap(REAL, delete_it);
}
#undef REAL

static const sqlite3_io_methods METHODS = {.iVersion = 2, /* no xFetch: nothing is mapped */
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_unlock,
                                           .xCheckReservedLock = file_reserved,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_traits,
                                           .xShmMap = file_shm_map,
                                           .xShmLock = file_shm_lock,
                                           .xShmBarrier = file_shm_barrier,
                                           .xShmUnmap = file_shm_unmap};

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    struct file *f = (struct file *)file;
    (void)vfs;
    int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    *f = (struct file){.disk = path == NULL ? NULL : disk_of(path),
                       .life = power.life,
                       .sync_folder = (flags & SQLITE_OPEN_CREATE) && (flags & journals),
                       .real = (sqlite3_file *)(f + 1)};
    int rc = power.real->xOpen(power.real, path, f->real, flags, out);
    f->base.pMethods = rc == SQLITE_OK ? &METHODS : NULL;
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    struct disk *d = disk_of(path);
    struct file f = {.disk = d};
    (void)vfs;
    if (strncmp(path, power.folder, strlen(power.folder)) != 0) {
        return power.real->xDelete(power.real, path, 0); /* of an earlier life */
    }
    if (!goes_on(&f)) {
        return SQLITE_IOERR_DELETE;
    }
    forget(d);
    d->deleted = !sync_folder;
    d->exists = d->exists && !sync_folder;
    return power.real->xDelete(power.real, path, 0);
}

static void new_life(const char *folder)
{
    power.life++;
    power.off = false;
    power.off_after = power.next_off_after;
    power.next_off_after = 0;
    (void)snprintf(power.folder, sizeof power.folder, "%s/", folder);
    for (size_t i = 0; i < DISKS; i++) {
        power.disks[i].fail_sync = 0;
    }
}

void power_start(uint32_t seed, const char *folder)
{
    if (power.real != NULL) {
        power_stop(); /* a test failed in the middle */
    }
    memset(&power, 0, sizeof power);
    power.random = seed;
    new_life(folder);
    power.real = need(sqlite3_vfs_find(NULL));
    power.vfs = *power.real;
    power.vfs.zName = "power";
    power.vfs.pNext = NULL;
    power.vfs.szOsFile += (int)sizeof(struct file);
    power.vfs.xOpen = vfs_open;
    power.vfs.xDelete = vfs_delete;
    if (sqlite3_vfs_register(&power.vfs, 1) != SQLITE_OK) {
        abort();
    }
}

void power_stop(void)
{
    (void)sqlite3_vfs_unregister(&power.vfs);
    (void)sqlite3_vfs_register(power.real, 1);
    for (size_t i = 0; i < DISKS; i++) {
        forget(&power.disks[i]);
        free(power.disks[i].bytes);
    }
    memset(&power, 0, sizeof power);
}

void power_fail_sync(const char *name, unsigned n)
{
    disk_of(name)->fail_sync = n;
}

void power_off_after(unsigned n)
{
    power.off_after = n;
}

void power_next_off_after(unsigned n)
{
    power.next_off_after = n;
}

bool power_is_off(void)
{
    return power.off;
}

static void put(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = need(fopen(path, "wb"));
    if (fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        abort();
    }
}

void power_restart(const char *from, const char *to)
{
    for (size_t i = 0; i < DISKS; i++) {
        const struct disk *d = &power.disks[i];
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", from, d->name);
        FILE *f = d->name[0] == '\0' ? NULL : fopen(path, "rb");
        if (f == NULL) {
            continue;
        }
        (void)fseek(f, 0, SEEK_END);
        size_t size = (size_t)ftell(f);
        uint8_t *bytes = need(malloc(size + 1));
        rewind(f);
        if (fread(bytes, 1, size, f) != size) {
            abort();
        }
        put(to, d->name, bytes, size);
        free(bytes);
        (void)fclose(f);
    }
    new_life(to);
}

/* What of a change that nobody synced is on the disk. */
static size_t part_of(const struct change *c)
{
    switch (chance(3)) {
    case 0:
        return 0;
    case 1:
        return c->size;
    default:
        return c->size / TORN == 0 ? 0 : chance((uint32_t)(c->size / TORN) + 1) * TORN;
    }
}

void power_cut(const char *to, bool all_lost)
{
    for (size_t i = 0; i < DISKS; i++) {
        struct disk *d = &power.disks[i];
        bool back = d->deleted && (all_lost || chance(2) == 0);
        if (d->deleted && !back) {
            resize(d, 0);
            d->exists = d->first != NULL && chance(2) == 0;
        } else if (!d->exists) {
            resize(d, 0);
            d->exists = !all_lost && d->first != NULL && chance(2) == 0;
        }
        d->deleted = false;
        for (const struct change *c = d->first; c != NULL && !all_lost && !back && d->exists;
             c = c->next) {
            if (!c->cut || chance(2) == 0) {
                apply(d, c, part_of(c));
            }
        }
        forget(d);
        if (d->exists) {
            put(to, d->name, d->bytes, d->size);
        }
    }
    new_life(to);
}
