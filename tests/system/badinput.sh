#!/usr/bin/env bash
# Input that can't be used: exit 3, a catalogue code, nothing but the report left behind; wrong usage: exit 2.
. "$(dirname "$0")/lib.sh"

refused() { # name code-regex input
  local name=$1 code=$2 input=$3 rc=0 out=$work/out-$checks
  timeout 180 "$bin/gopmill" transcode "$input" --out "$out" >"$work/stdout" 2>"$work/stderr" || rc=$?
  check "$name: exit 3, got $rc ($(tail -n 1 "$work/stderr"))" test "$rc" = 3
  check "$name: says $code ($(tail -n 2 "$work/stderr" | tr '\n' ' '))" grep -qE "$code" "$work/stderr"
  check "$name: leaves nothing but the report ($(find "$out" -type f ! -name .gm-store 2>/dev/null | head -n 3 | tr '\n' ' '))" \
    test -z "$(find "$out" -mindepth 1 ! -name report.json ! -name .gm-store 2>/dev/null)"
}
printf '' >"$work/empty.mp4"
head -c 100000 /dev/urandom >"$work/garbage.mp4"
printf '<html><body>404 not found</body></html>' >"$work/page.mp4"
printf '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n/etc/passwd\n#EXT-X-ENDLIST\n' >"$work/list.mp4"
printf 'ffconcat version 1.0\nfile /etc/passwd\n' >"$work/concat.mp4"
make_clip "$work/tail.mp4" 3
head -c 60000 "$work/tail.mp4" >"$work/cut.mp4"
ffmpeg -v error -f lavfi -i sine=d=2 -c:a aac "$work/sound.m4a"
ffmpeg -v error -f lavfi -i testsrc=s=12x12:d=1 -pix_fmt yuv444p -c:v libx264 "$work/tiny.mp4"
ffmpeg -v error -i "$work/tail.mp4" -c copy -encryption_scheme cenc-aes-ctr -encryption_key 00112233445566778899aabbccddeeff -encryption_kid 00112233445566778899aabbccddeeff "$work/locked.mp4"

refused "missing file" 'input\.missing' "$work/none.mp4"
refused "folder" 'input\.not_a_file' "$work"
refused "empty file" 'input\.empty' "$work/empty.mp4"
refused "garbage" 'input\.' "$work/garbage.mp4"
refused "web page" 'input\.not_media' "$work/page.mp4"
refused "playlist named mp4" 'input\.' "$work/list.mp4"
refused "concat script named mp4" 'input\.' "$work/concat.mp4"
refused "cut upload" 'input\.no_index' "$work/cut.mp4"
refused "sound alone" 'input\.no_video' "$work/sound.m4a"
refused "below 16x16" 'input\.too_small' "$work/tiny.mp4"
refused "encrypted" 'input\.encrypted' "$work/locked.mp4"

usage() { # name args...
  local name=$1 rc=0
  shift
  timeout 180 "$bin/gopmill" "$@" >"$work/stdout" 2>"$work/stderr" || rc=$?
  check "$name: exit 2, got $rc" test "$rc" = 2
  check "$name: says why" test -s "$work/stderr"
  check "$name: nothing on stdout" test ! -s "$work/stdout"
}
usage "no command"
usage "unknown command" transmogrify
usage "unknown option" transcode "$work/tail.mp4" --out "$work/o" --fast
usage "no output" transcode "$work/tail.mp4"
usage "INPUT on another machine" transcode http://host/a.mp4 --out "$work/o"
usage "result on another machine" transcode "$work/tail.mp4" --out s3://bucket/o
check "no folder named as a URL is made" test ! -e s3:
usage "INPUT from a pipe" transcode - --out "$work/o"
usage "a file where the result's folder should be" transcode "$work/tail.mp4" --out "$work/empty.mp4/o"
usage "bad node count" transcode "$work/tail.mp4" --out "$work/o" --nodes 0
printf 'name: x\ntasks:\n  inspect: { type: inspect }\n  plan: { type: plan, needs: [inspect], lader: [720] }\n' >"$work/bad.yaml"
usage "pipeline with an unknown key" transcode "$work/tail.mp4" --out "$work/o" --pipeline "$work/bad.yaml"
check "it names line and suggestion: $(cat "$work/stderr")" grep -qE 'bad\.yaml:4:.*lader.*ladder' "$work/stderr"
rc=0
"$bin/gopmill" transcode --bogus --json >"$work/stdout" 2>/dev/null || rc=$?
check "wrong usage with --json: exit 2, got $rc" test "$rc" = 2
check "and one document" jq -e '.error.code == "usage.invalid"' "$work/stdout" >/dev/null
rc=0
"$bin/gopmill" job list --scheduler "unix:$work/nobody.sock" >/dev/null 2>"$work/stderr" || rc=$?
check "no scheduler: exit 4, got $rc" test "$rc" = 4

