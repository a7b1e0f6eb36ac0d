#!/usr/bin/env bash
# The state's PostgreSQL backend against a server: tests/scheduler/test_postgres.c.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pg_lib.sh"
export GOPMILL_TEST_POSTGRES="postgresql://farm@/postgres?host=$pg"
export GOPMILL_TEST_PSQL="$pg_bin/psql -X -q -A -t -h $pg -U farm -d postgres -o /dev/null -c"
check "rows, events, the lead and broken connections" "$bin/../tests/scheduler_test_postgres"
check "none was skipped" sh -c "! '$bin/../tests/scheduler_test_postgres' 2>&1 | grep -q SKIPPED"
finish
