/* Files of a result over HTTP. */
#include "tests/scheduler/daemon_story.h"

#include "common/buf.h"

static const char *of = "jobs"; /* or assets: whose files are asked for */

/* The whole answer, head and body; owned. more: header lines, or "". */
static char *fetch(const struct farm *f, const char *method, const char *id, const char *path,
                   const char *more)
{
    char request[1024];
    char part[4096];
    struct gm_buf all = {0};
    ssize_t got;
    int fd = farm_connect(f);
    int n = snprintf(request, sizeof request,
                     "%s /v1/%s/%s/files/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
                     method, of, id, path, more);
    farm_send(fd, request, (size_t)n);
    while ((got = read(fd, part, sizeof part)) > 0) {
        gm_buf_add(&all, part, (size_t)got);
    }
    (void)close(fd);
    gm_buf_u8(&all, 0);
    assert_false(all.failed);
    return (char *)all.data;
}

/* status, a header line (or NULL), and the body (or NULL: any). */
static void expect(const struct farm *f, const char *id, const char *path, const char *more,
                   int status, const char *line, const char *body)
{
    char *all = fetch(f, "GET", id, path, more);
    int got = 0;
    char *end = strstr(all, "\r\n\r\n");
    assert_int_equal(sscanf(all, "HTTP/1.1 %d", &got), 1);
    assert_non_null(end);
    if (got != status || (line != NULL && strcasestr(all, line) == NULL) ||
        (body != NULL && strcmp(end + 4, body) != 0)) {
        fail_msg("%s %s: %s", path, more, all);
    }
    free(all);
}

static void look_at_files(const struct farm *f, const char *id)
{
    static const char seg[] = SEGMENT;
    char tag[128], line[160];
    expect(f, id, "master.m3u8", "", 200, "Content-Type: application/vnd.apple.mpegurl", "master");
    expect(f, id, "manifest.mpd", "Range: bytes=1-3\r\n", 206, "bytes 1-3/8", "ani");
    expect(f, id, "report.json", "", 200, "application/json", NULL);
    expect(f, id, seg, "", 200, "Content-Length: 9", "a segment");
    expect(f, id, seg, "Range: bytes=2-4\r\n", 206, "Content-Range: bytes 2-4/9", "seg");
    expect(f, id, seg, "Range: bytes=-4\r\n", 206, "Content-Range: bytes 5-8/9", "ment");
    expect(f, id, seg, "Range: bytes=9-\r\n", 416, NULL, NULL);
    expect(f, id, seg, "Range: bytes=2-4\r\nIf-Range: \"x\"\r\n", 200, NULL, "a segment");
    char *all = fetch(f, "HEAD", id, seg, "");
    const char *etag = strcasestr(all, "ETag: ");
    assert_non_null(etag);
    assert_int_equal(sscanf(etag + 6, "%127[^\r]", tag), 1);
    assert_non_null(strcasestr(all, "Content-Length: 9"));
    assert_string_equal(strstr(all, "\r\n\r\n"), "\r\n\r\n");
    free(all);
    (void)snprintf(line, sizeof line, "If-None-Match: %s\r\n", tag);
    expect(f, id, seg, line, 304, tag, "");
    expect(f, id, "v/" PUBLICATION "/video/360p/seg-00001-other.m4s", "", 404, NULL, NULL);
    expect(f, id, "other.txt", "", 404, NULL, NULL);
    expect(f, id, "../a/master.m3u8", "", 404, NULL, NULL);
    expect(f, id, "", "", 404, NULL, NULL);
    expect(f, id, "master.m3u8?x=1", "", 400, NULL, NULL);
    expect(f, "nosuch", "master.m3u8", "", 404, NULL, NULL);
}

