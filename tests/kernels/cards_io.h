#ifndef TESTS_KERNELS_CARDS_IO_H
#define TESTS_KERNELS_CARDS_IO_H

#include "kernels/kernels.h"

/* Pictures for tests: rows longer than the picture, planes between guard bytes. */
struct card {
    uint32_t width_px, height_px;
    bool deep;
    uint8_t *memory[2]; /* owned */
    size_t size[2];
    struct gm_surface surface;
};
/* A picture in a known pattern (no chance in it: the same twice). slack: bytes that rows are
 * longer; shift: bytes that planes begin after a multiple of 16; both even for 10 bits. */
void card_init(struct card *c, uint32_t width_px, uint32_t height_px, bool deep, uint32_t slack,
               uint32_t shift);
void card_fini(struct card *c);
/* Fills samples, gaps and guards with noise. */
void card_noise(struct card *c, uint64_t *random);
/* All bytes are the same, gaps and guards too. */
bool card_equal(const struct card *a, const struct card *b);

/* The next of a fixed row of numbers below n (xorshift; *random not 0). */
uint32_t card_random(uint64_t *random, uint32_t n);

#endif
