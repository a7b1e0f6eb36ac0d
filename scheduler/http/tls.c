#include "scheduler/http/tls.h"

/* RFC 9325 section 3.1.1: nothing before TLS 1.2. GnuTLS' manual, "Priority strings". */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

int gm_tls_init(const struct gm_settings *settings, struct gm_tls *out, struct gm_err *err)
{
    out->options[0] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    if (settings->http_tls_cert[0] == '\0') {
        return 0;
    }
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "http_tls_cert: this machine's libmicrohttpd was built without TLS");
    }
    int rc = gm_pem_load(settings->http_tls_cert, settings->http_tls_key, &out->pem, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "http_tls_cert: ");
    }
    out->flags = MHD_USE_TLS;
    out->options[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, out->pem.cert};
    out->options[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, out->pem.key};
    out->options[2] =
        (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES};
    out->options[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return 0;
}

void gm_tls_fini(struct gm_tls *tls)
{
    gm_pem_fini(&tls->pem);
}
