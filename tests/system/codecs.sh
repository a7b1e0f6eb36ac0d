#!/usr/bin/env bash
# Every codec in one ladder: frames, times and keyframes are the source's and the plan's in each, names are right,
# and the bytes are the same again, from three nodes, and without the CPU's vector extensions.
. "$(dirname "$0")/lib.sh"

clip=$work/clip.mp4
make_clip "$clip" 7 384x216 24 -g 48
cat >"$work/all.yaml" <<END
name: all
tasks:
  i: { type: inspect }
  p: { type: plan, needs: [i], ladder: [216, 200, 184, 168, 152, 136, 120] }
  s: { type: split, needs: [p] }
  v:
    type: encode
    needs: [s]
    preset: superfast
    renditions:
      216: { codec: hevc, preset: medium }
      200: { codec: hevc, profile: main10 }
      184: { codec: av1 }
      168: { codec: av1, bit_depth: 10 }
      152: { codec: vp9 }
      136: { codec: vp9, bit_depth: 10, level: 3 }
  a: { type: audio, needs: [s] }
  m: { type: mp4, needs: [v, a], heights: [216, 184, 152] }
  k: { type: package, needs: [v, a] }
END
run() { # name args...
  local name=$1
  shift
  gopmill transcode "$clip" --out "$work/$name" --pipeline "$work/all.yaml" --quiet "$@" >/dev/null 2>"$work/stderr" ||
    fail "$name: $(cat "$work/stderr")"
  tree_hash "$work/$name" >"$work/$name.sha"
}
times() { # file: presentation times of its decoded frames, 1/24 s
  ffprobe -v error -select_streams v:0 -show_entries frame=pts_time -of csv=p=0 "$1" | tr -d , | awk 'NF { printf "%.3f\n", $1 * 24 }'
}
keys() { # file: which of its packets are keyframes
  ffprobe -v error -select_streams v:0 -show_entries packet=flags -of csv=p=0 "$1" | grep -n K | cut -d: -f1
}
entry() { # file: codec, tag, profile, pixel format, size
  ffprobe -v error -select_streams v:0 -show_entries stream=codec_name,codec_tag_string,profile,pix_fmt,height -of csv=p=0 "$1"
}

run one --nodes 1
times "$clip" >"$work/times"
while read side want name; do # no -r: names have blanks
  folder=$(echo "$work"/one/v/*/video/"${side}p")
  join_rendition "$folder" >"$work/$side.mp4"
  times "$work/$side.mp4" >"$work/times.$side"
  keys "$work/$side.mp4" >"$work/keys.$side"
  check "$side: frames and times are the source's" cmp "$work/times" "$work/times.$side"
  check "$side: keyframes are those of the ladder" cmp "$work/keys.216" "$work/keys.$side"
  check "$side: $want" [ "$(entry "$work/$side.mp4")" = "$want" ]
  check "$side: named $name in HLS" grep -q "CODECS=\"$name[^\"]*,mp4a.40.2\",RESOLUTION=[0-9]*x$side," "$work/one/master.m3u8"
  check "$side: named $name in DASH" grep -q "id=\"${side}p\".*codecs=\"$name[^\"]*\"" "$work/one/manifest.mpd"
done <<END
216 hevc,Main,hvc1,216,yuv420p hvc1.1.6.L60.90
200 hevc,Main\ 10,hvc1,200,yuv420p10le hvc1.2.4.L60.90
184 av1,Main,av01,184,yuv420p av01.0.00M.08.0.111
168 av1,Main,av01,168,yuv420p10le av01.0.00M.10.0.111
152 vp9,Profile\ 0,vp09,152,yuv420p vp09.00.11.08.00
136 vp9,Profile\ 2,vp09,136,yuv420p10le vp09.02.10.10.00
120 h264,High,avc1,120,yuv420p avc1.64
END
for m in "$work"/one/v/*/mp4/*.mp4; do
  times "$m" >"$work/times.mp4"
  check "$(basename "$m"): frames and times are the source's" cmp "$work/times" "$work/times.mp4"
  side=$(ffprobe -v error -select_streams v:0 -show_entries stream=height -of csv=p=0 "$m")
  check "$(basename "$m"): same entry as its segments" [ "$(entry "$m")" = "$(entry "$work/$side.mp4")" ]
done
check "an AdaptationSet a codec" [ "$(grep -c 'contentType="video"' "$work/one/manifest.mpd")" = 4 ]
check "HLS plays" plays "$work/one/master.m3u8"

run three --nodes 3
check "three nodes, same bytes" cmp "$work/one.sha" "$work/three.sha"
GOPMILL_CPU_FLAGS=none run plain --nodes 2
check "without vector routines, same bytes" cmp "$work/one.sha" "$work/plain.sha"

sed 's/vp9, bit_depth: 10, level: 3/hevc, level: 1/' "$work/all.yaml" >"$work/low.yaml"
ffmpeg -v error -y -f lavfi -i testsrc2=s=160x136:r=60:d=1 -c:v libx264 -preset ultrafast "$work/fast.mp4"
gopmill transcode "$work/fast.mp4" --out "$work/low" --pipeline "$work/low.yaml" --quiet >/dev/null 2>"$work/stderr"
check "a level that is too low ends the job" grep -q 'pipeline.does_not_fit.*Level 1 of hevc' "$work/stderr"
check "and nothing is published" [ ! -e "$work/low/master.m3u8" ]
finish
