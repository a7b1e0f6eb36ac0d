#!/usr/bin/env bash
# A scheduler that dies, or is told to end, and starts anew in the middle of a job: what runs goes on. The workers are the
# same processes, each attempt is done, none is made twice, the bytes are the undisturbed ones.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 40 640x360 24
small_pipeline "$work/small.yaml" 360
sed -i 's/ultrafast/slow/' "$work/small.yaml" # chunks that take a while
lease_ms=15000 farm main
node_options="devices: off"
node n1
node n2

submit() { # name: id in $id, output in $out
  out=$at/out-$1
  id=$(gopmill submit "$work/clip.mp4" --out "$out" --pipeline "$work/small.yaml" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
}
ends() { # name
  local rc=0
  timeout 240 "$bin/gopmill" watch "$id" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  tree_hash "$out" >"$work/out.sha"
  check "$1: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
}
outcomes() { jq -r '[.tasks[].outcome] | unique | join(" ")' "$out/report.json"; }
attempts() { jq '.tasks | length' "$out/report.json"; }
encoding() { cat "$at"/n?.log | grep -c 'event=assigned .*task=video'; }
workers() { pgrep -P "$(pid n1)"; pgrep -P "$(pid n2)"; }
kept() { cat "$at"/n?.log | grep -c 'event=task-kept'; }
busy() { [ "$(encoding)" -ge "$1" ]; }
keeps() { [ "$(kept)" -ge "$1" ]; }

submit calm
timeout 240 "$bin/gopmill" watch "$id" >/dev/null 2>&1
tree_hash "$out" >"$work/calm.sha"
check "undisturbed run" test -e "$out/master.m3u8"
calm=$(attempts)
workers | sort >"$work/workers"

for signal in KILL TERM; do
  seen=$(encoding)
  submit $signal
  until_true "$signal: chunks are being encoded" busy $((seen + 2))
  for times in 1 2; do
    told=$(kept)
    kill -$signal "$(pid scheduler)" && wait "$(pid scheduler)" 2>/dev/null
    scheduler
    until_true "$signal: tasks are kept" keeps $((told + 1))
  done
  ends "$signal"
  check "$signal: all attempts are done, got $(outcomes)" test "$(outcomes)" = "done"
  check "$signal: as many as undisturbed, $calm: $(attempts)" test "$(attempts)" = "$calm"
  check "$signal: no node dropped one: $(grep -h 'event=task-dropped' "$at"/n?.log)" test -z "$(grep -h 'event=task-dropped' "$at"/n?.log)"
  workers | sort >"$work/workers.now"
  check "$signal: the workers are the same processes" cmp -s "$work/workers" "$work/workers.now"
done
finish
