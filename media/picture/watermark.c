#include "media/picture/watermark.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/picture/graph.h"
#include "media/picture/graphics.h"
#include "media/picture/image.h"

#define MAX_TIME_S 604800

static const char *const positions[] = {"top-left", "top-right", "bottom-left", "bottom-right",
                                        "center"};

static int check(const Gm__Watermark *how, struct gm_err *err)
{
    bool known = false;
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
        known = known || strcmp(how->position, positions[i]) == 0;
    }
    if (!known) {
        return gm_err_set(err, GM_E_CONFIG, 0, "Watermark position %.40s is unknown",
                          how->position);
    }
    /* Written so that NaN fails. */
    if (!(how->opacity >= 0 && how->opacity <= 1 && how->margin >= 0 && how->margin <= 0.5 &&
          how->size >= 0.01 && how->size <= 1)) {
        return gm_err_set(err, GM_E_CONFIG, 0, "Watermark opacity, margin or size is out of range");
    }
    if (!(how->start_s >= 0 && how->start_s <= MAX_TIME_S && how->end_s >= 0 &&
          how->end_s <= MAX_TIME_S && (how->end_s <= 0 || how->end_s > how->start_s))) {
        return gm_err_set(err, GM_E_CONFIG, 0, "Watermark times are out of range");
    }
    return 0;
}

int gm_watermark_create(const Gm__Watermark *how, const Gm__Pipeline *pipeline,
                        struct gm_watermark **out, struct gm_err *err)
{
    int rc = check(how, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_watermark *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return gm_err_nomem(err);
    }
    w->how = how;
    rc = gm_image_load(pipeline, how->image, &w->image, err);
    if (rc < 0) {
        free(w);
        return rc;
    }
    *out = w;
    return 0;
}

static void light_row(const struct gm_graphics *g, uint8_t *row, int width)
{
    for (int x = 0; x < width; x++) {
        uint8_t *pixel = row + (ptrdiff_t)4 * x;
        double signal[3];
        gm_graphics_rgb(g, pixel, signal);
        for (int i = 0; i < 3; i++) {
            pixel[i] = (uint8_t)(signal[i] * 255 + 0.5);
        }
    }
}

int gm_watermark_light(struct gm_watermark *w, struct gm_colour picture, struct gm_err *err)
{
    const struct gm_graph_output output = {.filters = "format=rgba", .format = AV_PIX_FMT_RGBA};
    struct gm_graph *graph = NULL;
    struct gm_graphics *graphics = NULL;
    AVFrame *image = NULL;
    if (!gm_colour_is_hdr(picture.transfer)) {
        return 0;
    }
    int rc = gm_graph_create(&output, 1, 1, &graph, err);
    if (rc == 0) {
        rc = gm_graph_push(graph, w->image, 0, err);
    }
    if (rc == 0) {
        image = av_frame_clone(gm_graph_get(graph, 0));
        rc = image != NULL && av_frame_make_writable(image) >= 0 ? 0 : gm_err_nomem(err);
    }
    if (rc == 0) {
        rc = gm_graphics_create(picture, &graphics, err);
    }
    for (int y = 0; rc == 0 && y < image->height; y++) {
        light_row(graphics, image->data[0] + (ptrdiff_t)y * image->linesize[0], image->width);
    }
    if (rc == 0) {
        av_frame_free(&w->image);
        w->image = image;
        image = NULL;
    }
    av_frame_free(&image);
    gm_graphics_destroy(&graphics);
    gm_graph_destroy(&graph);
    return rc;
}

void gm_watermark_destroy(struct gm_watermark **watermark)
{
    struct gm_watermark *w = *watermark;
    if (w == NULL) {
        return;
    }
    av_frame_free(&w->image);
    free(w);
    *watermark = NULL;
}

static uint32_t even(double px, uint32_t least)
{
    uint32_t v = (uint32_t)lround(px / 2) * 2;
    return v < least ? least : v;
}

