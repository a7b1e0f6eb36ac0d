#ifndef GM_SCHEDULER_HTTP_TLS_H
#define GM_SCHEDULER_HTTP_TLS_H

#include <microhttpd.h>

#include "common/pem.h"
#include "scheduler/settings.h"

/* What microhttpd is started with besides where the API is encrypted: TLS 1.2 or later. The files
 * are read once; a new certificate is taken at the scheduler's next start. */
struct gm_tls {
    struct gm_pem pem; /* owned; lives as long as the server */
    struct MHD_OptionItem options[4];
    unsigned flags;
};

/* Without http_tls_cert: no options and no flags. out: zeroed. Errors: CONFIG, SYS, NOMEM. */
int gm_tls_init(const struct gm_settings *settings, struct gm_tls *out,
                struct gm_err *err) GM_MUST_CHECK;
void gm_tls_fini(struct gm_tls *tls);

#endif
