/* The forms of names that come from peers and workers and become parts of paths. */
#include <string.h>

#include "proto/envelope.h"

#define FILE_NAME_MAX 128
#define FILE_PATH_MAX 512
#define NODE_ID_MAX 64

static const char FILE_CHARS[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

bool gm_is_node_id(const char *s)
{
    size_t length = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length >= 1 && length <= NODE_ID_MAX && s[length] == '\0';
}

bool gm_is_file_name(const char *s)
{
    size_t length = strspn(s, FILE_CHARS);
    return length >= 1 && length <= FILE_NAME_MAX && s[length] == '\0' && s[0] != '.';
}

bool gm_is_file_path(const char *s)
{
    if (strlen(s) > FILE_PATH_MAX) {
        return false;
    }
    for (;;) {
        size_t length = strspn(s, FILE_CHARS);
        if (length < 1 || length > FILE_NAME_MAX || s[0] == '.') {
            return false;
        }
        if (s[length] == '\0') {
            return true;
        }
        if (s[length] != '/') {
            return false;
        }
        s += length + 1;
    }
}
