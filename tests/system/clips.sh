#!/usr/bin/env bash
# Every real clip ends as promised: a table of clip, wanted end, exit code, frames wanted and made, seconds.
#   clips.sh short|all     all: the default pipeline on every clip; short: small rungs, without the big clips and those that oracle.sh has
. "$(dirname "$0")/lib.sh"
need_media
set_name=${1:-short}
pipeline=vod-h264
if [ "$set_name" = short ]; then
  pipeline=$work/small.yaml
  small_pipeline "$pipeline" 144
  cat >>"$pipeline" <<'YAML'
  images:  { type: thumbnails, needs: [video] }
  mp4:     { type: mp4, needs: [video, audio], heights: [144] }
YAML
fi
wanted() { # name streams frames decode-status: done or refused
  case $1 in
  *cover-art* | tiny-* | encrypted-* | vvc*) echo refused; return ;;
  esac
  case $2 in *"V "*) ;; *) echo refused; return ;; esac
  case $3 in '' | - | N/A | 0) echo refused; return ;; esac
  echo "done"
}
has_keyframes() { # file: three or more; chunks can't begin where there is none (ADR-0010), and what is before them is decoded in vain
  [ "$(ffprobe -v error -select_streams v:0 -show_entries packet=flags -of csv=p=0 "$1" | grep -c K)" -ge 3 ]
}
is_long() { awk -v s="$1" 'BEGIN {exit !(s + 0 >= 10)}'; } # seconds, "-" where unknown
is_below() { awk -v a="$1" -v b="$2" 'BEGIN {exit !(a != "" && a < b)}'; }
printf '%-40s %-8s %4s %7s %7s %5s  %s\n' clip wanted exit frames made s code
while IFS=$'\t' read -r name streams seconds frames status; do
  [ "$set_name" = all ] || case $name in
  sintel* | long-362s* | bbb-720p* | svt-* | tos-av1* | annexb-no* | broken-bitflips*) continue ;;
  camera-cups* | nextcloud* | bbb-480p* | hevc-1080p* | juggle* | bpyramid* | theora* | sar-2x1*) continue ;; # oracle.sh has these
  esac
  want=$(wanted "$name" "$streams" "$frames" "$status")
  out=$work/out start=$SECONDS rc=0 made=-
  rm -rf "$out"
  timeout 1200 "$bin/gopmill" transcode "$GOPMILL_TEST_MEDIA/$name" --out "$out" --pipeline "$pipeline" --quiet >/dev/null 2>"$work/stderr" || rc=$?
  code=$(grep -oE '\b(input|media|node|storage|gopmill|wire|usage|config)\.[a-z_]+' "$work/stderr" | head -n 1)
  if [ "$want" = done ]; then
    check "$name: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
    if [ "$rc" = 0 ]; then
      top_rung=$(jq -r '.renditions[0].name' "$out/report.json")
      join_rendition "$(echo "$out"/v/*/video/"$top_rung")" >"$work/joined.mp4"
      made=$(frames_of "$work/joined.mp4")
      check "$name: every frame that ffmpeg decodes ($frames) is there, made $made" test "$made" -ge "$frames"
      case $status in
      ok*)
        check "$name: no frame more than ffmpeg decodes ($frames), made $made" test "$made" = "$frames"
        if is_long "$seconds" && has_keyframes "$GOPMILL_TEST_MEDIA/$name"; then
          share=$(jq -r .cost.discarded_share "$out/report.json")
          check "$name: below 0.15 of what is decoded is thrown away, $share" is_below "$share" 0.15
        fi
        ;;
      esac
      check "$name: HLS plays" plays "$out/master.m3u8"
      check "$name: DASH plays" plays "$out/manifest.mpd"
    fi
  else
    check "$name: exit 3, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 3
    check "$name: a code is named" test -n "$code"
    check "$name: only the report is left" test -z "$(find "$out" -type f ! -name report.json ! -name .gm-store 2>/dev/null)"
  fi
  printf '%-40s %-8s %4s %7s %7s %5s  %s\n' "$name" "$want" "$rc" "$frames" "$made" $((SECONDS - start)) "$code"
done < <(manifest 1,8,9,10,11)
finish
