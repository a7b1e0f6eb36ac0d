#include "tests/scheduler/pipeline_text.h"

#include <math.h>

#define SHIPPED_MAX 32
struct shipped {
    char names[SHIPPED_MAX][64];
    size_t count;
};

static int take_name(const char *name, void *arg)
{
    struct shipped *s = arg;
    assert_true(s->count < SHIPPED_MAX);
    (void)snprintf(s->names[s->count++], sizeof s->names[0], "%s", name);
    return 0;
}

static void list_shipped(struct shipped *out)
{
    char *folders[] = {(char *)(uintptr_t)GM_SOURCE_DIR "/config/pipelines", NULL};
    struct gm_err err = {0};
    out->count = 0;
    ASSERT_OK(gm_pipeline_list(folders, take_name, out, &err));
    assert_true(out->count >= 5);
}

static void shipped_pipelines_load(void **state)
{
    struct shipped shipped;
    (void)state;
    list_shipped(&shipped);
    for (size_t i = 0; i < shipped.count; i++) {
        char path[512];
        struct gm_err err = {0};
        Gm__Pipeline *p = NULL;
        char *yaml = NULL;
        (void)snprintf(path, sizeof path, GM_SOURCE_DIR "/config/pipelines/%s.yaml",
                       shipped.names[i]);
        ASSERT_OK(gm_pipeline_load(path, &p, &yaml, &err));
        assert_string_equal(p->name, shipped.names[i]);
        assert_true(strlen(p->description) > 10);
        ASSERT_OK(gm_pipeline_check_assets(p, &err));
        assert_int_equal(p->n_assets, strcmp(p->name, "vod-watermark") == 0 ? 1 : 0);
        gm__pipeline__free_unpacked(p, NULL);
        free(yaml);
    }
}

/* What the shipped default writes out is what a file without options gets. */
static void written_defaults_equal_the_table(void **state)
{
    static const char bare[] = VIDEO "  a: {type: audio, needs: [s]}\n"
                                     "  x: {type: subtitles, needs: [s]}\n"
                                     "  t: {type: thumbnails, needs: [v]}\n"
                                     "  m: {type: mp4, needs: [v, a, x]}\n"
                                     "  k: {type: package, needs: [v, a, x]}\n";
    struct gm_err err = {0};
    Gm__Pipeline *shipped = NULL;
    Gm__Pipeline *plain = NULL;
    (void)state;
    ASSERT_OK(
        gm_pipeline_load(GM_SOURCE_DIR "/config/pipelines/vod-h264.yaml", &shipped, NULL, &err));
    ASSERT_OK(parse(bare, &plain, &err));
    assert_int_equal(shipped->n_tasks, plain->n_tasks);
    for (size_t i = 0; i < plain->n_tasks; i++) {
        uint8_t a[512];
        uint8_t b[512];
        Gm__PipelineTask one = *shipped->tasks[i];
        Gm__PipelineTask two = *plain->tasks[i];
        one.name = two.name = (char *)(uintptr_t) "same";
        one.n_needs = two.n_needs = 0;
        size_t size = gm__pipeline_task__pack(&one, a);
        assert_int_equal(gm__pipeline_task__pack(&two, b), size);
        assert_memory_equal(a, b, size);
    }
    gm__pipeline__free_unpacked(shipped, NULL);
    gm__pipeline__free_unpacked(plain, NULL);
}

