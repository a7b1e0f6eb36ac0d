#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "kernels/kernels.h"
#include "node/devices/helper.h"
#include "node/devices/prove.h"
#include "proto/envelope.h"

#define TRIES "GM_TEST_TRIES"       /* a file: a line a try */
#define VERSIONS "GM_TEST_VERSIONS" /* what the prover's libraries are */
#define BROKEN "GM_TEST_BROKEN"     /* a codec whose proof fails */
#define START "GM_TEST_START"       /* why the device does not open in the sandbox */
#define FULL "full"                 /* of START: it opens not, through no fault of the sandbox */
#define BUSY "GM_TEST_BUSY"         /* a file: who locks it has the one session; "": any */

/* Whoever has the session keeps it until somebody else was refused. */
static bool has_session(const char *file)
{
    char refused[128];
    int fd = file[0] == '\0' ? -1 : open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    (void)snprintf(refused, sizeof(refused), "%s-refused", file);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return creat(refused, 0600) < 0;
    }
    while (fd >= 0 && access(refused, F_OK) != 0) {
        (void)poll(NULL, 0, 5);
    }
    return true;
}

/* And its own launcher: the start that it is asked for must be a worker's. */
static int be_launcher(int argc, char **argv)
{
    static const char *const wanted[] = {
        "--profile",    "cuda",   "--device", "GPU-1", "--environment",  "A",     "--path",
        "/x",           "--path", "/y",       "--",    "/proc/self/exe", "start", "--device",
        "0000:3b:00.0", "--api",  "nvenc"};
    size_t count = sizeof(wanted) / sizeof(wanted[0]);
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_device_proof proof = {.api = "nvenc", .codec = GM_PROVE_START, .depth = 8};
    struct gm_err err;
    bool right = (size_t)argc == 5 + count && access(argv[2], W_OK) == 0 &&
                 strcmp(argv[3], "--parent") == 0 && atoi(argv[4]) == (int)getppid();
    for (size_t i = 0; right && i < count; i++) {
        right = strcmp(argv[5 + i], wanted[i]) == 0;
    }
    if (!right || strcmp(getenv(START), "crash") == 0) {
        abort();
    }
    proof.passed = getenv(START)[0] == '\0' || strcmp(getenv(START), FULL) == 0;
    gm_device_set(proof.text, getenv(START));
    if (gm_device_get(&list, "0000:3b:00.0", GM_DEVICE_NVIDIA, &d, &err) < 0) {
        return 1;
    }
    (void)gm_device_add_proof(d, &proof);
    int status = gm_helper_answer(&list);
    gm_device_list_fini(&list);
    return status;
}

/* This program is its own prover. */
static int be_prover(int argc, char **argv)
{
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_err err;
    gm_device_set(list.versions, getenv(VERSIONS));
    if (strcmp(argv[1], "versions") == 0) {
        return gm_helper_answer(&list);
    }
    if (argc < 10 || strcmp(argv[2], "--device") != 0 || strcmp(argv[4], "--api") != 0 ||
        strcmp(argv[6], "--codec") != 0 || strcmp(argv[8], "--depth") != 0) {
        return 2;
    }
    FILE *tries = fopen(getenv(TRIES), "a");
    if (tries == NULL || fprintf(tries, "%s %s\n", argv[1], argv[7]) < 0 || fclose(tries) != 0) {
        return 2;
    }
    struct gm_device_proof proof = {.depth = (uint32_t)atoi(argv[9]),
                                    .encode = strcmp(argv[1], "encode") == 0,
                                    .psnr_centi = 4000};
    gm_device_set(proof.api, argv[5]);
    gm_device_set(proof.codec, argv[7]);
    if (strcmp(argv[7], "vp9") == 0) { /* its driver crashes */
        abort();
    }
    proof.passed = strcmp(argv[7], getenv(BROKEN)) != 0 && has_session(getenv(BUSY));
    gm_device_set(proof.text, proof.passed ? "" : "only 3 pictures of 10 came out");
    if (gm_device_get(&list, argv[3], GM_DEVICE_NVIDIA, &d, &err) < 0) {
        return 1;
    }
    (void)gm_device_add_proof(d, &proof);
    int status = gm_helper_answer(&list);
    gm_device_list_fini(&list);
    return status;
}

