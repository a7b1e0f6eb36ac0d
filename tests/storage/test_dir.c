#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>

#include <sys/mount.h>
#include <sys/stat.h>

#include "storage/store_fixture.h"

/* Files of any name right in the store's folder: temporaries would show here. */
static int count_names(struct fixture *f)
{
    DIR *dir = opendir(root_path(f, ""));
    int count = -2; /* "." and ".." */

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static int put_text(struct fixture *f, const char *key, const char *text, bool if_absent,
                    struct gm_err *err)
{
    uint8_t hash[GM_SHA256_SIZE];
    int fd = body(text, strlen(text));
    struct gm_store_put put = {
        .key = key, .fd = fd, .size = strlen(text), .sha256 = hash, .if_absent = if_absent};
    int rc;

    gm_sha256(text, strlen(text), hash);
    rc = gm_store_put(f->store, &put, err);
    close(fd);
    return rc;
}

static void what_is_put_is_got(void **state)
{
    struct fixture *f = *state;
    struct gm_store_stat stat = {0};
    struct gm_err err;

    assert_int_equal(put_text(f, "a/b/c.txt", "hello", false, &err), 0);
    assert_true(holds(f, "a/b/c.txt", "hello"));
    assert_int_equal(gm_store_head(f->store, "a/b/c.txt", &stat, &err), 0);
    assert_int_equal(stat.size, 5);
    assert_int_equal(put_text(f, "a/b/c.txt", "bye", false, &err), 0); /* replaces */
    assert_true(holds(f, "a/b/c.txt", "bye"));
    assert_int_equal(put_text(f, "top", "", false, &err), 0);
    assert_true(holds(f, "top", ""));
    assert_int_equal(gm_store_put_bytes(f->store, "x/y", "bytes", 5, &err), 0);
    assert_true(holds(f, "x/y", "bytes"));
    assert_int_equal(gm_store_put_bytes(f->store, "x/empty", NULL, 0, &err), 0);
    assert_true(holds(f, "x/empty", ""));
    assert_int_equal(count_names(f), 3); /* a, top, x: no temporary stays */
}

static void ranges_are_read_exactly(void **state)
{
    static const struct {
        uint64_t offset;
        size_t length;
        const char *want;
    } rows[] = {{0, 10, "0123456789"}, {0, 20, "0123456789"}, {3, 4, "3456"}, {9, 1, "9"},
                {8, 5, "89"},          {10, 5, ""},           {99, 5, ""},    {0, 0, ""}};
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(gm_store_put_bytes(f->store, "k", "0123456789", 10, &err), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char buf[21] = {0};
        size_t n = 77;

        assert_int_equal(gm_store_get(f->store, "k", rows[i].offset, buf, rows[i].length, &n, &err),
                         0);
        assert_int_equal(n, strlen(rows[i].want));
        assert_string_equal(buf, rows[i].want);
    }
}

static void what_is_absent_is_not_found(void **state)
{
    static const char *const keys[] = {"none", "a", "a/none", "a/b/none", "a/b/c/d"};
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(gm_store_put_bytes(f->store, "a/b/c", "x", 1, &err), 0);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct gm_store_stat stat = {.size = 77};
        char byte = 'k';
        size_t n = 77;

        assert_int_equal(gm_store_head(f->store, keys[i], &stat, &err), -GM_E_NOTFOUND);
        assert_int_equal(gm_store_get(f->store, keys[i], 0, &byte, 1, &n, &err), -GM_E_NOTFOUND);
        assert_int_equal(stat.size, 77);
        assert_int_equal(n, 77);
        assert_int_equal(gm_store_delete(f->store, keys[i], &err), 0);
    }
    assert_true(holds(f, "a/b/c", "x"));
}

static void a_body_that_differs_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[GM_SHA256_SIZE];
    int fd = body("hello", 5);
    struct gm_err err;
    struct gm_store_put put = {.key = "a/k", .fd = fd, .size = 5, .sha256 = hash};

    gm_sha256("hallo", 5, hash);
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STORE_CORRUPT);
    gm_sha256("hello", 5, hash);
    put.size = 4;
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STORE_CORRUPT);
    assert_non_null(strstr(err.text, "longer"));
    put.size = 6;
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STORE_CORRUPT);
    assert_non_null(strstr(err.text, "shorter"));
    put.size = 0;
    put.sha256 = NULL; /* the size counts without a hash, too */
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STORE_CORRUPT);
    put.fd = -1;
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_SYS);
    assert_int_equal(count_names(f), 0);
    put.fd = fd;
    put.size = 5;
    assert_int_equal(gm_store_put(f->store, &put, &err), 0);
    assert_true(holds(f, "a/k", "hello"));
    close(fd);
}