static void values_reach_the_message(void **state)
{
    static const char text[] =
        "name: a-1\ndescription: what it is\npublish: early\ntasks:\n"
        "  i: {type: inspect, max_pixels: 1000000, max_duration_s: 60, max_streams: 3}\n"
        "  p: {type: plan, needs: [i], ladder: [720, 480]}\n"
        "  s: {type: split, needs: [p]}\n"
        "  v:\n    type: encode\n    needs: [s]\n    preset: slow\n    qp: 0\n"
        "    maxrate_scale: 0.5\n"
        "    watermark: {image: l.png, position: top-left, opacity: 0.25, margin: 0.1, size: 0.2, "
        "from: 1.5, until: 20}\n"
        "  a: {type: audio, needs: [s], bitrate: 96k, channels: 1, sample_rate: 44100}\n"
        "  t: {type: thumbnails, needs: [v], interval_s: 2, width: 80, columns: 3, rows: 4, "
        "poster_width: 640, poster_at_s: 1.5, "
        "format: webp}\n"
        "  m: {type: mp4, needs: [v, a], heights: [480]}\n"
        "  k: {type: package, needs: [a, v, t], hls: false}\n";
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    assert_string_equal(p->name, "a-1");
    assert_string_equal(p->description, "what it is");
    assert_true(p->early);
    assert_int_equal(p->n_tasks, 8);
    assert_int_equal(p->tasks[0]->inspect->max_pixels, 1000000);
    assert_int_equal(p->tasks[0]->inspect->max_duration_s, 60);
    assert_int_equal(p->tasks[0]->inspect->max_streams, 3);
    assert_int_equal(p->tasks[1]->plan->n_ladder, 2);
    assert_int_equal(p->tasks[1]->plan->ladder[1], 480);
    const Gm__EncodeParams *e = p->tasks[3]->encode;
    assert_string_equal(e->codec, "h264");
    assert_string_equal(e->preset, "slow");
    assert_int_equal(e->crf, -1);
    assert_int_equal(e->qp, 0);
    assert_true(fabs(e->maxrate_scale - 0.5) < 1e-12);
    assert_string_equal(e->watermark->image, "l.png");
    assert_string_equal(e->watermark->position, "top-left");
    assert_true(fabs(e->watermark->opacity - 0.25) < 1e-12);
    assert_true(fabs(e->watermark->start_s - 1.5) < 1e-12);
    assert_true(fabs(e->watermark->end_s - 20) < 1e-12);
    assert_int_equal(p->tasks[4]->audio->bitrate_bps, 96000);
    assert_int_equal(p->tasks[4]->audio->channels, 1);
    assert_int_equal(p->tasks[4]->audio->sample_rate, 44100);
    assert_int_equal(p->tasks[5]->thumbnails->poster_width, 640);
    assert_true(fabs(p->tasks[5]->thumbnails->poster_at_s - 1.5) < 1e-12);
    assert_string_equal(p->tasks[5]->thumbnails->format, "webp");
    assert_int_equal(p->tasks[6]->mp4->heights[0], 480);
    assert_false(p->tasks[7]->package->hls);
    assert_true(p->tasks[7]->package->dash);
    assert_string_equal(p->tasks[7]->needs[0], "a");
    const char *images[GM_PIPELINE_MAX_IMAGES];
    assert_int_equal(gm_pipeline_images(p, images), 1);
    assert_string_equal(images[0], "l.png");
    gm__pipeline__free_unpacked(p, NULL);
}

static void renditions_take_over_what_they_do_not_name(void **state)
{
    static const char text[] = BASE
        "  v:\n    type: encode\n    needs: [s]\n    preset: slow\n    crf: 20\n    level: 5.1\n"
        "    maxrate_scale: 0.5\n"
        "    renditions:\n      1080: {codec: hevc, profile: main10}\n"
        "      720: {qp: 30, bit_depth: 10}\n      240: {crf: 30, profile: baseline}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    const Gm__EncodeParams *e = encode_of(p);
    assert_int_equal(e->crf, 20);
    assert_int_equal(e->bit_depth, 8);
    assert_int_equal(e->n_renditions, 3);
    const Gm__EncodeParams *r = e->renditions[0]->encode;
    assert_int_equal(e->renditions[0]->short_side, 1080);
    assert_string_equal(r->codec, "hevc");
    assert_string_equal(r->preset, "slow");
    assert_string_equal(r->level, "");
    assert_int_equal(r->crf, 26);
    assert_int_equal(r->bit_depth, 10);
    assert_int_equal(r->n_renditions, 0);
    assert_true(fabs(r->maxrate_scale - 0.5) < 1e-12);
    r = e->renditions[1]->encode;
    assert_string_equal(r->codec, "h264");
    assert_string_equal(r->level, "5.1");
    assert_int_equal(r->crf, -1);
    assert_int_equal(r->qp, 30);
    assert_int_equal(r->bit_depth, 10);
    r = e->renditions[2]->encode;
    assert_int_equal(r->crf, 30);
    assert_int_equal(r->qp, -1);
    assert_string_equal(r->profile, "baseline");
    gm__pipeline__free_unpacked(p, NULL);
}

static void hdr_is_kept_in_ten_bits_and_not_by_another_codec(void **state)
{
    static const char text[] =
        BASE "  v:\n    type: encode\n    needs: [s]\n    codec: hevc\n    hdr: keep\n"
             "    renditions:\n      1080: {hdr: sdr}\n      720: {crf: 20}\n"
             "      240: {codec: h264}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    const Gm__EncodeParams *e = encode_of(p);
    assert_string_equal(e->hdr, "keep");
    assert_int_equal(e->bit_depth, 10);
    assert_string_equal(e->background, "#000000");
    assert_string_equal(e->renditions[0]->encode->hdr, "sdr");
    assert_string_equal(e->renditions[1]->encode->hdr, "keep");
    assert_int_equal(e->renditions[1]->encode->bit_depth, 10);
    assert_string_equal(e->renditions[2]->encode->hdr, "");
    assert_int_equal(e->renditions[2]->encode->bit_depth, 8);
    gm__pipeline__free_unpacked(p, NULL);
}

