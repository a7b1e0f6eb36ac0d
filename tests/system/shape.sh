#!/usr/bin/env bash
# The shape of pictures: turned and mirrored by any display matrix, cropped, with other sample aspects, of odd sizes,
# changing in mid-stream. With a lossless pipeline the decoded frames equal those of ffmpeg.
. "$(dirname "$0")/lib.sh"

pipeline() { # name short-side...
  cat >"$work/$1.yaml" <<YAML
name: $1
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [$2] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast, qp: 0 }
  images:  { type: thumbnails, needs: [video], interval_s: 1, columns: 2, rows: 2 }
  mp4:     { type: mp4, needs: [video], heights: [$2] }
  hls:     { type: package, needs: [video], dash: false }
YAML
}
transcode() { # clip pipeline
  local rc=0
  rm -rf "$work/out"
  gopmill transcode "$1" --out "$work/out" --pipeline "$work/$2.yaml" --quiet >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  [ "$rc" = 0 ] && join_rendition "$(echo "$work"/out/v/*/video/*)" >"$work/joined.mp4"
}
frames() { # input options... : one hash a frame
  ffmpeg -nostdin -v error -threads 1 -flags bitexact+unaligned "$@" -an -fps_mode passthrough -f framemd5 - |
    awk -F', *' '!/^#/ {print $6}'
}
same() { # sentence: the joined rendition against $work/theirs
  frames -i "$work/joined.mp4" >"$work/ours"
  check "$1: frames" test -s "$work/ours"
  check "$1: $(wc -l <"$work/ours") frames against $(wc -l <"$work/theirs"), first difference: $(diff "$work/ours" "$work/theirs" | sed -n 1,3p | tr '\n' ' ')" \
    cmp -s "$work/ours" "$work/theirs"
}
field() { ffprobe -v error -select_streams v:0 -show_entries "$1" -of csv=p=0 "$2" | head -n 1; }
size_of() { field stream=width,height "$1" | tr , x; }

scaling=flags=bicubic+accurate_rnd+full_chroma_int+bitexact
ffmpeg -v error -y -f lavfi -i testsrc2=s=96x64:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p "$work/plain.mp4"

# All eight orientations, as the matrix of the track header says: a b 0 c d 0 x y 1.
turned() { # file of a b c d
  cp "$2" "$1"
  local at i=0 v
  at=$(($(grep -abo tkhd "$1" | head -n 1 | cut -d: -f1) + 4 + 40))
  for v in "$3" "$4" 0 "$5" "$6"; do
    case $v in 1) v='\x00\x01\x00\x00' ;; -1) v='\xff\xff\x00\x00' ;; 0) v='\0\0\0\0' ;; esac
    printf "$v" | dd of="$1" bs=1 seek=$((at + i * 4)) conv=notrunc status=none
    i=$((i + 1))
  done
}
pipeline turn 64
for matrix in "1 0 0 1" "0 1 -1 0" "-1 0 0 -1" "0 -1 1 0" "-1 0 0 1" "1 0 0 -1" "0 1 1 0" "0 -1 -1 0"; do
  turned "$work/turned.mp4" "$work/plain.mp4" $matrix
  transcode "$work/turned.mp4" turn || continue
  frames -i "$work/turned.mp4" >"$work/theirs"
  same "matrix $matrix"
  shape=$(size_of "$work/joined.mp4")
  case $matrix in 0*) check "matrix $matrix: upright, $shape" test "$shape" = 64x96 ;; *) check "matrix $matrix: $shape" test "$shape" = 96x64 ;; esac
  check "matrix $matrix: the mp4 is upright too" test "$(size_of "$(echo "$work"/out/v/*/mp4/*.mp4)")" = "$shape"
  for f in "$work/joined.mp4" "$work"/out/v/*/mp4/*.mp4; do
    check "matrix $matrix: no matrix is left in $(basename "$f")" test -z "$(ffprobe -v error -show_entries stream_side_data=rotation -of csv=p=0 "$f" | tr -d '\n')"
  done
  poster=$(echo "$work"/out/v/*/images/poster*.jpg)
  check "matrix $matrix: poster $(size_of "$poster")" test "$(size_of "$poster")" = "$shape"
  ffmpeg -v error -i "$work/joined.mp4" -loop 1 -i "$poster" -lavfi \
    "[1:v]scale=in_range=pc:out_range=tv,format=yuv420p[b];[0:v][b]psnr=stats_file=$work/psnr:shortest=1" -f null -
  best=$(sed 's/.*psnr_y:\([0-9.]*\|inf\).*/\1/' "$work/psnr" | sort -g | tail -n 1)
  check "matrix $matrix: the poster shows a frame ($best dB)" test "${best%.*}" -ge 30
done

# Turned, in several chunks.
ffmpeg -v error -y -f lavfi -i testsrc2=s=96x64:r=25:d=14 -c:v libx264 -preset ultrafast -bf 2 -g 50 -pix_fmt yuv420p "$work/long.mp4"
turned "$work/turned.mp4" "$work/long.mp4" 0 1 -1 0
transcode "$work/turned.mp4" turn
check "turned over joins: three chunks" jq -e '[.tasks[] | select(.type == "encode") | .chunks.first + .chunks.count] | max == 3' "$work/out/report.json" >"$work/said"
frames -i "$work/turned.mp4" >"$work/theirs"
same "turned over joins"

