#!/usr/bin/env bash
# Subtitles and chapters: what is published equals what ffmpeg makes of the source, cue for cue, in the whole file, in
# the segments (over their borders, each cue where it shows) and in the MP4 file.
. "$(dirname "$0")/lib.sh"

pipeline=$work/text.yaml
cat >"$pipeline" <<'YAML'
name: text
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [32] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], preset: ultrafast }
  audio:   { type: audio, needs: [split] }
  words:   { type: subtitles, needs: [split], default_language: fre }
  mp4:     { type: mp4, needs: [video, audio, words], heights: [32] }
  package: { type: package, needs: [video, audio, words] }
YAML

make() { # name source
  gopmill transcode "$2" --out "$work/$1" --pipeline "$pipeline" --quiet >/dev/null 2>"$work/stderr" ||
    { fail "$1: $(tail -n 2 "$work/stderr" | tr '\n' ' ')"; return 1; }
  pub=$(echo "$work/$1"/v/*)
}
# WebVTT (files, or stdin) as lines "start end text", in ms less $shift_ms, without markup; with `number` before each
# line the number of its file. Sorted.
vtt=$work/vtt.awk
cat >"$vtt" <<'AWK'
BEGIN { RS = ""; FS = "\n" }
function ms(t, p, n) { n = split(t, p, /[:.]/); return ((n > 3 ? p[n-3] * 60 : 0) + p[n-2]) * 60000 + p[n-1] * 1000 + p[n] }
FNR == 1 { file++ }
{ at = 0
  for (i = 1; i <= NF && !at; i++) if ($i ~ / --> /) at = i
  if (!at) next
  split($at, t, " ")
  text = ""
  for (i = at + 1; i <= NF; i++) text = text " | " $i
  gsub(/<[^>]*>/, "", text); gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&amp;/, "\\&", text)
  gsub(/[ \t]+/, " ", text)
  printf "%s%d %d%s\n", number ? file " " : "", ms(t[1]) - shift_ms, ms(t[3]) - shift_ms, text }
AWK
cues() { awk -v shift_ms="${1:-0}" -f "$vtt" | sort -n; }
same() { # sentence file file
  check "$1: $(diff "$2" "$3" | head -n 4 | tr '\n' '~')" cmp -s "$2" "$3"
}
# Each cue of the whole file lies in those segments that it shows in, and only there.
check_segments() { # name track-folder
  (cd "$2" && awk -v number=1 -f "$vtt" $(grep '^seg' media.m3u8)) | sort >"$work/segments"
  awk -F'[:,]' '/^#EXTINF/ { printf "%d\n", $2 * 1000 + 0.5 }' "$2/media.m3u8" >"$work/lengths"
  awk 'NR == FNR { from[NR] = end; end += $1; to[NR] = end; n = NR; next }
    { for (i = 1; i <= n; i++) if ((i == 1 || $2 > from[i]) && (i == n || $1 < to[i])) print i " " $0 }' \
    "$work/lengths" "$work/whole" | sort >"$work/wanted"
  same "$1: segments" "$work/segments" "$work/wanted"
}
warnings() { # name: codes, but for the colours that a test picture does not say
  jq -c '[.warnings[].code | select(startswith("source.colour") | not)] | sort' "$work/$1/report.json"
}
check_track() { # name source track [zero_ms [mp4: no]]
  cues <"$(echo "$pub/text/t$3"/subtitles-*.vtt)" >"$work/whole"
  ffmpeg -v error -i "$2" -map "0:s:$3" -f webvtt - | cues "${4:-0}" >"$work/wanted"
  check "$1: there are cues" test -s "$work/wanted"
  same "$1: track $3" "$work/whole" "$work/wanted"
  check_segments "$1 track $3" "$pub/text/t$3"
  [ "${5:-}" = no ] || {
    ffmpeg -v error -i "$(echo "$pub"/mp4/*.mp4)" -map "0:s:$3" -f webvtt - | cues >"$work/single"
    same "$1: track $3 of the MP4 file" "$work/single" "$work/whole"
  }
}

# ---- half an hour of cues in two languages, in Matroska and MP4, with chapters
awk 'BEGIN { for (i = 0; i < 600; i++) { s = i * 3 + (i % 7) * 0.137; e = s + 0.5 + (i % 5) * 0.4
  printf "%d\n%s --> %s\nline <i>%d</i> & more\nsecond\n\n", i + 1, t(s), t(e), i } }
  function t(x) { ms = int(x * 1000 + 0.5)
    return sprintf("%02d:%02d:%02d,%03d", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000) }' >"$work/en.srt"
printf '%s\n' 1 '00:00:05,990 --> 00:00:06,010' 'Grüße' '' 2 '00:29:59,000 --> 00:30:00,000' '[Schild]' >"$work/de.srt"
printf '%s\n' ';FFMETADATA1' '[CHAPTER]' TIMEBASE=1/1000 START=0 END=600000 'title=One & <two>' \
  '[CHAPTER]' TIMEBASE=1/1000 START=600000 END=1800000 title=Ende >"$work/chapters"
ffmpeg -v error -y -f lavfi -i testsrc2=s=64x32:r=1:d=1800 -f lavfi -i anullsrc=r=48000:d=1800 -i "$work/en.srt" \
  -i "$work/de.srt" -i "$work/chapters" -map 0 -map 1 -map 2 -map 3 -map_chapters 4 -c:v libx264 -preset ultrafast -g 10 \
  -c:a flac -c:s srt -metadata:s:s:0 language=eng -metadata:s:s:0 title=English -metadata:s:s:1 language=ger \
  -disposition:s:0 0 -disposition:s:1 forced+hearing_impaired "$work/long.mkv"
ffmpeg -v error -y -i "$work/long.mkv" -t 300 -map 0 -map_chapters -1 -c copy -strict -2 -c:s mov_text -disposition:s:1 forced "$work/long.mp4"
make long-mp4 "$work/long.mp4" || finish
check_track long.mp4 "$work/long.mp4" 0
check_track long.mp4 "$work/long.mp4" 1
make long-mkv "$work/long.mkv" || finish
check_track long.mkv "$work/long.mkv" 0
check_track long.mkv "$work/long.mkv" 1
check "long.mkv: chapters" cmp -s "$pub/text/chapters/chapters.vtt" - <<'VTT'
WEBVTT

00:00:00.000 --> 00:10:00.000
One &amp; &lt;two&gt;

00:10:00.000 --> 00:30:00.000
Ende

VTT
check "long.mkv: chapters in the MP4 file" test "$(ffprobe -v error -show_entries chapter=start_time,end_time:chapter_tags=title \
  -of csv=p=0 "$pub"/mp4/*.mp4 | tr '\n' '/')" = '0.000000,600.000000,One & <two>/600.000000,1800.000000,Ende/'
m=$work/long-mkv/master.m3u8
check "HLS: English" grep -q 'TYPE=SUBTITLES,GROUP-ID="text",LANGUAGE="en",NAME="English",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI' "$m"
check "HLS: German, forced" grep -q 'LANGUAGE="de",NAME="Subtitles 2",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,CHARACTERISTICS="public.acc' "$m"
check "DASH: German, forced" grep -q 'mimeType="text/vtt" lang="de"' "$work/long-mkv/manifest.mpd"
check "report: cues" test "$(jq -c '[.text[] | [.language, .cues, .forced]]' "$work/long-mkv/report.json")" = \
  '[["eng",600,false],["deu",2,true]]'
check "nothing is warned of: $(warnings long-mkv)" test "$(warnings long-mkv)" = '[]'

# ---- WebVTT with settings, overlapping cues, a language by default, pictures later than sound
printf '%s\n' WEBVTT '' '00:01.000 --> 00:04.000 line:10% align:start' 'one' '' '00:02.000 --> 00:03.000' '<b>two</b> &amp; three' '' \
  '00:05.500 --> 00:06.500' 'over the border' '' >"$work/in.vtt"
ffmpeg -v error -y -f lavfi -i testsrc2=s=64x32:r=10:d=9 -c:v libx264 -preset ultrafast "$work/v.mp4"
ffmpeg -v error -y -itsoffset 1 -i "$work/v.mp4" -f lavfi -i sine=d=10 -i "$work/in.vtt" -map 0 -map 1 -map 2 -c:v copy \
  -c:a pcm_s16le -c:s copy "$work/late.mkv"
make late "$work/late.mkv" || finish
cues <"$(echo "$pub"/text/t0/subtitles-*.vtt)" >"$work/whole"
cues <"$work/in.vtt" >"$work/wanted"
same "late pictures: times are the sound's" "$work/whole" "$work/wanted"
check "the settings stay" grep -q ' line:10% align:start$' "$(echo "$pub"/text/t0/subtitles-*.vtt)"
make again "$work/late.mkv" || finish
check "the same bytes again" test "$(tree_hash "$work/late")" = "$(tree_hash "$work/again")"
check "the language is the pipeline's" grep -q 'LANGUAGE="fr"' "$work/late/master.m3u8"

# ---- a source without text has none, and no chapters
make plain "$work/v.mp4" || finish
check "no text" test ! -e "$pub/text"
check "no text is named" test -z "$(grep -i 'subtitles\|text' "$work/plain/master.m3u8" "$work/plain/manifest.mpd")"

# ---- hostile: bytes that are no UTF-8, a cue of 300 KB, 30,000 cues at once
{ printf '1\n00:00:00,100 --> 00:00:01,000\nbad \xff\xfe bytes\n\n2\n00:00:01,000 --> 00:00:02,000\n'
  head -c 300000 /dev/zero | tr '\0' x
  printf '\n\n3\n00:00:03,000 --> 00:00:04,000\nafter\n\n'
  for ((i = 0; i < 30000; i++)); do printf '%d\n00:00:05,000 --> 00:00:08,000\nat once %d\n\n' $((i + 4)) $i; done
} >"$work/bad.srt"
ffmpeg -v error -y -i "$work/v.mp4" -sub_charenc_mode ignore -i "$work/bad.srt" -map 0 -map 1 -c:v copy -c:s copy "$work/bad.mkv" || fail "bad.mkv"
make bad "$work/bad.mkv" || finish
check "what was left out is said: $(warnings bad)" test "$(warnings bad)" = \
  '["mp4.text_left_out","text.cut","text.encoding","text.left_out"]'
check "text after it is there" grep -q '^after$' "$(echo "$pub"/text/t0/subtitles-*.vtt)"
check "a segment stays small" test "$(wc -c <"$(echo "$pub"/text/t0/seg-00002-*.vtt)")" -lt 300000

# Share of code values, in dB, in which picture `$3` of the published MP4 file differs from what $2 (an ffmpeg filter) makes of $1.
drawn_like() { # source filter frame
  ffmpeg -v error -i "$(echo "$pub"/mp4/*.mp4)" -i "$1" -filter_complex \
    "[0:v]select=eq(n\\,$3)[a];$2,select=eq(n\\,$3)[b];[a][b]psnr=stats_file=-" -f null - | sed -n 's/.*psnr_avg:\([0-9]*\).*/\1/p' | head -n 1
}
# ---- real clips
if has_media; then
  make srt "$GOPMILL_TEST_MEDIA/srt-subtitle.mkv" && # its cue ends after the last picture
    check_track srt-subtitle.mkv "$GOPMILL_TEST_MEDIA/srt-subtitle.mkv" 0 0 no
  make ass "$GOPMILL_TEST_MEDIA/ass-subtitle.mkv" &&
    check "ass-subtitle.mkv: from 67 ms before the first picture, less these: $(cat "$pub"/text/t0/subtitles-*.vtt | tr '\n' '~')" test \
      "$(cues <"$(echo "$pub"/text/t0/subtitles-*.vtt)")" = '0 433 | This is the first subtitle.'
  make pgs "$GOPMILL_TEST_MEDIA/pgs-subtitle.mkv" &&
    check "pgs-subtitle.mkv: pictures are named as left out" test \
      "$(jq -c '[.warnings[] | select(.code == "plan.subtitles_bitmap") | .text]' "$work/pgs/report.json")" = \
      '["subtitles that are pictures are left out: eng"]'
  # The same as DVB and DVD subtitles; in a transport stream they stay to the end.
  ffmpeg -v error -y -i "$GOPMILL_TEST_MEDIA/pgs-subtitle.mkv" -map 0 -c copy -c:s dvbsub "$work/dvb.mkv"
  ffmpeg -v error -y -i "$work/dvb.mkv" -map 0 -c copy -bsf:s "noise=drop='gt(n,0)'" "$work/dvb.ts"
  ffmpeg -v error -y -i "$GOPMILL_TEST_MEDIA/pgs-subtitle.mkv" -map 0 -c copy -c:s dvdsub "$work/dvd.mkv"
  for f in dvb.ts dvd.mkv; do
    make "left-$f" "$work/$f" && check "$f: named as left out" test \
      "$(jq -c '[(.warnings[] | select(.code == "plan.subtitles_bitmap") | .text), (.source.text[] | .codec, .burnt)]' "$work/left-$f/report.json")" = \
      "[\"subtitles that are pictures are left out: eng\",\"${f%.*}_subtitle\",false]"
  done
  sed -e 's/ladder: \[32\]/ladder: [720]/' -e 's/heights: \[32\]/heights: [720]/' \
    -e 's/preset: ultrafast/preset: ultrafast, qp: 1, burn_subtitles: auto/' "$pipeline" >"$work/burn.yaml"
  pipeline=$work/burn.yaml
  make burn "$GOPMILL_TEST_MEDIA/pgs-subtitle.mkv" && { # its canvas is 100 px wider on either side
    db=$(drawn_like "$GOPMILL_TEST_MEDIA/pgs-subtitle.mkv" '[1:v][1:s]overlay=x=-100' 10)
    check "pgs-subtitle.mkv: drawn as ffmpeg does ($db dB)" test "${db:-0}" -ge 40
    check "pgs-subtitle.mkv: drawn, and said" test "$(jq -c '[.source.text[].burnt]' "$work/burn/report.json")" = '[true]'
    check "pgs-subtitle.mkv: not left out" test -z "$(jq -r .warnings[].code "$work/burn/report.json" | grep subtitles)"
  }
  for f in dvb.ts dvd.mkv; do
    make "burn-$f" "$work/$f" && {
      db=$(drawn_like "$work/$f" '[1:v][1:s]overlay=x=-100' 10)
      check "$f: drawn as ffmpeg does ($db dB)" test "${db:-0}" -ge 40
      db=$(drawn_like "$work/$f" '[1:v]null' 10)
      check "$f: not as without them ($db dB)" test "${db:-99}" -lt 35
      check "$f: drawn, and said" test "$(jq -c '[[.source.text[].burnt], [.warnings[].code | select(test("subtitles"))]]' "$work/burn-$f/report.json")" = '[[true],[]]'
    }
  done
  make text-only "$GOPMILL_TEST_MEDIA/srt-subtitle.mkv" &&
    check "srt-subtitle.mkv: text is not drawn, and said" grep -q plan.burn_text "$work/text-only/report.json"
  make ch "$GOPMILL_TEST_MEDIA/chapters-444.mkv" && # its sound begins 23 ms before 0
    check "chapters-444.mkv: programme time" test "$(jq -c '[.source.chapters[] | [.start_s, .end_s, .title]]' "$work/ch/report.json")" = \
      '[[0.023,2.022,"Chapter 1"],[2.023,5.022,"Chapter 2"]]'
fi
finish
