#ifndef GM_NODE_DEVICES_DEVICE_H
#define GM_NODE_DEVICES_DEVICE_H

#include "common/buf.h"
#include "common/utf8.h"
#include "wire.pb-c.h"

/* What a node knows of the devices of its machine. Plain data without pointers: texts are printable
 * ASCII, cut where they are too long; lists have limits, what is over them is left out (the adders
 * say so). Devices are known by PCI address, never by number. Thread: one at a time a list. */
#define GM_DEVICE_CODECS 96
#define GM_DEVICE_NOTES 16
#define GM_DEVICE_PROOFS 64
#define GM_DEVICE_FEATURES 32
#define GM_DEVICE_RATES 32
#define GM_DEVICES_MAX 64

enum gm_device_kind { GM_DEVICE_CPU, GM_DEVICE_NVIDIA, GM_DEVICE_DRM };
enum gm_severity { GM_NOTE_INFO, GM_NOTE_WARN, GM_NOTE_ERROR };
/* Of a device's decoder or encoder as a whole. */
enum gm_engine_state {
    GM_ENGINE_UNKNOWN, /* nobody could be asked */
    GM_ENGINE_PRESENT,
    GM_ENGINE_ABSENT,  /* the chip has none */
    GM_ENGINE_REFUSED, /* it is there and did not let us in now: sessions, memory, version */
    GM_ENGINE_MISSING, /* its library is not on this machine */
};

struct gm_device_codec {
    char api[16];    /* nvdec nvenc vaapi qsv software */
    char codec[16];  /* h264 hevc av1 vp9 vp8 mpeg2 mpeg4 vc1 mjpeg */
    uint32_t chroma; /* 400 420 422 444 */
    uint32_t depth;  /* bits a sample, 8 to 16 */
    uint32_t min_width_px, min_height_px, max_width_px, max_height_px; /* 0: not told */
    uint32_t engines;                                                  /* 0: not told */
    uint32_t sessions;                                                 /* 0: not told */
    bool b_frames;                                                     /* of an encoder */
};

struct gm_device_note {
    enum gm_severity severity;
    char text[400]; /* tells the operator what to do */
};

struct gm_device_proof {
    char api[16];
    char codec[16];
    uint32_t depth;
    bool encode;
    bool passed;
    int32_t psnr_centi; /* hundredths of dB; 0: none was taken */
    char text[256];     /* why it failed; of a VA driver's scaler that passed its bits; "" */
    int64_t proved_unix_ms;
};

/* What it makes a second, measured by gopmill-hwtest: as message Rate of proto/wire.proto. */
struct gm_device_rate {
    char what[16]; /* encode decode ladder */
    char api[16];
    char codec[16];
    uint32_t depth;
    uint32_t height_px;
    uint64_t one, all; /* pixels a second; 0: not measured */
    uint32_t streams;
};

struct gm_device {
    enum gm_device_kind kind;
    char id[64];            /* "cpu"; "0000:3b:00.0"; "platform:..." */
    char uuid[64];          /* "GPU-...", or "" */
    char vendor[64];        /* "NVIDIA" */
    char name[128];         /* "NVIDIA H200" */
    char driver[64];        /* version of the user-space driver: "580.65.06" */
    char kernel_driver[32]; /* "nvidia", "i915"; "": none */
    char render_node[64];   /* "/dev/dri/renderD128", or "" */
    uint32_t cpu_milli;    /* of the cpu: thousandths of a thread; stays on this side of the wire */
    uint64_t memory_bytes; /* 0: not told */
    enum gm_engine_state decoding, encoding;
    struct gm_device_codec decode[GM_DEVICE_CODECS];
    size_t decode_count;
    struct gm_device_codec encode[GM_DEVICE_CODECS];
    size_t encode_count;
    struct gm_device_note notes[GM_DEVICE_NOTES];
    size_t note_count;
    struct gm_device_proof proofs[GM_DEVICE_PROOFS];
    size_t proof_count;
    char features[GM_DEVICE_FEATURES][24]; /* "avx2", "cuda-9.0" */
    size_t feature_count;
    int64_t measured_unix_ms;
    struct gm_device_rate rates[GM_DEVICE_RATES]; /* node/measured.h fills them, no probe does */
    size_t rate_count;
};

/* All-zero is empty. */
struct gm_device_list {
    struct gm_device *devices; /* owned */
    size_t count;
    struct gm_device_note notes[GM_DEVICE_NOTES]; /* of no device in particular */
    size_t note_count;
    char versions[128]; /* of the libraries that proofs were made with; "" */
};

void gm_device_list_fini(struct gm_device_list *list);
struct gm_device *gm_device_find(const struct gm_device_list *list, const char *id);
/* The device of that id, added when it is not there; borrowed until the next add.
 * Errors: NOMEM; LIMIT more than GM_DEVICES_MAX. */
int gm_device_get(struct gm_device_list *list, const char *id, enum gm_device_kind kind,
                  struct gm_device **out, struct gm_err *err) GM_MUST_CHECK;
