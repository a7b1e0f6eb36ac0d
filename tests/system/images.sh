#!/usr/bin/env bash
# Images: a watermark equals one laid over the whole file by ffmpeg, pixel by pixel; posters, sheets and the
# tracks that players find them by; images that are none.
. "$(dirname "$0")/lib.sh"

flags=flags=bicubic+accurate_rnd+full_chroma_int+bitexact
make_clip "$work/clip.mp4" 13 640x360 25
ffmpeg -v error -y -i "$work/clip.mp4" -t 2 -c copy -metadata:s:v:0 rotate=90 "$work/turned.mp4"
still() { ffmpeg -v error -y -f lavfi -i "testsrc2=s=300x150:d=0.04" -frames:v 1 -vf "$1" "$work/$2"; }
still "format=rgba,colorchannelmixer=aa=0.6" mark.png
still format=rgba64be deep.png
still format=gray gray.png
still "split[a][b];[a]palettegen[p];[b][p]paletteuse" palette.png
still format=yuvj444p photo.jpg
ffmpeg -v error -y -i "$work/mark.png" -lossless 1 "$work/clear.webp"

pipeline() { # name image [window]: two lossless rungs under a watermark; place, codec, bits: other ones
  cat >"$work/$1.yaml" <<YAML
name: $1
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [240, 120] }
  split:   { type: split, needs: [plan] }
  video:
    type: encode
    needs: [split]
    preset: ultrafast
    qp: 0
    codec: ${codec:-h264}
    bit_depth: ${bits:-8}
    watermark: { image: $2, position: ${place:-top-right}, opacity: 0.7, margin: 0.05, size: 0.2${3:+, $3} }
  hls:     { type: package, needs: [video] }
YAML
}
even() { awk -v v="$1" 'BEGIN {printf "%d", int(v / 2 + 0.5) * 2}'; }
frames() { ffmpeg -nostdin -v error -threads 1 -flags bitexact "$@" -an -fps_mode passthrough -f framemd5 - | awk -F', *' '!/^#/ {print $6}'; }
same_as_overlay() { # clip pipeline image [enable]
  local out=$work/out r w h wide tall margin filters matrix format x y
  rm -rf "$out"
  gopmill transcode "$work/$1" --out "$out" --pipeline "$work/$2.yaml" --quiet >/dev/null 2>"$work/stderr" || fail "$2 over $1: $(cat "$work/stderr")"
  for r in 240p 120p; do
    read -r w h matrix format filters < <(jq -r ".renditions[] | select(.name == \"$r\") | \"\(.width) \(.height) \(.colour.matrix) \(.colour.pixel_format) \(.resolved.filters)\"" "$out/report.json")
    case $matrix in bt709) ;; *) matrix=bt601 ;; esac
    wide=$(even "$(awk "BEGIN {print $w * 0.2}")") tall=$(even "$(awk "BEGIN {print $w * 0.2 * 150 / 300}")")
    margin=$(even "$(awk "BEGIN {print ($w < $h ? $w : $h) * 0.05}")")
    x=$((w - wide - margin)) y=$margin
    case ${place:-} in *left) x=$margin ;; center) x=$(((w - wide) / 4 * 2)) ;; esac
    case ${place:-} in bottom*) y=$((h - tall - margin)) ;; center) y=$(((h - tall) / 4 * 2)) ;; esac
    format=${format%le}
    join_rendition "$(echo "$out"/v/*/video/$r)" >"$work/joined.mp4"
    frames -i "$work/joined.mp4" -map 0:v >"$work/ours"
    frames -noautorotate -i "$work/$1" -i "$work/$3" -filter_complex "[0:v]$filters[m];[1:v]format=rgba,colorchannelmixer=aa=0.7,scale=$wide:$tall:$flags:out_color_matrix=$matrix:out_range=tv,setsar=1,format=${format/yuv/yuva}[v];[m][v]overlay=x=$x:y=$y:format=${format%p}${4:+:enable='$4'}" -sws_flags ${flags#flags=} >"$work/theirs"
    check "$2 over $1, $r: $(wc -l <"$work/ours") frames as overlaid at once, first difference: $(diff "$work/ours" "$work/theirs" | sed -n 1,3p | tr '\n' ' ')" cmp -s "$work/ours" "$work/theirs"
    check "$2 over $1, $r: frames" test -s "$work/theirs"
  done
}
pipeline all mark.png
same_as_overlay clip.mp4 all mark.png
# edges within a chunk, on a segment's border, between two frames
pipeline window mark.png "from: 5.01, until: 12"
same_as_overlay clip.mp4 window mark.png 'gte(t,5.03)*lt(t,11.98)'
frames -i "$work/joined.mp4" -map 0:v >"$work/window"
same_as_overlay clip.mp4 all mark.png
frames -i "$work/joined.mp4" -map 0:v >"$work/always"
check "the window is 126..299 of 325 frames" test "$(diff --unchanged-line-format='=' --old-line-format='' --new-line-format='' "$work/window" "$work/always" | wc -c)" = 174
same_as_overlay turned.mp4 all mark.png
while read -r image place codec bits; do # every place once, and 10 bits
  pipeline "${image%.*}-$place" $image
  same_as_overlay turned.mp4 "${image%.*}-$place" $image
