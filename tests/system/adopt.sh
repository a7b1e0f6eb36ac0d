#!/usr/bin/env bash
# A scheduler that dies, or is told to end, and starts anew in the middle of a job: what runs goes on. The workers are the
# same processes, no attempt fails, nothing is made twice, the bytes are the undisturbed ones.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 40 640x360 24
small_pipeline "$work/small.yaml" 360
sed -i 's/ultrafast/slow/' "$work/small.yaml" # chunks that take a while
lease_ms=60000 stall_ms=60000 farm main # a busy machine takes its time over a restart, and workers hold still meanwhile
node_options="devices: off"
node n1
node n2

submit() { # name: id in $id, output in $out
  out=$at/out-$1
  id=$(gopmill submit "$work/clip.mp4" --out "$out" --pipeline "$work/small.yaml" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
}
ends() { # name
  local rc=0
  timeout 600 "$bin/gopmill" watch "$id" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  tree_hash "$out" >"$work/out.sha"
  check "$1: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
}
# A run that takes long on a busy machine may be copied, and the slower of both is cancelled, its worker killed. What ended within
# a second before a kill may be told as lost (ADR-0050). A node whose slot waits for a killed worker's end may refuse a run: that charges nobody.
charged() { jq -c '.tasks[] | select((.outcome == "failed" or .error != null) and .error.code != "api.busy") | [.task, .node, .outcome, .error]' "$out/report.json"; }
copied() { jq '[.tasks[] | select(.outcome == "cancelled")] | length' "$out/report.json"; }
twice() { # what nodes made twice
  cat "$at"/n?.log | sed -nE "s/.* event=task-ended job=$id (.* first=[0-9]+) .* outcome=done.*/\1/p" | sort | uniq -d
}
encoding() { cat "$at"/n?.log | grep -c 'event=assigned .*task=video'; }
workers() { pgrep -P "$(pid n1)"; pgrep -P "$(pid n2)"; }
kept() { cat "$at"/n?.log | grep -c 'event=task-kept'; }
busy() { [ "$(encoding)" -ge "$1" ]; }
keeps() { [ "$(kept)" -ge "$1" ]; }

submit calm
timeout 600 "$bin/gopmill" watch "$id" >/dev/null 2>&1
tree_hash "$out" >"$work/calm.sha"
check "undisturbed run" test -e "$out/master.m3u8"
workers | sort >"$work/workers"

for signal in KILL TERM; do
  seen=$(encoding)
  submit $signal
  until_true "$signal: chunks are being encoded" busy $((seen + 2))
  for times in 1 2; do # the second time the workers hold still: however fast they are, the job is not done by then
    told=$(kept)
    [ $times = 1 ] || kill -STOP $(workers)
    kill -$signal "$(pid scheduler)" && wait "$(pid scheduler)" 2>/dev/null
    scheduler
    until_true "$signal: tasks are kept" keeps $((told + 1))
  done
  kill -CONT $(workers)
  ends "$signal"
  check "$signal: no attempt failed: $(charged)" test -z "$(charged)"
  check "$signal: nothing was made twice: $(twice)" test -z "$(twice)"
  workers | sort >"$work/workers.now"
  gone=$(comm -23 "$work/workers" "$work/workers.now" | wc -l)
  check "$signal: the workers are the same processes, but for $(copied) of copied runs: $gone" test "$gone" -le "$(copied)"
  mv "$work/workers.now" "$work/workers"
done
nothing_left "$at"/out-*
finish
