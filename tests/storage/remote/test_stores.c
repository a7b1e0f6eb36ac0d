/* What needs no server: lines, key files, signed URLs. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage/remote/remote.h"
#include "tests/storage/transfer/script_server.h"

struct fixture {
    char folder[64], keys[96];
};

static struct gm_err err;

static void write_keys(const struct fixture *f, const char *text, mode_t mode)
{
    FILE *file = fopen(f->keys, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(f->keys, mode), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->folder, sizeof(f->folder), "/tmp/gm-stores-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->keys, sizeof(f->keys), "%s/keys", f->folder);
    write_keys(f, "id=AKID\nsecret=SECRET\n", 0600);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->keys);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* "KEYS" in text stands for the key file. */
static int create(const struct fixture *f, const char *text, struct gm_stores **out)
{
    char line[600] = "";
    const char *at = strstr(text, "KEYS");
    char *lines[] = {line, NULL};

    snprintf(line, sizeof(line), "%.*s%s%s", at == NULL ? 300 : (int)(at - text), text,
             at == NULL ? "" : f->keys, at == NULL ? "" : at + 4);
    return gm_stores_create(lines, out, &err);
}

static void lines_are_checked(void **state)
{
    static const char *const bad[] = {"s3://media keys=KEYS",
                                      "s3://media endpoint=https://h",
                                      "s3://media endpoint=https://h/path keys=KEYS",
                                      "s3://Media endpoint=https://h keys=KEYS",
                                      "media endpoint=https://h keys=KEYS",
                                      "s3://media endpoint=https://h keys=relative",
                                      "s3://media endpoint=https://h keys=/no/such/file",
                                      "s3://media endpoint=https://h style=other keys=KEYS",
                                      "s3://media endpoint=https://h secret=SESAME keys=KEYS",
                                      "s3://media endpoint=https://h endpoint=https://i keys=KEYS",
                                      ""};
    const struct fixture *f = *state;
    struct gm_stores *stores = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(create(f, bad[i], &stores), -GM_E_CONFIG);
        assert_null(stores);
        assert_null(strstr(err.text, "SESAME"));
    }
    assert_int_equal(
        create(f, "s3://media endpoint=https://h:1 style=virtual region=eu ca=/x keys=KEYS",
               &stores),
        0);
    assert_true(gm_stores_has(stores, "media"));
    assert_false(gm_stores_has(stores, "other"));
    assert_int_equal(gm_stores_check(stores, "s3://other/x", &err), -GM_E_CONFIG);
    assert_non_null(strstr(err.text, "s3://other"));
    gm_stores_destroy(&stores);
    assert_false(gm_stores_has(NULL, "media"));
    assert_int_equal(create(f, "s3://* endpoint=http://h keys=KEYS", &stores), 0);
    assert_true(gm_stores_has(stores, "any-other"));
    gm_stores_destroy(&stores);
}

static void key_files_are_checked(void **state)
{
    static const char *const bad[] = {"id=a\n",
                                      "secret=b\n",
                                      "id=a\nid=b\nsecret=c\n",
                                      "id=a b\nsecret=c\n",
                                      "id=\nsecret=c\n",
                                      "id=a\nsecret=SESAME\nwhat=SESAME\n"};
    const struct fixture *f = *state;
    struct gm_key_file keys;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_keys(f, bad[i], 0600);
        assert_int_equal(gm_key_file_load(f->keys, &keys, &err), -GM_E_CONFIG);
        assert_null(strstr(err.text, "SESAME"));
    }
    write_keys(f, " # mine\r\n\n id=a\r\nsecret=b=c \ntoken=d\n", 0400);
    assert_int_equal(gm_key_file_load(f->keys, &keys, &err), 0);
    assert_string_equal(keys.id, "a");
    assert_string_equal(keys.secret, "b=c");
    assert_string_equal(keys.token, "d");
    gm_key_file_wipe(&keys);
    write_keys(f, "id=a\nsecret=b\n", 0640);
    assert_int_equal(gm_key_file_load(f->keys, &keys, &err), -GM_E_CONFIG);
}

/* Signed for these headers, in their order. */
static void assert_signs(const char *url, const char *names)
{
    const char *at = strstr(url, "X-Amz-SignedHeaders=");

    assert_non_null(at);
    at += strlen("X-Amz-SignedHeaders=");
    assert_int_equal(strcspn(at, "&"), strlen(names));
    assert_memory_equal(at, names, strlen(names));
}

