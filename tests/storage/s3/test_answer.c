#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "storage/s3/answer.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define LIST(inside) HEAD "<ListBucketResult" NAMESPACE ">" inside "</ListBucketResult>"
#define LAST "<IsTruncated>false</IsTruncated>"
#define OBJECT(key, size) "<Contents><Key>" key "</Key><Size>" size "</Size></Contents>"

static int read_text(enum gm_s3_kind kind, const char *text, struct gm_s3_answer *out)
{
    struct gm_err err = {0};
    int rc = gm_s3_answer_read(kind, text, strlen(text), out, &err);

    assert_true(rc == 0 || (err.code == (enum gm_code) - rc && err.text[0] != '\0'));
    return rc;
}

static void refuse(enum gm_s3_kind kind, const char *text, int rc)
{
    static const struct gm_s3_answer none;
    struct gm_s3_answer answer = {.is_error = false};
    int got = read_text(kind, text, &answer);

    if (got != rc) {
        print_message("%.200s\n", text);
    }
    assert_int_equal(got, rc);
    assert_memory_equal(&answer, &none, sizeof(none));
}

static void an_error_has_code_and_message(void **state)
{
    static const char text[] =
        HEAD "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'a\nb' \xc3\xa9"
             "</Message><Region>eu-west-1</Region><RequestId>1</RequestId></Error>";
    static const enum gm_s3_kind kinds[] = {GM_S3_ERROR, GM_S3_LIST, GM_S3_INITIATE, GM_S3_COMPLETE,
                                            GM_S3_COPY};

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct gm_s3_answer answer;

        assert_int_equal(read_text(kinds[i], text, &answer), 0);
        assert_true(answer.is_error);
        assert_string_equal(answer.code, "AuthorizationHeaderMalformed");
        assert_string_equal(answer.message, "the region 'a?b' ??");
        assert_string_equal(answer.region, "eu-west-1");
        gm_s3_answer_fini(&answer);
    }
}

static void errors_that_are_none_are_refused(void **state)
{
    (void)state;
    refuse(GM_S3_ERROR, "<Error></Error>", -GM_E_STORE);
    refuse(GM_S3_ERROR, "<Error><Code></Code></Error>", -GM_E_STORE);
    refuse(GM_S3_ERROR, "<Error><Code>a b</Code></Error>", -GM_E_STORE);
    refuse(GM_S3_ERROR, "<Error><Code>No&#10;Key</Code></Error>", -GM_E_STORE);
    refuse(GM_S3_ERROR, "<Error><Code>A</Code><Code>B</Code></Error>", -GM_E_STORE);
    refuse(GM_S3_ERROR, "<Error><Code>A<b/></Code></Error>", -GM_E_STORE);
    refuse(GM_S3_ERROR,
           "<Error><Code>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
           "</Code></Error>",
           -GM_E_STORE);
    refuse(GM_S3_ERROR, "<html><body>502 Bad Gateway</body></html>", -GM_E_STORE);
    refuse(GM_S3_ERROR, "502 Bad Gateway", -GM_E_STORE);
    refuse(GM_S3_ERROR, "", -GM_E_STORE);
    refuse(GM_S3_ERROR, " \r\n\t", -GM_E_STORE);
}

static void a_list_has_objects_and_goes_on(void **state)
{
    static const char text[] = LIST("<Name>b</Name><KeyCount>2</KeyCount>" OBJECT(
        "v/a&amp;b",
        "0") "<Contents><Size>9223372036854775807</Size><ETag>&quot;e&quot;</ETag>"
             "<Owner><Key>not this</Key></Owner><Key>v/\xc3\xa9+%2B</Key></Contents>"
             "<CommonPrefixes><Prefix>x</Prefix></CommonPrefixes>"
             "<IsTruncated>true</IsTruncated><NextContinuationToken>t/+=</NextContinuationToken>");
    struct gm_s3_answer answer;

    (void)state;
    assert_int_equal(read_text(GM_S3_LIST, text, &answer), 0);
    assert_false(answer.is_error);
    assert_int_equal(answer.object_count, 2);
    assert_string_equal(answer.objects[0].key, "v/a&b");
    assert_int_equal(answer.objects[0].size, 0);
    assert_string_equal(answer.objects[1].key, "v/\xc3\xa9+%2B"); /* it is not said to be encoded */
    assert_true(answer.objects[1].size == INT64_MAX);
    assert_string_equal(answer.next, "t/+=");
    gm_s3_answer_fini(&answer);
}

