#ifndef GM_TESTS_NODE_HOLD_IO_H
#define GM_TESTS_NODE_HOLD_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "node/fake_io.h"

/* Calls of the agent that hang while a test says so, as on a mount that does not answer. A program
 * that uses this is linked with --wrap for each of the functions below. */
enum hold {
    HOLD_PUT,   /* gm_dir_walk: a put, whole and about to get its name */
    HOLD_OPEN,  /* gm_grant_open */
    HOLD_READ,  /* gm_outfile_open: what a worker made */
    HOLD_LOOK,  /* fstat, of a file in the store */
    HOLD_CLOSE, /* close, likewise */
    HOLD_COUNT
};

void hold_init(void); /* first of all: agents that are started later obey */
void hold_set(enum hold what, bool on);
bool hold_is_set(enum hold what);
void hold_let_go(void);                /* of all */
void hold_forget(void);                /* threads of an agent that has ended */
uint32_t hold_threads(enum hold what); /* of the agent, that hang there */
void hold_until(struct farm *farm, enum hold what, uint32_t threads);

#endif
