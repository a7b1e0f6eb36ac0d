#!/usr/bin/env bash
# Ctrl-C: the job is cancelled, exit 5, no manifest and no process is left.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 60 1280x720 30
mkdir "$work/state"
"$bin/gopmill" transcode "$work/clip.mp4" --out "$work/out" --state "$work/state" >/dev/null 2>"$work/stderr" &
pid=$!
# the first segment says that encoding has begun
until [ -n "$(find "$work/out" -name 'seg-*.m4s' 2>/dev/null | head -n 1)" ]; do
  kill -0 $pid 2>/dev/null || { cat "$work/stderr"; fail "ended before the first segment"; finish; }
  sleep 0.05
done
nodes=$(cat "$work"/state/*.pid)
kill -INT $pid
rc=0
wait $pid || rc=$?
check "exit 5, got $rc: $(tail -n 2 "$work/stderr")" test "$rc" = 5
check "no manifest" test ! -e "$work/out/master.m3u8" -a ! -e "$work/out/manifest.mpd"
check "no segment is left: $(find "$work/out" -type f | head -n 2)" test -z "$(find "$work/out" -type f ! -name report.json ! -name .gm-store)"
check "the report says cancelled" jq -e '.job.state == "cancelled"' "$work/out/report.json" >/dev/null
for p in $nodes; do
  check "process $p is gone" is_gone "$p"
done

# A second farm makes the same again into the same folder and is interrupted: the first one's result stays whole.
small_pipeline "$work/small.yaml" 120
make_clip "$work/short.mp4" 20 640x360 25
check "a first result" gopmill transcode "$work/short.mp4" --out "$work/twice" --pipeline "$work/small.yaml"
sums() { find "$work/twice" -type f -exec sha256sum {} + | sort; }
sums >"$work/before"
"$bin/gopmill" transcode "$work/short.mp4" --out "$work/twice" --pipeline "$work/small.yaml" --state "$work/state2" >/dev/null 2>"$work/stderr" &
pid=$!
until grep -qs 'type.*encode\|task=video' "$work/state2/node-1.log"; do
  kill -0 $pid 2>/dev/null || break
  sleep 0.01
done
kill -INT $pid 2>/dev/null
rc=0
wait $pid || rc=$?
check "the second was cancelled, or was faster: $rc" test "$rc" = 5 -o "$rc" = 0
[ "$rc" = 0 ] || check "the first result is as it was: $(sums | diff "$work/before" - | head -n 3)" sh -c "cmp -s '$work/before' <<E
$(sums)
E"
check "it plays" plays "$work/twice/master.m3u8"
finish
