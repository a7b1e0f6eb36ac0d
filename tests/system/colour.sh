#!/usr/bin/env bash
# Colour: flat patches of known colours in every kind of source, published losslessly, lie within a code or two
# of what the standards say; every rendition's tags are as promised; real clips of odd colour keep their
# brightness.
. "$(dirname "$0")/lib.sh"

cat >"$work/p.yaml" <<'YAML'
name: patches
tasks:
  inspect: { type: inspect }
  plan:    { type: plan, needs: [inspect], ladder: [96, 64] }
  split:   { type: split, needs: [plan] }
  video:   { type: encode, needs: [split], codec: h264, preset: ultrafast, qp: 0, background: "#2040e0" }
  mp4:     { type: mp4, needs: [video], heights: [96, 64] }
YAML

# Four patches, a quarter of the frames each: R'G'B' of the source.
patches="1,1,1 0.5,0.5,0.5 0.8,0.5,0.2 0.2,0.3,0.7"

# awk: codes(kind, bits, full, r,g,b) of a source; target(...) of those codes in 8 limited bits.
maths='
function k(m) { kr = m == "bt709" ? 0.2126 : m ~ /2020/ ? 0.2627 : 0.299; kb = m == "bt709" ? 0.0722 : m ~ /2020/ ? 0.0593 : 0.114; kg = 1 - kr - kb }
function code(v, bits, full, chroma,  u) { u = 2 ^ (bits - 8)
  return full ? chroma ? v * (2 ^ bits - 1) + 2 ^ (bits - 1) : v * (2 ^ bits - 1) : chroma ? u * (128 + 224 * v) : u * (16 + 219 * v) }
function value(c, bits, full, chroma,  u) { u = 2 ^ (bits - 8)
  return full ? (c - (chroma ? 2 ^ (bits - 1) : 0)) / (2 ^ bits - 1) : chroma ? (c / u - 128) / 224 : (c / u - 16) / 219 }
function round(v) { return int(v + 0.5) }
function ycc(m, r, g, b) { k(m); Y = kr * r + kg * g + kb * b; B = (b - Y) / (2 - 2 * kb); R = (r - Y) / (2 - 2 * kr) }
function rgb(m, y, b, r) { k(m); r_ = y + r * (2 - 2 * kr); b_ = y + b * (2 - 2 * kb); g_ = (y - kr * r_ - kb * b_) / kg }
function pow(x, y) { return x <= 0 ? 0 : exp(y * log(x)) }
function pq(e,  p) { p = pow(e, 32 / 2523); p = (p - 0.8359375) / (18.8515625 - 18.6875 * p); return 10000 * pow(p, 16384 / 2610) }
function unpq(l,  p) { p = pow(l / 10000, 2610 / 16384); return pow((0.8359375 + 18.8515625 * p) / (1 + 18.6875 * p), 2523 / 32) }
function hlg(e) { return e <= 0.5 ? e * e / 3 : (exp((e - 0.55991073) / 0.17883277) + 0.28466892) / 12 }
function eetf(l,  e, m, kn, t, top) { top = unpq(1000); e = unpq(l) / top; e = e > 1 ? 1 : e; m = unpq(203) / top; kn = 1.5 * m - 0.5
  if (e > kn) { t = (e - kn) / (1 - kn); e = (2*t^3 - 3*t^2 + 1) * kn + (t^3 - 2*t^2 + t) * (1 - kn) + (3*t^2 - 2*t^3) * m }
  return pq(e * top) }
function most(a, b, c) { return a > b ? a > c ? a : c : b > c ? b : c }
# HDR and BT.2020 to BT.709 signals; colours of the test lie inside.
function light(kind,  R, G, B, s, m, g) {
  if (kind == "pq") { R = pq(r_); G = pq(g_); B = pq(b_) }
  else if (kind == "hlg") { R = hlg(r_); G = hlg(g_); B = hlg(b_); s = 1000 * pow(0.2627*R + 0.678*G + 0.0593*B, 0.2); R *= s; G *= s; B *= s }
  else { R = pow(r_, 2.4); G = pow(g_, 2.4); B = pow(b_, 2.4) }
  r_ = 1.660491*R - 0.587641*G - 0.07285*B; g_ = -0.12455*R + 1.1329*G - 0.008349*B; b_ = -0.018151*R - 0.100579*G + 1.11873*B
  g = 1
  if (kind != "sdr") { m = most(r_, g_, b_); g = eetf(m) / m / 203 }
  r_ = pow(r_ * g, 1/2.4); g_ = pow(g_ * g, 1/2.4); b_ = pow(b_ * g, 1/2.4) }
