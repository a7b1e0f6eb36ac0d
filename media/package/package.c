/* The package task: playlists and manifests over the segments that encode and audio made. It reads
 * their metas alone, no media. What changes at publication, master.m3u8 and manifest.mpd, goes back
 * in the meta; all else is written below the publication's folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "manifest/dash.h"
#include "manifest/describe.h"
#include "manifest/hls.h"
#include "manifest/image_track.h"
#include "media/captions.h"
#include "media/package/manifest_check.h"
#include "media/package/package_collect.h"
#include "media/picture/still.h"
#include "media/results.h"
#include "media/task_io.h"
#include "media/text/webvtt.h"
#include "proto/envelope.h"

/* A file written: what finish and the meta say of it. */
struct package_file {
    char name[129]; /* in scratch */
    char path[300];
    uint8_t sha256[GM_SHA256_SIZE];
    uint64_t size;
};

struct package_task {
    struct gm_task_io *io;            /* borrowed */
    Gm__Policy *policy;               /* owned */
    const Gm__PackageParams *params;  /* borrowed */
    struct gm_collection segments;    /* owned */
    struct gm_manifest_track *tracks; /* owned: renditions, then sound, then text */
    ProtobufCMessage **text_metas;    /* owned: the text tracks' results */
    struct gm_manifest manifest;
    Gm__ThumbnailsMeta *thumbnails; /* owned; NULL: none, or not needed by this task */
    struct gm_manifest_images images;
    char prefix[64];
    const char *captions[GM_CAPTIONS_SERVICES];
    struct package_file *files; /* owned */
    size_t file_count;
    struct gm_manifest_objects objects; /* all that the publication holds, files included */
    struct gm_buf master, mpd;          /* owned */
};

/* What earlier tasks stored below the publication's folder. */
static int add_objects(struct package_task *t, Gm__Object **list, size_t count, struct gm_err *err)
{
    size_t prefix = strlen(t->prefix);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const Gm__Object *o = list[i];
        if (o->store == GM__OBJECT_STORE__STORE_OUT && strncmp(o->key, t->prefix, prefix) == 0) {
            rc = gm_manifest_objects_add(&t->objects, o->key + prefix, o->size, err);
        }
    }
    return rc;
}

static int find_objects(struct package_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->segments.item_count; i++) {
        const Gm__Item *item = t->segments.items[i];
        rc = add_objects(t, item->objects, item->n_objects, err);
    }
    for (size_t i = 0; rc == 0 && i < spec->n_results; i++) {
        rc = add_objects(t, spec->results[i]->objects, spec->results[i]->n_objects, err);
    }
    gm_manifest_objects_sort(&t->objects);
    return rc;
}

/* Chunks that were encoded by media version 32 don't tell of their captions; where none does,
 * inspect's word counts as it did then. */
static int find_captions(struct package_task *t, struct gm_err *err)
{
    Gm__Inspection *facts = NULL;
    int rc = t->segments.captions == 0 && t->policy->n_renditions > 0
                 ? gm_results_inspection(t->io->spec, &facts, err)
                 : 0;
    if (rc == 0 && facts != NULL && facts->video != NULL && facts->video->captions) {
        t->segments.captions = GM_CAPTIONS_ANY;
    }
    if (facts != NULL) {
        gm__inspection__free_unpacked(facts, NULL);
    }
    return rc;
}

static int open_task(struct package_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    const Gm__PipelineTask *task = gm_results_task(spec, spec->task);
    if (task == NULL || task->package == NULL ||
        task->params_case != GM__PIPELINE_TASK__PARAMS_PACKAGE) {
        return gm_err_set(err, GM_E_PROTO, 0, "the package task has no parameters");
    }
    t->params = task->package;
    int rc = gm_results_policy(spec, &t->policy, err);
    if (rc < 0) {
        return rc;
    }
    size_t tracks = t->policy->n_renditions + t->policy->n_audio + t->policy->n_text;
    t->tracks = calloc(tracks, sizeof(*t->tracks));
    t->files = calloc(tracks * 3 + 2, sizeof(*t->files));
    t->text_metas = calloc(t->policy->n_text + 1, sizeof(ProtobufCMessage *));
    if (t->tracks == NULL || t->files == NULL || t->text_metas == NULL) {
        return gm_err_nomem(err);
    }
    rc = gm_collect(t->io, t->policy, &t->segments, err);
    if (rc == 0) {
        rc = find_captions(t, err);
    }
    if (rc < 0) {
        return rc;
    }
    return gm_fs_path(t->prefix, sizeof(t->prefix), err, "v/%s/", t->policy->publication);
}

