#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "node/devices/device.h"

/* What a probe process answers. What is taken comes back the same after another way round. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_device_list list = {0}, again = {0};
    struct gm_err err = {0};
    struct gm_buf one = {0}, two = {0};
    uint8_t *encoded = NULL;
    size_t encoded_size = 0;
    if (gm_device_list_decode(data, size, &list, &err) == 0) {
        int rc = gm_device_list_encode(&list, &encoded, &encoded_size, &err);
        GM_ASSERT(rc == 0);
        rc = gm_device_list_decode(encoded, encoded_size, &again, &err);
        GM_ASSERT(rc == 0);
        gm_device_list_json(&list, &one);
        gm_device_list_json(&again, &two);
        GM_ASSERT(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
        gm_buf_fini(&two);
        gm_device_sort(&list);
        gm_device_list_text(&list, &two);
    } else {
        GM_ASSERT(err.text[0] != '\0');
    }
    gm_buf_fini(&one);
    gm_buf_fini(&two);
    free(encoded);
    gm_device_list_fini(&list);
    gm_device_list_fini(&again);
    return 0;
}
