#!/usr/bin/env bash
# Peers that mean harm (rogue.c) beside a node that works, several attacks at once, for as long as a job takes. The job ends at its first attempts
# with the undisturbed bytes, the node keeps its name, and the scheduler's memory stays below a bound. Once without keys, where any peer gets as far
# as its Hello, and once with keys, where some have one. rogue.sh ATTACK: those alone.
# GOPMILL_ROGUE_MB: the bound, for builds that need more memory (ASan: 3000).
. "$(dirname "$0")/lib.sh"

rogue=$bin/../tests/rogue
need_built rogue
bound_mb=${GOPMILL_ROGUE_MB:-150}
only=${1:-}
make_clip "$work/clip.mp4" 8 320x240 24
small_pipeline "$work/small.yaml" 240
ulimit -n "$(ulimit -Hn)"

kb() { sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/$(pid scheduler)/status"; }
job() { # name: exit 0 and the same bytes
  local rc=0
  timeout 200 "$bin/gopmill" submit "$work/clip.mp4" --out "$at/out" --pipeline "$work/small.yaml" --watch >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  tree_hash "$at/out" >"$work/out.sha"
  [ -e "$work/calm.sha" ] || cp "$work/out.sha" "$work/calm.sha"
  check "$1: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
  check "$1: at the first attempt: $(outcomes)" test "$(outcomes)" = "done"
  rm -rf "$at/out"
}
outcomes() { jq -r '[.tasks[].outcome] | unique | join(" ")' "$at/out/report.json"; }
events() { sed -n 's/.* event=events_published .*listen=\([^ ]*\).*/\1/p' "$at/scheduler.log"; }
attacks() { # key-file|-:attack[:argument]...: all of them at once; door: where the scheduler publishes events
  local spec who=() began=() name grown
  for spec in "$@"; do
    IFS=: read -r key what argument <<<"$spec"
    [ -z "$only" ] || [ "$only" = "$what" ] || continue
    nice "$rogue" "${door:-$wire}" "$key" "$what" "$argument" >/dev/null 2>"$work/rogue.log" 9>&- &
    who+=($!)
    began+=("$what")
  done
  [ ${#who[@]} -gt 0 ] || return 0
  name="${at##*/}${door:+, events}: ${began[*]}"
  [[ $name != *deaf* ]] || until_true "$name: it is cut" grep -q 'does not read what it is told' "$at/scheduler.log"
  job "$name"
  check "$name: they are at it still: $(tail -n 1 "$work/rogue.log")" kill -0 "${who[@]}"
  kill -9 "${who[@]}" && wait "${who[@]}" 2>/dev/null
  grown=$((($(kb VmHWM) - calm_kb) / 1024))
  echo "$name: at most $grown MB more than without"
  check "$name: $grown MB more, $bound_mb are allowed" test "$grown" -le "$bound_mb"
  check "$name: the scheduler lives" kill -0 "$(pid scheduler)"
}
recorded() { # file node: what a node says on its connection
  rm -f "$at/port" && mkfifo "$at/port"
  "$rogue" "$wire" - record "$1" >"$at/port" 2>/dev/null 9>&- &
  local who=$! port real=$wire
  IFS= read -r port <"$at/port"
  wire=tcp://127.0.0.1:$port node "$2"
  stop "$2"
  wait $who 2>/dev/null
  wire=$real
  check "something was recorded" test -s "$1"
}

farm_options="events_listen: [\"tcp://127.0.0.1:*\"]"
lease_ms=15000 farm open
node_options="devices: off"
recorded "$work/open.bytes" n2
# Without keys whoever says n2's name is n2, and what n2 were given its recorded Goodbye would lose: it is to get nothing.
check "n2 is drained" "$bin/gopmill" node drain n2
node n1
job "undisturbed"
calm_kb=$(kb VmHWM)
attacks -:garbage -:idle:700 -:greet:700 -:churn -:giant -:oversized
attacks -:hoard:4 -:flood -:rubbish -:hello -:steal:n1 "-:replay:$work/open.bytes"
door=$(events) attacks -:garbage -:idle:700 -:greet:700 -:churn -:giant -:oversized -:hoard:4
door=$(events) attacks -:shout -:subscribe -:listen:100
was_cut() { grep -q "event=subscriber_cut .*$1" "$at/scheduler.log"; }
[ -n "$only" ] || check "who said too much was cut" was_cut "\(it subscribed too often\|what is no subscription\)"
attacks -:heavy -:busy:rogue
attacks -:endless:rogue
attacks -:deaf:rogue
stop n1
nice "$rogue" "$wire" - churn "" >/dev/null 2>&1 9>&- &
churn=$!
check "the scheduler ends while others come and go" stop scheduler
kill -9 $churn 2>/dev/null
wait $churn 2>/dev/null

for n in n1 n2 rogue; do
  "$bin/gopmill" keys make $n --role node --keys "$work/keys" >/dev/null 2>&1
done
"$bin/gopmill" keys make other --role node --keys "$work/other" >/dev/null 2>&1 # on nobody's list
"$bin/gopmill" keys make reader --role client --keys "$work/keys" >/dev/null 2>&1
listed=$work/keys/rogue.key reader=$work/keys/reader.key
farm_options="events_listen: [\"tcp://127.0.0.1:*\"]
security: curve
key_file: $work/keys/server.key
allow_file: $work/keys/allow"
lease_ms=15000 farm keyed
node_options="devices: off
security: curve
key_file: $work/keys/n2.key"
recorded "$work/keyed.bytes" n2
node_options="devices: off
security: curve
key_file: $work/keys/n1.key"
node n1
job "undisturbed, with keys"
calm_kb=$(kb VmHWM)
attacks -:garbage -:greet:700 -:oversized -:hoard:4 -:flood "$work/other/other.key:flood" "-:replay:$work/keyed.bytes"
door=$(events) attacks -:garbage -:greet:700 -:hoard:4 "$listed:subscribe" "$reader:shout" "$reader:subscribe" "$reader:listen:100"
attacks "$listed:flood" "$listed:heavy" "$listed:steal:n1" "$listed:busy:n1" # n1 with another's key
attacks "$listed:busy:rogue"
attacks "$listed:deaf:rogue"
stop n1
check "the scheduler ends well" stop scheduler
finish
