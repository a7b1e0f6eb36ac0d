#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include "storage/backend.h"
#include "storage/sign.h"
#include "storage/store_fixture.h"

static const struct gm_grant_key SECRET = {{1, 2, 3, 4}};
static const struct gm_grant_key OTHER = {{1, 2, 3, 5}};
enum { NOW = 1000000, LATER = 2000000 };

static char *read_grant(struct fixture *f, const char *key)
{
    char *url = NULL;

    assert_int_equal(sign_read(f->url, key, LATER, &SECRET, &url, NULL), 0);
    return url;
}

static char *write_grant(struct fixture *f, const char *key, const char *text)
{
    uint8_t hash[GM_SHA256_SIZE];
    char *url = NULL;

    gm_sha256(text, strlen(text), hash);
    assert_int_equal(sign_write(f->url, key, strlen(text), hash, LATER, &SECRET, &url, NULL), 0);
    return url;
}

static int put_with(const char *url, const char *text, int64_t now, struct gm_err *err)
{
    int fd = body(text, strlen(text));
    int rc = gm_grant_put(url, &SECRET, now, fd, NULL, err);

    close(fd);
    return rc;
}

static int open_with(const char *url, const struct gm_grant_key *secret, int64_t now,
                     struct gm_err *err)
{
    uint64_t size = 0;
    int fd = -1;
    int rc = gm_grant_open(url, secret, now, &fd, &size, err);

    if (rc == 0) {
        close(fd);
    } else {
        assert_int_equal(fd, -1);
    }
    return rc;
}

static void a_write_grant_stores_and_a_read_grant_opens(void **state)
{
    struct fixture *f = *state;
    char *put = write_grant(f, "a b/c+d", "hello");
    char *get = read_grant(f, "a b/c+d");
    struct gm_err err = {0};
    uint64_t size = 0;
    char text[8] = {0};
    int fd = -1;

    assert_int_equal(strncmp(put, f->url, strlen(f->url)), 0);
    assert_non_null(strstr(put, "?key=a%20b/c%2Bd&size=5&sha256=2cf24dba5fb0a30e26e83b2ac5b9e29e"
                                "1b161e5c1fa7425e73043362938b9824&op=put&exp=2000000&sig="));
    assert_non_null(strstr(get, "?key=a%20b/c%2Bd&op=get&exp=2000000&sig="));
    assert_int_equal(put_with(put, "hello", NOW, &err), 0);
    assert_true(holds(f, "a b/c+d", "hello"));
    assert_int_equal(put_with(put, "hello", NOW, &err), 0); /* a retry is fine */
    assert_int_equal(gm_grant_open(get, &SECRET, NOW, &fd, &size, &err), 0);
    assert_int_equal(size, 5);
    assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
    assert_int_equal(read(fd, text, sizeof(text)), 4);
    assert_string_equal(text, "ello");
    close(fd);
    free(put);
    free(get);
}

static void the_body_must_be_the_granted_one(void **state)
{
    static const char *const bodies[] = {"hallo", "hell", "hello!", ""};
    struct fixture *f = *state;
    char *put = write_grant(f, "k", "hello");
    struct gm_err err;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(put_with(put, bodies[i], NOW, &err), -GM_E_STORE_CORRUPT);
        assert_int_equal(count_objects(f), 0);
    }
    free(put);
}

static void every_changed_byte_is_noticed(void **state)
{
    struct fixture *f = *state;
    char *put = write_grant(f, "k", "hello");
    char *get = read_grant(f, "k");
    struct gm_err err;

    assert_int_equal(gm_store_put_bytes(f->store, "k", "hello", 5, &err), 0);
    for (size_t i = 0; get[i] != '\0'; i++) {
        get[i] ^= 1;
        assert_int_equal(open_with(get, &SECRET, NOW, &err), -GM_E_NODE_GRANT);
        get[i] ^= 1;
    }
    for (size_t i = 0; put[i] != '\0'; i++) {
        put[i] ^= 1;
        assert_int_equal(put_with(put, "hello", NOW, &err), -GM_E_NODE_GRANT);
        put[i] ^= 1;
    }
    assert_int_equal(open_with(get, &SECRET, NOW, &err), 0);
    assert_int_equal(open_with(get, &OTHER, NOW, &err), -GM_E_NODE_GRANT);
    assert_null(strstr(err.text, "sig="));
    free(put);
    free(get);
}

static void cut_and_foreign_urls_are_refused(void **state)
{
    struct fixture *f = *state;
    char *get = read_grant(f, "k");
    char *copy = strdup(get);
    char *big = malloc(70000);
    struct gm_err err;

    assert_true(copy != NULL && big != NULL);
    for (size_t i = strlen(get); i-- > 0;) {
        copy[i] = '\0';
        assert_int_equal(open_with(copy, &SECRET, NOW, &err), -GM_E_NODE_GRANT);
    }
    memset(big, '&', 69999);
    big[69999] = '\0';
    assert_int_equal(open_with(big, &SECRET, NOW, &err), -GM_E_NODE_GRANT);
    assert_int_equal(open_with("http://h/k?sig=1", &SECRET, NOW, &err), -GM_E_NODE_GRANT);
    free(get);
    free(copy);
    free(big);
}