static void encoded_keys_are_decoded(void **state)
{
    struct gm_s3_answer answer;

    (void)state;
    assert_int_equal(
        read_text(GM_S3_LIST,
                  LIST(OBJECT("a+b%2Bc%20d%0A%C3%A9", "1") LAST "<EncodingType>url</EncodingType>"),
                  &answer),
        0);
    assert_string_equal(answer.objects[0].key, "a b+c d\n\xc3\xa9");
    assert_null(answer.next);
    gm_s3_answer_fini(&answer);
    refuse(GM_S3_LIST, LIST(OBJECT("a%2", "1") LAST "<EncodingType>url</EncodingType>"),
           -GM_E_STORE);
    refuse(GM_S3_LIST, LIST(OBJECT("a%00", "1") LAST "<EncodingType>url</EncodingType>"),
           -GM_E_STORE);
    refuse(GM_S3_LIST, LIST(OBJECT("a", "1") LAST "<EncodingType>b64</EncodingType>"), -GM_E_STORE);
}

static void an_empty_list_is_one(void **state)
{
    struct gm_s3_answer answer;

    (void)state;
    assert_int_equal(
        read_text(GM_S3_LIST, LIST(LAST "<NextContinuationToken/><EncodingType/>"), &answer), 0);
    assert_int_equal(answer.object_count, 0);
    assert_null(answer.next);
    gm_s3_answer_fini(&answer);
    gm_s3_answer_fini(&answer); /* nothing is left to free */
}

