#ifndef GM_NODE_DEVICES_CHAINS_H
#define GM_NODE_DEVICES_CHAINS_H

#include "node/devices/device.h"

/* Chains (docs/adr/0020): what a device was proved to encode with. Plain data; pure. */
#define GM_DEVICE_CHAINS 4
#define GM_CHAIN_CODECS 8

struct gm_device_chain {
    char name[16];         /* the api of its proofs: nvenc vaapi qsv */
    char fingerprint[448]; /* chip, driver, libraries: the same for like devices of other nodes */
    char codecs[GM_CHAIN_CODECS][16]; /* av1 h264 hevc hevc10 ..., by alphabet */
    size_t codec_count;
};

/* The chains that passed encode proofs make, by name. The kernel that scales is no chain of its
 * own: where its proofs passed the fingerprint of nvenc names it (GM_CUDA_LADDER_MARK), so that
 * jobs which are planned with it meet no device without it. So is a VA driver's scaler, whose bits
 * the fingerprint of vaapi has (GM_VA_LADDER_MARK). A device that tells neither name nor
 * vendor, or no driver, makes none: nobody could tell it from another. versions:
 * gm_device_list.versions of the proofs. Returns how many. Thread: any. */
size_t gm_chains_make(const struct gm_device *device, const char *versions,
                      struct gm_device_chain out[GM_DEVICE_CHAINS]);

/* The proof is of what scales, which is no codec. */
bool gm_proof_is_of_scaler(const struct gm_device_proof *proof);

/* Whether they have the same names, fingerprints and codecs. */
bool gm_chains_are_same(const struct gm_device_chain *a, size_t a_count,
                        const struct gm_device_chain *b, size_t b_count);

/* They are of one device and name, and differ in what scales alone, which the one may have passed
 * later: that device does the work of both. */
bool gm_chain_differs_by_scaler(const struct gm_device_chain *a, const struct gm_device_chain *b);
/* The name of the chain whose pictures such a proof's scaler makes. Static. */
const char *gm_proof_scaler_chain(const struct gm_device_proof *proof);

/* Whether media/ encodes with chains of that name; others are listed, and offered to nobody. */
bool gm_chain_is_usable(const char *name);

/* Whether tasks can use the device's chain of that name for that codec and depth: media/ encodes
 * it, and the driver leaves the codec's parameter sets to the farm, which have to be the same in
 * each chunk.
 */
bool gm_chain_encodes(const struct gm_device *device, const char *name, const char *codec,
                      uint32_t depth);

#endif