# Cropping by the stream's own window.
ffmpeg -v error -y -f lavfi -i testsrc2=s=160x128:r=25:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p "$work/h264.mp4"
ffmpeg -v error -y -f lavfi -i testsrc2=s=160x128:r=25:d=1 -c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p "$work/hevc.mp4"
for codec in h264 hevc; do
  for crop in "6 10 2 4" "34 0 18 2"; do
    set -- $crop
    ffmpeg -v error -y -i "$work/$codec.mp4" -c copy -bsf:v "${codec}_metadata=crop_left=$1:crop_right=$2:crop_top=$3:crop_bottom=$4" "$work/cropped.mp4"
    w=$((160 - $1 - $2)) h=$((128 - $3 - $4))
    pipeline crop $h
    transcode "$work/cropped.mp4" crop || continue
    check "$codec crop $crop: $(size_of "$work/joined.mp4")" test "$(size_of "$work/joined.mp4")" = "${w}x$h"
    frames -i "$work/$codec.mp4" -vf "crop=$w:$h:$1:$3:exact=1" >"$work/theirs"
    same "$codec crop $crop"
  done
done

# Cropping that the container alone states: clean apertures, with and without a sample aspect, and PixelCrop.
framed() { # ending width height left top: $work/framed.* against all of the picture, cropped
  pipeline crop "$3"
  transcode "$work/framed.$1" crop || return
  check "$1: $(size_of "$work/joined.mp4")" test "$(size_of "$work/joined.mp4")" = "$2x$3"
  check "$1: reported" jq -e --argjson x "$4" --argjson y "$5" \
    '.source.video.crop == {x: $x, y: $y, whole_width: 160, whole_height: 128}' "$work/out/report.json" >/dev/null
  frames -i "$work/h264.mp4" -vf "crop=$2:$3:$4:$5:exact=1" >"$work/theirs"
  same "$1: part of the picture"
}
make_window() { "$bin/../tests/make_window" "$@"; }
make_window clap "$work/h264.mp4" "$work/framed.mp4" 120 1 90 1 -2 1 3 1
framed mp4 120 90 18 22
make_window bare "$work/h264.mp4" "$work/framed.mov" 120 1 90 1 -2 1 3 1
at=$(($(grep -abo tkhd "$work/framed.mov" | head -n 1 | cut -d: -f1) + 4 + 76)) # shown as large as the part is
printf '\x00\x78\x00\x00\x00\x5a\x00\x00' | dd of="$work/framed.mov" bs=1 seek=$at conv=notrunc status=none
framed mov 120 90 18 22
ffmpeg -v error -y -i "$work/h264.mp4" -c copy -live 1 -write_crc32 0 "$work/live.mkv"
make_window crop "$work/live.mkv" "$work/framed.mkv" 7 13 33 25 # the corner goes to 6, 12
framed mkv 120 90 6 12
ffmpeg -v error -y -i "$work/h264.mp4" -c copy -aspect 4:3 -live 1 -write_crc32 0 "$work/live.mkv" # of the part
make_window crop "$work/live.mkv" "$work/framed.mkv" 6 12 34 26
framed mkv 120 90 6 12
turned "$work/turned.mp4" "$work/plain.mp4" 0 1 -1 0
make_window clap "$work/turned.mp4" "$work/framed.mp4" 80 1 40 1 0 1 0 1
pipeline crop 40
transcode "$work/framed.mp4" crop
frames -noautorotate -i "$work/plain.mp4" -vf "crop=80:40:8:12,transpose=clock" >"$work/theirs"
same "cropped, then turned"

# Changes in mid-stream, within a chunk and at its border: each part keeps its own aspect, with bars.
part() { # name seconds size options...
  local name=$1 seconds=$2 size=$3
  shift 3
  ffmpeg -v error -y -f lavfi -i "testsrc2=s=$size:r=25:d=$seconds" "$@" -c:v libx264 -preset veryfast -bf 2 -g 50 \
    "$work/part-$name.ts"
  echo "file '$work/part-$name.ts'" >>"$work/parts"
}
part whole 7 320x240 -pix_fmt yuv420p
part wide 5 320x180 -pix_fmt yuv420p
part large 3 640x480 -pix_fmt yuv420p
part anamorphic 2 320x240 -vf setsar=4/3 -pix_fmt yuv420p
part rich 2 320x240 -pix_fmt yuv422p
ffmpeg -v error -y -f concat -safe 0 -i "$work/parts" -c copy "$work/changing.ts"
pipeline change 240
transcode "$work/changing.ts" change
: >"$work/theirs"
for how in whole:null wide:pad=320:240:0:30 large:null anamorphic:pad=320:320:0:40 rich:null; do
  case $how in rich*) down=-513 ;; *) down=128 ;; esac # where chroma lies, if it is coarser than luma
  frames -i "$work/part-${how%%:*}.ts" -vf "${how#*:},scale=320:240:$scaling:in_h_chr_pos=0:in_v_chr_pos=$down:out_h_chr_pos=0:out_v_chr_pos=128,format=yuv420p" \
    >>"$work/theirs"
done
same "changes in mid-stream"

# Which field comes first in pictures too small to judge: as the decoder says, not as QuickTime's pair of letters reads.
pipeline small 120
for order in top:tff:true bottom:bff:false; do
  IFS=: read -r name flag top <<<"$order"
  ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=50:d=1 -vf "tinterlace=interleave_$name,setfield=$flag" \
    -c:v prores_ks -flags +ildct -pix_fmt yuv422p10le "$work/$name.mov"
  transcode "$work/$name.mov" small
  check "$name field first: $(jq -c '.source.video | [.field_order, .interlaced, .top_first]' "$work/out/report.json")" \
    jq -e ".source.video | .interlaced and .top_first == $top" "$work/out/report.json" >/dev/null
done
finish
