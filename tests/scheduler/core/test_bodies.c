/* Bodies come back as they were put, wherever they lie, and their room is used again. */
#include "scheduler/core/bodies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define BLOCK 256u
#define PLACES 400u
#define STEPS 20000u
#define MOST_BYTES 300u /* more than a block */

struct shelf {
    uint8_t data[PLACES * MOST_BYTES];
    size_t end;          /* of what was put furthest */
    uint64_t puts, gets; /* that were asked for */
    uint64_t bytes;      /* that were read */
    bool full;
    uint8_t spoils; /* is added to each byte that comes back */
};
static struct shelf shelf;

static int put(void *arg, uint64_t at, const void *data, size_t size)
{
    struct shelf *s = arg;
    s->puts++;
    assert_true(at + size <= sizeof(s->data) && size <= BLOCK && at % BLOCK == 0);
    if (s->full) {
        return -GM_E_NO_SCRATCH;
    }
    s->end = at + size > s->end ? at + size : s->end;
    memcpy(s->data + at, data, size);
    return 0;
}

static int get(void *arg, uint64_t at, void *out, size_t size)
{
    struct shelf *s = arg;
    s->gets++;
    s->bytes += size;
    assert_true(at + size <= s->end);
    memcpy(out, s->data + at, size);
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)out)[i] = (uint8_t)(((uint8_t *)out)[i] + s->spoils);
    }
    return 0;
}

static struct gm_bodies *make(size_t at_hand)
{
    const struct gm_core_shelf it = {
        .put = put, .get = get, .arg = &shelf, .at_hand_bytes = at_hand, .block_bytes = BLOCK};
    memset(&shelf, 0, sizeof(shelf));
    return gm_bodies_create(&it);
}

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void fill(uint8_t *data, size_t size, uint32_t from)
{
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(from * 31 + i * 7);
    }
}

static void same(struct gm_bodies *b, const struct gm_body *body, size_t size, uint32_t from)
{
    uint8_t wanted[MOST_BYTES];
    const uint8_t *data = gm_bodies_look(b, body);
    fill(wanted, size, from);
    assert_int_equal(body->size, size);
    assert_memory_equal(data, wanted, size);
}

/* Bodies come and go at random, while the shelf has room and while it has none. */
static void play(size_t at_hand)
{
    struct {
        struct gm_body body;
        size_t size;
        uint32_t from;
    } places[PLACES] = {0};
    uint8_t data[MOST_BYTES];
    size_t count = 0;
    struct gm_bodies *b = make(at_hand);
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t at = chance(PLACES);
        shelf.full = i / 1000 % 4 == 3;
        if (places[at].body.block == 0) {
            places[at].size = chance(20) == 0 ? chance(MOST_BYTES + 1) : chance(60);
            places[at].from = i;
            fill(data, places[at].size, i);
            places[at].body = gm_bodies_put(b, data, places[at].size);
            count++;
        } else {
            same(b, &places[at].body, places[at].size, places[at].from);
            gm_bodies_drop(b, &places[at].body);
            assert_int_equal(places[at].body.block, 0);
            gm_bodies_drop(b, &places[at].body); /* it is none */
            count--;
        }
        assert_int_equal(gm_bodies_count(b), count);
    }
    for (size_t i = 0; i < PLACES; i++) {
        if (places[i].body.block > 0) {
            same(b, &places[i].body, places[i].size, places[i].from);
        }
    }
    assert_true(shelf.puts > 0 && shelf.gets > 0);
    gm_bodies_destroy(&b);
    assert_null(b);
}

static void what_was_put_comes_back(void **arg)
{
    (void)arg;
    seed = 1;
    play(0);
    play(4 * BLOCK);
}

/* The newest stay at hand: a queue that is not deep asks for no shelf. */
static void the_newest_are_at_hand(void **arg)
{
    enum { EACH = 64, AT_HAND = 8, ALL = 40 };
    struct gm_body bodies[ALL * BLOCK / EACH];
    uint8_t data[EACH];
    struct gm_bodies *b = make(AT_HAND * BLOCK);
    size_t count = sizeof(bodies) / sizeof(bodies[0]);
    (void)arg;
    for (uint32_t i = 0; i < count; i++) {
        fill(data, EACH, i);
        bodies[i] = gm_bodies_put(b, data, EACH);
        assert_true(i >= (AT_HAND + 1) * BLOCK / EACH || shelf.puts == 0);
    }
    assert_int_equal(shelf.puts, ALL - AT_HAND - 1);
    for (uint32_t i = (uint32_t)count - AT_HAND * BLOCK / EACH; i < count; i++) {
        same(b, &bodies[i], EACH, i);
    }
    assert_int_equal(shelf.gets, 0);
    same(b, &bodies[0], EACH, 0);
    assert_int_equal(shelf.gets, 1);
    gm_bodies_destroy(&b);
}

