/* gopmill-launcher: closes every door that a worker does not need, then becomes the worker.
 *
 *   gopmill-launcher --scratch DIR --parent PID [--memory BYTES] [--file-size BYTES]
 *                    [--cpu-flags FLAGS] [--log-level LEVEL]
 *                    [--profile cuda|dri --device ID [--environment NAME]... [--path PATH]...]
 *                    -- WORKER [ARGUMENT...]
 *
 * Descriptor 3 is the worker's end of the socket pair; 0 to 2 are kept, all others closed. The
 * worker gets the sandbox pieces that this kernel lacks as GOPMILL_MISSING, comma-separated.
 * Started by gopmill-node; not for people. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/flags.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/number.h"
#include "node/sandbox.h"

#define WORKER_DESCRIPTORS 256

static const char HELP[] =
    "Usage: gopmill-launcher --scratch DIR --parent PID [options] -- WORKER [ARGUMENT...]\n"
    "\n"
    "Closes every door that a worker does not need, then becomes the worker. Started by\n"
    "gopmill-node; not for people: see gopmill-launcher(8).\n"
    "\n"
    "  --scratch DIR      working directory of the worker, the one folder it may write to\n"
    "  --parent PID       the process with which it ends\n"
    "  --memory BYTES     limit of its address space\n"
    "  --file-size BYTES  limit of each file it writes\n"
    "  --cpu-flags FLAGS  CPU extensions for media code, for tests\n"
    "  --log-level LEVEL  error, warn, info, debug or trace\n"
    "  --profile NAME     none, or for a device's worker: cuda or dri (its render node)\n"
    "  --device ID        the device: a UUID, or the path of a render node\n"
    "  --va-driver NAME   with dri: the VA driver that libva loads (LIBVA_DRIVER_NAME)\n"
    "  --environment NAME a variable that it gets, if it is set; may be given again\n"
    "  --path PATH        what it may read and write besides; may be given again\n"
    "  --version          print the version\n"
    "  --help             print this\n";

struct options {
    const char *scratch;
    uint64_t parent;
    const char *cpu_flags;
    const char *log_level;
    const char *va_driver; /* NULL: libva chooses */
    struct gm_sandbox_limits limits;
    struct gm_sandbox_device device;
    struct gm_flag_list environment, paths;
    char joined[16384]; /* paths, for the worker */
};

static bool is_given(const struct options *options, const char *variable)
{
    for (size_t i = 0; i < options->environment.count; i++) {
        if (strcmp(options->environment.items[i], variable) == 0) {
            return true;
        }
    }
    return false;
}

static int join_paths(struct options *options, struct gm_err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < options->paths.count; i++) {
        const char *path = options->paths.items[i];
        size_t room = sizeof(options->joined) - used;
        if (path[0] != '/' || strchr(path, ':') != NULL) {
            return gm_err_set(err, GM_E_INVAL, 0, "--path `%.200s` is not absolute, or has a colon",
                              path);
        }
        int n = snprintf(options->joined + used, room, "%s%s", i == 0 ? "" : ":", path);
        if (n < 0 || (size_t)n >= room) {
            return gm_err_set(err, GM_E_INVAL, 0, "the paths are too long");
        }
        used += (size_t)n;
    }
    return 0;
}

