#include "media/device_encoder_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

#include "media/chunk_io.h"
#include "media/encode/encoder_backend.h"
#include "media/picture/compare.h"

void device_init(struct device_set *s, const char *chain, const char *device, const char *codec,
                 bool deep, int crf, int qp)
{
    set_init(&s->set, codec, deep, crf, qp);
    s->set.r.primaries = deep ? "bt2020" : "bt709";
    s->set.r.transfer = deep ? "smpte2084" : "bt709";
    s->set.r.matrix = deep ? "bt2020nc" : "bt709";
    s->set.r.maxrate_bps *= 2;
    s->set.r.bufsize_bits *= 2;
    s->params = (struct gm_encoder_params){.rendition = &s->set.r,
                                           .facts = &s->set.f,
                                           .timescale = TIMESCALE,
                                           .rate = {30, 1},
                                           .chain = chain,
                                           .device = device};
}

struct gm_encoder *device_open(const struct device_set *s)
{
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    if (gm_encoder_open(&s->params, &e, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        fake_gpu_fail("it opens", __FILE__, __LINE__);
    }
    return e;
}

int device_encode(struct gm_encoder *e, const struct device_set *s, struct device_stream *out,
                  struct gm_err *err)
{
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (int i = 0; i <= FRAMES && rc == 0; i++) {
        AVFrame *f = NULL;
        if (i < FRAMES) {
            f = out->pictures[i] = clip_picture((int)s->set.r.width_px, (int)s->set.r.height_px,
                                                av_get_pix_fmt(s->set.r.pixel_format), i);
            f->pts = i * TICKS;
            f->pict_type = encoder_io_is_key(i) ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
        }
        rc = gm_encoder_send(e, f, err);
        for (bool got = true; rc == 0 && got;) {
            AVPacket *packet = av_packet_alloc();
            rc = gm_encoder_receive(e, packet, &got, err);
            if (rc == 0 && got) {
                CHECK(out->count < FRAMES);
                out->packets[out->count++] = packet;
            } else {
                av_packet_free(&packet);
            }
        }
    }
    return rc;
}

void device_fini(struct device_stream *s)
{
    for (size_t i = 0; i < FRAMES; i++) {
        av_packet_free(&s->packets[i]);
        av_frame_free(&s->pictures[i]);
    }
}

static int64_t frame_of(const AVPacket *p)
{
    return p->pts / TICKS;
}

void device_check_pictures(const struct gm_encoder *e, const struct device_set *s,
                           const struct device_stream *m)
{
    AVCodecContext *ctx =
        avcodec_alloc_context3(avcodec_find_decoder(gm_encoder_context(e)->codec_id));
    AVFrame *frame = av_frame_alloc();
    struct gm_compare sum = {0};
    size_t size = 0;
    int shown = 0;
    const uint8_t *headers = gm_encoder_headers(e, &size);
    CHECK(ctx != NULL && frame != NULL && size > 0);
    ctx->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    ctx->extradata_size = (int)size;
    memcpy(ctx->extradata, headers, size);
    CHECK(avcodec_open2(ctx, NULL, NULL) >= 0);
    for (size_t i = 0; i <= m->count; i++) {
        CHECK(avcodec_send_packet(ctx, i < m->count ? m->packets[i] : NULL) >= 0);
        while (avcodec_receive_frame(ctx, frame) >= 0) {
            CHECK(frame->pts == (int64_t)shown * TICKS);
            CHECK(frame->width == WIDTH && frame->height == HEIGHT);
            CHECK(frame->format == av_get_pix_fmt(s->set.r.pixel_format));
            CHECK(frame->color_range == AVCOL_RANGE_MPEG);
            CHECK(strcmp(av_color_primaries_name(frame->color_primaries), s->set.r.primaries) == 0);
            CHECK(strcmp(av_color_transfer_name(frame->color_trc), s->set.r.transfer) == 0);
            CHECK(strcmp(av_color_space_name(frame->colorspace), s->set.r.matrix) == 0);
            CHECK(gm_compare_add(&sum, m->pictures[shown], frame, NULL) == 0);
            shown++;
            av_frame_unref(frame);
        }
    }
    CHECK(shown == FRAMES);
    if (gm_compare_psnr(gm_compare_mse(&sum)) <= 20) {
        (void)fprintf(stderr, "PSNR %.1f\n", gm_compare_psnr(gm_compare_mse(&sum)));
        fake_gpu_fail("the pictures are alike", __FILE__, __LINE__);
    }
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
}

void device_check_order(const struct device_stream *m, int reorder, bool moves)
{
    bool seen[FRAMES] = {false};
    int64_t gop = -1;
    int64_t furthest = 0;
    CHECK(m->count == FRAMES);
    for (size_t i = 0; i < m->count; i++) {
        int64_t frame = frame_of(m->packets[i]);
        bool key = (m->packets[i]->flags & AV_PKT_FLAG_KEY) != 0;
        CHECK(frame >= 0 && frame < FRAMES && m->packets[i]->pts % TICKS == 0 && !seen[frame]);
        seen[frame] = true;
        CHECK(key == encoder_io_is_key(frame));
        gop = key ? frame : gop;
        CHECK(frame >= gop);
        for (int64_t j = gop + 1; j <= frame; j++) {
            CHECK(!encoder_io_is_key(j));
        }
        furthest = (int64_t)i - frame > furthest ? (int64_t)i - frame : furthest;
    }
    CHECK(furthest <= reorder);
    CHECK((furthest > 0) == moves && (reorder > 0) == moves);
}

void device_check_option(const struct gm_encoder *e, const char *name, int64_t want)
{
    int64_t value = -1;
    CHECK(av_opt_get_int(gm_encoder_context(e)->priv_data, name, 0, &value) >= 0);
    if (value != want) {
        (void)fprintf(stderr, "%s is %lld\n", name, (long long)value);
        fake_gpu_fail("the option is set", __FILE__, __LINE__);
    }
}

void device_encodes(const void *arg)
{
    const struct device_row *row = arg;
    struct device_set s;
    struct device_stream m;
    struct gm_err err;
    fake_gpu_profile(row->base, row->lines);
    device_init(&s, row->chain, row->device, row->codec, row->deep, row->crf, row->qp);
    s.set.p.profile = (char *)(uintptr_t)row->profile;
    s.set.r.maxrate_bps *= row->capped ? 20 : 0;
    s.set.r.bufsize_bits *= row->capped ? 20 : 0;
    struct gm_encoder *e = device_open(&s);
    CHECK(gm_encoder_context(e)->profile == row->want_profile);
    CHECK(gm_encoder_reorder(e) == row->reorder);
    CHECK(device_encode(e, &s, &m, &err) == 0);
    device_check_order(&m, row->reorder, row->reorder > 0);
    device_check_pictures(e, &s, &m);
    device_fini(&m);
    gm_encoder_close(&e);
}

void device_has_presets(const void *arg)
{
    static const struct {
        const char *name;
        int level;
    } presets[] = {{"ultrafast", 1}, {"superfast", 1}, {"veryfast", 2}, {"faster", 2},  {"fast", 3},
                   {"medium", 4},    {"slow", 5},      {"slower", 6},   {"veryslow", 7}};
    const struct device_presets *d = arg;
    struct device_set s;
    fake_gpu_profile(d->base, "");
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        device_init(&s, d->chain, d->device, "h264", false, 23, -1);
        s.set.p.preset = (char *)(uintptr_t)presets[i].name;
        struct gm_encoder *e = device_open(&s);
        CHECK(d->level(e) == presets[i].level);
        gm_encoder_close(&e);
    }
}

