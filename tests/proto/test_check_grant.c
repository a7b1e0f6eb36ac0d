/* Grants for stores of S3: what a request and an answer may hold together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/check_grant.h"

#define MIB (UINT64_C(1) << 20)

static uint8_t hash[32];
static ProtobufCBinaryData hashes[GM_PROTO_MAX_PARTS + 1];
static ProtobufCBinaryData md5s[GM_PROTO_MAX_PARTS + 1];

/* 130 MiB in three parts. */
static Gm__GrantItem item_in_parts(void)
{
    Gm__GrantItem item = GM__GRANT_ITEM__INIT;
    for (size_t i = 0; i <= GM_PROTO_MAX_PARTS; i++) {
        hashes[i] = (ProtobufCBinaryData){.data = hash, .len = 32};
        md5s[i] = (ProtobufCBinaryData){.data = hash, .len = 16};
    }
    item.store = GM__OBJECT_STORE__STORE_OUT;
    item.name = "mp4/movie.mp4";
    item.size = 130 * MIB;
    item.sha256 = hashes[0];
    item.part_size = 64 * MIB;
    item.part_sha256 = hashes;
    item.n_part_sha256 = 3;
    return item;
}

static int ask(Gm__GrantItem *item)
{
    Gm__GrantRequest request = GM__GRANT_REQUEST__INIT;
    struct gm_err err;
    request.items = &item;
    request.n_items = 1;
    return gm_check_grant_request(&request, &err);
}

static void parts_give_the_size(void **state)
{
    Gm__GrantItem item = item_in_parts();
    (void)state;
    assert_int_equal(ask(&item), 0);
    item.n_part_sha256 = 2;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item = item_in_parts();
    item.size = 128 * MIB;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item.n_part_sha256 = 2;
    assert_int_equal(ask(&item), 0);
    item = item_in_parts();
    item.part_size = 4 * MIB; /* below what S3 takes */
    item.n_part_sha256 = 33;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item = item_in_parts();
    item.size = 64 * MIB; /* one part is none */
    item.n_part_sha256 = 1;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item = item_in_parts();
    item.part_size = 5 * MIB;
    item.size = 5 * MIB * GM_PROTO_MAX_PARTS;
    item.n_part_sha256 = GM_PROTO_MAX_PARTS;
    assert_int_equal(ask(&item), 0);
    item.size++;
    item.n_part_sha256++;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item = item_in_parts();
    item.size = UINT64_MAX;
    assert_int_equal(ask(&item), -GM_E_PROTO);
}

static void parts_are_counted_over_a_request(void **state)
{
    Gm__GrantItem item = item_in_parts();
    Gm__GrantItem *items[5] = {&item, &item, &item, &item, &item};
    Gm__GrantRequest request = GM__GRANT_REQUEST__INIT;
    struct gm_err err;
    (void)state;
    item.part_size = 5 * MIB;
    item.size = 5 * MIB * GM_PROTO_MAX_PARTS;
    item.n_part_sha256 = GM_PROTO_MAX_PARTS;
    request.items = items;
    request.n_items = GM_PROTO_MAX_ALL_PARTS / GM_PROTO_MAX_PARTS;
    assert_int_equal(gm_check_grant_request(&request, &err), 0);
    request.n_items++;
    assert_int_equal(gm_check_grant_request(&request, &err), -GM_E_PROTO);
}

static void hashes_have_their_length_and_number(void **state)
{
    Gm__GrantItem item = item_in_parts();
    (void)state;
    item.md5 = md5s;
    item.n_md5 = 3;
    assert_int_equal(ask(&item), 0);
    item.n_md5 = 1;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item.n_md5 = 3;
    item.md5 = hashes;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item = item_in_parts();
    item.part_sha256 = md5s;
    assert_int_equal(ask(&item), -GM_E_PROTO);

    item = item_in_parts(); /* in one */
    item.part_size = 0;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    item.n_part_sha256 = 0;
    assert_int_equal(ask(&item), 0);
    item.md5 = md5s;
    item.n_md5 = 1;
    assert_int_equal(ask(&item), 0);
    item.upload_id = "2~x";
    assert_int_equal(ask(&item), -GM_E_PROTO);
}