struct fixture {
    char folder[64], file[96], tries[96];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/gm-prove-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof(f->file), "%s/proofs", f->folder);
    snprintf(f->tries, sizeof(f->tries), "%s/tries", f->folder);
    setenv(TRIES, f->tries, 1);
    setenv(VERSIONS, "lib-1", 1);
    setenv(BROKEN, "", 1);
    setenv(BUSY, "", 1);
    setenv(START, "", 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    assert_int_equal(gm_fs_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

static void make_list(struct gm_device_list *list, const char *driver)
{
    static const char *const codecs[] = {"h264", "hevc", "vp9", "vp8"};
    struct gm_device *d = NULL;
    struct gm_err err;
    memset(list, 0, sizeof(*list));
    assert_int_equal(gm_device_get(list, "cpu", GM_DEVICE_CPU, &d, &err), 0);
    struct gm_device_codec c = {.api = "software", .codec = "h264", .chroma = 420, .depth = 8};
    assert_true(gm_device_add_codec(d, true, &c));
    assert_true(gm_device_add_codec(d, false, &c));
    assert_int_equal(gm_device_get(list, "0000:3b:00.0", GM_DEVICE_NVIDIA, &d, &err), 0);
    gm_device_set(d->driver, driver);
    gm_device_set(c.api, "nvdec");
    for (size_t i = 0; i < 4; i++) { /* vp8, 4:4:4 and 12 bits are not proven */
        gm_device_set(c.codec, codecs[i]);
        assert_true(gm_device_add_codec(d, false, &c));
    }
    c = (struct gm_device_codec){.api = "nvdec", .codec = "hevc", .chroma = 444, .depth = 8};
    assert_true(gm_device_add_codec(d, false, &c));
    c = (struct gm_device_codec){.api = "nvdec", .codec = "hevc", .chroma = 420, .depth = 12};
    assert_true(gm_device_add_codec(d, false, &c));
}

/* Tries made so far, and the file of them gone. */
static int count_tries(const struct fixture *f)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err err;
    int count = 0;
    if (gm_fs_read(f->tries, 65536, &data, &size, &err) == 0) {
        for (size_t i = 0; i < size; i++) {
            count += data[i] == '\n' ? 1 : 0;
        }
        assert_int_equal(unlink(f->tries), 0);
    }
    free(data);
    return count;
}

static void prove_list(const struct fixture *f, bool software, bool again,
                       struct gm_device_list *list)
{
    const struct gm_prove_params params = {
        .program = "/proc/self/exe", .file = f->file, .software = software, .again = again};
    struct gm_err err;
    assert_int_equal(gm_prove(list, &params, &err), 0);
}

static void prove(const struct fixture *f, const char *driver, bool software, bool again,
                  struct gm_device_list *list)
{
    make_list(list, driver);
    prove_list(f, software, again, list);
}

static void proofs_are_kept_and_failures_tried_again(void **state)
{
    const struct fixture *f = *state;
    struct gm_device_list list;
    setenv(BROKEN, "hevc", 1);
    prove(f, "1.0", false, false, &list);
    assert_int_equal(count_tries(f), 4); /* h264, hevc, vp9; hevc alone */
    const struct gm_device *d = gm_device_find(&list, "0000:3b:00.0");
    assert_int_equal(d->proof_count, 3);
    assert_true(d->proofs[0].passed);
    assert_int_equal(d->proofs[0].psnr_centi, 4000);
    assert_string_equal(d->proofs[1].codec, "hevc");
    assert_false(d->proofs[1].passed);
    assert_string_equal(d->proofs[1].text, "only 3 pictures of 10 came out");
    assert_false(d->proofs[2].passed);
    assert_non_null(strstr(d->proofs[2].text, "crashed (signal 6)"));
    assert_int_equal(gm_device_find(&list, "cpu")->proof_count, 0);
    gm_device_list_fini(&list);
    setenv(BROKEN, "", 1);
    prove(f, "1.0", false, false, &list);
    assert_int_equal(count_tries(f), 2); /* those that failed */
    assert_int_equal(gm_device_find(&list, "0000:3b:00.0")->proof_count, 3);
    assert_true(gm_device_find(&list, "0000:3b:00.0")->proofs[0].passed);
    gm_device_list_fini(&list);
    prove(f, "1.0", false, true, &list);
    assert_int_equal(count_tries(f), 3); /* asked for again */
    gm_device_list_fini(&list);
}

static void other_driver_or_library_is_proven_anew(void **state)
{
    const struct fixture *f = *state;
    struct gm_device_list list;
    prove(f, "1.0", true, false, &list);
    assert_int_equal(count_tries(f), 4); /* and the cpu's encoder */
    assert_int_equal(gm_device_find(&list, "cpu")->proof_count, 1);
    gm_device_list_fini(&list);
    prove(f, "1.1", false, false, &list);
    assert_int_equal(count_tries(f), 3);
    gm_device_list_fini(&list);
    setenv(VERSIONS, "lib-2", 1);
    prove(f, "1.1", true, false, &list);
    assert_int_equal(count_tries(f), 4);
    gm_device_list_fini(&list);
    prove(f, "1.1", true, false, &list);
    assert_int_equal(count_tries(f), 1); /* vp9 crashes each time */
    gm_device_list_fini(&list);
}

/* Another card in the same slot; drivers that give chips no name tell by the number alone. */
static void other_chip_or_va_driver_is_proven_anew(void **state)
{
    static const struct {
        const char *chip, *va_driver;
        int tries;
    } rows[] = {{"device-56a0", "va-driver-iHD", 3},
                {"device-56a0", "va-driver-iHD", 1}, /* vp9 crashes each time */
                {"device-56a5", "va-driver-iHD", 3},
                {"device-56a5", "va-driver-i965", 3}};
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_device_list list;
        make_list(&list, "1.0");
        struct gm_device *d = gm_device_find(&list, "0000:3b:00.0");
        assert_true(gm_device_add_feature(d, rows[i].chip));
        assert_true(gm_device_add_feature(d, rows[i].va_driver));
        prove_list(f, false, false, &list);
        assert_int_equal(count_tries(f), rows[i].tries);
        gm_device_list_fini(&list);
    }
}

