/* GPUs that decode for tasks of the processors: what becomes of their state, without processes, as
 * of several GPUs, and of failures that a farm can't be brought to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/log.h"
#include "node/agent_state.h"

#define SLOTS 4
#define GPUS 2

struct fixture {
    struct gm_agent agent;
    struct gm_agent_slot slots[SLOTS + 1];
    struct gm_agent_device devices[1 + GPUS];
    struct gm_agent_device *first, *second; /* the GPUs */
    struct gm_task tasks[SLOTS];
};

static void on_ready(struct gm_slot *slot, const Gm__WReady *ready, void *arg)
{
    (void)slot;
    (void)ready;
    (void)arg;
}

static void on_message(struct gm_slot *slot, const Gm__WorkerMessage *msg, void *arg)
{
    (void)slot;
    (void)msg;
    (void)arg;
}

static void on_gone(struct gm_slot *slot, const struct gm_err *why, bool ready, void *arg)
{
    (void)slot;
    (void)why;
    (void)ready;
    (void)arg;
}

static void add_gpu(struct gm_device_list *list, const char *id, const char *uuid)
{
    const struct gm_device_codec codec = {
        .api = "nvdec", .codec = "h264", .chroma = 420, .depth = 8, .engines = 4};
    const struct gm_device_proof proof = {
        .api = "nvdec", .codec = "h264", .depth = 8, .passed = true};
    struct gm_device *device = NULL;
    struct gm_err err;
    assert_int_equal(gm_device_get(list, id, GM_DEVICE_NVIDIA, &device, &err), 0);
    gm_device_set(device->uuid, uuid);
    assert_true(gm_device_add_codec(device, false, &codec));
    assert_true(gm_device_add_proof(device, &proof));
}

/* The loop never runs: no process is started. */
static int setup(void **state)
{
    static const struct gm_slot_params process = {
        .launcher = "/nonexistent", .worker = "/nonexistent", .scratch = "/nonexistent"};
    static const struct gm_slot_handler handler = {
        .on_ready = on_ready, .on_message = on_message, .on_gone = on_gone};
    struct fixture *f = calloc(1, sizeof(*f));
    struct gm_device *device = NULL;
    struct gm_err err;
    assert_non_null(f);
    gm_log_init("node", GM_LOG_ERROR, false);
    assert_int_equal(uv_loop_init(&f->agent.loop), 0);
    assert_int_equal(gm_device_get(&f->agent.found, "cpu", GM_DEVICE_CPU, &device, &err), 0);
    add_gpu(&f->agent.found, "0000:3b:00.0", "GPU-00000000-1111-2222-3333-444444444444");
    add_gpu(&f->agent.found, "0000:af:00.0", "GPU-00000000-1111-2222-3333-555555555555");
    f->agent.params.decode_slots = SLOTS;
    f->agent.slots = f->slots;
    f->agent.slot_count = SLOTS;
    f->agent.devices = f->devices;
    f->agent.device_count = 1 + GPUS;
    f->devices[0].is_cpu = true;
    f->devices[0].slot_count = SLOTS;
    for (size_t i = 0; i <= GPUS; i++) {
        f->devices[i].found = &f->agent.found.devices[i];
    }
    f->first = &f->devices[1];
    f->second = &f->devices[2];
    for (uint32_t i = 0; i < SLOTS; i++) {
        f->slots[i].agent = &f->agent;
        f->slots[i].device = &f->devices[0];
        f->slots[i].index = i;
        assert_int_equal(
            gm_slot_create(&f->agent.loop, &process, &handler, &f->slots[i].process, &err), 0);
    }
    gm_agent_assist_open(&f->agent, f->first);
    gm_agent_assist_open(&f->agent, f->second);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < SLOTS; i++) {
        gm_slot_destroy(&f->slots[i].process);
    }
    uv_run(&f->agent.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->agent.loop), 0);
    gm_device_list_fini(&f->agent.found);
    free(f);
    return 0;
}

