/* Writes H.264 with field pictures: make_paff KIND PACKETS FILE.
 *   KIND     which pictures, see the table
 *   PACKETS  fields: each field is a packet of its own; pairs: both fields of a frame are one
 *   FILE     its ending chooses the container; yuv: the very pictures that a decoder must give
 */
#include <stdio.h>
#include <string.h>

#include "media/paff_io.h"

static const struct {
    const char *kind;
    struct paff_params params;
} kinds[] = {
    /* Closed GOPs of IDR and P, every third frame a frame picture. */
    {"closed", {.frames = 350, .gop_frames = 25, .frame_every = 3}},
    /* Nothing but fields, the bottom one first. */
    {"bottom", {.frames = 350, .gop_frames = 25, .bottom_first = true}},
    /* Open GOPs longer than a segment: I and P fields under a recovery point, B fields that refer
     * over it, B frames. */
    {"open", {.frames = 350, .gop_frames = 72, .frame_every = 5, .open = true}},
    /* Field pictures beside frames of field and frame macroblocks. */
    {"mbaff", {.frames = 350, .gop_frames = 24, .frame_every = 2, .open = true, .mbaff = true}},
    /* Fields in one stretch alone. */
    {"late", {.frames = 350, .gop_frames = 25, .first_field = 90, .end_fields = 150}},
    /* One field without its second. */
    {"lone", {.frames = 350, .gop_frames = 25, .frame_every = 3, .lone = 160}},
    /* Cut from a longer programme: the first pictures refer to what is not there. */
    {"cut", {.frames = 350, .gop_frames = 24, .frame_every = 5, .open = true, .cut = 30}},
};

static int write_pictures(const char *path, const struct paff_params *p)
{
    uint8_t picture[PAFF_BYTES];
    FILE *f = fopen(path, "wb");
    int bad = f == NULL;
    for (int i = 0; !bad && i < p->frames; i++) {
        paff_picture(p, i, picture);
        bad = fwrite(picture, sizeof picture, 1, f) != 1;
    }
    if (f != NULL && fclose(f) != 0) {
        bad = 1;
    }
    return bad;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 4 && i < sizeof kinds / sizeof kinds[0]; i++) {
        struct paff_params params = kinds[i].params;
        if (strcmp(kinds[i].kind, argv[1]) != 0) {
            continue;
        }
        params.split = strcmp(argv[2], "fields") == 0;
        if (!params.split && strcmp(argv[2], "pairs") != 0) {
            break;
        }
        size_t length = strlen(argv[3]);
        if (length > 4 && strcmp(argv[3] + length - 4, ".yuv") == 0) {
            return write_pictures(argv[3], &params);
        }
        paff_make(argv[3], &params);
        return 0;
    }
    (void)fprintf(stderr, "make_paff KIND fields|pairs FILE\n");
    return 2;
}