static void device_that_failed_at_work_is_forgotten(void **state)
{
    const struct fixture *f = *state;
    struct gm_device_list list;
    struct gm_err err;
    assert_int_equal(gm_prove_forget(f->file, "0000:3b:00.0", &err), 0); /* no file yet */
    prove(f, "1.0", true, false, &list);
    gm_device_list_fini(&list);
    assert_int_equal(count_tries(f), 4);
    assert_int_equal(gm_prove_forget(f->file, "0000:3b:00.0", &err), 0);
    prove(f, "1.0", true, false, &list);
    gm_device_list_fini(&list);
    assert_int_equal(count_tries(f), 3); /* the cpu's holds */
}

static void broken_file_costs_its_use(void **state)
{
    const struct fixture *f = *state;
    struct gm_device_list list;
    struct gm_err err;
    assert_int_equal(gm_fs_write_atomic(f->file, "rubbish", 7, &err), 0);
    assert_true(gm_prove_forget(f->file, "cpu", &err) < 0);
    prove(f, "1.0", false, false, &list);
    assert_int_equal(count_tries(f), 3);
    assert_non_null(strstr(list.notes[0].text, "the file of proofs is not used"));
    gm_device_list_fini(&list);
    prove(f, "1.0", false, false, &list);
    assert_int_equal(count_tries(f), 1);
    assert_int_equal(list.note_count, 0);
    gm_device_list_fini(&list);
}

/* An entry whose proof is of other work than its key says. */
static void proof_of_other_work_is_none(void **state)
{
    const struct fixture *f = *state;
    struct gm_device_list list;
    struct gm_err err;
    ProtobufCMessage *msg = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    prove(f, "1.0", false, false, &list);
    gm_device_list_fini(&list);
    assert_int_equal(count_tries(f), 3);
    assert_int_equal(gm_fs_read(f->file, 65536, &data, &size, &err), 0);
    assert_int_equal(gm_message_decode(&gm__proof_file__descriptor, data, size, size, &msg, &err),
                     0);
    free(data);
    Gm__ProofFile *file = (Gm__ProofFile *)msg;
    assert_int_equal(file->n_entries, 2); /* vp9 crashes */
    file->entries[0]->proof->encode = true;
    assert_int_equal(gm_message_encode(msg, &data, &size, &err), 0);
    assert_int_equal(gm_fs_write_atomic(f->file, data, size, &err), 0);
    free(data);
    protobuf_c_message_free_unpacked(msg, NULL);
    prove(f, "1.0", false, false, &list);
    assert_int_equal(count_tries(f), 2);
    assert_false(gm_device_find(&list, "0000:3b:00.0")->proofs[0].encode);
    gm_device_list_fini(&list);
}

