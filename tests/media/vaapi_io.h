#ifndef GM_TESTS_MEDIA_VAAPI_IO_H
#define GM_TESTS_MEDIA_VAAPI_IO_H

/* The chain vaapi over the fake VA driver of tests/drivers. Pictures and checks:
 * device_encoder_io.h. */
#define VAAPI_NODE "/dev/dri/renderD128"

/* The test program runs again over the fake driver, its render node and a Quick Sync runtime there,
 * once. Call first in main. Ends the program with status 77 where no render node can be made. */
void vaapi_start(void);

#endif
