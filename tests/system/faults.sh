#!/usr/bin/env bash
# What goes wrong around a farm, on purpose: each job must end with the undisturbed bytes, or failed with the
# right code, with nothing but its report in its folder; nothing stays in the work store.
. "$(dirname "$0")/lib.sh"

crash() {
  kill -9 "$(pid "$1")"
  wait "$(pid "$1")" 2>/dev/null
}
has_segment() { [ -n "$(find "$1" -name 'seg-*.m4s' 2>/dev/null | head -n 1)" ]; }
is_empty() { [ -z "$(find "$at/work" -type f ! -name .gm-store 2>/dev/null)" ]; }
submit() { # source name: id in $id, output in $out; returns when it encodes
  out=$at/out-$2
  id=$("$bin/gopmill" submit "$1" --out "$out" 2>"$work/stderr") || fail "submit: $(cat "$work/stderr")"
  [ "${3:-}" = now ] || until_true "a segment in $out" has_segment "$out"
}
ends() { # name exit-code [error-code]
  local rc=0 code
  timeout 180 "$bin/gopmill" watch "$id" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit $2, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = "$2"
  if [ "$2" = 0 ]; then
    tree_hash "$out" >"$work/out.sha"
    check "$1: same bytes" cmp -s "$work/calm.sha" "$work/out.sha"
    diff "$work/calm.sha" "$work/out.sha" | head -n 5
  else
    code=$("$bin/gopmill" job show "$id" --json | jq -r .error.code)
    check "$1: $3, got $code" test "$code" = "$3"
    until_true "$1: nothing but the report in $out" only_report "$out"
  fi
  until_true "$1: the work store is empty again" is_empty
  find "$at/work" -type f ! -name .gm-store | head -n 5
}

make_clip "$work/clip.mp4" 24 320x240 24
head -c 32 /dev/zero | od -v -An -tx1 | tr -d ' \n' >"$work/other.key"

# Full disks, on farms of their own that take their time while the others run.
disks=()
small() { # folder size: a disk of that size, or false where nobody may mount
  mkdir -p "$1"
  mount -t tmpfs -o "size=$2" tmpfs "$1" 2>/dev/null && disks+=("$1")
}
trap 'jobs -p | xargs -r kill -9 2>/dev/null; sleep 0.1; for d in "${disks[@]}"; do umount "$d"; done; rm -rf "$work"' EXIT
farm_options="retry_ms: 100" # what fails again and again is tried soon
if small "$work/full/disk" 300k && small "$work/scratch/n1.d" 200k; then
  farm full
  node n1
  full=$("$bin/gopmill" submit "$work/clip.mp4" --out "$at/disk/out" 2>/dev/null)
  farm scratch
  node n1
  scratch=$("$bin/gopmill" submit "$work/clip.mp4" --out "$at/out" 2>/dev/null)
else
  echo "SKIPPED here: full disks (no right to mount)"
fi

farm main
node n1
submit "$work/clip.mp4" calm now
timeout 180 "$bin/gopmill" watch "$id" >/dev/null 2>&1
check "undisturbed run" test -e "$out/master.m3u8"
tree_hash "$out" >"$work/calm.sha"

