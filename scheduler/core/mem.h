#ifndef GM_SCHEDULER_CORE_MEM_H
#define GM_SCHEDULER_CORE_MEM_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* Memory of the core. Running out in the middle of a step can't be answered by an error: half of a
 * transition would stay. So it ends the process with a sentence; rows are the state, and a restart
 * goes on from the last commit. Views, which change nothing, return NOMEM instead. Thread: any. */
void *gm_mem_zalloc(size_t size);                /* zeroed, owned */
char *gm_mem_strdup(const char *s);              /* NULL: "" */
void *gm_mem_dup(const void *data, size_t size); /* NULL for size 0 */
char *gm_mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The array (owned, NULL: empty) with room for one more element of `size` bytes behind `count`;
 * takes it. New room is zeroed. */
void *gm_mem_grow(void *array, size_t count, size_t *cap, size_t size);
/* gm_message_encode; owned, never NULL. */
uint8_t *gm_mem_encode(const ProtobufCMessage *message, size_t *out_size);
_Noreturn void gm_mem_exhausted(void);

#endif
