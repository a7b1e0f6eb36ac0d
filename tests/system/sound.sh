#!/usr/bin/env bash
# Sound: a white frame and a beep begin together at 1 s and every 5 s after, and still do so in what is
# published; loudness by ffmpeg's meter; no join can be heard.
#   sound.sh [short|hour]
. "$(dirname "$0")/lib.sh"
set=${1:-short}
limit=0.022 # s; ITU-R BT.1359 allows more, this is one frame of AAC
aim=0.0015  # s; what the source has, has the result

# flash_clip file seconds rate [audio-rate] [extra encoder options]
flash_clip() {
  local file=$1 seconds=$2 rate=$3 audio=${4:-48000}
  shift $(($# < 4 ? $# : 4))
  local k="floor((t-1+0.5)/5)" at="(round((1+5*ld(0))*$rate)/($rate))"
  ffmpeg -nostdin -v error -y \
    -f lavfi -i "color=black:s=160x90:r=$rate:d=$seconds,drawbox=t=fill:color=white:enable='eq(n,round((1+5*floor((n/($rate)-1+0.5)/5))*$rate))'" \
    -f lavfi -i "aevalsrc='st(0,$k);st(1,$at);0.7*sin(2*PI*1000*(t-ld(1)))*gte(t,ld(1))*lt(t,ld(1)+0.1)':s=$audio:d=$seconds,aformat=channel_layouts=stereo" \
    -c:v libx264 -preset ultrafast -bf 3 -g 100 -pix_fmt yuv420p -c:a pcm_s16le "$@" "$file"
}
# offsets file [from] [sound]: seconds from each flash to its beep, one a line, of 30 s. from: where they begin;
# times are counted from there, as ffmpeg prints six digits. sound: a stream specifier.
offsets() {
  local from=${2:-0} sound=${3:-a:0} end=$((${2:-0} + 30))
  ffmpeg -nostdin -hide_banner -nostats -v info -t "$end" -i "$1" \
    -map 0:v:0 -vf "trim=start=$from,setpts=PTS-$from/TB,scale=16:16,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=$work/flash.txt" -f null - \
    -map "0:$sound" -af "atrim=start=$from,asetpts=PTS-$from/TB,silencedetect=n=-22dB:d=0.5" -f null - 2>"$work/beep.txt"
  awk '/pts_time/ {sub(/.*pts_time:/, ""); t = $1} /YAVG/ {sub(/.*=/, ""); if ($1 > 120 && !on) print t; on = $1 > 120}' \
    "$work/flash.txt" >"$work/flashes"
  awk '/silence_end/ {sub(/.*silence_end: /, ""); print $1}' "$work/beep.txt" >"$work/beeps"
  awk 'NR == FNR {b[n++] = $1; next} {best = 9; for (i = 0; i < n; i++) {d = b[i] - $1; if (d * d < best * best) best = d} printf "%.5f\n", best}' \
    "$work/beeps" "$work/flashes"
}
within() { # limit count file [file]: that many offsets, none beyond the limit, nor its difference to the second file's
  awk -v limit="$1" -v count="$2" 'NR == FNR {a[FNR] = $1; n = FNR; next} {b[FNR] = $1; m = FNR}
    END {bad = n != count || (m > 0 && m != n); for (i = 1; i <= n; i++) {d = a[i] - b[i]; if (d > limit || d < -limit) bad = 1}; exit bad}' \
    "$3" "${4:-/dev/null}"
}
worst() { awk '{d = $1 < 0 ? -$1 : $1; w = d > w ? d : w} END {printf "%.2f ms", w * 1000}' "$1"; }

transcode() { # clip pipeline [options]
  local clip=$1 pipeline=$2
  shift 2
  rm -rf "$work/out"
  gopmill transcode "$clip" --out "$work/out" --pipeline "$work/$pipeline.yaml" --quiet "$@" >/dev/null 2>"$work/stderr" && return
  cat "$work/stderr"
  return 1
}
pipeline() { # name codec [audio options]
  cat >"$work/$1.yaml" <<END
name: $1
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [90] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], preset: ultrafast, crf: 20 }
  audio:   { type: audio, needs: [split], codec: $2 ${3:-} }
  mp4:     { type: mp4, needs: [video, audio], heights: [90] }
  package: { type: package, needs: [video, audio] }
END
}
pipeline aac aac
pipeline opus opus

