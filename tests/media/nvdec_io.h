#ifndef GM_TESTS_MEDIA_NVDEC_IO_H
#define GM_TESTS_MEDIA_NVDEC_IO_H

#include "media/frames_io.h"

/* Chunks decoded on a fake device of tests/drivers and in software, and compared. In children of
 * fake_gpu_run: what is wrong ends them. */

#define MAX_PICTURES 200

/* All of a picture that later stages read. */
struct seen {
    uint8_t sha256[32];
    int format, width, height;
    AVRational aspect;
    int range, matrix, primaries, transfer, chroma, interlaced;
    int64_t pts, id;
    bool captions;
};
struct run {
    struct frames_list list;
    struct seen seen[MAX_PICTURES];
    size_t pictures, beside, restarts, on_device, errors, replaced, again;
    size_t stayed;   /* of pictures */
    const char *why; /* the last one */
};
/* A clip to be made. */
struct made {
    const char *encoder, *options;
    int width, height;
    enum AVPixelFormat format;
    int keys_back; /* as clip_cut has it */
};
/* With the profile that a demuxer would tell. */
struct clip *nvdec_make(const struct made *m, int frames);
AVBufferRef *nvdec_open_device(void);
/* Cuts the clip's listed frames into chunks of 15, with a picture of context, and runs them,
 * run_chunks at once (0: all). device: NULL: software. repeats: how often each chunk is asked for
 * again. */
int nvdec_decode(const struct clip *c, int keys_back, size_t run_chunks, bool change,
                 AVBufferRef *device, size_t repeats, struct run *out, struct gm_err *err);
typedef void (*edit_fn)(Gm__ChunkHeader *header, void *arg);
int nvdec_decode_edited(const struct clip *c, int keys_back, size_t run_chunks, bool change,
                        edit_fn edit, AVBufferRef *device, size_t repeats, struct run *out,
                        struct gm_err *err);
/* Decoded in software, and on the device with pictures that stay there: the same samples and
 * properties. Returns how many stayed. */
size_t nvdec_stays(const struct clip *c, int keys_back, AVBufferRef *device, size_t repeats);
void nvdec_check_same(const struct run *a, const struct run *b);
/* Both ways; the same comes out. Returns the device's run; static. */
const struct run *nvdec_both(const struct clip *c, int keys_back, size_t run_chunks, bool change,
                             AVBufferRef *device, size_t repeats);

#endif
