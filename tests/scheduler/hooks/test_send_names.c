/* A server of names that does not answer must not hold the loop. */
#include <netdb.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "scheduler/hooks/send.h"

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

static void on_answer(const struct gm_hook_answer *told, void *what, void *arg)
{
    (void)told;
    (void)what;
    (void)arg;
    fail_msg("%s", "it was told of");
}

static void on_look(uv_timer_t *timer)
{
    if (sem_trywait(&asked) == 0) {
        gm_hook_sender_destroy(timer->data);
        uv_close((uv_handle_t *)timer, NULL);
    }
}

static void a_post_whose_host_is_looked_up_can_be_ended(void **state)
{
    static const struct gm_hook_post post = {
        .url = "http://hooks.example/", .id = "j-1", .signature = "v1,x", .body = "{}", .size = 2};
    struct gm_hook_sender *sender = NULL;
    struct gm_err err = {0};
    uv_loop_t loop;
    uv_timer_t timer;
    (void)state;
    alarm(60); /* where it waits for the name, it waits for ever */
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gm_hook_sender_create(&loop, on_answer, NULL, &sender, &err), 0);
    assert_int_equal(gm_hook_send(sender, &post, NULL, &err), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    timer.data = &sender;
    assert_int_equal(uv_timer_start(&timer, on_look, 1, 1), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_null(sender);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(sem_post(&answer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_whose_host_is_looked_up_can_be_ended),
    };
    if (sem_init(&asked, 0, 0) != 0 || sem_init(&answer, 0, 0) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
