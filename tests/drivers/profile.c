/* The profile file of the fake drivers: reading it and finding it again when it changes.
 * See: fake.h for the lines. */
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"

#define MAX_TEXT (64 * 1024)
#define MAX_WORDS 12

static const char *const POINTS[FAKE_POINTS] = {
    "nvml-init",   "cuda-init",   "context",     "alloc",      "copy", "launch",
    "module",      "encode-open", "encode-init", "encode",     "lock", "decode-caps",
    "decode-open", "decode",      "map",         "va-init",    "show", "register",
    "pin",         "copied",      "mfx-init",    "scale-open", "scale"};

static const char *const ACTIONS[FAKE_ACTIONS] = {
    "ok",    "oom",     "no-device", "unsupported", "error", "mismatch", "lost",
    "wrong", "corrupt", "hang",      "crash",       "busy",  "invalid"};

/* One reading of the file; a list that only grows. */
struct reading {
    struct fake_profile profile;
    struct reading *older;
    size_t length;
    char text[];
};

struct reader { /* state of fake_profile_parse */
    struct fake_profile *out;
    struct fake_gpu *gpu; /* the section that lines belong to; NULL: none */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reading *newest;
static int kept_fd = -1;
static ino_t kept_inode;

static bool read_int(const char *word, int low, int high, int *out)
{
    char *end = NULL;
    long value = strtol(word, &end, 10);
    if (end == word || *end != '\0' || value < low || value > high) {
        return false;
    }
    *out = (int)value;
    return true;
}

static bool read_pair(const char *word, char between, int *a, int *b)
{
    char *end = NULL;
    long first = strtol(word, &end, 10);
    if (end == word || *end != between || first < 0 || first > 65535) {
        return false;
    }
    *a = (int)first;
    return read_int(end + 1, 0, 65535, b);
}

static bool read_yes(const char *word, bool *out)
{
    *out = strcmp(word, "yes") == 0;
    return *out || strcmp(word, "no") == 0;
}

static bool read_list(char *word, const char *const *names, int count, unsigned *out)
{
    *out = 0;
    char *rest = NULL;
    for (char *p = strtok_r(word, ",", &rest); p != NULL; p = strtok_r(NULL, ",", &rest)) {
        int i = 0;
        while (i < count && strcmp(names[i], p) != 0) {
            i++;
        }
        if (i == count) {
            return false;
        }
        *out |= 1u << i;
    }
    return *out != 0;
}

static bool read_address(const char *word, char out[16], unsigned *domain, unsigned *bus,
                         unsigned *device)
{
    unsigned function = 0;
    int used = 0;
    if (sscanf(word, "%4x:%2x:%2x.%1x%n", domain, bus, device, &function, &used) != 4 ||
        word[used] != '\0') {
        return false;
    }
    snprintf(out, 16, "%04x:%02x:%02x.%x", *domain & 0xffff, *bus & 0xff, *device & 0x1f,
             function & 7);
    return true;
}

/* encode CODEC DEPTHS MIN MAX BFRAMES | decode CODEC DEPTHS CHROMA MIN MAX */
static bool read_codec(struct fake_engine *engine, bool encode, char **words, int count)
{
    static const char *const DEPTHS[] = {"8", "10", "12"};
    static const char *const CHROMA[] = {"400", "420", "422", "444"};
    if (count != 6 || engine->codec_count == FAKE_MAX_CODECS) {
        return false;
    }
    struct fake_codec *codec = &engine->codecs[engine->codec_count];
    const char **size = (const char **)&words[encode ? 3 : 4];
    if (strlen(words[1]) >= sizeof(codec->name) ||
        !read_list(words[2], DEPTHS, 3, &codec->depths) ||
        !read_pair(size[0], 'x', &codec->min_width, &codec->min_height) ||
        !read_pair(size[1], 'x', &codec->max_width, &codec->max_height)) {
        return false;
    }
    codec->chroma = FAKE_CHROMA_420;
    if (encode ? !read_int(words[5], 0, 7, &codec->bframes)
               : !read_list(words[3], CHROMA, 4, &codec->chroma)) {
        return false;
    }
    memcpy(codec->name, words[1], strlen(words[1]) + 1);
    engine->codec_count++;
    return true;
}

static uint32_t hash(const char *text)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * 16777619u;
    }
    return h;
}

