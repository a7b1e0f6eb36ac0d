/* What a scheduler that stands by says over HTTP: it asks for tokens as the one that leads. */
#include "tests/scheduler/helper.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/tokens.h"
#include "scheduler/http/standby.h"

static void ask(struct gm_standby_http *http, const char *request, const char *status,
                const char *says)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    char answer[4096] = "";
    size_t size = 0;
    const char *port = strrchr(gm_standby_http_address(http), ':') + 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    in.sin_port = htons((uint16_t)atoi(port));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof in), 0);
    assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
    for (int i = 0; i < 200; i++) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = gm_standby_http_fd(http), .events = POLLIN}};
        (void)poll(fds, 2, 100);
        gm_standby_http_run(http);
        ssize_t n = (fds[0].revents & POLLIN) == 0
                        ? -1
                        : recv(fd, answer + size, sizeof answer - 1 - size, MSG_DONTWAIT);
        if (n == 0) {
            break;
        }
        size += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    if (strstr(answer, status) == NULL || strstr(answer, says) == NULL) {
        fail_msg("`%s` lacks `%s` or `%s`", answer, status, says);
    }
}

static void it_asks_for_tokens_too(void **state)
{
    char path[512], token[GM_TOKEN_SIZE], line[256], request[256];
    struct gm_token row = {.id = "a", .role = GM_TOKEN_SUBMIT, .until_unix_ms = INT64_MAX};
    struct gm_settings settings = {
        .http = (char *)"127.0.0.1:0", .http_tls_cert = (char *)"", .http_tokens = path};
    struct gm_standby_http *http = NULL;
    struct gm_door *door = NULL;
    struct gm_err err = {0};
    path_in(path, *state, "tokens");
    ASSERT_OK(gm_token_make(token, &err));
    gm_sha256(token, strlen(token), row.sha256);
    gm_token_line(&row, line);
    ASSERT_OK(gm_fs_write_private(path, line, strlen(line), &err));
    ASSERT_OK(gm_door_open(&settings, &door, &err));
    ASSERT_OK(gm_standby_http_open(settings.http, door, &http, &err));
    ask(http, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", " 200 ", "\"live\":true");
    ask(http, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", " 503 ", "scheduler.not_leader");
    ask(http, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", " 503 ", "<h1>This scheduler stands by</h1>");
    ask(http, "GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n", " 401 ", "WWW-Authenticate: Bearer");
    ask(http, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", " 401 ", "WWW-Authenticate: Bearer");
    (void)snprintf(request, sizeof request,
                   "GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token);
    ask(http, request, " 503 ", "scheduler.not_leader");
    (void)snprintf(request, sizeof request,
                   "GET /v1/nodes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token);
    ask(http, request, " 403 ", "auth.denied");
    gm_standby_http_close(&http);

    ASSERT_OK(gm_fs_write_private(path, "wrong\n", 6, &err)); /* it serves anew all the same */
    ASSERT_OK(gm_standby_http_open(settings.http, door, &http, &err));
    ask(http, request, " 403 ", "auth.denied");
    ask(http, "GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n", " 401 ", "WWW-Authenticate: Bearer");
    gm_standby_http_close(&http);
    gm_door_close(&door);
    assert_int_equal(gm_door_open(&settings, &door, &err), -GM_E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_asks_for_tokens_too, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
