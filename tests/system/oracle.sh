#!/usr/bin/env bash
# Frame exactness: with a lossless pipeline the decoded frames of every joined rendition, time stamps included,
# equal those of the same filters run over the whole file by ffmpeg.
#   oracle.sh made|clips|all     made: clips that are made here; clips: real ones; all: both, more of each
. "$(dirname "$0")/lib.sh"

set_name=${1:-all}
cat >"$work/lossless.yaml" <<'YAML'
name: lossless
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [240, 120] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast, qp: 0 }
  hls:     { type: package, needs: [video] }
YAML

# Clips of which only the pictures are compared, each with its reason (at most three).
times_differ() {
  case $1 in
  # No time stamps at all: ffmpeg believes the 1000 fps of the stream's VUI, gopmill plays it at 25 fps.
  raw-no-timestamps.h264) return 0 ;;
  # None either, and ffmpeg counts single fields of a stream that has frames too as frames now and then.
  fields-*.h264) return 0 ;;
  *) return 1 ;;
  esac
}
# Pictures that ffmpeg's filters can't make alike: mapped by a colour table, or laid on a colour (colour.sh has these).
pictures_differ() { jq -e '.plan.tone_map != null or .source.video.alpha' "$out/report.json" >/dev/null; }
# ffmpeg alone takes a source that does not say its matrix for BT.601, gopmill by its size.
their_matrix() { jq -r ".renditions[0].colour.matrix | \"setparams=colorspace=\(.)\"" "$out/report.json"; }
hashes() { # timescale input filters... : "pts hash" a frame, pts counted from the first frame
  local scale=$1 input=$2
  shift 2
  ffmpeg -nostdin -v error -threads 1 -flags bitexact -noautorotate -i "$input" -map 0:v:0 "$@" \
    -fps_mode passthrough -enc_time_base "1:$scale" -f framemd5 - 2>/dev/null |
    awk -F', *' '!/^#/ {if (!n++) first = $3; print $3 - first, $6}'
}
# A listed frame that does not decode stands in ours and not in theirs; all others are the same.
without_replaced() {
  local n
  n=$(jq '[.warnings[] | select(.code == "input.frames_replaced") | .count] | add // 0' "$work/out/report.json")
  [ "$n" = 0 ] && return
  diff "$work/theirs" "$work/ours" | grep '^> ' | sed 's/^> //' >"$work/more"
  [ "$(wc -l <"$work/more")" -le "$n" ] && grep -vxFf "$work/more" "$work/ours" >"$work/kept" && mv "$work/kept" "$work/ours"
}
one() { # clip
  local clip=$1 out=$work/out rc=0 r
  rm -rf "$out"
  gopmill transcode "$clip" --out "$out" --pipeline "$work/lossless.yaml" --quiet >/dev/null 2>"$work/stderr" || rc=$?
  check "$(basename "$clip"): exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  [ "$rc" = 0 ] || return
  local scale
  scale=$(jq -r .plan.timescale "$out/report.json")
  for r in $(jq -r ".renditions[].name" "$out/report.json"); do
    join_rendition "$(echo "$out"/v/*/video/"$r")" >"$work/joined.mp4"
    hashes "$scale" "$work/joined.mp4" >"$work/ours"
    hashes "$scale" "$clip" -vf "$(their_matrix),$(jq -r ".renditions[] | select(.name == \"$r\") | .resolved.filters" "$out/report.json")" >"$work/theirs"
    pictures_differ && sed -i 's/ .*//' "$work/ours" "$work/theirs"
    times_differ "$(basename "$clip")" && sed -i 's/^[-0-9]* //' "$work/ours" "$work/theirs"
    case $clip in *fields-*) check "$(basename "$clip"): deinterlaced" grep -q bwdif "$out/report.json" ;; esac
    without_replaced
    check "$(basename "$clip") $r: frames" test -s "$work/theirs"
    check "$(basename "$clip") $r: $(wc -l <"$work/ours") frames against $(wc -l <"$work/theirs"), first difference: $(diff "$work/ours" "$work/theirs" | sed -n 1,3p | tr '\n' ' ')" \
      cmp -s "$work/ours" "$work/theirs"
  done
}
[ "$set_name" != clips ] || need_media
if [ "$set_name" != made ] && has_media; then
  while IFS=$'\t' read -r name size covers streams decoded; do
    case $decoded in ok*) ;; *) continue ;; esac
    case $streams in *"V "*) ;; *) continue ;; esac
    case $name in tiny-* | *cover-art*) continue ;; esac
    # Left to the slow set: big ones, a chunk alone with plain times, and HDR, of which only times are compared here.
    [ "$set_name" = all ] || case $name in
    sintel* | long-362s* | *4k60* | bbb-720p* | tos-av1* | annexb* | svt-* | screen-* | *-hlg-* | *-hdr10-*) continue ;;
    av1-aac* | vp9-10bit* | vp9-odd* | *-subtitle* | mpeg4-* | h263* | prores* | dnx* | bt709-full* | h264-aac* | te*flv) continue ;;
    esac
    one "$GOPMILL_TEST_MEDIA/$name"
  done < <(tail -n +2 "$GOPMILL_TEST_MEDIA/MANIFEST.tsv" | cut -f1,2,4,8,11)