'
# geq text for a pixel format, and what shall come out: "Y U V" a patch, in file `want`
# matrix bits full target kind(sdr pq hlg)
prepare() {
  awk -v matrix="$1" -v bits="$2" -v full="$3" -v to="$4" -v kind="$5" -v list="$patches" "$maths"'
  BEGIN { n = split(list, p, " ")
    for (i = 1; i <= n; i++) { split(p[i], c, ",")
      if (matrix ~ /2020/) { mean = (c[1] + c[2] + c[3]) / 3; for (j in c) c[j] = mean + 0.4 * (c[j] - mean) } # inside of BT.709
      if (kind == "pq" || kind == "hlg") { for (j in c) c[j] = 0.15 + c[j] * 0.5 }
      if (matrix == "rgb" || matrix == "grey") { for (j = 1; j <= 3; j++) { x[j] = round(c[j] * (2 ^ bits - 1)); c[j] = x[j] / (2 ^ bits - 1) }
        if (matrix == "grey") { x[1] = round(code(c[1], bits, full, 0)); c[1] = c[2] = c[3] = value(x[1], bits, full, 0) }
        r_ = c[1]; g_ = c[2]; b_ = c[3] }
      else { ycc(matrix, c[1], c[2], c[3]); x[1] = round(code(Y, bits, full, 0)); x[2] = round(code(B, bits, full, 1)); x[3] = round(code(R, bits, full, 1))
        rgb(matrix, value(x[1], bits, full, 0), value(x[2], bits, full, 1), value(x[3], bits, full, 1)) }
      if (kind == "half") { r_ = (r_ + 32/255) / 2; g_ = (g_ + 64/255) / 2; b_ = (b_ + 224/255) / 2; }
      if (matrix ~ /2020/) light(kind)
      ycc(to, r_, g_, b_)
      printf "%.3f %.3f %.3f\n", 16 + 219 * Y, 128 + 224 * B, 128 + 224 * R > "/dev/stderr"
      for (j = 1; j <= 3; j++) e[j] = e[j] (i < n ? "if(lt(N," i * 3 ")," x[j] "," : x[j]) }
    for (j = 1; j <= 3; j++) { for (i = 1; i < n; i++) e[j] = e[j] ")" }
    names = matrix == "rgb" ? "r g b" : "lum cb cr"; split(names, nm, " ")
    for (j = 1; j <= (matrix == "grey" ? 1 : 3); j++) printf "%s%s=\x27%s\x27", (j > 1 ? ":" : ""), nm[j], e[j] }' 2>"$work/want"
}
measure() { # file: mean Y U V of the middle frame of each patch
  ffprobe -v error -f lavfi "movie=$1,signalstats" -show_entries frame_tags=lavfi.signalstats.YAVG,lavfi.signalstats.UAVG,lavfi.signalstats.VAVG \
    -of csv=p=0 | awk -F, 'NR % 3 == 2 {print $1, $2, $3}'
}
tags() { # file: primaries transfer matrix range format
  ffprobe -v error -select_streams v:0 -show_entries stream=pix_fmt,color_range,color_space,color_transfer,color_primaries -of json "$1" |
    jq -r '.streams[0] | "\(.color_primaries) \(.color_transfer) \(.color_space) \(.color_range) \(.pix_fmt)"'
}
# name  pixel-format-of-geq  encoder-arguments  matrix bits full target kind  tags
row() {
  local name=$1 geq=$2 encode=$3 want_tags=$9 text rc=0
  text=$(prepare "$4" "$5" "$6" "$7" "$8")
  rm -rf "$work/out" "$work"/in.*
  # shellcheck disable=SC2086
  ffmpeg -nostdin -v error -y -f lavfi -i "nullsrc=s=96x96:r=25:d=0.48,format=$geq,geq=$text" $encode || fail "$name: no source"
  gopmill transcode "$(echo "$work"/in.*)" --out "$work/out" --pipeline "$work/p.yaml" --quiet >/dev/null 2>"$work/err" || rc=$?
  check "$name: exit 0, got $rc: $(tail -n 2 "$work/err" | tr '\n' ' ')" test "$rc" = 0
  [ "$rc" = 0 ] || return
  for f in "$work"/out/v/*/mp4/*.mp4; do
    check "$name: tags $(tags "$f"), not $want_tags" test "$(tags "$f")" = "$want_tags"
    check "$name $(basename "$f"): $(measure "$f" | tr '\n' ';') not $(tr '\n' ';' <"$work/want")" \
      sh -c "paste -d' ' - '$work/want' | awk 'NF != 6 {bad = 1} {for (i = 1; i <= 3; i++) if ((\$i - \$(i+3))^2 > 1.5^2) bad = 1} END {exit NR != 4 || bad}'" <<<"$(measure "$f")"
  done
}
x264() { echo "-c:v libx264 -qp 0 -pix_fmt $1 -color_range $2 -colorspace $3 -color_primaries $4 -color_trc $5 $work/in.mp4"; }
ffv1() { echo "-c:v ffv1 -pix_fmt $1 ${2:-} $work/in.mkv"; }
t709="bt709 bt709 bt709 tv yuv420p"
tagged() { echo "-color_range $1 -colorspace $2 -color_primaries $3 -color_trc $4"; }

row "BT.709 limited" yuv420p "$(x264 yuv420p tv bt709 bt709 bt709)" bt709 8 0 bt709 sdr "$t709"
row "BT.709 full" yuv420p "$(x264 yuv420p pc bt709 bt709 bt709)" bt709 8 1 bt709 sdr "$t709"
row "nothing said" yuv420p "-c:v libx264 -qp 0 $work/in.mp4" bt601 8 0 bt601 sdr "smpte170m smpte170m smpte170m tv yuv420p"
row "BT.470BG" yuv420p "$(x264 yuv420p tv bt470bg bt470bg smpte170m)" bt601 8 0 bt601 sdr "bt470bg smpte170m bt470bg tv yuv420p"
row "4:2:2 10 bit" yuv422p10le "$(ffv1 yuv422p10le "$(tagged tv bt709 bt709 bt709)")" bt709 10 0 bt709 sdr "$t709"
row "4:4:4" yuv444p "$(x264 yuv444p tv bt709 bt709 bt709)" bt709 8 0 bt709 sdr "$t709"
row "4:4:4 12 bit full" yuv444p12le "$(ffv1 yuv444p12le "$(tagged pc bt709 bt709 bt709)")" bt709 12 1 bt709 sdr "$t709"
row "grey, full" gray "$(ffv1 gray)" grey 8 1 bt601 sdr "smpte170m smpte170m smpte170m tv yuv420p"
row "planar RGB" gbrp "$(ffv1 gbrp)" rgb 8 1 bt709 sdr "$t709"
row "packed RGB" gbrp "-c:v png -pix_fmt rgb24 $work/in.mov" rgb 8 1 bt709 sdr "$t709"
row "RGB 16 bit" gbrp16le "-c:v png -pix_fmt rgb48be $work/in.mov" rgb 16 1 bt709 sdr "$t709"
row "alpha of one half" gbrp "-vf format=argb,colorchannelmixer=aa=0.50196 -c:v qtrle -pix_fmt argb $work/in.mov" rgb 8 1 bt709 half "$t709"
row "BT.2020 in SDR" yuv420p10le "$(ffv1 yuv420p10le "$(tagged tv bt2020nc bt2020 bt2020-10)")" bt2020 10 0 bt709 sdr "$t709"
row "HDR10" yuv420p10le "$(ffv1 yuv420p10le "$(tagged tv bt2020nc bt2020 smpte2084)")" bt2020 10 0 bt709 pq "$t709"
row "HLG 4:2:2" yuv422p10le "$(ffv1 yuv422p10le "$(tagged tv bt2020nc bt2020 arib-std-b67)")" bt2020 10 0 bt709 hlg "$t709"

# ---- HDR kept, with SDR beside it
sed -e 's/ladder: .*\]/ladder: [96, 64]/' -e 's/codec: h264.*background.*/codec: hevc, preset: ultrafast, crf: 10, hdr: keep, renditions: { 64: { codec: h264 } } }/' \
  -e 's/^  mp4:.*/  hls: { type: package, needs: [video] }/' "$work/p.yaml" >"$work/keep.yaml"
