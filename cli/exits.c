#include "cli/exits.h"

#include <string.h>

enum gm_exit gm_exit_of_code(enum gm_code code)
{
    switch (code) {
    case GM_OK:
        return GM_EXIT_DONE;
    case GM_E_INVAL:
    case GM_E_LIMIT:
    case GM_E_NOTFOUND:
    case GM_E_NO_ROUTE:
    case GM_E_CONFLICT:
    case GM_E_CONFIG:
    case GM_E_BAD_IMAGE:
    case GM_E_AUTH_MISSING:
    case GM_E_AUTH_REFUSED:
    case GM_E_AUTH_DENIED:
        return GM_EXIT_USAGE;
    case GM_E_UNREACHABLE:
    case GM_E_NO_FARM:
    case GM_E_NOT_INSTALLED:
        return GM_EXIT_UNREACHABLE;
    case GM_E_CANCELLED:
        return GM_EXIT_CANCELLED;
    default:
        return strncmp(gm_code_get((int)code)->id, "input.", 6) == 0 ? GM_EXIT_INPUT
                                                                     : GM_EXIT_FAILED;
    }
}

enum gm_exit gm_exit_of_id(const char *id)
{
    const struct gm_code_info *info = gm_code_find(id);
    if (info != NULL) {
        return gm_exit_of_code(info->code);
    }
    if (strncmp(id, "input.", 6) == 0) {
        return GM_EXIT_INPUT;
    }
    return strncmp(id, "usage.", 6) == 0 || strncmp(id, "config.", 7) == 0 ? GM_EXIT_USAGE
                                                                           : GM_EXIT_FAILED;
}