/* By the catalogue, which knows the title's place and publication, and no hash. */
static void look_at_title(const struct farm *f, const char *id)
{
    of = "assets";
    expect(f, id, SEGMENT, "", 200, "Cache-Control: no-store", "a segment");
    expect(f, id, SEGMENT, "Range: bytes=2-4\r\n", 206, "Content-Range: bytes 2-4/9", "seg");
    expect(f, id, "master.m3u8", "", 200, "Content-Type: application/vnd.apple.mpegurl", "master");
    expect(f, id, "report.json", "", 404, NULL, NULL);
    expect(f, id, "other.txt", "", 404, NULL, NULL);
    expect(f, id, "v/" PUBLICATION "/../../other.txt", "", 404, NULL, NULL);
    expect(f, id, "v/" PUBLICATION "/video/nothing.m4s", "", 404, NULL, NULL);
    expect(f, id, "master.m3u8?x=1", "", 400, NULL, NULL);
    expect(f, "nosuch", "master.m3u8", "", 404, NULL, NULL);
    of = "jobs";
}

/* More at once than are read at once; some leave before their turn. */
static void expect_many(const struct farm *f, const char *id)
{
    int fds[24];
    char request[256];
    int n = snprintf(request, sizeof request,
                     "GET /v1/jobs/%s/files/" SEGMENT " HTTP/1.1\r\nHost: x\r\n\r\n", id);
    for (size_t i = 0; i < 24; i++) {
        fds[i] = farm_connect(f);
        farm_send(fds[i], request, (size_t)n);
    }
    for (size_t i = 0; i < 24; i++) {
        char *all = NULL;
        assert_true(i % 3 == 0 || farm_read_until(fds[i], "a segment", &all));
        free(all);
        (void)close(fds[i]);
    }
    expect(f, id, SEGMENT, "", 200, NULL, "a segment");
}

static void what_a_job_published_is_served_and_nothing_else(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4);
    expect(&f, id, SEGMENT, "", 404, NULL, NULL); /* it is there, but not published */
    node_work(&n, 1);
    wait_for(&f, id, "job.done");
    write_file(*state, "out/a/other.txt", "no", 2);
    write_file(*state, "out/a/v/" PUBLICATION "/video/360p/seg-00001-other.m4s", "no", 2);
    look_at_files(&f, id);
    look_at_title(&f, id);
    write_file(*state, "out/a/" SEGMENT, "another one", 11); /* by another job */
    expect(&f, id, SEGMENT, "", 200, "Cache-Control: no-store", "another one");
    write_file(*state, "out/a/master.m3u8", "another's", 9);
    expect(&f, id, "master.m3u8", "", 200, NULL, "master");
    char path[512];
    path_in(path, *state, "out/a/" SEGMENT);
    assert_int_equal(unlink(path), 0);
    expect(&f, id, SEGMENT, "", 404, NULL, NULL);
    write_file(*state, "out/a/" SEGMENT, "a segment", 9);
    expect_many(&f, id);
    farm_stop(&f);
    node_close(&n);
}

/* More than a part, sent to a client that takes it when it likes; and one that goes away. */
static void a_large_file_comes_in_parts(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    size_t size = (3u << 20) + 17;
    char *content = malloc(size + 1);
    assert_non_null(content);
    for (size_t i = 0; i < size; i++) {
        content[i] = (char)('a' + i % 23);
    }
    content[size] = '\0';
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    write_file(*state, "out/a/" SEGMENT, content, size);
    char request[256];
    int away = farm_connect(&f);
    int length = snprintf(request, sizeof request,
                          "GET /v1/jobs/%s/files/" SEGMENT " HTTP/1.1\r\nHost: x\r\n\r\n", id);
    farm_send(away, request, (size_t)length);
    assert_int_equal(read(away, request, 100), 100);
    (void)close(away);
    expect(&f, id, SEGMENT, "", 200, NULL, content);
    expect(&f, id, SEGMENT, "Range: bytes=262143-262144\r\n", 206, NULL,
           (char[]){content[262143], content[262144], '\0'});
    int last = farm_connect(&f); /* it takes nothing, and does not hold the end up */
    length = snprintf(request, sizeof request,
                      "GET /v1/jobs/%s/files/" SEGMENT " HTTP/1.1\r\nHost: x\r\n\r\n", id);
    farm_send(last, request, (size_t)length);
    assert_int_equal(read(last, request, 100), 100);
    farm_stop(&f);
    (void)close(last);
    free(content);
    node_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_job_published_is_served_and_nothing_else,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_large_file_comes_in_parts, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