static void aims_reach_the_renditions(void **state)
{
    static const char text[] =
        BASE "  z: {type: analyze, needs: [s]}\n"
             "  v:\n    type: encode\n    needs: [s, z]\n    quality: {target: 0.97, samples: 9}\n"
             "    renditions:\n      1080: {codec: hevc}\n      720: {crf: 30}\n"
             "      480: {bitrate: 700k, maxrate: 1M}\n      240: {maxrate_scale: 2}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    const Gm__EncodeParams *e = encode_of(p);
    assert_string_equal(e->quality->metric, "ssim");
    assert_int_equal(e->quality->min_crf, 15);
    assert_int_equal(e->quality->max_crf, 35);
    assert_int_equal(e->quality->samples, 9);
    const Gm__EncodeParams *r = e->renditions[0]->encode;
    assert_int_equal(r->quality->min_crf, 18); /* of its own codec */
    assert_int_equal(r->quality->max_crf, 38);
    assert_false(e->renditions[0]->own_cap || e->renditions[0]->own_bitrate);
    r = e->renditions[1]->encode;
    assert_null(r->quality);
    assert_int_equal(r->crf, 30);
    r = e->renditions[2]->encode;
    assert_null(r->quality);
    assert_int_equal(r->bitrate_bps, 700000);
    assert_int_equal(r->maxrate_bps, 1000000);
    assert_true(e->renditions[2]->own_cap && e->renditions[2]->own_bitrate);
    r = e->renditions[3]->encode;
    assert_non_null(r->quality);
    assert_true(e->renditions[3]->own_cap);
    gm__pipeline__free_unpacked(p, NULL);
}

static void value_text(const struct gm_pipeline_param *row, char out[256])
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *const *c = row->choices; c != NULL && *c != NULL; c++) {
        used += (size_t)snprintf(out + used, 256 - used, "%s%s", used != 0 ? ", " : "", *c);
    }
    if (row->type == GM_PARAM_LANGUAGE) {
        (void)snprintf(out + used, 256 - used, "%san ISO 639-2 code", used != 0 ? " or " : "");
        return;
    }
    if (row->type == GM_PARAM_WORDS) {
        (void)snprintf(out + used, 256 - used, ": a list of these");
        return;
    }
    if (row->choices != NULL) {
        return;
    }
    switch (row->type) {
    case GM_PARAM_BOOL:
        (void)snprintf(out, 256, "true or false");
        break;
    case GM_PARAM_FILE:
        (void)snprintf(out, 256, "a file name");
        break;
    case GM_PARAM_WORD:
        (void)snprintf(out, 256, "a word");
        break;
    case GM_PARAM_RUNGS:
    case GM_PARAM_MAP:
        (void)snprintf(out, 256, "a map, see below");
        break;
    case GM_PARAM_SIDES:
        (void)snprintf(out, 256, "1 to 16 even numbers, falling, %.0f..%.0f", row->min, row->max);
        break;
    case GM_PARAM_SIZE:
    case GM_PARAM_RATE:
        (void)snprintf(out, 256, "%.0f..%.0f, `k` and `M` allowed", row->min, row->max);
        break;
    default:
        (void)snprintf(out, 256, "%.10g..%.10g", row->min, row->max);
        break;
    }
}

static void manual_holds_every_option(void **state)
{
    struct gm_err err = {0};
    uint8_t *doc = NULL;
    size_t size = 0;
    int missing = 0;
    size_t rows = 0;
    size_t lines = 0;
    (void)state;
    ASSERT_OK(gm_fs_read(GM_SOURCE_DIR "/docs/pipelines.md", 1 << 20, &doc, &size, &err));
    for (const struct gm_pipeline_param *row = gm_pipeline_params(); row->task != NULL; row++) {
        char value[256];
        char line[1024];
        char def[128];
        value_text(row, value);
        (void)snprintf(def, sizeof def, row->def != NULL ? "`%s`" : "%s",
                       row->def != NULL ? row->def
                       : row->required  ? "required"
                                        : "unset");
        (void)snprintf(line, sizeof line, "\n| `%s` | %s | %s | %s |\n", row->name, value, def,
                       row->doc);
        rows++;
        const char *section = NULL;
        char head[64];
        (void)snprintf(head, sizeof head, "\n## %s\n", row->task);
        section = strstr((const char *)doc, head);
        const char *found = section != NULL ? strstr(section, line) : NULL;
        const char *end = section != NULL ? strstr(section + 3, "\n## ") : NULL;
        if (found == NULL || (end != NULL && found > end)) {
            print_error("docs/pipelines.md, section %s, lacks:%s", row->task, line);
            missing++;
        }
    }
    for (const char *s = (const char *)doc; (s = strstr(s, "\n| `")) != NULL; s += 4) {
        lines++;
    }
    assert_int_equal(missing, 0);
    struct shipped shipped;
    list_shipped(&shipped);
    assert_int_equal(lines, rows + shipped.count + 11); /* and the task types */
    free(doc);
}

