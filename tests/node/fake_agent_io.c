/* The agent that tests start, and its prover, which says what a file says. */
#include "node/fake_io.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"
#include "kernels/kernels.h"

static void on_ready(uint32_t slots, void *arg)
{
    int fd = *(int *)arg;
    if (write(fd, &slots, 1) != 1) {
        abort();
    }
}

/* A file that is one line longer. */
static void count(const struct farm *farm, const char *what)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", farm->folder, what);
    FILE *file = fopen(path, "a");
    if (file == NULL || fputs(".", file) < 0 || fclose(file) != 0) {
        abort();
    }
}

uint32_t farm_count(struct farm *farm, const char *what)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", farm->folder, what);
    return stat(path, &st) == 0 ? (uint32_t)st.st_size : 0;
}

void farm_proof(struct farm *farm, const char *how)
{
    char path[128];
    struct gm_err err;
    snprintf(path, sizeof(path), "%s/proof", farm->folder);
    if (gm_fs_write_atomic(path, how, strlen(how), &err) < 0) {
        abort();
    }
}

static void read_how(const struct farm *farm, char how[16])
{
    char path[128];
    snprintf(path, sizeof(path), "%s/proof", farm->folder);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(how, 16, file) == NULL) {
        how[0] = '\0';
    }
    if (file != NULL) {
        fclose(file);
    }
}

static int fake_prove(struct gm_device_list *list, bool again, const int *stop, void *arg,
                      struct gm_err *err)
{
    struct farm *farm = arg;
    char how[16] = "pass";
    bool kept = !again && farm_count(farm, "kept") > 0;
    if (!kept) {
        read_how(farm, how);
        count(farm, "proved");
    }
    while ((strcmp(how, "hang") == 0 || strcmp(how, "wait") == 0) &&
           __atomic_load_n(stop, __ATOMIC_RELAXED) == 0) {
        poll(NULL, 0, 5);
        if (strcmp(how, "wait") == 0) {
            read_how(farm, how);
        }
    }
    if (strcmp(how, "nothing") == 0) {
        return 0;
    }
    struct gm_device_proof h264 = {
        .api = "nvenc", .codec = "h264", .depth = 8, .encode = true, .text = "no pictures came"};
    bool scaled = strcmp(how, "scaled") == 0, unscaled = strcmp(how, "unscaled") == 0;
    bool whole = strcmp(how, "pass") == 0;
    h264.passed = whole || scaled || unscaled;
    if (whole && farm_count(farm, "kept") == 0) {
        count(farm, "kept");
    }
    if (farm->proves_both) {
        struct gm_device_proof encoder = h264;
        encoder.passed = farm_count(farm, "proved") == 1;
        (void)gm_device_add_proof(&list->devices[0], &encoder);
    }
    if (farm->proves_decoding) {
        bool va = list->devices[0].kind == GM_DEVICE_DRM;
        gm_device_set(h264.api, va ? "vaapi" : "nvdec");
        h264.encode = false;
    }
    struct gm_device_proof hevc = h264;
    gm_device_set(hevc.codec, "hevc");
    bool newer = strcmp(how, "newer") == 0;
    hevc.passed = h264.passed || newer || strcmp(how, "part") == 0;
    (void)gm_device_add_proof(&list->devices[0], &h264);
    (void)gm_device_add_proof(&list->devices[0], &hevc);
    for (uint32_t depth = 8; depth <= 10 && (scaled || unscaled); depth += 2) {
        const struct gm_device_proof scaler = {.api = GM_CUDA_LADDER_API,
                                               .codec = GM_CUDA_LADDER,
                                               .depth = depth,
                                               .encode = true,
                                               .passed = scaled};
        (void)gm_device_add_proof(&list->devices[0], &scaler);
    }
    gm_device_set(list->versions, newer ? "libs 2" : "libs 1");
    (void)err;
    return 0;
}

static int fake_forget(const char *device, void *arg, struct gm_err *err)
{
    struct farm *farm = arg;
    char path[128];
    char how[16];
    read_how(farm, how);
    count(farm, "forgotten");
    if (strcmp(how, "stuck") == 0) {
        return gm_err_set(err, GM_E_SYS, EIO, "as it was told");
    }
    for (size_t i = 0; i < farm->devices->count; i++) {
        if (farm->devices->devices[i].kind != GM_DEVICE_CPU &&
            strcmp(farm->devices->devices[i].id, device) == 0) {
            snprintf(path, sizeof(path), "%s/kept", farm->folder);
            (void)unlink(path);
        }
    }
    return 0;
}

