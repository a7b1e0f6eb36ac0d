/* Stores and grants of a real server: GOPMILL_TEST_S3="ENDPOINT KEY SECRET REGION", whose user may
 * make buckets; skipped without. It makes a bucket and removes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/id.h"
#include "storage/remote/remote.h"

struct fixture {
    char folder[64];
    char keys[96];
    char line[512];
    char bucket[48];
    char url[96]; /* of the store: a prefix in the bucket */
    struct gm_stores *stores;
    struct gm_store *store;
    struct gm_remote *remote;
};

static struct gm_err err;

#define OK(call)                                                                                   \
    do {                                                                                           \
        int ok_rc = (call);                                                                        \
        if (ok_rc != 0) {                                                                          \
            print_message("%s\n", err.text);                                                       \
        }                                                                                          \
        assert_int_equal(ok_rc, 0);                                                                \
    } while (0)

static int ask(struct fixture *f, const char *method, const char *key)
{
    struct gm_ask a = {.call = {.method = method, .bucket = f->bucket, .key = key}};

    return gm_remote_ask(f->remote, &a, &err);
}

static void write_keys(struct fixture *f, const char *id, const char *secret, mode_t mode)
{
    FILE *file = fopen(f->keys, "w");

    assert_non_null(file);
    fprintf(file, "# of the test\nid=%s\n secret=%s \n", id, secret);
    fclose(file);
    chmod(f->keys, mode);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *env = getenv("GOPMILL_TEST_S3");
    char server[4][128], id[GM_ID_SIZE];
    char *lines[] = {f->line, NULL};

    *state = f;
    if (env == NULL) {
        return 0;
    }
    assert_int_equal(
        sscanf(env, "%127s %127s %127s %127s", server[0], server[1], server[2], server[3]), 4);
    snprintf(f->folder, sizeof(f->folder), "/tmp/gm-stores-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->keys, sizeof(f->keys), "%s/keys", f->folder);
    write_keys(f, server[1], server[2], 0600);
    snprintf(f->line, sizeof(f->line), "s3://* endpoint=%s region=%s keys=%s", server[0], server[3],
             f->keys);
    OK(gm_id_make(id, &err));
    snprintf(f->bucket, sizeof(f->bucket), "gm-%s", id);
    snprintf(f->url, sizeof(f->url), "s3://%s/some/prefix", f->bucket);
    OK(gm_stores_create(lines, &f->stores, &err));
    OK(gm_remote_find(f->stores, f->bucket, &f->remote, &err));
    OK(ask(f, "PUT", NULL));
    OK(gm_stores_open(f->stores, f->url, false, &f->store, &err));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->stores != NULL) {
        OK(ask(f, "DELETE", NULL)); /* nothing may be left in it */
        unlink(f->keys);
        rmdir(f->folder);
    }
    gm_store_close(&f->store);
    gm_stores_destroy(&f->stores);
    free(f);
    return 0;
}

#define NEEDS_SERVER(f)                                                                            \
    if ((f)->stores == NULL) {                                                                     \
        skip();                                                                                    \
    }

static int note(const char *key, uint64_t size, void *arg)
{
    char *text = arg;

    snprintf(text + strlen(text), 200 - strlen(text), "%s=%d ", key, (int)size);
    return 0;
}

