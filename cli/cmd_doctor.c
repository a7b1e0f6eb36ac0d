/* doctor: looks at this machine, and at the farm where one is named. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/farm_files.h"
#include "cli/job.h"
#include "cli/pages.h"
#include "cli/print.h"
#include "common/buf.h"
#include "common/spawn.h"

#define DEVICES_WAIT (60 * GM_SEC) /* drivers that hang are given up before that */
#define DEVICES_MAX (4u << 20)     /* bytes of its answer */

/* All that comes, until its end. */
static int read_all(int fd, struct gm_buf *out, struct gm_err *err)
{
    gm_time deadline = gm_time_now() + DEVICES_WAIT;
    for (;;) {
        char piece[65536];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        gm_time left = deadline - gm_time_now();
        if (left <= 0 || out->size > DEVICES_MAX) {
            return gm_err_set(err, GM_E_TIMEOUT, 0, "it does not end");
        }
        if (poll(&p, 1, (int)(left / GM_MS) + 1) < 0 && errno != EINTR) {
            return gm_err_sys(err, errno, "could not wait for it");
        }
        ssize_t n = read(fd, piece, sizeof piece);
        if (n == 0) {
            return gm_buf_check(out, err);
        }
        if (n > 0) {
            gm_buf_add(out, piece, (size_t)n);
        } else if (errno != EAGAIN && errno != EINTR) {
            return gm_err_sys(err, errno, "could not read its answer");
        }
    }
}

/* What gopmill-node finds here; owned. */
static int ask_devices(json_t **out, struct gm_err *err)
{
    char *program = NULL;
    struct gm_buf text = {.data = NULL};
    pid_t pid = 0;
    int fd = -1;
    int rc = gm_farm_find_program("gopmill-node", &program, err);
    if (rc == 0) {
        const char *const argv[] = {program, "devices", "--json", NULL};
        rc = gm_spawn_start(argv, "/dev/null", &pid, &fd, err);
    }
    if (rc == 0) {
        rc = read_all(fd, &text, err);
        (void)close(fd);
        gm_spawn_kill(pid);
    }
    if (rc == 0) {
        *out = json_loadb((const char *)text.data, text.size, 0, NULL);
        rc = *out != NULL ? 0 : gm_err_set(err, GM_E_PROTO, 0, "gopmill-node devices says no JSON");
    }
    free(program);
    gm_buf_fini(&text);
    return rc;
}

static void look_here(struct gm_findings *f, const struct gm_args *args)
{
    const char *temporary = getenv("TMPDIR");
    struct gm_err err = {0};
    json_t *devices = NULL;
    gm_doctor_machine(f, args->state != NULL                         ? args->state
                         : temporary != NULL && temporary[0] != '\0' ? temporary
                                                                     : "/tmp");
    if (ask_devices(&devices, &err) < 0) {
        gm_findings_add(f, GM_VERDICT_BAD, "device",
                        "install gopmill-node beside gopmill, and try gopmill devices",
                        "this machine's devices are not known: %.300s", err.text);
    } else {
        gm_doctor_devices(f, devices);
    }
    json_decref(devices);
    if (args->config != NULL) {
        gm_doctor_config(f, args->config, true);
    } else {
        gm_doctor_config(f, "/etc/gopmill/scheduler.yaml", false);
        gm_doctor_config(f, "/etc/gopmill/node.yaml", false);
    }
}

static void tell(struct gm_findings *f, const char *path, int rc, const struct gm_err *err)
{
    if (rc == -GM_E_AUTH_DENIED) {
        gm_findings_add(f, GM_VERDICT_WARN, "token",
                        "take a token of role operate (gopmill token new --role operate)",
                        "the token may not ask for %s", path);
    } else if (rc < 0) {
        gm_findings_add(f, GM_VERDICT_BAD, "farm", gm_code_get((int)err->code)->remedy,
                        "%s: %.300s", path, err->text);
    }
}

