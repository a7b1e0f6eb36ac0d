# The checks of one clip in one pipeline: sourced by run. What is found out about a source is made once a clip and kept in
# $work/clip; a result lies in $work/out.
measure=$bin/../tests/matrix_measure
exceptions=$here/../matrix/exceptions.tsv
used=$work/used-exceptions
: >"$used"

# --- judging ---
excepted() { # clip pipeline check: the reason, where this may fail
  awk -F'\t' -v c="$1" -v p="$2" -v k="$3" '!/^#/ && $1 == c && ($2 == p || $2 == "*") && $3 == k {print $4; found = 1} END {exit !found}' "$exceptions"
}
judge() { # check sentence command...: fails the clip, or is an exception that is named
  local key=$1 sentence=$2 reason
  shift 2
  checks=$((checks + 1))
  "$@" && return
  if reason=$(excepted "$clip" "$pipeline" "$key"); then
    printf '%s\t%s\n' "$clip" "$key" >>"$used"
    notes="$notes${notes:+; }$key: $reason"
    verdict=except
  else
    fail "$clip $pipeline: $sentence"
    notes="$notes${notes:+; }FAILED $key"
    verdict=FAILED
  fi
}
unused_exceptions() { # an exception that nothing needs is out of date; told of only when all clips were run
  [ "$set_name" = all ] && [ "$only" = "  " ] || return
  local c p key reason
  while IFS=$'\t' read -r c p key reason; do
    case $c in '' | '#'*) continue ;; esac
    check "exceptions.tsv: $c $key is needed" grep -qxF "$c"$'\t'"$key" "$used"
  done <"$exceptions"
}
is_within() { # value limit
  awk -v v="$1" -v l="$2" 'BEGIN {v += 0; exit !(v <= l && v >= -l)}'
}
is_at_most() { awk -v v="$1" -v l="$2" 'BEGIN {exit !(v + 0 <= l + 0)}'; }

# --- measuring ---
times_of() { # file: one line a decoded picture, s
  ffprobe -v error -threads 2 -select_streams v:0 -show_entries frame=best_effort_timestamp_time -of csv=p=0 "$1" 2>/dev/null | tr -d ',' | grep -v '^$'
}
idrs_of() { # file: times of sync samples, s
  ffprobe -v error -select_streams v:0 -show_entries packet=pts_time,flags -of csv=p=0 "$1" | awk -F, '/K/ {print $1}'
}
sound_of() { # file zero_s out [options]: mono f32 at 8 kHz whose first sample is at zero_s of the file's time line
  local file=$1 zero=$2 out=$3
  shift 3
  ffmpeg -nostdin -v error -y -copyts -i "$file" -map 0:a:0 "$@" \
    -af "asetpts=PTS-($zero)/TB,aresample=48000:async=1:first_pts=0:min_hard_comp=0.004,aformat=channel_layouts=mono,aresample=8000" -f f32le "$out" 2>/dev/null
}
picture_of() { # file index out [options]: 64x64 grey
  local file=$1 index=$2 out=$3
  shift 3
  ffmpeg -nostdin -v error -y "$@" -i "$file" -map 0:v:0 -vf "select=eq(n\\,$index),scale=64:64:flags=area,format=gray" \
    -frames:v 1 -fps_mode passthrough -f rawvideo "$out" 2>/dev/null
}
largest_dt_ms() { # ours theirs: of times since the first picture
  paste "$1" "$2" | awk 'NR == 1 {a = $1; b = $2} $2 == "N/A" {next} {n++} {d = ($1 - a) - ($2 - b); if (d < 0) d = -d; if (d > m) m = d} END {if (n > 1) printf "%.2f", m * 1000; else printf "-"}'
}
borders_of() { # media.m3u8: where its segments begin but the first, s since its start
  awk -F'[:,]' '/^#EXTINF/ {if (n++) print t; t += $2}' "$1"
}

