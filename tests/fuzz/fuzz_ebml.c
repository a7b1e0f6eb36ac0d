#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "media/format/ebml.h"

/* Any bytes as a Matroska file: each step goes on, and the walk comes to an end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("ebml", MFD_CLOEXEC);
    struct gm_ebml e;
    struct gm_ebml_step step = {.event = GM_EBML_BLOCK};
    struct gm_err err;
    int64_t last = -1;
    GM_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    gm_ebml_init(&e, gm_source_plain(fd), (int64_t)size);
    while (step.event != GM_EBML_END) {
        GM_ASSERT(gm_ebml_next(&e, INT64_MAX, &step, &err) == 0);
        if (step.event != GM_EBML_END) {
            GM_ASSERT(step.pos >= 0 && step.pos <= (int64_t)size && step.size >= 0);
            GM_ASSERT(e.pos > last);
            last = e.pos;
        }
    }
    (void)close(fd);
    return 0;
}