done <<'END'
deep.png top-left
gray.png bottom-left
palette.png bottom-right
photo.jpg center
clear.webp bottom-left vp9 10
END
place="" codec="" bits=""

# images that are none
head -c 700 "$work/mark.png" >"$work/cut.png"
{ head -c 500 "$work/mark.png"; printf 'damage'; tail -c +507 "$work/mark.png"; } >"$work/damaged.png"
echo "no image" >"$work/text.png"
refused() { # sentence word command...
  local what=$1 word=$2 rc=0
  shift 2
  "$@" >/dev/null 2>"$work/stderr" || rc=$?
  check "$what: exit 2, got $rc" test "$rc" = 2
  check "$what: says $word" grep -q "$word" "$work/stderr"
}
for image in cut text; do
  pipeline bad-$image $image.png
  refused "check of a pipeline with $image.png" pipeline.bad_image gopmill pipeline check "$work/bad-$image.yaml"
  refused "job with $image.png" pipeline.bad_image gopmill transcode "$work/clip.mp4" --out "$work/none" --pipeline "$work/bad-$image.yaml"
done
pipeline lost lost.png
refused "check of a pipeline whose image is missing" config.invalid gopmill pipeline check "$work/lost.yaml"
pipeline hurt damaged.png
refused "job with a damaged image" pipeline.bad_image gopmill transcode "$work/clip.mp4" --out "$work/hurt" --pipeline "$work/hurt.yaml"
check "a damaged image is found before anything is encoded" test "$(jq '[.tasks[] | select(.type == "encode" or .type == "split")] | length' "$work/hurt/report.json")" = 0

# posters and sheets
images() { # name options...: package and thumbnails
  cat >"$work/$1.yaml" <<YAML
name: $1
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [180] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], preset: ultrafast }
  images:  { type: thumbnails, needs: [video], interval_s: 3, columns: 2, rows: 2$2 }
  package: { type: package, needs: [video, images] }
