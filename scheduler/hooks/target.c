#include "scheduler/hooks/target.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/access_http.h"
#include "storage/s3/url.h"

static const char *const EVENTS[] = {"job.accepted", "job.inspected", "job.playable",
                                     "job.done",     "job.failed",    "job.cancelled"};
#define EVENT_COUNT (sizeof EVENTS / sizeof EVENTS[0])
#define ALL_EVENTS ((1u << EVENT_COUNT) - 1)
#define ANY_PUBLIC "https://*"

const char *gm_hook_event(size_t i)
{
    return i < EVENT_COUNT ? EVENTS[i] : NULL;
}

const char *gm_hook_event_find(const char *type, unsigned *out)
{
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        if (strcmp(EVENTS[i], type) == 0) {
            *out = i;
            return EVENTS[i];
        }
    }
    return NULL;
}

/* ---- lines of the configuration */

static int read_events(const char *list, struct gm_hook_farm *out, struct gm_err *err)
{
    char type[32];
    while (*list != '\0') {
        unsigned number = 0;
        size_t n = strcspn(list, ",");
        (void)snprintf(type, sizeof type, "job.%.*s", (int)n, list);
        if (gm_hook_event_find(type, &number) == NULL) {
            return gm_err_set(err, GM_E_CONFIG, 0,
                              "webhooks: `%.40s` is none of accepted, inspected, playable, done, "
                              "failed, cancelled",
                              list);
        }
        out->events |= 1u << number;
        list += list[n] == ',' ? n + 1 : n;
    }
    return 0;
}

static int set_text(char **place, const char *key, const char *value, struct gm_err *err)
{
    if (*place != NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "webhooks: a second `%s=` is in a line", key);
    }
    *place = strdup(value);
    return *place != NULL ? 0 : gm_err_nomem(err);
}

static int set(struct gm_hook_farm *farm, const char *word, struct gm_err *err)
{
    if (strncmp(word, "url=", 4) == 0) {
        return set_text(&farm->url, "url", word + 4, err);
    }
    if (strncmp(word, "secret=", 7) == 0) {
        return set_text(&farm->secret, "secret", word + 7, err);
    }
    if (strncmp(word, "events=", 7) == 0) {
        return read_events(word + 7, farm, err);
    }
    return gm_err_set(err, GM_E_CONFIG, 0,
                      "webhooks: %s: a word is none of url=URL, secret=FILE, events=LIST",
                      farm->name);
}

static bool is_name(const char *name)
{
    size_t n = name != NULL ? strlen(name) : 0;
    return n > 0 && n < GM_HOOK_FARM_NAME &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

static int check(struct gm_hook_farm *farm, struct gm_err *err)
{
    if (farm->url == NULL || farm->secret == NULL) {
        return gm_err_set(err, GM_E_CONFIG, 0, "webhooks: %s needs url=URL and secret=FILE",
                          farm->name);
    }
    struct gm_err why = {0};
    if (gm_hook_url_check(farm->url, &why) < 0) {
        return gm_err_set(err, GM_E_CONFIG, 0, "webhooks: %s: %s", farm->name, why.text);
    }
    farm->events = farm->events != 0 ? farm->events : ALL_EVENTS;
    return gm_err_wrap(err, gm_hook_secrets_load(farm->secret, &farm->secrets, err),
                       "webhooks: %s: ", farm->name);
}

/* line: is cut into words. */
static int parse(char *line, struct gm_hook_farm *out, struct gm_err *err)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " ", &rest);
    const char *word;
    if (!is_name(name)) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "webhooks: a line begins with a name: 1..64 lower-case letters, digits, "
                          "`-` and `_`");
    }
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    int rc = 0;
    while (rc == 0 && (word = strtok_r(NULL, " ", &rest)) != NULL) {
        rc = set(out, word, err);
    }
    return rc < 0 ? rc : check(out, err);
}

