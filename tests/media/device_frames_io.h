#ifndef GM_TESTS_MEDIA_DEVICE_FRAMES_IO_H
#define GM_TESTS_MEDIA_DEVICE_FRAMES_IO_H

#include "media/nvdec_io.h"

/* What every decoder of a device must do with chunks, against software: each call runs in a child
 * of its own (fake_gpu_run), and returns its exit status. */
struct device_frames {
    const char *profile; /* of tests/drivers */
    AVBufferRef *(*open)(void);
    bool stays; /* pictures can stay there */
};
#define DEVICE_FRAMES 46 /* of the clips; four chunks */

/* Clips that every one of them decodes: H.264 with B pictures, with open GOPs, in full range; HEVC
 * in 10 bits with open GOPs; VP9. */
#define DEVICE_CLIPS 5
#define DEVICE_VP9 4
extern const struct made device_clips[DEVICE_CLIPS];
/* H.264 with keyframes 15 apart. */
extern const struct made device_short_gop;

/* The clip's chunks alone, in pairs and all in one run, and again: all on the device. */
int device_frames_same(const struct device_frames *on, const struct made *clip);
/* The same from files, with their framing and what a demuxer says of the stream. */
int device_frames_demuxed(const struct device_frames *on, const struct made *clip);
/* A clip with keyframes 15 apart whose second half is damaged, or has a packet that says so, or
 * that is cut off: those chunks are decoded in software, and the others are not. */
int device_frames_damaged(const struct device_frames *on, const struct made *clip);
int device_frames_missing(const struct device_frames *on, const struct made *clip);
/* The same of one whose packet is not there at all, which software makes up for. */
int device_frames_unreferenced(const struct device_frames *on, const struct made *clip);

/* A clip that is left to software, and what is said of it. */
struct device_left {
    struct made made;
    const char *why;
    bool change; /* its parameters change in mid-stream: from there on */
    bool grain;  /* its keyframes have film grain: of H.264 and HEVC */
};
int device_frames_left(const struct device_frames *on, const struct device_left *left);
/* Clips that every one of them leaves. */
#define DEVICE_LEFTS 8
extern const struct device_left device_lefts[DEVICE_LEFTS];

/* A device that fails, or lacks something. */
struct device_fault {
    const char *profile, *lines;
    int rc;
    const char *why;  /* NULL: on the device */
    size_t on_device; /* chunks, where it does not fail */
};
int device_frames_fault(const struct device_frames *on, const struct made *clip,
                        const struct device_fault *fault);

/* Up to 60 pictures of a real clip. */
struct device_real {
    const char *name;
    int keys_back;
    bool on_device; /* all of it */
};
/* Clips of H.264, HEVC and VP9 for every one of them. */
#define DEVICE_REALS 12
extern const struct device_real device_reals[DEVICE_REALS];
/* Skips the test where there are no real clips. */
void device_frames_reals(const struct device_frames *on, const struct device_real *reals,
                         size_t count);

#endif