# A farm of its own whose scheduler does not start: why, and where its log is.
mkdir "$work/alone"
cp "$bin/gopmill" "$work/alone/"
printf '#!/bin/sh\necho "no room in here" >&2\nexit 2\n' >"$work/alone/gopmill-scheduler"
printf '#!/bin/sh\nexec sleep 60\n' >"$work/alone/gopmill-node"
chmod +x "$work/alone/"*
alone() { GOPMILL_PIPELINES=$top/config/pipelines "$work/alone/gopmill" transcode "$work/tail.mp4" --out "$work/o" "$@"; }
check "a farm that does not start" status 4 alone
check "says its code" said "farm.not_started: the embedded scheduler ended (exit status 2)"
check "and why" said "no room in here"
check "and nothing of other schedulers" sh -c "! grep -F -e --scheduler '$work/out'"
check "a farm that does not start, with its state kept" status 4 alone --state "$work/kept"
check "says where the log is" said "its log: $work/kept/scheduler.log"

# Cut off in the middle: what is there is made, as many pictures as ffmpeg finds, and what is missing is said.
small_pipeline "$work/small.yaml" 120
make_clip "$work/whole.mp4" 8 160x120 25 -movflags +faststart
for kind in mp4 mkv flv avi wmv; do
  case $kind in
  mp4) ;;
  avi) ffmpeg -v error -y -i "$work/whole.mp4" -c:v mpeg4 -c:a libmp3lame "$work/whole.$kind" ;;
  wmv) ffmpeg -v error -y -i "$work/whole.mp4" -c:v wmv2 -c:a wmav2 "$work/whole.$kind" ;;
  *) ffmpeg -v error -y -i "$work/whole.mp4" -c copy "$work/whole.$kind" ;;
  esac
  head -c $(($(stat -c %s "$work/whole.$kind") * 55 / 100)) "$work/whole.$kind" >"$work/part.$kind"
  check "$kind cut off: is done" gopmill transcode "$work/part.$kind" --out "$work/part-$kind" --pipeline "$work/small.yaml" --quiet
  check "$kind cut off: its HLS plays" plays "$work/part-$kind/master.m3u8"
  check "$kind cut off: the report says what is lost: $(jq -c '[.source | .truncated, .lost_s, .duration_s]' "$work/part-$kind/report.json")" \
    jq -e '.source.truncated and .source.lost_s > 2 and .source.lost_s + .source.duration_s > 7.9 and
      .source.lost_s + .source.duration_s < 8.6 and any(.warnings[]; .code == "input.truncated")' "$work/part-$kind/report.json" >/dev/null
  join_rendition "$(echo "$work/part-$kind"/v/*/video/120p)" >"$work/joined.mp4"
  check "$kind cut off: every picture is there" test "$(frames_of "$work/joined.mp4")" = "$(frames_of "$work/part.$kind" 2>/dev/null)"
done

