#!/usr/bin/env bash
# PostgreSQL as a queue (FOR UPDATE SKIP LOCKED), fsync on: pgbench, one client a slot, each task put, taken and deleted in a
# transaction of its own. The processor is that of the server and all its backends. One line of JSON, as bench_queue's.
#   postgres.sh SLOTS TASKS FOLDER
set -euo pipefail
slots=${1:?slots} tasks=${2:?tasks} parent=$(realpath "${3:?folder}")
. "$(dirname "$0")/pg_server.sh"
[ -x "$pg_programs/initdb" ] || { echo "SKIPPED: PostgreSQL 15's server is not installed" >&2; exit 77; }
disk=$("$GOPMILL_BENCH_DISK" "$parent")
trap pg_close EXIT
pg_open "$parent" "$((slots + 10))"
cd "$pg_folder"
pg_sql "CREATE TABLE task (id bigserial PRIMARY KEY, taken bool NOT NULL DEFAULT false, body bytea NOT NULL);
  CREATE INDEX ON task (id) WHERE NOT taken;
  INSERT INTO task (body) SELECT decode(repeat('c8', 200), 'hex') FROM generate_series(1, $slots)" # the window: as many wait as are in hand
cat >"$pg_folder/life.sql" <<'SQL'
INSERT INTO task (body) VALUES (decode(repeat('c8', 200), 'hex'));
UPDATE task SET taken = true WHERE id = (SELECT id FROM task WHERE NOT taken ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id \gset
DELETE FROM task WHERE id = :id;
SQL
chmod 644 "$pg_folder/life.sql"
before=$(pg_cpu)
each=$(((tasks + slots - 1) / slots))
report=$(pgbench -h "$pg_folder" -U bench -n -M prepared -c "$slots" -j 1 -t "$each" -f "$pg_folder/life.sql" postgres 2>"$pg_folder/said") ||
  { tail -n 3 "$pg_folder/said" >&2; exit 1; }
done=$(sed -nE 's/^number of transactions actually processed: ([0-9]+).*/\1/p' <<<"$report")
left=$(pg_sql "SELECT count(*) FROM task")
[ "$done" = $((each * slots)) ] && [ "$left" = "$slots" ] || { echo "$done of $((each * slots)) tasks ended, $left are left of $slots that waited" >&2; exit 1; }
sleep 0.2 # backends end
jq -nc --argjson disk "$disk" --argjson slots "$slots" --argjson tasks "$done" --arg report "$report" \
  --argjson cpu "$(awk "BEGIN {print $(pg_cpu) - $before}")" '
  ($report | capture("tps = (?<tps>[0-9.]+)").tps | tonumber) as $tps |
  {system: "PostgreSQL SKIP LOCKED", mode: "life", slots: $slots, payload: 200} + $disk +
  {tasks: $tasks, tasks_s: $tps, cpu_us: ($cpu * 1e6 / $tasks)}'
