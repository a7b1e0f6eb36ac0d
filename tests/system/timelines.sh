#!/usr/bin/env bash
# Time stamps of every kind: rates from one picture in 2 s to 120 a second, equal times, holes, edits, decode times below
# zero, clocks that wrap or start late, single pictures. With a lossless pipeline each picture of ffmpeg's own decode is
# there once, in order, at its time from the first.
. "$(dirname "$0")/lib.sh"

cat >"$work/exact.yaml" <<'YAML'
name: exact
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [64] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast, qp: 0 }
  hls:     { type: package, needs: [video], dash: false }
YAML
pictures() { # file: time in ms from the first, and hash, a picture
  ffmpeg -nostdin -v error -threads 1 -flags bitexact -i "$1" -map 0:v:0 -an -fps_mode passthrough -enc_time_base 1/90000 -f framemd5 - 2>/dev/null |
    awk -F', *' '!/^#/ {if (!n++) first = $3; printf "%.2f %s\n", ($3 - first) / 90, $6}'
}
compare() { # ours theirs: the first thing that differs; times by more than 0.12 ms (a tick, and the rounding to print)
  awk 'NR == FNR {t[FNR] = $1; h[FNR] = $2; n = FNR; next}
    {m = FNR; d = $1 - t[FNR]; if (d < 0) d = -d; if (!bad && (FNR > n || $2 != h[FNR] || d > 0.12)) bad = FNR ": " $1 " ms " substr($2, 1, 6) ", not " t[FNR] " ms " substr(h[FNR], 1, 6)}
    END {if (m != n) print m " pictures, not " n; else if (bad) print bad}' "$2" "$1"
}
same() { # clip name [count [pipeline]]
  local rc=0
  rm -rf "$work/out"
  gopmill transcode "$1" --out "$work/out" --pipeline "$work/${4:-exact}.yaml" --quiet >/dev/null 2>"$work/stderr" || rc=$?
  check "$2: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  [ "$rc" = 0 ] || return
  join_rendition "$(echo "$work"/out/v/*/video/*)" >"$work/joined.mp4"
  pictures "$1" >"$work/theirs"
  pictures "$work/joined.mp4" >"$work/ours"
  check "$2: ffmpeg sees ${3:-some}, $(wc -l <"$work/theirs")" test "$(wc -l <"$work/theirs")" ${3:+-eq} ${3:--gt 0}
  local differs
  differs=$(compare "$work/ours" "$work/theirs")
  check "$2: $differs" test -z "$differs"
}
clip() { # file rate pictures [ffmpeg options...]
  local file=$1 rate=$2 count=$3
  shift 3
  ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=s=96x64:r=$rate" -frames:v "$count" -c:v libx264 -preset veryfast -bf 2 -g 20 -pix_fmt yuv420p "$@" "$file"
}

for rate in 1/2 1 10 25/2 24000/1001 30000/1001 48 60000/1001 120; do
  clip "$work/rate.mp4" "$rate" 31
  same "$work/rate.mp4" "rate $rate" 31
done
clip "$work/rate.mkv" 24000/1001 60
same "$work/rate.mkv" "23.976 in milliseconds" 60
clip "$work/rate.ts" 60000/1001 60
same "$work/rate.ts" "59.94 in a transport stream" 60

# Fast ones over joins of chunks; a clock that wraps where the second chunk begins, in a stream with sound.
chunks() { # what: at least two were made
  local n
  n=$(jq '[.tasks[] | select(.type == "encode") | .chunks.first + .chunks.count] | max' "$work/out/report.json")
  check "$1: two chunks or more, $n" test "$n" -ge 2
}
for rate in 60000/1001 120; do
  count=$((14 * $rate))
  clip "$work/fast.mp4" "$rate" $count -preset ultrafast -g 240
  same "$work/fast.mp4" "14 s at $rate" $count
  chunks "14 s at $rate"
