#include "scheduler/takedown.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "scheduler/takedown_parts.h"

#define MOST 4 /* at a time: each may keep a thread of the pool waiting for a server */
#define FIRST_PAUSE (10 * GM_SEC)
#define LONGEST_PAUSE (15 * 60 * GM_SEC)
#define WAIT_PAUSE GM_SEC /* for what ends soon */

static void run_destroy(struct gm_takedown_run *run)
{
    for (size_t i = 0; i < run->place_count; i++) {
        free(run->places[i].url);
        free(run->places[i].mark);
    }
    free(run->tenant);
    free(run->publication);
    free(run->job_id);
    free(run);
}

static void add_place(struct gm_takedown_run *run, const char *url, const char *mark)
{
    if (url[0] != '\0') {
        run->places[run->place_count++] =
            (struct gm_takedown_place){gm_mem_strdup(url), gm_mem_strdup(mark)};
    }
}

static struct gm_takedown_run *run_add(struct gm_daemon *d, const Gm__AssetRow *row)
{
    struct gm_takedown_run *run = gm_mem_zalloc(sizeof *run);
    run->d = d;
    run->job_id = gm_mem_strdup(row->job);
    run->tenant = gm_mem_strdup(row->tenant);
    run->publication = gm_mem_strdup(row->publication);
    add_place(run, row->destination, row->mark);
    add_place(run, row->backup, row->backup_mark);
    run->next = d->takedowns.runs;
    d->takedowns.runs = run;
    return run;
}

static void run_drop(struct gm_takedown_run *run)
{
    struct gm_takedown_run **at = &run->d->takedowns.runs;
    while (*at != run) {
        at = &(*at)->next;
    }
    *at = run->next;
    run_destroy(run);
}

static struct gm_takedown_run *run_of(const struct gm_daemon *d, const char *job_id)
{
    struct gm_takedown_run *run = d->takedowns.runs;
    while (run != NULL && strcmp(run->job_id, job_id) != 0) {
        run = run->next;
    }
    return run;
}

/* ---- asking */

static int check_places(const struct gm_daemon *d, const Gm__AssetRow *row, struct gm_err *err)
{
    const char *urls[] = {row->destination, row->backup};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const char *other =
            urls[i][0] != '\0' ? gm_view_works_at(d->core, urls[i], row->job) : NULL;
        if (other != NULL) {
            struct gm_card_view card;
            bool own = gm_view_card(d->core, other, &card) && strcmp(card.tenant, row->tenant) == 0;
            return gm_err_set(err, GM_E_CONFLICT, 0,
                              "%s%.64s writes to the place of that title: wait until it and its "
                              "backup have ended, or cancel it",
                              own ? "job " : "a job of another tenant", own ? other : "");
        }
    }
    return 0;
}

static void on_asked(int rc, const struct gm_err *err, void *arg)
{
    struct gm_takedown_run *run = arg;
    gm_daemon_answer_fn answer = run->answer;
    void *answer_arg = run->answer_arg;
    run->durable = true;
    if (rc < 0) { /* the daemon ends */
        run_drop(run);
    }
    answer(rc, err, answer_arg);
}

/* Outputs that kept jobs share with the title go with it. */
static int let_go(struct gm_daemon *d, const Gm__AssetRow *row, struct gm_err *err)
{
    struct gm_event event = {.type = GM_EV_PLACE_GOES, .url = row->destination};
    int rc = gm_daemon_step(d, &event, NULL, NULL, err);
    event.url = row->backup;
    return rc < 0 || row->backup[0] == '\0' ? rc : gm_daemon_step(d, &event, NULL, NULL, err);
}

/* The job may be forgotten already: then the title's row alone is written. */
static int store_wish(struct gm_daemon *d, struct gm_takedown_run *run, const Gm__AssetRow *row,
                      struct gm_err *err)
{
    struct gm_event event = {.type = GM_EV_TAKEDOWN, .job_id = row->job};
    enum gm_job_state state;
    if (gm_view_job_state(d->core, row->job, &state)) {
        return gm_daemon_step(d, &event, on_asked, run, err);
    }
    struct gm_effects fx = {0};
    gm_assets_put(&fx, row);
    return gm_daemon_commit_rows(d, &fx, on_asked, run, err);
}

static int find_title(struct gm_daemon *d, const char *job_id, Gm__AssetRow **out,
                      struct gm_err *err)
{
    if (!d->assets.ready) {
        return gm_err_set(err, GM_E_BUSY, 0, "the catalogue is being read");
    }
    struct gm_asset *asset = gm_catalogue_find(&d->assets.table, job_id);
    if (asset == NULL) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no title is of job %.64s", job_id);
    }
    *out = asset->row;
    return 0;
}

