#!/usr/bin/env bash
# The decoder's buffer at every join: bursts of noise where chunks meet, a buffer that the encoder
# misses, and the published segments played through the buffer from ffprobe's packet sizes.
source "$(dirname "$0")/lib.sh"

walk() { # file rate size: "frames lowest underflows", as report.json counts
  ffprobe -v error -select_streams v -show_entries packet=dts_time,size -of csv=p=0 "$1" |
    awk -F, -v rate="$2" -v size="$3" '
      BEGIN { full = int(size / 2); low = full; under = 0 }
      NR > 1 { full += int(rate * $1 + 0.001) - int(rate * at + 0.001); if (full > size) full = size }
      { at = $1; full -= $2 * 8; if (full < low) low = full; if (full < 0) under++ }
      END { print NR, low, under }'
}

ffmpeg -v error -y -f lavfi -i "testsrc2=s=320x180:r=25:d=20,noise=alls=100:all_seed=7:allf=t:enable='lt(mod(t+0.5,6),1)'" \
  -c:v libx264 -preset ultrafast -qp 12 -g 50 "$work/in.mp4" || exit 1
for buffer_s in 2 0.1; do
  cat >"$work/pipeline.yaml" <<YAML
name: tight
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [180, 120] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], preset: ultrafast, crf: 20, maxrate: 400k, buffer_s: $buffer_s }
  package: { type: package, needs: [video] }
YAML
  out=$work/out-$buffer_s
  check "buffer of $buffer_s s is kept" gopmill transcode "$work/in.mp4" --out "$out" --pipeline "$work/pipeline.yaml" --quiet
  retried=0
  for name in 180p 120p; do
    join_rendition "$out"/v/*/video/$name >"$work/joined.mp4"
    read -r rate size lowest under again < <(jq -r --arg n $name \
      '.renditions[] | select(.name == $n).buffer | [.rate_bps, .size_bits, .lowest_bits, .underflow, .chunks_retried] | map(tostring) | join(" ")' "$out/report.json")
    read -r frames low unders < <(walk "$work/joined.mp4" "$rate" "$size")
    check "$name, $buffer_s s: all frames" test "$frames" = 500
    check "$name, $buffer_s s: no underflow (lowest $low)" test "$unders" = 0
    check "$name, $buffer_s s: the report says so ($lowest, $low)" test "$lowest $under" = "$low false"
    retried=$((retried + again))
  done
done
check "the encoder missed the small buffer and was made to keep it" test "$retried" -gt 0
finish