fi
[ "$set_name" != clips ] || finish
make_clip "$work/generated.mp4" 15 640x360 30000/1001
one "$work/generated.mp4"
make_clip "$work/opengop.mkv" 13 320x240 25 -x264-params open-gop=1:keyint=40:bframes=3:b-pyramid=normal
one "$work/opengop.mkv"
# A clock that jumps an hour on, and one that starts anew: pictures follow each other as ffmpeg has them.
make_clip "$work/part.mp4" 5 320x240 25
ffmpeg -v error -y -i "$work/part.mp4" -c copy -f mpegts "$work/early.ts"
ffmpeg -v error -y -i "$work/part.mp4" -c copy -output_ts_offset 3600 -f mpegts "$work/late.ts"
cat "$work/early.ts" "$work/late.ts" >"$work/jump-on.ts"
cat "$work/late.ts" "$work/early.ts" >"$work/jump-back.ts"
one "$work/jump-on.ts"
one "$work/jump-back.ts"
ffmpeg -v error -y -i "$work/part.mp4" -c copy -output_ts_offset 2 -f mpegts "$work/again.ts" # three of its seconds were there
cat "$work/early.ts" "$work/again.ts" >"$work/step-back.ts"
one "$work/step-back.ts"
check "step-back.ts: twice 5 s" jq -e '.source.duration_s > 9.9 and .source.duration_s < 10.1' "$work/out/report.json" >"$work/said"
odd() { # name options...
  local file=$work/$1
  shift
  ffmpeg -v error -y -f lavfi -i testsrc2=s=256x192:r=25:d=14 "$@" "$file"
  one "$file"
}
odd cra-rasl.mkv -c:v libx265 -preset ultrafast -pix_fmt yuv420p \
  -x265-params log-level=none:open-gop=1:keyint=60:min-keyint=60:bframes=3:b-pyramid=1
