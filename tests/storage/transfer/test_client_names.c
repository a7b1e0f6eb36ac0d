/* A server of names that does not answer must not hold the loop. */
#include <netdb.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage/transfer/client.h"

static sem_t asked, answer;

/* libcurl's, too: a program's own name comes before the C library's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)name;
    (void)service;
    (void)hints;
    *out = NULL;
    (void)sem_post(&asked);
    while (sem_wait(&answer) != 0) {
    }
    return EAI_AGAIN;
}

static void on_done(const struct gm_s3_result *result, void *arg)
{
    (void)result;
    (*(int *)arg)++;
}

static void on_look(uv_timer_t *timer)
{
    if (sem_trywait(&asked) == 0) {
        struct gm_s3_running **running = timer->data;

        gm_s3_cancel(running);
        uv_close((uv_handle_t *)timer, NULL);
    }
}

static void a_call_whose_host_is_looked_up_can_be_cancelled(void **state)
{
    static const struct gm_s3_keys keys = {"id", "secret", NULL};
    struct gm_s3_endpoint endpoint;
    struct gm_s3_client *client = NULL;
    struct gm_s3_running *running = NULL;
    struct gm_err err = {0};
    uv_loop_t loop;
    uv_timer_t timer;
    int ends = 0;

    (void)state;
    alarm(60); /* where it waits for the name, it waits for ever */
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_s3_endpoint_read("http://store.example", &endpoint, &err), 0);
    const struct gm_s3_client_params params = {.loop = &loop,
                                               .endpoint = &endpoint,
                                               .style = GM_S3_PATH,
                                               .keys = &keys,
                                               .region = "us-east-1"};
    const struct gm_s3_call call = {
        .method = "GET", .bucket = "bkt", .key = "k", .fd = -1, .done = on_done, .arg = &ends};

    assert_int_equal(gm_s3_client_create(&params, &client, &err), 0);
    assert_int_equal(gm_s3_client_start(client, &call, &running, &err), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    timer.data = &running;
    assert_int_equal(uv_timer_start(&timer, on_look, 1, 1), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_null(running);
    assert_int_equal(ends, 0);
    gm_s3_client_destroy(&client);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(sem_post(&answer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_whose_host_is_looked_up_can_be_cancelled),
    };

    if (sem_init(&asked, 0, 0) != 0 || sem_init(&answer, 0, 0) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