static void a_grant_ends(void **state)
{
    struct fixture *f = *state;
    char *put = write_grant(f, "k", "x");
    char *get = read_grant(f, "k");
    struct gm_err err;

    assert_int_equal(put_with(put, "x", LATER + 90000, &err), -GM_E_NODE_GRANT);
    assert_non_null(strstr(err.text, "its time was over 90 s ago"));
    assert_int_equal(err.native, ETIME);
    assert_int_equal(put_with(put, "x", LATER, &err), -GM_E_NODE_GRANT);
    assert_int_equal(put_with(put, "x", LATER - 1, &err), 0);
    assert_int_equal(open_with(get, &SECRET, LATER, &err), -GM_E_NODE_GRANT);
    assert_int_equal(open_with(get, &SECRET, LATER - 1, &err), 0);
    free(put);
    free(get);
}

static void a_grant_is_for_one_operation(void **state)
{
    struct fixture *f = *state;
    char *put = write_grant(f, "k", "x");
    char *get = read_grant(f, "k");
    struct gm_err err;

    assert_int_equal(put_with(get, "x", NOW, &err), -GM_E_NODE_GRANT);
    assert_int_equal(put_with(put, "x", NOW, &err), 0);
    assert_int_equal(open_with(put, &SECRET, NOW, &err), -GM_E_NODE_GRANT);
    free(put);
    free(get);
}

static void a_source_may_have_any_name(void **state)
{
    static const char *const names[] = {"it's [one] & 100%?.mp4", "\n:*\\", "~", "\xff\x01"};
    struct fixture *f = *state;
    struct gm_err err;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *get = read_grant(f, names[i]);
        uint8_t hash[GM_SHA256_SIZE] = {0};
        char *put = NULL;

        assert_int_equal(gm_fs_write_atomic(root_path(f, names[i]), "x", 1, &err), 0);
        assert_int_equal(open_with(get, &SECRET, NOW, &err), 0);
        free(get);
        if (!gm_store_is_key(names[i])) {
            assert_int_equal(sign_write(f->url, names[i], 1, hash, LATER, &SECRET, &put, &err),
                             -GM_E_INVAL);
        }
    }
}

static void roots_may_have_any_name(void **state)
{
    struct fixture *f = *state;
    struct gm_store *store = NULL;
    struct gm_err err;
    char *url = NULL;
    char *get = NULL;

    assert_int_equal(gm_store_url(scratch_path(&f->scratch, "r?key=x&sig=\n#%41\xff"), &url, &err),
                     0);
    assert_int_equal(gm_store_open(url, true, &store, &err), 0);
    assert_int_equal(gm_store_put_bytes(store, "k", "x", 1, &err), 0);
    assert_int_equal(sign_read(url, "k", LATER, &SECRET, &get, &err), 0);
    assert_int_equal(open_with(get, &SECRET, NOW, &err), 0);
    gm_store_close(&store);
    free(url);
    free(get);
}

static void what_can_not_be_granted_is_said(void **state)
{
    static const char *const keys[] = {"", "..", ".", "/etc/passwd", "../x", "a/../b", "a/b?c"};
    struct fixture *f = *state;
    uint8_t hash[GM_SHA256_SIZE] = {0};
    char *url = NULL;
    struct gm_err err;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        print_message("%s\n", keys[i]);
        assert_int_equal(sign_read(f->url, keys[i], LATER, &SECRET, &url, &err), -GM_E_INVAL);
        assert_int_equal(sign_write(f->url, keys[i], 1, hash, LATER, &SECRET, &url, &err),
                         -GM_E_INVAL);
    }
    assert_int_equal(sign_read("http://h", "k", LATER, &SECRET, &url, &err), -GM_E_INVAL);
    assert_int_equal(sign_read(f->url, "k", -1, &SECRET, &url, &err), -GM_E_INVAL);
    assert_int_equal(sign_write(f->url, "k", UINT64_MAX, hash, LATER, &SECRET, &url, &err),
                     -GM_E_INVAL);
    assert_null(url);
}

static void links_and_missing_things_are_refused(void **state)
{
    struct fixture *f = *state;
    char *link = read_grant(f, "link");
    char *none = read_grant(f, "none");
    char *put = NULL;
    char *gone = NULL;
    uint8_t hash[GM_SHA256_SIZE] = {0};
    struct gm_err err;

    assert_int_equal(symlink("/etc/passwd", root_path(f, "link")), 0);
    assert_int_equal(open_with(link, &SECRET, NOW, &err), -GM_E_STORE_DENIED);
    assert_int_equal(open_with(none, &SECRET, NOW, &err), -GM_E_NOTFOUND);
    /* a store whose folder is not there is not made */
    assert_int_equal(gm_store_url(scratch_path(&f->scratch, "gone"), &gone, &err), 0);
    assert_int_equal(sign_write(gone, "k", 1, hash, LATER, &SECRET, &put, &err), 0);
    assert_int_equal(put_with(put, "x", NOW, &err), -GM_E_STORE);
    assert_int_equal(access(scratch_path(&f->scratch, "gone"), F_OK), -1);
    free(link);
    free(none);
    free(put);
    free(gone);
}

