#ifndef GM_NODE_DEVICES_DECODING_H
#define GM_NODE_DEVICES_DECODING_H

#include "node/devices/device.h"

/* What a GPU's decoder is good for beside its encoder (docs/adr/0024, 0026): how many tasks of the
 * processors it decodes for at once, by which interface, and what it was proved to decode. Pure.
 * Thread: any. */
#define GM_DECODING_CODECS 8

/* Two a decoding engine, as far as its memory goes; where neither is told, as VA drivers do, those
 * of one engine. 0: nothing that media/ decodes with, or nothing that ties a worker to it (a UUID,
 * a render node). */
uint32_t gm_decoding_room(const struct gm_device *device);
/* Nobody may learn that a picture was damaged (VA drivers, docs/adr/0026): it decodes only where
 * the operator says so. */
bool gm_decoding_conceals(const struct gm_device *device);
/* Where it has room: nvdec, vaapi (static), and the device as that names it: its UUID, or its
 * render node (borrowed from device). */
const char *gm_decoding_api(const struct gm_device *device);
const char *gm_decoding_device(const struct gm_device *device);
/* What it was proved to decode, in the order of the proofs: "h264", "hevc", in 10 bits "hevc10".
 * Returns how many. *out_why: where there is none, why; borrowed from device, or static. */
size_t gm_decoding_codecs(const struct gm_device *device, char out[GM_DECODING_CODECS][16],
                          const char **out_why);

#endif
