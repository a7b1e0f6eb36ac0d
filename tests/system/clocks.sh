#!/usr/bin/env bash
# Clocks that jump under a farm at work (clock_shim.c): the wall clock of scheduler, node, or both by an hour, a day, to 1970,
# and back; the monotonic clock, or the one that goes on in sleep, by more than a lease. Each job ends with the undisturbed bytes, and what
# documents say is in order.
. "$(dirname "$0")/lib.sh"

tools=$bin/../tests
need_built libclock_shim.so
make_clip "$work/clip.mp4" 24 320x240 24
small_pipeline "$work/small.yaml" 240
node_options="devices: off"

clock() { # program wall [monotonic [asleep]]: seconds that its clocks are wrong by, from now on
  printf '%-20s %-20s %-20s\n' "$2" "${3:-0}" "${4:-0}" | dd of="$at/$1.clock" bs=64 conv=notrunc status=none
}
clocks() { # wall [monotonic [asleep]]: of all programs
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
jump() { # name program|all wall [monotonic [asleep]]: in the middle of a job; then it stays so
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
for wall in 3600 -3600 86400 -86400; do
  jump "scheduler-by-$wall" scheduler "$wall"
  clocks 0
done
# It stays so: grants end by the scheduler's clock, as it tells it; both nodes have heard it.
last_said() { # agree|differ: what each node said last of clocks
  local n
  for n in n1 n2; do
    [ "$(grep -o 'event=clocks-[a-z]*' "$at/$n.log" | tail -n 1)" = "event=clocks-$1" ] || return 1
  done
}
until_true "clocks agree" last_said agree
clock scheduler -86400
until_true "clocks differ" last_said differ
submit behind
ends "a scheduler a day behind all nodes"
check "a scheduler a day behind all nodes: nothing is refused: $(outcomes)" test "$(outcomes | grep -c grant_refused)" = 0
check "its nodes say so" grep -q 'event=clocks-differ scheduler_ahead_s=-86' "$at/n1.log"
clocks 0
for wall in 3600 -3600 86400 -86400; do
  jump "node-by-$wall" n1 "$wall"
  clocks 0
done
mono=0
for who in n1 scheduler all; do # stopped, with all that runs on it: it never goes back
  mono=$((mono + 20))
  jump "$who-slept" "$who" 0 "$mono"
done
# A machine that slept: its monotonic clock stood still, and its leases are over all the same.
jump n1-asleep n1 0 "$mono" 20
check "n1 stopped its work by itself" grep -q 'event=task-dropped.*its lease was not renewed in time' "$at/n1.log"

listed=$(gopmill job list --json | jq -r '.jobs[].id' | tac)
check "jobs are listed in the order of their submission" test "$listed" = "$(cat "$at/order")"
events=$(curl -s -m 2 --unix-socket "$at/http" "http://x/v1/jobs/$id/events" | sed -n 's/^id: //p')
check "events are numbered in order" test "$events" = "$(sort -n <<<"$events")"
finish