YAML
  gopmill transcode "$work/${3:-clip.mp4}" --out "$work/$1" --pipeline "$work/$1.yaml" --quiet >/dev/null 2>"$work/stderr" || fail "$1: $(cat "$work/stderr")"
  made=$(echo "$work/$1"/v/*/images)
}
size() { ffprobe -v error -show_entries stream=width,height -of csv=p=0 "$1"; }
ssim() { # image clip second [filter of the image]: how alike the image and that frame of the clip are
  ffmpeg -nostdin -v info -i "$1" ${3:+-ss "$3"} -i "$2" -frames:v 1 -filter_complex "[0:v]${4:-null},format=yuv420p,split[a][s];[1:v][s]scale2ref[b][x];[x]nullsink;[a][b]ssim" -f null - 2>&1 |
    sed -n 's/.*SSIM.*All:\([0-9.]*\).*/\1/p'
}
above() { awk -v a="$1" -v b="$2" 'BEGIN {exit !(a > b)}'; }
images timed ", poster_at_s: 7.51"
# frame 187 is on screen from 7.48 to 7.52 s
check "poster of a named time is that picture: $(ssim "$made/poster.jpg" "$work/clip.mp4" 7.48)" above "$(ssim "$made/poster.jpg" "$work/clip.mp4" 7.48)" 0.93
check "poster of a named time is not the next" above "$(ssim "$made/poster.jpg" "$work/clip.mp4" 7.48)" "$(ssim "$made/poster.jpg" "$work/clip.mp4" 7.52)"
check "poster of a named time is not the one before" above "$(ssim "$made/poster.jpg" "$work/clip.mp4" 7.48)" "$(ssim "$made/poster.jpg" "$work/clip.mp4" 7.44)"
check "report tells it" jq -e '.images.poster | .from == "time" and .time_s == 7.48 and .width == 640 and .score == null' "$work/timed/report.json" >/dev/null
check "five tiles on two sheets of one size" test "$(size "$made/sprite-001.jpg") $(size "$made/sprite-002.jpg") $(ls "$made"/sprite-* | wc -l)" = "320,180 320,180 2"
for n in 0 1 2 3 4; do
  tile="crop=160:90:$((n % 2 * 160)):$((n % 4 / 2 * 90))"
  check "tile $n is the picture at $((n * 3)) s: $(ssim "$made/sprite-00$((n / 4 + 1)).jpg" "$work/clip.mp4" $((n * 3)) $tile)" above "$(ssim "$made/sprite-00$((n / 4 + 1)).jpg" "$work/clip.mp4" $((n * 3)) $tile)" 0.9
done
check "cues cover the programme" test "$(grep -e '-->' "$made/thumbnails.vtt" | awk '$1 != end {exit} {end = $3} END {print NR, end}' end=00:00:00.000)" = "5 00:00:13.000"
check "HLS names the sheets" grep -q '^#EXT-X-IMAGE-STREAM-INF:.*RESOLUTION=160x90.*images/tiles.m3u8"' "$work/timed/master.m3u8"
check "the image playlist has both" test "$(grep -c '^#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x2,DURATION=3$' "$made/tiles.m3u8")" = 2
for f in $(grep -v '^#' "$made/tiles.m3u8"); do check "$f of the image playlist exists" test -s "$made/$f"; done
check "DASH names the sheets" grep -q 'thumbnail_tile" value="2x2"' "$work/timed/manifest.mpd"
check "HLS plays beside its images" plays "$work/timed/master.m3u8"
check "DASH plays beside its images" plays "$work/timed/manifest.mpd"
images late ", poster_at_s: 1000, format: webp"
check "a time behind the end is the last picture, and warned of" jq -e '.images.poster.time_s == 12.96 and ([.warnings[].code] | index("images.poster_after_end"))' "$work/late/report.json" >/dev/null
check "WebP, both" test "$(ffprobe -v error -show_entries stream=codec_name -of csv=p=0 "$made/poster.webp")$(ffprobe -v error -show_entries stream=codec_name -of csv=p=0 "$made/sprite-001.webp")" = webpwebp
check "DASH says WebP" grep -q 'mimeType="image/webp"' "$work/late/manifest.mpd"
images own ", poster_image: photo.jpg, poster_width: 200" turned.mp4
check "the user's poster, made smaller" test "$(size "$made/poster.jpg")" = 200,100
check "the user's poster is his: $(ssim "$made/poster.jpg" "$work/photo.jpg" "")" above "$(ssim "$made/poster.jpg" "$work/photo.jpg" "")" 0.95
check "one sheet is as large as needed, upright" test "$(size "$made/sprite-001.jpg")" = 160,284
images best "" turned.mp4
check "the poster of a turned clip is upright" test "$(size "$made/poster.jpg")" = 360,640
check "the best picture is scored" jq -e '.images.poster | .from == "score" and .score > 0 and .time_s < 2' "$work/best/report.json" >/dev/null
finish
