#include "scheduler/core/writes.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/mem.h"
#include "scheduler/core/task_types.h"

/* Of those that have not committed: an agent takes 16 from a worker, and as many may be there that
 * a worker before it left. */
#define ITEMS_MOST 32u
#define ITEM_TRACK_MOST 64u /* segments in an item of sound or text */
#define TRACK_MOST 8u       /* files of package for a track */
#define OTHERS_MOST 64u     /* and beside them */

void gm_core_writes_fini(struct gm_writes *writes)
{
    for (size_t i = 0; i < writes->count; i++) {
        free(writes->names[i]);
    }
    free(writes->names);
    *writes = (struct gm_writes){NULL};
}

static void add(struct gm_writes *writes, const char *name)
{
    writes->named = writes->named || name[0] != '\0';
    writes->names[writes->count++] = gm_mem_strdup(name);
}

int gm_core_writes_set(struct gm_writes *writes, const Gm__Policy *policy, struct gm_err *err)
{
    size_t count = policy->n_renditions + policy->n_audio + policy->n_text + policy->n_mp4;
    gm_core_writes_fini(writes);
    writes->renditions = policy->n_renditions;
    writes->audio = policy->n_audio;
    writes->text = policy->n_text;
    writes->mp4 = policy->n_mp4;
    writes->chunk_segments = policy->chunk_segments;
    if (count > GM_CORE_MAX_OUTPUTS) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)count, "the plan has %zu outputs, at most %u",
                          count, GM_CORE_MAX_OUTPUTS);
    }
    writes->names = gm_mem_zalloc((count + 1) * sizeof(*writes->names));
    for (size_t i = 0; i < policy->n_renditions; i++) {
        add(writes, policy->renditions[i]->name);
    }
    for (size_t i = 0; i < policy->n_audio; i++) {
        add(writes, policy->audio[i]->name);
    }
    for (size_t i = 0; i < policy->n_text; i++) {
        add(writes, policy->text[i]->name);
    }
    for (size_t i = 0; i < policy->n_mp4; i++) {
        add(writes, policy->mp4[i]->name);
    }
    return 0;
}

/* What follows "folder/" of name; NULL: it lies elsewhere. */
static const char *below(const char *name, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(name, folder, size) == 0 && name[size] == '/' ? name + size + 1 : NULL;
}

/* What follows the name of one of `count` tracks from `first` on; NULL: it is of none of them. */
static const char *of_track(const struct gm_writes *w, size_t first, size_t count, const char *rest)
{
    const char *after = NULL;
    for (size_t i = first; rest != NULL && after == NULL && i < first + count; i++) {
        after = below(rest, w->names[i]);
    }
    return after;
}

/* The number of "prefix00012-..."; -1: it is not that. */
static int64_t number_of(const char *name, const char *prefix)
{
    size_t size = strlen(prefix);
    size_t digits = strncmp(name, prefix, size) == 0 ? strspn(name + size, "0123456789") : 0;
    bool is_one = digits >= 5 && digits <= 10 && name[size + digits] == '-';
    return is_one ? strtoll(name + size, NULL, 10) : -1;
}

static bool in_chunks(const struct gm_lease *lease, int64_t chunk)
{
    return chunk >= lease->first_chunk && chunk < (int64_t)lease->first_chunk + lease->chunk_count;
}

/* Segments count from 1, and a chunk has one at least and chunk_segments at most. */
static bool in_segments(const struct gm_lease *lease, int64_t segment)
{
    int64_t end = (int64_t)lease->first_chunk + lease->chunk_count;
    return segment > lease->first_chunk &&
           segment <= end * (int64_t)lease->job->writes.chunk_segments;
}

static bool is_playlist(const char *name)
{
    size_t size = strlen(name);
    return size >= 5 && strcmp(name + size - 5, ".m3u8") == 0;
}

static bool may_encode(const struct gm_lease *lease, const char *name)
{
    const struct gm_writes *w = &lease->job->writes;
    const char *tiles = below(name, "tiles");
    const char *file = of_track(w, 0, w->renditions, below(name, "video"));
    if (tiles != NULL) {
        return in_chunks(lease, number_of(tiles, "tiles-")) ||
               in_chunks(lease, number_of(tiles, "poster-"));
    }
    return file != NULL && in_segments(lease, number_of(file, "seg-"));
}

