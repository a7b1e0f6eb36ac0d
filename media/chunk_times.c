#include "media/chunk_times.h"

static void add(struct gm_sha256 *hash, char kind, uint64_t number)
{
    uint8_t record[9] = {(uint8_t)kind};
    for (int i = 0; i < 8; i++) {
        record[1 + i] = (uint8_t)(number >> (56 - 8 * i));
    }
    gm_sha256_update(hash, record, sizeof(record));
}

void gm_chunk_times_segment(struct gm_sha256 *hash, uint32_t number)
{
    add(hash, 'S', number);
}

void gm_chunk_times_frame(struct gm_sha256 *hash, int64_t ts, bool gop_start)
{
    add(hash, gop_start ? 'G' : 'F', (uint64_t)ts);
}

void gm_chunk_times_end(struct gm_sha256 *hash, int64_t end_ts, uint8_t out[GM_SHA256_SIZE])
{
    add(hash, 'E', (uint64_t)end_ts);
    gm_sha256_final(hash, out);
}

int gm_chunk_times(const Gm__ChunkHeader *header, uint8_t out[GM_SHA256_SIZE], struct gm_err *err)
{
    struct gm_sha256 *hash = gm_sha256_create();
    size_t segment = 0;
    if (hash == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < header->n_frames; i++) {
        const Gm__FrameEntry *frame = header->frames[i];
        if (segment < header->n_segments && header->segments[segment]->first_frame == i) {
            gm_chunk_times_segment(hash, header->segments[segment++]->number);
        }
        gm_chunk_times_frame(hash, frame->out_ts, frame->gop_start);
    }
    gm_chunk_times_end(hash, header->end_ts, out);
    gm_sha256_destroy(&hash);
    return 0;
}
