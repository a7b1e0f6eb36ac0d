/* What the scheduler's core does for a crowd that wants nothing: 10,000 nodes and 10,000 jobs.
 *   crowd [NODES [JOBS [SECONDS]]]
 * Each job wants to be inspected; as many are as there are slots, the others wait. Then time
 * passes, a tick each 50 ms. Prints processor time a tick. For instructions, which are the same on
 * a busy machine: valgrind --tool=callgrind --toggle-collect=pass_time */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "scheduler/core/farm_io.h"

#define TICK (50 * GM_MS)

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void step(struct farm *farm, const struct gm_event *event)
{
    struct gm_effects fx = {0};
    struct gm_err err;
    if (gm_core_step(farm->core, event, farm->now, &fx, &err) < 0) {
        fail_msg("%s", err.text);
    }
    gm_effects_fini(&fx);
}

static void submit(struct farm *farm, uint32_t number)
{
    static const char *const names[] = {"inspect", "plan", "split"};
    char *needs[] = {(char *)"inspect", (char *)"plan"};
    Gm__PipelineTask tasks[3], *list[3];
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    char id[32], destination[64];
    for (size_t i = 0; i < 3; i++) {
        gm__pipeline_task__init(&tasks[i]);
        tasks[i].name = tasks[i].type = (char *)(uintptr_t)names[i];
        tasks[i].needs = i > 0 ? &needs[i - 1] : NULL;
        tasks[i].n_needs = i > 0 ? 1 : 0;
        list[i] = &tasks[i];
    }
    pipeline.tasks = list;
    pipeline.n_tasks = 3;
    (void)snprintf(id, sizeof(id), "job-%u", number);
    (void)snprintf(destination, sizeof(destination), "file:///out/%u", number);
    struct gm_submit s = {.job_id = id,
                          .pipeline = &pipeline,
                          .source_url = "file:///in.mp4",
                          .source_name = "in.mp4",
                          .destination_url = destination,
                          .priority = 50};
    step(farm, &(struct gm_event){.type = GM_EV_SUBMIT, .submit = &s});
}

/* Not inlined: callgrind is told of it. */
__attribute__((noinline)) static void pass_time(struct farm *farm, uint32_t ticks)
{
    for (uint32_t i = 0; i < ticks; i++) {
        farm->now += TICK;
        step(farm, &(struct gm_event){.type = GM_EV_TICK, .unix_ms = farm->now / GM_MS});
    }
}

int main(int argc, char **argv)
{
    uint32_t nodes = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    uint32_t jobs = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000;
    uint32_t ticks = 20 * (argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 10);
    struct farm *farm = farm_create(1, nodes, true, false);
    farm->core->params.max_jobs = jobs;
    farm->core->lease_time = GM_CORE_LONGEST; /* nobody renews here */
    for (uint32_t i = 0; i < jobs; i++) {
        submit(farm, i);
    }
    double begin = now_us();
    pass_time(farm, ticks);
    printf("%u nodes, %u jobs: %.1f us a tick\n", nodes, jobs, (now_us() - begin) / ticks);
    farm_destroy(farm);
    return 0;
}