static void worker_that_the_agent_could_not_start_is_not_the_gpus(void **state)
{
    static const enum gm_code ours[] = {GM_E_SYS, GM_E_NOMEM, GM_E_CANCELLED, GM_E_BUSY};
    static const enum gm_code its[] = {GM_E_WORKER_DIED, GM_E_WORKER_HUNG, GM_E_SANDBOX};
    struct fixture *f = *state;
    struct gm_err why;
    gm_agent_assist_judge(&f->agent, f->first);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        gm_err_set(&why, ours[i], EMFILE, "could not make a socket pair");
        gm_agent_assist_not_ready(&f->slots[0], &why);
        assert_int_equal(gm_agent_assist_slots(&f->agent, f->first), SLOTS);
        assert_false(f->first->distrusted);
    }
    for (size_t i = 0; i < sizeof(its) / sizeof(its[0]); i++) {
        struct gm_device_proof proof = {
            .api = "nvdec", .codec = "h264", .depth = 8, .passed = true};
        gm_err_set(&why, its[i], 0, "as it was told");
        gm_agent_assist_not_ready(&f->slots[0], &why);
        assert_int_equal(gm_agent_assist_slots(&f->agent, f->first), 0);
        assert_true(f->first->distrusted);
        assert_true(gm_device_add_proof(f->first->found, &proof));
        gm_agent_assist_judge(&f->agent, f->first);
        assert_int_equal(gm_agent_assist_slots(&f->agent, f->first), SLOTS);
    }
}

/* Tasks on the first slots, which the first GPU decodes for. */
static void run_tasks(struct fixture *f, uint32_t count)
{
    f->agent.tasks = NULL;
    for (uint32_t i = 0; i < SLOTS; i++) {
        f->tasks[i] = (struct gm_task){.agent = &f->agent};
        f->slots[i].task = i < count ? &f->tasks[i] : NULL;
        if (i < count) {
            f->tasks[i].slot = &f->slots[i];
            f->tasks[i].gpu = f->first;
            f->tasks[i].next = f->agent.tasks;
            f->agent.tasks = &f->tasks[i];
        }
    }
}

/* Fewer slots than it would decode for. */
static void gpu_that_works_for_all_its_slots_is_not_full(void **state)
{
    struct fixture *f = *state;
    f->first->assist.most = SLOTS + 2;
    gm_agent_assist_judge(&f->agent, f->first);
    f->first->assist.full = 3;
    run_tasks(f, SLOTS - 1);
    gm_agent_assist_worked(&f->tasks[0]);
    assert_int_equal(f->first->assist.full, 3);
    run_tasks(f, SLOTS);
    gm_agent_assist_worked(&f->tasks[0]);
    assert_int_equal(f->first->assist.full, 0);
}

static void fail_for_memory(struct gm_task *task)
{
    struct gm_err why;
    gm_err_set(&why, GM_E_DEVICE_MEMORY, 0, "as it was told");
    gm_agent_assist_failed(task, &why);
}

/* Another proof says nothing of its memory; one that it came back by begins anew. */
static void gpu_that_was_full_is_when_it_is_proved_again(void **state)
{
    struct fixture *f = *state;
    gm_agent_assist_judge(&f->agent, f->first);
    run_tasks(f, 2);
    fail_for_memory(&f->tasks[1]);
    assert_int_equal(f->first->assist.allowed, 1);
    gm_agent_assist_judge(&f->agent, f->first);
    assert_int_equal(f->first->assist.allowed, 1);
    gm_agent_assist_stop(&f->agent, f->first);
    gm_agent_assist_judge(&f->agent, f->first);
    assert_int_equal(f->first->assist.allowed, SLOTS);
}

/* More slots than it would decode for. */
static void gpu_that_works_for_as_many_as_wanted_is_not_full(void **state)
{
    struct fixture *f = *state;
    f->first->assist.most = 2;
    gm_agent_assist_judge(&f->agent, f->first);
    f->first->assist.full = 3;
    run_tasks(f, 1);
    gm_agent_assist_worked(&f->tasks[0]);
    assert_int_equal(f->first->assist.full, 3);
    run_tasks(f, 2);
    gm_agent_assist_worked(&f->tasks[1]);
    assert_int_equal(f->first->assist.full, 0);
}

