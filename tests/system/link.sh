#!/usr/bin/env bash
# A node behind a link that fails (tcp_fault.c): partitions shorter and longer than the lease, both ways or one, resets, delay,
# a narrow link, connections that are cut. Each job must end with the undisturbed bytes; a short partition costs no attempt.
. "$(dirname "$0")/lib.sh"

proxy=$bin/../tests/tcp_fault
need_built tcp_fault
make_clip "$work/clip.mp4" 24 320x240 24
small_pipeline "$work/small.yaml" 240
lease_ms=5000 farm main
link() { echo "$*" >"$at/fault"; }
link pass
rm -f "$at/port" && mkfifo "$at/port"
"$proxy" "${wire##*:}" "$at/fault" >"$at/port" 2>"$at/proxy.log" 9>&- &
IFS= read -r port <"$at/port"
[ -n "$port" ] || { echo "FAILED: tcp_fault: $(tail -n 2 "$at/proxy.log")"; exit 1; }
wire=tcp://127.0.0.1:$port
node_options="devices: off"
node n1

submit() { # name: id in $id, output in $out
  out=$at/out-$1
  id=$(gopmill submit "$work/clip.mp4" --out "$out" --pipeline "$work/small.yaml" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
}
is_encoding() { [ -n "$(find "$at/n1.d/scratch" -name '*.m4s' 2>/dev/null | head -n 1)" ]; }
begin() { # name: a job that encodes
  submit "$1"
  until_true "$1: a piece is being encoded" is_encoding
}
is_empty() { [ -z "$(find "$at/work" "$at/n1.d/scratch" -type f ! -name .gm-store 2>/dev/null | head -n 1)" ]; }
outcomes() { jq -r '[.tasks[].outcome] | unique | join(" ")' "$out/report.json"; }
ends() { # name
  local rc=0
  timeout 180 "$bin/gopmill" watch "$id" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  tree_hash "$out" >"$work/out.sha"
  check "$1: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
  until_true "$1: the work store and scratch are empty" is_empty
}

submit calm
timeout 180 "$bin/gopmill" watch "$id" >/dev/null 2>&1
tree_hash "$out" >"$work/calm.sha"
check "undisturbed run" test -e "$out/master.m3u8"

begin short
link stall
sleep 0.5 # a tenth of the lease
link pass
ends "a partition shorter than the lease"
check "it costs no attempt: $(outcomes)" test "$(outcomes)" = "done"

begin long
link stall
sleep 6.5 # the lease has 5 s
check "the node ends its own work" grep -q "reason=\"its lease was not renewed in time\"" "$at/n1.log"
link pass # and all that was said meanwhile arrives
ends "a partition longer than the lease"
check "it costs an attempt: $(outcomes)" test "$(outcomes)" = "done lost"

begin up
link stall-up
sleep 6.5
link pass
ends "nothing from the node"

begin down
link stall-down
sleep 6.5
link pass
ends "nothing to the node"

begin reset
link drop
sleep 0.3
link pass
ends "connections reset"

begin gone
link drop
sleep 6.5
link pass
ends "no connection for longer than the lease"

link delay 100
submit delay
ends "each way 100 ms late"

link rate 30000
submit rate
ends "30 kB a second"

link cut 20000 # after a while, whatever it was about
submit cut
sleep 3
link pass
ends "connections cut after 20 kB"
finish
