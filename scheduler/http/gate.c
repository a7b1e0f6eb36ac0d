/* See scheduler/http/gate.h. What differs in a file's identity, size or times is read again; a
 * `gopmill token` puts a new file in its place. */
#include "scheduler/http/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fs.h"
#include "common/log.h"
#include "common/rate.h"

#define LOOK_EVERY (2 * GM_SEC)
#define REFUSALS_PER_S 1 /* that are logged */
#define REFUSALS_AT_ONCE 10

struct gm_gate {
    const struct gm_settings *settings; /* borrowed */
    const char *path;                   /* borrowed from them; NULL: no token is asked for */
    struct gm_tokens tokens;
    struct stat seen; /* the file when it was looked at last */
    gm_time looked;
    bool wrong;         /* it did not read then */
    struct gm_err why;  /* of that */
    struct gm_rate log; /* of refusals */
    unsigned long long unlogged;
};

bool gm_caller_may_see(const struct gm_caller *caller, const char *tenant)
{
    return caller->tenant[0] == '\0' || (tenant != NULL && strcmp(caller->tenant, tenant) == 0);
}

/* ---- the file */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && gm_fs_changed_ns(a) == gm_fs_changed_ns(b) &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool keep_old(struct gm_gate *gate, const struct gm_err *err)
{
    bool is_new = !gate->wrong || gate->why.code != err->code;
    gate->why = *err;
    if (is_new) {
        gm_log_err(GM_LOG_ERROR, "tokens_not_read", err, "tokens=%zu next=old", gate->tokens.count);
    }
    gate->wrong = true;
    return false;
}

bool gm_gate_look(struct gm_gate *gate, gm_time now)
{
    struct stat st = {0};
    struct gm_tokens tokens = {0};
    struct gm_err err;
    if (gate->path == NULL || now - gate->looked < LOOK_EVERY) {
        return false;
    }
    gate->looked = now;
    if (stat(gate->path, &st) != 0) {
        GM_IGNORE(gm_err_sys(&err, errno, "%.150s can't be looked at", gate->path), "kept");
        gate->seen = (struct stat){0};
        return keep_old(gate, &err);
    }
    if (is_same(&st, &gate->seen)) {
        return false;
    }
    gate->seen = st; /* of before it is read: what changes meanwhile is read once more */
    if (gm_tokens_load(gate->path, &tokens, &err) < 0) {
        if (err.code == GM_E_CONFIG || err.code == GM_E_LIMIT) {
            gate->wrong = false; /* the file is another wrong one */
        } else {
            gate->seen = (struct stat){0}; /* the file may be right: it is read at the next look */
        }
        return keep_old(gate, &err);
    }
    gate->wrong = false;
    gm_tokens_fini(&gate->tokens);
    gate->tokens = tokens;
    gm_log(GM_LOG_INFO, "tokens_read", "tokens=%zu", tokens.count);
    return true;
}

const char *gm_gate_fault(const struct gm_gate *gate)
{
    return gate->wrong ? gate->why.text : NULL;
}

/* ---- who asks */

static int refuse(struct gm_gate *gate, enum gm_code code, const char *id, const char *text,
                  struct gm_err *err)
{
    int rc = gm_err_set(err, code, 0, "%s", text);
    if (!gm_rate_take(&gate->log, 1, REFUSALS_PER_S, REFUSALS_AT_ONCE, gm_time_now())) {
        gate->unlogged++;
        return rc;
    }
    gm_log(GM_LOG_WARN, "request_refused", "code=%s token=%s unlogged=%llu",
           gm_code_get((int)code)->id, id[0] != '\0' ? id : "-", gate->unlogged);
    gate->unlogged = 0;
    return rc;
}

/* "Bearer TOKEN" (RFC 6750 section 2.1); the scheme's case is free. NULL: something else. */
static const char *token_of(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    authorization += sizeof scheme - 1;
    return authorization + strspn(authorization, " ");
}

