/* transcode, plan, submit, watch: the commands that have a job of their own or follow one. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/deadline.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/submit_file.h"
#include "cli/url.h"
#include "common/fs.h"
#include "common/id.h"
#include "storage/store.h"

struct run {
    const struct gm_args *args;
    struct gm_term *term;
    struct gm_session *session;
    json_t *job;    /* owned; the last document */
    json_t *report; /* owned; NULL: none */
    char *out;      /* owned; the result's folder, where we make it */
    bool made_out;  /* it was not there before */
    struct gm_err err;
};

/* The result's folder is not the one that an earlier job wrote to where it was made anew. */
static bool may_go_on(const struct run *r)
{
    char mark[PATH_MAX];
    return r->out == NULL ||
           (!r->made_out && gm_fs_path(mark, sizeof mark, NULL, "%s/" GM_STORE_MARK, r->out) == 0 &&
            access(mark, F_OK) == 0);
}

/* A plain path to a running farm; what is named by a URL is as the farm's machines see it. */
static bool may_upload(const struct gm_args *args)
{
    return args->command == GM_CMD_SUBMIT && !args->no_upload &&
           strncmp(args->operand, "file:", 5) != 0 && !gm_url_is_remote(args->operand);
}

static int submit_file(struct run *r, const struct gm_submit *submit, int fd)
{
    const struct gm_upload_params upload = {.path = r->args->operand,
                                            .farm = r->args->scheduler,
                                            .tenant = r->args->tenant,
                                            .ca_file = r->args->storage_ca,
                                            .parallel = (size_t)r->args->parallel,
                                            .verbose = r->args->verbose};
    int rc = gm_submit_file(r->session, submit, &upload, fd, &r->job, &r->err);
    if (rc == -GM_E_UPLOADS_OFF) {
        if (r->args->verbose) {
            gm_term_note(r->term, "not uploaded, the farm reads its path: %s", r->err.text);
        }
        rc = gm_job_submit(r->session, submit, &r->job, &r->err);
    }
    return rc;
}

static int submit(struct run *r)
{
    int64_t deadline = 0;
    int rc = 0;
    if (r->args->deadline != NULL) {
        rc = gm_deadline_parse(r->args->deadline, gm_time_unix_ms(), &deadline, &r->err);
        if (rc < 0) {
            return rc;
        }
    }
    if (r->args->id != NULL && !gm_id_is(r->args->id)) {
        return gm_err_set(&r->err, GM_E_INVAL, 0, "--id is a ULID in lower case (26 characters)");
    }
    const struct gm_submit params = {.id = r->args->id,
                                     .webhook = r->args->webhook,
                                     .input = r->args->operand,
                                     .out = r->args->out,
                                     .pipeline = r->args->pipeline,
                                     .external_id = r->args->external_id,
                                     .tenant = r->args->tenant,
                                     .deadline_unix_ms = deadline,
                                     .priority = r->args->priority,
                                     .plan_only = r->args->command == GM_CMD_PLAN,
                                     .backup = r->args->backup,
                                     .replace = r->args->replace,
                                     .keeps = r->args->scheduler == NULL && r->args->state != NULL,
                                     .goes_on = may_go_on(r)};
    int fd = -1;
    if (!may_upload(r->args) || gm_upload_open(r->args->operand, &fd, NULL) < 0) {
        return gm_job_submit(r->session, &params, &r->job, &r->err);
    }
    rc = submit_file(r, &params, fd);
    (void)close(fd);
    return rc;
}

static int watch(struct run *r, const char *id, bool own)
{
    json_t *doc = NULL;
    char *copy = strdup(id); /* the document that holds it is replaced */
    if (copy == NULL) {
        return gm_err_nomem(&r->err);
    }
    int rc = gm_job_watch(r->session, copy, own, &doc, &r->err);
    free(copy);
    if (rc == 0) {
        json_decref(r->job);
        r->job = doc;
    }
    return rc;
}

static int fetch_report(struct run *r)
{
    struct gm_answer answer = {0};
    char *path = NULL;
    int rc = gm_job_path(gm_job_text(r->job, "id"), "/report", &path, &r->err);
    if (rc == 0) {
        rc = gm_session_call(r->session, "GET", path, NULL, true, &answer, &r->err);
    }
    free(path);
    if (rc == 0) {
        r->report = answer.body;
    }
    return rc;
}

static void print_result(struct run *r)
{
    char *folder = NULL;
    GM_IGNORE(gm_store_path(gm_job_text(r->job, "destination"), &folder, NULL),
              "what is no folder is shown as it was named");
    const char *root = folder != NULL ? folder : gm_job_text(r->job, "destination");
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/') {
        n--;
    }
    gm_term_note(r->term, "done in %.1f s; the result is in %.*s",
                 json_number_value(json_object_get(r->report, "elapsed_s")), (int)n, root);
    if (!r->args->json) {
        gm_print_result(stdout, r->report, root, n);
    }
    free(folder);
}

