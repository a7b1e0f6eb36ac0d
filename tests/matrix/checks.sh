# The checks of one clip in one pipeline: sourced by run. What is found out about a source is made once a clip and kept in
# $work/clip; a result lies in $work/out. $yaml has the pipelines, $result takes what was found.
measure=$bin/../tests/matrix_measure
exceptions=$here/../matrix/exceptions.tsv

# What may be off. Pictures: levels of 255, of 64x64 pictures; ORDER is what a picture may be nearer to its neighbour in the source.
# Sound at 8 kHz: least correlation of a channel, of its worst second and of left less right; dB of a channel and of its worst second.
# ELSEWHERE: dB of error over that of ffmpeg's encode, in 99 of 100 blocks of 20 ms that are not at a border.
# SCORE: SSIM that per-title may come out below what is expected of the samples, or the target.
LUMA=4 CHROMA=3 ORDER=0.3 SCORE=0.005
CHANNEL=0.9 SECOND=0.7 SIDE=0.5 LEVEL=1 SECOND_LEVEL=3 ELSEWHERE=10
. "$here/../matrix/wanted.sh"

# --- judging ---
judge() { # check value sentence command...: noted in the clip's results, judged by judge.awk. value: what an exception's ceiling holds, or "-"
  local key=$1 value=$2 sentence=$3 passed=0
  shift 3
  "$@" && passed=1
  printf 'check\t%s\t%s\t%s\t%s\t%s\n' "$pipeline" "$key" "$passed" "$value" "${sentence//[$'\t\n']/ }" >>"$result"
}
judged() { # results...: the table's rows on stdout, what failed on stderr; counts and the exceptions that were needed in $work
  awk -f "$here/../matrix/judge.awk" -v used="$work/used" -v counts="$work/counts" "$exceptions" "$@"
}
check_exceptions() { # that none is out of date: told of only when all clips were run
  local c p key rest
  while IFS=$'\t' read -r c p key rest; do
    case $c in '' | '#'*) continue ;; esac
    check "exceptions.tsv: $c $p $key is needed" grep -qxF "$c"$'\t'"$p"$'\t'"$key" "$work/used"
  done <"$exceptions"
}
are_within() { # values limit
  awk -v l="$2" '{for (i = 1; i <= NF; i++) if ($i > l || $i < -l) exit 1}' <<<"$1"
}
unlike() { # "turn correlation" of measure: 1 less it; another turn is more than any ceiling lifts
  awk '{if ($1 != "0") print 2; else printf "%.3f", 1 - $2}' <<<"$1"
}
is_at_most() { awk -v v="$1" -v l="$2" 'BEGIN {exit !(v + 0 <= l + 0)}'; }