static void kernel_is_tried_beside_an_encoder(void **state)
{
    const struct fixture *f = *state;
    struct gm_device_list list;
    struct gm_device_codec c = {.api = "nvenc", .codec = "h264", .chroma = 420, .depth = 8};
    make_list(&list, "1.0");
    struct gm_device *d = &list.devices[0];
    d = strcmp(d->id, "cpu") == 0 ? &list.devices[1] : d;
    d->decode_count = 0;
    assert_true(gm_device_add_codec(d, true, &c));
    setenv(BROKEN, GM_CUDA_LADDER, 1);
    prove_list(f, false, false, &list);
    assert_int_equal(count_tries(f), 5); /* the kernel again, alone */
    const struct gm_device *proved = gm_device_find(&list, "0000:3b:00.0");
    assert_int_equal(proved->proof_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct gm_device_proof *p = &proved->proofs[i];
        bool ladder = strcmp(p->api, GM_CUDA_LADDER_API) == 0;
        assert_true(p->encode);
        assert_int_equal(p->passed, !ladder);
        assert_string_equal(p->codec, ladder ? GM_CUDA_LADDER : "h264");
    }
    setenv(BROKEN, "", 1);
    gm_device_list_fini(&list);
}

/* In the depths that its driver says, and each time anew. */
static void va_drivers_scaler_is_tried_each_time(void **state)
{
    const struct fixture *f = *state;
    for (int run = 0; run < 2; run++) {
        struct gm_device_list list = {0};
        struct gm_device *d = NULL;
        struct gm_err err;
        struct gm_device_codec c = {.api = "vaapi", .codec = "h264", .chroma = 420, .depth = 8};
        assert_int_equal(gm_device_get(&list, "0000:03:00.0", GM_DEVICE_DRM, &d, &err), 0);
        assert_true(gm_device_add_codec(d, true, &c));
        assert_true(gm_device_add_feature(d, GM_FEATURE_VA_SCALES "10"));
        prove_list(f, false, false, &list);
        assert_int_equal(count_tries(f), run == 0 ? 2 : 1);
        d = gm_device_find(&list, "0000:03:00.0");
        assert_int_equal(d->proof_count, 2);
        size_t scalers = 0;
        for (size_t i = 0; i < 2; i++) {
            const struct gm_device_proof *p = &d->proofs[i];
            assert_true(p->passed && p->encode);
            scalers += strcmp(p->codec, GM_VA_LADDER) == 0 && p->depth == 10;
        }
        assert_int_equal(scalers, 1);
        gm_device_list_fini(&list);
    }
}

static void what_libavcodec_lacks_is_not_tried(void **state)
{
    struct fixture *f = *state;
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_err err;
    struct gm_device_codec c = {.api = "vaapi", .codec = "av1", .chroma = 420, .depth = 8};
    assert_int_equal(gm_device_get(&list, "0000:03:00.0", GM_DEVICE_DRM, &d, &err), 0);
    assert_true(gm_device_add_codec(d, true, &c));
    assert_true(gm_device_add_codec(d, false, &c)); /* its decoder is another matter */
    gm_device_set(c.codec, "h264");
    assert_true(gm_device_add_codec(d, true, &c));
    assert_true(gm_device_add_feature(d, GM_FEATURE_LACKS "av1_vaapi"));
    prove_list(f, false, false, &list);
    d = gm_device_find(&list, "0000:03:00.0");
    assert_int_equal(count_tries(f), 2);
    assert_int_equal(d->proof_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(d->proofs[i].encode, strcmp(d->proofs[i].codec, "h264") == 0);
    }
    gm_device_list_fini(&list);
}

static void missing_prover_is_said(void **state)
{
    struct gm_device_list list;
    struct gm_err err;
    const struct gm_prove_params params = {.program = "/no/such/program", .software = true};
    (void)state;
    make_list(&list, "1.0");
    assert_int_equal(gm_prove(&list, &params, &err), 0);
    assert_int_equal(list.devices[0].proof_count, 0);
    assert_non_null(strstr(list.notes[0].text, "is gopmill wholly installed"));
    gm_device_list_fini(&list);
}

/* Proves with a sandbox; all that passed is to have that text. Notes made. */
static size_t prove_inside(const struct fixture *f, bool again, struct gm_prove_opened *opened,
                           const char *why, const char *text)
{
    static const char *const environment[] = {"A", NULL};
    static const char *const paths[] = {"/x", "/y", NULL};
    const struct gm_prove_params params = {.program = "/proc/self/exe",
                                           .file = f->file,
                                           .software = true,
                                           .again = again,
                                           .sandbox = {.opened = opened,
                                                       .launcher = "/proc/self/exe",
                                                       .scratch = f->folder,
                                                       .environment = environment,
                                                       .paths = paths}};
    struct gm_device_list list;
    struct gm_err err;
    setenv(START, why, 1);
    make_list(&list, "1.0");
    gm_device_set(list.devices[1].uuid, "GPU-1");
    assert_int_equal(gm_prove(&list, &params, &err), 0);
    assert_true(list.devices[0].proof_count == 1 && list.devices[0].proofs[0].passed);
    const struct gm_device *d = &list.devices[1];
    assert_int_equal(d->proof_count, 3);
    for (size_t i = 0; i < 3; i++) {
        bool crashes = strcmp(d->proofs[i].codec, "vp9") == 0;
        assert_int_equal(d->proofs[i].passed, !crashes && text == NULL);
        if (!crashes && text != NULL) {
            assert_string_equal(d->proofs[i].text, text);
        }
    }
    size_t notes = list.note_count;
    gm_device_list_fini(&list);
    return notes;
}