/* text NULL: not given, and *out stays. */
static int parse_number(const char *text, uint64_t *out, struct gm_err *err)
{
    int64_t value = 0;
    if (text == NULL) {
        return 0;
    }
    if (!gm_number_int(text, &value) || value < 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%s` is not a number", text);
    }
    *out = (uint64_t)value;
    return 0;
}

/* *out_first: index in argv of the program that is to run. */
static int parse(int argc, char **argv, struct options *out, int *out_first, struct gm_err *err)
{
    const char *parent = NULL, *memory = NULL, *file_size = NULL, *profile = "";
    const struct gm_flag table[] = {{"scratch", GM_FLAG_TEXT, &out->scratch},
                                    {"parent", GM_FLAG_TEXT, &parent},
                                    {"memory", GM_FLAG_TEXT, &memory},
                                    {"file-size", GM_FLAG_TEXT, &file_size},
                                    {"cpu-flags", GM_FLAG_TEXT, &out->cpu_flags},
                                    {"log-level", GM_FLAG_TEXT, &out->log_level},
                                    {"profile", GM_FLAG_TEXT, &profile},
                                    {"device", GM_FLAG_TEXT, &out->device.device},
                                    {"va-driver", GM_FLAG_TEXT, &out->va_driver},
                                    {"environment", GM_FLAG_LIST, &out->environment},
                                    {"path", GM_FLAG_LIST, &out->paths},
                                    {NULL, GM_FLAG_SET, NULL}};
    int rc = gm_flags_take(argc, argv, table, out_first, err);
    if (rc == 0) {
        rc = parse_number(parent, &out->parent, err);
    }
    if (rc == 0) {
        rc = parse_number(memory, &out->limits.memory_bytes, err);
    }
    if (rc == 0) {
        rc = parse_number(file_size, &out->limits.file_size_bytes, err);
    }
    if (rc == 0 && !gm_sandbox_profile_parse(profile, &out->device.profile)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--profile is none, cuda or dri");
    }
    if (rc == 0 && (out->scratch == NULL || out->parent == 0 || *out_first >= argc)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--scratch, --parent and a program are needed");
    }
    if (rc == 0 && (out->device.profile == GM_SANDBOX_PLAIN) != (out->device.device == NULL)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--profile and --device go together");
    }
    if (rc == 0 && out->va_driver != NULL && out->device.profile != GM_SANDBOX_DRI) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "--va-driver is for the profile dri");
    }
    if (rc == 0) {
        rc = join_paths(out, err);
    }
    if (rc == 0) {
        out->device.paths = out->joined;
        out->device.libraries = is_given(out, "LD_LIBRARY_PATH") ? getenv("LD_LIBRARY_PATH") : NULL;
    }
    return rc;
}

/* Values outlive clearenv: it drops pointers, not the strings that the kernel laid out. */
static void look_up(const struct options *options, const char *values[GM_FLAG_LIST_MAX])
{
    for (size_t i = 0; i < options->environment.count; i++) {
        values[i] = getenv(options->environment.items[i]);
    }
}

/* The device's variables. The one device of a CUDA worker is the first that it sees; kernels that
 * the driver compiles are kept in its scratch folder, which each worker finds empty: as long as
 * this process lives. */
static int set_device(const struct options *options, const char *const values[GM_FLAG_LIST_MAX],
                      struct gm_err *err)
{
    char cache[4096];
    bool cuda = options->device.profile == GM_SANDBOX_CUDA;
    int rc = gm_fs_path(cache, sizeof(cache), err, "%s/cuda-cache", options->scratch);
    if (rc < 0) {
        return rc;
    }
    bool set = setenv("GOPMILL_PROFILE", cuda ? "cuda" : "dri", 1) == 0 &&
               setenv("GOPMILL_DEVICE", options->device.device, 1) == 0 &&
               setenv("GOPMILL_DEVICE_PATHS", options->device.paths, 1) == 0;
    if (set && cuda) {
        set = setenv("CUDA_CACHE_PATH", cache, 1) == 0;
    }
    if (set && options->va_driver != NULL) { /* one that the operator names goes before it */
        set = setenv("LIBVA_DRIVER_NAME", options->va_driver, 1) == 0;
    }
    for (size_t i = 0; set && i < options->environment.count; i++) {
        set = values[i] == NULL || setenv(options->environment.items[i], values[i], 1) == 0;
    }
    if (set && cuda) {
        set = setenv("CUDA_VISIBLE_DEVICES", options->device.device, 1) == 0;
    }
    return set ? 0 : gm_err_nomem(err);
}

/* glibc's libm picks fused multiply-add code where the CPU has it, which rounds differently;
 * without it every x86 machine computes the same bits. */
static int make_environment(const struct options *options, const struct gm_sandbox_missing *missing,
                            struct gm_err *err)
{
    char names[256] = "";
    const char *values[GM_FLAG_LIST_MAX];
    look_up(options, values);
    for (size_t i = 0; i < missing->count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s", i == 0 ? "" : ",", missing->names[i]);
    }
    if (clearenv() != 0) {
        return gm_err_nomem(err);
    }
    int rc = options->device.profile == GM_SANDBOX_PLAIN ? 0 : set_device(options, values, err);
    if (rc < 0) {
        return rc;
    }
    if (setenv("LANG", "C", 1) != 0 ||
        setenv("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-FMA,-FMA4", 1) != 0 ||
        setenv("GOPMILL_MISSING", names, 1) != 0 ||
        (options->log_level != NULL && setenv("GOPMILL_LOG", options->log_level, 1) != 0) ||
        (options->cpu_flags != NULL && options->cpu_flags[0] != '\0' &&
         setenv("GOPMILL_CPU_FLAGS", options->cpu_flags, 1) != 0)) {
        return gm_err_nomem(err);
    }
    return 0;
}

static int launch(int argc, char **argv, struct gm_err *err)
{
    struct options options = {.limits = {.descriptors = WORKER_DESCRIPTORS}};
    struct gm_sandbox_missing missing = {.count = 0};
    int first = 0;
    int rc = parse(argc, argv, &options, &first, err);
    if (rc < 0) {
        return rc;
    }
    if (close_range(4, ~0u, 0) < 0) {
        return gm_err_sys(err, errno, "could not close foreign descriptors");
    }
    int crash = gm_crash_keep();
    if (chdir(options.scratch) < 0) {
        return gm_err_sys(err, errno, "could not enter the scratch folder `%s`", options.scratch);
    }
    rc = gm_sandbox_limit(&options.limits, err);
    if (rc == 0) {
        rc = gm_sandbox_bind((int64_t)options.parent, err);
    }
    if (rc == 0) {
        rc = gm_sandbox_outer(argv[first], &options.device, &missing, err);
    }
    if (rc == 0) {
        rc = make_environment(&options, &missing, err);
    }
    if (rc < 0) {
        return rc;
    }
    gm_crash_pass(crash);
    /* An interrupt at a terminal is the agent's affair; a file over its limit is an error, no
     * death. Ignored signals stay so through exec. */
    signal(SIGINT, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    execv(argv[first], argv + first);
    return gm_err_sys(err, errno, "could not run `%s`", argv[first]);
}

int main(int argc, char **argv)
{
    struct gm_err err = {.code = GM_OK};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return fputs(HELP, stdout) >= 0 && fflush(stdout) == 0 ? 0 : 1;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return puts("gopmill-launcher " GOPMILL_VERSION) >= 0 && fflush(stdout) == 0 ? 0 : 1;
    }
    gm_log_init("launcher", GM_LOG_INFO, false);
    if (launch(argc, argv, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "launch-failed", &err, "pid=%" PRId64, (int64_t)getpid());
    }
    return 126; /* reached only when the worker was not started */
}