static void objects_come_and_go(void **state)
{
    struct fixture *f = *state;
    const char *keys[] = {"a b/1,=@.m4s", "v/x/\xc3\xa4.m3u8", "missing"};
    struct gm_store_stat stat;
    struct gm_remote_stat remote;
    char url[200], text[200] = "", body[8] = "";
    size_t n = 0;

    NEEDS_SERVER(f);
    OK(gm_store_put_bytes(f->store, keys[0], "hello", 5, &err));
    OK(gm_store_put_bytes(f->store, keys[1], "", 0, &err));
    OK(gm_store_put_bytes(f->store, keys[0], "world!", 6, &err));
    OK(gm_store_head(f->store, keys[0], &stat, &err));
    assert_int_equal(stat.size, 6);
    assert_int_equal(gm_store_head(f->store, "none", &stat, &err), -GM_E_NOTFOUND);
    OK(gm_store_get(f->store, keys[0], 2, body, 3, &n, &err));
    assert_int_equal(n, 3);
    assert_memory_equal(body, "rld", 3);
    OK(gm_store_get(f->store, keys[0], 4, body, 8, &n, &err));
    assert_int_equal(n, 2);
    OK(gm_store_get(f->store, keys[0], 6, body, 8, &n, &err));
    assert_int_equal(n, 0);
    assert_int_equal(gm_store_get(f->store, "none", 0, body, 8, &n, &err), -GM_E_NOTFOUND);
    OK(gm_store_list(f->store, "", note, text, &err));
    assert_string_equal(text, "a b/1,=@.m4s=6 v/x/\xc3\xa4.m3u8=0 ");
    text[0] = '\0';
    OK(gm_store_list(f->store, "v/", note, text, &err));
    assert_string_equal(text, "v/x/\xc3\xa4.m3u8=0 ");
    snprintf(url, sizeof(url), "%s/%s", f->url, keys[0]);
    OK(gm_stores_stat(f->stores, url, &remote, &err));
    assert_int_equal(remote.size, 6);
    assert_int_equal(remote.etag[0], '"');
    OK(gm_store_delete_many(f->store, keys, 3, &n, &err));
    assert_int_equal(n, 3);
    text[0] = '\0';
    OK(gm_store_list(f->store, "", note, text, &err));
    assert_string_equal(text, "");
}

static void a_missing_bucket_is_a_store_that_is_away(void **state)
{
    struct fixture *f = *state;
    struct gm_store *store = NULL;
    struct gm_store_stat stat;
    struct gm_remote_stat remote;
    char body[8];
    size_t n;

    NEEDS_SERVER(f);
    OK(gm_stores_open(f->stores, "s3://gm-no-such-bucket", false, &store, &err));
    assert_int_equal(gm_store_head(store, "a", &stat, &err), -GM_E_STORE);
    assert_int_equal(gm_store_get(store, "a", 0, body, 8, &n, &err), -GM_E_STORE);
    assert_int_equal(gm_store_put_bytes(store, "a", "x", 1, &err), -GM_E_STORE);
    assert_int_equal(gm_store_list(store, "", note, NULL, &err), -GM_E_STORE);
    assert_int_equal(gm_stores_probe(f->stores, "s3://gm-no-such-bucket", &err), -GM_E_STORE);
    assert_int_equal(gm_stores_stat(f->stores, "s3://gm-no-such-bucket/a", &remote, &err),
                     -GM_E_STORE);
    assert_int_equal(gm_stores_stat(f->stores, f->url, &remote, &err), -GM_E_NOTFOUND);
    gm_store_close(&store);
}

/* Sends body by a URL, with what a node sends. */
static int put_by_url(struct fixture *f, const char *url, const struct gm_remote_grant *grant,
                      const char *hash, const uint8_t *md5, const void *body, size_t size,
                      char etag[128])
{
    struct gm_s3_field headers[4];
    char text[GM_MD5_TEXT];
    size_t count = 0;
    struct gm_ask a = {.call = {.method = "PUT",
                                .url = url,
                                .headers = headers,
                                .body = body,
                                .body_size = size,
                                .max_tries = 1}};

    for (size_t i = 0; grant != NULL && i < grant->header_count; i++) {
        headers[count++] = (struct gm_s3_field){grant->headers[i].name, grant->headers[i].value};
    }
    if (strstr(url, "x-amz-content-sha256") != NULL) {
        headers[count++] = (struct gm_s3_field){"x-amz-content-sha256", hash};
    }
    if (strstr(url, "content-md5") != NULL) {
        gm_md5_text(md5, text);
        headers[count++] = (struct gm_s3_field){"Content-MD5", text};
    }
    a.call.header_count = count;
    int rc = gm_remote_ask(f->remote, &a, &err);
    if (etag != NULL) {
        memcpy(etag, a.result.etag, 128);
    }
    return rc;
}