static void device_that_does_not_open_in_the_sandbox_has_passed_nothing(void **state)
{
    static const char words[] = "it does not open in a worker's sandbox: ";
    struct fixture *f = *state;
    char text[128];
    prove_inside(f, false, NULL, "", NULL);
    assert_int_equal(count_tries(f), 4); /* the processor's, h264, hevc, vp9 */
    snprintf(text, sizeof(text), "%scuInit gave 304", words);
    prove_inside(f, false, NULL, "cuInit gave 304", text);
    assert_int_equal(count_tries(f), 1); /* vp9: what passed outside holds */
    snprintf(text, sizeof(text), "%scrashed (signal 6)", words);
    prove_inside(f, false, NULL, "crash", text);
    prove_inside(f, false, NULL, "", NULL);
    assert_int_equal(count_tries(f), 2);
}

/* And one that opened before is not opened once more, unless it is distrusted. */
static void device_at_work_is_not_judged_by_its_start(void **state)
{
    const struct fixture *f = *state;
    struct gm_prove_opened opened = {.count = 0};
    const char *crashed = "it does not open in a worker's sandbox: crashed (signal 6)";
    assert_int_equal(prove_inside(f, false, NULL, FULL, NULL), 1);
    assert_int_equal(
        prove_inside(f, false, &opened, FULL, "it does not open in a worker's sandbox: " FULL),
        0); /* nothing of the node is at work there */
    assert_int_equal(opened.count, 0);
    prove_inside(f, false, &opened, "crash", crashed);
    assert_int_equal(opened.count, 0);
    assert_int_equal(prove_inside(f, false, &opened, "", NULL), 0);
    assert_int_equal(opened.count, 1);
    assert_string_equal(opened.ids[0], "0000:3b:00.0");
    assert_int_equal(prove_inside(f, false, &opened, "crash", NULL), 0);
    prove_inside(f, true, &opened, "crash", crashed);
    assert_int_equal(prove_inside(f, true, &opened, FULL, NULL), 1);
    assert_int_equal(opened.count, 1);
}

static void what_fails_beside_others_is_tried_alone(void **state)
{
    struct fixture *f = *state;
    struct gm_device_list list;
    char file[128];
    snprintf(file, sizeof(file), "%s/session", f->folder);
    setenv(BUSY, file, 1);
    prove(f, "550.54.15", false, false, &list);
    assert_int_equal(count_tries(f), 4); /* h264, hevc, vp9, and one of the first two again */
    const struct gm_device *d = gm_device_find(&list, "0000:3b:00.0");
    assert_int_equal(d->proof_count, 3);
    for (size_t i = 0; i < d->proof_count; i++) {
        assert_int_equal(d->proofs[i].passed, strcmp(d->proofs[i].codec, "vp9") != 0);
    }
    gm_device_list_fini(&list);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return strcmp(argv[1], "--scratch") == 0 ? be_launcher(argc, argv) : be_prover(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(proofs_are_kept_and_failures_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(device_that_does_not_open_in_the_sandbox_has_passed_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(device_at_work_is_not_judged_by_its_start, setup, teardown),
        cmocka_unit_test_setup_teardown(what_fails_beside_others_is_tried_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(other_chip_or_va_driver_is_proven_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(other_driver_or_library_is_proven_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(device_that_failed_at_work_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_file_costs_its_use, setup, teardown),
        cmocka_unit_test_setup_teardown(proof_of_other_work_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(kernel_is_tried_beside_an_encoder, setup, teardown),
        cmocka_unit_test_setup_teardown(va_drivers_scaler_is_tried_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_libavcodec_lacks_is_not_tried, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_prover_is_said, setup, teardown),
    };
    return cmocka_run_group_tests_name("node/devices/prove", tests, NULL, NULL);
}
