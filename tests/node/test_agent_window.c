#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

int main(void)
{
    fake_worker_main();
    static struct farm farm;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(a_worker_reads_a_server_through_its_agent,
                                                 farm_setup, farm_teardown, &farm),
        cmocka_unit_test_prestate_setup_teardown(what_a_server_refuses_fails_the_task, farm_setup,
                                                 farm_teardown, &farm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
