#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#include "media/text/text_markup.h"
#include "media/text/tx3g.h"
#include "media/text/webvtt.h"

/* What a source's subtitles go through in our own code: the styles of a script's head, an event's
 * markup, cue settings; what comes of them must be WebVTT that our strict reader takes. The bytes
 * as a WebVTT file too. */
static int touch(const struct gm_webvtt_cue *cue, void *arg)
{
    volatile unsigned *sum = arg;
    GM_ASSERT(cue->text_size > 0 && cue->end_ms > cue->start_ms);
    *sum += (unsigned char)cue->text[cue->text_size - 1];
    return 0;
}

static void make_samples(const uint8_t *data, size_t size)
{
    struct gm_tx3g *t = NULL;
    struct gm_err err = {0};
    struct gm_buf sample = {0};
    int64_t duration = 0;
    if (gm_tx3g_create(data, size, 5000, &t, &err) < 0) {
        return;
    }
    while (gm_tx3g_start(t) < 5000) {
        GM_ASSERT(gm_tx3g_next(t, &sample, &duration, &err) == 0 && duration > 0);
        size_t text = (size_t)sample.data[0] << 8 | sample.data[1];
        GM_ASSERT(sample.size >= 2 + text);
    }
    gm_buf_fini(&sample);
    gm_tx3g_destroy(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_text_styles styles = {0};
    struct gm_buf text = {0};
    struct gm_buf file = {0};
    struct gm_cue cue = {.start_ms = 1, .end_ms = 2};
    volatile unsigned sum = 0;
    bool cut = false;
    char *event = malloc(size + 1);
    if (event == NULL) {
        return 0;
    }
    memcpy(event, data, size);
    event[size] = '\0';
    GM_IGNORE(gm_webvtt_read(data, size, true, touch, (void *)&sum, &err), "either is right");
    GM_IGNORE(gm_webvtt_read(data, size, false, touch, (void *)&sum, &err), "either is right");
    make_samples(data, size);
    GM_ASSERT(gm_text_styles_read(event, size, &styles, &err) == 0);
    gm_text_from_event(&styles, event, &text, cue.settings, &cut);
    GM_ASSERT(text.size <= GM_CUES_MAX_TEXT);
    if (text.size > 0) {
        cue.text = (char *)text.data;
        gm_webvtt_head(&file, true);
        gm_webvtt_cue(&file, &cue);
        gm_text_settings(data, size, cue.settings);
        gm_webvtt_cue(&file, &cue);
        GM_ASSERT(gm_webvtt_read(file.data, file.size, true, touch, (void *)&sum, &err) == 0);
    }
    gm_buf_fini(&file);
    gm_buf_fini(&text);
    gm_text_styles_fini(&styles);
    free(event);
    return 0;
}
