/* Three tables: S3's codes, statuses, and curl's. An answer that came counts before what happened
 * on the wire after it: a server that refuses an upload closes the connection in its middle.
 */
#include <string.h>

#include <curl/curl.h>

#include "storage/s3/judge.h"

struct code_row {
    const char *code;
    struct gm_s3_verdict verdict;
};

#define ROW(name, next, gm_code, ill)                                                              \
    {                                                                                              \
        name,                                                                                      \
        {                                                                                          \
            GM_S3_##next, GM_E_##gm_code, ill                                                      \
        }                                                                                          \
    }

static const struct code_row codes[] = {
    /* the server's own trouble */
    ROW("InternalError", AGAIN, STORE, true), ROW("InternalServerError", AGAIN, STORE, true),
    ROW("UnknownError", AGAIN, STORE, true), /* radosgw */
    ROW("ServiceUnavailable", AGAIN, STORE, true),
    ROW("XMinioServerNotInitialized", AGAIN, STORE, true), /* MinIO */
    /* it wants less of us */
    ROW("SlowDown", AGAIN, STORE, false), ROW("SlowDownRead", AGAIN, STORE, false), /* MinIO */
    ROW("SlowDownWrite", AGAIN, STORE, false),                                      /* MinIO */
    ROW("Throttling", AGAIN, STORE, false), ROW("ThrottlingException", AGAIN, STORE, false),
    ROW("RequestThrottled", AGAIN, STORE, false), ROW("RequestLimitExceeded", AGAIN, STORE, false),
    ROW("BandwidthLimitExceeded", AGAIN, STORE, false), ROW("TooManyRequests", AGAIN, STORE, false),
    /* this one time */
    ROW("RequestTimeout", AGAIN, STORE, false), /* status 400: our bytes came too slowly */
    ROW("IncompleteBody", AGAIN, STORE, false), ROW("OperationAborted", AGAIN, STORE, false),
    ROW("ConditionalRequestConflict", AGAIN, STORE, false),
    ROW("ConcurrentModification", AGAIN, STORE, false), /* radosgw */
    ROW("TemporaryRedirect", AGAIN, STORE, false), ROW("BadDigest", AGAIN, STORE_CORRUPT, false),
    ROW("XAmzContentSHA256Mismatch", AGAIN, STORE_CORRUPT, false),
    /* how it was signed */
    ROW("RequestTimeTooSkewed", CLOCK, STORE_DENIED, false),
    ROW("ExpiredToken", RENEW, STORE_DENIED, false),
    ROW("ExpiredTokenException", RENEW, STORE_DENIED, false),
    ROW("TokenRefreshRequired", RENEW, STORE_DENIED, false),
    ROW("AccessDenied", FAILED, STORE_DENIED, false),
    ROW("AccountProblem", FAILED, STORE_DENIED, false),
    ROW("AllAccessDisabled", FAILED, STORE_DENIED, false),
    ROW("AuthorizationHeaderMalformed", FAILED, STORE_DENIED, false), /* another region, too */
    ROW("AuthorizationQueryParametersError", FAILED, STORE_DENIED, false),
    ROW("InvalidAccessKeyId", FAILED, STORE_DENIED, false),
    ROW("InvalidToken", FAILED, STORE_DENIED, false),
    ROW("SignatureDoesNotMatch", FAILED, STORE_DENIED, false),
    /* what there is; a missing bucket is a store that is away, and no empty one (ADR-0037) */
    ROW("NoSuchBucket", FAILED, STORE, false), ROW("NoSuchKey", FAILED, NOTFOUND, false),
    ROW("NoSuchVersion", FAILED, NOTFOUND, false), ROW("NoSuchUpload", FAILED, NOTFOUND, false),
    ROW("PreconditionFailed", FAILED, STORE_EXISTS, false),
    ROW("InvalidRange", FAILED, STORE_CORRUPT, false), /* it is shorter than it was */
    ROW("InvalidPart", FAILED, STORE_CORRUPT, false),
    ROW("InvalidObjectState", FAILED, STORE_DENIED, false), /* archived */
    ROW("QuotaExceeded", FAILED, STORE_FULL, false),        /* radosgw */
    ROW("XMinioStorageFull", FAILED, STORE_FULL, false),    /* MinIO */
    /* what it can't do */
    ROW("NotImplemented", LACKS, STORE, false), ROW("MethodNotAllowed", LACKS, STORE, false),
    ROW("MissingContentLength", LACKS, STORE, false), /* chunked bodies */
};

