/* Single requests of a session, with their repetition. */
#include "cli/request.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

#define CONNECT_TIMEOUT_MS 5000L
#define REQUEST_TIMEOUT_MS 60000L
#define MAX_ANSWER (64u << 20)
#define RETRY_FOR (60 * GM_SEC)
#define HTTP_NOT_FOUND 404
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000

struct reply {
    struct gm_request request;
    struct gm_buf body;
};

/* The token goes to nobody but the scheduler: no redirection is followed, and none over a socket.
 */
static bool set_trust(const struct gm_session *session, CURL *easy)
{
    bool ok = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (ok && session->ca != NULL) {
        ok = curl_easy_setopt(easy, CURLOPT_CAINFO, session->ca) == CURLE_OK;
    }
    if (ok && session->token[0] != '\0' && session->unix_path == NULL) {
        ok = curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, session->token) == CURLE_OK;
    }
    return ok;
}

CURL *gm_request_open(const struct gm_session *session, const char *path,
                      struct gm_request *request)
{
    struct gm_buf url = {0};
    struct gm_err ignored;
    bool tls = strncmp(session->base, "https:", 6) == 0;
    CURL *easy = curl_easy_init();
    gm_buf_printf(&url, "%s%s", session->base, path);
    if (easy == NULL || gm_buf_check(&url, &ignored) < 0) {
        gm_buf_fini(&url);
        curl_easy_cleanup(easy);
        return NULL;
    }
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, (const char *)url.data) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_USERAGENT, "gopmill/" GOPMILL_VERSION) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_PRIVATE, request) == CURLE_OK;
    if (ok && session->unix_path != NULL) {
        ok = curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, session->unix_path) == CURLE_OK;
    }
    ok = ok && set_trust(session, easy);
    gm_buf_fini(&url);
    if (!ok) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

void gm_request_collect(CURLM *multi)
{
    int left = 0;
    for (CURLMsg *msg = curl_multi_info_read(multi, &left); msg != NULL;
         msg = curl_multi_info_read(multi, &left)) {
        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        struct gm_request *request = NULL;
        CURL *easy = msg->easy_handle;
        CURLcode result = msg->data.result;
        if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&request) == CURLE_OK &&
            request != NULL) {
            request->done = true;
            request->result = result;
        }
        curl_multi_remove_handle(multi, easy);
    }
}

bool gm_request_is_unsent(CURLcode result)
{
    return result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST;
}

bool gm_request_is_broken(CURLcode result)
{
    return gm_request_is_unsent(result) || result == CURLE_GOT_NOTHING ||
           result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR ||
           result == CURLE_PARTIAL_FILE || result == CURLE_OPERATION_TIMEDOUT;
}

static size_t on_body(char *data, size_t unit, size_t count, void *arg)
{
    struct reply *reply = arg;
    size_t size = unit * count;
    if (reply->body.size + size > MAX_ANSWER) {
        return 0;
    }
    gm_buf_add(&reply->body, data, size);
    return reply->body.failed ? 0 : size;
}

/* An interrupt that was there before the call does not stop it: the cancel itself is such a
 * call. */
static int run(struct gm_session *s, CURL *easy, const struct gm_request *request,
               struct gm_err *err)
{
    int rc = 0;
    CURLMcode mc = curl_multi_add_handle(s->multi, easy);
    if (mc != CURLM_OK) {
        return gm_err_set(err, GM_E_SYS, mc, "libcurl: %s", curl_multi_strerror(mc));
    }
    while (rc == 0 && !request->done) {
        rc = gm_session_turn(s, 1000, err);
    }
    if (!request->done) {
        curl_multi_remove_handle(s->multi, easy);
    }
    return rc;
}

