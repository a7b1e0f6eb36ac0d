#!/usr/bin/env bash
# A GPU that hangs, which its node does not hold against it, and one that makes wrong bits, each beside a good one: over the fake
# drivers, as gpu.sh. Nothing of this is about a real driver.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
gpu=0000:00:1e.0
stall_ms=60000 # copies are sooner
make_clip "$work/clip.mp4" 60 320x180 15
small_pipeline "$work/gpu.yaml" 180
sed -i "s/preset: ultrafast/preset: ultrafast, devices: [nvenc], fallback: wait/" "$work/gpu.yaml"
is() { # node filter: true of its GPU in the node list
  gopmill node list --json >"$work/nodes" &&
    jq -e --arg node "$1" --arg gpu "$gpu" ".nodes[] | select(.id == \$node) | .devices[] | select(.id == \$gpu) | $2" "$work/nodes" >/dev/null
}
farm gpus
node_starts
profile l4
gpu_node good LD_LIBRARY_PATH
fakes=$work/fake-b
mkdir "$fakes"
node_starts
profile l4
gpu_node bad LD_LIBRARY_PATH
offers() { is good '.capacity.slots == 2' && is bad '.capacity.slots == 2 and .quarantine == null'; }
until_true "both GPUs are offered" offers
check "a job is done" transcode whole "$work/clip.mp4" "$work/gpu.yaml"

# It lies: each chunk of it that is spoilt is made again elsewhere.
profile l4 "fault encode corrupt"
check "a job is done of which one GPU spoils bits" transcode spoilt "$work/clip.mp4" "$work/gpu.yaml"
check "that was found out" report 'any(.tasks[]; .node == "bad" and .error.code? == "media.verify_failed")'
check "the good one made all" report '.encoding.actual.devices | map(.node) == ["good"]'
check "no lie is published" test "$(tree_hash "$work/whole")" = "$(tree_hash "$work/spoilt")"
check "the liar is in quarantine on its node" is bad '.capacity.slots == 0 and any(.notes[]; .text | test("quarantined until its proof passes again: media.verify_failed"))'
profile l4
until_true "it is back when its proof passed" offers

# It hangs: its node starts another worker and goes on. What it holds is copied, or fails by the watchdog, and passes elsewhere.
profile l4 "fault encode hang"
closed() {
  local i
  for i in 1 2 3 4; do
    transcode "hang$i" "$work/clip.mp4" "$work/gpu.yaml" || return
    [ "$(tree_hash "$work/whole")" = "$(tree_hash "$out")" ] || return
    report '.encoding.actual.devices | map(.node) == ["good"]' || return
    grep -q 'event=node.quarantined' "$at/scheduler.log" && return
  done
  return 1
}
check "jobs are done beside a GPU that hangs, with the same bytes and none of it by that GPU, and it is closed" closed
check "the scheduler says why" sh -c "grep 'event=node.quarantined' '$at/scheduler.log' | grep -q '2 tasks failed there and passed elsewhere.*node.worker_hung'"
until_true "its node is told to prove it" grep -q 'event=prove-asked' "$at/bad.log"
until_true "and does not trust it" is bad 'any(.notes[]; .text | test("quarantined"))'
profile l4
on_trial() { grep -q 'event=node.trial' "$at/scheduler.log"; }
until_true "it is on trial when pause and proof are over" on_trial
check "a job is done then" transcode tried "$work/clip.mp4" "$work/gpu.yaml"
jobs=0
works() { # the trial wants a task
  offers || { transcode "again$((++jobs))" "$work/clip.mp4" "$work/gpu.yaml" >/dev/null && offers; }
}
until_true "it takes all again when a task passed" works
nothing_left "$work/whole" "$work/spoilt" "$out"
finish