static struct gm_s3_verdict verdict_of(enum gm_s3_next next, enum gm_code code, bool ill)
{
    return (struct gm_s3_verdict){next, code, ill};
}

static bool find_code(const char *code, struct gm_s3_verdict *out)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].code, code) == 0) {
            *out = codes[i].verdict;
            return true;
        }
    }
    return false;
}

/* Source: RFC 9110 section 15. */
static struct gm_s3_verdict by_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return verdict_of(GM_S3_FAILED, GM_E_STORE_DENIED, false);
    case 404:
    case 410:
        return verdict_of(GM_S3_FAILED, GM_E_NOTFOUND, false);
    case 405:
    case 411:
    case 501:
        return verdict_of(GM_S3_LACKS, GM_E_STORE, false);
    case 408:
    case 409:
    case 425:
    case 429:
    case 503: /* without a code of S3's, a proxy's or HEAD's: it may be SlowDown */
        return verdict_of(GM_S3_AGAIN, GM_E_STORE, false);
    case 412:
        return verdict_of(GM_S3_FAILED, GM_E_STORE_EXISTS, false);
    case 416:
        return verdict_of(GM_S3_FAILED, GM_E_STORE_CORRUPT, false);
    case 507:
        return verdict_of(GM_S3_FAILED, GM_E_STORE_FULL, false);
    default:
        break;
    }
    if (status >= 300 && status < 500) {
        return verdict_of(GM_S3_FAILED, GM_E_STORE, false);
    }
    return verdict_of(GM_S3_AGAIN, GM_E_STORE, true);
}

/* Of what never got an answer. */
static struct gm_s3_verdict by_transport(int transport)
{
    switch (transport) {
    case CURLE_OUT_OF_MEMORY:
        return verdict_of(GM_S3_FAILED, GM_E_NOMEM, false);
    case CURLE_WRITE_ERROR:
    case CURLE_READ_ERROR:
    case CURLE_ABORTED_BY_CALLBACK: /* the caller ended it, and knows better why */
        return verdict_of(GM_S3_FAILED, GM_E_CANCELLED, false);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FAILED_INIT:
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_SETOPT_OPTION_SYNTAX:
    case CURLE_RECURSIVE_API_CALL:
        return verdict_of(GM_S3_FAILED, GM_E_BUG, false);
    case CURLE_PEER_FAILED_VERIFICATION: /* no pause makes a certificate right */
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return verdict_of(GM_S3_FAILED, GM_E_STORE, false);
    default:
        return verdict_of(GM_S3_AGAIN, GM_E_STORE, true);
    }
}

/* A body under 200 that is an error, of a code that has no row, is the server's trouble. */
static struct gm_s3_verdict by_answer(const struct gm_s3_outcome *outcome)
{
    bool has_code = outcome->code != NULL && outcome->code[0] != '\0';
    struct gm_s3_verdict verdict;

    if (has_code && find_code(outcome->code, &verdict)) {
        return verdict;
    }
    if (outcome->status >= 200 && outcome->status < 300) {
        return has_code ? verdict_of(GM_S3_AGAIN, GM_E_STORE, true)
                        : verdict_of(GM_S3_DONE, GM_E_STORE, false);
    }
    return by_status(outcome->status);
}

/* Its body broke off before it told what there is not: it may be the bucket. */
static bool is_unsaid(const struct gm_s3_outcome *outcome, const struct gm_s3_verdict *verdict)
{
    return verdict->code == GM_E_NOTFOUND && (outcome->code == NULL || outcome->code[0] == '\0');
}

struct gm_s3_verdict gm_s3_judge(const struct gm_s3_outcome *outcome)
{
    struct gm_s3_verdict verdict;

    if (outcome->transport != CURLE_OK && outcome->status < 300) {
        return by_transport(outcome->transport);
    }
    verdict = by_answer(outcome);
    if (outcome->transport != CURLE_OK && is_unsaid(outcome, &verdict)) {
        return verdict_of(GM_S3_AGAIN, GM_E_STORE, false);
    }
    if (verdict.next == GM_S3_DONE && outcome->wrong_body) {
        return verdict_of(GM_S3_AGAIN, GM_E_STORE_CORRUPT, false);
    }
    /* S3 says AccessDenied of a URL whose time is over. */
    if (verdict.next == GM_S3_FAILED && verdict.code == GM_E_STORE_DENIED && outcome->overdue) {
        verdict.next = GM_S3_RENEW;
    }
    return verdict;
}

int64_t gm_s3_native(const struct gm_s3_outcome *outcome)
{
    return outcome->status >= 100 ? outcome->status : outcome->transport;
}