/* As much goes through as would fill the shelf many times. */
static void room_is_used_again(void **arg)
{
    enum { EACH = 60, HELD = 50, ALL = 20000 };
    struct gm_body bodies[HELD] = {0};
    uint8_t data[EACH];
    struct gm_bodies *b = make(0);
    (void)arg;
    for (uint32_t i = 0; i < ALL; i++) {
        gm_bodies_drop(b, &bodies[i % HELD]);
        fill(data, EACH, i);
        bodies[i % HELD] = gm_bodies_put(b, data, EACH);
    }
    assert_true(shelf.end <= 2 * HELD * BLOCK / (BLOCK / EACH));
    gm_bodies_destroy(&b);
}

/* Whoever looks at all asks the shelf twice a block, at one alone for no more than that. */
static void a_block_is_read_once_for_all_in_it(void **arg)
{
    enum { EACH = 60, ALL = 40, IN_BLOCK = BLOCK / EACH };
    struct gm_body bodies[ALL];
    uint8_t data[EACH];
    struct gm_bodies *b = make(0);
    (void)arg;
    for (uint32_t i = 0; i < ALL; i++) {
        fill(data, EACH, i);
        bodies[i] = gm_bodies_put(b, data, EACH);
    }
    for (uint32_t i = 0; i < ALL; i++) {
        same(b, &bodies[i], EACH, i);
    }
    assert_int_equal(shelf.gets, 2 * (ALL / IN_BLOCK - 1)); /* the last block is in memory */
    shelf.gets = shelf.bytes = 0;
    same(b, &bodies[2], EACH, 2);
    same(b, &bodies[IN_BLOCK], EACH, IN_BLOCK);
    assert_int_equal(shelf.gets, 2);
    assert_int_equal(shelf.bytes, 2 * EACH);
    gm_bodies_destroy(&b);
}

/* What was read of a block says nothing of the one that has its place next. */
static void what_was_read_goes_with_its_block(void **arg)
{
    enum { EACH = 60, IN_BLOCK = BLOCK / EACH, ALL = 3 * IN_BLOCK + 1 };
    struct gm_body bodies[ALL];
    uint8_t data[EACH];
    struct gm_bodies *b = make(0);
    (void)arg;
    for (uint32_t i = 0; i < ALL; i++) {
        if (i == 2 * IN_BLOCK) { /* the first block is read whole, and its place is free */
            for (uint32_t k = 0; k < IN_BLOCK; k++) {
                same(b, &bodies[k], EACH, k);
            }
            for (uint32_t k = 0; k < IN_BLOCK; k++) {
                gm_bodies_drop(b, &bodies[k]);
            }
        }
        fill(data, EACH, i);
        bodies[i] = gm_bodies_put(b, data, EACH);
    }
    assert_int_equal(bodies[2 * IN_BLOCK].block, 1);
    same(b, &bodies[2 * IN_BLOCK], EACH, 2 * IN_BLOCK);
    assert_int_equal(shelf.gets, 3);
    gm_bodies_destroy(&b);
}

static int status_of_a_look(struct gm_bodies *b, const struct gm_body *body)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)freopen("/dev/null", "w", stderr);
        (void)gm_bodies_look(b, body);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Other bytes than were put are worse than none. */
static void what_the_shelf_spoiled_ends_the_process(void **arg)
{
    uint8_t data[60] = {1};
    struct gm_body bodies[8];
    struct gm_bodies *b = make(0);
    (void)arg;
    for (size_t i = 0; i < 8; i++) {
        bodies[i] = gm_bodies_put(b, data, sizeof(data));
    }
    assert_int_equal(status_of_a_look(b, &bodies[0]), 0);
    shelf.spoils = 1;
    assert_true(WIFSIGNALED(status_of_a_look(b, &bodies[0])));
    assert_int_equal(status_of_a_look(b, &bodies[7]), 0); /* it is in memory */
    gm_bodies_destroy(&b);
}

static void without_a_shelf_all_is_in_memory(void **arg)
{
    const struct gm_core_shelf none = {.put = NULL};
    struct gm_body bodies[2000];
    uint8_t data[MOST_BYTES];
    struct gm_bodies *b = gm_bodies_create(&none);
    (void)arg;
    for (uint32_t i = 0; i < 2000; i++) {
        fill(data, MOST_BYTES, i);
        bodies[i] = gm_bodies_put(b, data, MOST_BYTES);
    }
    for (uint32_t i = 0; i < 2000; i++) {
        same(b, &bodies[i], MOST_BYTES, i);
    }
    gm_bodies_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back),
        cmocka_unit_test(the_newest_are_at_hand),
        cmocka_unit_test(room_is_used_again),
        cmocka_unit_test(a_block_is_read_once_for_all_in_it),
        cmocka_unit_test(what_was_read_goes_with_its_block),
        cmocka_unit_test(what_the_shelf_spoiled_ends_the_process),
        cmocka_unit_test(without_a_shelf_all_is_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
