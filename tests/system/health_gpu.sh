#!/usr/bin/env bash
# A GPU that hangs, which its node does not hold against it, and one that makes wrong bits, each beside a good one: over the fake
# drivers, as gpu.sh. Nothing of this is about a real driver.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
gpu=0000:00:1e.0
stall_ms=2500
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

# It hangs: its node starts another worker and goes on; what it holds is copied, or fails by the watchdog and passes elsewhere.
profile l4 "fault encode hang"
for i in 1 2; do
  check "a job is done beside a GPU that hangs ($i)" transcode "hang$i" "$work/clip.mp4" "$work/gpu.yaml"
  check "with the same bytes ($i)" test "$(tree_hash "$work/whole")" = "$(tree_hash "$work/hang$i")"
  check "none of it by that GPU ($i)" report '.encoding.actual.devices | map(.node) == ["good"]'
done
profile l4
jobs=0
works() { # where it was closed a trial wants a task
  transcode "again$((++jobs))" "$work/clip.mp4" "$work/gpu.yaml" >/dev/null && offers
}
until_true "it takes all again when it works" works
finish
