/* Where the simulated scheduler's core puts old items: memory that a restart makes worthless. */
#include "sim/sim_io.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 512u
#define REFUSED 5u /* every fifth block finds no room */

struct sim_shelf {
    uint8_t *data; /* owned */
    size_t size;
    uint64_t puts;
};

static int put(void *arg, uint64_t at, const void *data, size_t size)
{
    struct sim_shelf *shelf = arg;
    size_t end = (size_t)at + size;
    if (++shelf->puts % REFUSED == 0) {
        return -GM_E_NO_SCRATCH;
    }
    if (end > shelf->size) {
        shelf->data = realloc(shelf->data, end);
        assert_non_null(shelf->data);
        memset(shelf->data + shelf->size, 0xee, end - shelf->size);
        shelf->size = end;
    }
    memcpy(shelf->data + at, data, size);
    return 0;
}

static int get(void *arg, uint64_t at, void *out, size_t size)
{
    const struct sim_shelf *shelf = arg;
    assert_true(at + size <= shelf->size);
    memcpy(out, shelf->data + at, size);
    return 0;
}

struct gm_core_shelf sim_shelf_open(struct sim *sim)
{
    sim_shelf_close(sim);
    if (sim->params.seed % 2 == 0) {
        return (struct gm_core_shelf){.put = NULL};
    }
    sim->shelf = calloc(1, sizeof(*sim->shelf));
    assert_non_null(sim->shelf);
    return (struct gm_core_shelf){
        .put = put, .get = get, .arg = sim->shelf, .block_bytes = BLOCK_BYTES};
}

void sim_shelf_close(struct sim *sim)
{
    if (sim->shelf) {
        free(sim->shelf->data);
    }
    free(sim->shelf);
    sim->shelf = NULL;
}
