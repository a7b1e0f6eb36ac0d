/* gopmill-node: the agent of one machine.
 *
 *   gopmill-node --config FILE [--check]
 *   gopmill-node devices [--json] [--prove] ...
 *   gopmill-node --help | --version
 *
 * Prints "READY node=<id> slots=<n>" on stdout when the scheduler knows it and all workers run. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/spawn.h"
#include "common/time.h"
#include "media/version.h"
#include "node/agent.h"
#include "node/cache.h"
#include "node/capacity.h"
#include "node/devices/prove.h"
#include "node/devices_command.h"
#include "node/measured.h"
#include "node/node_config.h"
#include "node/program.h"
#include "node/state.h"
#include "storage/store.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define BUILD GOPMILL_VERSION "+media" TEXT(GM_MEDIA_VERSION)
#define POOL_THREADS "8" /* stores and hashes block their thread */

static const char HELP[] =
    "Usage: gopmill-node --config FILE [--check]\n"
    "       gopmill-node devices [--json] [--prove] [--sysfs-root DIR] [--state DIR]\n"
    "\n"
    "Runs media tasks for a gopmill scheduler, each in a sandboxed worker process.\n"
    "\n"
    "  --config FILE  YAML file with the node's options (see gopmill-node(8))\n"
    "  --check        read the configuration, say whether it is right, and end\n"
    "  devices        say what devices this machine has, and end; see devices --help\n"
    "  --version      print the version\n"
    "  --help         print this\n";

struct node {
    struct gm_node_config config;
    struct gm_state state;
    struct gm_cache *cache;
    struct gm_agent_params params;
    char hostname[256];
    char *node_id;
    char *launcher;
    char *worker;
    struct gm_device_list devices;
    char *prove; /* owned: path of gopmill-prove; NULL: nothing is proved */
    char proofs[4096];
    struct gm_prove_opened opened; /* of the thread that proves: one at a time */
};

static void on_ready(uint32_t slots, void *arg)
{
    const struct node *node = arg;
    printf("READY node=%s slots=%" PRIu32 "\n", node->params.node_id, slots);
    fflush(stdout);
}

static int take_capacity(struct node *node, struct gm_err *err)
{
    const struct gm_node_config *config = &node->config;
    struct gm_capacity machine;
    int rc = gm_capacity_detect("", 0, &machine, err);
    if (rc < 0) {
        return rc;
    }
    uint32_t cpus = machine.cpu_milli / 1000;
    node->params.slots = config->slots == 0 ? cpus : (uint32_t)config->slots;
    /* More slots than CPUs were asked for on purpose: each counts as one. */
    node->params.cpu_milli =
        node->params.slots > cpus ? node->params.slots * 1000 : machine.cpu_milli;
    node->params.memory_bytes =
        config->memory_bytes == 0 ? machine.memory_bytes : (uint64_t)config->memory_bytes;
    node->params.scratch_bytes = (uint64_t)config->scratch_bytes;
    /* a ladder from 2160p in HEVC with 10 bits takes 5 GiB */
    uint64_t half = node->params.memory_bytes / 2;
    uint64_t least = (uint64_t)GM_NODE_WORKER_MEMORY;
    node->params.worker_memory_bytes = config->worker_memory_bytes != 0
                                           ? (uint64_t)config->worker_memory_bytes
                                       : half > least ? half
                                                      : least;
    return 0;
}

/* Each transfer would fail for it, and say so of the store. */
static int check_ca(const char *path, struct gm_err *err)
{
    if (path[0] != '\0' && access(path, R_OK) < 0) {
        return gm_err_set(err, GM_E_CONFIG, errno, "storage_ca: %.150s can't be read: %s", path,
                          strerror(errno));
    }
    return 0;
}

static int prepare(struct node *node, struct gm_err *err)
{
    const struct gm_node_config *config = &node->config;
    int rc = check_ca(config->storage_ca, err);
    if (rc == 0) {
        rc = take_capacity(node, err);
    }
    if (rc == 0) {
        rc = gm_grant_key_load(config->grant_key_file, &node->params.grant_key, err);
    }
    if (rc == 0) {
        rc = gm_program_find("gopmill-launcher", &node->launcher, err);
    }
    if (rc == 0) {
        rc = gm_program_find("gopmill-worker", &node->worker, err);
    }
    if (rc == 0) {
        rc = gm_state_open(config->state, &node->state, err);
    }
    if (rc == 0 && gethostname(node->hostname, sizeof(node->hostname) - 1) < 0) {
        rc = gm_err_sys(err, errno, "could not ask for the host name");
    }
    if (rc == 0 && config->node_id[0] == '\0') {
        rc = gm_state_node_id(&node->state, node->hostname, &node->node_id, err);
    }
    if (rc == 0) {
        rc = gm_fs_mkdirs(node->state.cache, err);
    }
    if (rc == 0) {
        rc = gm_cache_open(config->cache[0] != '\0' ? config->cache : node->state.cache,
                           (uint64_t)config->cache_bytes, &node->cache, err);
    }
    return rc;
}

