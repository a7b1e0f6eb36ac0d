#include "media/package/mp4_text.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/fs.h"
#include "media/results.h"
#include "media/text/tx3g.h"
#include "media/text/webvtt.h"

/* See mp4_text.h. */

struct text_track {
    uint8_t *data; /* owned: the WebVTT file */
    size_t size;
    struct gm_tx3g *samples; /* owned */
};
struct gm_mp4_text {
    struct gm_mp4_writer *writer;
    struct text_track *tracks; /* owned */
    size_t count, first_track;
    int64_t end_ms;
    struct gm_buf sample; /* owned */
};

static int open_track(struct gm_mp4_text *t, struct gm_task_io *io, const Gm__TextTrack *track,
                      uint32_t index, struct gm_err *err)
{
    const Gm__TaskResult *result = gm_results_instance(io->spec, "subtitles", index);
    struct text_track *to = &t->tracks[t->count++];
    int fd = -1;
    if (result == NULL || result->n_objects != 1) {
        return gm_err_set(err, GM_E_PROTO, 0, "text track %u has no file", index);
    }
    int rc = io->open_result(io->self, result, 0, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_fs_read_fd(fd, GM_WEBVTT_MAX_BYTES, &to->data, &to->size, err);
    close(fd);
    if (rc == 0) {
        rc = gm_tx3g_create(to->data, to->size, t->end_ms, &to->samples, err);
    }
    return rc == 0 ? gm_mp4_writer_add_text(t->writer, track, err) : rc;
}

int gm_mp4_text_open(struct gm_task_io *io, const Gm__Policy *policy, struct gm_mp4_writer *writer,
                     size_t first_track, int64_t end_ms, struct gm_mp4_text **out,
                     struct gm_err *err)
{
    struct gm_mp4_text *t = calloc(1, sizeof *t);
    int rc = t == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        t->writer = writer;
        t->first_track = first_track;
        t->end_ms = end_ms;
        t->tracks = calloc(policy->n_text + 1, sizeof *t->tracks);
        rc = t->tracks == NULL ? gm_err_nomem(err) : 0;
    }
    for (size_t i = 0; rc == 0 && end_ms > 0 && i < policy->n_text; i++) {
        rc = open_track(t, io, policy->text[i], (uint32_t)i, err);
    }
    if (rc < 0) {
        gm_mp4_text_close(&t);
        return rc;
    }
    *out = t;
    return 0;
}

void gm_mp4_text_close(struct gm_mp4_text **t)
{
    if (*t == NULL) {
        return;
    }
    for (size_t i = 0; i < (*t)->count; i++) {
        gm_tx3g_destroy(&(*t)->tracks[i].samples);
        free((*t)->tracks[i].data);
    }
    free((*t)->tracks);
    gm_buf_fini(&(*t)->sample);
    free(*t);
    *t = NULL;
}

int gm_mp4_text_write(struct gm_mp4_text *t, int64_t *out_left_out, struct gm_err *err)
{
    int64_t left_out = 0;
    for (;;) {
        size_t first = 0;
        for (size_t i = 1; i < t->count; i++) {
            if (gm_tx3g_start(t->tracks[i].samples) < gm_tx3g_start(t->tracks[first].samples)) {
                first = i;
            }
        }
        if (t->count == 0 || gm_tx3g_start(t->tracks[first].samples) >= t->end_ms) {
            break;
        }
        int64_t start = gm_tx3g_start(t->tracks[first].samples);
        struct gm_mp4_sample out = {.pts = start, .dts = start, .sync = true};
        int rc = gm_tx3g_next(t->tracks[first].samples, &t->sample, &out.duration, err);
        out.data = t->sample.data;
        out.size = t->sample.size;
        if (rc < 0 ||
            (rc = gm_mp4_writer_sample(t->writer, t->first_track + first, &out, err)) < 0) {
            return rc;
        }
    }
    for (size_t i = 0; i < t->count; i++) {
        left_out += gm_tx3g_left_out(t->tracks[i].samples);
    }
    *out_left_out = left_out;
    return 0;
}
