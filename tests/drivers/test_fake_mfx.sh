#!/usr/bin/env bash
# libavcodec's h264_qsv and hevc_qsv, and our detection and proof, over the fake Quick Sync runtime: frames, pictures, IDRs, rate control, what is corrected and what
# is refused, faults. Proves how the interface is used; nothing about a real runtime.
set -u
. "$(dirname "$0")/over.sh"
: "${GOPMILL:?the program gopmill}"
"$here/with" arc-qsv -- true || { echo "SKIPPED: render nodes can't be made here"; exit 77; }
quiet+=(-init_hw_device vaapi=va:/dev/dri/renderD128 -init_hw_device qsv=q@va -filter_hw_device q)
source=(-f lavfi -i testsrc2=s=328x180:r=25:d=1)
surfaces=(-vf "format=nv12,hwupload=extra_hw_frames=20" -c:v h264_qsv)
memory=(-vf "format=nv12" -c:v h264_qsv)
hevc=(-vf "format=nv12,hwupload=extra_hw_frames=20" -c:v hevc_qsv)
deep=(-vf "format=p010,hwupload=extra_hw_frames=20" -c:v hevc_qsv)

profile() { # lines... -> $work/p.txt with a fresh state
  rm -f "$work/p.txt.state"
  cp "$here/profiles/arc-qsv.txt" "$work/p.txt"
  printf '%s\n' "$@" >>"$work/p.txt"
}
shown() { ffprobe -v error -count_frames -select_streams v -show_entries "stream=$1" -of csv=p=0 "$work/o.mp4" | head -n 1; }
psnr() { ffmpeg -nostdin -hide_banner -i "$work/o.mp4" "${source[@]}" -lavfi psnr -f null - 2>&1 | sed -n 's/.*average:\([0-9]*\).*/\1/p'; }
keys() { ffprobe -v error -show_entries packet=pts_time,flags -of csv=p=0 "$work/o.mp4" | sed -n 's/0*,K.*//p' | tr '\n' ' '; }

good() { # name, profile, has_b_frames, arguments before the output...
  local name=$1 profile=$2 b=$3
  shift 3
  over "$profile" "${source[@]}" "$@" "$work/o.mp4" 2>"$work/log" || { fail "$name: $(head -n 2 "$work/log")"; return; }
  [ "$(shown nb_read_frames)" = 25 ] || fail "$name: $(shown nb_read_frames) frames"
  [ "$(shown has_b_frames)" = "$b" ] || fail "$name: has_b_frames $(shown has_b_frames)"
  [ "$(psnr)" -gt 30 ] || fail "$name: PSNR $(psnr) dB"
}
good "no B pictures" arc-qsv 0 "${surfaces[@]}" -bf 0 -q:v 24
good "B pictures" arc-qsv 1 "${surfaces[@]}" -bf 2 -b_strategy 0 -q:v 24
good "B pictures that others refer to" arc-qsv 2 "${surfaces[@]}" -bf 2 -q:v 24
good "from memory" arc-qsv 1 "${memory[@]}" -bf 2 -b_strategy 0 -q:v 24
good "baseline" arc-qsv 0 "${surfaces[@]}" -bf 2 -profile:v baseline -q:v 24
good "CAVLC" arc-qsv 1 "${surfaces[@]}" -bf 2 -b_strategy 0 -cavlc 1 -q:v 24
good "constant rate" arc-qsv 1 "${surfaces[@]}" -bf 2 -b_strategy 0 -b:v 800k -maxrate 800k
good "variable rate" arc-qsv 1 "${surfaces[@]}" -bf 2 -b_strategy 0 -b:v 800k -maxrate 1M
good "quality" arc-qsv 1 "${surfaces[@]}" -bf 2 -b_strategy 0 -global_quality 28
good "quality below a cap" arc-qsv 1 "${surfaces[@]}" -bf 2 -b_strategy 0 -global_quality 28 -b:v 800k -maxrate 1M -bufsize 2M
sed 's/4096x4096 2$/4096x4096 0/' "$here/profiles/arc-qsv.txt" >"$work/no-b.txt"
good "a chip without B pictures: corrected" "$work/no-b.txt" 0 "${surfaces[@]}" -bf 2 -q:v 24
good "forced IDRs" arc-qsv 1 "${surfaces[@]}" -bf 2 -b_strategy 0 -q:v 24 -g 9999 -forced_idr 1 -force_key_frames 0.2,0.6
[ "$(keys)" = "0. 0.2 0.6 " ] || fail "forced IDRs at $(keys)"
[ "$(shown profile,pix_fmt)" = "High,yuv420p" ] || fail "H.264: $(shown profile,pix_fmt)"
good "HEVC, no B pictures" arc-qsv 0 "${hevc[@]}" -bf 0 -q:v 24
good "HEVC, B pictures that others refer to" arc-qsv 2 "${hevc[@]}" -bf 3 -q:v 24
good "HEVC, quality" arc-qsv 1 "${hevc[@]}" -bf 2 -b_strategy 0 -global_quality 28
good "HEVC from memory" arc-qsv 1 -vf format=nv12 -c:v hevc_qsv -bf 2 -b_strategy 0 -q:v 24
good "HEVC, forced IDRs" arc-qsv 1 "${hevc[@]}" -bf 2 -b_strategy 0 -q:v 24 -g 9999 -forced_idr 1 -force_key_frames 0.2,0.6
[ "$(keys)" = "0. 0.2 0.6 " ] || fail "HEVC, forced IDRs at $(keys)"
[ "$(shown profile,width,height,pix_fmt)" = "Main,328,180,yuv420p" ] || fail "HEVC: $(shown profile,width,height,pix_fmt)"
good "HEVC in 10 bits, quality below a cap" arc-qsv 1 "${deep[@]}" -bf 2 -b_strategy 0 -global_quality 28 -b:v 800k -maxrate 1M -bufsize 2M
[ "$(shown profile,width,height,pix_fmt)" = "Main 10,328,180,yuv420p10le" ] || fail "HEVC in 10 bits: $(shown profile,width,height,pix_fmt)"
headers() { over arc-qsv "${source[@]}" "${surfaces[@]}" -global_quality 28 -b:v 400k -maxrate "$1" -bufsize 1M "${@:2}" -f h264 - 2>/dev/null | head -c 32 | md5sum; }
[ "$(headers 800k)" != "$(headers 600k)" ] || fail "the cap is not in the parameter sets of a stream that keeps a model's buffer"
[ "$(headers 800k -strict -1)" = "$(headers 600k -strict -1)" ] || fail "the cap is in the parameter sets of a stream that keeps none"