static void grants_say_what_they_are_for(void **state)
{
    static const uint8_t bytes[32] = {1};
    const struct gm_hash_bytes md5 = {16, bytes};
    const struct gm_hash_bytes parts[2] = {{32, bytes}, {32, bytes}}, md5s[2] = {md5, md5};
    struct gm_remote_write write = {.store_url = "s3://media/out",
                                    .key = "v/p/1.m4s",
                                    .size = 5,
                                    .sha256 = {32, bytes},
                                    .content_type = "video/iso.segment",
                                    .expires_s = 60};
    const struct fixture *f = *state;
    struct gm_stores *stores = NULL;
    struct gm_remote_grant grant;

    assert_int_equal(create(f, "s3://* endpoint=https://h keys=KEYS", &stores), 0);
    assert_int_equal(gm_stores_grant_write(stores, &write, &grant, &err), 0);
    assert_true(grant.waits);
    gm_remote_grant_fini(&grant);

    stores->remotes[0].way = GM_HASH_SHA256;
    assert_int_equal(gm_stores_grant_write(stores, &write, &grant, &err), 0);
    assert_memory_equal(grant.url, "https://h/media/out/v/p/1.m4s?", 30);
    assert_signs(grant.url, "content-length%3Bcontent-type%3Bhost%3Bx-amz-content-sha256");
    assert_int_equal(grant.header_count, 1);
    assert_string_equal(grant.headers[0].value, "video/iso.segment");
    gm_remote_grant_fini(&grant);

    stores->remotes[0].way = GM_HASH_MD5;
    assert_int_equal(gm_stores_grant_write(stores, &write, &grant, &err), 0);
    assert_true(grant.needs_md5);
    assert_null(grant.url);
    gm_remote_grant_fini(&grant);
    write.md5 = md5s;
    write.md5_count = 1;
    assert_int_equal(gm_stores_grant_write(stores, &write, &grant, &err), 0);
    assert_signs(grant.url, "content-length%3Bcontent-md5%3Bcontent-type%3Bhost");
    gm_remote_grant_fini(&grant);

    write.md5_count = 0;
    write.size = GM_REMOTE_ONE_PUT + 1;
    assert_int_equal(gm_stores_grant_write(stores, &write, &grant, &err), 0);
    assert_true(grant.needs_md5);
    assert_non_null(grant.start_url);
    assert_signs(grant.start_url, "content-type%3Bhost");
    gm_remote_grant_fini(&grant);
    write.md5_count = 2;
    write.part_count = 2;
    write.part_sha256 = parts;
    write.part_size = GM_REMOTE_ONE_PUT;
    write.upload_id = "up/1";
    assert_int_equal(gm_stores_grant_write(stores, &write, &grant, &err), 0);
    assert_int_equal(grant.part_count, 2);
    assert_non_null(strstr(grant.part_urls[1], "partNumber=2&uploadId=up%2F1"));
    assert_signs(grant.part_urls[1], "content-length%3Bcontent-md5%3Bhost");
    assert_non_null(strstr(grant.complete_url, "uploadId=up%2F1"));
    assert_non_null(grant.head_url);
    gm_remote_grant_fini(&grant);
    gm_stores_destroy(&stores);
}

static void a_url_that_no_node_would_read_is_not_signed(void **state)
{
    struct gm_stores *stores = NULL;
    char keys[8300] = "id=AKID\nsecret=SECRET\ntoken=", *url = NULL;

    memset(keys + strlen(keys), 'a', 8192);
    write_keys(*state, keys, 0600);
    assert_int_equal(create(*state, "s3://* endpoint=https://h keys=KEYS", &stores), 0);
    assert_int_equal(gm_stores_grant_read(stores, "s3://bkt/k", 60, &url, &err), -GM_E_INVAL);
    assert_null(url);
    assert_non_null(strstr(err.text, "longer than 8192 bytes"));
    gm_stores_destroy(&stores);
}

/* Takes connections, and says nothing. */
static int listen_silently(char line[160])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(line, 160, "s3://* endpoint=http://127.0.0.1:%d keys=KEYS", ntohs(at.sin_port));
    return fd;
}

