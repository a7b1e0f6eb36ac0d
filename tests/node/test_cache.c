#include "node/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"

struct fixture {
    char folder[64];
    struct gm_cache *cache;
};

static void reopen(struct fixture *f, uint64_t max_bytes)
{
    struct gm_err err;
    gm_cache_close(&f->cache);
    assert_int_equal(gm_cache_open(f->folder, max_bytes, &f->cache, &err), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/gm-cache-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    reopen(f, 100);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    gm_cache_close(&f->cache);
    assert_int_equal(gm_fs_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

/* A body of `size` bytes, all `c`, in a file; *hash is its own. */
static int make_body(char c, size_t size, uint8_t hash[GM_SHA256_SIZE])
{
    char data[256];
    char path[] = "/tmp/gm-body-XXXXXX";
    assert_true(size <= sizeof(data));
    memset(data, c, size);
    gm_sha256(data, size, hash);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    return fd;
}

static int insert(struct fixture *f, char c, size_t size)
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int fd = make_body(c, size, hash);
    int copy = -1;
    int rc = gm_cache_insert(f->cache, hash, fd, &copy, &err);
    close(fd);
    if (rc == 0) {
        char data[256];
        assert_int_equal(pread(copy, data, sizeof(data), 0), (ssize_t)size);
        assert_int_equal(data[0], c);
        assert_int_equal(data[size - 1], c);
        assert_int_equal(write(copy, "x", 1), -1); /* read-only */
        close(copy);
    }
    return rc;
}

static bool has(struct fixture *f, char c, size_t size)
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int found = -1;
    close(make_body(c, size, hash));
    assert_int_equal(gm_cache_find(f->cache, hash, &found, &err), 0);
    if (found >= 0) {
        close(found);
    }
    return found >= 0;
}

/* Files of the cache's folder, but its lock. */
static size_t count_files(const struct fixture *f)
{
    DIR *dir = opendir(f->folder);
    const struct dirent *entry;
    size_t count = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        count += entry->d_name[0] == '.' ? 0 : 1;
    }
    closedir(dir);
    return count;
}

static void body_is_found_by_its_hash(void **state)
{
    struct fixture *f = *state;
    assert_false(has(f, 'a', 40));
    assert_int_equal(insert(f, 'a', 40), 0);
    assert_true(has(f, 'a', 40));
    assert_false(has(f, 'a', 41));
    assert_int_equal(gm_cache_bytes(f->cache), 40);
    assert_int_equal(insert(f, 'a', 40), 0); /* again: no change */
    assert_int_equal(gm_cache_bytes(f->cache), 40);
}

static void least_recently_used_goes_first(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(insert(f, 'a', 40), 0);
    assert_int_equal(insert(f, 'b', 40), 0);
    assert_true(has(f, 'a', 40)); /* used: b is the oldest now */
    assert_int_equal(insert(f, 'c', 40), 0);
    assert_true(has(f, 'a', 40));
    assert_false(has(f, 'b', 40));
    assert_true(has(f, 'c', 40));
    assert_int_equal(gm_cache_bytes(f->cache), 80);
}

static void limit_is_exact(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(insert(f, 'a', 50), 0);
    assert_int_equal(insert(f, 'b', 50), 0); /* 100 of 100 */
    assert_int_equal(gm_cache_bytes(f->cache), 100);
    assert_true(has(f, 'a', 50));
    assert_int_equal(insert(f, 'c', 1), 0);
    assert_int_equal(gm_cache_bytes(f->cache), 51);
}

static void body_over_the_limit_is_given_but_not_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(insert(f, 'a', 40), 0);
    assert_int_equal(insert(f, 'z', 101), 0);
    assert_false(has(f, 'z', 101));
    assert_true(has(f, 'a', 40)); /* nothing was pushed out for it */
    reopen(f, 0);
    assert_int_equal(gm_cache_bytes(f->cache), 0);
    assert_int_equal(insert(f, 'q', 1), 0);
    assert_false(has(f, 'q', 1));
}

static void wrong_hash_is_refused_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int copy = -7;
    int fd = make_body('a', 10, hash);
    hash[31] ^= 1;
    assert_int_equal(gm_cache_insert(f->cache, hash, fd, &copy, &err), -GM_E_STORE_CORRUPT);
    assert_int_equal(copy, -7);
    close(fd);
    assert_int_equal(gm_cache_bytes(f->cache), 0);
    assert_int_equal(count_files(f), 0);
}

