#ifndef GM_SCHEDULER_ZAP_H
#define GM_SCHEDULER_ZAP_H

#include "common/allow.h"
#include "common/loop.h"
#include "common/time.h"

/* Answers libzmq's question whether a connection's key may come in (ZAP, rfc.zeromq.org/spec/27):
 * by a list. What such a connection says carries GM_ZAP_KEY, the key. Thread: loop only. */
#define GM_ZAP_DOMAIN "gopmill"        /* of nodes: peers.h looks at the role */
#define GM_ZAP_EVENTS "gopmill-events" /* of subscribers: roles client and admin alone */
#define GM_ZAP_KEY "X-Gopmill-Key"     /* a property of messages: zmq_msg_gets */

struct gm_zap; /* opaque */

/* Before any socket of zctx binds. allow: borrowed; may change between calls. Errors: SYS, NOMEM.
 */
int gm_zap_open(void *zctx, uv_loop_t *loop, const struct gm_allow *allow, struct gm_zap **out,
                struct gm_err *err) GM_MUST_CHECK;
void gm_zap_close(struct gm_zap **zap);

/* A request's frames answered: the status "200" or "400", the key's name ("") and its text. Pure.
 */
#define GM_ZAP_FRAMES 7
struct gm_zap_frame {
    const void *data;
    size_t size;
};
const char *gm_zap_judge(const struct gm_zap_frame frames[GM_ZAP_FRAMES], size_t count,
                         const struct gm_allow *allow, int64_t unix_ms, char name[GM_CURVE_NAME],
                         char key[GM_CURVE_TEXT]);

#endif