static bool may_track(const struct gm_lease *lease, const char *folder, size_t first, size_t count,
                      const char *name)
{
    size_t number = lease->inst->number;
    const char *file = number < count
                           ? of_track(&lease->job->writes, first + number, 1, below(name, folder))
                           : NULL;
    return file != NULL && !is_playlist(file);
}

static bool may_package(const struct gm_writes *w, const char *name)
{
    size_t text = w->renditions + w->audio;
    const char *file = of_track(w, 0, w->renditions, below(name, "video"));
    file = file != NULL ? file : of_track(w, w->renditions, w->audio, below(name, "audio"));
    file = file != NULL ? file : of_track(w, text, w->text, below(name, "text"));
    file = file != NULL ? file : below(name, "text/chapters");
    file = file != NULL ? file : below(name, "images");
    return file != NULL && strncmp(file, "seg-", 4) != 0;
}

static bool may_mp4(const struct gm_lease *lease, const char *name)
{
    const struct gm_writes *w = &lease->job->writes;
    size_t number = lease->inst->number, first = w->renditions + w->audio + w->text;
    const char *file = below(name, "mp4");
    return file != NULL && number < w->mp4 && strcmp(file, w->names[first + number]) == 0;
}

/* Where the plan has tracks without names: by the folder of the type alone. */
static bool may_write_unnamed(const char *type, const char *name)
{
    static const char *const rows[][2] = {
        {"encode", "video"},      {"encode", "tiles"},  {"audio", "audio"},   {"subtitles", "text"},
        {"thumbnails", "images"}, {"mp4", "mp4"},       {"package", "video"}, {"package", "audio"},
        {"package", "text"},      {"package", "images"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(type, rows[i][0]) == 0 && below(name, rows[i][1]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool may_write(const struct gm_lease *lease, const char *name)
{
    const struct gm_writes *w = &lease->job->writes;
    const char *type = lease->inst->task->type->name;
    if (strcmp(type, "split") == 0) {
        return below(name, "chunks") != NULL;
    }
    if (!lease->inst->task->type->writes_out) { /* what they say is in their messages */
        return below(name, type) != NULL;
    }
    if (!w->named) {
        return may_write_unnamed(type, name);
    }
    if (strcmp(type, "encode") == 0) {
        return may_encode(lease, name);
    }
    if (strcmp(type, "audio") == 0) {
        return may_track(lease, "audio", w->renditions, w->audio, name);
    }
    if (strcmp(type, "subtitles") == 0) {
        return may_track(lease, "text", w->renditions + w->audio, w->text, name);
    }
    if (strcmp(type, "thumbnails") == 0) {
        return below(name, "images") != NULL && !is_playlist(name);
    }
    if (strcmp(type, "mp4") == 0) {
        return may_mp4(lease, name);
    }
    return strcmp(type, "package") == 0 && may_package(w, name);
}

int gm_core_writes_check(const struct gm_lease *lease, const Gm__GrantItem *item,
                         struct gm_err *err)
{
    return may_write(lease, item->name)
               ? 0
               : gm_err_set(err, GM_E_GRANT_REFUSED, 0, "`%s` does not write %.100s",
                            lease->inst->task->name, item->name);
}

static uint64_t most_segments(const struct gm_writes *w)
{
    return w->chunk_segments > 0 ? w->chunk_segments : 1;
}

uint64_t gm_core_writes_most(const struct gm_lease *lease)
{
    const struct gm_writes *w = &lease->job->writes;
    const struct gm_core_task_type *type = lease->inst->task->type;
    if (type->role == GM_ROLE_SPLIT) {
        return ITEMS_MOST;
    }
    if (type->fan == GM_FAN_RUNS) { /* of a chunk: segments, tiles and a poster */
        /* what a copy of the run commits does not count here: so the whole run's may be open */
        uint64_t chunks = lease->chunk_count > ITEMS_MOST ? lease->chunk_count : ITEMS_MOST;
        return chunks * ((uint64_t)w->renditions * most_segments(w) + 2);
    }
    if (type->role == GM_ROLE_TRACK) {
        return ITEMS_MOST * ITEM_TRACK_MOST;
    }
    if (strcmp(type->name, "mp4") == 0) {
        return 1;
    }
    if (strcmp(type->name, "package") == 0) {
        return TRACK_MOST * (w->renditions + w->audio + w->text) + OTHERS_MOST;
    }
    return GM_CORE_MAX_GRANTS; /* sheets, as many as the programme is long */
}
