# Shared by what looks at the dashboard of a real farm: sourced after ../system/lib.sh, not run.
export GOPMILL_NODE_MODULES
GOPMILL_NODE_MODULES=$("$top/tests/browser/setup" "$bin/../browser") || exit 77

# A farm whose API is on a port, as a browser wants it, which stays the same over a restart: its URL in $url. A pipeline
# `dashboard` of two small rungs lies beside it.
web_farm() { # folder
  farm "$1"
  stop scheduler
  sed 's/ladder: .*/ladder: [180, 144]/; s/^name: .*/name: dashboard/' "$top/config/pipelines/vod-h264.yaml" >"$at/dashboard.yaml"
  sed -i "s|^http:.*|http: \"127.0.0.1:0\"|; s|^pipelines:.*|pipelines: [\"$top/config/pipelines\", \"$at\"]|" "$at/scheduler.yaml"
  scheduler
  url=${ready#*http=}
  url=${url%% *}
  sed -i "s|^http:.*|http: \"${url#http://}\"|" "$at/scheduler.yaml"
}

# Pictures lie in $work/shots; they go to $dir, below 150 kB each.
small() { # file.png: as it is shown, in the colours that it has most of
  local colours
  for colours in 256 96 40; do
    ffmpeg -nostdin -v error -y -i "$work/shots/$1" -vf "split[a][b];[a]palettegen=max_colors=$colours:reserve_transparent=0[p];[b][p]paletteuse=dither=none" \
      -pix_fmt pal8 -pred none -compression_level 9 "$dir/$1" || return
    [ "$(stat -c %s "$dir/$1")" -gt 150000 ] || return 0
  done
  return 1
}
