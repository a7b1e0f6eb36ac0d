#include "media/results.h"

#include <stdio.h>
#include <string.h>

#include "common/hash.h"
#include "proto/envelope.h"

Gm__ObjectStore gm_results_segment_store(const Gm__TaskSpec *spec)
{
    for (size_t i = 0; spec->pipeline != NULL && i < spec->pipeline->n_tasks; i++) {
        if (strcmp(spec->pipeline->tasks[i]->type, "package") == 0) {
            return GM__OBJECT_STORE__STORE_OUT;
        }
    }
    return GM__OBJECT_STORE__STORE_WORK;
}

const char *gm_results_chain(const Gm__TaskSpec *spec)
{
    return spec->chain != NULL && spec->chain->name[0] != '\0' ? spec->chain->name : "cpu";
}

const Gm__PipelineTask *gm_results_task(const Gm__TaskSpec *spec, const char *name)
{
    const Gm__Pipeline *p = spec->pipeline;
    for (size_t i = 0; p != NULL && i < p->n_tasks; i++) {
        if (strcmp(p->tasks[i]->name, name) == 0) {
            return p->tasks[i];
        }
    }
    return NULL;
}

const Gm__TaskResult *gm_results_find(const Gm__TaskSpec *spec, const char *type)
{
    return gm_results_instance(spec, type, 0);
}

const Gm__TaskResult *gm_results_instance(const Gm__TaskSpec *spec, const char *type, uint32_t k)
{
    for (size_t i = 0; i < spec->n_results; i++) {
        const Gm__PipelineTask *task = gm_results_task(spec, spec->results[i]->task);
        if (task != NULL && strcmp(task->type, type) == 0 && spec->results[i]->instance == k) {
            return spec->results[i];
        }
    }
    return NULL;
}

static int decode_result(const Gm__TaskSpec *spec, const char *type,
                         const ProtobufCMessageDescriptor *descriptor, ProtobufCMessage **out,
                         struct gm_err *err)
{
    const Gm__TaskResult *result = gm_results_find(spec, type);
    if (result == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "the task was not given the result of `%s`", type);
    }
    int rc = gm_message_decode(descriptor, result->meta.data, result->meta.len, GM_META_MAX_BYTES,
                               out, err);
    return rc < 0 ? gm_err_wrap(err, rc, "result of `%s`: ", type) : 0;
}

int gm_results_policy(const Gm__TaskSpec *spec, Gm__Policy **out, struct gm_err *err)
{
    ProtobufCMessage *msg = NULL;
    int rc = decode_result(spec, "plan", &gm__policy__descriptor, &msg, err);
    if (rc < 0) {
        return rc;
    }
    Gm__Policy *policy = (Gm__Policy *)msg;
    if (policy->timescale == 0 || policy->n_renditions + policy->n_audio == 0) {
        gm__policy__free_unpacked(policy, NULL);
        return gm_err_set(err, GM_E_PROTO, 0, "the plan has nothing to make or no timescale");
    }
    *out = policy;
    return 0;
}

int gm_results_inspection(const Gm__TaskSpec *spec, Gm__Inspection **out, struct gm_err *err)
{
    ProtobufCMessage *msg = NULL;
    int rc = decode_result(spec, "inspect", &gm__inspection__descriptor, &msg, err);
    if (rc == 0) {
        *out = (Gm__Inspection *)msg;
    }
    return rc;
}

int gm_results_item_meta(const ProtobufCMessageDescriptor *type, const Gm__Item *item,
                         ProtobufCMessage **out, struct gm_err *err)
{
    return gm_message_decode(type, item->meta.data, item->meta.len, GM_META_MAX_BYTES, out, err);
}

uint32_t gm_results_item_frames(const Gm__Item *item)
{
    ProtobufCMessage *meta = NULL;
    uint32_t frames = 0;
    if (gm_results_item_meta(&gm__split_item_meta__descriptor, item, &meta, NULL) == 0) {
        frames = ((const Gm__SplitItemMeta *)meta)->frames;
        protobuf_c_message_free_unpacked(meta, NULL);
    }
    return frames;
}

void gm_segment_name(uint32_t number, const uint8_t sha256[32], char out[32])
{
    char hex[13];
    (void)gm_hex(sha256, 6, hex);
    (void)snprintf(out, 32, "seg-%05u-%s.m4s", number, hex);
}

void gm_text_segment_name(uint32_t number, const uint8_t sha256[32], char out[32])
{
    char hex[13];
    (void)gm_hex(sha256, 6, hex);
    (void)snprintf(out, 32, "seg-%05u-%s.vtt", number, hex);
}
