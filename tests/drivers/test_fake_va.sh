#!/usr/bin/env bash
# libavcodec's h264_vaapi and hevc_vaapi, and our detection and proof, over the fake VA driver: frames, pictures, IDRs, rate control,
# limits, faults. Proves how the interface is used; nothing about a real driver.
set -u
. "$(dirname "$0")/over.sh"
: "${GOPMILL:?the program gopmill}"
"$here/with" arc -- true || { echo "SKIPPED: render nodes can't be made here"; exit 77; }
quiet+=(-vaapi_device /dev/dri/renderD128)
source=(-f lavfi -i testsrc2=s=320x180:r=25:d=1)

profile() { # base, lines... -> $work/p.txt with a fresh state
  rm -f "$work/p.txt.state"
  cp "$here/profiles/$1.txt" "$work/p.txt"
  shift
  [ $# = 0 ] || printf '%s\n' "$@" >>"$work/p.txt"
}
shown() { ffprobe -v error -count_frames -select_streams v -show_entries "stream=$1" -of csv=p=0 "$work/o.mp4" | head -n 1; }
psnr() { ffmpeg -nostdin -hide_banner -i "$work/o.mp4" "${source[@]}" -lavfi psnr -f null - 2>&1 | sed -n 's/.*average:\([0-9]*\).*/\1/p'; }
upload=(-vf "format=nv12,hwupload" -c:v h264_vaapi)
same=("${upload[@]}") # what good() encodes with

good() { # name, profile, has_b_frames, arguments before the output...
  local name=$1 profile=$2 b=$3
  shift 3
  over "$profile" "${source[@]}" "${same[@]}" "$@" "$work/o.mp4" 2>"$work/log" || { fail "$name: $(head -n 2 "$work/log")"; return; }
  [ "$(shown nb_read_frames)" = 25 ] || fail "$name: $(shown nb_read_frames) frames"
  [ "$(shown has_b_frames)" = "$b" ] || fail "$name: has_b_frames $(shown has_b_frames)"
  [ "$(psnr)" -gt 30 ] || fail "$name: PSNR $(psnr) dB"
}
of_both() { # name
  good "$1, no B pictures" arc 0 -bf 0 -qp 24
  good "$1, B pictures" arc 1 -bf 2 -qp 24
  good "$1, B pictures that others refer to" arc 2 -bf 3 -b_depth 2 -qp 24
  good "$1, low power" arc 0 -low_power 1 -bf 0 -qp 24
  good "$1, constant rate" arc 1 -bf 2 -rc_mode CBR -b:v 800k
  good "$1, variable rate" arc 1 -bf 2 -rc_mode VBR -b:v 800k -maxrate 1M
  good "$1, quality" arc 1 -bf 2 -rc_mode ICQ -global_quality 28
  good "$1, quality below a cap" arc 1 -bf 2 -rc_mode QVBR -global_quality 28 -b:v 800k -maxrate 1M -bufsize 2M
  good "$1, forced IDRs" arc 1 -bf 2 -qp 24 -g 9999 -force_key_frames 0.2,0.6
  local keys
  keys=$(ffprobe -v error -show_entries packet=pts_time,flags -of csv=p=0 "$work/o.mp4" | sed -n 's/0*,K.*//p' | tr '\n' ' ')
  [ "$keys" = "0. 0.2 0.6 " ] || fail "$1, forced IDRs at $keys"
}
of_both H.264
good "baseline" arc 0 -bf 2 -profile:v constrained_baseline -qp 24
good "CAVLC" arc 1 -bf 2 -coder cavlc -qp 24
good "a chip without B pictures" igpu 0 -bf 2 -qp 24
profile igpu "packed no"
good "a driver that writes its own headers" "$work/p.txt" 0 -bf 0 -qp 24 -f mpegts
same=(-vf "format=nv12,hwupload" -c:v hevc_vaapi)
of_both HEVC
good "HEVC of a chip without B pictures" igpu 0 -bf 2 -qp 24
profile arc "low-delay yes"
good "HEVC whose B slices refer to earlier pictures alone" "$work/p.txt" 0 -bf 2 -qp 24
profile igpu "packed no"
source=(-f lavfi -i testsrc2=s=320x192:r=25:d=1) # such a driver is not told what to crop
good "HEVC of a driver that writes its own headers" "$work/p.txt" 0 -bf 0 -qp 24 -f mpegts
source=(-f lavfi -i testsrc2=s=320x180:r=25:d=1)
same=(-vf "format=p010,hwupload" -c:v hevc_vaapi)
good "10 bits, no B pictures" arc 0 -bf 0 -qp 24
good "10 bits, quality below a cap" arc 1 -bf 2 -rc_mode QVBR -global_quality 28 -b:v 800k -maxrate 1M -bufsize 2M
[ "$(shown profile,pix_fmt)" = "Main 10,yuv420p10le" ] || fail "10 bits are $(shown profile,pix_fmt)"

# There and back: the same samples, by derived images and by copies.
for format in nv12 p010le; do
  direct=$(ffmpeg -v error "${source[@]}" -vf format=$format -f md5 -)
  [ "$(over arc "${source[@]}" -vf format=$format,hwupload,hwdownload,format=$format -f md5 -)" = "$direct" ] || fail "hwdownload gives other samples of $format"
done

# Decoding: software's pictures, in its order.
decode=(-hwaccel vaapi -hwaccel_device /dev/dri/renderD128 -hwaccel_output_format vaapi)
coder=(-c:v libx264 -preset fast)
packed=nv12 planar=yuv420p
decoded() { # name, profile, the coder's arguments...
  local name=$1 profile=$2
  shift 2
  ffmpeg -v error -y "${source[@]}" -pix_fmt "$planar" "${coder[@]}" "$@" "$work/i.mkv"
  [ "$(over "$profile" "${decode[@]}" -i "$work/i.mkv" -vf "hwdownload,format=$packed,format=$planar" -f md5 - 2>"$work/log")" = \
    "$(ffmpeg -v error -i "$work/i.mkv" -f md5 -)" ] || fail "decoding $name: $(head -n 2 "$work/log")"
}
decoded "B pictures that others refer to, weights" arc -bf 3 -g 30 -x264-params b-pyramid=normal:weightp=2
decoded "open GOPs, slices" arc -bf 3 -g 7 -x264-params open-gop=1 -slices 3
decoded "CAVLC, no B pictures" igpu -profile:v baseline
decoded "a size of no whole macroblocks, cropped" igpu -vf crop=314:170:0:0
coder=(-c:v libx265 -preset fast)
decoded "HEVC: slices, weights, an odd number of blocks" arc -vf crop=314:170:0:0 -x265-params log-level=none:slices=2:weightb=1:bframes=4
decoded "HEVC: sets of reference pictures in the sequence" arc -x265-params log-level=none:opt-rps=1:keyint=60
decoded "HEVC: tools" arc -x265-params log-level=none:amp=1:rect=1:tskip=1:wpp=1:cu-lossless=1:rd=5
planar=yuv420p10le packed=p010le
decoded "HEVC in 10 bits, open GOPs" arc -x265-params log-level=none:keyint=10:open-gop=1
coder=(-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 10 -lag-in-frames 12)
decoded "VP9 in 10 bits" arc -profile:v 2
planar=yuv420p packed=nv12
decoded "VP9" arc
decode+=(-c:v av1) # libavcodec's own; libdav1d knows no devices
coder=(-c:v libsvtav1 -preset 8 -g 20)
export SVT_LOG=1 # errors alone
decoded "AV1, pictures that are not shown" arc
decoded "AV1, four tiles" arc -svtav1-params tile-columns=1:tile-rows=1
planar=yuv420p10le packed=p010le
decoded "AV1 in 10 bits" arc
planar=yuv420p packed=nv12

refused() { # name, text to find, profile, arguments...
  local name=$1 text=$2
  shift 2
  over "$@" >"$work/log" 2>&1 && fail "$name: no failure"
  grep -qF "$text" "$work/log" || fail "$name: $(head -n 2 "$work/log")"
}
encode=("${source[@]}" "${upload[@]}" -bf 0 -qp 24 -f h264 "$work/o.264")
refused "QVBR of a chip that has none" "Driver does not support QVBR RC mode" igpu "${source[@]}" "${upload[@]}" -rc_mode QVBR -global_quality 28 -b:v 1M -f null -
fault() { # name, text, fault line
  profile arc "fault $3"
  refused "$1" "$2" "$work/p.txt" "${encode[@]}"
}
fault "a driver that does not start" "Failed to initialise VAAPI connection" "va-init error"
fault "no configuration" "Failed to create encode pipeline configuration" "encode-open unsupported"
fault "no context" "Failed to create encode pipeline context" "encode-init oom"
fault "no memory for surfaces" "resource allocation failed" "alloc oom"
fault "an error at frame 10" "Failed to end picture encode issue" "encode error at=10"
fault "lost at frame 10" "operation failed" "encode lost at=10"
refused "still lost" "Failed to initialise VAAPI connection" "$work/p.txt" "${encode[@]}"
echo "back 0000:03:00.0 1" >>"$work/p.txt"
over "$work/p.txt" "${encode[@]}" 2>"$work/log" || fail "back again: $(head -n 2 "$work/log")"
sed '/encode h264/d' "$here/profiles/arc.txt" >"$work/none.txt"
refused "10 bits of a chip that has 8" "No usable encoding profile found" igpu "${source[@]}" -vf format=p010,hwupload -c:v hevc_vaapi -qp 24 -f null -
refused "HEVC too small for the chip" "does not support encoding at size 48x48" arc -f lavfi -i testsrc2=s=48x48:r=25:d=1 -vf format=nv12,hwupload -c:v hevc_vaapi -qp 24 -f null -
refused "no entry point" "No usable encoding entrypoint found" "$work/none.txt" "${encode[@]}"
sed -i '/decode h264/d' "$work/none.txt"
refused "no profile" "No usable encoding profile found" "$work/none.txt" "${encode[@]}"
profile arc "fault encode wrong"
over "$work/p.txt" "${source[@]}" "${upload[@]}" -bf 0 -qp 24 "$work/o.mp4" 2>/dev/null || fail "wrong pixels: no output"
[ "$(psnr)" -lt 20 ] || fail "wrong pixels look right"

# Our own: found by the kernel's files, libdrm and libva; tried; refusals told.
ask() { # profile, filters...: true of the only GPU
  local over=$1 filter
  shift
  timeout 300 "$here/with" "$over" -- "$GOPMILL" devices --prove --json >"$work/devices" 2>"$work/log"
  for filter; do
    jq -e "[.devices[] | select(.kind == \"drm\")] | length == 1 and (.[0] | $filter)" "$work/devices" >/dev/null ||
      fail "devices over $over: not so: $filter: $(jq -c '.devices[1:]' "$work/devices")"
  done
}
few() { sed -i '/decode \(vp9\|av1\)/d' "$work/p.txt"; } # decoders that have no part in what is asked
ask arc '.id == "0000:03:00.0" and .vendor == "Intel" and .render_node == "/dev/dri/renderD128" and (.driver | test("fake GPU Arc.*-fake")) and [.notes[].text] == ["a node decodes with it for up to 2 slots of the processor, where `va_decode_slots` says so"]' \
  '(.encode | map([.api, .codec, .depth, .b_frames]) == [["vaapi", "h264", 8, true], ["vaapi", "hevc", 8, true], ["vaapi", "hevc", 10, true]]) and (.decode | map([.api, .codec, .depth]) == [["vaapi", "av1", 8], ["vaapi", "av1", 10], ["vaapi", "h264", 8], ["vaapi", "hevc", 8], ["vaapi", "hevc", 10], ["vaapi", "vp9", 8], ["vaapi", "vp9", 10]]) and (.features | index("vaapi-qvbr") and index("vaapi-low-power") and index("vaapi-packed-headers") and index("vaapi-packed-hevc"))' \
  '.proofs | all(.[]; .passed and .psnr > 30) and map([.encode, .codec, .depth]) == [[true, "h264", 8], [true, "hevc", 8], [true, "hevc", 10], [false, "av1", 8], [false, "av1", 10], [false, "h264", 8], [false, "hevc", 8], [false, "hevc", 10], [false, "vp9", 8], [false, "vp9", 10]]'
jq -e '.notes == []' "$work/devices" >/dev/null || fail "libraries of NVIDIA are missed on a machine of Intel's: $(jq -c .notes "$work/devices")"
ask igpu '.encode[0].b_frames == false and (.features | index("vaapi-qvbr") | not) and (.proofs | length == 3 and all(.[]; .passed))' \
  '.notes | length == 2 and .[0].severity == "info" and (.[0].text | test("of H.264 and HEVC below.*no QVBR.*are encoded on the processors; it takes `qp`$"))'
profile arc "low-delay yes"
few
ask "$work/p.txt" '(.encode | length == 3 and all(.[]; .b_frames == false)) and all(.proofs[]; .passed)'
profile arc "rate cqp,vbr,icq"
few
ask "$work/p.txt" 'any(.notes[]; .text | test("it takes `qp`, and `crf` without a cap$"))'
profile arc "packed no"
few
ask "$work/p.txt" '(.notes | length == 2 and .[0].severity == "warn" and (.[0].text | test("parameter sets of H.264 and HEVC itself.*no task is encoded so"))) and (.features | index("vaapi-packed-headers") or index("vaapi-packed-hevc") | not)'
profile arc "fault va-init error"
ask "$work/p.txt" '.encode_state == "refused" and any(.notes[]; .text | test("does not start on /dev/dri/renderD128"))'
profile arc "fault encode corrupt"
few
ask "$work/p.txt" '.encode_state == "present" and all(.proofs[]; .passed != .encode)'
profile arc "fault encode wrong"
few
ask "$work/p.txt" 'all(.proofs[] | select(.encode); .passed == false and (.text | test("PSNR")))'
profile arc "fault decode wrong at=3"
ask "$work/p.txt" 'all(.proofs[]; .passed == .encode) and (.proofs[-1].text | test("differ from software"))'
profile arc "fault encode lost at=3"
sed -i '/encode hevc/d' "$work/p.txt" # one encoder, which is the one that loses the device
few
ask "$work/p.txt" '.proofs[0].passed == false and (.proofs[0].text | test("lost while it encoded"))'

# Two drivers for one card: the first that starts speaks for it.
two() { # filters...
  local filter
  timeout 300 "$here/with" arc -- env -u LIBVA_DRIVER_NAME LIBVA_DRIVERS_PATH="$work/two" "$GOPMILL" devices --prove --json >"$work/devices" 2>"$work/log"
  for filter; do
    jq -e "[.devices[] | select(.kind == \"drm\")] | length == 1 and (.[0] | $filter)" "$work/devices" >/dev/null ||
      fail "two drivers: not so: $filter: $(jq -c '.devices[1:]' "$work/devices")"
  done
}
mkdir "$work/two"
ln -s "$GOPMILL_FAKE_LIB/fake_drv_video.so" "$work/two/i965_drv_video.so"
echo "no library" >"$work/two/iHD_drv_video.so"
two '(.features | index("va-driver-i965") and (index("va-driver-iHD") | not)) and (.proofs | length > 0 and all(.passed))' \
  'any(.notes[]; .text | test("two drivers are installed for this card, iHD and i965: the first that starts is taken"))'
ln -sf "$GOPMILL_FAKE_LIB/fake_drv_video.so" "$work/two/iHD_drv_video.so"
two '(.features | index("va-driver-iHD") and (index("va-driver-i965") | not)) and (.proofs | length > 0 and all(.passed))'
exit $bad