/* text into an array of the model. */
#define gm_device_set(field, text) gm_ascii_copy((field), sizeof(field), (text))
/* The same text is not added twice. device NULL: a note of the list. False: there is no room. */
bool gm_device_add_note(struct gm_device_list *list, struct gm_device *device,
                        enum gm_severity severity, const char *fmt, ...) GM_PRINTF(4, 5);
/* A codec that is there with the same api, codec, chroma and depth is replaced. */
bool gm_device_add_codec(struct gm_device *device, bool encode,
                         const struct gm_device_codec *codec);
/* Both are of the same codec, depth and direction by the same interface. */
bool gm_proof_is_same_work(const struct gm_device_proof *a, const struct gm_device_proof *b);
/* The latest proof of the same work replaces the older one. */
bool gm_device_add_proof(struct gm_device *device, const struct gm_device_proof *proof);
bool gm_device_add_feature(struct gm_device *device, const char *feature);
bool gm_device_has_feature(const struct gm_device *device, const char *feature);
/* What stands behind the prefix in the first feature that has it, "9.0" of "cuda-": borrowed from
 * device; NULL: none has it. */
const char *gm_device_find_feature(const struct gm_device *device, const char *prefix);
#define GM_FEATURE_CUDA "cuda-"               /* and the compute capability */
#define GM_FEATURE_CUDA_DRIVER "driver-cuda-" /* and the CUDA version of the driver, "12.4" */
#define GM_FEATURE_NVENC "driver-nvenc-"      /* and the latest NVENC interface of the driver */
#define GM_FEATURE_VA_API "va-api-"           /* and the version that libva started with */
#define GM_FEATURE_VA_DRIVER "va-driver-"     /* and its name: two may fit one chip */
#define GM_FEATURE_VA_HEADERS "vaapi-packed-headers" /* it takes H.264's parameter sets from us */
#define GM_FEATURE_VA_HEVC "vaapi-packed-hevc"       /* and HEVC's */
#define GM_FEATURE_VA_SCALES "vaapi-scales-"         /* and a depth, "8": it has a scaler for it */
#define GM_FEATURE_MFX "mfx-"                        /* and the Quick Sync runtime's file */
#define GM_FEATURE_LACKS "no-"                       /* and libavcodec's name of an encoder */
#define GM_FEATURE_PCI_DEVICE "device-"              /* and the chip's PCI device id, "2335" */
/* What the chip encodes by that api and this machine's libavcodec does not: nothing to be tried. */
bool gm_device_lacks_encoder(const struct gm_device *device, const char *api, const char *codec);
/* The VA driver through which the device works by that api (vaapi, qsv): borrowed from device;
 * NULL: libva chooses, or none is needed. */
const char *gm_device_va_driver(const struct gm_device *device, const char *api);
/* Everything that `from` knows is put into `list`: texts and numbers that are set there already
 * stay. Errors: as gm_device_get. */
int gm_device_merge(struct gm_device_list *list, const struct gm_device_list *from,
                    struct gm_err *err) GM_MUST_CHECK;
/* The one order: cpu, then by kind and id; codecs by api, codec, chroma, depth. */
void gm_device_sort(struct gm_device_list *list);

/* "0000:3b:00.0" of what NVML ("00000000:3B:00.0"), CUDA and sysfs write; false: not an address. */
bool gm_pci_normalize(const char *text, char out[16]);
const char *gm_device_kind_name(enum gm_device_kind kind);
const char *gm_severity_name(enum gm_severity severity);
const char *gm_engine_state_name(enum gm_engine_state state); /* "" for unknown */

/* One sentence: "GPU 0000:3b:00.0 NVIDIA H200: decode H.264/HEVC/VP9 (7 engines), CUDA; no encoder
 * in this chip: encodes on CPU". */
void gm_device_sentence(const struct gm_device *device, char *out, size_t size);
/* For people: the sentence of each device, then its proofs and notes; and one JSON document
 * (docs/devices.md has its members). Errors: NOMEM by gm_buf_check. */
void gm_device_list_text(const struct gm_device_list *list, struct gm_buf *out);
void gm_device_list_json(const struct gm_device_list *list, struct gm_buf *out);

/* --- device_message.c: messages. */
/* *out: one block, owned: free(); strings are borrowed from device. Errors: NOMEM. */
int gm_device_to_message(const struct gm_device *device, Gm__Device **out,
                         struct gm_err *err) GM_MUST_CHECK;
/* What another process said: ids must have the form of struct gm_device's, enums be known, counts
 * within the limits. Errors: PROTO, NOMEM, LIMIT. *out must be zeroed; fini in any case. */
int gm_device_list_decode(const void *data, size_t size, struct gm_device_list *out,
                          struct gm_err *err) GM_MUST_CHECK;
/* *out owned: free(). */
int gm_device_list_encode(const struct gm_device_list *list, uint8_t **out, size_t *out_size,
                          struct gm_err *err) GM_MUST_CHECK;
/* Of one proof; texts are borrowed. */
void gm_proof_to_message(const struct gm_device_proof *proof, Gm__DeviceProof *out);
void gm_proof_from_message(const Gm__DeviceProof *msg, struct gm_device_proof *out);

#define GM_PROBE_RESULT_MAX (512u << 10) /* bytes of an encoded list */

#endif
