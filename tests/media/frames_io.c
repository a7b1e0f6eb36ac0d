#include "media/frames_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(x) ((x) ? (void)0 : fail(#x, __LINE__))

static void fail(const char *what, int line)
{
    (void)fprintf(stderr, "frames_io.c:%d: not so: %s\n", line, what);
    abort();
}

void frames_list_add(struct frames_list *l, int fd)
{
    CHECK(l->count < FRAMES_LIST_MAX);
    l->fds[l->count++] = fd;
}

int frames_list_next(void *arg, bool *out_more, int *out_fd, struct gm_err *err)
{
    struct frames_list *l = arg;
    (void)err;
    *out_more = l->next < l->count;
    if (*out_more) {
        *out_fd = l->fds[l->next++];
    }
    return 0;
}

void frames_list_cut(struct frames_list *l, const struct clip *c, size_t chunk_frames,
                     size_t run_chunks, struct clip_cut *cut)
{
    l->count = l->next = 0;
    while (cut->end < c->frame_count && (run_chunks == 0 || l->count < run_chunks)) {
        cut->first = cut->end;
        cut->end += chunk_frames;
        cut->end = cut->end > c->frame_count ? c->frame_count : cut->end;
        cut->last = cut->end == c->frame_count;
        frames_list_add(l, clip_cut(c, cut));
        cut->index++;
    }
}

void frames_list_close(struct frames_list *l)
{
    for (size_t i = l->next; i < l->count; i++) {
        close(l->fds[i]);
    }
    l->next = l->count;
}

static int next_chunk(void *arg, bool *out_more, int *out_fd, struct gm_err *err)
{
    struct frames_run *r = arg;
    return frames_list_next(&r->list, out_more, out_fd, err);
}

static int source(void *arg, struct gm_source_file *out, struct gm_err *err)
{
    struct frames_run *r = arg;
    (void)err;
    *out = gm_source_plain(r->source_fd);
    return 0;
}

static void tick(void *arg)
{
    struct frames_run *r = arg;
    r->ticks++;
}

static void keep(struct frames_run *r, const AVFrame *frame)
{
    if (r->hash_count == r->hash_cap) {
        r->hash_cap = r->hash_cap * 2 + 64;
        r->hashes = realloc(r->hashes, r->hash_cap * 32);
        CHECK(r->hashes != NULL);
    }
    clip_hash(frame, r->hashes[r->hash_count++]);
}

/* A picture of context must be the clip's frame at that place. */
static void beside(struct frames_run *r, const struct gm_frames_step *step, size_t done)
{
    const Gm__ChunkHeader *h = step->header;
    uint8_t hash[32];
    size_t n = r->beside_of_chunk++;
    const Gm__FrameEntry *e = done == 0 ? h->before[n] : h->after[n - h->n_before];
    r->beside++;
    if (r->clip != NULL) {
        clip_hash(step->picture, hash);
        CHECK(memcmp(hash, r->clip->frames[e->out_ts / CLIP_TICKS].sha256, 32) == 0);
    }
}

int frames_run(struct frames_run *r, struct gm_err *err)
{
    struct gm_frames_source s = {r, next_chunk, source, tick};
    struct gm_frames *f = NULL;
    struct gm_frames_step step;
    CHECK(gm_frames_create(&s, &f, err) == 0);
    size_t start = 0;
    size_t again = 0;
    size_t expect = 0;
    bool open = false;
    int rc;
    while ((rc = gm_frames_next(f, &step, err)) == 0 && step.event != GM_FRAMES_RUN_END) {
        switch (step.event) {
        case GM_FRAMES_CHUNK:
            CHECK(!open);
            open = true;
            start = r->hash_count;
            expect = r->beside_of_chunk = 0;
            break;
        case GM_FRAMES_RESTART:
            CHECK(open);
            r->hash_count = start;
            r->restarts++;
            expect = r->beside_of_chunk = 0;
            break;
        case GM_FRAMES_BESIDE:
            CHECK(open);
            CHECK(expect == 0 || expect == step.header->n_frames);
            beside(r, &step, expect);
            break;
        case GM_FRAMES_PICTURE:
            CHECK(open);
            CHECK(step.index == expect);
            expect++;
            keep(r, step.picture);
            break;
        case GM_FRAMES_CHUNK_END:
            CHECK(expect == step.header->n_frames);
            r->stats.decoded += step.stats.decoded;
            r->stats.spare += step.stats.spare;
            if (again < r->repeats) {
                again++;
                gm_frames_repeat(f);
                break;
            }
            again = 0;
            r->stats.replaced += step.stats.replaced;
            r->stats.discarded += step.stats.discarded;
            r->stats.errors += step.stats.errors;
            open = false;
            break;
        case GM_FRAMES_RUN_END:
            break;
        }
    }
    gm_frames_destroy(&f);
    frames_list_close(&r->list);
    return rc;
}

void frames_decode(const struct clip *c, const struct frames_how *how, size_t run_chunks,
                   struct frames_run *out)
{
    struct gm_err err = {0};
    int source_fd = how->reference ? clip_write(c) : -1;
    struct clip_cut cut = {.context = how->context,
                           .keys_back = how->keys_back,
                           .change = how->change,
                           .reference_fd = source_fd,
                           .edit = how->edit,
                           .arg = how->arg};
    while (cut.end < c->frame_count) {
        struct frames_run r = *out;
        r.source_fd = source_fd;
        frames_list_cut(&r.list, c, how->chunk_frames, run_chunks, &cut);
        if (frames_run(&r, &err) < 0) {
            (void)fprintf(stderr, "%s\n", err.text);
            abort();
        }
        *out = r;
    }
    if (source_fd >= 0) {
        close(source_fd);
    }
}

void frames_check_whole(const struct clip *c, const struct frames_run *r)
{
    CHECK(r->hash_count == c->frame_count);
    for (size_t i = 0; i < c->frame_count; i++) {
        if (memcmp(r->hashes[i], c->frames[i].sha256, 32) != 0) {
            (void)fprintf(stderr, "frame %zu of %zu differs\n", i, c->frame_count);
            abort();
        }
    }
}

void frames_damage(struct clip *c)
{
    for (size_t i = 7; i < c->packet_count; i += 23) {
        AVPacket *p = c->packets[i];
        for (int b = p->size / 3; b < p->size; b += 5) {
            p->data[b] ^= 0x55;
        }
    }
}