/* Outputs on their way to the store are open files: many, with many slots. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
            gm_log(GM_LOG_WARN, "descriptor-limit", "errno=%d", errno);
        }
    }
}

/* Both run on a thread of the agent's pool. */
static int prove(struct gm_device_list *list, bool again, const int *stop, void *arg,
                 struct gm_err *err)
{
    struct node *node = arg;
    const struct gm_prove_params params = {
        .program = node->prove,
        .file = node->proofs,
        .again = again,
        .parallel = node->params.cpu_milli / 1000,
        .stop = stop,
        .sandbox = {.launcher = node->launcher,
                    .scratch = node->state.scratch,
                    .environment = node->params.device_environment,
                    .paths = node->params.device_paths,
                    .opened = &node->opened}};
    return gm_prove(list, &params, err);
}

static int forget(const char *device, void *arg, struct gm_err *err)
{
    const struct node *node = arg;
    return gm_prove_forget(node->proofs, device, err);
}

static bool proves(const struct gm_node_config *config)
{
    return strcmp(config->devices, "prove") == 0 || strcmp(config->devices, "wait") == 0;
}

/* What devices there are, before a worker or thread runs. Takes seconds at worst. What they can do
 * is proved while the agent runs. */
static int find_devices(struct node *node, struct gm_err *err)
{
    const char *mode = node->config.devices;
    int rc = gm_fs_path(node->proofs, sizeof(node->proofs), err, "%s/proofs", node->state.folder);
    if (rc < 0) {
        return rc;
    }
    const struct gm_devices_params params = {.detect = strcmp(mode, "off") != 0};
    gm_time begin = gm_time_now();
    rc = gm_devices_find(&params, &node->devices, err);
    if (rc < 0) {
        return rc;
    }
    gm_log(GM_LOG_INFO, "devices", "count=%zu ms=%" PRId64, node->devices.count,
           (gm_time_now() - begin) / GM_MS);
    for (size_t i = 0; i < node->devices.count; i++) {
        char sentence[1024];
        char quoted[2048];
        gm_device_sentence(&node->devices.devices[i], sentence, sizeof(sentence));
        gm_log(GM_LOG_INFO, "device", "id=%s msg=%s", node->devices.devices[i].id,
               gm_log_quote(sentence, quoted, sizeof(quoted)));
    }
    struct gm_err missing;
    if (proves(&node->config) && node->devices.count > 1 &&
        gm_program_find("gopmill-prove", &node->prove, &missing) == 0) {
        node->params.prover =
            (struct gm_agent_prover){.prove = prove, .forget = forget, .arg = node};
    }
    return 0;
}

static void log_notes(const struct gm_device_note *notes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char quoted[2 * sizeof(notes[i].text)];
        if (strncmp(notes[i].text, GM_MEASURED_NOTE, strlen(GM_MEASURED_NOTE)) == 0) {
            gm_log(GM_LOG_WARN, "not-measured", "msg=%s",
                   gm_log_quote(notes[i].text, quoted, sizeof(quoted)));
        }
    }
}

/* What hwtest measured here. What can't be used is a note: a node works without figures. */
static void take_measured(struct node *node)
{
    const char *path = node->config.measured;
    struct gm_device_list *list = &node->devices;
    struct gm_err err = {.code = GM_OK};
    char libraries[128] = "", why[160] = "";
    char *program = NULL;
    int rc = gm_program_find("gopmill-prove", &program, &err);
    if (rc == 0) {
        rc = gm_prove_libraries(program, NULL, libraries, why, &err);
    }
    free(program);
    if (rc < 0 || why[0] != '\0') {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 GM_MEASURED_NOTE "%.120s is not used: gopmill-prove could not say "
                                                  "its libraries: %.120s",
                                 path, rc < 0 ? err.text : why);
    } else {
        gm_measured_load(path, libraries, list);
    }
    log_notes(list->notes, list->note_count);
    for (size_t i = 0; i < list->count; i++) {
        const struct gm_device *d = &list->devices[i];
        log_notes(d->notes, d->note_count);
        if (d->rate_count > 0) {
            gm_log(GM_LOG_INFO, "measured", "id=%s figures=%zu", d->id, d->rate_count);
        }
    }
}