static void note_warnings(struct run *r)
{
    size_t i;
    const json_t *warning;
    json_array_foreach(json_object_get(r->job, "warnings"), i, warning)
    {
        char times[32];
        gm_term_warn(r->term, "%s: %s%s", gm_job_text(warning, "code"),
                     gm_job_text(warning, "text"), gm_print_times(warning, times, sizeof(times)));
    }
    const json_t *encoding = json_object_get(r->job, "encoding");
    const char *chain = gm_job_text(json_object_get(encoding, "resolved"), "chain");
    if (chain[0] != '\0' && gm_job_text(encoding, "reason")[0] != '\0') {
        gm_term_note(r->term, "encoded on %s, because %s", chain, gm_job_text(encoding, "reason"));
    }
    json_array_foreach(json_object_get(encoding, "given_up"), i, warning)
    {
        gm_term_warn(r->term, "%s was given up: %s: %s%s%s", gm_print_given_up(warning),
                     gm_job_text(warning, "code"), gm_job_text(warning, "text"),
                     chain[0] != '\0' ? "; all is encoded on " : "", chain); /* "": not planned */
    }
}

/* What was uploaded for a job that came to nothing. */
static void note_upload(const struct run *r)
{
    const char *source = gm_job_text(r->job, "source");
    if (may_upload(r->args) && strncmp(source, "upload:", 7) == 0) {
        gm_term_note(r->term,
                     "%s stays for a while: the same command, also with another pipeline, sends "
                     "nothing twice; `gopmill uploads delete %s` takes it away now",
                     source, source);
    }
}

static enum gm_exit finish_job(struct run *r)
{
    const char *state = gm_job_text(r->job, "state");
    const json_t *error = json_object_get(r->job, "error");
    note_warnings(r);
    if (strcmp(state, "cancelled") == 0) {
        gm_term_note(r->term, "the job was cancelled");
        note_upload(r);
        return GM_EXIT_CANCELLED;
    }
    if (strcmp(state, "done") != 0) {
        const char *id = gm_job_text(error, "code");
        enum gm_exit code = gm_exit_of_id(id);
        gm_term_failure(r->term, id, gm_job_text(error, "text"), gm_job_text(error, "remedy"));
        note_upload(r);
        return code == GM_EXIT_DONE ? GM_EXIT_FAILED : code;
    }
    if (r->args->command == GM_CMD_PLAN || json_is_true(json_object_get(r->job, "plan_only"))) {
        if (!r->args->json) {
            gm_print_plan(stdout, r->report);
        }
    } else {
        print_result(r);
    }
    return GM_EXIT_DONE;
}

static enum gm_exit finish(struct run *r, bool watched)
{
    enum gm_exit code = GM_EXIT_DONE;
    if (watched) {
        code = finish_job(r);
    } else if (!r->args->json) {
        printf("%s\n", gm_job_text(r->job, "id"));
    }
    if (r->args->json) {
        json_t *doc = json_pack("{s:O,s:o}", "job", r->job, "report",
                                r->report == NULL ? json_null() : json_incref(r->report));
        if (doc == NULL || gm_print_json(stdout, doc) != 0) {
            gm_term_error(r->term, "could not write to stdout");
            code = code == GM_EXIT_DONE ? GM_EXIT_FAILED : code;
        }
        json_decref(doc);
    } else if (fflush(stdout) != 0) {
        gm_term_error(r->term, "could not write to stdout: %s", strerror(errno));
        code = code == GM_EXIT_DONE ? GM_EXIT_FAILED : code;
    }
    return code;
}

/* The embedded farm runs as we do: the folder is made here, and taken away if nothing came to
 * it. */
static int make_out(struct run *r)
{
    struct stat st;
    int rc = 0;
    const char *out = r->args->out;
    if (r->args->scheduler != NULL || out == NULL) {
        return 0;
    }
    if (strncmp(out, "file:", 5) != 0) {
        r->out = strdup(out);
        rc = r->out == NULL ? gm_err_nomem(&r->err) : 0;
    } else {
        char *url = NULL;
        rc = gm_url_from_path(out, &url, &r->err);
        if (rc == 0 && gm_store_path(url, &r->out, &r->err) < 0) {
            rc = gm_err_set(&r->err, GM_E_INVAL, 0, "--out %s is not a folder's URL", out);
        }
        free(url);
    }
    if (rc < 0) {
        return rc;
    }
    if (stat(r->out, &st) != 0) {
        r->made_out = true;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): gm_command_job frees r->out */
        rc = gm_fs_mkdirs(r->out, &r->err);
        if (rc < 0 && r->err.code == GM_E_SYS && r->err.native != ENOSPC) {
            rc = gm_err_set(&r->err, GM_E_INVAL, r->err.native, "--out %s can't be made: %s", out,
                            strerror((int)r->err.native));
        }
    } else if (!S_ISDIR(st.st_mode)) {
        rc = gm_err_set(&r->err, GM_E_INVAL, 0, "--out %s is not a folder", out);
    } else if (access(r->out, W_OK | X_OK) != 0) {
        rc = gm_err_set(&r->err, GM_E_INVAL, errno, "--out %s can't be written to: %s", out,
                        strerror(errno));
    }
    return rc;
}

