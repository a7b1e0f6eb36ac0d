#!/usr/bin/env bash
# A long film of the lowest class has the only node, and clips of the highest one come: runs of the film yield when their next chunk
# is committed. All is done, the bytes are the undisturbed ones, and nothing is encoded twice but the chunk that was cut.
. "$(dirname "$0")/lib.sh"

make_clip "$work/film.mp4" 160 320x180 24 -g 48
make_clip "$work/clip.mp4" 2 320x180 24
small_pipeline "$work/film.yaml" 180
sed -i 's/ultrafast/slow/' "$work/film.yaml" # chunks that take a while
small_pipeline "$work/clip.yaml" 180
farm_options="preempt_ms: 300" farm main
node_options="devices: off"
node one

submit() { # name media options...: id in $id
  local name=$1 media=$2
  shift 2
  id=$(gopmill submit "$work/$media.mp4" --out "$at/out-$name" --pipeline "$work/$media.yaml" "$@" 2>"$work/stderr") || fail "submit $name: $(cat "$work/stderr")"
}
ends() { # name id calm: done, with the bytes of that one
  local rc=0
  timeout 240 "$bin/gopmill" watch "$2" >/dev/null 2>"$work/stderr" || rc=$?
  check "$1: exit 0, got $rc: $(tail -n 2 "$work/stderr" | tr '\n' ' ')" test "$rc" = 0
  check "$1: same bytes" test "$(tree_hash "$at/out-$1")" = "$(tree_hash "$at/out-$3")"
}
of_film() { jq -e "$1" "$at/out-film/report.json" >/dev/null; } # filter
runs='[.tasks[] | select(.task == "video")]'
encoding() { gopmill job show "$film" --json | jq -e '.progress.chunks.running >= 4' >/dev/null; }
finished() { gopmill job show "$1" --json | jq -r .finished; }

submit calm-film film
ends calm-film "$id" calm-film
submit calm-clip clip
ends calm-clip "$id" calm-clip

submit film film --priority 10
film=$id
until_true "runs of the film are being encoded" encoding
kill -STOP $(pgrep -P "$(pid one)") # however fast they are, the clips come before the film is done
clips=
for i in 1 2 3; do
  submit "clip$i" clip --priority 90
  clips="$clips $id"
done
sleep 1.5 # longer than preempt_ms, and than the second in which it is looked; less than what stands still
kill -CONT $(pgrep -P "$(pid one)")
i=0
for id in $clips; do
  i=$((i + 1))
  ends "clip$i" "$id" calm-clip
  last=$(finished "$id")
done
ends film "$film" calm-film
check "the clips were done before the film" test "$(printf '%s\n' "$last" "$(finished "$film")" | sort | head -n 1)" = "$last"
check "runs of it yielded, nothing failed: $(jq -c "[.tasks[].outcome] | group_by(.) | map({(.[0]): length}) | add" "$at/out-film/report.json")" of_film \
  "($runs | map(select(.outcome == \"cancelled\")) | length) >= 1 and all(.tasks[]; .outcome == \"done\" or .outcome == \"cancelled\")"
check "nothing but runs was stopped" of_film 'all(.tasks[]; .outcome == "done" or .task == "video")'
# What a cut run had made stays: its first chunk at least is in no later run; and what is in one is in one alone.
check "each kept what it had made" of_film "$runs as \$r | all(\$r[] | select(.outcome == \"cancelled\"); .attempt as \$n | .chunks.first as \$c |
  all(\$r[] | select(.attempt > \$n); .chunks.first > \$c or .chunks.first + .chunks.count <= \$c))"
check "no chunk was given to two runs that were done" of_film "[$runs[] | select(.outcome == \"done\") | range(.chunks.first; .chunks.first + .chunks.count)] | length == (unique | length)"
check "nobody was charged" sh -c "'$bin/gopmill' job show '$film' --json | jq -e '[.tasks[].failures] | add == 0' >/dev/null"
nothing_left "$at"/out-*
finish
