/* Small measures for tests/matrix/run on raw samples that ffmpeg made: 32-bit float sound,
 * 8-bit pictures.
 *
 *   measure lag REF OURS RATE
 *       "start_ms corr end_ms corr": how much later OURS is than REF
 *   measure joins REF OURS THEIRS RATE S...
 *       "join_db others_db": error of OURS over that of THEIRS near seconds S and elsewhere, both
 *       laid over REF second by second, to a 16th of a sample; join_db "-" where all is faint there
 *   measure channels REF OURS RATE CHANNELS
 *       "corr level_db second_corr second_db side_corr": of interleaved sound, OURS laid over
 *       REF as above: of the worst channel the correlation and how much louder OURS is, the same
 *       of its worst second, and the correlation of left less right ("-" where that is faint)
 *   measure level FILE
 *       the largest RMS of 800 samples in a row
 *   measure planes REF OURS SIDE PLACE...
 *       "luma chroma off": of the worst of OURS' pictures of three planes, the n-th of them being
 *       that of REF at the n-th PLACE (from 0): mean difference in the luma and in the worse
 *       chroma plane, and by how much less a picture beside that place in REF differs from it,
 *       but for gain and offset
 *   measure turn REF OURS SIDE
 *       "orientation corr": which of 8 turns of OURS is most like REF (0: as it is); "0 flat":
 *       both are, and as bright
 *
 * Prints "-" where nothing can be told (silence, too short). Exit 0, or 2 for bad arguments and
 * unreadable files.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LAG_S 0.25
#define WINDOW_S 4.0
#define QUIET 2e-4   /* RMS below which a window says nothing */
#define BLOCK_S 0.02 /* of the join measure */
#define NEAR_S 0.05  /* a block this near to a join belongs to it */
#define FLOOR_DB (-30.0)
#define PI 3.14159265358979323846
#define MAX_ALIGN_S 0.025 /* more than run lets sound be late */
#define FRACTIONS 16      /* of a sample, when sound is aligned */
#define TAPS 16           /* each side, of the sinc that moves sound by a fraction */
#define HEARD 1e-3        /* RMS of a second from which its level is compared */
#define FAINT 0.1         /* left less right is faint below this part of a channel */
#define LEVEL_SAMPLES 800

struct samples {
    float *at; /* owned */
    size_t count;
};

static void *read_file(const char *path, size_t *out_size)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    size_t size = 0;
    size_t room = 0;
    if (f == NULL) {
        fprintf(stderr, "measure: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    do {
        if (size == room) {
            room = room > 0 ? 2 * room : 1 << 20;
            char *more = realloc(data, room);
            if (more == NULL) {
                fprintf(stderr, "measure: no memory\n");
                exit(2);
            }
            data = more;
        }
        size += fread(data + size, 1, room - size, f);
    } while (!feof(f) && !ferror(f));
    if (ferror(f)) {
        fprintf(stderr, "measure: %s cannot be read\n", path);
        exit(2);
    }
    (void)fclose(f);
    *out_size = size;
    return data;
}

static struct samples read_samples(const char *path)
{
    size_t size = 0;
    float *at = read_file(path, &size);
    return (struct samples){at, size / sizeof(float)};
}

static double number(const char *text)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end != '\0') {
        fprintf(stderr, "measure: %s is no number\n", text);
        exit(2);
    }
    return v;
}

static double rms(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * x[i];
    }
    return n > 0 ? sqrt(sum / (double)n) : 0;
}

