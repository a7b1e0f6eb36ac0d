#ifndef GM_MEDIA_RESULTS_H
#define GM_MEDIA_RESULTS_H

#include "common/err.h"
#include "media/task_io.h"

/* What earlier tasks left in TaskSpec.results, found by the type of the task that made it. */

#define GM_META_MAX_BYTES (64u << 20)

/* Where segments belong: STORE_OUT when the pipeline packages them; without playlists they are only
 * what mp4 is made of, and go with the job's other work. */
Gm__ObjectStore gm_results_segment_store(const Gm__TaskSpec *spec);
/* The name of TaskSpec.chain; "cpu" where the task has none. Borrowed from spec. */
const char *gm_results_chain(const Gm__TaskSpec *spec);
/* The pipeline's task of that name; NULL: none. Borrowed from spec. */
const Gm__PipelineTask *gm_results_task(const Gm__TaskSpec *spec, const char *name);
/* The result of the first task of that type (instance 0). Borrowed; NULL: there is none. */
const Gm__TaskResult *gm_results_find(const Gm__TaskSpec *spec, const char *type);
/* The result of that type's task, instance k. */
const Gm__TaskResult *gm_results_instance(const Gm__TaskSpec *spec, const char *type, uint32_t k);
/* Decoded copies, owned: gm__policy__free_unpacked and so on. Errors: PROTO (absent or malformed),
 * NOMEM. */
int gm_results_policy(const Gm__TaskSpec *spec, Gm__Policy **out, struct gm_err *err) GM_MUST_CHECK;
int gm_results_inspection(const Gm__TaskSpec *spec, Gm__Inspection **out,
                          struct gm_err *err) GM_MUST_CHECK;
/* The meta of an item, decoded. *out owned: protobuf_c_message_free_unpacked. */
int gm_results_item_meta(const ProtobufCMessageDescriptor *type, const Gm__Item *item,
                         ProtobufCMessage **out, struct gm_err *err) GM_MUST_CHECK;
/* Frames of a chunk by its split item's meta; 0 where that says nothing usable. For progress. */
uint32_t gm_results_item_frames(const Gm__Item *item);

/* "seg-00001-0123456789ab.m4s" into out[32]: number and the first 12 hex digits of the hash. */
void gm_segment_name(uint32_t number, const uint8_t sha256[32], char out[32]);
/* The same of a WebVTT segment: "seg-00001-0123456789ab.vtt". */
void gm_text_segment_name(uint32_t number, const uint8_t sha256[32], char out[32]);

#endif
