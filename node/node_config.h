#ifndef GM_NODE_NODE_CONFIG_H
#define GM_NODE_NODE_CONFIG_H

#include "common/config.h"

/* The configuration of gopmill-node, read through gm_node_options. */
struct gm_node_config {
    char *node_id;    /* owned, "" for the default */
    char **scheduler; /* owned list of endpoints */
    char *state;      /* owned, folder */
    int64_t slots;    /* 0: as many as CPUs */
    char *cache;      /* owned: a folder; "": in the state folder */
    int64_t cache_bytes;
    int64_t source_cache_bytes;
    int64_t scratch_bytes;       /* 0: the free space */
    int64_t memory_bytes;        /* 0: the machine's */
    int64_t worker_memory_bytes; /* 0: half of the node's memory, at least GM_NODE_WORKER_MEMORY */
    char *grant_key_file;        /* owned */
    char *storage_ca;            /* owned: a file; "": the system's */
    char *security;              /* owned: "curve", "none" or "" */
    char *key_file;              /* owned; common/keys.h */
    char *log_level;             /* owned */
    bool log_json;
    char *cpu_flags; /* owned */
    char *devices;   /* owned: prove, wait, detect, off */
    int64_t device_slots;
    int64_t decode_slots; /* -1: by the GPU */
    int64_t va_decode_slots;
    char **device_environment; /* owned list of names */
    char **device_paths;       /* owned list of absolute paths */
    int64_t device_retry_s;
    int64_t drain_s; /* 0: none */
    char *measured;  /* owned: a file; "": none */
};

#define GM_NODE_WORKER_MEMORY (4ll << 30)
#define GM_NODE_SLOTS_MAX 1024
#define GM_NODE_LIST_MAX 48 /* entries of device_environment, and of device_paths */

extern const struct gm_option gm_node_options[]; /* ends with a row whose name is NULL */

/* gm_config_load, then what a table can't check: the node's id, a scheduler, a state folder,
 * known words of log_level and devices, and what device_environment and device_paths name.
 * *out must be zeroed; gm_node_config_fini in any case. Errors: CONFIG, SYS, NOMEM. */
int gm_node_config_load(const char *path, struct gm_node_config *out,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_node_config_fini(struct gm_node_config *config);

#endif
