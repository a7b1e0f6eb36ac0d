#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/devices/tree_io.h"

#define NVIDIA "0x10de\n"
#define INTEL "0x8086\n"
#define AMD "0x1002\n"
#define RENDER 106

static void sentence(const struct gm_device_list *list, const char *id, char *out, size_t size)
{
    const struct gm_device *d = gm_device_find(list, id);
    assert_non_null(d);
    gm_device_sentence(d, out, size);
}

static void machine_without_devices_has_its_processor(void **state)
{
    struct tree tree;
    struct gm_device_list list;
    char text[1024];
    (void)state;
    tree_init(&tree);
    tree_detect(&tree, RENDER, &list);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.note_count, 0);
    sentence(&list, "cpu", text, sizeof(text));
    assert_string_equal(text, "CPU Test CPU: 2.5 CPUs, 4096 MiB; encode AV1/H.264/HEVC/VP9 in "
                              "software, vectors by avx2");
    assert_true(gm_device_has_feature(&list.devices[0], "avx"));
    assert_false(gm_device_has_feature(&list.devices[0], "fma"));
    assert_int_equal(gm_machine_threads(tree.root), 2);
    assert_int_equal(gm_machine_threads("/no/such/folder"), 1);
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

static void rack_of_eight_is_listed_by_address(void **state)
{
    static const char *const ids[] = {"0000:1b:00.0", "0000:29:00.0", "0000:45:00.0",
                                      "0000:4e:00.0", "0000:9b:00.0", "0000:aa:00.0",
                                      "0000:c8:00.0", "10000:01:00.0"};
    struct tree tree;
    struct gm_device_list list;
    (void)state;
    tree_init(&tree);
    for (size_t i = 8; i-- > 0;) { /* the order on the disk does not matter */
        char render[16];
        snprintf(render, sizeof(render), "%d", 128 + (int)i);
        tree_gpu(&tree, ids[i], NVIDIA, "0x2335\n", "nvidia", render);
        tree_nvidia(&tree, ids[i], "NVIDIA H200");
    }
    tree_library(&tree, "libcuda.so.1");
    tree_library(&tree, "libnvcuvid.so.1");
    tree_library(&tree, "libnvidia-encode.so.1");
    tree_detect(&tree, RENDER, &list);
    assert_int_equal(list.count, 9);
    assert_int_equal(list.note_count, 0);
    for (size_t i = 0; i < 8; i++) {
        const struct gm_device *d = &list.devices[i + 1];
        char render[32];
        snprintf(render, sizeof(render), "/dev/dri/renderD%d", 128 + (int)i);
        assert_string_equal(d->id, ids[i]);
        assert_int_equal(d->kind, GM_DEVICE_NVIDIA);
        assert_string_equal(d->name, "NVIDIA H200");
        assert_string_equal(d->driver, "580.65.06");
        assert_string_equal(d->kernel_driver, "nvidia");
        assert_string_equal(d->render_node, render);
        assert_int_equal(strncmp(d->uuid, "GPU-11111111-", 13), 0);
        assert_int_equal(d->note_count, 0);
    }
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

static void slow_start_of_nvidias_driver_names_its_service(void **state)
{
    static const struct {
        enum gm_device_kind kind;
        const char *driver;
        uint32_t took_ms;
        bool killed;
        const char *words; /* NULL: no note */
    } rows[] = {
        {GM_DEVICE_NVIDIA, "nvidia", 3999, false, NULL},
        {GM_DEVICE_NVIDIA, "nvidia", 16700, false, "took 17 s to start: where nvidia-persistenced"},
        {GM_DEVICE_NVIDIA, "", 7000, true, "did not start within 7 s: where nvidia-persistenced"},
        {GM_DEVICE_NVIDIA, "nouveau", 16700, false, NULL},
        {GM_DEVICE_DRM, "i915", 16700, false, NULL}, /* its disk is slow */
        {GM_DEVICE_DRM, "i915", 16700, true, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_device_list list = {0};
        struct gm_device *d = NULL;
        struct gm_err err;
        assert_int_equal(gm_device_get(&list, "0000:03:00.0", rows[i].kind, &d, &err), 0);
        gm_device_set(d->kernel_driver, rows[i].driver);
        gm_detect_note_slow(&list, rows[i].took_ms, rows[i].killed);
        assert_int_equal(list.note_count, rows[i].words == NULL ? 0 : 1);
        assert_true(rows[i].words == NULL || tree_note(&list, NULL, rows[i].words) != NULL);
        gm_device_list_fini(&list);
    }
}

static void mixed_vendors_get_their_own_notes(void **state)
{
    struct tree tree;
    struct gm_device_list list;
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "0000:00:02.0", INTEL, "0x56c0\n", "i915", "128");
    tree_gpu(&tree, "0000:03:00.0", AMD, "0x744c\n", "amdgpu", "129");
    tree_gpu(&tree, "0000:04:00.0", NVIDIA, "0x27b8\n", "nouveau", "130");
    tree_gpu(&tree, "0000:05:00.0", AMD, "0x744c\n", NULL, NULL);
    tree_gpu(&tree, "0000:06:00.0", "0x1a03\n", "0x2000\n", "ast", NULL); /* a server's console */
    tree_library(&tree, "dri/radeonsi_drv_video.so");
    tree_library(&tree, "dri/iHD_drv_video.so");
    tree_library(&tree, "dri/i965_drv_video.so");
    tree_detect(&tree, getegid(), &list);
    assert_int_equal(list.count, 5);
    assert_string_equal(gm_device_find(&list, "0000:00:02.0")->vendor, "Intel");
    assert_non_null(tree_note(&list, "0000:00:02.0",
                              "two drivers are installed for this card, iHD "
                              "and i965: the first that starts is taken"));
    assert_int_equal(gm_device_find(&list, "0000:03:00.0")->note_count, 0);
    assert_non_null(tree_note(&list, "0000:04:00.0", "driven by nouveau: install NVIDIA's driver"));
    assert_non_null(tree_note(&list, "0000:05:00.0", "has no kernel driver"));
    assert_null(gm_device_find(&list, "0000:06:00.0"));
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

static void gpu_that_is_gone_is_named(void **state)
{
    struct tree tree;
    struct gm_device_list list;
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "0000:1b:00.0", NVIDIA, "0x2335\n", "nvidia", NULL);
    tree_nvidia(&tree, "0000:1b:00.0", "NVIDIA H200");
    tree_nvidia(&tree, "0000:29:00.0", "NVIDIA H200");
    tree_gpu(&tree, "0000:45:00.0", NVIDIA, "0x2335\n", NULL, NULL);
    tree_detect(&tree, RENDER, &list);
    assert_int_equal(list.count, 4);
    assert_null(tree_note(&list, "0000:1b:00.0", "gone"));
    assert_non_null(tree_note(&list, "0000:29:00.0", "gone from the bus: look for Xid 79"));
    assert_non_null(tree_note(&list, "0000:45:00.0", "no kernel driver"));
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

static void container_without_video_capability_is_told_so(void **state)
{
    struct tree tree;
    struct gm_device_list list;
    char text[1024];
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "0000:3b:00.0", NVIDIA, "0x27b8\n", "nvidia", NULL);
    tree_nvidia(&tree, "0000:3b:00.0", "NVIDIA L4");
    tree_library(&tree, "libcuda.so.1");
    tree_detect(&tree, RENDER, &list);
    assert_string_equal(tree_note(&list, "0000:3b:00.0", "NVENC"),
                        "NVENC: libnvidia-encode.so.1 is missing in this container: start it with "
                        "the `video` driver capability");
    assert_non_null(tree_note(&list, "0000:3b:00.0", "libnvcuvid.so.1 is missing"));
    assert_null(tree_note(&list, NULL, "libcuda"));
    sentence(&list, "0000:3b:00.0", text, sizeof(text));
    assert_string_equal(text, "GPU 0000:3b:00.0 NVIDIA L4: the decoder's library is missing: "
                              "decodes on CPU; the encoder's library is missing: encodes on CPU");
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

static void render_node_without_permission_names_its_group(void **state)
{
    struct tree tree;
    struct gm_device_list list;
    char path[128];
    char words[128];
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "0000:00:02.0", INTEL, "0x56c0\n", "i915", "128");
    tree_library(&tree, "dri/iHD_drv_video.so");
    snprintf(path, sizeof(path), "%s/dev/dri/renderD128", tree.root);
    gid_t group = getegid(); /* the file's, whatever the test runs as */
    snprintf(words, sizeof(words),
             "VAAPI: permission denied on /dev/dri/renderD128: add the user to group ");
    tree_detect(&tree, group + 1, &list);
    assert_non_null(tree_note(&list, "0000:00:02.0", words));
    gm_device_list_fini(&list);
    tree_detect(&tree, group, &list);
    assert_null(tree_note(&list, "0000:00:02.0", "permission"));
    gm_device_list_fini(&list);
    if (geteuid() == 0) { /* else the group can't be given away */
        assert_int_equal(chown(path, 0, RENDER), 0);
        tree_detect(&tree, 44, &list);
        assert_string_equal(tree_note(&list, "0000:00:02.0", "permission"),
                            "VAAPI: permission denied on /dev/dri/renderD128: add the user to "
                            "group render");
        gm_device_list_fini(&list);
    }
    assert_int_equal(chmod(path, 0600), 0);
    tree_detect(&tree, geteuid() == 0 ? RENDER : group, &list);
    if (geteuid() != 1000) {
        assert_non_null(tree_note(&list, "0000:00:02.0", "correct its udev rule"));
    }
    gm_device_list_fini(&list);
    assert_int_equal(unlink(path), 0);
    tree_detect(&tree, RENDER, &list);
    assert_non_null(tree_note(&list, "0000:00:02.0", "--device /dev/dri/renderD128"));
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

static void card_without_va_driver_is_told_the_package(void **state)
{
    struct tree tree;
    struct gm_device_list list;
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "0000:03:00.0", AMD, "0x744c\n", "amdgpu", "128");
    tree_file(&tree, "/sys/devices/platform/soc/fd4a.gpu/uevent", "");
    tree_link(&tree, "/sys/class/drm/renderD129/device", "../../../devices/platform/soc/fd4a.gpu");
    tree_file(&tree, "/dev/dri/renderD129", "");
    tree_detect(&tree, getegid(), &list);
    assert_int_equal(list.count, 3);
    assert_non_null(tree_note(&list, "0000:03:00.0", "install the package mesa-va-drivers"));
    assert_int_equal(gm_device_find(&list, "0000:03:00.0")->encoding, GM_ENGINE_MISSING);
    assert_string_equal(gm_device_find(&list, "platform:fd4a.gpu")->render_node,
                        "/dev/dri/renderD129");
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

/* libva takes several folders; this one is asked of this machine alone. */
static void va_drivers_are_looked_for_in_each_folder(void **state)
{
    struct tree tree;
    struct gm_device_list list = {0};
    struct gm_machine machine;
    struct gm_err err;
    char path[256];
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "0000:03:00.0", AMD, "0x744c\n", "amdgpu", "128");
    tree_file(&tree, "/own/radeonsi_drv_video.so", "");
    snprintf(path, sizeof(path), "/no/such/folder:%s/own", tree.root);
    setenv("LIBVA_DRIVERS_PATH", path, 1);
    assert_true(gm_machine_has_va_driver("", "radeonsi"));
    assert_false(gm_machine_has_va_driver("", "no-such-driver"));
    assert_false(gm_machine_has_va_driver(tree.root, "radeonsi"));
    setenv("LIBVA_DRIVERS_PATH", "::", 1);
    assert_false(gm_machine_has_va_driver("", "no-such-driver"));
    unsetenv("LIBVA_DRIVERS_PATH");
    assert_int_equal(gm_machine_scan(tree.root, NULL, &list, &machine, &err), 0);
    assert_int_equal(machine.drm[0].driver_count, 0);
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

static void nonsense_below_sys_is_passed_over(void **state)
{
    struct tree tree;
    struct gm_device_list list;
    (void)state;
    tree_init(&tree);
    tree_gpu(&tree, "not-an-address", NVIDIA, "0x2335\n", "nvidia", NULL);
    tree_file(&tree, "/sys/bus/pci/devices/0000:01:00.0/class", "rubbish");
    tree_file(&tree, "/sys/bus/pci/devices/0000:02:00.0", "a file");
    tree_file(&tree, "/sys/class/drm/renderDxyz/device", "");
    tree_file(&tree, "/proc/driver/nvidia/gpus/junk/information", "Model");
    tree_detect(&tree, RENDER, &list);
    assert_int_equal(list.count, 1);
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_without_devices_has_its_processor),
        cmocka_unit_test(rack_of_eight_is_listed_by_address),
        cmocka_unit_test(slow_start_of_nvidias_driver_names_its_service),
        cmocka_unit_test(mixed_vendors_get_their_own_notes),
        cmocka_unit_test(gpu_that_is_gone_is_named),
        cmocka_unit_test(container_without_video_capability_is_told_so),
        cmocka_unit_test(render_node_without_permission_names_its_group),
        cmocka_unit_test(card_without_va_driver_is_told_the_package),
        cmocka_unit_test(va_drivers_are_looked_for_in_each_folder),
        cmocka_unit_test(nonsense_below_sys_is_passed_over),
    };
    return cmocka_run_group_tests_name("node/devices/detect", tests, NULL, NULL);
}
