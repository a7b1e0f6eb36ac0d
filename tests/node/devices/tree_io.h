#ifndef GM_TESTS_NODE_DEVICES_TREE_IO_H
#define GM_TESTS_NODE_DEVICES_TREE_IO_H

#include "node/devices/detect.h"

/* Made-up machines: the files of a kernel below a temporary folder. */
struct tree {
    char root[64]; /* mkdtemp */
};

void tree_init(struct tree *tree);
void tree_fini(struct tree *tree);
void tree_file(const struct tree *tree, const char *path, const char *text);
void tree_link(const struct tree *tree, const char *path, const char *target);
/* A display device on the bus. driver, render: NULL: none; render: its node's number, mode as of
 * /dev/dri/renderD<N>. */
void tree_gpu(const struct tree *tree, const char *pci, const char *vendor, const char *device,
              const char *driver, const char *render);
/* What NVIDIA's kernel driver says in /proc. */
void tree_nvidia(const struct tree *tree, const char *pci, const char *model);
void tree_library(const struct tree *tree, const char *name);
/* Detection below the tree, by a user of uid 1000 in `group`; out: gm_device_list_fini. */
void tree_detect(const struct tree *tree, gid_t group, struct gm_device_list *out);
/* The first note of device (NULL: of the list) in which words stand; NULL: none. */
const char *tree_note(const struct gm_device_list *list, const char *device, const char *words);

#endif
