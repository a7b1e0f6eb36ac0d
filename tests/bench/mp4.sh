#!/usr/bin/env bash
# What a single MP4 costs beside the encode that made its segments: seconds from the first to
# the last of each, and of CPU, and their ratio. The encode has all cores, the other task one.
#   tests/bench/mp4.sh [INPUT] [RUNS]     INPUT: default is generated, 2 minutes in 720p
. "$(dirname "$0")/../system/lib.sh"

input=${1:-}
if [ -z "$input" ]; then
  input=$work/two.mp4
  make_clip "$work/one.mp4" 30 1280x720 30 -preset ultrafast
  ffmpeg -nostdin -v error -y -stream_loop 3 -i "$work/one.mp4" -map 0 -c copy "$input" || exit 1
fi
cat >"$work/mp4.yaml" <<'YAML'
name: bench-mp4
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [720] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: veryfast, crf: 23 }
  audio:   { type: audio, needs: [split] }
  mp4:     { type: mp4, needs: [video, audio], heights: [720] }
  hls:     { type: package, needs: [video, audio] }
YAML
for ((i = 0; i < ${2:-1}; i++)); do
  rm -rf "$work/out"
  "$bin/gopmill" transcode "$input" --out "$work/out" --pipeline "$work/mp4.yaml" --quiet || exit 1
  jq -r '
    def at: (.[0:19] + "Z" | fromdate) + (.[20:23] | tonumber / 1000);
    def of(t): [.tasks[] | select(.task == t and .outcome == "done")];
    def span(t): of(t) | (map(.finished | at) | max) - (map(.started | at) | min);
    def sum(t; f): of(t) | map(.usage[f]) | add;
    "encode: \(span("video")) s, \(sum("video"; "cpu_s")) s of CPU; mp4: \(span("mp4")) s, \(sum("mp4"; "cpu_s")) s of CPU",
    "ratio: \(span("video") / span("mp4")) elapsed, \(sum("video"; "cpu_s") / sum("mp4"; "cpu_s")) of CPU"' "$work/out/report.json"
done
