/* Who may ask the API for what: the table of routes, tokens, the rate of submits. */
#include "tests/scheduler/helper.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fs.h"
#include "scheduler/http/request.h"

/* SHA-256 of the token below. */
#define TOKEN "gopmill_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OTHER "gopmill_BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void every_route_has_a_role(void **state)
{
    struct gm_route_row row;
    size_t open = 0, submit = 0, operate = 0, i = 0;
    (void)state;
    for (; gm_route_get(i, &row); i++) {
        enum gm_token_role least = gm_route_least(row.method, row.path);
        assert_int_equal(row.least, least);
        if (least > GM_TOKEN_ADMIN) {
            fail_msg("%s %s is nobody's", row.method, row.path);
        }
        open += least == GM_TOKEN_NOBODY;
        submit += least == GM_TOKEN_SUBMIT;
        operate += least == GM_TOKEN_OPERATE;
        bool nodes =
            strncmp(row.path, "/v1/nodes", 9) == 0 || strncmp(row.path, "/v1/storage", 11) == 0;
        assert_true(!nodes || least == GM_TOKEN_OPERATE);
        assert_true(strncmp(row.path, "/v1/", 4) != 0 || least != GM_TOKEN_NOBODY);
    }
    assert_true(i > 20 && open > 0 && submit > 0 && operate > 0);
    assert_int_equal(gm_route_least("GET", "/livez"), GM_TOKEN_NOBODY);
    assert_int_equal(gm_route_least("HEAD", "/v1/nodes"), GM_TOKEN_OPERATE);
    assert_int_equal(gm_route_least("POST", "/livez"), GM_TOKEN_SUBMIT); /* no route */
    assert_int_equal(gm_route_least("GET", "/livez/"), GM_TOKEN_SUBMIT);
    assert_int_equal(gm_route_least("HEAD", "/"), GM_TOKEN_NOBODY); /* the page */
    assert_int_equal(gm_route_least("GET", "/web/main.js"), GM_TOKEN_NOBODY);
    assert_int_equal(gm_route_least("POST", "/"), GM_TOKEN_SUBMIT);
    assert_int_equal(gm_route_least("GET", "/webs"), GM_TOKEN_SUBMIT);
}

static int listen_at(const char *host)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, host, &in.sin_addr), 1);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void write_row(const char *path, const char *token, const char *row)
{
    struct gm_token t = {.id = "a", .role = GM_TOKEN_SUBMIT, .until_unix_ms = INT64_MAX};
    struct gm_err err;
    char line[256];
    gm_sha256(token, strlen(token), t.sha256);
    (void)snprintf(t.tenant, sizeof t.tenant, "news");
    gm_token_line(&t, line);
    const char *text = row != NULL ? row : line;
    ASSERT_OK(gm_fs_write_private(path, text, strlen(text), &err));
}

static enum gm_code ask(struct gm_gate *gate, const char *header, unsigned count,
                        enum gm_token_role least, struct gm_caller *out)
{
    struct gm_err err = {0};
    int rc = gm_gate_check(gate, header, count, least, out, &err);
    assert_null(strstr(err.text, "AAAA"));
    return (enum gm_code) - rc;
}

/* It has changed and can't be opened: it is read as soon as it can. */
static void look_without_files(struct gm_gate *gate, gm_time now)
{
    struct rlimit limit;
    struct gm_caller who;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    bool read = gm_gate_look(gate, now);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(read);
    assert_non_null(gm_gate_fault(gate));
    assert_int_equal(ask(gate, "Bearer " TOKEN, 1, GM_TOKEN_SUBMIT, &who), 0);
}

