/* One try of a call: what is sent, what is heard, what it means.
 *
 * A download that broke off goes on at the byte it was at, under If-Match: another object of that
 * name must not be its rest. A body of ours is read where it lies each time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/number.h"
#include "storage/s3/date.h"
#include "storage/transfer/running.h"

#define CONNECT_S 10L
#define SLOW_BYTES 1024L /* a second, for SLOW_S: then it counts as stalled */
#define SLOW_S 30L
/* For what takes a server as long as its objects are large: AWS names minutes for
 * CompleteMultipartUpload, and sends white space meanwhile. */
#define SLOW_ANSWER_S 600L
#define ALIVE_S 30L /* after so long without a byte the other side's kernel is asked */
/* More than what lies between us and a program that reads: its kernel's buffers and ours. */
#define PROBE_SENT ((uint64_t)16 << 20)
#define LOCATION_MAX ((size_t)8192)
#define ERROR_MAX ((size_t)65536)
#define CLOCKS_MS 120000 /* so far the server's clock and ours may be apart */
#define BUFFER_IN (512L * 1024)
#define BUFFER_OUT (1024L * 1024)

static const char EMPTY_HASH[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static bool has_body(const struct gm_s3_call *call)
{
    return strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0;
}

/* "Name: value" or "Name;" as curl wants an empty one. */
static int add_line(struct gm_s3_running *r, const char *line, struct gm_err *err)
{
    struct curl_slist *more = curl_slist_append(r->lines, line);

    if (more == NULL) {
        return gm_err_nomem(err);
    }
    r->lines = more;
    return 0;
}

static int add_field(struct gm_s3_running *r, const char *name, const char *value,
                     struct gm_err *err)
{
    struct gm_buf line = {0};
    int rc;

    if (strpbrk(name, "\r\n") != NULL || strpbrk(value, "\r\n") != NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "a header of a request could not be sent");
    }
    gm_buf_printf(&line, value[0] == '\0' ? "%s;" : "%s: %s", name, value);
    rc = gm_buf_check(&line, err);
    if (rc == 0) {
        rc = add_line(r, (const char *)line.data, err);
    }
    gm_buf_fini(&line);
    return rc;
}

static bool has_condition(const struct gm_s3_call *call)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (strcasecmp(call->headers[i].name, "If-Match") == 0 ||
            strcasecmp(call->headers[i].name, "If-Unmodified-Since") == 0) {
            return true;
        }
    }
    return false;
}

/* That the rest is the same object's. A second condition beside the call's own is refused by some
 * servers, and a weak ETag matches nowhere (RFC 9110, 13.1.1). */
static int add_condition(struct gm_s3_running *r, struct gm_err *err)
{
    const struct gm_s3_call *call = &r->call;

    if (has_condition(call)) {
        return 0;
    }
    if (r->first_etag[0] == '"') {
        return add_field(r, "If-Match", r->first_etag, err);
    }
    return call->on_begin != NULL
               ? 0 /* it judges */
               : gm_err_set(err, GM_E_STORE, 0,
                            "a download broke off, and without a strong ETag it could not be known "
                            "what it would go on with");
}

/* Which bytes are still wanted, and of what. */
static int add_range(struct gm_s3_running *r, struct gm_err *err)
{
    const struct gm_s3_call *call = &r->call;
    uint64_t from = call->range_from + r->got;
    char text[64];
    int rc = r->got > 0 ? add_condition(r, err) : 0;

    if (rc < 0 || (from == 0 && call->range_size == 0)) {
        return rc;
    }
    if (call->range_size == 0) {
        snprintf(text, sizeof(text), "bytes=%" PRIu64 "-", from);
    } else {
        snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, from,
                 call->range_from + call->range_size - 1);
    }
    return add_field(r, "Range", text, err);
}

static const char *payload_of(const struct gm_s3_running *r)
{
    const struct gm_s3_call *call = &r->call;

    if (call->payload != NULL) {
        return call->payload;
    }
    if (call->body_size == 0) {
        return EMPTY_HASH;
    }
    return call->body != NULL ? r->hash : GM_S3_UNSIGNED;
}

