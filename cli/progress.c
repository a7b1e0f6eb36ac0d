#include "cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLAIN_EVERY (5 * GM_SEC)
#define BAR_MAX 30

static int64_t get_int(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_real(value)) {
        double real = json_real_value(value);
        return real >= 0 && real < 9e15 ? (int64_t)real : 0;
    }
    int64_t number = json_integer_value(value);
    return number > 0 ? number : 0;
}

static double get_real(const json_t *object, const char *key, double missing)
{
    const json_t *value = json_object_get(object, key);
    double number = json_is_number(value) ? json_number_value(value) : missing;
    return isfinite(number) ? number : missing;
}

void gm_progress_from_json(const json_t *progress, struct gm_progress *out)
{
    memset(out, 0, sizeof(*out));
    const char *phase = json_string_value(json_object_get(progress, "phase"));
    size_t n = 0;
    for (; phase != NULL && phase[n] != '\0' && n + 1 < sizeof(out->phase); n++) {
        /* It goes to a terminal: no control characters. */
        out->phase[n] = (unsigned char)phase[n] < 0x20 || phase[n] == 0x7f ? '?' : phase[n];
    }
    out->frames_done = get_int(progress, "frames_done");
    out->frames_total = get_int(progress, "frames_total");
    out->fps = get_real(progress, "fps", 0);
    out->speed = get_real(progress, "speed", 0);
    out->eta_s = get_real(progress, "eta_s", -1);
    const json_t *chunks = json_object_get(progress, "chunks");
    out->chunks_done = get_int(chunks, "done");
    out->chunks_running = get_int(chunks, "running");
    out->chunks_waiting = get_int(chunks, "waiting");
}

void gm_progress_note(struct gm_progress *p, const char *why)
{
    size_t used = strlen(p->phase);
    snprintf(p->phase + used, sizeof(p->phase) - used, ": %s", why);
}

int gm_progress_percent(const struct gm_progress *p)
{
    if (p->frames_total <= 0) {
        return -1;
    }
    if (p->frames_done >= p->frames_total) {
        return 100;
    }
    return (int)((double)p->frames_done * 100.0 / (double)p->frames_total);
}

const char *gm_progress_time(double seconds, char *out, size_t size)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        snprintf(out, size, "unknown");
        return out;
    }
    int64_t s = (int64_t)(seconds + 0.5);
    if (s >= 3600) {
        snprintf(out, size, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
    } else {
        snprintf(out, size, "%d:%02d", (int)(s / 60), (int)(s % 60));
    }
    return out;
}

/* Appends text where it fits whole into `width` columns and the buffer. */
static void append(char *out, size_t size, unsigned width, const char *text)
{
    size_t have = strlen(out);
    if (have + strlen(text) <= width && have + strlen(text) < size) {
        memcpy(out + have, text, strlen(text) + 1);
    }
}

static void format_bar(int percent, unsigned cells, char *out, size_t size)
{
    unsigned full = percent < 0 ? 0 : (unsigned)percent * cells / 100;
    size_t n = 0;
    out[n++] = '[';
    for (unsigned i = 0; i < cells && n + 2 < size; i++) {
        out[n++] = i < full ? '#' : '-';
    }
    out[n++] = ']';
    out[n] = '\0';
}

/* The first of its kind on a farm has none until some of it is done. */
static bool has_eta(const struct gm_progress *p)
{
    return p->eta_s >= 0;
}

const char *gm_progress_row(const struct gm_progress *p, unsigned width, char *out, size_t size)
{
    char part[96], eta[24], bar[BAR_MAX + 8];
    int percent = gm_progress_percent(p);
    out[0] = '\0';
    if (percent >= 0) {
        snprintf(part, sizeof(part), "%3d%%", percent);
    } else {
        snprintf(part, sizeof(part), "%s", p->phase[0] == '\0' ? "waiting" : p->phase);
    }
    append(out, size, width, part);
    if (percent >= 0) {
        if (has_eta(p)) {
            snprintf(part, sizeof(part), " ETA %s", gm_progress_time(p->eta_s, eta, sizeof(eta)));
            append(out, size, width, part);
        }
        if (p->fps > 0) { /* nothing is known in the first seconds */
            snprintf(part, sizeof(part), " %.1f fps x%.2f", p->fps, p->speed);
            append(out, size, width, part);
        }
    }
    if (p->chunks_done + p->chunks_running + p->chunks_waiting > 0) {
        snprintf(part, sizeof(part),
                 " chunks %" PRId64 " done %" PRId64 " running %" PRId64 " waiting", p->chunks_done,
                 p->chunks_running, p->chunks_waiting);
        append(out, size, width, part);
    }
    if (percent >= 0 && p->phase[0] != '\0') {
        snprintf(part, sizeof(part), " %s", p->phase);
        append(out, size, width, part);
    }
    size_t used = strlen(out);
    if (percent >= 0 && used + 8 <= width && used + BAR_MAX + 8 < size) {
        unsigned cells = width - (unsigned)used - 3;
        format_bar(percent, cells < BAR_MAX ? cells : BAR_MAX, bar, sizeof(bar));
        memmove(out + strlen(bar) + 1, out, used + 1);
        memcpy(out, bar, strlen(bar));
        out[strlen(bar)] = ' ';
    }
    return out;
}

const char *gm_progress_line(const struct gm_progress *p, char *out, size_t size)
{
    char time[24];
    char eta[32] = "";
    char speed[64] = "";
    int percent = gm_progress_percent(p);
    const char *phase = p->phase[0] == '\0' ? "waiting" : p->phase;
    if (percent < 0) {
        snprintf(out, size, "%s", phase);
        return out;
    }
    if (p->fps > 0) {
        snprintf(speed, sizeof(speed), " %.1f fps, x%.2f,", p->fps, p->speed);
    }
    if (has_eta(p)) {
        snprintf(eta, sizeof(eta), " ETA %s,", gm_progress_time(p->eta_s, time, sizeof(time)));
    }
    snprintf(out, size,
             "%s: %d %% of %" PRId64 " frames,%s%s chunks %" PRId64 " done %" PRId64
             " running %" PRId64 " waiting",
             phase, percent, p->frames_total, speed, eta, p->chunks_done, p->chunks_running,
             p->chunks_waiting);
    return out;
}

void gm_progress_show(struct gm_term *term, const struct gm_progress *p, gm_time now)
{
    char text[512];
    if (term->quiet) {
        return;
    }
    if (term->tty) {
        /* The last column stays free: some terminals wrap when it is filled. */
        gm_progress_row(p, term->width > 1 ? term->width - 1 : 1, text, sizeof(text));
        fprintf(stderr, "\r%s\033[K", text);
        fflush(stderr);
        term->line_open = true;
        return;
    }
    bool changed = strcmp(term->last_phase, p->phase) != 0;
    if (!changed && term->last_plain != 0 && now - term->last_plain < PLAIN_EVERY) {
        return;
    }
    term->last_plain = now;
    snprintf(term->last_phase, sizeof(term->last_phase), "%s", p->phase);
    fprintf(stderr, "%s\n", gm_progress_line(p, text, sizeof(text)));
}
