/* Sources and results that hang when they are opened, read, looked at or closed. */
#include "node/agent.h"

#include <sys/stat.h>

#include "tests/node/held.h"

static const struct farm PLAIN = {.slots = 1};
static const struct farm STALLED = {.store_stall_ms = 3000};

/* One thread is lost: the others do what there is to do. */
static void open_that_hangs_fails_its_task_alone(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    Gm__TaskSpec spec = read_spec(make_object(farm, &source));
    hold_set(HOLD_OPEN, true);
    farm_expect_failed(farm, farm_assign_spec(farm, &spec), GM_E_STORE, 0);
    hold_until(farm, HOLD_OPEN, 1);
    farm_expect_healthy(farm);
    hold_let_go();
    farm_expect_done(farm, farm_assign_spec(farm, &spec));
    free(source.url);
}

static void reading_that_hangs_fails_its_task(void **state)
{
    struct farm *farm = *state;
    hold_set(HOLD_READ, true);
    farm_expect_failed(farm, farm_assign(farm, "pieces", "1"), GM_E_STORE, 0);
    hold_let_go();
    farm_expect_healthy(farm);
}

/* A task whose worker has its source open, and waits; what comes next of that kind hangs. */
static uint64_t hold_source(struct farm *farm, const Gm__Object *source, const char *how,
                            enum hold what)
{
    Gm__TaskSpec spec = read_spec((Gm__Object *)(uintptr_t)source);
    spec.type = (char *)(uintptr_t) "source";
    spec.source_name = (char *)(uintptr_t)how;
    spec.inputs_complete = false;
    uint32_t progress = farm->progress;
    uint64_t id = farm_assign_spec(farm, &spec);
    while (farm->progress == progress) {
        farm_turn(farm);
    }
    hold_set(what, true);
    end_inputs(farm, id);
    return id;
}

/* The agent goes on, and says what it says at every heartbeat. */
static void source_that_hangs_when_it_is_looked_at_again_holds_nothing_else(void **state)
{
    struct farm *farm = *state;
    static const char *const ends[] = {"", "fail"};
    for (size_t i = 0; i < 2; i++) {
        Gm__Object source;
        uint64_t id = hold_source(farm, make_object(farm, &source), ends[i], HOLD_LOOK);
        hold_until(farm, HOLD_LOOK, 1);
        until_heard(farm);
        farm_expect_failed(farm, id, i == 0 ? GM_E_STORE : GM_E_MEDIA, i == 0 ? 0 : -43);
        hold_let_go();
        farm_expect_healthy(farm);
        while (hold_threads(HOLD_LOOK) > 0) {
            farm_turn(farm);
        }
        free(source.url);
    }
}

static void source_that_changed_is_why_its_task_failed(void **state)
{
    struct farm *farm = *state;
    static const char *const ends[] = {"", "fail"};
    for (size_t i = 0; i < 2; i++) {
        Gm__Object source;
        uint64_t id = hold_source(farm, make_object(farm, &source), ends[i], HOLD_LOOK);
        hold_until(farm, HOLD_LOOK, 1);
        char path[192];
        snprintf(path, sizeof(path), "%s/store/source.mp4", farm->folder);
        const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        hold_let_go();
        farm_expect_failed(farm, id, GM_E_INPUT_CHANGED, 0);
        free(source.url);
    }
}

static void source_that_hangs_when_it_is_closed_holds_nothing_else(void **state)
{
    struct farm *farm = *state;
    Gm__Object source;
    uint64_t id = hold_source(farm, make_object(farm, &source), "fail", HOLD_CLOSE);
    farm_expect_failed(farm, id, GM_E_MEDIA, -43);
    hold_until(farm, HOLD_CLOSE, 1);
    until_heard(farm);
    free(source.url);
}

/* What the verifier reads of results is opened for it, and its end is the item's. */
static void open_of_the_verifier_that_hangs_fails_its_task(void **state)
{
    struct farm *farm = *state;
    Gm__Object object;
    Gm__Object *objects[] = {make_object(farm, &object)};
    Gm__TaskResult result = GM__TASK_RESULT__INIT;
    result.task = (char *)(uintptr_t) "plan";
    result.objects = objects;
    result.n_objects = 1;
    Gm__TaskResult *results[] = {&result};
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    spec.type = (char *)(uintptr_t) "encode";
    spec.source_name = (char *)(uintptr_t) "result";
    spec.results = results;
    spec.n_results = 1;
    spec.inputs_complete = true;
    hold_set(HOLD_OPEN, true);
    uint64_t id = farm_assign_spec(farm, &spec);
    hold_until(farm, HOLD_OPEN, 1);
    pid_t verifier = farm_worker(farm, "verify");
    farm_expect_failed(farm, id, GM_E_STORE, 0);
    assert_int_not_equal(farm_worker(farm, "verify"), verifier);
    hold_let_go();
    id = farm_assign_spec(farm, &spec);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    free(object.url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(STALLED, open_that_hangs_fails_its_task_alone),
        WITH(STALLED, reading_that_hangs_fails_its_task),
        WITH(STALLED, source_that_hangs_when_it_is_looked_at_again_holds_nothing_else),
        WITH(PLAIN, source_that_changed_is_why_its_task_failed),
        WITH(PLAIN, source_that_hangs_when_it_is_closed_holds_nothing_else),
        WITH(STALLED, open_of_the_verifier_that_hangs_fails_its_task),
    };
    return held_main(tests, sizeof tests / sizeof tests[0]);
}
