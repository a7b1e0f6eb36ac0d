#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/print.h"

static FILE *open_text(char **out, size_t *size)
{
    FILE *file = open_memstream(out, size);
    assert_non_null(file);
    return file;
}

static json_t *read_json(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void prints(void (*print)(FILE *, const json_t *), const char *json, const char *expected)
{
    char *out = NULL;
    size_t size = 0;
    json_t *answer = read_json(json);
    FILE *file = open_text(&out, &size);
    print(file, answer);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, expected);
    json_decref(answer);
    free(out);
}

static void deliveries_say_what_was_answered(void **state)
{
    (void)state;
    prints(gm_print_dead,
           "{\"deliveries\": [{\"id\": \"07/farm:cms\", \"job\": \"j\", \"type\": \"job.done\", "
           "\"target\": \"farm:cms\", \"tried\": \"2026-01-31T12:00:00.000Z\", \"tries\": 9, "
           "\"next\": null, \"status\": 503, \"error\": \"the receiver answered 503\"}], "
           "\"next\": \"07/farm:cms\", \"dead\": 2, \"waiting\": 3}",
           "ID           JOB  EVENT     FOR       TRIES  LAST TRY             ANSWER\n"
           "07/farm:cms  j    job.done  farm:cms      9  2026-01-31T12:00:00  HTTP 503: the "
           "receiver answered 503\n"
           "(of 2: --limit N shows more of them)\n"
           "(3 wait: --waiting)\n");
    prints(gm_print_waiting,
           "{\"deliveries\": [{\"id\": \"08/job\", \"job\": \"j\", \"type\": \"job.done\", "
           "\"target\": \"job:http://h\", \"tries\": 0, \"next\": null, \"status\": null, "
           "\"error\": null}, {\"id\": \"09/job\", \"tries\": 1, \"next\": "
           "\"2026-01-31T12:00:00.000Z\", \"status\": null, \"error\": null}], "
           "\"next\": null, \"dead\": 0, \"waiting\": 2}",
           "ID      JOB  EVENT     FOR           TRIES  NEXT TRY             ANSWER\n"
           "08/job  j    job.done  job:http://h      0  now                  -\n"
           "09/job                                   1  2026-01-31T12:00:00  no answer\n");
    prints(gm_print_redelivered, "{\"redelivered\": 1}", "1 dead letter sent again\n");
    prints(gm_print_redelivered, "{\"redelivered\": 0}", "there are no such dead letters\n");
}

static void an_event_is_a_line(void **state)
{
    static const struct {
        const char *event, *data, *line;
    } rows[] = {
        {"job.state",
         "{\"id\": \"j\", \"state\": \"running\", \"progress\": {\"phase\": \"encode\", "
         "\"frames_done\": 43, \"frames_total\": 100}}",
         "job.state       j                           running, 43 %\n"},
        {"job.done",
         "{\"id\": \"j\", \"state\": \"done\", \"progress\": {\"frames_done\": 1, "
         "\"frames_total\": 1}}",
         "job.done        j                           done\n"},
        {"node",
         "{\"id\": \"n\", \"state\": \"usable\", \"draining\": true, \"devices\": [{\"slots\": 2, "
         "\"slots_used\": 1}, {\"slots\": 3, \"slots_used\": 0}]}",
         "node            n                           usable, 1 of 5 slots used, draining\n"},
        {"task.retry",
         "{\"id\": \"j\", \"task\": \"encode\", \"node\": \"n\", \"code\": \"node.lost\", "
         "\"text\": \"it\\u001bwent\"}",
         "task.retry      j                           encode on n: node.lost: it?went\n"},
        {"reset", "{\"last\": 7}", "reset           what was missed is not known any more\n"},
        {"news", "{\"id\": \"x\"}", "news            x                           \n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *out = NULL;
        size_t size = 0;
        json_t *data = read_json(rows[i].data);
        FILE *file = open_text(&out, &size);
        gm_print_event(file, 0, rows[i].event, data);
        assert_int_equal(fclose(file), 0);
        assert_true(size > 26 && strncmp(out, "1970-01-01T00:00:00.000Z  ", 26) == 0);
        assert_string_equal(out + 26, rows[i].line);
        json_decref(data);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliveries_say_what_was_answered),
        cmocka_unit_test(an_event_is_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
