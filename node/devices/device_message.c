/* Devices as messages: to the scheduler, and from the processes that probe. */
#include <stdlib.h>
#include <string.h>

#include "node/devices/device.h"
#include "proto/envelope.h"

/* All parts of one device's message; the caller sees it as its first member. */
struct packed {
    Gm__Device device;
    char description[1024];
    Gm__DeviceCodec codecs[2 * GM_DEVICE_CODECS];
    Gm__DeviceCodec *codec_list[2 * GM_DEVICE_CODECS];
    Gm__DeviceNote notes[GM_DEVICE_NOTES];
    Gm__DeviceNote *note_list[GM_DEVICE_NOTES];
    Gm__DeviceProof proofs[GM_DEVICE_PROOFS];
    Gm__DeviceProof *proof_list[GM_DEVICE_PROOFS];
    char *features[GM_DEVICE_FEATURES];
    Gm__Measured measured;
    Gm__Rate rates[GM_DEVICE_RATES];
    Gm__Rate *rate_list[GM_DEVICE_RATES];
};

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void codec_to(const struct gm_device_codec *c, Gm__DeviceCodec *out)
{
    gm__device_codec__init(out);
    out->api = text(c->api);
    out->codec = text(c->codec);
    out->chroma = c->chroma;
    out->depth = c->depth;
    out->min_width = c->min_width_px;
    out->min_height = c->min_height_px;
    out->max_width = c->max_width_px;
    out->max_height = c->max_height_px;
    out->engines = c->engines;
    out->sessions = c->sessions;
    out->b_frames = c->b_frames;
}

void gm_proof_to_message(const struct gm_device_proof *proof, Gm__DeviceProof *out)
{
    gm__device_proof__init(out);
    out->api = text(proof->api);
    out->codec = text(proof->codec);
    out->depth = proof->depth;
    out->encode = proof->encode;
    out->passed = proof->passed;
    out->psnr_centi = proof->psnr_centi;
    out->text = text(proof->text);
    out->proved_unix_ms = proof->proved_unix_ms;
}

static void note_to(const struct gm_device_note *note, Gm__DeviceNote *out)
{
    gm__device_note__init(out);
    out->severity = text(gm_severity_name(note->severity));
    out->text = text(note->text);
}

static void measured_to(const struct gm_device *d, struct packed *p)
{
    gm__measured__init(&p->measured);
    p->measured.unix_ms = d->measured_unix_ms;
    for (size_t i = 0; i < d->rate_count; i++) {
        const struct gm_device_rate *from = &d->rates[i];
        Gm__Rate *to = &p->rates[i];
        gm__rate__init(to);
        to->what = text(from->what);
        to->api = text(from->api);
        to->codec = text(from->codec);
        to->depth = from->depth;
        to->height = from->height_px;
        to->one = from->one;
        to->all = from->all;
        to->streams = from->streams;
        p->rate_list[i] = to;
    }
    p->measured.rates = p->rate_list;
    p->measured.n_rates = d->rate_count;
    p->device.measured = d->rate_count > 0 ? &p->measured : NULL;
}

static void fill(const struct gm_device *d, struct packed *p)
{
    Gm__Device *m = &p->device;
    gm__device__init(m);
    gm_device_sentence(d, p->description, sizeof(p->description));
    m->id = text(d->id);
    m->kind = text(gm_device_kind_name(d->kind));
    m->description = p->description;
    m->vendor = text(d->vendor);
    m->name = text(d->name);
    m->driver = text(d->driver);
    m->kernel_driver = text(d->kernel_driver);
    m->memory_bytes = d->memory_bytes;
    m->uuid = text(d->uuid);
    m->render_node = text(d->render_node);
    m->decode_state = text(gm_engine_state_name(d->decoding));
    m->encode_state = text(gm_engine_state_name(d->encoding));
    for (size_t i = 0; i < d->decode_count + d->encode_count; i++) {
        codec_to(i < d->decode_count ? &d->decode[i] : &d->encode[i - d->decode_count],
                 &p->codecs[i]);
        p->codec_list[i] = &p->codecs[i];
    }
    m->decode = p->codec_list;
    m->n_decode = d->decode_count;
    m->encode = p->codec_list + d->decode_count;
    m->n_encode = d->encode_count;
    for (size_t i = 0; i < d->note_count; i++) {
        note_to(&d->notes[i], &p->notes[i]);
        p->note_list[i] = &p->notes[i];
    }
    m->notes = p->note_list;
    m->n_notes = d->note_count;
    for (size_t i = 0; i < d->proof_count; i++) {
        gm_proof_to_message(&d->proofs[i], &p->proofs[i]);
        p->proof_list[i] = &p->proofs[i];
    }
    m->proofs = p->proof_list;
    m->n_proofs = d->proof_count;
    for (size_t i = 0; i < d->feature_count; i++) {
        p->features[i] = text(d->features[i]);
    }
    m->features = p->features;
    m->n_features = d->feature_count;
    measured_to(d, p);
}

