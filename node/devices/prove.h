#ifndef GM_NODE_DEVICES_PROVE_H
#define GM_NODE_DEVICES_PROVE_H

#include "node/devices/device.h"

/* Proofs: what a device says it encodes and decodes, tried (media/prove/prove.h), each try in a
 * process of its own with a time limit. A proof that passed holds as long as device, driver and
 * libraries are the same, and is kept in a file; a failed one is always tried again. Thread: as
 * helper.h. */
/* Devices that opened in the sandbox of their workers. All-zero: none. */
struct gm_prove_opened {
    char ids[GM_DEVICES_MAX][sizeof(((struct gm_device *)0)->id)];
    size_t count;
};
/* How workers are started: what each device is opened in beside its proofs. */
struct gm_prove_sandbox { /* borrowed */
    const char *launcher; /* path of gopmill-launcher */
    const char *scratch;  /* absolute; a folder each is made there and removed; NULL: no sandbox */
    const char *const *environment; /* as of struct gm_slot_params; NULL: none */
    const char *const *paths;
    struct gm_prove_opened *opened; /* read and added to; NULL: nobody keeps them */
};
#define GM_PROVE_START "start"
struct gm_prove_params { /* borrowed */
    const char *program; /* path of gopmill-prove */
    const char *file;    /* of proofs, made when missing; NULL: none is kept */
    bool again;          /* try also what the file has proven */
    bool software;       /* the cpu too */
    uint32_t limit_ms;   /* of one try; 0: as limits.h has it */
    size_t parallel;     /* 0: 2; what fails in words beside others of its device is
                          tried once more, alone */
    const int *stop;     /* set by another thread: give up; NULL: nobody does */
    struct gm_prove_sandbox sandbox;
};

/* Adds a proof to each device of the list for each codec it says it has (4:2:0, 8 and 10 bits,
 * H.264, HEVC, AV1, VP9) and libavcodec is not known to lack (GM_FEATURE_LACKS), and for the kernel
 * that scales where it has NVENC, from the file or by trying. What failed is a proof that did not
 * pass. A file that can't be read or written costs its use, and a note. Errors: NOMEM, SYS,
 * CANCELLED. */
int gm_prove(struct gm_device_list *list, const struct gm_prove_params *params,
             struct gm_err *err) GM_MUST_CHECK;

/* Opens each device some proof of which passed in the sandbox of its workers: proofs are made
 * outside. Where it does not open, none of its proofs passed, and their texts say so; what the file
 * of proofs has stays. One that is busy or out of memory at that moment tells nothing of the
 * sandbox where it is at work: its proofs stay, and a note says so, unless it is missing in
 * sandbox.opened. Of those none is opened once more, unless params->again. Nothing without a
 * sandbox. Errors: as gm_prove. */
int gm_prove_starts(struct gm_device_list *list, const struct gm_prove_params *params,
                    struct gm_err *err) GM_MUST_CHECK;

/* The libraries that proofs are made with, "libavcodec-59.37.100 ...", as `program`, gopmill-prove,
 * says them; *out "" and `why` has words: it can't be asked. stop: as above. Errors: NOMEM, SYS,
 * CANCELLED. Thread: as helper.h. */
int gm_prove_libraries(const char *program, const int *stop, char out[128], char why[160],
                       struct gm_err *err) GM_MUST_CHECK;

/* The device failed at work: its proofs in the file hold no longer. A file that is missing is fine.
 * Errors: NOMEM, SYS, PROTO. */
int gm_prove_forget(const char *file, const char *device, struct gm_err *err) GM_MUST_CHECK;

#endif
