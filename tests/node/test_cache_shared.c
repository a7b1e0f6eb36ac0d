/* One folder, several caches: of this process, which the kernel's locks keep apart as they do
 * processes, and of children that are killed. */
#include "node/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "node/cache_folder.h"

#define LIMIT 100

struct fixture {
    char folder[64];
    struct gm_cache *caches[2];
};

static struct gm_cache *open_cache(const struct fixture *f)
{
    struct gm_cache *cache = NULL;
    struct gm_err err;
    assert_int_equal(gm_cache_open(f->folder, LIMIT, &cache, &err), 0);
    return cache;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/gm-cache-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    for (int i = 0; i < 2; i++) {
        f->caches[i] = open_cache(f);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    for (int i = 0; i < 2; i++) {
        gm_cache_close(&f->caches[i]);
    }
    assert_int_equal(gm_fs_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

/* size bytes of c. Also in children, which may not assert. */
static int body_of(char c, size_t size, uint8_t hash[GM_SHA256_SIZE])
{
    char data[256];
    int fd = memfd_create("body", MFD_CLOEXEC);
    memset(data, c, sizeof(data));
    gm_sha256(data, size, hash);
    return write(fd, data, size) == (ssize_t)size ? fd : -1;
}

/* A descriptor of it. */
static int insert(struct gm_cache *cache, char c, size_t size)
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int kept = -1;
    int fd = body_of(c, size, hash);
    assert_int_equal(gm_cache_insert(cache, hash, fd, &kept, &err), 0);
    close(fd);
    return kept;
}

/* A descriptor of it, or -1. */
static int find(struct gm_cache *cache, char c, size_t size)
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int found = -1;
    close(body_of(c, size, hash));
    assert_int_equal(gm_cache_find(cache, hash, &found, &err), 0);
    return found;
}

static bool has(struct gm_cache *cache, char c, size_t size)
{
    int found = find(cache, c, size);
    char data[256];
    if (found >= 0) {
        assert_int_equal(pread(found, data, sizeof(data), 0), (ssize_t)size);
        assert_int_equal(data[0], c);
        close(found);
    }
    return found >= 0;
}

static void path_of(const struct fixture *f, char c, size_t size, char out[192])
{
    uint8_t hash[GM_SHA256_SIZE];
    char hex[GM_CACHE_ENTRY];
    close(body_of(c, size, hash));
    snprintf(out, 192, "%s/%s", f->folder, gm_hex(hash, sizeof(hash), hex));
}

/* What lies there: entries, whose bytes are summed, and bodies on their way. */
static void look(const struct fixture *f, uint64_t *out_bytes, size_t *out_temporary)
{
    DIR *dir = opendir(f->folder);
    const struct dirent *d;
    assert_non_null(dir);
    *out_bytes = 0;
    *out_temporary = 0;
    while ((d = readdir(dir)) != NULL) {
        struct stat st;
        assert_int_equal(fstatat(dirfd(dir), d->d_name, &st, 0), 0);
        *out_temporary += strncmp(d->d_name, "tmp-", 4) == 0;
        *out_bytes += strlen(d->d_name) == 64 ? (uint64_t)st.st_size : 0;
    }
    closedir(dir);
}

static void assert_adds_up(const struct fixture *f, uint64_t bytes, size_t temporary)
{
    uint64_t there;
    size_t coming;
    look(f, &there, &coming);
    assert_int_equal(there, bytes);
    assert_int_equal(coming, temporary);
    assert_int_equal(gm_cache_bytes(f->caches[0]), bytes);
    assert_int_equal(gm_cache_bytes(f->caches[1]), bytes);
}

static void what_one_puts_in_both_serve(void **state)
{
    struct fixture *f = *state;
    close(insert(f->caches[0], 'a', 40));
    close(insert(f->caches[1], 'b', 40));
    for (int i = 0; i < 2; i++) {
        assert_true(has(f->caches[i], 'a', 40));
        assert_true(has(f->caches[i], 'b', 40));
    }
    close(insert(f->caches[1], 'a', 40)); /* there already */
    assert_adds_up(f, 80, 0);
}

static void limit_and_order_are_of_both(void **state)
{
    struct fixture *f = *state;
    close(insert(f->caches[0], 'a', 40));
    close(insert(f->caches[0], 'b', 40));
    assert_true(has(f->caches[1], 'a', 40)); /* used by the other */
    close(insert(f->caches[0], 'c', 40));
    assert_false(has(f->caches[0], 'b', 40));
    assert_true(has(f->caches[0], 'a', 40));
    close(insert(f->caches[1], 'd', 60)); /* pushes out what the other put in */
    assert_adds_up(f, 60, 0);
}

static void what_is_in_use_stays(void **state)
{
    struct fixture *f = *state;
    int a = insert(f->caches[0], 'a', 40);
    close(insert(f->caches[0], 'b', 40));
    close(insert(f->caches[1], 'c', 40)); /* a is the oldest, b goes */
    assert_true(has(f->caches[1], 'a', 40));
    assert_false(has(f->caches[1], 'b', 40));
    int c = find(f->caches[1], 'c', 40);
    int d = insert(f->caches[1], 'd', 40); /* given, and not kept */
    assert_true(d >= 0);
    assert_false(has(f->caches[1], 'd', 40));
    assert_adds_up(f, 80, 0);
    close(a);
    close(d);
    close(insert(f->caches[1], 'd', 40));
    assert_false(has(f->caches[1], 'a', 40));
    assert_true(has(f->caches[1], 'c', 40));
    close(c);
    assert_adds_up(f, 80, 0);
}

/* A child of it that waits to be killed once it has told that it is ready. */
static pid_t start(const struct fixture *f, void (*work)(const struct fixture *f, int ready))
{
    int pipe_fds[2];
    char word;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(f, pipe_fds[1]);
        for (;;) {
            pause();
        }
    }
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &word, 1), 1);
    close(pipe_fds[0]);
    return pid;
}

