#!/usr/bin/env bash
# A farm whose node has a GPU of a VA driver: the fake one of tests/drivers, with libx264 behind it, under the name that
# Intel's has. It shows that detection, proof, sandbox, planning, loss, quarantine and the way back work together with
# VAAPI, nothing about a real driver.
. "$(dirname "$0")/lib.sh"
. "$here/gpu_lib.sh"
"$top/tests/drivers/with" arc -- true 2>/dev/null || skip "no render node can be made here (mount namespaces)"
gpu=0000:03:00.0
mkdir "$work/fake/dri"
ln -s "$GOPMILL_FAKE_LIB/fake_drv_video.so" "$work/fake/dri/iHD_drv_video.so"
node_starts "env -u LIBVA_DRIVER_NAME LIBVA_DRIVERS_PATH='$work/fake/dri'"
make_clip "$work/clip.mp4" 8

# Found by the kernel's files, proven, offered, used.
profile arc
farm vaapi
gpu_node box LIBVA_DRIVERS_PATH
until_true "its GPU is offered" is_offered
check "with the chain vaapi" gpu_is '.chains == [.chains[0]] and (.chains[0] | .name == "vaapi" and .codecs == ["h264"] and (.fingerprint | test("Intel device-56a0 . gopmill fake GPU Arc.*-fake va-driver-iHD")))'
check "a job is done" transcode first "$work/clip.mp4"
is_used vaapi 240
check "a second job is done" transcode second "$work/clip.mp4"
check "with the same bytes" test "$(tree_hash "$work/first")" = "$(tree_hash "$work/second")"

is_lost_and_back vaapi arc 240

# A driver that keeps no quality below a cap: refused when the job is planned, made in software.
profile arc "rate cqp,cbr,vbr" "back $gpu 1"
check "a job is done that its driver can't make" transcode unfit "$work/clip.mp4"
check "in software" report "$(on cpu)"
check "its report says why" report '.encoding.given_up | length == 1 and .[0].chain == "vaapi" and .[0].code == "pipeline.does_not_fit"'
stop box
finish
