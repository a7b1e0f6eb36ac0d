#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/complete.h"

static void join(const char *word, void *arg)
{
    char *out = arg;
    strcat(strcat(out, word), " ");
}

/* Words with a blank between; a blank at the end: an empty last one. */
static enum gm_complete_what completed(const char *line, char *out, struct gm_completion *c)
{
    static char text[256];
    const char *words[32];
    size_t count = 1;
    snprintf(text, sizeof text, "%s", line);
    words[0] = text;
    for (char *p = text; *p != '\0'; p++) {
        if (*p == ' ') {
            *p = '\0';
            words[count++] = p + 1;
        }
    }
    out[0] = '\0';
    gm_complete(words, count, join, out, c);
    return c->what;
}

static void words_go_by_the_tables(void **state)
{
    static const struct {
        const char *line, *words;
        enum gm_complete_what what;
    } rows[] = {
        {"pi", "pipeline ", GM_COMPLETE_NOTHING},
        {"help pi", "pipeline ", GM_COMPLETE_NOTHING},
        {"he", "help ", GM_COMPLETE_NOTHING},
        {"job re", "retry report ", GM_COMPLETE_NOTHING},
        {"--quiet job ca", "cancel ", GM_COMPLETE_NOTHING},
        {"job show ", "", GM_COMPLETE_JOB},
        {"job show abc ", "", GM_COMPLETE_NOTHING},
        {"events re", "redeliver ", GM_COMPLETE_NOTHING},
        {"events redeliver ", "", GM_COMPLETE_JOB},
        {"job priority abc ", "", GM_COMPLETE_NOTHING},
        {"node restart a ", "", GM_COMPLETE_NODE},
        {"uploads delete 0", "", GM_COMPLETE_UPLOAD},
        {"pipeline show v", "", GM_COMPLETE_PIPELINE},
        {"pipeline delete v", "", GM_COMPLETE_PIPELINE},
        {"pipeline check ", "", GM_COMPLETE_FILE},
        {"transcode ", "", GM_COMPLETE_FILE},
        {"transcode in --out ", "", GM_COMPLETE_FOLDER},
        {"job trace j --out ", "", GM_COMPLETE_FILE},
        {"job list --state ca", "cancelling cancelled ", GM_COMPLETE_NOTHING},
        {"job list --state=ca", "--state=cancelling --state=cancelled ", GM_COMPLETE_NOTHING},
        {"transcode in --state ", "", GM_COMPLETE_FOLDER},
        {"token new --role o", "operate ", GM_COMPLETE_NOTHING},
        {"submit x --pi", "--pipeline ", GM_COMPLETE_NOTHING},
        {"submit x --pipeline ", "", GM_COMPLETE_PIPELINE},
        {"version --j", "--json ", GM_COMPLETE_NOTHING},
        {"version --json --j", "", GM_COMPLETE_NOTHING},
        {"plan -- --j", "", GM_COMPLETE_FILE},
        {"completion z", "zsh ", GM_COMPLETE_NOTHING},
        {"nonsense ", "", GM_COMPLETE_NOTHING},
        {"--unknown job sh", "show ", GM_COMPLETE_NOTHING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[2048];
        struct gm_completion c;
        enum gm_complete_what what = completed(rows[i].line, out, &c);
        if (what != rows[i].what || strcmp(out, rows[i].words) != 0) {
            fail_msg("`%s`: %d `%s`", rows[i].line, (int)what, out);
        }
    }
}

static void the_farm_is_that_of_the_line(void **state)
{
    char out[2048];
    struct gm_completion c;
    (void)state;
    assert_int_equal(completed("--scheduler unix:/s --ca=c job show --token-file t ab", out, &c),
                     GM_COMPLETE_JOB);
    assert_string_equal(c.scheduler, "unix:/s");
    assert_string_equal(c.ca, "c");
    assert_string_equal(c.token_file, "t");
    assert_string_equal(c.prefix, "ab");
}

/* The scripts, in real shells: what Tab would offer. */
/* Whether it reads the script at all. */
static void is_read_by(const char *shell)
{
    char line[512];
    (void)snprintf(line, sizeof line, "command -v %s >/dev/null", shell);
    if (system(line) != 0) {
        print_message("skipped: %s is not installed\n", shell);
        return;
    }
    (void)snprintf(line, sizeof line, GM_BUILD_DIR "/bin/gopmill completion %s | %s -n /dev/stdin",
                   shell, shell);
    assert_int_equal(system(line), 0);
}

static void shells_take_what_is_told(void **state)
{
    static const char test[] =
        "PATH=" GM_BUILD_DIR "/bin:$PATH; . <(gopmill completion bash); set -eu\n"
        "tab() { COMP_LINE=$1 COMP_POINT=${#1} COMP_CWORD=$2; shift 2; COMP_WORDS=(\"$@\"); "
        "_gopmill; echo \"${COMPREPLY[*]-}\"; }\n"
        "compopt() { echo opt $2; }\n"
        "[[ $(tab 'gopmill jo' 1 gopmill jo) == job ]]\n"
        "[[ $(tab 'gopmill job re' 2 gopmill job re) == 'retry report' ]]\n"
        "[[ $(tab 'gopmill job list --state=fa' 5 gopmill job list --state = fa) == failed ]]\n"
        "[[ $(tab 'gopmill job list --state=' 4 gopmill job list --state =) == queued* ]]\n"
        "[[ $(tab 'gopmill --scheduler unix:/x job sh' 6 gopmill --scheduler unix : /x job sh) "
        "== show ]]\n"
        "[[ $(tab 'gopmill plan ' 2 gopmill plan '') == 'opt default'* ]]\n"
        "complete -p gopmill >/dev/null\n";
    (void)state;
    FILE *file = popen("bash --norc", "w");
    assert_non_null(file);
    assert_true(fputs(test, file) >= 0);
    assert_int_equal(pclose(file), 0);
    assert_null(gm_complete_script("csh"));
    is_read_by("zsh");
    is_read_by("fish");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_go_by_the_tables),
        cmocka_unit_test(the_farm_is_that_of_the_line),
        cmocka_unit_test(shells_take_what_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