static int run(struct node *node, struct gm_err *err)
{
    const struct gm_node_config *config = &node->config;
    int rc = prepare(node, err);
    if (rc < 0) {
        return rc;
    }
    raise_descriptor_limit();
    rc = find_devices(node, err);
    if (rc < 0) {
        return rc;
    }
    if (config->measured[0] != '\0') {
        take_measured(node);
    }
    node->params.devices = &node->devices;
    node->params.device_slots = proves(config) ? (uint32_t)config->device_slots : 0;
    node->params.decode_slots = proves(config) ? (int32_t)config->decode_slots : 0;
    node->params.va_decode_slots = proves(config) ? (uint32_t)config->va_decode_slots : 0;
    node->params.proofs_first = strcmp(config->devices, "wait") == 0;
    node->params.device_environment = (const char *const *)config->device_environment;
    node->params.device_paths = (const char *const *)config->device_paths;
    node->params.device_retry_ms = (uint32_t)config->device_retry_s * 1000;
    node->params.drain_ms = (uint32_t)config->drain_s * 1000;
    node->params.node_id = config->node_id[0] != '\0' ? config->node_id : node->node_id;
    node->params.hostname = node->hostname;
    node->params.build = BUILD;
    node->params.endpoints = (const char *const *)config->scheduler;
    node->params.key_file = strcmp(config->security, "curve") == 0 ? config->key_file : NULL;
    node->params.launcher = node->launcher;
    node->params.worker = node->worker;
    node->params.scratch = node->state.scratch;
    node->params.cpu_flags = config->cpu_flags;
    node->params.log_level = config->log_level;
    node->params.log_json = config->log_json;
    node->params.cache = node->cache;
    node->params.storage_ca = config->storage_ca[0] == '\0' ? NULL : config->storage_ca;
    node->params.window_folder = node->state.cache;
    node->params.window_bytes = (uint64_t)config->source_cache_bytes;
    node->params.on_ready = on_ready;
    node->params.arg = node;
    gm_log_set_node(node->params.node_id);
    gm_log(GM_LOG_INFO, "starting", "slots=%" PRIu32 " memory=%" PRIu64 " build=%s",
           node->params.slots, node->params.memory_bytes, BUILD);
    return gm_agent_run(&node->params, err);
}

static void fini(struct node *node)
{
    gm_cache_close(&node->cache);
    gm_state_close(&node->state);
    gm_node_config_fini(&node->config);
    free(node->node_id);
    free(node->launcher);
    free(node->worker);
    free(node->prove);
    gm_device_list_fini(&node->devices);
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, const char **out_config, bool *out_check)
{
    const struct gm_flag table[] = {{"config", GM_FLAG_TEXT, out_config},
                                    {"check", GM_FLAG_SET, out_check},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, HELP, "gopmill-node " BUILD, NULL);
    if (status < 0 && *out_config == NULL) {
        fprintf(stderr, "gopmill-node: --config FILE is missing\n\n%s", HELP);
        return GM_EXIT_USAGE;
    }
    return status;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    bool check = false;
    struct node node = {.state.lock = -1};
    struct gm_err err = {.code = GM_OK};
    gm_spawn_init();
    if (argc > 1 && strcmp(argv[1], "devices") == 0) {
        return gm_devices_command(argc - 1, argv + 1);
    }
    int status = parse(argc, argv, &path, &check);
    if (status >= 0) {
        return status;
    }
    gm_log_init("node", GM_LOG_INFO, false);
    signal(SIGPIPE, SIG_IGN);
    int rc = gm_node_config_load(path, &node.config, &err);
    bool loaded = rc == 0;
    if (loaded) {
        int level = gm_log_parse_level(node.config.log_level);
        gm_log_init("node", (enum gm_log_level)level, node.config.log_json);
        if (check) {
            printf("%s: ok\n", path);
        } else if (setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0) != 0) {
            rc = gm_err_nomem(&err);
        } else {
            rc = run(&node, &err);
        }
    }
    if (rc < 0) {
        gm_log_err(GM_LOG_ERROR, "failed", &err, "config=%s", path);
    }
    fini(&node);
    if (!loaded || rc == -GM_E_CONFIG) {
        return GM_EXIT_USAGE;
    }
    return rc < 0 ? 1 : rc;
}
