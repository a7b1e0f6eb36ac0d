/* Readers: who holds which blocks, what is fetched next.
 *
 * A block is promised to a reader from the moment that it is needed until the reader's next need no
 * longer names it, or the reader is closed. What is promised is never taken back, even where that
 * is more than max_bytes. */
#include "node/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/window_state.h"

#define FETCH_BLOCKS 8u  /* of one request */
#define FETCHES_AHEAD 4u /* that may go while something is read ahead */
#define NEAR 4u          /* blocks: a need so near behind a stream's last is its next */
#define KEPT_MAX 32u     /* windows without a reader */
#define STREAM_NEEDS                                                                               \
    64u /* of its reader, after which one that had none is no longer read ahead                    \
         */

void gm_window_free(struct gm_window *window)
{
    struct gm_window **at = &window->windows->first;
    while (*at != NULL && *at != window) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = window->next;
    }
    gm_window_fetch_cancel(window);
    if (window->fd >= 0) {
        window->windows->close_file(window->fd, window->windows->close_arg);
    }
    gm_blocks_fini(&window->blocks);
    gm_window_parts_fini(&window->parts);
    free(window->name);
    free(window->url);
    free(window->target);
    free(window->etag);
    free(window);
}

static void close_now(int fd, void *arg)
{
    (void)arg;
    close(fd);
}

int gm_windows_create(const struct gm_windows_params *params, struct gm_windows **out,
                      struct gm_err *err)
{
    struct gm_windows *windows = calloc(1, sizeof(*windows));
    if (windows == NULL) {
        return gm_err_nomem(err);
    }
    windows->transfers = params->transfers;
    windows->max_bytes = params->max_bytes;
    windows->close_file = params->close_file != NULL ? params->close_file : close_now;
    windows->close_arg = params->close_arg;
    windows->folder = strdup(params->folder);
    if (windows->folder == NULL) {
        free(windows);
        return gm_err_nomem(err);
    }
    *out = windows;
    return 0;
}

void gm_windows_destroy(struct gm_windows **windows)
{
    if (*windows == NULL) {
        return;
    }
    while ((*windows)->first != NULL) {
        GM_ASSERT((*windows)->first->readers == NULL);
        gm_window_free((*windows)->first);
    }
    free((*windows)->folder);
    free(*windows);
    *windows = NULL;
}

/* ---- opening */

static bool is_signed(const char *url)
{
    return strstr(url, "X-Amz-Signature=") != NULL;
}

/* A signature changes with each grant, the object does not. */
static int name_of(const struct gm_window_source *source, char **out, struct gm_err *err)
{
    int length = (int)(is_signed(source->url) ? strcspn(source->url, "?") : strlen(source->url));
    if (asprintf(out, "%.*s %llu %u %s", length, source->url, (unsigned long long)source->size,
                 source->part_count, source->etag == NULL ? "" : source->etag) < 0) {
        *out = NULL;
        return gm_err_nomem(err);
    }
    return 0;
}

static int make_file(const char *folder, uint64_t size, int *out_fd, struct gm_err *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/window-XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return gm_err_sys(err, errno, "could not make the file of a window");
    }
    unlink(path);
    if (ftruncate(fd, (off_t)size) < 0) {
        int why = errno;
        close(fd);
        return gm_err_sys(err, why, "could not make the file of a window so large");
    }
    *out_fd = fd;
    return 0;
}

static int make_window(struct gm_windows *windows, const struct gm_window_source *source,
                       char **name, struct gm_window **out, struct gm_err *err)
{
    struct gm_window *window = calloc(1, sizeof(*window));
    if (window == NULL) {
        return gm_err_nomem(err);
    }
    window->windows = windows;
    window->fd = -1;
    window->size = source->size;
    window->etag = strdup(source->etag == NULL ? "" : source->etag);
    window->url = strdup(source->url);
    int rc = window->etag == NULL || window->url == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        rc = gm_blocks_init(&window->blocks, source->size, err);
    }
    if (rc == 0 && source->part_count > 0) {
        rc = gm_window_parts_init(&window->parts, source->parts, source->part_count, source->size,
                                  err);
    }
    if (rc == 0) {
        rc = make_file(windows->folder, source->size, &window->fd, err);
    }
    if (rc < 0) {
        gm_window_free(window);
        return rc;
    }
    window->name = *name;
    *name = NULL;
    window->next = windows->first;
    windows->first = window;
    *out = window;
    return 0;
}

