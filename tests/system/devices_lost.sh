#!/usr/bin/env bash
# Devices that are not there, go, or are full while jobs run, and a job that goes on with a like one: over the fake drivers, as
# gpu.sh, which has those that are lost without a like one, spoil bits or lack sessions. Nothing of this is about a real driver.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
gpu=0000:00:1e.0
make_clip "$work/clip.mp4" 6 320x180 15
for fallback in software fail wait; do
  small_pipeline "$work/$fallback.yaml" 180
  sed -i "s/preset: ultrafast/preset: ultrafast, devices: [nvenc], fallback: $fallback/" "$work/$fallback.yaml"
done
given_up() { # code: the last job gave nvenc up for it, and was made in software
  report "$(on cpu)" && report ".encoding | .resolved.chain == \"cpu\" and (.given_up | map([.chain, .code])) == [[\"nvenc\", \"$1\"]]" &&
    report "any(.tasks[]; .error.code? == \"$1\")"
}

# No device at all.
farm lost
node plain
gopmill submit "$work/clip.mp4" --out "$work/waiting" --pipeline "$work/wait.yaml" >"$work/id" 2>/dev/null || fail "submit"
id=$(cat "$work/id")
check "a job for a device that is nowhere is done" transcode none "$work/clip.mp4" "$work/software.yaml"
check "in software" report "$(on cpu)"
check "its report says why" report '.encoding | .reason == "nvenc: no node offers it" and .given_up == []'
check "one that must have it fails" status 1 gopmill transcode "$work/clip.mp4" --out "$work/fail" --quiet --pipeline "$work/fail.yaml"
check "and says what is not there" said "none of the pipeline's \`devices\` can be had: nvenc: no node offers it"
check "publishing nothing" only_report "$work/fail"
check "one that may wait does, and says for what" sh -c "'$bin/gopmill' job explain '$id' | grep -q 'waits for one of the pipeline.s devices: nvenc: no node offers it'"
stop plain

# The device comes: what waits goes on.
node_starts
profile l4
gpu_node box LD_LIBRARY_PATH
until_true "its GPU is offered" is_offered
check "the job that waited is done" gopmill watch "$id" --quiet
out=$work/waiting
check "on the GPU" report "$(on $gpu)"

# The driver goes: another one was installed under the programs that run.
profile l4 "fault cuda-init mismatch"
check "a job is done whose driver is gone" transcode driver "$work/clip.mp4" "$work/software.yaml"
check "in software, for that reason" given_up device.driver
check "the GPU is in quarantine" gpu_is '.capacity.slots == 0 and .chains == [] and any(.notes[]; .text | test("quarantined until its proof passes"))'
profile l4
until_true "the GPU is back with its driver" is_back

# Its memory is full.
profile l4 "fault encode-open oom"
sed -i 's/memory-mib .*/memory-mib 40/' "$fakes/profile"
check "a job is done whose GPU is full" transcode full "$work/clip.mp4" "$work/software.yaml"
check "in software, for that reason" given_up device.memory
check "the GPU is not in quarantine" gpu_is 'all(.notes[]; .text | test("quarantined") | not)'
profile l4
until_true "the GPU offers all its slots again" is_back

# Two like ones, one of which is lost in the middle of a chunk.
fakes=$work/fake-b
mkdir "$fakes"
node_starts
profile l4
gpu_node like LD_LIBRARY_PATH
both() { gopmill node list --json >"$work/nodes" && jq -e '[.nodes[].devices[] | select(.id == "'$gpu'" and .capacity.slots == 2) | .chains[0].fingerprint] | length == 2 and .[0] == .[1]' "$work/nodes" >/dev/null; }
until_true "both GPUs are offered, of one fingerprint" both
make_clip "$work/long.mp4" 30
check "a job is done by both" transcode whole "$work/long.mp4" "$work/fail.yaml"
check "each did a part" report '.encoding.actual.devices | map([.node, .device]) == [["box", "'$gpu'"], ["like", "'$gpu'"]]'
profile l4 "fault encode lost gpu=$gpu at=20"
check "a job is done of which one GPU is lost" transcode moved "$work/long.mp4" "$work/fail.yaml"
check "by GPUs alone" report "$(on $gpu)"
check "planned once, nothing given up" report '(.encoding | .resolved.chain == "nvenc" and .given_up == []) and ([.tasks[] | select(.type == "plan")] | length == 1)'
check "the report says what was lost where" report 'any(.tasks[]; .type == "encode" and .node == "like" and .error.code? == "device.lost")'
check "and that the other node did all" report '.encoding.actual.devices | map(.node) == ["box"]'
check "with the same bytes" test "$(tree_hash "$work/whole")" = "$(tree_hash "$work/moved")"
check "the lost one is in quarantine" sh -c "'$bin/gopmill' node list --json | jq -e '.nodes[] | select(.id == \"like\") | .devices[] | select(.id == \"$gpu\") | .capacity.slots == 0' >/dev/null"
finish