int gm_gate_check(struct gm_gate *gate, const char *authorization, unsigned count,
                  enum gm_token_role least, struct gm_caller *out, struct gm_err *err)
{
    struct gm_caller caller = {.role = GM_TOKEN_ADMIN, .until_unix_ms = INT64_MAX};
    if (gate->path == NULL) {
        *out = caller;
        return 0;
    }
    if (least == GM_TOKEN_NOBODY) {
        caller.role = GM_TOKEN_NOBODY;
        *out = caller;
        return 0;
    }
    if (authorization == NULL) {
        return refuse(gate, GM_E_AUTH_MISSING, "", "the request has no token", err);
    }
    const char *token = count == 1 ? token_of(authorization) : NULL;
    if (token == NULL || !gm_token_is(token)) {
        return refuse(gate, GM_E_AUTH_REFUSED, "",
                      "the header Authorization has no token of this API: `Bearer gopmill_...`",
                      err);
    }
    const struct gm_token *row = gm_tokens_find(&gate->tokens, token);
    if (row == NULL) {
        return refuse(gate, GM_E_AUTH_REFUSED, "", "the token is not known", err);
    }
    if (gm_time_unix_ms() >= row->until_unix_ms) {
        return refuse(gate, GM_E_AUTH_REFUSED, row->id, "the token's time is over", err);
    }
    if (row->role < least) {
        char text[160];
        (void)snprintf(text, sizeof text, "token %s has the role `%s`; that takes `%s`", row->id,
                       gm_token_role_name(row->role),
                       least < GM_TOKEN_ROLES ? gm_token_role_name(least) : "nobody's");
        return refuse(gate, GM_E_AUTH_DENIED, row->id, text, err);
    }
    caller.role = row->role;
    caller.until_unix_ms = row->until_unix_ms;
    memcpy(caller.id, row->id, sizeof caller.id);
    memcpy(caller.tenant, row->tenant, sizeof caller.tenant);
    *out = caller;
    return 0;
}

/* ---- life */

static int family_of(int fd, struct sockaddr_storage *out)
{
    socklen_t size = sizeof *out;
    *out = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    return getsockname(fd, (struct sockaddr *)out, &size) == 0 ? out->ss_family : AF_UNSPEC;
}

bool gm_gate_is_local(int fd)
{
    struct sockaddr_storage at;
    switch (family_of(fd, &at)) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return (ntohl(((const struct sockaddr_in *)&at)->sin_addr.s_addr) >> 24) == 127;
    case AF_INET6: {
        const struct in6_addr *in = &((const struct sockaddr_in6 *)&at)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(in) || (IN6_IS_ADDR_V4MAPPED(in) && in->s6_addr[12] == 127);
    }
    default:
        return false;
    }
}

void gm_gate_guard(struct gm_gate *gate, int fd)
{
    const struct gm_settings *settings = gate->settings;
    struct sockaddr_storage at;
    bool on_file = family_of(fd, &at) == AF_UNIX;
    bool has_tokens = settings->http_tokens[0] != '\0';
    gate->path = has_tokens && !on_file ? settings->http_tokens : NULL;
    if (on_file && has_tokens) {
        gm_log(GM_LOG_WARN, "tokens_unused",
               "http=unix msg=\"a unix socket asks for no token: the "
               "mode of its file says who may connect\"");
    }
    if (gm_gate_is_local(fd)) {
        return;
    }
    if (gate->path == NULL) {
        gm_log(GM_LOG_WARN, "http_open",
               "http=%s msg=\"other machines reach the API and no token "
               "is asked for: set http_tokens\"",
               settings->http);
    } else if (settings->http_tls_cert[0] == '\0') {
        gm_log(GM_LOG_WARN, "http_plain",
               "http=%s msg=\"tokens come from other machines without "
               "encryption: set http_tls_cert and http_tls_key, or put a "
               "proxy before\"",
               settings->http);
    }
}

int gm_gate_open(const struct gm_settings *settings, struct gm_gate **out, struct gm_err *err)
{
    struct gm_gate *gate = calloc(1, sizeof *gate);
    int rc = gate == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        gate->settings = settings;
    }
    if (rc == 0 && settings->http_tokens[0] != '\0') {
        gate->path = settings->http_tokens;
        gate->looked = gm_time_now();
        if (stat(gate->path, &gate->seen) != 0) {
            gate->seen = (struct stat){0};
        }
        rc = gm_err_wrap(err, gm_tokens_load(gate->path, &gate->tokens, err), "http_tokens: ");
    }
    if (rc < 0) {
        gm_gate_close(&gate);
        return rc;
    }
    *out = gate;
    return 0;
}

void gm_gate_close(struct gm_gate **gate)
{
    if (*gate != NULL) {
        gm_tokens_fini(&(*gate)->tokens);
        free(*gate);
        *gate = NULL;
    }
}