/* Signs with the present time; the URL and the signer's lines. */
static int sign(struct gm_s3_running *r, struct gm_buf *url, struct gm_err *err)
{
    struct gm_s3_client *client = r->client;
    const struct gm_s3_call *call = &r->call;
    struct gm_s3_address address;
    struct gm_s3_signed out = {.target = NULL};
    int rc = gm_s3_address_make(&client->endpoint, client->style, call->bucket, call->key, &address,
                                err);

    if (rc < 0) {
        return rc;
    }
    const struct gm_s3_request request = {.method = call->method,
                                          .host = address.host,
                                          .path = address.path,
                                          .query = call->query,
                                          .query_count = call->query_count,
                                          .headers = call->headers,
                                          .header_count = call->header_count,
                                          .payload = payload_of(r)};

    rc = gm_s3_sign(client->signer, &request, gm_time_unix_ms() + client->clock_offset_ms, &out,
                    err);
    if (rc == 0) {
        gm_buf_printf(url, "%s://%s%s", client->endpoint.tls ? "https" : "http", address.host,
                      out.target);
        rc = gm_buf_check(url, err);
    }
    for (size_t i = 0; rc == 0 && i < out.line_count; i++) {
        rc = add_line(r, out.lines[i], err);
    }
    gm_s3_signed_fini(&out);
    gm_s3_address_fini(&address);
    return rc;
}

/* The breaker needs no more of this try, whose body may go on for minutes. */
static void probe_lives(struct gm_s3_running *r)
{
    if (r->probe) {
        r->probe = false;
        gm_s3_breaker_told(&r->client->breaker, true, false, gm_time_now(), 0);
    }
}

static int ask_wanted(const struct gm_s3_running *r, struct gm_err *err)
{
    return r->call.wanted == NULL ? 0 : r->call.wanted(r->call.arg, err);
}

/* curl looks at the last seconds alone, and would wait for days for what comes a little faster. */
static int check_pace(const struct gm_s3_running *r, uint64_t bytes, struct gm_err *err)
{
    return !gm_s3_drips(gm_time_now() - r->began, bytes)
               ? 0
               : gm_err_set(err, GM_E_STORE, 0,
                            "a body went at less than %d KiB a second and was not waited for",
                            GM_S3_DRIP_RATE / 1024);
}

static size_t on_read(char *out, size_t size, size_t count, void *arg)
{
    struct gm_s3_running *r = arg;
    const struct gm_s3_call *call = &r->call;
    uint64_t left = call->body_size - r->sent;
    size_t want = size * count < left ? size * count : (size_t)left;
    ssize_t n = (ssize_t)want;

    if (want == 0) {
        return 0;
    }
    if (ask_wanted(r, &r->own) < 0 || check_pace(r, r->sent, &r->own) < 0) {
        return CURL_READFUNC_ABORT;
    }
    if (call->body != NULL) {
        memcpy(out, (const char *)call->body + r->sent, want);
    } else {
        do {
            n = pread(call->fd, out, want, (off_t)(call->body_offset + r->sent));
        } while (n < 0 && errno == EINTR);
    }
    if (n <= 0) {
        GM_IGNORE(n < 0 ? gm_err_sys(&r->own, errno, "could not read what is to be stored")
                        : gm_err_set(&r->own, GM_E_INVAL, 0,
                                     "what is to be stored was shorter than was said"),
                  "it is kept in r->own");
        return CURL_READFUNC_ABORT;
    }
    r->sent += (uint64_t)n;
    if (r->sent >= PROBE_SENT) {
        probe_lives(r);
    }
    return (size_t)n;
}

/* curl begins a body again where a connection that it had kept turns out to be closed. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct gm_s3_running *r = arg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > r->call.body_size) {
        return CURL_SEEKFUNC_FAIL;
    }
    r->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* The value of a header line of that name, without the space around it, into out; false: it is
 * another, or longer. */
static bool take_header(const char *line, size_t size, const char *name, char *out, size_t out_size)
{
    size_t at = strlen(name);

    if (size <= at || strncasecmp(line, name, at) != 0 || line[at] != ':') {
        return false;
    }
    for (at++; at < size && (line[at] == ' ' || line[at] == '\t'); at++) {
    }
    while (size > at && (unsigned char)line[size - 1] <= ' ') {
        size--;
    }
    if (size - at >= out_size) {
        return false;
    }
    for (size_t i = at; i < size; i++) {
        if (line[i] < ' ' || line[i] > '~') {
            return false;
        }
    }
    memcpy(out, line + at, size - at);
    out[size - at] = '\0';
    return true;
}

