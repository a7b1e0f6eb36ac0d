#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "cli/farm_files.h"
#include "cli/pipeline_file.h"
#include "common/fs.h"

static struct gm_err err;
static const char YAML[] = "name: t\n"
                           "tasks:\n"
                           "  video:\n"
                           "    type: encode\n"
                           "    watermark: { image: logo.png, opacity: 1 }\n"
                           "  other:\n"
                           "    list: [ { image: sub/b.png }, image, { images: no.png } ]\n"
                           "  again: { image: logo.png }\n";

static int collect(const struct gm_yaml *image, void *arg, struct gm_err *e)
{
    (void)e;
    strcat(arg, image->text);
    strcat(arg, " ");
    return strcmp(image->text, "stop") == 0 ? -GM_E_CONFIG : 0;
}

static void names_and_files_are_told_apart(void **state)
{
    (void)state;
    assert_true(gm_pipeline_is_file("a/b"));
    assert_true(gm_pipeline_is_file("p.yaml"));
    assert_true(gm_pipeline_is_file("p.yml"));
    assert_true(gm_pipeline_is_file("/dev/null"));
    assert_false(gm_pipeline_is_file("vod-h264"));
    assert_int_equal(chdir("/"), 0);
    assert_false(gm_pipeline_is_file("tmp")); /* a folder of that name is in nobody's way */
}

static void images_are_found_wherever_they_are(void **state)
{
    (void)state;
    char seen[128] = "";
    struct gm_yaml *root = NULL;
    assert_int_equal(gm_yaml_parse("t.yaml", YAML, sizeof(YAML) - 1, &root, &err), 0);
    assert_int_equal(gm_pipeline_scan_images(root, collect, seen, &err), 0);
    assert_string_equal(seen, "logo.png sub/b.png logo.png ");
    gm_yaml_destroy(&root);
    static const char stop[] = "[ { image: stop }, { image: never } ]";
    seen[0] = '\0';
    assert_int_equal(gm_yaml_parse("t.yaml", stop, sizeof(stop) - 1, &root, &err), 0);
    assert_int_equal(gm_pipeline_scan_images(root, collect, seen, &err), -GM_E_CONFIG);
    assert_string_equal(seen, "stop ");
    gm_yaml_destroy(&root);
}

static void files_travel_with_their_images(void **state)
{
    (void)state;
    char folder[] = "/tmp/gm-cli-XXXXXX";
    char path[128], image[128];
    json_t *doc = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/p.yaml", folder);
    assert_int_equal(gm_fs_write_atomic(path, YAML, sizeof(YAML) - 1, &err), 0);
    assert_int_equal(gm_pipeline_load(path, &doc, &err), -GM_E_CONFIG); /* no image yet */
    assert_non_null(strstr(err.text, "p.yaml:5:"));
    assert_null(doc);
    snprintf(image, sizeof(image), "%s/logo.png", folder);
    assert_int_equal(gm_fs_write_atomic(image, "foobar", 6, &err), 0);
    snprintf(image, sizeof(image), "%s/sub", folder);
    assert_int_equal(gm_fs_mkdirs(image, &err), 0);
    snprintf(image, sizeof(image), "%s/sub/b.png", folder);
    assert_int_equal(gm_fs_write_atomic(image, "f", 1, &err), 0);
    assert_int_equal(gm_pipeline_load(path, &doc, &err), 0);
    assert_string_equal(json_string_value(json_object_get(doc, "yaml")), YAML);
    assert_string_equal(json_string_value(json_object_get(doc, "name")), path);
    const json_t *assets = json_object_get(doc, "assets");
    assert_int_equal(json_object_size(assets), 2);
    assert_string_equal(json_string_value(json_object_get(assets, "logo.png")), "Zm9vYmFy");
    assert_string_equal(json_string_value(json_object_get(assets, "sub/b.png")), "Zg==");
    json_decref(doc);
    assert_int_equal(gm_fs_remove_tree(folder, &err), 0);
}

static void files_that_cannot_be_are_refused(void **state)
{
    (void)state;
    json_t *doc = NULL;
    assert_int_equal(gm_pipeline_load("/nonexistent/p.yaml", &doc, &err), -GM_E_INVAL);
    assert_int_equal(gm_pipeline_load("/", &doc, &err), -GM_E_INVAL);
    char path[] = "/tmp/gm-cli-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "a: [1", 5), 5);
    close(fd);
    assert_int_equal(gm_pipeline_load(path, &doc, &err), -GM_E_CONFIG);
    assert_null(doc);
    unlink(path);
}

static void quoted_text_is_one_scalar(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "a\nb\tc \x7f \" \\n ", "plain", "it's", "'", "a: b # c", "-", "", "\\n\"{["};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_buf buf = {0};
        struct gm_yaml *root = NULL;
        gm_buf_str(&buf, "k: ");
        gm_farm_yaml_quote(&buf, rows[i]);
        gm_buf_str(&buf, "\n");
        assert_int_equal(gm_yaml_parse("q", buf.data, buf.size, &root, &err), 0);
        assert_string_equal(gm_yaml_find(root, "k")->text, rows[i]);
        gm_yaml_destroy(&root);
        gm_buf_fini(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_files_are_told_apart),
        cmocka_unit_test(images_are_found_wherever_they_are),
        cmocka_unit_test(files_travel_with_their_images),
        cmocka_unit_test(files_that_cannot_be_are_refused),
        cmocka_unit_test(quoted_text_is_one_scalar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