compare() { # clip beeps codec [from]: HLS, DASH and MP4 keep the source's offsets
  local clip=$1 beeps=$2 codec=$3 from=${4:-} name what file
  name="$(basename "$clip") to $codec${from:+ from $from s}"
  offsets "$clip" $from >"$work/source.off"
  for what in hls dash mp4; do
    case $what in hls) file=$work/out/master.m3u8 ;; dash) file=$work/out/manifest.mpd ;; *) file=$(echo "$work"/out/v/*/mp4/*.mp4) ;; esac
    offsets "$file" $from >"$work/$what.off"
    check "$name, $what: within $limit s: $(worst "$work/$what.off")" within "$limit" "$beeps" "$work/$what.off"
    check "$name, $what: as in the source ($(worst "$work/source.off")): $(worst "$work/$what.off")" \
      within "$aim" "$beeps" "$work/$what.off" "$work/source.off"
    echo "$name, $what: $(worst "$work/$what.off")"
  done
}

in_sync() { # clip beeps codec
  transcode "$1" "$3" || { fail "$1 to $3"; return; }
  compare "$@"
}
if [ "$set" = hour ]; then
  flash_clip "$work/hour.mp4" 3600 24000/1001 44100 -c:a aac
  for codec in aac opus; do
    in_sync "$work/hour.mp4" 6 "$codec"
    for from in 1800 3570; do compare "$work/hour.mp4" 6 "$codec" "$from"; done
  done
  finish
fi

# ---- rates and codecs; B-frames, edit lists, late sound, codecs with a delay of their own
flash_clip "$work/film.mov" 12.5 24000/1001 44100
in_sync "$work/film.mov" 3 aac
flash_clip "$work/pal.mp4" 12.5 25 48000 -c:a aac
in_sync "$work/pal.mp4" 3 opus
flash_clip "$work/ntsc.ts" 12.5 30000/1001 48000 -c:a ac3
in_sync "$work/ntsc.ts" 3 aac
flash_clip "$work/fast.mkv" 12.5 60000/1001 44100 -c:a libvorbis
in_sync "$work/fast.mkv" 3 opus
flash_clip "$work/mp3.avi" 12.5 25 44100 -bf 0 -c:a libmp3lame
in_sync "$work/mp3.avi" 3 aac
flash_clip "$work/mp2.mkv" 12.5 25 48000 -c:a mp2
in_sync "$work/mp2.mkv" 3 aac
ffmpeg -nostdin -v error -y -i "$work/film.mov" -itsoffset 0.6 -ss 0.6 -i "$work/film.mov" -map 0:v -map 1:a -c:v copy -c:a aac "$work/late.mp4"
in_sync "$work/late.mp4" 3 aac
ffmpeg -nostdin -v error -y -ss 0.5 -i "$work/pal.mp4" -c copy "$work/edits.mp4"
in_sync "$work/edits.mp4" 3 aac
flash_clip "$work/wrap.ts" 14 25 48000 -bf 2 -g 50 -c:a aac -output_ts_offset 95437.7 -mpegts_copyts 1 # wraps at 6 s, where the second chunk begins
in_sync "$work/wrap.ts" 3 aac

# ---- a clock that starts anew twice, where sound went on for longer, or pictures did: together in all parts
parts() { # name video-seconds sound-seconds
  ffmpeg -nostdin -v error -y -t "$2" -i "$work/film.mov" -t "$3" -i "$work/film.mov" -map 0:v -map 1:a -c:v copy -c:a ac3 "$work/part.ts"
  cat "$work/part.ts" "$work/part.ts" "$work/part.ts" >"$work/$1.ts"
  check "$1: three parts are transcoded" transcode "$work/$1.ts" aac
  for file in "$work/out/master.m3u8" "$work"/out/v/*/mp4/*.mp4; do
    offsets "$file" >"$work/parts.off"
    check "$1, ${file##*.}: within $limit s: $(worst "$work/parts.off")" within "$limit" 6 "$work/parts.off"
  done
}
parts sound-longer 7 7.4
parts pictures-longer 7.4 7

# ---- two languages: both manifests have both tracks, each of its own pitch and as long as the pictures
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=160x90:r=25:d=8 -f lavfi -i sine=f=440:r=48000:d=8 -f lavfi -i sine=f=880:r=48000:d=8 -map 0 -map 1 -map 2 \
  -c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p -c:a aac -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra "$work/languages.mp4"
small_pipeline "$work/small.yaml" 90
check "two languages are transcoded" transcode "$work/languages.mp4" small
said=$(sed -n 's/.*TYPE=AUDIO,GROUP-ID="\([^"]*\)",LANGUAGE="\([^"]*\)".*DEFAULT=\([A-Z]*\).*/\1 \2 \3/p' "$work/out/master.m3u8" | tr '\n' ' ')
check "HLS: one group with both, the first by default: $said" test "$said" = "audio en YES audio fr NO "
said=$(sed -n 's/.*<AdaptationSet .*contentType="audio".* lang="\([^"]*\)".*/\1/p' "$work/out/manifest.mpd" | tr '\n' ' ')
check "DASH: an AdaptationSet each: $said" test "$said" = "en fr "
for manifest in master.m3u8 manifest.mpd; do
  for language in en:440 fr:880; do
    said=$(ffmpeg -nostdin -hide_banner -nostats -xerror -i "$work/out/$manifest" -map "0:a:m:language:${language%:*}" -af astats -f null - 2>&1 |
      awk '/Number of samples:/ {n = $NF} /Zero crossings:/ {z = $NF} END {if (n > 0) printf "%d Hz for %d ms", z * 24000 / n + 0.5, n / 48}')
    check "$manifest: ${language%:*} at ${language#*:} Hz for 8 s: $said" \
      awk -v said="$said" -v hz="${language#*:}" 'BEGIN {split(said, v, " "); exit !(v[1] > hz - 20 && v[1] < hz + 20 && v[4] >= 7978 && v[4] <= 8022)}'
  done
done

# ---- a second sound that comes 0.3 s later than the first, and stays so
ffmpeg -nostdin -v error -y -i "$work/pal.mp4" -itsoffset 0.3 -i "$work/pal.mp4" -map 0:v -map 0:a -map 1:a -c copy \
  -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra "$work/two.mkv"
offsets "$work/two.mkv" 0 a:1 >"$work/source.off"
check "the second sound is 0.3 s late: $(worst "$work/source.off")" awk '$1 < 0.28 || $1 > 0.32 {bad = 1} END {exit bad || NR != 3}' "$work/source.off"
check "two sounds are transcoded" transcode "$work/two.mkv" aac
for what in hls dash mp4; do
  case $what in
  hls) file=$work/out/master.m3u8 sound=a:m:language:fr ;;
  dash) file=$work/out/manifest.mpd sound=a:m:language:fr ;;
  *) file=$(echo "$work"/out/v/*/mp4/*.mp4) sound=a:1 ;;
  esac
  offsets "$file" 0 "$sound" >"$work/$what.off"
  check "the second sound, $what: as in the source ($(worst "$work/source.off")): $(worst "$work/$what.off")" \
    within "$aim" 3 "$work/$what.off" "$work/source.off"
  offsets "$file" >"$work/$what.off"
  check "the first beside it, $what: within $limit s: $(worst "$work/$what.off")" within "$limit" 3 "$work/$what.off"
done

# ---- joins: the joined segments decode to what one encode of the same samples decodes to
flash_clip "$work/joins.mov" 14 25 48000
check "joins are transcoded" transcode "$work/joins.mov" aac
v=$(echo "$work"/out/v/*)
(cd "$v/audio/a0" && cat init-*.mp4 $(grep -v '^#' media.m3u8)) >"$work/joined.mp4"
ffmpeg -nostdin -v error -y -cpuflags 0 -i "$work/joins.mov" -map 0:a -c:a aac -aac_tns 0 -b:a 128k -flags +bitexact "$work/whole.m4a"
samples() { # file samples-before-zero: 14 s of sound from programme zero
  ffmpeg -nostdin -v error -cpuflags 0 -i "$1" -map 0:a:0 -f f32le - | tail -c +$(($2 * 8 + 1)) | head -c $((14 * 48000 * 8)) | md5sum
}
check "3 segments" test "$(grep -c EXTINF "$v/audio/a0/media.m3u8")" = 3
check "the joined segments are one encode" test "$(samples "$work/joined.mp4" 1024)" = "$(samples "$work/whole.m4a" 0)"
check "the HLS is too" test "$(samples "$work/out/master.m3u8" 1024)" = "$(samples "$work/whole.m4a" 0)"
total=$(sed -n '/contentType="audio"/,$s/.*<S .*d="\([0-9]*\)".*/\1/p' "$work/out/manifest.mpd" | awk '{s += $1} END {print s}')
check "sound lasts as long as the video, has $total samples" test "$total" = $((14 * 48000))

# ---- loudness: by ffmpeg's meter within 0.3 LU of the target, below the true peak; the same gain on 1 and 3 nodes
cat >"$work/loud.yaml" <<END
name: loud
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect] }
  split:   { type: split, needs: [plan] }
  measure: { type: loudness, needs: [split], target: -16, true_peak: -1 }
  audio:   { type: audio, needs: [split, measure], codec: aac }
  package: { type: package, needs: [audio] }
