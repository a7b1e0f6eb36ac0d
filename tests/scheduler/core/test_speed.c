/* Measured figures, and the devices that they choose. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <string.h>

#include "scheduler/core/times.h"

static Gm__Rate rate_of(const char *what, const char *api, const char *codec, uint32_t depth,
                        uint64_t one, uint64_t all)
{
    Gm__Rate r = GM__RATE__INIT;
    r.what = (char *)(uintptr_t)what;
    r.api = (char *)(uintptr_t)api;
    r.codec = (char *)(uintptr_t)codec;
    r.depth = depth;
    r.one = one;
    r.all = all;
    return r;
}

static double largest_px; /* of the job's renditions; 0: there is one */

/* Seconds a picture, on a device of chain `chain` with `used` slots taken, of a job in 1000 pixels
 * of H.264 and, if `hevc10`, 500 of HEVC with 10 bits. */
static double picture_s(const char *type, const char *chain, uint64_t used, bool hevc10)
{
    Gm__Rate rates[] = {rate_of("decode", "software", "h264", 8, 1, 1),
                        rate_of("encode", "software", "h264", 8, 10000, 40000),
                        rate_of("encode", "software", "hevc", 8, 5000, 0),
                        rate_of("encode", "nvenc", "h264", 8, 0, 90000),
                        rate_of("encode", "nvenc", "hevc", 8, 1000, 1000)};
    Gm__Rate *list[] = {&rates[0], &rates[1], &rates[2], &rates[3], &rates[4]};
    Gm__Measured measured = GM__MEASURED__INIT;
    Gm__Device facts = GM__DEVICE__INIT;
    Gm__Chain of = GM__CHAIN__INIT;
    struct gm_cjob job = {.works = {{"h264", 8, 1000, largest_px}, {"hevc", 10, 500, 500}},
                          .work_count = hevc10 ? 2 : 1};
    struct gm_ctask task = {.job = &job, .type = gm_core_task_type_find(type)};
    struct gm_inst inst = {.task = &task};
    struct gm_cdevice device = {.facts = &facts, .used = {.slots = used}};
    measured.rates = list;
    measured.n_rates = 5;
    facts.measured = &measured;
    of.name = (char *)(uintptr_t)chain;
    return gm_core_picture_s(&device, &of, &inst);
}

static void assert_s(double got, double want)
{
    if (!(got > want * 0.9999 && got < want * 1.0001)) {
        fail_msg("%g s, wanted %g", got, want);
    }
}

static void a_slot_has_its_part_of_what_all_make(void **arg)
{
    (void)arg;
    assert_s(picture_s("encode", "cpu", 0, false), 0.1);
    assert_s(picture_s("encode", "cpu", 3, false), 0.1);
    assert_s(picture_s("encode", "cpu", 7, false), 0.2); /* 8 share 40000 */
    assert_s(picture_s("analyze", "cpu", 0, false), 0.1);
    assert_s(picture_s("encode", "nvenc", 0, false), 1000.0 / 90000); /* no figure of one alone */
    assert_s(picture_s("encode", "nvenc", 2, false), 1000.0 / 30000);
}

/* Renditions are made side by side: two of a size are two streams. */
static void a_run_has_as_many_streams_as_its_largest_rendition_fits_into_it(void **arg)
{
    (void)arg;
    static const struct {
        double largest;
        uint64_t used;
        double want;
    } rows[] = {{1000, 0, 0.1}, {500, 0, 0.05}, {250, 0, 0.025}, {100, 0, 0.025}, {250, 3, 0.1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        largest_px = rows[i].largest;
        assert_s(picture_s("encode", "cpu", rows[i].used, false), rows[i].want);
    }
    largest_px = 500; /* nobody knows what more than one make: as one */
    assert_s(picture_s("encode", "nvenc", 0, false), 1000.0 / 90000);
    largest_px = 0;
}

static void codecs_add_up_and_software_counts_in_any_depth(void **arg)
{
    (void)arg;
    assert_s(picture_s("encode", "cpu", 0, true), 0.2);
    assert_s(picture_s("encode", "cpu", 9, true), 1000.0 / 4000 + 0.1); /* no figure of all */
}

static void what_is_not_known_is_zero(void **arg)
{
    (void)arg;
    assert_true(picture_s("encode", "nvenc", 0, true) <= 0); /* of 10 bits */
    assert_true(picture_s("encode", "vaapi", 0, false) <= 0);
    assert_true(picture_s("audio", "cpu", 0, false) <= 0);
    assert_true(picture_s("package", "cpu", 0, false) <= 0);
    struct gm_cdevice bare = {.id = NULL};
    struct gm_cjob job = {.works = {{"h264", 8, 1000, 1000}}, .work_count = 1};
    struct gm_ctask task = {.job = &job, .type = gm_core_task_type_find("encode")};
    struct gm_inst inst = {.task = &task};
    Gm__Chain cpu = GM__CHAIN__INIT;
    cpu.name = (char *)"cpu";
    assert_true(gm_core_picture_s(&bare, &cpu, &inst) <= 0);
}

static void a_plan_is_summed_by_codec_and_depth(void **arg)
{
    (void)arg;
    static const char *const codecs[] = {"h264", "hevc", "av1", "vp9", "x"};
    Gm__EncodeParams encode[9];
    Gm__Rendition r[9], *list[9];
    Gm__Policy policy = GM__POLICY__INIT;
    struct gm_cjob job = {.work_count = 5};
    for (int i = 0; i < 9; i++) {
        gm__encode_params__init(&encode[i]);
        gm__rendition__init(&r[i]);
        encode[i].codec = (char *)(uintptr_t)codecs[i / 2];
        encode[i].bit_depth = i % 2 ? 10 : 8;
        r[i].encode = &encode[i];
        r[i].width_px = 10;
        r[i].height_px = 10 + (uint32_t)i;
        list[i] = &r[i];
    }
    policy.renditions = list;
    policy.n_renditions = 8;
    gm_core_works_take(&job, &policy);
    assert_int_equal(job.work_count, 8);
    assert_string_equal(job.works[7].codec, "vp9");
    assert_int_equal(job.works[7].depth, 10);
    assert_true(job.works[7].pixels == 17 * 10 && job.works[7].largest == 17 * 10);
    policy.n_renditions = 9; /* more kinds than there are */
    gm_core_works_take(&job, &policy);
    assert_int_equal(job.work_count, 0);
    encode[1].bit_depth = encode[2].bit_depth = 0; /* an older plan: 8 */
    encode[2].codec = encode[0].codec;
    policy.n_renditions = 3;
    gm_core_works_take(&job, &policy);
    assert_int_equal(job.work_count, 1);
    assert_true(job.works[0].pixels == 330 && job.works[0].largest == 120);
    r[1].encode = NULL;
    gm_core_works_take(&job, &policy);
    assert_int_equal(job.work_count, 0);
}

/* The node that encodes a job of one chunk, of nodes with these rates in millions. */
static void assert_goes_to(const uint64_t *rates, uint32_t nodes, const char *node)
{
    struct sim_params params = {.seed = 3, .nodes = nodes, .slots = 2};
    char want[32];
    for (uint32_t i = 0; i < nodes; i++) {
        params.rates[i] = rates[i] * 1000000;
    }
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2); /* everybody said hello */
    struct sim_job *job = sim_submit(sim, "job", 1, 0, 50);
    sim_until(sim, sim_all_final, 300);
    sim_check_done(sim, job);
    (void)snprintf(want, sizeof(want), "video@%s", node);
    if (strstr(sim->order, want) == NULL) {
        fail_msg("%s went otherwise: %s", want, sim->order);
    }
    sim_destroy(sim);
}

