#ifndef GM_SCHEDULER_UPLOADS_H
#define GM_SCHEDULER_UPLOADS_H

#include "common/hash.h"
#include "common/id.h"
#include "proto/parts.h"
#include "scheduler/core/mem.h"

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

/* Uploads as the scheduler knows them: what was announced, and which parts it saw in the bucket
 * (ADR-0061). No I/O, no clock: times are ms since 1970, told by who calls.
 *
 *   open -> idle -> open ...     no part came for as long as was said; the next one opens it again
 *   open, idle -> complete       all parts are there and the manifest is written
 *   any -> leaving               it is being deleted
 *
 * Thread: one at a time. */
#define GM_UPLOAD_MAX_AGE_MS ((int64_t)7 * 24 * 60 * 60 * 1000) /* of one that never completes */
#define GM_UPLOAD_WHOLE_MS                                                                         \
    ((int64_t)24 * 60 * 60 * 1000) /* the URL of a whole one is good so long */
#define GM_UPLOAD_KEY_SIZE 112     /* of the longest key, and NUL */
#define GM_UPLOAD_NAME_MAX 255u    /* bytes */
#define GM_UPLOAD_ETAG_SIZE 128    /* with NUL */

enum gm_upload_state { GM_UPLOAD_OPEN, GM_UPLOAD_IDLE, GM_UPLOAD_COMPLETE };

struct gm_upload_part {
    uint64_t size;
    uint8_t sha256[GM_SHA256_SIZE];
    bool named; /* sha256 is set: granted, or there */
    bool there;
};
struct gm_upload {
    char id[GM_ID_SIZE];
    char *name;   /* owned; valid UTF-8 */
    char *tenant; /* owned; "": any */
    uint64_t size;
    bool whole; /* one part, without a hash */
    bool complete;
    bool leaving;
    bool read;                      /* a node was told where a part is */
    char etag[GM_UPLOAD_ETAG_SIZE]; /* of a whole one that is there; "": not known */
    int64_t created_unix_ms;
    int64_t changed_unix_ms;      /* the last part came, or it was completed */
    struct gm_upload_part *parts; /* owned */
    uint32_t count, there;
    UT_hash_handle hh; /* by id */
};
struct gm_uploads {
    struct gm_upload *all; /* owned */
};

/* An upload without name and parts, to be filled: parts has room for count. Errors: NOMEM. */
int gm_upload_create(const char *id, uint32_t count, struct gm_upload **out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_upload_destroy(struct gm_upload **u);
/* Takes u, whose id is none of the table's. */
void gm_uploads_add(struct gm_uploads *t, struct gm_upload *u);
struct gm_upload *gm_uploads_find(const struct gm_uploads *t, const char *id);
void gm_uploads_drop(struct gm_uploads *t, struct gm_upload *u);
void gm_uploads_fini(struct gm_uploads *t);
/* Those that are neither complete nor leaving. */
uint32_t gm_uploads_open_count(const struct gm_uploads *t);

/* Whether a part may be put with that hash (NULL: of a whole upload): 0 and it is the part's, 1: it
 * is there already. Errors: INVAL (no such part, or a hash where there is none, or none),
 * CONFLICT (complete; another hash). */
int gm_upload_name(struct gm_upload *u, uint64_t index, const uint8_t *sha256,
                   struct gm_err *err) GM_MUST_CHECK;
/* The part was seen in the bucket, with its size and, but of a whole upload, with that hash in its
 * name. False: it was there, or can't be the part. */
bool gm_upload_note(struct gm_upload *u, uint64_t index, const uint8_t *sha256, uint64_t size,
                    int64_t now_unix_ms);
/* The object of a whole one, whose URL takes other bytes of that size, too, was seen to have that
 * ETag ("": it has none). Errors: CONFLICT: it had another one, and jobs read it. */
int gm_upload_tag(struct gm_upload *u, const char *etag, struct gm_err *err) GM_MUST_CHECK;
/* A whole one, of which nothing is seen before it is there, is idle when its URL has ended and
 * idle_ms are over, too. */
enum gm_upload_state gm_upload_state(const struct gm_upload *u, int64_t now_unix_ms,
                                     int64_t idle_ms);
const char *gm_upload_state_name(enum gm_upload_state state);
/* When it goes: keep_ms after its last part; one that is not complete at the latest
 * GM_UPLOAD_MAX_AGE_MS after it began. */
int64_t gm_upload_expires(const struct gm_upload *u, int64_t keep_ms);
/* All parts are there; else CONFLICT, which names the first that are missing. */
int gm_upload_check_all(const struct gm_upload *u, struct gm_err *err) GM_MUST_CHECK;
/* The sizes of its parts as runs; *out: owned, free(), list then runs. Errors: NOMEM. */
int gm_upload_runs(const struct gm_upload *u, Gm__PartRun **out_runs, Gm__PartRun ***out_list,
                   size_t *out_count, struct gm_err *err) GM_MUST_CHECK;

/* Keys below the prefix of all uploads. A part's hash must be known, but of a whole upload. */
void gm_upload_part_key(const struct gm_upload *u, uint32_t index, char out[GM_UPLOAD_KEY_SIZE]);
void gm_upload_whole_key(const char *id, char out[GM_UPLOAD_KEY_SIZE]);
void gm_upload_info_key(const char *id, char out[GM_UPLOAD_KEY_SIZE]);
void gm_upload_manifest_key(const char *id, char out[GM_UPLOAD_KEY_SIZE]);

enum gm_upload_kind {
    GM_UPLOAD_OTHER, /* no name of ours */
    GM_UPLOAD_INFO,
    GM_UPLOAD_MANIFEST,
    GM_UPLOAD_PART,
    GM_UPLOAD_WHOLE
};
struct gm_upload_key {
    char id[GM_ID_SIZE];
    uint32_t index;
    uint8_t sha256[GM_SHA256_SIZE]; /* of GM_UPLOAD_PART */
};
/* What a key that was listed is. */
enum gm_upload_kind gm_upload_key_read(const char *key, struct gm_upload_key *out);
/* 64 lower-case hex digits. */
bool gm_upload_hash_read(const char *text, uint8_t out[GM_SHA256_SIZE]);

#endif