int gm_device_to_message(const struct gm_device *device, Gm__Device **out, struct gm_err *err)
{
    struct packed *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return gm_err_nomem(err);
    }
    fill(device, p);
    *out = &p->device;
    return 0;
}

int gm_device_list_encode(const struct gm_device_list *list, uint8_t **out, size_t *out_size,
                          struct gm_err *err)
{
    Gm__ProbeResult result = GM__PROBE_RESULT__INIT;
    Gm__DeviceNote notes[GM_DEVICE_NOTES];
    Gm__DeviceNote *note_list[GM_DEVICE_NOTES];
    int rc = 0;
    result.devices = calloc(list->count + 1, sizeof(Gm__Device *));
    if (result.devices == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        rc = gm_device_to_message(&list->devices[i], &result.devices[i], err);
        result.n_devices += rc == 0 ? 1 : 0;
    }
    for (size_t i = 0; i < list->note_count; i++) {
        note_to(&list->notes[i], &notes[i]);
        note_list[i] = &notes[i];
    }
    result.notes = note_list;
    result.n_notes = list->note_count;
    result.versions = text(list->versions);
    if (rc == 0) {
        rc = gm_message_encode(&result.base, out, out_size, err);
    }
    for (size_t i = 0; i < result.n_devices; i++) {
        free(result.devices[i]);
    }
    free(result.devices);
    return rc;
}

static int bad(struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_PROTO, 0, "a probe's answer: %s", what);
}

/* The index of word among the names that name() gives for 0..count-1; -1: none. */
static int index_of(const char *word, const char *(*name)(unsigned), unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(name(i), word) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static const char *kind_at(unsigned i)
{
    return gm_device_kind_name((enum gm_device_kind)i);
}

static const char *severity_at(unsigned i)
{
    return gm_severity_name((enum gm_severity)i);
}

static const char *state_at(unsigned i)
{
    return gm_engine_state_name((enum gm_engine_state)i);
}

void gm_proof_from_message(const Gm__DeviceProof *msg, struct gm_device_proof *out)
{
    memset(out, 0, sizeof(*out));
    gm_device_set(out->api, msg->api);
    gm_device_set(out->codec, msg->codec);
    gm_device_set(out->text, msg->text);
    out->depth = msg->depth;
    out->encode = msg->encode;
    out->passed = msg->passed;
    out->psnr_centi = msg->psnr_centi < 0 || msg->psnr_centi > 10000 ? 0 : msg->psnr_centi;
    out->proved_unix_ms = msg->proved_unix_ms;
}

static int take_codecs(struct gm_device *d, bool encode, size_t count, Gm__DeviceCodec **list,
                       struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const Gm__DeviceCodec *m = list[i];
        struct gm_device_codec c = {.chroma = m->chroma,
                                    .depth = m->depth,
                                    .min_width_px = m->min_width,
                                    .min_height_px = m->min_height,
                                    .max_width_px = m->max_width,
                                    .max_height_px = m->max_height,
                                    .engines = m->engines,
                                    .sessions = m->sessions,
                                    .b_frames = m->b_frames};
        gm_device_set(c.api, m->api);
        gm_device_set(c.codec, m->codec);
        bool known = m->chroma == 400 || m->chroma == 420 || m->chroma == 422 || m->chroma == 444;
        if (!known || m->depth < 8 || m->depth > 16 || c.codec[0] == '\0') {
            return bad(err, "a codec without name, chroma or depth");
        }
        if (!gm_device_add_codec(d, encode, &c)) {
            return bad(err, "too many codecs");
        }
    }
    return 0;
}

