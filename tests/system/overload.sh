#!/usr/bin/env bash
# The disk under the scheduler's state stands still, and submissions go on: what waits for it is bounded, who comes too late is told when to
# come again, others are answered, and all that was taken is there when the disk goes on.
. "$(dirname "$0")/lib.sh"

bound_mb=${GOPMILL_OVERLOAD_MB:-320} # 32 MiB wait, each as text, as bytes, in the job and in its row; and 128 MiB of bodies may be under way
tools=$bin/../tests
need_built libpower_shim.so
make_clip "$work/clip.mp4" 2 160x90 10
small_pipeline "$work/small.yaml" 90
sed -i 's/preset: ultrafast/preset: ultrafast, watermark: { image: noise.png }/' "$work/small.yaml"
ffmpeg -v error -y -f lavfi -i "nullsrc=s=600x600,geq=random(1)*255:random(2)*255:random(3)*255" -frames:v 1 "$work/noise.png" # a megabyte, stored with the job
base64 -w 0 "$work/noise.png" >"$work/noise"
mkdir "$work/log.d"
export LD_PRELOAD=$tools/libpower_shim.so POWER_LOG=$work/log POWER_FOLDERS=$work/main/s POWER_HANG=$work/hangs
farm_options="max_jobs: 200" farm main
unset LD_PRELOAD POWER_LOG POWER_FOLDERS POWER_HANG
api() { curl -s -m 300 --unix-socket "$at/http" "$@"; }
jq -n --rawfile yaml "$work/small.yaml" --rawfile noise "$work/noise" --arg source "file://$work/clip.mp4" --arg out "file://$at/out-@N@" \
  '{pipeline: {yaml: $yaml, name: "small", assets: {"noise.png": $noise}}, source: $source, destination: $out}' >"$work/request"
submit() { # number
  sed "s/@N@/$1/" "$work/request" | api -d @- -o /dev/null -D "$work/head-$1" -w '%{http_code}\n' http://x/v1/jobs
}
refused() { grep -lE '^HTTP/1.1 429' "$work"/head-* 2>/dev/null; }
is_refused() { [ -n "$(refused)" ]; }

rss_mb() { echo $(($(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(pid scheduler)/status") / 1024)); }
before=$(rss_mb)
slow="" # who follow all events and take none of them
for _ in {1..32}; do
  curl -s -N -m 300 --unix-socket "$at/http" http://x/v1/events >/dev/null &
  slow="$slow $!"
done
sleep 0.5
kill -STOP $slow
touch "$work/hangs"
asked=0 clients=""
until is_refused || [ $asked = 100 ]; do # each adds a megabyte
  asked=$((asked + 1))
  submit $asked >>"$work/codes" &
  clients="$clients $!"
  sleep 0.1
done
until_true "who comes too late is refused" is_refused && # of a busy machine: the last ones are still on their way
  check "and told when to come again" grep -qiE '^Retry-After: [0-9]+' $(refused)
check "not before 32 MiB wait: $asked" test "$asked" -gt 30
check "nobody else has an answer: $(grep -v 429 "$work/codes")" test -z "$(grep -v 429 "$work/codes")"
check "it answers what needs no disk" test "$(api http://x/livez | jq -r .live)" = true
grown=$(($(rss_mb) - before))
echo "$asked submissions of 1 MB, $grown MB more in the scheduler"
check "its memory grew by no more than what may wait: $grown MB, $bound_mb are allowed" test "$grown" -le "$bound_mb"
rm "$work/hangs"
wait $clients
check "all that was taken is stored" test "$(grep -c '^201' "$work/codes")" = $((asked - $(refused | wc -l)))
check "the others were refused: $(sort "$work/codes" | uniq -c | tr '\n' ' ')" test "$(grep -c '^429' "$work/codes")" = "$(refused | wc -l)"
kill -CONT $slow
kill $slow
grown=$(($(rss_mb) - before))
check "and when all is stored: $grown MB" test "$grown" -le "$bound_mb"
check "and it takes more" test "$(submit again)" = 201
finish
