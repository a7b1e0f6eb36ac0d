#!/usr/bin/env bash
# Sources on a web server: the same bytes as from a file, little more fetched than there is, and what is refused.
. "$(dirname "$0")/lib.sh"

serve=$bin/../tests/range_serve
need_built range_serve
mkdir "$work/www"
make_clip "$work/www/clip.mp4" 20 640x360 25 -b:v 2M
make_clip "$work/www/mkv.mkv" 8 320x240 25
small_pipeline "$work/small.yaml" 240
web() { # name [no-ranges]: serves $work/www; its port in $port
  mkfifo "$work/$1.port"
  "$serve" "$work/www" "$work/$1.log" "${@:2}" >"$work/$1.port" 9>&- &
  read -r port <"$work/$1.port"
}
web plain
good=http://127.0.0.1:$port
web whole no-ranges
whole=http://127.0.0.1:$port

farm_options="allow_sources: [\"/\", \"$good\", \"$whole/\"]" farm web
node one
sent() { awk '{ n += $2 } END { print n + 0 }' "$work/$1.log"; } # server: bytes of bodies
same() { # what folder folder
  tree_hash "$3" >"$work/b"
  check "$1: same bytes as from a file" cmp -s "$work/b" <(tree_hash "$2")
  check "$1: something was made" test -s "$work/b"
}
for clip in clip.mp4 mkv.mkv; do
  check "$clip as a file" gopmill submit "$work/www/$clip" --out "$work/file-$clip" --pipeline "$work/small.yaml" --watch >"$work/out" 2>&1
  before=$(sent plain)
  check "$clip by ranges" gopmill submit "$good/$clip?token=abc" --out "$work/web-$clip" --pipeline "$work/small.yaml" --watch >"$work/out" 2>&1
  same "$clip by ranges" "$work/file-$clip" "$work/web-$clip"
  got=$(($(sent plain) - before)) size=$(stat -c %s "$work/www/$clip")
  echo "$clip: $got bytes fetched of $size" >&9
  check "$clip: it was fetched once" test "$got" -le $((size + 1))
done
check "ranges were asked for" grep -q '^206 ' "$work/plain.log"
check "without ranges" gopmill submit "$whole/clip.mp4" --out "$work/web-whole" --pipeline "$work/small.yaml" --watch >"$work/out" 2>&1
same "without ranges" "$work/file-clip.mp4" "$work/web-whole"
check "nothing secret is logged" sh -c "! grep -rqs token=abc '$at/scheduler.log' '$at/one.log'"

check "a missing one is refused" status 3 gopmill submit "$good/none.mp4?token=abc" --out "$work/o" --pipeline "$work/small.yaml"
check "it says so" said "input.missing"
check "its query is not told" sh -c "! grep -q token=abc '$work/out'"
check "what no entry allows is refused" status 1 gopmill submit "http://127.0.0.2:$port/clip.mp4" --out "$work/o" --pipeline "$work/small.yaml"
check "it says so" said "allow_sources"

# Another file of that name, in the middle of a job.
stop one
id=$(gopmill submit "$good/clip.mp4" --out "$work/changed" --pipeline "$work/small.yaml")
cp "$work/www/mkv.mkv" "$work/www/clip.mp4"
node one
check "a source that changed fails its job" sh -c "! '$bin/gopmill' watch $id >/dev/null 2>&1"
check "as one that changed" sh -c "'$bin/gopmill' job show $id --json | grep -q input.changed"
finish