static void lists_that_lack_something_are_refused(void **state)
{
    static const char *const texts[] = {
        LIST(""),
        LIST(OBJECT("a", "1")),
        LIST("<IsTruncated>yes</IsTruncated>"),
        LIST("<IsTruncated>true</IsTruncated>"),
        LIST("<IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken>"),
        LIST(LAST LAST),
        LIST(LAST "<Contents></Contents>"),
        LIST(LAST "<Contents/>"),
        LIST(LAST "<Contents><Key>a</Key></Contents>"),
        LIST(LAST "<Contents><Size>1</Size></Contents>"),
        LIST(LAST "<Contents><Key>a</Key><Key>b</Key><Size>1</Size></Contents>"),
        LIST(LAST OBJECT("", "1")),
        LIST(LAST OBJECT("a", "")),
        LIST(LAST OBJECT("a", "-1")),
        LIST(LAST OBJECT("a", "1.5")),
        LIST(LAST OBJECT("a", " 1")),
        LIST(LAST OBJECT("a", "9223372036854775808")),
        LIST(LAST OBJECT("a", "1") "<Contents><Key>b</Key></Contents>"),
        HEAD "<ListBucketResult><IsTruncated>false</IsTruncated>",
        HEAD "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>",
        LIST(LAST) "<x/>",
        LIST(LAST OBJECT("\xff", "1")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuse(GM_S3_LIST, texts[i], -GM_E_STORE);
    }
}

static void a_list_is_no_longer_than_was_asked_for(void **state)
{
    struct gm_buf text = {0};
    struct gm_s3_answer answer;

    (void)state;
    gm_buf_str(&text, HEAD "<ListBucketResult>" LAST);
    for (int i = 0; i < GM_S3_LIST_MAX; i++) {
        gm_buf_printf(&text, OBJECT("k%d", "%d"), i, i);
    }
    size_t full = text.size;
    gm_buf_str(&text, "</ListBucketResult>");
    assert_int_equal(read_text(GM_S3_LIST, (char *)text.data, &answer), 0);
    assert_int_equal(answer.object_count, GM_S3_LIST_MAX);
    assert_string_equal(answer.objects[999].key, "k999");
    gm_s3_answer_fini(&answer);
    text.size = full;
    gm_buf_str(&text, OBJECT("one", "1") "</ListBucketResult>");
    refuse(GM_S3_LIST, (char *)text.data, -GM_E_STORE);
    gm_buf_fini(&text);
}

static void uploads_and_copies_are_read(void **state)
{
    struct gm_s3_answer answer;

    (void)state;
    assert_int_equal(read_text(GM_S3_INITIATE,
                               HEAD "<InitiateMultipartUploadResult" NAMESPACE "><Bucket>b</Bucket>"
                                    "<UploadId>2~x/+</UploadId></InitiateMultipartUploadResult>",
                               &answer),
                     0);
    assert_string_equal(answer.upload_id, "2~x/+");
    gm_s3_answer_fini(&answer);
    assert_int_equal(
        read_text(GM_S3_COPY, "<CopyPartResult><ETag>\"e\"</ETag></CopyPartResult>", &answer), 0);
    assert_string_equal(answer.etag, "\"e\"");
    gm_s3_answer_fini(&answer);
    assert_int_equal(
        read_text(GM_S3_COPY, "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>", &answer), 0);
    assert_string_equal(answer.etag, "e");
    gm_s3_answer_fini(&answer);
    refuse(GM_S3_INITIATE,
           "<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>",
           -GM_E_STORE);
    refuse(GM_S3_COPY, "<CopyPartResult/>", -GM_E_STORE);
    refuse(GM_S3_COPY, "<CopyPartResult><ETag>a&#13;b</ETag></CopyPartResult>", -GM_E_STORE);
    refuse(GM_S3_COPY, "<CompleteMultipartUploadResult/>", -GM_E_STORE);
}

static void uploads_are_listed(void **state)
{
#define UPLOAD(inner) "<ListMultipartUploadsResult>" inner "</ListMultipartUploadsResult>"
    struct gm_s3_answer answer;

    (void)state;
    assert_int_equal(read_text(GM_S3_UPLOADS,
                               UPLOAD("<EncodingType>url</EncodingType>"
                                      "<Upload><Key>a%2Fb</Key><UploadId>1</UploadId></Upload>"
                                      "<Upload><UploadId>2~x</UploadId><Key>c</Key></Upload>"),
                               &answer),
                     0);
    assert_int_equal(answer.object_count, 2);
    assert_string_equal(answer.objects[0].key, "a/b");
    assert_string_equal(answer.objects[0].upload_id, "1");
    assert_string_equal(answer.objects[1].key, "c");
    assert_string_equal(answer.objects[1].upload_id, "2~x");
    assert_null(answer.next);
    gm_s3_answer_fini(&answer);
#define MARKERS                                                                                    \
    "<NextKeyMarker>a%2Fb+c</NextKeyMarker><NextUploadIdMarker>1%2F</NextUploadIdMarker>"
    assert_int_equal(read_text(GM_S3_UPLOADS,
                               UPLOAD("<IsTruncated>true</IsTruncated>" MARKERS
                                      "<EncodingType>url</EncodingType>"),
                               &answer),
                     0);
    assert_string_equal(answer.next, "a/b c");
    assert_string_equal(answer.next_upload, "1%2F"); /* ids are not encoded */
    gm_s3_answer_fini(&answer);
    static const char *const ends[] = {
        UPLOAD("<IsTruncated>false</IsTruncated>" MARKERS),
        UPLOAD("<IsTruncated>true</IsTruncated>"),
        UPLOAD("<IsTruncated>true</IsTruncated><NextKeyMarker/><NextUploadIdMarker>1"
               "</NextUploadIdMarker>")};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_text(GM_S3_UPLOADS, ends[i], &answer), 0);
        assert_null(answer.next);
        assert_null(answer.next_upload);
        gm_s3_answer_fini(&answer);
    }
    assert_int_equal(read_text(GM_S3_UPLOADS, "<ListMultipartUploadsResult/>", &answer), 0);
    assert_int_equal(answer.object_count, 0);
    gm_s3_answer_fini(&answer);
    refuse(GM_S3_UPLOADS, UPLOAD("<Upload><Key>a</Key></Upload>"), -GM_E_STORE);
    refuse(GM_S3_UPLOADS, UPLOAD("<Upload><UploadId>1</UploadId></Upload>"), -GM_E_STORE);
    refuse(GM_S3_UPLOADS, UPLOAD("<Upload><Key>a</Key><UploadId/></Upload>"), -GM_E_STORE);
    refuse(GM_S3_UPLOADS,
           UPLOAD("<Upload><Key>a</Key><UploadId>1</UploadId><UploadId>2</UploadId></Upload>"),
           -GM_E_STORE);
}

