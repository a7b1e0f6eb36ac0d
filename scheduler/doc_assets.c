#include "scheduler/doc_assets.h"

#include <string.h>

#include "scheduler/metas.h"

static const Gm__RenditionReport *find_report(const Gm__PackageMeta *package, const char *name)
{
    for (size_t i = 0; package != NULL && i < package->n_renditions; i++) {
        if (strcmp(package->renditions[i]->name, name) == 0) {
            return package->renditions[i];
        }
    }
    return NULL;
}

static json_t *renditions_json(const struct gm_metas *metas)
{
    const Gm__Policy *p = metas->policy;
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && p != NULL && i < p->n_renditions; i++) {
        const Gm__Rendition *v = p->renditions[i];
        const Gm__RenditionReport *sum = find_report(metas->package, v->name);
        list = gm_json_add(list,
                           json_pack("{s:o, s:I, s:I, s:o, s:I}", "name", gm_json_string(v->name),
                                     "width", (json_int_t)v->width_px, "height",
                                     (json_int_t)v->height_px, "codec", gm_json_string(v->codecs),
                                     "bitrate", (json_int_t)(sum != NULL ? sum->average_bps : 0)));
    }
    return list;
}

static uint64_t sum_bytes(const Gm__PackageMeta *package)
{
    uint64_t bytes = 0;
    for (size_t i = 0; package != NULL && i < package->n_renditions; i++) {
        bytes += package->renditions[i]->bytes;
    }
    for (size_t i = 0; package != NULL && i < package->n_audio; i++) {
        bytes += package->audio[i]->bytes;
    }
    return bytes;
}

static json_t *manifests_json(const Gm__PackageMeta *package)
{
    json_t *list = json_array();
    if (list != NULL && package != NULL && package->master_m3u8.len > 0) {
        list = gm_json_add(list, json_string("master.m3u8"));
    }
    if (list != NULL && package != NULL && package->manifest_mpd.len > 0) {
        list = gm_json_add(list, json_string("manifest.mpd"));
    }
    return list;
}

/* The path of the file with that name, below the destination; null where there is none. */
static json_t *image_json(const struct gm_job_view *v, const Gm__ThumbnailsMeta *images,
                          const char *name)
{
    char path[1200];
    for (size_t i = 0; images != NULL && name != NULL && i < images->n_files; i++) {
        if (strcmp(images->files[i]->name, name) == 0) {
            (void)snprintf(path, sizeof path, "v/%s/%.1024s", v->publication,
                           images->files[i]->path);
            return gm_json_string(path);
        }
    }
    return json_null();
}

int gm_doc_asset(const struct gm_core *core, const char *job_id, json_t **out, struct gm_err *err)
{
    struct gm_job_view v;
    struct gm_metas metas;
    int rc = gm_view_job(core, job_id, &v, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_metas_read(core, job_id, false, &metas, err);
    if (rc < 0) {
        gm_view_job_fini(&v);
        return rc;
    }
    const Gm__ThumbnailsMeta *images = metas.images;
    json_t *duration = v.duration_us > 0 ? json_real((double)v.duration_us / 1e6) : json_null();
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "job", v.id, "tenant",
        v.tenant, "pipeline", v.pipeline_name, "title", gm_json_string(v.source_name),
        "destination", gm_json_string(v.destination_url), "publication", v.publication, "finished",
        gm_json_time(v.finished_unix_ms), "duration_s", duration, "renditions",
        renditions_json(&metas), "manifests", manifests_json(metas.package), "poster",
        image_json(&v, images,
                   images != NULL && images->poster != NULL ? images->poster->name : NULL),
        "sprites",
        image_json(&v, images, images != NULL && images->sheets != NULL ? "thumbnails.vtt" : NULL),
        "bytes", (json_int_t)sum_bytes(metas.package));
    gm_metas_fini(&metas);
    gm_view_job_fini(&v);
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}
