#include "scheduler/core/history.h"

#include <stdlib.h>
#include <string.h>

#define OUTLIER 8u /* times the mean */
#define RSS_FALL 32u
#define FNV_BASIS UINT64_C(0xcbf29ce484222325) /* draft-eastlake-fnv-17, 64 bits */
#define FNV_PRIME UINT64_C(0x100000001b3)
#define MOST (UINT64_C(1) << 56) /* of a figure: eight of them stay below 2^64 */

uint64_t gm_history_node(const char *node_id)
{
    uint64_t hash = FNV_BASIS;
    for (const char *c = node_id; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
    }
    return hash;
}

void gm_history_entry_free(struct gm_history_entry *entry)
{
    if (entry) {
        free(entry->key);
        free(entry);
    }
}

void gm_history_fini(struct gm_history *history)
{
    struct gm_history_entry *entry = history->entries;
    HASH_CLEAR(hh, history->entries);
    while (entry) { /* the list outlives its table */
        struct gm_history_entry *next = entry->hh.next;
        gm_history_entry_free(entry);
        entry = next;
    }
    memset(history, 0, sizeof(*history));
}

const struct gm_history_entry *gm_history_find(const struct gm_history *history, const char *key)
{
    struct gm_history_entry *entry = NULL;
    HASH_FIND_STR(history->entries, key, entry);
    return entry;
}

/* Toward x by one part in `weight`; down as well as up, though integers round to zero. */
static uint64_t moved(uint64_t mean, uint64_t x, uint64_t weight)
{
    return x >= mean ? mean + (x - mean) / weight : mean - (mean - x) / weight;
}

static uint64_t bounded(uint64_t x)
{
    return x < MOST ? x : MOST;
}

static uint64_t without_outliers(uint64_t mean, uint64_t x)
{
    uint64_t low = mean / OUTLIER, high = bounded(mean) * OUTLIER;
    return x < low ? low : x > high ? high : x;
}

static void take_time(struct gm_history_voice *v, const struct gm_history_sample *s)
{
    uint64_t cost = bounded(s->cost_ns);
    if (v->timed > 0) {
        cost = without_outliers(v->cost_ns, cost);
        uint64_t error = cost > v->cost_ns ? cost - v->cost_ns : v->cost_ns - cost;
        uint64_t seen = v->timed < GM_HISTORY_MEAN ? v->timed : GM_HISTORY_MEAN;
        v->error_ns = moved(v->error_ns, error, seen);
    }
    v->timed++;
    uint64_t weight = v->timed < GM_HISTORY_MEAN ? v->timed : GM_HISTORY_MEAN;
    v->cost_ns = moved(v->cost_ns, cost, weight);
    v->cpu_ns = moved(v->cpu_ns, bounded(s->cpu_ns), weight);
    v->bytes = moved(v->bytes, bounded(s->bytes), weight);
}

static void take_memory(struct gm_history_voice *v, uint64_t rss)
{
    rss = bounded(rss);
    v->sized++;
    v->rss_bytes = rss > v->rss_bytes ? rss : moved(v->rss_bytes, rss, RSS_FALL);
}

/* The node's voice, as the last one; a new one may take the place of who was silent for longest. */
static struct gm_history_voice *voice_of(struct gm_history_entry *entry, uint64_t node)
{
    struct gm_history_voice voice = {.node = node};
    uint32_t at = 0;
    while (at < entry->voice_count && entry->voices[at].node != node) {
        at++;
    }
    if (at < entry->voice_count) {
        voice = entry->voices[at];
    } else if (entry->voice_count < GM_HISTORY_VOICES) {
        entry->voice_count++;
    } else {
        at = 0;
    }
    uint32_t last = entry->voice_count - 1;
    memmove(&entry->voices[at], &entry->voices[at + 1], (last - at) * sizeof(voice));
    entry->voices[last] = voice;
    return &entry->voices[last];
}

static struct gm_history_entry *add(struct gm_history *history, const char *key)
{
    struct gm_history_entry *entry = gm_mem_zalloc(sizeof(*entry));
    entry->key = gm_mem_strdup(key);
    HASH_ADD_KEYPTR(hh, history->entries, entry->key, strlen(entry->key), entry);
    return entry;
}

static struct gm_history_entry *take_oldest(struct gm_history *history)
{
    struct gm_history_entry *oldest = NULL;
    if (HASH_COUNT(history->entries) > GM_HISTORY_ENTRIES) {
        oldest = history->entries;
        HASH_DEL(history->entries, oldest);
    }
    return oldest;
}

struct gm_history_entry *gm_history_learn(struct gm_history *history, const char *key,
                                          uint64_t node, const struct gm_history_sample *sample)
{
    struct gm_history_entry *entry = NULL;
    HASH_FIND_STR(history->entries, key, entry);
    if (!entry) {
        entry = add(history, key);
    } else {
        HASH_DEL(history->entries, entry); /* it is the last one now */
        HASH_ADD_KEYPTR(hh, history->entries, entry->key, strlen(entry->key), entry);
    }
    entry->stamp = ++history->stamp;
    entry->dirty = true;
    struct gm_history_voice *voice = voice_of(entry, node);
    if (sample->cost_ns > 0) {
        take_time(voice, sample);
    }
    if (sample->rss_bytes > 0) {
        take_memory(voice, sample->rss_bytes);
    }
    return take_oldest(history);
}

