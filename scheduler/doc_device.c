#include "scheduler/doc_device.h"

#include "scheduler/json.h"

static json_t *codecs_json(size_t count, Gm__DeviceCodec *const *codecs)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        const Gm__DeviceCodec *c = codecs[i];
        json_t *j = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "api",
                              gm_json_string(c->api), "codec", gm_json_string(c->codec), "chroma",
                              (json_int_t)c->chroma, "depth", (json_int_t)c->depth, "min_width",
                              (json_int_t)c->min_width, "min_height", (json_int_t)c->min_height,
                              "max_width", (json_int_t)c->max_width, "max_height",
                              (json_int_t)c->max_height, "engines", (json_int_t)c->engines,
                              "sessions", (json_int_t)c->sessions, "b_frames", (int)c->b_frames);
        list = gm_json_add(list, j);
    }
    return list;
}

static json_t *proofs_json(const Gm__Device *d)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < d->n_proofs; i++) {
        const Gm__DeviceProof *p = d->proofs[i];
        json_t *j = json_pack(
            "{s:o, s:o, s:I, s:b, s:b, s:f, s:o, s:o}", "api", gm_json_string(p->api), "codec",
            gm_json_string(p->codec), "depth", (json_int_t)p->depth, "encode", (int)p->encode,
            "passed", (int)p->passed, "psnr", p->psnr_centi / 100.0, "text",
            gm_json_string(p->text), "proved_at", gm_json_time(p->proved_unix_ms));
        list = gm_json_add(list, j);
    }
    return list;
}

static json_t *notes_json(const Gm__Device *d)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < d->n_notes; i++) {
        const Gm__DeviceNote *n = d->notes[i];
        list = gm_json_add(list, json_pack("{s:o, s:o}", "severity", gm_json_string(n->severity),
                                           "text", gm_json_string(n->text)));
    }
    return list;
}

static json_t *chain_json(const Gm__Chain *c)
{
    json_t *codecs = json_array();
    for (size_t i = 0; codecs != NULL && i < c->n_codecs; i++) {
        codecs = gm_json_add(codecs, gm_json_string(c->codecs[i]));
    }
    return json_pack("{s:o, s:o, s:o}", "name", gm_json_string(c->name), "fingerprint",
                     gm_json_string(c->fingerprint), "codecs", codecs);
}

static json_t *chains_json(const Gm__Device *d)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < d->n_chains; i++) {
        list = gm_json_add(list, chain_json(d->chains[i]));
    }
    return list;
}

static json_t *features_json(const Gm__Device *d)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < d->n_features; i++) {
        list = gm_json_add(list, gm_json_string(d->features[i]));
    }
    return list;
}

static json_t *measured_json(const Gm__Measured *m)
{
    json_t *rates = json_array();
    for (size_t i = 0; m != NULL && rates != NULL && i < m->n_rates; i++) {
        const Gm__Rate *r = m->rates[i];
        rates = gm_json_add(rates, json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "what",
                                             gm_json_string(r->what), "api", gm_json_string(r->api),
                                             "codec", gm_json_string(r->codec), "depth",
                                             (json_int_t)r->depth, "height", (json_int_t)r->height,
                                             "one", (json_int_t)r->one, "all", (json_int_t)r->all,
                                             "streams", (json_int_t)r->streams));
    }
    if (m != NULL) {
        return json_pack("{s:o, s:o}", "at", gm_json_time(m->unix_ms), "rates", rates);
    }
    json_decref(rates);
    return json_null();
}

int gm_doc_add_device(json_t *object, const Gm__Device *d)
{
    const struct {
        const char *name;
        const char *text;
    } texts[] = {{"vendor", d->vendor},
                 {"name", d->name},
                 {"driver", d->driver},
                 {"kernel_driver", d->kernel_driver},
                 {"uuid", d->uuid},
                 {"render_node", d->render_node},
                 {"decode_state", d->decode_state},
                 {"encode_state", d->encode_state}};
    int bad = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        bad |= json_object_set_new(object, texts[i].name, gm_json_string(texts[i].text));
    }
    bad |= json_object_set_new(object, "memory_bytes", json_integer((json_int_t)d->memory_bytes));
    bad |= json_object_set_new(object, "features", features_json(d));
    bad |= json_object_set_new(object, "decode", codecs_json(d->n_decode, d->decode));
    bad |= json_object_set_new(object, "encode", codecs_json(d->n_encode, d->encode));
    bad |= json_object_set_new(object, "proofs", proofs_json(d));
    bad |= json_object_set_new(object, "chains", chains_json(d));
    bad |= json_object_set_new(object, "notes", notes_json(d));
    bad |= json_object_set_new(object, "measured", measured_json(d->measured));
    return bad == 0 ? 0 : -1;
}
