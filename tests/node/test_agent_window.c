#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/fake_io.h"
#include "node/range_server.h"

#define SIZE (((uint64_t)5 << 19) + 77) /* 2.5 MiB and some bytes */

/* A task that reads all of the server's file: as object "joined" of its result. */
static uint64_t assign(struct farm *farm, char *url, char *etag)
{
    Gm__Object source = GM__OBJECT__INIT;
    source.url = url;
    source.etag = etag;
    source.key = (char *)(uintptr_t) "clip";
    source.size = SIZE;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = &source;
    spec.inputs_complete = true;
    return farm_assign_spec(farm, &spec);
}

static void a_worker_reads_a_server_through_its_agent(void **state)
{
    struct farm *farm = *state;
    struct range_server server;
    char *etag = (char *)(uintptr_t) "\"e1\"";
    range_start(&server, SIZE);
    for (int i = 0; i < 2; i++) { /* the second time it is there */
        assign(farm, server.url, etag);
        Gm__Envelope *done = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
        assert_int_equal(done->done->usage->bytes_in, i == 0 ? SIZE : 0);
        farm_ack(farm, done->seq, false);
        gm__envelope__free_unpacked(done, NULL);
        char *stored = farm_stored(farm, "joined");
        for (uint64_t at = 0; at < SIZE; at++) {
            if ((uint8_t)stored[at] != range_byte(at)) {
                fail_msg("byte %llu is wrong", (unsigned long long)at);
            }
        }
        free(stored);
        farm_remove_object(farm, "joined");
    }
    assert_int_equal(server.told->sent, SIZE);
    range_stop(&server);
}

static void what_a_server_refuses_fails_the_task(void **state)
{
    struct farm *farm = *state;
    struct range_server server;
    range_start(&server, SIZE);
    farm_expect_failed(farm, assign(farm, server.url, (char *)(uintptr_t) "\"e2\""),
                       GM_E_INPUT_CHANGED, 0);
    server.told->fail = 1;
    server.told->fail_status = 404;
    farm_expect_failed(farm, assign(farm, server.url, (char *)(uintptr_t) ""), GM_E_INPUT_MISSING,
                       0);
    range_stop(&server);
    farm_expect_healthy(farm);
}

/* ---- uploads, which lie in parts */

#define FIRST ((uint64_t)1 << 20)

static uint64_t assign_upload(struct farm *farm)
{
    Gm__PartRun first = GM__PART_RUN__INIT, last = GM__PART_RUN__INIT;
    Gm__PartRun *parts[] = {&first, &last};
    Gm__Object source = GM__OBJECT__INIT;
    first.count = 2;
    first.size = FIRST / 2;
    last.count = 1;
    last.size = SIZE - FIRST;
    source.url = (char *)(uintptr_t) "upload:01JZZZZZZZZZZZZZZZZZZZZZZZ";
    source.key = (char *)(uintptr_t) "clip";
    source.size = SIZE;
    source.parts = parts;
    source.n_parts = 2;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "read";
    spec.source = &source;
    spec.inputs_complete = true;
    return farm_assign_spec(farm, &spec);
}

/* The next one, of that task, for `count` parts from `first` on. Its number. */
static uint64_t expect_ask(struct farm *farm, uint64_t id, uint32_t first, size_t count)
{
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PARTS_ASK);
    const Gm__PartsAsk *ask = env->parts_ask;
    uint64_t request = ask->request;
    assert_int_equal(ask->task_id, id);
    assert_int_equal(ask->term, farm->term);
    assert_int_equal(ask->epoch, id + 100);
    assert_int_equal(ask->n_parts, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(ask->parts[i], first + i);
    }
    gm__envelope__free_unpacked(env, NULL);
    return request;
}

static void send_answer(struct farm *farm, Gm__PartsAnswer *answer)
{
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_PARTS_ANSWER;
    env.parts_answer = answer;
    farm_send(farm, &env);
}

static void send_part(struct farm *farm, const struct range_server *server, uint64_t request,
                      uint32_t index)
{
    uint64_t at = index * FIRST / 2, end = index == 2 ? SIZE : at + FIRST / 2;
    char url[160];
    snprintf(url, sizeof(url), "%.*s/part-%llu-%llu", (int)(strlen(server->url) - strlen("/clip")),
             server->url, (unsigned long long)at, (unsigned long long)(end - at));
    Gm__PartUrl part = GM__PART_URL__INIT, *list = &part;
    Gm__PartsAnswer answer = GM__PARTS_ANSWER__INIT;
    part.index = index;
    part.url = url;
    answer.request = request;
    answer.urls = &list;
    answer.n_urls = 1;
    send_answer(farm, &answer);
}

