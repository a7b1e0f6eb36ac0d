#!/usr/bin/env bash
# An average bit rate and a quality that is searched, over the whole farm.
source "$(dirname "$0")/lib.sh"

ffmpeg -v error -y -f lavfi -i "mandelbrot=s=320x180:r=25:end_scale=0.01:end_pts=400,trim=duration=24,gblur=sigma=0.6" \
  -pix_fmt yuv420p -c:v libx264 -preset ultrafast -qp 14 -g 50 "$work/in.mp4" || exit 1
pipeline() { # what encode is asked for [ladder]
  cat >"$work/pipeline.yaml" <<YAML
name: asked
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [${2:-180, 120}] }
  split:   { type: split, needs: [plan] }
  analyze: { type: analyze, needs: [split] }
  video:   { type: encode, needs: [split, analyze], preset: ultrafast, $1 }
  package: { type: package, needs: [video] }
YAML
}
near() { # value target percent
  awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { d = (a - b) / b * 100; exit !(d <= p && -d <= p) }'
}

averages() { # what rung...: each rung of the job in $work/a takes what it should; a chunk is let be within 4 %
  local name want got
  for name in "${@:2}"; do
    read -r want got < <(jq -r --arg n "$name" '.renditions[] | select(.name == $n) | "\(.resolved.encode.bitrate_bps) \(.average_bps)"' "$work/a/report.json")
    check "$1, $name takes $got bits a second of $want" near "$got" "$want" "$percent"
    check "$1, $name keeps its buffer" jq -e --arg n "$name" '.renditions[] | select(.name == $n).buffer.underflow == false' "$work/a/report.json"
  done
}

# Other encoders; those of VP9 and AV1 take whole crfs, and keep a cap by them alone.
ffmpeg -v error -y -i "$work/in.mp4" -vf scale=160:90 -c:v libx264 -preset ultrafast -qp 14 -g 50 "$work/small.mp4" || exit 1
ffmpeg -v error -y -i "$work/small.mp4" -t 12 -c copy "$work/short.mp4" || exit 1
while read -r codec clip percent; do
  pipeline "codec: $codec, bitrate: 150k" 90
  check "bitrate, $codec" gopmill transcode "$work/$clip.mp4" --out "$work/a" --pipeline "$work/pipeline.yaml" --quiet </dev/null
  averages $codec 90p
  rm -rf "$work/a"
done <<'END'
vp9 small 3
av1 small 3
hevc short 4
END
percent=3

pipeline "bitrate: 900k"
check "bitrate" gopmill transcode "$work/in.mp4" --out "$work/a" --pipeline "$work/pipeline.yaml" --quiet
averages h264 180p 120p
check "bitrate again, on three nodes" gopmill transcode "$work/in.mp4" --out "$work/b" --pipeline "$work/pipeline.yaml" --quiet --nodes 3
check "the same bytes" diff <(tree_hash "$work/a") <(tree_hash "$work/b")

searched() { # clip ladder [what else encode is asked for]: at least 38 dB were expected, and the whole has them
  local crf expected got
  pipeline "${3:-} maxrate_scale: 0, quality: { metric: psnr, target: 38, samples: 64, min_crf: 14, max_crf: 34 }" "$2"
  rm -rf "$work/q"
  check "quality ${3:-}" gopmill transcode "$1" --out "$work/q" --pipeline "$work/pipeline.yaml" --quiet
  read -r crf expected < <(jq -r '.renditions[0].analyzed | "\(.min_crf) \(.expected_score)"' "$work/q/report.json")
  join_rendition "$work"/q/v/*/video/"${2%%,*}p" >"$work/joined.mp4"
  got=$(ffmpeg -nostdin -v info -i "$work/joined.mp4" -i "$1" -lavfi "[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]psnr" -f null - 2>&1 |
    sed -n 's/.*average:\([0-9.]*\).*/\1/p' | tail -n 1)
  check "quality ${3:-} crf $crf: expected $expected dB, at least 38" awk -v e="$expected" 'BEGIN { exit !(e >= 38) }'
  check "quality ${3:-} whole: $got dB, $expected expected" near "$got" "$expected" 2
}
searched "$work/in.mp4" "180, 120"
searched "$work/short.mp4" 90 "codec: hevc,"
finish
