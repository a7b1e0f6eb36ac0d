#include "scheduler/core/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TASK_SHIFT 56
#define INSTANCE_SHIFT 40
#define STREAM_SHIFT 32

uint64_t gm_key_at(const struct gm_key *key)
{
    switch (key->kind) {
    case GM_ROW_TASK:
    case GM_ROW_ITEM:
        return (uint64_t)key->task << TASK_SHIFT | (uint64_t)key->instance << INSTANCE_SHIFT |
               (uint64_t)key->stream << STREAM_SHIFT | key->index;
    case GM_ROW_OBJECT:
        return key->store;
    case GM_ROW_ATTEMPT:
        return key->number;
    default:
        return 0;
    }
}

void gm_key_set_at(struct gm_key *key, uint64_t at)
{
    if (key->kind == GM_ROW_OBJECT) {
        key->store = (uint32_t)at;
    } else if (key->kind == GM_ROW_ATTEMPT) {
        key->number = at;
    } else {
        key->task = (uint32_t)(at >> TASK_SHIFT) & (GM_KEY_TASKS - 1);
        key->instance = (uint32_t)(at >> INSTANCE_SHIFT) & (GM_KEY_INSTANCES - 1);
        key->stream = (uint32_t)(at >> STREAM_SHIFT) & (GM_KEY_STREAMS - 1);
        key->index = (uint32_t)at;
    }
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

int gm_key_compare(const struct gm_key *a, const struct gm_key *b)
{
    int order = compare_u64(a->kind, b->kind);
    if (order == 0) {
        order = compare_u64(a->job, b->job);
    }
    if (order == 0) {
        order = compare_u64(gm_key_at(a), gm_key_at(b));
    }
    return order != 0 ? order : strcmp(a->name ? a->name : "", b->name ? b->name : "");
}

/* SplitMix64's finalizer: https://prng.di.unimi.it/splitmix64.c */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t gm_key_hash(const struct gm_key *key)
{
    uint64_t hash = mix(key->job + mix(gm_key_at(key) + mix((uint64_t)key->kind + 1)));
    for (const char *c = key->name; c && *c; c++) {
        hash = mix(hash + (uint8_t)*c);
    }
    return hash;
}

const char *gm_key_text(const struct gm_key *key, char out[GM_KEY_TEXT_BYTES])
{
    const char *name = key->name ? key->name : "";
    size_t size = GM_KEY_TEXT_BYTES;
    switch (key->kind) {
    case GM_ROW_JOB:
        (void)snprintf(out, size, "job %" PRIu64, key->job);
        break;
    case GM_ROW_TASK:
        (void)snprintf(out, size, "task %" PRIu64 "/%u/%u", key->job, key->task, key->instance);
        break;
    case GM_ROW_ITEM:
        (void)snprintf(out, size, "item %" PRIu64 "/%u/%u/%u/%u", key->job, key->task,
                       key->instance, key->stream, key->index);
        break;
    case GM_ROW_OBJECT:
        (void)snprintf(out, size, "object %" PRIu64 "/%u/%s", key->job, key->store, name);
        break;
    case GM_ROW_ATTEMPT:
        (void)snprintf(out, size, "attempt %" PRIu64 "/%" PRIu64, key->job, key->number);
        break;
    case GM_ROW_NODE:
        (void)snprintf(out, size, "node %s", name);
        break;
    default:
        (void)snprintf(out, size, "kind %d %s", (int)key->kind, name);
        break;
    }
    return out;
}
