#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/args.h"

static struct gm_err err;

/* Words split at blanks; argv[0] is put in front. */
static int parse(const char *line, const char *env, struct gm_args *out)
{
    static char text[512];
    char *argv[32] = {"gopmill"};
    int argc = 1;
    snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    memset(&err, 0, sizeof(err));
    return gm_args_parse(argc, argv, env, out, &err);
}

static void each_command_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum gm_command command;
        const char *operand;
    } rows[] = {
        {"transcode in.mp4 --out o", GM_CMD_TRANSCODE, "in.mp4"},
        {"plan in.mp4", GM_CMD_PLAN, "in.mp4"},
        {"submit in.mp4 --out o --scheduler http://h:1", GM_CMD_SUBMIT, "in.mp4"},
        {"submit in.mp4 --out o --no-upload --verbose --scheduler http://h:1", GM_CMD_SUBMIT,
         "in.mp4"},
        {"upload in.mp4 --parallel 64 --storage-ca ca.pem --tenant t --scheduler http://h:1",
         GM_CMD_UPLOAD, "in.mp4"},
        {"watch j1 --scheduler http://h:1", GM_CMD_WATCH, "j1"},
        {"job list --scheduler http://h:1", GM_CMD_JOB_LIST, NULL},
        {"job show j1 --scheduler http://h:1", GM_CMD_JOB_SHOW, "j1"},
        {"job cancel j1 --scheduler http://h:1", GM_CMD_JOB_CANCEL, "j1"},
        {"job explain j1 --scheduler http://h:1", GM_CMD_JOB_EXPLAIN, "j1"},
        {"job retry j1 --scheduler http://h:1", GM_CMD_JOB_RETRY, "j1"},
        {"job priority j1 80 --scheduler http://h:1", GM_CMD_JOB_PRIORITY, "j1"},
        {"job trace j1 --out t.json --scheduler http://h:1", GM_CMD_JOB_TRACE, "j1"},
        {"asset list --query film --limit 5 --scheduler http://h:1", GM_CMD_ASSET_LIST, NULL},
        {"asset delete j1 --force --scheduler http://h:1", GM_CMD_ASSET_DELETE, "j1"},
        {"uploads delete u1 --scheduler http://h:1", GM_CMD_UPLOADS_DELETE, "u1"},
        {"events list --dead --limit 5 --scheduler http://h:1", GM_CMD_EVENTS_LIST, NULL},
        {"events redeliver 07/farm:cms --scheduler http://h:1", GM_CMD_EVENTS_REDELIVER,
         "07/farm:cms"},
        {"events redeliver --all --scheduler http://h:1", GM_CMD_EVENTS_REDELIVER, NULL},
        {"events follow --after 7 --json --scheduler http://h:1", GM_CMD_EVENTS_FOLLOW, NULL},
        {"farm --scheduler http://h:1", GM_CMD_FARM, NULL},
        {"node list --scheduler http://h:1", GM_CMD_NODE_LIST, NULL},
        {"node show n1 --scheduler http://h:1", GM_CMD_NODE_SHOW, "n1"},
        {"node drain n1 --scheduler http://h:1", GM_CMD_NODE_DRAIN, "n1"},
        {"--scheduler=http://h:1 node resume n1", GM_CMD_NODE_RESUME, "n1"},
        {"node resume n1 --device cpu --scheduler http://h:1", GM_CMD_NODE_RESUME, "n1"},
        {"node restart n1 n2 n3 --scheduler http://h:1", GM_CMD_NODE_RESTART, "n1"},
        {"node restart --all --at-once 4 --scheduler http://h:1", GM_CMD_NODE_RESTART, NULL},
        {"node quarantine n1 --reason fans --scheduler http://h:1", GM_CMD_NODE_QUARANTINE, "n1"},
        {"pipeline list", GM_CMD_PIPELINE_LIST, NULL},
        {"pipeline show vod-h264", GM_CMD_PIPELINE_SHOW, "vod-h264"},
        {"pipeline check p.yaml", GM_CMD_PIPELINE_CHECK, "p.yaml"},
        {"pipeline store p.yaml --scheduler http://h:1", GM_CMD_PIPELINE_STORE, "p.yaml"},
        {"pipeline delete p --scheduler http://h:1", GM_CMD_PIPELINE_DELETE, "p"},
        {"keys make n1 --role node", GM_CMD_KEYS_MAKE, "n1"},
        {"keys list --keys d", GM_CMD_KEYS_LIST, NULL},
        {"keys rotate n1 --hours 0", GM_CMD_KEYS_ROTATE, "n1"},
        {"keys revoke n1", GM_CMD_KEYS_REVOKE, "n1"},
        {"token new --role submit --tenant t --expires 90d --file f", GM_CMD_TOKEN_NEW, NULL},
        {"token new ci --role admin", GM_CMD_TOKEN_NEW, "ci"},
        {"token list", GM_CMD_TOKEN_LIST, NULL},
        {"token revoke ci", GM_CMD_TOKEN_REVOKE, "ci"},
        {"version", GM_CMD_VERSION, NULL},
        {"--version", GM_CMD_VERSION, NULL},
        {"--quiet plan --json -- --odd-name", GM_CMD_PLAN, "--odd-name"},
        {"plan -", GM_CMD_PLAN, "-"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_args args;
        if (parse(rows[i].line, NULL, &args) != 0) {
            fail_msg("%s: %s", rows[i].line, err.text);
        }
        assert_int_equal(args.command, rows[i].command);
        if (rows[i].operand == NULL) {
            assert_null(args.operand);
        } else {
            assert_string_equal(args.operand, rows[i].operand);
        }
    }
}

