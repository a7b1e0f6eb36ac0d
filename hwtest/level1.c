#include "hwtest/level1.h"

#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "media/prove/prove.h"
#include "node/devices/chains.h"

/* The device as a report has it. */
static void describe(const struct gm_device *device, struct gm_hwtest_device *out)
{
    memset(out, 0, sizeof(*out));
    gm_hwtest_set(out->id, device->id);
    gm_hwtest_set(out->uuid, device->uuid);
    gm_hwtest_set(out->name, device->name);
    gm_hwtest_set(out->driver, device->driver);
    gm_hwtest_set(out->kind, gm_device_kind_name(device->kind));
    gm_device_sentence(device, out->sentence, sizeof(out->sentence));
    /* VA drivers have no name for the chip: there the driver says it. */
    out->fake = strstr(device->name, "fake") != NULL || strstr(device->driver, "fake") != NULL;
}

const struct gm_device_proof *gm_hwtest_find_proof(const struct gm_device *device, bool encode,
                                                   const struct gm_device_codec *codec)
{
    struct gm_device_proof work = {.encode = encode, .depth = codec->depth};
    gm_device_set(work.api, codec->api);
    gm_device_set(work.codec, codec->codec);
    for (size_t i = 0; i < device->proof_count; i++) {
        if (gm_proof_is_same_work(&device->proofs[i], &work)) {
            return &device->proofs[i];
        }
    }
    return NULL;
}

const char *gm_hwtest_remedy(const char *api)
{
    if (strcmp(api, "software") == 0) {
        return "install gopmill's packages anew; if it fails again, test the memory of the machine";
    }
    if (strncmp(api, "nv", 2) == 0 || strcmp(api, "cuda") == 0) {
        return "look for NVRM and Xid lines in the kernel log, update the driver and restart; if "
               "it fails again, have the card replaced";
    }
    return "look in the kernel log, update the VA driver and restart; if it fails again, have the "
           "card replaced";
}

bool gm_hwtest_encodes(const struct gm_device *device, const struct gm_device_codec *codec)
{
    return strcmp(codec->api, "software") == 0 ||
           gm_chain_encodes(device, codec->api, codec->codec, codec->depth);
}

/* Notes of detection: warnings and errors say themselves what to do. */
static int add_notes(const char *device, const struct gm_device_note *notes, size_t count,
                     struct gm_hwtest_report *report, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "note.%zu", i + 1);
        struct gm_hwtest_check c = gm_hwtest_check_make(device, name, 1);
        if (notes[i].severity != GM_NOTE_INFO) {
            c.status = notes[i].severity == GM_NOTE_ERROR ? GM_HWTEST_FAIL : GM_HWTEST_WARN;
            gm_hwtest_set(c.text, notes[i].text);
            rc = gm_hwtest_add(report, &c, err);
        }
    }
    return rc;
}

static int add_proof(const struct gm_device *d, const struct gm_device_proof *p,
                     struct gm_hwtest_report *report, struct gm_err *err)
{
    const double low = GM_PROVE_PSNR_CENTI / 100.0;
    char name[64];
    (void)snprintf(name, sizeof(name), "proof.%s.%s.%s.%u", p->encode ? "encode" : "decode", p->api,
                   p->codec, p->depth);
    struct gm_hwtest_check c = gm_hwtest_check_make(d->id, name, 1);
    if (strcmp(p->api, GM_CUDA_LADDER_API) == 0) {
        gm_hwtest_set(c.text, "small pictures were scaled, and are its reference's to the bit");
    } else if (gm_proof_is_of_scaler(p)) {
        gm_hwtest_set(c.text, "small pictures were scaled, and lie where they should");
    } else {
        gm_hwtest_measure(&c, p->psnr_centi / 100.0, "dB", &low, NULL);
        c.better = GM_HWTEST_HIGHER;
        gm_hwtest_set(c.text, "ten pictures of 256x256 went through and were compared");
    }
    if (!p->passed) {
        c.status = GM_HWTEST_FAIL;
        c.has_value = p->psnr_centi != 0;
        gm_hwtest_set(c.text, p->text);
        gm_hwtest_set(c.remedy, gm_hwtest_remedy(p->api));
    }
    return gm_hwtest_add(report, &c, err);
}

