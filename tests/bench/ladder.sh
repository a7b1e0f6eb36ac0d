#!/usr/bin/env bash
# A ladder of 4 by `gopmill transcode` against one ffmpeg process with the same x264 settings, and against that ffmpeg on
# pieces side by side, alternating in one run:
# elapsed and CPU time with start-up included, SSIM and bytes of every rung, and the time to the first 6 s.
#   tests/bench/ladder.sh [INPUT] [RUNS]     INPUT: default is joined from real clips, or generated
. "$(dirname "$0")/../system/lib.sh"

input=${1:-}
runs=${2:-5}
cache=$top/build/bench
export TIMEFORMAT='%R %U %S'

joined() { # file: two minutes of unlike scenes, 720p24, a keyframe every 5 s at most
  local m=$GOPMILL_TEST_MEDIA v='fps=24,scale=1280:720,setsar=1,format=yuv420p' a='aresample=48000,aformat=channel_layouts=stereo'
  ffmpeg -nostdin -v error -y -i "$m/sintel_trailer-720p.mp4" -i "$m/bbb-720p-30s-vp8.webm" -i "$m/camera-cups-720p.mp4" \
    -i "$m/nextcloud-intro-1080p.mp4" -i "$m/elst-edts.mp4" -i "$m/sintel_trailer-720p.mp4" \
    -filter_complex "$(for i in 0 1 2 3 4 5; do echo "[$i:v]$v[v$i];[$i:a:0]$a[a$i];"; done | tr -d '\n')$(for i in 0 1 2 3 4 5; do printf '[v%d][a%d]' $i $i; done)concat=n=6:v=1:a=1[v][a]" \
    -map '[v]' -map '[a]' -t 126 -c:v libx264 -preset fast -crf 20 -g 120 -c:a aac -b:a 160k -movflags +faststart "$1"
}
if [ -z "$input" ]; then
  mkdir -p "$cache"
  if [ -n "${GOPMILL_TEST_MEDIA:-}" ]; then
    input=$cache/joined.mp4
    [ -s "$input" ] || { joined "$cache/part.mp4" && mv "$cache/part.mp4" "$input"; } || exit 1
  else
    input=$cache/generated.mp4
    [ -s "$input" ] || { make_clip "$cache/part.mp4" 126 1280x720 24 && mv "$cache/part.mp4" "$input"; } || exit 1
  fi
fi
input=$(realpath "$input")
cat >"$work/ladder.yaml" <<'YAML'
name: bench-ladder
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [720, 480, 360, 240] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: veryfast, crf: 23 }
  audio:   { type: audio, needs: [split] }
  hls:     { type: package, needs: [video, audio] }
YAML
ours() { "$bin/gopmill" transcode "$input" --out "$work/ours" --pipeline "$work/ladder.yaml" --quiet >/dev/null 2>&1; }

gopmill plan "$input" --pipeline "$work/ladder.yaml" --json >"$work/plan.json" || exit 1
rung() { jq -r ".report.plan.ladder[$1].$2" "$work/plan.json"; }
n=$(jq '.report.plan.ladder | length' "$work/plan.json")
graph="[0:v]split=$n$(for i in $(seq 0 $((n - 1))); do printf '[s%d]' "$i"; done)"
args=()
for i in $(seq 0 $((n - 1))); do
  graph="$graph;[s$i]scale=$(rung "$i" width):$(rung "$i" height),setsar=1,format=yuv420p[v$i]"
  args+=(-map "[v$i]" -c:v libx264 -preset veryfast -crf 23
    -maxrate "$(rung "$i" maxrate_bps)" -bufsize "$((2 * $(rung "$i" maxrate_bps)))"
    -force_key_frames 'expr:gte(t,n_forced*2)' -x264-params scenecut=0:open-gop=0
    -f hls -hls_time 6 -hls_segment_type fmp4 -hls_playlist_type vod -hls_segment_filename "$work/theirs/$i-%03d.m4s"
    -hls_fmp4_init_filename "$i-init.mp4" "$work/theirs/$i.m3u8")
done
args+=(-map '0:a:0?' -c:a aac -b:a 128k -ac 2 -ar 48000 -f hls -hls_time 6 -hls_segment_type fmp4 -hls_playlist_type vod
  -hls_segment_filename "$work/theirs/sound-%03d.m4s" -hls_fmp4_init_filename sound-init.mp4 "$work/theirs/sound.m3u8")
