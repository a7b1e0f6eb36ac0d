#ifndef GM_MEDIA_PACKAGE_PACKAGE_COLLECT_H
#define GM_MEDIA_PACKAGE_PACKAGE_COLLECT_H

#include "common/bucket.h"
#include "media/task_io.h"

/* All segments of the publication, put together from the items of encode, audio and
 * subtitles. */
struct gm_collected {
    Gm__SegmentMeta *meta;      /* borrowed from the collection */
    struct gm_task_input input; /* the item that announced it */
};
struct gm_segments {
    struct gm_bucket buffer; /* all chunks' walks through the declared buffer, if there is a cap */
    struct gm_collected *entries; /* owned, by number */
    Gm__SegmentMeta **list;       /* owned array: the metas of entries */
    size_t count, cap;
};
struct gm_collection {
    ProtobufCMessage **metas; /* owned: hold the entries */
    size_t meta_count, meta_cap;
    struct gm_segments *video; /* owned array, one a rendition */
    size_t videos;
    struct gm_segments *audio; /* owned array, one a track */
    size_t audios;
    struct gm_segments *text; /* owned array, one a track */
    size_t texts;
    uint32_t chunks;        /* of encode */
    unsigned captions;      /* GM_CAPTIONS_ bits of their pictures */
    const Gm__Item **items; /* owned array of the inputs, which are borrowed from the io */
    size_t item_count, item_cap;
};

/* Reads all inputs of io and checks that every rendition and track is whole: segments 1 to n
 * without a hole, each starting where the last one ended, renditions alike, sound from the
 * programme's begin to the sample that its task counted and no shorter than the pictures by more
 * than one of them and a sample, and no rendition with a cap underflows its declared buffer
 * anywhere in the programme. all zero before.
 * Errors: BUG (something is missing or does not fit), PROTO, NOMEM, the io's. */
int gm_collect(struct gm_task_io *io, const Gm__Policy *policy, struct gm_collection *out,
               struct gm_err *err) GM_MUST_CHECK;
void gm_collection_fini(struct gm_collection *c);

#endif