static void a_token_opens_what_is_its(void **state)
{
    char path[512];
    struct gm_settings settings = {.http = (char *)"x", .http_tls_cert = (char *)""};
    struct gm_gate *gate = NULL;
    struct gm_caller who = {0};
    struct gm_err err = {0};
    int fd = listen_at("127.0.0.1");
    path_in(path, *state, "tokens");
    settings.http_tokens = path;
    assert_int_equal(gm_gate_open(&settings, &gate, &err), -GM_E_SYS);
    write_row(path, TOKEN, NULL);
    ASSERT_OK(gm_gate_open(&settings, &gate, &err));
    gm_gate_guard(gate, fd);
    assert_true(gm_gate_is_local(fd));
    assert_int_equal(ask(gate, NULL, 0, GM_TOKEN_NOBODY, &who), 0);
    assert_int_equal(who.role, GM_TOKEN_NOBODY);
    assert_int_equal(ask(gate, NULL, 0, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_MISSING);
    assert_int_equal(ask(gate, "Bearer " OTHER, 1, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_REFUSED);
    assert_int_equal(ask(gate, "Basic " TOKEN, 1, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_REFUSED);
    assert_int_equal(ask(gate, TOKEN, 1, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_REFUSED);
    assert_int_equal(ask(gate, "Bearer " TOKEN "A", 1, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_REFUSED);
    assert_int_equal(ask(gate, "Bearer " TOKEN, 2, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_REFUSED);
    assert_int_equal(ask(gate, "bearer  " TOKEN, 1, GM_TOKEN_SUBMIT, &who), 0);
    assert_string_equal(who.tenant, "news");
    assert_true(gm_caller_may_see(&who, "news"));
    assert_false(gm_caller_may_see(&who, "sport") || gm_caller_may_see(&who, "") ||
                 gm_caller_may_see(&who, NULL));
    assert_int_equal(ask(gate, "Bearer " TOKEN, 1, GM_TOKEN_OPERATE, &who), GM_E_AUTH_DENIED);
    assert_int_equal(ask(gate, "Bearer " TOKEN, 1, GM_TOKEN_ROLES, &who), GM_E_AUTH_DENIED);

    gm_time now = gm_time_now();
    write_row(path, OTHER, "wrong");
    assert_false(gm_gate_look(gate, now)); /* not so soon */
    assert_false(gm_gate_look(gate, now += 3 * GM_SEC));
    assert_non_null(gm_gate_fault(gate));
    assert_int_equal(ask(gate, "Bearer " TOKEN, 1, GM_TOKEN_SUBMIT, &who), 0);
    write_row(path, OTHER, NULL);
    look_without_files(gate, now += 3 * GM_SEC);
    assert_true(gm_gate_look(gate, now += 3 * GM_SEC));
    assert_null(gm_gate_fault(gate));
    assert_false(gm_gate_look(gate, now += 3 * GM_SEC)); /* it is the same */
    assert_int_equal(ask(gate, "Bearer " TOKEN, 1, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_REFUSED);
    assert_int_equal(ask(gate, "Bearer " OTHER, 1, GM_TOKEN_SUBMIT, &who), 0);
    assert_int_equal(unlink(path), 0);
    assert_false(gm_gate_look(gate, now += 3 * GM_SEC));
    assert_non_null(gm_gate_fault(gate));
    assert_int_equal(ask(gate, "Bearer " OTHER, 1, GM_TOKEN_SUBMIT, &who), 0);
    write_row(path, OTHER,
              "a submit * 0000000000000000000000000000000000000000000000000000000000000000 "
              "2020-01-01T00:00:00Z");
    assert_true(gm_gate_look(gate, now += 3 * GM_SEC));
    gm_gate_close(&gate);

    struct gm_token over = {.id = "o", .role = GM_TOKEN_ADMIN, .until_unix_ms = 1000};
    char line[256];
    gm_sha256(TOKEN, strlen(TOKEN), over.sha256);
    gm_token_line(&over, line);
    write_row(path, TOKEN, line);
    ASSERT_OK(gm_gate_open(&settings, &gate, &err));
    gm_gate_guard(gate, fd);
    assert_int_equal(ask(gate, "Bearer " TOKEN, 1, GM_TOKEN_SUBMIT, &who), GM_E_AUTH_REFUSED);
    gm_gate_close(&gate);
    (void)close(fd);

    int pair[2]; /* a unix socket asks for none */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ASSERT_OK(gm_gate_open(&settings, &gate, &err));
    gm_gate_guard(gate, pair[0]);
    assert_int_equal(ask(gate, NULL, 0, GM_TOKEN_ADMIN, &who), 0);
    assert_int_equal(who.role, GM_TOKEN_ADMIN);
    gm_gate_close(&gate);
    (void)close(pair[0]);
    (void)close(pair[1]);
    fd = listen_at("0.0.0.0");
    assert_false(gm_gate_is_local(fd));
    (void)close(fd);
}

static void submits_come_as_fast_as_they_may(void **state)
{
    static struct gm_pace pace;
    const struct gm_tenant_params lines[] = {{.name = "few", .max_submits_per_s = 2},
                                             {.name = "free"},
                                             {.name = "*", .max_submits_per_s = 1}};
    struct gm_err err = {0};
    gm_time now = 1000 * GM_SEC;
    (void)state;
    ASSERT_OK(gm_pace_take(&pace, lines, 3, "few", now, &err));
    ASSERT_OK(gm_pace_take(&pace, lines, 3, "few", now, &err));
    assert_int_equal(gm_pace_take(&pace, lines, 3, "few", now, &err), -GM_E_BUSY);
    ASSERT_OK(gm_pace_take(&pace, lines, 3, "few", now + GM_SEC / 2, &err));
    for (int i = 0; i < 9; i++) {
        ASSERT_OK(gm_pace_take(&pace, lines, 3, "free", now, &err));
        ASSERT_OK(gm_pace_take(&pace, lines, 2, "other", now, &err));
    }
    ASSERT_OK(gm_pace_take(&pace, lines, 3, NULL, now, &err));
    assert_int_equal(gm_pace_take(&pace, lines, 3, GM_TENANT_DEFAULT, now, &err), -GM_E_BUSY);
    for (int i = 0; i < 2 * GM_PACE_TENANTS; i++) { /* each for itself; the oldest are forgotten */
        char name[16];
        (void)snprintf(name, sizeof name, "t%d", i);
        ASSERT_OK(gm_pace_take(&pace, lines, 3, name, now + GM_SEC, &err));
        assert_int_equal(gm_pace_take(&pace, lines, 3, name, now + GM_SEC, &err), -GM_E_BUSY);
    }
    assert_int_equal(pace.count, GM_PACE_TENANTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_has_a_role),
        cmocka_unit_test_setup_teardown(a_token_opens_what_is_its, make_folder, remove_folder),
        cmocka_unit_test(submits_come_as_fast_as_they_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
