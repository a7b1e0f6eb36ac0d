/* clang-format off */
/* What the fake drivers share: the profile that says which devices there are, the faults, and the
 * state that all processes of one test have in common.
 *
 * The fakes are libcuda.so.1, libnvidia-encode.so.1, libnvcuvid.so.1, libnvidia-ml.so.1, the VA
 * driver fake_drv_video.so and the Quick Sync runtime fake_mfx.so. They are loaded only by LD_LIBRARY_PATH and LIBVA_DRIVERS_PATH, never installed, and call themselves fake in every name that they
 * report. Media work is done in software by libavcodec and libx265.
 *
 * A driver's interface has no context argument: the profile and the state are file-scope data here,
 * as they are in any driver.
 *
 * Profile: the text file named by GOPMILL_FAKE_DRIVERS, looked at again in every call. `#` begins a
 * comment. Its lines:
 *
 *   driver 535.183.01            driver version; "-fake" is put behind it
 *   libraries cuda cuvid nvenc nvml va mfx    those that `with` lets be found; without the line: all
 *                                but va and mfx
 *   cuda 12.2                    what cuDriverGetVersion says
 *   nvenc-api 12.1               highest NVENC interface
 *   ptx 8.2                      highest PTX version that cuModuleLoadData takes
 *   fatbin yes|no                no: only PTX loads (CUDA_ERROR_NO_BINARY_FOR_GPU)
 *   sessions 8                   encoder sessions of the whole machine at once; 0: no limit
 *   gpu 0000:3b:00.0             begins a GPU; the order of the file is CUDA's, NVML sorts by address
 *     name L4                    reported as "gopmill fake GPU L4"
 *     compute 8.9
 *     memory-mib 23034           also what one process may allocate
 *     multiprocessors 58
 *     encoders 2                 NVENC engines; 0: OpenEncodeSessionEx says unsupported device
 *     decoders 4                 NVDEC engines
 *     sessions 3                 of this GPU alone; 0: no limit
 *     full memory|key          what an encoder says at the limit of sessions: out of memory, or incompatible client key as newer drivers
 *     encode hevc 8,10 129x33 8192x8192 4      codec, depths, smallest, largest, most B pictures
 *     decode h264 8 420 48x16 4096x4096        codec, depths, chroma formats, smallest, largest
 *     node renderD128          a GPU of a VA driver: its render node, which `with` makes; three at most
 *     id 8086:56a0             of a VA driver: PCI vendor and device, for `with`
 *     rate cqp,cbr,vbr,icq,qvbr    rate control of its encoder, by VA and Quick Sync; without the line: all
 *     packed yes|no            no: the VA driver writes all headers itself
 *     low-power yes|no         yes: EncSliceLP besides EncSlice
 *     low-delay yes|no         yes: slices refer to earlier pictures alone; of HEVC B slices stand for P slices
 *     sync-buffer yes|no       no: the VA driver lacks vaSyncBuffer, as older ones
 *     scale yes|no             yes: the VA driver has VideoProc, which scales
 *     scale-soft yes|no        yes: by a wider filter, as another build of the driver may
 *     surface-kib 4096         what the surfaces of a display may have together
 *     surface-side 2048        larger surfaces get "no memory", however much there is
 *     context-side 2048        so do larger pictures of encoders and of the scaler
 *   back 0000:3b:00.0 1          its first loss is over (2: the first two)
 *   fault POINT ACTION [gpu=PCI] [at=N] [times=T]
 *
 * Points: nvml-init cuda-init context alloc copy launch module encode-open encode-init encode lock
 *   decode-caps decode-open decode map va-init show register pin copied mfx-init scale-open scale. Of a VA driver: encode-open is a configuration, encode-init
 *   a context, alloc surfaces, copy an image, encode the end of a picture, lock the mapping of its bits. Of the Quick Sync runtime: mfx-init is
 *   a session, encode-open a query, encode-init the encoder's start, copy an upload, encode a picture given, lock the wait for its bits.
 * Actions: oom, no-device, unsupported, error (the interface's general error), mismatch (driver and
 *   library differ), lost (the device is gone for every process until a `back` line), wrong (pixels
 *   are spoilt), corrupt (the bits are spoilt), hang (the call never returns), crash (SIGKILL),
 *   busy (of a VA driver: HW_BUSY; of an encoder of NVIDIA's: no session free, as newer drivers say it; elsewhere as error), invalid (of CUDA: an invalid value; elsewhere as error).
 *   Of cuda-init, unsupported is what the toolkit's stub of libcuda says.
 *   Of register, an encoder's of device memory, oom is what a full device says.
 *   Of a VA driver register is a buffer for a slice to be decoded, map what waits for its picture.
 *   Of show, the parser's call that gives a picture out: wrong leaves it out, busy decodes the next one to the same
 *   surface. Of launch: the kernel does nothing. Pin is page-locked memory; copied: a copy that was queued, when it is done.
 *   Of a VA driver scale-open is the configuration of its scaler, scale a picture of it: wrong moves it to the right, corrupt takes ten bits through eight.
 * at=N: only in the N-th picture (from 1) of a session, decoder or scaler for encode, lock, decode, map, show and scale;
 *   elsewhere the N-th call of that kind in the process. Without it: always.
 * times=T: only T times in all processes together. `lost` with at= happens once if times= is not given.
 *
 * A line that can't be read ends the process with a message: a test with a wrong profile proves nothing.
 * An empty file is taken as "being written": what was read before stays. */
/* clang-format on */
#ifndef GM_TESTS_DRIVERS_FAKE_H
#define GM_TESTS_DRIVERS_FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FAKE_MAX_GPUS 16
#define FAKE_MAX_CODECS 12
#define FAKE_MAX_FAULTS 16
#define FAKE_MAX_SLOTS 64

