#!/usr/bin/env bash
# A farm whose node has a GPU with a Quick Sync runtime: the fake one of tests/drivers over the fake VA driver, which writes
# parameter sets of its own, so that VAAPI makes no job. It shows that detection, proof, sandbox, planning, loss,
# quarantine, the way back and the order of chains work together with Quick Sync, nothing about a real runtime.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
"$top/tests/drivers/with" arc-qsv -- true 2>/dev/null || skip "no render node can be made here (mount namespaces)"
gpu=0000:03:00.0
mkdir "$work/fake/dri"
ln -s "$GOPMILL_FAKE_LIB/fake_drv_video.so" "$work/fake/dri/iHD_drv_video.so"
node_starts "env -u LIBVA_DRIVER_NAME LIBVA_DRIVERS_PATH='$work/fake/dri'"
make_clip "$work/clip.mp4" 8 640x360 15
sed 's/^    codec: h264$/    codec: h264\n    devices: [qsv, cpu]/' "$top/config/pipelines/vod-h264.yaml" >"$work/qsv.yaml"

by() { echo "[.renditions[].actual.decoded[] | .by] | unique == [\"$1\"]"; } # what decoded the last job

# Found, proven, offered, used.
profile qsv
farm qsv
gpu_node box "LIBVA_DRIVERS_PATH, LD_LIBRARY_PATH"
until_true "its GPU is offered" is_offered
check "with the chain qsv alone" gpu_is '.chains == [.chains[0]] and (.chains[0] | .name == "qsv" and .codecs == ["h264", "hevc", "hevc10"] and (.fingerprint | test("Intel device-56a0 . gopmill fake GPU Arc.*-fake va-driver-iHD mfx-fake_mfx.so")))'
check "a job is done" transcode first "$work/clip.mp4"
is_used qsv 120
check "software decoded, for nobody chose the VA driver" report "$(by software)"
stop box

# Decoded by the VA driver, where the node's owner chose so: no byte changes, whatever becomes of the decoder.
va_decode_slots=2
gpu_node box "LIBVA_DRIVERS_PATH, LD_LIBRARY_PATH"
until_true "its GPU is offered with its decoder" is_offered
check "a second job is done" transcode second "$work/clip.mp4"
is_used qsv 120
check "the VA driver decoded" report "$(by vaapi)"
check "with the same bytes" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/second")"
profile qsv "fault decode wrong gpu=$gpu at=1"
check "a job is done for which it gives other pictures" transcode wrong "$work/clip.mp4"
is_used qsv 120
check "decoded in software, which is said" report "($(by software)) and any(.renditions[].actual.decoded[]; .reason == \"the device gives other pictures than software\")"
check "with the same bytes" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/wrong")"
profile qsv
until_true "it decodes again" gpu_is 'any(.notes[]; .text | test("^decodes for [0-9]+ slots? of the processor"))'

# HEVC in 10 bits with HDR10's messages, beside H.264 in SDR, on one job.
make_hdr10 "$work/hdr.mp4"
small_pipeline "$work/hdr.yaml" "240, 120"
sed -i 's/codec: h264.*/codec: hevc, hdr: keep, renditions: { 120: { codec: h264 } } }/;s/^  audio:.*//;s/, audio]/]/' "$work/hdr.yaml"
check "a job with HDR10 is done" transcode hdr "$work/hdr.mp4" "$work/hdr.yaml"
is_used qsv 75
check "the VA driver decoded its ten bits" report "$(by vaapi)"
is_hdr10
keeps_hlg qsv

is_lost_and_back qsv qsv 120

# A runtime that keeps no quality below a cap: refused when the job is planned, made in software.
profile qsv "rate cqp,cbr,vbr" "back $gpu 1"
check "a job is done that its runtime can't make" transcode unfit "$work/clip.mp4"
check "in software" report "$(on cpu)"
check "its report says why" report '.encoding.given_up | length == 1 and .[0].chain == "qsv" and .[0].code == "pipeline.does_not_fit"'
stop box

# Both chains of one chip: VAAPI first, Quick Sync where the job asks for it.
profile arc-qsv "back $gpu 1"
gpu_node both "LIBVA_DRIVERS_PATH, LD_LIBRARY_PATH"
until_true "its GPU is offered with both chains" gpu_is '[.chains[].name] == ["qsv", "vaapi"] and .capacity.slots == 2'
check "a job is done" transcode usual "$work/clip.mp4"
check "by VAAPI" report '.encoding.resolved.chain == "vaapi"'
check "a job is done that names Quick Sync" transcode named "$work/clip.mp4" "$work/qsv.yaml"
is_used qsv 120
stop both
finish