static int attempt(struct gm_session *s, const char *method, const char *path, const char *text,
                   struct reply *reply, long *out_status, struct gm_err *err)
{
    struct curl_slist *headers = NULL;
    CURL *easy = gm_request_open(s, path, &reply->request);
    int rc = 0;
    if (easy == NULL) {
        return gm_err_nomem(err);
    }
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    bool ok = headers != NULL &&
              curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, REQUEST_TIMEOUT_MS) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
              curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply) == CURLE_OK;
    if (ok && strcmp(method, "GET") != 0) {
        ok = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                              (curl_off_t)(text == NULL ? 0 : strlen(text))) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text == NULL ? "" : text) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    }
    rc = ok ? run(s, easy, &reply->request, err) : gm_err_nomem(err);
    curl_off_t connected = 0;
    if (rc == 0 && reply->request.result == CURLE_OPERATION_TIMEDOUT &&
        curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected) == CURLE_OK &&
        connected == 0) {
        reply->request.result = CURLE_COULDNT_CONNECT; /* its machine is off */
    }
    if (rc == 0 && curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, out_status) != CURLE_OK) {
        *out_status = 0;
    }
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return rc;
}

int gm_problem_to_err(const json_t *problem, long status, struct gm_err *err)
{
    const char *id = json_string_value(json_object_get(problem, "code"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *title = json_string_value(json_object_get(problem, "title"));
    const struct gm_code_info *info = id == NULL ? NULL : gm_code_find(id);
    const char *text = detail != NULL ? detail : title;
    if (info != NULL) {
        return gm_err_set(err, info->code, status, "%s", text == NULL ? info->meaning : text);
    }
    enum gm_code code = status == 404   ? GM_E_NO_ROUTE
                        : status == 409 ? GM_E_CONFLICT
                        : status == 429 ? GM_E_BUSY
                        : status < 500  ? GM_E_INVAL
                                        : GM_E_BUG;
    return gm_err_set(err, code, status, "the scheduler answered HTTP %ld%s%s%s%s", status,
                      id == NULL ? "" : ", ", id == NULL ? "" : id, text == NULL ? "" : ": ",
                      text == NULL ? "" : text);
}

/* Turns a whole reply into the caller's answer or error. */
static int take_answer(const struct reply *reply, long status, struct gm_answer *out,
                       struct gm_err *err)
{
    json_error_t where;
    json_t *body = NULL;
    int rc = gm_buf_check(&reply->body, err);
    if (rc < 0) {
        return rc;
    }
    if (reply->body.size > 0) {
        body = json_loadb((const char *)reply->body.data, reply->body.size, JSON_REJECT_DUPLICATES,
                          &where);
    }
    if (status < 200 || status > 299) {
        rc = gm_problem_to_err(body, status, err);
        json_decref(body);
        return rc;
    }
    if (body == NULL && reply->body.size > 0) {
        return gm_err_set(err, GM_E_PROTO, where.position,
                          "the scheduler's answer is not JSON: line %d: %s", where.line,
                          where.text);
    }
    if (out == NULL) {
        json_decref(body);
    } else {
        out->status = status;
        out->body = body;
    }
    return 0;
}

static int pause_turns(struct gm_session *s, int pause_ms, struct gm_err *err)
{
    gm_time end = gm_time_now() + pause_ms * GM_MS;
    int interrupts = s->interrupts;
    for (gm_time now = gm_time_now(); now < end && s->interrupts == interrupts;
         now = gm_time_now()) {
        int rc = gm_session_turn(s, (int)((end - now) / GM_MS) + 1, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int unreachable(const struct gm_session *s, CURLcode result, struct gm_err *err)
{
    return gm_err_set(err, GM_E_UNREACHABLE, result, "the scheduler at %s does not answer: %s",
                      s->unix_path != NULL ? s->unix_path : s->base, curl_easy_strerror(result));
}

/* After a failure that another try may mend: goes to the next scheduler; each of them is tried
 * before the first pause. */
static int rest(struct gm_session *s, int *pause_ms, bool *told, struct gm_err *err)
{
    int rc = gm_session_next(s, err);
    if (rc < 0 || s->at > 0) {
        return rc;
    }
    if (!*told) {
        gm_term_note(s->term, "the scheduler does not answer; trying again for 60 s");
        *told = true;
    }
    rc = pause_turns(s, *pause_ms, err);
    *pause_ms = *pause_ms * 2 < PAUSE_MAX_MS ? *pause_ms * 2 : PAUSE_MAX_MS;
    return rc;
}

/* Whether another try can help, and may be made: the error, or 0. */
static int judge(const struct gm_session *s, CURLcode result, bool repeatable, int interrupts,
                 gm_time deadline, struct gm_err *err)
{
    if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR ||
        result == CURLE_SSL_CACERT_BADFILE) {
        return gm_err_set(err, GM_E_UNREACHABLE, result,
                          "no encrypted connection to the scheduler at %s: %s (--ca FILE names who "
                          "signed its certificate)",
                          s->base, curl_easy_strerror(result));
    }
    if (result != CURLE_OK && !gm_request_is_broken(result)) {
        return gm_err_set(err, GM_E_PROTO, result, "the scheduler's answer broke off: %s",
                          curl_easy_strerror(result));
    }
    if (result != CURLE_OK && !repeatable && !gm_request_is_unsent(result)) {
        return gm_err_set(err, GM_E_TIMEOUT, result,
                          "the scheduler went away before it answered: %s",
                          curl_easy_strerror(result));
    }
    if (s->interrupts != interrupts) {
        return gm_err_set(err, GM_E_CANCELLED, 0, "interrupted while waiting for the scheduler");
    }
    bool last = s->urls[s->at + 1] == NULL;
    if (gm_time_now() >= deadline && last) {
        return result != CURLE_OK ? unreachable(s, result, err) : -(int)err->code;
    }
    return 0;
}

/* What is to be deleted is not there when the request is repeated: the one before did it. */
static int deleted_before(struct gm_answer *out)
{
    if (out != NULL) {
        *out = (struct gm_answer){.status = HTTP_NOT_FOUND};
    }
    return 0;
}

static int call_text(struct gm_session *s, const char *method, const char *path, const char *text,
                     bool repeatable, struct gm_answer *out, struct gm_err *err)
{
    gm_time deadline = gm_time_now() + (s->reached || s->farm != NULL ? RETRY_FOR : 0);
    int interrupts = s->interrupts;
    int pause_ms = PAUSE_MIN_MS;
    bool told = false;
    bool arrived = false; /* perhaps: its answer was lost */
    for (;;) {
        struct reply reply = {0};
        long status = 0;
        int rc = attempt(s, method, path, text, &reply, &status, err);
        CURLcode result = reply.request.result;
        bool answered = rc == 0 && result == CURLE_OK;
        if (answered) {
            deadline = s->reached ? deadline : gm_time_now() + RETRY_FOR;
            s->reached = true;
            rc = take_answer(&reply, status, out, err);
        }
        gm_buf_fini(&reply.body);
        bool standby = answered && rc == -GM_E_NOT_LEADER; /* nothing was done */
        if (answered && rc == -GM_E_NOTFOUND && arrived && strcmp(method, "DELETE") == 0) {
            return deleted_before(out);
        }
        if ((answered && !standby) || (!answered && rc < 0)) {
            return rc;
        }
        arrived = arrived || (!answered && !gm_request_is_unsent(result));
        rc = judge(s, result, repeatable, interrupts, deadline, err);
        if (rc == 0) {
            rc = rest(s, &pause_ms, &told, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
}

int gm_session_call(struct gm_session *session, const char *method, const char *path,
                    const json_t *body, bool repeatable, struct gm_answer *out, struct gm_err *err)
{
    char *text = NULL;
    if (body != NULL) {
        text = json_dumps(body, JSON_COMPACT);
        if (text == NULL) {
            return gm_err_set(err, GM_E_INVAL, 0, "a path or name is not UTF-8 text");
        }
    }
    int rc = call_text(session, method, path, text, repeatable, out, err);
    free(text);
    return rc;
}
