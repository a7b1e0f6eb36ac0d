#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/channel_layout.h>

#include "media/audio_line_io.h"

int line_hear(const float *const *planes, size_t count, void *arg, struct gm_err *err)
{
    struct heard *h = arg;
    (void)err;
    assert_true(h->count + count <= MAX_OUT);
    for (size_t i = 0; i < count; i++) {
        h->left[h->count + i] = planes != NULL ? planes[0][i] : 0;
    }
    h->count += count;
    return 0;
}

AVFrame *line_frame(int rate, int channels, int count, int64_t pts, float level)
{
    AVFrame *f = av_frame_alloc();
    assert_non_null(f);
    f->format = AV_SAMPLE_FMT_FLTP;
    f->sample_rate = rate;
    f->nb_samples = count;
    f->pts = pts;
    av_channel_layout_default(&f->ch_layout, channels);
    assert_true(av_frame_get_buffer(f, 0) >= 0);
    for (int c = 0; c < channels; c++) {
        for (int i = 0; i < count; i++) {
            ((float *)f->extended_data[c])[i] = level;
        }
    }
    return f;
}

void line_give(struct gm_audio_line *line, int rate, int count, int64_t pts, float level)
{
    struct gm_err err;
    AVFrame *f = line_frame(rate, 2, count, pts, level);
    assert_int_equal(gm_audio_line_frame(line, f, &err), 0);
    av_frame_free(&f);
}