# --- measuring ---
times_of() { # file [keys]: one line a decoded picture, s; keys: takes those of the pictures that the decoder calls keyframes
  ffprobe -v error -threads 2 -select_streams v:0 -show_entries frame=key_frame,best_effort_timestamp_time -of csv=p=0 "$1" 2>/dev/null |
    awk -F, -v keys="${2:-/dev/null}" 'BEGIN {printf "" >keys} $2 != "" {print $2; if ($1 == 1) print $2 >keys}'
}
idrs_of() { # file: times of sync samples, s
  ffprobe -v error -select_streams v:0 -show_entries packet=pts_time,flags -of csv=p=0 "$1" | awk -F, '/K/ {print $1}'
}
# Below min_hard_comp a step of the time stamps is none: of rounded ones ffmpeg would else cut and fill the sound all over.
sound_of() { # file track zero_s channels out: f32 at 8 kHz whose first sample is at zero_s of the file's time line: mono, and in out.all its channels, mixed down as ADR-0014 has it
  local file=$1 track=$2 zero=$3 channels=$4 out=$5 layout=stereo line
  [ "$channels" != 1 ] || layout=mono
  line="asetpts=PTS-($zero)/TB,aresample=48000:async=1:first_pts=0:min_hard_comp=0.02"
  ffmpeg -nostdin -v error -y -copyts -i "$file" -filter_complex "[0:a:$track]asplit[x][y];[x]$line,aformat=channel_layouts=mono,aresample=8000[m];
    [y]$line,aresample=8000:ocl=$layout:rematrix_maxval=1,aformat=channel_layouts=${layout}[all]" -map '[m]' -f f32le "$out" -map '[all]' -f f32le "$out.all" 2>/dev/null
}
places_of() { # times: the pictures (from 0) that are compared: near begin and end, and the middle
  awk 'END {a[1] = NR > 1; a[2] = int(NR / 2); a[3] = NR > 2 ? NR - 2 : 0; for (i = 1; i <= 3; i++) if (!(a[i] in had)) {had[a[i]]; printf "%d ", a[i]}}' "$1"
}
with_neighbours() { # count places...
  local count=$1
  shift
  printf '%d\n' "$@" | awk -v n="$count" '{for (i = $1 - 1; i <= $1 + 1; i++) if (i >= 0 && i < n) print i}' | sort -nu | tr '\n' ' '
}
pictures_of() { # file times indices out: 64x64, three planes each, limited range; by their times, as ffmpeg counts anew where the size changes
  local which part=""
  which=$(awk -v list="$3" 'BEGIN {n = split(list, a, " "); for (i = 1; i <= n; i++) want[a[i] + 1]}
    FNR in want {printf "%s", some++ ? "+" : ""; if ($1 == "N/A") printf "eq(n\\,%d)", FNR - 1; else printf "between(t\\,%.6f\\,%.6f)", $1 - 0.0005, $1 + 0.0005}' "$2")
  [ "$pipeline" != vod-watermark ] || part=,crop=48:48:0:0,scale=64:64 # what the mark does not reach
  ffmpeg -nostdin -v error -y -copyts -i "$1" -map 0:v:0 -vf "select=$which,scale=64:64:flags=area:out_range=tv,format=yuv444p$part" \
    -frames:v "$(wc -w <<<"$3")" -fps_mode passthrough -f rawvideo "$4" 2>/dev/null
}
plane_of() { # pictures number: its luma
  tail -c +$((3 * 4096 * $2 + 1)) "$1" | head -c 4096
}
is_same_picture() { # "turn correlation" of measure: upright, and like it, or as blank as it
  awk -v t="$1" 'BEGIN {split(t, a, " "); exit !(a[1] "" == "0" && (a[2] == "flat" || a[2] + 0 > 0.9))}'
}
largest_dt_ms() { # ours theirs: of times since the first picture
  paste "$1" "$2" | awk 'NR == 1 {a = $1; b = $2} $2 == "N/A" {next} {n++} {d = ($1 - a) - ($2 - b); if (d < 0) d = -d; if (d > m) m = d} END {if (n > 1) printf "%.2f", m * 1000; else printf "-"}'
}
segment_borders() { # track [idrs]: where its segments begin but the first, s since its start; of one file: its IDRs
  local list
  list=$(echo "$work/out"/v/*/"$1"/media.m3u8)
  if [ -e "$list" ]; then
    awk -F'[:,]' '/^#EXTINF/ {if (n++) print t; t += $2}' "$list"
  else
    awk 'NR == 1 {z = $1; next} {print $1 - z}' "$([ -e "${2:-}" ] && echo "$2" || echo /dev/null)"
  fi
}
joined() { # track: of segments, or the one file that has them all
  local folder
  folder=$(echo "$work/out"/v/*/"$1")
  if [ -e "$folder" ]; then
    join_rendition "$folder"
  else
    cat "$work/out"/v/*/mp4/*.mp4
  fi
}

# --- SSIM of the chunked encode against one encode of the whole ---
preset_number() { # name map...: a word "name=number" of each preset, as in media/encoder_*.c
  local name=$1 word
  shift
  for word; do [ "${word%=*}" != "$name" ] || echo "${word#*=}"; done
}
over_buffer() { # file rate size: "bits_until_then bits_too_many" where a buffer that begins half full is lowest; nothing: it never is empty; of no packets the whole
  ffprobe -v error -select_streams v:0 -show_entries packet=dts_time,size -of csv=p=0 "$1" | awk -F, -v rate="$2" -v size="$3" '
    NR == 1 {at = $1; level = size / 2}
    {level += rate * ($1 - at); if (level > size) level = size; at = $1; level -= $2 * 8; bits += $2 * 8}
    level < low {low = level; then = bits}
    END {if (!NR) printf "0 %d\n", size; else if (low < 0) printf "%d %d\n", then, -low}'
}
at_borders() { # file rate size borders: "least most lowest", % that a buffer that begins half full holds at borders, and ever
  ffprobe -v error -select_streams v:0 -show_entries packet=pts_time,dts_time,size -of csv=p=0 "$1" | awk -F, -v rate="$2" -v size="$3" '
    NR == FNR {border[++borders] = $1; next}
    !n++ {zero = $1; at = $2; level = lowest = size / 2; least = size}
    {level += rate * ($2 - at); if (level > size) level = size; at = $2}
    {for (b = 1; b <= borders; b++) if ($1 - zero - border[b] < 0.001 && border[b] - $1 + zero < 0.001) {if (level < least) least = level; if (level > most) most = level}}
    {level -= $3 * 8; if (level < lowest) lowest = level}
    END {printf "%.0f %.0f %.0f\n", 100 * least / size, 100 * most / size, 100 * lowest / size}' "$4" -
}
whole_encode() { # rendition lossless idrs out: with the settings that the report names
  # libsvtav1 and libvpx do not keep to a cap (ADR-0006): theirs is the finest crf whose file does
  local r=$1 out=$4 rate size codec add=0 tries=0 over
  IFS=$'\t' read -r codec rate size < <(jq -r --arg r "$r" '.renditions[] | select(.name == $r) | .resolved | [.encode.codec, .maxrate_bps, .bufsize_bits] | @tsv' "$work/out/report.json")
  while true; do
    one_encode "$@" "$add" || return
    case $codec in vp9 | av1) ;; *) return ;; esac
    [ "$rate" != 0 ] || return 0
    over=$(over_buffer "$out" "$rate" "$size")
    [ -n "$over" ] || return 0
    [ "$tries" -lt 20 ] || { echo "no whole file was found that keeps the cap" >"$work/whole.log"; return 1; }
    add=$(awk -v add="$add" '{n = ($1 - $2 > $1 / 2 ? int(5 * log($1 / ($1 - $2)) / log(2) + 0.5) : 5); print add + (n > 1 ? n : 1)}' <<<"$over") # half of what is likely
    tries=$((tries + 1))
  done
}
one_encode() { # rendition lossless idrs out coarser_by
  local r=$1 input=$2 idrs=$3 out=$4 add=$5 codec preset crf maxrate bufsize rate format base few=0 init="" options=()
  IFS=$'\t' read -r codec preset crf maxrate bufsize rate format < <(jq -r --arg r "$r" '(if .plan.frame_rate.num > 0 then .plan else .source.video end).frame_rate as $rate | .renditions[] | select(.name == $r) |
    [.resolved.encode.codec, .resolved.encode.preset, .analyzed.min_crf // .resolved.encode.crf, .resolved.maxrate_bps, .resolved.bufsize_bits,
     "\($rate.num)/\($rate.den)", .colour.pixel_format] | @tsv' "$work/out/report.json")
  base=1:$(jq -r .plan.timescale "$work/out/report.json")
  [ "$(jq .plan.frame_rate.num "$work/out/report.json")" != 0 ] || [ "$(wc -l <"$work/times")" -ge 24 ] || few=1
  # the declared buffer begins half full: of the whole file too, which would begin with 0.9 of it
  case $maxrate:$codec in 0:* | *:vp9 | *:av1) ;; *) options=(-maxrate "$maxrate" -bufsize "$bufsize") init=:vbv-init=0.5 ;; esac
  case $codec in
  h264)
    [ "$few" = 0 ] || options+=(-bf 0)
    options+=(-c:v libx264 -preset "$preset" -forced-idr 1
      -x264-params "cpu-independent=1:stitchable=1:scenecut=0:keyint=infinite:open-gop=0:threads=1:lookahead-threads=1:sync-lookahead=0$init") ;;
  hevc)
    [ "$few" = 0 ] || rate=$rate:bframes=0
    options+=(-c:v libx265 -preset "$preset" -forced-idr 1
      -x265-params "pools=none:frame-threads=1:wpp=0:lookahead-slices=0:keyint=-1:min-keyint=1:scenecut=0:open-gop=0:log-level=none:fps=$rate$init") ;;
  vp9) # libvpx takes a tick for the first picture's duration
    [ "$(jq .plan.frame_rate.num "$work/out/report.json")" = 0 ] || base=${rate#*/}:${rate%/*}
    preset=$(preset_number "$preset" ultrafast=6 superfast=5 veryfast=5 faster=4 fast=4 medium=3 slow=2 slower=1 veryslow=0)
    options+=(-c:v libvpx-vp9 -deadline good -cpu-used "$preset" -b:v 0 -g 1000000 -keyint_min 1000000 -auto-alt-ref 1
      -lag-in-frames 25 -row-mt 0 -tile-columns 0 -tile-rows 0 -frame-parallel 0 -aq-mode 0 -threads 1) ;;
  av1)
    preset=$(preset_number "$preset" ultrafast=12 superfast=11 veryfast=10 faster=9 fast=8 medium=7 slow=6 slower=5 veryslow=4)
    options+=(-c:v libsvtav1 -preset "$preset"
      -svtav1-params "lp=1:enable-force-key-frames=1:keyint=1000000:scd=0:pred-struct=2:tune=1:film-grain=0") ;;
  esac
  ffmpeg -nostdin -v error -y -i "$input" -map 0:v:0 "${options[@]}" -crf "$(awk -v crf="$crf" -v add="$add" 'BEGIN {print crf + add}')" -pix_fmt "$format" \
    -force_key_frames "$(awk 'NR == FNR {if (FNR == 1) z = $1; next} {printf "%s%.6f", (FNR > 1 ? "," : ""), $1 - z}' "$work/times" "$idrs")" \
    -fps_mode passthrough -enc_time_base "$base" "$out" >"$work/whole.log" 2>&1
}
lossless() { # rendition: $work/lossless.mp4, what its encoder was given; made once a clip, depth and ladder
  local depth=8 ladder made
  case $(jq -r --arg r "$1" '.renditions[] | select(.name == $r) | .colour.pixel_format' "$work/out/report.json") in *10*) depth=10 ;; esac
  ladder=$(sed -nE 's/.*ladder: *\[([^]]*)\].*/\1/p' "$yaml/$pipeline.yaml")
  made=$work/clip/lossless$depth-${ladder//, /-}
  if [ ! -e "$made/report.json" ]; then
    sed "s/LADDER/$ladder/" "$yaml/lossless$depth.yaml" >"$work/lossless.yaml"
    gopmill transcode "$source" --out "$made" --pipeline "$work/lossless.yaml" --quiet >/dev/null 2>&1 || return
  fi
  join_rendition "$(echo "$made"/v/*/video/"$1")" >"$work/lossless.mp4" 2>/dev/null
}
has_all() { # file: as many pictures as ours; the ssim filter would repeat the last one
  local n
  n=$(ffprobe -v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$1" | tr -d ',')
  [ "$n" = "$(wc -l <"$work/times")" ] || { echo "$n pictures" >"$work/whole.log"; false; }
}
ssim_losses() { # lossless chunked whole borders: "mean_loss worst_loss_at_borders"
  ffmpeg -nostdin -v error -i "$1" -i "$2" -i "$3" -filter_complex \
    "[0:v]settb=1/1000,setpts=N,split[x][y];[1:v]settb=1/1000,setpts=N[a];[2:v]settb=1/1000,setpts=N[w];[a][x]ssim=stats_file=$work/ssim-a[p];[w][y]ssim=stats_file=$work/ssim-w[q]" \
    -map '[p]' -f null - -map '[q]' -f null - 2>/dev/null || return 1
  awk -v zero="$(head -n 1 "$work/times")" '
    FILENAME == ARGV[1] {border[++borders] = $1; next}
    FILENAME == ARGV[2] {time[FNR] = $1 - zero; next}
    {sub(/.*All:/, ""); v = $1 + 0}
    FILENAME == ARGV[3] {ours[FNR] = v; n = FNR; next}
    {whole[FNR] = v}
    END {
      for (i = 1; i <= n; i++) sum += whole[i] - ours[i]
      worst = -1
      for (b = 1; b <= borders; b++) {
        while (at < n && time[at + 1] < border[b] - 0.0005) at++
        for (i = at - 2; i <= at + 3; i++) if (i in ours && whole[i] - ours[i] > worst) worst = whole[i] - ours[i]
      }
      printf "%.5f %s\n", (n ? sum / n : 0), (worst > -1 ? sprintf("%.5f", worst) : "-")
    }' "$4" "$work/times" "$work/ssim-a" "$work/ssim-w"
}

# --- one check a column ---
check_frames() { # wanted status: sets frames_text, and dt; a damaged clip's times are not compared: its pictures are no fewer than decode, and no more than there are packets
  local wanted=$1 status=$2 made packets
  made=$(wc -l <"$work/times")
  frames_text=$made/$wanted
  case $status in
  ok*) judge frames - "$made pictures, not $wanted" test "$made" = "$wanted" ;;
  *)
    packets=$(ffprobe -v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$source" 2>/dev/null | head -n 1 | tr -d ,)
    judge frames - "$made pictures, fewer than $wanted" test "$made" -ge "$wanted"
    judge frames - "$made pictures of $packets packets" test "$made" -le "$packets"
    return
    ;;
  esac
  [ -s "$work/clip/times" ] || times_of "$source" >"$work/clip/times"
  judge source-frames - "ffprobe lists $(wc -l <"$work/clip/times") pictures of the source, $made were made: no times are compared" test "$(wc -l <"$work/clip/times")" = "$made"
  if [ "$(wc -l <"$work/clip/times")" = "$made" ]; then
    dt=$(largest_dt_ms "$work/times" "$work/clip/times")
    [ "$dt" = - ] || judge times "$dt" "a picture is $dt ms from its time" is_at_most "$dt" 1
  fi
}
check_renditions() { # that the published ones are those of the pipeline's ladder
  local wanted r
  wanted=$(wanted_renditions "$(sed -nE 's/.*ladder: *\[([^]]*)\].*/\1/p' "$yaml/$pipeline.yaml")")
  for r in $renditions; do
    ffprobe -v error -select_streams v:0 -show_entries stream=width,height -of csv=p=0 "$work/joined-$r.mp4" | awk -F, 'NR == 1 {print $1, $2}'
  done >"$work/sizes"
  judge ladder - "renditions of $(tr '\n' ',' <"$work/sizes") wanted: $(tr '\n' ',' <<<"$wanted")" test "$(sort "$work/sizes")" = "$(sort <<<"$wanted")"
  [ ! -e "$(echo "$work/out"/v/*/video)" ] ||
    judge ladder - "renditions in the report and not in the folder, or the other way round" test "$(ls "$(echo "$work/out"/v/*/video)" | sort)" = "$(sort <<<"$renditions")"
}
is_on_grid() { # idrs
  local kind=constant
  [ "$(jq .plan.frame_rate.num "$work/out/report.json")" != 0 ] || kind=variable
  grep -nFxf "$1" "$work/times" | awk -F: '{print $1 - 1}' >"$work/idr-places"
  wanted_idrs "$kind" <"$work/times" | cmp -s - "$work/idr-places"
}
check_idrs() { # status: sets idr_text; every rung has the pictures of the top one, at their times
  local r first="" same="="
  for r in $renditions; do
    idrs_of "$work/joined-$r.mp4" >"$work/idrs-$r"
    [ -n "$first" ] || first=$r
    cmp -s "$work/idrs-$first" "$work/idrs-$r" || same="!"
    [ "$r" != "$first" ] || continue
    times_of "$work/joined-$r.mp4" >"$work/times-$r"
    judge frames - "$r has $(wc -l <"$work/times-$r") pictures, $first $(wc -l <"$work/times")" test "$(wc -l <"$work/times-$r")" = "$(wc -l <"$work/times")"
    judge times - "$r has other times than $first: $(diff "$work/times-$r" "$work/times" | sed -n 2,4p | tr '\n' ' ')" cmp -s "$work/times-$r" "$work/times"
  done
  idr_text="$(wc -l <"$work/idrs-$first")$same"
  judge idr - "the renditions' IDRs differ" test "$same" = "="
  judge idr - "$first: the decoder sees $(wc -l <"$work/keys") keyframes, the file says $(wc -l <"$work/idrs-$first")" cmp -s "$work/keys" "$work/idrs-$first"
  case $1 in ok*) judge idr-grid - "$first: keyframes are not those of a grid of 2 s" is_on_grid "$work/idrs-$first" ;; esac
}
check_colour() { # sets colour_text
  local r said wanted all=""
  for r in $renditions; do
    said=$(ffprobe -v error -select_streams v:0 -show_entries stream=color_primaries,color_transfer,color_space,color_range -of json "$work/joined-$r.mp4" |
      jq -r '.streams[0] | [.color_primaries, .color_transfer, .color_space, .color_range] | map(. // "unknown") | join("/")')
    wanted=$(wanted_colour "${r%p}")
    judge colour - "$r is tagged $said, not $wanted" test "$said" = "$wanted"
    judge colour - "$r is tagged $said, not as the report says" test "$said" = "$(jq -r ".renditions[] | select(.name == \"$r\") | .colour | [.primaries, .transfer, .matrix, .range] | join(\"/\")" "$work/out/report.json")"
    case " $all " in *" $said "*) ;; *) all="$all $said" ;; esac
  done
  colour_text=$(sed 's/^ //; s/smpte170m/601/g; s/bt//g; s/smpte2084/pq/g; s/arib-std-b67/hlg/g' <<<"$all")
}
check_turn() { # sets turn_text
  local places wanted theirs planes of_source=$work/clip/pictures-$([ "$pipeline" = vod-watermark ] && echo part || echo whole) positions="" p i
  places=$(places_of "$work/times")
  wanted=$(with_neighbours "$(wc -l <"$work/times")" $places)
  [ -s "$of_source" ] || pictures_of "$source" "$work/clip/times" "$wanted" "$of_source"
  pictures_of "$work/joined-$top_rung.mp4" "$work/times" "$(printf '%s\n' $places | sort -n | tr '\n' ' ')" "$work/pictures"
  for p in $(printf '%s\n' $places | sort -n); do
    i=0
    for theirs in $wanted; do
      [ "$theirs" != "$p" ] || positions="$positions $i"
      i=$((i + 1))
    done
  done
  i=$(($(wc -w <<<"$places") / 2)) # the middle one
  plane_of "$of_source" "$(cut -d ' ' -f $((i + 2)) <<<"$positions")" >"$work/picture-theirs"
  plane_of "$work/pictures" "$i" >"$work/picture"
  turn_text=$("$measure" turn "$work/picture-theirs" "$work/picture" 64)
  judge turn "$(unlike "$turn_text")" "the picture is turned or another: $turn_text" is_same_picture "$turn_text"
  planes=$("$measure" planes "$of_source" "$work/pictures" 64 $positions)
  check_planes "$planes"
  judge turned - "a turn is tagged still" test -z "$(ffprobe -v error -select_streams v:0 -show_entries stream_side_data=rotation -of csv=p=0 "$work/joined-$top_rung.mp4")"
  judge square - "pixels are square" test "$(ffprobe -v error -select_streams v:0 -show_entries stream=sample_aspect_ratio -of csv=p=0 "$work/joined-$top_rung.mp4" | head -n 1 | tr -d ,)" = 1:1
}
check_planes() { # "luma chroma off" of measure: of the pictures near begin and end and in the middle
  local luma chroma off
  judge planes-none - "pictures were not compared" test -n "$1"
  [ -n "$1" ] || return
  read -r luma chroma off <<<"$1"
  judge order "$off" "a picture is more like the one beside it in the source, by $off" is_at_most "$off" "$ORDER"
  # of colours that were converted, and laid on a background, colour.sh has the numbers
  jq -e '[.warnings[].code] | any(. == "colour.tone_mapped" or . == "colour.converted" or . == "source.alpha")' "$work/out/report.json" >/dev/null && return
  judge luma "$luma" "luma is off by $luma on the mean" is_at_most "$luma" "$LUMA"
  judge chroma "$chroma" "chroma is off by $chroma on the mean" is_at_most "$chroma" "$CHROMA"
}
check_sound() { # sets av_text, join_text: the worst of all tracks
  local zero i tracks channels av="" joins="" folders
  wanted_tracks >"$work/tracks"
  tracks=$(wc -l <"$work/tracks")
  judge tracks - "$(jq '.audio | length' "$work/out/report.json") sound tracks, not $tracks" test "$(jq -c '[.audio[].source_audio]' "$work/out/report.json")" = "$(jq -nc "[range($tracks)]")"
  folders=$(echo "$work/out"/v/*/audio)
  [ ! -e "$(echo "$work/out"/v/*/video)" ] ||
    judge tracks - "$(ls "$folders" 2>/dev/null | wc -l) sound tracks are published, not $tracks" test "$(ls "$folders" 2>/dev/null | wc -l)" = "$tracks"
  [ "$tracks" -gt 0 ] || return
  zero=$(head -n 1 "$work/clip/times" 2>/dev/null || true)
  if [ -z "$zero" ]; then # sound alone
    [ "$renditions" = "" ] || return
    zero=$(ffprobe -v error -select_streams a:0 -show_entries frame=pts_time -read_intervals %+1 -of csv=p=0 "$source" | head -n 1 | tr -d ,)
  fi
  i=0
  while read -r channels; do
    av_text=quiet join_text=-
    check_track "$i" "$zero" "$channels" </dev/null
    [ "$av_text" = quiet ] || av="$av$av_text"$'\n'
    [ "$join_text" = - ] || joins="$joins$join_text"$'\n'
    i=$((i + 1))
  done <"$work/tracks"
  av_text=$(awk 'function worse(a, b) {return (a < 0 ? -a : a) > (b < 0 ? -b : b) ? a : b}
    NF {b = worse($1, b); e = worse($2, e); n++} END {if (n) printf "%+.1f %+.1f", b, e; else printf "quiet"}' <<<"$av")
  join_text=$(sort -g <<<"$joins" | tail -n 1)
  join_text=${join_text:--}
  [ "$tracks" = 1 ] || notes="$notes${notes:+; }$tracks sound tracks"
}
measured_sound() { # number channels same borders: lag, likeness of channels, joins, a line each; of the bytes that another pipeline of the clip made too, as there
  local kept=$work/clip/measured-$1-$3-$(cat "$work/sound.all" <(echo "$2 $4") | md5sum | cut -c1-32) whole=$work/clip/whole-$1-$3
  [ -s "$kept" ] || {
    "$measure" lag "$work/clip/sound-$1" "$work/sound" 8000
    "$measure" channels "$work/clip/sound-$1.all" "$work/sound.all" 8000 "$2"
    # shellcheck disable=SC2086
    "$measure" joins "$work/clip/sound-$1" "$work/sound" "$whole" 8000 $4
  } >"$kept"
  cat "$kept"
}
check_track() { # number zero channels: sets av_text, join_text; the track is of the source's number
  local number=$1 zero=$2 channels=$3 lag like joins borders name said inside=0 limit=22 ours=$work/clip/sound-$1 same least most long
  IFS=$'\t' read -r name said sample_rate bitrate < <(jq -r ".audio[$number] | [.name, .channels, .sample_rate, .bitrate_bps] | @tsv" "$work/out/report.json")
  [ -n "$name" ] || return
  [ -e "$ours.all" ] || sound_of "$source" "$number" "$zero" "$channels" "$ours"
  joined "audio/$name" >"$work/joined-$name.mp4"
  [ -e "$(echo "$work/out"/v/*/audio/"$name")" ] || inside=$number # of one file with all tracks
  judge channels - "$name: channels are not $channels" test "$channels $said" = \
    "$(ffprobe -v error -select_streams "a:$inside" -show_entries stream=channels -of csv=p=0 "$work/joined-$name.mp4" | head -n 1 | tr -d ,) $channels"
  rm -f "$work/sound" "$work/sound.all"
  sound_of "$work/joined-$name.mp4" "$inside" "$(head -n 1 "$work/times" | grep . || echo 0)" "$channels" "$work/sound"
  judge sound-none - "$name: there is no sound" test -s "$work/sound" -a -s "$work/sound.all"
  [ -s "$work/sound" ] || return
  read -r least most < <(wanted_sound_s "$ours" "$zero")
  long=$(awk -v bytes="$(stat -c %s "$work/sound")" 'BEGIN {printf "%.3f", bytes / 32000}')
  judge sound-length "$(awk -v l="$long" -v a="$least" -v b="$most" 'BEGIN {print (l < a ? a - l : l > b ? l - b : 0)}')" \
    "$name: the sound is $long s long, not $least to $most" awk -v l="$long" -v a="$least" -v b="$most" 'BEGIN {exit !(l >= a && l <= b)}'
  if [ "$("$measure" level "$ours")" = 0.000000 ]; then # so ours must be, too
    judge sound "$("$measure" level "$work/sound")" "$name: the source has no sound to compare" test -s "$ours"
    judge silence "$("$measure" level "$work/sound")" "$name: there is sound where the source has none" is_at_most "$("$measure" level "$work/sound")" 0.0002
    return
  fi
  same=$channels-$bitrate-$sample_rate
  # one encode of the whole, with the same encoder and settings
  if [ ! -s "$work/clip/whole-$number-$same" ]; then
    ffmpeg -nostdin -v error -y -copyts -i "$source" -map "0:a:$number" -af "asetpts=PTS-($zero)/TB,aresample=48000:async=1:first_pts=0:min_hard_comp=0.02" -ac "$channels" -ar "$sample_rate" \
      -c:a aac -b:a "$bitrate" "$work/clip/whole.m4a" 2>/dev/null
    sound_of "$work/clip/whole.m4a" 0 0 "$channels" "$work/clip/whole-$number-$same"
  fi
  borders=$(segment_borders "audio/$name" "$work/idrs-$top_rung")
  [ -n "$borders" ] || judge join - "the video has segments, the sound has not" test -z "$(segment_borders "video/$top_rung" "$work/idrs-$top_rung")"
  { read -r lag; read -r like; read -r joins; } < <(measured_sound "$number" "$channels" "$same" "${borders//$'\n'/ }")
  judge sound-none - "$name: the sound was not compared: $lag/$like/$joins" test -n "$lag" -a -n "$like" -a -n "$joins"
  if [ "$lag" != - ]; then
    av_text=$(awk '{printf "%+.1f %+.1f", $1, $3}' <<<"$lag")
    judge av "$(awk '{a = $1 < 0 ? -$1 : $1; b = $2 < 0 ? -$2 : $2; print (a > b ? a : b)}' <<<"$av_text")" "$name: sound is $av_text ms late" are_within "$av_text" "$limit"
    judge sound "$(awk '{printf "%.3f", 1 - ($2 < $4 ? $2 : $4)}' <<<"$lag")" "$name: the sound is another, correlations $lag" \
      awk -v l="$lag" 'BEGIN {split(l, a, " "); exit !(a[2] > 0.7 && a[4] > 0.7)}'
  fi
  check_likeness "$name" "$like"
  judge elsewhere "${joins#* }" "$name: elsewhere the sound is off by ${joins#* } dB" test "${joins#* }" = - -o "$(is_at_most "${joins#* }" "$ELSEWHERE" && echo 1)" = 1
  [ "${joins% *}" != - ] || return
  join_text=$joins
  # silence, a gap, a cut or a repeat of 2 ms and more at a border makes 16 dB and more
  judge join "${join_text% *}" "$name: at a segment border the sound is off by $join_text dB" \
    awk -v t="$join_text" 'BEGIN {split(t, a, " "); exit !(a[1] <= 3 || (a[1] <= a[2] + 3 && a[1] <= 6))}'
}
check_likeness() { # name "corr db second_corr second_db side_corr" of measure
  local corr db second_corr second_db side
  read -r corr db second_corr second_db side <<<"$2"
  judge channel "$(awk -v c="$corr" 'BEGIN {printf "%.3f", 1 - c}')" "$1: a channel is another, correlation $corr" is_at_most "$CHANNEL" "$corr"
  judge level "${db#-}" "$1: a channel is $db dB louder" are_within "$db" "$LEVEL"
  judge second "$(awk -v c="$second_corr" 'BEGIN {printf "%.3f", 1 - c}')" "$1: a second of a channel is another, correlation $second_corr" is_at_most "$SECOND" "$second_corr"
  judge second-level "${second_db#-}" "$1: a second of a channel is $second_db dB louder" are_within "$second_db" "$SECOND_LEVEL"
  [ "$side" = - ] || judge side "$(awk -v c="$side" 'BEGIN {printf "%.3f", 1 - c}')" "$1: left and right are others, their difference's correlation $side" is_at_most "$SIDE" "$side"
}
check_warnings() { # of a sound source: nothing was lost or made up
  local said
  said=$(jq -r '[.warnings[].code | select(. == "audio.decode_errors" or . == "audio.gaps" or . == "input.frames_replaced" or . == "input.truncated")] | join(" ")' "$work/out/report.json")
  judge warnings - "the report warns of $said" test -z "$said"
}
check_mp4() { # the samples of the single files are those of the segments; of mp4-720p's pictures those of the same rung of vod-h264
  local file r n
  if [ ! -e "$(echo "$work/out"/v/*/video)" ]; then
    case $pipeline in mp4-720p) ;; *) return 0 ;; esac
    [ ! -e "$work/clip/hash-$top_rung" ] || judge mp4 - "$top_rung has other samples than that of vod-h264" \
      test -s "$work/clip/hash-$top_rung" -a "$(hash_of "$work/joined-$top_rung.mp4" v)" = "$(cat "$work/clip/hash-$top_rung")"
    return
  fi
  [ "$pipeline" != vod-h264 ] || for r in $renditions; do hash_of "$work/joined-$r.mp4" v >"$work/clip/hash-$r"; done
  for file in "$work/out"/v/*/mp4/*.mp4; do
    [ -e "$file" ] || { ! grep -q 'type: *mp4' "$yaml/$pipeline.yaml" || judge mp4 - "there is no MP4" false; continue; }
    r=${file##*_} r=${r%.mp4}
    {
      hash_of "$work/joined-$r.mp4" v:0
      for n in $(jq -r '.audio[].name' "$work/out/report.json"); do hash_of "$work/joined-$n.mp4" a:0; done
    } >"$work/hashes"
    judge mp4 - "${file##*/} has other samples than the segments" test "$(hash_of "$file" v; hash_of "$file" a)" = "$(cat "$work/hashes")" -a \
      "$(wc -l <"$work/hashes")" = "$((1 + $(jq '.audio | length' "$work/out/report.json")))"
  done
}
hash_of() { # file streams: of their samples, a line each; none: nothing
  ffmpeg -nostdin -v error -i "$1" -map "0:$2" -c copy -f streamhash -hash md5 - 2>/dev/null | sed 's/^[0-9]*,//'
}
tell_buffer() { # rendition mean worst: where a limit is missed below a cap: sets missed_cap, adds to notes what the whole file's encode does to the declared buffer
  local rate size said
  is_at_most "$2" 0.002 && { [ "$3" = - ] || is_at_most "$3" 0.005; } && return
  IFS=$'\t' read -r rate size < <(jq -r --arg r "$1" '.renditions[] | select(.name == $r) | .resolved | [.maxrate_bps, .bufsize_bits] | @tsv' "$work/out/report.json")
  [ "$rate" != 0 ] || return 0
  missed_cap=1
  [ -s "$work/borders" ] || return 0
  said=$(at_borders "$work/whole.mp4" "$rate" "$size" "$work/borders")
  notes="$notes${notes:+; }$1: the whole file's encode has the buffer $(awk '{printf "%d to %d %% full at borders, %d %% at least", $1, $2, $3}' <<<"$said")"
}
check_target() { # rendition: what the trials say, and the published pictures, reach the target, or no crf in range does
  local target score least min_crf mean
  target=$(sed -nE 's/.*target: *([0-9.]+).*/\1/p' "$yaml/$pipeline.yaml")
  least=$(sed -nE 's/.*min_crf: *([0-9.]+).*/\1/p' "$yaml/$pipeline.yaml")
  IFS=$'\t' read -r min_crf score < <(jq -r --arg r "$1" '.renditions[] | select(.name == $r) | .analyzed | [.min_crf, .expected_score] | @tsv' "$work/out/report.json")
  judge target "$(awk -v s="$score" -v t="$target" 'BEGIN {print t - s}')" "$1: expected to score $score of $target at crf $min_crf" \
    awk -v s="$score" -v t="$target" -v c="$min_crf" -v l="$least" 'BEGIN {exit !(s + 0 >= t - 0.0001 || s + 0 > 0 && c + 0 <= l + 0)}'
  mean=$(awk '{sub(/.*All:/, ""); sum += $1} END {if (NR) printf "%.5f", sum / NR}' "$work/ssim-a")
  judge score "$(awk -v s="$score" -v t="$target" -v m="$mean" 'BEGIN {print (s < t ? s : t) - m}')" "$1: SSIM is $mean, of a target of $target and an expected score of $score" \
    awk -v s="$score" -v t="$target" -v m="$mean" -v l="$SCORE" 'BEGIN {exit !(m + 0 >= (s < t ? s : t) - l)}'
}
check_buffer() { # what is published never empties the buffer that it declares, half full at its begin
  local r rate size over
  for r in $renditions; do
    IFS=$'\t' read -r rate size < <(jq -r --arg r "$r" '.renditions[] | select(.name == $r) | .resolved | [.maxrate_bps, .bufsize_bits] | @tsv' "$work/out/report.json")
    case $pipeline in
    uncapped-*) judge cap - "$r has a cap of $rate" test "$rate" = 0 ;;
    *) judge cap - "$r has no cap and buffer: $rate, $size" test "$rate" -gt 0 -a "$size" -gt 0 ;;
    esac
    [ "$rate" != 0 ] || continue
    over=$(over_buffer "$work/joined-$r.mp4" "$rate" "$size")
    judge buffer "${over#* }" "$r: the buffer lacks ${over#* } bits of $size after ${over% *}" test -z "$over"
  done
}
check_ssim() { # sets ssim_text: the worst of all renditions
  local r losses mean worst
  for r in $renditions; do
    lossless "$r" || { judge lossless - "the lossless pipeline fails" false; continue; }
    segment_borders "video/$r" "$work/idrs-$r" >"$work/borders"
    losses=""
    whole_encode "$r" "$work/lossless.mp4" "$work/idrs-$r" "$work/whole.mp4" && has_all "$work/lossless.mp4" && has_all "$work/whole.mp4" &&
      losses=$(ssim_losses "$work/lossless.mp4" "$work/joined-$r.mp4" "$work/whole.mp4" "$work/borders")
    [ -n "$losses" ] || { judge ssim-none - "$r: no SSIM: $(tail -n 1 "$work/whole.log")" false; continue; }
    mean=${losses% *} worst=${losses#* }
    ssim_text=$(printf '%s\n%s\n' "$ssim_text" "$mean $worst" | awk 'NF {if (!n++ || $1 > m) m = $1; if ($2 != "-" && (w == "" || $2 > w)) w = $2} END {print m, (w == "" ? "-" : w)}')
    tell_buffer "$r" "$mean" "$worst"
    case $pipeline in *per-title) check_target "$r" ;; esac
    judge ssim "$mean" "$r loses $mean SSIM on the mean" is_at_most "$mean" 0.002
    [ "$worst" = - ] || judge ssim-join "$worst" "$r loses $worst SSIM near a border" is_at_most "$worst" 0.005
  done
}