static void a_task_waits_for_the_parts_of_its_upload(void **state)
{
    struct farm *farm = *state;
    struct range_server server;
    range_start(&server, SIZE);
    assert_true(farm->hello->parts);
    uint64_t id = assign_upload(farm);
    uint64_t first = expect_ask(farm, id, 0, 2); /* the first block */
    usleep(2000);                                /* which its reader waits for */
    send_part(farm, &server, first, 1);
    farm_refuse(farm, GM_E_UNREACHABLE); /* who said so has forgotten it */
    uint64_t again = expect_ask(farm, id, 0, 1);
    send_part(farm, &server, again + 1, 0); /* nobody's */
    send_part(farm, &server, again, 0);
    send_part(farm, &server, expect_ask(farm, id, 2, 1), 2);
    Gm__Envelope *done = farm_expect(farm, GM__ENVELOPE__BODY_DONE);
    assert_int_equal(done->done->task_id, id);
    assert_true(done->done->usage->fetch_ms > 0);
    farm_ack(farm, done->seq, false);
    gm__envelope__free_unpacked(done, NULL);
    char *stored = farm_stored(farm, "joined");
    for (uint64_t at = 0; at < SIZE; at++) {
        if ((uint8_t)stored[at] != range_byte(at)) {
            fail_msg("byte %llu is wrong", (unsigned long long)at);
        }
    }
    free(stored);
    range_stop(&server);
}

/* The next one for just those; others may be under way, or repeated. Its number. */
static uint64_t await_ask(struct farm *farm, uint32_t first, size_t count)
{
    uint64_t request = 0;
    while (request == 0) {
        Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PARTS_ASK);
        const Gm__PartsAsk *ask = env->parts_ask;
        request = ask->parts[0] == first && ask->n_parts == count ? ask->request : 0;
        gm__envelope__free_unpacked(env, NULL);
    }
    return request;
}

static void what_does_not_come_is_asked_for_again(void **state)
{
    struct farm *farm = *state;
    struct range_server server;
    range_start(&server, SIZE);
    uint64_t id = assign_upload(farm);
    uint64_t request = expect_ask(farm, id, 0, 2);         /* as if it was lost */
    assert_int_equal(expect_ask(farm, id, 0, 2), request); /* in its place, where it was not */
    send_part(farm, &server, request, 1);
    assert_int_equal(await_ask(farm, 0, 1), request);
    send_part(farm, &server, request, 0);
    send_part(farm, &server, await_ask(farm, 2, 1), 2);
    Gm__Envelope *env = farm_next(farm);
    while (env->body_case == GM__ENVELOPE__BODY_PARTS_ASK) {
        gm__envelope__free_unpacked(env, NULL);
        env = farm_next(farm);
    }
    assert_int_equal(env->body_case, GM__ENVELOPE__BODY_DONE);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    range_stop(&server);
}

static void an_upload_that_ends_fails_its_task(void **state)
{
    struct farm *farm = *state;
    Gm__Error error = GM__ERROR__INIT;
    Gm__PartsAnswer answer = GM__PARTS_ANSWER__INIT;
    uint64_t id = assign_upload(farm);
    answer.request = expect_ask(farm, id, 0, 2);
    answer.error = &error;
    error.code = GM_E_INPUT_MISSING;
    error.text = (char *)(uintptr_t) "the upload has ended";
    send_answer(farm, &answer);
    farm_expect_failed(farm, id, GM_E_INPUT_MISSING, 0);
    farm_expect_healthy(farm);
}

int main(void)
{
    fake_worker_main();
    static struct farm farm;
    static struct farm soon = {.parts_again_ms = 300};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(a_worker_reads_a_server_through_its_agent,
                                                 farm_setup, farm_teardown, &farm),
        cmocka_unit_test_prestate_setup_teardown(what_a_server_refuses_fails_the_task, farm_setup,
                                                 farm_teardown, &farm),
        cmocka_unit_test_prestate_setup_teardown(a_task_waits_for_the_parts_of_its_upload,
                                                 farm_setup, farm_teardown, &farm),
        cmocka_unit_test_prestate_setup_teardown(what_does_not_come_is_asked_for_again, farm_setup,
                                                 farm_teardown, &soon),
        cmocka_unit_test_prestate_setup_teardown(an_upload_that_ends_fails_its_task, farm_setup,
                                                 farm_teardown, &farm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
