/* bench_queue: a real gopmill-scheduler under nodes that do no work (nodes.h). One JSON object on
 * stdout. No task counts that was not acknowledged, and a run ends with an error where one was not
 * done exactly once.
 *
 *   life     announced durably -> done acknowledged, as fast as the window lets
 *   rate     the same at a given rate: how long until a task is with a node
 *   depth    so many queued: bytes each; then kill -9, and the time to the first run after a start
 *   idle     nodes that have nothing to do: memory, and processor a second
 *
 * --state: the scheduler's state is in an empty database of PostgreSQL.
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/queue/nodes.h"

#define PATIENCE_S 120
#define WRAP_WORDS 16
#define FOLDER_BYTES 512 /* of the scratch folder's path */

struct options {
    const char *mode, *scheduler, *dir, *wrap;
    const char *state; /* PostgreSQL's address; NULL: a folder */
    uint32_t nodes, slots;
    uint64_t tasks, window, rate, work_us, seconds, patience_s;
};
struct bench {
    struct options o;
    struct bq_farm farm;
    struct bq_disk disk;
    char folder[FOLDER_BYTES];
    char wire[PATH_MAX], http[FOLDER_BYTES + 16]; /* addresses */
    pid_t pid;
    uint32_t jobs;
    double packaged_s; /* from the last task's end until all jobs are done */
};

static void put_file(const struct bench *b, const char *name, const char *text)
{
    char path[FOLDER_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/%s", b->folder, name);
    FILE *f = fopen(path, "we");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) {
        bq_die("%s can't be written", path);
    }
}

static void write_files(const struct bench *b)
{
    char text[8 * PATH_MAX], folder[FOLDER_BYTES + 32];
    char path[FOLDER_BYTES + 32];
    (void)snprintf(folder, sizeof folder, "%s/s", b->folder);
    (void)snprintf(
        text, sizeof text,
        "state: \"%s\"\nwork_store: \"file://%s/work\"\nlisten: [\"tcp://127.0.0.1:*\"]\nhttp: "
        "\"unix:%s/http\"\n"
        "pipelines: [\"%s\"]\ngrant_key_file: %s/grant.key\nallow_sources: [%s]\n"
        "allow_destinations: [%s/out]\nlog_level: warn\nlease_ms: %d\nheartbeat_ms: %d\nstall_ms: "
        "600000\n",
        b->o.state != NULL ? b->o.state : folder, b->folder, b->folder, b->folder, b->folder,
        b->folder, b->folder, b->o.wrap != NULL ? 180000 : 15000, b->o.wrap != NULL ? 60000 : 1000);
    put_file(b, "c.yaml", text);
    put_file(b, "source", "not a film");
    (void)snprintf(path, sizeof path, "%s/out", b->folder);
    (void)mkdir(path, 0755);
}

static void start(struct bench *b)
{
    char wrap[PATH_MAX], config[FOLDER_BYTES + 16], line[2 * PATH_MAX];
    const char *args[WRAP_WORDS + 4];
    size_t n = 0;
    (void)snprintf(wrap, sizeof wrap, "%s", b->o.wrap != NULL ? b->o.wrap : "");
    for (char *word = strtok(wrap, " "); word != NULL && n < WRAP_WORDS; word = strtok(NULL, " ")) {
        args[n++] = word;
    }
    (void)snprintf(config, sizeof config, "%s/c.yaml", b->folder);
    args[n++] = b->o.scheduler;
    args[n++] = "--config";
    args[n++] = config;
    args[n] = NULL;
    b->pid = bq_server_start(b->folder, args, "READY http=", line, sizeof line);
    const char *listen = strstr(line, " listen=");
    if (listen == NULL) {
        bq_die("the scheduler says `%s`", line);
    }
    (void)snprintf(b->wire, sizeof b->wire, "%s", listen + strlen(" listen="));
    (void)snprintf(b->http, sizeof b->http, "unix:%s/http", b->folder);
    b->farm.address = b->wire;
}

/* ---- HTTP: a request, and the whole answer */

struct answer {
    char text[1 << 16];
    bool whole;
};

static void on_answer(struct bq_stream *s, void *arg)
{
    struct answer *a = arg;
    a->whole = s->broken;
    size_t n = s->in_size < sizeof a->text - 1 ? s->in_size : sizeof a->text - 1;
    memcpy(a->text, s->in, n);
    a->text[n] = '\0';
}