static bool carries_captions(const struct package_task *t, const Gm__Rendition *r)
{
    return t->segments.captions != 0 && r->encode != NULL && gm_captions_carries(r->encode->codec);
}

static void describe(struct package_task *t)
{
    const Gm__Policy *p = t->policy;
    struct gm_manifest_track *track = t->tracks;
    gm_manifest_describe(p, t->tracks);
    for (size_t i = 0; i < p->n_renditions; i++, track++) {
        track->segments = t->segments.video[i].list;
        track->count = t->segments.video[i].count;
        track->captions = carries_captions(t, p->renditions[i]);
    }
    for (size_t i = 0; i < p->n_audio; i++, track++) {
        track->segments = t->segments.audio[i].list;
        track->count = t->segments.audio[i].count;
    }
    for (size_t i = 0; i < p->n_text; i++, track++) {
        track->segments = t->segments.text[i].list;
        track->count = t->segments.text[i].count;
        track->whole_name = ((Gm__TextMeta *)t->text_metas[i])->files[0]->name;
    }
    t->manifest = gm_manifest_make(p, t->tracks, t->prefix);
    t->manifest.images = t->thumbnails != NULL ? &t->images : NULL;
    t->manifest.captions = t->captions;
    t->manifest.captions_count = gm_captions_services(t->segments.captions, t->captions);
}

/* The results of subtitles: where each track's whole file lies. */
static int read_texts(struct package_task *t, struct gm_err *err)
{
    int rc = 0;
    for (uint32_t k = 0; rc == 0 && k < t->policy->n_text; k++) {
        const Gm__TaskResult *result = gm_results_instance(t->io->spec, "subtitles", k);
        if (result == NULL) {
            return gm_err_set(err, GM_E_PROTO, 0, "text track %u has no result", k);
        }
        rc = gm_message_decode(&gm__text_meta__descriptor, result->meta.data, result->meta.len,
                               GM_META_MAX_BYTES, &t->text_metas[k], err);
        if (rc == 0 && ((Gm__TextMeta *)t->text_metas[k])->n_files != 1) {
            rc = gm_err_set(err, GM_E_PROTO, 0, "text track %u has no file", k);
        }
    }
    return rc;
}

/* The result of thumbnails, where this task needs it. */
static int read_images(struct package_task *t, struct gm_err *err)
{
    ProtobufCMessage *msg = NULL;
    const Gm__TaskResult *result = gm_results_find(t->io->spec, "thumbnails");
    if (result == NULL) {
        return 0;
    }
    int rc = gm_message_decode(&gm__thumbnails_meta__descriptor, result->meta.data,
                               result->meta.len, GM_META_MAX_BYTES, &msg, err);
    if (rc < 0) {
        return rc;
    }
    t->thumbnails = (Gm__ThumbnailsMeta *)msg;
    const Gm__SheetsReport *s = t->thumbnails->sheets;
    bool whole = s != NULL && s->n_files > 0 && s->columns > 0 && s->rows > 0 &&
                 s->interval_s > 0 && s->duration_us > 0 && gm_still_find(s->format) != NULL;
    for (size_t i = 0; whole && i < s->n_files; i++) {
        whole = s->files[i] < t->thumbnails->n_files;
    }
    if (!whole) {
        return gm_err_set(err, GM_E_PROTO, 0, "thumbnails names no sheets");
    }
    const struct gm_still *still = gm_still_find(s->format);
    t->images =
        (struct gm_manifest_images){s, t->thumbnails->files, still->mime, still->codec, still->ext};
    return 0;
}

