#!/usr/bin/env bash
# The state's PostgreSQL backend against a server: tests/scheduler/test_postgres.c.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pg_lib.sh"
export GOPMILL_TEST_POSTGRES="postgresql://farm@/postgres?host=$pg"
export GOPMILL_TEST_PSQL="$pg_bin/psql -X -q -A -t -h $pg -U farm -d postgres -o /dev/null -c"
check "rows, events, the lead and broken connections" status 0 "$bin/../tests/scheduler_test_postgres"
cat "$work/out"
check "none was skipped" sh -c "! grep -q SKIPPED '$work/out'"
check "and all of them ran" grep -qF "[  PASSED  ] 11 test(s)" "$work/out"
finish
