#include "kernels/fibers_io.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "kernels/device.h"

#define STACK (128 * 1024)
#define GUARD 64
#define DIRT 0xa5

struct fiber {
    struct gm_lane lane;
    ucontext_t context;
    struct block *block;
    uint8_t *stack; /* owned */
    int at;         /* the barrier it waits at; 0: none */
    bool done;
};

struct block {
    gm_twin_fn run;
    const void *args;
    int drop;
    ucontext_t home;
    struct fiber *fibers;
};

static void barrier(void *arg, int number)
{
    struct fiber *f = arg;
    if (number != f->block->drop) {
        f->at = number;
        swapcontext(&f->context, &f->block->home);
    }
}

static void enter(unsigned high, unsigned low)
{
    struct fiber *f = (struct fiber *)(((uintptr_t)high << 32) | low);
    f->block->run(&f->lane, f->block->args);
    f->at = 0;
    f->done = true;
}

static void start(struct fiber *f)
{
    uintptr_t self = (uintptr_t)f;
    f->done = false;
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = &f->block->home;
    makecontext(&f->context, (void (*)(void))enter, 2, (unsigned)(self >> 32), (unsigned)self);
}

/* Every thread to its next barrier, or its end. */
static enum fibers_end pass(struct block *b, uint32_t threads, bool backward, bool *out_done)
{
    for (uint32_t i = 0; i < threads; i++) {
        swapcontext(&b->home, &b->fibers[backward ? threads - 1 - i : i].context);
    }
    for (uint32_t i = 1; i < threads; i++) {
        if (b->fibers[i].done != b->fibers[0].done || b->fibers[i].at != b->fibers[0].at) {
            return FIBERS_APART;
        }
    }
    *out_done = b->fibers[0].done;
    return FIBERS_OK;
}

static enum fibers_end run_block(struct block *b, uint32_t threads, bool backward, uint8_t *shared,
                                 size_t size)
{
    memset(shared, DIRT, size + GUARD);
    for (uint32_t i = 0; i < threads; i++) {
        start(&b->fibers[i]);
    }
    bool done = false;
    enum fibers_end end = FIBERS_OK;
    while (!done && end == FIBERS_OK) {
        end = pass(b, threads, backward, &done);
    }
    for (size_t i = size; end == FIBERS_OK && i < size + GUARD; i++) {
        end = shared[i] == DIRT ? FIBERS_OK : FIBERS_OVERRUN;
    }
    return end;
}

enum fibers_end fibers_run(const struct gm_launch *launch, const void *args,
                           const struct fibers_how *how)
{
    uint32_t threads = how->threads > 0 ? how->threads : launch->threads;
    struct block b = {gm_twin_get(launch->kernel), args, how->drop, {0}, NULL};
    b.fibers = calloc(threads, sizeof *b.fibers);
    uint8_t *stacks = malloc((size_t)threads * STACK);
    uint8_t *shared = malloc(launch->shared_bytes + GUARD);
    GM_ASSERT(b.fibers != NULL && stacks != NULL && shared != NULL);
    enum fibers_end end = FIBERS_OK;
    for (uint32_t y = 0; end == FIBERS_OK && y < launch->grid_y; y++) {
        for (uint32_t x = 0; end == FIBERS_OK && x < launch->grid_x; x++) {
            for (uint32_t i = 0; i < threads; i++) {
                struct fiber *f = &b.fibers[i];
                f->lane = (struct gm_lane){i, threads, x, y, shared, barrier, f};
                f->block = &b;
                f->stack = stacks + (size_t)i * STACK;
            }
            end = run_block(&b, threads, how->backward, shared, launch->shared_bytes);
        }
    }
    free(shared);
    free(stacks);
    free(b.fibers);
    return end;
}
