#include "common/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/id.h"
#include "common/time.h"

#define FILE_MAX_BYTES ((size_t)4 << 20)
#define PREFIX "gopmill_"
#define PREFIX_BYTES (sizeof PREFIX - 1)
#define SECRET_BYTES 32
#define WORDS_MAX 5
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static const char BASE64URL[] = UPPER LOWER DIGITS "-_";
static const char *const ROLES[GM_TOKEN_ROLES] = {"nobody", "submit", "operate", "admin"};

const char *gm_token_role_name(enum gm_token_role role)
{
    return ROLES[role];
}

enum gm_token_role gm_token_role_find(const char *name)
{
    for (int i = GM_TOKEN_SUBMIT; i < GM_TOKEN_ROLES; i++) {
        if (strcmp(ROLES[i], name) == 0) {
            return (enum gm_token_role)i;
        }
    }
    return GM_TOKEN_NOBODY;
}

bool gm_token_is_id(const char *text)
{
    size_t n = strspn(text, LOWER DIGITS "-");
    return n > 0 && n < GM_TOKEN_ID && text[n] == '\0';
}

bool gm_token_is_tenant(const char *text)
{
    size_t n = strspn(text, LOWER UPPER DIGITS "_-.");
    return n > 0 && n < GM_TOKEN_TENANT && text[n] == '\0' && strchr("_-.", text[0]) == NULL;
}

/* ---- one token */

int gm_token_make(char out[GM_TOKEN_SIZE], struct gm_err *err)
{
    uint8_t secret[SECRET_BYTES];
    uint32_t bits = 0;
    int have = 0;
    char *at = out + PREFIX_BYTES;
    int rc = gm_random(secret, sizeof secret, err);
    if (rc < 0) {
        return rc;
    }
    memcpy(out, PREFIX, PREFIX_BYTES);
    for (size_t i = 0; i < sizeof secret; i++) {
        bits = bits << 8 | secret[i];
        for (have += 8; have >= 6; have -= 6) {
            *at++ = BASE64URL[bits >> (have - 6) & 63];
        }
    }
    *at++ = BASE64URL[bits << (6 - have) & 63];
    *at = '\0';
    explicit_bzero(secret, sizeof secret);
    return 0;
}

bool gm_token_is(const char *text)
{
    return strncmp(text, PREFIX, PREFIX_BYTES) == 0 &&
           strspn(text + PREFIX_BYTES, BASE64URL) == GM_TOKEN_SIZE - 1 - PREFIX_BYTES &&
           text[GM_TOKEN_SIZE - 1] == '\0';
}

/* A file that its owner alone may read; *out owned. waits: it may be a pipe. */
static int read_private(const char *path, bool waits, uint8_t **out, size_t *out_size,
                        struct gm_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | (waits ? 0 : O_NONBLOCK));
    int rc = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = gm_err_sys(err, errno, "%.150s can't be read", path);
    } else if ((st.st_mode & 077) != 0) {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "%.150s can be read by others than its owner: chmod 0600", path);
    } else if (!waits && !S_ISREG(st.st_mode)) {
        rc = gm_err_set(err, GM_E_CONFIG, 0, "%.150s is no file", path);
    } else {
        rc = gm_fs_read_fd(fd, FILE_MAX_BYTES, out, out_size, err);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int gm_token_read(const char *path, char out[GM_TOKEN_SIZE], struct gm_err *err)
{
    uint8_t *text = NULL;
    size_t size = 0;
    int rc = read_private(path, true, &text, &size, err);
    if (rc < 0) {
        return rc;
    }
    char *token = (char *)text + strspn((char *)text, " \t\r\n");
    size_t end = strcspn(token, " \t\r\n");
    bool alone =
        token[end + strspn(token + end, " \t\r\n")] == '\0' && strlen((char *)text) == size;
    token[end] = '\0';
    if (alone && gm_token_is(token)) {
        memcpy(out, token, GM_TOKEN_SIZE);
    } else {
        rc = gm_err_set(err, GM_E_CONFIG, 0,
                        "%.150s is no file with one token, as `gopmill token new` prints it", path);
    }
    explicit_bzero(text, size);
    free(text);
    return rc;
}

/* ---- the list */

void gm_tokens_fini(struct gm_tokens *tokens)
{
    free(tokens->rows);
    *tokens = (struct gm_tokens){0};
}

static bool read_hash(const char *text, uint8_t out[GM_SHA256_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * GM_SHA256_SIZE || strspn(text, digits) != 2 * GM_SHA256_SIZE) {
        return false;
    }
    for (size_t i = 0; i < GM_SHA256_SIZE; i++) {
        long high = strchr(digits, text[2 * i]) - digits;
        long low = strchr(digits, text[2 * i + 1]) - digits;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* NULL: taken; else what is wrong with the line. */
static const char *parse_line(char *line, struct gm_token *out)
{
    char *words[WORDS_MAX + 1] = {NULL};
    size_t n = 0;
    for (char *word = strsep(&line, " \t"); word != NULL && n <= WORDS_MAX;
         word = strsep(&line, " \t")) {
        if (word[0] != '\0') {
            words[n++] = word;
        }
    }
    if (n < 4 || n > WORDS_MAX) {
        return "a line is ID ROLE TENANT SHA256 [UNTIL]";
    }
    *out = (struct gm_token){.role = gm_token_role_find(words[1]), .until_unix_ms = INT64_MAX};
    if (!gm_token_is_id(words[0])) {
        return "an id is [a-z0-9-]{1,64}";
    }
    memcpy(out->id, words[0], strlen(words[0]) + 1);
    if (out->role == GM_TOKEN_NOBODY) {
        return "roles are submit, operate, admin";
    }
    if (strcmp(words[2], "*") != 0) {
        if (!gm_token_is_tenant(words[2])) {
            return "a tenant has 1..64 letters, digits, '_', '-' and '.', a letter or digit first; "
                   "or it is `*`, all";
        }
        if (out->role != GM_TOKEN_SUBMIT) {
            return "operate and admin are of all tenants: `*`";
        }
        memcpy(out->tenant, words[2], strlen(words[2]) + 1);
    }
    if (!read_hash(words[3], out->sha256)) {
        return "the SHA-256 of a token has 64 lower-case hex digits";
    }
    return n < 5 || gm_time_parse(words[4], &out->until_unix_ms)
               ? NULL
               : "UNTIL is a time such as 2026-01-31T12:00:00Z";
}

static int append(struct gm_tokens *tokens, const struct gm_token *row, struct gm_err *err)
{
    if (tokens->count == GM_TOKENS_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a list has at most %d tokens", GM_TOKENS_MAX);
    }
    if (tokens->count == tokens->cap) {
        size_t cap = tokens->cap == 0 ? 16 : 2 * tokens->cap;
        struct gm_token *rows = realloc(tokens->rows, cap * sizeof *rows);
        if (rows == NULL) {
            return gm_err_nomem(err);
        }
        tokens->rows = rows;
        tokens->cap = cap;
    }
    tokens->rows[tokens->count++] = *row;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(const struct gm_token *const *)a)->id,
                  (*(const struct gm_token *const *)b)->id);
}

static int by_hash(const void *a, const void *b)
{
    return memcmp((*(const struct gm_token *const *)a)->sha256,
                  (*(const struct gm_token *const *)b)->sha256, GM_SHA256_SIZE);
}

/* Each id and each token stands there once. */
static int check_once(const char *name, const struct gm_tokens *tokens, struct gm_err *err)
{
    const struct gm_token **order = calloc(tokens->count + 1, sizeof(const struct gm_token *));
    int rc = order == NULL ? gm_err_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < tokens->count; i++) {
        order[i] = &tokens->rows[i];
    }
    for (int round = 0; rc == 0 && round < 2; round++) {
        int (*compare)(const void *a, const void *b) = round == 0 ? by_id : by_hash;
        qsort(order, tokens->count, sizeof(const struct gm_token *), compare);
        for (size_t i = 1; rc == 0 && i < tokens->count; i++) {
            if (compare(&order[i - 1], &order[i]) == 0) {
                rc = gm_err_set(err, GM_E_CONFIG, 0, "%.150s: %s %s is there twice", name,
                                round == 0 ? "id" : "the token of", order[i]->id);
            }
        }
    }
    free(order);
    return rc;
}

