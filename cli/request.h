#ifndef GM_CLI_REQUEST_H
#define GM_CLI_REQUEST_H

#include <curl/curl.h>

#include "cli/session.h"

/* What a curl handle's CURLOPT_PRIVATE points at: how its transfer ended. */
struct gm_request {
    bool done;
    CURLcode result;
};

/* A handle for base + path with what all requests share. owned: curl_easy_cleanup(); NULL: out of
 * memory. request: borrowed while the handle lives. */
CURL *gm_request_open(const struct gm_session *session, const char *path,
                      struct gm_request *request);
/* Marks the requests that ended and takes their handles out of multi. */
void gm_request_collect(CURLM *multi);
/* The scheduler was not reached, or the connection broke: trying again may help. */
bool gm_request_is_broken(CURLcode result);
/* The request can't have arrived. */
bool gm_request_is_unsent(CURLcode result);

#endif
