#include "media/source/split_store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/fs.h"
#include "media/chunk_packet.h"
#include "media/format/nal.h"
#include "proto/chunk_format.h"

/* See split_store.h. A scratch file is emptied when none of its packets is needed any more. */

int gm_split_store_init(struct gm_split_store *s, struct gm_task_io *io, const AVStream *stream,
                        struct gm_source_file source_file, bool by_reference, const char *name,
                        struct gm_err *err)
{
    const AVCodecParameters *par = stream->codecpar;
    *s = (struct gm_split_store){
        .io = io,
        .stream = stream,
        .source_file = source_file,
        .by_reference = by_reference,
        .memory_limit = GM_SPLIT_MEMORY_BYTES,
        .spill_fd = -1,
    };
    int rc = gm_fs_path(s->spill_name, sizeof s->spill_name, err, "%s", name);
    if (rc < 0) {
        return rc;
    }
    size_t size = par->extradata_size > 0 ? (size_t)par->extradata_size : 0;
    s->extradata = calloc(1, sizeof *s->extradata);
    uint8_t *copy = malloc(size + 1);
    if (s->extradata == NULL || copy == NULL) {
        free(copy);
        return gm_err_nomem(err);
    }
    if (size > 0) {
        memcpy(copy, par->extradata, size);
    }
    s->extradata[0].data = copy;
    s->extradata[0].size = size;
    s->extradata_count = 1;
    return 0;
}

static void free_packet(struct gm_split_store *s, struct gm_split_packet *p)
{
    for (int i = 0; i < p->sides; i++) {
        free(p->side[i].data);
    }
    free(p->side);
    if (p->where == GM_SPLIT_MEMORY) {
        s->memory_bytes -= p->size;
        free(p->data);
    } else if (p->where == GM_SPLIT_SPILLED) {
        s->spilled--;
    }
}

void gm_split_store_fini(struct gm_split_store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free_packet(s, &s->packets[s->first + i]);
    }
    for (size_t i = 0; i < s->extradata_count; i++) {
        free(s->extradata[i].data);
    }
    if (s->spill_fd >= 0) {
        (void)close(s->spill_fd);
        s->io->remove_file(s->io->self, s->spill_name);
    }
    free(s->extradata);
    free(s->packets);
    *s = (struct gm_split_store){.spill_fd = -1};
}

static int spill(struct gm_split_store *s, const AVPacket *p, struct gm_split_packet *out,
                 struct gm_err *err)
{
    if (s->spill_fd < 0) {
        int rc = s->io->create_file(s->io->self, s->spill_name, &s->spill_fd, err);
        if (rc < 0) {
            s->spill_fd = -1;
            return rc;
        }
    }
    if (s->spilled == 0 && s->spill_size > 0) {
        if (ftruncate(s->spill_fd, 0) < 0 || lseek(s->spill_fd, 0, SEEK_SET) < 0) {
            return gm_err_sys(err, errno, "emptying a scratch file");
        }
        s->spill_size = 0;
    }
    int rc = gm_fs_write_all(s->spill_fd, p->data, (size_t)p->size, err);
    if (rc < 0) {
        return rc;
    }
    out->where = GM_SPLIT_SPILLED;
    out->offset = s->spill_size;
    s->spill_size += (uint64_t)p->size;
    s->spilled++;
    return 0;
}

static int keep_body(struct gm_split_store *s, const AVPacket *p, struct gm_split_packet *out,
                     struct gm_err *err)
{
    bool in_source = false;
    int rc =
        s->by_reference && p->size > 0 ? gm_source_holds(s->source_file, p, &in_source, err) : 0;
    if (rc < 0) {
        return rc;
    }
    if (in_source) {
        out->where = GM_SPLIT_SOURCE;
        out->offset = (uint64_t)p->pos;
        return 0;
    }
    if (s->memory_bytes + (size_t)p->size > s->memory_limit) {
        return spill(s, p, out, err);
    }
    out->data = malloc((size_t)p->size + 1);
    if (out->data == NULL) {
        return gm_err_nomem(err);
    }
    if (p->size > 0) {
        memcpy(out->data, p->data, (size_t)p->size);
    }
    out->where = GM_SPLIT_MEMORY;
    s->memory_bytes += (size_t)p->size;
    return 0;
}

