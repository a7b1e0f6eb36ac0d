#ifndef GM_KERNELS_IMAGE_H
#define GM_KERNELS_IMAGE_H

#include <stddef.h>

/* The kernels' module as a driver loads it, part of the program. */

/* PTX, NUL-terminated: every driver compiles it. */
const void *gm_image_ptx(size_t *out_size);
/* Machine code for sm_75 to sm_120; NULL and 0 where the build had no nvcc. */
const void *gm_image_fatbin(size_t *out_size);

#endif