# --- SSIM of the chunked encode against one encode of the whole ---
whole_encode() { # rendition lossless idrs out: with the settings that the report names
  local r=$1 input=$2 idrs=$3 out=$4 encode maxrate caps=()
  encode=$(jq -r ".renditions[] | select(.name == \"$r\") | .resolved" "$work/out/report.json")
  maxrate=$(jq -r .maxrate_bps <<<"$encode")
  [ "$maxrate" = 0 ] || caps=(-maxrate "$maxrate" -bufsize "$(jq -r .bufsize_bits <<<"$encode")")
  [ "$(wc -l <"$work/times")" -ge 24 ] || caps+=(-bf 0)
  ffmpeg -nostdin -v error -y -i "$input" -map 0:v:0 -c:v libx264 -preset "$(jq -r .encode.preset <<<"$encode")" \
    -crf "$(jq -r .encode.crf <<<"$encode")" "${caps[@]}" -forced-idr 1 \
    -force_key_frames "$(awk 'NR == FNR {if (FNR == 1) z = $1; next} {printf "%s%.6f", (FNR > 1 ? "," : ""), $1}' "$work/times" "$idrs")" \
    -x264-params cpu-independent=1:stitchable=1:scenecut=0:keyint=infinite:open-gop=0:threads=1:lookahead-threads=1:sync-lookahead=0 \
    -fps_mode passthrough -enc_time_base 1:"$(jq -r .plan.timescale "$work/out/report.json")" "$out" 2>/dev/null
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
check_frames() { # wanted status: sets frames_text, dt
  local wanted=$1 status=$2 made
  made=$(wc -l <"$work/times")
  frames_text=$made/$wanted
  case $status in
  ok*) judge frames "$made pictures, not $wanted" test "$made" = "$wanted" ;;
  *) judge frames "$made pictures, fewer than $wanted" test "$made" -ge "$wanted" && return ;;
  esac
  [ -s "$work/clip/times" ] || times_of "$source" >"$work/clip/times"
  if [ "$(wc -l <"$work/clip/times")" = "$made" ]; then
    dt=$(largest_dt_ms "$work/times" "$work/clip/times")
    [ "$dt" = - ] || judge times "a picture is $dt ms from its time" is_at_most "$dt" 1
  fi
}
check_idrs() { # sets idr_text
  local r first="" same="="
  for r in $renditions; do
    idrs_of "$work/joined-$r.mp4" >"$work/idrs-$r"
    [ -n "$first" ] || first=$r
    cmp -s "$work/idrs-$first" "$work/idrs-$r" || same="!"
    judge frames "$r has as many pictures as $first" test "$(ffprobe -v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$work/joined-$r.mp4" | tr -d ',')" = "$(wc -l <"$work/times")"
  done
  idr_text="$(wc -l <"$work/idrs-$first")$same"
  judge idr "the renditions' IDRs differ" test "$same" = "="
}
check_colour() { # sets colour_text
  local r said all=""
  for r in $renditions; do
    said=$(ffprobe -v error -select_streams v:0 -show_entries stream=color_primaries,color_transfer,color_space,color_range -of json "$work/joined-$r.mp4" |
      jq -r '.streams[0] | [.color_primaries, .color_transfer, .color_space, .color_range] | map(. // "unknown") | join("/")')
    judge colour "$r is tagged $said" test "${said/unknown/}" = "$said"
    judge colour "$r is tagged $said, not as the report says" test "$said" = "$(jq -r ".renditions[] | select(.name == \"$r\") | .colour | [.primaries, .transfer, .matrix, .range] | join(\"/\")" "$work/out/report.json")"
    case " $all " in *" $said "*) ;; *) all="$all $said" ;; esac
  done
  colour_text=$(sed 's/^ //; s/smpte170m/601/g; s/bt//g; s/smpte2084/pq/g; s/arib-std-b67/hlg/g' <<<"$all")
}
check_turn() { # sets turn_text
  local middle
  middle=$(($(wc -l <"$work/times") / 2))
  [ -s "$work/clip/picture" ] || picture_of "$source" "$middle" "$work/clip/picture"
  picture_of "$work/joined-$top_rung.mp4" "$middle" "$work/picture"
  [ -s "$work/clip/picture" ] && [ -s "$work/picture" ] || return
  turn_text=$("$measure" turn "$work/clip/picture" "$work/picture" 64)
  judge turn "the picture is turned or another: $turn_text" test "${turn_text%% *}" = 0
  judge turn "the picture is another: $turn_text" awk -v t="$turn_text" 'BEGIN {split(t, a, " "); exit !(a[2] > 0.9 || a[2] == 0)}'
  judge turn "a turn is tagged still" test -z "$(ffprobe -v error -select_streams v:0 -show_entries stream_side_data=rotation -of csv=p=0 "$work/joined-$top_rung.mp4")"
  judge turn "pixels are square" test "$(ffprobe -v error -select_streams v:0 -show_entries stream=sample_aspect_ratio -of csv=p=0 "$work/joined-$top_rung.mp4" | head -n 1 | tr -d ,)" = 1:1
}
check_sound() { # sets av_text, join_text
  local zero lag borders limit=22
  [ "$(jq '.audio | length' "$work/out/report.json")" -gt 0 ] || return
  zero=$(head -n 1 "$work/clip/times" 2>/dev/null || true)
  if [ -z "$zero" ]; then # sound alone, or as many pictures as wanted were not there
    [ "$renditions" = "" ] || return
    zero=$(ffprobe -v error -select_streams a:0 -show_entries frame=pts_time -read_intervals %+1 -of csv=p=0 "$source" | head -n 1 | tr -d ,)
  fi
  [ -s "$work/clip/sound" ] || sound_of "$source" "$zero" "$work/clip/sound"
  join_rendition "$(echo "$work/out"/v/*/audio/a0)" >"$work/joined-a0.mp4"
  sound_of "$work/joined-a0.mp4" "$(head -n 1 "$work/times" | grep . || echo 0)" "$work/sound"
  lag=$("$measure" lag "$work/clip/sound" "$work/sound" 8000)
  [ "$lag" != - ] || { av_text=quiet; return; }
  av_text=$(awk '{printf "%+.1f %+.1f", $1, $3}' <<<"$lag")
  judge av "sound is $av_text ms late" is_within "${av_text% *}" "$limit"
  judge av "sound is $av_text ms late" is_within "${av_text#* }" "$limit"
  judge sound "the sound is another, correlations $lag" awk -v l="$lag" 'BEGIN {split(l, a, " "); exit !(a[2] > 0.7 && a[4] > 0.7)}'
  borders=$(borders_of "$(echo "$work/out"/v/*/audio/a0)/media.m3u8")
  [ -n "$borders" ] || return
  if [ ! -s "$work/clip/sound-whole" ]; then
    ffmpeg -nostdin -v error -y -copyts -i "$source" -map 0:a:0 -af "asetpts=PTS-($zero)/TB,aresample=48000:async=1:first_pts=0:min_hard_comp=0.004" -ac 2 \
      -c:a aac -b:a 128k "$work/clip/whole.m4a" 2>/dev/null
    sound_of "$work/clip/whole.m4a" 0 "$work/clip/sound-whole"
  fi
  # shellcheck disable=SC2086
  join_text=$("$measure" joins "$work/clip/sound" "$work/sound" "$work/clip/sound-whole" 8000 $borders)
  [ "$join_text" != - ] || return
  judge join "at a segment border the sound is off by $join_text dB" awk -v t="$join_text" 'BEGIN {split(t, a, " "); exit !(a[1] <= 3 || a[1] <= a[2] + 3)}'
}
check_ssim() { # sets ssim_text: the worst of all renditions
  local r losses mean worst
  case $pipeline in vod-h264 | uncapped) ;; *) return ;; esac
  rm -rf "$work/lossless"
  gopmill transcode "$source" --out "$work/lossless" --pipeline "$work/lossless.yaml" --quiet >/dev/null 2>&1 ||
    { judge ssim "the lossless pipeline fails" false; return; }
  for r in $renditions; do
    join_rendition "$(echo "$work/lossless"/v/*/video/"$r")" >"$work/lossless.mp4"
    borders_of "$(echo "$work/out"/v/*/video/"$r")/media.m3u8" >"$work/borders"
    losses=""
    whole_encode "$r" "$work/lossless.mp4" "$work/idrs-$r" "$work/whole.mp4" &&
      losses=$(ssim_losses "$work/lossless.mp4" "$work/joined-$r.mp4" "$work/whole.mp4" "$work/borders")
    [ -n "$losses" ] || { judge ssim "$r: no SSIM" false; continue; }
    mean=${losses% *} worst=${losses#* }
    judge ssim "$r loses $mean SSIM on the mean" is_at_most "$mean" 0.002
    [ "$worst" = - ] || judge ssim-join "$r loses $worst SSIM near a border" is_at_most "$worst" 0.005
    ssim_text=$(printf '%s\n%s\n' "$ssim_text" "$mean $worst" | awk 'NF {if (!n++ || $1 > m) m = $1; if ($2 != "-" && (w == "" || $2 > w)) w = $2} END {print m, (w == "" ? "-" : w)}')
  done
}

