#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/config.h"
#include "common/fs.h"
#include "common/yaml.h"
#include "node/node_config.h"
#include "scheduler/settings.h"

/* Configuration files of both daemons, and every getter on every value of the tree. */

static void get_all(const struct gm_yaml *node)
{
    const char *text = NULL;
    int64_t number = 0;
    double real = 0;
    bool flag = false;
    struct gm_err err = {0};
    GM_ASSERT(gm_yaml_string(node, &text, &err) == 0 || err.text[0] != '\0');
    GM_ASSERT(gm_yaml_int(node, -100, INT64_MAX, &number, &err) < 0 || number >= -100);
    GM_ASSERT(gm_yaml_size(node, 0, INT64_MAX, &number, &err) < 0 || number >= 0);
    GM_ASSERT(gm_yaml_double(node, -1e9, 1e9, &real, &err) < 0 || (real >= -1e9 && real <= 1e9));
    GM_ASSERT(gm_yaml_bool(node, &flag, &err) == 0 || err.text[0] != '\0');
}

/* The tree is at most 32 deep: see yaml.h. */
static void walk(const struct gm_yaml *root)
{
    const struct gm_yaml *stack[64];
    size_t depth = 0;
    static const char *const known[] = {"node_id", "listen", NULL};
    struct gm_err err = {0};
    stack[depth++] = root;
    while (depth > 0) {
        const struct gm_yaml *node = stack[--depth];
        get_all(node);
        if (node->kind == GM_YAML_MAP) {
            GM_IGNORE(gm_yaml_check_keys(node, known, &err), "either answer is right");
            GM_ASSERT(node->child == NULL || gm_yaml_find(node, node->child->key) == node->child);
        }
        if (node->next != NULL) {
            stack[depth++] = node->next;
        }
        if (node->kind != GM_YAML_SCALAR && node->child != NULL) {
            stack[depth++] = node->child;
        }
        GM_ASSERT(depth + 2 < sizeof stack / sizeof stack[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_yaml *root = NULL;
    struct gm_settings settings = {0};
    struct gm_node_config node = {0};
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    GM_ASSERT(fd >= 0);
    GM_ASSERT(gm_fs_write_all(fd, data, size, &err) == 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (gm_yaml_parse("fuzz.yaml", data, size, &root, &err) == 0) {
        walk(root);
    } else {
        GM_ASSERT(root == NULL && err.text[0] != '\0');
    }
    gm_yaml_destroy(&root);
    GM_IGNORE(gm_config_load(path, gm_settings_options(), &settings, &err), "either is right");
    gm_config_fini(gm_settings_options(), &settings);
    GM_IGNORE(gm_node_config_load(path, &node, &err), "either is right");
    gm_node_config_fini(&node);
    close(fd);
    return 0;
}