static int check_plan(const Gm__Policy *p, struct gm_err *err)
{
    for (size_t i = 0; i < p->n_audio; i++) {
        if (p->audio[i]->params == NULL || p->audio[i]->params->sample_rate == 0) {
            return gm_err_set(err, GM_E_PROTO, 0, "sound track %zu has no sample rate", i);
        }
    }
    return 0;
}

/* Writes <kind>/<track>/<name>; track "": <kind>/<name>. */
static int write_file(struct package_task *t, const char *kind, const char *track, const char *name,
                      const void *data, size_t size, struct gm_err *err)
{
    struct package_file *f = &t->files[t->file_count];
    int fd = -1;
    int rc = gm_fs_path(f->name, sizeof(f->name), err, "%s-%s-%s", kind, track, name);
    if (rc < 0 ||
        (rc = gm_fs_path(f->path, sizeof(f->path), err, "%s/%s%s%s", kind, track,
                         track[0] != '\0' ? "/" : "", name)) < 0 ||
        (rc = t->io->create_file(t->io->self, f->name, &fd, err)) < 0) {
        return rc;
    }
    rc = gm_fs_write_all(fd, data, size, err);
    if (close(fd) < 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "close of %s", f->name);
    }
    if (rc == 0) {
        gm_sha256(data, size, f->sha256);
        f->size = size;
        t->file_count++;
        rc = gm_manifest_objects_add(&t->objects, f->path, size, err);
    }
    return rc;
}

static int write_text(struct package_task *t, const char *kind, const char *track, const char *name,
                      struct gm_buf *text, struct gm_err *err)
{
    int rc = gm_buf_check(text, err);
    if (rc == 0) {
        rc = write_file(t, kind, track, name, text->data, text->size, err);
    }
    gm_buf_fini(text);
    return rc;
}

/* Writes a playlist, once it was read back. kind: the folder that the track's lies in, or that the
 * sheets are in. */
static int write_playlist(struct package_task *t, const char *kind, const char *name,
                          struct gm_manifest_playlist wanted, struct gm_buf *text,
                          struct gm_err *err)
{
    char folder[300];
    const char *track = wanted.track != NULL ? wanted.track->name : "";
    int rc = gm_buf_check(text, err);
    if (rc == 0) {
        rc = gm_fs_path(folder, sizeof(folder), err, "%s/%s%s", kind, track,
                        wanted.track != NULL ? "/" : "");
    }
    if (rc == 0) {
        wanted.folder = folder;
        rc = gm_manifest_check_playlist(text, &wanted, &t->objects, err);
    }
    if (rc < 0) {
        gm_buf_fini(text);
        return rc;
    }
    return write_text(t, kind, track, name, text, err);
}

static int write_track(struct package_task *t, size_t index, int64_t target_s, struct gm_err *err)
{
    const Gm__Policy *p = t->policy;
    const struct gm_manifest_track *track = &t->tracks[index];
    bool video = index < p->n_renditions;
    const char *kind = video ? "video" : "audio";
    const ProtobufCBinaryData *init = video ? &p->renditions[index]->init_segment
                                            : &p->audio[index - p->n_renditions]->init_segment;
    struct gm_buf text = {0};
    int rc = write_file(t, kind, track->name, track->init_name, init->data, init->len, err);
    if (rc < 0 || !t->params->hls) {
        return rc;
    }
    gm_hls_media(track, target_s, &text);
    struct gm_manifest_playlist wanted = {.of = GM_PLAYLIST_SEGMENTS, .track = track};
    rc = write_playlist(t, kind, "media.m3u8", wanted, &text, err);
    if (rc < 0 || !video) {
        return rc;
    }
    gm_hls_iframes(track, &text);
    wanted.of = GM_PLAYLIST_IFRAMES;
    return write_playlist(t, kind, "iframes.m3u8", wanted, &text, err);
}

