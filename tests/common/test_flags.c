#include "common/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct options {
    bool json, prove;
    const char *device;
    struct gm_flag_list paths;
};

/* What a call wrote to a stream, in place of the test's own. */
struct capture {
    int stream, saved;
    FILE *file;
};

static void capture_begin(struct capture *c, int stream)
{
    fflush(NULL);
    c->stream = stream;
    c->file = tmpfile();
    assert_non_null(c->file);
    c->saved = dup(stream);
    assert_true(c->saved >= 0 && dup2(fileno(c->file), stream) == stream);
}

static void capture_end(struct capture *c, char *out, size_t size)
{
    fflush(NULL);
    assert_int_equal(dup2(c->saved, c->stream), c->stream);
    close(c->saved);
    rewind(c->file);
    out[fread(out, 1, size - 1, c->file)] = '\0';
    fclose(c->file);
}

static int parse(struct options *o, const char *version, int *first, char **argv)
{
    const struct gm_flag table[] = {{"json", GM_FLAG_SET, &o->json},
                                    {"prove", GM_FLAG_SET, &o->prove},
                                    {"device", GM_FLAG_TEXT, &o->device},
                                    {"path", GM_FLAG_LIST, &o->paths},
                                    {NULL, GM_FLAG_SET, NULL}};
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    memset(o, 0, sizeof(*o));
    return gm_flags_parse(argc, argv, table, "the help\n", version, first);
}
#define ARGS(...) ((char *[]){(char *)(uintptr_t) "prog", __VA_ARGS__, NULL})
#define W(text) ((char *)(uintptr_t)(text))

static void options_go_where_the_table_says(void **state)
{
    struct options o;
    int first = 0;
    (void)state;
    char **argv = ARGS(W("word"), W("--json"), W("--device"), W("a"), W("--path=x"),
                       W("--device=b"), W("--path"), W("y"), W("--"), W("--prove"));
    assert_int_equal(parse(&o, NULL, &first, argv), -1);
    assert_true(o.json && !o.prove);
    assert_string_equal(o.device, "b");
    assert_int_equal(o.paths.count, 2);
    assert_string_equal(o.paths.items[0], "x");
    assert_string_equal(o.paths.items[1], "y");
    assert_string_equal(argv[first], "word");
    assert_string_equal(argv[first + 1], "--prove");
    assert_null(argv[first + 2]);
    assert_int_equal(parse(&o, NULL, &first, (char *[]){W("prog"), NULL}), -1); /* a second time */
    assert_int_equal(first, 1);
    assert_true(!o.json && o.device == NULL && o.paths.count == 0);
}

static void help_and_version_end_the_reading(void **state)
{
    struct options o;
    struct capture c;
    char text[256];
    int first = 7;
    (void)state;
    capture_begin(&c, 1);
    int status = parse(&o, "prog 1", &first, ARGS(W("--help"), W("--bogus")));
    capture_end(&c, text, sizeof(text));
    assert_int_equal(status, 0);
    assert_string_equal(text, "the help\n");
    capture_begin(&c, 1);
    status = parse(&o, "prog 1", &first, ARGS(W("--version")));
    capture_end(&c, text, sizeof(text));
    assert_int_equal(status, 0);
    assert_string_equal(text, "prog 1\n");
    assert_int_equal(first, 7);
}

static void what_is_wrong_is_said_with_the_help(void **state)
{
    static const char *const wrong[][2] = {
        {"--bogus", "unrecognized option '--bogus'"},
        {"--version", "unrecognized option '--version'"},
        {"--device", "option '--device' requires an argument"},
        {"--json=1", "option '--json' doesn't allow an argument"},
        {"-j", "invalid option -- 'j'"}};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct options o;
        struct capture c;
        char text[256];
        int first = 0;
        capture_begin(&c, 2);
        int status = parse(&o, NULL, &first, ARGS(W(wrong[i][0])));
        capture_end(&c, text, sizeof(text));
        assert_int_equal(status, GM_EXIT_USAGE);
        if (strstr(text, wrong[i][1]) == NULL || strstr(text, "\nthe help\n") == NULL) {
            fail_msg("%s: %s", wrong[i][0], text);
        }
    }
}

static void words_may_be_refused(void **state)
{
    struct options o;
    struct capture c;
    char text[256];
    (void)state;
    capture_begin(&c, 2);
    int status = parse(&o, NULL, NULL, ARGS(W("--json"), W("word"), W("more")));
    capture_end(&c, text, sizeof(text));
    assert_int_equal(status, GM_EXIT_USAGE);
    assert_string_equal(text, "prog: unexpected argument `word`\n\nthe help\n");
    assert_int_equal(parse(&o, NULL, NULL, ARGS(W("--json"))), -1);
    assert_true(o.json);
}

static void the_first_word_ends_what_is_taken(void **state)
{
    struct gm_flag_list paths = {.count = 0};
    const struct gm_flag table[] = {{"path", GM_FLAG_LIST, &paths}, {NULL, GM_FLAG_SET, NULL}};
    struct gm_err err = {.code = GM_OK};
    struct capture c;
    char *many[2 * GM_FLAG_LIST_MAX + 4] = {W("prog")};
    char text[256];
    int first = 0;
    (void)state;
    assert_int_equal(
        gm_flags_take(4, ARGS(W("--path=x"), W("run"), W("--path=y")), table, &first, &err), 0);
    assert_int_equal(first, 2);
    assert_int_equal(paths.count, 1);
    capture_begin(&c, 2);
    int rc = gm_flags_take(2, ARGS(W("--help")), table, &first, &err);
    capture_end(&c, text, sizeof(text));
    assert_int_equal(rc, -GM_E_INVAL);
    assert_string_equal(err.text, "an option is unknown or lacks its value");
    paths.count = 0;
    for (int i = 1; i <= GM_FLAG_LIST_MAX + 1; i++) {
        many[i] = W("--path=x");
    }
    assert_int_equal(gm_flags_take(GM_FLAG_LIST_MAX + 1, many, table, &first, &err), 0);
    paths.count = 0;
    assert_int_equal(gm_flags_take(GM_FLAG_LIST_MAX + 2, many, table, &first, &err), -GM_E_INVAL);
    assert_string_equal(err.text, "an option was given more than 64 times");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_go_where_the_table_says),
        cmocka_unit_test(help_and_version_end_the_reading),
        cmocka_unit_test(what_is_wrong_is_said_with_the_help),
        cmocka_unit_test(words_may_be_refused),
        cmocka_unit_test(the_first_word_ends_what_is_taken),
    };
    return cmocka_run_group_tests_name("common/flags", tests, NULL, NULL);
}
