#include "media/images/poster.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "media/picture/graph.h"

#define MAX_SPOTS 4096 /* of a chunk */

struct gm_poster {
    const Gm__Policy *policy; /* borrowed */
    const struct gm_still *still;
    struct gm_graph *graph;        /* owned: front picture -> poster */
    const Gm__ChunkHeader *header; /* borrowed */
    struct gm_poster_spot *spots;  /* owned */
    size_t count, next;
    AVFrame *held; /* owned: front picture of spots[next].now in SDR, where it may win */
    AVFrame *best; /* owned: poster; NULL: none yet */
    uint32_t score;
    int64_t ts;
    struct gm_buf file;
};

static int64_t time_of(const Gm__ChunkHeader *h, size_t index)
{
    return h->frames[index]->out_ts;
}

static struct gm_poster_spot spot_at(const Gm__ChunkHeader *h, uint32_t timescale, size_t now)
{
    struct gm_poster_spot s = {now, now, now};
    int64_t reach = timescale / 5;
    while (s.before > 0 && (s.before == now || time_of(h, s.before) > time_of(h, now) - reach)) {
        s.before--;
    }
    while (s.after + 1 < h->n_frames &&
           (s.after == now || time_of(h, s.after) < time_of(h, now) + reach)) {
        s.after++;
    }
    return s;
}

size_t gm_poster_select(const Gm__ChunkHeader *h, uint32_t timescale, struct gm_poster_spot *out,
                        size_t max)
{
    size_t count = 0;
    size_t free_from = 0; /* frames before belong to the spot before */
    size_t i = 0;
    if (h->n_frames == 0 || timescale == 0) {
        return 0;
    }
    /* Counted in half ticks: n + 1/2 seconds are (2n + 1) * timescale of them. */
    int64_t start = 2 * time_of(h, 0);
    int64_t second = 2 * (int64_t)timescale;
    int64_t n = start > (int64_t)timescale ? (start - timescale + second - 1) / second : 0;
    for (int64_t at = n * second + timescale; at < 2 * h->end_ts; at += second) {
        while (i + 1 < h->n_frames && 2 * time_of(h, i + 1) <= at) {
            i++;
        }
        struct gm_poster_spot s = spot_at(h, timescale, i);
        if (count == 0 || s.before >= free_from) {
            if (count < max) {
                out[count] = s;
            }
            count++;
            free_from = s.after + 1;
        }
        if (i + 1 == h->n_frames) {
            break; /* the last frame stays on screen */
        }
    }
    if (count == 0) {
        if (max > 0) {
            out[0] = spot_at(h, timescale, h->n_frames / 2);
        }
        count = 1;
    }
    return count;
}

size_t gm_poster_frame_at(const Gm__ChunkHeader *h, uint32_t timescale, int64_t us)
{
    __int128 at = (__int128)us * timescale; /* out_ts * 1000000 is compared with it */
    if (h->n_frames == 0 || (!h->last && at >= (__int128)h->end_ts * 1000000) ||
        (h->index > 0 && at < (__int128)time_of(h, 0) * 1000000)) {
        return SIZE_MAX;
    }
    size_t i = 0;
    while (i + 1 < h->n_frames && (__int128)time_of(h, i + 1) * 1000000 <= at) {
        i++;
    }
    return i;
}

int gm_poster_create(const Gm__Policy *policy, struct gm_poster **out, struct gm_err *err)
{
    struct gm_poster *p = calloc(1, sizeof *p);
    int rc = 0;
    if (p == NULL) {
        return gm_err_nomem(err);
    }
    p->policy = policy;
    p->still = gm_still_find(policy->thumbnails->format);
    if (p->still == NULL) {
        rc = gm_err_set(err, GM_E_MEDIA, 0, "Posters can't be made as %.20s",
                        policy->thumbnails->format);
    }
    p->held = av_frame_alloc();
    if (rc == 0 && p->held == NULL) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0) {
        struct gm_graph_output poster = {.filters = policy->poster_filters,
                                         .width_px = policy->poster_width_px,
                                         .height_px = policy->poster_height_px,
                                         .format = p->still->format};
        rc = gm_graph_create(&poster, 1, policy->timescale, &p->graph, err);
    }
    if (rc < 0) {
        gm_poster_destroy(&p);
        return rc;
    }
    *out = p;
    return 0;
}

static void reset(struct gm_poster *p)
{
    free(p->spots);
    p->spots = NULL;
    p->count = p->next = 0;
    p->score = 0;
    p->ts = 0;
    av_frame_free(&p->best);
    if (p->held != NULL) {
        av_frame_unref(p->held);
    }
    gm_buf_fini(&p->file);
}

