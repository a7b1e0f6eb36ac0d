#ifndef GM_CLI_FARM_H
#define GM_CLI_FARM_H

#include <curl/curl.h>

#include "cli/term.h"
#include "common/time.h"

/* The embedded farm: a scheduler and nodes as child processes on local sockets, supervised. The
 * programs are those beside the running one, else the ones in PATH. A child that dies is started
 * again after 0.1 s, doubling to 2 s; 20 times in a row without reaching READY is the end.
 *
 * Folders: the state folder holds scheduler/, node-<i>/, *.yaml, *.log, *.pid and the grant key; a
 * folder of mode 0700 in /tmp holds the sockets, whose paths must be short.
 */
#define GM_FARM_MAX_NODES 64
#define GM_FARM_LEASE_MS 6000

struct gm_farm_params {
    const char *state; /* folder that is kept; NULL: a temporary one */
    int nodes;         /* 1..GM_FARM_MAX_NODES */
    bool devices;      /* the first node proves and uses this machine's; false: processors alone */
};
struct gm_farm; /* opaque */

/* Makes the folders and files and starts the children. term: borrowed, for notes on restarts.
 * Errors: CONFLICT (another farm runs on that state folder), NOT_INSTALLED (a program is missing),
 * SYS, LIMIT, NOMEM. */
int gm_farm_start(const struct gm_farm_params *params, struct gm_term *term, struct gm_farm **out,
                  struct gm_err *err) GM_MUST_CHECK;
/* Descriptors to wait on for reading; returns how many, at most 1 + GM_FARM_MAX_NODES. */
unsigned gm_farm_fds(const struct gm_farm *farm, struct curl_waitfd *out);
/* Milliseconds until gm_farm_pump has something to do by itself, at most max_ms. */
int gm_farm_due_ms(const struct gm_farm *farm, gm_time now, int max_ms);
/* Reads READY lines, reaps, restarts. Errors: NO_FARM when a child was given up: the end of its log
 * was shown; SYS. */
int gm_farm_pump(struct gm_farm *farm, gm_time now, struct gm_err *err) GM_MUST_CHECK;
/* The scheduler is serving: its READY line came and it has not died since. */
bool gm_farm_is_ready(const struct gm_farm *farm);
/* The scheduler takes too long to serve: shows the end of its log. Returns -NO_FARM, err filled. */
int gm_farm_give_up(struct gm_farm *farm, struct gm_err *err);
const char *gm_farm_url(const struct gm_farm *farm); /* "unix:/..." for the API */
/* Asks all children to end and starts none again; gm_farm_pump reaps them. */
void gm_farm_terminate(struct gm_farm *farm);
bool gm_farm_is_running(const struct gm_farm *farm);
/* Kills and reaps what runs, removes the folders that are not kept. */
void gm_farm_destroy(struct gm_farm **farm);

#endif