done
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=96x64:r=25 -f lavfi -i "sine=b=4:r=48000" -t 14 -c:v libx264 -preset ultrafast -bf 2 -g 50 -pix_fmt yuv420p \
  -c:a aac -output_ts_offset 95437.7 -mpegts_copyts 1 "$work/wrap.ts" # 2^33 ticks of 90 kHz are 95443.72 s
same "$work/wrap.ts" "a clock that wraps after 6 s" 350
chunks "a clock that wraps after 6 s"

# Single pictures.
for count in 1 2; do
  clip "$work/few.mp4" 25 $count
  same "$work/few.mp4" "$count pictures in mp4" $count
  clip "$work/few.mkv" 25 $count
  same "$work/few.mkv" "$count pictures in mkv" $count
done

# Holes; pictures that last long.
clip "$work/whole.mp4" 25 90
for at in "60" "0.5" "600"; do
  clip "$work/hole.mp4" 25 90 -vf "setpts='if(gt(N,40),PTS+$at/TB,PTS)'" -fps_mode vfr
  same "$work/hole.mp4" "a hole of $at s in mp4" 90
done
clip "$work/hole.mkv" 25 90 -vf "setpts='if(gt(N,40),PTS+60/TB,PTS)'" -fps_mode vfr
same "$work/hole.mkv" "a hole of 60 s in mkv" 90
clip "$work/uneven.mp4" 25 60 -vf "setpts='(N*N+N)/2500/TB'" -fps_mode vfr -enc_time_base 1/10000 -video_track_timescale 10000
same "$work/uneven.mp4" "ever longer pictures" 60

# Clocks that start late, wrap, or count decode times below zero.
ffmpeg -nostdin -v error -y -i "$work/whole.mp4" -c copy -output_ts_offset 3600 "$work/late.mkv"
same "$work/late.mkv" "from one hour on" 90
ffmpeg -nostdin -v error -y -i "$work/whole.mp4" -c copy -output_ts_offset 95442 -mpegts_copyts 1 "$work/wrap.ts"
same "$work/wrap.ts" "a clock that wraps" 90
ffmpeg -nostdin -v error -y -i "$work/whole.mp4" -c copy -movflags +negative_cts_offsets "$work/negative.mp4"
same "$work/negative.mp4" "offsets below zero" 90
ffmpeg -nostdin -v error -y -i "$work/whole.mp4" -c copy -use_editlist 0 "$work/plain.mp4"
same "$work/plain.mp4" "no edit list" 90
ffmpeg -nostdin -v error -y -i "$work/whole.mp4" -c copy -movflags +frag_keyframe+empty_moov+default_base_moof "$work/fragments.mp4"
same "$work/fragments.mp4" "fragments" 90

# Edits: a beginning within a GOP, an empty one, both.
ffmpeg -nostdin -v error -y -ss 1.1 -i "$work/whole.mp4" -c copy "$work/begins.mp4"
same "$work/begins.mp4" "an edit that begins within a GOP"
ffmpeg -nostdin -v error -y -itsoffset 0.7 -i "$work/whole.mp4" -f lavfi -i sine=d=4 -map 0:v -map 1:a -c:v copy -c:a aac "$work/empty.mp4"
same "$work/empty.mp4" "an empty edit" 90
ffmpeg -nostdin -v error -y -itsoffset 0.7 -ss 1.1 -i "$work/whole.mp4" -f lavfi -i sine=d=4 -map 0:v -map 1:a -c:v copy -c:a aac "$work/both.mp4"
same "$work/both.mp4" "an empty edit and one within a GOP"

