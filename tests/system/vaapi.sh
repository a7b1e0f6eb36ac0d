#!/usr/bin/env bash
# A farm whose node has a GPU of a VA driver: the fake one of tests/drivers, with libx264 behind it, under the name that
# Intel's has. It shows that detection, proof, sandbox, planning, loss, quarantine and the way back work together with
# VAAPI, nothing about a real driver.
. "$(dirname "$0")/lib.sh"
has_fakes || skip "no fake drivers in $GOPMILL_FAKE_LIB"
"$top/tests/drivers/with" arc -- true 2>/dev/null || skip "no render node can be made here (mount namespaces)"
GOPMILL_FAKE_LIB=$(realpath "$GOPMILL_FAKE_LIB")
gpu=0000:03:00.0
mkdir -p "$work/fakebin" "$work/fake/dri"
ln -s "$GOPMILL_FAKE_LIB/fake_drv_video.so" "$work/fake/dri/iHD_drv_video.so"
cat >"$work/fakebin/gopmill-node" <<SH
#!/bin/sh
exec "$top/tests/drivers/with" "$work/fake/profile" -- env -u LIBVA_DRIVER_NAME LIBVA_DRIVERS_PATH="$work/fake/dri" \
  "$bin/gopmill-node" "\$@"
SH
chmod +x "$work/fakebin/gopmill-node"
profile() { # name line...: the driver from now on
  cp "$top/tests/drivers/profiles/$1.txt" "$work/fake/next"
  printf '%s\n' "${@:2}" >>"$work/fake/next"
  mv "$work/fake/next" "$work/fake/profile"
}
gpu_is() { # filter: true of the GPU in the node list
  gopmill node list --json >"$work/nodes" &&
    jq -e --arg gpu "$gpu" "[.nodes[].devices[] | select(.id == \$gpu)] | any($1)" "$work/nodes" >/dev/null
}
report() { # filter: true of the last job's report
  jq -e "$1" "$out/report.json" >/dev/null || { echo "not so: $1"; jq -c '.encoding, (.tasks[] | [.task, .device, .outcome, .error])' "$out/report.json"; return 1; }
}
transcode() { # name clip [pipeline]: into $work/name
  out=$work/$1
  gopmill transcode "$2" --out "$out" --quiet ${3:+--pipeline "$3"} >"$work/said" 2>&1 || { cat "$work/said"; return 1; }
}
on() { echo "[.tasks[] | select(.type == \"encode\" and .outcome == \"done\") | .device] | unique == [\"$1\"]"; }
make_clip "$work/clip.mp4" 8

# Found by the kernel's files, proven, offered, used.
profile arc
farm vaapi
node_program=$work/fakebin/gopmill-node node_options="device_environment: [LIBVA_DRIVERS_PATH, GOPMILL_FAKE_DRIVERS]
device_paths: [\"$work/fake\", \"$GOPMILL_FAKE_LIB\"]
device_retry_s: 1
devices: prove" node box
until_true "its GPU is offered" gpu_is '.capacity.slots == 2'
check "with the chain vaapi" gpu_is '.chains == [.chains[0]] and (.chains[0] | .name == "vaapi" and .codecs == ["h264"] and (.fingerprint | test("Intel device-56a0 . gopmill fake GPU Arc.*-fake va-driver-iHD")))'
check "a job is done" transcode first "$work/clip.mp4"
check "encoded on the GPU" report "$(on $gpu)"
check "its report names the chain" report '.encoding.resolved.chain == "vaapi"'
check "it plays" plays "$work/first/master.m3u8"
check "every frame is there" test "$(frames_of "$work/first/master.m3u8")" = 240
check "a second job is done" transcode second "$work/clip.mp4"
check "with the same bytes" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/second")"

# Lost in the middle of a chunk: quarantine, software, and back.
profile arc "fault encode lost gpu=$gpu at=20"
check "a job is done whose GPU is lost" transcode lost "$work/clip.mp4"
check "in software" report "$(on cpu)"
check "its report says that" report '.encoding | .resolved.chain == "cpu" and .given_up[0].chain == "vaapi"'
check "and why" report 'any(.tasks[]; .error.code? == "device.lost")'
check "every frame is there" test "$(frames_of "$work/lost/master.m3u8")" = 240
check "the GPU is in quarantine" gpu_is '.capacity.slots == 0 and .chains == [] and any(.notes[]; .text | test("quarantined until its proof passes"))'
profile arc "back $gpu 1"
until_true "the GPU is back" gpu_is '.capacity.slots == 2'
check "a job is done after it" transcode again "$work/clip.mp4"
check "on the GPU again" report "$(on $gpu)"
check "with the same bytes as at first" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/again")"

# A driver that keeps no quality below a cap: refused when the job is planned, made in software.
profile arc "rate cqp,cbr,vbr" "back $gpu 1"
check "a job is done that its driver can't make" transcode unfit "$work/clip.mp4"
check "in software" report "$(on cpu)"
check "its report says why" report '.encoding.given_up | length == 1 and .[0].chain == "vaapi" and .[0].code == "pipeline.does_not_fit"'
stop box
finish
