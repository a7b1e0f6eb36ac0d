# The checks of one clip in one pipeline: sourced by run. What is found out about a source is made once a clip and kept in
# $work/clip; a result lies in $work/out. $yaml has the pipelines, $result takes what was found.
measure=$bin/../tests/matrix_measure
exceptions=$here/../matrix/exceptions.tsv

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
unlike() { # "... correlation" of measure: 1 less it
  awk '{printf "%.3f", 1 - $NF}' <<<"$1"
}
is_at_most() { awk -v v="$1" -v l="$2" 'BEGIN {exit !(v + 0 <= l + 0)}'; }

# --- measuring ---
times_of() { # file: one line a decoded picture, s
  ffprobe -v error -threads 2 -select_streams v:0 -show_entries frame=best_effort_timestamp_time -of csv=p=0 "$1" 2>/dev/null | tr -d ',' | grep -v '^$'
}
idrs_of() { # file: times of sync samples, s
  ffprobe -v error -select_streams v:0 -show_entries packet=pts_time,flags -of csv=p=0 "$1" | awk -F, '/K/ {print $1}'
}
sound_of() { # file track zero_s out: mono f32 at 8 kHz whose first sample is at zero_s of the file's time line
  local file=$1 track=$2 zero=$3 out=$4
  ffmpeg -nostdin -v error -y -copyts -i "$file" -map "0:a:$track" \
    -af "asetpts=PTS-($zero)/TB,aresample=48000:async=1:first_pts=0:min_hard_comp=0.004,aformat=channel_layouts=mono,aresample=8000" -f f32le "$out" 2>/dev/null
}
picture_of() { # file times index out: 64x64 grey; by its time, as ffmpeg counts anew where the size changes
  local which
  which="gte(t\\,$(sed -n "$(($3 + 1))p" "$2")-0.0005)"
  case $which in *N/A*) which="eq(n\\,$3)" ;; esac
  ffmpeg -nostdin -v error -y -copyts -i "$1" -map 0:v:0 -vf "select=$which,scale=64:64:flags=area,format=gray" \
    -frames:v 1 -fps_mode passthrough -f rawvideo "$4" 2>/dev/null
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
over_buffer() { # file rate size: "bits_until_then bits_too_many" where a buffer that begins half full is lowest; nothing: it never is empty
  ffprobe -v error -select_streams v:0 -show_entries packet=dts_time,size -of csv=p=0 "$1" | awk -F, -v rate="$2" -v size="$3" '
    NR == 1 {at = $1; level = size / 2}
    {level += rate * ($1 - at); if (level > size) level = size; at = $1; level -= $2 * 8; bits += $2 * 8}
    level < low {low = level; then = bits}
    END {if (low < 0) printf "%d %d\n", then, -low}'
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
check_frames() { # wanted status: sets frames_text, and dt; a damaged clip's times are not compared, its pictures by count alone
  local wanted=$1 status=$2 made
  made=$(wc -l <"$work/times")
  frames_text=$made/$wanted
  case $status in
  ok*) judge frames - "$made pictures, not $wanted" test "$made" = "$wanted" ;;
  *) judge frames - "$made pictures, fewer than $wanted" test "$made" -ge "$wanted" && return ;;
  esac
  [ -s "$work/clip/times" ] || times_of "$source" >"$work/clip/times"
  if [ "$(wc -l <"$work/clip/times")" = "$made" ]; then
    dt=$(largest_dt_ms "$work/times" "$work/clip/times")
    [ "$dt" = - ] || judge times "$dt" "a picture is $dt ms from its time" is_at_most "$dt" 1
  fi
}
check_idrs() { # sets idr_text; every rung has the pictures of the top one, at their times
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
}
check_colour() { # sets colour_text
  local r said all=""
  for r in $renditions; do
    said=$(ffprobe -v error -select_streams v:0 -show_entries stream=color_primaries,color_transfer,color_space,color_range -of json "$work/joined-$r.mp4" |
      jq -r '.streams[0] | [.color_primaries, .color_transfer, .color_space, .color_range] | map(. // "unknown") | join("/")')
    judge colour - "$r is tagged $said" test "${said/unknown/}" = "$said"
    judge colour - "$r is tagged $said, not as the report says" test "$said" = "$(jq -r ".renditions[] | select(.name == \"$r\") | .colour | [.primaries, .transfer, .matrix, .range] | join(\"/\")" "$work/out/report.json")"
    case " $all " in *" $said "*) ;; *) all="$all $said" ;; esac
  done
  colour_text=$(sed 's/^ //; s/smpte170m/601/g; s/bt//g; s/smpte2084/pq/g; s/arib-std-b67/hlg/g' <<<"$all")
}
check_turn() { # sets turn_text
  local middle
  middle=$(($(wc -l <"$work/times") / 2))
  [ -s "$work/clip/picture" ] || picture_of "$source" "$work/clip/times" "$middle" "$work/clip/picture"
  picture_of "$work/joined-$top_rung.mp4" "$work/times" "$middle" "$work/picture"
  turn_text=$("$measure" turn "$work/clip/picture" "$work/picture" 64)
  judge turn "$(unlike "$turn_text")" "the picture is turned or another: $turn_text" is_same_picture "$turn_text"
  judge turned - "a turn is tagged still" test -z "$(ffprobe -v error -select_streams v:0 -show_entries stream_side_data=rotation -of csv=p=0 "$work/joined-$top_rung.mp4")"
  judge square - "pixels are square" test "$(ffprobe -v error -select_streams v:0 -show_entries stream=sample_aspect_ratio -of csv=p=0 "$work/joined-$top_rung.mp4" | head -n 1 | tr -d ,)" = 1:1
}
check_sound() { # sets av_text, join_text: the worst of all tracks
  local zero i tracks av="" joins=""
  tracks=$(jq '.audio | length' "$work/out/report.json")
  [ "$tracks" -gt 0 ] || return
  zero=$(head -n 1 "$work/clip/times" 2>/dev/null || true)
  if [ -z "$zero" ]; then # sound alone, or as many pictures as wanted were not there
    [ "$renditions" = "" ] || return
    zero=$(ffprobe -v error -select_streams a:0 -show_entries frame=pts_time -read_intervals %+1 -of csv=p=0 "$source" | head -n 1 | tr -d ,)
  fi
  for ((i = 0; i < tracks; i++)); do
    check_track "$i" "$zero"
    [ "$av_text" = quiet ] || av="$av$av_text"$'\n'
    [ "$join_text" = - ] || joins="$joins$join_text"$'\n'
  done
  av_text=$(awk 'function worse(a, b) {return (a < 0 ? -a : a) > (b < 0 ? -b : b) ? a : b}
    NF {b = worse($1, b); e = worse($2, e); n++} END {if (n) printf "%+.1f %+.1f", b, e; else printf "quiet"}' <<<"$av")
  join_text=$(sort -g <<<"$joins" | tail -n 1)
  join_text=${join_text:--}
  [ "$tracks" = 1 ] || notes="$notes${notes:+; }$tracks sound tracks"
}
check_track() { # number zero: sets av_text, join_text
  local number=$1 zero=$2 lag borders name theirs inside=0 limit=22 ours=$work/clip/sound-$1
  IFS=$'\t' read -r name theirs channels sample_rate bitrate < <(jq -r ".audio[$number] | [.name, .source_audio, .channels, .sample_rate, .bitrate_bps] | @tsv" "$work/out/report.json")
  join_text=-
  [ -s "$ours" ] || sound_of "$source" "$theirs" "$zero" "$ours"
  joined "audio/$name" >"$work/joined-$name.mp4"
  [ -e "$(echo "$work/out"/v/*/audio/"$name")" ] || inside=$number # of one file with all tracks
  sound_of "$work/joined-$name.mp4" "$inside" "$(head -n 1 "$work/times" | grep . || echo 0)" "$work/sound"
  lag=$("$measure" lag "$ours" "$work/sound" 8000)
  if [ "$lag" = - ]; then # as the source is, or nothing came
    judge sound - "$name: there is no sound to compare" is_at_most "$(stat -c %s "$ours")" "$(($(stat -c %s "$work/sound") + 6400))"
    judge sound - "$name: the source has no sound to compare" test -s "$ours"
    av_text=quiet
    return
  fi
  av_text=$(awk '{printf "%+.1f %+.1f", $1, $3}' <<<"$lag")
  judge av "$(awk '{a = $1 < 0 ? -$1 : $1; b = $2 < 0 ? -$2 : $2; print (a > b ? a : b)}' <<<"$av_text")" "$name: sound is $av_text ms late" are_within "$av_text" "$limit"
  judge sound "$(awk '{printf "%.3f", 1 - ($2 < $4 ? $2 : $4)}' <<<"$lag")" "$name: the sound is another, correlations $lag" \
    awk -v l="$lag" 'BEGIN {split(l, a, " "); exit !(a[2] > 0.7 && a[4] > 0.7)}'
  borders=$(segment_borders "audio/$name" "$work/idrs-$top_rung")
  if [ -z "$borders" ]; then
    judge join - "the video has segments, the sound has not" test -z "$(segment_borders "video/$top_rung" "$work/idrs-$top_rung")"
    return
  fi
  # one encode of the whole, with the same encoder and settings
  if [ ! -s "$work/clip/whole-$number-$channels-$bitrate" ]; then
    ffmpeg -nostdin -v error -y -copyts -i "$source" -map "0:a:$theirs" -af "asetpts=PTS-($zero)/TB,aresample=48000:async=1:first_pts=0:min_hard_comp=0.004" -ac "$channels" -ar "$sample_rate" \
      -c:a aac -b:a "$bitrate" "$work/clip/whole.m4a" 2>/dev/null
    sound_of "$work/clip/whole.m4a" 0 0 "$work/clip/whole-$number-$channels-$bitrate"
  fi
  # shellcheck disable=SC2086
  join_text=$("$measure" joins "$ours" "$work/sound" "$work/clip/whole-$number-$channels-$bitrate" 8000 $borders) || join_text=""
  [ -n "$join_text" ] || { judge join - "$name: sound at borders was not measured" false; return; }
  [ "$join_text" != - ] || return
  # silence, a gap, a cut or a repeat of 2 ms and more at a border makes 16 dB and more
  judge join "${join_text% *}" "$name: at a segment border the sound is off by $join_text dB" \
    awk -v t="$join_text" 'BEGIN {split(t, a, " "); exit !(a[1] <= 3 || (a[1] <= a[2] + 3 && a[1] <= 6))}'
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
      times_of "$work/joined-$top_rung.mp4" >"$work/times"
      check_frames "$wanted" "$status"
      check_idrs
      check_colour
      case $status in ok*) check_turn ;; esac
    fi
    case $status:$pipeline in *:uncapped-*) ;; ok*) check_sound ;; esac # sound knows no caps
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