wanted_end() { # status frames: done or refused
  case $clip in encrypted-* | vvc* | tiny-*) echo refused; return ;; esac
  case $pipeline in audio-only) echo done; return ;; esac
  case $2 in '' | - | N/A | 0) echo refused; return ;; esac
  case $clip in *cover-art*) echo refused; return ;; esac
  echo done
}
check_clip() { # name pipeline frames status: a row of the table
  clip=$1 pipeline=$2 verdict=ok notes=""
  local wanted=$3 status=$4 want rc=0 r
  frames_text=- dt=- idr_text=- av_text=- turn_text=- ssim_text="" join_text=- colour_text=-
  source=$GOPMILL_TEST_MEDIA/$clip
  want=$(wanted_end "$status" "$wanted")
  rm -rf "$work/out" "$work"/joined-*
  : >"$work/times"
  timeout 900 "$bin/gopmill" transcode "$source" --out "$work/out" --pipeline "$work/$pipeline.yaml" --quiet >/dev/null 2>"$work/stderr" || rc=$?
  if [ "$want" = refused ]; then
    judge end "exit $rc, not 3: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 3
    notes=$(grep -oE '\b(input|media|node|storage|gopmill|wire|usage|config)\.[a-z_]+' "$work/stderr" | head -n 1)
    [ "$verdict" != ok ] || verdict=refused
  else
    judge end "exit $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  fi
  if [ "$rc" = 0 ] && [ "$want" = done ]; then
    renditions=$(jq -r '.renditions[].name' "$work/out/report.json")
    top_rung=${renditions%%$'\n'*}
    for r in $renditions; do
      join_rendition "$(echo "$work/out"/v/*/video/"$r")" >"$work/joined-$r.mp4"
    done
    if [ -n "$renditions" ]; then
      times_of "$work/joined-$top_rung.mp4" >"$work/times"
      check_frames "$wanted" "$status"
      check_idrs
      check_colour
      case $status in ok*) check_turn ;; esac
    fi
    case $status in ok*) check_sound ;; esac
    case $status in ok*) [ -z "$renditions" ] || check_ssim ;; esac
  fi
  row "$clip" "$pipeline" "$verdict" "$frames_text" "$dt" "$idr_text" "$av_text" "$turn_text" "${ssim_text:--}" "$join_text" "$colour_text" "$notes"
}
write_table() { # file
  {
    echo "# Matrix"
    echo
    echo "Every real clip through the pipelines that apply, against ffmpeg and ffprobe: \`tests/matrix/run all --write\` made this page"
    echo "($checks checks, $failures failed). What the columns mean stands at the head of \`tests/matrix/run\`; exceptions and their reasons"
    echo "are in \`tests/matrix/exceptions.tsv\`. Ladders are cut to 360 and 240; \`tests/system/clips.sh all\` runs the full ones."
    echo
    echo "| clip | pipeline | result | frames | dt ms | IDR | A/V ms | turn | SSIM loss | join dB | colour | notes |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    sed 's/|/ | /g; s/^/| /; s/ *$/ |/' "$rows"
  } >"$1"
}
