#!/usr/bin/env bash
# A farm whose node has a GPU: the fake drivers of tests/drivers, with libx264 and libx265 behind them. It shows that proofs,
# slots, sandbox, session limits, loss, quarantine and the way back to software work together, nothing about a real driver.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
gpu=0000:00:1e.0
node_starts
logged() { grep -q "$1" "$at/$2.log" || { tail -n 5 "$at/$2.log"; return 1; } } # words node
make_clip "$work/clip.mp4" 12 640x360 15
make_clip "$work/long.mp4" 30
make_clip "$work/short.mp4" 7 640x360 15
scaled() { echo "all(.renditions[]; .resolved.scaler.by == \"$1\" and [.actual.scaled[] | .by] == [\"$2\"])"; } # plan's, what did

# Proven, offered, used.
profile l4
farm gpu
gpu_node box LD_LIBRARY_PATH
check "the node is ready with its processors" test "$ready" = "READY node=box slots=2"
until_true "its GPU is offered" is_offered
check "with the chain nvenc" gpu_is '.chains[0] | .name == "nvenc" and (.codecs | index("h264") and index("hevc") and index("hevc10")) and (.fingerprint | test("fake GPU L4.*-fake.* \\| cuda-ladder-1$"))'
check "the cpu keeps its slots" sh -c "jq -e '.nodes[0].devices[0].capacity.slots == 2' '$work/nodes' >/dev/null"
check "a job is done" transcode first "$work/clip.mp4"
is_used nvenc 180
check "planned there, the rest on the processors" report '[.tasks[] | select(.type != "encode" and .type != "plan") | .device] | unique == ["cpu"]'
check "the GPU decoded too" report 'all(.renditions[]; [.actual.decoded[] | .by] == ["nvdec"])'
check "and scaled, as the plan says" report "$(scaled cuda-ladder-1 cuda)"
check "and made what images are chosen by" report '.images | (.poster.score > 0) and [.seen[].by] == ["cuda"]'

# The same bytes, whatever decodes.
profile l4 "fault decode-caps unsupported"
check "a job is done without the GPU's decoder" transcode soft "$work/clip.mp4"
check "encoded on the GPU" report "$(on $gpu)"
check "decoded in software, which is said" report 'all(.renditions[].actual.decoded[]; .by == "software" and (.reason | test("does not tell")))'
check "scaled by the GPU all the same" report "$(scaled cuda-ladder-1 cuda)"
check "with the same bytes" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/soft")"

# HDR for SDR: its light is mapped where the pictures are.
make_hdr10 "$work/hdr.mp4"
check "a job in SDR is done of HDR" transcode toned "$work/hdr.mp4"
check "encoded on the GPU" report "$(on $gpu)"
check "mapped and scaled there, as the plan says" report "$(scaled cuda-tone-1+cuda-ladder-1 cuda)"
check "the renditions say SDR" report 'all(.renditions[]; .colour.transfer == "bt709")'

# HDR kept, its messages with it: HEVC in 10 bits alone, whose pictures stay there; beside H.264 in SDR, which needs a conversion.
small_pipeline "$work/hdr.yaml" "240, 120"
sed -i 's/codec: h264.*/codec: hevc, hdr: keep }/;s/^  audio:.*//;s/, audio]/]/' "$work/hdr.yaml"
check "a job with HDR10 is done" transcode hdr "$work/hdr.mp4" "$work/hdr.yaml"
is_used nvenc 75
is_hdr10
check "its pictures stayed there" report "$(scaled cuda-ladder-1 cuda)"
keeps_hlg nvenc
sed -i 's/hdr: keep }/hdr: keep, renditions: { 120: { codec: h264 } } }/' "$work/hdr.yaml"
check "a job with HDR10 and SDR is done" transcode both "$work/hdr.mp4" "$work/hdr.yaml"
is_used nvenc 75
is_hdr10
check "its pictures went through memory" report "$(scaled libavfilter software)"

