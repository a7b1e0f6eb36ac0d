/* Certificates: openssl's own server with one that it makes for itself. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "storage/transfer/client.h"

struct fixture {
    char folder[64];
    char cert[96];
    char url[64];
    pid_t pid;
    int output; /* owned; of the server */
    int rc;
    struct gm_err err;
    unsigned tries;
    int status;
};

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct fixture *f = arg;

    f->rc = result->rc;
    f->err = result->err;
    f->tries = result->tries;
    f->status = result->status;
}

/* Starts the server on a port that is free, which it names: "ACCEPT 127.0.0.1:port". */
static void serve(struct fixture *f)
{
    char key[128];
    char text[256] = {0};
    size_t size = 0;
    int ends[2];
    const char *at;

    snprintf(key, sizeof(key), "%s/key.pem", f->folder);
    assert_int_equal(pipe(ends), 0);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], 1);
        execlp("openssl", "openssl", "s_server", "-www", "-accept", "127.0.0.1:0", "-cert", f->cert,
               "-key", key, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((at = strstr(text, "ACCEPT 127.0.0.1:")) == NULL || strchr(at, '\n') == NULL) {
        ssize_t n = read(ends[0], text + size, sizeof(text) - 1 - size);

        assert_true(n > 0);
        size += (size_t)n;
    }
    f->output = ends[0];
    snprintf(f->url, sizeof(f->url), "https://127.0.0.1:%d",
             atoi(at + strlen("ACCEPT 127.0.0.1:")));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char command[512];

    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/gm-test-tls-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->folder);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem -out %s "
             "2>/dev/null",
             f->folder, f->cert);
    assert_int_equal(system(command), 0);
    serve(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    close(f->output);
    assert_int_equal(gm_fs_remove_tree(f->folder, NULL), 0);
    free(f);
    return 0;
}

static void ask(struct fixture *f, const char *url, const char *ca_file)
{
    struct gm_s3_endpoint endpoint;
    struct gm_s3_client *client = NULL;
    struct gm_s3_running *running = NULL;
    struct gm_err err = {0};
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_s3_endpoint_read(url, &endpoint, &err), 0);
    const struct gm_s3_client_params params = {
        .loop = &loop, .endpoint = &endpoint, .ca_file = ca_file};
    const struct gm_s3_call call = {
        .method = "GET", .url = url, .max_tries = 3, .done = on_done, .arg = f};

    assert_int_equal(gm_s3_client_create(&params, &client, &err), 0);
    assert_int_equal(gm_s3_client_start(client, &call, &running, &err), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    gm_s3_client_destroy(&client);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_certificate_is_trusted_by_its_signer_alone(void **state)
{
    struct fixture *f = *state;
    char other[64];

    ask(f, f->url, f->cert);
    assert_int_equal(f->tries, 1);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->rc, 0);
    ask(f, f->url, NULL); /* the system's do not know it */
    assert_int_equal(f->rc, -GM_E_STORE);
    assert_int_equal(f->tries, 1); /* no pause makes it right */
    assert_int_equal(f->status, 0);
    assert_non_null(strstr(f->err.text, "certificate"));
    snprintf(other, sizeof(other), "https://localhost:%s", strrchr(f->url, ':') + 1);
    ask(f, other, f->cert); /* it is for another name */
    assert_int_equal(f->rc, -GM_E_STORE);
    assert_int_equal(f->tries, 1);
    ask(f, f->url, "/nonexistent/ca.pem");
    assert_int_equal(f->rc, -GM_E_STORE);
    assert_int_equal(f->tries, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        a_certificate_is_trusted_by_its_signer_alone, setup, teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