static void options_are_read_in_both_forms(void **state)
{
    (void)state;
    struct gm_args args;
    assert_int_equal(parse("transcode --out=o --nodes=3 in --state s --priority 9 --json --quiet "
                           "--pipeline=p.yaml --external-id e",
                           NULL, &args),
                     0);
    assert_string_equal(args.out, "o");
    assert_string_equal(args.state, "s");
    assert_string_equal(args.pipeline, "p.yaml");
    assert_string_equal(args.external_id, "e");
    assert_int_equal(args.nodes, 3);
    assert_int_equal(args.priority, 9);
    assert_true(args.json && args.quiet);
    assert_false(args.watch);
}

static void several_nodes_are_named(void **state)
{
    (void)state;
    struct gm_args args;
    assert_int_equal(parse("node restart n1 n2 n3 --at-once 2 --timeout 60", "http://h:1", &args),
                     0);
    assert_int_equal(args.operand_count, 3);
    assert_string_equal(args.operands[0], "n1");
    assert_string_equal(args.operands[2], "n3");
    assert_int_equal(args.at_once, 2);
    assert_int_equal(args.timeout, 60);
    assert_false(args.all || args.force);
    assert_int_equal(parse("node restart --all --force", "http://h:1", &args), 0);
    assert_int_equal(args.operand_count, 0);
    assert_true(args.all && args.force);
    assert_int_equal(args.at_once, 1);
    assert_int_equal(args.timeout, 3600);
}

static void submit_names_tenant_and_deadline(void **state)
{
    (void)state;
    struct gm_args args;
    assert_int_equal(parse("submit in --out o --tenant news --deadline 2h", "http://h:1", &args),
                     0);
    assert_string_equal(args.tenant, "news");
    assert_string_equal(args.deadline, "2h");
    assert_int_equal(parse("submit in --out o", "http://h:1", &args), 0);
    assert_null(args.tenant);
    assert_null(args.deadline);
}

static void defaults_are_the_documented_ones(void **state)
{
    (void)state;
    struct gm_args args;
    assert_int_equal(parse("transcode in --out o", NULL, &args), 0);
    assert_int_equal(args.nodes, 1);
    assert_int_equal(args.priority, 50);
    assert_string_equal(args.pipeline, "vod-h264");
    assert_null(args.scheduler);
    assert_null(args.state);
}

