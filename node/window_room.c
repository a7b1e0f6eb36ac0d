/* Room: what of the windows' files is taken back, and how much may be read ahead. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/log.h"
#include "node/window_state.h"

#define EVICT_SPAN 64u
#define EVICT_BLOCKS 64u

static uint64_t blocks_in_use(const struct gm_windows *windows)
{
    uint64_t count = 0;
    for (const struct gm_window *w = windows->first; w != NULL; w = w->next) {
        count += (uint64_t)w->blocks.present + w->blocks.coming;
    }
    return count;
}

/* What of a server without ranges somebody reads could not be had again but as a whole. */
static bool is_kept(const struct gm_window *window)
{
    return window->whole && window->readers != NULL;
}

struct gm_window *gm_windows_unread(const struct gm_windows *windows, unsigned *out_count)
{
    struct gm_window *oldest = NULL;
    *out_count = 0;
    for (struct gm_window *w = windows->first; w != NULL; w = w->next) {
        if (w->readers == NULL) {
            oldest = oldest == NULL || w->used < oldest->used ? w : oldest;
            ++*out_count;
        }
    }
    return oldest;
}

/* A file system without holes: what is read keeps all that it has. */
static bool evict_unread(struct gm_windows *windows, int why)
{
    unsigned count = 0;
    struct gm_window *oldest = gm_windows_unread(windows, &count);
    if (!windows->told) {
        gm_log(GM_LOG_WARN, "window-no-holes", "folder=%s why=%s", windows->folder, strerror(why));
        windows->told = true;
    }
    if (oldest != NULL) {
        gm_window_free(oldest);
    }
    return oldest != NULL;
}

static bool evict(struct gm_windows *windows)
{
    struct gm_window *oldest = NULL;
    struct gm_block_run run = {0, 0};
    for (struct gm_window *w = windows->first; w != NULL; w = w->next) {
        struct gm_block_run found = {0, 0};
        if (!is_kept(w)) {
            found = gm_blocks_oldest(&w->blocks, EVICT_SPAN, EVICT_BLOCKS);
        }
        if (found.count > 0 &&
            (oldest == NULL || w->blocks.used[found.from] < oldest->blocks.used[run.from])) {
            oldest = w;
            run = found;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    if (fallocate(oldest->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)(run.from * GM_BLOCK), (off_t)(run.count * GM_BLOCK)) < 0) {
        return evict_unread(windows, errno);
    }
    gm_blocks_set(&oldest->blocks, run, GM_BLOCK_ABSENT, 0);
    return true;
}

void gm_windows_make_room(struct gm_windows *windows, uint32_t blocks)
{
    while ((blocks_in_use(windows) + blocks) * GM_BLOCK > windows->max_bytes && evict(windows)) {
    }
}

void gm_windows_empty(struct gm_windows *windows)
{
    while (evict(windows)) {
    }
}

/* Streams that are read ahead of. */
static uint64_t count_ahead(const struct gm_windows *windows)
{
    uint64_t count = 0;
    for (const struct gm_window *w = windows->first; w != NULL; w = w->next) {
        for (const struct gm_window_reader *r = w->readers; r != NULL; r = r->next) {
            for (size_t i = 0; i < GM_WINDOW_STREAMS; i++) {
                count += r->streams[i].ahead > 0 ? 1 : 0;
            }
        }
    }
    return count;
}

uint32_t gm_windows_ahead(const struct gm_windows *windows)
{
    uint64_t all = windows->max_bytes / GM_BLOCK, held = 0;
    uint64_t streams = count_ahead(windows);
    for (const struct gm_window *w = windows->first; w != NULL; w = w->next) {
        held += w->blocks.held;
    }
    uint64_t room = held < all ? (all - held) / 2 : 0;
    room = (room < all / 4 ? room : all / 4) / (streams > 0 ? streams : 1);
    return room < GM_WINDOW_AHEAD ? (uint32_t)room : GM_WINDOW_AHEAD;
}
