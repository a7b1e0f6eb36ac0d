/* Jobs through the daemon whose stores are away, marked as others, or lack what was made. */
#include "tests/scheduler/daemon_story.h"

/* What encode committed is lost or cut before package is done. */
#define OTHER "out/a/v/" PUBLICATION "/other"

static void finish_without(struct farm *f, struct node *n, const char *left, char id[64])
{
    Gm__PackageMeta package = GM__PACKAGE_META__INIT;
    char path[512];
    farm_submit(f, PIPELINE, "", id);
    node_work(n, 4);
    Gm__Envelope *env = node_wait(n, GM__ENVELOPE__BODY_ASSIGN);
    path_in(path, f->folder, "out/a/" SEGMENT);
    if (left == NULL) { /* what holds it is there */
        write_file(f->folder, OTHER, "other", 5);
    }
    assert_int_equal(left != NULL ? truncate(path, (off_t)strlen(left)) : unlink(path), 0);
    package.master_m3u8 = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t) "master"};
    package.manifest_mpd = (ProtobufCBinaryData){8, (uint8_t *)(uintptr_t) "manifest"};
    n->assign = env->assign;
    node_done(n, &package.base, false);
    gm__envelope__free_unpacked(env, NULL);
}

static bool log_says(const struct farm *f, const char *words)
{
    char path[512];
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_err err = {0};
    path_in(path, f->folder, "log");
    ASSERT_OK(gm_fs_read(path, 1 << 20, &text, &size, &err));
    bool says = strstr((const char *)text, words) != NULL;
    free(text);
    return says;
}

static void wait_for_log(const struct farm *f, const char *words)
{
    for (int i = 0; i < 2400 && !log_says(f, words); i++) {
        (void)poll(NULL, 0, 50);
    }
    if (!log_says(f, words)) {
        fail_msg("the log never said: %s", words);
    }
}

/* As a mount point without its file system is: an empty folder is in the store's place. */
static void store_goes(char *folder, const char *name)
{
    char path[512], aside[512];
    path_in(path, folder, name);
    path_in(aside, folder, "aside");
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(mkdir(path, 0777), 0);
}

static void store_comes_back(char *folder, const char *name)
{
    char path[512], aside[512];
    path_in(path, folder, name);
    path_in(aside, folder, "aside");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(aside, path), 0);
}

/* The node ends the assigned task, its last; env is taken. */
static void package_done(struct node *n, Gm__Envelope *env)
{
    Gm__PackageMeta package = GM__PACKAGE_META__INIT;
    package.master_m3u8 = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t) "master"};
    n->assign = env->assign;
    node_done(n, &package.base, false);
    gm__envelope__free_unpacked(env, NULL);
}

static void a_destination_that_is_away_is_waited_for(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4);
    Gm__Envelope *env = node_wait(&n, GM__ENVELOPE__BODY_ASSIGN);
    store_goes(*state, "out/a");
    package_done(&n, env);
    wait_for_log(&f, "is its file system mounted?");
    assert_false(farm_has(&f, "out/a/report.json"));
    store_comes_back(*state, "out/a");
    wait_for(&f, id, "job.done");
    assert_true(farm_has(&f, "out/a/master.m3u8"));
    farm_stop(&f);
    node_close(&n);
}

/* Without its mark the empty folder would pass for one that is clean already. */
static void a_work_store_that_is_away_is_cleaned_when_it_is_back(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4);
    Gm__Envelope *env = node_wait(&n, GM__ENVELOPE__BODY_ASSIGN);
    assert_false(work_store_is_empty(&f));
    store_goes(*state, "s/work");
    package_done(&n, env);
    wait_for(&f, id, "job.done");
    farm_stop(&f);
    assert_true(log_says(&f, "cleanup_failed"));
    assert_true(log_says(&f, "is its file system mounted?"));
    store_comes_back(*state, "s/work");
    assert_false(work_store_is_empty(&f));
    farm_start(&f, *state);
    farm_stop(&f);
    assert_true(work_store_is_empty(&f));
    node_close(&n);
}

