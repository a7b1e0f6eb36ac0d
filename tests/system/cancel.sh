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
check "no segment is left: $(find "$work/out" -type f | head -n 2)" test -z "$(find "$work/out" -type f ! -name report.json)"
check "the report says cancelled" jq -e '.job.state == "cancelled"' "$work/out/report.json" >/dev/null
for p in $nodes; do
  check "process $p is gone" is_gone "$p"
done
finish
