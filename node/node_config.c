/* One row an option; config/node.yaml shows all of them with these defaults. */
#include "node/node_config.h"

#include <string.h>

#include "common/keys.h"
#include "common/log.h"
#include "proto/envelope.h"

#define AT(field) offsetof(struct gm_node_config, field)
#define HUGE_BYTES (1ll << 50)

const struct gm_option gm_node_options[] = {
    {"node_id", GM_OPT_STRING, AT(node_id), "", 0, 0,
     "Name of this node, [a-z0-9-]; empty: the host name and a lasting random part."},
    {"scheduler", GM_OPT_LIST, AT(scheduler), "tcp://127.0.0.1:7800", 0, 0,
     "ZeroMQ endpoints of the scheduler, tried in turn."},
    {"state", GM_OPT_STRING, AT(state), "/var/lib/gopmill/node", 0, 0,
     "Folder for scratch files, the content cache, parts of sources and the node's identity."},
    {"slots", GM_OPT_INT, AT(slots), "0", 0, GM_NODE_SLOTS_MAX,
     "Worker processes; 0: as many as CPUs."},
    {"cache", GM_OPT_STRING, AT(cache), "", 0, 0,
     "Folder of the content cache, which nodes of one machine may share; empty: `cache` in the "
     "state folder."},
    {"cache_bytes", GM_OPT_SIZE, AT(cache_bytes), "10Gi", 0, HUGE_BYTES,
     "Limit of the content cache for remote stores; 0: nothing is kept."},
    {"source_cache_bytes", GM_OPT_SIZE, AT(source_cache_bytes), "10Gi", 0, HUGE_BYTES,
     "Limit of what is kept of sources that are on servers; what workers read just now is kept "
     "all the same."},
    {"scratch_bytes", GM_OPT_SIZE, AT(scratch_bytes), "0", 0, HUGE_BYTES,
     "Scratch space that tasks may use; 0: what the file system has free."},
    {"memory_bytes", GM_OPT_SIZE, AT(memory_bytes), "0", 0, HUGE_BYTES,
     "Memory that tasks may use; 0: the machine's, or its cgroup's limit."},
    {"worker_memory_bytes", GM_OPT_SIZE, AT(worker_memory_bytes), "0", 0, HUGE_BYTES,
     "Address space of one worker process; 0: half of the memory, at least 4 GiB."},
    {"grant_key_file", GM_OPT_STRING, AT(grant_key_file), "/etc/gopmill/grant.key", 0, 0,
     "File with the 64 hex digits that scheduler and nodes share to sign access grants."},
    {"storage_ca", GM_OPT_STRING, AT(storage_ca), "", 0, 0,
     "PEM file of who signs the certificates of object stores; empty: the system's."},
    {"security", GM_OPT_STRING, AT(security), "", 0, 0,
     "As the scheduler's: curve (keys, encrypted), none, or empty: none, and the scheduler is on "
     "this "
     "machine."},
    {"key_file", GM_OPT_STRING, AT(key_file), "/etc/gopmill/node.key", 0, 0,
     "This node's key pair and the scheduler's public key, from `gopmill keys make`; read at each "
     "connection where `security` is curve."},
    {"log_level", GM_OPT_STRING, AT(log_level), "info", 0, 0, "error, warn, info, debug or trace."},
    {"log_json", GM_OPT_BOOL, AT(log_json), "false", 0, 0, "Log JSON lines instead of logfmt."},
    {"cpu_flags", GM_OPT_STRING, AT(cpu_flags), "", 0, 0,
     "CPU extensions that media code may use, for tests; empty: all, none: plain C."},
    {"devices", GM_OPT_STRING, AT(devices), "prove", 0, 0,
     "At start: prove (find devices and try what they can do), wait (the same before any task is "
     "taken), detect (only find them) or off."},
    {"device_slots", GM_OPT_INT, AT(device_slots), "2", 0, 64,
     "Worker processes of each device that is proved to encode; 0: devices are listed only."},
    {"decode_slots", GM_OPT_INT, AT(decode_slots), "-1", -1, GM_NODE_SLOTS_MAX,
     "Tasks of the processors that each GPU with NVDEC, whose decoder is proved, decodes for at "
     "once; 0: none; -1: two for each of its decoding engines, as its memory allows."},
    {"va_decode_slots", GM_OPT_INT, AT(va_decode_slots), "0", 0, GM_NODE_SLOTS_MAX,
     "The same of GPUs with VA drivers, which may conceal damage in silence: of a damaged file the "
     "bytes then depend on the machine. 2 is what to begin with."},
    {"device_environment", GM_OPT_LIST, AT(device_environment),
     "LD_LIBRARY_PATH, NVIDIA_VISIBLE_DEVICES, NVIDIA_DRIVER_CAPABILITIES, CUDA_DEVICE_ORDER, "
     "CUDA_MODULE_LOADING, LIBVA_DRIVER_NAME, LIBVA_DRIVERS_PATH",
     0, 0, "Environment variables that workers of devices are given, and no others."},
    {"device_paths", GM_OPT_LIST, AT(device_paths), NULL, 0, 0,
     "Files and folders that workers of devices may read and write besides their driver's own."},
    {"device_retry_s", GM_OPT_INT, AT(device_retry_s), "30", 1, 600,
     "Seconds until a device that failed or was full is tried again; doubles up to ten minutes."},
    {"drain_s", GM_OPT_INT, AT(drain_s), "0", 0, 86400,
     "Seconds that tasks may take to end at SIGTERM, when nothing new is taken; then, or at a "
     "second "
     "signal, they are given back. Below the time that the service manager waits."},
    {"measured", GM_OPT_STRING, AT(measured), "", 0, 0,
     "What `gopmill-hwtest --level 3 --json FILE` wrote on this machine: the scheduler places work "
     "by its figures; empty: none."},
    {NULL, GM_OPT_STRING, 0, NULL, 0, 0, NULL},
};

