/* Bodies that go to stores, and come from them, by URL. */
#include "node/agent.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/fake_io.h"
#include "storage/transfer/script_server.h"

#define OK "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n"
#define BODY(length) "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: " length "\r\n\r\n"
#define BAD(status, code)                                                                          \
    "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n<Error><Code>" code                           \
    "</Code><Message>m</Message></Error>"
#define SIGNED "?X-Amz-SignedHeaders=host%3Bx-amz-content-sha256&X-Amz-Signature=5ec2e7"

static const struct farm PLAIN = {.slots = 1};
static const struct farm SHORT = {.lease_ms = 3000};

/* What the farm's grants say. */
struct story {
    struct script_server server;
    char url[256];
    bool asks_md5;
    bool scribbles;  /* in what the worker made, once it was announced */
    size_t md5s;     /* that came with the last item */
    int64_t ends[2]; /* of the first grant, and of the others; 0: never */
    uint32_t grants;
};

/* As the worker itself could: other bytes, as many. */
static void scribble(const struct farm *farm)
{
    char pattern[160];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/scratch/*/*/piece-0", farm->folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    int fd = open(found.gl_pathv[0], O_WRONLY);
    assert_true(fd >= 0 && write(fd, "P", 1) == 1);
    close(fd);
    globfree(&found);
}

static bool grant(struct farm *farm, const Gm__GrantItem *item, Gm__Grant *out)
{
    struct story *story = farm->grant_arg;
    static Gm__GrantHeader header;
    static Gm__GrantHeader *headers[] = {&header};
    gm__grant_header__init(&header);
    header.name = (char *)(uintptr_t) "Cache-Control";
    header.value = (char *)(uintptr_t) "max-age=7";
    out->headers = headers;
    out->n_headers = 1;
    out->expires_unix_ms = story->ends[story->grants == 0 ? 0 : 1];
    story->grants++;
    story->md5s = item->n_md5;
    if (story->scribbles) {
        scribble(farm);
    }
    if (story->asks_md5 && item->n_md5 == 0) {
        out->needs_md5 = true;
        out->n_headers = 0;
        return true;
    }
    out->url = story->url;
    return true;
}

static void begin(struct farm *farm, struct story *story, const char *signs,
                  const char *const *answers)
{
    script_start(&story->server, answers);
    snprintf(story->url, sizeof(story->url), "%s/bkt/piece%s", story->server.url, signs);
    farm->grant = grant;
    farm->grant_arg = story;
}

/* The one piece of a task, and its end. */
static void expect_piece(struct farm *farm, uint64_t id)
{
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    assert_string_equal(env->produced->item->objects[0]->key, "video/piece-0");
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        n++;
    }
    return n;
}

static void a_piece_is_put_by_its_url(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    const char *const answers[] = {BAD("503 Slow", "SlowDown"), OK, NULL};
    uint8_t hash[GM_SHA256_SIZE];
    char line[128] = "x-amz-content-sha256: ";
    begin(farm, &story, SIGNED, answers);
    expect_piece(farm, farm_assign(farm, "pieces", "1"));
    char *asked = script_stop(&story.server);
    gm_sha256("piece 0", 7, hash);
    gm_hex(hash, sizeof(hash), line + strlen(line));
    assert_int_equal(count(asked, "PUT /bkt/piece" SIGNED " HTTP/1.1\r\n"), 2);
    assert_int_equal(count(asked, line), 2);
    assert_int_equal(count(asked, "Cache-Control: max-age=7\r\n"), 2);
    assert_int_equal(count(asked, "\r\n\r\npiece 0"), 2);
    assert_null(strstr(asked, "Content-MD5"));
    free(asked);
}

static void a_store_may_want_an_md5(void **state)
{
    struct farm *farm = *state;
    struct story story = {.asks_md5 = true};
    const char *const answers[] = {OK, NULL};
    begin(farm, &story, "?X-Amz-SignedHeaders=content-md5%3Bhost", answers);
    expect_piece(farm, farm_assign(farm, "pieces", "1"));
    char *asked = script_stop(&story.server);
    assert_int_equal(story.grants, 2);
    assert_int_equal(story.md5s, 1);
    assert_int_equal(count(asked, "Content-MD5: N239TyumBuz+YrmKSqxrKw==\r\n"), 1);
    assert_null(strstr(asked, "x-amz-content-sha256"));
    free(asked);
}

/* Its MD5 would be right, and its hash that of something else. */
static void what_was_written_to_since_is_not_put(void **state)
{
    struct farm *farm = *state;
    struct story story = {.asks_md5 = true, .scribbles = true};
    const char *const answers[] = {OK, NULL};
    begin(farm, &story, "?X-Amz-SignedHeaders=content-md5%3Bhost", answers);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "1"), GM_E_BUG, 0);
    char *asked = script_stop(&story.server);
    assert_null(strstr(asked, "PUT "));
    free(asked);
}