static int take_notes(struct gm_device_list *list, struct gm_device *d, size_t count,
                      Gm__DeviceNote **notes, struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        int severity = index_of(notes[i]->severity, severity_at, 3);
        if (severity < 0) {
            return bad(err, "a note of unknown severity");
        }
        if (!gm_device_add_note(list, d, (enum gm_severity)severity, "%s", notes[i]->text)) {
            return bad(err, "too many notes");
        }
    }
    return 0;
}

/* struct gm_device's forms, and nothing that would be cut or changed. */
static bool is_id(const char *id)
{
    char pci[16], whole[sizeof(((struct gm_device *)0)->id)];
    gm_device_set(whole, id);
    return strcmp(whole, id) == 0 &&
           (strcmp(id, "cpu") == 0 || (strncmp(id, "platform:", 9) == 0 && id[9] != '\0') ||
            (gm_pci_normalize(id, pci) && strcmp(pci, id) == 0));
}

static int take_device(struct gm_device_list *list, const Gm__Device *m, struct gm_err *err)
{
    struct gm_device *d = NULL;
    int kind = index_of(m->kind, kind_at, 3);
    int decoding = index_of(m->decode_state, state_at, 5);
    int encoding = index_of(m->encode_state, state_at, 5);
    if (kind < 0 || decoding < 0 || encoding < 0 || !is_id(m->id) ||
        gm_device_find(list, m->id) != NULL) {
        return bad(err, "a device without a name, kind or state of its own");
    }
    if (m->n_features > GM_DEVICE_FEATURES || m->n_proofs > GM_DEVICE_PROOFS) {
        return bad(err, "too many features or proofs");
    }
    int rc = gm_device_get(list, m->id, (enum gm_device_kind)kind, &d, err);
    if (rc < 0) {
        return rc;
    }
    d->decoding = (enum gm_engine_state)decoding;
    d->encoding = (enum gm_engine_state)encoding;
    gm_device_set(d->vendor, m->vendor);
    gm_device_set(d->name, m->name);
    gm_device_set(d->driver, m->driver);
    gm_device_set(d->kernel_driver, m->kernel_driver);
    gm_device_set(d->uuid, m->uuid);
    gm_device_set(d->render_node, m->render_node);
    d->memory_bytes = m->memory_bytes;
    for (size_t i = 0; i < m->n_features; i++) {
        (void)gm_device_add_feature(d, m->features[i]);
    }
    for (size_t i = 0; i < m->n_proofs; i++) {
        struct gm_device_proof proof;
        gm_proof_from_message(m->proofs[i], &proof);
        (void)gm_device_add_proof(d, &proof);
    }
    rc = take_codecs(d, false, m->n_decode, m->decode, err);
    if (rc == 0) {
        rc = take_codecs(d, true, m->n_encode, m->encode, err);
    }
    return rc < 0 ? rc : take_notes(list, d, m->n_notes, m->notes, err);
}

int gm_device_list_decode(const void *data, size_t size, struct gm_device_list *out,
                          struct gm_err *err)
{
    ProtobufCMessage *msg = NULL;
    int rc = gm_message_decode(&gm__probe_result__descriptor, data, size, GM_PROBE_RESULT_MAX, &msg,
                               err);
    if (rc < 0) {
        return rc;
    }
    const Gm__ProbeResult *result = (const Gm__ProbeResult *)msg;
    for (size_t i = 0; rc == 0 && i < result->n_devices; i++) {
        rc = take_device(out, result->devices[i], err);
    }
    if (rc == 0) {
        rc = take_notes(out, NULL, result->n_notes, result->notes, err);
    }
    gm_device_set(out->versions, result->versions);
    protobuf_c_message_free_unpacked(msg, NULL);
    return rc;
}
