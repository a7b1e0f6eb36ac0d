/* What tests say and ask of the agent's GPU. */
#include "node/fake_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void farm_gpu_list(struct gm_device_list *list, struct gm_device **out_gpu)
{
    struct gm_device *gpu = NULL;
    struct gm_err err;
    gm_device_set(list->versions, "libs 1");
    assert_int_equal(gm_device_get(list, "cpu", GM_DEVICE_CPU, &gpu, &err), 0);
    assert_int_equal(gm_device_get(list, FARM_GPU, GM_DEVICE_NVIDIA, &gpu, &err), 0);
    gm_device_set(gpu->name, "Test GPU");
    gm_device_set(gpu->driver, "1.0");
    gm_device_set(gpu->uuid, FARM_UUID);
    gpu->memory_bytes = 1ull << 34;
    *out_gpu = gpu;
}

bool farm_gpu_says(const struct farm *farm, const char *words)
{
    const Gm__Device *facts = farm->gpu == NULL ? NULL : farm->gpu->facts;
    for (size_t i = 0; facts != NULL && i < facts->n_notes; i++) {
        if (strstr(facts->notes[i]->text, words) != NULL) {
            return true;
        }
    }
    return false;
}

void farm_until_gpu_says(struct farm *farm, const char *words)
{
    while (!farm_gpu_says(farm, words)) {
        farm_turn(farm);
    }
}

void farm_until_gpu_offers(struct farm *farm, uint32_t slots)
{
    while (farm->gpu == NULL || farm->gpu->usable->slots != slots) {
        farm_turn(farm);
    }
}

const char *farm_place(struct farm *farm, const char *type, const char *text)
{
    static char said[512];
    uint64_t id = farm_assign(farm, type, text);
    Gm__Envelope *env = farm_expect(farm, GM__ENVELOPE__BODY_PRODUCED);
    char *stored = farm_stored(farm, env->produced->item->objects[0]->key);
    snprintf(said, sizeof(said), "%s", stored);
    free(stored);
    farm_ack(farm, env->seq, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_expect_done(farm, id);
    return said;
}

const char *farm_code_text(enum gm_code code)
{
    static char text[16];
    snprintf(text, sizeof(text), "%d", (int)code);
    return text;
}

void farm_fail(struct farm *farm, enum gm_code code)
{
    farm_expect_failed(farm, farm_assign(farm, "fail", farm_code_text(code)), code, 0);
}