static void call(const struct bench *b, const char *method, const char *path, const char *body,
                 struct answer *a)
{
    char head[512];
    struct bq_loop loop;
    struct bq_stream s;
    bq_loop_open(&loop);
    bq_stream_open(&loop, &s, b->http);
    s.may_break = true;
    int n =
        snprintf(head, sizeof head,
                 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                 method, path, strlen(body));
    bq_stream_write(&loop, &s, head, (size_t)n);
    bq_stream_write(&loop, &s, body, strlen(body));
    for (*a = (struct answer){.whole = false}; !a->whole;) {
        bq_loop_step(&loop, 100000000, on_answer, a);
    }
    bq_stream_close(&loop, &s);
    bq_loop_close(&loop);
}

static void submit(struct bench *b, uint32_t number)
{
    char body[4 * PATH_MAX];
    struct answer a;
    (void)snprintf(
        body, sizeof body,
        "{\"pipeline\":{\"name\":\"bench\",\"yaml\":\"name: bench\\ntasks:\\n"
        "  inspect: {type: inspect}\\n  plan: {type: plan, needs: [inspect]}\\n"
        "  split: {type: split, needs: [plan]}\\n  video: {type: encode, needs: [split]}\\n"
        "  hls: {type: package, needs: [video]}\\n\"},"
        "\"source\":\"file://%s/source\",\"destination\":\"file://%s/out/%u\"}",
        b->folder, b->folder, number);
    call(b, "POST", "/v1/jobs", body, &a);
    const char *id = strstr(a.text, "\"id\":");
    if (strncmp(a.text, "HTTP/1.1 201", 12) != 0 || id == NULL ||
        sscanf(id, "\"id\": \"%63[0-9a-z]", b->farm.jobs[number].id) != 1) {
        bq_die("a job was not taken: %.600s", a.text);
    }
}

/* What the scheduler says of a job after all its tasks are done. */
static void check_job(const struct bench *b, const struct bq_job *j)
{
    char path[128], wanted[64];
    struct answer a;
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", j->id);
    (void)snprintf(wanted, sizeof wanted, "\"done\":%u,\"total\":%u", j->total, j->total);
    call(b, "GET", path, "", &a);
    for (char *from = a.text, *to = a.text; *from != '\0' || (*to = '\0'); from++) {
        if (*from != ' ' && *from != '\n') {
            *to++ = *from;
        }
    }
    if (strstr(a.text, wanted) == NULL) {
        bq_die("the scheduler's view of job %s has no %s: %.900s", j->id, wanted, a.text);
    }
}

/* ---- waiting */

static bool all_split(const struct bench *b)
{
    for (uint32_t i = 0; i < b->jobs; i++) {
        if (b->farm.jobs[i].split == NULL) {
            return false;
        }
    }
    return true;
}
static bool all_welcome(const struct bench *b)
{
    return b->farm.welcomes == b->farm.node_count;
}
static bool all_acked(const struct bench *b)
{
    return b->farm.acked == b->o.tasks;
}
static bool all_done(const struct bench *b)
{
    return b->farm.done == b->o.tasks;
}
static bool all_packaged(const struct bench *b)
{
    return b->farm.jobs_packaged == b->jobs;
}
static bool any_run(const struct bench *b)
{
    return b->farm.first_run != 0;
}

/* Steps until then; nothing acknowledged for PATIENCE_S is the end. */
static void until(struct bench *b, const char *what, bool (*is_so)(const struct bench *b))
{
    uint64_t seen = 0;
    int64_t at = bq_now();
    while (!is_so(b)) {
        bq_farm_step(&b->farm);
        if (b->farm.acked + b->farm.done != seen) {
            seen = b->farm.acked + b->farm.done;
            at = bq_now();
        }
        if (bq_now() - at > (int64_t)b->o.patience_s * 1000000000) {
            bq_die("%s: nothing for %d s (%llu announced, %llu durable, %llu done); see %s/log",
                   what, (int)b->o.patience_s, (unsigned long long)b->farm.announced,
                   (unsigned long long)b->farm.acked, (unsigned long long)b->farm.done, b->folder);
        }
    }
}

static void pass(struct bench *b, double seconds)
{
    int64_t end = bq_now() + (int64_t)(seconds * 1e9);
    while (bq_now() < end) {
        bq_farm_step(&b->farm);
    }
}

/* ---- modes */

static void print_head(const struct bench *b)
{
    const struct options *o = &b->o;
    printf("{\"system\": \"gopmill\", \"state\": \"%s\", \"mode\": \"%s\", \"nodes\": %u, "
           "\"slots\": %u, \"payload\": "
           "%u, "
           "\"jobs\": %u, \"disk\": \"%s on %s\", \"syncs_s\": %.0f, \"sync_p50_us\": %.1f",
           o->state != NULL ? "PostgreSQL" : "SQLite", o->mode, o->nodes, o->slots, BQ_PAYLOAD,
           b->jobs, b->disk.type, b->disk.device, b->disk.syncs_s, b->disk.sync_p50_us);
}