hdr_clip() { # source-transfer seconds geq: hdr.mp4
  ffmpeg -nostdin -v error -y -f lavfi -i "nullsrc=s=96x96:r=25:d=$2,format=yuv420p10le,geq=$3,setsar=1" -c:v libx265 -preset ultrafast -tag:v hvc1 \
    -x265-params "log-level=none:keyint=50:range=limited:colorprim=bt2020:colormatrix=bt2020nc:transfer=$1:hdr10=1:max-cll=900,300:master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,1)" "$work/hdr.mp4"
}
kept() { # source-transfer: hdr.mp4 to 96.mp4 in HDR and 64.mp4 in SDR
  rm -rf "$work/out"
  check "$1: kept" gopmill transcode "$work/hdr.mp4" --out "$work/out" --pipeline "$work/keep.yaml" --quiet >/dev/null
  join_rendition "$(echo "$work"/out/v/*/video/96p)" >"$work/96.mp4"
  join_rendition "$(echo "$work"/out/v/*/video/64p)" >"$work/64.mp4"
}
keep() { # source-transfer range-in-hls [dolby]: as Dolby Vision of profile 8 with that compatibility
  local box
  prepare bt2020 10 0 bt2020 sdr >"$work/geq"
  hdr_clip "$1" 0.48 "$(cat "$work/geq")"
  if [ -n "${3:-}" ]; then # the boxes pasp and btrt, 36 bytes side by side, become one of Dolby Vision
    box=$(($(grep -abo pasp "$work/hdr.mp4" | head -n 1 | cut -d: -f1) - 4))
    check "pasp and btrt lie side by side" test "$(tail -c +$((box + 21)) "$work/hdr.mp4" | head -c 4)" = btrt
    { printf '\0\0\0\44dvvC\1\0\20\15\x'"${3}0" && head -c 23 /dev/zero; } | dd of="$work/hdr.mp4" bs=1 seek=$box conv=notrunc status=none
  fi
  kept "$1"
  check "$1: tags of what is kept: $(tags "$work/96.mp4")" test "$(tags "$work/96.mp4")" = "bt2020 $1 bt2020nc tv yuv420p10le"
  check "$1: tags of SDR beside it: $(tags "$work/64.mp4")" test "$(tags "$work/64.mp4")" = "$t709"
  check "$1: content light in the pictures" sh -c "ffprobe -v error -show_frames -read_intervals %+#1 '$work/96.mp4' | grep -q max_content=900"
  check "$1: VIDEO-RANGE" sh -c "grep -q 'RESOLUTION=96x96.*VIDEO-RANGE=$2' '$work/out/master.m3u8' && grep -q 'RESOLUTION=64x64.*VIDEO-RANGE=SDR' '$work/out/master.m3u8'"
  check "$1: two adaptation sets" test "$(grep -c 'contentType="video"' "$work/out/manifest.mpd")" = 2
}
keep smpte2084 PQ
keep arib-std-b67 HLG
# A white watermark has SDR's white: 203 cd/m2 (BT.2408: 58 % of PQ, 75 % of HLG) where HDR is kept, the peak of SDR beside it.
ffmpeg -v error -y -f lavfi -i color=white:s=40x40:d=0.04,format=rgba -frames:v 1 "$work/white.png"
sed 's/crf: 10,/crf: 4, watermark: { image: white.png, position: top-left, opacity: 1, margin: 0, size: 0.5 },/' "$work/keep.yaml" >"$work/marked.yaml"
marked() { # source-transfer ten-bit-luma: under the mark of the upper left quarter
  local said want
  hdr_clip "$1" 0.48 "lum=300:cb=512:cr=512"
  rm -rf "$work/out"
  check "$1 under a watermark" gopmill transcode "$work/hdr.mp4" --out "$work/out" --pipeline "$work/marked.yaml" --quiet >/dev/null
  for side in 96 64; do
    want=$2
    [ "$side" = 96 ] || want=940
    join_rendition "$(echo "$work"/out/v/*/video/${side}p)" >"$work/$side.mp4"
    said=$(ffprobe -v error -f lavfi "movie=$work/$side.mp4,format=yuv420p10le,crop=$((side / 4)):$((side / 4)):$((side / 8)):$((side / 8)),signalstats" \
      -show_entries frame_tags=lavfi.signalstats.YAVG,lavfi.signalstats.UAVG,lavfi.signalstats.VAVG -of csv=p=0 | awk -F, '{y += $1; u += $2; v += $3} END {if (NR == 12) print y / NR, u / NR, v / NR}')
    check "$1: a white mark on ${side}p is $said, not $want 512 512" \
      awk -v s="$said" -v y="$want" 'BEGIN {n = split(s, v, " "); exit !(n == 3 && (v[1] - y) ^ 2 <= 25 && (v[2] - 512) ^ 2 <= 25 && (v[3] - 512) ^ 2 <= 25)}'
  done
}
marked smpte2084 573
marked arib-std-b67 721
# Dolby Vision 8.1 is HDR10 for those who do not know it, and so is what is made of it.
keep smpte2084 PQ 1
check "Dolby Vision 8.1: reported: $(jq -c .source.video.hdr "$work/out/report.json")" jq -e \
  '(.source.video.hdr | .kind == "hdr10" and .dolby_profile == 8 and .max_cll == 900) and any(.warnings[]; .code == "source.dolby_vision")' "$work/out/report.json" >/dev/null
