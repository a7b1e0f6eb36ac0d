#ifndef GM_TESTS_SYSTEM_POWER_SHIM_H
#define GM_TESTS_SYSTEM_POWER_SHIM_H

#include <stdbool.h>

/* Of power_shim.c, for the calls that power_unseen.c refuses. */
bool power_is_our_file(int fd);
bool power_is_our_name(int dir, const char *name);

#endif
