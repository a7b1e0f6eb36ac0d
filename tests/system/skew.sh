#!/usr/bin/env bash
# A scheduler and nodes of other releases (GM_TEST_PROTOCOL, which programs built without tests do not read): one apart works
# together, more is refused with a sentence on both sides that says whom to update.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 6 320x240 24
small_pipeline "$work/small.yaml" 240
node_options="devices: off"
farm main
GM_TEST_PROTOCOL="2 1" node next
check "a node of the next release is taken: $ready" test "${ready%% *}" = READY
transcode() { gopmill submit "$work/clip.mp4" --out "$work/result" --pipeline "$work/small.yaml" --watch; }
check "and works" status 0 transcode
check "its result is whole" test -e "$work/result/master.m3u8"
refused() { # node protocol sentence
  local log=$at/$1.log
  mkdir -p "$at/$1.d"
  sed "s/^node_id: next/node_id: $1/; s|$at/next.d|$at/$1.d|" "$at/next.yaml" >"$at/$1.yaml"
  GM_TEST_PROTOCOL=$2 "$bin/gopmill-node" --config "$at/$1.yaml" >/dev/null 2>"$log" 9>&- &
  local node=$!
  is_told() { grep -q 'event=refused' "$log"; }
  until_true "$1: it is told" is_told
  check "$1: $(grep 'event=refused' "$log" | head -n 1)" grep -q "event=refused.*$3" "$log"
  check "$1: it is not there" test -z "$(gopmill node list --json | jq -r ".nodes[] | select(.id == \"$1\") | .id")"
  kill -TERM "$node" && wait "$node"
}
refused newer "3 1" "speaks protocol 3 .*update the scheduler first"
refused newest "2 2" "speaks protocol 2 .*update the scheduler first"
refused oldest "0 0" "speaks protocol 0 .*update the node"
nothing_left "$work/result"
finish