END
meter() { # file [sound]: integrated loudness and true peak
  ffmpeg -nostdin -hide_banner -nostats -i "$1" -map "0:${2:-a:0}" -af ebur128=peak=true -f null - 2>&1 |
    awk '/Summary/ {on = 1} on && /I:/ {i = $2} on && /Peak:/ {p = $2} END {print i, p}'
}
noise="anoisesrc=d=12:c=pink:r=48000:seed=7,aformat=channel_layouts=stereo"
ffmpeg -nostdin -v error -y -f lavfi -i "$noise" -af volume=-30dB "$work/quiet.wav"
ffmpeg -nostdin -v error -y -f lavfi -i "$noise" -af volume=+24dB "$work/clipped.wav"
ffmpeg -nostdin -v error -y -f lavfi -i "$noise" -af "volume=-40dB,volume=20dB:enable='lt(mod(t,4),0.05)'" "$work/peaks.wav"
ffmpeg -nostdin -v error -y -f lavfi -i "anullsrc=r=48000:cl=stereo:d=3" "$work/silent.wav"
for name in quiet clipped peaks; do
  check "$name is transcoded" transcode "$work/$name.wav" loud
  read -r lufs peak <<<"$(meter "$work/out/master.m3u8")"
  said=$(jq -c '.audio[0].loudness' "$work/out/report.json")
  echo "$name: $lufs LUFS, true peak $peak; $said"
  check "$name stays below -1 dBTP, has $peak" awk -v p="$peak" 'BEGIN {exit !(p <= -0.95)}'
  if [ "$name" = peaks ]; then
    check "$name is limited by its peaks" jq -e '.audio[0].loudness | .peak_limited and .gain_db > 0' "$work/out/report.json" >/dev/null
    check "$name comes near the ceiling, has $peak" awk -v p="$peak" 'BEGIN {exit !(p > -3)}'
  else
    check "$name is at -16 LUFS, has $lufs" awk -v i="$lufs" 'BEGIN {exit !(i >= -16.3 && i <= -15.7)}'
  fi
  gain=$(jq -c '.audio[0].loudness' "$work/out/report.json")
  hash=$(tree_hash "$work/out")
  check "$name on 3 nodes" transcode "$work/$name.wav" loud --nodes 3
  check "$name has the same gain on 3 nodes" test "$gain" = "$(jq -c '.audio[0].loudness' "$work/out/report.json")"
  check "$name has the same bytes on 3 nodes" test "$hash" = "$(tree_hash "$work/out")"
