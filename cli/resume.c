#include "cli/resume.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"

#define ENDS 65536            /* bytes that are looked at on each side */
#define MAX_FILE (512u << 10) /* 10,000 sizes */
#define KEEP_S (7 * 24 * 3600)

int gm_resume_hash(const char *const *texts, size_t count, char out[GM_RESUME_HEX],
                   struct gm_err *err)
{
    uint8_t digest[GM_SHA256_SIZE];
    struct gm_sha256 *hash = gm_sha256_create();
    if (hash == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = texts[i] == NULL ? "" : texts[i];
        gm_sha256_update(hash, texts[i] == NULL ? "-" : "+", 1);
        gm_sha256_update(hash, text, strlen(text) + 1);
    }
    gm_sha256_final(hash, digest);
    gm_sha256_destroy(&hash);
    gm_hex(digest, sizeof digest, out);
    return 0;
}

/* Size, time of change, and both ends. */
static int identify(int fd, char out[GM_RESUME_HEX], uint64_t *out_size, struct gm_err *err)
{
    struct stat st;
    uint8_t digest[GM_SHA256_SIZE];
    uint8_t *bytes = malloc(ENDS);
    struct gm_sha256 *hash = gm_sha256_create();
    int rc = bytes == NULL || hash == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0 && fstat(fd, &st) != 0) {
        rc = gm_err_sys(err, errno, "could not look at the file");
    }
    uint64_t size = rc == 0 ? (uint64_t)st.st_size : 0;
    const uint64_t at[2] = {0, size > ENDS ? size - ENDS : 0};
    for (int i = 0; rc == 0 && i < 2; i++) {
        size_t got = 0;
        rc = gm_fs_read_at(fd, bytes, ENDS, at[i], &got, err);
        if (rc == 0) {
            gm_sha256_update(hash, bytes, got);
        }
    }
    if (rc == 0) {
        const uint64_t facts[2] = {size, gm_fs_changed_ns(&st)};
        gm_sha256_update(hash, facts, sizeof facts);
        gm_sha256_final(hash, digest);
        gm_hex(digest, sizeof digest, out);
        *out_size = size;
    }
    gm_sha256_destroy(&hash);
    free(bytes);
    return rc;
}

static int find_folder(char *out, size_t size, struct gm_err *err)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state != NULL && state[0] == '/') { /* others are to be ignored, says its specification */
        return gm_fs_path(out, size, err, "%s/gopmill/uploads", state);
    }
    if (home == NULL || home[0] != '/') {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "there is no home folder");
    }
    return gm_fs_path(out, size, err, "%s/.local/state/gopmill/uploads", home);
}

static void remove_old(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; the stream is ours alone */
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[4096];
        struct stat st;
        if (entry->d_name[0] != '.' &&
            gm_fs_path(path, sizeof path, NULL, "%s/%s", folder, entry->d_name) == 0 &&
            lstat(path, &st) == 0 && S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > KEEP_S) {
            (void)unlink(path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

/* False: what is there is none of ours. */
static bool take_text(const json_t *doc, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(doc, key));
    if (text == NULL || strlen(text) >= size) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* The parts, which must be the whole file. */
static bool take_cut(const json_t *sizes, uint64_t size, struct gm_cut *out)
{
    size_t count = json_array_size(sizes);
    if (count == 0 || count > GM_CUT_MOST) {
        return false;
    }
    uint64_t *parts = calloc(count, sizeof *parts);
    uint64_t sum = 0;
    bool good = parts != NULL;
    for (size_t i = 0; good && i < count; i++) {
        json_int_t part = json_integer_value(json_array_get(sizes, i));
        good = part > 0 && (uint64_t)part <= size - sum;
        if (good) {
            parts[i] = (uint64_t)part;
            sum += parts[i];
        }
    }
    if (!good || sum != size) {
        free(parts);
        return false;
    }
    *out = (struct gm_cut){parts, count};
    return true;
}

static void load(struct gm_resume *r, uint64_t size)
{
    uint8_t *text = NULL;
    size_t length = 0;
    char identity[GM_RESUME_HEX];
    if (gm_fs_read(r->path, MAX_FILE, &text, &length, NULL) < 0) {
        return;
    }
    json_t *doc = json_loadb((const char *)text, length, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    bool good = take_text(doc, "identity", identity, sizeof identity) &&
                strcmp(identity, r->identity) == 0 &&
                take_text(doc, "upload", r->upload, sizeof r->upload) && gm_id_is(r->upload) &&
                take_text(doc, "job", r->job, sizeof r->job) &&
                (r->job[0] == '\0' || gm_id_is(r->job)) &&
                take_text(doc, "job_of", r->job_of, sizeof r->job_of) &&
                take_cut(json_object_get(doc, "parts"), size, &r->cut);
    json_decref(doc);
    if (!good) {
        r->upload[0] = r->job[0] = r->job_of[0] = '\0';
    }
}

int gm_resume_open(struct gm_resume *r, const char *farm, const char *tenant, const char *source,
                   int fd, struct gm_err *err)
{
    char folder[4096 - GM_RESUME_HEX - 8], name[GM_RESUME_HEX];
    uint64_t size = 0;
    memset(r, 0, sizeof *r);
    char *whole = realpath(source, NULL);
    if (whole == NULL) {
        return gm_err_set(err, GM_E_NOTFOUND, errno, "%.150s is not there any more", source);
    }
    const char *const what[] = {farm, tenant, whole};
    int rc = gm_resume_hash(what, sizeof what / sizeof what[0], name, err);
    free(whole);
    if (rc == 0) {
        rc = identify(fd, r->identity, &size, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (find_folder(folder, sizeof folder, NULL) < 0 || gm_fs_mkdirs(folder, NULL) < 0 ||
        access(folder, W_OK) != 0 ||
        gm_fs_path(r->path, sizeof r->path, NULL, "%s/%.32s.json", folder, name) < 0) {
        r->path[0] = '\0';
        return 0;
    }
    remove_old(folder);
    load(r, size);
    return 0;
}

int gm_resume_save(const struct gm_resume *r, struct gm_err *err)
{
    if (r->path[0] == '\0') {
        return 0;
    }
    json_t *sizes = json_array();
    bool good = sizes != NULL;
    for (size_t i = 0; good && i < r->cut.count; i++) {
        good = json_array_append_new(sizes, json_integer((json_int_t)r->cut.sizes[i])) == 0;
    }
    json_t *doc = json_pack("{s:s,s:s,s:s,s:s,s:o}", "identity", r->identity, "upload", r->upload,
                            "job", r->job, "job_of", r->job_of, "parts", sizes);
    char *text = good && doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
    int rc =
        text == NULL ? gm_err_nomem(err) : gm_fs_write_private(r->path, text, strlen(text), err);
    json_decref(doc);
    free(text);
    return rc;
}

void gm_resume_forget(struct gm_resume *r)
{
    if (r->path[0] != '\0') {
        (void)unlink(r->path);
    }
    r->upload[0] = r->job[0] = r->job_of[0] = '\0';
    gm_cut_fini(&r->cut);
}

void gm_resume_fini(struct gm_resume *r)
{
    gm_cut_fini(&r->cut);
}
