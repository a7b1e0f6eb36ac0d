#!/usr/bin/env bash
# A farm whose node has a GPU of a VA driver: the fake one of tests/drivers, with libx264 and libx265 behind it, under the name that
# Intel's has. It shows that detection, proof, sandbox, planning, loss, quarantine and the way back work together with
# VAAPI, nothing about a real driver.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
"$top/tests/drivers/with" arc -- true 2>/dev/null || skip "no render node can be made here (mount namespaces)"
gpu=0000:03:00.0
mkdir "$work/fake/dri"
ln -s "$GOPMILL_FAKE_LIB/fake_drv_video.so" "$work/fake/dri/iHD_drv_video.so"
node_starts "env -u LIBVA_DRIVER_NAME LIBVA_DRIVERS_PATH='$work/fake/dri'"
make_clip "$work/clip.mp4" 8 640x360 15

by() { echo "[.renditions[].actual.decoded[] | .by] | unique == [\"$1\"]"; } # what decoded the last job

scaled() { echo "all(.renditions[]; .resolved.scaler.by == \"$1\" and [.actual.scaled[] | .by] == [\"$2\"])"; } # plan's, what did

has_fingerprint() { is_offered && gpu_is "(.chains[0].fingerprint // \"\") | $1"; } # filter of it

# Found by the kernel's files, proven, offered, used, its decoder with it.
profile arc
farm vaapi
va_decode_slots=2
gpu_node box LIBVA_DRIVERS_PATH
until_true "its GPU is offered" is_offered
check "with the chain vaapi" gpu_is '.chains == [.chains[0]] and (.chains[0] | .name == "vaapi" and .codecs == ["h264", "hevc", "hevc10"] and (.fingerprint | test("Intel device-56a0 . gopmill fake GPU Arc.*-fake va-driver-iHD")))'
check "a job is done" transcode first "$work/clip.mp4"
is_used vaapi 120
check "the GPU decoded for itself" report "$(by vaapi)"
check "and did not scale, whose driver does not" report "$(scaled libavfilter software)"
profile arc "fault decode wrong gpu=$gpu at=1"
check "a second job is done, for which it gives other pictures" transcode second "$work/clip.mp4"
is_used vaapi 120
check "decoded in software" report "$(by software)"
check "with the same bytes" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/second")"
stop box

# One that scales is another chain, and so is another build of it that scales otherwise, by the same name.
profile arc "scale yes"
gpu_node box LIBVA_DRIVERS_PATH
until_true "its GPU is offered as a chain with the driver's bits" has_fingerprint 'test(" [|] va-vpp-1 8:[0-9a-f]{16} 10:[0-9a-f]{16}$")'
check "a job is done by a driver that scales" transcode scaled "$work/clip.mp4"
is_used vaapi 120
check "its pictures stayed there" report "($(by vaapi)) and $(scaled va-vpp-1 vaapi)"
profile arc "scale yes" "fault decode wrong gpu=$gpu at=1"
check "the driver scales for software, too" transcode rescaled "$work/clip.mp4"
check "which decoded" report "($(by software)) and $(scaled va-vpp-1 vaapi)"
check "with the bytes of pictures that stayed" test "$(tree_hash "$work/scaled")" = "$(tree_hash "$work/rescaled")"
stop box
scales=$(jq -r '.[0].fingerprint' <<<"$chains")
profile arc "scale yes" "scale-soft yes"
gpu_node box LIBVA_DRIVERS_PATH
until_true "its GPU is offered as a chain with other bits" has_fingerprint "test(\"va-vpp-1 8:\") and . != \"$scales\""
stop box
profile arc
gpu_node box LIBVA_DRIVERS_PATH
until_true "its GPU is offered with the first driver" has_fingerprint '. != "" and (test("va-vpp") | not)'

# HEVC in 8 bits; in 10 bits with HDR10's messages, beside H.264 in SDR.
check "a job with HEVC is done" transcode hevc "$work/clip.mp4" vod-hevc
is_used vaapi 120
check "as HEVC, Main" sh -c "grep -q 'CODECS=\"hvc1\.1\.' '$out/master.m3u8'"
make_hdr10 "$work/hdr.mp4"
small_pipeline "$work/hdr.yaml" "240, 120"
sed -i 's/codec: h264.*/codec: hevc, hdr: keep, renditions: { 120: { codec: h264 } } }/;s/^  audio:.*//;s/, audio]/]/' "$work/hdr.yaml"
check "a job with HDR10 is done" transcode hdr "$work/hdr.mp4" "$work/hdr.yaml"
is_used vaapi 75
is_hdr10
keeps_hlg vaapi