refused() { # name, text to find, profile, arguments...
  local name=$1 text=$2
  shift 2
  over "$@" >"$work/log" 2>&1 && fail "$name: no failure"
  grep -qF "$text" "$work/log" || fail "$name: $(head -n 2 "$work/log")"
}
encode=("${source[@]}" "${surfaces[@]}" -bf 0 -q:v 24 -f h264 "$work/o.264")
profile "rate cqp,cbr,vbr"
refused "QVBR of a chip that has none" "ratecontrol mode is unsupported" "$work/p.txt" "${source[@]}" "${surfaces[@]}" -global_quality 28 -b:v 1M -maxrate 2M -f null -
sed '/encode hevc/d' "$here/profiles/arc-qsv.txt" >"$work/h264.txt"
refused "HEVC" "codec type is unsupported" "$work/h264.txt" "${source[@]}" -vf format=nv12 -c:v hevc_qsv -f null -
sed 's/hevc 8,10/hevc 8/' "$here/profiles/arc-qsv.txt" >"$work/hevc8.txt"
refused "HEVC in 10 bits" "pixel format is unsupported" "$work/hevc8.txt" "${source[@]}" "${deep[@]}" -bf 0 -q:v 24 -f null -
sed 's/32x32 4096x4096/32x32 256x256/' "$here/profiles/arc-qsv.txt" >"$work/small.txt"
refused "a size that is not made" "resolution is unsupported" "$work/small.txt" "${encode[@]}"
fault() { # name, text, fault line
  profile "fault $3"
  refused "$1" "$2" "$work/p.txt" "${encode[@]}"
}
fault "a runtime that does not start" "Error initializing an MFX session: -17" "mfx-init error"
fault "no query" "are not supported by the QSV" "encode-open error"
fault "no encoder" "failed to allocate memory (-4)" "encode-init oom"
fault "no upload" "Error uploading the surface" "copy error"
fault "an error at frame 10" "device failed (-17)" "encode error at=10"
fault "lost at frame 10" "device lost (-13)" "encode lost at=10"
refused "still lost" "Failed to initialise VAAPI connection" "$work/p.txt" "${encode[@]}"
echo "back 0000:03:00.0 1" >>"$work/p.txt"
over "$work/p.txt" "${encode[@]}" 2>"$work/log" || fail "back again: $(head -n 2 "$work/log")"
profile "fault encode wrong"
over "$work/p.txt" "${source[@]}" "${surfaces[@]}" -bf 0 -q:v 24 "$work/o.mp4" 2>/dev/null || fail "wrong pixels: no output"
[ "$(psnr)" -lt 20 ] || fail "wrong pixels look right"

# Our own: the runtime is found beside the VA driver, tried, and not missed where it is not.
ask() { # profile, filter: true of the only GPU
  timeout 300 "$here/with" "$1" -- "$GOPMILL" devices --prove --json >"$work/devices" 2>"$work/log"
  jq -e "[.devices[] | select(.kind == \"drm\")] | length == 1 and (.[0] | $2)" "$work/devices" >/dev/null ||
    fail "devices over $1: not so: $2: $(jq -c '.devices[1:]' "$work/devices")"
}
ask arc-qsv '(.encode | map([.api, .codec, .depth]) == (["qsv", "vaapi"] | map([., "h264", 8], [., "hevc", 8], [., "hevc", 10]))) and .decode == [] and (.features | index("mfx-fake_mfx.so"))'
ask arc-qsv '(.proofs | length == 6 and all(.passed and .encode and .psnr > 30)) and all(.notes[]; .severity == "info")'
ask qsv '[.proofs[] | select(.passed and .encode) | [.api, .codec, .depth]] == [["qsv", "h264", 8], ["qsv", "hevc", 8], ["qsv", "hevc", 10]]'
ask arc '(.encode | map(.api) | unique == ["vaapi"]) and (.features | any(startswith("mfx-")) | not) and all(.notes[]; .severity == "info")'
profile "rate cqp,cbr,vbr"
ask "$work/p.txt" 'any(.proofs[]; .api == "qsv" and .passed)'
profile "fault mfx-init error"
ask "$work/p.txt" '.encode | map(.api) | unique == ["vaapi"]'
profile "fault encode corrupt"
ask "$work/p.txt" 'any(.proofs[]; .api == "qsv" and (.passed | not))'
exit $bad