static void a_failed_put_keeps_the_old_object(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[GM_SHA256_SIZE] = {0};
    int fd = body("new", 3);
    const struct gm_store_put put = {.key = "k", .fd = fd, .size = 3, .sha256 = hash};
    struct gm_err err;

    assert_int_equal(gm_store_put_bytes(f->store, "k", "old", 3, &err), 0);
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STORE_CORRUPT);
    assert_true(holds(f, "k", "old"));
    close(fd);
}

static int allow_some(void *arg, struct gm_err *err)
{
    int *left = arg;

    return (*left)-- > 0 ? 0 : gm_err_set(err, GM_E_STALE, 0, "as it was told");
}

static void a_put_that_is_given_up_leaves_nothing(void **state)
{
    enum { SIZE = 600 << 10 };
    struct fixture *f = *state;
    uint8_t *data = calloc(1, SIZE);
    int left = 0;
    const struct gm_put_guard guard = {.check = allow_some, .arg = &left};
    struct gm_err err;
    int rc = -GM_E_STALE;
    int times;

    assert_non_null(data);
    int fd = body((const char *)data, SIZE);
    const struct gm_store_put put = {.key = "k", .fd = fd, .size = SIZE, .guard = &guard};
    for (times = 0; rc != 0; times++) {
        assert_int_equal(rc, -GM_E_STALE);
        assert_int_equal(count_names(f), 0);
        left = times;
        rc = gm_store_put(f->store, &put, &err);
    }
    assert_true(times > 5); /* three parts, the end, and its name */
    assert_int_equal(count_names(f), 1);
    left = times - 2;
    assert_int_equal(gm_store_put_bytes(f->store, "k", "old", 3, &err), 0);
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STALE);
    assert_true(holds(f, "k", "old"));
    assert_int_equal(count_names(f), 1);
    close(fd);
    free(data);
}

/* Larger than the copy's buffer, and not a multiple of it. */
static void large_bodies_arrive_whole(void **state)
{
    enum { SIZE = 3 * 1024 * 1024 + 17 };
    struct fixture *f = *state;
    uint8_t *data = malloc(SIZE);
    uint8_t *back = malloc(SIZE);
    uint8_t hash[GM_SHA256_SIZE];
    struct gm_err err;
    size_t n = 0;
    int fd;

    assert_true(data != NULL && back != NULL);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 31 + i / 251);
    }
    gm_sha256(data, SIZE, hash);
    fd = body(data, SIZE);
    assert_int_equal(
        gm_store_put(f->store,
                     &(struct gm_store_put){.key = "big", .fd = fd, .size = SIZE, .sha256 = hash},
                     &err),
        0);
    assert_int_equal(gm_store_get(f->store, "big", 0, back, SIZE, &n, &err), 0);
    assert_int_equal(n, SIZE);
    assert_memory_equal(data, back, SIZE);
    close(fd);
    free(data);
    free(back);
}

static void a_conditional_put_never_replaces(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(put_text(f, "d/k", "first", true, &err), 0);
    assert_int_equal(put_text(f, "d/k", "second", true, &err), -GM_E_STORE_EXISTS);
    assert_true(holds(f, "d/k", "first"));
    assert_int_equal(put_text(f, "d", "x", true, &err), -GM_E_STORE_EXISTS); /* a folder */
    assert_int_equal(count_names(f), 1);
}

static void a_key_is_no_folder_of_another(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(put_text(f, "a/b", "x", false, &err), 0);
    assert_int_equal(put_text(f, "a", "x", false, &err), -GM_E_INVAL);
    assert_int_equal(put_text(f, "a/b/c", "x", false, &err), -GM_E_INVAL);
    assert_int_equal(count_names(f), 1);
    assert_true(holds(f, "a/b", "x"));
}

static void a_part_that_is_too_long_is_a_bad_key(void **state)
{
    struct fixture *f = *state;
    struct gm_store_stat stat;
    struct gm_err err;
    char key[300];

    memset(key, 'k', sizeof(key));
    key[299] = '\0';
    assert_int_equal(put_text(f, key, "x", false, &err), -GM_E_INVAL);
    assert_int_equal(gm_store_head(f->store, key, &stat, &err), -GM_E_INVAL);
    assert_int_equal(count_names(f), 0);
}

