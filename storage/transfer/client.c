/* When a call is tried: at once, after a pause of its own or of the endpoint's breaker, by the
 * server's clock; and when it is given up. */
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/id.h"
#include "storage/s3/date.h"
#include "storage/transfer/running.h"

#define DEFAULT_TIME (60 * GM_SEC)

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* The call that decides whether its endpoint lives does not say so. */
static void give_up_probe(struct gm_s3_running *r)
{
    if (r->probe) {
        r->probe = false;
        gm_s3_breaker_given_up(&r->client->breaker, gm_time_now());
    }
}

/* The call is no one's any more; its memory follows with its timer. */
static void running_close(struct gm_s3_running *r)
{
    give_up_probe(r);
    if (r->on_wire) {
        gm_s3_wire_remove(r->client->wire, r->easy);
        r->on_wire = false;
    }
    gm_s3_exchange_fini(r);
    gm_s3_answer_fini(&r->result.answer);
    curl_easy_cleanup(r->easy);
    r->client->calls--;
    uv_timer_stop(&r->timer);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

static void finish(struct gm_s3_running *r, int rc)
{
    r->result.rc = rc;
    r->result.unsure = rc < 0 && r->unsure;
    if (rc == 0) {
        r->result.err = (struct gm_err){0}; /* of an earlier try */
    }
    r->call.done(&r->result, r->call.arg);
    running_close(r);
}

static void on_due(uv_timer_t *timer);

/* Cut to whole ms it would be due too early. */
static void wait_for(struct gm_s3_running *r, gm_time pause)
{
    (void)uv_timer_start(&r->timer, on_due, (uint64_t)((pause + GM_MS - 1) / GM_MS), 0);
}

/* Begins a try, or waits for the breaker as long as there is time. */
static int try_now(struct gm_s3_running *r, struct gm_err *err)
{
    gm_time now = gm_time_now();
    gm_time wait = 0;
    int rc;

    if (!gm_s3_breaker_allows(&r->client->breaker, now, &wait)) {
        if (r->retry.until - now < wait) {
            return gm_err_set(err, GM_E_STORE, 0,
                              "the store at %.120s was left alone, for it failed again and again",
                              r->client->endpoint.host);
        }
        /* an answer to another call may end its rest sooner */
        wait_for(r, wait < GM_S3_PROBE_ASK ? wait : GM_S3_PROBE_ASK);
        return 0;
    }
    r->probe = r->client->breaker.open;
    rc = gm_s3_exchange_begin(r, err);
    if (rc == 0) {
        rc = gm_s3_wire_add(r->client->wire, r->easy, err);
    }
    if (rc == 0) {
        r->on_wire = true;
        r->result.tries++;
    }
    return rc;
}

static void on_due(uv_timer_t *timer)
{
    struct gm_s3_running *r = timer->data;
    int rc = try_now(r, &r->result.err);

    if (rc < 0) {
        finish(r, rc);
    }
}

static uint32_t chance(void)
{
    uint32_t random = 0;

    GM_IGNORE(gm_random(&random, sizeof(random), NULL), "a pause without chance is one, too");
    return random;
}

/* Whether the call goes on after this verdict. */
static bool goes_on(struct gm_s3_running *r, const struct gm_s3_verdict *verdict)
{
    gm_time pause = 0;

    if (verdict->next == GM_S3_CLOCK && !r->clock_tried && r->client->signer != NULL &&
        gm_s3_date_offset(r->heard.date, gm_time_unix_ms(), &r->client->clock_offset_ms)) {
        r->clock_tried = true;
        wait_for(r, 0);
        return true;
    }
    if (verdict->next == GM_S3_AGAIN &&
        gm_s3_retry_next(&r->retry, gm_time_now(), chance(), r->heard.retry_after, &pause)) {
        wait_for(r, pause);
        return true;
    }
    return false;
}

static void on_end(CURL *easy, CURLcode result, void *arg)
{
    struct gm_s3_client *client = arg;
    struct gm_s3_running *r = NULL;
    struct gm_s3_verdict verdict;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
    GM_ASSERT(r != NULL);
    r->on_wire = false;
    verdict = gm_s3_exchange_end(r, result);
    if (r->result.status == 0 && r->call.body_size > 0 && r->sent == r->call.body_size) {
        r->unsure = true;
    }
    if (verdict.ill || r->result.status > 0) {
        gm_s3_breaker_told(&client->breaker, r->probe, verdict.ill, gm_time_now(), chance());
        r->probe = false;
    }
    give_up_probe(r); /* it was not the endpoint's end */
    if (verdict.next == GM_S3_DONE) {
        finish(r, 0);
    } else if (!goes_on(r, &verdict)) {
        r->result.renew = verdict.next == GM_S3_RENEW;
        r->result.lacks = verdict.next == GM_S3_LACKS;
        finish(r, -(int)verdict.code);
    }
}

int gm_s3_client_create(const struct gm_s3_client_params *params, struct gm_s3_client **out,
                        struct gm_err *err)
{
    struct gm_s3_client *client = calloc(1, sizeof(*client));
    int rc = 0;

    if (client == NULL) {
        return gm_err_nomem(err);
    }
    client->loop = params->loop;
    client->endpoint = *params->endpoint;
    client->style = params->style;
    if (params->ca_file != NULL) {
        client->ca_file = strdup(params->ca_file);
        rc = client->ca_file == NULL ? gm_err_nomem(err) : 0;
    }
    if (rc == 0 && params->keys != NULL) {
        rc = gm_s3_signer_create(params->keys, params->region, "s3", &client->signer, err);
    }
    if (rc == 0) {
        rc = gm_s3_wire_create(params->loop, on_end, client, &client->wire, err);
    }
    if (rc < 0) {
        gm_s3_client_destroy(&client);
        return rc;
    }
    *out = client;
    return 0;
}

void gm_s3_client_destroy(struct gm_s3_client **client)
{
    if (*client != NULL) {
        GM_ASSERT((*client)->calls == 0);
        gm_s3_wire_destroy(&(*client)->wire);
        gm_s3_signer_destroy(&(*client)->signer);
        free((*client)->ca_file);
        free(*client);
        *client = NULL;
    }
}

int64_t gm_s3_client_clock_offset(const struct gm_s3_client *client)
{
    return client->clock_offset_ms;
}

static int check_call(const struct gm_s3_client *client, const struct gm_s3_call *call,
                      struct gm_err *err)
{
    const char *wrong = NULL;

    if (call->done == NULL || (call->wants == GM_S3_WANTS_BODY && call->on_body == NULL)) {
        wrong = "nobody is there to hear of it";
    } else if (call->url == NULL && client->signer == NULL) {
        wrong = "there are no keys to sign it with";
    } else if (call->url == NULL && call->bucket == NULL) {
        wrong = "it names no bucket";
    } else if (call->body_size > INT64_MAX || call->body_offset > INT64_MAX - call->body_size) {
        wrong = "its body is too large";
    } else if (call->range_from > INT64_MAX || call->range_size > INT64_MAX - call->range_from) {
        wrong = "its range is too large";
    }
    return wrong == NULL ? 0
                         : gm_err_set(err, GM_E_INVAL, 0, "a request could not be sent: %s", wrong);
}

int gm_s3_client_start(struct gm_s3_client *client, const struct gm_s3_call *call,
                       struct gm_s3_running **out, struct gm_err *err)
{
    struct gm_s3_running *r;
    int rc = check_call(client, call, err);

    if (rc < 0) {
        return rc;
    }
    r = calloc(1, sizeof(*r));
    if (r != NULL) {
        r->easy = curl_easy_init();
    }
    if (r == NULL || r->easy == NULL) {
        free(r);
        return gm_err_nomem(err);
    }
    r->client = client;
    r->call = *call;
    r->retry.max_tries = call->max_tries == 0 ? 1 : call->max_tries;
    r->retry.until = gm_time_now() + (call->max_time == 0 ? DEFAULT_TIME : call->max_time);
    if (call->body != NULL && call->payload == NULL) {
        uint8_t hash[GM_SHA256_SIZE];

        gm_sha256(call->body, (size_t)call->body_size, hash);
        gm_hex(hash, sizeof(hash), r->hash);
    }
    (void)uv_timer_init(client->loop, &r->timer); /* it cannot fail */
    r->timer.data = r;
    client->calls++;
    rc = try_now(r, err);
    if (rc < 0) {
        running_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

bool gm_s3_is_sent(const struct gm_s3_running *running)
{
    return running->unsure || (running->on_wire && running->sent == running->call.body_size);
}

uint64_t gm_s3_sent(const struct gm_s3_running *running)
{
    return running->on_wire ? running->sent : 0;
}

void gm_s3_cancel(struct gm_s3_running **running)
{
    if (*running != NULL) {
        running_close(*running);
        *running = NULL;
    }
}
