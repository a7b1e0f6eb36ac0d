/* The power is cut: takes back, of what power_shim.c wrote down, what was not synced.
 *
 *   power_loss LOG SEED all|some FOLDER...    all: nothing that was not synced is left; some:
 * chance decides. FOLDER: those of POWER_FOLDERS
 *
 * No process may use the files any more. Of a file's unsynced bytes each write stays, goes or is
 * torn in sectors of 512 bytes, in any order; a sector never has what none of its versions was. Of
 * unsynced names the last ones go, in the order of a file system's journal; a folder that goes
 * takes along what is in it. Then the log is empty.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/power_log.h"

#define SECTOR 512u

struct op {
    struct power_record r;
    char *a, *b;      /* owned */
    const char *data; /* in the log */
    bool durable;
};

struct file {
    uint64_t inode;
    char *path;   /* owned */
    bool settled; /* what is older is on the disk, or of an earlier file */
    bool size_settled;
    uint8_t *sectors; /* owned; 1: it has its version */
    size_t sector_count;
};

static struct op *ops;
static size_t op_count;
static struct file *files;
static size_t file_count;
static bool all;
static unsigned undone;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *check(void *p)
{
    if (p == NULL) {
        die("memory");
    }
    return p;
}

static bool chance(unsigned of_four)
{
    return all || (unsigned)(random() >> 8) % 4 < of_four;
}

static void read_log(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        die(path);
    }
    if (st.st_size == 0) {
        exit(0);
    }
    const char *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        die(path);
    }
    const char *end = p + st.st_size;
    while ((size_t)(end - p) >= sizeof(struct power_record)) {
        struct op op = {.durable = false};
        memcpy(&op.r, p, sizeof op.r);
        p += sizeof op.r;
        if ((uint64_t)(end - p) < (uint64_t)op.r.a_size + op.r.b_size + op.r.data_size) {
            break; /* its writer was killed: the change was not made */
        }
        op.a = check(strndup(p, op.r.a_size));
        op.b = check(strndup(p + op.r.a_size, op.r.b_size));
        op.data = p + op.r.a_size + op.r.b_size;
        p = op.data + op.r.data_size;
        if ((op_count & (op_count + 1)) == 0) {
            ops = check(realloc(ops, (2 * op_count + 2) * sizeof *ops));
        }
        ops[op_count++] = op;
    }
}

/* ---- bytes */

static int note_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)at;
    if (type == FTW_F) {
        files = check(realloc(files, (file_count + 1) * sizeof *files));
        files[file_count++] = (struct file){.inode = st->st_ino, .path = check(strdup(path))};
    }
    return 0;
}

static struct file *find_file(uint64_t inode)
{
    for (size_t i = 0; i < file_count; i++) {
        if (files[i].inode == inode) {
            return &files[i];
        }
    }
    return NULL;
}

static bool is_settled(struct file *f, uint64_t sector)
{
    return sector < f->sector_count && f->sectors[sector] != 0;
}

static void settle(struct file *f, uint64_t sector)
{
    if (sector >= f->sector_count) {
        size_t count = (size_t)sector * 2 + 16;
        f->sectors = check(realloc(f->sectors, count));
        memset(f->sectors + f->sector_count, 0, count - f->sector_count);
        f->sector_count = count;
    }
    f->sectors[sector] = 1;
}

static void put_back(int fd, const struct op *op, uint64_t from, uint64_t to)
{
    char old[SECTOR] = {0};
    struct stat st;
    uint64_t known = op->r.at + op->r.data_size;
    if (from < known) {
        uint64_t n = (to < known ? to : known) - from;
        memcpy(old, op->data + (from - op->r.at), (size_t)n);
    }
    if (fstat(fd, &st) < 0) {
        die("fstat");
    }
    uint64_t size = (uint64_t)st.st_size;
    to = to < size ? to : size;
    if (from < to && pwrite(fd, old, (size_t)(to - from), (off_t)from) != (ssize_t)(to - from)) {
        die("pwrite");
    }
}

/* length: bytes of it that the change is about */
static void undo_bytes(int fd, struct file *f, const struct op *op, uint64_t length,
                       unsigned of_four)
{
    uint64_t end = op->r.at + length;
    for (uint64_t from = op->r.at; from < end;) {
        uint64_t sector = from / SECTOR;
        uint64_t to = (sector + 1) * SECTOR < end ? (sector + 1) * SECTOR : end;
        if (!is_settled(f, sector)) {
            if (chance(of_four)) {
                put_back(fd, op, from, to);
            } else {
                settle(f, sector);
            }
        }
        from = to;
    }
}