static void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void tell(int ready)
{
    if (write(ready, "r", 1) != 1) {
        _exit(1);
    }
}

static void use_b(const struct fixture *f, int ready)
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int fd = -1;
    close(body_of('b', 90, hash));
    if (gm_cache_find(f->caches[0], hash, &fd, &err) == 0 && fd >= 0) {
        tell(ready);
    }
}

static void use_ends_with_its_process(void **state)
{
    struct fixture *f = *state;
    close(insert(f->caches[0], 'b', 90));
    pid_t pid = start(f, use_b);
    close(insert(f->caches[0], 'a', 40));
    assert_false(has(f->caches[0], 'a', 40));
    assert_true(has(f->caches[0], 'b', 90));
    end(pid);
    close(insert(f->caches[0], 'a', 40));
    assert_adds_up(f, 40, 0);
}

/* Half of a body has come, and the folder is being changed. */
static void put_half(const struct fixture *f, int ready)
{
    struct gm_cache_folder folder;
    struct gm_cache *cache = NULL;
    struct gm_err err;
    char name[GM_CACHE_NAME];
    int fd = -1;
    if (gm_cache_open(f->folder, LIMIT, &cache, &err) == 0 &&
        gm_cache_begin(cache, name, &fd, &err) == 0 && write(fd, "half", 4) == 4 &&
        gm_cache_folder_open(f->folder, LIMIT, &folder, &err) == 0 &&
        gm_cache_folder_lock(&folder, 0)) {
        const uint8_t noted[8] = {LIMIT}; /* as for an entry that is to come */
        if (pwrite(folder.lock, noted, sizeof(noted), 0) == sizeof(noted)) {
            tell(ready);
        }
    }
}

static void killed_in_a_put(void **state)
{
    struct fixture *f = *state;
    close(insert(f->caches[0], 'a', 40));
    pid_t pid = start(f, put_half);
    assert_true(has(f->caches[1], 'a', 40)); /* readers wait for nobody */
    end(pid);
    close(insert(f->caches[1], 'b', 40)); /* not full, as was noted: it looks */
    assert_true(has(f->caches[0], 'b', 40));
    assert_adds_up(f, 80, 0);
}