static bool begin_gpu(struct reader *r, const char *address)
{
    if (r->out->gpu_count == FAKE_MAX_GPUS) {
        return false;
    }
    struct fake_gpu *gpu = &r->out->gpus[r->out->gpu_count];
    if (!read_address(address, gpu->pci, &gpu->domain, &gpu->bus, &gpu->device) ||
        fake_gpu_find(r->out, gpu->pci) >= 0) {
        return false;
    }
    gpu->major = 7;
    gpu->minor = 5;
    gpu->memory_bytes = 1024ull << 20;
    gpu->multiprocessors = 20;
    gpu->rates = FAKE_RATE_CQP | FAKE_RATE_CBR | FAKE_RATE_VBR | FAKE_RATE_ICQ | FAKE_RATE_QVBR;
    gpu->packed = true;
    gpu->sync_buffer = true;
    snprintf(gpu->name, sizeof(gpu->name), "gopmill fake GPU");
    snprintf((char *)gpu->uuid, 16, "fake%08x%x", hash(gpu->pci), gpu->bus & 7);
    r->out->gpu_count++;
    r->gpu = gpu;
    return true;
}

static bool read_fault(struct reader *r, char **words, int count)
{
    if (count < 3 || r->out->fault_count == FAKE_MAX_FAULTS) {
        return false;
    }
    struct fake_fault *fault = &r->out->faults[r->out->fault_count];
    *fault = (struct fake_fault){.point = FAKE_POINTS, .action = FAKE_ACTIONS, .times = -1};
    char text[256] = "";
    for (int i = 1; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, " %s", words[i]);
    }
    fault->id = hash(text);
    for (int i = 0; i < FAKE_POINTS; i++) {
        if (strcmp(POINTS[i], words[1]) == 0) {
            fault->point = (enum fake_point)i;
        }
    }
    for (int i = 1; i < FAKE_ACTIONS; i++) {
        if (strcmp(ACTIONS[i], words[2]) == 0) {
            fault->action = (enum fake_action)i;
        }
    }
    bool good = fault->point != FAKE_POINTS && fault->action != FAKE_ACTIONS;
    for (int i = 3; good && i < count; i++) {
        int number = 0;
        unsigned a = 0, b = 0, c = 0;
        if (strncmp(words[i], "gpu=", 4) == 0) {
            good = read_address(words[i] + 4, fault->pci, &a, &b, &c);
        } else if (strncmp(words[i], "at=", 3) == 0) {
            good = read_int(words[i] + 3, 1, 1 << 30, &number);
            fault->at = number;
        } else if (strncmp(words[i], "times=", 6) == 0) {
            good = read_int(words[i] + 6, 1, 1 << 30, &fault->times);
        } else {
            good = false;
        }
    }
    if (fault->times < 0) {
        fault->times = fault->action == FAKE_LOST && fault->at > 0 ? 1 : 0;
    }
    r->out->fault_count += good ? 1 : 0;
    return good;
}

static bool read_back(struct reader *r, char **words, int count)
{
    char pci[16];
    unsigned a = 0, b = 0, c = 0;
    int number = 0;
    if (count != 3 || !read_address(words[1], pci, &a, &b, &c) ||
        !read_int(words[2], 0, 1 << 20, &number)) {
        return false;
    }
    int gpu = fake_gpu_find(r->out, pci);
    if (gpu < 0) {
        return false;
    }
    r->out->gpus[gpu].back = (unsigned)number;
    return true;
}

static bool read_kib(const char *word, uint64_t *out)
{
    int number = 0;
    bool good = read_int(word, 1, 1 << 30, &number);
    *out = (uint64_t)number << 10;
    return good;
}

