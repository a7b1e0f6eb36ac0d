/* Parts on their way to the store. */
#include <string.h>
#include <strings.h>

#include "cli/job.h"
#include "cli/send.h"
#include "storage/s3/retry.h"
#include "storage/s3/url.h"

#define TRIES 4 /* of one URL */
#define TRY_TIME (120 * GM_SEC)
#define FAILURES 8 /* of one part, each with another URL */
#define DENIALS 2
#define PAUSE_FIRST (1 * GM_SEC)
#define PAUSE_MAX (30 * GM_SEC)

/* Not from here, but in gm_send_collect. */
static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct gm_send_way *way = arg;
    way->running = NULL;
    way->rc = result->rc;
    way->err = result->err;
    way->renew = result->renew;
    way->ended = true;
}

/* The store's name, which is the same for all parts. */
static int open_client(struct gm_send *send, const char *url, struct gm_err *err)
{
    struct gm_s3_endpoint endpoint;
    int rc = gm_s3_url_endpoint(url, &endpoint, err);
    if (rc < 0) {
        return rc;
    }
    if (send->client != NULL) {
        bool same =
            endpoint.tls == send->endpoint.tls && strcmp(endpoint.host, send->endpoint.host) == 0;
        return same ? 0
                    : gm_err_set(err, GM_E_PROTO, 0, "the parts of one upload go to two stores");
    }
    const struct gm_s3_client_params params = {
        .loop = &send->loop, .endpoint = &endpoint, .ca_file = send->ca_file};
    send->endpoint = endpoint;
    return gm_s3_client_create(&params, &send->client, err);
}

/* What was signed besides the length, which the request's own line says. */
static int take_headers(struct gm_send_way *way, struct gm_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(way->grant, "headers"), name, value)
    {
        if (strcasecmp(name, "content-length") == 0 || strcasecmp(name, "host") == 0) {
            continue;
        }
        if (!json_is_string(value) || way->call.header_count == GM_SEND_FIELDS) {
            return gm_err_set(err, GM_E_PROTO, 0, "a grant's headers can't be sent");
        }
        way->fields[way->call.header_count++] =
            (struct gm_s3_field){name, json_string_value(value)};
    }
    return 0;
}

static int start(struct gm_send_way *way, struct gm_err *err)
{
    struct gm_send *send = way->send;
    const struct gm_send_part *part = &send->parts[way->part];
    way->began = gm_time_now();
    const char *url = gm_job_text(way->grant, "url");
    int rc = open_client(send, url, err);
    if (rc < 0) {
        return rc;
    }
    way->call =
        (struct gm_s3_call){.method = "PUT",
                            .url = url,
                            .url_until_unix_ms = gm_job_number(way->grant, "expires_unix_ms"),
                            .headers = way->fields,
                            .fd = send->fd,
                            .body_offset = part->offset,
                            .body_size = part->size,
                            .wants = GM_S3_WANTS_NOTHING,
                            .max_tries = TRIES,
                            .max_time = TRY_TIME,
                            .done = on_done,
                            .arg = way};
    rc = take_headers(way, err);
    return rc < 0 ? rc : gm_s3_client_start(send->client, &way->call, &way->running, err);
}

static void free_way(struct gm_send_way *way)
{
    json_decref(way->grant);
    *way = (struct gm_send_way){0};
}

size_t gm_send_at_once(size_t at_once, int rc, gm_time took)
{
    return rc == -GM_E_STORE && took >= GM_S3_DRIP_TIME && at_once > 1 ? at_once / 2 : at_once;
}

/* Whether it is by itself that a part took too long, or by those that went beside it: so many that
 * the link was too slow for all. */
static bool slow_down(struct gm_send *send, const struct gm_send_way *way)
{
    size_t before = send->at_once;
    send->at_once = gm_send_at_once(before, way->rc, gm_time_now() - way->began);
    if (send->at_once == before) {
        return false;
    }
    for (size_t i = 0; i < send->way_count; i++) { /* those begin anew from here: once for all */
        send->ways[i].began = gm_time_now();
    }
    gm_term_note(send->session->term, "the link is slow: at most %zu parts are sent at once now",
                 send->at_once);
    return true;
}

/* Alone again after a pause, unless it failed too often. */
static int put_off(struct gm_send_way *way, struct gm_err *err)
{
    struct gm_send *send = way->send;
    struct gm_send_part *part = &send->parts[way->part];
    unsigned most = way->err.code == GM_E_STORE_DENIED && !way->renew ? DENIALS : FAILURES;
    gm_time pause = PAUSE_FIRST;
    for (unsigned i = 0; i < part->failures && pause < PAUSE_MAX; i++) {
        pause *= 2;
    }
    part->state = GM_SEND_HASHED;
    part->not_before = way->renew ? 0 : gm_time_now() + (pause < PAUSE_MAX ? pause : PAUSE_MAX);
    int rc = gm_send_check_file(send, err);
    if (rc == 0 && slow_down(send, way)) {
        return 0;
    }
    if (rc == 0 && ++part->failures >= most) {
        *err = way->err;
        rc = -(int)err->code;
    }
    if (rc == 0 && !send->lost && !way->renew) {
        send->lost = true;
        gm_term_note(send->session->term, "a part could not be sent: %s; trying again",
                     way->err.text);
    }
    return rc;
}

int gm_send_start(struct gm_send *send, struct gm_err *err)
{
    size_t taken = 0;
    for (size_t i = 0; i < send->way_count; i++) {
        taken += send->ways[i].taken ? 1 : 0;
    }
    size_t free_ways = taken < send->at_once ? send->at_once - taken : 0;
    int rc = free_ways == 0 ? 0 : gm_send_ask(send, free_ways, err);
    for (size_t i = 0; rc == 0 && i < send->way_count; i++) {
        struct gm_send_way *way = &send->ways[i];
        if (way->taken && !way->ended && way->running == NULL) {
            rc = start(way, err);
            if (rc == -GM_E_STORE) { /* the endpoint is left alone for a while */
                way->rc = rc;
                way->err = *err;
                way->ended = true;
                rc = 0;
            }
        }
    }
    return rc;
}

int gm_send_collect(struct gm_send *send, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < send->way_count; i++) {
        struct gm_send_way *way = &send->ways[i];
        if (!way->ended) {
            continue;
        }
        if (way->rc == 0) {
            send->parts[way->part].state = GM_SEND_PUT;
        } else {
            rc = put_off(way, err);
        }
        free_way(way);
    }
    return rc;
}