static void the_environment_names_a_scheduler(void **state)
{
    (void)state;
    struct gm_args args;
    assert_int_equal(parse("job list", "http://env:1", &args), 0);
    assert_string_equal(args.scheduler, "http://env:1");
    assert_int_equal(parse("job list --scheduler unix:/x", "http://env:1", &args), 0);
    assert_string_equal(args.scheduler, "unix:/x");
    assert_int_equal(parse("plan in", "", &args), 0);
    assert_null(args.scheduler);
    assert_int_equal(parse("job list", "", &args), -GM_E_INVAL);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *says;
    } rows[] = {
        {"", "no command"},
        {"trnscode in", "did you mean `transcode`"},
        {"job lst", "did you mean `list`"},
        {"job", "second word: list, show, cancel, explain, retry"},
        {"node", "second word: list"},
        {"transcode", "INPUT is missing"},
        {"transcode in --bogus", "unknown option `--bogus`"},
        {"transcode -i in", "unknown option `-i`: options have two dashes"},
        {"transcode in", "--out DIR is missing"},
        {"transcode --out o", "INPUT is missing"},
        {"transcode in more --out o", "`more` is one word too many"},
        {"transcode a b c d --out o", "too many"},
        {"transcode in --out o --nodez 3", "did you mean `--nodes`"},
        {"transcode in --out o --nodes 0", "from 1 to 64, not `0`"},
        {"transcode in --out o --nodes 65", "from 1 to 64"},
        {"transcode in --out o --nodes x", "not `x`"},
        {"transcode in --out o --nodes 3x", "not `3x`"},
        {"transcode in --out o --nodes 99999999999999999999", "from 1 to 64"},
        {"transcode in --out o --priority -1", "from 0 to 100"},
        {"transcode in --out", "--out needs a value"},
        {"transcode in --out=", "--out needs a value"},
        {"transcode in --out o --out p", "--out is given twice"},
        {"transcode in --out o --json=yes", "--json takes no value"},
        {"transcode in --out o --watch", "takes no --watch"},
        {"plan in --nodes 2", "takes no --nodes"},
        {"transcode in --out o --tenant t", "takes no --tenant"},
        {"version --scheduler x", "takes no --scheduler"},
        {"node quarantine n1 --scheduler http://h:1", "--reason TEXT is missing"},
        {"node drain n1 --device cpu --scheduler http://h:1", "takes no --device"},
        {"node restart --scheduler http://h:1", "NODE (or --all) is missing"},
        {"node restart n1 --all --scheduler http://h:1", "--all and `n1`"},
        {"events redeliver j --all --scheduler http://h:1", "--all and `j`"},
        {"events redeliver --scheduler http://h:1", "JOB|ID (or --all) is missing"},
        {"node restart n1 --at-once 0 --scheduler http://h:1", "from 1 to 64"},
        {"node drain n1 n2 --scheduler http://h:1", "`n2` is one word too many"},
        {"node drain n1 --all --scheduler http://h:1", "takes no --all"},
        {"watch j1", "--scheduler URL is missing"},
        {"transcode in --out o --nodes 2 --scheduler http://h:1", "--nodes is for the farm"},
        {"plan in --state s --scheduler http://h:1", "--state is for the farm"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_args args = {.priority = -7};
        assert_int_equal(parse(rows[i].line, NULL, &args), -GM_E_INVAL);
        if (strstr(err.text, rows[i].says) == NULL) {
            fail_msg("%s: `%s` does not say `%s`", rows[i].line, err.text, rows[i].says);
        }
        assert_int_equal(args.priority, -7); /* untouched */
    }
}

static void an_unlike_option_is_not_suggested(void **state)
{
    (void)state;
    struct gm_args args;
    assert_int_equal(parse("plan in --bogus", NULL, &args), -GM_E_INVAL);
    assert_null(strstr(err.text, "did you mean"));
}

static void json_is_seen_whatever_else_is_wrong(void **state)
{
    (void)state;
    char *const with[] = {"gopmill", "plan", "--bogus", "--json"};
    char *const without[] = {"gopmill", "plan", "--", "--json"};
    assert_true(gm_args_has_json(4, with));
    assert_false(gm_args_has_json(4, without));
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    struct gm_args args;
    assert_int_equal(parse("--help", NULL, &args), 0);
    assert_true(args.help);
    assert_int_equal(args.command, GM_CMD_NONE);
    assert_int_equal(parse("transcode -h", NULL, &args), 0);
    assert_int_equal(args.command, GM_CMD_TRANSCODE);
    static const struct {
        const char *line;
        enum gm_command command;
    } rows[] = {
        {"help", GM_CMD_NONE},      {"help plan", GM_CMD_PLAN},
        {"job --help", GM_CMD_JOB}, {"help job show", GM_CMD_JOB_SHOW},
        {"help node", GM_CMD_NODE}, {"pipeline -h", GM_CMD_PIPELINE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i].line, NULL, &args), 0);
        assert_true(args.help);
        assert_int_equal(args.command, rows[i].command);
    }
    assert_int_equal(parse("help plann", NULL, &args), -GM_E_INVAL);
    for (int c = GM_CMD_NONE; c <= GM_CMD_VERSION; c++) {
        const char *text = gm_args_help((enum gm_command)c);
        assert_int_equal(strncmp(text, "gopmill", 7), 0);
        assert_int_equal(text[strlen(text) - 1], '\n');
    }
    /* each command has its own text */
    assert_ptr_not_equal(gm_args_help(GM_CMD_WATCH), gm_args_help(GM_CMD_NONE));
}

static void only_names_that_nodes_can_have_are_asked_for(void **state)
{
    static const char *const lines[] = {"node drain Box", "node resume n1/x", "node restart n1 N2",
                                        "node quarantine n.1"};
    struct gm_args args;
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        print_message("%s\n", lines[i]);
        assert_int_equal(parse(lines[i], "http://h:1", &args), -GM_E_INVAL);
        assert_non_null(strstr(err.text, "[a-z0-9-]"));
    }
    assert_int_equal(parse("job show J1", "http://h:1", &args), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_found),
        cmocka_unit_test(options_are_read_in_both_forms),
        cmocka_unit_test(several_nodes_are_named),
        cmocka_unit_test(only_names_that_nodes_can_have_are_asked_for),
        cmocka_unit_test(submit_names_tenant_and_deadline),
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(the_environment_names_a_scheduler),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(an_unlike_option_is_not_suggested),
        cmocka_unit_test(json_is_seen_whatever_else_is_wrong),
        cmocka_unit_test(help_needs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