static void a_grant_takes_its_bytes_alone(void **state)
{
    struct fixture *f = *state;
    static const uint8_t md5[16] = {0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76,
                                    0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92}; /* hello */
    const struct gm_hash_bytes md5s = {16, md5};
    const char *key = "v/p/1.m4s";
    uint8_t hash[32];
    char hex[65], *url = NULL, name[200];
    struct gm_remote_write write = {.store_url = f->url,
                                    .key = key,
                                    .size = 5,
                                    .sha256 = {32, hash},
                                    .content_type = gm_s3_content_type(key),
                                    .cache_control = gm_s3_cache_control(key),
                                    .expires_s = 600};
    struct gm_remote_grant grant;
    struct gm_store_stat stat;

    NEEDS_SERVER(f);
    gm_sha256("hello", 5, hash);
    gm_hex(hash, 32, hex);
    OK(gm_stores_grant_write(f->stores, &write, &grant, &err));
    assert_true(grant.waits);
    assert_null(grant.url);
    gm_remote_grant_fini(&grant);
    OK(gm_stores_probe(f->stores, f->url, &err));
    OK(gm_stores_grant_write(f->stores, &write, &grant, &err));
    if (grant.needs_md5) {
        gm_remote_grant_fini(&grant);
        write.md5 = &md5s;
        write.md5_count = 1;
        OK(gm_stores_grant_write(f->stores, &write, &grant, &err));
    }
    assert_non_null(grant.url);
    assert_int_equal(grant.header_count, 2);
    assert_true(put_by_url(f, grant.url, &grant, hex, md5, "hallo", 5, NULL) < 0);
    assert_true(put_by_url(f, grant.url, &grant, hex, md5, "hell", 4, NULL) < 0);
    assert_int_equal(gm_store_head(f->store, key, &stat, &err), -GM_E_NOTFOUND);
    OK(put_by_url(f, grant.url, &grant, hex, md5, "hello", 5, NULL));
    OK(gm_store_head(f->store, key, &stat, &err));
    snprintf(name, sizeof(name), "%s/%s", f->url, key);
    OK(gm_stores_grant_read(f->stores, name, 60, &url, &err));
    struct gm_ask get = {.call = {.method = "GET", .url = url}};
    OK(gm_remote_ask(f->remote, &get, &err));
    free(url);
    gm_remote_grant_fini(&grant);
    OK(gm_store_delete(f->store, key, &err));
}

#define BIG ((size_t)66 << 20)
#define PART ((size_t)40 << 20)

static int take_id(struct gm_ask *a, const struct gm_s3_answer *answer)
{
    snprintf(a->arg, 300, "%s", answer->upload_id);
    return 0;
}

static void begin_upload(struct fixture *f, const struct gm_remote_grant *grant, char id[300])
{
    struct gm_s3_field headers[2];
    struct gm_ask a = {.call = {.method = "POST",
                                .url = grant->start_url,
                                .headers = headers,
                                .header_count = grant->header_count,
                                .wants = GM_S3_WANTS_XML,
                                .kind = GM_S3_INITIATE},
                       .take = take_id,
                       .arg = id};

    for (size_t i = 0; i < grant->header_count; i++) {
        headers[i] = (struct gm_s3_field){grant->headers[i].name, grant->headers[i].value};
    }
    OK(gm_remote_ask(f->remote, &a, &err));
}