/* Of that clock both ends are. */
static void a_grant_whose_time_was_over_is_asked_for_anew(void **state)
{
    struct farm *farm = *state;
    struct story story = {.ends = {farm->unix_ms - 1000, farm->unix_ms + 1000000}};
    const char *const answers[] = {OK, NULL};
    begin(farm, &story, SIGNED, answers);
    expect_piece(farm, farm_assign(farm, "pieces", "1"));
    char *asked = script_stop(&story.server);
    assert_int_equal(story.grants, 2);
    assert_int_equal(count(asked, "PUT "), 1);
    free(asked);
}

static void what_a_store_refuses_fails_its_task(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    const char *const denied = BAD("403 No", "AccessDenied");
    const char *const answers[] = {denied, denied, denied, NULL};
    begin(farm, &story, SIGNED, answers);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "1"), GM_E_STORE_DENIED, 403);
    assert_int_equal(story.grants, 3);
    free(script_stop(&story.server));
    farm->grant = NULL;
    farm_expect_healthy(farm);
}

static void a_url_that_is_refused_is_asked_for_anew(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    const char *const answers[] = {BAD("403 No", "AccessDenied"), OK, NULL};
    begin(farm, &story, SIGNED, answers);
    expect_piece(farm, farm_assign(farm, "pieces", "1"));
    assert_int_equal(story.grants, 2);
    free(script_stop(&story.server));
}

static uint32_t next_leases(struct farm *farm)
{
    farm->leases = UINT32_MAX;
    while (farm->leases == UINT32_MAX) {
        farm_turn(farm);
    }
    return farm->leases;
}

static bool was_asked(const struct story *story, const char *what)
{
    uint8_t *text = NULL;
    size_t size;
    struct gm_err err;
    assert_int_equal(gm_fs_read(story->server.asked, 1 << 20, &text, &size, &err), 0);
    bool was = strstr((char *)text, what) != NULL;
    free(text);
    return was;
}

/* It may be stored for all that the node knows: its lease goes on while that may be. */
static void a_put_ends_with_its_lease(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    const char *const answers[] = {SCRIPT_STALL, NULL};
    begin(farm, &story, SIGNED, answers);
    uint64_t id = farm_assign(farm, "pieces", "1");
    while (!was_asked(&story, "piece 0")) {
        farm_turn(farm);
    }
    farm_cancel(farm, id);
    assert_int_equal(next_leases(farm), 1);
    assert_int_equal(next_leases(farm), 1);
    farm->renew = false;
    while (next_leases(farm) > 0) {
    }
    free(script_stop(&story.server));
}

/* Sent whole, and no answer came: the same holds between two tries. */
static void what_may_yet_be_stored_is_its_lease_s(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    const char *const answers[] = {"", "", "", "", "", NULL};
    begin(farm, &story, SIGNED, answers);
    uint64_t id = farm_assign(farm, "pieces", "1");
    while (!was_asked(&story, "piece 0")) {
        farm_turn(farm);
    }
    farm_cancel(farm, id);
    assert_int_equal(next_leases(farm), 1);
    assert_int_equal(next_leases(farm), 1);
    assert_int_equal(next_leases(farm), 1);
    farm->renew = false;
    while (next_leases(farm) > 0) {
    }
    free(script_stop(&story.server));
}

static char *object_url(struct story *story)
{
    snprintf(story->url, sizeof(story->url), "%s/bkt/chunk?X-Amz-Signature=5ec2e7",
             story->server.url);
    return story->url;
}

/* A task that reads that object, which is `text` where all is well; as a result of another. */
static uint64_t assign_reader(struct farm *farm, char *source, char *url, const char *text)
{
    uint8_t hash[GM_SHA256_SIZE];
    Gm__Object first;
    Gm__Object object;
    Gm__Object *list[] = {&object};
    Gm__TaskResult result = GM__TASK_RESULT__INIT;
    Gm__TaskResult *results[] = {&result};
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    gm_sha256(text, strlen(text), hash);
    gm__object__init(&first);
    first.url = source;
    first.key = (char *)(uintptr_t) "source.mp4";
    first.size = 6;
    gm__object__init(&object);
    object.url = url;
    object.key = (char *)(uintptr_t) "chunk";
    object.size = strlen(text);
    object.sha256 = (ProtobufCBinaryData){sizeof(hash), hash};
    result.task = (char *)(uintptr_t) "plan";
    result.objects = list;
    result.n_objects = 1;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = &first;
    spec.results = results;
    spec.n_results = 1;
    spec.inputs_complete = true;
    return farm_assign_spec(farm, &spec);
}

