#ifndef GM_TESTS_SCHEDULER_SCHEMA1_H
#define GM_TESTS_SCHEDULER_SCHEMA1_H

#include "tests/scheduler/helper.h"

#include <sqlite3.h>

#include "scheduler/core/key.h"
#include "state.pb-c.h"

/* A state folder as the programs of schema 1 made it: their tables, in SQL, and their rows. */
static const char SCHEMA1_TABLES[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rows(kind INTEGER NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(kind, key)) WITHOUT ROWID;"
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, job TEXT NOT NULL, type TEXT NOT NULL,"
    " json TEXT NOT NULL, unix_ms INTEGER NOT NULL);"
    "CREATE INDEX events_by_job ON events(job, seq);"
    "INSERT INTO meta VALUES('schema', 1), ('term', 41), ('lease_ms', 9000);"
    "INSERT INTO events VALUES(1, 'jb', 'job.state', '{\"id\":\"jb\"}', 5),"
    " (2, 'ja', 'task', '{}', 6), (3, 'gone', 'task', '{}', 7), (9, 'jb', 'task', '{}', 8);";

static inline sqlite3 *schema1_db(const char *folder)
{
    char path[512];
    sqlite3 *db = NULL;
    path_in(path, folder, "state.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static inline void schema1_exec(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) {
        fail_msg("%s: %s", sql, text);
    }
}

static inline void schema1_put(sqlite3 *db, enum gm_row_kind kind, const char *key,
                               const ProtobufCMessage *row)
{
    sqlite3_stmt *st = NULL;
    size_t size = protobuf_c_message_get_packed_size(row);
    uint8_t *data = malloc(size + 1);
    assert_non_null(data);
    (void)protobuf_c_message_pack(row, data);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO rows VALUES(?1, ?2, ?3)", -1, &st, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_int(st, 1, (int)kind);
    (void)sqlite3_bind_text(st, 2, key, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob64(st, 3, data, size, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    (void)sqlite3_finalize(st);
    free(data);
}

static inline void schema1_put_job(sqlite3 *db, char *id, uint64_t seq)
{
    Gm__PipelineTask tasks[2] = {GM__PIPELINE_TASK__INIT, GM__PIPELINE_TASK__INIT};
    Gm__PipelineTask *list[2] = {&tasks[0], &tasks[1]};
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    Gm__JobRow job = GM__JOB_ROW__INIT;
    tasks[0].name = (char *)(seq == 1 ? "look" : "cut");
    tasks[1].name = (char *)(seq == 1 ? "cut" : "look");
    tasks[0].type = tasks[1].type = (char *)"split";
    pipeline.tasks = list;
    pipeline.n_tasks = 2;
    job.id = id;
    job.seq = seq;
    job.pipeline = &pipeline;
    schema1_put(db, GM_ROW_JOB, id, &job.base);
}

/* One row of each kind of the job, and an item more. */
static inline void schema1_put_rows(sqlite3 *db, char *id)
{
    char key[256];
    Gm__Object object = GM__OBJECT__INIT;
    Gm__Item item = GM__ITEM__INIT;
    Gm__TaskRow task = GM__TASK_ROW__INIT;
    Gm__ItemRow row = GM__ITEM_ROW__INIT;
    Gm__ObjectRow granted = GM__OBJECT_ROW__INIT;
    Gm__AttemptRow attempt = GM__ATTEMPT_ROW__INIT;
    task.job_id = row.job_id = granted.job_id = attempt.job_id = id;
    task.task = row.task = attempt.task = (char *)"cut";
    task.instance = row.instance = 3;
    task.meta = (ProtobufCBinaryData){4, (uint8_t *)"meta"};
    (void)snprintf(key, sizeof key, "%s/cut/3", id);
    schema1_put(db, GM_ROW_TASK, key, &task.base);
    for (uint32_t i = 0; i < 2; i++) {
        item.stream = 1 + i;
        item.index = 7 * i;
        row.item = &item;
        (void)snprintf(key, sizeof key, "%s/cut/3/%u/%u", id, 1 + i, 7 * i);
        schema1_put(db, GM_ROW_ITEM, key, &row.base);
    }
    object.store = GM__OBJECT_STORE__STORE_OUT;
    object.key = (char *)"v/0123/a/b.m4s";
    object.size = 1234;
    granted.object = &object;
    (void)snprintf(key, sizeof key, "%s/%d/v/0123/a/b.m4s", id, (int)object.store);
    schema1_put(db, GM_ROW_OBJECT, key, &granted.base);
    attempt.number = 12;
    attempt.node_id = (char *)"n1";
    attempt.outcome = 2;
    (void)snprintf(key, sizeof key, "%s/12", id);
    schema1_put(db, GM_ROW_ATTEMPT, key, &attempt.base);
}

static inline void schema1_make(const char *folder)
{
    Gm__NodeRow node = GM__NODE_ROW__INIT;
    sqlite3 *db = schema1_db(folder);
    schema1_exec(db, "PRAGMA journal_mode=WAL; BEGIN;");
    schema1_exec(db, SCHEMA1_TABLES);
    schema1_put_job(db, (char *)"jb", 1);
    schema1_put_job(db, (char *)"ja", 2);
    schema1_put_rows(db, (char *)"jb");
    schema1_put_rows(db, (char *)"ja");
    node.node_id = (char *)"n9";
    node.draining = true;
    schema1_put(db, GM_ROW_NODE, "n9", &node.base);
    schema1_exec(db, "COMMIT");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#endif