int gm_takedown_ask(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn, void *arg,
                    struct gm_err *err)
{
    Gm__AssetRow *row = NULL;
    int rc = find_title(d, job_id, &row, err);
    if (rc == 0 && row->removing_unix_ms != 0) {
        return gm_daemon_settle(d, fn, arg, err);
    }
    rc = rc < 0 ? rc : check_places(d, row, err);
    rc = rc < 0 ? rc : let_go(d, row, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_takedown_run *run = run_add(d, row);
    run->answer = fn;
    run->answer_arg = arg;
    row->removing_unix_ms = gm_time_unix_ms();
    rc = store_wish(d, run, row, err);
    if (rc < 0) {
        row->removing_unix_ms = 0;
        run_drop(run);
    }
    return rc;
}

/* It is not clear yet. */
static bool is_place(const struct gm_takedown_run *run, const char *url)
{
    bool is = false;
    for (size_t i = run->at; url != NULL && i < run->place_count; i++) {
        is = is || strcmp(run->places[i].url, url) == 0;
    }
    return is;
}

int gm_takedown_check(const struct gm_daemon *d, const struct gm_submit *submit, struct gm_err *err)
{
    for (const struct gm_takedown_run *run = d->takedowns.runs; run != NULL && !submit->plan_only;
         run = run->next) {
        if (is_place(run, submit->destination_url) || is_place(run, submit->backup_url)) {
            const char *tenant =
                submit->tenant != NULL && submit->tenant[0] != '\0' ? submit->tenant : "default";
            bool own = strcmp(run->tenant, tenant) == 0;
            return gm_err_set(err, GM_E_CONFLICT, 0,
                              "%s%.64s is being taken down there: wait until it is gone, or "
                              "choose another folder",
                              own ? "the title of job " : "a title of another tenant",
                              own ? run->job_id : "");
        }
    }
    return 0;
}

/* ---- working */

struct gone {
    struct gm_daemon *d;
    char job_id[65];
};

static void on_row_gone(int rc, const struct gm_err *err, void *arg)
{
    struct gone *gone = arg;
    (void)err;
    if (rc == 0) {
        gm_hooks_removed(gone->d->hooks, gone->job_id);
    }
    free(gone);
}

static void say_gone(struct gm_daemon *d, const char *job_id, const char *tenant)
{
    struct gm_err err = {0};
    struct gm_event event = {.type = GM_EV_TAKEN_DOWN, .job_id = job_id};
    enum gm_job_state state;
    if (gm_view_job_state(d->core, job_id, &state)) {
        gm_daemon_tell(d, &event);
        return;
    }
    char json[128];
    struct gm_effects fx = {0};
    struct gone *gone = gm_mem_zalloc(sizeof *gone);
    gone->d = d;
    (void)snprintf(gone->job_id, sizeof gone->job_id, "%.64s", job_id);
    gm_assets_delete(&fx, job_id);
    if (gm_daemon_commit_rows(d, &fx, on_row_gone, gone, &err) < 0) {
        free(gone); /* the daemon ends with it */
    }
    (void)snprintf(json, sizeof json, "{\"id\":\"%.64s\",\"state\":\"done\"}", job_id);
    gm_http_event(d->http, job_id, tenant, "asset.removed", json, 0);
}

static void finish(struct gm_takedown_run *run)
{
    struct gm_daemon *d = run->d;
    struct gm_asset *asset = gm_catalogue_find(&d->assets.table, run->job_id);
    bool cleared = run->at == run->place_count;
    gm_log(cleared ? GM_LOG_INFO : GM_LOG_WARN, cleared ? "asset_removed" : "asset_given_up",
           "job=%s publication=%s place=%s", run->job_id, run->publication,
           cleared ? "-" : run->places[run->at].url);
    if (asset != NULL) {
        gm_catalogue_drop(&d->assets.table, asset);
    }
    say_gone(d, run->job_id, run->tenant);
    run_drop(run);
}

static gm_time pause_after(uint32_t failures)
{
    gm_time pause = FIRST_PAUSE;
    for (uint32_t i = 1; i < failures && pause < LONGEST_PAUSE; i++) {
        pause *= 2;
    }
    return pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
}

static void note_failure(struct gm_takedown_run *run)
{
    struct gm_daemon *d = run->d;
    struct gm_asset *asset = gm_catalogue_find(&d->assets.table, run->job_id);
    struct gm_effects fx = {0};
    struct gm_err err = {0};
    gm_log_err(GM_LOG_WARN, "asset_not_removed", &run->err, "job=%s place=%s", run->job_id,
               run->places[run->at].url);
    if (asset == NULL || run->rc == -GM_E_NOT_LEADER) {
        run->due = gm_time_now() + FIRST_PAUSE;
        return;
    }
    Gm__AssetRow *row = asset->row;
    if (row->error == NULL) {
        row->error = gm_mem_zalloc(sizeof *row->error);
        gm__error__init(row->error);
    }
    row->failures++;
    row->error->code = (uint32_t)run->err.code;
    if (row->error->text != protobuf_c_empty_string) {
        free(row->error->text);
    }
    row->error->text = gm_mem_strdup(run->err.text);
    run->due = gm_time_now() + pause_after(row->failures);
    gm_assets_put(&fx, row);
    GM_IGNORE(gm_daemon_commit_rows(d, &fx, NULL, NULL, &err), "the daemon ends with it");
}

static void step_work(void *arg)
{
    gm_takedown_step(arg);
}

static void step_done(void *arg)
{
    struct gm_takedown_run *run = arg;
    struct gm_daemon *d = run->d;
    run->busy = false;
    d->takedowns.busy--;
    if (run->rc < 0 && !atomic_load(&run->given_up)) {
        note_failure(run);
    } else if (run->rc == 0 && !run->more) {
        run->at++;
    }
    if (run->at == run->place_count || atomic_load(&run->given_up)) {
        finish(run);
    }
    if (!d->stopping) {
        gm_takedown_tick(d);
    }
}

static void begin(struct gm_takedown_run *run)
{
    struct gm_daemon *d = run->d;
    struct gm_err err = {0};
    bool waits = !gm_backup_end(d, run->job_id); /* a copy that is made just now ends first */
    if (waits || gm_view_works_at(d->core, run->places[run->at].url, run->job_id) != NULL) {
        run->due = gm_time_now() + WAIT_PAUSE;
        return;
    }
    if (gm_daemon_work(d, step_work, step_done, run, &err) < 0) { /* else it is the pool's now */
        run->due = gm_time_now() + FIRST_PAUSE;
        return;
    }
    run->busy = true;
    d->takedowns.busy++;
}

void gm_takedown_tick(struct gm_daemon *d)
{
    gm_time now = gm_time_now();
    struct gm_takedown_run *next = NULL;
    if (!d->assets.ready) {
        return;
    }
    for (struct gm_takedown_run *run = d->takedowns.runs; run != NULL && !d->stopping; run = next) {
        next = run->next;
        if (run->durable && !run->busy && run->due <= now && d->takedowns.busy < MOST) {
            begin(run);
        }
    }
}

void gm_takedown_load(struct gm_daemon *d, const void *data, size_t size)
{
    struct gm_err err = {0};
    Gm__AssetRow *row = NULL;
    bool goes = false;
    if (gm_asset_removing(data, size, &goes, &err) == 0 && goes &&
        gm_asset_decode(data, size, &row, &err) == 0) { /* what fails the reader tells */
        run_add(d, row)->durable = true;
        gm__asset_row__free_unpacked(row, NULL);
    }
}

/* Of what was loaded only titles of the catalogue go. */
void gm_takedown_start(struct gm_daemon *d)
{
    struct gm_takedown_run *next = NULL;
    for (struct gm_takedown_run *run = d->takedowns.runs; run != NULL; run = next) {
        next = run->next;
        if (gm_catalogue_find(&d->assets.table, run->job_id) == NULL) {
            run_drop(run);
        }
    }
}

int gm_takedown_give_up(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn, void *arg,
                        struct gm_err *err)
{
    Gm__AssetRow *row = NULL;
    int rc = find_title(d, job_id, &row, err);
    struct gm_takedown_run *run = rc == 0 ? run_of(d, job_id) : NULL;
    if (rc == 0 && (run == NULL || !run->durable)) {
        return gm_err_set(err, GM_E_CONFLICT, 0,
                          "the title of job %.64s is not being taken down: ask for that first",
                          job_id);
    }
    if (rc == 0) {
        atomic_store(&run->given_up, true);
    }
    if (rc == 0 && !run->busy) {
        finish(run);
    }
    return rc < 0 ? rc : gm_daemon_settle(d, fn, arg, err);
}

void gm_takedowns_fini(struct gm_takedowns *takedowns)
{
    while (takedowns->runs != NULL) {
        struct gm_takedown_run *next = takedowns->runs->next;
        run_destroy(takedowns->runs);
        takedowns->runs = next;
    }
    *takedowns = (struct gm_takedowns){0};
}