static int by_cost(const void *pa, const void *pb)
{
    const struct gm_history_voice *a = *(const struct gm_history_voice *const *)pa;
    const struct gm_history_voice *b = *(const struct gm_history_voice *const *)pb;
    if (a->cost_ns != b->cost_ns) {
        return a->cost_ns < b->cost_ns ? -1 : 1;
    }
    return a->node < b->node ? -1 : a->node > b->node;
}

bool gm_history_cost(const struct gm_history_entry *entry, uint64_t node, uint64_t *out_ns,
                     uint64_t *out_error_ns)
{
    const struct gm_history_voice *list[GM_HISTORY_VOICES], *said = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; entry && i < entry->voice_count; i++) {
        if (entry->voices[i].timed > 0) {
            list[count++] = &entry->voices[i];
            said = entry->voices[i].node == node ? &entry->voices[i] : said;
        }
    }
    if (count == 0) {
        return false;
    }
    if (!said) {
        qsort(list, count, sizeof(*list), by_cost);
        said = list[(count - 1) / 2];
    }
    *out_ns = said->cost_ns;
    *out_error_ns = said->error_ns;
    return true;
}

/* Of what nodes say, of which one may lie; that of the only one where there is one. */
static uint64_t second_highest(const uint64_t *said, uint32_t count)
{
    uint64_t highest = 0, second = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (said[i] > highest) {
            second = highest;
            highest = said[i];
        } else if (said[i] > second) {
            second = said[i];
        }
    }
    return count > 1 ? second : highest;
}

uint64_t gm_history_memory(const struct gm_history_entry *entry)
{
    uint64_t said[GM_HISTORY_VOICES];
    uint32_t count = 0;
    for (uint32_t i = 0; entry && i < entry->voice_count; i++) {
        if (entry->voices[i].sized > 0) {
            said[count++] = entry->voices[i].rss_bytes;
        }
    }
    return second_highest(said, count);
}

uint64_t gm_history_bytes(const struct gm_history_entry *entry)
{
    uint64_t said[GM_HISTORY_VOICES];
    uint32_t count = 0;
    for (uint32_t i = 0; entry && i < entry->voice_count; i++) {
        if (entry->voices[i].timed > 0) {
            said[count++] = entry->voices[i].bytes;
        }
    }
    return second_highest(said, count);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t gm_history_busy(const struct gm_history_entry *entry)
{
    uint64_t said[GM_HISTORY_VOICES] = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; entry && i < entry->voice_count; i++) {
        const struct gm_history_voice *v = &entry->voices[i];
        if (v->timed > 0 && v->cost_ns > 0) {
            said[count++] = (uint64_t)((unsigned __int128)v->cpu_ns * 1000 / v->cost_ns);
        }
    }
    qsort(said, count, sizeof(said[0]), by_size);
    return count > 0 ? said[(count - 1) / 2] : 0;
}

void gm_history_restore(struct gm_history *history, const Gm__HistoryRow *row)
{
    if (row->key[0] == '\0' || strlen(row->key) >= GM_HISTORY_KEY ||
        gm_history_find(history, row->key)) {
        return;
    }
    struct gm_history_entry *entry = add(history, row->key);
    entry->stamp = row->stamp;
    for (size_t i = 0; i < row->n_voices && i < GM_HISTORY_VOICES; i++) {
        const Gm__HistoryVoice *v = row->voices[i];
        entry->voices[entry->voice_count++] =
            (struct gm_history_voice){.node = v->node,
                                      .timed = v->timed,
                                      .sized = v->sized,
                                      .cost_ns = bounded(v->cost_ns),
                                      .error_ns = bounded(v->error_ns),
                                      .cpu_ns = bounded(v->cpu_ns),
                                      .bytes = bounded(v->bytes),
                                      .rss_bytes = bounded(v->rss_bytes)};
    }
    history->stamp = row->stamp > history->stamp ? row->stamp : history->stamp;
    gm_history_entry_free(take_oldest(history));
}

void gm_history_describe(const struct gm_history_entry *entry, struct gm_history_storage *storage,
                         Gm__HistoryRow *out)
{
    gm__history_row__init(out);
    out->key = entry->key;
    out->stamp = entry->stamp;
    for (uint32_t i = 0; i < entry->voice_count; i++) {
        const struct gm_history_voice *v = &entry->voices[i];
        Gm__HistoryVoice *m = &storage->voices[i];
        gm__history_voice__init(m);
        m->node = v->node;
        m->timed = v->timed;
        m->sized = v->sized;
        m->cost_ns = v->cost_ns;
        m->error_ns = v->error_ns;
        m->cpu_ns = v->cpu_ns;
        m->bytes = v->bytes;
        m->rss_bytes = v->rss_bytes;
        storage->list[i] = m;
    }
    out->voices = storage->list;
    out->n_voices = entry->voice_count;
}
