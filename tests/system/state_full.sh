#!/usr/bin/env bash
# The disk of the scheduler's state is full in the middle of a job, for longer than a lease: no job is taken, who asks is told why, what runs goes
# on, and all that was acknowledged is done when there is room again; also where the scheduler is killed meanwhile, and started again and again as
# its unit does.
. "$(dirname "$0")/lib.sh"

mkdir -p "$work/main/s"
mount -t tmpfs -o size=16m tmpfs "$work/main/s" 2>/dev/null || skip "nobody may mount a small disk here"
trap 'jobs -p | xargs -r kill -9 2>/dev/null; sleep 0.1; umount "$work/main/s"; rm -rf "$work"' EXIT
make_clip "$work/clip.mp4" 60 320x240 25
small_pipeline "$work/small.yaml" 240
lease_ms=3000 farm main
node_slots=1 node n1
submit() { gopmill submit "$work/clip.mp4" --out "$work/$1" --pipeline "$work/small.yaml"; }
runs_chunks() { gopmill job show "$1" --json | jq -e '.tasks[] | select(.type == "encode" and .done >= 1)' >/dev/null; }
fill() { dd if=/dev/zero of="$at/s/filler" bs=4k 2>/dev/null; }
free() { rm "$at/s/filler"; }
ask() { curl -s -m 60 --unix-socket "$at/http" "$@"; }
is_full() { ask http://x/readyz | jq -e '.ready and .takes_jobs == false and (.reason | contains("is full"))' >/dev/null; }
same() { tree_hash "$work/$1" | diff -q "$work/calm.hash" - >/dev/null; }
lost() { jq -r '[.tasks[] | select(.outcome != "done")] | map("\(.task): \(.outcome)") | join(", ")' "$work/$1/report.json"; }
check "a job of an undisturbed farm" gopmill watch "$(submit calm)"
tree_hash "$work/calm" >"$work/calm.hash"

id=$(submit full) || fail "submit"
until_true "chunks are done" runs_chunks "$id"
fill
submit late >"$work/late.id" 2>"$work/late.err" & # waits, or is refused
late=$!
until_true "the scheduler says that it is full" is_full
check "and logs whose fault that is" grep -q "event=state_full .*scheduler.state_full" "$at/scheduler.log"
sleep 4 # more than a lease
check "it goes on" is_full
check "a job is refused" [ "$(ask -d "{\"source\":\"file://$work/clip.mp4\",\"destination\":\"file://$work/no\",\"pipeline\":\"hls\"}" -D "$work/head" http://x/v1/jobs | jq -r .code)" = scheduler.state_full ]
check "with a time" grep -qi '^Retry-After: [0-9]' "$work/head"
check "what is known can be read" [ "$(ask "http://x/v1/jobs/$id" | jq -r .state)" = running ]
check "who would wait for the disk is refused" [ "$(ask "http://x/v1/jobs/$id/logs" | jq -r .code)" = scheduler.state_full ]
free
check "with room the job is done" gopmill watch "$id"
wait $late; ended=$?
check "who came as it became full was taken or refused: $ended" eval '[ $ended = 0 ] || grep -q scheduler.state_full "$work/late.err"'
[ $ended != 0 ] || check "and what was taken is done" gopmill watch "$(cat "$work/late.id")"
check "with the bytes of an undisturbed job" same full
check "and no attempt was lost: $(lost full)" test -z "$(lost full)"
check "jobs are taken again" [ "$(ask http://x/readyz | jq -r .takes_jobs)" = true ]

id=$(submit ended) || fail "submit before the second time"
until_true "chunks are done again" runs_chunks "$id"
fill
submit late >"$work/late.id" 2>"$work/late.err" &
until_true "it is full again" is_full
kill -TERM "$(pid scheduler)"
wait "$(pid scheduler)"; ended=$?
check "told to stop it gives up what waits: $ended" [ $ended = 1 ]
starts() { # as its unit: until it serves
  "$bin/gopmill-scheduler" --config "$at/scheduler.yaml" >"$work/out" 2>>"$at/scheduler.log" 9>&- &
  echo $! >"$at/scheduler"
  until grep -q READY "$work/out"; do
    ! is_gone "$(pid scheduler)" || return 1
    sleep 0.05
  done
}
starts_not() { ! starts; }
check "it does not start without room" starts_not
check "and says why" grep -q "event=failed .*scheduler.state_full" "$at/scheduler.log"
free
until_true "it starts() when there is some" starts
check "the job is done" gopmill watch "$id"
check "with the same bytes" same ended
nothing_left "$work/full" "$work/ended"
for unit in scheduler node; do
  check "the $unit is started again for ever" grep -q '^StartLimitIntervalSec=0$' "$top/config/systemd/gopmill-$unit.service"
done
finish
