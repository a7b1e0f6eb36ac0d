/* Our signatures against botocore's, of requests made by a generator; skipped where python3 has no
 * botocore. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/hash.h"
#include "storage/s3/address.h"
#include "storage/s3/sign.h"

enum { CASES = 400, MAX_TEXT = 48, MAX_FIELDS = 4 };

struct sample {
    char method[8];
    char bucket[16];
    char key[MAX_TEXT];
    char token[MAX_TEXT];
    char body[MAX_TEXT];
    char texts[4 * MAX_FIELDS][MAX_TEXT];
    struct gm_s3_field query[MAX_FIELDS];
    struct gm_s3_field headers[MAX_FIELDS];
    size_t query_count, header_count;
    int64_t at_s;
    bool url, unsigned_body, has_token;
};

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525 + 1013904223; /* Numerical Recipes, chapter 7.1 */
    return (*state >> 8) % below;
}

/* size characters out of those of `from`, some of which are two bytes long. */
static void draw_text(uint32_t *state, char out[MAX_TEXT], const char *from, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        if (draw(state, 9) == 0 && strchr(from, '%') != NULL) {
            memcpy(out + n, "\xc3\xa9", 2); /* an e with an accent */
            n += 2;
        } else {
            out[n++] = from[draw(state, (uint32_t)strlen(from))];
        }
    }
    out[n] = '\0';
}

static void make_sample(uint32_t seed, struct sample *s)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};
    static const char any[] = "abcXYZ019-._~/ %+&=?#@:;,!$'()*\"<>[]{}|\\^`";
    static const char value[] = "abcXYZ 019-._~/+&=?#@:;,!$'()*\"<>";
    uint32_t state = seed;

    memset(s, 0, sizeof(*s));
    snprintf(s->method, sizeof(s->method), "%s", methods[draw(&state, 5)]);
    snprintf(s->bucket, sizeof(s->bucket), "bucket-%u", draw(&state, 1000));
    draw_text(&state, s->key, any, 1 + draw(&state, 20));
    s->has_token = draw(&state, 2) == 1;
    draw_text(&state, s->token, "abcXYZ019/+=", 20);
    s->unsigned_body = draw(&state, 2) == 1;
    s->url = draw(&state, 3) == 0;
    draw_text(&state, s->body, any, s->url ? 0 : draw(&state, 20));
    s->at_s = 86400 * (int64_t)draw(&state, 40000) + draw(&state, 86400);
    s->query_count = draw(&state, MAX_FIELDS);
    s->header_count = draw(&state, MAX_FIELDS);
    for (size_t i = 0; i < s->query_count; i++) {
        snprintf(s->texts[i], MAX_TEXT, "%c%u", "aAzZ"[draw(&state, 4)], (unsigned)i);
        draw_text(&state, s->texts[i + 4], any,
                  1 + draw(&state, 12)); /* parse_qs loses empty ones */
        s->query[i] = (struct gm_s3_field){s->texts[i], s->texts[i + 4]};
    }
    for (size_t i = 0; i < s->header_count; i++) {
        snprintf(s->texts[i + 8], MAX_TEXT, "%s%u",
                 draw(&state, 2) == 1 ? "X-Amz-Meta-" : "Content-", (unsigned)i);
        draw_text(&state, s->texts[i + 12], value, 1 + draw(&state, 12));
        s->headers[i] = (struct gm_s3_field){s->texts[i + 8], s->texts[i + 12]};
    }
}

static void put_hex(FILE *f, const char *text, char after)
{
    for (; *text != '\0'; text++) {
        fprintf(f, "%02x", (unsigned char)*text);
    }
    fputc(after, f);
}

static void put_fields(FILE *f, const struct gm_s3_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_hex(f, fields[i].name, '=');
        put_hex(f, fields[i].value, ',');
    }
}