/* Puts bodies of all sizes in without end. */
static void put_on(const struct fixture *f, int ready)
{
    struct gm_cache *cache = NULL;
    struct gm_err err;
    if (gm_cache_open(f->folder, LIMIT, &cache, &err) < 0) {
        return;
    }
    for (size_t i = 0;; i++) {
        uint8_t hash[GM_SHA256_SIZE];
        int kept = -1;
        int fd = body_of((char)('a' + i % 20), 1 + i % 37, hash);
        if (gm_cache_insert(cache, hash, fd, &kept, &err) < 0) {
            _exit(1);
        }
        close(kept);
        close(fd);
        if (i == 0) {
            tell(ready);
        }
    }
}

static void killed_anywhere(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 20; i++) {
        pid_t first = start(f, put_on);
        pid_t second = start(f, put_on);
        for (size_t n = 0; n < i; n++) {
            close(insert(f->caches[0], 'z', 1 + n));
        }
        end(first);
        end(second);
        uint64_t bytes;
        size_t coming;
        look(f, &bytes, &coming);
        assert_in_range(bytes, 0, LIMIT);
        assert_true(gm_cache_bytes(f->caches[0]) >= bytes);
        struct gm_cache *next = open_cache(f); /* tidies up */
        gm_cache_close(&next);
        look(f, &bytes, &coming);
        assert_adds_up(f, bytes, 0);
        for (int n = 0; n < 20; n++) { /* and nothing is torn */
            for (size_t size = 1; size <= 37; size++) {
                char path[192];
                path_of(f, (char)('a' + n), size, path);
                assert_true(access(path, F_OK) != 0 || has(f->caches[1], (char)('a' + n), size));
            }
        }
    }
}

static void body_on_its_way_stays_with_its_process(void **state)
{
    struct fixture *f = *state;
    char name[GM_CACHE_NAME];
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int fd = -1, kept = -1;
    close(body_of('a', 40, hash));
    char data[40];
    memset(data, 'a', sizeof(data));
    assert_int_equal(gm_cache_begin(f->caches[0], name, &fd, &err), 0);
    struct gm_cache *next = open_cache(f);
    assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
    close(insert(next, 'z', 90));
    close(insert(next, 'y', 90)); /* looks through the folder */
    gm_cache_close(&next);
    assert_int_equal(gm_cache_end(f->caches[0], name, fd, hash, &kept, &err), 0);
    close(fd);
    close(kept);
    assert_true(has(f->caches[1], 'a', 40));
    assert_adds_up(f, 40, 0);
}

static void what_was_changed_is_noticed_and_goes(void **state)
{
    struct fixture *f = *state;
    char path[192];
    path_of(f, 'a', 40, path);
    for (int i = 0; i < 4; i++) {
        close(insert(f->caches[0], 'a', 40));
        if (i > 1) {
            assert_true(has(f->caches[1], 'a', 40)); /* knows it, too */
        }
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(i % 2 == 0 ? ftruncate(fd, 12) : pwrite(fd, "x", 1, 20), i % 2);
        const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        assert_int_equal(futimens(fd, times), 0); /* another time, on any clock */
        close(fd);
        assert_false(has(f->caches[i % 2], 'a', 40));
        assert_int_equal(access(path, F_OK), -1);
    }
    close(insert(f->caches[0], 'a', 40)); /* puts the sum right: a file that shrank */
    assert_true(gm_cache_bytes(f->caches[1]) >= 40);
}

static void other_files_stay(void **state)
{
    struct fixture *f = *state;
    char path[192];
    snprintf(path, sizeof(path), "%s/notes.txt", f->folder);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    struct gm_cache *next = open_cache(f);
    gm_cache_close(&next);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_puts_in_both_serve, setup, teardown),
        cmocka_unit_test_setup_teardown(limit_and_order_are_of_both, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_in_use_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(use_ends_with_its_process, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_in_a_put, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(body_on_its_way_stays_with_its_process, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_changed_is_noticed_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(other_files_stay, setup, teardown),
    };
    return cmocka_run_group_tests_name("node/cache_shared", tests, NULL, NULL);
}
