/* Signatures against the example of Standard Webhooks' reference libraries, and secrets' files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/hash.h"
#include "scheduler/hooks/target.h"

static int load(const char *text, mode_t mode, struct gm_hook_secrets *out)
{
    char path[] = "/tmp/gm_secret_XXXXXX";
    struct gm_err err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
    int rc = gm_hook_secrets_load(path, out, &err);
    (void)unlink(path);
    return rc;
}

/* See: standard-webhooks/libraries, the test vector that each of them has. */
static void the_published_example_is_signed(void **arg)
{
    (void)arg;
    struct gm_hook_secrets s;
    struct gm_buf out = {0};
    static const char body[] = "{\"test\": 2432232314}";
    assert_int_equal(load("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0600, &s), 0);
    gm_hook_sign(&s, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen(body), &out);
    assert_string_equal((char *)out.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    gm_buf_fini(&out);
}

/* What stands in the wrong place may be a secret. */
static void errors_repeat_nothing_of_a_line(void **arg)
{
    static const char *const lines[] = {"x url=https://SECRET@h/ secret=/f",
                                        "x url=ftp://h/SECRET secret=/f",
                                        "x url=https://h/ url=https://h/SECRET",
                                        "x url=https://h/ secret=whsec_SECRET",
                                        "x https://h/SECRET",
                                        "url=https://h/SECRET secret=/f"};
    (void)arg;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char *list[] = {(char *)(uintptr_t)lines[i], NULL};
        struct gm_hook_farm *farms = NULL;
        struct gm_err err = {0};
        size_t count = 0;
        assert_true(gm_hook_farms_parse(list, &farms, &count, &err) < 0);
        assert_null(strstr(err.text, "SECRET"));
        assert_non_null(strstr(err.text, "webhooks: "));
    }
}

static void a_tenants_secrets_are_its_own(void **arg)
{
    (void)arg;
    struct gm_hook_secrets farm, own;
    uint8_t mac[GM_SHA256_SIZE];
    assert_int_equal(load("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0600, &farm), 0);
    gm_hook_secrets_of(&farm, "a", &own);
    gm_hmac_sha256(farm.keys[0], farm.sizes[0], "gopmill webhook\0a", 17, mac);
    assert_int_equal(own.count, 1);
    assert_int_equal(own.sizes[0], GM_SHA256_SIZE);
    assert_memory_equal(own.keys[0], mac, sizeof mac);
}

static void each_secret_signs(void **arg)
{
    (void)arg;
    struct gm_hook_secrets s;
    struct gm_buf out = {0};
    assert_int_equal(load("# new\nwhsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\r\n\n"
                          "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                          0600, &s),
                     0);
    assert_int_equal(s.count, 2);
    gm_hook_sign(&s, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}", 20,
                 &out);
    assert_non_null(strstr((char *)out.data, " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    assert_int_equal(out.size, 2 * 47 + 1);
    gm_buf_fini(&out);
}

static void bad_files_are_refused(void **arg)
{
    (void)arg;
    static const char *const bad[] = {"",
                                      "# none\n",
                                      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_c2hvcnQ=",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!"};
    struct gm_hook_secrets s;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(load(bad[i], 0600, &s), -GM_E_CONFIG);
    }
    assert_int_equal(load("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0640, &s), -GM_E_CONFIG);
}

/* RFC 4648 section 10; RFC 4231, case 2. */
static void base64_and_hmac_are_as_published(void **arg)
{
    (void)arg;
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    static const char *const bad[] = {"Z", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "Zm9v\n"};
    char text[16];
    uint8_t bytes[16], mac[GM_SHA256_SIZE];
    char hex[2 * GM_SHA256_SIZE + 1];
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(gm_base64(plain[i], i, text), coded[i]);
        assert_int_equal(gm_base64_decode(coded[i], bytes, sizeof bytes), (long)i);
        assert_memory_equal(bytes, plain[i], i);
        assert_int_equal(gm_base64_decode(bad[i], bytes, sizeof bytes), -1);
    }
    assert_int_equal(gm_base64_decode("Zm9vYmFy", bytes, 5), -1);
    gm_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
    assert_string_equal(gm_hex(mac, sizeof mac, hex),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_is_signed),
        cmocka_unit_test(errors_repeat_nothing_of_a_line),
        cmocka_unit_test(a_tenants_secrets_are_its_own),
        cmocka_unit_test(each_secret_signs),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(base64_and_hmac_are_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
