/* Who may still have a file sent: all together, and each tenant among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "scheduler/http/request.h"

#define SHARE 32
#define ALL 64

struct door {
    struct gm_http http;
    struct gm_request requests[ALL + 2]; /* one asks for no file any more, one comes to nothing */
    size_t count;
};

/* One more, which comes to nothing where it is crowded. */
static bool ask(struct door *door, const char *tenant)
{
    struct gm_request *r = &door->requests[door->count++];
    r->http = &door->http;
    (void)snprintf(r->caller.tenant, sizeof r->caller.tenant, "%s", tenant);
    r->next = door->http.requests;
    door->http.requests = r;
    if (gm_file_is_crowded(r)) {
        door->http.requests = r->next;
        *r = (struct gm_request){.http = NULL};
        door->count--;
        return false;
    }
    r->sends_file = true;
    door->http.file_count++;
    return true;
}

static void ask_all(struct door *door, const char *tenant, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        assert_true(ask(door, tenant));
    }
    assert_false(ask(door, tenant));
}

static void a_tenant_leaves_the_others_room(void **state)
{
    struct door *door = calloc(1, sizeof *door);
    (void)state;
    ask_all(door, "a", SHARE);
    /* what asks for a file no more takes nothing of a share */
    door->requests[0].sends_file = false;
    door->http.file_count--;
    ask_all(door, "a", 1);
    ask_all(door, "b", SHARE);
    assert_false(ask(door, "c"));
    assert_false(ask(door, ""));
    free(door);
}

static void who_is_of_no_tenant_has_all(void **state)
{
    struct door *door = calloc(1, sizeof *door);
    (void)state;
    ask_all(door, "", ALL);
    assert_false(ask(door, "a"));
    free(door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_tenant_leaves_the_others_room),
                                       cmocka_unit_test(who_is_of_no_tenant_has_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
