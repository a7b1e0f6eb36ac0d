#include "media/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/captions.h"
#include "media/encode/encoder.h"
#include "media/pb.h"
#include "media/results.h"
#include "media/task_io.h"
#include "proto/check_grant.h"
#include "proto/envelope.h"
#include "proto/video_codec.h"

/* The plan task: from inspection and pipeline to the policy, which all later tasks obey. It reads
 * no media: the same inspection, pipeline and build give the same policy, byte for byte. */
struct planner {
    struct gm_task_io *io;
    const Gm__Pipeline *pipeline;
    Gm__Inspection *facts; /* owned */
    Gm__Policy *policy;    /* owned */
    AVBufferRef *device;   /* owned; NULL: in software */
};

static const Gm__PipelineTask *find_type(const struct planner *p, const char *type)
{
    for (size_t i = 0; i < p->pipeline->n_tasks; i++) {
        if (strcmp(p->pipeline->tasks[i]->type, type) == 0) {
            return p->pipeline->tasks[i];
        }
    }
    return NULL;
}

/* Base name without its last extension; what is no letter, digit, '-' or '_' becomes '-', several
 * of them one. At most 64 bytes; never empty. */
static void sanitise(const char *name, char out[65])
{
    const char *slash = strrchr(name, '/');
    name = slash != NULL ? slash + 1 : name;
    const char *dot = strrchr(name, '.');
    size_t length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    size_t n = 0;
    for (size_t i = 0; i < length && n < 64; i++) {
        char c = name[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (plain) {
            out[n++] = c;
        } else if (n > 0 && out[n - 1] != '-') {
            out[n++] = '-';
        }
    }
    while (n > 0 && out[n - 1] == '-') {
        n--;
    }
    out[n] = '\0';
    if (n == 0) {
        memcpy(out, "video", 6);
    }
}

/* The largest rung not above the height, or the smallest. Renditions are largest first. */
static uint32_t rung_for(const Gm__Policy *policy, uint32_t height)
{
    for (size_t i = 0; i < policy->n_renditions; i++) {
        if (policy->renditions[i]->short_side <= height) {
            return (uint32_t)i;
        }
    }
    return (uint32_t)(policy->n_renditions - 1);
}

static int add_mp4(struct planner *p, uint32_t height, struct gm_err *err)
{
    Gm__Policy *policy = p->policy;
    bool pictures = policy->n_renditions > 0; /* else the file of sound alone */
    uint32_t rung = pictures ? rung_for(policy, height) : 0;
    char base[65], name[128];
    for (size_t i = 0; i < policy->n_mp4; i++) {
        if (policy->mp4[i]->rendition == rung) {
            return 0;
        }
    }
    sanitise(p->io->spec->source_name, base);
    int rc = pictures ? gm_fs_path(name, sizeof name, err, "%s_%up.mp4", base,
                                   policy->renditions[rung]->short_side)
                      : gm_fs_path(name, sizeof name, err, "%s.m4a", base);
    Gm__Mp4Output *out = rc == 0 ? malloc(sizeof *out) : NULL;
    if (out == NULL) {
        return rc < 0 ? rc : gm_err_nomem(err);
    }
    gm__mp4_output__init(out);
    out->rendition = rung;
    rc = gm_pb_string(&out->name, name, err);
    int appended = gm_pb_append(&policy->mp4, &policy->n_mp4, &out->base, err);
    return rc < 0 ? rc : appended;
}

static double picture_bits(const Gm__Inspection *facts, const Gm__Rendition *r)
{
    double seconds = (double)facts->duration_us / 1e6;
    double frames = facts->video != NULL ? (double)facts->video->frames : 0;
    return r->maxrate_bps > 0
               ? seconds * (double)r->maxrate_bps * 0.6
               : frames * r->width_px * r->height_px * (r->encode->qp >= 0 ? 2.0 : 0.1);
}

/* Rough figures: for progress bars and dry runs, for the room on disk that a job is taken to want,
 * and for which chunks are tried for a quality target (media/encode/rate.h). */
static void estimate(struct planner *p)
{
    Gm__Policy *policy = p->policy;
    const Gm__VideoFacts *v = p->facts->video;
    double seconds = (double)p->facts->duration_us / 1e6;
    double frames = v != NULL ? (double)v->frames : 0;
    /* Decoding 150, scaling and encoding H.264 40 million pixels a second of one thread. */
    double cpu = v != NULL ? frames * v->width_px * v->height_px / 150e6 : 0;
    double bits = 0;
    for (size_t i = 0; i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        double pixels = frames * r->width_px * r->height_px;
        const struct gm_video_codec *codec = gm_video_codec_find(r->encode->codec);
        cpu += pixels / 40e6 * (codec != NULL ? codec->work : 1);
        bits += picture_bits(p->facts, r);
    }
    for (size_t i = 0; i < policy->n_audio; i++) {
        bits += seconds * policy->audio[i]->params->bitrate_bps;
        cpu += seconds / 50;
    }
    policy->estimated_frames = v != NULL ? v->frames : 0;
    policy->estimated_duration_us = p->facts->duration_us;
    policy->estimated_bytes = (int64_t)(bits / 8 * (policy->n_mp4 > 0 ? 1.3 : 1.0));
    policy->estimated_cpu_ms = (int64_t)(cpu * 1000) + 1;
}

int gm_plan_check_mp4(const Gm__Inspection *facts, const Gm__Policy *policy, struct gm_err *err)
{
    double seconds = (double)facts->duration_us / 1e6;
    double sound = 0;
    for (size_t i = 0; i < policy->n_audio; i++) {
        sound += seconds * policy->audio[i]->params->bitrate_bps;
    }
    for (size_t i = 0; i < policy->n_mp4; i++) {
        const Gm__Mp4Output *out = policy->mp4[i];
        double bits = sound;
        if (policy->n_renditions > 0) {
            bits += picture_bits(facts, policy->renditions[out->rendition]);
        }
        if (bits / 8 > (double)GM_PROTO_OBJECT_MAX) {
            return gm_err_set(err, GM_E_LIMIT, (int64_t)(bits / 8),
                              "%s would have some %.1f TiB, and stores take %.0f TiB in one file: "
                              "a `package`, a lower rung or a lower rate is needed",
                              out->name, bits / 8 / (1ull << 40),
                              (double)GM_PROTO_OBJECT_MAX / (1ull << 40));
        }
    }
    return 0;
}

/* The publication is named after the source's content and all that decides the outputs' bytes. */
static int name_publication(struct planner *p, struct gm_err *err)
{
    uint8_t *packed = NULL;
    size_t size;
    uint8_t digest[GM_SHA256_SIZE];
    char hex[2 * GM_SHA256_SIZE + 1];
    int rc = gm_message_encode(&p->policy->base, &packed, &size, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_sha256 *h = gm_sha256_create();
    if (h == NULL) {
        free(packed);
        return gm_err_nomem(err);
    }
    gm_sha256_update(h, p->facts->fingerprint.data, p->facts->fingerprint.len);
    gm_sha256_update(h, packed, size);
    gm_sha256_final(h, digest);
    gm_sha256_destroy(&h);
    free(packed);
    return gm_pb_string(&p->policy->publication, gm_hex(digest, 8, hex), err);
}

static int plan_text(struct planner *p, struct gm_err *err)
{
    const Gm__PipelineTask *task = find_type(p, "subtitles");
    bool there = p->facts->video != NULL && task != NULL &&
                 task->params_case == GM__PIPELINE_TASK__PARAMS_SUBTITLES;
    bool shows = find_type(p, "package") != NULL || find_type(p, "mp4") != NULL;
    const char *why = there || !shows ? NULL
                      : task != NULL  ? "the source has no pictures"
                                      : "the pipeline has no subtitles task";
    int rc = there ? gm_plan_text(p->facts, task->subtitles, p->policy, err) : 0;
    if (rc == 0) {
        rc = gm_plan_text_dropped(p->facts, why, p->policy, err);
    }
    return rc == 0 ? gm_plan_chapters(p->facts, p->policy, err) : rc;
}

/* Captions within the pictures go into the streams of some codecs alone. */
static int warn_captions(struct planner *p, struct gm_err *err)
{
    Gm__Policy *policy = p->policy;
    int64_t without = 0;
    for (size_t i = 0; p->facts->video->captions && i < policy->n_renditions; i++) {
        without += !gm_captions_carries(policy->renditions[i]->encode->codec);
    }
    return without == 0 ? 0
                        : gm_pb_warn(&policy->warnings, &policy->n_warnings,
                                     GM_W_PLAN_CAPTIONS_DROPPED, without, err,
                                     "%lld rendition(s) are of a codec that carries no captions",
                                     (long long)without);
}

static int plan_pictures(struct planner *p, const Gm__PipelineTask *encode, struct gm_err *err)
{
    static const uint32_t usual[] = {1080, 720, 480, 360, 240};
    const Gm__PipelineTask *own = gm_results_task(p->io->spec, p->io->spec->task);
    bool given = own != NULL && own->params_case == GM__PIPELINE_TASK__PARAMS_PLAN &&
                 own->plan->n_ladder > 0;
    int rc = gm_plan_grid(p->facts->video, p->policy, err);
    if (rc == 0 && encode != NULL && encode->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
        rc = gm_plan_front(p->facts->video, encode->encode, p->policy, err);
    }
    if (rc == 0 && encode != NULL && encode->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
        rc = gm_plan_burn(p->facts, encode->encode->burn_subtitles, p->policy, err);
    }
    if (rc == 0 && encode != NULL && encode->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
        rc = gm_plan_video(p->facts->video, given ? own->plan->ladder : usual,
                           given ? own->plan->n_ladder : 5, encode->encode, p->io->device,
                           p->policy, err);
    }
    if (rc == 0) {
        rc = gm_plan_light(p->facts->video, p->policy, err);
    }
    if (rc == 0) {
        rc = gm_plan_scaler(p->facts->video, p->io->spec->chain, p->device, p->policy, err);
    }
    if (rc == 0) {
        rc = warn_captions(p, err);
    }
    return rc;
}

static int plan_outputs(struct planner *p, struct gm_err *err)
{
    const Gm__PipelineTask *encode = find_type(p, "encode");
    const Gm__PipelineTask *audio = find_type(p, "audio");
    const Gm__PipelineTask *images = find_type(p, "thumbnails");
    const Gm__PipelineTask *mp4 = find_type(p, "mp4");
    const Gm__PipelineTask *loudness = find_type(p, "loudness");
    if (loudness != NULL && loudness->params_case != GM__PIPELINE_TASK__PARAMS_LOUDNESS) {
        loudness = NULL;
    }
    int rc = p->facts->video != NULL ? plan_pictures(p, encode, err) : 0;
    if (rc == 0 && audio != NULL && audio->params_case == GM__PIPELINE_TASK__PARAMS_AUDIO) {
        rc = gm_plan_audio(p->facts, audio->audio, loudness, p->policy, err);
    }
    if (rc == 0 && images != NULL && images->params_case == GM__PIPELINE_TASK__PARAMS_THUMBNAILS) {
        rc = gm_plan_images(p->facts->video, images->thumbnails, p->policy, err);
    }
    if (mp4 != NULL && mp4->params_case == GM__PIPELINE_TASK__PARAMS_MP4 &&
        p->policy->n_renditions + p->policy->n_audio > 0) {
        for (size_t i = 0; rc == 0 && i < mp4->mp4->n_heights; i++) {
            rc = add_mp4(p, mp4->mp4->heights[i], err);
        }
    }
    if (rc == 0) {
        rc = plan_text(p, err);
    }
    return rc == 0 ? gm_plan_fingerprint(p->policy, p->facts->video, p->io->spec->chain,
                                         p->io->device, err)
                   : rc;
}

static int finish(struct planner *p, struct gm_err *err)
{
    Gm__Expand expand[6];
    size_t n = 0;
    const struct {
        const char *type;
        size_t instances;
    } rows[6] = {{"encode", 1},
                 {"analyze", 1},
                 {"audio", p->policy->n_audio},
                 {"loudness", p->policy->n_audio},
                 {"subtitles", p->policy->n_text},
                 {"mp4", p->policy->n_mp4}};
    for (size_t i = 0; i < 6; i++) {
        const Gm__PipelineTask *task = find_type(p, rows[i].type);
        if (task != NULL) {
            gm__expand__init(&expand[n]);
            expand[n].task = task->name;
            expand[n++].instances = (uint32_t)rows[i].instances;
        }
    }
    return p->io->finish(p->io->self, NULL, 0, &p->policy->base, expand, n, p->policy->publication,
                         err);
}

int gm_task_plan(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct planner p = {.io = io, .pipeline = io->spec->pipeline};
    (void)out_chunk;
    if (p.pipeline == NULL) {
        return gm_err_set(err, GM_E_PROTO, 0, "the task has no pipeline");
    }
    int rc = gm_results_inspection(io->spec, &p.facts, err);
    bool pictures = find_type(&p, "encode") != NULL || find_type(&p, "audio") == NULL;
    if (rc == 0 && pictures &&
        (p.facts->video == NULL || p.facts->video->time_base == NULL ||
         p.facts->video->frame_rate == NULL)) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the inspection names no video");
    }
    if (rc < 0) {
        goto out;
    }
    const Gm__Policy empty = GM__POLICY__INIT;
    p.policy = (Gm__Policy *)gm_message_dup(&empty.base);
    if (p.policy == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    p.policy->media_version = GM_MEDIA_VERSION;
    rc = gm_pb_string(&p.policy->chain, gm_results_chain(io->spec), err);
    if (rc == 0) {
        rc = gm_encoder_hold(p.policy->chain, io->device, pictures, &p.device, err);
    }
    if (rc == 0) {
        rc = gm_plan_check_images(p.pipeline, err);
    }
    if (rc == 0) {
        rc = plan_outputs(&p, err);
    }
    if (rc == 0) {
        estimate(&p);
        rc = gm_plan_check_mp4(p.facts, p.policy, err);
    }
    if (rc == 0) {
        rc = name_publication(&p, err);
    }
    if (rc == 0) {
        rc = finish(&p, err);
    }
out:
    av_buffer_unref(&p.device);
    if (p.policy != NULL) {
        gm__policy__free_unpacked(p.policy, NULL);
    }
    gm__inspection__free_unpacked(p.facts, NULL);
    return rc;
}
