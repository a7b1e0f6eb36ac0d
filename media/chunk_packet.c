#include "media/chunk_packet.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "proto/chunk_format.h"

static int read_body(const struct gm_chunk_packet *p, struct gm_source_file source, uint8_t *to,
                     struct gm_err *err)
{
    size_t got = 0;
    if (p->offset > (uint64_t)INT64_MAX - p->size) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Packet %" PRIu64 " lies nowhere", p->id);
    }
    int rc = gm_source_file_read(source, to, p->size, p->offset, &got, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "packet %" PRIu64 " of the source: ", p->id);
    }
    return got == p->size ? 0
                          : gm_err_set(err, GM_E_INPUT_CHANGED, 0,
                                       "The source ends inside of packet %" PRIu64, p->id);
}

int gm_chunk_packet_fill(const struct gm_chunk_packet *p, struct gm_source_file source,
                         AVPacket *out, struct gm_err *err)
{
    av_packet_unref(out);
    if (p->size > GM_CHUNK_MAX_PACKET) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Packet %" PRIu64 " is too large", p->id);
    }
    if (av_new_packet(out, (int)p->size) < 0) {
        return gm_err_nomem(err);
    }
    if (p->by_reference) {
        int rc = read_body(p, source, out->data, err);
        if (rc < 0) {
            return rc;
        }
    } else if (p->size > 0) {
        memcpy(out->data, p->data, p->size);
    }
    out->flags = (int)(p->flags & INT_MAX);
    for (uint16_t i = 0; i < p->sides; i++) {
        const struct gm_chunk_side *s = &p->side[i];
        if (s->type >= AV_PKT_DATA_NB) {
            continue;
        }
        uint8_t *to = av_packet_new_side_data(out, (enum AVPacketSideDataType)s->type, s->size);
        if (to == NULL) {
            return gm_err_nomem(err);
        }
        if (s->size > 0) {
            memcpy(to, s->data, s->size);
        }
    }
    return 0;
}
