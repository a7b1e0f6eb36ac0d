#!/usr/bin/env bash
# Bombs and hostile files end with a code (or done), soon, without a core, and the farm still works afterwards.
# No worker comes near its memory. Prints how each one ended, and the most memory that one of its workers had by then.
. "$(dirname "$0")/lib.sh"
make=$bin/../tests/make_hostile
need_built make_hostile
cd "$work" || exit 1
small_pipeline small.yaml 64
stall_ms=60000 farm farm
limit=$((2 << 30)) # half of what a node gives a worker at least
node_options="worker_memory_bytes: $limit" node n1
for p in $(pgrep -P "$(pid n1)"); do
  check "a worker's address space is limited" test "$(awk '/Max address space/ {print $4}' "/proc/$p/limits")" = $limit
done
jobs=()
hostile() { # wanted file [pipeline]: done, or a pattern of codes
  local id
  id=$(gopmill submit "$work/$2" --out "$work/out-$2" --pipeline "${3:-$work/small.yaml}" 2>stderr) || {
    check "$2: refused when submitted: $(cat stderr)" grep -qE "$1" stderr
    return
  }
  jobs+=("$1 $2 $id")
}
ended() { # wanted file id
  local rc=0 doc code=done start=$SECONDS peak
  timeout 180 "$bin/gopmill" watch "$3" >/dev/null 2>stderr || rc=$?
  doc=$(gopmill job show "$3" --json)
  [ "$rc" = 0 ] || code=$(jq -r .error.code <<<"$doc")
  until_true "$2: a report is there" test -e "$work/out-$2/report.json"
  peak=$(jq '[.tasks[].usage.max_rss_bytes] | max' "$work/out-$2/report.json")
  printf '%-22s %-3s %-24s %3ds %5d MiB %s\n' "$2" "$rc" "$code" $((SECONDS - start)) $((peak >> 20)) "$(jq -r '.error.text // ""' <<<"$doc")"
  check "$2: its workers had $peak bytes" test "$peak" -gt 0 -a "$peak" -lt $limit
  check "$2: ends in time" test "$rc" != 124
  check "$2: $code is one of $1" grep -qxE "$1" <<<"$code"
  [ "${code%%.*}" != input ] || check "$2: exit 3, got $rc" test "$rc" = 3
  [ "$code" = "done" ] || until_true "$2: nothing but the report is left" only_report "$work/out-$2"
  [ "$code" != "done" ] || check "$2: plays" plays "$work/out-$2/master.m3u8"
}
make_clip clip.mp4 2 160x120 25 -movflags +faststart
# Pictures: more than the limit; a header that tells less than the stream; growing in mid-stream.
ffmpeg -v error -f lavfi -i color=s=8192x8192:r=1:d=1 -pix_fmt yuv420p -c:v libx264 -preset ultrafast wide.mp4
hostile 'input\.too_large' wide.mp4
ffmpeg -v error -f lavfi -i testsrc=s=64x64:r=5:d=1 -c:v png png.mov
for box in $(grep -abo IHDR png.mov | cut -d: -f1); do
  printf '\0\0\100\0\0\0\100\0' | dd of=png.mov bs=1 seek=$((box + 4)) conv=notrunc status=none
done
hostile 'input\.(damaged|too_large)' png.mov
ffmpeg -v error -i clip.mp4 -map 0:v -c copy -f mpegts - >grows.ts
ffmpeg -v error -i wide.mp4 -c copy -output_ts_offset 5 -f mpegts - >>grows.ts
hostile 'done' grows.ts
# Indexes that promise much.
for count in 1000000 100000000; do
  "$make" samples $count samples-$count.mp4
  hostile 'input\.[a-z_]+' samples-$count.mp4