static void an_object_is_fetched_once(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    char *source = farm_object(farm, "source.mp4", "SOURCE", 6);
    const char *const answers[] = {BAD("500 E", "InternalError"), BODY("9") "its ",
                                   BODY("9") "its bytes", BODY("9") "its bytes", NULL};
    script_start(&story.server, answers);
    for (int i = 0; i < 2; i++) {
        farm_expect_done(farm, assign_reader(farm, source, object_url(&story), "its bytes"));
        char *joined = farm_stored(farm, "joined");
        assert_string_equal(joined, "SOURCEits bytes");
        free(joined);
        farm_remove_object(farm, "joined");
    }
    char *asked = script_stop(&story.server);
    assert_true(count(asked, "GET /bkt/chunk?") >= 3);
    (void)next_leases(farm);
    (void)next_leases(farm); /* its Renew was sent after all that */
    assert_int_equal(farm->counters.cache_hits, 1);
    assert_true(farm->counters.cache_misses >= 1);
    assert_int_equal(farm->counters.fetched_bytes, 9);
    assert_int_equal(farm->counters.read_bytes, 30);
    assert_int_equal(farm->counters.written_bytes, 30);
    assert_int_equal(farm->counters.cache_bytes, 9);
    free(asked);
    free(source);
}

static void an_object_that_is_another_is_not_taken(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    char *source = farm_object(farm, "source.mp4", "SOURCE", 6);
    const char *const answers[] = {BODY("9") "its bites", BODY("3") "its",
                                   BAD("404 No", "NoSuchKey"), NULL};
    script_start(&story.server, answers);
    for (int i = 0; i < 3; i++) {
        farm_expect_failed(farm, assign_reader(farm, source, object_url(&story), "its bytes"),
                           GM_E_STORE_CORRUPT, 0);
    }
    free(script_stop(&story.server));
    farm_expect_healthy(farm);
    free(source);
}

/* The next attempt has another. */
static void an_object_whose_url_is_over_is_not_denied(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    char *source = farm_object(farm, "source.mp4", "SOURCE", 6);
    const char *const denied = BAD("403 No", "AccessDenied");
    const char *const answers[] = {denied, denied, denied, denied, denied, denied, NULL};
    script_start(&story.server, answers);
    snprintf(story.url, sizeof(story.url),
             "%s/bkt/chunk?X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600", story.server.url);
    farm_expect_failed(farm, assign_reader(farm, source, story.url, "its bytes"), GM_E_TIMEOUT, 0);
    free(script_stop(&story.server));
    free(source);
}

static void what_was_put_here_is_not_fetched(void **state)
{
    struct farm *farm = *state;
    struct story story = {.grants = 0};
    char *source = farm_object(farm, "source.mp4", "SOURCE", 6);
    const char *const answers[] = {OK, NULL};
    begin(farm, &story, SIGNED, answers);
    expect_piece(farm, farm_assign(farm, "pieces", "1"));
    farm->grant = NULL;
    farm_expect_done(farm, assign_reader(farm, source, object_url(&story), "piece 0"));
    char *joined = farm_stored(farm, "joined");
    assert_string_equal(joined, "SOURCEpiece 0");
    free(joined);
    char *asked = script_stop(&story.server);
    assert_null(strstr(asked, "GET "));
    free(asked);
    free(source);
}

#define WITH(farm, test)                                                                           \
    cmocka_unit_test_prestate_setup_teardown(test, farm_setup, farm_teardown,                      \
                                             (void *)(uintptr_t) & (farm))

static const struct farm CLOCK = {.unix_ms = 1790000000000};

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(PLAIN, a_piece_is_put_by_its_url),
        WITH(PLAIN, a_store_may_want_an_md5),
        WITH(PLAIN, what_was_written_to_since_is_not_put),
        WITH(CLOCK, a_grant_whose_time_was_over_is_asked_for_anew),
        WITH(PLAIN, what_a_store_refuses_fails_its_task),
        WITH(PLAIN, a_url_that_is_refused_is_asked_for_anew),
        WITH(SHORT, a_put_ends_with_its_lease),
        WITH(SHORT, what_may_yet_be_stored_is_its_lease_s),
        WITH(PLAIN, an_object_is_fetched_once),
        WITH(PLAIN, an_object_that_is_another_is_not_taken),
        WITH(CLOCK, an_object_whose_url_is_over_is_not_denied),
        WITH(PLAIN, what_was_put_here_is_not_fetched),
    };
    fake_worker_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
