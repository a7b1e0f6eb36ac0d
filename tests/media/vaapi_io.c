#include "media/vaapi_io.h"

#include <stdlib.h>
#include <unistd.h>

#define MARK "GOPMILL_FAKE_VA_IO" /* the program runs over the fake already */

void vaapi_start(void)
{
    char self[4096];
    if (getenv(MARK) != NULL) {
        return;
    }
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0 || setenv(MARK, "1", 1) != 0 ||
        setenv("GOPMILL_FAKE_LIB", GM_BUILD_DIR "/tests/drivers/lib", 1) != 0) {
        abort();
    }
    self[size] = '\0';
    (void)execl(GM_SOURCE_DIR "/tests/drivers/with", "with", "arc-qsv", "--", self, (char *)NULL);
    abort();
}
