#!/usr/bin/env bash
# What is gained where work begins before a file is sent: seconds from its last byte to the manifest, with overlap (`gopmill submit FILE`) and without
# (`gopmill upload`, then a job), over a link of so many bytes a second; by turns, on an idle machine.
#   tests/bench/upload.sh [SECONDS [RATE [ROUNDS]]]     of the film (90), bytes a second of the link (1000000), rounds (3)
. "$(dirname "$0")/../system/lib.sh"
. "$here/s3_lib.sh"
seconds=${1:-90} rate=${2:-1000000} rounds=${3:-3}

need_built tcp_fault
need_s3
export XDG_STATE_HOME=$work/state no_proxy="127.0.0.1,localhost"
make_clip "$work/film.mp4" "$seconds" 1280x720 25 -g 50 -b:v 4M -minrate 4M -maxrate 4M -bufsize 4M -x264-params nal-hrd=cbr -movflags +faststart
small_pipeline "$work/p.yaml" "720, 360"
s3_bucket sent
s3_keys_file "$work/s3.keys"
echo "link $rate" >"$work/link"
mkfifo "$work/link.port"
"$bin/../tests/tcp_fault" "${s3_endpoint##*:}" "$work/link" >"$work/link.port" 2>"$work/link.log" 9>&- &
IFS= read -r link <"$work/link.port" || fail "tcp_fault: $(cat "$work/link.log")"
node_options="devices: off"
farm_options="storage: [\"s3://* endpoint=http://127.0.0.1:$link region=$s3_region style=path keys=$work/s3.keys\"]
uploads: s3://sent" lease_ms=20000 farm up
node n1

after() { # out: seconds from $ended to its manifest
  until_true "$1: the manifest" test -e "$1/manifest.mpd"
  echo "$ended $(stat -c %.9Y "$1/manifest.mpd")" | awk '{ printf "%.2f", $2 - $1 }'
}
say() { echo "$*"; }
for ((i = 1; i <= rounds; i++)); do
  cp "$work/film.mp4" "$work/film$i.mp4"
  began=$(date +%s.%N)
  id=$(gopmill upload --quiet "$work/film$i.mp4") || fail "upload"
  ended=$(date +%s.%N)
  gopmill submit --quiet "$id" --out "$at/plain$i" --pipeline "$work/p.yaml" >/dev/null || fail "submit"
  plain=$(after "$at/plain$i")
  sent=$(echo "$began $ended" | awk '{ printf "%.1f", $2 - $1 }')
  rm -rf "$work/film$i.mp4"
  cp "$work/film.mp4" "$work/film$i.again.mp4"
  gopmill submit --quiet "$work/film$i.again.mp4" --out "$at/overlap$i" --pipeline "$work/p.yaml" >/dev/null || fail "submit of a file"
  ended=$(date +%s.%N)
  overlap=$(after "$at/overlap$i")
  check "the same bytes" test "$(tree_hash "$at/plain$i")" = "$(tree_hash "$at/overlap$i")"
  say "round $i: sent in $sent s; last byte to manifest: $plain s without overlap, $overlap s with it: $(echo "$plain $overlap" | awk '{ printf "%.2f", $2 / $1 }')"
  rm -rf "$at/plain$i" "$at/overlap$i" "$work/film$i.again.mp4"
done
stop n1
stop scheduler
finish
