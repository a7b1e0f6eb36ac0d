/* What was acknowledged outlives a power cut, whatever failed before: the model of power.h. */
#include "tests/scheduler/schema1.h"

#include <sys/stat.h>

#include "scheduler/store/state.h"
#include "tests/scheduler/power.h"

#define BATCHES 400
#define LIVES 6
#define SEEDS 60

/* A history: lives of a scheduler one after the other, each in a folder of its own. */
struct history {
    const char *root;
    char folder[512]; /* of the life that runs */
    int life;
    struct gm_state *s; /* of it; NULL: it could not be opened */
    uint64_t term;      /* the highest that was told */
    int next;           /* batch */
    bool acked[BATCHES];
    size_t sizes[BATCHES];
    uint8_t *filler;
};

static void folder_of(struct history *h, int life, char out[512])
{
    char name[16];
    (void)snprintf(name, sizeof name, "%d", life);
    path_in(out, h->root, name);
    assert_int_equal(mkdir(out, 0755), 0);
}

static void open_state(struct history *h)
{
    struct gm_err err = {0};
    if (gm_state_open(h->folder, &h->s, &err) < 0) {
        if (!power_is_off()) {
            fail_msg("life %d: %s", h->life, err.text);
        }
        h->s = NULL;
        return;
    }
    assert_true(gm_state_term(h->s) > h->term); /* two schedulers never have one */
    h->term = gm_state_term(h->s);
}

static void begin(struct history *h, const char *root, uint32_t seed)
{
    *h = (struct history){.root = root, .filler = calloc(1, 2 << 20)};
    assert_non_null(h->filler);
    folder_of(h, 0, h->folder);
    power_start(seed, h->folder);
    open_state(h);
}

static void end(struct history *h)
{
    gm_state_close(&h->s);
    power_stop();
    free(h->filler);
}

/* Two rows with one number, and that many bytes of it. True: it was acknowledged. */
static bool commit(struct history *h, size_t size)
{
    struct gm_err err = {0};
    assert_true(h->next < BATCHES && size <= 2 << 20);
    uint64_t job = (uint64_t)h->next + 1;
    struct gm_row rows[] = {
        {.key = {.kind = GM_ROW_JOB, .job = job}, .data = h->filler, .size = size},
        {.key = {.kind = GM_ROW_TASK, .job = job}, .data = h->filler, .size = size}};
    struct gm_state_batch batch = {.rows = rows, .row_count = 2};
    memset(h->filler, h->next, size);
    h->sizes[h->next] = size;
    h->acked[h->next] = h->s != NULL && gm_state_commit(h->s, &batch, &err) == 0;
    if (h->acked[h->next]) {
        GM_IGNORE(gm_state_tidy(h->s, &err), "what failed is found by the next commit");
    }
    return h->acked[h->next++];
}

static void move(struct history *h, const char *to)
{
    struct gm_err err = {0};
    gm_state_close(&h->s);
    ASSERT_OK(gm_fs_remove_tree(h->folder, &err));
    (void)strcpy(h->folder, to);
}

static void restart(struct history *h)
{
    char to[512];
    folder_of(h, ++h->life, to);
    power_restart(h->folder, to);
    move(h, to);
}

static void cut(struct history *h, bool all_lost)
{
    char to[512];
    folder_of(h, ++h->life, to);
    power_cut(to, all_lost);
    move(h, to);
    open_state(h);
}

struct seen {
    const struct history *h;
    bool rows[BATCHES][2];
};

static int see(const struct gm_key *key, const void *data, size_t size, void *arg,
               struct gm_err *err)
{
    struct seen *seen = arg;
    const uint8_t *bytes = data;
    int number = (int)key->job - 1;
    (void)err;
    assert_true(number >= 0 && number < seen->h->next);
    assert_int_equal(size, seen->h->sizes[number]);
    for (size_t i = 0; i < size; i += 500) {
        assert_int_equal(bytes[i], (uint8_t)number);
    }
    seen->rows[number][key->kind == GM_ROW_TASK] = true;
    return 0;
}

/* Every batch is there whole or not at all, and there is what was acknowledged. */
static void check(const struct history *h)
{
    struct gm_err err = {0};
    struct seen seen = {.h = h};
    assert_non_null(h->s);
    ASSERT_OK(gm_state_load(h->s, see, &seen, &err));
    for (int i = 0; i < h->next; i++) {
        assert_int_equal(seen.rows[i][0], seen.rows[i][1]);
        if (h->acked[i] && !seen.rows[i][0]) {
            fail_msg("life %d: batch %d of %d was acknowledged and is lost", h->life, i, h->next);
        }
    }
}

/* The fsync of a commit fails. The next process finds its frames in the cache, goes on behind
 * them, and then the power goes: the disk never got them. */
static void commits_after_a_failed_fsync_outlive_a_power_cut(void **state)
{
    struct history h;
    begin(&h, *state, 1);
    assert_true(commit(&h, 100) && commit(&h, 5000));
    power_fail_sync("state.db-wal", 1);
    assert_false(commit(&h, 100));
    restart(&h);
    open_state(&h);
    check(&h);
    assert_true(commit(&h, 100) && commit(&h, 5000));
    cut(&h, true);
    check(&h);
    assert_true(commit(&h, 100));
    cut(&h, true);
    check(&h);
    end(&h);
}

