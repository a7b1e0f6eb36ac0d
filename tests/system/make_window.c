/* Puts into a file which part of its picture is to be shown (tests/media/window_io.h):
 *   make_window clap FROM TO WIDTH-N WIDTH-D HEIGHT-N HEIGHT-D X-N X-D Y-N Y-D
 *   make_window bare FROM TO ...   the same, and the sample aspect goes
 *   make_window crop FROM TO LEFT TOP RIGHT BOTTOM
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/window_io.h"

int main(int argc, char **argv)
{
    uint32_t numbers[8] = {0};
    for (int i = 4; i < argc && i < 12; i++) {
        numbers[i - 4] = (uint32_t)strtol(argv[i], NULL, 10);
    }
    if (argc == 8 && strcmp(argv[1], "crop") == 0) {
        window_put_crop(argv[2], argv[3], numbers);
        return 0;
    }
    if (argc == 12 && (strcmp(argv[1], "clap") == 0 || strcmp(argv[1], "bare") == 0)) {
        window_put_clap(argv[2], argv[3], numbers, argv[1][0] == 'b');
        return 0;
    }
    (void)fprintf(stderr, "make_window clap|bare|crop FROM TO NUMBER...\n");
    return 2;
}
