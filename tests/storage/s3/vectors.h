/* AWS's published vectors. Each row: what the request is, and the signature that AWS says it has.
 *
 * SUITE: the Signature Version 4 test suite (aws-sig-v4-test-suite; folders of that name), service
 * "service". EXAMPLES: S3 API reference, "Signature Calculations for the Authorization Header:
 * Transferring Payload in a Single Chunk", and "Using Query Parameters".
 */
#ifndef GM_TESTS_STORAGE_S3_VECTORS_H
#define GM_TESTS_STORAGE_S3_VECTORS_H

#include "storage/s3/sign.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SUITE_AT INT64_C(1440938160000)    /* 20150830T123600Z */
#define EXAMPLES_AT INT64_C(1369353600000) /* 20130524T000000Z */

static const struct gm_s3_keys SUITE_KEYS = {"AKIDEXAMPLE",
                                             "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL};
static const struct gm_s3_keys EXAMPLE_KEYS = {"AKIAIOSFODNN7EXAMPLE",
                                               "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL};
#define SUITE_TOKEN "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
#define STS_TOKEN                                                                                  \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP" \
    "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/"                                                        \
    "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7"                                     \
    "WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"         \
    "scqKmlzm8"                                                                                    \
    "FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
#define ALL_UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

struct vector {
    const char *name;
    const char *method;
    const char *path;
    const char *token;
    struct gm_s3_field query[4];   /* up to one without a name */
    struct gm_s3_field headers[5]; /* too */
    const char *payload;
    const char *names; /* SignedHeaders */
    const char *signature;
};

static const struct vector SUITE[] = {
    {.name = "get-vanilla",
     .method = "GET",
     .path = "/",
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "get-header-key-duplicate",
     .method = "GET",
     .path = "/",
     .payload = EMPTY_HASH,
     .headers = {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     .names = "host;my-header1;x-amz-date",
     .signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {.name = "get-header-value-trim",
     .method = "GET",
     .path = "/",
     .payload = EMPTY_HASH,
     .headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
     .names = "host;my-header1;my-header2;x-amz-date",
     .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {.name = "get-header-value-order",
     .method = "GET",
     .path = "/",
     .payload = EMPTY_HASH,
     .headers = {{"My-Header1", "value4"},
                 {"My-Header1", "value1"},
                 {"My-Header1", "value3"},
                 {"My-Header1", "value2"}},
     .names = "host;my-header1;x-amz-date",
     .signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {.name = "get-vanilla-query-order-key-case",
     .method = "GET",
     .path = "/",
     .query = {{"Param2", "value2"}, {"Param1", "value1"}},
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {.name = "get-vanilla-query-order-encoded",
     .method = "GET",
     .path = "/",
     .query = {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\xe1\x88\xb4", "Value1"}},
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
    {.name = "get-vanilla-query-unreserved",
     .method = "GET",
     .path = "/",
     .query = {{ALL_UNRESERVED, ALL_UNRESERVED}},
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {.name = "get-vanilla-utf8-query",
     .method = "GET",
     .path = "/",
     .query = {{"\xe1\x88\xb4", "bar"}},
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {.name = "get-utf8",
     .method = "GET",
     .path = "/%E1%88%B4",
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {.name = "get-space-unnormalized",
     .method = "GET",
     .path = "/example%20space/",
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    {.name = "get-slash-dot-slash-unnormalized",
     .method = "GET",
     .path = "/./",
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date",
     .signature = "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
    {.name = "post-header-key-sort",
     .method = "POST",
     .path = "/",
     .payload = EMPTY_HASH,
     .headers = {{"My-Header1", "value1"}},
     .names = "host;my-header1;x-amz-date",
     .signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
    {.name = "get-vanilla-with-session-token",
     .method = "GET",
     .path = "/",
     .token = SUITE_TOKEN,
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date;x-amz-security-token",
     .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {.name = "post-sts-header-before",
     .method = "POST",
     .path = "/",
     .token = STS_TOKEN,
     .payload = EMPTY_HASH,
     .names = "host;x-amz-date;x-amz-security-token",
     .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
};

/* The same suite's signatures of queries; X-Amz-Expires is 3600. */
static const struct vector SUITE_QUERIES[] = {
    {.name = "get-vanilla-query",
     .method = "GET",
     .path = "/",
     .payload = EMPTY_HASH,
     .names = "host",
     .signature = "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"},
    {.name = "get-vanilla-with-session-token",
     .method = "GET",
     .path = "/",
     .token = SUITE_TOKEN,
     .payload = EMPTY_HASH,
     .names = "host",
     .signature = "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c"},
    {.name = "get-vanilla-utf8-query",
     .method = "GET",
     .path = "/",
     .query = {{"\xe1\x88\xb4", "bar"}},
     .payload = EMPTY_HASH,
     .names = "host",
     .signature = "0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600"},
    {.name = "get-header-key-duplicate",
     .method = "GET",
     .path = "/",
     .payload = EMPTY_HASH,
     .headers = {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
     .names = "host%3Bmy-header1",
     .signature = "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97"},
};

static const struct vector EXAMPLES[] = {
    {.name = "GET Object",
     .method = "GET",
     .path = "/test.txt",
     .headers = {{"Range", "bytes=0-9"}},
     .payload = EMPTY_HASH,
     .names = "host;range;x-amz-content-sha256;x-amz-date",
     .signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {.name = "PUT Object",
     .method = "PUT",
     .path = "/test%24file.text",
     .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                 {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
     .payload = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
     .names = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     .signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {.name = "GET Bucket Lifecycle",
     .method = "GET",
     .path = "/",
     .query = {{"lifecycle", ""}},
     .payload = EMPTY_HASH,
     .names = "host;x-amz-content-sha256;x-amz-date",
     .signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {.name = "GET Bucket (List Objects)",
     .method = "GET",
     .path = "/",
     .query = {{"prefix", "J"}, {"max-keys", "2"}},
     .payload = EMPTY_HASH,
     .names = "host;x-amz-content-sha256;x-amz-date",
     .signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

#endif
