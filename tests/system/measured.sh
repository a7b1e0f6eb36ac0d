#!/usr/bin/env bash
# Nodes whose machines were measured: the work goes to the faster one, and a file that can't be used costs its figures alone.
. "$(dirname "$0")/lib.sh"

make_clip "$work/clip.mp4" 3 320x240 25
small_pipeline "$work/small.yaml" 240
# What hwtest says of this machine, with figures of level 3 that nobody measured.
"$bin/gopmill-hwtest" --level 1 --device cpu --json "$work/level1" >/dev/null || fail "hwtest"
report() { # file fps [jq]: a report of that rate of H.264 of a slot, and of four times that of all
  jq --argjson fps "$2" '.level = 3 | .checks += [["one", 1], ["all", 4] | {device: "cpu", name: "encode.h264.\(.[0])", level: 3,
    status: "PASS", value: ($fps * .[1]), unit: "fps"}]'"${3:-}" "$work/level1" >"$work/$1"
}
report slow 20
report fast 60
report short 60 '| .short = true'
report other 60 '| .libraries = "libavcodec-1.2.3 x"'
report machine 60 '| .devices[0].name = "Z80"'
head -c 300 "$work/fast" >"$work/cut"
submit() { # sets id: a job that is done
  id=$(gopmill submit "$work/clip.mp4" --out "$work/out" --pipeline "$work/small.yaml" 2>/dev/null) && gopmill watch "$id" >"$work/watch" 2>&1
}
chosen() { # where the runs went first: on a busy machine one may be copied to the other node
  jq -r '[.tasks[] | select(.task == "video")] | group_by(.chunks.first)
    | map(min_by(.attempt).node) | unique | join(" ")' "$work/out/report.json"
}
notes() { # node words: its node list has a note with them
  gopmill node list --json | jq -e --arg n "$1" --arg w "$2" '.nodes[] | select(.id == $n)
    | [.notes[], .devices[].notes[].text] | any(contains($w))' >/dev/null
}

farm measured
# Without figures the first node is filled up.
node_options="" node a
node_options="" node b
check "a job is done" submit
check "without figures: best fit" test "$(chosen)" = a
check "nothing was measured" sh -c "! '$bin/gopmill' node list | grep -q measured"
stop a
stop b
node_options="measured: $work/slow" node a
node_options="measured: $work/fast" node b
check "a job is done" submit
check "the faster node encodes" test "$(chosen)" = b
check "the list shows the figures" sh -c "'$bin/gopmill' node list | grep -q 'measured 20.*: h264 124.4 of 497.7 (encoding'"
check "and so does the API" sh -c "'$bin/gopmill' node list --json | jq -e '.nodes[] | select(.id == \"a\") | .devices[0].measured
  | .rates == [{what: \"encode\", api: \"software\", codec: \"h264\", depth: 8, height: 1080, one: 41472000, all: 165888000, streams: 0}]' >/dev/null"
stop b
node_options="measured: $work/slow" node b # alike again: a has it by best fit
check "a job is done" submit
check "as fast: best fit" test "$(chosen)" = a

broken() { # file words: a node with it works, and says why its figures are not used
  stop b
  node_options="measured: $work/$1" node b
  check "$1: the list says why" notes b "$2"
  check "$1: the log says it" grep -q "level=warn comp=node event=not-measured" "$at/b.log"
  check "$1: no figures" sh -c "'$bin/gopmill' node list --json | jq -e '.nodes[] | select(.id == \"b\") | .devices[0].measured == null' >/dev/null"
  rm "$at/b.log"
}
: >"$at/b.log"
broken cut "is not used: line"
broken missing "could not find it"
broken short "--short"
broken other "measure again"
broken machine "is of \`Z80\`"
stop a
check "a job is done by a node whose file is broken" submit
check "by that one" test "$(chosen)" = b
stop b
stop scheduler
finish