/* "bytes 0-9/100"; without a total it is of no use. Source: RFC 9110 section 14.4. */
static void take_range(struct gm_s3_heard *heard, char *text)
{
    char *dash = strchr(text, '-');
    char *slash = strchr(text, '/');
    int64_t first;
    int64_t total;

    if (strncmp(text, "bytes ", 6) != 0 || dash == NULL || slash == NULL || dash > slash) {
        return;
    }
    *dash = '\0';
    if (gm_number_int(text + 6, &first) && gm_number_int(slash + 1, &total) && first >= 0 &&
        total > first) {
        heard->has_range = true;
        heard->first = (uint64_t)first;
        heard->total = (uint64_t)total;
    }
}

/* An answer begins, or 100 Continue before it: bodies both ways may go on for minutes. */
static void hear_status(struct gm_s3_running *r)
{
    long status = 0;

    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 100 && status < 500) {
        probe_lives(r);
    }
}

static bool take_location(const char *line, size_t size, struct gm_s3_heard *heard)
{
    char url[LOCATION_MAX];

    if (!take_header(line, size, "Location", url, sizeof(url))) {
        return false;
    }
    free(heard->location);
    heard->location = strdup(url);
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct gm_s3_running *r = arg;
    struct gm_s3_heard *heard = &r->heard;
    size_t bytes = size * count;
    char text[80];

    if (bytes > 5 && strncmp(line, "HTTP/", 5) == 0) { /* another answer, after one of 1xx */
        heard->etag[0] = heard->date[0] = heard->modified[0] = '\0';
        free(heard->location);
        heard->location = NULL;
        heard->retry_after = 0;
        heard->has_range = heard->chunked = false;
        hear_status(r);
    } else if (take_header(line, bytes, "ETag", heard->etag, sizeof(heard->etag)) ||
               take_header(line, bytes, "Date", heard->date, sizeof(heard->date)) ||
               take_header(line, bytes, "Last-Modified", heard->modified,
                           sizeof(heard->modified)) ||
               take_location(line, bytes, heard)) {
        /* taken */
    } else if (take_header(line, bytes, "Retry-After", text, sizeof(text))) {
        heard->retry_after = gm_s3_retry_after(text);
    } else if (take_header(line, bytes, "Content-Range", text, sizeof(text))) {
        take_range(heard, text);
    } else if (take_header(line, bytes, "Transfer-Encoding", text, sizeof(text))) {
        heard->chunked = strcasecmp(text, "chunked") == 0;
    }
    return bytes;
}

/* Whether the bytes that begin to come are those that were asked for. */
static int check_first(struct gm_s3_running *r, struct gm_err *err)
{
    const struct gm_s3_call *call = &r->call;
    uint64_t from = call->range_from + r->got;
    bool whole = from == 0 && call->range_size == 0;

    if (r->heard.status == 200 && whole) {
        return 0;
    }
    if (r->heard.status != 206 || !r->heard.has_range || r->heard.first != from) {
        return gm_err_set(err, GM_E_STORE, r->heard.status,
                          "the store answered with other bytes than were asked for");
    }
    return 0;
}