for kind in wav w64; do
  ffmpeg -v error -y -i "$work/whole.mp4" -vn -c:a pcm_s16le "$work/whole.$kind"
  head -c $(($(stat -c %s "$work/whole.$kind") * 55 / 100)) "$work/whole.$kind" >"$work/part.$kind"
  check "$kind cut off: is done" gopmill transcode "$work/part.$kind" --out "$work/part-$kind" --pipeline audio-only --quiet
  check "$kind cut off: the report says what is lost: $(jq -c '[.source | .truncated, .lost_s, .duration_s]' "$work/part-$kind/report.json")" \
    jq -e '.source.truncated and .source.lost_s > 3.5 and .source.lost_s < 3.7 and any(.warnings[]; .code == "input.truncated")' \
    "$work/part-$kind/report.json" >/dev/null
done

# Made as long as it should be, and filled in part.
size=$(stat -c %s "$work/whole.mp4")
{ head -c $((size * 55 / 100)) "$work/whole.mp4" && head -c $((size - size * 55 / 100)) /dev/zero; } >"$work/unfilled.mp4"
check "unfilled mp4: is done" gopmill transcode "$work/unfilled.mp4" --out "$work/unfilled" --pipeline "$work/small.yaml" --quiet
check "unfilled mp4: the report says what is lost: $(jq -c '[.source | .truncated, .lost_s, .duration_s]' "$work/unfilled/report.json")" \
  jq -e '.source.truncated and .source.lost_s > 3 and .source.lost_s + .source.duration_s > 7.9 and .source.lost_s + .source.duration_s < 8.6 and
    any(.warnings[]; .code == "input.truncated") and all(.warnings[]; .code != "source.sound_outlasts")' "$work/unfilled/report.json" >/dev/null

# Broken in the middle: libavformat's demuxer of Matroska passes over it without a word.
cp "$work/whole.mkv" "$work/torn.mkv"
size=$(stat -c %s "$work/torn.mkv")
head -c $((size / 10)) /dev/zero | dd of="$work/torn.mkv" bs=64k seek=$((size * 4 / 10)) oflag=seek_bytes conv=notrunc status=none
check "torn mkv: is done" gopmill transcode "$work/torn.mkv" --out "$work/torn" --pipeline "$work/small.yaml" --quiet
check "torn mkv: the report says what is lost: $(jq -c '[.source | .truncated, .lost_s, .duration_s]' "$work/torn/report.json")" \
  jq -e '.source.truncated and .source.lost_s > 0.5 and .source.duration_s > 7.9 and any(.warnings[]; .code == "input.truncated")' "$work/torn/report.json" >/dev/null
sed 's/{ type: split,/{ type: split, damage: fail,/' "$work/small.yaml" >"$work/strict.yaml"
rc=0
gopmill transcode "$work/torn.mkv" --out "$work/strict" --pipeline "$work/strict.yaml" --quiet >/dev/null 2>"$work/stderr" || rc=$?
check "torn mkv, damage: fail: exit 3, got $rc" test "$rc" = 3
check "torn mkv, damage: fail: says so ($(tail -n 1 "$work/stderr"))" grep -q 'input\.truncated' "$work/stderr"

# Whole, though its header tells more than pictures and sound have: subtitles go on.
printf '1\n00:00:01,000 --> 00:00:20,000\nstill there\n' >"$work/long.srt"
for kind in mkv mp4; do
  ffmpeg -v error -y -i "$work/whole.mp4" -i "$work/long.srt" -map 0 -map 1 -c copy -c:s "$([ $kind = mkv ] && echo srt || echo mov_text)" "$work/titled.$kind"
  check "$kind with longer subtitles, damage: fail: is done" gopmill transcode "$work/titled.$kind" --out "$work/titled-$kind" --pipeline "$work/strict.yaml" --quiet
  check "$kind with longer subtitles is whole: $(jq -c '[.source.truncated, .warnings[].code]' "$work/titled-$kind/report.json")" \
    jq -e '(.source.truncated | not) and all(.warnings[]; .code != "input.truncated")' "$work/titled-$kind/report.json" >/dev/null
done