/* Normalised correlation of ref[at .. at+n) with ours moved by `lag` samples. */
static double correlate(const struct samples *ref, const struct samples *ours, size_t at, size_t n,
                        long lag)
{
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (size_t i = at; i < at + n; i++) {
        long j = (long)i + lag;
        double x = ref->at[i];
        double y = j >= 0 && (size_t)j < ours->count ? ours->at[j] : 0;
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

/* The lag of the highest correlation; of equals (periodic sound) the one nearest to none. */
static void find_lag(const struct samples *ref, const struct samples *ours, size_t at, size_t n,
                     long max_lag, double rate)
{
    double best = -2;
    long best_lag = 0;
    for (long k = 0; k <= 2 * max_lag; k++) {
        long lag = k % 2 == 0 ? k / 2 : -(k + 1) / 2;
        double c = correlate(ref, ours, at, n, lag);
        if (c > best + 0.002) {
            best = c;
            best_lag = lag;
        }
    }
    /* climb to the true top beside it */
    for (long step = -1; step <= 1; step += 2) {
        while (labs(best_lag + step) <= max_lag) {
            double c = correlate(ref, ours, at, n, best_lag + step);
            if (c <= best) {
                break;
            }
            best = c;
            best_lag += step;
        }
    }
    printf("%.2f %.3f", 1000.0 * (double)best_lag / rate, best);
}

static int lag_main(char **argv)
{
    struct samples ref = read_samples(argv[0]);
    struct samples ours = read_samples(argv[1]);
    double rate = number(argv[2]);
    size_t n = (size_t)(WINDOW_S * rate);
    long max_lag = (long)(MAX_LAG_S * rate);
    size_t step = n / 4;
    size_t end = ref.count < ours.count ? ref.count : ours.count;
    n = n < end ? n : end;
    size_t first = SIZE_MAX;
    size_t last = 0;
    for (size_t at = 0; step > 0 && at + n <= end && n > 0; at += step) {
        if (rms(ref.at + at, n) > QUIET) {
            first = first == SIZE_MAX ? at : first;
            last = at;
        }
    }
    if (first == SIZE_MAX || n < (size_t)(0.2 * rate)) {
        printf("-\n");
    } else {
        find_lag(&ref, &ours, first, n, max_lag, rate);
        printf(" ");
        find_lag(&ref, &ours, last, n, max_lag, rate);
        printf("\n");
    }
    free(ref.at);
    free(ours.at);
    return 0;
}

/* Samples from .. to of `x`, earlier by `lag` samples, which need not be whole, into `out`. */
static void move(const struct samples *x, double lag, size_t from, size_t to, float *out)
{
    long whole = (long)floor(lag);
    double fraction = lag - (double)whole;
    double tap[2 * TAPS];
    for (int k = 0; k < 2 * TAPS; k++) {
        double t = k - TAPS + 1 - fraction;
        double window = 0.5 + 0.5 * cos(PI * t / TAPS);
        tap[k] = fabs(t) < 1e-9 ? 1 : fabs(t) < TAPS ? window * sin(PI * t) / (PI * t) : 0;
    }
    for (size_t i = from; i < to; i++) {
        double sum = 0;
        for (int k = 0; k < 2 * TAPS; k++) {
            long j = (long)i + whole + k - TAPS + 1;
            sum += j >= 0 && j < (long)x->count ? tap[k] * x->at[j] : 0;
        }
        out[i] = (float)sum;
    }
}

/* The lag at which `x` is most like `ref` in from .. to. */
static double lag_in(const struct samples *ref, const struct samples *x, size_t from, size_t to,
                     double rate)
{
    long most = (long)(MAX_ALIGN_S * rate);
    double best = -2;
    long whole = 0;
    for (long lag = 0; lag <= 2 * most; lag++) {
        long tried = lag % 2 == 0 ? lag / 2 : -(lag + 1) / 2; /* of equals the one nearest to 0 */
        double c = correlate(ref, x, from, to - from, tried);
        if (c > best + 1e-9) {
            best = c;
            whole = tried;
        }
    }
    struct samples out = {calloc(to + 1, sizeof(float)), to};
    double best_lag = (double)whole;
    if (out.at == NULL) {
        fprintf(stderr, "measure: no memory\n");
        exit(2);
    }
    best = -2;
    for (int k = -FRACTIONS + 1; k < FRACTIONS; k++) {
        double lag = (double)whole + (double)k / FRACTIONS;
        move(x, lag, from, to, out.at);
        double c = correlate(ref, &out, from, to - from, 0);
        if (c > best + 1e-9) {
            best = c;
            best_lag = lag;
        }
    }
    free(out.at);
    return best_lag;
}

/* Lays `x` over `ref`, a second at a time; near a border by the lag of the quarter second round it,
 * so that sound which is moved from there on fits on one side alone. */
static void align(const struct samples *ref, struct samples *x, double rate, char **borders,
                  int border_count)
{
    size_t n = ref->count < x->count ? ref->count : x->count;
    size_t second = (size_t)rate;
    float *out = calloc(x->count + 1, sizeof(float));
    if (out == NULL) {
        fprintf(stderr, "measure: no memory\n");
        exit(2);
    }
    for (size_t at = 0; at < n; at += second) {
        size_t end = at + second < n ? at + second : n;
        size_t from = end >= second ? end - second : 0;
        move(x, lag_in(ref, x, from, end, rate), at, end, out);
    }
    for (int i = 0; i < border_count; i++) {
        size_t at = (size_t)(number(borders[i]) * rate);
        size_t near = (size_t)((NEAR_S + BLOCK_S) * rate);
        size_t from = at > second / 8 ? at - second / 8 : 0;
        size_t end = at + second / 8 < n ? at + second / 8 : n;
        if (from + near < at && at + near < end) {
            move(x, lag_in(ref, x, from, end, rate), at - near, at + near, out);
        }
    }
    free(x->at);
    x->at = out;
}

/* The factor that brings `x` nearest to `ref`. */
static double gain(const struct samples *ref, const struct samples *x, size_t count)
{
    double xy = 0;
    double xx = 0;
    for (size_t i = 0; i < count; i++) {
        xy += (double)ref->at[i] * x->at[i];
        xx += (double)x->at[i] * x->at[i];
    }
    return xx > 0 ? xy / xx : 0;
}

static double error_db(const struct samples *ref, const struct samples *x, double factor, size_t at,
                       size_t n)
{
    double error = 0;
    double signal = 0;
    for (size_t i = at; i < at + n; i++) {
        double d = ref->at[i] - factor * x->at[i];
        error += d * d;
        signal += (double)ref->at[i] * ref->at[i];
    }
    double db = 10 * log10((error + 1e-12) / (signal + 1e-12));
    return db > FLOOR_DB ? db : FLOOR_DB;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Blocks of 20 ms: how much worse than another encoder's are ours near joins (the worst), and
 * elsewhere (the 99th percentile)? A gap or a repeat makes an error as loud as the sound. */
static int joins_main(int argc, char **argv)
{
    struct samples ref = read_samples(argv[0]);
    struct samples ours = read_samples(argv[1]);
    struct samples theirs = read_samples(argv[2]);
    double rate = number(argv[3]);
    align(&ref, &ours, rate, argv + 4, argc - 4);
    align(&ref, &theirs, rate, argv + 4, argc - 4);
    size_t count = ref.count < ours.count ? ref.count : ours.count;
    count = theirs.count < count ? theirs.count : count;
    size_t n = (size_t)(BLOCK_S * rate);
    double our_gain = gain(&ref, &ours, count);
    double their_gain = gain(&ref, &theirs, count);
    double *others = calloc(count / n + 1, sizeof(*others));
    size_t other_count = 0;
    double worst = -1000;
    if (others == NULL) {
        return 2;
    }
    for (size_t at = 0; at + n <= count; at += n) {
        if (rms(ref.at + at, n) < QUIET) {
            continue;
        }
        double excess =
            error_db(&ref, &ours, our_gain, at, n) - error_db(&ref, &theirs, their_gain, at, n);
        bool is_near = false;
        for (int i = 4; i < argc; i++) {
            double s = number(argv[i]);
            is_near =
                is_near || ((double)(at + n) / rate > s - NEAR_S && (double)at / rate < s + NEAR_S);
        }
        if (is_near) {
            worst = excess > worst ? excess : worst;
        } else {
            others[other_count++] = excess;
        }
    }
    if (other_count < 20) {
        printf("-\n");
    } else {
        qsort(others, other_count, sizeof(*others), compare_doubles);
        if (worst < -999) {
            printf("-");
        } else {
            printf("%.1f", worst);
        }
        printf(" %.1f\n", others[other_count * 99 / 100]);
    }
    free(others);
    free(ref.at);
    free(ours.at);
    free(theirs.at);
    return 0;
}

#define MAX_CHANNELS 8

/* Channel c of interleaved sound; c == count: the first less the second. */
static struct samples channel_of(const struct samples *x, size_t c, size_t count)
{
    struct samples out = {calloc(x->count / count + 1, sizeof(float)), x->count / count};
    if (out.at == NULL) {
        fprintf(stderr, "measure: no memory\n");
        exit(2);
    }
    for (size_t i = 0; i < out.count; i++) {
        const float *frame = x->at + i * count;
        out.at[i] = c < count ? frame[c] : frame[0] - frame[1];
    }
    return out;
}

struct likeness {
    double corr, db;               /* of all */
    double second_corr, second_db; /* of the worst second */
};

static void worse(struct likeness *all, struct likeness one)
{
    all->corr = fmin(all->corr, one.corr);
    all->second_corr = fmin(all->second_corr, one.second_corr);
    all->db = fabs(one.db) > fabs(all->db) ? one.db : all->db;
    all->second_db = fabs(one.second_db) > fabs(all->second_db) ? one.second_db : all->second_db;
}

static double louder_db(double ours, double ref)
{
    return 20 * log10((ours + 1e-6) / (ref + 1e-6));
}

static struct likeness compare_channel(const struct samples *ref, const struct samples *ours,
                                       double rate)
{
    struct likeness all = {1, 0, 1, 0};
    size_t n = ref->count < ours->count ? ref->count : ours->count;
    size_t second = (size_t)rate;
    double r = rms(ref->at, n);
    double o = rms(ours->at, n);
    if (fmax(r, o) > QUIET) {
        all.corr = correlate(ref, ours, 0, n, 0);
        all.db = louder_db(o, r);
    }
    for (size_t at = 0; at + second <= n; at += second) {
        r = rms(ref->at + at, second);
        o = rms(ours->at + at, second);
        if (fmax(r, o) > HEARD) {
            double c = correlate(ref, ours, at, second, 0);
            worse(&all, (struct likeness){1, 0, c, louder_db(o, r)});
        }
    }
    return all;
}

static int channels_main(char **argv)
{
    struct samples ref = read_samples(argv[0]);
    struct samples ours = read_samples(argv[1]);
    double rate = number(argv[2]);
    double count = number(argv[3]);
    if (!(count >= 1 && count <= MAX_CHANNELS)) {
        fprintf(stderr, "measure: %s channels\n", argv[3]);
        return 2;
    }
    size_t channels = (size_t)count;
    struct likeness all = {1, 0, 1, 0};
    double loudest = 0;
    char side[16] = "-";
    for (size_t c = 0; c < channels + (channels > 1); c++) {
        struct samples r = channel_of(&ref, c, channels);
        struct samples o = channel_of(&ours, c, channels);
        align(&r, &o, rate, NULL, 0);
        if (c < channels) {
            worse(&all, compare_channel(&r, &o, rate));
            loudest = fmax(loudest, rms(r.at, r.count));
        } else if (rms(r.at, r.count) > fmax(QUIET, FAINT * loudest)) {
            size_t n = r.count < o.count ? r.count : o.count;
            (void)snprintf(side, sizeof side, "%.3f", correlate(&r, &o, 0, n, 0));
        }
        free(r.at);
        free(o.at);
    }
    printf("%.3f %.2f %.3f %.2f %s\n", all.corr, all.db, all.second_corr, all.second_db, side);
    free(ref.at);
    free(ours.at);
    return 0;
}

static int level_main(char **argv)
{
    struct samples x = read_samples(argv[0]);
    double most = 0;
    for (size_t at = 0; at < x.count; at += LEVEL_SAMPLES) {
        most =
            fmax(most, rms(x.at + at, x.count - at < LEVEL_SAMPLES ? x.count - at : LEVEL_SAMPLES));
    }
    printf("%.6f\n", most);
    free(x.at);
    return 0;
}

#define FLAT 1.0     /* variance below which a picture is like itself any way up */
#define NEARLY 4.0   /* and of the other one, where noise or its loss is between them */
#define AS_BRIGHT 16 /* of 255 */

/* Whether one of two pictures is flat. *out_both: the other one too, and as bright. */
static bool is_flat(const uint8_t *ref, const uint8_t *ours, size_t count, bool *out_both)
{
    const uint8_t *pictures[2] = {ref, ours};
    double mean[2], variance[2];
    for (int k = 0; k < 2; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++) {
            sum += pictures[k][i];
            squares += (double)pictures[k][i] * pictures[k][i];
        }
        mean[k] = sum / (double)count;
        variance[k] = squares / (double)count - mean[k] * mean[k];
    }
    *out_both = fabs(mean[0] - mean[1]) <= AS_BRIGHT && fmax(variance[0], variance[1]) <= NEARLY;
    return fmin(variance[0], variance[1]) <= FLAT;
}

static int turn_main(char **argv)
{
    size_t ref_size = 0;
    size_t our_size = 0;
    uint8_t *ref = read_file(argv[0], &ref_size);
    uint8_t *ours = read_file(argv[1], &our_size);
    size_t side = (size_t)number(argv[2]);
    if (side == 0 || ref_size < side * side || our_size < side * side) {
        fprintf(stderr, "measure: pictures of %zux%zu bytes are wanted\n", side, side);
        return 2;
    }
    bool both = false;
    double best = -2;
    int best_turn = 0;
    if (is_flat(ref, ours, side * side, &both)) {
        printf("0 %s\n", both ? "flat" : "0.000");
        free(ref);
        free(ours);
        return 0;
    }
    for (int turn = 0; turn < 8; turn++) {
        double s[5] = {0, 0, 0, 0, 0}; /* x, y, xx, yy, xy */
        for (size_t v = 0; v < side; v++) {
            for (size_t u = 0; u < side; u++) {
                size_t a = (turn & 4) != 0 ? v : u;
                size_t b = (turn & 4) != 0 ? u : v;
                a = (turn & 1) != 0 ? side - 1 - a : a;
                b = (turn & 2) != 0 ? side - 1 - b : b;
                double x = ref[v * side + u];
                double y = ours[b * side + a];
                s[0] += x;
                s[1] += y;
                s[2] += x * x;
                s[3] += y * y;
                s[4] += x * y;
            }
        }
        double n = (double)(side * side);
        double vx = s[2] - s[0] * s[0] / n;
        double vy = s[3] - s[1] * s[1] / n;
        double c = (s[4] - s[0] * s[1] / n) / sqrt(vx * vy);
        if (c > best + 1e-3) {
            best = c;
            best_turn = turn;
        }
    }
    printf("%d %.3f\n", best_turn, best);
    free(ref);
    free(ours);
    return 0;
}

/* Mean difference of two planes. */
static double difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += abs((int)a[i] - (int)b[i]);
    }
    return sum / (double)count;
}