/* Each worker is told the list, and its parts are separated by colons. */
static int check_list(const char *name, const char *option, char *const *list, bool paths,
                      struct gm_err *err)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        if (i == GM_NODE_LIST_MAX) {
            return gm_err_set(err, GM_E_CONFIG, 0, "%s: %s: at most %d can be named", name, option,
                              GM_NODE_LIST_MAX);
        }
        bool good = paths ? list[i][0] == '/' && strchr(list[i], ':') == NULL
                          : list[i][0] != '\0' && strchr(list[i], '=') == NULL;
        if (!good) {
            return gm_err_set(err, GM_E_CONFIG, 0, "%s: %s: `%.200s` is no %s", name, option,
                              list[i], paths ? "absolute path without a colon" : "variable's name");
        }
    }
    return 0;
}

int gm_node_config_load(const char *path, struct gm_node_config *out, struct gm_err *err)
{
    int rc = gm_config_load(path, gm_node_options, out, err);
    if (rc < 0) {
        return rc;
    }
    const char *name = path == NULL ? "configuration" : path;
    if (out->node_id[0] != '\0' && !gm_is_node_id(out->node_id)) {
        return gm_err_set(err, GM_E_CONFIG, 0, "%s: node_id: `%.64s` is not [a-z0-9-]{1,64}", name,
                          out->node_id);
    }
    if (out->scheduler == NULL || out->scheduler[0] == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "%s: scheduler: name at least one endpoint", name);
    }
    for (char *const *e = out->scheduler; *e != NULL; e++) {
        if (strncmp(*e, "tcp://", 6) != 0 && strncmp(*e, "ipc://", 6) != 0) {
            return gm_err_set(err, GM_E_CONFIG, 0,
                              "%s: scheduler: `%.100s` is neither tcp://address:port nor "
                              "ipc:///path",
                              name, *e);
        }
    }
    rc = gm_curve_check_security(out->security, out->scheduler, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "%s: scheduler: ", name);
    }
    if (out->state[0] == '\0') {
        return gm_err_set(err, GM_E_CONFIG, 0, "%s: state: name a folder", name);
    }
    if (out->cache[0] != '\0' && out->cache[0] != '/') {
        return gm_err_set(err, GM_E_CONFIG, 0, "%s: cache: `%.150s` is no absolute path", name,
                          out->cache);
    }
    if (gm_log_parse_level(out->log_level) < 0) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "%s: log_level: `%.32s` is none of error, warn, info, debug, trace", name,
                          out->log_level);
    }
    if (strcmp(out->devices, "prove") != 0 && strcmp(out->devices, "wait") != 0 &&
        strcmp(out->devices, "detect") != 0 && strcmp(out->devices, "off") != 0) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "%s: devices: `%.32s` is none of prove, wait, detect, off", name,
                          out->devices);
    }
    rc = check_list(name, "device_environment", out->device_environment, false, err);
    return rc < 0 ? rc : check_list(name, "device_paths", out->device_paths, true, err);
}

void gm_node_config_fini(struct gm_node_config *config)
{
    gm_config_fini(gm_node_options, config);
    memset(config, 0, sizeof(*config));
}
