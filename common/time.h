#ifndef GM_COMMON_TIME_H
#define GM_COMMON_TIME_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t gm_time; /* ns, monotonic; never mixed with wall time */

#define GM_MS ((gm_time)1000000)
#define GM_SEC ((gm_time)1000000000)

gm_time gm_time_now(void); /* CLOCK_MONOTONIC. Thread: any. */
/* CLOCK_BOOTTIME: goes on while the machine sleeps, as the clocks of others do. Compared with
 * itself alone. Thread: any. */
gm_time gm_time_boot(void);
int64_t gm_time_unix_ms(void); /* wall clock, for logs and wire fields ending _unix_ms only */
/* "2026-01-31T12:00:00.123Z" into buf of at least 25 bytes; returns buf. */
char *gm_time_format(int64_t unix_ms, char buf[25]);
/* "2026-01-31T12:00:00Z", or with milliseconds as gm_time_format() writes it, and nothing else;
 * false: text has not that form, or is no time. */
bool gm_time_parse(const char *text, int64_t *out_unix_ms);

#endif
