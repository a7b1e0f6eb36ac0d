#include "scheduler/report_images.h"

#include <string.h>

#include "scheduler/metas.h"

/* Path below the publication of the file with that name. */
static const char *path_of(const Gm__ThumbnailsMeta *meta, const char *name)
{
    for (size_t i = 0; i < meta->n_files; i++) {
        if (strcmp(meta->files[i]->name, name) == 0) {
            return meta->files[i]->path;
        }
    }
    return name;
}

static json_t *poster_json(const Gm__ThumbnailsMeta *meta)
{
    const Gm__PosterReport *p = meta->poster;
    if (p == NULL) {
        return json_null();
    }
    bool own = strcmp(p->from, "image") == 0;
    bool scored = strcmp(p->from, "score") == 0;
    return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o}", "path",
                     gm_json_string(path_of(meta, p->name)), "width", (json_int_t)p->width_px,
                     "height", (json_int_t)p->height_px, "from", gm_json_string(p->from), "time_s",
                     own ? json_null() : json_real((double)p->time_us / 1e6), "score",
                     scored ? json_integer((json_int_t)p->score) : json_null());
}

static json_t *paths_json(const Gm__ThumbnailsMeta *meta)
{
    const Gm__SheetsReport *s = meta->sheets;
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < s->n_files; i++) {
        if (s->files[i] < meta->n_files) {
            list = gm_json_add(list, gm_json_string(meta->files[s->files[i]]->path));
        }
    }
    return list;
}

static json_t *sheets_json(const Gm__ThumbnailsMeta *meta)
{
    const Gm__SheetsReport *s = meta->sheets;
    if (s == NULL) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "paths", paths_json(meta),
                     "format", gm_json_string(s->format), "columns", (json_int_t)s->columns, "rows",
                     (json_int_t)s->rows, "tile_width", (json_int_t)s->tile_width_px, "tile_height",
                     (json_int_t)s->tile_height_px, "interval_s", (json_int_t)s->interval_s,
                     "tiles", (json_int_t)s->tiles);
}

/* What made the small pictures of how many chunks. */
static json_t *by_json(const struct gm_ways *ways)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < ways->count; i++) {
        list = gm_json_add(list, json_pack("{s:o, s:I}", "by", gm_json_string(ways->sums[i].by),
                                           "chunks", (json_int_t)ways->sums[i].chunks));
    }
    return list;
}

json_t *gm_report_images(const struct gm_metas *metas)
{
    const Gm__ThumbnailsMeta *meta = metas->images;
    if (meta == NULL) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o}", "poster", poster_json(meta), "sheets", sheets_json(meta),
                     "seen", by_json(&metas->images_by));
}