static int check_place(struct run *r, const char *place)
{
    char *url = NULL;
    int rc = gm_url_from_path(place, &url, &r->err);

    if (rc == 0 && r->args->scheduler == NULL && gm_url_is_remote(url)) {
        rc = gm_err_set(&r->err, GM_E_INVAL, 0,
                        "%.120s: the farm that this command starts has files alone; send the job "
                        "to a scheduler whose configuration names that place",
                        place);
    }
    free(url);
    return rc;
}

/* What can be said of INPUT and --out before anything is started or made. */
static int check_places(struct run *r)
{
    const struct gm_args *args = r->args;
    int rc = 0;
    if (args->command == GM_CMD_WATCH) {
        return 0;
    }
    if (strcmp(args->operand, "-") == 0) {
        return gm_err_set(&r->err, GM_E_INVAL, 0,
                          "INPUT must be a file that can be read more than once, not a stream");
    }
    if (args->backup != NULL && args->scheduler == NULL) {
        return gm_err_set(
            &r->err, GM_E_INVAL, 0,
            "--backup: the farm that this command starts ends with the job; send it to "
            "a running scheduler, which goes on with a backup that fails");
    }
    rc = check_place(r, args->operand);
    if (rc == 0 && args->out != NULL) {
        rc = check_place(r, args->out);
    }
    return rc;
}

static int run_job(struct run *r, bool *out_watched)
{
    const struct gm_args *args = r->args;
    const struct gm_farm_params farm = {
        .state = args->state, .nodes = (int)args->nodes, .devices = args->devices};
    int rc = check_places(r);
    if (rc == 0) {
        rc = make_out(r);
    }
    if (rc == 0) {
        rc = gm_command_session(args, &farm, r->term, &r->session, &r->err);
    }
    if (rc == 0 && args->command == GM_CMD_WATCH) {
        rc = watch(r, args->operand, false);
    } else if (rc == 0) {
        rc = submit(r);
        if (rc == 0 && args->scheduler != NULL && args->command != GM_CMD_PLAN) {
            gm_term_note(r->term, "submitted to %s as %s", args->scheduler,
                         gm_job_text(r->job, "id"));
        }
        *out_watched =
            args->command != GM_CMD_SUBMIT || args->watch || (rc == 0 && gm_job_is_final(r->job));
        if (rc == 0 && *out_watched) {
            rc = watch(r, gm_job_text(r->job, "id"), args->command != GM_CMD_SUBMIT);
        }
    }
    if (rc == 0 && *out_watched) {
        rc = fetch_report(r);
        if (rc < 0 && strcmp(gm_job_text(r->job, "state"), "done") != 0) {
            rc = 0; /* the job's own error is what counts */
        }
    }
    return rc;
}

/* Watching ended, the job did not. */
static enum gm_exit leave(struct run *r)
{
    const char *id = r->job != NULL ? gm_job_text(r->job, "id") : r->args->operand;
    gm_term_note(r->term, "%s; follow it again: gopmill watch %s", r->err.text, id);
    if (r->args->json && gm_print_error(stdout, &r->err) != 0) {
        gm_term_error(r->term, "could not write to stdout");
    }
    return GM_EXIT_KILLED;
}

static bool holds_mark_alone(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool alone = dir != NULL;
    if (dir == NULL) {
        return false;
    }
    /* cppcheck-suppress readdirCalled ; the stream is ours alone */
    while (alone && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        alone =
            strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, GM_STORE_MARK) == 0;
    }
    closedir(dir);
    return alone;
}

/* The folder that was made for a job that did not end well goes, unless something lies in it. A
 * submit that was refused may have left the store's mark there; a job keeps its store's. */
static void take_out_away(const struct run *r)
{
    char mark[PATH_MAX];
    bool refused = r->job == NULL && r->err.code != GM_E_CANCELLED;
    if (refused && holds_mark_alone(r->out) &&
        gm_fs_path(mark, sizeof mark, NULL, "%s/" GM_STORE_MARK, r->out) == 0) {
        (void)unlink(mark);
    }
    (void)rmdir(r->out);
}

enum gm_exit gm_command_job(const struct gm_args *args, struct gm_term *term)
{
    struct run r = {.args = args, .term = term};
    bool watched = true;
    int rc = run_job(&r, &watched);
    bool interrupted = r.session != NULL && r.session->interrupts > 0;
    gm_session_close(&r.session);
    enum gm_exit code;
    if (rc < 0 && interrupted && r.err.code == GM_E_CANCELLED &&
        (args->command == GM_CMD_WATCH || (args->command == GM_CMD_SUBMIT && r.job != NULL))) {
        code = leave(&r);
    } else if (rc < 0) {
        code = gm_command_fail(args, term, &r.err);
        if (interrupted && (args->command == GM_CMD_WATCH || args->command == GM_CMD_SUBMIT)) {
            code = GM_EXIT_KILLED;
        }
    } else {
        code = finish(&r, watched);
    }
    if (r.made_out && code != GM_EXIT_DONE) {
        take_out_away(&r);
    }
    free(r.out);
    json_decref(r.job);
    json_decref(r.report);
    return code;
}
