#ifndef GM_SCHEDULER_HOOKS_TARGET_H
#define GM_SCHEDULER_HOOKS_TARGET_H

#include "scheduler/hooks/secret.h"

/* Who is told of jobs' events: receivers of the farm, which the configuration names, and a URL that
 * a job names. Thread: any. */

#define GM_HOOK_URL_MAX 2048
#define GM_HOOK_FARM_NAME 65

/* The events that are told outside, by their number; NULL: no more. */
const char *gm_hook_event(size_t i);
/* The type as gm_hook_event has it, of static life; NULL: it is told to nobody. *out: its number.
 */
const char *gm_hook_event_find(const char *type, unsigned *out);

struct gm_hook_farm {
    char name[GM_HOOK_FARM_NAME];
    char *url;       /* owned */
    char *secret;    /* owned: the file */
    unsigned events; /* bits of their numbers */
    struct gm_hook_secrets secrets;
};

/* Lines "NAME url=URL secret=FILE events=done,failed"; without events: all. A line with a `secret`
 * that can't be read is refused. lines: NULL-terminated, or NULL. *out: owned: gm_hook_farms_free.
 * Errors: CONFIG, SYS, NOMEM. */
int gm_hook_farms_parse(char *const *lines, struct gm_hook_farm **out, size_t *out_count,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_hook_farms_free(struct gm_hook_farm *farms, size_t count);

/* http or https, with a host, without a user, fragment or step up. Errors: INVAL. */
int gm_hook_url_check(const char *url, struct gm_err *err) GM_MUST_CHECK;
/* Whether a job may name it: an entry of `allowed` that is a URL begins it, as those of
 * allow_sources do; or the entry https:// and a star allows each of https, then *out_public: at
 * addresses of the public Internet alone. Errors: INVAL, STORE_DENIED. */
int gm_hook_url_allowed(const char *url, char *const *allowed, bool *out_public,
                        struct gm_err *err) GM_MUST_CHECK;
/* "job:TENANT/https://host:port" of it: what is down together. Owned. Errors: INVAL, NOMEM. */
int gm_hook_url_origin(const char *url, const char *tenant, char **out,
                       struct gm_err *err) GM_MUST_CHECK;

struct sockaddr;
/* An address of the public Internet: none of this machine, of private networks, of links, of
 * groups, or of ways from one of the two versions of IP to the other. */
bool gm_hook_is_public(const struct sockaddr *address);

#endif
