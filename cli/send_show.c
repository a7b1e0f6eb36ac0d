#include "cli/send_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/send.h"

#define EVERY (200 * GM_MS)
#define PLAIN_EVERY (5 * GM_SEC)
#define CELLS 24

static void format_bytes(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    size_t i = 0;
    bytes /= 1000;
    while (bytes >= 999.5 && i + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        i++;
    }
    snprintf(out, size, bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

static void format_eta(const struct gm_sent *sent, char *out, size_t size)
{
    char text[24];
    double left = (double)(sent->total - sent->done);
    gm_progress_time(sent->rate_bps > 0 ? left / sent->rate_bps : -1, text, sizeof text);
    snprintf(out, size, "%s", text);
}

const char *gm_sent_row(const struct gm_sent *sent, unsigned width, char *out, size_t size)
{
    char done[16], total[16], rate[16], eta[24], bar[CELLS + 4] = "";
    int percent = sent->total == 0 ? 100 : (int)((double)sent->done * 100 / (double)sent->total);
    format_bytes((double)sent->done, done, sizeof done);
    format_bytes((double)sent->total, total, sizeof total);
    format_bytes(sent->rate_bps, rate, sizeof rate);
    format_eta(sent, eta, sizeof eta);
    if (width >= 60 + CELLS) {
        int full = percent * CELLS / 100;
        bar[0] = '[';
        memset(bar + 1, '#', (size_t)full);
        memset(bar + 1 + full, '-', (size_t)(CELLS - full));
        memcpy(bar + 1 + CELLS, "] ", 3);
    }
    int n = snprintf(out, size, "%supload %d%% %s of %s, %s/s, ETA %s%s%s", bar, percent, done,
                     total, rate, eta, sent->job[0] == '\0' ? "" : "; job: ", sent->job);
    if (n > 0 && width < (unsigned)n && width < size) {
        out[width] = '\0';
    }
    return out;
}

/* What the store has, and what is on its way there. */
static uint64_t count_sent(const struct gm_send *send)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < send->count; i++) {
        const struct gm_send_part *part = &send->parts[i];
        bytes += part->state >= GM_SEND_PUT ? part->size : 0;
    }
    for (size_t i = 0; i < send->way_count; i++) {
        bytes += send->ways[i].running == NULL ? 0 : gm_s3_sent(send->ways[i].running);
    }
    return bytes;
}

void gm_send_show(struct gm_send *send)
{
    struct gm_term *term = send->session->term;
    gm_time now = gm_time_now();
    char text[512];
    if (term->quiet || now - send->shown < (term->tty ? EVERY : PLAIN_EVERY)) {
        return;
    }
    send->shown = now;
    uint64_t done = count_sent(send);
    double seconds = (double)(now - send->began) / (double)GM_SEC;
    struct gm_sent sent = {.done = done, .total = (uint64_t)send->was.st_size, .job = send->job};
    sent.rate_bps = done > send->had && seconds > 0 ? (double)(done - send->had) / seconds : 0;
    if (!term->tty) {
        fprintf(stderr, "%s\n", gm_sent_row(&sent, 80, text, sizeof text));
        return;
    }
    gm_sent_row(&sent, term->width > 1 ? term->width - 1 : 1, text, sizeof text);
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
    term->line_open = true;
}
