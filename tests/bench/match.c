/* What it costs to find a device for a unit: the scheduler's index beside a walk over all devices.
 *   match [NODES [MATCHES]]            10000 nodes, 20000 matches
 *   match NODES MATCHES half|full [measured]
 * A random farm, half full, and demands that differ in each dimension; each match asks, takes what
 * was found and gives another lease back, so the upkeep of the index is in both figures. Then the
 * same where no slot is free. Prints processor time a match, and the ratio. The second form asks
 * the index alone, in one of the cases; what one match costs is then the instructions of
 * `index_alone` over MATCHES: valgrind --tool=callgrind --toggle-collect=index_alone bench_match
 * 10000 2000 half */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "scheduler/core/farm_io.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/place.h"
#include "scheduler/core/walk_io.h"

#define ASKS 1024u

typedef bool (*find_fn)(struct gm_core *core, const struct gm_unit *unit,
                        const struct gm_chain_wish *wish, struct gm_assignment *a);

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* As placement asks: the slots first, then the device. */
static bool match(struct farm *farm, const struct farm_ask *ask, find_fn find,
                  struct gm_assignment *a)
{
    uint64_t unused;
    if (find == walk_find_device) {
        (void)walk_slots(farm->core, &ask->wish, &unused);
    } else {
        (void)gm_core_slots(farm->core, &ask->wish, &unused);
        if (gm_core_is_parked(farm->core, &ask->wish, &ask->demand)) {
            return false;
        }
    }
    return unused > 0 && find(farm->core, &ask->unit, &ask->wish, a);
}

/* Nanoseconds a match; what it took is given back. */
static double measure(struct farm *farm, struct farm_ask *asks, find_fn find, uint32_t matches,
                      uint32_t *out_found)
{
    double begin = now_ns();
    *out_found = 0;
    for (uint32_t i = 0; i < matches; i++) {
        struct farm_ask *ask = &asks[i % ASKS];
        struct gm_assignment a = {.inst = &ask->inst, .demand = ask->demand};
        if (match(farm, ask, find, &a)) {
            farm_start(farm, a.device, &a.demand);
            farm_end(farm);
            ++*out_found;
        }
    }
    return (now_ns() - begin) / matches;
}

/* A function of its own, for a profiler to find. */
static __attribute__((noinline)) double index_alone(struct farm *farm, struct farm_ask *asks,
                                                    uint32_t matches, uint32_t *out_found)
{
    return measure(farm, asks, gm_core_find_device, matches, out_found);
}

static void compare(const char *what, struct farm *farm, struct farm_ask *asks, uint32_t matches)
{
    uint32_t found, walked, fewer = matches / 100 + 1;
    double index = index_alone(farm, asks, matches, &found);
    double walk = measure(farm, asks, walk_find_device, fewer, &walked);
    printf("%s: %.0f ns a match (%.0f %% found a device), %.0f ns by a walk: 1/%.0f of it\n", what,
           index, 100.0 * found / matches, walk, walk / index);
}

static void fill(struct farm *farm, const struct farm_ask *asks, uint64_t most)
{
    uint32_t failed = 0;
    uint64_t unused;
    uint64_t slots = gm_core_slots(farm->core, NULL, &unused);
    for (uint32_t i = 0; failed < ASKS && slots - unused < most; i++) {
        const struct farm_ask *ask = &asks[i % ASKS];
        struct gm_assignment a = {.inst = (struct gm_inst *)&ask->inst, .demand = ask->demand};
        if (gm_core_find_device(farm->core, &ask->unit, &ask->wish, &a)) {
            farm_start(farm, a.device, &a.demand);
            failed = 0;
        } else {
            failed++;
        }
        slots = gm_core_slots(farm->core, NULL, &unused);
    }
}

static struct farm *prepare(uint32_t nodes, bool measured, struct farm_ask *asks)
{
    struct farm *farm = farm_create(1, nodes, true, measured);
    for (uint32_t i = 0; i < ASKS; i++) {
        do {
            farm_ask(farm, &asks[i]);
        } while (strcmp(asks[i].wish.name, "qsv") == 0); /* no node has it */
    }
    fill(farm, asks, nodes * UINT64_C(2));
    return farm;
}

static void run(const char *what, uint32_t nodes, uint32_t matches, bool measured,
                struct farm_ask *asks)
{
    struct farm *farm = prepare(nodes, measured, asks);
    printf("%u nodes, %s\n", nodes, what);
    compare("half full", farm, asks, matches);
    fill(farm, asks, UINT64_MAX);
    compare("full", farm, asks, matches);
    farm_destroy(farm);
}

static void run_one(uint32_t nodes, uint32_t matches, bool full, bool measured,
                    struct farm_ask *asks)
{
    uint32_t found;
    struct farm *farm = prepare(nodes, measured, asks);
    if (full) {
        fill(farm, asks, UINT64_MAX);
    }
    double ns = index_alone(farm, asks, matches, &found);
    printf("%.0f ns a match, %.0f %% found a device\n", ns, 100.0 * found / matches);
    farm_destroy(farm);
}

int main(int argc, char **argv)
{
    uint32_t nodes = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    uint32_t matches = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 20000;
    struct farm_ask *asks = calloc(ASKS, sizeof(*asks));
    if (!asks || nodes == 0 || nodes > GM_CORE_MAX_NODES || matches == 0) {
        fprintf(stderr, "match: 1..%u nodes, and some matches\n", GM_CORE_MAX_NODES);
        free(asks);
        return 2;
    }
    if (argc > 3) {
        run_one(nodes, matches, strcmp(argv[3], "full") == 0, argc > 4, asks);
    } else {
        run("not measured", nodes, matches, false, asks);
        run("measured", nodes, matches, true, asks);
    }
    free(asks);
    return 0;
}