/* Of the answer's body; below 0: it does not say. */
static curl_off_t length_of(const struct gm_s3_running *r)
{
    curl_off_t length = -1;

    curl_easy_getinfo(r->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return length;
}

/* The whole object's size; 0: the answer does not say it. */
static uint64_t told_size(const struct gm_s3_running *r)
{
    curl_off_t length = length_of(r);

    if (r->heard.has_range) {
        return r->heard.total;
    }
    return length > 0 && r->heard.status == 200 ? (uint64_t)length : 0;
}

static size_t on_object(struct gm_s3_running *r, const char *data, size_t size)
{
    const struct gm_s3_call *call = &r->call;
    int rc = r->heard.begun ? 0 : check_first(r, &r->own);

    if (rc == 0 && !r->heard.begun && call->on_begin != NULL) {
        const struct gm_s3_begin begin = {r->heard.etag, r->heard.modified, told_size(r)};

        rc = call->on_begin(&begin, call->arg, &r->own);
    }
    r->heard.begun = true;
    if (rc == 0 && call->range_size > 0 && size > call->range_size - r->got) {
        rc = gm_err_set(&r->own, GM_E_STORE, 0, "the store answered with more than was asked for");
    }
    if (rc == 0) {
        rc = check_pace(r, r->got - r->got_before + size, &r->own);
    }
    if (rc == 0) {
        rc = call->on_body(data, size, call->arg, &r->own);
    }
    if (rc < 0) {
        return 0;
    }
    if (r->got == 0) {
        memcpy(r->first_etag, r->heard.etag, sizeof(r->first_etag));
    }
    r->got += size;
    return size;
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
    struct gm_s3_running *r = arg;
    struct gm_s3_heard *heard = &r->heard;
    size_t bytes = size * count;
    long status = 0;
    size_t max;

    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    heard->status = (int)status;
    if (bytes == 0) {
        return 0;
    }
    if (status < 300 && r->call.wants == GM_S3_WANTS_BODY) {
        return on_object(r, data, bytes) == bytes ? bytes : 0;
    }
    max = status < 300 ? GM_S3_ANSWER_MAX : ERROR_MAX;
    if (bytes > max - heard->body.size) {
        if (status >= 300) {
            return 0; /* a page of a proxy's, maybe without an end: its status says enough */
        }
        GM_IGNORE(gm_err_set(&r->own, GM_E_LIMIT, 0, "the store's answer was too large"),
                  "it is kept in r->own");
        return 0;
    }
    gm_buf_add(&heard->body, data, bytes);
    return heard->body.failed ? 0 : bytes;
}

long gm_s3_exchange_stall_s(const struct gm_s3_call *call)
{
    bool slow = call->wants == GM_S3_WANTS_XML &&
                (call->kind == GM_S3_COMPLETE || call->kind == GM_S3_COPY);

    return slow ? SLOW_ANSWER_S : SLOW_S;
}

static void set_options(struct gm_s3_running *r, const char *url)
{
    const struct gm_s3_call *call = &r->call;
    CURL *easy = r->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->lines);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, gm_s3_exchange_stall_s(call));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, ALIVE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, ALIVE_S);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* no wait for a name that is looked up */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_IN);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_OUT);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
    if (r->client->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, r->client->ca_file);
    }
    if (has_body(call)) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body_size);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, r);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, r);
    }
    if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(call->method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    }
}

int gm_s3_exchange_begin(struct gm_s3_running *r, struct gm_err *err)
{
    const struct gm_s3_call *call = &r->call;
    struct gm_buf url = {0};
    int rc = ask_wanted(r, err);

    gm_s3_exchange_fini(r);
    curl_easy_reset(r->easy);
    r->sent = 0;
    r->got_before = r->got;
    r->result.location = NULL; /* it was the last try's */
    r->began = gm_time_now();
    for (size_t i = 0; rc == 0 && i < call->header_count; i++) {
        rc = add_field(r, call->headers[i].name, call->headers[i].value, err);
    }
    if (rc == 0) {
        rc = add_line(r, "Expect:", err); /* its second of waiting is not worth it */
    }
    if (rc == 0 && call->wants == GM_S3_WANTS_BODY) {
        rc = add_range(r, err);
    }
    if (rc == 0 && call->url == NULL) {
        rc = sign(r, &url, err);
    }
    if (rc == 0) {
        set_options(r, call->url != NULL ? call->url : (const char *)url.data); /* it is copied */
    }
    gm_buf_fini(&url);
    return rc;
}

/* What an answer in XML says. False: it is none. */
static bool read_answer(struct gm_s3_running *r, struct gm_err *err)
{
    const struct gm_s3_heard *heard = &r->heard;
    enum gm_s3_kind kind = heard->status < 300 ? r->call.kind : GM_S3_ERROR;

    return gm_s3_answer_read(kind, heard->body.data, heard->body.size, &r->result.answer, err) == 0;
}

/* The whole object's size, where the answer said it. */
static uint64_t size_of(const struct gm_s3_running *r)
{
    curl_off_t length = length_of(r);

    if (r->heard.has_range) {
        return r->heard.total;
    }
    return length < 0 ? r->got : (uint64_t)length;
}

/* What curl calls a whole download: an empty one has been looked at by nobody, and without a length
 * an end may be a cut. */
static int check_last(struct gm_s3_running *r, struct gm_err *err)
{
    bool part = r->got > 0 || r->call.range_from > 0 || r->call.range_size > 0;

    if (!r->heard.begun && part && check_first(r, err) < 0) {
        return -GM_E_STORE;
    }
    if (!r->heard.has_range && !r->heard.chunked && length_of(r) < 0) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, r->heard.status,
                          "the store did not say how long the object is");
    }
    return 0;
}