static void links_lead_nowhere(void **state)
{
    struct fixture *f = *state;
    struct gm_store_stat stat;
    struct gm_err err;
    char byte;
    size_t n;

    assert_int_equal(gm_fs_mkdirs(scratch_path(&f->scratch, "outside"), &err), 0);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&f->scratch, "outside/f"), "s", 1, &err), 0);
    assert_int_equal(symlink("../outside", root_path(f, "dir")), 0);
    assert_int_equal(symlink("../outside/f", root_path(f, "file")), 0);
    assert_int_equal(symlink("/etc/passwd", root_path(f, "abs")), 0);
    assert_int_equal(gm_store_head(f->store, "dir/f", &stat, &err), -GM_E_STORE_DENIED);
    assert_int_equal(gm_store_get(f->store, "file", 0, &byte, 1, &n, &err), -GM_E_STORE_DENIED);
    assert_int_equal(gm_store_get(f->store, "abs", 0, &byte, 1, &n, &err), -GM_E_STORE_DENIED);
    assert_int_equal(put_text(f, "dir/new", "x", false, &err), -GM_E_STORE_DENIED);
    assert_int_equal(put_text(f, "dir/sub/new", "x", false, &err), -GM_E_STORE_DENIED);
    assert_int_equal(gm_store_delete(f->store, "dir/f", &err), -GM_E_STORE_DENIED);
    assert_int_equal(gm_store_delete(f->store, "file", &err), -GM_E_STORE_DENIED);
    assert_int_equal(access(scratch_path(&f->scratch, "outside/f"), F_OK), 0);
    assert_int_equal(access(scratch_path(&f->scratch, "outside/new"), F_OK), -1);
    assert_int_equal(count_objects(f), 0);
    /* a link at the key itself is replaced, what it names stays */
    assert_int_equal(put_text(f, "file", "mine", false, &err), 0);
    assert_true(holds(f, "file", "mine"));
}

static void a_pipe_in_the_way_holds_nobody(void **state)
{
    struct fixture *f = *state;
    struct gm_store_stat stat;
    struct gm_err err;

    assert_int_equal(mkfifo(root_path(f, "p"), 0600), 0);
    assert_int_equal(gm_store_head(f->store, "p", &stat, &err), -GM_E_STORE_DENIED);
    assert_int_equal(gm_store_delete(f->store, "p", &err), -GM_E_STORE_DENIED);
}

static void delete_takes_empty_folders_along(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(put_text(f, "a/b/c/d", "x", false, &err), 0);
    assert_int_equal(put_text(f, "a/k", "x", false, &err), 0);
    assert_int_equal(gm_store_delete(f->store, "a/b/c/d", &err), 0);
    assert_int_equal(access(root_path(f, "a/b"), F_OK), -1);
    assert_true(holds(f, "a/k", "x"));
    assert_int_equal(gm_store_delete(f->store, "a/k", &err), 0);
    assert_int_equal(access(root_path(f, "a"), F_OK), -1);
    assert_int_equal(access(root_path(f, ""), F_OK), 0);
    assert_int_equal(gm_store_delete(f->store, "a/k", &err), 0);
}

static void only_old_temporaries_are_swept(void **state)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct fixture *f = *state;
    struct gm_store *again = NULL;
    struct gm_err err;

    assert_int_equal(gm_fs_write_atomic(root_path(f, ".gm-tmp-old"), "x", 1, &err), 0);
    assert_int_equal(gm_fs_write_atomic(root_path(f, ".gm-tmp-new"), "x", 1, &err), 0);
    assert_int_equal(gm_fs_write_atomic(root_path(f, "object"), "x", 1, &err), 0);
    assert_int_equal(utimensat(AT_FDCWD, root_path(f, ".gm-tmp-old"), old, 0), 0);
    assert_int_equal(utimensat(AT_FDCWD, root_path(f, "object"), old, 0), 0);
    assert_int_equal(gm_store_open(f->url, false, &again, &err), 0);
    gm_store_close(&again);
    assert_int_equal(count_names(f), 3);
    assert_int_equal(gm_store_open(f->url, true, &again, &err), 0);
    gm_store_close(&again);
    assert_int_equal(access(root_path(f, ".gm-tmp-old"), F_OK), -1);
    assert_int_equal(access(root_path(f, ".gm-tmp-new"), F_OK), 0);
    assert_int_equal(access(root_path(f, "object"), F_OK), 0);
}

static void open_makes_the_folder_only_when_told(void **state)
{
    struct fixture *f = *state;
    struct gm_store *store = NULL;
    struct gm_err err;
    char *url = NULL;

    assert_int_equal(gm_store_url(scratch_path(&f->scratch, "n e%w/deep"), &url, &err), 0);
    assert_int_equal(gm_store_open(url, false, &store, &err), -GM_E_NOTFOUND);
    assert_null(store);
    assert_int_equal(gm_store_open(url, true, &store, &err), 0);
    gm_store_close(&store);
    assert_int_equal(access(scratch_path(&f->scratch, "n e%w/deep"), F_OK), 0);
    free(url);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&f->scratch, "f"), "", 0, &err), 0);
    assert_int_equal(gm_store_url(scratch_path(&f->scratch, "f"), &url, &err), 0);
    assert_int_equal(gm_store_open(url, true, &store, &err), -GM_E_STORE);
    assert_int_equal(gm_store_open("s3://bucket", true, &store, &err), -GM_E_INVAL);
    assert_null(store);
    free(url);
}

