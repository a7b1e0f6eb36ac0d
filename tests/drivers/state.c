/* What all processes of one test share: lost devices, how often a fault has fired, encoder
 * sessions.
 *
 * The file beside the profile (its name + ".state") is mapped shared. A session is a robust mutex
 * held by a thread of its own: when its process ends in whatever way the kernel marks the mutex,
 * and the next who looks takes it over. That needs no system call that a sandbox has to allow for
 * locks alone. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

#define STATE_MAGIC 0x676d66616b653031ull /* "gmfake01" */
#define MAX_FIRED 128

struct shared_slot {
    pthread_mutex_t held; /* robust; locked while the session is open */
    char pci[16];
};

struct shared {
    uint64_t magic;
    pthread_mutex_t table; /* robust; guards all below */
    struct {
        char pci[16];
        unsigned count;
    } lost[FAKE_MAX_GPUS];
    struct {
        uint32_t id;
        int count;
    } fired[MAX_FIRED];
    struct shared_slot slots[FAKE_MAX_SLOTS];
};

struct holder { /* a thread that holds a slot's mutex */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { STARTING, HOLDING, REFUSED, RELEASED } state;
    struct shared_slot *slot;
};

static struct shared *shared;
static pthread_once_t opened = PTHREAD_ONCE_INIT;
static struct holder *holders[FAKE_MAX_SLOTS]; /* of this process; under shared->table */
static atomic_llong calls[FAKE_POINTS];

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "gopmill fake drivers: state file: %s: %s\n", what, strerror(errno));
    _exit(70);
}

static void make_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attr);
    pthread_mutexattr_destroy(&attr);
}

static void open_shared(void)
{
    const char *profile = getenv("GOPMILL_FAKE_DRIVERS");
    char path[4096];
    struct stat now;
    if (profile == NULL) {
        return;
    }
    snprintf(path, sizeof(path), "%s.state", profile);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        give_up(path);
    }
    /* A sandbox may refuse the lock: the file was made before by those who started it. */
    bool locked = flock(fd, LOCK_EX) == 0;
    if (fstat(fd, &now) < 0 ||
        (now.st_size == 0 && (!locked || ftruncate(fd, sizeof(*shared)) < 0))) {
        give_up(path);
    }
    void *map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        give_up(path);
    }
    shared = map;
    if (shared->magic == 0) {
        make_mutex(&shared->table);
        for (int i = 0; i < FAKE_MAX_SLOTS; i++) {
            make_mutex(&shared->slots[i].held);
        }
        shared->magic = STATE_MAGIC;
    }
    if (shared->magic != STATE_MAGIC || (now.st_size != 0 && now.st_size != sizeof(*shared))) {
        errno = EINVAL;
        give_up(path);
    }
    (void)!flock(fd, LOCK_UN); /* closing is not enough: the mapping keeps the file */
    close(fd);
}

__attribute__((constructor)) static void open_early(void)
{
    pthread_once(&opened, open_shared);
}

/* True when the mutex was got; one left by a dead process is made good. */
static bool got(pthread_mutex_t *mutex, int rc)
{
    if (rc == EOWNERDEAD) {
        pthread_mutex_consistent(mutex);
        rc = 0;
    }
    return rc == 0;
}

/* False when there is no state: no profile was named. */
static bool lock_table(void)
{
    pthread_once(&opened, open_shared);
    return shared != NULL && got(&shared->table, pthread_mutex_lock(&shared->table));
}

static void unlock_table(void)
{
    pthread_mutex_unlock(&shared->table);
}

unsigned fake_lost_count(const char *pci)
{
    unsigned count = 0;
    if (pci == NULL || !lock_table()) {
        return 0;
    }
    for (int i = 0; i < FAKE_MAX_GPUS; i++) {
        if (strcmp(shared->lost[i].pci, pci) == 0) {
            count = shared->lost[i].count;
        }
    }
    unlock_table();
    return count;
}

bool fake_is_lost(const char *pci)
{
    const struct fake_profile *profile = fake_profile_get();
    int gpu = pci == NULL ? -1 : fake_gpu_find(profile, pci);
    return gpu >= 0 && fake_lost_count(pci) > profile->gpus[gpu].back;
}

static void set_lost(const char *pci)
{
    if (pci == NULL || fake_is_lost(pci) || !lock_table()) {
        return;
    }
    for (int i = 0; i < FAKE_MAX_GPUS; i++) {
        if (shared->lost[i].pci[0] == '\0') {
            snprintf(shared->lost[i].pci, sizeof(shared->lost[i].pci), "%s", pci);
        }
        if (strcmp(shared->lost[i].pci, pci) == 0) {
            shared->lost[i].count++;
            break;
        }
    }
    unlock_table();
}

/* Counts one firing of a fault; false when it has fired often enough. */
static bool may_fire(const struct fake_fault *fault)
{
    bool may = false;
    if (fault->times == 0) {
        return true;
    }
    if (!lock_table()) {
        return false;
    }
    for (int i = 0; i < MAX_FIRED; i++) {
        if (shared->fired[i].id == 0) {
            shared->fired[i].id = fault->id;
        }
        if (shared->fired[i].id == fault->id) {
            may = shared->fired[i].count < fault->times;
            shared->fired[i].count += may ? 1 : 0;
            break;
        }
    }
    unlock_table();
    return may;
}

