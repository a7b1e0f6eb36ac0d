#ifndef GM_HWTEST_RAMP_H
#define GM_HWTEST_RAMP_H

#include <stdbool.h>
#include <stddef.h>

/* How many streams hold at once: tried by doubling, by what the last try foretells, and by halves.
 * Pure. */
struct gm_hwtest_ramp {
    size_t most;    /* above 0: not to be passed */
    size_t good;    /* the most that held; 0: none yet */
    size_t bad;     /* the fewest that did not, or that there was no room for; 0: none yet */
    size_t fits;    /* that the last try foretells; 0: nothing */
    size_t refused; /* the fewest that there was no room for; 0: none yet */
};
/* n streams were tried, and held or not. rate: what all made together, in parts of what one needs.
 */
void gm_hwtest_ramp_add(struct gm_hwtest_ramp *ramp, size_t n, bool held, double rate);
/* n streams were tried, and there was no room for them. */
void gm_hwtest_ramp_refuse(struct gm_hwtest_ramp *ramp, size_t n);
/* How many to try next; 0: good is the answer. */
size_t gm_hwtest_ramp_next(const struct gm_hwtest_ramp *ramp);

#endif