struct gm_watermark_place gm_watermark_place(const struct gm_watermark *w, uint32_t width_px,
                                             uint32_t height_px)
{
    double shape = (double)w->image->height / (double)w->image->width;
    uint32_t shorter = width_px < height_px ? width_px : height_px;
    uint32_t margin = even(w->how->margin * shorter, 0);
    double width = w->how->size * width_px;
    if (width * shape > height_px) {
        width = height_px / shape;
    }
    struct gm_watermark_place p = {0};
    p.width_px = even(width, 2);
    p.height_px = even(width * shape, 2);
    if (p.width_px > width_px) {
        p.width_px = width_px;
    }
    if (p.height_px > height_px) {
        p.height_px = height_px;
    }
    uint32_t free_x = width_px - p.width_px;
    uint32_t free_y = height_px - p.height_px;
    uint32_t near_x = margin < free_x ? margin : free_x;
    uint32_t near_y = margin < free_y ? margin : free_y;
    if (strcmp(w->how->position, "center") == 0) {
        p.x_px = free_x / 4 * 2;
        p.y_px = free_y / 4 * 2;
        return p;
    }
    bool right = strstr(w->how->position, "right") != NULL;
    bool bottom = strstr(w->how->position, "bottom") != NULL;
    p.x_px = right ? free_x - near_x : near_x;
    p.y_px = bottom ? free_y - near_y : near_y;
    return p;
}

/* The first tick at or after a time that is given to the microsecond. */
static int64_t first_tick(double seconds, uint32_t timescale)
{
    __int128 scaled = (__int128)llround(seconds * 1e6) * timescale;
    return (int64_t)((scaled + 999999) / 1000000);
}

bool gm_watermark_shows(const struct gm_watermark *w, uint32_t timescale, int64_t pts)
{
    int64_t end = first_tick(w->how->end_s, timescale);
    return pts >= first_tick(w->how->start_s, timescale) && (end <= 0 || pts < end);
}

void gm_watermark_enable(const struct gm_watermark *w, uint32_t timescale,
                         char out[GM_WATERMARK_ENABLE_SIZE])
{
    int64_t start = first_tick(w->how->start_s, timescale);
    int64_t end = first_tick(w->how->end_s, timescale);
    int n = 0;
    out[0] = '\0';
    if (start > 0) {
        n = snprintf(out, GM_WATERMARK_ENABLE_SIZE, ":enable='gte(t*%" PRIu32 ",%" PRId64 ".5)",
                     timescale, start - 1);
    }
    if (end > 0) {
        n += snprintf(out + n, GM_WATERMARK_ENABLE_SIZE - (size_t)n,
                      "%slt(t*%" PRIu32 ",%" PRId64 ".5)", n > 0 ? "*" : ":enable='", timescale,
                      end - 1);
    }
    if (n > 0) {
        (void)snprintf(out + n, GM_WATERMARK_ENABLE_SIZE - (size_t)n, "'");
    }
}

/* libswscale's name of a matrix. An unknown one is taken as players take it: by size, ITU-R BT.709
 * above 576 lines, BT.601 up to there. */
static const char *matrix_name(enum AVColorSpace matrix, uint32_t lines)
{
    switch (matrix) {
    case AVCOL_SPC_BT709:
        return "bt709";
    case AVCOL_SPC_FCC:
        return "fcc";
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_BT470BG:
        return "bt601";
    case AVCOL_SPC_SMPTE240M:
        return "smpte240m";
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return "bt2020";
    default:
        return lines > 576 ? "bt709" : "bt601";
    }
}

void gm_watermark_filters(const struct gm_watermark *w, const struct gm_watermark_place *place,
                          enum AVColorSpace matrix, uint32_t height_px, bool deep,
                          char out[GM_WATERMARK_FILTERS_SIZE])
{
    (void)snprintf(out, GM_WATERMARK_FILTERS_SIZE,
                   "format=rgba,colorchannelmixer=aa=%.6f,scale=%" PRIu32 ":%" PRIu32
                   ":flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_color_matrix=%s:"
                   "out_range=tv,setsar=1,format=%s",
                   w->how->opacity, place->width_px, place->height_px,
                   matrix_name(matrix, height_px), deep ? "yuva420p10le" : "yuva420p");
}
