#include "cli/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cut_file.h"
#include "cli/job.h"
#include "cli/send.h"

struct uploader {
    struct gm_session *session;
    const struct gm_upload_params *params;
    int fd;
    uint64_t size;
    struct gm_resume resume;
    bool resumed;
    struct gm_send send;
    bool told; /* who called had it ended */
    char source[GM_UPLOAD_SOURCE];
    json_t *doc; /* owned; the last one of the upload */
};

int gm_upload_open(const char *path, int *out_fd, struct gm_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        enum gm_code code = errno == ENOENT || errno == ENOTDIR ? GM_E_INPUT_MISSING
                            : errno == EACCES || errno == EPERM ? GM_E_INPUT_DENIED
                                                                : GM_E_SYS;
        return gm_err_set(err, code, errno, "%.150s can't be read: %s", path, strerror(errno));
    }
    int rc = 0;
    if (fstat(fd, &st) != 0) {
        rc = gm_err_sys(err, errno, "could not look at %.150s", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = gm_err_set(err, GM_E_INPUT_NOT_FILE, 0, "%.150s is no regular file", path);
    } else if (st.st_size == 0) {
        rc = gm_err_set(err, GM_E_INPUT_EMPTY, 0, "%.150s has no bytes", path);
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *out_fd = fd;
    return 0;
}

/* The upload that is remembered, if the farm still has it. */
static int find(struct uploader *u, struct gm_err *err)
{
    char *path = NULL;
    if (u->resume.upload[0] == '\0') {
        return 0;
    }
    int rc = gm_send_path(u->resume.upload, "", &path, err);
    if (rc == 0) {
        rc = gm_send_call(u->session, "GET", path, NULL, &u->doc, err);
        free(path);
    }
    if (rc == -GM_E_NOTFOUND || rc == -GM_E_NO_ROUTE) {
        gm_resume_forget(&u->resume);
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    u->resumed = gm_job_number(u->doc, "size") == (int64_t)u->size &&
                 gm_job_number(u->doc, "parts") == (int64_t)u->resume.cut.count;
    if (!u->resumed) { /* another farm's, behind the same name */
        gm_resume_forget(&u->resume);
        json_decref(u->doc);
        u->doc = NULL;
    }
    return 0;
}

static json_t *make_body(const struct uploader *u)
{
    const char *slash = strrchr(u->params->path, '/');
    const char *name = slash == NULL ? u->params->path : slash + 1;
    json_t *sizes = json_array();
    bool good = sizes != NULL;
    for (size_t i = 0; good && i < u->resume.cut.count; i++) {
        good = json_array_append_new(sizes, json_integer((json_int_t)u->resume.cut.sizes[i])) == 0;
    }
    json_t *body =
        json_pack("{s:s,s:I,s:o}", "name", name, "size", (json_int_t)u->size, "part_sizes", sizes);
    if (good && u->params->tenant != NULL) {
        good = json_object_set_new(body, "tenant", json_string(u->params->tenant)) == 0;
    }
    if (!good) {
        json_decref(body);
        return NULL;
    }
    return body;
}

/* A farm that takes none says so before anything is cut: the file may be large. */
static int check_farm(struct uploader *u, struct gm_err *err)
{
    json_t *list = NULL;
    int rc = gm_send_call(u->session, "GET", "/v1/uploads", NULL, &list, err);
    json_decref(list);
    return rc == -GM_E_NO_ROUTE ? gm_err_set(err, GM_E_UPLOADS_OFF, err->native,
                                             "the scheduler is of a release without uploads")
                                : rc;
}

static int create(struct uploader *u, struct gm_err *err)
{
    struct gm_answer answer = {0};
    char why[GM_CUT_WHY];
    int rc = check_farm(u, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_cut_file(u->session, u->fd, u->size, &u->resume.cut, why, err);
    if (rc < 0) {
        return rc;
    }
    if (u->params->verbose && why[0] != '\0') {
        gm_term_note(u->session->term, "cut without regard to its pictures: %s", why);
    }
    json_t *body = make_body(u);
    rc = body == NULL
             ? gm_err_set(err, GM_E_INVAL, 0, "the file's name is not UTF-8 text")
             : gm_session_call(u->session, "POST", "/v1/uploads", body, false, &answer, err);
    json_decref(body);
    if (rc < 0) {
        return rc;
    }
    u->doc = answer.body;
    const char *id = gm_job_text(u->doc, "id");
    if (!gm_id_is(id) || gm_job_number(u->doc, "parts") != (int64_t)u->resume.cut.count) {
        return gm_err_set(err, GM_E_PROTO, 0, "the scheduler's answer is of another upload");
    }
    memcpy(u->resume.upload, id, sizeof u->resume.upload);
    struct gm_err ignored;
    if (gm_resume_save(&u->resume, &ignored) < 0 && u->params->verbose) {
        gm_term_note(u->session->term, "it can't go on after a kill: %s", ignored.text);
    }
    return 0;
}

static int on_ends(void *arg, struct gm_err *err)
{
    struct uploader *u = arg;
    int rc = u->params->on_ends == NULL
                 ? 0
                 : u->params->on_ends(u->params->arg, u->source, &u->resume, err);
    u->told = rc < 0;
    return rc;
}

static int on_turn(void *arg, struct gm_err *err)
{
    struct uploader *u = arg;
    int rc = u->params->on_turn == NULL ? 0 : u->params->on_turn(u->params->arg, u->send.job, err);
    u->told = rc < 0;
    return rc;
}

static int complete(struct uploader *u, struct gm_err *err)
{
    char *path = NULL;
    json_t *doc = NULL;
    int rc = gm_send_path(u->resume.upload, ":complete", &path, err);
    if (rc == 0) {
        rc = gm_send_call(u->session, "POST", path, NULL, &doc, err);
        free(path);
    }
    if (rc < 0) {
        return rc;
    }
    json_decref(u->doc);
    u->doc = doc;
    if (gm_job_number(u->doc, "size") != (int64_t)u->size) {
        return gm_err_set(err, GM_E_STORE_CORRUPT, 0, "the upload has %lld bytes, %.100s has %llu",
                          (long long)gm_job_number(u->doc, "size"), u->params->path,
                          (unsigned long long)u->size);
    }
    return 0;
}

/* Of a file that changed it can't become whole: nobody is to wait for its parts. */
static void give_up(struct uploader *u, struct gm_err *err)
{
    const struct gm_err why = *err;
    struct gm_err ignored;
    char *path = NULL;
    json_t *doc = NULL;
    if (gm_send_path(u->resume.upload, "", &path, &ignored) == 0) {
        GM_IGNORE(gm_send_call(u->session, "DELETE", path, NULL, &doc, &ignored),
                  "it goes when its time is over");
    }
    json_decref(doc);
    free(path);
    gm_resume_forget(&u->resume);
    if (u->params->given_up != NULL) {
        *u->params->given_up = true;
    }
    gm_err_set(err, why.code, why.native, "%.190s; the same command begins anew", why.text);
}

static int send_parts(struct uploader *u, struct gm_err *err)
{
    int rc = gm_send_init(&u->send, u->session, u->fd, &u->resume.cut, u->params->parallel, err);
    if (rc == 0) {
        u->send.path = u->params->path;
        u->send.ca_file = u->params->ca_file;
        memcpy(u->send.id, u->resume.upload, sizeof u->send.id);
        u->send.on_ends = on_ends;
        u->send.on_turn = on_turn;
        u->send.arg = u;
        rc = gm_send_run(&u->send, err);
    }
    gm_send_fini(&u->send);
    if (rc == -GM_E_INPUT_CHANGED && !u->told) {
        give_up(u, err);
    }
    return rc;
}

static int run(struct uploader *u, struct gm_err *err)
{
    struct stat st;
    const struct gm_upload_params *params = u->params;
    if (fstat(u->fd, &st) != 0) {
        return gm_err_sys(err, errno, "could not look at the file");
    }
    u->size = (uint64_t)st.st_size;
    int rc = gm_resume_open(&u->resume, params->farm, params->tenant, params->path, u->fd, err);
    if (rc == 0) {
        rc = find(u, err);
    }
    if (rc == 0 && !u->resumed) {
        rc = create(u, err);
    } else if (rc == 0) {
        gm_term_note(u->session->term, "goes on with upload:%s", u->resume.upload);
    }
    if (rc < 0) {
        return rc;
    }
    snprintf(u->source, sizeof u->source, "upload:%s", u->resume.upload);
    if (u->resumed && strcmp(gm_job_text(u->doc, "state"), "complete") == 0) {
        return on_ends(u, err);
    }
    rc = send_parts(u, err);
    return rc < 0 ? rc : complete(u, err);
}

int gm_upload_run(struct gm_session *session, const struct gm_upload_params *params, int fd,
                  json_t **out, struct gm_err *err)
{
    struct uploader u = {.session = session, .params = params, .fd = fd};
    int rc = run(&u, err);
    gm_term_clear(session->term);
    gm_resume_fini(&u.resume);
    if (rc < 0) {
        json_decref(u.doc);
        return rc == -GM_E_CANCELLED && session->interrupts > 0
                   ? gm_err_set(err, GM_E_CANCELLED, 0,
                                "interrupted; the same command goes on with the upload")
                   : rc;
    }
    *out = u.doc;
    return 0;
}