/* A child of the agent that works in that folder. */
static bool is_worker(const struct farm *farm, pid_t pid, const char *scratch)
{
    char path[64];
    char line[512] = "";
    char cwd[4096] = "";
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const char *name_end =
        fgets(line, sizeof(line), file) == NULL ? NULL : strrchr(line, ')'); /* ") S ppid" */
    fclose(file);
    if (name_end == NULL || sscanf(name_end, ") %*c %d", &parent) != 1 || parent != farm->agent) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
    return readlink(path, cwd, sizeof(cwd) - 1) > 0 && strrchr(cwd, '/') != NULL &&
           strcmp(strrchr(cwd, '/') + 1, scratch) == 0;
}

pid_t farm_worker(const struct farm *farm, const char *scratch)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    pid_t found = 0;
    while (dir != NULL && found == 0 && (entry = readdir(dir)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        found = pid > 0 && is_worker(farm, pid, scratch) ? pid : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

_Noreturn void farm_run_agent(struct farm *farm, int ready)
{
    char self[4096];
    char scratch[128];
    char cache[128];
    char launcher[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n < 0 ? 0 : n] = '\0';
    /* <build>/tests/<this program> */
    snprintf(launcher, sizeof(launcher), "%.*s/../bin/gopmill-launcher",
             (int)(strrchr(self, '/') - self), self);
    snprintf(scratch, sizeof(scratch), "%s/scratch", farm->folder);
    snprintf(cache, sizeof(cache), "%s/cache", farm->folder);
    char dead[160];
    snprintf(dead, sizeof(dead), "%s-dead", farm->endpoint);
    const char *endpoints[] = {farm->second ? dead : farm->endpoint,
                               farm->second  ? farm->endpoint
                               : farm->spare ? dead
                                             : NULL,
                               NULL};
    struct gm_err err = {.code = GM_OK};
    struct gm_agent_params params = {
        .node_id = FARM_NODE_ID,
        .hostname = "host",
        .build = "test",
        .endpoints = endpoints,
        .launcher = launcher,
        .worker = self,
        .scratch = scratch,
        .log_level = "error",
        .slots = farm->slots,
        .cpu_milli = 2000,
        .memory_bytes = 1ull << 30,
        .scratch_bytes = 1ull << 30,
        .worker_memory_bytes = 1ull << 30,
        .patience_ms = farm->patience_ms,
        .dying_ms = farm->dying_ms,
        .store_stall_ms = farm->store_stall_ms,
        .parts_again_ms = farm->parts_again_ms,
        .devices = farm->devices,
        .drain_ms = farm->drain_ms,
        .device_slots = farm->device_slots,
        .decode_slots = farm->decode_slots,
        .va_decode_slots = farm->va_decode_slots,
        .device_environment = farm->device_environment,
        .device_paths = farm->device_paths,
        .device_retry_ms = farm->device_retry_ms == 0 ? 100 : farm->device_retry_ms,
        .proofs_first = farm->wait_for_proofs,
        .grant_key = farm->key,
        .on_ready = on_ready,
        .arg = &ready,
    };
    if (farm->prove) {
        params.prover =
            (struct gm_agent_prover){.prove = fake_prove, .forget = fake_forget, .arg = farm};
    }
    const char *level = getenv("GM_TEST_LOG");
    gm_log_init("node", level == NULL ? GM_LOG_ERROR : (enum gm_log_level)gm_log_parse_level(level),
                false);
    int rc = gm_fs_mkdirs(scratch, &err);
    if (rc == 0) {
        rc = gm_cache_open(cache, 1 << 20, &params.cache, &err);
        params.window_folder = cache;
        params.window_bytes = 64 << 20;
    }
    if (rc == 0) {
        rc = gm_agent_run(&params, &err);
    }
    if (rc < 0) {
        fprintf(stderr, "agent: %s\n", err.text);
    }
    gm_cache_close(&params.cache);
    exit(rc < 0 ? 1 : rc);
}
