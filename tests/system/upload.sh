#!/usr/bin/env bash
# Files sent to a farm's object storage by its client: the result is that of the same file read by its path; a client killed half-way sends the rest
# alone; files that can't be sent; a file put by curl. upload.sh PART: that part alone.
. "$(dirname "$0")/lib.sh"
. "$here/s3_lib.sh"

need_built tcp_fault
need_s3
only=${1:-}
part() { [ -z "$only" ] || [ "$only" = "$1" ]; }
export XDG_STATE_HOME=$work/state no_proxy="127.0.0.1,localhost"
make_clip "$work/film.mp4" 20 640x360 25 -g 25 -b:v 3M -minrate 3M -maxrate 3M -bufsize 3M -x264-params nal-hrd=cbr -movflags +faststart
small_pipeline "$work/small.yaml" 180
for b in sent work; do s3_bucket $b; done
s3_keys_file "$work/s3.keys"

# The farm's way to its store leads over a port of ours, whose rate a file says.
echo pass >"$work/link"
rm -f "$work/link.port" && mkfifo "$work/link.port"
"$bin/../tests/tcp_fault" "${s3_endpoint##*:}" "$work/link" >"$work/link.port" 2>"$work/link.log" 9>&- &
IFS= read -r link <"$work/link.port" || fail "tcp_fault: $(cat "$work/link.log")"
node_options="devices: off"
farm_options="storage: [\"s3://* endpoint=http://127.0.0.1:$link region=$s3_region style=path keys=$work/s3.keys\"]
uploads: s3://sent/here" work_store=s3://work/farm farm up
node n1

parts() { s3_keys sent here/ 2>/dev/null | grep -c '/part-'; }
is_larger() { [ "$(parts)" -gt "$1" ]; } # than so many parts
upload() { timeout 120 "$bin/gopmill" upload "$@" 2>"$work/stderr"; }
size=$(stat -c %s "$work/film.mp4")

if part same; then
  timeout 200 "$bin/gopmill" submit --no-upload "$work/film.mp4" --out "$at/calm" --pipeline "$work/small.yaml" --watch >/dev/null 2>"$work/stderr" ||
    fail "by its path: $(tail -n 2 "$work/stderr")"
  check "nothing is uploaded of a path that nodes see" test "$(parts)" = 0
  timeout 200 "$bin/gopmill" submit "$work/film.mp4" --out "$at/sent" --pipeline "$work/small.yaml" --watch --verbose >/dev/null 2>"$work/stderr" ||
    fail "submit: $(tail -n 2 "$work/stderr")"
  check "it was cut at its pictures: $(cat "$work/stderr")" sh -c "! grep -q 'without regard' '$work/stderr'"
  tree_hash "$at/calm" >"$work/calm.sha"
  check "the result has files" test -s "$work/calm.sha"
  tree_hash "$at/sent" >"$work/sent.sha"
  check "the same bytes: $(diff "$work/calm.sha" "$work/sent.sha" | head -n 3)" cmp -s "$work/calm.sha" "$work/sent.sha"
  check "it lies there in parts: $(parts)" test "$(parts)" -gt 3
  check "no signature is in a log" sh -c "! grep -qE 'X-Amz-Signature' '$at'/*.log '$work/stderr'"
  was=$(parts)
  id=$(upload "$work/film.mp4") || fail "upload: $(cat "$work/stderr")"
  check "the same file is not sent again: ${id:-}" test "$(parts)" = "$was"
  id=$(gopmill submit "$id" --out "$at/again" --pipeline "$work/small.yaml" 2>"$work/stderr") || fail "submit of an upload: $(cat "$work/stderr")"
  timeout 200 "$bin/gopmill" watch "$id" >/dev/null 2>"$work/stderr" || fail "watch: $(tail -n 2 "$work/stderr")"
  check "one upload is read by several jobs" test "$(tree_hash "$at/again")" = "$(cat "$work/calm.sha")"
fi

if part kill; then
  cp "$work/film.mp4" "$work/killed.mp4"
  before=$(parts)
  echo "link 600000" >"$work/link"
  "$bin/gopmill" upload "$work/killed.mp4" --parallel 2 >/dev/null 2>"$work/stderr" &
  client=$!
  until_true "kill: parts come" is_larger $((before + 2))
  kill -KILL "$client"
  wait "$client" 2>/dev/null
  half=$(parts)
  "$bin/gopmill" upload "$work/killed.mp4" --parallel 2 >/dev/null 2>"$work/stderr" &
  client=$!
  until_true "kill: more parts come" is_larger "$half"
  kill -INT "$client"
  wait "$client"
  check "kill: an interrupt ends it with 130" test $? = 130
  check "kill: it says how to go on: $(cat "$work/stderr")" grep -q 'the same command goes on' "$work/stderr"
  echo pass >"$work/link"
  half=$(parts)
  id=$(upload "$work/killed.mp4" --json) || fail "resumed: $(cat "$work/stderr")"
  check "it goes on: $(cat "$work/stderr")" grep -q 'goes on with upload:' "$work/stderr"
  check "it is complete" jq -e ".state == \"complete\" and .size == $size" <<<"$id" >/dev/null
  all=$(jq .parts <<<"$id")
  check "each part is there once: $(parts) of $before and $all" test "$(parts)" = $((before + all))
  check "the kill came half-way: $half" test "$half" -lt $((before + all))
  up=$(jq -r .id <<<"$id")
  for key in $(s3_keys sent "here/$up/part-"); do s3_curl "sent/$key"; done >"$work/joined"
  check "they are the file" cmp -s "$work/joined" "$work/film.mp4"
fi