static void a_complete_may_say_nothing_or_fail_late(void **state)
{
    struct gm_s3_answer answer;

    (void)state;
    assert_int_equal(read_text(GM_S3_COMPLETE,
                               "  \n" HEAD "<CompleteMultipartUploadResult><ETag></ETag>"
                               "</CompleteMultipartUploadResult>",
                               &answer),
                     0);
    assert_null(answer.etag);
    gm_s3_answer_fini(&answer);
    assert_int_equal(read_text(GM_S3_COMPLETE,
                               "\n\n" HEAD
                               "<Error><Code>InternalError</Code><Message>m</Message></Error>",
                               &answer),
                     0);
    assert_true(answer.is_error);
    assert_string_equal(answer.code, "InternalError");
    gm_s3_answer_fini(&answer);
}

static void what_would_cost_much_is_refused(void **state)
{
    struct gm_buf text = {0};
    struct gm_err err = {0};
    struct gm_s3_answer answer;
    char *large = malloc(GM_S3_ANSWER_MAX + 1);

    (void)state;
    refuse(GM_S3_ERROR,
           "<!DOCTYPE e [<!ENTITY a \"A\"><!ENTITY b \"&a;&a;\">]><Error><Code>&b;</Code></Error>",
           -GM_E_STORE);
    refuse(GM_S3_ERROR, "<!DOCTYPE e SYSTEM \"file:///etc/passwd\"><Error><Code>A</Code></Error>",
           -GM_E_STORE);
    for (int i = 0; i < 20; i++) {
        gm_buf_str(&text, i == 0 ? "<Error>" : "<a>");
    }
    gm_buf_str(&text, "<a/>");
    refuse(GM_S3_ERROR, (char *)text.data, -GM_E_STORE);
    text.size = 0;
    gm_buf_str(&text, "<");
    for (int i = 0; i < 300; i++) {
        gm_buf_str(&text, "a");
    }
    gm_buf_str(&text, "/>");
    refuse(GM_S3_ERROR, (char *)text.data, -GM_E_STORE);
    text.size = 0;
    gm_buf_str(&text, "<Error><Code>A</Code><Message>");
    for (int i = 0; i < 8193; i++) {
        gm_buf_str(&text, "m");
    }
    gm_buf_str(&text, "</Message></Error>");
    refuse(GM_S3_ERROR, (char *)text.data, -GM_E_STORE);
    gm_buf_fini(&text);
    assert_non_null(large);
    memset(large, ' ', GM_S3_ANSWER_MAX + 1);
    assert_int_equal(gm_s3_answer_read(GM_S3_LIST, large, GM_S3_ANSWER_MAX + 1, &answer, &err),
                     -GM_E_LIMIT);
    assert_int_equal(gm_s3_answer_read(GM_S3_LIST, large, GM_S3_ANSWER_MAX, &answer, &err),
                     -GM_E_STORE);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_code_and_message),
        cmocka_unit_test(errors_that_are_none_are_refused),
        cmocka_unit_test(a_list_has_objects_and_goes_on),
        cmocka_unit_test(encoded_keys_are_decoded),
        cmocka_unit_test(an_empty_list_is_one),
        cmocka_unit_test(lists_that_lack_something_are_refused),
        cmocka_unit_test(a_list_is_no_longer_than_was_asked_for),
        cmocka_unit_test(uploads_and_copies_are_read),
        cmocka_unit_test(uploads_are_listed),
        cmocka_unit_test(a_complete_may_say_nothing_or_fail_late),
        cmocka_unit_test(what_would_cost_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
