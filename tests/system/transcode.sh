#!/usr/bin/env bash
# One clip through the default pipeline: everything that is promised is there, plays and is exact.
. "$(dirname "$0")/lib.sh"

clip=$work/clip.mp4
make_clip "$clip" 14.5 1280x720 30000/1001
gopmill transcode "$clip" --out "$work/out" >"$work/stdout" 2>"$work/stderr" || { cat "$work/stderr"; fail "transcode exits 0"; finish; }
out=$work/out
v=$(echo "$out"/v/*)
check "one publication" test -d "$v"
check "stdout names the master playlist" grep -q "master.m3u8" "$work/stdout"
for r in 720p 480p 360p 240p; do
  d=$v/video/$r
  check "$r has playlists" test -s "$d/media.m3u8" -a -s "$d/iframes.m3u8"
  join_rendition "$d" >"$work/$r.mp4"
  check "$r has all 435 frames" test "$(frames_of "$work/$r.mp4")" = "$(frames_of "$clip")"
  # IDRs exactly on the 60-frame grid
  keys=$(ffprobe -v error -select_streams v:0 -show_entries packet=flags -of csv=p=0 "$work/$r.mp4" | grep -n K | cut -d: -f1 | tr '\n' ' ')
  check "$r has IDRs each 60 frames, got $keys" test "$keys" = "1 61 121 181 241 301 361 421 "
  total=$(grep '^#EXTINF' "$d/media.m3u8" | sed 's/#EXTINF:\([0-9.]*\).*/\1/' | awk '{s += $1} END {printf "%.6f", s}')
  check "$r EXTINF sums to the duration, got $total" test "$total" = "$(awk 'BEGIN {printf "%.6f", 435 * 1001 / 30000}')"
  ranges=$(grep -c '^#EXT-X-BYTERANGE' "$d/iframes.m3u8")
  check "$r i-frame playlist has 8 entries" test "$ranges" = 8
  types="" # of what each range gives, behind the init segment: fragments that end with their first picture
  while IFS=' @' read -r size from name; do
    { cat "$d"/init-*.mp4; tail -c +$((from + 1)) "$d/$name" | head -c "$size"; } >"$work/one.mp4"
    types=$types$(ffprobe -v quiet -select_streams v:0 -read_intervals '%+#1' -show_entries frame=pict_type -of csv=p=0 "$work/one.mp4" | head -n 1 | tr -d ,)
    check "$r: a range ends with its picture" ffmpeg -nostdin -v error -xerror -i "$work/one.mp4" -frames:v 1 -f null - 2>/dev/null
  done < <(sed -n '/^#EXT-X-BYTERANGE:/{s///;N;s/\n/ /p}' "$d/iframes.m3u8")
  check "$r i-frame playlist gives 8 pictures: $types" test "$types" = IIIIIIII
done
check "no 1080p rung is made of 720p" test ! -e "$v/video/1080p"
check "HLS plays" plays "$out/master.m3u8"
check "DASH plays" plays "$out/manifest.mpd"
mp4=$(echo "$v"/mp4/*_720p.mp4)
check "mp4 is named after the clip" test "$mp4" = "$v/mp4/clip_720p.mp4"
check "mp4 has all frames" test "$(frames_of "$mp4")" = 435
check "mp4 begins with ftyp and moov" sh -c "head -c 4096 '$mp4' | tr -d '\0' | grep -aq 'ftyp.*moov'"
check "poster" test -s "$v/images/poster.jpg"
check "sprite" test -s "$v/images/sprite-001.jpg"
check "thumbnails.vtt" grep -q 'sprite-001.jpg#xywh=' "$v/images/thumbnails.vtt"
check "CODECS of the top rung are its own" sh -c "grep -q 'CODECS=\"avc1.6400[0-9a-f]*,mp4a.40.2\"' '$out/master.m3u8'"
check "report is JSON with the outputs" jq -e '.job.state == "done" and (.outputs | length > 10) and (.tasks | length > 5) and (.renditions[0].actual != null)' "$out/report.json" -r >/dev/null
check "report counts cost" jq -e '.cost.cpu_s > 0' "$out/report.json" >/dev/null
# audio and video begin together: both tracks of the mp4 start within 25 ms
starts=$(ffprobe -v error -show_entries stream=start_time -of csv=p=0 "$mp4" | tr '\n' ' ')
check "A/V start within 25 ms: $starts" awk -v s="$starts" 'BEGIN {split(s, a, " "); d = a[1] - a[2]; exit !(d < 0.025 && d > -0.025)}'
# the state folder is gone, nothing else is left beside the results
check "only results are left" test "$(cd "$out" && ls | sort | tr '\n' ' ')" = "manifest.mpd master.m3u8 report.json v "
check "--json is one document" sh -c "'$bin/gopmill' transcode '$clip' --out '$work/out2' --pipeline mp4-720p --json 2>/dev/null | jq -e . >/dev/null"
check "mp4-720p makes no playlists" test ! -e "$work/out2/master.m3u8"
check "mp4-720p makes its file" test -s "$(echo "$work"/out2/v/*/mp4/clip_720p.mp4)"
check "mp4-720p leaves one file and the report: $(find "$work/out2" -type f ! -name .gm-store | wc -l)" test "$(find "$work/out2" -type f ! -name .gm-store | wc -l)" = 2
rc=0
gopmill transcode "$clip" --out "$work/out2" --pipeline audio-only --quiet >/dev/null 2>"$work/stderr" || rc=$?
check "another title is not put over it" test "$rc" = 1
check "and says why" grep -q "storage.title_exists" "$work/stderr"
gopmill transcode "$clip" --out "$work/out3" --pipeline vod-watermark --quiet >/dev/null 2>"$work/stderr" || fail "vod-watermark: $(cat "$work/stderr")"
check "watermark changes the picture" sh -c "! cmp -s '$work/out3/v/'*/video/360p/seg-00001-*.m4s '$v'/video/360p/seg-00001-*.m4s"
check "plan is a dry run" sh -c "'$bin/gopmill' plan '$clip' --json 2>/dev/null | jq -e . >/dev/null"
# the same asked for again of the state of a farm that was killed: its job goes on
"$bin/gopmill" transcode "$clip" --out "$work/out5" --state "$work/state5" --quiet >/dev/null 2>&1 &
pid=$!
until_true "the job works" sh -c "ls '$work'/state5/work/jobs/*/* >/dev/null 2>&1"
farm=$(cat "$work"/state5/*.pid)
kill -9 $pid
wait $pid 2>/dev/null
for pid in $farm; do
  until_true "its farm ended" is_gone "$pid"
done
first=$(ls "$work/state5/work/jobs")
gopmill transcode "$clip" --out "$work/out5" --state "$work/state5" >/dev/null 2>"$work/stderr" || fail "going on: $(cat "$work/stderr")"
check "the job goes on: $first" grep -q "goes on with $first" "$work/stderr"
check "it is the one that is reported" test "$(jq -r .job.id "$work/out5/report.json")" = "$first"
check "with the same bytes" sh -c "cmp '$work/out5/master.m3u8' '$out/master.m3u8'"
gopmill transcode "$clip" --out "$work/out5" --state "$work/state5" >/dev/null 2>"$work/stderr" || fail "once more: $(cat "$work/stderr")"
check "what is done is done anew" sh -c "! grep -q 'goes on with' '$work/stderr'"
# a job that a killed farm left holds the folder: the next one is refused, and leaves none behind
cp "$clip" "$work/first.mp4"
"$bin/gopmill" transcode "$work/first.mp4" --out "$work/out4" --state "$work/state" --quiet >/dev/null 2>&1 &
pid=$!
until_true "the first job works" sh -c "ls '$work'/state/work/jobs/*/* >/dev/null 2>&1"
farm=$(cat "$work"/state/*.pid)
kill -9 $pid
wait $pid 2>/dev/null
for pid in $farm; do
  until_true "its farm ended" is_gone "$pid"
done
rm -rf "$work/first.mp4" "$work/state/work/jobs" "$work/out4" # so it goes no further
rc=0
gopmill transcode "$clip" --out "$work/out4" --state "$work/state" --quiet >/dev/null 2>"$work/stderr" || rc=$?
check "a second job in one folder is refused: $rc, $(cat "$work/stderr")" grep -q 'makes something else in that destination' "$work/stderr"
check "what was refused leaves no folder: $(ls -A "$work/out4" 2>&1)" test ! -e "$work/out4"
finish
