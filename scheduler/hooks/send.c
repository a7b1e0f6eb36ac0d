/* The address that was looked at is the one that is connected to: it is looked at where the socket
 * is made, whatever DNS says the next time. */
#include "scheduler/hooks/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "common/buf.h"
#include "scheduler/hooks/target.h"
#include "storage/transfer/wire.h"

#define CONNECT_MS 10000

struct gm_hook_sender {
    struct gm_s3_wire *wire; /* owned */
    struct gm_hook_sending *list;
    gm_hook_answer_fn fn;
    void *arg;
};

struct gm_hook_sending {
    CURL *easy;               /* owned */
    struct curl_slist *lines; /* owned */
    void *what;
    size_t read;
    bool public_only;
    bool refused; /* an address that is not public */
    bool stopped; /* enough of its body was read */
    struct gm_hook_sending *prev, *next;
};

static void sending_free(struct gm_hook_sending *s)
{
    curl_easy_cleanup(s->easy);
    curl_slist_free_all(s->lines);
    free(s);
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct gm_hook_sending *s = arg;
    (void)purpose;
    if (s->public_only && !gm_hook_is_public(&address->addr)) {
        s->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_body(const char *data, size_t size, size_t count, void *arg)
{
    struct gm_hook_sending *s = arg;
    (void)data;
    s->read += size * count;
    s->stopped = s->read > GM_HOOK_ANSWER_BYTES;
    return s->stopped ? 0 : size * count;
}

static const char *words(const struct gm_hook_sending *s, CURLcode result, long status, char *out,
                         size_t size)
{
    if (status >= 200 && status < 300) {
        return NULL;
    }
    if (status >= 300 && status < 400) {
        (void)snprintf(out, size, "it answered %ld: redirects are not followed", status);
    } else if (status != 0) {
        (void)snprintf(out, size, "it answered %ld", status);
    } else if (s->refused) {
        (void)snprintf(out, size, "its address is none of the public Internet");
    } else {
        (void)snprintf(out, size, "it can't be asked: %s", curl_easy_strerror(result));
    }
    return out;
}

/* Of one that broke off inside of its answer the status counts: it took the event. */
static void on_end(CURL *easy, CURLcode result, void *arg)
{
    struct gm_hook_sender *sender = arg;
    struct gm_hook_sending *s = NULL;
    char text[160];
    long status = 0;
    curl_off_t retry_s = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_s);
    struct gm_hook_answer answer = {
        .status = status > 0 && status < 1000 ? (uint32_t)status : 0,
        .retry_after_ms = retry_s > 0 && retry_s < 86400 ? (int64_t)retry_s * 1000 : 0,
        .why = words(s, result, status, text, sizeof text)};
    DL_DELETE(sender->list, s);
    void *what = s->what;
    sending_free(s);
    sender->fn(&answer, what, sender->arg);
}

int gm_hook_sender_create(uv_loop_t *loop, gm_hook_answer_fn fn, void *arg,
                          struct gm_hook_sender **out, struct gm_err *err)
{
    struct gm_hook_sender *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->fn = fn;
    s->arg = arg;
    int rc = gm_s3_wire_create(loop, on_end, s, &s->wire, err);
    if (rc < 0) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_hook_sender_destroy(struct gm_hook_sender **sender)
{
    struct gm_hook_sender *s = *sender;
    struct gm_hook_sending *one, *next;
    if (s == NULL) {
        return;
    }
    DL_FOREACH_SAFE(s->list, one, next)
    {
        gm_s3_wire_remove(s->wire, one->easy);
        sending_free(one);
    }
    gm_s3_wire_destroy(&s->wire);
    free(s);
    *sender = NULL;
}

static bool add_line(struct gm_hook_sending *s, const char *name, const char *value)
{
    struct gm_buf line = {0};
    gm_buf_printf(&line, "%s: %s", name, value);
    struct curl_slist *lines =
        line.failed ? NULL : curl_slist_append(s->lines, (const char *)line.data);
    gm_buf_fini(&line);
    s->lines = lines != NULL ? lines : s->lines;
    return lines != NULL;
}

static bool set_lines(struct gm_hook_sending *s, const struct gm_hook_post *post)
{
    char stamp[32];
    (void)snprintf(stamp, sizeof stamp, "%" PRId64, post->unix_s);
    return add_line(s, "Content-Type", "application/cloudevents+json; charset=utf-8") &&
           add_line(s, "webhook-id", post->id) && add_line(s, "webhook-timestamp", stamp) &&
           add_line(s, "webhook-signature", post->signature) &&
           (post->traceparent == NULL || post->traceparent[0] == '\0' ||
            add_line(s, "traceparent", post->traceparent)) &&
           add_line(s, "Expect", "") && add_line(s, "User-Agent", "gopmill/" GOPMILL_VERSION) &&
           curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->lines) == CURLE_OK;
}

/* Where it must not connect to each address, it takes no connection of others'. */
static bool set_options(struct gm_hook_sending *s, const struct gm_hook_post *post)
{
    CURL *e = s->easy;
    return curl_easy_setopt(e, CURLOPT_URL, post->url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, s) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK && /* names that take long */
           curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(GM_HOOK_TIME / GM_MS)) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, s->public_only ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FORBID_REUSE, s->public_only ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, s) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, s) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->size) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, post->body) == CURLE_OK;
}

int gm_hook_send(struct gm_hook_sender *sender, const struct gm_hook_post *post, void *what,
                 struct gm_err *err)
{
    struct gm_hook_sending *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    *s = (struct gm_hook_sending){
        .easy = curl_easy_init(), .what = what, .public_only = post->public_only};
    if (s->easy == NULL || !set_lines(s, post) || !set_options(s, post)) {
        sending_free(s);
        return gm_err_nomem(err);
    }
    int rc = gm_s3_wire_add(sender->wire, s->easy, err);
    if (rc < 0) {
        sending_free(s);
        return rc;
    }
    DL_APPEND(sender->list, s);
    return 0;
}
