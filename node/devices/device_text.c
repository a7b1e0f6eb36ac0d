/* Devices for people and as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/devices/device.h"

static const char *codec_name(const char *codec)
{
    static const char *const names[][2] = {
        {"h264", "H.264"},   {"hevc", "HEVC"},    {"av1", "AV1"},    {"vp9", "VP9"}, {"vp8", "VP8"},
        {"mpeg2", "MPEG-2"}, {"mpeg4", "MPEG-4"}, {"mjpeg", "JPEG"}, {"vc1", "VC-1"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i][0], codec) == 0) {
            return names[i][1];
        }
    }
    return codec;
}

static void add(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "%s", text);
}

/* "H.264/HEVC/VP9", each once; engines: the most that one has. */
static uint32_t add_codecs(const struct gm_device_codec *codecs, size_t count, char *out,
                           size_t size)
{
    uint32_t engines = 0;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        bool said = false;
        for (size_t k = 0; k < i; k++) {
            said = said || strcmp(codecs[k].codec, codecs[i].codec) == 0;
        }
        engines = codecs[i].engines > engines ? codecs[i].engines : engines;
        if (!said) {
            add(out, size, first ? "" : "/");
            add(out, size, codec_name(codecs[i].codec));
            first = false;
        }
    }
    return engines;
}

static void add_engines(uint32_t engines, char *out, size_t size)
{
    char text[32];
    if (engines > 0) {
        (void)snprintf(text, sizeof(text), " (%" PRIu32 " engine%s)", engines,
                       engines == 1 ? "" : "s");
        add(out, size, text);
    }
}

static const char *state_words(enum gm_engine_state state, bool encode)
{
    switch (state) {
    case GM_ENGINE_ABSENT:
        return encode ? "no encoder in this chip: encodes on CPU"
                      : "no decoder in this chip: decodes on CPU";
    case GM_ENGINE_REFUSED:
        return encode ? "its encoder is not to be had now: encodes on CPU"
                      : "its decoder is not to be had now: decodes on CPU";
    case GM_ENGINE_MISSING:
        return encode ? "the encoder's library is missing: encodes on CPU"
                      : "the decoder's library is missing: decodes on CPU";
    default:
        return encode ? "no encoder found: encodes on CPU" : "no decoder found: decodes on CPU";
    }
}

static void gpu_sentence(const struct gm_device *d, char *out, size_t size)
{
    bool named = d->vendor[0] == '\0' || strstr(d->name, d->vendor) != NULL;
    (void)snprintf(out, size, "GPU %s%s%s%s%s: ", d->id, named ? "" : " ", named ? "" : d->vendor,
                   d->name[0] == '\0' ? "" : " ", d->name);
    if (d->decode_count > 0) {
        add(out, size, "decode ");
        add_engines(add_codecs(d->decode, d->decode_count, out, size), out, size);
    } else {
        add(out, size, state_words(d->decoding, false));
    }
    if (gm_device_find_feature(d, GM_FEATURE_CUDA) != NULL) {
        add(out, size, d->decode_count > 0 ? ", CUDA" : "; CUDA");
    }
    add(out, size, "; ");
    if (d->encode_count > 0) {
        add(out, size, "encode ");
        add_engines(add_codecs(d->encode, d->encode_count, out, size), out, size);
    } else {
        add(out, size, state_words(d->encoding, true));
    }
}

void gm_device_sentence(const struct gm_device *d, char *out, size_t size)
{
    if (d->kind != GM_DEVICE_CPU) {
        gpu_sentence(d, out, size);
        return;
    }
    (void)snprintf(out, size, "CPU %s: %" PRIu32 ".%" PRIu32 " CPUs, %" PRIu64 " MiB; encode ",
                   d->name[0] == '\0' ? "of unknown name" : d->name, d->cpu_milli / 1000,
                   d->cpu_milli / 100 % 10, d->memory_bytes >> 20);
    (void)add_codecs(d->encode, d->encode_count, out, size);
    add(out, size, " in software");
    static const char *const best[] = {"avx512bw", "avx2", "avx", "sse4_2", "asimd"};
    for (size_t i = 0; i < sizeof(best) / sizeof(best[0]); i++) {
        if (gm_device_has_feature(d, best[i])) {
            add(out, size, ", vectors by ");
            add(out, size, best[i]);
            break;
        }
    }
}

static void text_notes(const struct gm_device_note *notes, size_t count, const char *indent,
                       struct gm_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        gm_buf_printf(out, "%s%s: %s\n", indent, gm_severity_name(notes[i].severity),
                      notes[i].text);
    }
}

void gm_device_list_text(const struct gm_device_list *list, struct gm_buf *out)
{
    char sentence[1024];
    for (size_t i = 0; i < list->count; i++) {
        const struct gm_device *d = &list->devices[i];
        gm_device_sentence(d, sentence, sizeof(sentence));
        gm_buf_printf(out, "%s\n", sentence);
        for (size_t k = 0; k < d->proof_count; k++) {
            const struct gm_device_proof *p = &d->proofs[k];
            gm_buf_printf(out, "  %s: %s %s %" PRIu32 " bit by %s", p->passed ? "proven" : "FAILED",
                          p->encode ? "encode" : "decode", codec_name(p->codec), p->depth, p->api);
            if (!p->passed) {
                gm_buf_printf(out, ": %s\n", p->text);
            } else if (p->psnr_centi > 0) {
                gm_buf_printf(out, ", %d.%d dB\n", p->psnr_centi / 100, p->psnr_centi / 10 % 10);
            } else {
                gm_buf_str(out, "\n");
            }
        }
        text_notes(d->notes, d->note_count, "  ", out);
    }
    text_notes(list->notes, list->note_count, "", out);
}