static int unwanted(void *arg, struct gm_err *why)
{
    (void)arg;
    return gm_err_set(why, GM_E_NOT_LEADER, 0, "no more");
}

static void what_is_not_waited_for_ends(void **state)
{
    char line[160];
    int fd = listen_silently(line);
    struct gm_stores *stores = NULL;
    struct gm_stores_limit limit = {.until = gm_time_now() + GM_SEC / 5};

    assert_int_equal(create(*state, line, &stores), 0);
    gm_stores_limit(&limit);
    assert_int_equal(gm_stores_probe(stores, "s3://out/p", &err), -GM_E_STORE);
    assert_non_null(strstr(err.text, "in time"));
    limit = (struct gm_stores_limit){.wanted = unwanted};
    assert_int_equal(gm_stores_probe(stores, "s3://out/p", &err), -GM_E_NOT_LEADER);
    gm_stores_limit(NULL);
    gm_stores_stop(stores);
    assert_int_equal(gm_stores_probe(stores, "s3://out/p", &err), -GM_E_STORE);
    assert_non_null(strstr(err.text, "stopping"));
    gm_stores_destroy(&stores);
    close(fd);
}

/* The other body is refused in its second try, and not asked for again. */
static void a_probe_outlasts_a_lost_refusal(void **state)
{
    const char *const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const char *const refused = "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n<Error><Code>"
                                "XAmzContentSHA256Mismatch</Code></Error>";
    const char *const answers[] = {ok, ok, "", refused, ok, NULL};
    struct script_server server;
    struct gm_stores *stores = NULL;
    char line[160];

    script_start(&server, answers);
    snprintf(line, sizeof(line), "s3://* endpoint=%s keys=KEYS", server.url);
    assert_int_equal(create(*state, line, &stores), 0);
    assert_int_equal(gm_stores_probe(stores, "s3://out/p", &err), 0);
    gm_stores_destroy(&stores);
    free(script_stop(&server));
}

/* What could not be deleted is deleted by the next try that can. */
static void what_a_probe_left_goes_with_the_next(void **state)
{
    const char *const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const char *const no = "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n";
    const char *const denied = "HTTP/1.1 403 No\r\nConnection: close\r\n\r\n";
    const char *const answers[] = {ok, ok, no, denied, denied, ok, ok, ok, NULL};
    struct script_server server;
    struct gm_stores *stores = NULL;
    char line[160];

    script_start(&server, answers);
    snprintf(line, sizeof(line), "s3://* endpoint=%s keys=KEYS", server.url);
    assert_int_equal(create(*state, line, &stores), 0);
    assert_int_equal(gm_stores_probe(stores, "s3://out/p", &err), 0);
    assert_string_equal(stores->remotes[0].left[0], "out/p/.gm-try");
    assert_int_equal(gm_stores_probe(stores, "s3://out/q", &err), 0);
    assert_null(stores->remotes[0].left[0]);
    gm_stores_destroy(&stores);
    free(script_stop(&server));
}

/* Answers one request with a list of all that it has. */
static void *list_all(void *arg)
{
    static const char body[] = "<ListBucketResult><IsTruncated>false</IsTruncated>"
                               "<Contents><Key>p</Key><Size>1</Size></Contents>"
                               "<Contents><Key>p/v/a/1</Key><Size>1</Size></Contents>"
                               "<Contents><Key>p/v/ab/1</Key><Size>1</Size></Contents>"
                               "<Contents><Key>p/w</Key><Size>1</Size></Contents>"
                               "<Contents><Key>q/v/a/1</Key><Size>1</Size></Contents>"
                               "</ListBucketResult>";
    char text[4096] = "";
    size_t size = 0;
    ssize_t n = 1;
    int fd = accept(*(int *)arg, NULL, NULL);

    while (n > 0 && size < sizeof(text) - 1 && strstr(text, "\r\n\r\n") == NULL) {
        n = read(fd, text + size, sizeof(text) - 1 - size);
        size += n > 0 ? (size_t)n : 0;
    }
    (void)dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                  strlen(body), body);
    close(fd);
    return NULL;
}

#define LISTED_SIZE 200

static int add_listed(const char *key, uint64_t size, void *arg)
{
    char *listed = arg;
    size_t at = strlen(listed);

    (void)size;
    snprintf(listed + at, LISTED_SIZE - at, "%s ", key);
    return 0;
}

