#!/usr/bin/env bash
# Clocks that jump under a farm at work (clock_shim.c): the wall clock of scheduler, node, or both by an hour, a day, to 1970,
# and back; the monotonic clock by more than a lease. Each job ends with the undisturbed bytes, but where the scheduler alone is a day
# behind all nodes, and what documents say is in order.
. "$(dirname "$0")/lib.sh"

tools=$bin/../tests
make_clip "$work/clip.mp4" 24 320x240 24
small_pipeline "$work/small.yaml" 240
node_options="devices: off"

clock() { # program wall [monotonic]: seconds that its clocks are wrong by, from now on
  printf '%-20s %-20s\n' "$2" "${3:-0}" | dd of="$at/$1.clock" bs=64 conv=notrunc status=none
}
clocks() { # wall [monotonic]: of all programs
  local p
  for p in scheduler n1 n2; do clock "$p" "$@"; done
}
begin_clocks() { # folder: two nodes and a scheduler whose clocks can be set
  at=$work/$1
  mkdir -p "$at"
  clocks 0
  export LD_PRELOAD=$tools/libclock_shim.so
  CLOCK_FAULT=$at/scheduler.clock lease_ms=5000 farm "$1"
  CLOCK_FAULT=$at/n1.clock node n1
  CLOCK_FAULT=$at/n2.clock node n2
  unset LD_PRELOAD
}
submit() { # name: id in $id, output in $out
  out=$at/out-$1
  id=$(gopmill submit "$work/clip.mp4" --out "$out" --pipeline "$work/small.yaml" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
  echo "$id" >>"$at/order"
}
is_encoding() { [ -n "$(find "$at"/n?.d/scratch -name '*.m4s' 2>/dev/null | head -n 1)" ]; }
is_empty() { [ -z "$(find "$at/work" "$at"/n?.d/scratch -type f ! -name .gm-store 2>/dev/null | head -n 1)" ]; }
ends() { # name
  local rc=0 wrong
  timeout 180 "$bin/gopmill" watch "$id" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  tree_hash "$out" >"$work/out.sha"
  check "$1: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
  until_true "$1: the work store and scratch are empty" is_empty
  wrong=$(gopmill job show "$id" --json | jq -c 'select(.created > .started or .started > .finished) | [.created, .started, .finished]')
  check "$1: created, started and finished in order: $wrong" test -z "$wrong"
  wrong=$(jq -c '[.tasks[] | select(.started > .finished) | [.task, .started, .finished]] | select(length > 0)' "$out/report.json")
  check "$1: each attempt ends after it began: $wrong" test -z "$wrong"
}
outcomes() { jq -r '[.tasks[] | .outcome + " " + (.error.code // "")] | group_by(.) | map("\(length) \(.[0])") | join(", ")' "$out/report.json"; }
jump() { # name program|all wall [monotonic]: in the middle of a job; then it stays so
  local p
  submit "$1"
  until_true "$1: a piece is being encoded" is_encoding
  if [ "$2" = all ]; then clocks "${@:3}"; else clock "$2" "${@:3}"; fi
  ends "$1"
  echo "$1: $(outcomes)"
  for p in n1 n2; do gopmill node resume $p >/dev/null; done # in quarantine, if what was refused there passed elsewhere
}

begin_clocks main
submit calm
timeout 180 "$bin/gopmill" watch "$id" >/dev/null 2>&1
tree_hash "$out" >"$work/calm.sha"
check "undisturbed run" test -e "$out/master.m3u8"
year() { gopmill job show "$id" --json | jq -r '.created[0:4]'; }
now=$(date +%s)

for wall in 3600 -3600 86400 -86400 $((-now + 60)) 0; do
  jump "all-by-$wall" all "$wall"
done
jump all-to-1970 all $((-now + 60))
submit then
ends "submitted in 1970"
check "the clock is that of the test: $(year)" test "$(year)" = 1970
jump all-back all 0
for wall in 3000 -3000 86400; do # behind the nodes' by less than a grant is good for, or before them by any time
  jump "scheduler-by-$wall" scheduler "$wall"
  clocks 0
done
# Behind by more than that: to every node each grant's time is over.
submit behind
until_true "a piece is being encoded" is_encoding
clock scheduler -86400
refused() { # the scheduler's clock a day behind
  timeout 180 "$bin/gopmill" watch "$id" >"$work/said" 2>&1
  [ $? = 1 ] && grep -q "node.grant_refused.*is that clock right?" "$work/said" || { cat "$work/said"; return 1; }
}
check "a scheduler a day behind all nodes: the job fails, and it is told that it is the clock" refused
until_true "nothing is left of it" only_report "$out"
clocks 0
submit again
ends "the same job, with the right time"
for wall in 3600 -3600 86400 -86400; do
  jump "node-by-$wall" n1 "$wall"
  clocks 0
done
mono=0
for who in n1 scheduler all; do # a machine that slept: it never goes back
  mono=$((mono + 20))
  jump "$who-slept" "$who" 0 "$mono"
done

listed=$(gopmill job list --json | jq -r '.jobs[].id' | tac)
check "jobs are listed in the order of their submission" test "$listed" = "$(cat "$at/order")"
events=$(curl -s -m 2 --unix-socket "$at/http" "http://x/v1/jobs/$id/events" | sed -n 's/^id: //p')
check "events are numbered in order" test "$events" = "$(sort -n <<<"$events")"
finish
