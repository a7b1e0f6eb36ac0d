/* What the ladder's CPU build costs beside zimg: 1920x1080 to four rungs on one thread.
 *   kernels [PICTURES]
 * Prints milliseconds a picture of both, and their ratio. zimg through libavfilter's zscale with
 * Lanczos of 3 lobes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/frame.h>
#include <time.h>

#include "kernels/twin.h"

#define W 1920
#define H 1080
static const uint32_t RUNGS[4][2] = {{1920, 1080}, {1280, 720}, {854, 480}, {640, 360}};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fill(uint8_t *p, size_t size)
{
    uint32_t v = 1;
    for (size_t i = 0; i < size; i++) {
        v = v * 1664525 + 1013904223;
        p[i] = (uint8_t)(v >> 24);
    }
}

static double ours(int pictures)
{
    struct gm_ladder_params p = {.width_px = W, .height_px = H, .rungs = 4};
    struct gm_ladder_frame f = {0};
    struct gm_ladder *l = NULL;
    struct gm_err err;
    uint8_t *in = malloc(W * H * 3 / 2);
    fill(in, W * H * 3 / 2);
    f.in = (struct gm_surface){{(uintptr_t)in, (uintptr_t)in + W * H}, {W, W}};
    for (int i = 0; i < 4; i++) {
        uint32_t w = RUNGS[i][0], h = RUNGS[i][1];
        uint8_t *out = malloc((size_t)w * h * 3 / 2);
        p.rung[i] = (struct gm_ladder_rung){w, h, false, NULL};
        f.out[i] = (struct gm_surface){{(uintptr_t)out, (uintptr_t)out + (size_t)w * h}, {w, w}};
    }
    if (gm_ladder_create(&p, &l, &err) < 0) {
        exit(2);
    }
    size_t size = 0;
    struct gm_ladder_args args = {(uintptr_t)gm_ladder_plan(l, &size), (uintptr_t)&f};
    struct gm_launch launch = gm_ladder_launch(l, 1);
    double best = 1e9;
    for (int i = 0; i < pictures; i++) {
        double t = now_ms();
        if (gm_twin_run(&launch, &args, &err) < 0) {
            exit(2);
        }
        t = now_ms() - t;
        best = t < best ? t : best;
    }
    gm_ladder_destroy(&l);
    return best;
}

/* One rung by zimg; the size it has is only passed on, as gopmill does. */
static double zimg_rung(uint32_t w, uint32_t h, int pictures)
{
    AVFilterGraph *g = avfilter_graph_alloc();
    AVFilterContext *src = NULL, *sink = NULL, *scale = NULL;
    char args[256];
    g->nb_threads = 1;
    snprintf(args, sizeof args, "video_size=%dx%d:pix_fmt=0:time_base=1/25", W, H);
    int rc =
        avfilter_graph_create_filter(&src, avfilter_get_by_name("buffer"), "in", args, NULL, g);
    snprintf(args, sizeof args, "w=%u:h=%u:filter=lanczos", w, h);
    rc |= avfilter_graph_create_filter(&scale, avfilter_get_by_name("zscale"), "s", args, NULL, g);
    rc |= avfilter_graph_create_filter(&sink, avfilter_get_by_name("buffersink"), "out", NULL, NULL,
                                       g);
    rc |= avfilter_link(src, 0, scale, 0) | avfilter_link(scale, 0, sink, 0);
    rc |= avfilter_graph_config(g, NULL);
    AVFrame *in = av_frame_alloc(), *out = av_frame_alloc();
    in->format = 0;
    in->width = W;
    in->height = H;
    rc |= av_frame_get_buffer(in, 0);
    if (rc < 0) {
        fprintf(stderr, "no zscale here\n");
        exit(2);
    }
    for (int i = 0; i < 3; i++) {
        fill(in->data[i], (size_t)in->linesize[i] * (i == 0 ? H : H / 2));
    }
    double best = 1e9;
    for (int i = 0; i < pictures; i++) {
        double t = now_ms();
        in->pts = i;
        if (av_buffersrc_add_frame_flags(src, in, AV_BUFFERSRC_FLAG_KEEP_REF) < 0 ||
            av_buffersink_get_frame(sink, out) < 0) {
            exit(2);
        }
        t = now_ms() - t;
        av_frame_unref(out);
        best = t < best ? t : best;
    }
    av_frame_free(&in);
    av_frame_free(&out);
    avfilter_graph_free(&g);
    return best;
}

int main(int argc, char **argv)
{
    int pictures = argc > 1 ? atoi(argv[1]) : 10;
    double zimg = 0, twin = ours(pictures);
    for (int i = 1; i < 4; i++) {
        zimg += zimg_rung(RUNGS[i][0], RUNGS[i][1], pictures);
    }
    printf("ladder 1080p to 1080/720/480/360, one thread, best of %d, CPU time\n", pictures);
    printf("CPU build of the kernel: %.1f ms; zimg: %.1f ms; ratio %.1f\n", twin, zimg,
           twin / zimg);
    return 0;
}