check "Dolby Vision 8.1: nothing of it is left" sh -c "! cat '$work'/out/v/*/video/*/* '$work/out/master.m3u8' | grep -qaE 'dv[vc]C|dvh1'"

# So is 8.4 of HLG.
keep arib-std-b67 HLG 4
check "Dolby Vision 8.4: reported" jq -e \
  '(.source.video.hdr | .kind == "hlg" and .dolby_profile == 8) and any(.warnings[]; .code == "source.dolby_vision")' "$work/out/report.json" >/dev/null
check "Dolby Vision 8.4: nothing of it is left" sh -c "! cat '$work'/out/v/*/video/*/* '$work/out/master.m3u8' | grep -qaE 'dv[vc]C|dvh1'"
if has_media; then
  dynamic() { ffprobe -v error -select_streams v:0 -show_frames "$1" | grep -c 'SMPTE2094-40' || :; }
  clip=$GOPMILL_TEST_MEDIA/hevc-hdr10-phone-1080p.mp4
  cp "$clip" "$work/hdr.mp4"
  kept "HDR10+"
  check "HDR10+: the source has it in pictures" test "$(dynamic "$clip")" -gt 0
  check "HDR10+: none is left" test "$(dynamic "$work/96.mp4")" = 0
  check "HDR10+: that is said: $(jq -c '[.warnings[].code]' "$work/out/report.json")" jq -e 'any(.warnings[]; .code == "source.hdr10plus")' "$work/out/report.json" >/dev/null
