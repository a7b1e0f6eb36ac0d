#!/usr/bin/env bash
# A farm started by hand from the example files, used over its socket.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 8 320x240 25
mkdir -p "$work/s" "$work/n" "$work/run"
head -c 32 /dev/urandom | od -v -An -tx1 | tr -d ' \n' >"$work/grant.key"
edit() { # example overrides... : the shipped file with other values
  local file=$1
  shift
  cp "$top/config/$file" "$work/$file"
  for pair in "$@"; do
    sed -i "s|^#\? *${pair%%=*}:.*|${pair%%=*}: ${pair#*=}|" "$work/$file"
  done
}
edit scheduler.yaml "state=$work/s" "listen=[\"ipc://$work/run/wire\"]" "http=\"unix:$work/run/http\"" \
  "grant_key_file=$work/grant.key" "pipelines=[\"$top/config/pipelines\"]" "work_store=\"file://$work/s/work\"" \
  'allow_sources=["/"]' 'allow_destinations=["/"]'
edit node.yaml "state=$work/n" "scheduler=[\"ipc://$work/run/wire\"]" "grant_key_file=$work/grant.key" "node_id=box" "slots=2"
mkfifo "$work/ready.s" "$work/ready.n"
"$bin/gopmill-node" --config "$work/node.yaml" >/dev/null 2>"$work/early.log" &
npid=$!
until_true "a node says that no scheduler is there" grep -q "scheduler-unreachable.*endpoint=ipc://$work/run/wire" "$work/early.log"
kill -TERM "$npid"
wait "$npid"
"$bin/gopmill-scheduler" --config "$work/scheduler.yaml" >"$work/ready.s" 2>"$work/s.log" &
spid=$!
IFS= read -r line <"$work/ready.s" || fail "scheduler: $(tail -n 3 "$work/s.log")"
check "scheduler says READY" test "${line%% *}" = READY
export GOPMILL_SCHEDULER=unix:$work/run/http
id=$(gopmill submit "$work/clip.mp4" --out "$work/early" --pipeline mp4-720p) || fail "submit without a node"
"$bin/gopmill" watch "$id" >/dev/null 2>"$work/watch" &
wpid=$!
for _ in {1..200}; do grep -q connected "$work/watch" && break; sleep 0.05; done
check "watch says why nothing moves" grep -qxF "queued: no node is connected" "$work/watch"
"$bin/gopmill-node" --config "$work/node.yaml" >"$work/ready.n" 2>"$work/n.log" &
npid=$!
IFS= read -r line <"$work/ready.n" || fail "node: $(tail -n 3 "$work/n.log")"
check "node says READY" test "${line%% *}" = READY
wait "$wpid"; check "watch ends with the job" test $? = 0
check "node list shows it" sh -c "'$bin/gopmill' node list | grep -q box"
gopmill node show box >"$work/show"
check "node show tells what is left" grep -qE '^  left: slots 2 of 2, processor [0-9.]+ of [0-9.]+, memory [0-9.]+ [A-Z]+ of ' "$work/show"
check "node show --json is one document" sh -c "'$bin/gopmill' node show box --json | jq -e '.id == \"box\" and .key == null and .devices[0].left.slots == 2' >/dev/null"
check "node show of none is exit 2 and says who is meant" status 2 "$bin/gopmill" node show bix
check "it says that" said 'no node is called bix, did you mean `box`?'
rm "$work/out"
check "pipeline list shows the shipped ones" sh -c "'$bin/gopmill' pipeline list | grep -q vod-h264"
check "pipeline show" sh -c "'$bin/gopmill' pipeline show vod-h264 | grep -q ladder"
check "pipeline check" gopmill pipeline check "$top/config/pipelines/mp4-720p.yaml"
check "node drain" gopmill node drain box
check "node list shows that" sh -c "'$bin/gopmill' node list | grep -q 'box .*draining'"
id=$(gopmill submit "$work/clip.mp4" --out "$work/out" --pipeline vod-h264) || fail "submit"
check "submit prints an id" test -n "$id"
check "the job waits for the drained node" sh -c "'$bin/gopmill' job explain '$id' | grep -q 'inspect .*drained'"
check "node resume" gopmill node resume box
check "node drain of none is refused" sh -c "! '$bin/gopmill' node drain nobody 2>/dev/null"
check "watch ends with 0" gopmill watch "$id"
check "it is done" sh -c "'$bin/gopmill' job show '$id' --json | jq -e '.state == \"done\"' >/dev/null"
check "job list shows it" sh -c "'$bin/gopmill' job list | grep -q '$id'"
check "explain" gopmill job explain "$id"
check "cancel of a finished job is refused" sh -c "! '$bin/gopmill' job cancel '$id' 2>/dev/null"
check "result plays" plays "$work/out/master.m3u8"
is_clean() { [ -z "$(find "$work/s/work" -type f ! -name .gm-store 2>/dev/null)" ]; }
until_true "the work store is empty again" is_clean
kill -TERM "$npid" "$spid"
wait "$npid"; check "node ends with 0" test $? = 0
wait "$spid"; check "scheduler ends with 0" test $? = 0
finish
