#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/yaml.h"

static struct gm_yaml *parse(const char *text)
{
    struct gm_yaml *root = NULL;
    struct gm_err err = {0};

    if (gm_yaml_parse("f.yaml", text, strlen(text), &root, &err) < 0) {
        print_error("%s\n", err.text);
        fail();
    }
    return root;
}

static void a_document_becomes_a_tree(void **state)
{
    struct gm_yaml *root = parse("# a comment\n"
                                 "name: vod\n"
                                 "list:\n"
                                 "  - 1\n"
                                 "  - 'two'\n"
                                 "map: {a: true, b: 1.5}\n"
                                 "text: |\n"
                                 "  line\n");
    const struct gm_yaml *node;
    const char *text;
    int64_t number;
    double fraction;
    bool flag;
    struct gm_err err;

    (void)state;
    assert_int_equal(root->kind, GM_YAML_MAP);
    assert_string_equal(root->file, "f.yaml");
    node = gm_yaml_find(root, "name");
    assert_non_null(node);
    assert_int_equal(node->line, 2);
    assert_int_equal(node->column, 7);
    assert_int_equal(node->key_line, 2);
    assert_int_equal(gm_yaml_string(node, &text, &err), 0);
    assert_string_equal(text, "vod");
    node = gm_yaml_find(root, "list");
    assert_int_equal(node->kind, GM_YAML_LIST);
    assert_int_equal(gm_yaml_int(node->child, 0, 9, &number, &err), 0);
    assert_int_equal(number, 1);
    assert_true(node->child->plain);
    assert_false(node->child->next->plain);
    assert_null(node->child->next->next);
    assert_null(node->child->key);
    node = gm_yaml_find(root, "map");
    assert_int_equal(gm_yaml_bool(gm_yaml_find(node, "a"), &flag, &err), 0);
    assert_true(flag);
    assert_int_equal(gm_yaml_double(gm_yaml_find(node, "b"), 0, 2, &fraction, &err), 0);
    assert_true(fraction == 1.5);
    assert_int_equal(gm_yaml_string(gm_yaml_find(root, "text"), &text, &err), 0);
    assert_string_equal(text, "line\n");
    assert_null(gm_yaml_find(root, "nam"));
    assert_null(gm_yaml_find(gm_yaml_find(root, "list"), "x"));
    gm_yaml_destroy(&root);
    assert_null(root);
    gm_yaml_destroy(&root);
}

static void a_file_without_values_is_an_empty_map(void **state)
{
    static const char *const texts[] = {"", "# only this\n", "---\n", "\n\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct gm_yaml *root = parse(texts[i]);

        assert_int_equal(root->kind, GM_YAML_MAP);
        assert_null(root->child);
        assert_string_equal(root->file, "f.yaml");
        gm_yaml_destroy(&root);
    }
}

static void wrong_documents_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *text;
        const char *want; /* in the message */
    } rows[] = {{"a: 1\nb: [1\n", "f.yaml:3:1: "},
                {"a: &x 1\n", "f.yaml:1:4: anchors"},
                {"a: *x\n", "f.yaml:1:4: aliases"},
                {"a: !!str x\n", "f.yaml:1:4: tags"},
                {"a: !t [x]\n", "tags"},
                {"a: &y {x: 1}\n", "anchors"},
                {"a: 1\nb: 2\na: 3\n", "f.yaml:3: key `a` stands twice, first on line 1"},
                {"m: {x: 1, y: 2, x: 3}\n", "key `x` stands twice"},
                {"? [a]\n: b\n", "a key must be a word"},
                {"? {a: b}\n: b\n", "a key must be a word"},
                {"a: \"x\\0y\"\n", "zero byte"},
                {"a: 1\n---\nb: 2\n", "second document"},
                {"a: \xff\n", "f.yaml: at byte 3"},
                {"a:\n\t- x\n", "f.yaml:2:1: a character that can't begin anything here"},
                {"a: 'x\n", "f.yaml:"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_yaml *root = NULL;
        struct gm_err err = {0};
        int rc = gm_yaml_parse("f.yaml", rows[i].text, strlen(rows[i].text), &root, &err);

        print_message("%s\n", err.text);
        assert_int_equal(rc, -GM_E_CONFIG);
        assert_null(root);
        assert_non_null(strstr(err.text, rows[i].want));
    }
}

static void limits_hold(void **state)
{
    struct gm_yaml *root = NULL;
    struct gm_err err;
    struct gm_buf buf = {0};

    (void)state;
    for (int i = 0; i < 32; i++) {
        gm_buf_str(&buf, "[");
    }
    for (int i = 0; i < 32; i++) {
        gm_buf_str(&buf, "]");
    }
    assert_int_equal(gm_yaml_parse("f", buf.data, buf.size, &root, &err), 0);
    gm_yaml_destroy(&root);
    buf.size = 0;
    for (int i = 0; i < 100000; i++) {
        gm_buf_str(&buf, "[");
    }
    assert_int_equal(gm_yaml_parse("f", buf.data, buf.size, &root, &err), -GM_E_LIMIT);
    assert_null(root);
    buf.size = 0;
    for (int i = 0; i < 19999; i++) {
        gm_buf_str(&buf, "- a\n");
    }
    assert_int_equal(gm_yaml_parse("f", buf.data, buf.size, &root, &err), 0);
    gm_yaml_destroy(&root);
    gm_buf_str(&buf, "- a\n");
    assert_int_equal(gm_yaml_parse("f", buf.data, buf.size, &root, &err), -GM_E_LIMIT);
    buf.size = 0;
    while (buf.size <= 1024 * 1024) {
        gm_buf_str(&buf, "#################################\n");
    }
    assert_int_equal(gm_yaml_parse("f", buf.data, buf.size, &root, &err), -GM_E_LIMIT);
    assert_null(root);
    gm_buf_fini(&buf);
}