static _Noreturn void hang(void)
{
    for (;;) {
        nanosleep(&(struct timespec){.tv_sec = 60}, NULL);
    }
}

enum fake_action fake_fault_at(enum fake_point point, const char *pci, int64_t number)
{
    const struct fake_profile *profile = fake_profile_get();
    int64_t count = atomic_fetch_add(&calls[point], 1) + 1;
    if (number == 0) {
        number = count;
    }
    for (int i = 0; i < profile->fault_count; i++) {
        const struct fake_fault *fault = &profile->faults[i];
        if (fault->point != point || (fault->at > 0 && fault->at != number) ||
            (fault->pci[0] != '\0' && (pci == NULL || strcmp(fault->pci, pci) != 0)) ||
            !may_fire(fault)) {
            continue;
        }
        switch (fault->action) {
        case FAKE_HANG:
            hang();
        case FAKE_CRASH:
            kill(getpid(), SIGKILL);
            hang();
        case FAKE_LOST:
            set_lost(pci);
            return FAKE_LOST;
        default:
            return fault->action;
        }
    }
    return fake_is_lost(pci) ? FAKE_LOST : FAKE_OK;
}

static void *hold(void *arg)
{
    struct holder *holder = arg;
    bool mine = got(&holder->slot->held, pthread_mutex_trylock(&holder->slot->held));
    pthread_mutex_lock(&holder->lock);
    holder->state = mine ? HOLDING : REFUSED;
    pthread_cond_broadcast(&holder->changed);
    while (holder->state == HOLDING) {
        pthread_cond_wait(&holder->changed, &holder->lock);
    }
    pthread_mutex_unlock(&holder->lock);
    if (mine) {
        pthread_mutex_unlock(&holder->slot->held);
    }
    return NULL;
}

static void destroy_holder(struct holder *holder)
{
    pthread_join(holder->thread, NULL);
    pthread_cond_destroy(&holder->changed);
    pthread_mutex_destroy(&holder->lock);
    free(holder);
}

/* Under the table's lock. */
static struct holder *start_holder(struct shared_slot *slot)
{
    struct holder *holder = calloc(1, sizeof(*holder));
    if (holder == NULL) {
        return NULL;
    }
    holder->slot = slot;
    pthread_mutex_init(&holder->lock, NULL);
    pthread_cond_init(&holder->changed, NULL);
    if (pthread_create(&holder->thread, NULL, hold, holder) != 0) {
        free(holder);
        return NULL;
    }
    pthread_mutex_lock(&holder->lock);
    while (holder->state == STARTING) {
        pthread_cond_wait(&holder->changed, &holder->lock);
    }
    bool mine = holder->state == HOLDING;
    pthread_mutex_unlock(&holder->lock);
    if (!mine) {
        destroy_holder(holder);
        return NULL;
    }
    return holder;
}

static bool is_free(int i)
{
    if (holders[i] != NULL) {
        return false;
    }
    bool mine = got(&shared->slots[i].held, pthread_mutex_trylock(&shared->slots[i].held));
    if (mine) {
        pthread_mutex_unlock(&shared->slots[i].held);
    }
    return mine;
}

int fake_slot_take(const char *pci)
{
    const struct fake_profile *profile = fake_profile_get();
    int gpu = fake_gpu_find(profile, pci);
    if (gpu < 0 || !lock_table()) {
        return -1;
    }
    int used = 0, own = 0, first = -1;
    for (int i = 0; i < FAKE_MAX_SLOTS; i++) {
        if (is_free(i)) {
            first = first < 0 ? i : first;
        } else {
            used++;
            own += strcmp(shared->slots[i].pci, pci) == 0 ? 1 : 0;
        }
    }
    int limit = profile->gpus[gpu].sessions;
    if ((profile->sessions > 0 && used >= profile->sessions) || (limit > 0 && own >= limit)) {
        first = -1;
    }
    if (first >= 0) {
        snprintf(shared->slots[first].pci, sizeof(shared->slots[first].pci), "%s", pci);
        holders[first] = start_holder(&shared->slots[first]);
        first = holders[first] == NULL ? -1 : first;
    }
    unlock_table();
    return first;
}

void fake_slot_release(int slot)
{
    if (slot < 0 || slot >= FAKE_MAX_SLOTS || !lock_table()) {
        return;
    }
    struct holder *holder = holders[slot];
    holders[slot] = NULL;
    if (holder != NULL) {
        pthread_mutex_lock(&holder->lock);
        holder->state = RELEASED;
        pthread_cond_broadcast(&holder->changed);
        pthread_mutex_unlock(&holder->lock);
        destroy_holder(holder);
    }
    unlock_table();
}

int fake_slot_count(const char *pci)
{
    int count = 0;
    if (!lock_table()) {
        return 0;
    }
    for (int i = 0; i < FAKE_MAX_SLOTS; i++) {
        if (!is_free(i) && (pci == NULL || strcmp(shared->slots[i].pci, pci) == 0)) {
            count++;
        }
    }
    unlock_table();
    return count;
}
