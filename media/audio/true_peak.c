/* See true_peak.h. */
#include "media/audio/true_peak.h"

#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>
#include <math.h>
#include <stdlib.h>

#include "media/av.h"

#define PEAK_RATE 192000
#define MAX_CHANNELS 6
#define BLOCK 4096

struct gm_true_peak {
    uint32_t channels;
    SwrContext *swr;          /* owned */
    float *silence;           /* owned: BLOCK zeros */
    float *out[MAX_CHANNELS]; /* owned */
    int room;                 /* samples of out */
    float highest;
};

static int open_resampler(struct gm_true_peak *p, uint32_t rate, struct gm_err *err)
{
    AVChannelLayout layout = {0};
    av_channel_layout_default(&layout, (int)p->channels);
    int rc = swr_alloc_set_opts2(&p->swr, &layout, AV_SAMPLE_FMT_FLTP, PEAK_RATE, &layout,
                                 AV_SAMPLE_FMT_FLTP, (int)rate, 0, NULL);
    if (rc >= 0) {
        rc = swr_init(p->swr);
    }
    return rc < 0 ? gm_err_av(err, GM_E_MEDIA, rc, "the true peak can't be measured") : 0;
}

int gm_true_peak_create(uint32_t channels, uint32_t rate, struct gm_true_peak **out,
                        struct gm_err *err)
{
    if (channels < 1 || channels > MAX_CHANNELS || rate < 8000 || rate > 96000) {
        return gm_err_set(err, GM_E_INVAL, 0, "no true peak of %u channels at %u Hz", channels,
                          rate);
    }
    struct gm_true_peak *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return gm_err_nomem(err);
    }
    p->channels = channels;
    p->room = (int)((uint64_t)BLOCK * PEAK_RATE / rate) + 256;
    p->silence = calloc(BLOCK, sizeof(float));
    bool ok = p->silence != NULL;
    for (uint32_t c = 0; c < channels; c++) {
        p->out[c] = calloc((size_t)p->room, sizeof(float));
        ok = ok && p->out[c] != NULL;
    }
    int rc = ok ? open_resampler(p, rate, err) : gm_err_nomem(err);
    if (rc < 0) {
        gm_true_peak_destroy(&p);
        return rc;
    }
    *out = p;
    return 0;
}

void gm_true_peak_destroy(struct gm_true_peak **p)
{
    if (*p == NULL) {
        return;
    }
    swr_free(&(*p)->swr);
    for (size_t c = 0; c < MAX_CHANNELS; c++) {
        free((*p)->out[c]);
    }
    free((*p)->silence);
    free(*p);
    *p = NULL;
}

static void look(struct gm_true_peak *p, const float *samples, size_t count)
{
    float highest = p->highest;
    for (size_t i = 0; i < count; i++) {
        float v = fabsf(samples[i]);
        highest = v > highest ? v : highest;
    }
    p->highest = highest;
}

/* in NULL: what the resampler still holds. */
static int convert(struct gm_true_peak *p, const uint8_t **in, int count, struct gm_err *err)
{
    int got = 0;
    do {
        uint8_t *out[MAX_CHANNELS] = {NULL};
        for (uint32_t c = 0; c < p->channels; c++) {
            out[c] = (uint8_t *)p->out[c];
        }
        got = swr_convert(p->swr, out, p->room, in, count);
        if (got < 0) {
            return gm_err_av(err, GM_E_MEDIA, got, "the true peak can't be measured");
        }
        for (uint32_t c = 0; c < p->channels; c++) {
            look(p, p->out[c], (size_t)got);
        }
    } while (in == NULL && got > 0);
    return 0;
}

int gm_true_peak_add(struct gm_true_peak *p, const float *const *planes, size_t count,
                     struct gm_err *err)
{
    for (size_t done = 0; done < count;) {
        size_t n = count - done < BLOCK ? count - done : BLOCK;
        const uint8_t *in[MAX_CHANNELS] = {NULL};
        for (uint32_t c = 0; c < p->channels; c++) {
            const float *from = planes != NULL ? planes[c] + done : p->silence;
            in[c] = (const uint8_t *)from;
            look(p, from, n);
        }
        int rc = convert(p, in, (int)n, err);
        if (rc < 0) {
            return rc;
        }
        done += n;
    }
    return 0;
}

int gm_true_peak_end(struct gm_true_peak *p, double *out_db, struct gm_err *err)
{
    int rc = convert(p, NULL, 0, err);
    if (rc == 0) {
        *out_db = p->highest > 0 ? 20 * log10(p->highest) : -HUGE_VAL;
    }
    return rc;
}