enum { RACERS = 8, ROUNDS = 20 };

struct racer {
    struct fixture *f;
    pthread_barrier_t *barrier;
    int number;
    int wins;
    int others; /* answers that are neither a win nor "exists" */
};

static void *race_for_keys(void *arg)
{
    struct racer *r = arg;

    for (int i = 0; i < ROUNDS; i++) {
        char key[32];
        char text[32];
        int rc;

        snprintf(key, sizeof(key), "race/%d/k", i);
        snprintf(text, sizeof(text), "racer %d", r->number);
        pthread_barrier_wait(r->barrier);
        rc = put_text(r->f, key, text, true, NULL);
        r->wins += rc == 0;
        r->others += rc != 0 && rc != -GM_E_STORE_EXISTS;
    }
    return NULL;
}

static void of_many_conditional_puts_exactly_one_wins(void **state)
{
    struct fixture *f = *state;
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    pthread_barrier_t barrier;
    int wins = 0;

    assert_int_equal(pthread_barrier_init(&barrier, NULL, RACERS), 0);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.f = f, .barrier = &barrier, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, race_for_keys, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(racers[i].others, 0);
        wins += racers[i].wins;
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(wins, ROUNDS);
    assert_int_equal(count_objects(f), ROUNDS);
    assert_int_equal(count_names(f), 1);
}

struct churner {
    struct fixture *f;
    int number;
    int failures;
};

/* Puts into a folder that the others' deletes make empty all the time. */
static void *churn(void *arg)
{
    struct churner *c = arg;
    char key[32];

    snprintf(key, sizeof(key), "x/y/k%d", c->number);
    for (int i = 0; i < 100; i++) {
        c->failures += gm_store_put_bytes(c->f->store, key, "x", 1, NULL) != 0;
        c->failures += !holds(c->f, key, "x");
        c->failures += gm_store_delete(c->f->store, key, NULL) != 0;
    }
    return NULL;
}

static void puts_survive_deletes_beside_them(void **state)
{
    struct fixture *f = *state;
    struct churner churners[4];
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        churners[i] = (struct churner){.f = f, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &churners[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(churners[i].failures, 0);
    }
    assert_int_equal(count_names(f), 0);
}

static void a_full_disk_is_said_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct gm_store *store = NULL;
    struct gm_err err = {0};
    char *big = calloc(1, 1 << 20);
    char *url = NULL;
    int rc;

    assert_non_null(big);
    assert_int_equal(gm_fs_mkdirs(scratch_path(&f->scratch, "small"), &err), 0);
    if (mount("tmpfs", scratch_path(&f->scratch, "small"), "tmpfs", 0, "size=256k") != 0) {
        free(big);
        print_message("SKIPPED here: a full disk (no right to mount)\n");
        skip();
        return;
    }
    assert_int_equal(gm_store_url(scratch_path(&f->scratch, "small"), &url, &err), 0);
    assert_int_equal(gm_store_open(url, true, &store, &err), 0);
    rc = gm_store_put_bytes(store, "a/k", big, 1 << 20, &err);
    assert_int_equal(rc, -GM_E_STORE_FULL);
    assert_non_null(strstr(err.text, scratch_path(&f->scratch, "small")));
    assert_non_null(strstr(err.text, "a/k"));
    assert_int_equal(gm_store_put_bytes(store, "a/k", big, 100 << 10, &err), 0); /* room again */
    gm_store_close(&store);
    assert_int_equal(umount(scratch_path(&f->scratch, "small")), 0);
    free(big);
    free(url);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_is_put_is_got),
        WITH_STORE(ranges_are_read_exactly),
        WITH_STORE(what_is_absent_is_not_found),
        WITH_STORE(a_body_that_differs_leaves_nothing),
        WITH_STORE(a_failed_put_keeps_the_old_object),
        WITH_STORE(a_put_that_is_given_up_leaves_nothing),
        WITH_STORE(large_bodies_arrive_whole),
        WITH_STORE(a_conditional_put_never_replaces),
        WITH_STORE(a_key_is_no_folder_of_another),
        WITH_STORE(a_part_that_is_too_long_is_a_bad_key),
        WITH_STORE(links_lead_nowhere),
        WITH_STORE(a_pipe_in_the_way_holds_nobody),
        WITH_STORE(delete_takes_empty_folders_along),
        WITH_STORE(only_old_temporaries_are_swept),
        WITH_STORE(open_makes_the_folder_only_when_told),
        WITH_STORE(of_many_conditional_puts_exactly_one_wins),
        WITH_STORE(puts_survive_deletes_beside_them),
        WITH_STORE(a_full_disk_is_said_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