static void large_bodies_go_in_parts(void **state)
{
    struct fixture *f = *state;
    const char *key = "v/p/movie.mp4";
    uint8_t whole[32], part[2][32];
    char id[300] = "", hex[2][65], etag[2][128], xml[1000];
    const struct gm_hash_bytes parts[2] = {{32, part[0]}, {32, part[1]}};
    struct gm_remote_write write = {.store_url = f->url,
                                    .key = key,
                                    .size = BIG,
                                    .sha256 = {32, whole},
                                    .content_type = gm_s3_content_type(key),
                                    .expires_s = 600};
    struct gm_remote_grant grant;
    struct gm_store_stat stat;
    char *data;

    NEEDS_SERVER(f);
    OK(gm_stores_probe(f->stores, f->url, &err));
    data = calloc(1, BIG);
    memset(data + PART, 'x', 1000);
    gm_sha256(data, BIG, whole);
    gm_sha256(data, PART, part[0]);
    gm_sha256(data + PART, BIG - PART, part[1]);
    OK(gm_stores_grant_write(f->stores, &write, &grant, &err));
    assert_non_null(grant.start_url);
    if (grant.needs_md5) { /* its MD5s are not reckoned here */
        gm_remote_grant_fini(&grant);
        free(data);
        return;
    }
    begin_upload(f, &grant, id);
    begin_upload(f, &grant, id);
    gm_remote_grant_fini(&grant);
    write.upload_id = id;
    write.part_size = PART;
    write.part_count = 2;
    write.part_sha256 = parts;
    OK(gm_stores_grant_write(f->stores, &write, &grant, &err));
    assert_int_equal(grant.part_count, 2);
    for (int i = 0; i < 2; i++) {
        gm_hex(part[i], 32, hex[i]);
    }
    assert_true(put_by_url(f, grant.part_urls[0], NULL, hex[0], NULL, data + 1000, PART, NULL) < 0);
    OK(put_by_url(f, grant.part_urls[0], NULL, hex[0], NULL, data, PART, etag[0]));
    OK(put_by_url(f, grant.part_urls[1], NULL, hex[1], NULL, data + PART, BIG - PART, etag[1]));
    snprintf(xml, sizeof(xml),
             "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>"
             "<Part><PartNumber>2</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>",
             etag[0], etag[1]);
    struct gm_ask end = {.call = {.method = "POST",
                                  .url = grant.complete_url,
                                  .body = xml,
                                  .body_size = strlen(xml),
                                  .wants = GM_S3_WANTS_XML,
                                  .kind = GM_S3_COMPLETE}};
    OK(gm_remote_ask(f->remote, &end, &err));
    struct gm_ask head = {.call = {.method = "HEAD", .url = grant.head_url}};
    OK(gm_remote_ask(f->remote, &head, &err));
    assert_int_equal(head.result.size, BIG);
    gm_remote_grant_fini(&grant);
    OK(gm_stores_drop_uploads(f->store, "v/q/", &err));
    OK(gm_stores_drop_uploads(f->store, "v/p/", &err)); /* the first one */
    OK(gm_store_head(f->store, key, &stat, &err));
    OK(gm_store_delete(f->store, key, &err));
    free(data);
}

static void files_are_put_in_parts_too(void **state)
{
    struct fixture *f = *state;
    struct gm_store_put put = {.key = "big", .size = BIG + 1};
    struct gm_store_stat stat;

    NEEDS_SERVER(f);
    put.fd = memfd_create("big", MFD_CLOEXEC);
    assert_int_equal(ftruncate(put.fd, (off_t)put.size), 0);
    OK(gm_store_put(f->store, &put, &err));
    OK(gm_store_head(f->store, "big", &stat, &err));
    assert_int_equal(stat.size, put.size);
    put.if_absent = true;
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STORE_EXISTS);
    put.if_absent = false;
    put.sha256 = (const uint8_t *)"0123456789abcdef0123456789abcdef";
    assert_int_equal(gm_store_put(f->store, &put, &err), -GM_E_STORE_CORRUPT);
    OK(gm_store_delete(f->store, "big", &err));
    close(put.fd);
}

static void keys_are_read_again(void **state)
{
    struct fixture *f = *state;
    struct gm_store_stat stat;
    char id[128], secret[128];

    NEEDS_SERVER(f);
    assert_int_equal(sscanf(getenv("GOPMILL_TEST_S3"), "%*s %127s %127s", id, secret), 2);
    write_keys(f, id, "wrong", 0600);
    OK(gm_stores_reload(f->stores, &err));
    assert_int_equal(gm_store_head(f->store, "a", &stat, &err), -GM_E_STORE_DENIED);
    write_keys(f, id, secret, 0644);
    assert_int_equal(gm_stores_reload(f->stores, &err), -GM_E_CONFIG);
    assert_int_equal(gm_store_head(f->store, "a", &stat, &err), -GM_E_STORE_DENIED);
    write_keys(f, id, secret, 0600);
    OK(gm_stores_reload(f->stores, &err));
    assert_int_equal(gm_store_head(f->store, "a", &stat, &err), -GM_E_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_bucket_is_a_store_that_is_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_grant_takes_its_bytes_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(large_bodies_go_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_put_in_parts_too, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_read_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
