#!/usr/bin/env bash
# libavcodec's h264_nvenc and hevc_nvenc over the fake drivers: frames, pictures, IDRs, limits, faults.
# And our detection and proof of a chip with AV1. Proves how the interface is used; nothing about a real encoder.
set -u
. "$(dirname "$0")/over.sh"
: "${GOPMILL:?the program gopmill}"
source=(-f lavfi -i testsrc2=s=256x192:r=25:d=1)

profile() { # base, lines... -> $work/p.txt with a fresh state
  rm -f "$work/p.txt.state"
  cp "$here/profiles/$1.txt" "$work/p.txt"
  shift
  [ $# = 0 ] || printf '%s\n' "$@" >>"$work/p.txt"
}
frames() { ffprobe -v error -count_packets -select_streams v -show_entries stream=nb_read_packets -of csv=p=0 "$1"; }
psnr() { ffmpeg -nostdin -hide_banner -i "$1" "${source[@]}" -lavfi psnr -f null - 2>&1 | sed -n 's/.*average:\([0-9]*\).*/\1/p'; }

good() { # name, arguments before the output...
  local name=$1
  shift
  over l4 "${source[@]}" "$@" "$work/o.mp4" 2>"$work/log" || { fail "$name: $(head -n 2 "$work/log")"; return; }
  [ "$(frames "$work/o.mp4")" = 25 ] || fail "$name: $(frames "$work/o.mp4") frames"
  [ "$(psnr "$work/o.mp4")" -gt 30 ] || fail "$name: PSNR $(psnr "$work/o.mp4") dB"
}
for b in 0 1 2; do good "h264 bf $b" -pix_fmt nv12 -c:v h264_nvenc -bf "$b" -b:v 2M; done
good "hevc bf 2" -pix_fmt yuv420p -c:v hevc_nvenc -bf 2 -b:v 2M
good "hevc 10 bit" -pix_fmt p010le -c:v hevc_nvenc -bf 0 -b:v 2M -profile:v main10
good "h264 cuda frames" -init_hw_device cuda=c:0 -vf format=nv12,hwupload_cuda -c:v h264_nvenc -cq 25

keys() { ffprobe -v error -show_entries packet=pts_time,flags -of csv=p=0 "$work/o.mp4" | sed -n 's/0*,K.*//p' | tr '\n' ' '; }
for codec in h264 hevc; do
  good "$codec forced IDR" -pix_fmt yuv420p -c:v ${codec}_nvenc -bf 0 -forced-idr 1 -force_key_frames 0.2,0.6 -g 9999
  [ "$(keys)" = "0. 0.2 0.6 " ] || fail "$codec forced IDR at $(keys)"
done
good "without forced-idr" -pix_fmt yuv420p -c:v h264_nvenc -bf 0 -force_key_frames 0.2,0.6 -g 9999
[ "$(keys)" = "0. " ] || fail "key frames that were not asked for: $(keys)"

refused() { # name, text to find, profile, arguments...
  local name=$1 text=$2
  shift 2
  over "$@" >"$work/log" 2>&1 && fail "$name: no failure"
  grep -qF "$text" "$work/log" || fail "$name: $(head -n 2 "$work/log")"
}
gpu=(-init_hw_device cuda=c:0 "${source[@]}" -vf "format=nv12,hwupload_cuda" -c:v h264_nvenc -bf 0 -f h264 "$work/o.264")
refused "no encoder" "OpenEncodeSessionEx failed: unsupported device (2)" h200 "${gpu[@]}"
refused "old driver" "Driver does not support the required nvenc API version" old-driver "${gpu[@]}"
refused "no video capability" "Cannot load libnvidia-encode.so.1" no-video "${gpu[@]}"
refused "no driver" "Cannot load libcuda.so.1" bare "${gpu[@]}"
refused "no device" "CUDA_ERROR_NO_DEVICE" none "${gpu[@]}"
refused "mismatch" "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" mismatch "${gpu[@]}"
refused "too small" "InitializeEncoder failed: invalid param (8)" l4 -f lavfi -i testsrc2=s=64x32:d=1 -c:v h264_nvenc -f h264 "$work/o.264"
fault() { # name, text, fault line
  profile l4 "fault $3"
  refused "$1" "$2" "$work/p.txt" "${gpu[@]}"
}
fault "out of memory at open" "OpenEncodeSessionEx failed: out of memory (10)" "encode-open oom"
fault "out of memory at frame 10" "EncodePicture failed!: out of memory (10)" "encode oom at=10"
fault "device memory" "CUDA_ERROR_OUT_OF_MEMORY" "alloc oom"
fault "lost at frame 10" "EncodePicture failed!: generic error (20)" "encode lost at=10"
refused "still lost" "CUDA_ERROR_NO_DEVICE" "$work/p.txt" "${gpu[@]}"
echo "back 0000:00:1e.0 1" >>"$work/p.txt"
over "$work/p.txt" "${gpu[@]}" 2>"$work/log" || fail "back again: $(head -n 2 "$work/log")"

profile l4 "fault encode wrong"
over "$work/p.txt" "${source[@]}" -c:v h264_nvenc -bf 0 -b:v 2M "$work/o.mp4" 2>/dev/null || fail "wrong pixels: no output"
[ "$(psnr "$work/o.mp4")" -lt 20 ] || fail "wrong pixels look right"

# Our own: a chip that encodes AV1, which libavcodec may not: told, and tried where it does.
profile l4 "encode av1 8,10 145x49 8192x8192 0"
timeout 300 "$here/with" "$work/p.txt" -- "$GOPMILL" devices --prove --json >"$work/devices" 2>"$work/log"
av1() { # filter: true of the only GPU
  jq -e ".devices[] | select(.kind == \"nvidia\") | $1" "$work/devices" >/dev/null || fail "AV1: not so: $1: $(jq -c '.devices[1:]' "$work/devices")"
}
av1 '[.encode[] | select(.codec == "av1") | [.api, .depth]] == [["nvenc", 8], ["nvenc", 10]]'
av1 '[.proofs[] | select(.api == "nvenc" and .codec == "hevc") | .passed] == [true, true]'
if ffmpeg -hide_banner -encoders 2>/dev/null | grep -q av1_nvenc; then
  av1 'any(.proofs[]; .api == "nvenc" and .codec == "av1")'
else
  av1 'all(.proofs[]; .api != "nvenc" or .codec != "av1") and (.features | index("no-av1_nvenc"))'
  av1 'any(.notes[]; .severity == "info" and (.text | test("^this chip encodes AV1, but libavcodec [0-9.]+ has no av1_nvenc, which came with FFmpeg 6.0")))'
fi

# Three sessions on the machine: two held by a process that hangs, so that two more are one too many; a kill frees them.
profile geforce "fault encode hang at=5 times=1"
soon=(-c:v h264_nvenc -bf 0 -delay 0 -flush_packets 1 -f h264)
"$here/with" "$work/p.txt" -- ffmpeg -nostdin -v error -y "${source[@]}" -filter_complex 'split[a][b]' \
  -map '[a]' "${soon[@]}" "$work/a.264" -map '[b]' "${soon[@]}" "$work/b.264" 2>/dev/null &
hanging=$!
for _ in $(seq 400); do # both sessions have given a picture
  [ ! -s "$work/a.264" ] || [ ! -s "$work/b.264" ] || break
  sleep 0.05
done
refused "session limit" "OpenEncodeSessionEx failed: out of memory (10)" "$work/p.txt" "${source[@]}" \
  -filter_complex 'split[a][b]' -map '[a]' -c:v h264_nvenc -f null - -map '[b]' -c:v h264_nvenc -f null -
kill -9 "$hanging"
wait "$hanging" 2>/dev/null
sed -i '/^fault/d' "$work/p.txt"
over "$work/p.txt" "${source[@]}" -filter_complex 'split=3[a][b][c]' -map '[a]' -c:v h264_nvenc -f null - \
  -map '[b]' -c:v h264_nvenc -f null - -map '[c]' -c:v h264_nvenc -f null - 2>"$work/log" ||
  fail "a killed process keeps its sessions: $(head -n 2 "$work/log")"
exit $bad
