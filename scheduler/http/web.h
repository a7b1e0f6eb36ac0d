#ifndef GM_SCHEDULER_HTTP_WEB_H
#define GM_SCHEDULER_HTTP_WEB_H

#include <stddef.h>

/* The page's files, embedded when the scheduler is built (scheduler/web/embed.cmake). */
struct gm_web_file {
    const char *path; /* of the request: "/", "/web/main.js" */
    const char *type; /* Content-Type */
    const char *etag; /* weak: the same for both forms */
    const unsigned char *data;
    size_t size;              /* bytes of data */
    const unsigned char *zip; /* the same through gzip */
    size_t zip_size;          /* bytes of zip */
};

extern const struct gm_web_file gm_web_files[];
extern const size_t gm_web_file_count;

#endif