# A driver that does not load the kernel since it was proved: through memory, which is planned so.
profile l4 "fault module unsupported"
check "a job is done without the kernel" transcode unscaled "$work/short.mp4"
check "encoded on the GPU" report "$(on $gpu)"
check "scaled in software, which is said" report "$(scaled libavfilter software)"
check "as images are" report '[.images.seen[].by] == ["software"]'
check "and why" report 'all(.renditions[]; (.resolved.scaler.reason | test("refuses the kernel")) and (.actual.scaled[0].reason == .resolved.scaler.reason))'
profile l4

# Sessions for one run at a time: fewer are offered, no attempt charged, the same chain, the same bytes.
sessions=$(jq '.renditions | length' "$work/first/report.json")
check "with a few sessions" transcode many "$work/long.mp4"
profile l4 "sessions $sessions"
check "a job is done with sessions for one run" transcode few "$work/long.mp4"
check "on the GPU" report "$(on $gpu)"
check "a run was refused" report 'any(.tasks[]; .error.code? == "device.busy")'
check "no attempt is charged" uncharged
check "the node gave sessions up" logged "event=device-full.*sessions=$((2 * sessions - 1))" box
check "the bytes are those of the job with many sessions" test "$(tree_hash "$work/many")" = "$(tree_hash "$work/few")"
profile l4
until_true "no limit is known any more" gpu_is '.capacity.slots == 2 and .capacity.sessions == 0'

is_lost_and_back nvenc l4 180

# Lost before anything is encoded: the processor plans, and the report does not forget the GPU.
profile l4 "back $gpu 1" "fault encode-open lost gpu=$gpu times=1"
check "a job is done whose GPU is lost while it plans" transcode unplanned "$work/clip.mp4"
check "in software" report "$(on cpu)"
check "its report says what was given up, and why" report '.encoding | .resolved.chain == "cpu" and (.given_up | length == 1) and .given_up[0].chain == "nvenc" and .given_up[0].code == "device.lost"'
check "it was the plan that failed there" report '[.tasks[] | select(.type == "plan") | [.chain, .outcome]] == [["nvenc", "failed"], ["cpu", "done"]]'
profile l4 "back $gpu 2"
until_true "the GPU is back again" is_back

# What it makes is wrong: found out, and made in software.
profile l4 "back $gpu 2" "fault encode corrupt"
check "a job is done whose GPU spoils bits" transcode spoilt "$work/clip.mp4"
check "in software" report "$(on cpu)"
check "that was found out" report 'any(.tasks[]; .error.code? == "media.verify_failed")'
check "every frame is there" test "$(frames_of "$work/spoilt/master.m3u8")" = 180
check "the GPU is in quarantine" gpu_is 'any(.notes[]; .text | test("quarantined"))'
stop box

# A chip without an encoder decodes for the processors, and no byte changes.
by() { echo "[.renditions[].actual.decoded[] | .by] | unique == [\"$1\"]"; }
assists='(.proofs | all(.passed)) and any(.notes[]; .text == "decodes for 2 slots of the processor")'
gpu_node plain LD_LIBRARY_PATH off
check "a job is done without devices" transcode plain "$work/short.mp4"
check "in software" report "$(by software)"
stop plain
soft=$(tree_hash "$work/plain")
same() { test "$soft" = "$(tree_hash "$out")"; }
profile h200
rm -f "$work/fake/profile.state"
gpu_node hopper LD_LIBRARY_PATH
gpu=0000:3b:00.0
until_true "a GPU without encoder decodes" gpu_is ".capacity.slots == 0 and .chains == [] and (.proofs | length > 0) and $assists"
check "and says what it lacks" gpu_is '.description | test("no encoder in this chip: encodes on CPU")'
check "a job is done" transcode hopper "$work/short.mp4"
check "on the processor" report "$(on cpu)"
check "its report says so" report '.encoding | .resolved.chain == "cpu" and .reason == null'
check "the GPU decoded" report "$(by nvdec)"
check "which one is said, and that it is fake" report 'all(.renditions[].actual.decoded[]; .device | test("^0000:3b:00.0 .*fake"))'
check "with the bytes of software" same