/* Lines of a GPU that a VA driver drives. */
static bool read_va_line(struct fake_gpu *gpu, char **words)
{
    static const char *const RATES[] = {"cqp", "cbr", "vbr", "icq", "qvbr"};
    const char *key = words[0];
    unsigned vendor = 0, device = 0;
    if (strcmp(key, "node") == 0) {
        snprintf(gpu->node, sizeof(gpu->node), "%.15s", words[1]);
        return strncmp(words[1], "renderD", 7) == 0 && strlen(words[1]) < sizeof(gpu->node);
    }
    if (strcmp(key, "id") == 0) { /* for tests/drivers/with */
        return sscanf(words[1], "%4x:%4x", &vendor, &device) == 2;
    }
    return (strcmp(key, "rate") == 0 && read_list(words[1], RATES, 5, &gpu->rates)) ||
           (strcmp(key, "packed") == 0 && read_yes(words[1], &gpu->packed)) ||
           (strcmp(key, "sync-buffer") == 0 && read_yes(words[1], &gpu->sync_buffer)) ||
           (strcmp(key, "scale") == 0 && read_yes(words[1], &gpu->scale)) ||
           (strcmp(key, "surface-kib") == 0 && read_kib(words[1], &gpu->surface_bytes)) ||
           (strcmp(key, "surface-side") == 0 && read_int(words[1], 1, 65535, &gpu->surface_side)) ||
           (strcmp(key, "context-side") == 0 && read_int(words[1], 1, 65535, &gpu->context_side)) ||
           (strcmp(key, "scale-soft") == 0 && read_yes(words[1], &gpu->scale_soft)) ||
           (strcmp(key, "low-delay") == 0 && read_yes(words[1], &gpu->low_delay)) ||
           (strcmp(key, "low-power") == 0 && read_yes(words[1], &gpu->low_power));
}

/* memory|key */
static bool read_full(const char *word, bool *out)
{
    *out = strcmp(word, "key") == 0;
    return *out || strcmp(word, "memory") == 0;
}

/* Lines of one GPU. */
static bool read_device_line(struct reader *r, char **words, int count)
{
    struct fake_gpu *gpu = r->gpu;
    const char *key = words[0];
    int number = 0;
    if (gpu == NULL) {
        return false;
    }
    if (strcmp(key, "encode") == 0) {
        return read_codec(&gpu->encode, true, words, count);
    }
    if (strcmp(key, "decode") == 0) {
        return read_codec(&gpu->decode, false, words, count);
    }
    if (count != 2) {
        return false;
    }
    if (strcmp(key, "name") == 0) {
        snprintf(gpu->name, sizeof(gpu->name), "gopmill fake GPU %.40s", words[1]);
        return true;
    }
    if (strcmp(key, "compute") == 0) {
        return read_pair(words[1], '.', &gpu->major, &gpu->minor);
    }
    if (strcmp(key, "memory-mib") == 0) {
        bool good = read_int(words[1], 1, 1 << 20, &number);
        gpu->memory_bytes = (uint64_t)number << 20;
        return good;
    }
    return (strcmp(key, "multiprocessors") == 0 &&
            read_int(words[1], 1, 4096, &gpu->multiprocessors)) ||
           (strcmp(key, "encoders") == 0 && read_int(words[1], 0, 64, &gpu->encode.engines)) ||
           (strcmp(key, "decoders") == 0 && read_int(words[1], 0, 64, &gpu->decode.engines)) ||
           (strcmp(key, "sessions") == 0 &&
            read_int(words[1], 0, FAKE_MAX_SLOTS, &gpu->sessions)) ||
           (strcmp(key, "full") == 0 && read_full(words[1], &gpu->full_is_key)) ||
           read_va_line(gpu, words);
}

static bool read_line(struct reader *r, char **words, int count)
{
    struct fake_profile *out = r->out;
    const char *key = words[0];
    int a = 0, b = 0;
    if (strcmp(key, "fault") == 0) {
        return read_fault(r, words, count);
    }
    if (strcmp(key, "back") == 0) {
        return read_back(r, words, count);
    }
    if (strcmp(key, "gpu") == 0) {
        return count == 2 && begin_gpu(r, words[1]);
    }
    if (r->gpu != NULL) {
        return read_device_line(r, words, count);
    }
    if (strcmp(key, "libraries") == 0) {
        return count > 1; /* for tests/drivers/with */
    }
    if (count != 2) {
        return false;
    }
    if (strcmp(key, "driver") == 0) {
        snprintf(out->driver, sizeof(out->driver), "%.40s-fake", words[1]);
        return true;
    }
    if (strcmp(key, "cuda") == 0) {
        bool good = read_pair(words[1], '.', &a, &b);
        out->cuda_version = a * 1000 + b * 10;
        return good;
    }
    return (strcmp(key, "nvenc-api") == 0 &&
            read_pair(words[1], '.', &out->nvenc_major, &out->nvenc_minor)) ||
           (strcmp(key, "ptx") == 0 &&
            read_pair(words[1], '.', &out->ptx_major, &out->ptx_minor)) ||
           (strcmp(key, "fatbin") == 0 && read_yes(words[1], &out->fatbin)) ||
           (strcmp(key, "sessions") == 0 && read_int(words[1], 0, FAKE_MAX_SLOTS, &out->sessions));
}

