#!/usr/bin/env bash
# PostgreSQL as a queue (FOR UPDATE SKIP LOCKED), fsync on: pgbench, one client a slot, each task put, taken and deleted in a
# transaction of its own. The processor is that of the server and all its backends. One line of JSON, as bench_queue's.
#   postgres.sh SLOTS TASKS FOLDER
set -euo pipefail
slots=${1:?slots} tasks=${2:?tasks} parent=$(realpath "${3:?folder}")
server=/usr/lib/postgresql/15/bin
[ -x "$server/initdb" ] || { echo "SKIPPED: PostgreSQL 15's server is not installed" >&2; exit 77; }
folder=$(mktemp -d "$parent/bq-XXXXXX")
[ "${#folder}" -lt 90 ] || { echo "$folder is too long for a socket" >&2; exit 1; }
as=()
if [ "$(id -u)" = 0 ]; then # which initdb refuses
  as=(runuser -u nobody --)
  chown nobody "$folder"
fi
postgres() { "${as[@]}" env HOME="$folder" "$server/$1" "${@:2}"; }
stop() { postgres pg_ctl -D "$folder/data" -m immediate -s stop >/dev/null 2>&1 || true; }
trap 'stop; rm -rf "$folder"' EXIT
cd "$folder"
disk=$("$GOPMILL_BENCH_DISK" "$folder")
postgres initdb -D "$folder/data" --no-locale -A trust -U bench >/dev/null
postgres pg_ctl -D "$folder/data" -w -s -l "$folder/log" \
  -o "-k $folder -c listen_addresses= -c fsync=on -c synchronous_commit=on -c max_connections=$((slots + 10))" start
query() { psql -h "$folder" -U bench -d postgres -qAt -c "$1"; }
query "CREATE TABLE task (id bigserial PRIMARY KEY, taken bool NOT NULL DEFAULT false, body bytea NOT NULL);
  CREATE INDEX ON task (id) WHERE NOT taken;
  INSERT INTO task (body) SELECT decode(repeat('c8', 200), 'hex') FROM generate_series(1, $slots)" # the window: as many wait as are in hand
cat >"$folder/life.sql" <<'SQL'
INSERT INTO task (body) VALUES (decode(repeat('c8', 200), 'hex'));
UPDATE task SET taken = true WHERE id = (SELECT id FROM task WHERE NOT taken ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id \gset
DELETE FROM task WHERE id = :id;
SQL
chmod 644 "$folder/life.sql"
main=$(head -n 1 "$folder/data/postmaster.pid")
cpu() { # s: the server and the backends that have ended
  awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) / hz}' "/proc/$main/stat"
}
before=$(cpu)
each=$(((tasks + slots - 1) / slots))
report=$(pgbench -h "$folder" -U bench -n -M prepared -c "$slots" -j 1 -t "$each" -f "$folder/life.sql" postgres 2>"$folder/said") ||
  { tail -n 3 "$folder/said" >&2; exit 1; }
done=$(sed -nE 's/^number of transactions actually processed: ([0-9]+).*/\1/p' <<<"$report")
left=$(query "SELECT count(*) FROM task")
[ "$done" = $((each * slots)) ] && [ "$left" = "$slots" ] || { echo "$done of $((each * slots)) tasks ended, $left are left of $slots that waited" >&2; exit 1; }
sleep 0.2 # backends end
jq -nc --argjson disk "$disk" --argjson slots "$slots" --argjson tasks "$done" --arg report "$report" \
  --argjson cpu "$(awk "BEGIN {print $(cpu) - $before}")" '
  ($report | capture("tps = (?<tps>[0-9.]+)").tps | tonumber) as $tps |
  {system: "PostgreSQL SKIP LOCKED", mode: "life", slots: $slots, payload: 200} + $disk +
  {tasks: $tasks, tasks_s: $tps, cpu_us: ($cpu * 1e6 / $tasks)}'