void device_opens_often(const void *arg)
{
    const struct device_often *d = arg;
    struct device_set s;
    struct gm_buf first = {0};
    int reorder = -1;
    struct gm_err err;
    const struct gm_vbv_limits limits = {
        .rate_bps = 500000, .buffer_bits = 600000, .init_bits = 300000, .crf_add = 3};
    fake_gpu_profile(d->base, d->lines);
    device_init(&s, d->chain, d->device, d->codec, false, 23, -1);
    CHECK(gm_encoder_describe(&s.params, &first, &reorder, &err) == 0);
    CHECK(first.size > 20 && reorder == d->reorder);
    for (int i = 0; i < 3; i++) {
        size_t size = 0;
        s.params.limits = i == 1 ? &limits : NULL;
        s.params.crf_centi = i == 2 ? 3100 : 0;
        struct gm_encoder *e = device_open(&s);
        const uint8_t *headers = gm_encoder_headers(e, &size);
        CHECK(size == first.size && memcmp(headers, first.data, size) == 0);
        CHECK(gm_encoder_reorder(e) == reorder);
        gm_encoder_close(&e);
    }
    gm_buf_fini(&first);
}

void device_is_even(const void *arg)
{
    const struct device_often *d = arg;
    struct device_set s;
    fake_gpu_profile(d->base, d->lines);
    for (int i = 0; i < 2; i++) {
        Gm__Rational peak = GM__RATIONAL__INIT;
        peak.num = i == 0 ? 5 : 30;
        peak.den = 1;
        device_init(&s, d->chain, d->device, d->codec, false, 26, -1);
        s.params.rate = (AVRational){0, 1};
        s.set.f.peak_rate = &peak;
        struct gm_encoder *e = device_open(&s);
        CHECK(gm_encoder_reorder(e) == (i == 0 ? 0 : d->reorder));
        gm_encoder_close(&e);
    }
}