# Edits that show parts of the programme in another order, one of them twice, without sound and with it; over joins of chunks.
put() { # file at words...: 32 bits each
  printf "$(printf '%08x' "${@:3}" | sed 's/../\\x&/g')" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
place() { grep -abo "$2" "$1" | sed -n "${3:-1}p" | cut -d: -f1; } # file box which
edit() { # file track media-timescale delay from_ms ms from_ms ms: the two entries of its list become these, and it is as long
  put "$1" $(($(place "$1" elst "$2") + 12)) "$6" $(($4 + $3 * $5 / 1000)) 65536 "$8" $(($4 + $3 * $7 / 1000)) 65536
  put "$1" $(($(place "$1" tkhd "$2") + 24)) $(($6 + $8))
  put "$1" $(($(place "$1" mvhd) + 20)) $(($6 + $8))
}
sed -e 's/needs: \[video\], dash/needs: [video, audio], dash/; s/^  hls:.*/  audio:   { type: audio, needs: [split] }\n  mp4:     { type: mp4, needs: [video, audio], heights: [64] }\n&/' "$work/exact.yaml" >"$work/heard.yaml"
beeps() { # file: when each begins, s
  ffmpeg -nostdin -hide_banner -nostats -v info -i "$1" -map 0:a:0 -af silencedetect=n=-30dB:d=0.2 -f null - 2>&1 | sed -n 's/.*silence_end: \([0-9.]*\).*/\1/p'
}
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=96x64:r=25:d=15 -f lavfi -i "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000:d=15" \
  -c:v libx264 -preset veryfast -bf 2 -g 50 -pix_fmt yuv420p -c:a pcm_s16le "$work/long.mov"
ffmpeg -nostdin -v error -y -itsoffset 0.7 -i "$work/long.mov" -an -c:v copy "$work/long.mp4" # an empty edit and one
ffmpeg -nostdin -v error -y -itsoffset 0.7 -i "$work/long.mov" -c:v copy -c:a aac "$work/sound.mp4"
for parts in "6500 7000 0 6500" "5500 7000 5500 7000"; do
  cp "$work/long.mp4" "$work/parts.mp4"
  edit "$work/parts.mp4" 1 12800 1024 $parts
  same "$work/parts.mp4" "parts of $parts ms"
  chunks "parts of $parts ms"
done
check "parts: nothing odd in that" jq -e 'all(.warnings[]; .code != "source.edit_list")' "$work/out/report.json" >"$work/said"
# Lists that are not followed: a pause after a part, a picture that is held.
for list in "5000 1024 65536 3000 0xffffffff 65536" "5000 1024 65536 3000 2048 0"; do
  cp "$work/long.mp4" "$work/parts.mp4"
  put "$work/parts.mp4" $(($(place "$work/parts.mp4" elst) + 12)) $list
  rm -rf "$work/out"
  check "edits $list: transcode" gopmill transcode "$work/parts.mp4" --out "$work/out" --pipeline "$work/exact.yaml" --quiet >"$work/said" 2>&1
  check "edits $list: told" jq -e 'any(.warnings[]; .code == "source.edit_list")' "$work/out/report.json" >"$work/said"
done
cp "$work/sound.mp4" "$work/parts.mp4"
edit "$work/parts.mp4" 1 12800 1024 6500 7000 0 6500
edit "$work/parts.mp4" 2 48000 0 6500 7000 0 6500
same "$work/parts.mp4" "parts with sound" "" heard
check "parts with sound: nothing is missing: $(jq -c '[.warnings[].code]' "$work/out/report.json")" jq -e 'all(.warnings[]; .code != "input.truncated")' "$work/out/report.json" >"$work/said"
beeps "$work/parts.mp4" >"$work/theirs"
beeps "$(echo "$work"/out/v/*/mp4/*.mp4)" >"$work/ours"
differs=$(paste "$work/ours" "$work/theirs" | awk 'NR <= 14 {d = $1 - $2; if (d * d > 0.002 ^ 2) print NR ": " $0} END {if (NR < 14) print NR " of them"}')
check "parts with sound: each beep is in its place: $differs" test -z "$differs"

# Two pictures at one time: the second comes a tick later.
clip "$work/even.mkv" 25 60 -bf 0 -c:v mjpeg -strict -1
ffmpeg -nostdin -v error -y -i "$work/even.mkv" -c copy -bsf:v "setts=ts='floor(N/2)*80'" "$work/pairs.mkv"
rm -rf "$work/out"
check "pairs: transcode" gopmill transcode "$work/pairs.mkv" --out "$work/out" --pipeline "$work/exact.yaml" --quiet >/dev/null 2>&1
join_rendition "$(echo "$work"/out/v/*/video/*)" >"$work/joined.mp4"
pictures "$work/joined.mp4" >"$work/ours"
check "pairs: $(wc -l <"$work/ours") of 60 pictures" test "$(wc -l <"$work/ours")" = 60
check "pairs: times rise" awk 'NR > 1 && $1 <= last {exit 1} {last = $1}' "$work/ours"
check "pairs: each second one within 1 ms of the first" awk 'NR % 2 == 0 && $1 - last > 1 {exit 1} {last = $1}' "$work/ours"

# Files too large to be read twice, which say more than they hold: all of it is made, as long as it is.
large() { # file pictures seconds what: a pipeline that takes 12 hours, and no losses
  local rc=0 seen
  rm -rf "$work/out"
  gopmill transcode "$1" --out "$work/out" --pipeline "$work/strict.yaml" --quiet >/dev/null 2>"$work/stderr" || rc=$?
  check "$4: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  [ "$rc" = 0 ] || return
  check "$4: is read in parts" test "$(stat -c %s "$1")" -gt $((64 << 20))
  seen=$(jq '.source.duration_s' "$work/out/report.json")
  check "$4: reckoned with $seen s" jq -en --argjson s "$seen" "\$s > $3 * 0.9 and \$s < $3 * 1.1" >"$work/said"
  check "$4: nothing is lost: $(jq -c '[.source.lost_s, .warnings[].code]' "$work/out/report.json")" jq -e '.source.lost_s == 0' "$work/out/report.json" >"$work/said"
  join_rendition "$(echo "$work"/out/v/*/video/*)" >"$work/joined.mp4"
  check "$4: $(frames_of "$work/joined.mp4") of $2 pictures" test "$(frames_of "$work/joined.mp4")" = "$2"
}
sed 's/type: split,/& damage: fail,/' "$work/exact.yaml" >"$work/strict.yaml"
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=320x240:r=25 -t 20 -c:v rawvideo -pix_fmt uyvy422 -movflags frag_keyframe+empty_moov+skip_trailer -frag_duration 1000000 "$work/large.mov"
put "$work/large.mov" $(($(place "$work/large.mov" mdhd) + 20)) 0xffffffff # 335544 s
large "$work/large.mov" 500 20 "fragments whose length is not known"
rm "$work/large.mov"
head -c 55296000 /dev/urandom | ffmpeg -nostdin -v error -y -f rawvideo -s 640x480 -r 25 -pix_fmt yuv420p -i - -c:v mpeg2video -q:v 1 -qmin 1 -g 12 -bf 2 -f mpegts "$work/heavy.ts"
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=640x480:r=25 -frames:v 5 -c:v mpeg2video -q:v 1 -qmin 1 -g 12 -bf 2 -output_ts_offset 72000 -mpegts_copyts 1 -f mpegts "$work/far.ts"
cat "$work/heavy.ts" "$work/far.ts" >"$work/large.ts"
large "$work/large.ts" 125 5 "a clock that jumps 20 hours on"

# One that is longer than the bytes of its head say is refused when it is read.
sed 's/type: inspect/&, max_duration_s: 8/' "$work/exact.yaml" >"$work/brief.yaml"
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=640x480:r=25 -t 10 -c:v mpeg2video -q:v 25 -g 12 -bf 2 -output_ts_offset 4.8 -f mpegts "$work/light.ts"
cat "$work/heavy.ts" "$work/light.ts" >"$work/large.ts"
rm -rf "$work/out"
check "15 s where 8 are taken: refused" status 3 gopmill transcode "$work/large.ts" --out "$work/made" --pipeline "$work/brief.yaml" --quiet
check "15 s where 8 are taken: split says so: $(jq -c '[.tasks[] | [.type, .error.code]]' "$work/made/report.json")" \
  jq -e '[.tasks[] | select(.type == "split") | .error.code] == ["input.too_large"]' "$work/made/report.json" >"$work/said"
finish
