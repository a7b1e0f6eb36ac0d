#!/usr/bin/env bash
# The state's PostgreSQL backend against a server: tests/scheduler/test_postgres.c, tests/sim/test_check_postgres.c, and --check-store.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pg_lib.sh"
export GOPMILL_TEST_POSTGRES="postgresql://farm@/postgres?host=$pg"
export GOPMILL_TEST_PSQL="$pg_bin/psql -X -q -A -t -h $pg -U farm -d postgres -o /dev/null -c"
check "rows, events, the lead and broken connections" status 0 "$bin/../tests/scheduler_test_postgres"
cat "$work/out"
check "none was skipped" sh -c "! grep -q SKIPPED '$work/out'"
check "and all of them ran" grep -qF "[  PASSED  ] $(grep -c ' cmocka_unit_test(' "$top/tests/scheduler/test_postgres.c") test(s)" "$work/out"

# --check-store
check "what is whole, and what is not, is told" status 0 "$bin/../tests/sim_test_check_postgres"
cat "$work/out"
check "none of that was skipped" sh -c "! grep -q SKIPPED '$work/out'"
check_store() { "$bin/gopmill-scheduler" --check-store --state "postgresql://farm:secret@/postgres?host=$pg" "$@"; }
check "the program ends with 0 where it is whole" status 0 check_store
check "and counts" said ": ok"
check "without the password" sh -c "! grep -q secret '$work/out'"
psql "INSERT INTO gopmill_row VALUES(99, 3, 0, '', '')" >/dev/null
check "with 1 where it is not" status 1 check_store --json
check "and names it" said "1 rows of \`item\` are of job 99"
psql "ALTER TABLE gopmill_row RENAME TO gone" >/dev/null
check "with 1 where no state is" status 1 check_store
check "which is said" said "no state is in that database"
check "its log has no password either" sh -c "! grep -q secret '$work/out'"
check "schemas are of folders" status 2 "$bin/gopmill-scheduler" --migrate-store 1 --state "postgresql://farm@/postgres?host=$pg"
finish