/* Jobs that split, with the announcer alone; then all nodes. */
static void prepare(struct bench *b, bool workers)
{
    start(b);
    bq_farm_connect(&b->farm, 0, 1);
    for (uint32_t i = 0; i < b->jobs; i++) {
        submit(b, i);
    }
    until(b, "jobs that split", all_split);
    if (workers) {
        bq_farm_connect(&b->farm, 1, b->o.nodes);
        until(b, "nodes that are welcome", all_welcome);
    }
}

static void run_life(struct bench *b)
{
    struct bq_farm *f = &b->farm;
    prepare(b, true);
    f->window = b->o.rate > 0 ? UINT64_MAX : b->o.window;
    f->work = (int64_t)b->o.work_us * 1000;
    f->interval = b->o.rate > 0 ? 1e9 / (double)b->o.rate : 0;
    f->start = bq_now();
    f->announcing = true;
    double cpu = bq_server_cpu_s(b->pid);
    until(b, "all tasks done", all_done);
    cpu = bq_server_cpu_s(b->pid) - cpu;
    double seconds = (double)(f->last_done - f->start) / 1e9;
    until(b, "packages", all_packaged);
    bq_farm_check(f);
    for (uint32_t i = 0; i < b->jobs; i++) {
        check_job(b, &f->jobs[i]);
    }
    print_head(b);
    printf(", \"tasks\": %llu, \"window\": %llu, \"rate\": %llu, \"seconds\": %.3f, \"tasks_s\": "
           "%.1f, "
           "\"cpu_us\": %.2f, \"dispatch_p50_us\": %.1f, \"dispatch_p99_us\": %.1f, "
           "\"accept_p50_us\": %.1f, \"accept_p99_us\": %.1f, \"runs\": %llu, \"again\": %llu, "
           "\"stale\": %llu, \"lost\": %llu, \"resent\": %llu}\n",
           (unsigned long long)b->o.tasks, (unsigned long long)b->o.window,
           (unsigned long long)b->o.rate, seconds, (double)b->o.tasks / seconds,
           cpu * 1e6 / (double)b->o.tasks, bq_samples_us(&f->dispatch, 0.5),
           bq_samples_us(&f->dispatch, 0.99), bq_samples_us(&f->accept, 0.5),
           bq_samples_us(&f->accept, 0.99), (unsigned long long)f->runs,
           (unsigned long long)f->again, (unsigned long long)f->stale, (unsigned long long)f->lost,
           (unsigned long long)f->resent);
}

static void run_depth(struct bench *b)
{
    struct bq_farm *f = &b->farm;
    prepare(b, false);
    pass(b, 0.5);
    uint64_t before = bq_server_bytes(b->pid);
    f->start = bq_now();
    f->split_stays = true;
    f->announcing = true;
    until(b, "all tasks queued", all_acked);
    double queued_s = (double)(bq_now() - f->start) / 1e9;
    pass(b, 0.5);
    uint64_t after = bq_server_bytes(b->pid);
    f->announcing = false;
    if (any_run(b)) {
        bq_die("a run came while all slots were to split");
    }
    bq_server_stop(b->pid, SIGKILL);
    bq_farm_forget(f);
    int64_t began = bq_now();
    start(b);
    int64_t served = bq_now();
    bq_farm_connect(f, 0, f->node_count);
    until(b, "a first run", any_run);
    int64_t first = f->first_run;
    uint64_t restarted = bq_server_bytes(b->pid);
    double cpu = bq_server_cpu_s(b->pid);
    print_head(b);
    printf(", \"tasks\": %llu, \"queued_s\": %.2f, \"bytes_a_task\": %.0f, \"rss_bytes\": %llu, "
           "\"restart_ready_s\": %.3f, \"restart_first_run_s\": %.3f, \"restart_cpu_s\": %.3f, "
           "\"restart_bytes_a_task\": %.0f}\n",
           (unsigned long long)b->o.tasks, queued_s, (double)(after - before) / (double)b->o.tasks,
           (unsigned long long)after, (double)(served - began) / 1e9, (double)(first - began) / 1e9,
           cpu, ((double)restarted - (double)before) / (double)b->o.tasks);
}

static void run_idle(struct bench *b)
{
    start(b);
    uint64_t before = bq_server_bytes(b->pid);
    bq_farm_connect(&b->farm, 1, b->o.nodes);
    b->farm.welcomes++; /* there is no announcer */
    until(b, "nodes that are welcome", all_welcome);
    pass(b, 2);
    double cpu = bq_server_cpu_s(b->pid);
    int64_t began = bq_now();
    pass(b, (double)b->o.seconds);
    cpu = bq_server_cpu_s(b->pid) - cpu;
    uint64_t after = bq_server_bytes(b->pid);
    print_head(b);
    printf(", \"cpu_percent\": %.2f, \"bytes_a_node\": %.0f, \"rss_bytes\": %llu, \"reconnects\": "
           "%llu}\n",
           cpu * 100 / ((double)(bq_now() - began) / 1e9), (double)(after - before) / b->o.nodes,
           (unsigned long long)bq_server_resident(b->pid), (unsigned long long)b->farm.reconnects);
}