static void ask(const struct device_refusal *d, const Gm__QualityTarget *target,
                struct device_set *s)
{
    bool usual = d->crf == 0 && d->qp == 0;
    device_init(s, d->chain, d->device, d->codec != NULL ? d->codec : "h264", d->deep,
                usual ? 23 : d->crf, usual ? -1 : d->qp);
    s->set.p.bitrate_bps = d->bitrate ? 500000 : 0;
    s->set.p.quality = d->quality ? (Gm__QualityTarget *)(uintptr_t)target : NULL;
    s->set.p.level = d->level != NULL ? (char *)(uintptr_t)d->level : s->set.p.level;
    s->set.r.width_px = d->wide > 0 ? d->wide : s->set.r.width_px;
    s->set.r.height_px = d->high > 0 ? d->high : s->set.r.height_px;
    s->set.r.maxrate_bps = d->uncapped ? 0 : s->set.r.maxrate_bps;
    s->set.r.bufsize_bits = d->uncapped ? 0 : s->set.r.bufsize_bits;
}

void device_refuses(const void *arg)
{
    const struct device_refusal *d = arg;
    const Gm__QualityTarget target = GM__QUALITY_TARGET__INIT;
    struct device_set s;
    struct device_stream m = {.count = 0};
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    int rc = 0;
    fake_gpu_profile(d->base, d->lines);
    ask(d, &target, &s);
    if (d->at_work) {
        e = device_open(&s);
        rc = device_encode(e, &s, &m, &err);
        CHECK(m.count < FRAMES);
        device_fini(&m);
        gm_encoder_close(&e);
    } else {
        rc = gm_encoder_open(&s.params, &e, &err);
    }
    if (rc != -(int)d->code || strstr(err.text, d->says) == NULL || e != NULL) {
        (void)fprintf(stderr, "%s %s: %d: %s (not: %s)\n", d->base, d->lines, rc, err.text,
                      d->says);
        fake_gpu_fail("the error is this one", __FILE__, __LINE__);
    }
}

void device_encode_all(const struct device_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fake_gpu_run(device_encodes, &rows[i]) != 0) {
            fail_msg("row %zu: %s %s %s, qp %d", i, rows[i].base, rows[i].lines, rows[i].codec,
                     rows[i].qp);
        }
    }
}

void device_refuse_all(const struct device_refusal *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fake_gpu_run(device_refuses, &all[i]) != 0) {
            fail_msg("%s %s", all[i].lines, all[i].says);
        }
    }
}

