/* The order of things: one part is hashed at a time, no more ahead than are sent at once; what is
 * hashed gets URLs in batches; what was put is told in batches. All of it is one thread's: bodies
 * go on while this waits for the scheduler or hashes, as each does so by turns of the session.
 */
#include "cli/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"

#define TURN_MS 100
#define LOOKS 3 /* at all that is there, until nothing is missing */

int gm_send_init(struct gm_send *send, struct gm_session *session, int fd, const struct gm_cut *cut,
                 size_t parallel, struct gm_err *err)
{
    memset(send, 0, sizeof *send);
    int uv = uv_loop_init(&send->loop);
    if (uv != 0) {
        return gm_err_set(err, GM_E_SYS, uv, "could not make an event loop: %s", uv_strerror(uv));
    }
    send->session = session;
    session->loop = &send->loop;
    send->fd = fd;
    send->count = cut->count;
    send->way_count = parallel < GM_SEND_PARALLEL ? parallel : GM_SEND_PARALLEL;
    send->at_once = send->way_count;
    send->began = gm_time_now();
    if (fstat(fd, &send->was) != 0) {
        return gm_err_sys(err, errno, "could not look at the file");
    }
    send->parts = calloc(cut->count, sizeof *send->parts);
    if (send->parts == NULL) {
        return gm_err_nomem(err);
    }
    uint64_t offset = 0;
    for (size_t i = 0; i < cut->count; i++) {
        send->parts[i].offset = offset;
        send->parts[i].size = cut->sizes[i];
        offset += cut->sizes[i];
    }
    return gm_cut_order(cut, &send->order, &send->ends, err);
}

void gm_send_fini(struct gm_send *send)
{
    if (send->session == NULL) {
        return;
    }
    for (size_t i = 0; i < send->way_count; i++) {
        gm_s3_cancel(&send->ways[i].running);
        json_decref(send->ways[i].grant);
    }
    gm_s3_client_destroy(&send->client);
    (void)uv_run(&send->loop, UV_RUN_DEFAULT); /* what was closed goes */
    (void)uv_loop_close(&send->loop);
    send->session->loop = NULL;
    free(send->parts);
    free(send->order);
    memset(send, 0, sizeof *send);
}

int gm_send_check_file(const struct gm_send *send, struct gm_err *err)
{
    struct stat is;
    if (fstat(send->fd, &is) != 0) {
        return gm_err_sys(err, errno, "could not look at the file");
    }
    if (is.st_size != send->was.st_size || gm_fs_changed_ns(&is) != gm_fs_changed_ns(&send->was)) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, "%.150s changed while it was sent",
                          send->path);
    }
    return 0;
}

/* Bodies go on while a part is hashed. */
static void on_piece(void *arg)
{
    struct gm_send *send = arg;
    GM_IGNORE(gm_session_turn(send->session, 0, NULL), "the next turn fails again");
}

static int hash_part(struct gm_send *send, size_t index, struct gm_err *err)
{
    struct gm_send_part *part = &send->parts[index];
    uint8_t sha256[GM_SHA256_SIZE], md5[GM_MD5_SIZE];
    char hash[sizeof part->hash];
    int rc = gm_hash_part(send->fd, part->offset, part->size, sha256, send->md5 ? md5 : NULL, NULL,
                          on_piece, send, err);
    if (rc == 0 || rc == -GM_E_INVAL) { /* fewer bytes: it was cut */
        int changed = gm_send_check_file(send, err);
        rc = changed < 0 ? changed : rc;
    }
    if (rc < 0) {
        return rc;
    }
    gm_hex(sha256, sizeof sha256, hash);
    if (part->known && strcmp(hash, part->hash) != 0) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0,
                          "%.120s is not what was sent before: part %zu is another", send->path,
                          index);
    }
    memcpy(part->hash, hash, sizeof hash);
    if (send->md5) {
        gm_md5_base64(md5, part->md5);
    }
    part->state = part->known ? GM_SEND_THERE : GM_SEND_HASHED;
    if (part->known) {
        send->there++;
        send->had += part->size;
    }
    return 0;
}

/* The next part, unless enough of them wait for their URLs. */
static int hash_next(struct gm_send *send, bool *out_did, struct gm_err *err)
{
    size_t ahead = 0;
    *out_did = false;
    while (send->next < send->count &&
           send->parts[send->order[send->next]].state != GM_SEND_WAITS) {
        send->next++;
    }
    for (size_t i = 0; i < send->count; i++) {
        ahead += send->parts[i].state == GM_SEND_HASHED ? 1 : 0;
    }
    if (send->next == send->count || ahead >= send->at_once) {
        return 0;
    }
    *out_did = true;
    return hash_part(send, send->order[send->next], err);
}

static bool has_ends(const struct gm_send *send)
{
    for (size_t i = 0; i < send->ends; i++) {
        if (send->parts[send->order[i]].state != GM_SEND_THERE) {
            return false;
        }
    }
    return true;
}

static int call_back(struct gm_send *send, struct gm_err *err)
{
    int rc = 0;
    if (!send->told_ends && has_ends(send)) {
        send->told_ends = true;
        rc = send->on_ends == NULL ? 0 : send->on_ends(send->arg, err);
    }
    return rc < 0 || send->on_turn == NULL ? rc : send->on_turn(send->arg, err);
}

static int step(struct gm_send *send, struct gm_err *err)
{
    bool hashed = false;
    int rc = gm_send_collect(send, err);
    if (rc == 0) {
        rc = gm_send_tell(send, err);
    }
    if (rc == 0) {
        rc = gm_send_start(send, err);
    }
    if (rc == 0) {
        rc = call_back(send, err);
    }
    if (rc == 0) {
        rc = hash_next(send, &hashed, err);
    }
    gm_send_show(send);
    if (rc == 0 && send->there < send->count) {
        rc = gm_session_turn(send->session, hashed ? 0 : TURN_MS, err);
    }
    if (rc == 0 && send->session->interrupts > 0) {
        rc = gm_err_set(err, GM_E_CANCELLED, 0, "interrupted");
    }
    return rc;
}

int gm_send_run(struct gm_send *send, struct gm_err *err)
{
    int rc = gm_send_look(send, err);
    for (int looks = 0; rc == 0 && looks < LOOKS; looks++) {
        while (rc == 0 && send->there < send->count) {
            rc = step(send, err);
        }
        if (rc == 0) {
            rc = gm_send_check_file(send, err);
        }
        if (rc == 0) {
            rc = gm_send_look(send, err);
        }
        if (rc == 0 && send->there == send->count) {
            return call_back(send, err);
        }
    }
    return rc < 0 ? rc
                  : gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                               "parts that were stored were not there any more, again and again");
}