static void assets_are_checked(void **state)
{
    static const char text[] =
        BASE "  v: {type: encode, needs: [s], watermark: {image: l.png}}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    assert_int_equal(gm_pipeline_check_assets(p, &err), -GM_E_CONFIG);
    assert_int_equal(gm_pipeline_add_asset(p, "../l.png", "x", 1, &err), -GM_E_INVAL);
    ASSERT_OK(gm_pipeline_add_asset(p, "l.png", "x", 1, &err));
    assert_int_equal(gm_pipeline_check_assets(p, &err), -GM_E_BAD_IMAGE);
    assert_non_null(strstr(err.text, "`l.png`"));
    /* up to the frame header of 256x1 */
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 1, 0, 1, 1, 0x11, 0};
    free(p->assets[0]->data.data);
    p->assets[0]->data.data = malloc(sizeof jpeg);
    memcpy(p->assets[0]->data.data, jpeg, sizeof jpeg);
    p->assets[0]->data.len = sizeof jpeg;
    ASSERT_OK(gm_pipeline_check_assets(p, &err));
    assert_int_equal(gm_pipeline_add_asset(p, "l.png", "x", 1, &err), -GM_E_INVAL);
    assert_int_equal(gm_pipeline_add_asset(p, "b.png", text, GM_PIPELINE_MAX_ASSET_BYTES + 1, &err),
                     -GM_E_LIMIT);
    ASSERT_OK(gm_pipeline_add_asset(p, "c.png", "y", 1, &err));
    assert_int_equal(gm_pipeline_check_assets(p, &err), -GM_E_CONFIG);
    gm__pipeline__free_unpacked(p, NULL);
}

static void names_are_found_in_folders(void **state)
{
    static const char wanted[] = VIDEO PACK;
    char *folders[] = {*state, (char *)(uintptr_t)GM_SOURCE_DIR "/config/pipelines", NULL};
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    char *yaml = NULL;
    write_file(*state, "vod-h264.yaml", wanted, strlen(wanted));
    ASSERT_OK(gm_pipeline_find(folders, "vod-h264", &p, &yaml, &err));
    assert_string_equal(yaml, wanted); /* the first folder wins */
    gm__pipeline__free_unpacked(p, NULL);
    free(yaml);
    assert_int_equal(gm_pipeline_find(folders, "thumbnail", &p, NULL, &err), -GM_E_NOTFOUND);
    assert_non_null(strstr(err.text, "did you mean `thumbnails`?"));
    assert_int_equal(gm_pipeline_find(folders, "../x", &p, NULL, &err), -GM_E_NOTFOUND);
}

static void listing_is_sorted_and_single(void **state)
{
    char *folders[] = {*state, (char *)(uintptr_t)GM_SOURCE_DIR "/config/pipelines", NULL};
    struct shipped both = {.count = 0}, shipped;
    struct gm_err err = {0};
    write_file(*state, "vod-h264.yaml", "x", 1);
    write_file(*state, "Not A Name.yaml", "x", 1);
    write_file(*state, "other.txt", "x", 1);
    ASSERT_OK(gm_pipeline_list(folders, take_name, &both, &err));
    list_shipped(&shipped);
    assert_int_equal(both.count, shipped.count); /* vod-h264 is in both folders */
    for (size_t i = 1; i < both.count; i++) {
        assert_true(strcmp(both.names[i - 1], both.names[i]) < 0);
    }
    folders[0] = (char *)(uintptr_t) "/nonexistent";
    assert_int_equal(gm_pipeline_list(folders, take_name, &both, &err), -GM_E_SYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_pipelines_load),
        cmocka_unit_test(written_defaults_equal_the_table),
        cmocka_unit_test(values_reach_the_message),
        cmocka_unit_test(renditions_take_over_what_they_do_not_name),
        cmocka_unit_test(hdr_is_kept_in_ten_bits_and_not_by_another_codec),
        cmocka_unit_test(aims_reach_the_renditions),
        cmocka_unit_test(manual_holds_every_option),
        cmocka_unit_test(assets_are_checked),
        cmocka_unit_test_setup_teardown(names_are_found_in_folders, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(listing_is_sorted_and_single, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