done
"$make" tracks 100000 tracks.mp4 # 38 MB
hostile 'input\.too_large' tracks.mp4
"$make" nested 100000 nested.mp4
hostile 'input\.[a-z_]+' nested.mp4
"$make" entries 1000000 entries.mkv # 51 MB
hostile 'input\.too_large' entries.mkv
"$make" programs 3000 programs.ts
hostile 'input\.too_large' programs.ts
"$make" chapters 20000 chapters.mkv
hostile 'input\.[a-z_]+' chapters.mkv
# Files without an end, and holes.
mkfifo pipe.mp4
hostile 'input\.not_a_file' pipe.mp4
truncate -s 1T hole.mp4
hostile 'input\.not_media' hole.mp4
cp clip.mp4 tail.mp4 && truncate -s 1T tail.mp4
hostile 'done' tail.mp4
ffmpeg -v error -i clip.mp4 -c copy tail.ts && truncate -s 100G tail.ts
hostile 'done' tail.ts
# Sound of strange shapes, alone and beside pictures.
wav() { # file channels rate
  local c rate block
  printf -v c '\\x%02x\\x%02x' $(($2 & 255)) $(($2 >> 8))
  printf -v block '\\x%02x\\x%02x' $(($2 * 2 & 255)) $(($2 * 2 >> 8))
  printf -v rate '\\x%02x\\x%02x\\x%02x\\x%02x' $(($3 & 255)) $(($3 >> 8 & 255)) $(($3 >> 16 & 255)) $(($3 >> 24))
  { printf "RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\1\0$c$rate$rate$block\x10\0data\xff\xff\xff\x7f"; head -c 200000 /dev/zero; } >"$1"
}
wav many.wav 255 48000
hostile 'input\.no_audio' many.wav audio-only
wav slow.wav 2 1
hostile 'input\.too_large' slow.wav audio-only
wav fast.wav 2 384000
hostile 'done' fast.wav audio-only
wav mad.wav 2 2147483647
hostile 'input\.no_audio' mad.wav audio-only
# Rates, durations, words and pictures beside.
ffmpeg -v error -i clip.mp4 -map 0:v -c copy -video_track_timescale 1000000 -bsf:v setts=ts=N:duration=1 million.mp4
hostile 'done' million.mp4
ffmpeg -v error -i clip.mp4 -map 0:v -frames:v 1 -c copy still.mp4
hostile 'done' still.mp4
ffmpeg -v error -i clip.mp4 -map 0:v -frames:v 1 -c copy -bsf:v setts=duration=0 nothing.mp4
hostile 'input\.damaged' nothing.mp4 # its edit list shows nothing
{ printf ';FFMETADATA1\ntitle=' && head -c 10000000 /dev/zero | tr '\0' x && echo; } >title.txt
ffmpeg -v error -i clip.mp4 -i title.txt -map_metadata 1 -c copy title.mkv
hostile 'done' title.mkv
ffmpeg -v error -f lavfi -i color=s=10000x10000:r=1:d=1 -frames:v 1 -c:v mjpeg -pix_fmt yuvj420p cover.jpg
ffmpeg -v error -i clip.mp4 -i cover.jpg -map 0 -map 1 -c copy -disposition:v:1 attached_pic cover.mp4
hostile 'done' cover.mp4
ffmpeg -v error -i clip.mp4 -c copy -attach title.txt -metadata:s:t mimetype=text/plain attach.mkv
hostile 'done' attach.mkv
# Below what an encoder can make: refused by the plan.
ffmpeg -v error -f lavfi -i testsrc2=s=48x32:r=25:d=1 -pix_fmt yuv420p -c:v ffv1 low.mkv
sed 's/codec: h264/codec: hevc/; s/, audio//; /^  audio:/d' small.yaml >hevc.yaml
hostile 'pipeline\.does_not_fit' low.mkv "$work/hevc.yaml"
for job in "${jobs[@]}"; do
  # shellcheck disable=SC2086
  ended $job
done
for p in n1 scheduler; do
  peak=$(awk '/VmHWM/ {print $2}' "/proc/$(pid $p)/status")
  echo "$p $((peak >> 10)) MiB"
  check "$p itself had $peak KiB" test "$peak" -lt $((256 << 10))
done
check "no core is left" test -z "$(find "$work" -name 'core*' -type f)"
hostile 'done' clip.mp4
ended ${jobs[-1]}
finish