/* NULL where it is refused or fails, which is told. */
static json_t *get(struct gm_session *session, struct gm_findings *f, const char *path)
{
    struct gm_answer answer = {.body = NULL};
    struct gm_err err = {0};
    session->reached = false; /* tried once */
    int rc = gm_session_call(session, "GET", path, NULL, true, &answer, &err);
    tell(f, path, rc, &err);
    if (rc < 0) {
        json_decref(answer.body);
        return NULL;
    }
    return answer.body;
}

/* Of the job that has been queued for longest; NULL: there is none, or as get(). */
static json_t *explain_oldest(struct gm_session *session, struct gm_findings *f)
{
    struct gm_err err = {0};
    char *path = NULL;
    json_t *oldest = NULL, *explain = NULL;
    session->reached = false;
    int rc = gm_pages_last(session, "/v1/jobs?state=queued&light=1&", "jobs", &oldest, &err);
    tell(f, "/v1/jobs", rc, &err);
    if (oldest != NULL && gm_job_path(gm_job_text(oldest, "id"), ":explain", &path, &err) == 0) {
        explain = get(session, f, path);
    }
    free(path);
    json_decref(oldest);
    return explain;
}

/* By what it may ask for: a role may do what those below it may. */
static void check_role(struct gm_findings *f, struct gm_session *session, bool operates)
{
    json_t *jobs = operates ? NULL : get(session, f, "/v1/jobs?limit=1&light=1");
    if (operates || jobs != NULL) {
        gm_findings_add(f, GM_VERDICT_OK, "token", "", "%s%s",
                        session->token[0] != '\0' && session->unix_path == NULL
                            ? "the token is of role "
                            : "no token is sent, and it is taken as one of role ",
                        operates ? "operate or admin"
                                 : "submit: it may submit jobs, and see those of its tenant");
    }
    json_decref(jobs);
}

static void look_at_farm(struct gm_findings *f, struct gm_session *session)
{
    int64_t before = gm_time_unix_ms();
    json_t *farm = get(session, f, "/v1/farm");
    int64_t after = gm_time_unix_ms();
    bool denied = f->count > 0 && strcmp(f->rows[f->count - 1].about, "token") == 0;
    if (farm != NULL || denied) {
        check_role(f, session, farm != NULL);
    }
    json_t *nodes = farm != NULL ? get(session, f, "/v1/nodes") : NULL;
    json_t *explain = gm_doctor_is_stuck(farm) ? explain_oldest(session, f) : NULL;
    const struct gm_doctor_farm facts = {.farm = farm,
                                         .nodes = json_object_get(nodes, "nodes"),
                                         .explain = explain,
                                         .now_unix_ms = before + (after - before) / 2};
    gm_doctor_farm(f, &facts);
    json_decref(farm);
    json_decref(nodes);
    json_decref(explain);
}

static int show(const struct gm_findings *f, const struct gm_args *args, struct gm_err *err)
{
    int bad = 0;
    if (args->json) {
        json_t *doc = gm_findings_json(f);
        bad = doc == NULL ? -1 : gm_print_json(stdout, doc);
        json_decref(doc);
    } else {
        gm_findings_print(f, stdout);
        bad = fflush(stdout);
    }
    return bad == 0 ? 0 : gm_err_sys(err, errno, "could not write to stdout");
}

enum gm_exit gm_command_doctor(const struct gm_args *args, struct gm_term *term)
{
    struct gm_findings f = {.rows = NULL};
    struct gm_session *session = NULL;
    struct gm_err err = {0};
    look_here(&f, args);
    if (args->scheduler != NULL) {
        if (gm_command_session(args, NULL, term, &session, &err) < 0) {
            gm_findings_add(&f, GM_VERDICT_BAD, "farm", "see --scheduler, --token-file and --ca",
                            "%.300s", err.text);
        } else {
            look_at_farm(&f, session);
        }
        gm_session_close(&session);
    }
    int rc = f.failed ? gm_err_nomem(&err) : show(&f, args, &err);
    bool bad = gm_findings_worst(&f) == GM_VERDICT_BAD;
    gm_findings_fini(&f);
    return rc < 0 ? gm_command_fail(args, term, &err) : bad ? GM_EXIT_FAILED : GM_EXIT_DONE;
}
