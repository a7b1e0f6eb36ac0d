#!/usr/bin/env bash
# A node, or its workers, stands still at the end of a job: its runs are given out a second time, and the job ends
# by these long before a lease or the watchdog does. Nobody is charged, and the bytes are the undisturbed ones.
. "$(dirname "$0")/lib.sh"

cat >"$work/video.yaml" <<YAML
name: video
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [240] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: medium }
  hls:     { type: package, needs: [video] }
YAML
make_clip "$work/clip.mp4" 36 640x360 24

submit() { # name: id in $id, output in $out
  out=$at/out-$1
  id=$("$bin/gopmill" submit "$work/clip.mp4" --out "$out" --pipeline "$work/video.yaml" 2>"$work/stderr") ||
    fail "submit: $(cat "$work/stderr")"
}
leases() { # node: types of the tasks that it has, in one line
  "$bin/gopmill" node list --json | jq -r --arg n "$1" '[.nodes[] | select(.id == $n) | .leases[].type] | join(" ")'
}
is_over() { [ "$("$bin/gopmill" job show "$id" --json | jq -r .state)" = done ]; }
has_split() { "$bin/gopmill" job show "$id" --json | jq -e '.tasks[] | select(.name == "split") | .state == "done"' >/dev/null; }
is_empty() { [ -z "$(find "$at/work" -type f ! -name .gm-store 2>/dev/null)" ]; }

# Stops these processes while their node encodes and does nothing else; false: the job was over before.
stop_encoding() { # command that lists them
  local stopped
  while ! is_over; do
    case $(leases n2) in encode | "encode encode") ;; *) sleep 0.05 && continue ;; esac
    has_split || continue
    stopped=$("$@")
    kill -STOP $stopped
    sleep 0.5 # what was said is heard
    case $(leases n2) in encode*) return 0 ;; esac
    kill -CONT $stopped
  done
  return 1
}
workers() { pgrep -P "$(pid n2)"; }
node_and_workers() { workers && pid n2; }

# No lease ends, and no watchdog barks, within what this test may take.
lease_ms=600000 stall_ms=600000
farm main
node n1
node n2
submit calm
until_true "undisturbed" is_over
tree_hash "$out" >"$work/calm.sha"
check "undisturbed: something was made" test -s "$work/calm.sha"

for who in workers node_and_workers; do
  for try in 1 2 3 4 5; do
    submit "$who-$try"
    stop_encoding "$who" && break
  done
  check "$who: they were stopped in time" test "$(leases n2 | cut -c1-6)" = encode
  until_true "$who: the job ends" is_over
  tree_hash "$out" >"$work/out.sha"
  check "$who: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
  check "$who: plays" plays "$out/master.m3u8"
  check "$who: a loser was cancelled, and nothing lost or failed" jq -e '[.tasks[].outcome] |
    any(. == "cancelled") and all(. == "done" or . == "cancelled")' "$out/report.json" >/dev/null
  check "$who: nobody was charged" test "$("$bin/gopmill" job show "$id" --json | jq '[.tasks[].failures] | add')" = 0
  kill -CONT $(node_and_workers)
  until_true "$who: the work store is empty again" is_empty
  until_true "$who: no lease is left" eval '[ -z "$(leases n1)$(leases n2)" ]'
done
finish
