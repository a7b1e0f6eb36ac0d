/* The rules of docs/protocol.md that the encoding itself can't express. A handler may use every
 * part named here without looking again: a message that lacks one never reaches it.
 *
 * Strings are never NULL after protobuf-c unpacked them; sub-messages may be.
 */
#include "proto/check.h"

#include <string.h>

#include "proto/check_grant.h"
#include "proto/envelope.h"
#include "proto/parts.h"

#define CHAIN_PRINT_MAX 400                  /* bytes of a chain's fingerprint */
#define RATE_MAX (UINT64_C(1) << 50)         /* pixels a second: 10^8 times a device of today */
#define UNIX_MS_MAX INT64_C(253402300800000) /* the year 10000 */

static int fail(struct gm_err *err, const char *what, const char *why)
{
    return gm_err_set(err, GM_E_PROTO, 0, "%s %s", what, why);
}

/* Job ids, publications: they become parts of paths. */
static bool is_ident(const char *s)
{
    size_t length = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return length >= 1 && length <= 64 && s[length] == '\0';
}

static int check_object(const Gm__Object *object, struct gm_err *err)
{
    if (strlen(object->etag) > GM_PROTO_MAX_ETAG) {
        return fail(err, "Object.etag", "is too long");
    }
    if (object->n_parts > 0) {
        return fail(err, "Object.parts", "is a source's alone");
    }
    if (object->store == GM__OBJECT_STORE__STORE_SOURCE) {
        return 0; /* any name that the source's store has */
    }
    if (!gm_proto_is_key(object->key)) {
        return fail(err, "Object.key", "is not a key");
    }
    if (object->sha256.len != GM_PROTO_HASH_BYTES) {
        return fail(err, "Object.sha256", "is missing");
    }
    return 0;
}