done
# Beside video, of two tracks, in Opus: each to the target by itself, and no chunk is encoded before all was heard.
cat >"$work/loud2.yaml" <<END
name: loud2
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [90] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], preset: ultrafast }
  measure: { type: loudness, needs: [split], target: -16, true_peak: -1 }
  audio:   { type: audio, needs: [split, measure], codec: opus }
  package: { type: package, needs: [video, audio] }
END
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=160x90:r=25:d=12 -i "$work/quiet.wav" -f lavfi -i "sine=f=700:d=12:r=48000,volume=6dB,aformat=channel_layouts=stereo" \
  -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -g 50 -c:a pcm_s16le -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra "$work/both.mkv"
check "two sounds beside video are transcoded" transcode "$work/both.mkv" loud2
for language in en fr; do
  read -r lufs peak <<<"$(meter "$work/out/master.m3u8" "a:m:language:$language")"
  check "$language beside video is at -16 LUFS, has $lufs (true peak $peak)" awk -v i="$lufs" -v p="$peak" 'BEGIN {exit !(i >= -16.3 && i <= -15.7 && p <= -0.95)}'
done
check "each has its own gain: $(jq -c '[.audio[].loudness.gain_db]' "$work/out/report.json")" jq -e '[.audio[].loudness.gain_db] | length == 2 and .[0] != .[1]' "$work/out/report.json" >/dev/null
check "silence is transcoded" transcode "$work/silent.wav" loud
check "silence is left alone" jq -e '.audio[0].loudness | .silent and .gain_db == 0' "$work/out/report.json" >/dev/null