/* A scheduler starts before the file system of its work store is there. */
static void a_work_store_that_came_later_is_cleaned(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    char body[2048];
    char path[512];
    char moved[512];
    begin(&f, &n, *state);
    path_in(path, *state, "s/work");
    path_in(moved, *state, "s/below");
    write_file(*state, "s/work/.gm-store", "01k00000000000000000000000", 26);
    assert_int_equal(rename(path, moved), 0);
    (void)snprintf(body, sizeof body, "{\"pipeline\":%s,\"source\":\"%s\",\"destination\":\"%s\"}",
                   PIPELINE, f.source, f.destination);
    farm_expect(&f, "POST", "/v1/jobs", body, 502, "storage.failed");
    assert_int_equal(mkdir(path, 0755), 0);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    farm_stop(&f);
    assert_true(work_store_is_empty(&f));
    assert_true(farm_has(&f, "s/work/.gm-store"));
    assert_false(log_says(&f, "cleanup_failed"));
    node_close(&n);
}

/* Marks that can't be read are those of stores that are away, at the next start too. */
static void stores_with_bad_marks_are_waited_for(void **state)
{
    static const char *const names[] = {"out/a/.gm-store", "s/work/.gm-store"};
    static const char *const bad[] = {"", "edited by hand"};
    struct farm f;
    struct node n;
    char id[64];
    char path[512];
    uint8_t *marks[2] = {NULL};
    size_t size = 0;
    struct gm_err err = {0};
    begin(&f, &n, *state);
    n.fail_at = "package";
    n.fail_code = GM_E_INPUT_NO_VIDEO;
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4);
    for (size_t i = 0; i < 2; i++) {
        path_in(path, *state, names[i]);
        ASSERT_OK(gm_fs_read(path, 64, &marks[i], &size, &err));
        assert_int_equal(size, GM_ID_SIZE - 1);
        write_file(*state, names[i], bad[i], strlen(bad[i]));
    }
    node_work(&n, 1);
    wait_for_log(&f, "it has a bad one");
    farm_stop(&f);
    write_file(*state, "log", "", 0);
    farm_start(&f, *state);
    wait_for_log(&f, "it has a bad one");
    farm_stop(&f);
    assert_false(farm_has(&f, "out/a/report.json"));
    assert_true(farm_has(&f, "out/a/" SEGMENT));
    write_file(*state, names[0], (const char *)marks[0], GM_ID_SIZE - 1);
    node_close(&n);
    begin(&f, &n, *state);
    node_renew(&n); /* its lease of before ended */
    wait_for(&f, id, "job.failed");
    wait_for_log(&f, "cleanup_failed"); /* the work store's */
    farm_stop(&f);
    assert_true(farm_has(&f, "out/a/report.json"));
    assert_false(farm_has(&f, "out/a/" SEGMENT));
    assert_false(work_store_is_empty(&f));
    write_file(*state, names[1], (const char *)marks[1], GM_ID_SIZE - 1);
    node_close(&n);
    begin(&f, &n, *state);
    node_renew(&n);
    for (int i = 0; i < 2400 && !work_store_is_empty(&f); i++) {
        (void)poll(NULL, 0, 50);
    }
    assert_true(work_store_is_empty(&f));
    farm_stop(&f);
    node_close(&n);
    free(marks[0]);
    free(marks[1]);
}

/* Its outputs are the proof: the mark was made anew, broke or went. */
static void a_finished_job_is_published_whatever_the_mark_is(void **state)
{
    static const char *const marks[] = {"01k00000000000000000000000", "broken", NULL};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct farm f;
        struct node n;
        char id[64];
        char path[512];
        void *folder = NULL;
        assert_int_equal(make_folder(&folder), 0);
        begin(&f, &n, folder);
        farm_submit(&f, PIPELINE, "", id);
        node_work(&n, 4);
        path_in(path, folder, "out/a/.gm-store");
        assert_int_equal(unlink(path), 0);
        if (marks[i] != NULL) {
            write_file(folder, "out/a/.gm-store", marks[i], strlen(marks[i]));
        }
        node_work(&n, 1);
        wait_for(&f, id, "job.done");
        farm_stop(&f);
        expect_file(&f, "out/a/master.m3u8", "master");
        assert_true(farm_has(&f, "out/a/report.json"));
        assert_true(work_store_is_empty(&f));
        node_close(&n);
        assert_int_equal(remove_folder(&folder), 0);
    }
    (void)state;
}