/* The oldest that nobody reads, where there are too many. */
static void forget_old(struct gm_windows *windows)
{
    unsigned count = 0;
    struct gm_window *oldest = gm_windows_unread(windows, &count);
    if (count > KEPT_MAX) {
        gm_window_free(oldest);
    }
}

static int renew_url(struct gm_window *window, const char *url, struct gm_err *err)
{
    if (strcmp(window->url, url) == 0) {
        return 0;
    }
    char *copy = strdup(url);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    free(window->url);
    window->url = copy;
    window->url_serial++;
    return 0;
}

static int find_window(struct gm_windows *windows, const struct gm_window_source *source,
                       struct gm_window **out, struct gm_err *err)
{
    char *name = NULL;
    int rc = name_of(source, &name, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_window *window = windows->first;
    while (window != NULL && (window->changed || strcmp(window->name, name) != 0)) {
        window = window->next;
    }
    rc = window == NULL ? make_window(windows, source, &name, &window, err)
                        : renew_url(window, source->url, err);
    free(name);
    if (rc == 0) {
        *out = window;
    }
    return rc;
}

/* A second descriptor of the same file, which can't write. */
static int open_again(int fd, int *out_fd, struct gm_err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    if (again < 0) {
        return gm_err_sys(err, errno, "could not open the file of a window again");
    }
    *out_fd = again;
    return 0;
}

int gm_window_open(struct gm_windows *windows, const struct gm_window_source *source,
                   void (*on_have)(const struct gm_window_have *have, void *arg), void *arg,
                   struct gm_window_reader **out, int *out_fd, struct gm_err *err)
{
    struct gm_window *window = NULL;
    int rc = find_window(windows, source, &window, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_window_reader *reader = calloc(1, sizeof(*reader));
    bool *asked = source->part_count > 0 ? calloc(source->part_count, sizeof(*asked)) : NULL;
    rc = reader == NULL || (source->part_count > 0 && asked == NULL)
             ? gm_err_nomem(err)
             : open_again(window->fd, out_fd, err);
    if (rc < 0) {
        free(asked);
        free(reader);
        return rc;
    }
    reader->window = window;
    reader->asked = asked;
    reader->on_want = source->on_want;
    reader->on_have = on_have;
    reader->arg = arg;
    reader->next = window->readers;
    window->readers = reader;
    window->used = ++windows->clock;
    forget_old(windows);
    *out = reader;
    return 0;
}

static void release_all(struct gm_window_reader *reader)
{
    for (size_t i = 0; i < reader->held_count; i++) {
        gm_blocks_release(&reader->window->blocks, reader->held[i]);
    }
    reader->held_count = 0;
}

void gm_window_close(struct gm_window_reader **reader)
{
    struct gm_window_reader *r = *reader;
    if (r == NULL) {
        return;
    }
    *reader = NULL;
    struct gm_window *window = r->window;
    struct gm_window_reader **at = &window->readers;
    while (*at != r) {
        at = &(*at)->next;
    }
    *at = r->next;
    release_all(r);
    gm_window_fetch_forget(window, r);
    free(r->asked);
    free(r);
    window->used = ++window->windows->clock;
    if (window->readers == NULL) {
        gm_window_fetch_cancel(window);
        bool named =
            window->etag[0] != '\0' || (window->parts.count > 0 && !window->parts.list[0].etag);
        if (window->changed || !named) { /* another may have its name by then */
            gm_window_free(window);
        }
    }
}

/* ---- needs */

static bool is_within(struct gm_block_run run, const struct gm_block_run *in)
{
    return run.from >= in->from && run.from + run.count <= in->from + in->count;
}

/* What it names and was promised stays promised, all else is released. What it was not promised it
 * can't hold. */
static void hold(struct gm_window_reader *reader, const struct gm_window_range *ranges,
                 size_t count)
{
    struct gm_blocks *blocks = &reader->window->blocks;
    struct gm_block_run kept[GM_WINDOW_HELD] = {{0, 0}};
    size_t n = 0;
    for (size_t i = 0; i < count && n < GM_WINDOW_HELD; i++) {
        if (ranges[i].length == 0 || ranges[i].offset >= reader->window->size ||
            ranges[i].length > reader->window->size - ranges[i].offset) {
            continue;
        }
        struct gm_block_run run = gm_blocks_of(ranges[i].offset, ranges[i].length);
        size_t k = 0;
        while (k < reader->held_count && !is_within(run, &reader->held[k])) {
            k++;
        }
        if (k < reader->held_count) {
            kept[n++] = run;
        }
    }
    uint64_t clock = reader->window->windows->clock;
    for (size_t i = 0; i < n; i++) {
        gm_blocks_promise(blocks, kept[i], clock);
    }
    release_all(reader);
    memcpy(reader->held, kept, n * sizeof(kept[0]));
    reader->held_count = n;
}

/* The stream that the need goes on with, or a new one in the place of the oldest. */
static void follow(struct gm_window_reader *reader, struct gm_block_run run)
{
    struct gm_window_stream *found = NULL, *oldest = &reader->streams[0];
    for (size_t i = 0; i < GM_WINDOW_STREAMS; i++) {
        struct gm_window_stream *s = &reader->streams[i];
        if (s->used != 0 && run.from + 1 >= s->next && run.from <= s->next + NEAR) {
            found = s;
        }
        oldest = s->used < oldest->used ? s : oldest;
        s->ahead = reader->needs - s->need < STREAM_NEEDS ? s->ahead : 0;
    }
    if (found != NULL) {
        uint32_t more = found->ahead == 0 ? 2 : found->ahead * 2;
        found->ahead = more < GM_WINDOW_AHEAD ? more : GM_WINDOW_AHEAD;
    } else {
        found = oldest;
        found->ahead = 0;
    }
    found->next = run.from + run.count;
    found->used = ++reader->window->windows->clock;
    found->need = reader->needs++;
}

static void refuse(struct gm_window_reader *reader, const struct gm_err *why)
{
    const struct gm_window_have have = {.rc = -(int)why->code, .err = why};
    gm_blocks_release(&reader->window->blocks, reader->held[--reader->held_count]);
    reader->waits = false;
    reader->on_have(&have, reader->arg);
}

int gm_window_need(struct gm_window_reader *reader, uint64_t offset, uint64_t length,
                   const struct gm_window_range *held, size_t held_count, struct gm_err *err)
{
    struct gm_window *window = reader->window;
    if (reader->waits || length == 0 || offset >= window->size || length > window->size - offset) {
        return gm_err_set(err, GM_E_INVAL, 0, "a reader asked for what it may not");
    }
    struct gm_block_run run = gm_blocks_of(offset, length);
    hold(reader, held, held_count);
    gm_blocks_promise(&window->blocks, run, ++window->windows->clock);
    reader->held[reader->held_count++] = run;
    reader->waits = true;
    reader->offset = offset;
    if (window->changed) { /* what is there is not to be mixed with what is not */
        struct gm_err why;
        gm_err_set(&why, GM_E_INPUT_CHANGED, 0, GM_WINDOW_CHANGED);
        refuse(reader, &why);
        return 0;
    }
    follow(reader, run);
    gm_window_serve(window);
    gm_window_pump(window);
    return 0;
}

uint64_t gm_window_fetched(struct gm_window_reader *reader)
{
    uint64_t bytes = reader->fetched;
    reader->fetched = 0;
    return bytes;
}

/* ---- answers */

static void answer(struct gm_window_reader *reader, uint32_t count)
{
    struct gm_window *window = reader->window;
    struct gm_block_run *run = &reader->held[reader->held_count - 1];
    struct gm_block_run more = {run->from + run->count, count - run->count};
    gm_blocks_promise(&window->blocks, more, ++window->windows->clock);
    run->count = count;
    for (size_t i = 0; i < GM_WINDOW_STREAMS; i++) { /* it goes on behind what it has */
        if (reader->streams[i].next == more.from) {
            reader->streams[i].next += more.count;
        }
    }
    uint64_t end = (uint64_t)(run->from + count) * GM_BLOCK;
    end = end < window->size ? end : window->size;
    const struct gm_window_have have = {.offset = reader->offset, .length = end - reader->offset};
    reader->waits = false;
    reader->on_have(&have, reader->arg);
}

void gm_window_serve(struct gm_window *window)
{
    for (struct gm_window_reader *r = window->readers; r != NULL; r = r->next) {
        if (!r->waits) {
            continue;
        }
        const struct gm_block_run *run = &r->held[r->held_count - 1];
        uint32_t most = run->count > GM_WINDOW_GRANT ? run->count : GM_WINDOW_GRANT;
        uint32_t there = gm_blocks_there(&window->blocks, run->from, most);
        if (there >= run->count) {
            answer(r, there);
        }
    }
}

void gm_window_fail(struct gm_window *window, struct gm_block_run run, const struct gm_err *why)
{
    for (struct gm_window_reader *r = window->readers; r != NULL; r = r->next) {
        if (!r->waits) {
            continue;
        }
        const struct gm_block_run *need = &r->held[r->held_count - 1];
        struct gm_block_run lacks = gm_blocks_absent(&window->blocks, *need, 1);
        if (window->changed || (lacks.count > 0 && need->from < run.from + run.count &&
                                run.from < need->from + need->count)) {
            refuse(r, why);
        }
    }
}

/* It waits for what can't be fetched yet: until its parts come, if they may. */
static void wait_for_parts(struct gm_window_reader *reader, bool ahead)
{
    if (!ahead && reader->ended.code != GM_OK) {
        refuse(reader, &reader->ended);
    }
}

/* Fetches what of the run is absent. False: no more of it can be started. */
static bool fetch_run(struct gm_window_reader *reader, struct gm_block_run run, bool ahead)
{
    struct gm_window *window = reader->window;
    struct gm_err err = {.code = GM_OK};
    gm_window_parts_want(reader, run);
    for (;;) {
        struct gm_block_run absent = gm_blocks_absent(&window->blocks, run, FETCH_BLOCKS);
        if (absent.count == 0 || (ahead && window->windows->fetch_count >= FETCHES_AHEAD)) {
            return absent.count == 0;
        }
        if (window->parts.count > 0) {
            absent = gm_window_parts_known(&window->parts, absent);
        }
        if (absent.count == 0) {
            wait_for_parts(reader, ahead);
            return false;
        }
        if (gm_window_fetch_start(window, reader, absent, &err) < 0) {
            if (!ahead) {
                refuse(reader, &err);
            }
            return false;
        }
    }
}

static void read_ahead(struct gm_window_reader *reader)
{
    uint32_t room = gm_windows_ahead(reader->window->windows);
    for (size_t i = 0; i < GM_WINDOW_STREAMS; i++) {
        const struct gm_window_stream *s = &reader->streams[i];
        uint32_t ahead = s->ahead < room ? s->ahead : room;
        if (s->used == 0 || ahead == 0 || s->next >= reader->window->blocks.count) {
            continue;
        }
        (void)fetch_run(reader, (struct gm_block_run){s->next, ahead}, true);
    }
}

void gm_window_pump(struct gm_window *window)
{
    for (struct gm_window_reader *r = window->readers; r != NULL; r = r->next) {
        if (r->waits) {
            (void)fetch_run(r, r->held[r->held_count - 1], false);
        }
    }
    for (struct gm_window_reader *r = window->readers; r != NULL && !window->whole; r = r->next) {
        read_ahead(r);
    }
}