static int parse(const char *name, char *text, struct gm_tokens *out, struct gm_err *err)
{
    int number = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        struct gm_token row;
        number++;
        if (line[0] == '#' || line[strspn(line, " \t")] == '\0') {
            continue;
        }
        const char *wrong = parse_line(line, &row);
        int rc = wrong != NULL
                     ? gm_err_set(err, GM_E_CONFIG, 0, "%.150s:%d: %s", name, number, wrong)
                     : append(out, &row, err);
        if (rc < 0) {
            return rc;
        }
    }
    return check_once(name, out, err);
}

int gm_tokens_parse(const char *name, const char *text, size_t size, struct gm_tokens *out,
                    struct gm_err *err)
{
    struct gm_tokens tokens = {0};
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    int rc = strlen(copy) != size
                 ? gm_err_set(err, GM_E_CONFIG, 0, "%.150s: a NUL byte in a text file", name)
                 : parse(name, copy, &tokens, err);
    free(copy);
    if (rc < 0) {
        gm_tokens_fini(&tokens);
        return rc;
    }
    *out = tokens;
    return 0;
}

int gm_tokens_load(const char *path, struct gm_tokens *out, struct gm_err *err)
{
    uint8_t *text = NULL;
    size_t size = 0;
    int rc = read_private(path, false, &text, &size, err);
    if (rc == 0) {
        rc = gm_tokens_parse(path, (const char *)text, size, out, err);
    }
    free(text);
    return rc;
}

const struct gm_token *gm_tokens_find(const struct gm_tokens *tokens, const char *token)
{
    uint8_t hash[GM_SHA256_SIZE];
    const struct gm_token *found = NULL;
    gm_sha256(token, strlen(token), hash);
    for (size_t i = 0; i < tokens->count; i++) {
        const volatile uint8_t *row = tokens->rows[i].sha256;
        unsigned differs = 0;
        for (size_t k = 0; k < GM_SHA256_SIZE; k++) {
            differs |= (unsigned)(row[k] ^ hash[k]);
        }
        found = differs == 0 ? &tokens->rows[i] : found;
    }
    return found;
}

void gm_token_line(const struct gm_token *row, char out[256])
{
    char hex[2 * GM_SHA256_SIZE + 1];
    char time[25] = "";
    bool ends = row->until_unix_ms != INT64_MAX;
    if (ends) {
        (void)gm_time_format(row->until_unix_ms, time);
        memcpy(time + 19, "Z", 2);
    }
    (void)snprintf(out, 256, "%s %s %s %s%s%s\n", row->id, gm_token_role_name(row->role),
                   row->tenant[0] != '\0' ? row->tenant : "*",
                   gm_hex(row->sha256, sizeof row->sha256, hex), ends ? " " : "", time);
}