/* Of every length round the blocks of SHA-256, one after the other by one signer. */
static void each_signature_is_the_hmac_of_its_text_alone(void **state)
{
    struct gm_grant_signer *signer = NULL;
    struct gm_err err = {0};
    char text[200];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(gm_grant_signer_create(&SECRET, &signer, &err), 0);
    for (size_t size = 0; size <= sizeof(text); size++) {
        uint8_t want[GM_SHA256_SIZE];
        uint8_t got[GM_SHA256_SIZE];
        unsigned want_size = 0;

        assert_non_null(HMAC(EVP_sha256(), SECRET.bytes, (int)sizeof(SECRET.bytes),
                             (const uint8_t *)text, size, want, &want_size));
        assert_int_equal(gm_grant_sign(signer, text, size, got, &err), 0);
        assert_memory_equal(got, want, sizeof(want));
    }
    gm_grant_signer_destroy(&signer);
    assert_null(signer);
}

static void key_files_are_64_hex_digits(void **state)
{
    static const char hex[] = "00ff102030405060708090a0b0c0d0e0f0112131415161718191a1b1c1d1e1f1";
    static const struct {
        const char *before;
        const char *after;
        bool ok;
    } rows[] = {{"", "", true},   {"", "\n", true},   {"", " \r\n\n", true}, {" ", "", false},
                {"", "0", false}, {"", "\nx", false}, {"0", "", false}};
    struct fixture *f = *state;
    struct gm_grant_key key = {{7}};
    char back[65];
    struct gm_err err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[80];
        int n = snprintf(text, sizeof(text), "%s%s%s", rows[i].before, hex, rows[i].after);

        key = (struct gm_grant_key){{7}};
        assert_int_equal(
            gm_fs_write_atomic(scratch_path(&f->scratch, "key"), text, (size_t)n, &err), 0);
        assert_int_equal(gm_grant_key_load(scratch_path(&f->scratch, "key"), &key, &err),
                         rows[i].ok ? 0 : -GM_E_CONFIG);
        assert_int_equal(key.bytes[0], rows[i].ok ? 0 : 7);
        if (rows[i].ok) {
            assert_string_equal(gm_hex(key.bytes, sizeof(key.bytes), back), hex);
        }
    }
    assert_int_equal(gm_fs_write_atomic(scratch_path(&f->scratch, "key"), hex, 63, &err), 0);
    assert_int_equal(gm_grant_key_load(scratch_path(&f->scratch, "key"), &key, &err), -GM_E_CONFIG);
    assert_int_equal(gm_grant_key_load(scratch_path(&f->scratch, "no"), &key, &err), -GM_E_SYS);
}

static void a_key_is_made_once(void **state)
{
    struct fixture *f = *state;
    const char *path = scratch_path(&f->scratch, "made.key");
    struct gm_grant_key first = {{0}};
    struct gm_grant_key again = {{0}};
    struct gm_err err;
    struct stat st;
    bool made = false;

    assert_int_equal(gm_grant_key_make(path, &made, &err), 0);
    assert_true(made);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(gm_grant_key_load(path, &first, &err), 0);
    assert_int_equal(gm_grant_key_make(path, &made, &err), 0);
    assert_false(made);
    assert_int_equal(gm_grant_key_load(path, &again, &err), 0);
    assert_memory_equal(&first, &again, sizeof(first));
    assert_int_equal(gm_grant_key_make(scratch_path(&f->scratch, "no/key"), &made, &err),
                     -GM_E_SYS);
    assert_int_equal(gm_grant_key_make(scratch_path(&f->scratch, "other.key"), &made, &err), 0);
    assert_int_equal(gm_grant_key_load(scratch_path(&f->scratch, "other.key"), &again, &err), 0);
    assert_memory_not_equal(&first, &again, sizeof(first));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_write_grant_stores_and_a_read_grant_opens),
        WITH_STORE(a_key_is_made_once),
        WITH_STORE(the_body_must_be_the_granted_one),
        WITH_STORE(every_changed_byte_is_noticed),
        WITH_STORE(cut_and_foreign_urls_are_refused),
        WITH_STORE(a_grant_ends),
        WITH_STORE(a_grant_is_for_one_operation),
        WITH_STORE(a_source_may_have_any_name),
        WITH_STORE(roots_may_have_any_name),
        WITH_STORE(what_can_not_be_granted_is_said),
        WITH_STORE(links_and_missing_things_are_refused),
        WITH_STORE(key_files_are_64_hex_digits),
        cmocka_unit_test(each_signature_is_the_hmac_of_its_text_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