/* Text needs a playlist alone: its files were made by subtitles. */
static int write_subtitles(struct package_task *t, const struct gm_manifest_track *track,
                           int64_t target_s, struct gm_err *err)
{
    struct gm_buf text = {0};
    if (!t->params->hls) {
        return 0;
    }
    gm_hls_media(track, target_s, &text);
    return write_playlist(t, "text", "media.m3u8",
                          (struct gm_manifest_playlist){.of = GM_PLAYLIST_SEGMENTS, .track = track},
                          &text, err);
}

/* The chapters as WebVTT: text/chapters/chapters.vtt. */
static int write_chapters(struct package_task *t, struct gm_err *err)
{
    struct gm_buf text = {0};
    if (t->policy->n_chapters == 0) {
        return 0;
    }
    gm_webvtt_chapters(&text, t->policy->chapters, t->policy->n_chapters);
    return write_text(t, "text", "chapters", "chapters.vtt", &text, err);
}

/* The sheets need a playlist too; in DASH the manifest alone names them. */
static int write_tiles(struct package_task *t, struct gm_err *err)
{
    struct gm_buf text = {0};
    if (!t->params->hls || t->manifest.images == NULL) {
        return 0;
    }
    gm_image_track_hls(&t->manifest, &text);
    return write_playlist(
        t, "images", GM_IMAGE_TRACK_PLAYLIST,
        (struct gm_manifest_playlist){.of = GM_PLAYLIST_SHEETS, .images = t->manifest.images},
        &text, err);
}

static int check_sizes(const struct package_task *t, struct gm_err *err)
{
    const struct gm_manifest *m = &t->manifest;
    const struct gm_manifest_track *lists[] = {m->video, m->audio, m->text};
    const size_t counts[] = {m->videos, m->audios, m->texts};
    const char *const kinds[] = {"video", "audio", "text"};
    int rc = 0;
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; rc == 0 && i < counts[k]; i++) {
            char folder[300];
            rc = gm_fs_path(folder, sizeof(folder), err, "%s/%s/", kinds[k], lists[k][i].name);
            if (rc == 0) {
                rc = gm_manifest_check_sizes(folder, &lists[k][i], &t->objects, err);
            }
        }
    }
    return rc;
}

/* Both are read back before the task's end lets them out. */
static int write_manifests(struct package_task *t, struct gm_err *err)
{
    int rc = 0;
    if (t->params->hls) {
        gm_hls_master(&t->manifest, &t->master);
        rc = gm_buf_check(&t->master, err);
        if (rc == 0) {
            rc = gm_manifest_check_master(&t->master, &t->manifest, &t->objects, err);
        }
    }
    if (rc == 0 && t->params->dash) {
        gm_dash_manifest(&t->manifest, &t->mpd);
        rc = gm_buf_check(&t->mpd, err);
        if (rc == 0) {
            rc = gm_manifest_check_mpd(&t->mpd, &t->manifest, &t->objects, err);
        }
    }
    return rc < 0 ? rc : gm_manifest_check_room(&t->master, &t->mpd, err);
}

static int write_all(struct package_task *t, struct gm_err *err)
{
    int64_t target_s = gm_manifest_target_s(&t->manifest);
    size_t tracks = t->policy->n_renditions + t->policy->n_audio;
    for (size_t i = 0; i < t->manifest.texts; i++) {
        int rc = write_subtitles(t, &t->manifest.text[i], target_s, err);
        if (rc < 0) {
            return rc;
        }
    }
    int written = write_chapters(t, err);
    if (written == 0) {
        written = write_tiles(t, err);
    }
    if (written < 0) {
        return written;
    }
    for (size_t i = 0; i < tracks; i++) {
        int rc = write_track(t, i, target_s, err);
        if (rc < 0) {
            return rc;
        }
        t->io->progress(t->io->self, i + 1, tracks);
    }
    return write_manifests(t, err);
}