/* Whether a download that curl calls whole lacks something. */
static bool is_short(const struct gm_s3_running *r)
{
    const struct gm_s3_call *call = &r->call;
    uint64_t whole = r->result.size;
    uint64_t want = whole < call->range_from ? 0 : whole - call->range_from;

    if (call->range_size > 0 && call->range_size < want) {
        want = call->range_size;
    }
    return r->got < want;
}

/* "403 AccessDenied: message", or what curl says; never the URL. */
static void describe(struct gm_s3_running *r, CURLcode result, enum gm_code code, int64_t native)
{
    const struct gm_s3_answer *answer = &r->result.answer;
    const struct gm_s3_call *call = &r->call;
    bool named = call->url == NULL;
    const char *bucket = named ? call->bucket : "a granted object";
    const char *slash = named && call->key != NULL ? "/" : "";
    const char *key = named && call->key != NULL ? call->key : "";
    const char *region = answer->is_error ? answer->region : "";

    if (r->heard.status >= 300 || (r->heard.status >= 200 && result == CURLE_OK)) {
        GM_IGNORE(gm_err_set(&r->result.err, code, native,
                             "could not %s `%s%s%.80s`: the store answered %d%s%.40s%s%.60s%s%.40s",
                             call->method, bucket, slash, key, r->heard.status,
                             answer->is_error ? " " : "", answer->is_error ? answer->code : "",
                             answer->is_error && answer->message[0] != '\0' ? ": " : "",
                             answer->is_error ? answer->message : "",
                             region[0] != '\0' ? ", its region is " : "", region),
                  "it is the result");
    } else {
        GM_IGNORE(gm_err_set(&r->result.err, code, native, "could not %s `%s%s%.80s`: %.80s",
                             call->method, bucket, slash, key, curl_easy_strerror(result)),
                  "it is the result");
    }
}

struct gm_s3_verdict gm_s3_exchange_end(struct gm_s3_running *r, CURLcode result)
{
    struct gm_s3_outcome outcome = {.transport = (int)result};
    int64_t until = r->call.url == NULL ? 0 : r->call.url_until_unix_ms;
    struct gm_s3_verdict verdict;
    struct gm_err why = {0};
    long status = 0;

    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    r->heard.status = r->result.status = outcome.status = (int)status;
    outcome.overdue =
        until > 0 && gm_time_unix_ms() + r->client->clock_offset_ms >= until - CLOCKS_MS;
    gm_s3_answer_fini(&r->result.answer);
    memcpy(r->result.etag, r->heard.etag, sizeof(r->result.etag));
    memcpy(r->result.modified, r->heard.modified, sizeof(r->result.modified));
    r->result.location = status >= 300 && status < 400 ? r->heard.location : NULL;
    r->result.size = size_of(r);
    if (status >= 300 || (r->call.wants == GM_S3_WANTS_XML && result == CURLE_OK)) {
        bool read = read_answer(r, &why);

        outcome.code = read && r->result.answer.is_error ? r->result.answer.code : "";
        outcome.wrong_body = !read && status < 300;
    } else if (r->call.wants == GM_S3_WANTS_BODY && result == CURLE_OK) {
        outcome.wrong_body = check_last(r, &r->own) == 0 && is_short(r);
    }
    verdict = gm_s3_judge(&outcome);
    if (r->own.code != 0) {
        r->result.err = r->own;
        verdict = (struct gm_s3_verdict){GM_S3_FAILED, r->own.code, false};
    } else if (verdict.next == GM_S3_FAILED && verdict.code == GM_E_STORE_EXISTS && r->got > 0) {
        verdict.code = GM_E_STORE_CORRUPT; /* the rest would be another object's */
        describe(r, result, verdict.code, gm_s3_native(&outcome));
    } else if (verdict.next != GM_S3_DONE && outcome.wrong_body && why.code != 0) {
        r->result.err = why;
        verdict.code = why.code;
        verdict.next = why.code == GM_E_NOMEM ? GM_S3_FAILED : verdict.next;
    } else if (verdict.next != GM_S3_DONE) {
        describe(r, result, verdict.code, gm_s3_native(&outcome));
    }
    return verdict;
}

void gm_s3_exchange_fini(struct gm_s3_running *r)
{
    curl_slist_free_all(r->lines);
    r->lines = NULL;
    gm_buf_fini(&r->heard.body);
    free(r->heard.location);
    memset(&r->heard, 0, sizeof(r->heard));
}