static void write_sample(FILE *f, const struct sample *s)
{
    char path[2 * MAX_TEXT];

    snprintf(path, sizeof(path), "%s/%s", s->bucket, s->key);
    fprintf(f, "%s\t%s\t", s->url ? "url" : "head", s->method);
    put_hex(f, "s3.example.com:9000", '\t');
    put_hex(f, path, '\t');
    fprintf(f, "%lld\t", (long long)s->at_s);
    if (s->has_token) {
        put_hex(f, s->token, '\t');
    } else {
        fputs("-\t", f);
    }
    fprintf(f, "%d\t", s->unsigned_body);
    put_hex(f, s->body, '\t');
    put_fields(f, s->query, s->query_count);
    fputc('\t', f);
    put_fields(f, s->headers, s->header_count);
    fputc('\n', f);
}

/* What botocore's line must be. */
static void sign_sample(const struct sample *s, struct gm_buf *out)
{
    const struct gm_s3_keys keys = {"AKIAEXAMPLE", "s3cr3t/+=", s->has_token ? s->token : NULL};
    struct gm_s3_endpoint endpoint;
    struct gm_s3_address address;
    struct gm_s3_signer *signer = NULL;
    struct gm_s3_signed done = {0};
    struct gm_err err = {0};
    uint8_t hash[GM_SHA256_SIZE];
    char hex[2 * GM_SHA256_SIZE + 1];
    char *url = NULL;

    gm_sha256(s->body, strlen(s->body), hash);
    assert_int_equal(gm_s3_endpoint_read("https://s3.example.com:9000", &endpoint, &err), 0);
    assert_int_equal(gm_s3_address_make(&endpoint, GM_S3_PATH, s->bucket, s->key, &address, &err),
                     0);
    assert_int_equal(gm_s3_signer_create(&keys, "eu-west-9", "s3", &signer, &err), 0);
    const struct gm_s3_request request = {
        .method = s->method,
        .host = address.host,
        .path = address.path,
        .query = s->query,
        .query_count = s->query_count,
        .headers = s->headers,
        .header_count = s->header_count,
        .payload = s->url || s->unsigned_body ? GM_S3_UNSIGNED : gm_hex(hash, sizeof(hash), hex)};

    if (s->url) {
        assert_int_equal(gm_s3_presign(signer, &request, true, s->at_s * 1000, 1234, &url, &err),
                         0);
        gm_buf_printf(out, "%s\n", strstr(url, "&X-Amz-Signature=") + strlen("&X-Amz-Signature="));
        free(url);
    } else {
        assert_int_equal(gm_s3_sign(signer, &request, s->at_s * 1000, &done, &err), 0);
        gm_buf_printf(out, "%s\n", done.lines[0] + strlen("Authorization: "));
    }
    gm_s3_signed_fini(&done);
    gm_s3_signer_destroy(&signer);
    gm_s3_address_fini(&address);
}

static void botocore_signs_alike(void **state)
{
    char path[] = "/tmp/gm-test-botocore-XXXXXX";
    char command[1024];
    char line[4096];
    struct sample s;
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    int status;
    uint32_t n = 0;

    (void)state;
    assert_non_null(f);
    for (uint32_t i = 0; i < CASES; i++) {
        make_sample(i, &s);
        write_sample(f, &s);
    }
    assert_int_equal(fclose(f), 0);
    /* Debian's package is for Debian's python3, which need not be the first one. */
    snprintf(command, sizeof(command),
             "for p in python3 /usr/bin/python3; do $p -c 'import botocore.auth' 2>/dev/null && "
             "exec $p '%s/tests/storage/s3/sign_by_botocore.py' <%s; done; exit 77",
             GM_SOURCE_DIR, path);
    f = popen(command, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        struct gm_buf ours = {0};

        assert_true(n < CASES);
        make_sample(n, &s);
        sign_sample(&s, &ours);
        if (strcmp(line, (const char *)ours.data) != 0) {
            print_message("case %u: %s %s\n", n, s.method, s.key);
        }
        assert_string_equal(line, (const char *)ours.data);
        gm_buf_fini(&ours);
        n++;
    }
    status = pclose(f);
    unlink(path);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: python3 with botocore (python3-botocore) is not installed\n");
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(n, CASES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(botocore_signs_alike)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