static void the_fastest_with_room_is_taken(void **arg)
{
    (void)arg;
    /* best fit fills the first node up, where inspect, plan and split run */
    assert_goes_to((uint64_t[]){0, 0, 0}, 3, "0");
    assert_goes_to((uint64_t[]){50, 50, 50}, 3, "0");
    assert_goes_to((uint64_t[]){50, 54, 54}, 3, "0"); /* within 10 % */
    assert_goes_to((uint64_t[]){50, 56, 50}, 3, "1");
    assert_goes_to((uint64_t[]){50, 54, 59}, 3, "1"); /* n1 is as good as n2, n0 is not */
    assert_goes_to((uint64_t[]){50, 60, 900}, 3, "2");
    assert_goes_to((uint64_t[]){50, 0, 900}, 3, "1"); /* nobody knows n1: it fits as well */
    assert_goes_to((uint64_t[]){0, 900, 50}, 3, "0");
}

static bool is_encoding(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "video", &node) != NULL;
}

/* The sentence of the job's encoding. */
static void explained(struct sim *sim, char *out, size_t size)
{
    struct gm_explain_view v;
    out[0] = '\0';
    assert_int_equal(gm_view_explain(sim->core, "job", sim->now, &v, NULL), 0);
    for (size_t i = 0; i < v.count; i++) {
        if (strcmp(v.rows[i].task, "video") == 0) {
            (void)snprintf(out, size, "%s", v.rows[i].why);
        }
    }
    gm_view_explain_fini(&v);
}

static void explain_says_what_figures_chose(void **arg)
{
    (void)arg;
    char why[512];
    struct sim_params params = {.seed = 3, .nodes = 2, .slots = 2};
    params.rates[0] = 50000;
    params.rates[1] = 450000; /* a picture has 160 * 90 + 80 * 45 = 18000 pixels, 1.25 streams */
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2);
    (void)sim_submit(sim, "job", 1, 0, 50);
    sim_until(sim, is_encoding, 60);
    explained(sim, why, sizeof(why));
    struct gm_job_view v;
    assert_int_equal(gm_view_job(sim->core, "job", &v, NULL), 0);
    double times = 31.25 * (double)v.rate_den / (double)v.rate_num;
    gm_view_job_fini(&v);
    char want[80];
    (void)snprintf(want, sizeof(want), "chose faster devices: %.1f times realtime", times);
    assert_non_null(strstr(why, want));
    sim_destroy(sim);

    params.rates[1] = 50000; /* no choice was made by them */
    sim = sim_create(&params);
    sim_run(sim, 2);
    (void)sim_submit(sim, "job", 1, 0, 50);
    sim_until(sim, is_encoding, 60);
    explained(sim, why, sizeof(why));
    assert_non_null(strstr(why, "run"));
    assert_null(strstr(why, "easured"));
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_has_its_part_of_what_all_make),
        cmocka_unit_test(a_run_has_as_many_streams_as_its_largest_rendition_fits_into_it),
        cmocka_unit_test(codecs_add_up_and_software_counts_in_any_depth),
        cmocka_unit_test(what_is_not_known_is_zero),
        cmocka_unit_test(a_plan_is_summed_by_codec_and_depth),
        cmocka_unit_test(the_fastest_with_room_is_taken),
        cmocka_unit_test(explain_says_what_figures_chose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
