#!/usr/bin/env bash
# Two schedulers that share a state in PostgreSQL: whoever leads is killed or stopped, also while it publishes or deletes,
# PostgreSQL itself is killed; jobs end with the bytes of the undisturbed run, nobody's attempt is lost, nothing is left over.
. "$(dirname "$0")/lib.sh"
. "$here/crash_lib.sh"
. "$(dirname "$0")/pg_lib.sh"

make_clip "$work/clip.mp4" 24 320x240 25
small_pipeline "$work/small.yaml" 240
at=$work/f
mkdir -p "$at/work"
head -c 32 /dev/urandom | od -v -An -tx1 | tr -d ' \n' >"$at/grant.key"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
for s in a b; do
  wire[$(printf %d "'$s")]=tcp://127.0.0.1:$(free_port)
done
wire_of() { echo "${wire[$(printf %d "'$1")]}"; }
lease_ms=15000 # much longer than a takeover: who waits for the end of one is seen
for s in a b; do
  cat >"$at/$s.yaml" <<YAML
state: "postgresql://farm@/postgres?host=$pg"
listen: ["$(wire_of $s)"]
http: "unix:$at/$s.http"
pipelines: ["$top/config/pipelines"]
work_store: "file://$at/work"
grant_key_file: $at/grant.key
takeover_ms: 1500
lease_ms: $lease_ms
heartbeat_ms: 200
YAML
done
launch() { # scheduler: starts it, in the background
  "$bin/gopmill-scheduler" --config "$at/$1.yaml" >>"$at/$1.out" 2>>"$at/$1.log" 9>&- &
  echo $! >"$at/$1"
}
leads() { [ "$(curl -s --unix-socket "$at/$1.http" http://x/readyz | jq -r .ready 2>/dev/null)" = true ]; }
answers() { curl -s --unix-socket "$at/$1.http" http://x/livez | jq -e .live >/dev/null 2>&1; }
term() { psql 'SELECT term FROM gopmill_meta'; }
launch a
until_true "the first leads" leads a
launch b
until_true "the second stands by" grep -q STANDBY "$at/b.out"
check "a standby says that it lives" answers b
check "and refuses all else with the code for it" \
  [ "$(curl -s --unix-socket "$at/b.http" http://x/v1/jobs | jq -r .code)" = scheduler.not_leader ]
for n in one two; do
  mkdir -p "$at/$n.d"
  cat >"$at/$n.yaml" <<YAML
node_id: $n
scheduler: ["$(wire_of a)", "$(wire_of b)"]
state: $at/$n.d
slots: 1
grant_key_file: $at/grant.key
YAML
  program gopmill-node "$at/$n" --config "$at/$n.yaml"
done
export GOPMILL_SCHEDULER=unix:$at/a.http,unix:$at/b.http
submit() { gopmill submit "$work/clip.mp4" --out "$work/$1" --pipeline "$work/small.yaml"; }
check "a job of an undisturbed farm" gopmill watch "$(submit calm)"
tree_hash "$work/calm" >"$work/calm.hash"
same() { tree_hash "$work/$1" | diff -q "$work/calm.hash" - >/dev/null; }
# What ended within a second before a kill may be told as lost, uncharged, and is done all the same (ADR-0050).
charged() { jq -r '[.tasks[] | select(.outcome == "failed" or .error != null)] | map("\(.task): \(.outcome)") | join(", ")' "$work/$1/report.json"; }
twice() { # what nodes made twice of a job
  cat "$at/one.log" "$at/two.log" | sed -nE "s/.* event=task-ended job=$1 (.* first=[0-9]+) .* outcome=done.*/\1/p" | sort | uniq -d
}
is_undisturbed() { # result words: of the job $id
  check "the bytes of an undisturbed job $2" same "$1"
  check "no attempt failed $2: $(charged "$1")" test -z "$(charged "$1")"
  check "nothing was made twice $2: $(twice "$id")" test -z "$(twice "$id")"
}
# What the one that leads now has given out first: when, in ms, by the nodes' logs.
first_assigned() {
  local since
  since=$(sed -n 's/^ts=\([^ ]*\) .* event=ready .*/\1/p' "$at/$1.log" | tail -n 1)
  assigned=$(sed -n 's/^ts=\([^ ]*\) .* event=assigned .*/\1/p' "$at/one.log" "$at/two.log" | sort | awk -v since="$since" '$1 >= since' | head -n 1)
  [ -n "$since" ] && [ -n "$assigned" ] && assigned=$(date -d "$assigned" +%s%3N)
}
runs_chunks() { gopmill job show "$1" --json | jq -e '.tasks[] | select(.type == "encode" and .done >= 1)' >/dev/null; }

post_keyed() { # scheduler round: the id of a job that only plans
  curl -sf --unix-socket "$at/$1.http" -H "Idempotency-Key: \"round $2\"" -d "{\"pipeline\": \"vod-h264\", \"source\": \"file://$work/clip.mp4\", \"plan_only\": true}" http://x/v1/jobs | jq -er .id
}
put_pipeline() { # scheduler
  sed 's/^name: small/name: stored/' "$work/small.yaml" | curl -sf --unix-socket "$at/$1.http" -X PUT -H 'Content-Type: application/yaml' --data-binary @- -o /dev/null http://x/v1/pipelines/stored
}
check "a pipeline is stored" put_pipeline a
# ---- kill -9 of the one that leads, in the middle of a job
leader=a other=b
for round in 1 2 3; do
  id=$(submit "kill$round") || fail "submit in round $round"
  until_true "chunks of round $round are done" runs_chunks "$id"
  before=$(term)
  keyed=$(post_keyed "$leader" "$round") || fail "no job of a key in round $round"
  after=$(submit "after$round") || fail "submit before the kill of round $round" # of which next to nothing is given out before
  began=$(date +%s%3N)
  kill -KILL "$(cat "$at/$leader")"
  until_true "the other leads (round $round)" leads "$other"
  ready=$(($(date +%s%3N) - began))
  check "the term was raised (round $round)" [ "$(term)" -gt "$before" ]
  check "the stored pipeline is there (round $round)" curl -sf -o /dev/null --unix-socket "$at/$other.http" http://x/v1/pipelines/stored
  check "the key makes no second job (round $round)" [ "$(post_keyed "$other" "$round")" = "$keyed" ]
  until_true "it gives out work (round $round)" first_assigned "$other"
  took=$((assigned - began))
  echo "round $round: from kill to ready $ready ms, to the first assignment $took ms"
  check "no lease has to end before (round $round): $took ms" [ "$took" -lt "$lease_ms" ]
  launch "$leader"
  check "the job of round $round is done" gopmill watch "$id"
  is_undisturbed "kill$round" "(round $round)"
  check "the job that came just before is done (round $round)" gopmill watch "$after"
  check "with the bytes of an undisturbed job (round $round)" same "after$round"
  swap=$leader leader=$other other=$swap
done

# ---- a leader that is stopped for longer than it takes, and goes on
id=$(submit stop) || fail "submit before the stop"
until_true "chunks are done before the stop" runs_chunks "$id"
goes_on() { # result: the other leads; who was stopped goes on
  local before
  before=$(grep -c steps_down "$at/$leader.log")
  steps_down() { [ "$(grep -c steps_down "$at/$leader.log")" -gt "$before" ]; }
  kill -CONT "$(cat "$at/$leader")"
  until_true "the one that was stopped steps down" steps_down
  until_true "and stands by" answers "$leader"
  check "the job goes on ($1)" gopmill watch "$id"
  is_undisturbed "$1" "after a stop ($1)"
  check "the other leads still" leads "$other"
  swap=$leader leader=$other other=$swap
}
gopmill watch "$id" >"$work/watched" 2>&1 &
watcher=$!
until_true "somebody watches" grep -q chunks "$work/watched"
kill -STOP "$(cat "$at/$leader")"
until_true "the other leads while it is stopped" leads "$other"
wait $watcher # a minute: its connection stands
ended=$?
check "who watched at the one that is stopped asks the other: $(tail -n 2 "$work/watched")" [ $ended = 0 ]
goes_on stop

# ---- stopped while it publishes, and before it deletes what nobody needs: the other does it; then the first goes on with its own
for point in publish.begun publish.master cleanup.deleting; do
  arm 0 gopmill-scheduler "$point stop" 1
  id=$(submit "at-$point") || fail "submit before $point"
  until_true "a leader stands at $point" is_hit 0
  until_true "the other leads while it stands at $point" leads "$other"
  check "the job is done by the other ($point)" env GOPMILL_SCHEDULER="unix:$at/$other.http" "$bin/gopmill" watch "$id"
  is_undisturbed "at-$point" "before the first goes on ($point)"
  goes_on "at-$point"
  check "its report can be read ($point)" jq -e '.job.state == "done"' "$work/at-$point/report.json" >/dev/null
done

# ---- PostgreSQL is killed and started anew: nothing is lost, whoever leads then
id=$(submit database) || fail "submit before the server's death"
until_true "chunks are done before the server's death" runs_chunks "$id"
pg_kill
sleep 1
pg_start || fail "PostgreSQL does not start again"
check "the job is done over the server's death" gopmill watch "$id"
is_undisturbed database "over the server's death"
nothing_left "$work"/kill? "$work"/after? "$work/stop" "$work"/at-* "$work/database"

# ---- what is not there
sed "s|^work_store.*||" "$at/a.yaml" >"$at/none.yaml"
check "a shared state wants a work store" status 2 "$bin/gopmill-scheduler" --config "$at/none.yaml" --check
check "and says so" said "work_store"
check "what is stored is whole while they run" status 0 "$bin/gopmill-scheduler" --config "$at/a.yaml" --check-store
check "and that is said" said ": ok"
kill -TERM "$(cat "$at/a")" "$(cat "$at/b")"
for s in a b; do
  wait "$(cat "$at/$s")"; ended=$?
  check "$s ends with 0: $ended, $(tail -n 1 "$at/$s.log")" [ $ended = 0 ]
done
# ---- a file of tokens and a certificate that broke: who stands by and who stepped down lead all the same, and nobody else is let in
(umask 077 && gopmill token new op --role operate --file "$at/tokens" --quiet >"$at/op.token")
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=farm -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$at/tls.key" -out "$at/tls.pem" 2>"$work/openssl.log" || fail "no certificate: $(cat "$work/openssl.log")"
cp "$at/tls.pem" "$work/tls.pem"
asks() { # scheduler curl options...: the status
  local port=${web[$(printf %d "'$1")]}
  shift
  curl -s -o "$work/out" -w '%{http_code}' --cacert "$work/tls.pem" "$@" "https://127.0.0.1:$port/v1/nodes"
}
admits() { [ "$(asks "$1" -H "Authorization: Bearer $(cat "$at/op.token")")" = 200 ]; }
for s in a b; do
  port=$(free_port)
  web[$(printf %d "'$s")]=$port
  sed -i "s|^http:.*|http: \"127.0.0.1:$port\"\nhttp_tokens: $at/tokens\nhttp_tls_cert: $at/tls.pem\nhttp_tls_key: $at/tls.key|" "$at/$s.yaml"
  : >"$at/$s.out"
done
launch a
until_true "the first leads, with tokens" admits a
launch b
until_true "the second stands by" grep -q STANDBY "$at/b.out"
has_loaded() { [ "$(psql 'SELECT beat <= clock_timestamp() FROM gopmill_meta')" = t ]; } # until then it has longer
until_true "the first has loaded" has_loaded
echo "a line too much" >>"$at/tokens"
echo "no key" >"$at/tls.key"
kill -STOP "$(cat "$at/a")"
until_true "with broken files the second leads" admits b
kill -CONT "$(cat "$at/a")"
until_true "the one that stepped down stands by" grep -q STANDBY "$at/a.out"
check "it asks for a token" [ "$(asks a)" = 401 ]
kill -KILL "$(cat "$at/b")"
until_true "and leads again" admits a
check "as before" [ "$(asks a)" = 401 ]
check "a start with them is refused" status 2 "$bin/gopmill-scheduler" --config "$at/b.yaml"
kill -TERM "$(cat "$at/a")"
wait "$(cat "$at/a")"; ended=$?
check "it ends with 0: $ended" [ $ended = 0 ]
rows() { psql "SELECT count(*) FROM gopmill_row WHERE kind <> 1 AND job NOT IN (SELECT job FROM gopmill_row WHERE kind = 1) AND job <> 0"; }
check "no row is without its job" [ "$(rows)" = 0 ]
finish
