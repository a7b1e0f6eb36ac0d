/* What nodes are told of objects on servers. No server but a script is asked: the stores' endpoint
 * is nowhere. */
#include "tests/scheduler/helper.h"

#include <sys/stat.h>

#include "scheduler/remote_urls.h"
#include "storage/remote/remote.h"
#include "tests/storage/transfer/script_server.h"

static struct gm_err err;

static struct gm_stores *make_stores_at(const char *folder, const char *endpoint)
{
    struct gm_stores *stores = NULL;
    char path[512], line[1024];
    char *lines[] = {line, NULL};
    write_file(folder, "keys", "id=a\nsecret=SESAME\n", 19);
    path_in(path, folder, "keys");
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(snprintf(line, sizeof line, "s3://* endpoint=%s keys=%s", endpoint, path) < 1024);
    ASSERT_OK(gm_stores_create(lines, &stores, &err));
    return stores;
}

static struct gm_stores *make_stores(const char *folder)
{
    return make_stores_at(folder, "http://127.0.0.1:1");
}

static Gm__GrantItem item_of(uint64_t size)
{
    static uint8_t hash[32];
    Gm__GrantItem item = GM__GRANT_ITEM__INIT;
    item.store = GM__OBJECT_STORE__STORE_OUT;
    item.name = "1.m4s";
    item.size = size;
    item.sha256 = (ProtobufCBinaryData){32, hash};
    return item;
}

static void sources_and_objects_are_read_by_url(void **state)
{
    struct gm_stores *stores = make_stores(*state);
    char *url = NULL;
    ASSERT_OK(gm_remote_urls_source(stores, "s3://media/a b.mov", &url, &err));
    assert_non_null(strstr(url, "http://127.0.0.1:1/media/a%20b.mov?"));
    assert_non_null(strstr(url, "X-Amz-Expires=86400"));
    free(url);
    ASSERT_OK(gm_remote_urls_source(stores, "https://h/a.mov?token=1", &url, &err));
    assert_string_equal(url, "https://h/a.mov?token=1");
    free(url);
    ASSERT_OK(gm_remote_urls_read(stores, "s3://work/p", "jobs/j/1", 3600000, &url, &err));
    assert_non_null(strstr(url, "http://127.0.0.1:1/work/p/jobs/j/1?"));
    assert_non_null(strstr(url, "X-Amz-Expires=3600&"));
    assert_null(strstr(url, "SESAME"));
    free(url);
    gm_stores_destroy(&stores);
}

static void a_store_that_was_not_tried_is_waited_for(void **state)
{
    struct gm_daemon d = {.stores = make_stores(*state), .probe_count = 4}; /* as many as may be */
    struct gm_pool pool = {0};
    Gm__GrantItem item = item_of(5);
    Gm__Grant grant = GM__GRANT__INIT;
    grant.key = "v/p/1.m4s";
    assert_int_equal(gm_remote_urls_write(&d, "s3://out", &item, 3600000, &pool, &grant, &err),
                     GM_URLS_WAIT);
    assert_string_equal(grant.url, "");
    gm_pool_fini(&pool);
    gm_stores_destroy(&d.stores);
}

static void why_a_store_could_not_be_tried_is_told(void **state)
{
    const char *const no = "HTTP/1.1 403 No\r\nConnection: close\r\n\r\n"
                           "<Error><Code>AccessDenied</Code><Message>m</Message></Error>";
    const char *const answers[] = {no, no, no, no, NULL};
    struct script_server server;
    struct gm_daemon d = {.probe_count = 0};
    struct gm_pool pool = {0};
    Gm__GrantItem item = item_of(5);
    Gm__Grant grant = GM__GRANT__INIT;
    script_start(&server, answers);
    d.stores = make_stores_at(*state, server.url);
    grant.key = "v/p/1.m4s";
    assert_int_equal(uv_loop_init(&d.loop), 0);
    assert_int_equal(gm_remote_urls_write(&d, "s3://out", &item, 3600000, &pool, &grant, &err),
                     GM_URLS_WAIT);
    (void)uv_run(&d.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&d.loop), 0);
    assert_int_equal(gm_remote_urls_write(&d, "s3://out", &item, 3600000, &pool, &grant, &err),
                     -GM_E_STORE_DENIED);
    assert_non_null(d.untried);
    d.untried->until = 0; /* then it is tried again */
    d.probe_count = 4;
    assert_int_equal(gm_remote_urls_write(&d, "s3://out", &item, 3600000, &pool, &grant, &err),
                     GM_URLS_WAIT);
    assert_null(d.untried);
    free(script_stop(&server));
    gm_pool_fini(&pool);
    gm_stores_destroy(&d.stores);
}

static void grants_are_told_as_they_are(void **state)
{
    static uint8_t bytes[32];
    ProtobufCBinaryData hashes[2] = {{32, bytes}, {32, bytes}};
    struct gm_daemon d = {.stores = make_stores(*state)};
    struct gm_pool pool = {0};
    Gm__GrantItem item = item_of(5);
    Gm__Grant grant = GM__GRANT__INIT;
    d.stores->remotes[0].way = GM_HASH_SHA256;
    grant.key = "v/p/1.m4s";
    ASSERT_OK(gm_remote_urls_write(&d, "s3://out", &item, 3600000, &pool, &grant, &err));
    assert_non_null(strstr(grant.url, "/out/v/p/1.m4s?"));
    assert_int_equal(grant.n_headers, 2);
    assert_string_equal(grant.headers[0]->name, "Content-Type");
    assert_string_equal(grant.headers[0]->value, "video/iso.segment");

    item = item_of(GM_REMOTE_ONE_PUT + 1);
    item.store = GM__OBJECT_STORE__STORE_WORK;
    gm__grant__init(&grant);
    grant.key = "jobs/j/1";
    ASSERT_OK(gm_remote_urls_write(&d, "s3://out", &item, 3600000, &pool, &grant, &err));
    assert_non_null(strstr(grant.start_url, "uploads="));
    assert_int_equal(grant.n_headers, 0);
    item.part_size = GM_REMOTE_ONE_PUT;
    item.part_sha256 = hashes;
    item.n_part_sha256 = 2;
    item.upload_id = "u";
    gm__grant__init(&grant);
    grant.key = "jobs/j/1";
    ASSERT_OK(gm_remote_urls_write(&d, "s3://out", &item, 3600000, &pool, &grant, &err));
    assert_int_equal(grant.n_part_urls, 2);
    assert_non_null(strstr(grant.part_urls[1], "partNumber=2"));
    assert_non_null(strstr(grant.complete_url, "uploadId=u"));
    assert_true(grant.head_url[0] != '\0' && grant.url[0] == '\0');
    gm_pool_fini(&pool);
    gm_stores_destroy(&d.stores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sources_and_objects_are_read_by_url, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_store_that_was_not_tried_is_waited_for, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(why_a_store_could_not_be_tried_is_told, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(grants_are_told_as_they_are, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
