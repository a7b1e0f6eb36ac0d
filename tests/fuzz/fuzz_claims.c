#include "fuzz.h"

#include <string.h>

#include "media/source/claims.h"
#include "media/source/claims_header.h"

/* Indexes, durations and headers as a demuxer may leave them: whatever numbers stand there, an
 * answer that is not negative comes of it. */

struct bytes {
    const uint8_t *at;
    size_t left;
};

static int64_t take(struct bytes *b, size_t size)
{
    uint64_t v = 0;
    size = size < b->left ? size : b->left;
    memcpy(&v, b->at, size);
    b->at += size;
    b->left -= size;
    return (int64_t)v;
}

static void add_stream(AVFormatContext *format, struct bytes *b)
{
    AVStream *st = avformat_new_stream(format, NULL);
    GM_ASSERT(st != NULL);
    st->codecpar->codec_type = (enum AVMediaType)(take(b, 1) & 3);
    st->time_base.num = 1 + (int)(take(b, 1) & 0x7f);
    st->time_base.den = 1 + (int)(take(b, 4) & 0x3fffffff);
    int entries = (int)(take(b, 1) & 15);
    for (int i = 0; i < entries; i++) {
        int64_t pos = take(b, 8);
        int64_t ts = take(b, 8);
        int size = (int)(take(b, 4) & 0x3fffffff);
        (void)av_add_index_entry(st, pos, ts, size, 0, AVINDEX_KEYFRAME);
    }
    st->nb_frames = take(b, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};
    AVFormatContext *format = avformat_alloc_context();
    GM_ASSERT(format != NULL);
    int64_t file_size = take(&b, 8) & (INT64_MAX >> 1); /* no file is longer */
    format->duration = take(&b, 8);
    format->duration_estimation_method = (enum AVDurationEstimationMethod)(take(&b, 1) % 3);
    int64_t start = take(&b, 8);
    int64_t end = take(&b, 8);
    struct gm_claims_span span = {.any = true,
                                  .end_us = end,
                                  .tracks[0] = {.packets = 1 + (unsigned)(start & 1),
                                                .end = end,
                                                .ts = start,
                                                .length = end ^ file_size,
                                                .before_ts = end,
                                                .before = start ^ file_size},
                                  .has_text = (start & 1) != 0,
                                  .text_end_us = start ^ end};
    int streams = 1 + (int)(take(&b, 1) & 3);
    for (int i = 0; i < streams; i++) {
        add_stream(format, &b);
    }
    GM_ASSERT(gm_claims_outside_us(format, file_size) >= 0);
    struct gm_claims_file file = {.size = file_size, .cut = (end & 1) != 0};
    GM_ASSERT(gm_claims_short_us(format, &file, start, &span) >= 0);
    char text[GM_CLAIMS_TEXT];
    gm_claims_tell_streams(format, file_size, text);
    GM_ASSERT(strlen(text) < sizeof text);
    static const char *const names[] = {"avi", "wav", "w64", "asf", "matroska"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        format->iformat = av_find_input_format(names[i]);
        format->streams[0]->codecpar->bit_rate = end;
        file.header_us = gm_claims_header_parse(format, file_size, b.at, b.left);
        GM_ASSERT(file.header_us >= 0);
        GM_ASSERT(gm_claims_header_index(b.at, b.left) >= 0);
        GM_ASSERT(!gm_claims_header_is_cut(format, INT64_MAX, b.at, b.left));
        GM_ASSERT(gm_claims_short_us(format, &file, start, &span) >= 0);
    }
    format->iformat = NULL;
    avformat_free_context(format);
    return 0;
}