if part again; then # a client killed while its job works
  cp "$work/film.mp4" "$work/again.mp4"
  head -c 14000000 /dev/zero >>"$work/again.mp4" # so that there is something between its head and its end
  echo "link 3000000" >"$work/link"
  given=(submit "$work/again.mp4" --out "$at/twice" --pipeline "$work/small.yaml" --external-id twice)
  "$bin/gopmill" "${given[@]}" >/dev/null 2>"$work/stderr" &
  client=$!
  jobs_of() { gopmill job list --json | jq '[.jobs[] | select(.external_id == "twice")] | length'; }
  one_job() { [ "$(jobs_of)" = 1 ]; }
  until_true "again: the job is there" one_job
  kill -KILL "$client"
  wait "$client" 2>/dev/null
  echo pass >"$work/link"
  timeout 200 "$bin/gopmill" "${given[@]}" --watch >/dev/null 2>"$work/stderr" || fail "again: $(tail -n 2 "$work/stderr")"
  check "again: it goes on with the job: $(cat "$work/stderr")" grep -q 'goes on with 0' "$work/stderr"
  check "again: there is no second job" one_job
fi

if part refused; then
  : >"$work/empty.mp4"
  mkdir "$work/folder.mp4"
  for row in "empty.mp4 input.empty" "folder.mp4 input.not_a_file" "none.mp4 input.missing"; do
    check "upload of ${row% *}" status 3 "$bin/gopmill" upload "$work/${row% *}"
    check "it says ${row#* }" said "${row#* }"
  done
  if [ "$(id -u)" != 0 ]; then
    cp "$work/film.mp4" "$work/closed.mp4"
    chmod 0 "$work/closed.mp4"
    check "upload of what may not be read" status 2 "$bin/gopmill" upload "$work/closed.mp4"
    check "it says so" said input.denied
  fi
  head -c 300000 /dev/urandom >"$work/noise.mp4"
  before=$(parts)
  check "a job of what is no film" status 3 timeout 120 "$bin/gopmill" submit "$work/noise.mp4" --out "$at/noise" --pipeline "$work/small.yaml" --watch
  check "it says that its upload stays, and how it goes" said 'gopmill uploads delete upload:'
  check "it stays" is_larger "$before"
  gopmill uploads delete "$(grep -m 1 -oE 'delete upload:[0-9a-z]+' "$work/out" | cut -d' ' -f2)" >/dev/null 2>"$work/stderr" || fail "delete: $(cat "$work/stderr")"
  is_as_before() { [ "$(parts)" = "$before" ]; }
  until_true "it goes" is_as_before
  cp "$work/film.mp4" "$work/cut.mp4"
  before=$(parts)
  echo "link 600000" >"$work/link"
  "$bin/gopmill" upload "$work/cut.mp4" --parallel 1 >/dev/null 2>"$work/stderr" &
  client=$!
  until_true "a part comes" is_larger "$before"
  truncate -s 3000000 "$work/cut.mp4"
  echo pass >"$work/link"
  wait "$client"
  check "a file that is cut while it is sent: exit 3" test $? = 3
  check "it says so: $(tail -n 2 "$work/stderr")" grep -q 'input.changed.*changed while it was sent.*begins anew' "$work/stderr"
  curl -s --unix-socket "$at/http" http://x/v1/uploads >"$work/out"
  check "its upload is gone: $(cat "$work/out")" jq -e '[.uploads[] | select(.name == "cut.mp4")] == []' "$work/out" >/dev/null
  cp "$work/film.mp4" "$work/late.mp4"
  head -c 14000000 /dev/zero >>"$work/late.mp4"
  echo "link 3000000" >"$work/link"
  "$bin/gopmill" submit "$work/late.mp4" --out "$at/late" --pipeline "$work/small.yaml" --external-id late >/dev/null 2>"$work/stderr" &
  client=$!
  late_is() { gopmill job list --json | jq -e "[.jobs[] | select(.external_id == \"late\") | .state | select(. == $1)] | length == 1" >/dev/null; }
  until_true "the job is there" late_is .
  truncate -s 3000000 "$work/late.mp4"
  echo pass >"$work/link"
  wait "$client"
  check "one that is cut while its job waits: exit 3" test $? = 3
  check "it names the job: $(tail -n 2 "$work/stderr")" grep -q 'input.changed.*; job 0.* ends with the upload' "$work/stderr"
  until_true "the job ends" late_is '("cancelled", "failed")'
fi

if part curl; then # one PUT, by who can't cut
  answer=$(curl -s --unix-socket "$at/http" -H 'Content-Type: application/json' -d "{\"name\":\"film.mp4\",\"size\":$size,\"whole\":true}" http://x/v1/uploads)
  up=$(jq -r .id <<<"$answer")
  check "whole: it says that there is no overlap: $answer" jq -e '.overlap == false' <<<"$answer" >/dev/null
  check "curl -T takes it" curl -sf --noproxy '*' -T "$work/film.mp4" "$(jq -r .url <<<"$answer")"
  curl -s --unix-socket "$at/http" -H 'Content-Type: application/json' -d '' "http://x/v1/uploads/$up:complete" >"$work/out"
  check "it is complete: $(cat "$work/out")" jq -e '.state == "complete"' "$work/out" >/dev/null
  timeout 200 "$bin/gopmill" submit "upload:$up" --out "$at/whole" --pipeline "$work/small.yaml" --watch >/dev/null 2>"$work/stderr" ||
    fail "submit of a whole: $(tail -n 2 "$work/stderr")"
  check "its result plays" plays "$at/whole/master.m3u8"
  [ ! -e "$work/calm.sha" ] || check "the same bytes" test "$(tree_hash "$at/whole")" = "$(cat "$work/calm.sha")"
fi
stop n1
stop scheduler
finish
