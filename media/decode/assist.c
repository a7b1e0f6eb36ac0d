#include "media/decode/assist.h"

#include <stdio.h>
#include <string.h>

#include "media/decode/device_decoder.h"
#include "media/decode/frames_device.h"

/* Proofs name codecs as chains do: "hevc", and in 10 bits "hevc10". */
static bool is_proved(const struct gm_task_io *io, const Gm__VideoFacts *facts)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%.16s%s", facts->codec, facts->bit_depth == 10 ? "10" : "");
    for (size_t i = 0; i < io->decode_codec_count; i++) {
        if (strcmp(io->decode_codecs[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* What works for the task decodes for it, too. */
static bool is_own(const struct gm_task_io *io, const AVBufferRef *own)
{
    return own != NULL && io->device != NULL && strcmp(io->device, io->decode_device) == 0 &&
           strcmp(io->decode_api, gm_device_decoder_api(own)) == 0;
}

int gm_assist_open(const struct gm_task_io *io, const Gm__VideoFacts *facts, AVBufferRef *own,
                   struct gm_frames *frames, struct gm_err *err)
{
    AVBufferRef *device = NULL;
    if (io->decode_device == NULL || io->decode_device[0] == '\0') {
        return 0;
    }
    if (!is_proved(io, facts)) {
        return gm_frames_assist(frames, NULL, "the GPU is not proved to decode this", err);
    }
    if (is_own(io, own)) {
        int rc = gm_frames_assist(frames, own, NULL, err);
        if (rc == 0) {
            gm_frames_stay(frames);
        }
        return rc;
    }
    int rc = gm_device_decoder_hold(io->decode_api, io->decode_device, &device, err);
    const char *excuse = rc < 0 ? gm_frames_device_excuse((enum gm_code) - rc) : NULL;
    if (rc < 0 && excuse == NULL) {
        return rc;
    }
    if (rc < 0 && io->device_failed != NULL) {
        io->device_failed(io->self, err);
    }
    rc = gm_frames_assist(frames, device, excuse, err);
    av_buffer_unref(&device);
    return rc;
}

void gm_assist_tell(const struct gm_task_io *io, const struct gm_frames *frames, bool *told)
{
    const struct gm_err *why = gm_frames_failure(frames);
    if (!*told && why != NULL && io->device_failed != NULL) {
        io->device_failed(io->self, why);
        *told = true;
    }
}
