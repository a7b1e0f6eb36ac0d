#!/usr/bin/env bash
# Two schedulers that share a state in PostgreSQL: whoever leads is killed or stopped, PostgreSQL itself
# is killed; jobs end with the bytes of the undisturbed run.
. "$(dirname "$0")/lib.sh"
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
for s in a b; do
  cat >"$at/$s.yaml" <<YAML
state: "postgresql://farm@/postgres?host=$pg"
listen: ["$(wire_of $s)"]
http: "unix:$at/$s.http"
pipelines: ["$top/config/pipelines"]
work_store: "file://$at/work"
grant_key_file: $at/grant.key
takeover_ms: 1500
lease_ms: 6000
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
runs_chunks() { gopmill job show "$1" --json | jq -e '.tasks[] | select(.type == "encode" and .done >= 1)' >/dev/null; }

# ---- kill -9 of the one that leads, in the middle of a job
leader=a other=b
for round in 1 2 3; do
  id=$(submit "kill$round") || fail "submit in round $round"
  until_true "chunks of round $round are done" runs_chunks "$id"
  began=$(date +%s%N) before=$(term)
  kill -KILL "$(cat "$at/$leader")"
  until_true "the other leads (round $round)" leads "$other"
  echo "round $round: leads after $((($(date +%s%N) - began) / 1000000)) ms"
  check "the term was raised (round $round)" [ "$(term)" -gt "$before" ]
  launch "$leader"
  check "the job of round $round is done" gopmill watch "$id"
  check "with the same bytes (round $round)" same "kill$round"
  swap=$leader leader=$other other=$swap
done

# ---- a leader that is stopped for longer than it takes, and goes on
id=$(submit stop) || fail "submit before the stop"
until_true "chunks are done before the stop" runs_chunks "$id"
kill -STOP "$(cat "$at/$leader")"
until_true "the other leads while it is stopped" leads "$other"
kill -CONT "$(cat "$at/$leader")"
until_true "the one that was stopped steps down" grep -q steps_down "$at/$leader.log"
until_true "and stands by" answers "$leader"
check "the job goes on" gopmill watch "$id"
check "with the same bytes after a stop" same stop
check "the other leads still" leads "$other"
swap=$leader leader=$other other=$swap

# ---- PostgreSQL is killed and started anew: nothing is lost, whoever leads then
id=$(submit database) || fail "submit before the server's death"
until_true "chunks are done before the server's death" runs_chunks "$id"
pg_kill
sleep 1
pg_start || fail "PostgreSQL does not start again"
check "the job is done over the server's death" gopmill watch "$id"
check "with the same bytes over it" same database

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
rows() { psql "SELECT count(*) FROM gopmill_row WHERE kind <> 1 AND job NOT IN (SELECT job FROM gopmill_row WHERE kind = 1) AND job <> 0"; }
check "no row is without its job" [ "$(rows)" = 0 ]
finish