# Sound that goes on after the last picture is kept, and said.
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=160x120:r=25:d=2 -f lavfi -i sine=d=5 -c:v libx264 -preset ultrafast -c:a aac "$work/longer.mp4"
small_pipeline "$work/both.yaml" 120
check "longer sound is transcoded" transcode "$work/longer.mp4" both
check "longer sound is said: $(jq -c .warnings "$work/out/report.json")" \
  jq -e 'any(.warnings[]; .code == "source.sound_outlasts" and (.text | contains("3.0")))' "$work/out/report.json" >/dev/null
check "longer sound is kept" awk -v s="$(ffprobe -v error -select_streams a -show_entries packet=pts_time -of csv=p=0 "$work/out/master.m3u8" | tail -n 1 | tr -d ,)" \
  'BEGIN {exit !(s > 4.9)}'

# 5.1 is kept where it is asked for, each channel in its place, and mixed down where not; silence is made where it is asked for.
ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=160x90:r=25:d=8 -f lavfi -i "aevalsrc='0.4*sin(2*PI*300*t)|0.4*sin(2*PI*500*t)|0.4*sin(2*PI*700*t)|0.4*sin(2*PI*60*t)|0.4*sin(2*PI*900*t)|0.4*sin(2*PI*1100*t)':c=5.1:s=48000:d=8" \
  -c:v libx264 -preset ultrafast -g 50 -c:a pcm_s16le "$work/six.mov"
for codec in aac opus; do
  pipeline "six-$codec" "$codec" ", channels: 6"
  check "5.1 is transcoded to $codec" transcode "$work/six.mov" "six-$codec"
  check "$codec: the manifests say 6 channels" sh -c "grep -q 'TYPE=AUDIO.*CHANNELS=\"6\"' '$work/out/master.m3u8' && grep -q 'AudioChannelConfiguration.*value=\"6\"' '$work/out/manifest.mpd'"
  for file in "$work/out/master.m3u8" "$work/out/manifest.mpd" "$work"/out/v/*/mp4/*.mp4; do
    tones=$(ffmpeg -nostdin -hide_banner -nostats -i "$file" -map 0:a:0 -t 6 -af astats=measure_overall=none -f null - 2>&1 |
      awk '/Zero crossings:/ {z = $NF} /Zero crossings rate:/ {printf "%d ", $NF * 24000 / 10 + 0.5}')
    check "$codec, ${file##*.}: each channel is where it was: $tones" test "$tones" = "30 50 70 6 90 110 "
  done
done
check "5.1 is mixed down where nothing is asked" transcode "$work/six.mov" aac
check "to two channels" grep -q 'TYPE=AUDIO.*CHANNELS="2"' "$work/out/master.m3u8"
ffmpeg -nostdin -v error -y -i "$work/six.mov" -an -c copy "$work/mute.mov"
pipeline filled aac ", silence: true"
check "a clip without sound is transcoded with silence" transcode "$work/mute.mov" filled
for file in "$work/out/master.m3u8" "$work/out/manifest.mpd" "$work"/out/v/*/mp4/*.mp4; do
  said=$(ffmpeg -nostdin -hide_banner -nostats -i "$file" -map 0:a:0 -af volumedetect -f null - 2>&1 | awk '/n_samples:/ {n = $NF} /max_volume:/ {v = $(NF - 1)} END {printf "%d %d", n / 96000 + 0.5, v}')
  check "${file##*.}: 8 s of silence: $said" awk -v said="$said" 'BEGIN {split(said, a, " "); exit !(a[1] == 8 && a[2] < -80)}'
done
check "and without where it is not asked" transcode "$work/mute.mov" aac
check "there is none then" sh -c "! grep -q 'TYPE=AUDIO' '$work/out/master.m3u8'"

# Stamps that are further apart than the sound is long: it is stretched to stay with them, and that is said.
ffmpeg -nostdin -v error -y -f lavfi -i sine=d=20:r=48000 -af "asetpts=PTS*(1+1/800)" -c:a pcm_s16le "$work/drift.mkv"
check "drifting sound is transcoded" transcode "$work/drift.mkv" loud
check "drifting sound is said: $(jq -c .warnings "$work/out/report.json")" \
  jq -e 'any(.warnings[]; .code == "audio.drift" and .count > 0)' "$work/out/report.json" >/dev/null
check "sound that does not drift is none" transcode "$work/quiet.wav" loud
check "and none is said: $(jq -c .warnings "$work/out/report.json")" jq -e '.warnings == []' "$work/out/report.json" >/dev/null
finish
