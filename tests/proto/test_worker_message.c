#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/samples.h"

static struct gm_err err;

static int code_of(const Gm__WorkerMessage *msg)
{
    uint8_t *data = NULL;
    size_t size = 0;
    Gm__WorkerMessage *back = NULL;
    int rc = gm_worker_message_encode(msg, &data, &size, &err);
    if (rc == 0) {
        rc = gm_worker_message_decode(data, size, &back, &err);
        free(data);
    }
    if (back != NULL) {
        gm__worker_message__free_unpacked(back, NULL);
    }
    return -rc;
}

static void a_build_is_a_short_line(void **state)
{
    (void)state;
    char longest[402];
    memset(longest, 'b', sizeof(longest));
    longest[401] = '\0';
    const struct {
        char *build;
        bool is;
    } rows[] = {{(char *)"", true},     {(char *)"gm1 x264-164", true}, {longest, false},
                {longest + 1, true},    {(char *)"a\nb", false},        {(char *)"\xc3\xa9", false},
                {(char *)"\x7f", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
        Gm__WReady ready = GM__WREADY__INIT;
        ready.build = rows[i].build;
        msg.body_case = GM__WORKER_MESSAGE__BODY_READY;
        msg.ready = &ready;
        assert_int_equal(code_of(&msg), rows[i].is ? 0 : GM_E_PROTO);
    }
}

static void names_are_told_apart(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "seg-1.m4s", "A_b", "..a",     ".a",
                                        "",  "a/b",       "a b", "\xc3\xa9"};
    static const bool is_name[] = {true, true, true, false, false, false, false, false, false};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(gm_is_file_name(names[i]), is_name[i]);
    }
    static const char *const paths[] = {"a", "a/b/c.d", "/a", "a/", "a//b", "a/../b", "a/.b", ""};
    static const bool is_path[] = {true, true, false, false, false, false, false, false};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(gm_is_file_path(paths[i]), is_path[i]);
    }
    char name[130];
    memset(name, 'n', sizeof(name));
    name[128] = '\0';
    assert_true(gm_is_file_name(name));
    assert_true(gm_is_file_path(name));
    name[128] = 'n';
    name[129] = '\0';
    assert_false(gm_is_file_name(name));
    assert_false(gm_is_file_path(name));
    char path[514];
    for (size_t i = 0; i < sizeof(path); i++) {
        path[i] = i % 2 == 0 ? 'p' : '/';
    }
    path[511] = '\0';
    assert_true(gm_is_file_path(path));
    path[511] = '/';
    path[513] = '\0';
    assert_false(gm_is_file_path(path));
    char id[66];
    memset(id, 'i', sizeof(id));
    id[64] = '\0';
    assert_true(gm_is_node_id(id));
    id[64] = 'i';
    id[65] = '\0';
    assert_false(gm_is_node_id(id));
}

static void a_worker_cannot_name_files_elsewhere(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "../x", "/etc/passwd", ".hidden", "a//b", "a\nb"};
    assert_int_equal(code_of(sample_worker_done()), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        Gm__WorkerMessage *msg = sample_worker_done();
        msg->done->files[0]->name = (char *)(uintptr_t)bad[i];
        assert_int_equal(code_of(msg), GM_E_PROTO);
        msg = sample_worker_done();
        msg->done->files[0]->path = (char *)(uintptr_t)bad[i];
        assert_int_equal(code_of(msg), GM_E_PROTO);
        if (bad[i][0] != '\0') {
            msg = sample_worker_done();
            msg->done->meta_file = (char *)(uintptr_t)bad[i];
            assert_int_equal(code_of(msg), GM_E_PROTO);
        }
    }
    Gm__WorkerMessage *msg = sample_worker_done();
    msg->done->files[0]->store = GM__OBJECT_STORE__STORE_SOURCE;
    assert_int_equal(code_of(msg), GM_E_PROTO);
    msg = sample_worker_done();
    msg->done->publication = "a/b";
    assert_int_equal(code_of(msg), GM_E_PROTO);
}

static void parts_that_must_be_there_are_asked_for(void **state)
{
    (void)state;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    Gm__WFailed failed = GM__WFAILED__INIT;
    Gm__WStart start = GM__WSTART__INIT;
    Gm__WInput input = GM__WINPUT__INIT;
    assert_int_equal(code_of(&msg), GM_E_PROTO);
    msg.body_case = GM__WORKER_MESSAGE__BODY_FAILED;
    msg.failed = &failed;
    assert_int_equal(code_of(&msg), GM_E_PROTO);
    Gm__WDeviceFailed device = GM__WDEVICE_FAILED__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_DEVICE_FAILED;
    msg.device_failed = &device;
    assert_int_equal(code_of(&msg), GM_E_PROTO);
    Gm__Error error = GM__ERROR__INIT;
    device.error = &error;
    assert_int_equal(code_of(&msg), 0);
    msg.body_case = GM__WORKER_MESSAGE__BODY_START;
    msg.start = &start;
    assert_int_equal(code_of(&msg), GM_E_PROTO);
    start.scratch = "task-1";
    assert_int_equal(code_of(&msg), 0);
    msg.body_case = GM__WORKER_MESSAGE__BODY_INPUT;
    msg.input = &input;
    assert_int_equal(code_of(&msg), GM_E_PROTO);
    input.name = "source";
    assert_int_equal(code_of(&msg), 0);
}

static void packets_over_64_kib_are_refused(void **state)
{
    (void)state;
    Gm__WorkerMessage *msg = sample_worker_done();
    static Gm__WFile *files[2000];
    for (size_t i = 0; i < 2000; i++) {
        files[i] = msg->done->files[0];
    }
    msg->done->files = files;
    msg->done->n_files = 1000;
    assert_int_equal(code_of(msg), 0);
    msg->done->n_files = 2000;
    assert_int_equal(code_of(msg), GM_E_LIMIT);
}

static void truncations_and_bit_flips_never_crash(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal(gm_worker_message_encode(sample_worker_done(), &data, &size, &err), 0);
    for (size_t n = 0; n < size; n++) {
        uint8_t *cut = malloc(n == 0 ? 1 : n);
        Gm__WorkerMessage *back = NULL;
        memcpy(cut, data, n);
        assert_int_equal(gm_worker_message_decode(cut, n, &back, &err), -GM_E_PROTO);
        free(cut);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        Gm__WorkerMessage *back = NULL;
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (gm_worker_message_decode(data, size, &back, &err) == 0) {
            if (back->body_case == GM__WORKER_MESSAGE__BODY_DONE && back->done->n_files > 0) {
                assert_true(gm_is_file_path(back->done->files[0]->path));
            }
            gm__worker_message__free_unpacked(back, NULL);
        }
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_build_is_a_short_line),
        cmocka_unit_test(names_are_told_apart),
        cmocka_unit_test(a_worker_cannot_name_files_elsewhere),
        cmocka_unit_test(parts_that_must_be_there_are_asked_for),
        cmocka_unit_test(packets_over_64_kib_are_refused),
        cmocka_unit_test(truncations_and_bit_flips_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