# Copies that begin where pictures of the group before still follow: those are not shown, nor stand others for them.
begins_open() { # name encoder-options...
  local name=$1 file
  shift
  ffmpeg -v error -y -f lavfi -i testsrc2=s=256x192:r=25:d=16 -pix_fmt yuv420p "$@" "$work/open.mp4"
  ffmpeg -v error -y -ss 3 -i "$work/open.mp4" -c copy -use_editlist 0 "$work/$name.mp4"
  ffmpeg -v error -y -copyts -i "$work/$name.mp4" -c copy "$work/$name.mkv"
  for file in "$work/$name.mp4" "$work/$name.mkv"; do
    check "$(basename "$file"): three packets are not shown" test "$(frames_of "$file")" = $(($(ffprobe -v error -select_streams v -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$file" | tr -d ',') - 3))
    one "$file"
    check "$(basename "$file"): nothing is replaced" jq -e 'all(.warnings[]; .code != "input.frames_replaced")' "$work/out/report.json" >"$work/said"
  done
}
begins_open begins-hevc -c:v libx265 -preset ultrafast -x265-params log-level=none:open-gop=1:keyint=60:min-keyint=60:bframes=3:b-pyramid=1
begins_open begins-h264 -c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=60:scenecut=0:bframes=3:b-adapt=0:b-pyramid=normal
odd hidden-vp8.webm -c:v libvpx -deadline good -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16 -g 70 -b:v 300k
odd hidden-vp9.webm -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16 -g 70 -b:v 300k
odd one-keyframe.mp4 -c:v libx264 -preset veryfast -g 9999 -sc_threshold 0 -bf 3 -pix_fmt yuv420p
odd ffv1.mkv -c:v ffv1 -g 12
odd refresh.mkv -c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv420p -x264-params intra-refresh=1:keyint=60
odd keyframe-lost.mkv -c:v libx264 -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 -bf 2 -pix_fmt yuv420p \
  -bsf:v "noise=drop=eq(n\,150)"
# Pictures lost from before a chunk's border to after it, and pictures that are damaged there.
odd border-lost.mkv -c:v libx264 -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 -bf 2 -pix_fmt yuv420p \
  -bsf:v "noise=drop=between(n\,290\,312)"
odd border-damaged.mkv -c:v libx264 -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 -bf 2 -pix_fmt yuv420p \
  -bsf:v "noise=amount=if(between(n\,290\,299)+between(n\,301\,312)\,-400\,0)"
# Damaged keyframes that chunks would begin with: what is missing of them is made up from the picture before.
odd border-keyframe.mkv -c:v libx264 -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 -bf 2 -pix_fmt yuv420p \
  -bsf:v "noise=amount=if(eq(n\,150)+eq(n\,300)\,-400\,0)"
odd border-keyframes.ts -c:v mpeg2video -b:v 2M -g 15 -bf 2 -bsf:v "noise=amount=if(between(n\,140\,160)\,-400\,0)"
# Fields: deinterlaced with the frames beyond each chunk's border, whatever the flags say.
ffmpeg -v error -y -f lavfi -i "testsrc2=s=320x240:r=50:d=20" -vf tinterlace=interleave_top -c:v libx264 \
  -preset veryfast -bf 3 -g 60 -pix_fmt yuv420p "$work/fields-unflagged.mp4"
one "$work/fields-unflagged.mp4"
ffmpeg -v error -y -f lavfi -i "testsrc2=s=320x240:r=50:d=20" -vf tinterlace=interleave_bottom,setfield=bff \
  -c:v mpeg2video -flags +ilme+ildct -top 0 -b:v 4M -g 15 -bf 2 "$work/fields-bottom-first.ts"
one "$work/fields-bottom-first.ts"
# Pictures that are fields (PAFF), beside such as are frames: a packet a field, or both of a frame in one.
sed 's/codec: h264/&, deinterlace: off/' "$work/lossless.yaml" >"$work/woven.yaml"
raw_hash() { ffmpeg -nostdin -v error -threads 1 -i "$1" -map 0:v:0 -fps_mode passthrough -pix_fmt yuv420p -f rawvideo - | sha256sum; }
fields() { # kind packets ending...
  local kind=$1 packets=$2 ending clip
  shift 2
  for ending; do
    clip=$work/fields-$kind-$packets.$ending
    "$bin/../tests/make_paff" "$kind" "$packets" "$clip"
    one "$clip"
  done
}
woven() { # clip kind: without any filter its pictures are those that were written, to the last sample
  local name
  name=$(basename "$1")
  "$bin/../tests/make_paff" "$2" pairs "$work/written.yuv"
  check "$name: ffmpeg's pictures" test "$(raw_hash "$1")" = "$(sha256sum - <"$work/written.yuv")"
  rm -rf "$work/out"
  gopmill transcode "$1" --out "$work/out" --pipeline "$work/woven.yaml" --quiet >/dev/null 2>&1
  check "$name: several chunks" test "$(jq '.plan.estimated.segments' "$work/out/report.json")" -ge 3
  check "$name: not deinterlaced" jq -e '[.renditions[].resolved.filters | contains("bwdif")] | any | not' "$work/out/report.json" >/dev/null
  join_rendition "$(echo "$work"/out/v/*/video/96p)" >"$work/joined.mp4"
  check "$name: our pictures" test "$(raw_hash "$work/joined.mp4")" = "$(sha256sum - <"$work/written.yuv")"
}
if [ "$set_name" = all ]; then
  for kind in closed bottom open mbaff late; do
    fields $kind fields ts mp4 mkv h264
    fields $kind pairs ts mp4 mkv
  done
else
  fields closed fields ts
  fields bottom pairs mkv
  fields open fields h264 mkv
  fields open pairs ts mp4
  fields mbaff fields mp4
  fields late fields mp4
fi
fields lone fields ts
fields cut fields ts
woven "$work/fields-closed-fields.ts" closed
woven "$work/fields-open-fields.mkv" open
woven "$work/fields-mbaff-fields.mp4" mbaff
woven "$work/fields-late-fields.mp4" late
ffmpeg -v error -y -i "$work/fields-open-pairs.ts" -c copy "$work/fields-copied.mp4"
one "$work/fields-copied.mp4"
finish
