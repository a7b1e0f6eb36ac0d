#include "fuzz.h"

#include <stdlib.h>

#include "proto/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    Gm__WorkerMessage *msg = NULL;
    uint8_t *again = NULL;
    size_t again_size = 0;
    if (gm_worker_message_decode(data, size, &msg, &err) < 0) {
        GM_ASSERT(msg == NULL && err.text[0] != '\0');
        return 0;
    }
    if (msg->body_case == GM__WORKER_MESSAGE__BODY_DONE) {
        for (size_t i = 0; i < msg->done->n_files; i++) {
            GM_ASSERT(gm_is_file_name(msg->done->files[i]->name));
            GM_ASSERT(gm_is_file_path(msg->done->files[i]->path));
        }
    }
    GM_ASSERT(gm_worker_message_encode(msg, &again, &again_size, &err) == 0);
    gm__worker_message__free_unpacked(msg, NULL);
    free(again);
    return 0;
}
