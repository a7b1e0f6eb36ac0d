#include "kernels/image.h"

#include <stdint.h>

/* Files of the build become data: GM_PTX_FILE, and GM_FATBIN_FILE where there is one. */
#define EMBED(name, file)                                                                          \
    __asm__(".pushsection .rodata,\"a\",@progbits\n"                                               \
            ".balign 16\n" #name ":\n"                                                             \
            ".incbin \"" file "\"\n" #name "_end:\n"                                               \
            ".byte 0\n"                                                                            \
            ".balign 8\n" #name "_size:\n"                                                         \
            ".quad " #name "_end - " #name "\n"                                                    \
            ".popsection\n");                                                                      \
    extern const char(name)[] __attribute__((visibility("hidden")));                               \
    extern const uint64_t name##_size __attribute__((visibility("hidden")))

EMBED(gm_image_ptx_data, GM_PTX_FILE);
#ifdef GM_FATBIN_FILE
EMBED(gm_image_fatbin_data, GM_FATBIN_FILE);
#endif

const void *gm_image_ptx(size_t *out_size)
{
    *out_size = gm_image_ptx_data_size;
    return gm_image_ptx_data;
}

const void *gm_image_fatbin(size_t *out_size)
{
#ifdef GM_FATBIN_FILE
    *out_size = gm_image_fatbin_data_size;
    return gm_image_fatbin_data;
#else
    *out_size = 0;
    return NULL;
#endif
}