int gm_hook_farms_parse(char *const *lines, struct gm_hook_farm **out, size_t *out_count,
                        struct gm_err *err)
{
    size_t count = 0;
    while (lines != NULL && lines[count] != NULL) {
        count++;
    }
    struct gm_hook_farm *list = calloc(count + 1, sizeof *list);
    int rc = list != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char *line = strdup(lines[i]);
        rc = line != NULL ? parse(line, &list[i], err) : gm_err_nomem(err);
        free(line);
        for (size_t k = 0; rc == 0 && k < i; k++) {
            if (strcmp(list[k].name, list[i].name) == 0) {
                rc = gm_err_set(err, GM_E_CONFIG, 0, "webhooks: %s is there twice", list[i].name);
            }
        }
    }
    if (rc < 0) {
        gm_hook_farms_free(list, list != NULL ? count : 0);
        return rc;
    }
    *out = list;
    *out_count = count;
    return 0;
}

void gm_hook_farms_free(struct gm_hook_farm *farms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(farms[i].url);
        free(farms[i].secret);
        gm_hook_secrets_wipe(&farms[i].secrets);
    }
    free(farms);
}

/* ---- URLs */

int gm_hook_url_check(const char *url, struct gm_err *err)
{
    struct gm_s3_endpoint endpoint;
    char *name = NULL;
    if (strlen(url) > GM_HOOK_URL_MAX || !gm_s3_url_is_http(url)) {
        return gm_err_set(err, GM_E_INVAL, 0, "give https://host/path of at most %d bytes",
                          GM_HOOK_URL_MAX);
    }
    int rc = gm_s3_url_endpoint(url, &endpoint, err);
    rc = rc < 0 ? rc : gm_access_http_name(url, &name, err);
    free(name);
    const char *host = rc == 0 ? strstr(url, "://") + 3 : NULL;
    if (rc == 0 && memchr(host, '@', strcspn(host, "/?#")) != NULL) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "a webhook's URL names no user");
    }
    return rc;
}

int gm_hook_url_allowed(const char *url, char *const *allowed, bool *out_public, struct gm_err *err)
{
    char plain[GM_S3_URL_PLAIN];
    int rc = gm_hook_url_check(url, err);
    if (rc < 0) {
        return rc;
    }
    *out_public = false;
    if (gm_access_http_allows(url, allowed)) {
        return 0;
    }
    for (; allowed != NULL && *allowed != NULL; allowed++) {
        if (strcmp(*allowed, ANY_PUBLIC) == 0 && strncmp(url, "https://", 8) == 0) {
            *out_public = true;
            return 0;
        }
    }
    return gm_err_set(err, GM_E_STORE_DENIED, 0,
                      "%s: `allow_webhooks` of the scheduler does not allow it",
                      gm_s3_url_plain(url, plain));
}

int gm_hook_url_origin(const char *url, const char *tenant, char **out, struct gm_err *err)
{
    struct gm_s3_endpoint endpoint;
    struct gm_buf text = {0};
    int rc = gm_s3_url_endpoint(url, &endpoint, err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_printf(&text, "job:%s/%s://%s", tenant, endpoint.tls ? "https" : "http", endpoint.host);
    rc = gm_buf_check(&text, err);
    if (rc < 0) {
        gm_buf_fini(&text);
        return rc;
    }
    *out = (char *)text.data;
    return 0;
}

/* ---- addresses */

struct range {
    uint32_t first;
    unsigned bits;
};

/* See: https://www.iana.org/assignments/iana-ipv4-special-registry, and groups. */
static bool is_public4(uint32_t a)
{
    static const struct range apart[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
        {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4}};
    for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++) {
        if ((a ^ apart[i].first) >> (32 - apart[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

/* 2000::/3 is what is given out; of it not 2001::/23 and 2001:db8::/32, 2002::/16 and 3fff::/20.
 * See: https://www.iana.org/assignments/iana-ipv6-special-registry */
static bool is_public6(const uint8_t a[16])
{
    uint32_t head =
        (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | (uint32_t)a[3];
    return head >> 29 == 1 && head >> 9 != 0x20010000u >> 9 && head != 0x20010db8u &&
           head >> 16 != 0x2002u && head >> 12 != 0x3fff0u;
}

bool gm_hook_is_public(const struct sockaddr *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    uint32_t inner;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return is_public4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family != AF_INET6) {
        return false;
    }
    memcpy(&v6, address, sizeof v6);
    if (memcmp(v6.sin6_addr.s6_addr, mapped, sizeof mapped) == 0) {
        memcpy(&inner, v6.sin6_addr.s6_addr + 12, sizeof inner);
        return is_public4(ntohl(inner));
    }
    return is_public6(v6.sin6_addr.s6_addr);
}
