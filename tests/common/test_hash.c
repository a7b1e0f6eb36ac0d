#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/scratch.h"

/* FIPS 180-4 examples, NIST CSRC "SHA-256 examples" and a million times "a". */
static const struct {
    const char *text;
    const char *hex;
} VECTORS[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
               {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
               {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
static const char MILLION_A[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void vectors_of_the_standard(void **state)
{
    struct gm_sha256 *h = gm_sha256_create();
    uint8_t out[GM_SHA256_SIZE];
    char hex[65];

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        size_t size = strlen(VECTORS[i].text);

        gm_sha256(VECTORS[i].text, size, out);
        assert_string_equal(gm_hex(out, sizeof(out), hex), VECTORS[i].hex);
        /* again in pieces; final starts it anew */
        for (size_t j = 0; j < size; j++) {
            gm_sha256_update(h, VECTORS[i].text + j, 1);
        }
        gm_sha256_final(h, out);
        assert_string_equal(gm_hex(out, sizeof(out), hex), VECTORS[i].hex);
    }
    gm_sha256_destroy(&h);
    assert_null(h);
    gm_sha256_destroy(&h);
}

static void a_file_is_hashed_whole_and_from_its_start(void **state)
{
    struct scratch s;
    struct gm_err err;
    uint8_t out[GM_SHA256_SIZE];
    uint64_t size = 0;
    char *text = malloc(1000000);
    char hex[65];
    int fd;

    (void)state;
    scratch_make(&s);
    assert_non_null(text);
    memset(text, 'a', 1000000);
    assert_int_equal(gm_fs_write_atomic(scratch_path(&s, "a"), text, 1000000, &err), 0);
    fd = open(scratch_path(&s, "a"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 17, SEEK_SET), 17);
    assert_int_equal(gm_sha256_fd(fd, out, &size, &err), 0);
    assert_int_equal(size, 1000000);
    assert_string_equal(gm_hex(out, sizeof(out), hex), MILLION_A);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 17);
    close(fd);
    free(text);
    scratch_remove(&s);
}

static void a_failed_read_leaves_outputs_alone(void **state)
{
    uint8_t out[GM_SHA256_SIZE] = {1, 2, 3};
    struct gm_err err = {0};
    uint64_t size = 99;

    (void)state;
    assert_int_equal(gm_sha256_fd(-1, out, &size, &err), -GM_E_SYS);
    assert_int_equal(err.native, EBADF);
    assert_int_equal(size, 99);
    assert_int_equal(out[2], 3);
}

static void hex_is_lower_case(void **state)
{
    char out[9];

    (void)state;
    assert_string_equal(gm_hex("\x00\x9f\xAb\xff", 4, out), "009fabff");
    assert_string_equal(gm_hex("", 0, out), "");
}

static void count_one(void *arg)
{
    ++*(int *)arg;
}

static void a_part_of_a_file_is_hashed_by_both(void **state)
{
    uint8_t sha256[GM_SHA256_SIZE] = {0};
    uint8_t md5[GM_MD5_SIZE] = {0};
    char hex[65];
    char text[GM_MD5_BASE64];
    struct gm_err err = {0};
    FILE *file = tmpfile();
    int moves = 0;

    (void)state;
    assert_non_null(file);
    assert_true(fputs("xabcx", file) >= 0 && fflush(file) == 0);
    assert_int_equal(gm_hash_part(fileno(file), 1, 3, sha256, md5, NULL, count_one, &moves, &err),
                     0);
    assert_string_equal(gm_hex(sha256, sizeof(sha256), hex), VECTORS[1].hex);
    assert_string_equal(gm_hex(md5, sizeof(md5), hex), "900150983cd24fb0d6963f7d28e17f72");
    assert_string_equal(gm_md5_base64(md5, text), "kAFQmDzST7DWlj99KOF/cg==");
    assert_int_equal(moves, 1);
    assert_int_equal(gm_hash_part(fileno(file), 0, 0, sha256, NULL, NULL, NULL, NULL, &err), 0);
    assert_string_equal(gm_hex(sha256, sizeof(sha256), hex), VECTORS[0].hex);
    assert_int_equal(gm_hash_part(fileno(file), 3, 3, sha256, md5, NULL, NULL, NULL, &err),
                     -GM_E_INVAL);
    assert_int_equal(gm_hash_part(-1, 0, 1, sha256, md5, NULL, NULL, NULL, &err), -GM_E_SYS);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_standard),
        cmocka_unit_test(a_file_is_hashed_whole_and_from_its_start),
        cmocka_unit_test(a_failed_read_leaves_outputs_alone),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(a_part_of_a_file_is_hashed_by_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
