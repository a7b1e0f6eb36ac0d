/* The table of the API's routes, a line each: METHOD PATH ROLE, `x` for each part that varies. */
#include <stdio.h>

#include "scheduler/http/request.h"

int main(void)
{
    static const char *const roles[] = {[GM_TOKEN_NOBODY] = "open",
                                        [GM_TOKEN_SUBMIT] = "submit",
                                        [GM_TOKEN_OPERATE] = "operate",
                                        [GM_TOKEN_ADMIN] = "admin"};
    struct gm_route_row row;
    for (size_t i = 0; gm_route_get(i, &row); i++) {
        (void)printf("%s %s %s\n", row.method, row.path, roles[row.least]);
    }
    return 0;
}