# A source in AV1, with pictures that are not shown: decoded there, and in software with the same bytes.
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=426x240:r=25:d=3 -pix_fmt yuv420p -c:v libsvtav1 -preset 10 -g 30 "$work/av1.mp4" 2>/dev/null
small_pipeline "$work/av1.yaml" "240, 120"
sed -i 's/^  audio:.*//;s/, audio]/]/' "$work/av1.yaml"
check "a job of AV1 is done" transcode av1 "$work/av1.mp4" "$work/av1.yaml"
is_used vaapi 75
check "the GPU decoded AV1" report "$(by vaapi)"
profile arc "fault decode wrong gpu=$gpu at=1"
check "another is done, for which it gives other pictures" transcode av1soft "$work/av1.mp4" "$work/av1.yaml"
check "decoded in software" report "$(by software)"
check "with the same bytes" test "$(tree_hash "$work/av1")" = "$(tree_hash "$work/av1soft")"
profile arc
until_true "it decodes again" gpu_is 'any(.notes[]; .text | test("^decodes for [0-9]+ slots? of the processor"))'

# Where its decoder is the first to notice, the chunk begins again in software, with an encoder that does not open: lost, too.
is_lost_and_back vaapi arc 120

# A driver that keeps no quality below a cap: refused when the job is planned, made in software.
profile arc "rate cqp,cbr,vbr" "back $gpu 1"
check "a job is done that its driver can't make" transcode unfit "$work/clip.mp4"
check "in software" report "$(on cpu)"
check "its report says why" report '.encoding.given_up | length == 1 and .[0].chain == "vaapi" and .[0].code == "pipeline.does_not_fit"'
stop box

# A driver that encodes nothing decodes for the processors, and no byte changes.
make_clip "$work/short.mp4" 7 640x360 15
assists='(.proofs | map([.encode, .passed]) == [[false, true]]) and any(.notes[]; .text == "decodes for 2 slots of the processor")'
gpu_node plain LIBVA_DRIVERS_PATH off
check "a job is done without devices" transcode plain "$work/short.mp4"
check "in software" report "$(by software)"
stop plain
soft=$(tree_hash "$work/plain")
same() { test "$soft" = "$(tree_hash "$out")"; }
profile decode-only
rm -f "$work/fake/profile.state"
gpu_node reader LIBVA_DRIVERS_PATH
until_true "a GPU without encoder decodes" gpu_is ".capacity.slots == 0 and .chains == [] and $assists"
check "a job is done" transcode reader "$work/short.mp4"
check "on the processor" report "$(on cpu)"
check "the GPU decoded" report "$(by vaapi)"
check "the report says which" report '[.renditions[].actual.decoded[].device] | unique | length == 1 and (.[0] | test("^/dev/dri/renderD128 gopmill fake GPU"))'
check "with the bytes of software" same

profile decode-only "fault decode lost gpu=$gpu at=20"
check "a job is done whose decoder is lost in the middle of a chunk" transcode dlost "$work/short.mp4"
check "no task failed for it" report 'all(.tasks[]; .outcome == "done")'
check "software went on, which is said" report 'any(.renditions[0].actual.decoded[]; .by == "software" and .reason == "the device was lost")'
check "with the bytes of software" same
until_true "the node list says why the GPU decodes no more" gpu_is 'any(.notes[]; .text | test("does not decode for the processors until its proof passes again"))'
profile decode-only "back $gpu 1"
until_true "the GPU decodes again" gpu_is "$assists"
check "a job is done after it" transcode dagain "$work/short.mp4"
check "decoded on the GPU" report "$(by vaapi)"
check "with the bytes of software" same

profile decode-only "back $gpu 1" "fault decode wrong gpu=$gpu at=1"
check "a job is done whose GPU gives other pictures" transcode dwrong "$work/short.mp4"
check "in software, which is said" report 'all(.renditions[].actual.decoded[]; .by == "software") and any(.renditions[0].actual.decoded[]; .reason == "the device gives other pictures than software")'
check "with the bytes of software" same
stop reader
finish