# What headers say is of the longest stream: where that is left out, it is told of files alone that say they are longer.
for kind in mkv mp4; do
  ffmpeg -v error -y -i "$work/whole.mp4" -t 4 -i "$work/whole.mp4" -map 0:v -map 1:a -c copy "$work/shorter.$kind"
  check "$kind with shorter sound, for that alone: is done" gopmill transcode "$work/shorter.$kind" --out "$work/shorter-$kind" --pipeline audio-only --quiet
  check "$kind with shorter sound is whole: $(jq -c '[.source.truncated, .warnings[].code]' "$work/shorter-$kind/report.json")" \
    jq -e '.source.truncated | not' "$work/shorter-$kind/report.json" >/dev/null
done
for kind in mkv avi wmv; do
  check "$kind cut off, for its sound alone: is done" gopmill transcode "$work/part.$kind" --out "$work/heard-$kind" --pipeline audio-only --quiet
  check "$kind cut off, for its sound alone: the report says what is lost: $(jq -c '[.source | .truncated, .lost_s]' "$work/heard-$kind/report.json")" \
    jq -e '.source.truncated and .source.lost_s > 2' "$work/heard-$kind/report.json" >/dev/null
done

# Only its index is missing: what the header says of pictures that are left out is not believed for that.
index=$(LC_ALL=C grep -obUaP '\x1c\x53\xbb\x6b' "$work/shorter.mkv" | tail -n 1 | cut -d: -f1)
for lost in 1 $(($(stat -c %s "$work/shorter.mkv") - index)); do
  head -c -$lost "$work/shorter.mkv" >"$work/unindexed.mkv"
  check "mkv without $lost bytes of its index, for its shorter sound: is done" gopmill transcode "$work/unindexed.mkv" --out "$work/unindexed-$lost" --pipeline audio-only --quiet
  check "mkv without $lost bytes of its index is whole: $(jq -c '[.source.truncated, .source.lost_s]' "$work/unindexed-$lost/report.json")" \
    jq -e '.source.truncated | not' "$work/unindexed-$lost/report.json" >/dev/null
done

# Slides of which nothing says how long they last, and sound that ends a little after the last one began.
ffmpeg -v error -y -f lavfi -i "testsrc2=s=160x120:r=10:d=30,select='eq(n,0)+eq(n,47)+eq(n,103)+eq(n,151)+eq(n,198)+eq(n,249)+eq(n,299)'" \
  -fps_mode vfr -c:v libx264 -preset ultrafast -g 1 "$work/slides.mp4"
for kind in flv mkv; do
  ffmpeg -v error -y -i "$work/slides.mp4" -f lavfi -i sine=r=48000:d=25.6 -t 29.8 -map 0:v -map 1:a -c:v copy -c:a aac "$work/slides.$kind"
  check "slides in $kind, damage: fail: are done" gopmill transcode "$work/slides.$kind" --out "$work/slides-$kind" --pipeline "$work/strict.yaml" --quiet
  check "slides in $kind are whole: $(jq -c '[.source.truncated, .source.lost_s]' "$work/slides-$kind/report.json")" \
    jq -e '.source.truncated | not' "$work/slides-$kind/report.json" >/dev/null
  head -c $(($(stat -c %s "$work/slides.$kind") * 55 / 100)) "$work/slides.$kind" >"$work/part.$kind"
  check "slides in $kind cut off: are done" gopmill transcode "$work/part.$kind" --out "$work/cut-$kind" --pipeline "$work/small.yaml" --quiet
  check "slides in $kind cut off: the report says what is lost: $(jq -c '[.source | .truncated, .lost_s]' "$work/cut-$kind/report.json")" \
    jq -e '.source.truncated and .source.lost_s > 5' "$work/cut-$kind/report.json" >/dev/null
done

make_clip "$work/silent.mp4" 3 320x240 25 -an
check "video without audio is done" gopmill transcode "$work/silent.mp4" --out "$work/silent" --quiet
check "its HLS plays" plays "$work/silent/master.m3u8"
check "its DASH plays" plays "$work/silent/manifest.mpd"
finish