/* Nor does the try change what the disk has. */
static void a_state_is_not_opened_on_what_the_disk_does_not_take(void **state)
{
    struct history h;
    struct gm_err err = {0};
    begin(&h, *state, 1);
    for (int i = 0; i < 20; i++) {
        assert_true(commit(&h, 900));
    }
    gm_state_close(&h.s); /* which leaves all of it in the database */
    open_state(&h);
    power_fail_sync("state.db-wal", 1);
    assert_false(commit(&h, 70000));
    restart(&h);
    power_fail_sync("state.db-wal", 1);
    assert_int_equal(gm_state_open(h.folder, &h.s, &err), -GM_E_SYS);
    assert_non_null(strstr(err.text, "could not write its log again"));
    assert_null(h.s);
    cut(&h, true);
    check(&h);
    assert_true(commit(&h, 70000));
    cut(&h, true);
    check(&h);
    end(&h);
}

static uint32_t draw(uint64_t *random, uint32_t below)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 33) % below;
}

/* A life with commits of all sizes, some of which bring a checkpoint, until something fails. */
static void live(struct history *h, uint64_t *random)
{
    static const size_t sizes[] = {0, 100, 100, 900, 5000, 5000, 70000, 1000000};
    int commits = (int)draw(random, 20);
    for (int i = 0; i < commits && commit(h, sizes[draw(random, draw(random, 2) == 0 ? 7 : 8)]);
         i++) {
    }
}

/* A cut at any operation, those of opening included. */
static void acknowledged_commits_outlive_power_cuts(void **state)
{
    unsigned cuts = 0;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct history h;
        uint64_t random = seed;
        char root[512], name[16];
        (void)snprintf(name, sizeof name, "s%u", seed);
        path_in(root, *state, name);
        assert_int_equal(mkdir(root, 0755), 0);
        begin(&h, root, seed);
        while (h.life < LIVES) {
            power_off_after(1 + draw(&random, 60));
            live(&h, &random);
            cuts += power_is_off();
            power_next_off_after(draw(&random, 3) == 0 ? 1 + draw(&random, 12) : 0);
            cut(&h, false);
            if (h.s == NULL) {
                cut(&h, false); /* it went again while the state was opened */
            }
            check(&h);
        }
        end(&h);
    }
    assert_true(cuts > SEEDS);
}

/* Besides, syncs fail, and the next process begins with the cache of the one before. */
static void acknowledged_commits_outlive_failed_fsyncs_too(void **state)
{
    unsigned failures = 0;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct history h;
        uint64_t random = seed;
        char root[512], name[16];
        (void)snprintf(name, sizeof name, "f%u", seed);
        path_in(root, *state, name);
        assert_int_equal(mkdir(root, 0755), 0);
        begin(&h, root, seed);
        while (h.life < LIVES) {
            power_fail_sync(draw(&random, 3) == 0 ? "state.db" : "state.db-wal",
                            1 + draw(&random, 6));
            live(&h, &random);
            failures += h.next > 0 && !h.acked[h.next - 1];
            power_next_off_after(draw(&random, 2) == 0 ? 1 + draw(&random, 12) : 0);
            restart(&h);
            open_state(&h);
            if (h.s == NULL) {
                cut(&h, false);
            }
            check(&h);
            power_fail_sync("state.db-wal", 0);
            power_fail_sync("state.db", 0);
            power_off_after(1 + draw(&random, 60));
            live(&h, &random);
            cut(&h, draw(&random, 2) == 0);
            check(&h);
        }
        end(&h);
    }
    assert_true(failures > SEEDS);
}

static int count_row(const struct gm_key *key, const void *data, size_t size, void *arg,
                     struct gm_err *err)
{
    int *count = arg;
    (void)key;
    (void)data;
    (void)size;
    (void)err;
    ++*count;
    return 0;
}

/* Of schema 1 and of this one, whatever was cut short. */
static void check_whole(const char *folder)
{
    struct gm_state *s = NULL;
    struct gm_err err = {0};
    int count = 0;
    ASSERT_OK(gm_state_open(folder, &s, &err));
    assert_true(gm_state_term(s) == 42 && gm_state_last_event(s) == 9);
    ASSERT_OK(gm_state_load(s, count_row, &count, &err));
    assert_int_equal(count, 13);
    gm_state_close(&s);
}

/* A cut at any operation of a migration, up or down. */
static void migrations_outlive_power_cuts(void **state)
{
    unsigned cuts = 0, down = 0;
    for (uint32_t seed = 1; seed <= 2 * SEEDS; seed++) {
        struct history h = {.root = *state, .life = (int)seed * 10};
        struct gm_err err = {0};
        size_t left;
        char to[512];
        uint64_t random = seed;
        folder_of(&h, h.life, h.folder);
        power_start(seed, h.folder);
        schema1_make(h.folder);
        if (seed % 2 == 0) {
            ASSERT_OK(gm_state_migrate(h.folder, GM_STATE_SCHEMA, &left, &err));
        }
        power_off_after(1 + draw(&random, seed % 2 == 0 ? 60 : 40));
        bool done = gm_state_migrate(h.folder, seed % 2 == 0 ? 1 : 2, &left, &err) == 0;
        cuts += power_is_off() && !done;
        down += power_is_off() && !done && seed % 2 == 0;
        folder_of(&h, ++h.life, to);
        power_cut(to, draw(&random, 2) == 0);
        check_whole(to);
        power_stop();
        ASSERT_OK(gm_fs_remove_tree(h.folder, &err));
        ASSERT_OK(gm_fs_remove_tree(to, &err));
    }
    assert_true(cuts > SEEDS / 2 && down > SEEDS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commits_after_a_failed_fsync_outlive_a_power_cut,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_state_is_not_opened_on_what_the_disk_does_not_take,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(acknowledged_commits_outlive_power_cuts, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(acknowledged_commits_outlive_failed_fsyncs_too, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(migrations_outlive_power_cuts, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