fi

# Three chunks, the left half still, the right one dark, bright and dark again: what each chunk is by itself does not show.
still_half() { # file size: least and most of its mean luma, 8 bits
  ffprobe -v error -f lavfi "movie=$1,format=yuv420p10le,crop=$(($2 / 4)):$2:$(($2 / 16 * 2)):0,signalstats" -show_entries frame_tags=lavfi.signalstats.YAVG -of csv=p=0 |
    awk '{v = $1 / 4} NR == 1 || v < least {least = v} v > most {most = v} END {printf "%.2f %.2f %d", least, most, NR}'
}
over_joins() { # source-transfer
  local said side
  hdr_clip "$1" 14 "lum='if(lt(X,48),450,if(between(T,6,12),800,120))':cb=512:cr=512"
  kept "$1 over joins"
  check "$1 over joins: three chunks" jq -e '[.tasks[] | select(.type == "encode") | .chunks.first + .chunks.count] | max == 3' "$work/out/report.json" >/dev/null
  said=$(ffprobe -v error -show_frames -of json "$work/96.mp4" | jq -c '[.frames[] | select(.key_frame == 1) | [.side_data_list[]? | .max_content // .max_luminance | values]] | group_by(.) | map([length, .[0]])')
  check "$1 over joins: mastering display and content light at each keyframe: $said" test "$said" = '[[7,["10000000/10000",900]]]'
  for side in 96 64; do
    said=$(still_half "$work/$side.mp4" $side)
    check "$1 over joins: the still half of ${side}p stays: $said" awk -v s="$said" 'BEGIN {split(s, v, " "); exit !(v[1] > 20 && v[2] - v[1] < 1.5 && v[3] == 350)}'
  done
}
over_joins smpte2084
over_joins arib-std-b67
sed 's/codec: hevc/codec: h264/' "$work/keep.yaml" >"$work/bad.yaml"
check "HDR in h264 is refused" sh -c "! '$bin/gopmill' pipeline check '$work/bad.yaml' 2>'$work/err' && grep -q 'not for h264' '$work/err'"

