/* The page as browsers ask for it. */
#include "tests/scheduler/farm.h"

/* All that comes back to a request of `path` with these header lines. Owned by the caller. */
static char *ask(const struct farm *f, const char *method, const char *path, const char *lines)
{
    char request[512];
    char *all = NULL;
    int fd = farm_connect(f);
    int n =
        snprintf(request, sizeof request,
                 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method, path, lines);
    farm_send(fd, request, (size_t)n);
    (void)farm_read_until(fd, "never said", &all);
    (void)close(fd);
    return all;
}

static void expect(const struct farm *f, const char *method, const char *path, const char *lines,
                   const char *has, const char *lacks)
{
    char *all = ask(f, method, path, lines);
    if (strstr(all, has) == NULL || (lacks != NULL && strstr(all, lacks) != NULL)) {
        fail_msg("%s %s %s: %.600s", method, path, lines, all);
    }
    free(all);
}

static void files_are_served_by_their_exact_names(void **state)
{
    struct farm f;
    json_t *j = NULL;
    farm_start(&f, *state);
    expect(&f, "GET", "/", "", "<title>gopmill</title>", "Content-Encoding");
    expect(&f, "GET", "/", "", "script-src 'self'; style-src 'self'", "unsafe");
    expect(&f, "GET", "/web/main.js", "", "Content-Type: text/javascript", "no-store");
    expect(&f, "GET", "/web/vendor/hls.min.js", "", "sourceMappingURL", NULL);
    expect(&f, "HEAD", "/", "", "Content-Type: text/html", "<title>");
    farm_expect(&f, "GET", "/web/", NULL, 404, "api.no_route");
    farm_expect(&f, "GET", "/web/index.html", NULL, 404, "api.no_route");
    farm_expect(&f, "GET", "/web/main.js/", NULL, 404, "api.no_route");
    farm_expect(&f, "GET", "/web/../main.js", NULL, 404, "api.no_route");
    farm_expect(&f, "POST", "/", "{}", 405, "usage.invalid");
    assert_int_equal(farm_call(&f, "GET", "/web/catalogue.json", NULL, &j), 200);
    assert_non_null(json_object_get(json_object_get(j, "input.no_video"), "remedy"));
    json_decref(j);
    farm_stop(&f);
}

static void what_a_browser_has_is_not_sent_again(void **state)
{
    struct farm f;
    char lines[256];
    farm_start(&f, *state);
    char *all = ask(&f, "GET", "/", "");
    const char *etag = strstr(all, "ETag: W/\"");
    assert_non_null(etag);
    (void)snprintf(lines, sizeof lines, "If-None-Match: \"other\", %.36s\r\n", etag + 6);
    free(all);
    expect(&f, "GET", "/", lines, "HTTP/1.1 304", "<title>");
    expect(&f, "GET", "/", "If-None-Match: W/\"other\"\r\n", "HTTP/1.1 200", NULL);
    farm_stop(&f);
}

static void gzip_goes_to_who_takes_it(void **state)
{
    struct farm f;
    farm_start(&f, *state);
    expect(&f, "GET", "/", "Accept-Encoding: br, gzip\r\n", "Content-Encoding: gzip", "<title>");
    expect(&f, "GET", "/", "Accept-Encoding: br;q=1, GZIP;q=0.5\r\n", "Content-Encoding: gzip",
           NULL);
    expect(&f, "GET", "/", "Accept-Encoding: gzip;q=0\r\n", "<title>", "Content-Encoding");
    expect(&f, "GET", "/", "Accept-Encoding: gzipped, br\r\n", "<title>", "Content-Encoding");
    farm_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_served_by_their_exact_names, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_a_browser_has_is_not_sent_again, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(gzip_goes_to_who_takes_it, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