#define UNFIT .lines = "", .code = GM_E_PIPELINE_UNFIT
/* says: % stands for the chain's name in messages, & for its own. */
static const struct device_refusal REFUSED[] = {
    {UNFIT, .says = "`bitrate` is reached by trials in software: % takes", .bitrate = true},
    {UNFIT, .says = "`quality` is reached by trials in software: % takes", .quality = true},
    {UNFIT, .says = "% takes `crf` from 1", .crf = 0, .qp = -1, .uncapped = true},
    {UNFIT, .says = "% takes `qp` from 1 to 51", .crf = -1, .qp = 0},
    {UNFIT, .says = "% takes `qp` from 1 to 51", .crf = -1, .qp = 52},
    {UNFIT, .says = "% takes `qp` from 1 to 51", .codec = "hevc", .crf = -1, .qp = 0},
    {UNFIT, .says = "% makes H.264 in 8 bits alone: set `bit_depth: 8`, or `codec: hevc`",
     .deep = true},
    {UNFIT, .says = "Codec av1 has no encoder on chain &", .codec = "av1"},
    {UNFIT, .says = "Codec vp9 has no encoder on chain &", .codec = "vp9"},
    {UNFIT, .says = "Level 1 of h264", .level = "1"},
    {UNFIT, .says = "Level 1 of hevc", .codec = "hevc", .level = "1"},
};

#define FAULT(line, gives, text) .lines = "fault " line "\n", .code = (gives), .says = (text)
static const struct device_refusal FAULTS[] = {
    {FAULT("va-init error", GM_E_DEVICE_DRIVER, "does not start on /dev/dri/renderD128")},
    {FAULT("alloc oom", GM_E_DEVICE_MEMORY, "a surface")},
    {FAULT("alloc busy", GM_E_DEVICE_BUSY, "a surface")},
    {FAULT("encode-init lost", GM_E_DEVICE_LOST, "")},
    {FAULT("encode lost at=7", GM_E_DEVICE_LOST, "lost while it encoded"), .at_work = true},
    {FAULT("encode error at=7", GM_E_DEVICE_LOST, "failed in its work"), .at_work = true},
    {FAULT("lock lost at=7", GM_E_DEVICE_LOST, "lost while it encoded"), .at_work = true},
};

static struct device_refusal of_chain(const struct device_refusal *row,
                                      const struct device_chain *chain, char says[160])
{
    struct device_refusal r = *row;
    size_t n = 0;
    for (const char *c = row->says; *c != '\0' && n < 150; c++) {
        const char *name = *c == '%' ? chain->name : *c == '&' ? chain->chain : NULL;
        n += (size_t)(name != NULL ? snprintf(says + n, 160 - n, "%.20s", name)
                                   : snprintf(says + n, 160 - n, "%c", *c));
    }
    says[n] = '\0';
    r.base = chain->base;
    r.chain = chain->chain;
    r.device = chain->device;
    r.says = says;
    return r;
}

void device_refuse_common(const struct device_chain *chain)
{
    char says[160];
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        const struct device_refusal r = of_chain(&REFUSED[i], chain, says);
        device_refuse_all(&r, 1);
    }
    static const struct {
        const char *node;
        enum gm_code code;
        const char *says;
    } nodes[] = {
        {NULL, GM_E_INVAL, "needs a render node"},
        {"/dev/dri/renderD200", GM_E_DEVICE_ABSENT, "/dev/dri/renderD200 can't be opened"},
        {"/dev/zero", GM_E_DEVICE_ABSENT, "no device that libva knows"},
    };
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        const struct device_refusal r = {.base = chain->base,
                                         .lines = "",
                                         .chain = chain->chain,
                                         .device = nodes[i].node,
                                         .code = nodes[i].code,
                                         .says = nodes[i].says};
        device_refuse_all(&r, 1);
    }
}

void device_fail_common(const struct device_chain *chain)
{
    char says[160];
    for (size_t i = 0; i < 2 * (sizeof FAULTS / sizeof FAULTS[0]); i++) {
        struct device_refusal r = of_chain(&FAULTS[i / 2], chain, says);
        r.codec = i % 2 != 0 ? "hevc" : "h264";
        r.deep = i % 2 != 0;
        device_refuse_all(&r, 1);
    }
}