/* One decoder of two was refused: a task of the device's own that works alone says nothing. */
static void gpu_that_decodes_for_itself_too_is_full_until_both_work(void **state)
{
    struct fixture *f = *state;
    f->devices[0].slot_count = 1;
    f->first->slot_count = 2;
    f->first->assist.most = 2;
    gm_agent_assist_judge(&f->agent, f->first);
    f->first->found->kind = GM_DEVICE_DRM;
    f->first->state = GM_AGENT_OFFERED;
    f->first->assist.full = 3;
    run_tasks(f, 1);
    gm_agent_assist_worked(&f->tasks[0]);
    assert_int_equal(f->first->assist.full, 3);
    run_tasks(f, 2);
    gm_agent_assist_worked(&f->tasks[1]);
    assert_int_equal(f->first->assist.full, 0);
}

static uint32_t count_of(const struct fixture *f, const struct gm_agent_device *d)
{
    return gm_agent_assist_slots(&f->agent, d);
}

static void gpu_that_comes_later_gets_its_part(void **state)
{
    struct fixture *f = *state;
    gm_agent_assist_judge(&f->agent, f->first);
    assert_int_equal(count_of(f, f->first), 4);
    run_tasks(f, 2);
    f->first->dirty = false;
    gm_agent_assist_judge(&f->agent, f->second);
    assert_int_equal(count_of(f, f->first), 2);
    assert_int_equal(count_of(f, f->second), 2);
    assert_ptr_equal(f->slots[0].gpu, f->first); /* those at work stay */
    assert_ptr_equal(f->slots[1].gpu, f->first);
    assert_true(f->first->dirty); /* it is told for how many it decodes now */
    gm_agent_assist_judge(&f->agent, f->second);
    assert_int_equal(count_of(f, f->first), 2);
    gm_agent_assist_stop(&f->agent, f->first);
    assert_int_equal(count_of(f, f->first), 0);
    assert_int_equal(count_of(f, f->second), 4);
    gm_agent_assist_judge(&f->agent, f->first);
    assert_int_equal(count_of(f, f->first), 2);
    assert_int_equal(count_of(f, f->second), 2);
}

static void slots_at_work_change_when_they_are_free(void **state)
{
    struct fixture *f = *state;
    gm_agent_assist_judge(&f->agent, f->first);
    run_tasks(f, 3);
    gm_agent_assist_judge(&f->agent, f->second);
    assert_int_equal(count_of(f, f->first), 2);
    assert_int_equal(count_of(f, f->second), 2);
    assert_ptr_equal(f->slots[3].gpu, f->second); /* the free one first */
    assert_ptr_equal(f->tasks[0].gpu, f->first);
}

static void gpu_gets_no_more_than_it_takes(void **state)
{
    struct fixture *f = *state;
    f->second->assist.most = 1;
    gm_agent_assist_judge(&f->agent, f->first);
    gm_agent_assist_judge(&f->agent, f->second);
    assert_int_equal(count_of(f, f->first), 3);
    assert_int_equal(count_of(f, f->second), 1);
}

static void one_slot_more_is_fair(void **state)
{
    struct fixture *f = *state;
    f->devices[0].slot_count = 3;
    gm_agent_assist_judge(&f->agent, f->first);
    gm_agent_assist_judge(&f->agent, f->second);
    assert_int_equal(count_of(f, f->first), 2);
    assert_int_equal(count_of(f, f->second), 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(worker_that_the_agent_could_not_start_is_not_the_gpus),
        CASE(gpu_that_works_for_all_its_slots_is_not_full),
        CASE(gpu_that_was_full_is_when_it_is_proved_again),
        CASE(gpu_that_works_for_as_many_as_wanted_is_not_full),
        CASE(gpu_that_decodes_for_itself_too_is_full_until_both_work),
        CASE(gpu_that_comes_later_gets_its_part),
        CASE(slots_at_work_change_when_they_are_free),
        CASE(gpu_gets_no_more_than_it_takes),
        CASE(one_slot_more_is_fair),
    };
    return cmocka_run_group_tests_name("node/agent_assist, its state", tests, NULL, NULL);
}