static void undo_size(int fd, struct file *f, const struct op *op)
{
    bool grew = op->r.kind == POWER_WRITE && op->r.at + op->r.length > op->r.old_size;
    if ((!grew && op->r.kind != POWER_SIZE) || f->size_settled) {
        return;
    }
    if (!chance(2)) {
        f->size_settled = true;
    } else if (ftruncate(fd, (off_t)op->r.old_size) < 0) {
        die("ftruncate");
    }
}

static void undo_data(const struct op *op)
{
    struct file *f = find_file(op->r.inode);
    if (f == NULL || f->settled) {
        return;
    }
    if (op->r.kind == POWER_BORN || op->r.kind == POWER_SYNC) {
        f->settled = true;
        return;
    }
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        die(f->path);
    }
    static const unsigned moods[] = {0, 4, 2}; /* it stays, goes, is torn */
    unsigned mood = all ? 4 : moods[(unsigned)(random() >> 8) % 3];
    undo_size(fd, f, op);
    undo_bytes(fd, f, op, op->r.kind == POWER_WRITE ? op->r.length : op->r.data_size, mood);
    close(fd);
    undone++;
}

/* ---- names */

static bool is_in(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

static void find_durable(void)
{
    for (size_t i = 0; i < op_count; i++) {
        for (size_t k = 0; ops[i].r.kind == POWER_FOLDER && k < i; k++) {
            bool named = ops[k].r.kind == POWER_NAME || ops[k].r.kind == POWER_GONE;
            bool moved = ops[k].r.kind == POWER_MOVED && is_in(ops[k].b, ops[i].a);
            if (moved || (named && is_in(ops[k].a, ops[i].a))) {
                ops[k].durable = true;
            }
        }
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void undo_name(const struct op *op)
{
    char hidden[PATH_MAX + 64];
    switch (op->r.kind) {
    case POWER_NAME:
        (void)(op->r.length == 1 ? nftw(op->a, remove_one, 16, FTW_DEPTH | FTW_PHYS)
                                 : unlink(op->a));
        break;
    case POWER_GONE:
        (void)(op->r.length == 1 ? mkdir(op->a, 0755) : link(op->b, op->a));
        break;
    case POWER_MOVED:
        (void)rename(op->b, op->a);
        if (op->r.data_size != 0) {
            snprintf(hidden, sizeof hidden, "%.*s", (int)op->r.data_size, op->data);
            (void)link(hidden, op->b);
        }
        break;
    default:
        return;
    }
    undone++;
}

/* errno of a name whose folder is gone by another hand is no matter. */
static void undo_names(void)
{
    size_t loose = 0;
    for (size_t i = 0; i < op_count; i++) {
        loose += ops[i].r.kind >= POWER_NAME && ops[i].r.kind <= POWER_MOVED && !ops[i].durable;
    }
    size_t left = all || loose == 0 ? loose : (size_t)random() % (loose + 1);
    for (size_t i = op_count; i-- > 0 && left > 0;) {
        if (ops[i].r.kind >= POWER_NAME && ops[i].r.kind <= POWER_MOVED && !ops[i].durable) {
            undo_name(&ops[i]);
            left--;
        }
    }
}

int main(int argc, char **argv)
{
    char hidden[PATH_MAX];
    if (argc < 4 || (all = strcmp(argv[3], "all") == 0, !all && strcmp(argv[3], "some") != 0)) {
        fprintf(stderr, "usage: power_loss LOG SEED all|some FOLDER...\n");
        return 2;
    }
    srandom((unsigned)strtoul(argv[2], NULL, 10));
    read_log(argv[1]);
    snprintf(hidden, sizeof hidden, "%s.d", argv[1]);
    (void)nftw(hidden, note_file, 16, FTW_PHYS);
    for (int i = 4; i < argc; i++) {
        if (nftw(argv[i], note_file, 16, FTW_PHYS) < 0) {
            die(argv[i]);
        }
    }
    for (size_t i = op_count; i-- > 0;) {
        if (ops[i].r.kind <= POWER_SYNC) {
            undo_data(&ops[i]);
        }
    }
    find_durable();
    undo_names();
    if (nftw(hidden, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 || mkdir(hidden, 0700) < 0 ||
        truncate(argv[1], 0) < 0) {
        die(hidden);
    }
    printf("%zu changes, %u taken back\n", op_count, undone);
    return 0;
}