static int keep_sides(const AVPacket *p, struct gm_split_packet *out, struct gm_err *err)
{
    int n = p->side_data_elems < GM_CHUNK_MAX_SIDES ? p->side_data_elems : GM_CHUNK_MAX_SIDES;
    if (n <= 0) {
        return 0;
    }
    out->side = calloc((size_t)n, sizeof *out->side);
    if (out->side == NULL) {
        return gm_err_nomem(err);
    }
    for (int i = 0; i < n; i++) {
        const AVPacketSideData *from = &p->side_data[i];
        if (from->size > GM_CHUNK_MAX_SIDE) {
            continue;
        }
        uint8_t *data = malloc(from->size + 1);
        if (data == NULL) {
            return gm_err_nomem(err);
        }
        if (from->size > 0) {
            memcpy(data, from->data, from->size);
        }
        out->side[out->sides].data = data;
        out->side[out->sides].size = from->size;
        out->side[out->sides++].type = from->type;
    }
    return 0;
}

/* New parameter sets hold from this packet on. */
static int note_extradata(struct gm_split_store *s, const AVPacket *p, struct gm_err *err)
{
    size_t size = 0;
    const uint8_t *data = av_packet_get_side_data(p, AV_PKT_DATA_NEW_EXTRADATA, &size);
    size_t last = s->extradata_count - 1;
    if (data == NULL || size == 0 || size > INT_MAX / 2 ||
        (size == s->extradata[last].size && memcmp(data, s->extradata[last].data, size) == 0)) {
        return 0;
    }
    void *grown = realloc(s->extradata, (last + 2) * sizeof *s->extradata);
    if (grown == NULL) {
        return gm_err_nomem(err);
    }
    s->extradata = grown;
    uint8_t *copy = malloc(size);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(copy, data, size);
    s->extradata[last + 1].data = copy;
    s->extradata[last + 1].size = size;
    s->extradata_count++;
    return 0;
}

static int make_room(struct gm_split_store *s, struct gm_err *err)
{
    if (s->first + s->count < s->cap) {
        return 0;
    }
    if (s->first > s->cap / 2) {
        memmove(s->packets, s->packets + s->first, s->count * sizeof s->packets[0]);
        s->first = 0;
        return 0;
    }
    return gm_array_reserve(&s->packets, s->first + s->count, 1, &s->cap, sizeof s->packets[0],
                            err);
}

int gm_split_store_add(struct gm_split_store *s, const AVPacket *p, struct gm_err *err)
{
    if (p->size < 0 || (size_t)p->size > GM_CHUNK_MAX_PACKET) {
        return gm_err_set(err, GM_E_INPUT_TOO_LARGE, p->size, "a packet of %d bytes", p->size);
    }
    int rc = make_room(s, err);
    if (rc == 0) {
        rc = note_extradata(s, p, err);
    }
    if (rc < 0) {
        return rc;
    }
    size_t at = s->extradata_count - 1;
    struct gm_split_packet *out = &s->packets[s->first + s->count];
    *out = (struct gm_split_packet){
        .id = s->next_id,
        .pts = p->pts,
        .dts = p->dts,
        .duration = p->duration,
        .flags = (uint32_t)p->flags,
        .size = (uint32_t)p->size,
        .shown = -1,
        .extradata = at,
        .where = GM_SPLIT_SOURCE,
    };
    if ((p->flags & AV_PKT_FLAG_KEY) != 0) {
        out->closed = gm_nal_is_closed(s->stream->codecpar->codec_id, s->extradata[at].data,
                                       s->extradata[at].size, p->data, (size_t)p->size);
    }
    rc = keep_body(s, p, out, err);
    if (rc == 0) {
        rc = keep_sides(p, out, err);
    }
    if (rc < 0) {
        free_packet(s, out);
        return rc;
    }
    s->count++;
    s->next_id++;
    return 0;
}

void gm_split_store_skip(struct gm_split_store *s)
{
    GM_ASSERT(s->count == 0);
    s->next_id++;
}

uint64_t gm_split_store_first(const struct gm_split_store *s)
{
    return s->next_id - s->count;
}

struct gm_split_packet *gm_split_store_find(const struct gm_split_store *s, uint64_t id)
{
    uint64_t first = gm_split_store_first(s);
    return id >= first && id < s->next_id ? &s->packets[s->first + (size_t)(id - first)] : NULL;
}

void gm_split_store_drop(struct gm_split_store *s, uint64_t before_id)
{
    while (s->count > 0 && s->packets[s->first].id < before_id) {
        free_packet(s, &s->packets[s->first]);
        s->first++;
        s->count--;
    }
    if (s->count == 0) {
        s->first = 0;
    }
}

static int read_spilled(const struct gm_split_store *s, const struct gm_split_packet *p,
                        uint8_t *out, struct gm_err *err)
{
    size_t got = 0;
    int rc = gm_fs_read_at(s->spill_fd, out, p->size, p->offset, &got, err);
    if (rc == 0 && got < p->size) {
        rc = gm_err_sys(err, EIO, "read of a scratch file");
    }
    return rc;
}

