#include "kernels/cards_io.h"

#include <stdlib.h>
#include <string.h>

#define GUARD 64
#define FILL 0xc7

void card_init(struct card *c, uint32_t width_px, uint32_t height_px, bool deep, uint32_t slack,
               uint32_t shift)
{
    *c = (struct card){.width_px = width_px, .height_px = height_px, .deep = deep};
    for (int i = 0; i < 2; i++) {
        uint32_t rows = i == 0 ? height_px : (height_px + 1) / 2;
        uint32_t samples = i == 0 ? width_px : (width_px + 1) / 2 * 2;
        c->surface.stride[i] = (samples << (deep ? 1 : 0)) + slack;
        c->size[i] = 2 * GUARD + 16 + (size_t)c->surface.stride[i] * rows;
        c->memory[i] = aligned_alloc(16, (c->size[i] + 15) / 16 * 16);
        GM_ASSERT(c->memory[i] != NULL);
        memset(c->memory[i], FILL, c->size[i]);
        c->surface.plane[i] = (uintptr_t)c->memory[i] + GUARD + shift;
    }
}

void card_fini(struct card *c)
{
    free(c->memory[0]);
    free(c->memory[1]);
    *c = (struct card){0};
}

uint32_t card_random(uint64_t *random, uint32_t n)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (uint32_t)((*random >> 20) % n);
}

void card_noise(struct card *c, uint64_t *random)
{
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < c->size[i]; k++) {
            /* Extremes often: where sums overshoot. */
            uint32_t r = card_random(random, 1024);
            c->memory[i][k] = (uint8_t)(r < 256 ? 0 : r < 512 ? 255 : r);
        }
    }
}

bool card_equal(const struct card *a, const struct card *b)
{
    return a->size[0] == b->size[0] && a->size[1] == b->size[1] &&
           memcmp(a->memory[0], b->memory[0], a->size[0]) == 0 &&
           memcmp(a->memory[1], b->memory[1], a->size[1]) == 0;
}