/* What is left of `b` when the gain and offset of `a` that come nearest are taken off, RMS. */
static double residue(const uint8_t *a, const uint8_t *b, size_t count)
{
    double n = (double)count;
    double s[5] = {0, 0, 0, 0, 0}; /* a, b, aa, bb, ab */
    for (size_t i = 0; i < count; i++) {
        double x = a[i];
        double y = b[i];
        s[0] += x;
        s[1] += y;
        s[2] += x * x;
        s[3] += y * y;
        s[4] += x * y;
    }
    double va = s[2] / n - s[0] / n * s[0] / n;
    double vb = s[3] / n - s[1] / n * s[1] / n;
    double ab = s[4] / n - s[0] / n * s[1] / n;
    return sqrt(fmax(0, va > 0 ? vb - ab * ab / va : vb));
}

static int planes_main(int argc, char **argv)
{
    size_t ref_size = 0;
    size_t our_size = 0;
    uint8_t *ref = read_file(argv[0], &ref_size);
    uint8_t *ours = read_file(argv[1], &our_size);
    size_t plane = (size_t)(number(argv[2]) * number(argv[2]));
    size_t places = (size_t)argc - 3;
    size_t count = plane > 0 ? ref_size / (3 * plane) : 0;
    double luma = 0, chroma = 0, off = -1000;
    if (plane == 0 || our_size != 3 * plane * places) {
        fprintf(stderr, "measure: %zu pictures are wanted\n", places);
        return 2;
    }
    for (size_t k = 0; k < places; k++) {
        double at = number(argv[3 + k]);
        if (!(at >= 0 && at < (double)count)) {
            fprintf(stderr, "measure: there is no picture %s\n", argv[3 + k]);
            return 2;
        }
        const uint8_t *r = ref + (size_t)at * 3 * plane;
        const uint8_t *o = ours + k * 3 * plane;
        double own = residue(r, o, plane);
        luma = fmax(luma, difference(r, o, plane));
        chroma = fmax(chroma, difference(r + plane, o + plane, plane));
        chroma = fmax(chroma, difference(r + 2 * plane, o + 2 * plane, plane));
        off = at >= 1 ? fmax(off, own - residue(r - 3 * plane, o, plane)) : off;
        off = at + 1 < (double)count ? fmax(off, own - residue(r + 3 * plane, o, plane)) : off;
    }
    printf("%.2f %.2f %.2f\n", luma, chroma, off > -1000 ? off : 0);
    free(ref);
    free(ours);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "lag") == 0) {
        return lag_main(argv + 2);
    }
    if (argc >= 6 && strcmp(argv[1], "joins") == 0) {
        return joins_main(argc - 2, argv + 2);
    }
    if (argc == 5 && strcmp(argv[1], "turn") == 0) {
        return turn_main(argv + 2);
    }
    if (argc == 6 && strcmp(argv[1], "channels") == 0) {
        return channels_main(argv + 2);
    }
    if (argc == 3 && strcmp(argv[1], "level") == 0) {
        return level_main(argv + 2);
    }
    if (argc >= 6 && strcmp(argv[1], "planes") == 0) {
        return planes_main(argc - 2, argv + 2);
    }
    fprintf(stderr, "usage: measure lag|joins|channels|level|planes|turn FILES...\n");
    return 2;
}