/* Splits at white space; "..." is one word. -1 when there are too many. */
static int split_words(char *line, char **words)
{
    int count = 0;
    char *p = line;
    for (;;) {
        while (isspace((unsigned char)*p)) {
            p++;
        }
        if (*p == '\0' || *p == '#') {
            return count;
        }
        if (count == MAX_WORDS) {
            return -1;
        }
        bool quoted = *p == '"';
        p += quoted ? 1 : 0;
        words[count++] = p;
        while (*p != '\0' && (quoted ? *p != '"' : !isspace((unsigned char)*p))) {
            p++;
        }
        if (*p != '\0') {
            *p++ = '\0';
        }
    }
}

int fake_profile_parse(const char *text, struct fake_profile *out, const char **why)
{
    *out = (struct fake_profile){.driver = "535.183.01-fake",
                                 .cuda_version = 12020,
                                 .nvenc_major = 12,
                                 .nvenc_minor = 1,
                                 .ptx_major = 8,
                                 .ptx_minor = 2,
                                 .fatbin = true};
    struct reader reader = {.out = out};
    int number = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        char line[512];
        char *words[MAX_WORDS];
        number++;
        if (length >= sizeof(line)) {
            *why = "too long";
            return number;
        }
        memcpy(line, text, length);
        line[length] = '\0';
        int count = split_words(line, words);
        if (count < 0 || (count > 0 && !read_line(&reader, words, count))) {
            *why = "not understood";
            return number;
        }
        text += length + (text[length] == '\n' ? 1 : 0);
    }
    return 0;
}

int fake_gpu_find(const struct fake_profile *profile, const char *pci)
{
    for (int i = 0; i < profile->gpu_count; i++) {
        if (strcasecmp(profile->gpus[i].pci, pci) == 0) {
            return i;
        }
    }
    return -1;
}

static _Noreturn void give_up(const char *path, int line, const char *why)
{
    fprintf(stderr, "gopmill fake drivers: %s:%d: %s\n", path, line, why);
    _exit(70);
}

/* The descriptor stays open: inside a sandbox that forbids opening, changes made in place are still
 * seen. */
static void open_file(const char *path)
{
    struct stat now;
    if (kept_fd >= 0 && (stat(path, &now) < 0 || now.st_ino == kept_inode)) {
        return;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &now) == 0) {
        if (kept_fd >= 0) {
            close(kept_fd);
        }
        kept_fd = fd;
        kept_inode = now.st_ino;
    }
}

static const struct fake_profile *read_file(const char *path)
{
    static char text[MAX_TEXT]; /* under lock */
    open_file(path);
    ssize_t length = kept_fd < 0 ? -1 : pread(kept_fd, text, sizeof(text) - 1, 0);
    if (length == 0 && newest != NULL) {
        return &newest->profile;
    }
    if (length < 0) {
        give_up(path, 0, "can't be read");
    }
    if (newest != NULL && newest->length == (size_t)length &&
        memcmp(newest->text, text, (size_t)length) == 0) {
        return &newest->profile;
    }
    text[length] = '\0';
    struct reading *reading = malloc(sizeof(*reading) + (size_t)length);
    if (reading == NULL) {
        give_up(path, 0, "out of memory");
    }
    const char *why = NULL;
    int line = fake_profile_parse(text, &reading->profile, &why);
    if (line > 0) {
        give_up(path, line, why);
    }
    memcpy(reading->text, text, (size_t)length);
    reading->length = (size_t)length;
    reading->older = newest;
    newest = reading;
    return &newest->profile;
}

const struct fake_profile *fake_profile_get(void)
{
    static const struct fake_profile none = {.driver = "0-fake"};
    const char *path = getenv("GOPMILL_FAKE_DRIVERS");
    if (path == NULL) {
        return &none;
    }
    pthread_mutex_lock(&lock);
    const struct fake_profile *profile = read_file(path);
    pthread_mutex_unlock(&lock);
    return profile;
}

__attribute__((constructor)) static void open_early(void)
{
    (void)fake_profile_get(); /* while files can still be opened */
}
