#ifndef GM_NODE_DEVICES_LIMITS_H
#define GM_NODE_DEVICES_LIMITS_H

#include "node/devices/device.h"

/* How long the processes of detection and proofs may take, all in one place. One that hangs costs
 * its limit; one that is killed though it only waited costs the node its device. */
#define GM_LIMIT_PROBE_MS 4000  /* a question to a library: milliseconds where nothing hangs */
#define GM_LIMIT_PROOF_MS 20000 /* ten small pictures; a driver may compile kernels first */
/* Beside it, of what starts NVIDIA's driver, for each GPU of the machine: where nvidia-persistenced
 * does not run the driver initialises all of them, for 1 to 3 s each, whenever a first program
 * opens it, and that is each of these processes when no other one is there.
 * See: https://docs.nvidia.com/deploy/driver-persistence/ */
#define GM_LIMIT_GPU_MS 3000

/* GPUs that NVIDIA's driver starts on this machine: those of the list, or where a list has only
 * some of them, those that the kernel's driver names below root's /proc/driver/nvidia/gpus. */
uint32_t gm_limit_gpus(const char *root, const struct gm_device_list *list);
/* base_ms: one of the two above. gpus: 0 where it does not start NVIDIA's driver. Pure. */
uint32_t gm_limit_ms(uint32_t base_ms, uint32_t gpus);

#endif