static const struct option names[] = {{"nodes", required_argument, NULL, 'n'},
                                      {"slots", required_argument, NULL, 's'},
                                      {"tasks", required_argument, NULL, 't'},
                                      {"window", required_argument, NULL, 'w'},
                                      {"rate", required_argument, NULL, 'r'},
                                      {"work-us", required_argument, NULL, 'u'},
                                      {"seconds", required_argument, NULL, 'S'},
                                      {"scheduler", required_argument, NULL, 'p'},
                                      {"dir", required_argument, NULL, 'd'},
                                      {"wrap", required_argument, NULL, 'x'},
                                      {"patience", required_argument, NULL, 'P'},
                                      {"state", required_argument, NULL, 'o'},
                                      {NULL, 0, NULL, 0}};

static uint64_t number(const char *text, uint64_t most)
{
    char *end = NULL;
    unsigned long long v = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || v > most) {
        bq_die("%s is no number up to %llu", text, (unsigned long long)most);
    }
    return v;
}

static void read_options(int argc, char **argv, struct options *o)
{
    int c;
    *o = (struct options){
        .nodes = 8, .slots = 1, .tasks = 1000, .seconds = 10, .dir = ".", .patience_s = PATIENCE_S};
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'n':
            o->nodes = (uint32_t)number(optarg, 10000 - 1);
            break;
        case 's':
            o->slots = (uint32_t)number(optarg, 64);
            break;
        case 't':
            o->tasks = number(optarg, 4000000);
            break;
        case 'w':
            o->window = number(optarg, UINT32_MAX);
            break;
        case 'r':
            o->rate = number(optarg, 1000000);
            break;
        case 'u':
            o->work_us = number(optarg, 10000000);
            break;
        case 'S':
            o->seconds = number(optarg, 3600);
            break;
        case 'P':
            o->patience_s = number(optarg, 36000);
            break;
        case 'o':
            o->state = optarg;
            break;
        case 'p':
            o->scheduler = optarg;
            break;
        case 'd':
            o->dir = optarg;
            break;
        case 'x':
            o->wrap = optarg;
            break;
        default:
            exit(2);
        }
    }
    o->mode = optind + 1 == argc ? argv[optind] : "";
    if (o->scheduler == NULL || o->nodes == 0 || o->slots == 0 || o->tasks == 0) {
        bq_die("usage: bench_queue --scheduler PROGRAM [--nodes N] [--slots N] [--tasks N] "
               "[--window N] "
               "[--rate N] [--work-us N] [--seconds N] [--dir FOLDER] [--state URL] "
               "life|rate|depth|idle");
    }
    /* With twice as many tasks as slots a run has one of them (scheduler/core/run.c). */
    o->window = o->window > 0 ? o->window : (uint64_t)o->nodes * o->slots * 2;
}

int main(int argc, char **argv)
{
    static struct bench b;
    static const struct {
        const char *name;
        void (*run)(struct bench *b);
    } modes[] = {{"life", run_life}, {"rate", run_life}, {"depth", run_depth}, {"idle", run_idle}};
    struct rlimit files;
    size_t i = 0;
    read_options(argc, argv, &b.o);
    while (i < 4 && strcmp(modes[i].name, b.o.mode) != 0) {
        i++;
    }
    if (i == 4 || (strcmp(b.o.mode, "rate") == 0) != (b.o.rate > 0)) {
        bq_die("`%s` is no mode: life, rate (with --rate), depth or idle", b.o.mode);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    bq_scratch_make(b.o.dir, b.folder, sizeof b.folder);
    bq_disk_measure(b.folder, &b.disk);
    write_files(&b);
    b.jobs = (uint32_t)((b.o.tasks + BQ_JOB_MAX - 1) / BQ_JOB_MAX);
    bq_farm_open(&b.farm, b.o.nodes, b.o.slots, b.jobs, b.o.tasks);
    if (b.o.wrap != NULL) { /* slow as it is then, nothing is said twice for that */
        b.farm.resend = 60 * INT64_C(1000000000);
    }
    modes[i].run(&b);
    bq_server_stop(b.pid, b.o.wrap != NULL ? SIGTERM : SIGKILL);
    bq_farm_close(&b.farm);
    bq_scratch_remove(b.folder);
    return 0;
}