void gm_poster_destroy(struct gm_poster **poster)
{
    struct gm_poster *p = *poster;
    if (p == NULL) {
        return;
    }
    reset(p);
    av_frame_free(&p->held);
    gm_graph_destroy(&p->graph);
    free(p);
    *poster = NULL;
}

int gm_poster_start(struct gm_poster *p, const Gm__ChunkHeader *header, struct gm_err *err)
{
    double at_s = p->policy->thumbnails->poster_at_s;
    uint32_t timescale = p->policy->timescale;
    reset(p);
    p->header = header;
    p->spots = calloc(MAX_SPOTS, sizeof *p->spots);
    if (p->spots == NULL) {
        return gm_err_nomem(err);
    }
    if (at_s >= 0) {
        size_t index = gm_poster_frame_at(header, timescale, llround(at_s * 1e6));
        p->spots[0] = (struct gm_poster_spot){index, index, index};
        p->count = index != SIZE_MAX ? 1 : 0;
        return 0;
    }
    size_t count = gm_poster_select(header, timescale, p->spots, MAX_SPOTS);
    p->count = count < MAX_SPOTS ? count : MAX_SPOTS;
    return 0;
}

/* The picture that is judged. It may become the poster where it wins by itself: what is around it
 * only makes it worse. */
static int consider(struct gm_poster *p, const struct gm_sight *sight, struct gm_err *err)
{
    const struct gm_score_around alone = {false, false};
    const AVFrame *front = NULL;
    uint32_t score = 0;
    av_frame_unref(p->held);
    int rc = gm_eyes_look(sight->eyes, GM_EYES_NOW, err);
    if (rc == 0) {
        rc = gm_eyes_score(sight->eyes, alone, &score, err);
    }
    if (rc < 0 || (p->best != NULL && score <= p->score)) {
        return rc;
    }
    rc = sight->sdr(sight->arg, &front, err);
    if (rc == 0 && av_frame_ref(p->held, front) < 0) {
        rc = gm_err_nomem(err);
    }
    return rc;
}

/* The spot is complete: its picture becomes the poster if it is the best so far. */
static int judge(struct gm_poster *p, const struct gm_poster_spot *s, const struct gm_sight *sight,
                 struct gm_err *err)
{
    const struct gm_score_around around = {s->before<s->now, s->after> s->now};
    uint32_t score = 0;
    if (p->held->data[0] == NULL) {
        return 0;
    }
    int rc = gm_eyes_score(sight->eyes, around, &score, err);
    if (rc < 0 || (p->best != NULL && score <= p->score)) {
        return rc;
    }
    int64_t ts = time_of(p->header, s->now);
    rc = gm_graph_push(p->graph, p->held, ts, err);
    if (rc < 0) {
        return rc;
    }
    av_frame_free(&p->best);
    p->best = av_frame_clone(gm_graph_get(p->graph, 0));
    p->score = score;
    p->ts = ts;
    return p->best != NULL ? 0 : gm_err_nomem(err);
}

bool gm_poster_wants(const struct gm_poster *p, size_t index)
{
    const struct gm_poster_spot *s = &p->spots[p->next];
    return p->next < p->count && (index == s->before || index == s->now || index == s->after);
}

int gm_poster_picture(struct gm_poster *p, size_t index, const struct gm_sight *sight,
                      struct gm_err *err)
{
    if (p->next == p->count || index < p->spots[p->next].before) {
        return 0;
    }
    const struct gm_poster_spot *s = &p->spots[p->next];
    int rc = 0;
    if (index == s->before && s->before < s->now) {
        rc = gm_eyes_look(sight->eyes, GM_EYES_BEFORE, err);
    }
    if (rc == 0 && index == s->now) {
        rc = consider(p, sight, err);
    }
    if (rc == 0 && index == s->after) {
        bool held = p->held->data[0] != NULL;
        rc = held && s->after > s->now ? gm_eyes_look(sight->eyes, GM_EYES_AFTER, err) : 0;
        rc = rc == 0 ? judge(p, s, sight, err) : rc;
        av_frame_unref(p->held);
        p->next++;
    }
    return rc;
}

int gm_poster_finish(struct gm_poster *p, struct gm_poster_best *out, struct gm_err *err)
{
    struct gm_poster_best best = {.ts = p->ts, .score = p->score};
    if (p->next != p->count) {
        return gm_err_set(err, GM_E_BUG, 0, "%zu of %zu poster candidates were seen", p->next,
                          p->count);
    }
    if (p->best != NULL) {
        int rc = gm_still_encode(p->still, p->best, p->still->poster_quality, &p->file, err);
        if (rc < 0) {
            return rc;
        }
        best.file = &p->file;
    }
    *out = best;
    return 0;
}