static void an_upload_id_has_a_limit(void **state)
{
    Gm__GrantItem item = item_in_parts();
    char id[GM_PROTO_MAX_UPLOAD_ID + 2];
    (void)state;
    memset(id, 'a', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    item.upload_id = id;
    assert_int_equal(ask(&item), -GM_E_PROTO);
    id[GM_PROTO_MAX_UPLOAD_ID] = '\0';
    assert_int_equal(ask(&item), 0);
}

static int answer(Gm__Grant *grant)
{
    Gm__GrantAnswer answer = GM__GRANT_ANSWER__INIT;
    struct gm_err err;
    answer.grants = &grant;
    answer.n_grants = 1;
    return gm_check_grant_answer(&answer, &err);
}

static void a_grant_says_one_thing(void **state)
{
    Gm__Grant grant = GM__GRANT__INIT;
    char *urls[] = {"https://h/1", "https://h/2"};
    char *holes[] = {"https://h/1", ""};
    (void)state;
    grant.key = "v/p/x.m4s";
    assert_int_equal(answer(&grant), -GM_E_PROTO);
    grant.needs_md5 = true;
    assert_int_equal(answer(&grant), 0);
    grant.url = "https://h/k";
    assert_int_equal(answer(&grant), -GM_E_PROTO);
    grant.needs_md5 = false;
    assert_int_equal(answer(&grant), 0);
    grant.start_url = "https://h/k?uploads=";
    assert_int_equal(answer(&grant), -GM_E_PROTO);
    grant.url = "";
    assert_int_equal(answer(&grant), 0);
    grant.needs_md5 = true;
    assert_int_equal(answer(&grant), 0);
    grant.needs_md5 = false;
    grant.start_url = "";
    grant.part_urls = urls;
    grant.n_part_urls = 2;
    assert_int_equal(answer(&grant), -GM_E_PROTO);
    grant.complete_url = "https://h/k?uploadId=1";
    assert_int_equal(answer(&grant), -GM_E_PROTO);
    grant.head_url = "https://h/k";
    assert_int_equal(answer(&grant), 0);
    grant.part_urls = holes;
    assert_int_equal(answer(&grant), -GM_E_PROTO);
}

static void headers_are_one_line_each(void **state)
{
    static const struct {
        const char *name, *value;
        int rc;
    } rows[] = {{"Content-Type", "video/iso.segment", 0},
                {"", "x", -GM_E_PROTO},
                {"A", "", -GM_E_PROTO},
                {"A:", "x", -GM_E_PROTO},
                {"A", "x\r\nB: y", -GM_E_PROTO},
                {"A\nB", "x", -GM_E_PROTO}};
    Gm__Grant grant = GM__GRANT__INIT;
    Gm__GrantHeader header = GM__GRANT_HEADER__INIT;
    Gm__GrantHeader *list[GM_PROTO_MAX_HEADERS + 1];
    (void)state;
    for (size_t i = 0; i <= GM_PROTO_MAX_HEADERS; i++) {
        list[i] = &header;
    }
    grant.key = "v/p/x.m4s";
    grant.url = "https://h/k";
    grant.headers = list;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        header.name = (char *)(uintptr_t)rows[i].name;
        header.value = (char *)(uintptr_t)rows[i].value;
        grant.n_headers = GM_PROTO_MAX_HEADERS;
        assert_int_equal(answer(&grant), rows[i].rc);
        grant.n_headers++;
        assert_int_equal(answer(&grant), -GM_E_PROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_give_the_size),
        cmocka_unit_test(parts_are_counted_over_a_request),
        cmocka_unit_test(hashes_have_their_length_and_number),
        cmocka_unit_test(an_upload_id_has_a_limit),
        cmocka_unit_test(a_grant_says_one_thing),
        cmocka_unit_test(headers_are_one_line_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