static void many_keys_of_one_map_are_checked_in_time(void **state)
{
    struct gm_yaml *root = NULL;
    struct gm_err err;
    struct gm_buf buf = {0};

    (void)state;
    for (int i = 0; i < 9000; i++) {
        gm_buf_printf(&buf, "key%d: %d\n", i, i);
    }
    gm_buf_str(&buf, "key4567: again\n");
    assert_int_equal(gm_yaml_parse("f", buf.data, buf.size, &root, &err), -GM_E_CONFIG);
    assert_non_null(strstr(err.text, "first on line 4568"));
    gm_buf_fini(&buf);
}

static void unknown_keys_come_with_a_suggestion(void **state)
{
    static const char *const known[] = {"name", "tasks", NULL};
    struct gm_yaml *root = parse("name: x\ntask: y\n");
    struct gm_err err;

    (void)state;
    assert_int_equal(gm_yaml_check_keys(root, known, &err), -GM_E_CONFIG);
    assert_string_equal(err.text, "f.yaml:2: unknown key `task`, did you mean `tasks`?");
    gm_yaml_destroy(&root);
    root = parse("zebra: x\n");
    assert_int_equal(gm_yaml_check_keys(root, known, &err), -GM_E_CONFIG);
    assert_string_equal(err.text, "f.yaml:1: unknown key `zebra`");
    gm_yaml_destroy(&root);
    root = parse("tasks: x\nname: y\n");
    assert_int_equal(gm_yaml_check_keys(root, known, &err), 0);
    gm_yaml_destroy(&root);
    root = parse("- x\n");
    assert_int_equal(gm_yaml_check_keys(root, known, &err), -GM_E_CONFIG);
    gm_yaml_destroy(&root);
}

static const struct {
    const char *text; /* of `k`; read by the getter named by kind */
    char kind;
    const char *want; /* NULL: accepted */
} GETTERS[] = {
    {"5", 'i', NULL},
    {"1", 'i', NULL},
    {"10", 'i', NULL},
    {"0", 'i', "`k`: 0 is out of range, it must be 1..10"},
    {"11", 'i', "out of range"},
    {"five", 'i', "f.yaml:1:4: `k`: expected a whole number, found `five`"},
    {"'5'", 'i', "expected a whole number, found the text `5`"},
    {"", 'i', "expected a whole number, found nothing"},
    {"[5]", 'i', "expected a whole number, found a list"},
    {"{a: 5}", 'i', "expected a whole number, found a map"},
    {"1.5", 'i', "a whole number"},
    {"10", 's', NULL},
    {"1k", 's', "out of range"},
    {"10kb", 's', "expected a size"},
    {"1.5", 'd', NULL},
    {"10.5", 'd', "out of range, it must be 1..10"},
    {"x", 'd', "expected a number"},
    {"true", 'b', NULL},
    {"false", 'b', NULL},
    {"yes", 'b', "expected true or false, found `yes`"},
    {"'true'", 'b', "expected true or false"},
    {"x", 't', NULL},
    {"''", 't', NULL},
    {"'~'", 't', NULL},
    {"12", 't', NULL},
    {"~", 't', "expected a text, found `~`"},
    {"null", 't', "expected a text"},
    {"", 't', "expected a text, found nothing"},
    {"[x]", 't', "expected a text, found a list"},
};

static void getters_say_what_they_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(GETTERS) / sizeof(GETTERS[0]); i++) {
        char text[64];
        struct gm_yaml *root;
        const struct gm_yaml *node;
        struct gm_err err = {0};
        const char *string = "kept";
        int64_t number = 77;
        double fraction = 77;
        bool flag = false;
        int rc = 0;

        print_message("%c %s\n", GETTERS[i].kind, GETTERS[i].text);
        snprintf(text, sizeof(text), "k: %s\n", GETTERS[i].text);
        root = parse(text);
        node = gm_yaml_find(root, "k");
        switch (GETTERS[i].kind) {
        case 'i':
            rc = gm_yaml_int(node, 1, 10, &number, &err);
            break;
        case 's':
            rc = gm_yaml_size(node, 1, 10, &number, &err);
            break;
        case 'd':
            rc = gm_yaml_double(node, 1, 10, &fraction, &err);
            break;
        case 'b':
            rc = gm_yaml_bool(node, &flag, &err);
            break;
        default:
            rc = gm_yaml_string(node, &string, &err);
            break;
        }
        if (GETTERS[i].want == NULL) {
            assert_int_equal(rc, 0);
        } else {
            print_message("  %s\n", err.text);
            assert_int_equal(rc, -GM_E_CONFIG);
            assert_non_null(strstr(err.text, GETTERS[i].want));
            assert_int_equal(number, 77);
            assert_true(fraction == 77);
            assert_string_equal(string, "kept");
        }
        gm_yaml_destroy(&root);
    }
}

static void fail_names_the_place(void **state)
{
    struct gm_yaml *root = parse("a:\n  b: c\n");
    struct gm_err err;

    (void)state;
    assert_int_equal(gm_yaml_fail(gm_yaml_find(root, "a")->child, &err, "no %s", "good"),
                     -GM_E_CONFIG);
    assert_string_equal(err.text, "f.yaml:2:6: no good");
    gm_yaml_destroy(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_becomes_a_tree),
        cmocka_unit_test(a_file_without_values_is_an_empty_map),
        cmocka_unit_test(wrong_documents_are_refused_with_their_place),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(many_keys_of_one_map_are_checked_in_time),
        cmocka_unit_test(unknown_keys_come_with_a_suggestion),
        cmocka_unit_test(getters_say_what_they_expected),
        cmocka_unit_test(fail_names_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
