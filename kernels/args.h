#ifndef GM_KERNELS_ARGS_H
#define GM_KERNELS_ARGS_H

#include <stdint.h>

/* What travels between host and device: the arguments of the kernels and the tables they read.
 * The same layout in C on the host, in CUDA on the device and in the CPU twin: only fixed-width
 * integers, ordered so that there is no padding. Everything here is made by kernels.h.
 */

/* An address in the memory of whatever runs the kernel: a CUdeviceptr, or a pointer for the twin.
 */
typedef uint64_t gm_addr;

/* A picture. 8 bits: NV12. 10 bits: P010, samples in the upper 10 of 16 bits (what lies in the
 * lower 6 is ignored in, and is 0 out). Plane 1 has ceil(w/2) pairs U,V a row and ceil(h/2) rows.
 * stride: bytes from a row to the next. 10 bits: addresses and strides are even. */
struct gm_surface {
    gm_addr plane[2];
    uint32_t stride[2];
};

#define GM_LADDER_RUNGS 8
#define GM_LADDER_PLANES (2 * GM_LADDER_RUNGS)

/* One plane of one rung. Offsets are bytes from the start of the plan. Units of positions: samples
 * of the plane (a chroma sample is a pair U,V). */
struct gm_ladder_plane {
    uint32_t rung, chroma; /* chroma: 0 luma, 1 the pairs */
    uint32_t out_w, out_h;
    uint32_t deep;             /* 10 bits come out */
    uint32_t point;            /* each sample comes from one: nothing is weighted */
    int32_t in_w, in_h;        /* after crop and turn */
    int32_t x0, y0;            /* in the source, of the turned picture's first sample */
    int32_t right_x, right_y;  /* step in the source for one to the right in the turned one */
    int32_t down_x, down_y;    /* for one down */
    uint32_t taps_x, taps_y;   /* even */
    uint32_t start_x, start_y; /* offsets of int32_t[out_w], [out_h]: the first tap */
    uint32_t weights_x;        /* offset of uint32_t[taps_x / 2][out_w]: two taps, low first */
    uint32_t weights_y;        /* offset of uint32_t[out_h][taps_y / 2] */
    uint32_t tile_w, tile_h;   /* of the result, a block's share */
    uint32_t tiles_x, first_tile;
    uint32_t middle_w; /* int16_t a row of the block's intermediate, multiple of 4 */
    uint32_t mark;     /* offset of its uint16_t values and alphas; 0: none */
    uint32_t mark_x, mark_y, mark_w, mark_h;
};

struct gm_ladder_plan {
    uint32_t planes, tiles;
    struct gm_ladder_plane plane[GM_LADDER_PLANES]; /* then the tables */
};

struct gm_ladder_frame {
    struct gm_surface in;
    struct gm_surface out[GM_LADDER_RUNGS];
};

struct gm_ladder_args {
    gm_addr plan;   /* of struct gm_ladder_plan and its tables; 16-byte aligned */
    gm_addr frames; /* of struct gm_ladder_frame[], one a picture of the launch */
};

#define GM_SCORE_SHARED_BYTES 12304 /* struct gm_score_shared */

/* What `score` counts of a picture's luma of 8 bits, and of the ones before and after it; all zero
 * before the launch. */
#define GM_SCORE_BINS 256
#define GM_SCORE_BLOCK 16   /* side of a block */
#define GM_SCORE_ENOUGH 400 /* mean squared gradient of a block that gives half of what one can */
struct gm_score_sums {
    uint64_t
        detail; /* of blocks with a mean squared gradient of e, cut: e ENOUGH 256 / (e + ENOUGH) */
    uint64_t in, out; /* sum of |now - before|, of |now - after|; 0 without that picture */
    uint64_t across;  /* of |after - before|; 0 without both, as bend is */
    uint64_t bend;    /* of |2 now - before - after| */
    uint32_t histogram[GM_SCORE_BINS]; /* without the last row and column: they have no gradient */
};

struct gm_score_frame {
    gm_addr luma, before, after; /* before, after: 0: there is none */
    gm_addr sums;                /* of struct gm_score_sums */
    uint32_t stride, before_stride, after_stride;
    uint32_t reserved;
};

struct gm_score_args {
    gm_addr frames; /* of struct gm_score_frame[] */
    uint32_t width, height;
};

/* From HDR to SDR by the table of ADR-0008: nodes [blue][red][luma] of 14 bits. */
#define GM_TONE_LUMA_NODES 95
#define GM_TONE_CHROMA_NODES 129
#define GM_TONE_NODES (GM_TONE_CHROMA_NODES * GM_TONE_CHROMA_NODES * GM_TONE_LUMA_NODES)
#define GM_TONE_CODES 1024

struct gm_tone_frame {
    struct gm_surface in, out;
};

struct gm_tone_args {
    gm_addr frames;         /* of struct gm_tone_frame[] */
    gm_addr nodes[3];       /* of int16_t[GM_TONE_NODES]: luma, blue, red */
    gm_addr node, fraction; /* of uint8_t[GM_TONE_CODES]: a luma code's lower node, and 64ths */
    uint32_t width, height;
    uint32_t deep;      /* 10 bits come out */
    uint32_t left, top; /* chroma lies on luma's samples so; else between two */
    uint32_t reserved;
};

/* A block of `compare` has so many samples squared of one plane. */
#define GM_COMPARE_SIDE 64
#define GM_COMPARE_SHARED_BYTES 4640 /* struct gm_compare_shared */

/* How like two pictures are. Planes: luma, blue, red. */
struct gm_likeness {
    uint64_t error[3]; /* sum of squared differences */
    int64_t ssim[3];   /* sum over windows of 8x8 every 4 samples; 2^28 is one */
    uint64_t windows[3];
};

struct gm_compare_frame {
    struct gm_surface a, b;
    gm_addr likeness; /* of struct gm_likeness, all zero before the launch */
};

struct gm_compare_args {
    gm_addr frames; /* of struct gm_compare_frame[] */
    uint32_t width, height;
    uint32_t deep;
    uint32_t reserved;
};

/* A small picture into its place of a sheet; a block of `sprite` makes so many samples. */
#define GM_SPRITE_SHARE 256
struct gm_sprite_frame {
    struct gm_surface in, sheet;
    uint32_t x, y; /* in the sheet; even */
};

struct gm_sprite_args {
    gm_addr frames; /* of struct gm_sprite_frame[] */
    uint32_t in_width, in_height;
    uint32_t deep;          /* 10 bits come in */
    uint32_t out_deep;      /* 10 bits come out: the sheet is P010 */
    uint32_t width, height; /* of the small picture, after the turn */
    uint32_t turns, mirror; /* quarter turns clockwise, then left to right */
};

#endif
