# What a source and a pipeline let one expect, by ffprobe and the pipeline's file: sourced by checks.sh. Nothing here reads a report.

source_facts() { # $work/clip/facts, made once: width height sample_aspect turned pixels primaries transfer matrix; tags of the stream win over the container's
  [ -s "$work/clip/facts" ] || ffprobe -v error -select_streams v:0 -read_intervals %+#1 -show_entries stream=width,height,sample_aspect_ratio,pix_fmt,color_primaries,color_transfer,color_space:stream_side_data=rotation:frame=width,height,color_primaries,color_transfer,color_space -of json "$source" 2>/dev/null |
    jq -r '.streams[0] as $s | (.frames[0] // {}) as $f | def tag(k): ([$f[k], $s[k]] | map(select(. != null and . != "unknown" and . != "unspecified" and . != "reserved")) | .[0]) // "-";
      [$f.width // $s.width, $f.height // $s.height, $s.sample_aspect_ratio // "1:1", ([$s.side_data_list[]?.rotation | select(. != null)] | ((.[0] // 0) / 90 | round) % 2 | fabs), $s.pix_fmt,
       tag("color_primaries"), tag("color_transfer"), tag("color_space")] | @tsv' >"$work/clip/facts"
  cat "$work/clip/facts"
}
wanted_renditions() { # ladder: "width height" a line: square pixels, upright, no rung above the source; below the ladder its own size
  source_facts | awk -v ladder="$1" '
    {split($3, a, ":"); num = a[1] > 0 ? a[1] : 1; den = a[2] > 0 ? a[2] : 1
     w = num > den ? $1 * num / den : $1; h = num < den ? $2 * den / num : $2
     if ($4) {t = w; w = h; h = t}
     short = w < h ? w : h; long = w < h ? h : w
     n = split(ladder, side, /, */)
     for (i = 1; i <= n; i++) if (side[i] <= short + 1e-6) {
       other = 2 * int(long * side[i] / short / 2 + 0.5)
       print (w < h ? side[i] " " other : other " " side[i]); made++
     }
     if (!made) print 2 * int(w / 2), 2 * int(h / 2)}'
}
wanted_tracks() { # channels of each sound track, a line: the first eight that have a decoder here
  grep -qE 'type: *audio\b' "$yaml/$pipeline.yaml" || return 0
  ffprobe -v error -select_streams a -show_entries stream=codec_name,channels -of json "$source" 2>/dev/null |
    jq -r '[.streams[] | select(.codec_name != null and .codec_name != "none" and .channels > 0)][:8][] | if .channels > 2 then 2 else .channels end'
}
wanted_colour() { # short_side: primaries/transfer/matrix/range, as docs/colour.md has it
  local keep=0
  grep -q 'hdr: keep' "$yaml/$pipeline.yaml" && ! grep -qE "^ *$1: .*codec: h264" "$yaml/$pipeline.yaml" && keep=1
  source_facts | awk -v keep="$keep" '
    function of_size(w, h) {return w >= 1280 || h > 576 ? "bt709" : h == 576 || h == 288 ? "bt470bg" : "smpte170m"}
    function is_plain(v) {return v == "bt709" || v == "bt470bg" || v == "smpte170m"}
    {p = $6; t = $7; m = $8; hdr = t == "smpte2084" || t == "arib-std-b67"; rgb = $5 ~ /rgb|bgr|gbr|pal8/
     if (p == "-" && hdr) p = "bt2020"
     if (rgb) m = "gbr"
     else if (m == "-" || m == "gbr") m = p == "bt2020" ? "bt2020nc" : is_plain(p) || p == "smpte240m" ? p : of_size($1, $2)
     if (p == "-") p = m == "bt470bg" || m == "smpte170m" || m == "smpte240m" ? m : m ~ /2020|ictcp/ ? "bt2020" : m == "fcc" ? "smpte170m" : "bt709"
     if (t == "-") t = p == "bt470bg" || p == "smpte170m" ? "smpte170m" : p == "smpte240m" ? p : p == "bt2020" ? "bt2020-10" : "bt709"
     if (keep && p == "bt2020" && (m == "bt2020nc" || m == "gbr")) m = "bt2020nc"
     else if (!(is_plain(p) || p == "smpte240m") || hdr || t ~ /linear|log/ || !(is_plain(m) || m == "gbr")) p = t = m = "bt709"
     else {if (m == "gbr") m = "bt709"; if (t ~ /^bt2020/) t = "bt709"}
     print p "/" t "/" m "/tv"}'
}
wanted_idrs() { # constant|variable <times: the pictures (from 0) that begin a GOP of 2 s
  awk -v constant="$([ "$1" = constant ] && echo 1 || echo 0)" '
    {t[NR] = $1 - (NR == 1 ? 0 : first); if (NR == 1) {first = $1; t[1] = 0}}
    END {
      rate = NR > 1 && t[NR] > 0 ? (NR - 1) / t[NR] : 1
      gop = int(2 * rate + 0.5); if (gop < 1) gop = 1
      for (i = 1; i <= NR; i++) {
        g = constant ? int(int(t[i] * rate + 0.5) / gop) : int((t[i] + 0.00001) / 2)
        if (i == 1 || g != last) print i - 1
        last = g
      }
    }'
}
wanted_sound_s() { # file_of_source_sound zero: "least most" seconds that a track may have: to the sound's end, or the pictures' where that is later (ADR-0014)
  awk -v bytes="$(stat -c %s "$1")" -v zero="$2" '
    $1 != "N/A" {before = last; last = $1 - zero; n++}
    END {s = bytes / 32000; end = n > 1 ? last + (last - before) : last
      printf "%.3f %.3f\n", (s > last ? s : last) - 0.2, (s > end ? s : end) + 0.2}' <(cat "$work/clip/times" 2>/dev/null)
}
