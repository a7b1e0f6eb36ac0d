#!/usr/bin/env bash
# libavcodec's *_cuvid decoders over the fake drivers give what the software decoders give.
set -u
. "$(dirname "$0")/over.sh"
source=(-f lavfi -i testsrc2=s=254x190:r=25:d=1)
"${quiet[@]}" "${source[@]}" -pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 "$work/h264.mp4"
"${quiet[@]}" "${source[@]}" -pix_fmt yuv420p10 -c:v libx265 -preset ultrafast -x265-params log-level=none "$work/hevc.mp4"
"${quiet[@]}" "${source[@]}" -pix_fmt yuv420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 "$work/vp9.mkv"
same() { # name, decoder, clip, format, arguments...
  local name=$1 decoder=$2 clip=$3 format=$4
  shift 4
  "${quiet[@]}" -i "$clip" -fps_mode passthrough -vf "format=$format" -f framemd5 "$work/want"
  over l4 -c:v "$decoder" -i "$clip" -fps_mode passthrough "$@" -f framemd5 "$work/got" 2>"$work/log" ||
    { fail "$name: $(head -n 2 "$work/log")"; return; }
  [ "$(grep -vc '^#' "$work/got")" = 25 ] || fail "$name: $(grep -vc '^#' "$work/got") frames"
  cmp -s <(grep -v '^#' "$work/want" | sed 's/.*, //') <(grep -v '^#' "$work/got" | sed 's/.*, //') ||
    fail "$name: other pictures than software"
}
same "h264" h264_cuvid "$work/h264.mp4" nv12 -pix_fmt nv12
same "hevc 10 bit" hevc_cuvid "$work/hevc.mp4" p010le -pix_fmt p010le
same "vp9" vp9_cuvid "$work/vp9.mkv" nv12 -pix_fmt nv12

# Pictures stay on the device from the decoder to the encoder.
over l4 -hwaccel cuda -hwaccel_output_format cuda -c:v h264_cuvid -i "$work/h264.mp4" -c:v h264_nvenc -b:v 3M \
  "$work/o.mp4" 2>"$work/log" || fail "decode to encode: $(head -n 2 "$work/log")"
[ "$(ffprobe -v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$work/o.mp4")" = 25 ] ||
  fail "decode to encode: not 25 frames"

# -xerror: at its end the program asks a broken decoder again and again
refused() { # name, text, profile, decoder, clip
  over "$3" -xerror -c:v "$4" -i "$5" -f null - >"$work/log" 2>&1 && ! [ -s "$work/log" ] && fail "$1: no failure"
  grep -qF "$2" "$work/log" || fail "$1: $(head -n 2 "$work/log")"
}
refused "no library" "Cannot load libnvcuvid.so.1" no-video h264_cuvid "$work/h264.mp4"
fault() { # name, text, fault
  rm -f "$work/p.txt.state"
  { cat "$here/profiles/h200.txt"; echo "fault $3"; } >"$work/p.txt"
  refused "$1" "$2" "$work/p.txt" h264_cuvid "$work/h264.mp4"
}
fault "no memory at open" "CUDA_ERROR_OUT_OF_MEMORY" "decode-open oom"
fault "lost at frame 5" "CUDA_ERROR_UNKNOWN" "decode lost at=5"
rm -f "$work/p.txt.state"
{ cat "$here/profiles/h200.txt"; echo "fault map wrong at=3"; } >"$work/p.txt"
over "$work/p.txt" -c:v h264_cuvid -i "$work/h264.mp4" -fps_mode passthrough -pix_fmt nv12 -f framemd5 "$work/got" 2>/dev/null
"${quiet[@]}" -i "$work/h264.mp4" -fps_mode passthrough -vf format=nv12 -f framemd5 "$work/want"
[ "$(diff <(grep -v '^#' "$work/want" | sed 's/.*, //') <(grep -v '^#' "$work/got" | sed 's/.*, //') | grep -c '^>')" = 1 ] ||
  fail "wrong pixels: not in one frame alone"
exit $bad
