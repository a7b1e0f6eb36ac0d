#include "storage/s3/location.h"

#include <string.h>
#include <strings.h>

#include "common/utf8.h"
#include "storage/s3/address.h"

#define SCHEME "s3://"

bool gm_s3_is_url(const char *url)
{
    return strncmp(url, SCHEME, strlen(SCHEME)) == 0;
}

static bool is_clean(const char *key)
{
    const char *at = key;
    size_t step;

    while (*at != '\0') {
        step = gm_utf8_length(at);
        if (step == 0 || (unsigned char)*at < ' ' || *at == 0x7F || at - key >= GM_S3_KEY_MAX) {
            return false;
        }
        at += step;
    }
    return at - key <= GM_S3_KEY_MAX;
}

int gm_s3_location_read(const char *url, struct gm_s3_location *out, struct gm_err *err)
{
    struct gm_s3_location location = {.key = ""};
    const char *name = url + strlen(SCHEME);
    size_t size;

    if (!gm_s3_is_url(url)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.120s` was no s3://bucket/key", url);
    }
    size = strcspn(name, "/");
    if (size >= sizeof(location.bucket)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.120s` names no bucket", url);
    }
    memcpy(location.bucket, name, size);
    location.bucket[size] = '\0';
    if (!gm_s3_is_bucket(location.bucket)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.64s` is no name of a bucket", location.bucket);
    }
    if (name[size] == '/') {
        location.key = name + size + 1;
    }
    if (!is_clean(location.key)) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "a key has 1 to %d bytes of UTF-8 without control characters",
                          GM_S3_KEY_MAX);
    }
    *out = location;
    return 0;
}

/* Source: IANA's media types; RFC 8216 section 4 for playlists; ISO/IEC 23009-1 annex C for DASH;
 * ISO/IEC 23000-19 for segments. */
static const struct {
    const char *end;
    const char *type;
} types[] = {
    {".m3u8", "application/vnd.apple.mpegurl"},
    {".mpd", "application/dash+xml"},
    {".m4s", "video/iso.segment"},
    {".cmfv", "video/mp4"},
    {".cmfa", "audio/mp4"},
    {".mp4", "video/mp4"},
    {".m4a", "audio/mp4"},
    {".vtt", "text/vtt"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".png", "image/png"},
    {".webp", "image/webp"},
    {".json", "application/json"},
    {".xml", "application/xml"},
    {".txt", "text/plain; charset=utf-8"},
};

/* It lies in audio/<track>/, as all files of tracks of sound do. */
static bool is_of_sound(const char *key)
{
    static const char folder[] = "audio/";
    size_t slashes = 0, at = strlen(key), size = sizeof folder - 1;

    while (at > 0 && (slashes += key[at - 1] == '/' ? 1 : 0) < 2) {
        at--;
    }
    return slashes == 2 && at >= size && memcmp(key + at - size, folder, size) == 0 &&
           (at == size || key[at - size - 1] == '/');
}

const char *gm_s3_content_type(const char *key)
{
    const char *dot = strrchr(key, '.');

    if (dot != NULL && (strcasecmp(dot, ".m4s") == 0 || strcasecmp(dot, ".mp4") == 0) &&
        is_of_sound(key)) {
        return "audio/mp4";
    }
    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(dot, types[i].end) == 0) {
            return types[i].type;
        }
    }
    return NULL;
}

const char *gm_s3_cache_control(const char *key)
{
    static const char playlist[] = ".m3u8";
    size_t length = strlen(key), end = sizeof playlist - 1;
    bool grows = length >= end && strcmp(key + length - end, playlist) == 0;
    return strncmp(key, "v/", 2) == 0 && !grows ? "public, max-age=31536000, immutable"
                                                : "no-cache";
}
