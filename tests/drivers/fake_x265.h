/* libx265 itself, as the fake encoders of HEVC have it behind them: one thread, IDRs where they are
 * asked for, closed GOPs, parameter sets apart from the pictures. libavcodec can't be asked: it
 * holds a lock while it opens hevc_nvenc or hevc_qsv, and wants the same lock to open libx265. */
#ifndef GM_TESTS_DRIVERS_FAKE_X265_H
#define GM_TESTS_DRIVERS_FAKE_X265_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavutil/frame.h>
#include <x265.h>

struct fake_x265 { /* all-zero: none */
    const x265_api *api;
    x265_param *param;      /* owned; as the caller wants it, between init and open */
    x265_encoder *encoder;  /* owned; NULL: not open */
    x265_picture *in, *out; /* owned */
    bool deep;              /* 10 bits */
};

/* param's defaults. false: there is no such library, or no memory; to be ended all the same. */
bool fake_x265_init(struct fake_x265 *x, bool deep);
/* That many B pictures between two others. */
void fake_x265_set_b_pictures(struct fake_x265 *x, int count);
/* false: param is refused. */
bool fake_x265_open(struct fake_x265 *x, bool main10);
void fake_x265_fini(struct fake_x265 *x);

/* VPS, SPS and PPS with start codes; borrowed until the next call. */
bool fake_x265_headers(struct fake_x265 *x, const uint8_t **out, size_t *out_size);

struct fake_x265_coded { /* NAL units of a picture with start codes; borrowed until the next call */
    const uint8_t *data;
    size_t size;
    int64_t pts, dts;
    enum AVPictureType type; /* I: an IDR picture */
};
/* frame: planar 4:2:0 of the coder's depth; pict_type I: an IDR picture, P: none that is held back;
 * captions in its side data are a whole message. NULL: what is held back.
 * 1: *out; 0: it wants more pictures, or (NULL) there are no more; -1: it failed. */
int fake_x265_code(struct fake_x265 *x, const AVFrame *frame, struct fake_x265_coded *out);

/* Fills a planar frame from NV12 or (10 bits) P010, of pitch bytes a row; beyond columns and rows
 * samples of luma the last ones again. spoil: other pictures. */
void fake_x265_unpack(AVFrame *frame, const uint8_t *luma, const uint8_t *chroma, int pitch,
                      int columns, int rows, bool spoil);

#endif
