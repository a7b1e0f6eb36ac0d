#include "media/source/length.h"

#include "media/source/claims.h"

/* See length.h. */
#define DEFAULT_LIMIT_S 43200

static const AVRational micro = {1, 1000000};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* As long as it is if all of the file has the head's bytes a second; 0: unknown. */
static int64_t by_bytes(const struct gm_length *l)
{
    int64_t begin = larger(l->begin_bytes, 0);
    if (l->head_us <= 0 || l->head_bytes <= begin || l->size_bytes <= begin) {
        return 0;
    }
    int64_t us = av_rescale(l->head_us, l->size_bytes - begin, l->head_bytes - begin);
    return us >= 0 ? us : INT64_MAX; /* further than a number reaches */
}

int64_t gm_length_guess(const struct gm_length *l, int64_t *out_sure_us)
{
    int64_t seen = l->restarts ? l->head_us : larger(l->span_us, l->indexed_us);
    int64_t claim = larger(l->told_us, l->span_us);
    int64_t bytes = by_bytes(l);
    seen = larger(seen, 0);
    *out_sure_us = seen;
    if (l->open && !l->to_end) {
        return larger(seen, bytes);
    }
    if (claim <= seen) {
        return seen;
    }
    if (l->to_end && !l->restarts) { /* about as much: the header knows how long the last one is */
        return claim - seen <= GM_CLAIMS_SLACK_US ? claim : seen;
    }
    if (bytes == 0) {
        return claim;
    }
    *out_sure_us = larger(seen, bytes < claim ? bytes : claim);
    return claim / GM_LENGTH_UNEVEN <= bytes ? claim : larger(seen, bytes);
}

int64_t gm_length_indexed_us(AVFormatContext *format, int64_t file_size)
{
    int64_t latest = INT64_MIN;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *st = format->streams[i];
        bool counts =
            st->discard < AVDISCARD_ALL && (st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO ||
                                            st->codecpar->codec_type == AVMEDIA_TYPE_AUDIO);
        int at = counts ? avformat_index_get_entries_count(st) - 1 : -1;
        const AVIndexEntry *e = NULL;
        while (at >= 0 && e == NULL) {
            e = avformat_index_get_entry(st, at--);
            e = e != NULL && e->pos <= file_size - e->size ? e : NULL;
        }
        latest =
            e != NULL ? larger(latest, gm_av_rescale(e->timestamp, st->time_base, micro)) : latest;
    }
    return latest;
}

uint64_t gm_length_limit_s(const Gm__TaskSpec *spec)
{
    const Gm__Pipeline *p = spec->pipeline;
    for (size_t i = 0; p != NULL && i < p->n_tasks; i++) {
        if (p->tasks[i]->params_case == GM__PIPELINE_TASK__PARAMS_INSPECT &&
            p->tasks[i]->inspect->max_duration_s != 0) {
            return p->tasks[i]->inspect->max_duration_s;
        }
    }
    return DEFAULT_LIMIT_S;
}
