#include "media/source/split_chunk.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/array.h"
#include "common/fs.h"
#include "common/hash.h"
#include "media/pb.h"

/* See split_chunk.h. Objects are named after their content, so that what a lost attempt left can
 * never stand for what a later one made. */

void gm_split_chunk_fini(struct gm_split_chunk *c)
{
    free(c->frames);
    free(c->segments);
    *c = (struct gm_split_chunk){0};
}

void gm_split_chunk_reset(struct gm_split_chunk *c, uint32_t index)
{
    c->index = index;
    c->frame_count = 0;
    c->segment_count = 0;
    c->min_id = UINT64_MAX;
    c->max_id = 0;
    c->first_ordinal = 0;
    c->before_count = c->after_count = 0;
}

static void note_packets(struct gm_split_chunk *c, uint64_t id, uint64_t until)
{
    c->min_id = id < c->min_id ? id : c->min_id;
    c->max_id = id > c->max_id ? id : c->max_id;
    c->max_id = until > c->max_id ? until : c->max_id;
}

static void as_context(const Gm__FrameEntry *frame, Gm__FrameEntry *out)
{
    *out = *frame;
    out->gop_start = false;
}

void gm_split_chunk_before(struct gm_split_chunk *c, const Gm__FrameEntry *frame, int64_t ordinal)
{
    GM_ASSERT(c->frame_count == 0 && c->before_count < GM_SPLIT_CONTEXT);
    if (c->before_count == 0) {
        c->first_ordinal = ordinal;
    }
    as_context(frame, &c->before[c->before_count++]);
    note_packets(c, frame->packet_id, 0);
}

void gm_split_chunk_after(struct gm_split_chunk *c, const Gm__FrameEntry *frame, uint64_t until)
{
    GM_ASSERT(c->after_count < GM_SPLIT_CONTEXT);
    as_context(frame, &c->after[c->after_count++]);
    note_packets(c, frame->packet_id, until);
}

int gm_split_chunk_frame(struct gm_split_chunk *c, const Gm__FrameEntry *frame, uint64_t until,
                         int64_t ordinal, struct gm_err *err)
{
    int rc =
        gm_array_reserve(&c->frames, c->frame_count, 1, &c->frame_cap, sizeof c->frames[0], err);
    if (rc < 0) {
        return rc;
    }
    if (c->frame_count == 0 && c->before_count == 0) {
        c->first_ordinal = ordinal;
    }
    c->frames[c->frame_count++] = *frame;
    note_packets(c, frame->packet_id, until);
    return 0;
}

int gm_split_chunk_segment(struct gm_split_chunk *c, uint32_t number, struct gm_err *err)
{
    int rc = gm_array_reserve(&c->segments, c->segment_count, 1, &c->segment_cap,
                              sizeof c->segments[0], err);
    if (rc < 0) {
        return rc;
    }
    Gm__SegmentEntry *e = &c->segments[c->segment_count++];
    gm__segment_entry__init(e);
    e->number = number;
    e->first_frame = (uint32_t)c->frame_count;
    return 0;
}

static int write_file(const struct gm_split_write *w, int fd, uint8_t out_digest[GM_SHA256_SIZE],
                      struct gm_err *err)
{
    uint64_t size;
    struct gm_chunk_writer *writer = NULL;
    int rc = gm_chunk_writer_open(fd, w->header, &writer, err);
    if (rc == 0 && w->from <= w->to) {
        rc = gm_split_store_write(w->store, w->from, w->to, writer, err);
    }
    if (rc == 0) {
        rc = gm_chunk_writer_finish(writer, err);
    }
    if (rc == 0) {
        rc = gm_chunk_writer_digest(writer, out_digest, &size, err);
    }
    gm_chunk_writer_close(&writer);
    return rc;
}

/* The header's fields that follow from the store. The codec parameters are lent to it. */
static int complete_header(const struct gm_split_write *w, uint8_t **out_par,
                           Gm__Rational *time_base, struct gm_err *err)
{
    Gm__ChunkHeader *h = w->header;
    size_t size;
    int rc = gm_split_store_codecpar(w->store, w->from, out_par, &size, err);
    if (rc < 0) {
        return rc;
    }
    h->version = 1;
    h->stream = w->stream;
    h->codec = (char *)(uintptr_t)w->codec; /* not changed */
    h->codecpar.data = *out_par;
    h->codecpar.len = size;
    gm__rational__init(time_base);
    time_base->num = w->store->stream->time_base.num;
    time_base->den = w->store->stream->time_base.den;
    h->time_base = time_base;
    h->by_reference = w->from <= w->to && gm_split_store_refers(w->store, w->from, w->to);
    return 0;
}

int gm_split_write_chunk(const struct gm_split_write *w, struct gm_err *err)
{
    Gm__Rational time_base;
    uint8_t *par = NULL;
    char name[64], path[96], hex[2 * GM_SHA256_SIZE + 1];
    uint8_t digest[GM_SHA256_SIZE];
    int fd = -1;
    int rc = complete_header(w, &par, &time_base, err);
    if (rc == 0) {
        rc = gm_fs_path(name, sizeof name, err, "chunk-%u-%05u.gmck", w->stream, w->header->index);
    }
    if (rc == 0) {
        rc = w->io->create_file(w->io->self, name, &fd, err);
    }
    if (rc == 0) {
        rc = write_file(w, fd, digest, err);
    }
    if (fd >= 0 && close(fd) < 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "close of a chunk");
    }
    if (rc == 0) {
        gm_hex(digest, 6, hex);
        rc = gm_fs_path(path, sizeof path, err, "chunks/%u/%05u-%s.gmck", w->stream,
                        w->header->index, hex);
    }
    if (rc == 0) {
        Gm__WFile file = GM__WFILE__INIT;
        file.name = name;
        file.store = GM__OBJECT_STORE__STORE_WORK;
        file.path = path;
        rc = w->io->produce(w->io->self, w->stream, w->header->index, w->header->last, &file, 1,
                            w->meta, err);
    }
    free(par);
    return rc;
}
