#ifndef GM_COMMON_LOG_H
#define GM_COMMON_LOG_H

#include "common/err.h"

/* One line an event on stderr: logfmt (`ts= level= comp= event= key=value ...`) or JSON lines.
 * Only the top layer of a program logs, once an error; libraries return errors.
 * error: a job or function lost. warn: degraded, someone may act. info: life cycle. debug, trace.
 * Thread: any (one write(2) a line).
 */
enum gm_log_level { GM_LOG_ERROR, GM_LOG_WARN, GM_LOG_INFO, GM_LOG_DEBUG, GM_LOG_TRACE };

void gm_log_init(const char *comp, enum gm_log_level level, bool json);
/* Each line from now on ends with node=NAME, of 64 bytes at most. Before other threads start. */
void gm_log_set_node(const char *name);
/* From "error" .. "trace"; -1 for none of them. */
int gm_log_parse_level(const char *name);
/* fields: printf format of logfmt pairs, e.g. "job=%s node=%s"; values with spaces are quoted by
 * the caller through gm_log_quote. In JSON mode the pairs are turned into members. */
void gm_log(enum gm_log_level level, const char *event, const char *fields, ...) GM_PRINTF(3, 4);
/* Same, with code=, native= and err= of *err added. */
void gm_log_err(enum gm_log_level level, const char *event, const struct gm_err *err,
                const char *fields, ...) GM_PRINTF(4, 5);
/* s quoted and escaped into buf; returns buf. Query strings and passwords of URLs are cut off; what
 * does not fit is left out, the closing quote never. */
const char *gm_log_quote(const char *s, char *buf, size_t size);

#endif
