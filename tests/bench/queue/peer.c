#include "bench/queue/peer.h"

#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct option names[] = {{"nodes", required_argument, NULL, 'n'},
                                      {"slots", required_argument, NULL, 's'},
                                      {"tasks", required_argument, NULL, 't'},
                                      {"window", required_argument, NULL, 'w'},
                                      {"rate", required_argument, NULL, 'r'},
                                      {"dir", required_argument, NULL, 'd'},
                                      {NULL, 0, NULL, 0}};

static void read_options(struct bq_peer *p, int argc, char **argv)
{
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        uint64_t v = c != '?' ? strtoull(optarg, NULL, 10) : 0;
        switch (c) {
        case 'n':
            p->nodes = (uint32_t)v;
            break;
        case 's':
            p->node_slots = (uint32_t)v;
            break;
        case 't':
            p->tasks = v;
            break;
        case 'w':
            p->window = v;
            break;
        case 'r':
            p->rate = v;
            break;
        case 'd':
            p->dir = optarg;
            break;
        default:
            exit(2);
        }
    }
    p->mode = optind + 1 == argc ? argv[optind] : "";
    p->slots = p->nodes * p->node_slots;
    bool known = strcmp(p->mode, "life") == 0 || strcmp(p->mode, "rate") == 0 ||
                 strcmp(p->mode, "depth") == 0;
    if (!known || p->slots == 0 || p->slots > 16384 || p->tasks == 0 || p->tasks > 4000000 ||
        (strcmp(p->mode, "rate") == 0) != (p->rate > 0)) {
        bq_die("usage: [--nodes N] [--slots N] [--tasks N] [--window N] [--rate N] [--dir FOLDER] "
               "life|rate|depth");
    }
    p->window = p->window > 0 ? p->window : 2ull * p->slots;
    p->window = strcmp(p->mode, "life") == 0 ? p->window : UINT64_MAX;
}

void bq_peer_open(struct bq_peer *p, const char *system, int argc, char **argv)
{
    struct rlimit files;
    *p = (struct bq_peer){.system = system, .dir = ".", .nodes = 8, .node_slots = 1, .tasks = 1000};
    read_options(p, argc, argv);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    p->announced = calloc(p->tasks, sizeof *p->announced);
    p->assigned = calloc(p->tasks, sizeof *p->assigned);
    p->ends = calloc(p->tasks, 1);
    if (p->announced == NULL || p->assigned == NULL || p->ends == NULL) {
        bq_die("out of memory");
    }
    bq_scratch_make(p->dir, p->folder, sizeof p->folder);
    bq_disk_measure(p->folder, &p->disk);
}

static int64_t due(const struct bq_peer *p)
{
    return p->rate > 0 ? p->start + (int64_t)(1e9 / (double)p->rate * (double)p->put) : 0;
}

bool bq_peer_may_put(struct bq_peer *p)
{
    if (p->put == p->tasks || p->put - p->acked >= BQ_PEER_AHEAD || p->put - p->done >= p->window ||
        due(p) > bq_now()) {
        return false;
    }
    p->announced[p->put] = p->rate > 0 ? due(p) : bq_now();
    p->put++;
    return true;
}

int64_t bq_peer_wait(const struct bq_peer *p)
{
    int64_t left = p->rate > 0 && p->put < p->tasks ? due(p) - bq_now() : 20000000;
    return left < 0 ? 0 : left < 20000000 ? left : 20000000;
}

void bq_peer_payload(uint64_t task, uint8_t out[BQ_PEER_PAYLOAD])
{
    memcpy(out, &task, sizeof task);
    for (size_t i = sizeof task; i < BQ_PEER_PAYLOAD; i++) {
        out[i] = (uint8_t)(task * 2654435761u >> (i % 24));
    }
}

void bq_peer_acked(struct bq_peer *p)
{
    if (p->acked == p->put) {
        bq_die("an answer to no put");
    }
    bq_samples_add(&p->accept, bq_now() - p->announced[p->acked]);
    p->acked++;
}

void bq_peer_assigned(struct bq_peer *p, uint64_t task, const uint8_t *payload)
{
    uint8_t wanted[BQ_PEER_PAYLOAD];
    bq_peer_payload(task, wanted);
    if (task >= p->put || p->assigned[task] != 0 || memcmp(wanted, payload, sizeof wanted) != 0) {
        bq_die("task %llu was given out twice, or with other bytes", (unsigned long long)task);
    }
    p->assigned[task] = bq_now();
    bq_samples_add(&p->dispatch, p->assigned[task] - p->announced[task]);
}

void bq_peer_done(struct bq_peer *p, uint64_t task)
{
    p->ends[task]++;
    p->done++;
}

static void print_head(const struct bq_peer *p)
{
    printf("{\"system\": \"%s\", \"mode\": \"%s\", \"nodes\": %u, \"slots\": %u, \"payload\": %u, "
           "\"disk\": \"%s on %s\", \"syncs_s\": %.0f, \"sync_p50_us\": %.1f, \"tasks\": %llu",
           p->system, p->mode, p->nodes, p->node_slots, BQ_PEER_PAYLOAD, p->disk.type,
           p->disk.device, p->disk.syncs_s, p->disk.sync_p50_us, (unsigned long long)p->tasks);
}

void bq_peer_report(struct bq_peer *p, double cpu_s)
{
    double seconds = (double)(bq_now() - p->start) / 1e9;
    for (uint64_t i = 0; i < p->tasks; i++) {
        if (p->ends[i] != 1) {
            bq_die("task %llu was done %u times", (unsigned long long)i, p->ends[i]);
        }
    }
    print_head(p);
    printf(", \"window\": %llu, \"rate\": %llu, \"seconds\": %.3f, \"tasks_s\": %.1f, \"cpu_us\": "
           "%.2f, "
           "\"dispatch_p50_us\": %.1f, \"dispatch_p99_us\": %.1f, \"accept_p50_us\": %.1f, "
           "\"accept_p99_us\": %.1f}\n",
           (unsigned long long)p->window, (unsigned long long)p->rate, seconds,
           (double)p->tasks / seconds, cpu_s * 1e6 / (double)p->tasks,
           bq_samples_us(&p->dispatch, 0.5), bq_samples_us(&p->dispatch, 0.99),
           bq_samples_us(&p->accept, 0.5), bq_samples_us(&p->accept, 0.99));
}

void bq_peer_report_depth(struct bq_peer *p, uint64_t before, uint64_t after, double first_s)
{
    print_head(p);
    printf(", \"bytes_a_task\": %.0f, \"rss_bytes\": %llu, \"restart_first_run_s\": %.3f}\n",
           ((double)after - (double)before) / (double)p->tasks, (unsigned long long)after, first_s);
}

void bq_peer_close(struct bq_peer *p)
{
    bq_server_stop(p->pid, SIGKILL);
    bq_scratch_remove(p->folder);
    free(p->announced);
    free(p->assigned);
    free(p->ends);
    free(p->dispatch.ns);
    free(p->accept.ns);
}

unsigned bq_free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&in, &size) != 0) {
        bq_die("no free port");
    }
    (void)close(fd);
    return ntohs(in.sin_port);
}