/* The same once more makes a segment of another name and fails: that goes, unless what is published
 * names it. */
static void what_fails_beside_a_result_leaves_nothing_but_that(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        struct farm f;
        struct node n;
        char id[64];
        void *folder = NULL;
        assert_int_equal(make_folder(&folder), 0);
        begin(&f, &n, folder);
        n.master = named ? "video/360p/seg-00001-b.m4s" : NULL;
        farm_submit(&f, PIPELINE, "", id);
        node_work(&n, 5);
        wait_for(&f, id, "job.done");
        n.segment = "video/360p/seg-00001-b.m4s";
        n.fail_at = "package";
        n.fail_code = GM_E_PIPELINE_UNFIT;
        farm_submit(&f, PIPELINE, "", id);
        node_work(&n, 4);
        assert_true(farm_has(&f, "out/a/v/" PUBLICATION "/video/360p/seg-00001-b.m4s"));
        node_work(&n, 1);
        wait_for(&f, id, "job.failed");
        farm_stop(&f);
        assert_true(farm_has(&f, "out/a/" SEGMENT));
        assert_true(farm_has(&f, "out/a/master.m3u8"));
        assert_int_equal(farm_has(&f, "out/a/v/" PUBLICATION "/video/360p/seg-00001-b.m4s"), named);
        assert_true(work_store_is_empty(&f));
        node_close(&n);
        assert_int_equal(remove_folder(&folder), 0);
    }
}

static void make_note(const struct farm *f, const char *publication, const char *text)
{
    char command[512], name[128];
    (void)snprintf(command, sizeof command, "mkdir -p '%s/out/a/replaced'", f->folder);
    assert_int_equal(system(command), 0);
    (void)snprintf(name, sizeof name, "out/a/replaced/%s", publication);
    write_file(f->folder, name, text, strlen(text));
}