# --- images ---
check_images() { # sets turn_text (the worst tile's) and notes: the poster, and each tile against the source's picture of its time
  local images index n=0 at x y w h turn worst="0 flat" wanted interval
  images=$(echo "$work/out"/v/*/images)
  judge poster - "the poster is no picture as wide as the report says" test \
    "$(ffprobe -v error -show_entries stream=width -of csv=p=0 "$images/poster.jpg" | tr -d ,)" = "$(jq .images.poster.width "$work/out/report.json")"
  interval=$(jq '.images.sheets.interval_s // 0' "$work/out/report.json")
  judge tiles - "the tiles have no interval" awk -v i="$interval" 'BEGIN {exit !(i > 0)}'
  is_at_most "$interval" 0 && return
  [ -s "$work/clip/times" ] || times_of "$source" >"$work/clip/times"
  index=$(awk -v step="$interval" 'NR == 1 {z = $1} {while ($1 - z > next_at * step + 1e-6) {print NR - 2; next_at++}} END {while (($1 - z) >= next_at * step) {print NR - 1; next_at++}}' "$work/clip/times")
  wanted=$(wc -w <<<"$index")
  judge tiles - "tiles are $(jq .images.sheets.tiles "$work/out/report.json"), not $wanted" test "$(grep -c xywh "$images/thumbnails.vtt")" = "$wanted"
  ffmpeg -nostdin -v error -y -i "$source" -map 0:v:0 -vf "select='$(awk '{printf "%seq(n,%d)", (NR > 1 ? "+" : ""), $1}' <<<"$index")',scale=64:64:flags=area,format=gray" \
    -fps_mode passthrough -f rawvideo "$work/tiles" 2>/dev/null
  while IFS='#=,' read -r at _ x y w h; do
    tail -c +$((4096 * n + 1)) "$work/tiles" | head -c 4096 >"$work/picture"
    ffmpeg -nostdin -v error -y -i "$images/$at" -vf "crop=$w:$h:$x:$y,scale=64:64:flags=area,format=gray" -f rawvideo "$work/tile" 2>/dev/null
    turn=$("$measure" turn "$work/picture" "$work/tile" 64)
    judge tiles "$(unlike "$turn")" "tile $n is another picture: $turn" is_same_picture "$turn"
    case $turn in *flat) ;; *) worst=$(printf '%s\n%s\n' "${worst/#* flat/0 1.000}" "$turn" | sort -k2 -g | head -n 1) ;; esac
    n=$((n + 1))
  done < <(grep xywh "$images/thumbnails.vtt")
  turn_text=$worst
  notes="$notes${notes:+; }poster, $n tiles"
}

wanted_end() { # status frames: done or refused
  case $clip in encrypted-* | vvc* | tiny-*) echo refused; return ;; esac
  case $pipeline in audio-only) echo done; return ;; esac
  case $2 in '' | - | N/A | 0) echo refused; return ;; esac
  case $clip in *cover-art*) echo refused; return ;; esac
  echo done
}
check_clip() { # name pipeline frames status: a row of the table
  clip=$1 pipeline=$2 notes="" missed_cap=0
  local wanted=$3 status=$4 want rc=0 r verdict=ok
  [ "$status" != "BROKEN: ok" ] || status=ok # damaged, and ffmpeg has nothing to say of it
  frames_text=- dt=- idr_text=- av_text=- turn_text=- ssim_text="" join_text=- colour_text=-
  source=$GOPMILL_TEST_MEDIA/$clip
  want=$(wanted_end "$status" "$wanted")
  rm -rf "$work/out" "$work"/joined-*
  : >"$work/times"
  timeout 900 "$bin/gopmill" transcode "$source" --out "$work/out" --pipeline "$yaml/$pipeline.yaml" --quiet >/dev/null 2>"$work/stderr" || rc=$?
  if [ "$want" = refused ]; then
    judge end - "exit $rc, not 3: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 3
    notes=$(grep -oE '\b(input|media|node|storage|gopmill|wire|usage|config)\.[a-z_]+' "$work/stderr" | head -n 1)
    verdict=refused
  else
    judge end - "exit $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  fi
  if [ "$rc" = 0 ] && [ "$pipeline" = thumbnails ]; then
    check_images
  elif [ "$rc" = 0 ] && [ "$want" = done ]; then
    renditions=$(jq -r '.renditions[].name' "$work/out/report.json")
    jq -r '.renditions[].resolved.chain // empty' "$work/out/report.json" | sed -n 's/.*:gm\([0-9]*\)$/media\t\1/p' | sort -u >>"$result"
    top_rung=${renditions%%$'\n'*}
    for r in $renditions; do
      joined "video/$r" >"$work/joined-$r.mp4"
    done
    if [ -n "$renditions" ]; then
      times_of "$work/joined-$top_rung.mp4" "$work/keys" >"$work/times"
      check_renditions
      check_frames "$wanted" "$status"
      check_idrs "$status"
      check_colour
      check_buffer
      case $status in ok*) check_turn ;; esac
    fi
    case $status:$pipeline in *:uncapped-*) ;; ok*) check_warnings; check_sound; check_mp4 ;; esac # sound knows no caps
    case $status:$pipeline in *:vod-watermark) ;; ok*) [ -z "$renditions" ] || check_ssim ;; esac
  fi
  (IFS=$'\t'; echo "row"$'\t'"$pipeline"$'\t'"$verdict"$'\t'"$frames_text"$'\t'"$dt"$'\t'"$idr_text"$'\t'"$av_text"$'\t'"$turn_text"$'\t'"${ssim_text:--}"$'\t'"$join_text"$'\t'"$colour_text"$'\t'"$notes") >>"$result"
}
write_table() { # file
  {
    echo "# Matrix"
    echo
    echo "Every real clip through the pipelines that apply, against ffmpeg and ffprobe: \`tests/matrix/run all --write\` wrote this page, all of it"
    echo "($checks checks, $failures failed), of $(cat "$results/program"), media version $(media_version)."
    echo "What the columns mean stands at the head of \`tests/matrix/run\`; exceptions, their ceilings and their reasons are in"
    echo "\`tests/matrix/exceptions.tsv\`. What is cut to keep it short, and where the rest is checked:"
    echo
    echo "- Ladders are 360 and 240, of \`vod-hevc\`, \`vod-vp9\` and \`vod-av1\` 240 and 144, of \`mp4-720p\` 360. \`full-...\` has every rung of the shipped pipeline: one"
    echo "  clip of 1080 lines for each, HDR10 for \`full-hdr10\`. \`tests/system/clips.sh all\` makes all rungs of \`vod-h264\` of every clip and compares"
    echo "  the number of pictures and that HLS and DASH play. Every rung's pictures, their times, its IDRs and its SSIM are compared; the table has the worst rung's."
    echo "- Without a column: which renditions and tracks there are, their sizes, channels, lengths and levels, pictures in all planes and in their order, the"
    echo "  grid of keyframes, the declared buffer, warnings of loss, MP4 files against segments, and the target of \`per-title\`. Of damaged clips also"
    echo "  that no more pictures are made than there are packets."
    echo "- A clip that is refused is so by \`inspect\`, with which every pipeline begins: it runs with \`vod-h264\` alone. So does the long clip, which is"
    echo "  as good as black. Of damaged clips only the number of pictures, the IDRs and the colour tags are compared, no times."
    echo "- \`uncapped-...\` is \`vod-...\`, \`per-title\` or \`mp4-720p\` without bit rate caps, run where a capped encode misses a limit of SSIM: without"
    echo "  them the limits must hold. What the whole file's encode does to the declared buffer, begun half full, stands in the notes then: a chunk"
    echo "  counts on half of it at its begin and leaves as much (ADR-0006); below 0 % the whole file breaks the cap. Sound is not compared again."
    echo "- \`per-title\`, \`vod-watermark\`, \`mp4-720p\` and \`thumbnails\` run on eight clips: ordinary with cuts, 5.1, rotated, late, of variable rate, odd,"
    echo "  interlaced, without a duration. The whole-file encode of \`per-title\` has the crf that was found. A watermark is compared with one that ffmpeg lays"
    echo "  over the whole file in \`tests/system/images.sh\`; of \`thumbnails\` the turn is that of the tile least like the source's picture of its time."
    echo
    echo "| clip | pipeline | result | frames | dt ms | IDR | A/V ms | turn | SSIM loss | join dB | colour | notes |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    sed 's/|/ | /g; s/^/| /; s/ *$/ |/' "$rows"
  } >"$1"
}
