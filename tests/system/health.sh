#!/usr/bin/env bash
# A node that fails all it is given, beside good ones: it is closed, and the job done by the others; and what operators close.
. "$(dirname "$0")/lib.sh"
make_clip "$work/clip.mp4" 40 160x120 10
small_pipeline "$work/small.yaml" 120
head -c 32 /dev/zero | od -v -An -tx1 | tr -d ' \n' >"$work/other.key"
is() { # node filter: true of its processors in the node list
  gopmill node list --json >"$work/nodes" && jq -e --arg node "$1" ".nodes[] | select(.id == \$node) | .devices[0] | $2" "$work/nodes" >/dev/null
}
closed='.quarantine.state == "quarantined" and .quarantine.by == "scheduler" and .capacity.slots == 0'
counts() { # attempts that node "bad" failed in the last job's report
  jq '[.tasks[] | select(.node == "bad" and .outcome == "failed")] | length' "$out/report.json"
}

farm one
node bad "$work/other.key" # grants are forged, for all it knows: node.grant_refused at once
node good
out=$work/first
check "a job is done beside a node that fails everything" gopmill transcode "$work/clip.mp4" --out "$out" --quiet --pipeline "$work/small.yaml"
check "it swallowed a few tasks at most" sh -c "[ $(counts) -ge 1 ] && [ $(counts) -le 6 ]"
closes() { # each job brings it more to fail
  for i in 2 3 4 5; do
    is bad "$closed" && return
    out=$work/job$i
    gopmill transcode "$work/clip.mp4" --out "$out" --quiet --pipeline "$work/small.yaml" || return
  done
  is bad "$closed"
}
check "after a few jobs it is closed by the scheduler" closes
check "which says why" is bad '.quarantine.why | test("2 tasks failed there and passed elsewhere: .*node.grant_refused")'
check "in the list for people, too" sh -c "'$bin/gopmill' node list | grep -q 'in quarantine by the scheduler since .*2 tasks failed there'"
check "and in its log" grep -q 'event=node.quarantined.*grant_refused' "$at/scheduler.log"
check "the good one is not" is good '.quarantine == null and .capacity.slots == 2'
out=$work/after
check "the next job is done" gopmill transcode "$work/clip.mp4" --out "$out" --quiet --pipeline "$work/small.yaml"
check "without a failure there" test "$(counts)" = 0

# Kept over a restart, and lifted by the operator.
stop scheduler
scheduler
until_true "both nodes are back" sh -c "'$bin/gopmill' node list --json | jq -e '[.nodes[] | select(.connected)] | length == 2' >/dev/null"
check "it is closed after a restart of the scheduler" is bad "$closed"
check "resume lifts it" status 0 gopmill node resume bad
check "at once" is bad '.quarantine == null and .capacity.slots == 2'

# Operators' own.
check "a reason is wanted" status 2 gopmill node quarantine good
check "a node that is not there" status 2 gopmill node quarantine nobody --reason fans
check "a device that is not there" status 2 gopmill node quarantine good --device gpu --reason fans
check "a device is closed" status 0 gopmill node quarantine good --device cpu --reason "its fans are loud"
check "it is told" is good '.quarantine == {state: "quarantined", by: "operator", why: "its fans are loud", since: .quarantine.since} and .capacity.slots == 0'
stop scheduler
scheduler
until_true "both nodes are back again" sh -c "'$bin/gopmill' node list --json | jq -e '[.nodes[] | select(.connected)] | length == 2' >/dev/null"
check "it stays closed after a restart" is good '.quarantine.why == "its fans are loud"'
check "it is opened" status 0 gopmill node resume good --device cpu
check "and takes tasks" is good '.quarantine == null and .capacity.slots == 2'
check "twice is once too often" status 2 gopmill node resume good --device cpu
check "a whole node" status 0 gopmill node quarantine bad --reason "wrong key"
out=$work/last
check "a job is done by the others" gopmill transcode "$work/clip.mp4" --out "$out" --quiet --pipeline "$work/small.yaml"
check "alone" test "$(counts)" = 0
nothing_left "$work/first" $(ls -d "$work"/job? 2>/dev/null) "$out"
stop bad
stop good
stop scheduler

# Open files: all that the system lets it have.
printf '#!/bin/sh\nexec prlimit --nofile=256:1500 "%s/gopmill-scheduler" "$@"\n' "$bin" >"$work/few"
chmod +x "$work/few"
program "$work/few" "$at/few" --config "$at/scheduler.yaml"
check "the limit of open files is raised" grep -qE '^Max open files +1500 +1500 ' "/proc/$(pid few)/limits"
check "that it is low is said" grep -q 'event=few_files limit=1500 nodes=300' "$at/few.log"
stop few
finish
