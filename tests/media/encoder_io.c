#include "media/encoder_io.h"

bool encoder_io_is_key(int64_t frame)
{
    return frame == 0 || frame == 1 || frame == 8 || frame == FRAMES - 1;
}

void set_init(struct set *s, const char *codec, bool deep, int crf, int qp)
{
    gm__rendition__init(&s->r);
    gm__encode_params__init(&s->p);
    gm__video_facts__init(&s->f);
    s->p.codec = (char *)(uintptr_t)codec;
    s->p.crf = crf;
    s->p.qp = qp;
    s->r.encode = &s->p;
    s->r.name = "test";
    s->r.pixel_format = deep ? "yuv420p10le" : "yuv420p";
    s->r.width_px = WIDTH;
    s->r.height_px = HEIGHT;
    if (qp < 0) {
        s->r.maxrate_bps = 300000;
        s->r.bufsize_bits = 600000;
    }
}