theirs() { # input options... : all of it, or as much as the options say
  mkdir -p "$work/theirs"
  ffmpeg -nostdin -v error -y "$@" -i "$input" -filter_complex "$graph" "${args[@]}" 2>/dev/null
}
# The same work without a farm, manifests or verification: pieces of 10 s, encoded with one thread each, as many at a time
# as there are CPUs; zscale scales as gopmill does. What chunked encoding could reach at best.
piece() { # begin in seconds: its renditions
  local graph="[0:v]split=$n$(for i in $(seq 0 $((n - 1))); do printf '[s%d]' "$i"; done)" args=() i
  for i in $(seq 0 $((n - 1))); do
    graph="$graph;[s$i]zscale=$(rung "$i" width):$(rung "$i" height),setsar=1,format=yuv420p[v$i]"
    args+=(-map "[v$i]" -c:v libx264 -threads 1 -preset veryfast -crf 23
      -maxrate "$(rung "$i" maxrate_bps)" -bufsize "$((2 * $(rung "$i" maxrate_bps)))"
      -force_key_frames 'expr:gte(t,n_forced*2)' -x264-params scenecut=0:open-gop=0 "$work/pieces/$1-$i.mp4")
  done
  ffmpeg -nostdin -v error -y -threads 1 -filter_threads 1 -ss "$1" -t 10 -i "$input" -filter_complex_threads 1 -filter_complex "$graph" \
    "${args[@]}" 2>/dev/null
}
sound() { ffmpeg -nostdin -v error -y -i "$input" -map '0:a:0?' -c:a aac -b:a 128k -ac 2 -ar 48000 "$work/pieces/sound.mp4" 2>/dev/null; }
pieces() {
  mkdir -p "$work/pieces"
  local begin
  sound &
  for begin in $(seq 0 10 "$(($(ffprobe -v error -show_entries format=duration -of csv=p=0 "$input" | cut -d. -f1) - 1))"); do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    piece "$begin" &
  done
  wait
}
median() { # file, awk expression over its lines: the middle one
  awk "{print $2}" "$1" | sort -n | awk '{v[NR] = $1} END {printf "%.3f", v[int((NR + 1) / 2)]}'
}

echo "input $(basename "$input"): $(ffprobe -v error -show_entries format=duration -of csv=p=0 "$input") s, $n renditions, $(nproc) CPUs; seconds: elapsed user system"
for i in $(seq "$runs"); do
  rm -rf "$work/ours" "$work/theirs" "$work/pieces"
  a=$({ time ours; } 2>&1) || exit 1
  b=$({ time theirs; } 2>&1) || exit 1
  c=$({ time pieces; } 2>&1) || exit 1
  echo "run $i: gopmill $a   ffmpeg $b   ffmpeg by pieces $c"
  echo "$a $b $c" >>"$work/times"
done
echo "median ratio gopmill/ffmpeg: elapsed $(median "$work/times" '$1 / $4'), CPU $(median "$work/times" '($2 + $3) / ($5 + $6)')"
echo "median ratio of ffmpeg by pieces to ffmpeg: elapsed $(median "$work/times" '$7 / $4'), CPU $(median "$work/times" '($8 + $9) / ($5 + $6)')"

ssim() { # manifest width height: mean SSIM against the source scaled to that size
  ffmpeg -nostdin -v info -i "$1" -i "$input" -filter_complex "[0:v:0]settb=1/90000,setpts=PTS-STARTPTS[a];[1:v:0]scale=$2:$3:flags=bicubic+accurate_rnd,setsar=1,format=yuv420p,settb=1/90000,setpts=PTS-STARTPTS[b];[a][b]ssim" \
    -an -f null - 2>&1 | sed -nE 's/.*SSIM .*All:([0-9.]+).*/\1/p'
}
for i in $(seq 0 $((n - 1))); do
  name=$(rung "$i" name)
  folder=$(echo "$work/ours/v"/*/video/"$name")
  x=$(cat "$folder"/*.m4s | wc -c)
  y=$(cat "$work/theirs/$i"-*.m4s | wc -c)
  echo "$name: SSIM gopmill $(ssim "$folder/media.m3u8" "$(rung "$i" width)" "$(rung "$i" height)") ffmpeg $(ssim "$work/theirs/$i.m3u8" "$(rung "$i" width)" "$(rung "$i" height)"), video bytes $x and $y, ratio $(awk "BEGIN {printf \"%.4f\", $x / $y}")"
done

first() { # the moment when the first segment of every rendition stands, verified, in the destination
  rm -rf "$work/ours"
  local start=${EPOCHREALTIME/./} have=0
  ours &
  until [ "$have" = "$n" ]; do
    have=$(compgen -G "$work/ours/v/*/video/*/seg-00001-*.m4s" | wc -l)
    sleep 0.01
  done
  echo "$(((${EPOCHREALTIME/./} - start) / 1000))"
  wait
}
for i in $(seq "$runs"); do
  a=$(first)
  rm -rf "$work/theirs"
  b=$({ time theirs -t 6; } 2>&1) || exit 1
  echo "$a $b" >>"$work/firsts"
done
echo "first 6 s of every rendition: gopmill $(median "$work/firsts" '$1 / 1000') s, ffmpeg for those 6 s alone $(median "$work/firsts" '$2') s, median ratio $(median "$work/firsts" '$1 / 1000 / $2')"