static void nothing_is_published_without_its_outputs(void **state)
{
    static const struct {
        const char *left; /* of "a segment"; NULL: nothing */
        const char *text;
    } rows[] = {
        {NULL, SEGMENT " was no longer in the destination, with 9 bytes"},
        {"a seg", SEGMENT " had 5 bytes in the destination instead of 9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct farm f;
        struct node n;
        char id[64];
        void *folder = NULL;
        assert_int_equal(make_folder(&folder), 0);
        begin(&f, &n, folder);
        make_note(&f, PUBLICATION, "{\"until_unix_ms\": 9000000000000}");
        finish_without(&f, &n, rows[i].left, id);
        wait_for(&f, id, "job.failed");
        farm_stop(&f);
        assert_false(farm_has(&f, "out/a/master.m3u8"));
        assert_false(farm_has(&f, "out/a/manifest.mpd"));
        assert_false(farm_has(&f, "out/a/replaced/" PUBLICATION)); /* before they were looked for */
        assert_int_equal(farm_has(&f, OTHER), rows[i].left == NULL);
        assert_false(farm_has(&f, "out/a/" SEGMENT));
        json_t *j = report_of(&f);
        json_t *error = json_array_get(json_object_get(j, "errors"), 0);
        assert_string_equal(json_string_value(json_object_get(error, "code")), "storage.corrupt");
        assert_string_equal(json_string_value(json_object_get(error, "blame")), "storage");
        assert_string_equal(json_string_value(json_object_get(error, "text")), rows[i].text);
        json_decref(j);
        assert_true(work_store_is_empty(&f));
        node_close(&n);
        assert_int_equal(remove_folder(&folder), 0);
    }
    (void)state;
}

/* What was published there before goes when its time is over, unless another job makes it. */
static void an_older_publication_goes_after_its_time(void **state)
{
    static const char over[] = "{\"until_unix_ms\": 1}";
    static const char report[] =
        "{\"job\": {\"id\": \"x\", \"state\": \"done\", \"publication\": \"" GPU_PUBLICATION "\"}}";
    struct farm f;
    struct node n;
    char id[64];
    char path[512];
    begin(&f, &n, *state);
    (void)snprintf(path, sizeof path,
                   "mkdir -p '%s/out/a/" GPU_SEGMENT "' && rmdir '%s/out/a/" GPU_SEGMENT "'",
                   (char *)*state, (char *)*state);
    assert_int_equal(system(path), 0);
    write_file(*state, "out/a/report.json", report, strlen(report));
    write_file(*state, "out/a/" GPU_SEGMENT, "old", 3);
    farm_submit(&f, PIPELINE, ",\"replace\":true", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    farm_stop(&f);
    assert_true(farm_has(&f, "out/a/" GPU_SEGMENT));
    assert_true(farm_has(&f, "out/a/replaced/" GPU_PUBLICATION));
    write_file(*state, "out/a/replaced/" GPU_PUBLICATION, over, strlen(over));
    farm_start(&f, *state);
    for (int i = 0; i < 2400 && farm_has(&f, "out/a/replaced"); i++) {
        (void)poll(NULL, 0, 50);
    }
    farm_stop(&f);
    assert_false(farm_has(&f, "out/a/replaced"));
    assert_false(farm_has(&f, "out/a/v/" GPU_PUBLICATION));
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    node_close(&n);
}

/* What nobody has published is deleted, but not below a job that makes it again. */
static void an_older_publication_that_is_made_again_stays(void **state)
{
    static const char over[] = "{\"until_unix_ms\": 1}";
    static const char report[] =
        "{\"job\": {\"id\": \"x\", \"state\": \"done\", \"publication\": \"other\"}}";
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4);
    farm_stop(&f);
    write_file(*state, "out/a/report.json", report, strlen(report));
    make_note(&f, PUBLICATION, over);
    make_note(&f, GPU_PUBLICATION, over); /* behind it, so it is looked at after it */
    farm_start(&f, *state);
    for (int i = 0; i < 2400 && farm_has(&f, "out/a/replaced/" GPU_PUBLICATION); i++) {
        (void)poll(NULL, 0, 50);
    }
    farm_stop(&f);
    assert_false(farm_has(&f, "out/a/replaced/" GPU_PUBLICATION));
    assert_true(farm_has(&f, "out/a/replaced/" PUBLICATION));
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    node_close(&n);
}

/* Players of it are not through; what made it is not known here. */
static void a_failed_job_leaves_an_older_publication(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    make_note(&f, PUBLICATION, "{\"until_unix_ms\": 9000000000000}");
    n.fail_at = "package";
    n.fail_code = GM_E_PIPELINE_UNFIT;
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.failed");
    farm_stop(&f);
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    assert_true(work_store_is_empty(&f));
    node_close(&n);
}

/* It comes while the job is made, from another farm. */
static void another_title_is_not_published_over(void **state)
{
    static const char report[] =
        "{\"job\": {\"id\": \"x\", \"state\": \"done\", \"publication\": \"" GPU_PUBLICATION
        "\", \"title\": \"\"}}";
    struct farm f;
    struct node n;
    char id[64];
    char body[2048];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4);
    write_file(*state, "out/a/report.json", report, strlen(report));
    write_file(*state, "out/a/master.m3u8", "older", 5);
    node_work(&n, 1);
    wait_for(&f, id, "job.failed");
    (void)snprintf(body, sizeof body, "{\"pipeline\":%s,\"source\":\"%s\",\"destination\":\"%s\"}",
                   PIPELINE, f.source, f.destination);
    farm_expect(&f, "POST", "/v1/jobs", body, 409, "storage.title_exists");
    (void)snprintf(body, sizeof body,
                   "{\"pipeline\":%s,\"source\":\"%s\",\"destination\":\"%s\",\"replace\":1}",
                   PIPELINE, f.source, f.destination);
    farm_expect(&f, "POST", "/v1/jobs", body, 400, "usage.invalid");
    expect_file(&f, "out/a/report.json", report);
    expect_file(&f, "out/a/master.m3u8", "older");
    assert_false(farm_has(&f, "out/a/replaced"));
    farm_submit(&f, PIPELINE, ",\"replace\":true", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    expect_file(&f, "out/a/master.m3u8", "master");
    farm_submit(&f, PIPELINE, "", id); /* the same again */
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    farm_stop(&f);
    assert_false(farm_has(&f, "out/a/replaced/" PUBLICATION));
    assert_true(farm_has(&f, "out/a/replaced/" GPU_PUBLICATION));
    node_close(&n);
}

/* In the work store, of a job that ended, of one that is forgotten, and of one that another
 * scheduler may have taken just now. What an unfinished job has stays. */
static void a_sweep_deletes_what_nobody_needs(void **state)
{
    static const char *const names[] = {"00000000000000000000000000", "7zzzzzzzzzzzzzzzzzzzzzzzzz"};
    struct farm f;
    struct node n;
    char id[64], made[64], needed[128], late[128], other[2][128], command[1024];
    json_t *j = NULL;
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    for (int i = 0; i < 2400 && farm_has(&f, "s/work/jobs"); i++) {
        (void)poll(NULL, 0, 50);
    }
    farm_submit(&f, PIPELINE, "", made);
    node_work(&n, 4);
    (void)snprintf(late, sizeof late, "s/work/jobs/%s/late", id);
    (void)snprintf(needed, sizeof needed, "s/work/jobs/%s/needed", made);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(other[i], sizeof other[i], "s/work/jobs/%s/x", names[i]);
    }
    (void)snprintf(command, sizeof command,
                   "cd '%s/s/work' && mkdir -p jobs/%s jobs/%s jobs/%s jobs/%s", f.folder, id, made,
                   names[0], names[1]);
    assert_int_equal(system(command), 0);
    write_file(*state, late, "late", 4);
    write_file(*state, needed, "x", 1);
    write_file(*state, other[0], "x", 1);
    write_file(*state, other[1], "x", 1);
    farm_expect(&f, "POST", "/v1/storage:sweep", "{\"dry_run\":1}", 400, "usage.invalid");
    assert_int_equal(farm_call(&f, "POST", "/v1/storage:sweep", "{\"dry_run\":true}", &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "found")), 2);
    json_decref(j);
    assert_true(farm_has(&f, late) && farm_has(&f, other[0]));
    assert_int_equal(farm_call(&f, "POST", "/v1/storage:sweep", NULL, &j), 200);
    const json_t *row = json_array_get(json_object_get(j, "found"), 1);
    assert_string_equal(json_string_value(json_object_get(row, "job")), id);
    assert_string_equal(json_string_value(json_object_get(row, "why")), "ended");
    assert_int_equal(json_integer_value(json_object_get(row, "bytes")), 4);
    assert_true(json_is_true(json_object_get(row, "deleted")));
    assert_int_equal(json_integer_value(json_object_get(j, "sweep")), 2);
    json_decref(j);
    /* who lost that answer asks for it by its number */
    assert_int_equal(farm_call(&f, "POST", "/v1/storage:sweep", "{\"sweep\":2}", &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "found")), 2);
    json_decref(j);
    farm_expect(&f, "POST", "/v1/storage:sweep", "{\"sweep\":0}", 400, "usage.invalid");
    farm_expect(&f, "POST", "/v1/storage:sweep", "{\"sweep\":9}", 404, "api.not_found");
    assert_false(farm_has(&f, late) || farm_has(&f, other[0]));
    assert_true(farm_has(&f, other[1]) && farm_has(&f, needed));
    farm_stop(&f);
    node_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_destination_that_is_away_is_waited_for, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_work_store_that_is_away_is_cleaned_when_it_is_back,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_work_store_that_came_later_is_cleaned, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(stores_with_bad_marks_are_waited_for, make_folder,
                                        remove_folder),
        cmocka_unit_test(a_finished_job_is_published_whatever_the_mark_is),
        cmocka_unit_test(what_fails_beside_a_result_leaves_nothing_but_that),
        cmocka_unit_test(nothing_is_published_without_its_outputs),
        cmocka_unit_test_setup_teardown(another_title_is_not_published_over, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_sweep_deletes_what_nobody_needs, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(an_older_publication_goes_after_its_time, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(an_older_publication_that_is_made_again_stays, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_failed_job_leaves_an_older_publication, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