# Bytes that are no messages, on both doors.
port=${wire##*:}
head -c 200000 /dev/urandom 2>/dev/null >"/dev/tcp/127.0.0.1/$port" 2>/dev/null
printf 'GET / HTTP/1.0\r\n\r\n' >"/dev/tcp/127.0.0.1/$port" 2>/dev/null
exec 7<>"/dev/tcp/127.0.0.1/$port" # half a greeting, held open
printf '\377\0\0' >&7
api() { curl -s -o /dev/null -w '%{http_code}' --unix-socket "$at/http" "$@"; }
check "half a document is 400" test "$(api -d '{"source":' http://x/v1/jobs)" = 400
check "a strange path is 404" test "$(api --path-as-is http://x/v1/jobs/../../etc)" = 404
check "17 MiB are 413" test "$(head -c 17825792 /dev/zero | api --data-binary @- http://x/v1/jobs)" = 413

# A chunk's bits are spoilt after they were written and before they are checked: that chunk alone is made again.
worker_in() { # folder under scratch: the process that works there
  local p
  for p in $(pgrep -P "$(pid n1)"); do
    [ "$(readlink "/proc/$p/cwd")" != "$at/n1.d/scratch/$1" ] || echo "$p"
  done
}
encoded() { # [find options...]: the second chunk's file, as long as it is not committed
  bad=$(find "$at/n1.d/scratch" -name r0-00002.m4s "$@" 2>/dev/null)
  [ -n "$bad" ]
}
submit "$work/clip.mp4" bad now
until_true "the second chunk is begun" encoded
verifier=$(worker_in verify)
check "one process verifies: $verifier" test "$(wc -w <<<"$verifier")" = 1
kill -STOP "$verifier"
until_true "its first pictures are written" encoded -size +20k
printf 'spoilt bits %.0s' {1..100} | dd of="$bad" bs=4096 seek=2 conv=notrunc,nocreat status=none
kill -CONT "$verifier"
ends "a bad chunk" 0
attempts=$(jq -c '[.tasks[] | select(.type == "encode") | range(.chunks.first; .chunks.first + .chunks.count)] | group_by(.) | map(length)' "$out/report.json")
check "a bad chunk: it is made twice, the other once: $attempts" test "$attempts" = "[1,2]"
found=$(jq -c '[.tasks[] | select(.outcome != "done") | [.type, .error.code]]' "$out/report.json")
check "a bad chunk: that was found out: $found" test "$found" = '[["encode","media.verify_failed"]]'

submit "$work/clip.mp4" hung
kill -STOP $(pgrep -P "$(pid n1)")
ends "stopped workers" 0
exec 7>&-

node n2
submit "$work/clip.mp4" stopped
kill -STOP "$(pid n1)"
ends "an agent stopped beyond its lease" 0
kill -CONT "$(pid n1)" # its late results must change nothing: the work store stays empty

submit "$work/clip.mp4" dead
workers=$(pgrep -P "$(pid n1)"; pgrep -P "$(pid n2)")
crash n1
crash n2
for p in $workers; do
  until_true "worker $p is gone" is_gone "$p"
done
node n1
ends "all agents dead for a while" 0

submit "$work/clip.mp4" publish
until_true "publishing" grep -q "$id.*publishing" "$at/scheduler.log"
crash scheduler
scheduler
ends "scheduler killed while publishing" 0

cp "$work/clip.mp4" "$at/source.mp4"
submit "$at/source.mp4" touched
touch "$at/source.mp4"
until_true "the end" sh -c "'$bin/gopmill' job show $id --json | jq -e '.state == \"failed\" or .state == \"done\"' >/dev/null"
crash scheduler # cleaning up, or done with it
scheduler
ends "source written to" 3 input.changed

submit "$work/clip.mp4" flipped now
flip() { # as they come: the last ones are not read before the first are encoded
  local f
  while [ ! -e "$work/flipped" ]; do
    for f in $(find "$at/work" -name '*.gmck'); do
      [ -e "$f" ] && printf XX | dd of="$f" bs=1 seek=2000 conv=notrunc,nocreat status=none 2>/dev/null
    done
    sleep 0.02
  done
}
flip &
flipper=$!
ends "flipped bytes in chunks" 1 storage.corrupt
touch "$work/flipped"
wait "$flipper"

cut_segment() { # output: the first of its segments, in $cut
  cut=$(find "$1/v" -name 'seg-*.m4s' | sort | head -n 1)
  truncate -s 100 "$cut"
}
is_named() { "$bin/gopmill" job show "$id" --json | jq -r .error.text | grep -qF "${cut#"$out/"}"; }
submit "$work/clip.mp4" cut
cut_segment "$out"
ends "a segment cut after it was stored" 1 storage.corrupt
check "the cut segment is named" is_named

submit "$work/clip.mp4" late
mkdir "$out/report.json" # in the way: what is packaged is not published yet
until_true "publishing failed" grep -q "publish_failed.*$id" "$at/scheduler.log"
cut_segment "$out"
rmdir "$out/report.json"
ends "a segment cut before it is published" 1 storage.corrupt
check "that segment is named" is_named

node n3 "$work/other.key"
submit "$work/clip.mp4" key
ends "a node with another key beside a good one" 0
stop n1
submit "$work/clip.mp4" alone now
ends "a node with another key alone" 1 node.grant_refused

there() { # farm job output: what ends() looks at
  at=$work/$1 id=$2 out=$3
  export GOPMILL_SCHEDULER=unix:$at/http
}
if [ ${#disks[@]} = 2 ]; then
  there full "$full" "$work/full/disk/out"
  ends "full destination" 1 storage.full
  there scratch "$scratch" "$work/scratch/out"
  ends "full scratch" 1 node.disk_full
fi
finish