# ---- chroma lies where it lay: against zimg, which knows the place
sited() { # left center: PSNR of chroma after halving
  ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=s=640x360:d=0.12:r=25,format=rgb24 -vf "zscale=m=709:r=limited:c=$1,format=yuv420p" -c:v libx264 -qp 0 \
    -chroma_sample_location "$1" -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv "$work/sited.mp4"
  sed 's/ladder: .*\]/ladder: [180]/;s/heights: .*\]/heights: [180]/' "$work/p.yaml" >"$work/sited.yaml"
  rm -rf "$work/out"
  check "chroma $1" gopmill transcode "$work/sited.mp4" --out "$work/out" --pipeline "$work/sited.yaml" --quiet >/dev/null
  local psnr
  psnr=$(ffmpeg -nostdin -v info -i "$(echo "$work"/out/v/*/mp4/*.mp4)" -f lavfi -i testsrc2=s=640x360:d=0.12:r=25,format=rgb24 \
    -lavfi "[1]zscale=w=320:h=180:f=bicubic:m=709:r=limited:c=left,format=yuv420p[r];[0][r]psnr" -f null - 2>&1 | sed -n 's/.*PSNR.* u:\([0-9.]*\) v:\([0-9.]*\) .*/\1 \2/p')
  check "chroma $1: PSNR $psnr" awk "BEGIN {split(\"$psnr\", p, \" \"); exit !(p[1] > 46 && p[2] > 46)}"
}
sited left
sited center

# ---- real clips: brightness against ffmpeg's own conversion
sed 's/ladder: .*\]/ladder: [120]/;s/heights: .*\]/heights: [120]/' "$work/p.yaml" >"$work/real.yaml"
if has_media; then
  for clip in bt709-full-range.mp4 hevc-1080p-aac.mp4 chapters-444.mkv; do
    rm -rf "$work/out"
    check "$clip" gopmill transcode "$GOPMILL_TEST_MEDIA/$clip" --out "$work/out" --pipeline "$work/real.yaml" --quiet >/dev/null
    ours=$(ffprobe -v error -f lavfi "movie=$(echo "$work"/out/v/*/mp4/*.mp4),signalstats" -show_entries frame_tags=lavfi.signalstats.YAVG -of csv=p=0 | awk '{s += $1} END {print s / NR}')
    theirs=$(ffmpeg -nostdin -v error -i "$GOPMILL_TEST_MEDIA/$clip" -an -vf "scale=-2:120:out_range=tv,format=yuv420p,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-" -f null - | awk -F= '/YAVG/ {s += $2; n++} END {print s / n}')
    check "$clip: mean luma $ours, not $theirs" awk "BEGIN {exit ($ours - $theirs)^2 > 1}"
    check "$clip: range tv" sh -c "ffprobe -v error -show_streams '$(echo "$work"/out/v/*/mp4/*.mp4)' | grep -q color_range=tv"
  done
fi
finish