#define FAKE_DEPTH_8 1u
#define FAKE_DEPTH_10 2u
#define FAKE_DEPTH_12 4u
#define FAKE_RATE_CQP 1u
#define FAKE_RATE_CBR 2u
#define FAKE_RATE_VBR 4u
#define FAKE_RATE_ICQ 8u
#define FAKE_RATE_QVBR 16u
#define FAKE_CHROMA_400 1u
#define FAKE_CHROMA_420 2u
#define FAKE_CHROMA_422 4u
#define FAKE_CHROMA_444 8u

enum fake_point {
    FAKE_NVML_INIT,
    FAKE_CUDA_INIT,
    FAKE_CONTEXT,
    FAKE_ALLOC,
    FAKE_COPY,
    FAKE_LAUNCH,
    FAKE_MODULE,
    FAKE_ENCODE_OPEN,
    FAKE_ENCODE_INIT,
    FAKE_ENCODE,
    FAKE_LOCK,
    FAKE_DECODE_CAPS,
    FAKE_DECODE_OPEN,
    FAKE_DECODE,
    FAKE_MAP,
    FAKE_VA_INIT,
    FAKE_SHOW,
    FAKE_REGISTER,
    FAKE_PIN,
    FAKE_COPIED,
    FAKE_MFX_INIT,
    FAKE_SCALE_OPEN,
    FAKE_SCALE,
    FAKE_POINTS
};

enum fake_action {
    FAKE_OK,
    FAKE_OOM,
    FAKE_NO_DEVICE,
    FAKE_UNSUPPORTED,
    FAKE_ERROR,
    FAKE_MISMATCH,
    FAKE_LOST,
    FAKE_WRONG,
    FAKE_CORRUPT,
    FAKE_HANG,
    FAKE_CRASH,
    FAKE_BUSY,
    FAKE_INVALID,
    FAKE_ACTIONS
};

struct fake_codec {
    char name[12]; /* libavcodec's name: h264 hevc av1 vp8 vp9 mpeg1video mpeg2video mpeg4 vc1 mjpeg
                    */
    unsigned depths; /* FAKE_DEPTH_ bits */
    unsigned chroma; /* FAKE_CHROMA_ bits; decoders only */
    int min_width, min_height, max_width, max_height;
    int bframes; /* encoders only */
};

struct fake_engine { /* a codec list of one GPU, one direction */
    struct fake_codec codecs[FAKE_MAX_CODECS];
    int codec_count;
    int engines;
};

struct fake_gpu {
    char pci[16]; /* dddd:bb:dd.f, lower case */
    unsigned domain, bus, device;
    char name[64];    /* with "gopmill fake GPU " before it */
    uint8_t uuid[16]; /* made from the address: the same in every run */
    int major, minor;
    uint64_t memory_bytes;
    uint64_t surface_bytes;         /* of a VA driver's display; 0: any */
    int surface_side, context_side; /* 0: any */
    int multiprocessors;
    int sessions;
    bool full_is_key; /* at the limit of sessions: NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY */
    unsigned back;    /* losses that are over */
    char node[16];    /* a VA driver's render node; "": none */
    unsigned rates;   /* FAKE_RATE_ bits */
    bool packed, low_power, low_delay, sync_buffer, scale, scale_soft;
    struct fake_engine encode, decode;
};

struct fake_fault {
    enum fake_point point;
    enum fake_action action;
    char pci[16]; /* empty: any */
    int64_t at;   /* 0: always */
    int times;    /* 0: no limit */
    uint32_t id;  /* of its text: counts of one fault stay its own when lines move */
};

struct fake_profile {
    char driver[48];
    int cuda_version; /* 12020 */
    int nvenc_major, nvenc_minor;
    int ptx_major, ptx_minor;
    bool fatbin;
    int sessions;
    struct fake_gpu gpus[FAKE_MAX_GPUS];
    int gpu_count;
    struct fake_fault faults[FAKE_MAX_FAULTS];
    int fault_count;
};

/* The profile as the file is now. Borrowed for ever: a reading is never freed. Ends the process
 * when the file can't be read at all or has a wrong line. Thread: any. */
const struct fake_profile *fake_profile_get(void);

/* Reads text (a whole file) into out. Returns 0, or the number of the wrong line and in *why a
 * word. Thread: any. */
int fake_profile_parse(const char *text, struct fake_profile *out, const char **why);

/* Index of the GPU at an address; -1 when there is none. */
int fake_gpu_find(const struct fake_profile *profile, const char *pci);

/* The codec of an engine by name; NULL when it has none. */
const struct fake_codec *fake_codec_find(const struct fake_engine *engine, const char *name);

/* What happens at a point on a GPU (its address; NULL: none, or not known yet). number: frame from
 * 1, or 0 to count the calls of this process. A hang never returns, a crash neither; lost is
 * entered in the state before this returns FAKE_LOST. Thread: any. */
enum fake_action fake_fault_at(enum fake_point point, const char *pci, int64_t number);

/* How often the GPU at pci has been lost so far (a context remembers it), and whether it is now. */
unsigned fake_lost_count(const char *pci);
bool fake_is_lost(const char *pci);

/* Takes one encoder session slot on the GPU, within the machine's and its own limit. Returns the
 * slot, 0.., or -1 when all are taken. The kernel frees the slot of a process that dies in any way.
 * Thread: any. */
int fake_slot_take(const char *pci);
void fake_slot_release(int slot);

/* Sessions open in all processes on the GPU at pci (NULL: on all). */
int fake_slot_count(const char *pci);

#endif