static void keys_that_were_not_asked_for_are_passed_over(void **state)
{
    char line[160], listed[LISTED_SIZE] = "";
    int fd = listen_silently(line);
    struct gm_stores *stores = NULL;
    struct gm_store *store = NULL;
    pthread_t server;

    assert_int_equal(pthread_create(&server, NULL, list_all, &fd), 0);
    assert_int_equal(create(*state, line, &stores), 0);
    assert_int_equal(gm_stores_open(stores, "s3://out/p", false, &store, &err), 0);
    assert_int_equal(gm_store_list(store, "v/a/", add_listed, listed, &err), 0);
    assert_string_equal(listed, "v/a/1 ");
    gm_store_close(&store);
    assert_int_equal(pthread_join(server, NULL), 0);
    gm_stores_destroy(&stores);
    close(fd);
}

#define XML(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body
#define UPLOADS(inner) XML("<ListMultipartUploadsResult>" inner "</ListMultipartUploadsResult>")
#define UPLOAD(key, id) "<Upload><Key>" key "</Key><UploadId>" id "</UploadId></Upload>"
#define GOES_ON(key, id)                                                                           \
    "<IsTruncated>true</IsTruncated><NextKeyMarker>" key "</NextKeyMarker>"                        \
    "<NextUploadIdMarker>" id "</NextUploadIdMarker>"

static int add_upload(const char *key, void *arg)
{
    return add_listed(key, 0, arg);
}

/* Pages of what others began come before what is ours, and behind a page that says no marker. */
static void uploads_behind_the_first_page_are_found(void **state)
{
    const char *const answers[] = {UPLOADS(GOES_ON("o", "2") UPLOAD("o", "1") UPLOAD("o", "2")),
                                   UPLOADS(GOES_ON("p/a", "3") UPLOAD("p/a", "3")),
                                   UPLOADS(UPLOAD("p/a", "4") UPLOAD("q", "5")),
                                   /* to drop: */
                                   UPLOADS(GOES_ON("o", "2") UPLOAD("o", "1")),
                                   UPLOADS("<IsTruncated>true</IsTruncated>" UPLOAD("p/a", "3")),
                                   "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n",
                                   UPLOADS(UPLOAD("o", "1")), NULL};
    struct script_server server;
    struct gm_stores *stores = NULL;
    struct gm_store *store = NULL;
    char line[160], listed[LISTED_SIZE] = "";

    script_start(&server, answers);
    snprintf(line, sizeof(line), "s3://* endpoint=%s keys=KEYS", server.url);
    assert_int_equal(create(*state, line, &stores), 0);
    assert_int_equal(gm_stores_open(stores, "s3://out/p", false, &store, &err), 0);
    assert_int_equal(gm_stores_list_uploads(store, "", add_upload, listed, &err), 0);
    assert_string_equal(listed, "a a ");
    assert_int_equal(gm_stores_drop_uploads(store, "", &err), 0);
    gm_store_close(&store);
    gm_stores_destroy(&stores);
    char *asked = script_stop(&server);
    assert_non_null(strstr(asked, "key-marker=p%2Fa&prefix=p%2F&upload-id-marker=3&uploads="));
    assert_non_null(strstr(asked, "DELETE /out/p/a?uploadId=3"));
    assert_null(strstr(asked, "DELETE /out/o"));
    free(asked);
}

static void a_prefix_leaves_room_for_keys(void **state)
{
    struct gm_stores *stores = NULL;
    char url[600] = "s3://out/";

    memset(url + 9, 'a', GM_REMOTE_PREFIX_MAX);
    assert_int_equal(create(*state, "s3://* endpoint=http://127.0.0.1:1 keys=KEYS", &stores), 0);
    assert_int_equal(gm_stores_probe(stores, url, &err), -GM_E_INVAL);
    assert_non_null(strstr(err.text, "prefix is longer"));
    gm_stores_destroy(&stores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(key_files_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(grants_say_what_they_are_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_url_that_no_node_would_read_is_not_signed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_waited_for_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_probe_outlasts_a_lost_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_probe_left_goes_with_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_that_were_not_asked_for_are_passed_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(uploads_behind_the_first_page_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prefix_leaves_room_for_keys, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
