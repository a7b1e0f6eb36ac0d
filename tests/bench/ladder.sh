#!/usr/bin/env bash
# Elapsed and CPU time of `gopmill transcode` against one ffmpeg process that makes the same ladder with the same
# x264 settings and filters, alternating in one run. Prints every run and the medians of the pairwise ratios.
#   tests/bench/ladder.sh [INPUT] [RUNS]
. "$(dirname "$0")/../system/lib.sh"

input=${1:-}
runs=${2:-3}
if [ -z "$input" ]; then
  input=$work/clip.mp4
  make_clip "$input" 60 1280x720 30
fi
export TIMEFORMAT='%R %U %S'
cat >"$work/ladder.yaml" <<'YAML'
name: bench-ladder
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [1080, 720, 480, 360, 240] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: veryfast, crf: 23 }
  audio:   { type: audio, needs: [split] }
  hls:     { type: package, needs: [video, audio] }
YAML
ours() { "$bin/gopmill" transcode "$input" --out "$work/ours" --pipeline "$work/ladder.yaml" --quiet >/dev/null 2>&1; }
gopmill transcode "$input" --out "$work/plan" --pipeline "$work/ladder.yaml" --quiet >/dev/null || exit 1
report=$work/plan/report.json
n=$(jq '.renditions | length' "$report")
graph="[0:v]split=$n$(for i in $(seq 0 $((n - 1))); do printf '[s%d]' "$i"; done)"
args=()
for i in $(seq 0 $((n - 1))); do
  graph="$graph;[s$i]$(jq -r ".renditions[$i].resolved.filters" "$report")[v$i]"
  args+=(-map "[v$i]" -map 0:a:0? -c:v libx264 -preset veryfast -crf 23 -c:a aac -b:a 128k -ac 2 -ar 48000
    -maxrate "$(jq -r ".renditions[$i].resolved.maxrate_bps" "$report")" -bufsize "$(jq -r ".renditions[$i].resolved.maxrate_bps" "$report")"
    -force_key_frames 'expr:gte(t,n_forced*2)' -x264-params scenecut=0:open-gop=0
    -f hls -hls_time 6 -hls_segment_type fmp4 -hls_playlist_type vod -hls_segment_filename "$work/theirs/$i-%03d.m4s"
    -hls_fmp4_init_filename "$i-init.mp4" "$work/theirs/$i.m3u8")
done
theirs() {
  mkdir -p "$work/theirs"
  ffmpeg -nostdin -v error -y -noautorotate -i "$input" -filter_complex "$graph" "${args[@]}" 2>/dev/null
}
echo "input $(basename "$input"), $n renditions, $(nproc) CPUs; seconds: elapsed user system"
for i in $(seq "$runs"); do
  rm -rf "$work/ours" "$work/theirs"
  a=$({ time ours; } 2>&1) || exit 1
  b=$({ time theirs; } 2>&1) || exit 1
  echo "run $i: gopmill $a   ffmpeg $b"
  echo "$a $b" >>"$work/times"
done
median() { # awk expression over a line of times: the middle one of all runs
  awk "{print $1}" "$work/times" | sort -n | awk '{v[NR] = $1} END {printf "%.2f", v[int((NR + 1) / 2)]}'
}
echo "median ratio gopmill/ffmpeg: elapsed $(median '$1 / $4'), CPU $(median '($2 + $3) / ($5 + $6)')"