static void content_and_order_outlive_the_agent(void **state)
{
    struct fixture *f = *state;
    const char *names = "abc";
    char path[300];
    for (int i = 0; i < 3; i++) {
        uint8_t hash[GM_SHA256_SIZE];
        char hex[2 * GM_SHA256_SIZE + 1];
        assert_int_equal(insert(f, names[i], 30), 0);
        close(make_body(names[i], 30, hash));
        snprintf(path, sizeof(path), "%s/%s", f->folder, gm_hex(hash, GM_SHA256_SIZE, hex));
        const struct timespec when[2] = {{.tv_sec = 1000 - i}, {.tv_sec = 1000 - i}};
        assert_int_equal(utimensat(AT_FDCWD, path, when, 0), 0);
    }
    snprintf(path, sizeof(path), "%s/tmp-0", f->folder);
    assert_true(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) == 0);
    reopen(f, 100);
    assert_int_equal(gm_cache_bytes(f->cache), 90);
    assert_int_equal(access(path, F_OK), -1); /* leftovers go */
    assert_int_equal(insert(f, 'd', 30), 0);
    assert_false(has(f, 'c', 30)); /* the oldest by its time */
    assert_true(has(f, 'a', 30));
    reopen(f, 40); /* a smaller limit pushes out at once */
    assert_int_equal(gm_cache_bytes(f->cache), 30);
}

static void entry_that_was_removed_by_hand_is_not_there(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[GM_SHA256_SIZE];
    char hex[2 * GM_SHA256_SIZE + 1];
    char path[300];
    assert_int_equal(insert(f, 'a', 30), 0);
    close(make_body('a', 30, hash));
    snprintf(path, sizeof(path), "%s/%s", f->folder, gm_hex(hash, GM_SHA256_SIZE, hex));
    assert_int_equal(unlink(path), 0);
    assert_false(has(f, 'a', 30));
    assert_int_equal(insert(f, 'a', 80), 0); /* counted, until room is made */
    assert_true(has(f, 'a', 80));
    assert_int_equal(gm_cache_bytes(f->cache), 80);
}

static void unusable_folder_is_an_error(void **state)
{
    struct gm_cache *cache = NULL;
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_cache_open("/proc/no-such/cache", 1, &cache, &err), -GM_E_SYS);
    assert_null(cache);
}

static void body_that_comes_is_an_entry_when_it_is_whole(void **state)
{
    struct fixture *f = *state;
    char name[GM_CACHE_NAME];
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    for (int i = 0; i < 3; i++) { /* another body; the right one; one that does not come */
        int fd = -1;
        int kept = -1;
        char data[40];
        close(make_body('a', sizeof(data), hash));
        memset(data, i == 0 ? 'b' : 'a', sizeof(data));
        assert_int_equal(gm_cache_begin(f->cache, name, &fd, &err), 0);
        assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
        assert_int_equal(has(f, 'a', sizeof(data)), i == 2);
        if (i == 2) {
            gm_cache_give_up(f->cache, name);
        } else {
            int rc = gm_cache_end(f->cache, name, fd, hash, &kept, &err);
            assert_int_equal(rc, i == 0 ? -GM_E_STORE_CORRUPT : 0);
            assert_int_equal(kept >= 0, i == 1);
        }
        assert_int_equal(count_files(f), i == 0 ? 0 : 1);
        close(fd);
        if (kept >= 0) {
            close(kept);
        }
    }
    assert_int_equal(gm_cache_bytes(f->cache), 40);
}

static int add(struct fixture *f, char c, size_t size)
{
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    int fd = make_body(c, size, hash);
    int rc = gm_cache_add(f->cache, hash, fd, size, &err);
    close(fd);
    return rc;
}

static void what_may_be_asked_for_takes_an_eighth(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, 'a', 12), 0);
    assert_int_equal(add(f, 'a', 12), 0);
    assert_int_equal(add(f, 'b', 13), 0);
    assert_true(has(f, 'a', 12));
    assert_false(has(f, 'b', 13));
    assert_int_equal(count_files(f), 1);
}

/* As a power cut leaves it. */
static void what_is_not_what_its_name_says_is_not_given(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[GM_SHA256_SIZE];
    char path[192];
    char name[2 * GM_SHA256_SIZE + 1];
    assert_int_equal(insert(f, 'a', 40), 0);
    close(make_body('a', 40, hash));
    snprintf(path, sizeof(path), "%s/%s", f->folder, gm_hex(hash, sizeof(hash), name));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(truncate(path, i == 0 ? 0 : 12), 0);
        assert_int_equal(truncate(path, 40), 0); /* a hole */
        reopen(f, 100);
        assert_false(has(f, 'a', 40));
        assert_int_equal(gm_cache_bytes(f->cache), 0);
        assert_int_equal(count_files(f), 0);
        assert_int_equal(insert(f, 'a', 40), 0);
        assert_true(has(f, 'a', 40));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(body_is_found_by_its_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(least_recently_used_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(limit_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(body_over_the_limit_is_given_but_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_hash_is_refused_and_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(content_and_order_outlive_the_agent, setup, teardown),
        cmocka_unit_test_setup_teardown(entry_that_was_removed_by_hand_is_not_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(body_that_comes_is_an_entry_when_it_is_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_may_be_asked_for_takes_an_eighth, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_what_its_name_says_is_not_given, setup,
                                        teardown),
        cmocka_unit_test(unusable_folder_is_an_error),
    };
    return cmocka_run_group_tests_name("node/cache", tests, NULL, NULL);
}
