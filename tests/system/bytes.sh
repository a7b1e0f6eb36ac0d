#!/usr/bin/env bash
# The same bytes from one node, from three, and without the CPU's vector extensions.
. "$(dirname "$0")/lib.sh"

clip=$work/clip.mp4
make_clip "$clip" 20 640x360 24
run() { # name clip args...
  local name=$1 clip=$2
  shift 2
  gopmill transcode "$clip" --out "$work/$name" --quiet "$@" >/dev/null 2>"$work/stderr" || fail "$name: $(cat "$work/stderr")"
  tree_hash "$work/$name" >"$work/$name.sha"
  check "$name made segments" grep -q 'seg-00003-' "$work/$name.sha"
}
run one "$clip" --nodes 1
run three "$clip" --nodes 3
check "three nodes, same bytes" cmp "$work/one.sha" "$work/three.sha"
GOPMILL_CPU_FLAGS=none run plain "$clip" --nodes 1
check "plain C, same bytes" cmp "$work/one.sha" "$work/plain.sha"

# Fields with damage: filters see beyond chunk borders, and chunks that are hurt begin again alone.
ffmpeg -v error -y -f lavfi -i "testsrc2=s=320x240:r=50:d=14" -vf tinterlace=interleave_top -c:v libx264 -preset veryfast \
  -bf 2 -g 40 -pix_fmt yuv420p -bsf:v "noise=amount=lt(mod(n\,60)\,2)*200" "$work/fields.mkv"
run fields-one "$work/fields.mkv" --nodes 1
check "the clip is damaged" grep -q '"source.damaged"' "$work/fields-one/report.json"
check "the clip is deinterlaced" grep -q bwdif "$work/fields-one/report.json"
run fields-three "$work/fields.mkv" --nodes 3
check "damaged fields, three nodes, same bytes" cmp "$work/fields-one.sha" "$work/fields-three.sha"
GOPMILL_CPU_FLAGS=none run fields-plain "$work/fields.mkv" --nodes 1
check "damaged fields, plain C, same bytes" cmp "$work/fields-one.sha" "$work/fields-plain.sha"
finish
