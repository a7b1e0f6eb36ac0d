#ifndef GM_TESTS_MEDIA_FRAMES_IO_H
#define GM_TESTS_MEDIA_FRAMES_IO_H

#include "media/chunk_io.h"
#include "media/decode/frames.h"

/* Chunks of a clip through gm_frames. What is wrong ends the program, but for errors of gm_frames,
 * which frames_run gives. */

#define FRAMES_LIST_MAX 512
/* The chunk objects of a run. All-zero: none. */
struct frames_list {
    int fds[FRAMES_LIST_MAX]; /* owned until they are given out */
    size_t count, next;
};
void frames_list_add(struct frames_list *list, int fd);
/* gm_frames_source.next_chunk; arg: struct frames_list. */
int frames_list_next(void *arg, bool *out_more, int *out_fd, struct gm_err *err);
/* Empties the list, which was run, and cuts the next run_chunks chunks (0: all that are left) of
 * chunk_frames frames each, as cut says. cut: end and index 0 at the start; they go on. */
void frames_list_cut(struct frames_list *list, const struct clip *c, size_t chunk_frames,
                     size_t run_chunks, struct clip_cut *cut);
/* Closes those that were not given out. */
void frames_list_close(struct frames_list *list);

/* A run of chunks and what came out of it; all-zero has nothing. */
struct frames_run {
    struct frames_list list;
    int source_fd;
    size_t ticks;
    size_t restarts;
    size_t repeats;        /* so often is each chunk asked for again */
    uint8_t (*hashes)[32]; /* owned: free */
    size_t hash_count, hash_cap;
    struct gm_frames_stats stats;
    const struct clip *clip; /* context is compared with its frames; NULL: it is not */
    size_t beside, beside_of_chunk;
};

/* Runs the chunks; checks the order of events. The first error is returned. */
int frames_run(struct frames_run *r, struct gm_err *err);

struct frames_how {
    size_t chunk_frames, context;
    int keys_back; /* as clip_cut has it, and the others */
    bool reference, change;
    void (*edit)(Gm__ChunkHeader *header, void *arg);
    void *arg;
};
/* Cuts the clip into chunks and decodes it in runs of run_chunks (0: one run); adds to *out. */
void frames_decode(const struct clip *c, const struct frames_how *how, size_t run_chunks,
                   struct frames_run *out);
/* What came out is the clip's frames, all of them. */
void frames_check_whole(const struct clip *c, const struct frames_run *r);
/* Changes bits of every 23rd packet from the 7th on. */
void frames_damage(struct clip *c);

#endif