static int check_objects(size_t count, Gm__Object *const *objects, struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        int rc = check_object(objects[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int check_inputs(size_t count, Gm__TaskInput *const *inputs, struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (inputs[i]->item == NULL) {
            return fail(err, "TaskInput.item", "is missing");
        }
        int rc = check_objects(inputs[i]->item->n_objects, inputs[i]->item->objects, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int check_source(const Gm__Object *source, struct gm_err *err)
{
    if (source->store != GM__OBJECT_STORE__STORE_SOURCE) {
        return fail(err, "TaskSpec.source", "is in another store");
    }
    if (strlen(source->etag) > GM_PROTO_MAX_ETAG) {
        return fail(err, "Object.etag", "is too long");
    }
    return source->n_parts == 0
               ? 0
               : gm_parts_check(source->n_parts, source->parts, source->size, NULL, err);
}

static int check_spec(const Gm__TaskSpec *spec, struct gm_err *err)
{
    int rc = spec->source != NULL ? check_source(spec->source, err) : 0;
    if (rc < 0) {
        return rc;
    }
    if (spec->type[0] == '\0') {
        return fail(err, "TaskSpec.type", "is empty");
    }
    if (!is_ident(spec->job_id)) {
        return fail(err, "TaskSpec.job_id", "is not an id");
    }
    for (size_t i = 0; i < spec->n_results; i++) {
        rc = check_objects(spec->results[i]->n_objects, spec->results[i]->objects, err);
        if (rc < 0) {
            return rc;
        }
    }
    return check_inputs(spec->n_inputs, spec->inputs, err);
}

/* Counts and sizes of what is shown to people and kept for each device. */
static bool is_short(const char *text, size_t max)
{
    return strlen(text) <= max;
}

static bool are_codecs(size_t count, Gm__DeviceCodec *const *list)
{
    for (size_t i = 0; i < count && count <= 96; i++) {
        const Gm__DeviceCodec *c = list[i];
        if (!is_short(c->api, 15) || !is_short(c->codec, 15) || c->depth < 8 || c->depth > 16 ||
            (c->chroma != 400 && c->chroma != 420 && c->chroma != 422 && c->chroma != 444)) {
            return false;
        }
    }
    return count <= 96;
}

static bool are_chains(size_t count, Gm__Chain *const *list)
{
    for (size_t i = 0; i < count; i++) {
        const Gm__Chain *c = list[i];
        bool ok =
            is_short(c->name, 15) && is_short(c->fingerprint, CHAIN_PRINT_MAX) && c->n_codecs <= 16;
        for (size_t k = 0; ok && k < c->n_codecs; k++) {
            ok = is_short(c->codecs[k], 15);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* Figures divide and are divided by: ranges in which nothing overflows. */
static bool are_rates(const Gm__Measured *m)
{
    bool ok = m->n_rates <= 32 && m->unix_ms >= 0 && m->unix_ms < UNIX_MS_MAX;
    for (size_t i = 0; ok && i < m->n_rates; i++) {
        const Gm__Rate *r = m->rates[i];
        ok = is_short(r->what, 15) && is_short(r->api, 15) && is_short(r->codec, 15) &&
             r->depth >= 8 && r->depth <= 16 && r->height <= 1u << 16 && r->streams <= 1u << 16 &&
             r->one <= RATE_MAX && r->all <= RATE_MAX && (r->one > 0 || r->all > 0);
    }
    return ok;
}

/* It stands in documents as it is. */
static bool is_device_id(const char *s)
{
    size_t length = 0;
    while (s[length] >= ' ' && s[length] <= '~') {
        length++;
    }
    return length >= 1 && length <= 64 && s[length] == '\0';
}

static int check_device(const Gm__Device *d, struct gm_err *err)
{
    if (!is_device_id(d->id) || d->capacity == NULL) {
        return fail(err, "Device", "lacks its capacity, or an id of printable ASCII");
    }
    if (!is_short(d->kind, 16) || !is_short(d->description, 1024) || !is_short(d->vendor, 64) ||
        !is_short(d->name, 128) || !is_short(d->driver, 64) || !is_short(d->kernel_driver, 64) ||
        !is_short(d->uuid, 64) || !is_short(d->render_node, 64) || !is_short(d->decode_state, 16) ||
        !is_short(d->encode_state, 16)) {
        return fail(err, "Device", "has too long a text");
    }
    if (!are_codecs(d->n_decode, d->decode) || !are_codecs(d->n_encode, d->encode)) {
        return fail(err, "Device", "has codecs that are none, or too many");
    }
    if (!are_chains(d->n_chains, d->chains)) {
        return fail(err, "Chain", "has too long a text, or too many codecs");
    }
    if (d->measured != NULL && !are_rates(d->measured)) {
        return fail(err, "Measured", "has figures that are none, or too many");
    }
    if (d->n_notes > 16 || d->n_proofs > 64 || d->n_features > 32) {
        return fail(err, "Device", "has too many notes, proofs or features");
    }
    for (size_t i = 0; i < d->n_notes; i++) {
        if (!is_short(d->notes[i]->severity, 8) || !is_short(d->notes[i]->text, 400)) {
            return fail(err, "DeviceNote", "is too long");
        }
    }
    for (size_t i = 0; i < d->n_proofs; i++) {
        const Gm__DeviceProof *p = d->proofs[i];
        if (!is_short(p->api, 15) || !is_short(p->codec, 15) || !is_short(p->text, 256)) {
            return fail(err, "DeviceProof", "is too long");
        }
    }
    for (size_t i = 0; i < d->n_features; i++) {
        if (!is_short(d->features[i], 24)) {
            return fail(err, "Device.features", "is too long");
        }
    }
    return 0;
}

static int check_held(const Gm__HeldLease *held, struct gm_err *err)
{
    if (!is_ident(held->job_id)) {
        return fail(err, "HeldLease.job_id", "is not an id");
    }
    if (held->publication[0] != '\0' && !is_ident(held->publication)) {
        return fail(err, "HeldLease.publication", "is not an id");
    }
    if (held->demand == NULL) {
        return fail(err, "HeldLease.demand", "is missing");
    }
    if (held->chain != NULL && !are_chains(1, (Gm__Chain *const *)&held->chain)) {
        return fail(err, "HeldLease.chain", "is too long");
    }
    return 0;
}

static int check_hello(const Gm__Hello *hello, struct gm_err *err)
{
    if (!gm_is_node_id(hello->node_id)) {
        return fail(err, "Hello.node_id", "is not a node id");
    }
    if (hello->n_devices == 0) {
        return fail(err, "Hello.devices", "is empty");
    }
    for (size_t i = 0; i < hello->n_devices; i++) {
        int rc = check_device(hello->devices[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    if (hello->n_held > GM_PROTO_MAX_HELD) {
        return fail(err, "Hello.held", "has too many leases");
    }
    for (size_t i = 0; i < hello->n_held; i++) {
        int rc = check_held(hello->held[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int check_offer(const Gm__Offer *offer, struct gm_err *err)
{
    if (offer->usable == NULL) {
        return fail(err, "Offer.usable", "is missing");
    }
    if (offer->facts == NULL) {
        return 0;
    }
    if (strcmp(offer->facts->id, offer->device) != 0) {
        return fail(err, "Offer.facts", "is of another device");
    }
    return check_device(offer->facts, err);
}

static int check_assign(const Gm__Assign *assign, struct gm_err *err)
{
    if (assign->spec == NULL) {
        return fail(err, "Assign.spec", "is missing");
    }
    if (assign->demand == NULL) {
        return fail(err, "Assign.demand", "is missing");
    }
    return check_spec(assign->spec, err);
}

static int check_done(const Gm__Done *done, struct gm_err *err)
{
    if (done->publication[0] != '\0' && !is_ident(done->publication)) {
        return fail(err, "Done.publication", "is not an id");
    }
    return check_objects(done->n_objects, done->objects, err);
}

static int check_produced(const Gm__Produced *produced, struct gm_err *err)
{
    if (produced->item == NULL) {
        return fail(err, "Produced.item", "is missing");
    }
    return check_objects(produced->item->n_objects, produced->item->objects, err);
}

/* The scheduler's clock, which may be wrong; what is added to it overflows in no case. */
static int check_clock(int64_t unix_ms, struct gm_err *err)
{
    bool ok = unix_ms > -UNIX_MS_MAX && unix_ms < UNIX_MS_MAX;
    return ok ? 0 : fail(err, "unix_ms", "is no time");
}

static int check_body(const Gm__Envelope *env, struct gm_err *err)
{
    switch (env->body_case) {
    case GM__ENVELOPE__BODY_HELLO:
        return check_hello(env->hello, err);
    case GM__ENVELOPE__BODY_OFFER:
        return check_offer(env->offer, err);
    case GM__ENVELOPE__BODY_PRODUCED:
        return check_produced(env->produced, err);
    case GM__ENVELOPE__BODY_DONE:
        return check_done(env->done, err);
    case GM__ENVELOPE__BODY_FAILED:
        return env->failed->error == NULL ? fail(err, "Failed.error", "is missing") : 0;
    case GM__ENVELOPE__BODY_GRANT_REQUEST:
        return gm_check_grant_request(env->grant_request, err);
    case GM__ENVELOPE__BODY_REFUSE:
        return env->refuse->error == NULL ? fail(err, "Refuse.error", "is missing") : 0;
    case GM__ENVELOPE__BODY_ASSIGN:
        return check_assign(env->assign, err);
    case GM__ENVELOPE__BODY_FEED:
        return check_inputs(env->feed->n_inputs, env->feed->inputs, err);
    case GM__ENVELOPE__BODY_GRANT_ANSWER:
        return gm_check_grant_answer(env->grant_answer, err);
    case GM__ENVELOPE__BODY_PARTS_ASK:
        return gm_check_parts_ask(env->parts_ask, err);
    case GM__ENVELOPE__BODY_PARTS_ANSWER:
        return gm_check_parts_answer(env->parts_answer, err);
    case GM__ENVELOPE__BODY_GOODBYE:
        return env->goodbye->node_id[0] != '\0' && !gm_is_node_id(env->goodbye->node_id)
                   ? fail(err, "Goodbye.node_id", "is not a node id")
                   : 0;
    case GM__ENVELOPE__BODY_WELCOME:
        return check_clock(env->welcome->unix_ms, err);
    case GM__ENVELOPE__BODY_RENEWED:
        return check_clock(env->renewed->unix_ms, err);
    case GM__ENVELOPE__BODY_RENEW:
    case GM__ENVELOPE__BODY_PROGRESS:
    case GM__ENVELOPE__BODY_ACK:
    case GM__ENVELOPE__BODY_CANCEL:
    case GM__ENVELOPE__BODY_DRAIN:
    case GM__ENVELOPE__BODY_PROVE:
        return 0;
    case GM__ENVELOPE__BODY__NOT_SET:
        /* A newer release's message: there is something, and who reads it passes over it. */
        return env->base.n_unknown_fields > 0 ? 0 : fail(err, "Envelope.body", "is missing");
    default:
        return fail(err, "Envelope.body", "is of no kind");
    }
}

int gm_check_envelope(const Gm__Envelope *env, struct gm_err *err)
{
    if (env->version != GM_PROTOCOL_VERSION) {
        return gm_err_set(err, GM_E_PROTO, env->version,
                          "the peer speaks protocol version %u, this program version %d",
                          env->version, GM_PROTOCOL_VERSION);
    }
    if (env->n_batch > 0) {
        return fail(err, "Envelope.batch", "is not in a batch, nor beside a body");
    }
    bool acknowledged = env->body_case == GM__ENVELOPE__BODY_PRODUCED ||
                        env->body_case == GM__ENVELOPE__BODY_DONE ||
                        env->body_case == GM__ENVELOPE__BODY_FAILED;
    if (acknowledged && env->seq == 0) {
        return fail(err, "Envelope.seq", "is missing");
    }
    return check_body(env, err);
}

static int check_worker_files(size_t count, Gm__WFile *const *files, struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!gm_is_file_name(files[i]->name)) {
            return fail(err, "WFile.name", "is not a file name");
        }
        if (!gm_is_file_path(files[i]->path)) {
            return fail(err, "WFile.path", "is not a file path");
        }
        if (files[i]->store == GM__OBJECT_STORE__STORE_SOURCE) {
            return fail(err, "WFile.store", "can't be written");
        }
    }
    return 0;
}

static int check_meta_file(const char *name, struct gm_err *err)
{
    if (name[0] != '\0' && !gm_is_file_name(name)) {
        return fail(err, "meta_file", "is not a file name");
    }
    return 0;
}

static int check_worker_done(const Gm__WDone *done, struct gm_err *err)
{
    if (done->publication[0] != '\0' && !is_ident(done->publication)) {
        return fail(err, "WDone.publication", "is not an id");
    }
    int rc = check_meta_file(done->meta_file, err);
    return rc < 0 ? rc : check_worker_files(done->n_files, done->files, err);
}

static int check_worker_produced(const Gm__WProduced *produced, struct gm_err *err)
{
    int rc = check_meta_file(produced->meta_file, err);
    return rc < 0 ? rc : check_worker_files(produced->n_files, produced->files, err);
}

/* Some bytes of a file. */
static bool is_range(uint64_t offset, uint64_t length)
{
    return length > 0 && offset <= INT64_MAX && length <= INT64_MAX - offset;
}

static int check_worker_need(const Gm__WNeed *need, struct gm_err *err)
{
    if (!is_range(need->offset, need->length) || need->length > GM_WINDOW_MAX_NEED) {
        return fail(err, "WNeed", "is no range, or too long");
    }
    if (need->n_held > GM_WINDOW_MAX_HELD) {
        return fail(err, "WNeed.held", "is too long");
    }
    for (size_t i = 0; i < need->n_held; i++) {
        if (!is_range(need->held[i]->offset, need->held[i]->length)) {
            return fail(err, "WNeed.held", "is no range");
        }
    }
    return 0;
}

/* It becomes a chain's fingerprint, and stands in logs as it is. */
static bool is_build(const char *s)
{
    size_t n = 0;
    while (n <= CHAIN_PRINT_MAX && s[n] >= ' ' && s[n] <= '~') {
        n++;
    }
    return n <= CHAIN_PRINT_MAX && s[n] == '\0';
}

int gm_check_worker_message(const Gm__WorkerMessage *msg, struct gm_err *err)
{
    switch (msg->body_case) {
    case GM__WORKER_MESSAGE__BODY_START:
        return gm_is_file_path(msg->start->scratch)
                   ? 0
                   : fail(err, "WStart.scratch", "is not a file path");
    case GM__WORKER_MESSAGE__BODY_INPUT:
        return gm_is_file_name(msg->input->name) ? 0
                                                 : fail(err, "WInput.name", "is not a file name");
    case GM__WORKER_MESSAGE__BODY_PRODUCED:
        return check_worker_produced(msg->produced, err);
    case GM__WORKER_MESSAGE__BODY_DONE:
        return check_worker_done(msg->done, err);
    case GM__WORKER_MESSAGE__BODY_FAILED:
        return msg->failed->error == NULL ? fail(err, "WFailed.error", "is missing") : 0;
    case GM__WORKER_MESSAGE__BODY_DEVICE_FAILED:
        return msg->device_failed->error == NULL ? fail(err, "WDeviceFailed.error", "is missing")
                                                 : 0;
    case GM__WORKER_MESSAGE__BODY_OPEN:
        return (uint32_t)msg->open->kind <= GM__WOBJECT__WOBJECT_RESULT
                   ? 0
                   : fail(err, "WOpen.kind", "is unknown");
    case GM__WORKER_MESSAGE__BODY_NEED:
        return check_worker_need(msg->need, err);
    case GM__WORKER_MESSAGE__BODY_HAVE:
        return msg->have->error != NULL || is_range(msg->have->offset, msg->have->length)
                   ? 0
                   : fail(err, "WHave", "is no range");
    case GM__WORKER_MESSAGE__BODY_READY:
        return is_build(msg->ready->build) ? 0 : fail(err, "WReady.build", "is no build");
    case GM__WORKER_MESSAGE__BODY_FEED:
    case GM__WORKER_MESSAGE__BODY_INPUTS_END:
    case GM__WORKER_MESSAGE__BODY_STORED:
    case GM__WORKER_MESSAGE__BODY_PROGRESS:
        return 0;
    default:
        return fail(err, "WorkerMessage.body", "is missing or newer than this build");
    }
}