static void json_member(struct gm_buf *out, const char *name, const char *text)
{
    gm_buf_printf(out, "\"%s\": ", name);
    gm_buf_json(out, text);
    gm_buf_str(out, ", ");
}

static void json_codecs(struct gm_buf *out, const char *name, const struct gm_device_codec *codecs,
                        size_t count)
{
    gm_buf_printf(out, "\"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        const struct gm_device_codec *c = &codecs[i];
        gm_buf_str(out, i == 0 ? "{" : ", {");
        json_member(out, "api", c->api);
        json_member(out, "codec", c->codec);
        gm_buf_printf(out,
                      "\"chroma\": %" PRIu32 ", \"depth\": %" PRIu32 ", \"min_width\": %" PRIu32
                      ", \"min_height\": %" PRIu32 ", \"max_width\": %" PRIu32
                      ", \"max_height\": %" PRIu32 ", \"engines\": %" PRIu32
                      ", \"sessions\": %" PRIu32 ", \"b_frames\": %s}",
                      c->chroma, c->depth, c->min_width_px, c->min_height_px, c->max_width_px,
                      c->max_height_px, c->engines, c->sessions, c->b_frames ? "true" : "false");
    }
    gm_buf_str(out, "], ");
}

static void json_notes(struct gm_buf *out, const struct gm_device_note *notes, size_t count)
{
    gm_buf_str(out, "\"notes\": [");
    for (size_t i = 0; i < count; i++) {
        gm_buf_str(out, i == 0 ? "{" : ", {");
        json_member(out, "severity", gm_severity_name(notes[i].severity));
        gm_buf_str(out, "\"text\": ");
        gm_buf_json(out, notes[i].text);
        gm_buf_u8(out, '}');
    }
    gm_buf_u8(out, ']');
}

static void json_proofs(struct gm_buf *out, const struct gm_device *d)
{
    gm_buf_str(out, "\"proofs\": [");
    for (size_t i = 0; i < d->proof_count; i++) {
        const struct gm_device_proof *p = &d->proofs[i];
        gm_buf_str(out, i == 0 ? "{" : ", {");
        json_member(out, "api", p->api);
        json_member(out, "codec", p->codec);
        json_member(out, "text", p->text);
        gm_buf_printf(out,
                      "\"depth\": %" PRIu32 ", \"encode\": %s, \"passed\": %s, \"psnr\": %d.%02d, "
                      "\"proved_unix_ms\": %" PRId64 "}",
                      p->depth, p->encode ? "true" : "false", p->passed ? "true" : "false",
                      p->psnr_centi / 100, p->psnr_centi % 100, p->proved_unix_ms);
    }
    gm_buf_str(out, "], ");
}

static void json_device(struct gm_buf *out, const struct gm_device *d)
{
    char sentence[1024];
    gm_device_sentence(d, sentence, sizeof(sentence));
    gm_buf_str(out, "{");
    json_member(out, "id", d->id);
    json_member(out, "kind", gm_device_kind_name(d->kind));
    json_member(out, "description", sentence);
    json_member(out, "uuid", d->uuid);
    json_member(out, "vendor", d->vendor);
    json_member(out, "name", d->name);
    json_member(out, "driver", d->driver);
    json_member(out, "kernel_driver", d->kernel_driver);
    json_member(out, "render_node", d->render_node);
    json_member(out, "decode_state", gm_engine_state_name(d->decoding));
    json_member(out, "encode_state", gm_engine_state_name(d->encoding));
    gm_buf_printf(
        out, "\"cpus\": %" PRIu32 ".%03" PRIu32 ", \"memory_bytes\": %" PRIu64 ", \"features\": [",
        d->cpu_milli / 1000, d->cpu_milli % 1000, d->memory_bytes);
    for (size_t i = 0; i < d->feature_count; i++) {
        gm_buf_str(out, i == 0 ? "" : ", ");
        gm_buf_json(out, d->features[i]);
    }
    gm_buf_str(out, "], ");
    json_codecs(out, "decode", d->decode, d->decode_count);
    json_codecs(out, "encode", d->encode, d->encode_count);
    json_proofs(out, d);
    json_notes(out, d->notes, d->note_count);
    gm_buf_u8(out, '}');
}

void gm_device_list_json(const struct gm_device_list *list, struct gm_buf *out)
{
    gm_buf_str(out, "{\"version\": 1, \"devices\": [");
    for (size_t i = 0; i < list->count; i++) {
        gm_buf_str(out, i == 0 ? "\n" : ",\n");
        json_device(out, &list->devices[i]);
    }
    gm_buf_str(out, "],\n");
    json_notes(out, list->notes, list->note_count);
    gm_buf_str(out, "}\n");
}