profile h200 "fault decode lost gpu=$gpu at=20"
check "a job is done whose decoder is lost in the middle of a chunk" transcode dlost "$work/short.mp4"
check "no task failed for it" report 'all(.tasks[]; .outcome == "done")'
check "software went on, which is said" report 'any(.renditions[0].actual.decoded[]; .by == "software" and .reason == "the device was lost")'
check "with the bytes of software" same
until_true "the node list says why the GPU decodes no more" gpu_is 'any(.notes[]; .text | test("does not decode for the processors until its proof passes again"))'
check "for the loss at first" logged 'event=device-decodes-no-more.*device.lost' hopper
profile h200 "back $gpu 1"
until_true "the GPU decodes again" gpu_is "$assists"
check "a job is done after it" transcode dagain "$work/short.mp4"
check "decoded on the GPU" report "$(by nvdec)"

profile h200 "back $gpu 1" "fault decode hang gpu=$gpu at=20 times=1"
check "a job is done whose driver hangs in a worker" transcode dhung "$work/short.mp4"
check "which costs an attempt" report 'any(.tasks[]; .error.code? == "node.worker_hung")'
check "with the bytes of software" same
check "the GPU was taken away" logged 'event=device-decodes-no-more.*node.worker_hung' hopper
profile h200 "back $gpu 1" "fault decode-open oom gpu=$gpu"
check "a job is done whose GPU is full" transcode dfull "$work/short.mp4"
check "no task failed for it" report 'all(.tasks[]; .outcome == "done")'
check "in software" report "$(by software)"
check "with the bytes of software" same
stop hopper

# A node that waits for its proofs comes to the farm with its GPU.
gpu=0000:00:1e.0
profile l4 "fault launch error"
rm -f "$work/fake/profile.state"
farm waits
gpu_node patient LD_LIBRARY_PATH wait
check "offered from the first" gpu_is '.capacity.slots == 2 and .chains[0].name == "nvenc"'

# On that GPU the kernel faults, in a process of its own: the encoder is used without it.
check "its chain does not name the kernel" gpu_is '.chains[0].fingerprint | test("ladder") | not'
check "a job is done whose GPU does not run the kernel" transcode faulting "$work/short.mp4"
check "encoded on the GPU" report "$(on $gpu)"
check "scaled in software" report "$(scaled libavfilter software)"
check "and why" report 'all(.renditions[]; .resolved.scaler.reason | test("proof did not pass"))'
profile l4
until_true "the kernel is proved again, and passes" gpu_is '[.chains[].fingerprint | test("ladder")] == [true, false]'
check "a job is done behind that" transcode mended "$work/short.mp4"
check "scaled by the GPU" report "$(scaled cuda-ladder-1 cuda)"
stop patient

# One machine's farm, which gopmill starts and ends: the same programs, the node's configuration told of the fakes' files.
cat >"$work/fakebin/gopmill-node" <<SH
#!/bin/sh
grep -q device_environment "\$2" || echo 'device_environment: [LD_LIBRARY_PATH, GOPMILL_FAKE_DRIVERS]' >>"\$2"
exec "$top/tests/drivers/with" "$work/fake/profile" -- "$bin/gopmill-node" "\$@"
SH
cp "$bin/gopmill" "$work/fakebin/" # it looks for the others beside itself
ln -s "$bin/gopmill-scheduler" "$work/fakebin/"
profile l4
rm -f "$work/fake/profile.state"
unset GOPMILL_SCHEDULER
export GOPMILL_PIPELINES=$top/config/pipelines
embedded() { # name option...
  out=$work/$1
  "$work/fakebin/gopmill" transcode "$work/clip.mp4" --out "$out" --quiet "${@:2}" >"$work/said" 2>&1 || { cat "$work/said"; return 1; }
}
check "one command alone uses the processors" embedded alone
check "looking for no devices" report "$(on cpu)"
export GOPMILL_DEVICE_PATHS=$work/fake:$GOPMILL_FAKE_LIB # what the fakes need besides
check "with --devices" embedded devices --devices
check "it uses the GPU" report "$(on $gpu)"
check "with the farm's bytes" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/devices")"
finish
