#ifndef GM_TESTS_BENCH_QUEUE_STREAM_H
#define GM_TESTS_BENCH_QUEUE_STREAM_H

/* Non-blocking connections of a load generator in one epoll loop, all in one thread. What is
 * written is kept until bq_flush, so that many small messages leave by one call. A connection that
 * fails ends the program, but for those that may break. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bq_stream {
    int fd;
    uint8_t *in, *out; /* owned */
    size_t in_size, in_cap, out_size, out_cap;
    bool dirty;     /* in the loop's list of those that have something to write */
    bool writing;   /* the socket was full */
    bool may_break; /* its end is told by `broken` and is no error */
    bool broken;
    struct bq_stream *next_dirty;
};
struct bq_loop {
    int epoll;
    struct bq_stream *dirty;
};
/* Called with more bytes in stream->in, or when it is broken. */
typedef void (*bq_stream_fn)(struct bq_stream *stream, void *arg);

void bq_loop_open(struct bq_loop *loop);
void bq_loop_close(struct bq_loop *loop);
/* tcp://127.0.0.1:PORT or unix:PATH. The stream is zeroed first; it must not move while it is open.
 */
void bq_stream_open(struct bq_loop *loop, struct bq_stream *s, const char *address);
void bq_stream_close(struct bq_loop *loop, struct bq_stream *s);
void bq_stream_write(struct bq_loop *loop, struct bq_stream *s, const void *data, size_t size);
/* The first `size` bytes of what came are done with. */
void bq_stream_eat(struct bq_stream *s, size_t size);
/* Sends what was written, waits at most so long (ns) for something to come, and tells of it. */
void bq_loop_step(struct bq_loop *loop, int64_t wait, bq_stream_fn fn, void *arg);

/* Says why, and exits with 1. */
_Noreturn void bq_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