/* What detection said of the decoder or encoder, which is more than can be said here; NULL: nothing
 * but that it is so. Borrowed. */
static const char *find_note(const struct gm_device *d, bool encode)
{
    const char *const of_engine = encode ? "NVENC:" : "NVDEC:";
    for (size_t i = 0; i < d->note_count; i++) {
        const struct gm_device_note *n = &d->notes[i];
        if (n->severity != GM_NOTE_INFO &&
            (strncmp(n->text, of_engine, 6) == 0 || strncmp(n->text, "VAAPI:", 6) == 0)) {
            return n->text;
        }
    }
    return NULL;
}

/* A decoder or encoder that is not there as a whole. */
static int add_engine(const struct gm_device *d, bool encode, struct gm_hwtest_report *report,
                      struct gm_err *err)
{
    const char *what = encode ? "encoder" : "decoder";
    struct gm_hwtest_check c = gm_hwtest_check_make(d->id, what, 1);
    const char *note = find_note(d, encode);
    char text[160];
    switch (encode ? d->encoding : d->decoding) {
    case GM_ENGINE_ABSENT:
        c.status = GM_HWTEST_SKIP;
        (void)snprintf(text, sizeof(text), "this chip has no %s: its work is done by the processor",
                       what);
        break;
    case GM_ENGINE_MISSING:
        c.status = GM_HWTEST_WARN;
        (void)snprintf(text, sizeof(text), "the library of its %s is not on this machine", what);
        gm_hwtest_set(c.remedy, note != NULL ? note
                                             : "install the driver wholly; a container needs the "
                                               "`video` capability");
        break;
    case GM_ENGINE_REFUSED:
        c.status = GM_HWTEST_FAIL;
        (void)snprintf(text, sizeof(text), "its %s is there and did not let us in", what);
        gm_hwtest_set(c.remedy, note != NULL ? note
                                             : "see the device's notes; end other programs that "
                                               "use it and run again");
        break;
    default:
        return 0;
    }
    gm_hwtest_set(c.text, text);
    return gm_hwtest_add(report, &c, err);
}

static int add_device(const struct gm_device *d, struct gm_hwtest_report *report,
                      struct gm_err *err)
{
    struct gm_hwtest_device described;
    struct gm_hwtest_check c = gm_hwtest_check_make(d->id, "detection", 1);
    describe(d, &described);
    int rc = gm_hwtest_add_device(report, &described, err);
    gm_hwtest_measure(&c, (double)(d->decode_count + d->encode_count), "codecs", NULL, NULL);
    gm_hwtest_set(c.text, described.sentence);
    c.better = GM_HWTEST_HIGHER;
    if (rc == 0) {
        rc = gm_hwtest_add(report, &c, err);
    }
    if (rc == 0) {
        rc = add_engine(d, false, report, err);
    }
    if (rc == 0) {
        rc = add_engine(d, true, report, err);
    }
    if (rc == 0) {
        rc = add_notes(d->id, d->notes, d->note_count, report, err);
    }
    for (size_t i = 0; rc == 0 && i < d->proof_count; i++) {
        rc = add_proof(d, &d->proofs[i], report, err);
    }
    if (rc == 0 && d->proof_count == 0) {
        c = gm_hwtest_check_make(d->id, "proof", 1);
        c.status = GM_HWTEST_SKIP;
        gm_hwtest_set(c.text, "the device has no encoder or decoder that the farm uses");
        rc = gm_hwtest_add(report, &c, err);
    }
    return rc;
}

int gm_hwtest_level1(const struct gm_device_list *list, struct gm_hwtest_report *report,
                     struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        rc = add_device(&list->devices[i], report, err);
    }
    return rc == 0 ? add_notes("machine", list->notes, list->note_count, report, err) : rc;
}