static void report_track(const struct gm_manifest_track *track, int64_t target_s,
                         Gm__RenditionReport *out)
{
    struct gm_manifest_rate rate = gm_manifest_measure(track, target_s);
    *out = (Gm__RenditionReport)GM__RENDITION_REPORT__INIT;
    out->name = (char *)(uintptr_t)track->name;
    out->bytes = rate.bytes;
    out->average_bps = rate.average_bps;
    out->peak_bps = rate.peak_bps;
    out->segments = (uint32_t)track->count;
}

static int finish(struct package_task *t, struct gm_err *err)
{
    size_t tracks = t->policy->n_renditions + t->policy->n_audio;
    int64_t target_s = gm_manifest_target_s(&t->manifest);
    Gm__WFile *files = calloc(t->file_count + 1, sizeof(*files));
    Gm__NamedFile *named = calloc(t->file_count + 1, sizeof(*named));
    Gm__NamedFile **named_list = calloc(t->file_count + 1, sizeof(*named_list));
    Gm__RenditionReport *reports = calloc(tracks + 1, sizeof(*reports));
    Gm__RenditionReport **report_list = calloc(tracks + 1, sizeof(*report_list));
    Gm__PackageMeta meta = GM__PACKAGE_META__INIT;
    int rc = 0;
    if (files == NULL || named == NULL || named_list == NULL || reports == NULL ||
        report_list == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < t->file_count; i++) {
        struct package_file *f = &t->files[i];
        files[i] = (Gm__WFile)GM__WFILE__INIT;
        files[i].name = f->name;
        files[i].store = GM__OBJECT_STORE__STORE_OUT;
        files[i].path = f->path;
        named[i] = (Gm__NamedFile)GM__NAMED_FILE__INIT;
        named[i].name = strrchr(f->path, '/') + 1;
        named[i].size = f->size;
        named[i].sha256 = (ProtobufCBinaryData){GM_SHA256_SIZE, f->sha256};
        named[i].path = f->path;
        named_list[i] = &named[i];
    }
    for (size_t i = 0; i < tracks; i++) {
        report_track(&t->tracks[i], target_s, &reports[i]);
        report_list[i] = &reports[i];
    }
    meta.files = named_list;
    meta.n_files = t->file_count;
    meta.master_m3u8 = (ProtobufCBinaryData){t->master.size, t->master.data};
    meta.manifest_mpd = (ProtobufCBinaryData){t->mpd.size, t->mpd.data};
    meta.renditions = report_list;
    meta.n_renditions = t->policy->n_renditions;
    meta.audio = report_list + t->policy->n_renditions;
    meta.n_audio = t->policy->n_audio;
    rc = t->io->finish(t->io->self, files, t->file_count, &meta.base, NULL, 0, NULL, err);
out:
    free(files);
    free(named);
    free(named_list);
    free(reports);
    free(report_list);
    return rc;
}

int gm_task_package(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct package_task t = {.io = io};
    *out_chunk = -1;
    int rc = open_task(&t, err);
    if (rc == 0) {
        rc = check_plan(t.policy, err);
    }
    if (rc == 0) {
        rc = read_texts(&t, err);
    }
    if (rc == 0) {
        rc = read_images(&t, err);
    }
    if (rc == 0) {
        rc = find_objects(&t, err);
    }
    if (rc == 0) {
        describe(&t);
        rc = check_sizes(&t, err);
    }
    if (rc == 0) {
        rc = write_all(&t, err);
    }
    if (rc == 0) {
        rc = finish(&t, err);
    }
    gm_manifest_objects_fini(&t.objects);
    gm_collection_fini(&t.segments);
    gm_buf_fini(&t.master);
    gm_buf_fini(&t.mpd);
    for (size_t i = 0; t.text_metas != NULL && i < t.policy->n_text; i++) {
        if (t.text_metas[i] != NULL) {
            protobuf_c_message_free_unpacked(t.text_metas[i], NULL);
        }
    }
    if (t.thumbnails != NULL) {
        gm__thumbnails_meta__free_unpacked(t.thumbnails, NULL);
    }
    free(t.text_metas);
    free(t.tracks);
    free(t.files);
    if (t.policy != NULL) {
        gm__policy__free_unpacked(t.policy, NULL);
    }
    return rc;
}