/* The packet as chunks have it. out_body: owned by the caller, also on failure; NULL: not needed.
 */
static int fill_packet(const struct gm_split_store *s, const struct gm_split_packet *p,
                       struct gm_chunk_side side[GM_CHUNK_MAX_SIDES], struct gm_chunk_packet *out,
                       uint8_t **out_body, struct gm_err *err)
{
    uint8_t *body = NULL;
    for (int i = 0; i < p->sides; i++) {
        side[i] = (struct gm_chunk_side){
            .type = (uint32_t)p->side[i].type,
            .size = (uint32_t)p->side[i].size,
            .data = p->side[i].data,
        };
    }
    if (p->where == GM_SPLIT_SPILLED) {
        *out_body = body = malloc((size_t)p->size + 1);
        int rc = body != NULL ? read_spilled(s, p, body, err) : gm_err_nomem(err);
        if (rc < 0) {
            return rc;
        }
    }
    *out = (struct gm_chunk_packet){
        .id = p->id,
        .pts = p->pts,
        .dts = p->dts,
        .duration = p->duration,
        .flags = p->flags,
        .sides = (uint16_t)p->sides,
        .side = side,
        .by_reference = p->where == GM_SPLIT_SOURCE,
        .offset = p->where == GM_SPLIT_SOURCE ? p->offset : 0,
        .size = p->size,
        .data = p->where == GM_SPLIT_MEMORY ? p->data : body,
    };
    return 0;
}

static int write_packet(struct gm_split_store *s, const struct gm_split_packet *p,
                        struct gm_chunk_writer *w, struct gm_err *err)
{
    struct gm_chunk_side side[GM_CHUNK_MAX_SIDES];
    struct gm_chunk_packet packet;
    uint8_t *body = NULL;
    int rc = fill_packet(s, p, side, &packet, &body, err);
    if (rc == 0) {
        rc = gm_chunk_write_packet(w, &packet, err);
    }
    free(body);
    return rc;
}

int gm_split_store_write(struct gm_split_store *s, uint64_t from, uint64_t to,
                         struct gm_chunk_writer *w, struct gm_err *err)
{
    for (uint64_t id = from; id <= to; id++) {
        const struct gm_split_packet *p = gm_split_store_find(s, id);
        if (p == NULL) {
            return gm_err_set(err, GM_E_BUG, 0, "packet %llu is no longer kept",
                              (unsigned long long)id);
        }
        int rc = write_packet(s, p, w, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int gm_split_store_packet(const struct gm_split_store *s, uint64_t id, AVPacket *out,
                          struct gm_err *err)
{
    struct gm_chunk_side side[GM_CHUNK_MAX_SIDES];
    struct gm_chunk_packet packet;
    uint8_t *body = NULL;
    const struct gm_split_packet *p = gm_split_store_find(s, id);
    int rc = p != NULL ? fill_packet(s, p, side, &packet, &body, err)
                       : gm_err_set(err, GM_E_BUG, 0, "packet %llu is no longer kept",
                                    (unsigned long long)id);
    if (rc == 0) {
        rc = gm_chunk_packet_fill(&packet, s->source_file, out, err);
    }
    if (rc == 0) {
        out->pts = out->dts = (int64_t)id;
    }
    free(body);
    return rc;
}

bool gm_split_store_refers(const struct gm_split_store *s, uint64_t from, uint64_t to)
{
    for (uint64_t id = from; id <= to; id++) {
        const struct gm_split_packet *p = gm_split_store_find(s, id);
        if (p != NULL && p->where == GM_SPLIT_SOURCE) {
            return true;
        }
    }
    return false;
}

int gm_split_store_codecpar(const struct gm_split_store *s, uint64_t id, uint8_t **out,
                            size_t *out_size, struct gm_err *err)
{
    const struct gm_split_packet *p = gm_split_store_find(s, id);
    size_t at = p != NULL ? p->extradata : s->extradata_count - 1;
    if (at == 0) {
        return gm_codecpar_encode(s->stream->codecpar, s->stream, out, out_size, err);
    }
    AVCodecParameters *par = avcodec_parameters_alloc();
    if (par == NULL || avcodec_parameters_copy(par, s->stream->codecpar) < 0) {
        avcodec_parameters_free(&par);
        return gm_err_nomem(err);
    }
    int rc = gm_av_set_extradata(par, s->extradata[at].data, s->extradata[at].size, err);
    if (rc == 0) {
        rc = gm_codecpar_encode(par, s->stream, out, out_size, err);
    }
    avcodec_parameters_free(&par);
    return rc;
}
